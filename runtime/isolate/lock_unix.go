//go:build unix

package isolate

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes the lock of a file, which ends with the process at the latest.
func tryLock(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
