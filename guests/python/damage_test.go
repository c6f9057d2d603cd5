package python

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mayfly/guests/registry"
	"mayfly/host/vfs"
)

func TestLock(t *testing.T) {
	l, err := parseLock()
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{l.Package.SHA256, l.Module.SHA256, l.Library.SHA256} {
		if len(digest) != 64 {
			t.Errorf("digest %q", digest)
		}
	}
	if l.Package.Version == "" || l.Package.Tag == "" || Version() == "" {
		t.Errorf("%+v", l)
	}
}

// A module that is damaged is fetched again, and never given out.
func TestDamagedModule(t *testing.T) {
	l, err := parseLock()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	file := filepath.Join(l.Package.Folder(filepath.Join(folder(cache), "packages")), filepath.FromSlash(l.Module.Path))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("\x00asm\x01\x00\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // nothing to fetch with
	var tool *registry.ToolError
	if module, err := (Guest{}).Wasm(context.Background(), cache, nil); !errors.As(err, &tool) {
		t.Errorf("%d bytes, %v", len(module), err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged module is still there: %v", err)
	}
}

// A library that is damaged, cut short or foreign is unpacked again.
func TestDamagedLibrary(t *testing.T) {
	ctx := context.Background()
	if _, err := (Guest{}).Wasm(ctx, cacheDir(t), nil); err != nil { // fetches the package
		t.Fatal(err)
	}
	cache := t.TempDir()
	if err := os.MkdirAll(folder(cache), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(folder(cacheDir(t)), "packages"), filepath.Join(folder(cache), "packages")); err != nil {
		t.Fatal(err)
	}
	open := func() [32]byte {
		t.Helper()
		layer, err := openLibrary(ctx, cache, func(string, float64) {})
		if err != nil {
			t.Fatal(err)
		}
		tree := vfs.New(vfs.Options{Base: layer})
		if source, err := tree.Read("/json/__init__.pyc"); err != nil || len(source) == 0 {
			t.Fatalf("json: %d bytes, %v", len(source), err)
		}
		digest := layer.Digest()
		if err := layer.Close(); err != nil {
			t.Fatal(err)
		}
		return digest
	}
	first := open()
	files, err := filepath.Glob(filepath.Join(folder(cache), "library-*.layer"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	for name, damage := range map[string]func(f *os.File, size int64) error{
		"content": func(f *os.File, size int64) error { _, err := f.WriteAt([]byte("damage"), size/2); return err },
		"cut":     func(f *os.File, size int64) error { return f.Truncate(size - 100) },
		"foreign": func(f *os.File, size int64) error { _, err := f.WriteAt([]byte("SQLite format 3\x00"), 0); return err },
	} {
		f, err := os.OpenFile(files[0], os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(damage(f, info.Size()), f.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := openVerified(files[0]); !errors.Is(err, vfs.ErrArchive) {
			t.Errorf("%s: %v", name, err)
		}
		if open() != first {
			t.Errorf("%s: another library was made", name)
		}
	}
}
