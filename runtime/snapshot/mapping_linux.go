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
	image    *Image
	base     unsafe.Pointer
	all      []byte // the whole window, or the declared memory
	full     bool   // all is a window
	reserved []byte // all, and inaccessible address space around a window
	tracked  []run  // of the image, of which the kernel notes stores, but for overlays
	overlaid []run  // what pages of a delta are mapped over
}

const (
	// windowGuard is the least inaccessible address space on either side of a
	// window.
	windowGuard = wasmPage
	// The kernel skips what was never touched in steps of the page table's
	// levels (1 GiB on most machines), but within a step that holds anything it
	// looks at each 2 MiB. So a window begins headroom and the image's length
	// below a multiple of windowStep, and usually touches nothing beyond it.
	windowStep     = 1 << 30
	windowHeadroom = 32 << 20
	// A load of what isn't present faults in a single page of tracked memory,
	// but sixteen of other memory; and a store after no load faults twice. So
	// images of up to populateBytes are made present before: 0.3 µs a page. Of
	// larger ones most is never loaded.
	populateBytes = 8 << 20
)

// newMapping reserves a window, or just size bytes where that is refused (by
// strict overcommit or a limit of the process) or not wanted.
func newMapping(image *Image, size int64, noWindow bool) (*mapping, error) {
	m := &mapping{image: image}
	const (
		access = unix.PROT_READ | unix.PROT_WRITE
		kind   = unix.MAP_PRIVATE | unix.MAP_NORESERVE
	)
	if !noWindow {
		m.reserveWindow()
	}
	if !m.full {
		base, err := unix.MmapPtr(-1, 0, nil, uintptr(size), access, kind|unix.MAP_ANON)
		if err != nil {
			return nil, os.NewSyscallError("mmap", err)
		}
		m.all = unsafe.Slice((*byte)(base), int(size))
		m.reserved = m.all
	}
	m.base = unsafe.Pointer(unsafe.SliceData(m.all))
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

// reserveWindow sets all, reserved and full if the system has a window to give.
func (m *mapping) reserveWindow() {
	length := int64(engine.WindowSize)
	reserve := windowGuard + windowStep + length + windowGuard
	if reserve > math.MaxInt {
		return
	}
	start, err := unix.MmapPtr(-1, 0, nil, uintptr(reserve), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_NORESERVE|unix.MAP_ANON)
	if err != nil {
		return
	}
	reserved := unsafe.Slice((*byte)(start), int(reserve))
	// The first address after the guard that is as far below a step as it takes.
	at := int64(uintptr(start)) + windowGuard
	head := roundUp(m.image.Len()+windowHeadroom, hugePage) // so that huge pages of the image can be mapped
	at = roundUp(at+head, windowStep) - head - int64(uintptr(start))
	all := reserved[at:][:length]
	if unix.Mprotect(all, unix.PROT_READ|unix.PROT_WRITE) != nil {
		_ = unix.MunmapPtr(start, uintptr(reserve))
		return
	}
	m.all, m.reserved, m.full = all, reserved, true
}

func (m *mapping) windowed() bool { return m.full }

// discard gives pages back: those of the image read as in the image again,
// others as zero.
func (m *mapping) discard(from, to int64) error {
	if err := unix.Madvise(m.all[from:to], unix.MADV_DONTNEED); err != nil {
		return os.NewSyscallError("madvise", err)
	}
	for _, r := range m.tracked {
		start, stop := r.bytes()
		if start, stop = max(start, from), min(stop, to); start < stop {
			if err := protect(m.all[start:stop]); err != nil {
				return err
			}
		}
	}
	return nil
}

// track has the kernel note stores into the image from now on: into all of it,
// or, if that is in huge pages, into none until lives have shown where.
func (m *mapping) track() error {
	n := m.image.Len()
	if n == 0 || m.image.backing.huge {
		return nil
	}
	if n <= populateBytes {
		_ = unix.Madvise(m.all[:n], unix.MADV_POPULATE_READ)
	}
	return m.trackRuns([]run{{0, uint32(n / PageSize)}})
}

// trackRuns has the kernel note stores into the pages of runs, too, and only
// them. They hold all that was tracked before.
func (m *mapping) trackRuns(runs []run) error {
	for _, r := range subtract(runs, m.tracked) {
		from, to := r.bytes()
		if err := register(m.all[from:to]); err != nil {
			return err
		}
		if err := protect(m.all[from:to]); err != nil {
			return err
		}
	}
	m.tracked = runs
	return nil
}

// trackedAt says if stores are noted of the page at an offset, and how far on
// that is so.
func (m *mapping) trackedAt(at int64) (tracked bool, end int64) {
	for _, r := range m.tracked {
		from, to := r.bytes()
		if at >= to {
			continue
		}
		if at < from {
			return false, from
		}
		start, stop, ok := m.overlaidFrom(at)
		switch {
		case !ok:
			return true, to
		case start <= at:
			return false, min(stop, to)
		}
		return true, min(start, to)
	}
	return false, int64(len(m.all))
}

func (m *mapping) close() error {
	overlays.Add(-int64(len(m.overlaid)))
	m.overlaid = nil
	return os.NewSyscallError("munmap", unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(m.reserved)), uintptr(len(m.reserved))))
}

func newSlot(image *Image, size int64, o MemoryOptions) (slot, []byte, error) {
	strategy := o.Strategy
	shareable := image.Len() == 0 || image.backing.fd >= 0
	if strategy == Best {
		switch {
		case !shareable:
			strategy = Copy
		case trackWorks():
			strategy = Track
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
	case !shareable,
		strategy != Track && strategy != Scan && strategy != Discard,
		strategy == Track && !trackWorks(),
		strategy == Scan && !scanWorks():
		return nil, nil, ErrUnavailable
	}
	m, err := newMapping(image, size, o.NoWindow)
	if err != nil {
		return nil, nil, err
	}
	if strategy == Track {
		if err := m.track(); err != nil {
			m.close()
			return nil, nil, err
		}
	}
	if strategy == Track || strategy == Scan {
		return newScanSlot(m, size, strategy), m.all[:size:size], nil
	}
	s, err := newDiscardSlot(m)
	if err != nil {
		m.close()
		return nil, nil, err
	}
	return s, m.all[:size:size], nil
}
