package snapshot

import (
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// room is where a segment's bytes are: a part of the arena, or plain memory
// where there is no arena.
//
// The arena is one memfd for all deltas, so that their pages can be mapped into
// slots: to map 50 MB takes microseconds, where to copy them takes 40 ms. It is
// as long as a file can be, and no part of it is given out twice: what is freed
// is a hole for good. At a gigabyte a second that lasts for a century.
type room struct {
	start int64 // in the arena
	plain
}

const arenaBytes = 1 << 62

// arena is the memfd, or -1. It stays open.
var arena = sync.OnceValue(func() int {
	fd, err := unix.MemfdCreate("mayfly-deltas", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("mayfly-deltas", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1
	}
	if unix.Ftruncate(fd, arenaBytes) != nil {
		unix.Close(fd)
		return -1
	}
	return fd
})

// arenaUsed is where the next segment begins.
var arenaUsed atomic.Int64

func (r *room) reserve(size int64) error {
	if arena() >= 0 {
		size = roundUp(size, wasmPage)
		r.start = arenaUsed.Add(size) - size
	}
	return nil
}

func (r *room) free(size int64) error {
	if arena() < 0 {
		r.data = nil
		return nil
	}
	if size == 0 {
		return nil
	}
	const hole = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	for {
		err := unix.Fallocate(arena(), hole, r.start, roundUp(size, wasmPage))
		if err != unix.EINTR {
			return os.NewSyscallError("fallocate", err)
		}
	}
}

func (r *room) write(parts [][]byte, at int64) error {
	if arena() < 0 {
		return r.plain.write(parts, at)
	}
	return vectored("pwritev", unix.Pwritev, parts, r.start+at)
}

func (r *room) read(parts [][]byte, at int64) error {
	if arena() < 0 {
		return r.plain.read(parts, at)
	}
	return vectored("preadv", unix.Preadv, parts, r.start+at)
}

// vectored calls a system call until all parts are transferred. The list of
// parts is used up, not what they refer to.
func vectored(name string, call func(fd int, parts [][]byte, at int64) (int, error), parts [][]byte, at int64) error {
	for len(parts) > 0 {
		n, err := call(arena(), parts, at)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 && len(parts[0]) > 0 {
			err = unix.EIO
		}
		if err != nil {
			return os.NewSyscallError(name, err)
		}
		at += int64(n)
		for len(parts) > 0 && n >= len(parts[0]) {
			n -= len(parts[0])
			parts = parts[1:]
		}
		if n > 0 {
			parts[0] = parts[0][n:]
		}
	}
	return nil
}
