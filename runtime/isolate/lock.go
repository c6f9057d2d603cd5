package isolate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// LockFile takes the lock that keeps two processes from preparing the same
// thing in the cache directory at once; it waits for it as long as the context
// lasts. The lock ends with the process at the latest.
func LockFile(ctx context.Context, path string) (unlock func(), err error) {
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
			return nil, fmt.Errorf("waiting for another process to prepare the same: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return func() { f.Close() }, nil
}

// A cacheLock is the lock on preparing one guest, taken once if at all.
type cacheLock struct{ unlock func() }

func (l *cacheLock) take(ctx context.Context, cache, guest string) (err error) {
	if l.unlock == nil {
		l.unlock, err = LockFile(ctx, filepath.Join(cache, "images", guest+".lock"))
	}
	return err
}

func (l *cacheLock) release() {
	if l.unlock != nil {
		l.unlock()
	}
}
