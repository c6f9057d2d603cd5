package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// resolve has pip find and download what a set needs, and keeps the files by
// their digests.
func (s *Store) resolve(ctx context.Context, set *set, work string) (*lock, error) {
	stubs := filepath.Join(work, "provided")
	if err := s.writeStubs(stubs); err != nil {
		return nil, err
	}
	local := map[string]bool{}
	var requirements, constraints strings.Builder
	for _, p := range set.pins {
		fmt.Fprintln(&requirements, p)
	}
	if err := os.Mkdir(filepath.Join(work, "local"), 0o755); err != nil {
		return nil, err
	}
	for _, w := range set.wheels {
		path := filepath.Join(work, "local", w.Name)
		if err := os.WriteFile(path, w.Content, 0o644); err != nil {
			return nil, err
		}
		// pip would read the metadata of whatever is in there.
		if err := s.inspect(path, w.Name); err != nil {
			return nil, &RequestError{-1, err.Error()}
		}
		fmt.Fprintln(&requirements, path)
		local[w.Name] = true
	}
	for name, version := range s.config.Provided {
		fmt.Fprintf(&constraints, "%s==%s\n", name, version)
	}
	if set.pins != nil || set.wheels != nil {
		args := []string{"--find-links", stubs, "--constraint", filepath.Join(work, "constraints.txt")}
		if err := os.WriteFile(filepath.Join(work, "constraints.txt"), []byte(constraints.String()), 0o644); err != nil {
			return nil, err
		}
		if output, err := s.download(ctx, work, requirements.String(), args...); err != nil {
			return nil, s.explain(ctx, set, work, output, err)
		}
	}
	files, err := os.ReadDir(filepath.Join(work, "download"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l := &lock{Wheels: []locked{}}
	for _, f := range files {
		name, err := parseWheelName(f.Name())
		if err != nil || name.native {
			return nil, &RequestError{-1, nativeReason(f.Name())}
		}
		if _, ok := s.config.Provided[name.name]; ok {
			continue
		}
		w, err := s.keep(filepath.Join(work, "download", f.Name()), f.Name())
		if err != nil {
			return nil, err
		}
		w.Local = local[f.Name()]
		l.Wheels = append(l.Wheels, w)
	}
	if len(l.Wheels) > s.config.Packages {
		return nil, &RequestError{-1, fmt.Sprintf("the packages need %d others; the limit is %d in all", len(l.Wheels), s.config.Packages)}
	}
	slices.SortFunc(l.Wheels, func(a, b locked) int { return strings.Compare(a.File, b.File) })
	return l, nil
}

// refetch gets the files of a lock that are gone from the cache.
func (s *Store) refetch(ctx context.Context, set *set, l *lock, work string) error {
	var requirements strings.Builder
	missing := map[string]locked{}
	for _, w := range l.Wheels {
		if digest, err := digestFile(s.wheelPath(w)); err == nil && digest == w.SHA256 {
			continue
		}
		if w.Local {
			i := slices.IndexFunc(set.wheels, func(have Wheel) bool { return have.Name == w.File })
			if i < 0 {
				return ErrDigest
			}
			if err := writeFile(s.wheelPath(w), set.wheels[i].Content); err != nil {
				return err
			}
			continue
		}
		name, err := parseWheelName(w.File)
		if err != nil {
			return err
		}
		fmt.Fprintf(&requirements, "%s==%s --hash=sha256:%s\n", name.name, name.version, w.SHA256)
		missing[w.File] = w
	}
	if len(missing) == 0 {
		return nil
	}
	if output, err := s.download(ctx, work, requirements.String(), "--no-deps", "--require-hashes"); err != nil {
		if strings.Contains(output, "DO NOT MATCH THE HASHES") {
			return ErrDigest
		}
		return s.explain(ctx, set, work, output, err)
	}
	for file, want := range missing {
		got, err := s.keep(filepath.Join(work, "download", file), file)
		if err != nil {
			return err
		}
		if got.SHA256 != want.SHA256 {
			return ErrDigest
		}
	}
	return nil
}

// keep checks a wheel, and moves it to where its digest says.
func (s *Store) keep(path, file string) (locked, error) {
	if err := s.inspect(path, file); err != nil {
		return locked{}, &RequestError{-1, err.Error()}
	}
	digest, err := digestFile(path)
	if err != nil {
		return locked{}, err
	}
	w := locked{File: file, SHA256: digest}
	return w, os.Rename(path, s.wheelPath(w))
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// download runs pip, into work/download, and answers what it printed.
func (s *Store) download(ctx context.Context, work, requirements string, options ...string) (string, error) {
	list := filepath.Join(work, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return "", err
	}
	args := append([]string{"download", "--quiet", "--requirement", list, "--dest", filepath.Join(work, "download")}, options...)
	return s.run(ctx, work, append(args, s.platform()...))
}

// platform has pip take pure-Python wheels for the guest's Python, whatever
// Python runs it.
func (s *Store) platform() []string {
	return []string{
		"--only-binary", ":all:", "--platform", "any", "--python-version", s.config.Version, "--implementation", "py", "--abi", "none",
		"--no-input", "--disable-pip-version-check", "--no-color",
	}
}

// run runs pip, and stops it when it downloads too much.
func (s *Store) run(ctx context.Context, work string, args []string) (string, error) {
	command := s.config.Pip
	if len(command) == 0 {
		python, err := exec.LookPath("python3")
		if err != nil {
			if python, err = exec.LookPath("python"); err != nil {
				return "", fmt.Errorf("packages: there is no python3, whose pip fetches packages: %w", err)
			}
		}
		command = []string{python, "-m", "pip"}
	}
	temporary := filepath.Join(work, "tmp")
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pip := exec.CommandContext(ctx, command[0], append(append(slices.Clone(command[1:]), args...), s.config.Options...)...)
	pip.Dir = work // its own: no file of this folder is looked at
	pip.Env = append(os.Environ(), "PIP_REQUIRE_VIRTUALENV=false", "TMPDIR="+temporary, "PYTHONSAFEPATH=1")
	pip.WaitDelay = 5 * time.Second
	output := &tail{limit: 64 << 10}
	pip.Stdout, pip.Stderr = output, output
	if err := pip.Start(); err != nil {
		return "", err
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(200 * time.Millisecond):
				if folderSize(work) > s.config.Bytes {
					cancel(&RequestError{-1, fmt.Sprintf("the packages are larger than %d bytes", s.config.Bytes)})
					return
				}
			}
		}
	}()
	err := pip.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	<-watched
	return output.String(), err
}

// A tail keeps the end of what is written.
type tail struct {
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - t.limit; over > 0 {
		t.data = bytes.Clone(t.data[over:])
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.data) }

func folderSize(folder string) (n int64) {
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if info, err := entry.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // files come and go
	})
	return n
}

