//go:build unix

package fs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"mayfly/storage"
)

// A folderLock keeps other processes out of a folder until it is closed or
// the process ends, however it ends.
type folderLock struct{ f *os.File }

func lockFolder(root *os.Root) (*folderLock, error) {
	f, err := root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &storage.Error{Op: "open", Key: root.Name(), Err: storage.ErrLocked, Hint: "stop the other process, or choose another folder"}
		}
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	return &folderLock{f}, nil
}

func (l *folderLock) Close() error { return l.f.Close() }
