package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"mayfly/storage"
)

// Classify puts an error of SQLite or of the system into the words of package
// storage; the original stays wrapped. Other errors are returned as they are.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	var e *driver.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case lib.SQLITE_FULL:
			return join(storage.ErrNoSpace, err)
		case lib.SQLITE_READONLY:
			return join(storage.ErrReadOnly, err)
		case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_FORMAT:
			return join(storage.ErrCorrupt, err)
		case lib.SQLITE_BUSY, lib.SQLITE_PROTOCOL:
			return join(storage.ErrLocked, err)
		}
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return join(storage.ErrNoSpace, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return join(storage.ErrReadOnly, err)
	}
	return err
}

func join(sentinel, err error) error {
	if errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// openError tells an operator what to do about a database that can't be used.
func openError(path string, err error) error {
	err = Classify(err)
	hint := ""
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		hint = "restore " + path + " from a backup, or move it and its -wal file away to start anew"
	case errors.Is(err, storage.ErrNewerSchema):
		hint = "use the version of the program that wrote " + path + ", or a newer one"
	case errors.Is(err, storage.ErrReadOnly):
		hint = "make " + path + " and its folder writable"
	case errors.Is(err, storage.ErrNoSpace):
		hint = "free some space on the disk of " + path
	}
	return &storage.Error{Op: "open", Key: path, Err: err, Hint: hint}
}

// ignoreUnsupported: where folders can't be synced, their names are durable
// by other means, or not at all.
func ignoreUnsupported(err error) error {
	if runtime.GOOS == "windows" || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
