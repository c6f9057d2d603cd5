package isolate

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "lock")
	unlock, err := LockFile(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := LockFile(ctx, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("taken twice: %v", err)
	}
	unlock()
	again, err := LockFile(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
