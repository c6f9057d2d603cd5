package snapshot

import (
	"cmp"
	"os"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// leastOverlay is the number of pages from which a run is mapped: 8 to 20 µs
	// to map it and to take it away again, where to copy a page takes 3 µs.
	leastOverlay = 8
	// mostOverlays bounds the overlays of a slot, allOverlays those of all: a
	// process has 65,530 mappings (vm.max_map_count) unless its owner gives it
	// more, each overlay takes up to two, and Go ends the process when it gets
	// none. The largest runs are mapped.
	mostOverlays = 128
	allOverlays  = 12 << 10
)

// overlays counts those that are mapped.
var overlays atomic.Int64

// overlay implements overlayer.
func (m *mapping) overlay(list []extent) (mapped, rest []extent) {
	if arena() < 0 || os.Getpagesize() != PageSize {
		return nil, list
	}
	least := uint32(leastOverlay)
	var counts []uint32
	for i := range list {
		if n := list[i].count; n >= least {
			counts = append(counts, n)
		}
	}
	if len(counts) == 0 {
		return nil, list
	}
	most := min(len(counts), mostOverlays)
	if overlays.Add(int64(most)) > allOverlays {
		overlays.Add(-int64(most))
		return nil, list
	}
	defer func() { overlays.Add(int64(len(mapped) - most)) }()
	if len(counts) > most {
		slices.SortFunc(counts, func(a, b uint32) int { return cmp.Compare(b, a) })
		least = counts[most-1]
	}
	for i := range list {
		e := &list[i]
		if e.count >= least && len(mapped) < most && m.mapExtent(e) == nil {
			mapped = append(mapped, *e)
			m.overlaid = append(m.overlaid, e.run)
		} else {
			rest = append(rest, *e)
		}
	}
	return mapped, rest
}

const (
	overlayAccess = unix.PROT_READ | unix.PROT_WRITE
	overlayKind   = unix.MAP_PRIVATE | unix.MAP_NORESERVE | unix.MAP_FIXED
)

func (m *mapping) mapExtent(e *extent) error {
	from, to := e.bytes()
	_, err := unix.MmapPtr(arena(), e.segment.start+e.at, unsafe.Add(m.base, from), uintptr(to-from), overlayAccess, overlayKind)
	return err
}

// lift implements overlayer. Within the image each mapping is taken away by
// itself, so that the pages between them stay resident.
func (m *mapping) lift() error {
	overlaid := m.overlaid
	m.overlaid = m.overlaid[:0]
	overlays.Add(-int64(len(overlaid)))
	inside := m.image.Len()
	beyond := int64(-1)
	for _, r := range overlaid {
		from, to := r.bytes()
		if from < inside {
			if err := m.liftImage(from, min(to, inside)); err != nil {
				return err
			}
			from = inside
		}
		if from < to && beyond < 0 {
			beyond = from
		}
	}
	if beyond < 0 {
		return nil
	}
	_, to := overlaid[len(overlaid)-1].bytes()
	part := m.all[beyond:to]
	if _, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&part[0]), uintptr(len(part)), overlayAccess, overlayKind|unix.MAP_ANON); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	// As the memory around it, so that the kernel joins them again.
	_ = unix.Madvise(part, unix.MADV_NOHUGEPAGE)
	_ = unix.Madvise(part, unix.MADV_DONTDUMP)
	return nil
}

// liftImage maps a part of the image again.
func (m *mapping) liftImage(from, to int64) error {
	part := m.all[from:to]
	if _, err := unix.MmapPtr(m.image.backing.fd, from, unsafe.Pointer(&part[0]), uintptr(len(part)), overlayAccess, overlayKind); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	_ = unix.Madvise(part, unix.MADV_DONTDUMP)
	for _, r := range m.tracked {
		start, stop := r.bytes()
		if start, stop = max(start, from), min(stop, to); start >= stop {
			continue
		}
		if err := register(m.all[start:stop]); err != nil {
			return err
		}
		if err := protect(m.all[start:stop]); err != nil {
			return err
		}
	}
	return nil
}

// overlaidFrom is the first overlay that ends after an offset.
func (m *mapping) overlaidFrom(at int64) (from, to int64, ok bool) {
	i, _ := slices.BinarySearchFunc(m.overlaid, at, func(r run, at int64) int {
		_, to := r.bytes()
		return cmp.Compare(to, at+1)
	})
	if i == len(m.overlaid) {
		return 0, 0, false
	}
	from, to = m.overlaid[i].bytes()
	return from, to, true
}
