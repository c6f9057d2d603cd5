package snapshot

import (
	"cmp"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// leastOverlay is the number of pages from which a run is mapped: 8 to 20 µs
	// to map it and to take it away again, where to copy a page takes 3 µs.
	leastOverlay = 8
	// mostOverlays bounds the mappings of a slot: a process has 65,530
	// (vm.max_map_count). The largest runs are mapped.
	mostOverlays = 128
)

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
	if len(counts) > mostOverlays {
		slices.SortFunc(counts, func(a, b uint32) int { return cmp.Compare(b, a) })
		least = counts[mostOverlays-1]
	}
	for i := range list {
		e := &list[i]
		if e.count >= least && len(mapped) < mostOverlays && m.mapExtent(e) == nil {
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
	if m.tracked == 0 {
		return nil
	}
	if err := register(part); err != nil {
		return err
	}
	return protect(part)
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
