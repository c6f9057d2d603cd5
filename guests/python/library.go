package python

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mayfly/guests/registry"
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
// library and the agent, read-only. The library is unpacked into one file of
// the cache directory, from which it is mapped; a damaged one is made again.
//
// # Errors
//
// Those of [Guest.Wasm].
func Layer(ctx context.Context, cache string, progress isolate.Progress) (*vfs.Layer, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	library, err := openLibrary(ctx, cache, progress)
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

// layerTime is when the files of our own layer were made, for whoever asks: the
// same in every process, as the layer's digest has to be, which the states of
// sessions are bound to.
var layerTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// agentLayer has the agent's package.
func agentLayer() (*vfs.Layer, error) {
	tree := vfs.New(vfs.Options{Cwd: "/", Now: func() time.Time { return layerTime }})
	err := fs.WalkDir(sources, "agent", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
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

// openLibrary opens the unpacked library, which is made at need.
func openLibrary(ctx context.Context, cache string, progress isolate.Progress) (*vfs.Layer, error) {
	l, err := parseLock()
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(fmt.Appendln(nil, "library", libraryFormat, l.Library.SHA256))
	path := filepath.Join(folder(cache), "library-"+hex.EncodeToString(key[:16])+".layer")
	if library, err := openVerified(path); err == nil {
		return library, nil
	}
	unlock, err := isolate.LockFile(ctx, filepath.Join(folder(cache), "library.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	library, err := openVerified(path)
	if err == nil { // another process was faster
		return library, nil
	}
	if !errors.Is(err, vfs.ErrArchive) && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	err = l.file(ctx, cache, l.Library, progress, func(file string) error {
		if err := registry.CheckDigest(file, l.Library.SHA256); err != nil {
			return err
		}
		progress("unpacking the standard library", -1)
		return unpackLibrary(file, path)
	})
	if err != nil {
		return nil, err
	}
	return openVerified(path)
}

// openVerified opens a layer and reads all of it, which takes some 30 ms: what
// is damaged is found before anything stands on it.
func openVerified(path string) (*vfs.Layer, error) {
	layer, err := vfs.OpenLayer(path)
	if err != nil {
		return nil, err
	}
	if err := layer.Verify(); err != nil {
		return nil, errors.Join(err, layer.Close())
	}
	return layer, nil
}

func unpackLibrary(file, path string) error {
	library, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer library.Close()
	inner, err := library.Open(dataArchive)
	if err != nil {
		return err
	}
	defer inner.Close()
	content, err := io.ReadAll(inner)
	if err != nil {
		return err
	}
	data, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	return vfs.BuildLayer(path, vfs.BuildOptions{}, vfs.Source{FS: library}, vfs.Source{At: dataFolder, FS: data})
}
