package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/runtime/engine"
)

// manyFuncs is a module with n functions, each adding its own number.
func manyFuncs(n int) []byte {
	m := wasmModule{}
	for i := range n {
		f := wasmFunc{params: []byte{i64}, results: []byte{i64}, body: code(opLocalGet, 0, opI64Const, sleb(int64(i)), opI64Add)}
		if i == n-1 {
			f.export = "last"
		}
		m.funcs = append(m.funcs, f)
	}
	return m.assemble()
}

// runCached compiles with a cache and checks that the code is right.
func runCached(t *testing.T, dir string, wasm []byte, functions int, options engine.CompileOptions) {
	t.Helper()
	e, err := engine.New(engine.Config{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(context.Background(), wasm, options)
	if err != nil {
		t.Fatal(err)
	}
	in, err := m.Instantiate(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	machine{t, in}.want(1000+uint64(functions)-1, "last", 1000)
}

// cacheFiles reads all files of a cache.
func cacheFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCacheIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "New")
	wasm := manyFuncs(20)
	runCached(t, dir, wasm, 20, engine.CompileOptions{})
	before := cacheFiles(t, dir)
	if len(before) != 2 {
		t.Fatalf("%d files for one module, want its code and its checksums", len(before))
	}
	old := time.Now().Add(-time.Hour)
	for path := range before {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	runCached(t, dir, wasm, 20, engine.CompileOptions{})
	for path := range cacheFiles(t, dir) {
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) < time.Minute {
			t.Errorf("%s was written again (%v)", path, err)
		}
	}
	runCached(t, dir, manyFuncs(21), 21, engine.CompileOptions{})
	if n := len(cacheFiles(t, dir)); n != 4 {
		t.Errorf("%d files for two modules", n)
	}
}

// Who compiles asks first where the code is missing, and takes what has come
// into the cache by then.
func TestCacheMissing(t *testing.T) {
	dir := t.TempDir()
	wasm := manyFuncs(20)
	asked := 0
	var other map[string][]byte
	runCached(t, dir, wasm, 20, engine.CompileOptions{Missing: func() error {
		asked++
		runCached(t, dir, wasm, 20, engine.CompileOptions{})
		other = cacheFiles(t, dir)
		return nil
	}})
	if asked != 1 {
		t.Fatalf("asked %d times", asked)
	}
	if diff := cmp.Diff(other, cacheFiles(t, dir)); diff != "" {
		t.Errorf("the code was made twice: %s", diff)
	}
	runCached(t, dir, wasm, 20, engine.CompileOptions{Missing: func() error { t.Error("asked for what is there"); return nil }})

	e, err := engine.New(engine.Config{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	refused := errors.New("not now")
	if _, err := e.Compile(t.Context(), manyFuncs(21), engine.CompileOptions{Missing: func() error { return refused }}); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
}

// Whatever happens to the files of the cache, results are right, and the cache
// is whole again afterwards.
func TestCacheCorrupted(t *testing.T) {
	dir := t.TempDir()
	const functions = 20
	wasm := manyFuncs(functions)
	runCached(t, dir, wasm, functions, engine.CompileOptions{})
	whole := cacheFiles(t, dir)
	damage := map[string]func(b []byte, i int) []byte{
		"flipped":   func(b []byte, i int) []byte { b[i] ^= 1 << (i % 8); return b },
		"truncated": func(b []byte, i int) []byte { return b[:i] },
		"extended":  func(b []byte, i int) []byte { return append(b, b[i]) },
	}
	for name, change := range damage {
		for path, content := range whole {
			step := max(1, len(content)/40)
			for i := 0; i < len(content); i += step {
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, change(append([]byte(nil), content...), i), 0o600); err != nil {
					t.Fatal(err)
				}
				runCached(t, dir, wasm, functions, engine.CompileOptions{})
				for path, want := range whole {
					if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
						t.Fatalf("%s at %d: %s wasn't made anew: %v", name, i, path, err)
					}
				}
			}
		}
	}
	// A missing file, and one too many.
	for path := range whole {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		runCached(t, dir, wasm, functions, engine.CompileOptions{})
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), strings.Repeat("0", 64)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		runCached(t, dir, wasm, functions, engine.CompileOptions{})
	}
	if got := cacheFiles(t, dir); len(got) != len(whole) {
		t.Errorf("%d files are left, want %d", len(got), len(whole))
	}
}

// Several processes may fill one cache at the same time; engines of one
// process differ from them in nothing that matters here.
func TestCacheShared(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 5 {
				runCached(t, dir, manyFuncs(10+n), 10+n, engine.CompileOptions{})
			}
		})
	}
	wg.Wait()
	for path := range cacheFiles(t, dir) {
		if strings.Contains(path, "unfinished") {
			t.Errorf("%s was left", path)
		}
	}
}

func TestCacheSwept(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "unfinished-1")
	young := filepath.Join(dir, "unfinished-2")
	for _, d := range []string{old, young} {
		if err := os.MkdirAll(filepath.Join(d, "wazero"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	runCached(t, dir, manyFuncs(1), 1, engine.CompileOptions{})
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("an entry that was never finished is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("an entry that may be in the making is gone: %v", err)
	}
}

func TestCacheDirUnusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.New(engine.Config{CacheDir: filepath.Join(file, "below")}); err == nil {
		t.Error("a cache directory below a file was accepted")
	}
}
