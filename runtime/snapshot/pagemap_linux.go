package snapshot

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// scanArgs is struct pm_scan_arg of the kernel's <linux/fs.h>.
type scanArgs struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages   uint64
	categoryInverted, categoryMask, categoryAnyOf, returnMask uint64
}

// scanRegion is struct page_region.
type scanRegion struct{ start, end, _ uint64 } // the last: categories

// From <linux/fs.h>: _IOWR('f', 16, struct pm_scan_arg), and categories.
const (
	pagemapScan = 0xc0606610
	pageWritten = 1 << 1
	pageFile    = 1 << 2
	pagePresent = 1 << 3
	pageSwapped = 1 << 4
	pageZero    = 1 << 5
)

// scan finds private pages from an offset on. It returns where to go on: the
// regions may not have sufficed.
//
// In the tracked part those are the pages that were stored into since they
// were last protected. Elsewhere, and where a delta is mapped, they are present
// or swapped out, but neither of a file nor the shared zero page, which a mere
// load puts there.
func (s *scanSlot) scan(from int64) (found []scanRegion, next int64, err error) {
	base := uint64(uintptr(s.base))
	s.args = scanArgs{
		size:   uint64(unsafe.Sizeof(s.args)),
		start:  base + uint64(from),
		vec:    uint64(uintptr(unsafe.Pointer(&s.regions))),
		vecLen: uint64(len(s.regions)),
	}
	tracked, end := s.trackedAt(from)
	s.args.end = base + uint64(end)
	if tracked {
		// Nothing but this one category: the kernel then looks no further
		// than at the page table.
		s.args.categoryMask, s.args.returnMask = pageWritten, pageWritten
	} else {
		s.args.categoryInverted = pageFile | pageZero
		s.args.categoryMask = pageFile | pageZero
		s.args.categoryAnyOf = pagePresent | pageSwapped
		s.args.returnMask = pageFile
	}
	n, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(pagemap()), pagemapScan, uintptr(unsafe.Pointer(&s.args)))
	if e != 0 {
		return nil, 0, os.NewSyscallError("ioctl(PAGEMAP_SCAN)", e)
	}
	next = int64(s.args.walkEnd - base)
	if next <= from || n > uintptr(len(s.regions)) {
		return nil, 0, fmt.Errorf("PAGEMAP_SCAN went from %#x to %#x with %d regions", from, next, n)
	}
	return s.regions[:n], next, nil
}

// pagemap is the process's own /proc/self/pagemap, or -1. It stays open.
var pagemap = sync.OnceValue(func() int {
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
})

// scanWorks tries PAGEMAP_SCAN on one page.
var scanWorks = sync.OnceValue(func() bool {
	if pagemap() < 0 {
		return false
	}
	page, err := allocate(wasmPage)
	if err != nil {
		return false
	}
	defer free(page)
	_ = unix.Madvise(page, unix.MADV_NOHUGEPAGE)
	page[0] = 1
	s := newScanSlot(&mapping{image: &Image{backing: &backing{fd: -1}}, base: unsafe.Pointer(&page[0]), all: page}, wasmPage, Scan)
	found, _, err := s.scan(0)
	return err == nil && len(found) == 1
})