var (
	notFound = regexp.MustCompile(`No matching distribution found for ([^\s(]+)`)
	conflict = regexp.MustCompile(`(?m)^(?:ERROR: )?(Cannot install .*|ResolutionImpossible.*)$`)
)

// explain turns a failure of pip into one for who asked, or for the log.
func (s *Store) explain(ctx context.Context, set *set, work, output string, err error) error {
	var known *RequestError
	if errors.As(err, &known) {
		return known
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if m := notFound.FindStringSubmatch(output); m != nil {
		wanted := m[1]
		index := -1
		for _, p := range set.pins {
			if requested := requirementPattern.FindStringSubmatch(wanted); requested != nil && Normalize(requested[1]) == p.name {
				index = p.index
			}
		}
		return &RequestError{index, s.whyNotFound(ctx, work, wanted)}
	}
	if m := conflict.FindStringSubmatch(output); m != nil {
		reason := "the packages exclude each other, or versions that are part of the sandbox: " + m[1]
		if _, rest, ok := strings.Cut(output, "The conflict is caused by:"); ok {
			rest, _, _ = strings.Cut(strings.TrimSpace(rest), "\n\n")
			reason += ": " + strings.Join(strings.Fields(rest), " ")
		}
		return &RequestError{-1, clip(reason, 1000)}
	}
	return fmt.Errorf("packages: pip failed: %w\n%s", err, strings.TrimSpace(output))
}

func clip(text string, limit int) string {
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// whyNotFound asks pip once more, about one requirement alone and aloud: files
// for other platforms mean native code.
func (s *Store) whyNotFound(ctx context.Context, work, wanted string) string {
	name, _, _ := strings.Cut(wanted, "==")
	name = strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("[<>=!~;, ", r) })[0]
	list := filepath.Join(work, "why.txt")
	if err := os.WriteFile(list, []byte(wanted+"\n"), 0o644); err == nil {
		output, _ := s.run(ctx, work, append([]string{"download", "-vv", "--no-deps", "--requirement", list, "--dest", filepath.Join(work, "why")}, s.platform()...))
		version := ""
		if _, v, ok := strings.Cut(wanted, "=="); ok {
			version = v
		}
		wheels, sources := skipped(output, Normalize(name), version)
		switch {
		case wheels:
			return nativeReason(wanted)
		case sources:
			return wanted + " is there as source alone, and nothing is built here: only packages with a pure-Python wheel can be added"
		}
	}
	return "there is no package " + wanted + " on the index"
}

var skippedFile = regexp.MustCompile(`Skipp(?:ing|ed) link: ([^:]+):.*/([^/\s#]+\.(?:whl|zip|tar\.gz|tar\.bz2))`)

// skipped finds in pip's words which files of a package it did not take.
func skipped(output, name, version string) (wheels, sources bool) {
	for _, m := range skippedFile.FindAllStringSubmatch(output, -1) {
		if w, err := parseWheelName(m[2]); err == nil {
			wheels = wheels || w.name == name && w.native && (version == "" || sameVersion(w.version, version))
			continue
		}
		base := m[2]
		for _, suffix := range []string{".zip", ".tar.gz", ".tar.bz2"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if i := strings.LastIndex(base, "-"); i > 0 && Normalize(base[:i]) == name && (version == "" || sameVersion(base[i+1:], version)) {
			sources = true
		}
	}
	return wheels, sources
}
