package registry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A stored file that is damaged does not count.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guest.wasm")
	if err := Store(path, []byte("module")); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path); err != nil || string(got) != "module" {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("modulf"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrDigest) {
		t.Fatalf("damaged: %v", err)
	}
	if err := os.Remove(path + ".sha256"); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Fatal("a file without checksum was loaded")
	}
}

func TestMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	p := Package{Name: "ada-url", Version: "4.0.0", SHA256: "9f399ec867349800a4c2d3aa8df8c533c340494b04d34b1f082b97d9a8b76a07"}
	var tool *ToolError
	_, err := p.Fetch(context.Background(), t.TempDir(), func(string) bool { return true }, func(string, float64) {})
	if !errors.As(err, &tool) || tool.Tool != "python3" {
		t.Fatalf("no python: %v", err)
	}
}
