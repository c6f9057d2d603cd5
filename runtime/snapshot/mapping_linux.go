package snapshot

import (
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"mayfly/runtime/engine"
)

// A mapping is the address space of one slot: a private mapping of the image
// at its start, and anonymous memory after it.
type mapping struct {
	image *Image
	base  unsafe.Pointer
	all   []byte // the whole window, or the declared memory
	full  bool   // all is a window
}

// newMapping reserves a window, or just size bytes where that is refused (by
// strict overcommit or a limit of the process) or not wanted.
func newMapping(image *Image, size int64, noWindow bool) (*mapping, error) {
	m := &mapping{image: image}
	const (
		access = unix.PROT_READ | unix.PROT_WRITE
		kind   = unix.MAP_PRIVATE | unix.MAP_NORESERVE
	)
	length := int64(engine.WindowSize)
	err := error(unix.ENOMEM)
	if !noWindow && length <= math.MaxInt {
		m.base, err = unix.MmapPtr(-1, 0, nil, uintptr(length), access, kind|unix.MAP_ANON)
		m.full = err == nil
	}
	if err != nil {
		length = size
		m.base, err = unix.MmapPtr(-1, 0, nil, uintptr(length), access, kind|unix.MAP_ANON)
	}
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	m.all = unsafe.Slice((*byte)(m.base), int(length))
	// One stored byte must not cost, nor count as, a huge page. Kernels without
	// huge pages refuse the advice, which is as good.
	_ = unix.Madvise(m.all, unix.MADV_NOHUGEPAGE)
	_ = unix.Madvise(m.all, unix.MADV_DONTDUMP)
	if n := image.Len(); n > 0 {
		if _, err := unix.MmapPtr(image.backing.fd, 0, m.base, uintptr(n), access, kind|unix.MAP_FIXED); err != nil {
			m.close()
			return nil, os.NewSyscallError("mmap", err)
		}
		_ = unix.Madvise(m.all[:n], unix.MADV_DONTDUMP)
	}
	return m, nil
}

func (m *mapping) windowed() bool { return m.full }

// discard gives pages back: those of the image read as in the image again,
// others as zero.
func (m *mapping) discard(from, to int64) error {
	return os.NewSyscallError("madvise", unix.Madvise(m.all[from:to], unix.MADV_DONTNEED))
}

func (m *mapping) close() error {
	return os.NewSyscallError("munmap", unix.MunmapPtr(m.base, uintptr(len(m.all))))
}

func newSlot(image *Image, size int64, o MemoryOptions) (slot, []byte, error) {
	strategy := o.Strategy
	shareable := image.Len() == 0 || image.backing.fd >= 0
	if strategy == Best {
		switch {
		case !shareable:
			strategy = Copy
		case scanWorks():
			strategy = Scan
		default:
			// To look for stores in all of a window takes Discard 10 ms: less
			// is lost by a checking engine.
			strategy, o.NoWindow = Discard, true
		}
	}
	switch {
	case strategy == Copy:
		return newCopySlot(image, size)
	case !shareable, strategy != Scan && strategy != Discard, strategy == Scan && !scanWorks():
		return nil, nil, ErrUnavailable
	}
	m, err := newMapping(image, size, o.NoWindow)
	if err != nil {
		return nil, nil, err
	}
	if strategy == Scan {
		return newScanSlot(m, size), m.all[:size:size], nil
	}
	s, err := newDiscardSlot(m)
	if err != nil {
		m.close()
		return nil, nil, err
	}
	return s, m.all[:size:size], nil
}
