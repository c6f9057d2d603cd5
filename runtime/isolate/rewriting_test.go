package isolate

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"mayfly/runtime/wasm"
)

// smallest is a module with one page of memory and the data "hi" at 1.
var smallest = []byte("\x00asm\x01\x00\x00\x00" + "\x05\x03\x01\x00\x01" + "\x0b\x08\x01\x00\x41\x01\x0b\x02hi")

func TestRewritingIsKept(t *testing.T) {
	cache := t.TempDir()
	path := rewritingPath("small", smallest, wasm.Options{}, cache)
	if _, err := loadRewriting(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("nothing was kept: %v", err)
	}
	first, err := rewrite(smallest, wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.store(path); err != nil {
		t.Fatal(err)
	}
	again, err := loadRewriting(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.wasm, first.wasm) || !bytes.Equal(again.image, first.image) || again.Digest != first.Digest || string(again.image) != "\x00hi" {
		t.Errorf("%+v, kept as %+v", first, again)
	}
	if other := rewritingPath("small", smallest, wasm.Options{MemoryPages: 2}, cache); other == path {
		t.Error("other passes have the same path")
	}
	whole, err := os.ReadFile(path)
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
}

func FuzzRewriting(f *testing.F) {
	f.Add([]byte(rewritingMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRewriting(b); err == nil && len(r.wasm)+len(r.image) > len(b) {
			t.Error("more than there is")
		}
	})
}
