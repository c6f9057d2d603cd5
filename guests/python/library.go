package python

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"mayfly/host/vfs"
	"mayfly/runtime/isolate"
)

// Places in the guest's file system.
const (
	// libraryPath is where the interpreter looks for its library: a zip file
	// where it was made, a directory here, so that nothing is inflated in the
	// guest.
	libraryPath = "/usr/local/lib/python315.zip"
	// agentPath is where the agent's package is.
	agentPath = "/usr/local/lib/mayfly"
)

// libraryFormat is part of what names the unpacked library: it changes when
// the way it is laid out does.
const libraryFormat = 1

// matplotlib's data is a zip file in the library, and a directory beside it.
const (
	dataArchive = "matplotlib/mpl-data.zip"
	dataFolder  = "matplotlib/mpl-data"
)

// Layer is the guest's part of every isolate's file system: the standard
// library and the agent, read-only.
func Layer(ctx context.Context, cache string, progress isolate.Progress) (*vfs.Layer, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	library, err := libraryLayer(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	agent, err := agentLayer()
	if err != nil {
		return nil, err
	}
	return vfs.Stack(
		vfs.Mount{At: libraryPath, Layer: library, ReadOnly: true},
		vfs.Mount{At: agentPath, Layer: agent, ReadOnly: true},
	), nil
}

// agentLayer has the agent's package.
func agentLayer() (*vfs.Layer, error) {
	tree := unlimitedTree()
	err := fs.WalkDir(sources, "agent", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".py") {
			return err
		}
		content, err := fs.ReadFile(sources, name)
		if err != nil {
			return err
		}
		return tree.MountFile(strings.TrimPrefix(name, "agent"), content)
	})
	return tree.Freeze(), err
}

func unlimitedTree() *vfs.Tree {
	const unlimited = 1 << 40
	return vfs.New(vfs.Options{Cwd: "/", Limits: vfs.Limits{Bytes: unlimited, Inodes: 1 << 30}})
}

func libraryLayer(ctx context.Context, cache string, progress isolate.Progress) (*vfs.Layer, error) {
	l, err := parseLock()
	if err != nil {
		return nil, err
	}
	tree := unlimitedTree()
	err = l.file(ctx, cache, l.Library, progress, func(file string) error {
		archive, err := zip.OpenReader(file)
		if err != nil {
			return err
		}
		defer archive.Close()
		return mountZip(tree, "/", &archive.Reader)
	})
	if err != nil {
		return nil, err
	}
	data, err := tree.Read("/" + dataArchive)
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	if err := mountZip(tree, "/"+dataFolder, archive); err != nil {
		return nil, err
	}
	return tree.Freeze(), nil
}

func mountZip(tree *vfs.Tree, at string, archive *zip.Reader) error {
	for _, entry := range archive.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		if !fs.ValidPath(entry.Name) {
			return fmt.Errorf("python: the library has a file %q", entry.Name)
		}
		r, err := entry.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		if err := tree.MountFile(path.Join(at, entry.Name), content); err != nil {
			return err
		}
	}
	return nil
}
