package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pinned is the module as the go command has it.
func pinned(t *testing.T) *source {
	t.Helper()
	s, err := findModule(modulePath)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every edit fits the pinned module; without its anchor, or with a second
// one, it fails and says which it is.
func TestEdits(t *testing.T) {
	dir := pinned(t).Dir
	if _, err := edited(dir, edits, added); err != nil {
		t.Fatal(err)
	}
	for i, e := range edits {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.file)))
		if err != nil {
			t.Fatal(err)
		}
		before, err := apply(e.file, string(content), edits[:i])
		if err != nil {
			t.Fatal(err)
		}
		for name, broken := range map[string]string{
			"missing": strings.Replace(before, e.old, "", 1),
			"twice":   before + e.old,
		} {
			var anchor *anchorError
			if _, err := apply(e.file, broken, edits[i:i+1]); !errors.As(err, &anchor) || anchor.edit != e {
				t.Errorf("%s, %s: %v", e.name, name, err)
			} else if !strings.Contains(err.Error(), e.file) || !strings.Contains(err.Error(), e.name) {
				t.Errorf("%s, %s: the message doesn't say where: %v", e.name, name, err)
			}
		}
	}
}

func TestEditsOfOtherVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "runtime.go"), []byte("package wazero\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var anchor *anchorError
	if _, err := edited(dir, edits, nil); !errors.As(err, &anchor) {
		t.Errorf("a module with other text: %v", err)
	}
	gone := []edit{{"name", "gone.go", "old", "new"}}
	if _, err := edited(dir, gone, nil); !errors.As(err, &anchor) {
		t.Errorf("a module without the file: %v", err)
	}
	if _, err := edited(dir, nil, map[string]string{"runtime.go": "package wazero\n"}); err == nil {
		t.Error("an added file replaced one of the module")
	}
}

func TestWanted(t *testing.T) {
	for name, want := range map[string]bool{
		"go.mod": true, "runtime.go": true, "runtime_test.go": false, "LICENSE": true, "internal/LICENSE": false, "README.md": false,
		"internal/engine/wazevo/backend/isa/amd64/abi_entry_amd64.s": true, "cmd/wazero/wazero.go": false,
		"examples/basic/add.go": false, "internal/testdata/x.go": false, "internal/wasm/module.go": true, "site/x.go": false,
	} {
		if got := wanted(name); got != want {
			t.Errorf("wanted(%q) = %v", name, got)
		}
	}
}

// A copy is made once, and made anew when it isn't as it was made.
func TestCopyIsReused(t *testing.T) {
	cache := t.TempDir()
	s := pinned(t)
	first, err := makeCopy(cache, s)
	if err != nil {
		t.Fatal(err)
	}
	probe := filepath.Join(first, "runtime.go")
	info, err := os.Stat(probe)
	if err != nil {
		t.Fatal(err)
	}
	second, err := makeCopy(cache, s)
	if err != nil || second != first {
		t.Fatalf("a second copy at %s, %v", second, err)
	}
	if again, err := os.Stat(probe); err != nil || !os.SameFile(info, again) {
		t.Errorf("the copy was made a second time: %v", err)
	}
	content, err := os.ReadFile(probe)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"changed": func() error { return os.WriteFile(probe, []byte("package wazero"), 0o600) },
		"removed": func() error { return os.Remove(probe) },
		"added":   func() error { return os.WriteFile(filepath.Join(first, "more.go"), []byte("package wazero"), 0o600) },
		"digest":  func() error { return os.WriteFile(filepath.Join(first, digestName), nil, 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if intact(first) {
			t.Errorf("%s: taken for intact", name)
		}
		if _, err := makeCopy(cache, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(probe); err != nil || string(got) != string(content) || !intact(first) {
			t.Errorf("%s: not made anew: %v", name, err)
		}
	}
	other := *s
	other.Sum = "h1:other"
	if third, err := makeCopy(cache, &other); err != nil || third == first {
		t.Errorf("another module is at %s, %v", third, err)
	}
}

func TestCopyConcurrently(t *testing.T) {
	cache := t.TempDir()
	s := pinned(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dir, err := makeCopy(cache, s)
			if err != nil || !intact(dir) {
				t.Errorf("%s: %v", dir, err)
			}
		})
	}
	wg.Wait()
	left, err := filepath.Glob(filepath.Join(cache, "engine", "unfinished-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v were left, %v", left, err)
	}
}

// A program built with what run makes says that it is tuned. The copy is in
// the usual place, so that the go command needn't compile it again for each
// run of this test.
func TestBuild(t *testing.T) {
	modfile, err := run("")
	if err != nil {
		t.Fatal(err)
	}
	again, err := run("")
	if err != nil || again != modfile {
		t.Errorf("a second run made %s, %v", again, err)
	}
	cmd := exec.Command("go", "test", "-modfile="+modfile, "-tags", "mayfly_tuned", "-run", "^TestInfoTuned$", "-v", "mayfly/runtime/engine")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInfoTuned") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The go command reads what makeModfile writes, wherever it lies.
func TestModfile(t *testing.T) {
	for _, name := range []string{"plain", "a directory", "it's (one), \u00e4"} {
		cache := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(cache, 0o700); err != nil {
			t.Fatal(err)
		}
		modfile, err := run(cache)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := exec.Command("go", "list", "-modfile="+modfile, "-m", "-f", "{{.Replace.Dir}}", modulePath).CombinedOutput()
		if dir := strings.TrimSpace(string(out)); err != nil || !intact(dir) || !strings.HasPrefix(dir, cache) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestCacheDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MAYFLY_CACHE", filepath.Join(dir, "environment"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "user")) // read where the user's cache directory has it from there
	if got, err := cacheDir(filepath.Join(dir, "flag")); err != nil || got != filepath.Join(dir, "flag") {
		t.Errorf("with a flag: %s, %v", got, err)
	}
	if got, err := cacheDir(""); err != nil || got != filepath.Join(dir, "environment") {
		t.Errorf("with MAYFLY_CACHE: %s, %v", got, err)
	}
	t.Setenv("MAYFLY_CACHE", "")
	if got, err := cacheDir(""); err != nil || filepath.Base(got) != "mayfly" {
		t.Errorf("with neither: %s, %v", got, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := cacheDir(filepath.Join(file, "below")); err == nil {
		t.Errorf("below a file: %s", got)
	}
	for name, user := range map[string]string{"unusable": file, "unknown": ""} {
		t.Setenv("XDG_CACHE_HOME", user)
		t.Setenv("HOME", "")
		got, err := cacheDir("")
		if err != nil || !filepath.IsAbs(got) || strings.HasPrefix(got, dir) {
			t.Errorf("the user's directory is %s: %s, %v", name, got, err)
			continue
		}
		os.RemoveAll(got)
	}
}
