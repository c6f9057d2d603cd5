package quickjs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"mayfly/runtime/wasm"
)

func TestLock(t *testing.T) {
	l, err := parseLock()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"quickjs-ng", "ada-url"} {
		if a := l.source(name); len(a.SHA256) != 64 || a.Version == "" {
			t.Errorf("%+v", a)
		}
	}
	for _, platform := range [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}} {
		if a, err := l.toolchain(platform[0], platform[1]); err != nil || len(a.SHA256) != 64 || a.Tag == "" {
			t.Errorf("%v: %+v, %v", platform, a, err)
		}
	}
	if _, err := l.toolchain("plan9", "386"); !errors.Is(err, ErrPlatform) {
		t.Errorf("unknown platform: %v", err)
	}
}

// The module imports nothing but the four functions, and the passes take it.
func TestModuleIsRewritten(t *testing.T) {
	module, err := Guest{}.Wasm(context.Background(), cacheDir(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wasm.Rewrite(module, Guest{}.Passes()); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(module, []byte("wasi_snapshot")) {
		t.Error("the module imports WASI")
	}
	if home, err := os.UserHomeDir(); err == nil && bytes.Contains(module, []byte(filepath.Join(home, ".cache"))) {
		t.Error("a path of this machine is in the module")
	}
	if bytes.Contains(module, []byte(cacheDir(t))) {
		t.Error("the path of the cache is in the module")
	}
}

func TestDropDebugRefuses(t *testing.T) {
	header := "\x00asm\x01\x00\x00\x00"
	for _, sections := range []string{"\x01", "\x01\x05ab", "\x00\x01\x05", "\x00\x00"} {
		if _, err := dropDebug([]byte(header + sections)); !errors.Is(err, ErrNotWasm) {
			t.Errorf("%q: %v", sections, err)
		}
	}
	got, err := dropDebug([]byte(header + "\x00\x04\x02.dX\x00\x06\x04nameY\x01\x00"))
	if err == nil && string(got) != header+"\x00\x06\x04nameY\x01\x00" {
		t.Errorf("%q, %v", got, err)
	}
}

// Two builds in two places give the same bytes. It builds from nothing, so it
// is only run where it is asked for.
func TestBuildIsReproducible(t *testing.T) {
	if os.Getenv("MAYFLY_TEST_BUILD") == "" {
		t.Skip("MAYFLY_TEST_BUILD is not set: building twice takes minutes")
	}
	module, err := Guest{}.Wasm(context.Background(), cacheDir(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Guest{}.Wasm(context.Background(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(module, again) {
		t.Fatalf("built twice on %s, two modules", runtime.GOOS)
	}
}
