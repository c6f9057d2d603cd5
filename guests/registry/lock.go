package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Lock takes the lock that keeps two processes from preparing the same
// thing at once; it waits for it as long as the context lasts.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for !tryLock(f) {
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("registry: waiting for another process to prepare the same: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return func() { f.Close() }, nil
}
