package fs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"

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
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)); err != nil {
		f.Close() // nothing was written
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, &storage.Error{Op: "open", Key: root.Name(), Err: storage.ErrLocked, Hint: "stop the other process, or choose another folder"}
		}
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	return &folderLock{f}, nil
}

func (l *folderLock) Close() error { return l.f.Close() }
