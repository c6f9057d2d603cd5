package snapshot

import (
	"cmp"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// leastOverlay is the number of pages from which a run is mapped: 8 µs to
	// map it and to take it away again, where to copy a page takes 3 µs.
	leastOverlay = 8
	// mostOverlays bounds the mappings of a slot: a process has 65,530
	// (vm.max_map_count). The largest runs are mapped.
	mostOverlays = 128
)

// overlay implements overlayer. Only what is beyond the image is mapped: within
// it the kernel notes stores, for mappings that are there from the first on.
func (m *mapping) overlay(list []extent) (mapped, rest []extent) {
	if arena() < 0 || os.Getpagesize() != PageSize {
		return nil, list
	}
	inside := uint32(m.image.Len() / PageSize)
	least := uint32(leastOverlay)
	var counts []uint32
	for i := range list {
		if e := &list[i]; e.start >= inside && e.count >= least {
			counts = append(counts, e.count)
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
		if e.start >= inside && e.count >= least && len(mapped) < mostOverlays && m.mapExtent(e) == nil {
			mapped = append(mapped, *e)
		} else {
			rest = append(rest, *e)
		}
	}
	return mapped, rest
}

func (m *mapping) mapExtent(e *extent) error {
	const (
		access = unix.PROT_READ | unix.PROT_WRITE
		kind   = unix.MAP_PRIVATE | unix.MAP_NORESERVE | unix.MAP_FIXED
	)
	from, to := e.bytes()
	_, err := unix.MmapPtr(arena(), e.segment.start+e.at, unsafe.Add(m.base, from), uintptr(to-from), access, kind)
	return err
}

// lift implements overlayer.
func (m *mapping) lift(mapped []extent) error {
	const (
		access = unix.PROT_READ | unix.PROT_WRITE
		kind   = unix.MAP_PRIVATE | unix.MAP_NORESERVE | unix.MAP_FIXED | unix.MAP_ANON
	)
	from, _ := mapped[0].bytes()
	_, to := mapped[len(mapped)-1].bytes()
	if _, err := unix.MmapPtr(-1, 0, unsafe.Add(m.base, from), uintptr(to-from), access, kind); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	// As the memory around it, so that the kernel joins them again.
	_ = unix.Madvise(m.all[from:to], unix.MADV_NOHUGEPAGE)
	_ = unix.Madvise(m.all[from:to], unix.MADV_DONTDUMP)
	return nil
}
