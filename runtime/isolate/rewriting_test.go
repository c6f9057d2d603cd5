package isolate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mayfly/runtime/wasm"
)

// smallest is a module with one page of memory and the data "hi" at 1.
var smallest = []byte("\x00asm\x01\x00\x00\x00" + "\x05\x03\x01\x00\x01" + "\x0b\x08\x01\x00\x41\x01\x0b\x02hi")

func TestRewritingIsKept(t *testing.T) {
	cache := t.TempDir()
	first, err := rewrite("small", smallest, wasm.Options{}, cache)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(cache, "modules", "small-*.module"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	again, err := loadRewriting(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.wasm, first.wasm) || !bytes.Equal(again.image, first.image) || again.Digest != first.Digest || string(again.image) != "\x00hi" {
		t.Errorf("%+v, kept as %+v", first, again)
	}
	if other, err := rewrite("small", smallest, wasm.Options{MemoryPages: 2}, cache); err != nil || other.Digest == first.Digest {
		t.Errorf("other passes: %+v, %v", other, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		damaged := bytes.Clone(whole)
		damaged[n] ^= 0x20
		if _, err := parseRewriting(damaged); !errors.Is(err, errRewriting) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
		if _, err := parseRewriting(whole[:n]); !errors.Is(err, errRewriting) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	// What is damaged is made again.
	if err := os.WriteFile(files[0], whole[:len(whole)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := rewrite("small", smallest, wasm.Options{}, cache); err != nil || r.Digest != first.Digest {
		t.Fatal(err)
	}
	if mended, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(mended, whole) {
		t.Errorf("not mended: %v", err)
	}
}

func FuzzRewriting(f *testing.F) {
	f.Add([]byte(rewritingMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRewriting(b); err == nil && len(r.wasm)+len(r.image) > len(b) {
			t.Error("more than there is")
		}
	})
}
