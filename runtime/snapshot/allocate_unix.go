//go:build unix

package snapshot

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate gives zeroed memory outside of the Go heap, so that the garbage
// collector's pace doesn't follow the size of guests.
func allocate(size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	b, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	return b, os.NewSyscallError("mmap", err)
}

func free(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return os.NewSyscallError("munmap", unix.Munmap(b))
}
