package execution

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"mayfly/host/vfs"
	"mayfly/storage"
)

// ArtifactLimits bound what is kept of one execution.
type ArtifactLimits struct {
	Count int   // 0: 100
	Bytes int64 // of all together; 0: as much as the file system holds
}

func (l ArtifactLimits) withDefaults() ArtifactLimits {
	if l.Count == 0 {
		l.Count = 100
	}
	return l
}

// defaultArtifacts are kept when a request names no paths.
var defaultArtifacts = []string{"/artifacts/**"}

// checkGlob says what is wrong with a pattern of artifacts.
func checkGlob(glob string) error {
	if !doublestar.ValidatePattern(glob) {
		return fmt.Errorf("%q is not a pattern: expected one like /artifacts/** or out/*.csv", glob)
	}
	return nil
}

// written is a file that the program made or changed.
type written struct {
	path    string
	content []byte
}

// collect lists the written files that match the request's patterns, in order
// of their paths. cut says that there were more than are kept.
func (b *sandbox) collect() (files []written, cut bool) {
	if b.files.Usage().Inodes == 0 {
		return nil, false
	}
	globs := b.request.Artifacts
	if globs == nil {
		globs = defaultArtifacts
	}
	for i, g := range globs {
		if !path.IsAbs(g) {
			if i == 0 {
				globs = append([]string(nil), globs...)
			}
			globs[i] = path.Join(b.files.Cwd(), g)
		}
	}
	var total int64
	limits := b.service.config.Artifacts
	b.files.Walk("/", func(name string, info vfs.Info) error {
		if info.ReadOnly && info.Kind == vfs.Directory {
			return fs.SkipDir // a library: nothing in it was written
		}
		if info.Kind != vfs.File || !matches(globs, name) {
			return nil
		}
		content, err := b.files.Read(name)
		if err != nil {
			return nil // it was there a moment ago, and nothing else runs
		}
		if mounted, ok := b.mounted[name]; ok && bytes.Equal(mounted, content) {
			return nil // the request brought it
		}
		if b.cell.had(name, content) {
			return nil // an artifact of an earlier cell
		}
		total += int64(len(content))
		if len(files) >= limits.Count || limits.Bytes > 0 && total > limits.Bytes {
			cut = true
			return nil
		}
		files = append(files, written{name, content})
		return nil
	})
	return files, cut
}

func matches(globs []string, name string) bool {
	for _, g := range globs {
		if ok, _ := doublestar.Match(g, name); ok {
			return true
		}
	}
	return false
}

// export stores the written files and lists them as artifacts.
func (b *sandbox) export(ctx context.Context, id string) (list []Artifact, cut bool, err error) {
	files, cut := b.collect()
	var to *exporter
	if len(files) > 0 {
		to = b.exporter(ctx, id)
	}
	for _, f := range files {
		name := strings.TrimPrefix(strings.TrimPrefix(f.path, "/artifacts"), "/")
		sum := sha256.Sum256(f.content)
		a := Artifact{Name: name, Path: f.path, Size: int64(len(f.content)), ContentType: contentType(name, f.content), SHA256: hex.EncodeToString(sum[:])}
		options := storage.PutOptions{ContentType: a.ContentType, Digests: storage.Digests{SHA256: a.SHA256}, Size: a.Size}
		if keep := b.service.config.Keep; keep > 0 {
			options.Expires = time.Now().Add(keep)
		}
		if _, err := b.service.config.Objects.Put(ctx, ArtifactKey(id, a.Name), bytes.NewReader(f.content), options); err != nil {
			return list, cut, fmt.Errorf("artifact %s: %w", f.path, err)
		}
		a.Export = to.put(ctx, &a, f.content)
		list = append(list, a)
		b.emit(Event{Artifact: &list[len(list)-1]})
	}
	return list, cut, nil
}

// contentType is told by the name, else by the content (WHATWG MIME Sniffing).
func contentType(name string, content []byte) string {
	ext := strings.ToLower(path.Ext(name))
	if t := contentTypes[ext]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return http.DetectContentType(content)
}

// contentTypes are those that a machine's own table may lack or have
// otherwise.
var contentTypes = map[string]string{
	".svg": "image/svg+xml", ".csv": "text/csv; charset=utf-8", ".json": "application/json", ".md": "text/markdown; charset=utf-8",
	".txt": "text/plain; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".ts": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8", ".png": "image/png", ".pdf": "application/pdf",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".parquet": "application/vnd.apache.parquet",
	".webp": "image/webp", ".tsv": "text/tab-separated-values; charset=utf-8", ".ndjson": "application/x-ndjson",
}

// mount puts the request's files into the file system.
func (b *sandbox) mount(ctx context.Context) error {
	for i := range b.request.Files {
		f := &b.request.Files[i]
		content := f.Content
		if f.Artifact != nil {
			var err error
			if content, err = b.artifact(ctx, i, f.Artifact); err != nil {
				return err
			}
		}
		if err := b.files.MountFile(f.Path, content); err != nil {
			field := fmt.Sprintf("/files/%d/path", i)
			if errors.Is(err, vfs.ENOSPC) {
				return &InvalidError{"/files", fmt.Sprintf("larger together than limits.files_bytes (%d)", b.limits.FilesBytes)}
			}
			return &InvalidError{field, err.Error()}
		}
		if b.mounted == nil {
			b.mounted = map[string][]byte{}
		}
		b.mounted[absolutePath(f.Path)] = content
	}
	return nil
}

// artifact reads a stored artifact for file i.
func (b *sandbox) artifact(ctx context.Context, i int, ref *ArtifactRef) ([]byte, error) {
	field := fmt.Sprintf("/files/%d/artifact", i)
	c, err := b.service.config.Objects.Get(ctx, ArtifactKey(ref.Execution, ref.Name), storage.GetOptions{})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, &InvalidError{field, fmt.Sprintf("execution %s has no artifact %q", ref.Execution, ref.Name)}
	}
	if err != nil {
		return nil, err
	}
	defer c.Body.Close()
	if c.Length > b.limits.FilesBytes {
		return nil, &InvalidError{field, fmt.Sprintf("larger than limits.files_bytes (%d)", b.limits.FilesBytes)}
	}
	content := make([]byte, c.Length)
	if _, err := io.ReadFull(c.Body, content); err != nil {
		return nil, err
	}
	return content, nil
}
