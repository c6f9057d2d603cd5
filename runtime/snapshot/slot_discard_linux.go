package snapshot

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// A discardSlot gives everything back to the kernel, which takes page faults
// in the next life but works on any Linux. It finds what was changed by the
// flags in /proc/self/pagemap.
type discardSlot struct {
	*mapping
	entries []byte // of pagemap: eight bytes a page
	held    int64  // resident bytes, by the last look
}

func newDiscardSlot(m *mapping) (*discardSlot, error) {
	if pagemap() < 0 {
		return nil, ErrUnavailable
	}
	return &discardSlot{mapping: m, entries: make([]byte, 64<<10)}, nil
}

// Flags of a pagemap entry (Documentation/admin-guide/mm/pagemap.rst).
const (
	entryExclusive = 1 << 56
	entryFile      = 1 << 61
	entrySwapped   = 1 << 62
	entryPresent   = 1 << 63
)

func (s *discardSlot) visit(f func(r run) error) error {
	present := int64(0)
	first := int64(uintptr(s.base)) / int64(os.Getpagesize())
	scale := uint32(os.Getpagesize() / PageSize)
	pages := int64(len(s.all) / os.Getpagesize())
	for at := int64(0); at < pages; {
		buf := s.entries[:min(int64(len(s.entries)), (pages-at)*8)]
		n, err := unix.Pread(pagemap(), buf, (first+at)*8)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n < 8 {
			err = unix.EIO
		}
		if err != nil {
			return os.NewSyscallError("pread", err)
		}
		var open run
		for i := 0; i+8 <= n; i += 8 {
			e := binary.NativeEndian.Uint64(buf[i:])
			if e == 0 || !private(e) {
				continue
			}
			p := uint32(at+int64(i/8)) * scale
			present += int64(scale)
			if open.count > 0 && open.end() == p {
				open.count += scale
				continue
			}
			if open.count > 0 {
				if err := f(open); err != nil {
					return err
				}
			}
			open = run{p, scale}
		}
		if open.count > 0 {
			if err := f(open); err != nil {
				return err
			}
		}
		at += int64(n / 8)
	}
	s.held = present * PageSize
	return nil
}

// private says if a page is this process's own. The zero page is present, but
// never exclusive.
func private(entry uint64) bool {
	return entry&entrySwapped != 0 && entry&entryFile == 0 ||
		entry&(entryPresent|entryFile|entryExclusive) == entryPresent|entryExclusive
}

func (s *discardSlot) changed() (int64, error) {
	err := s.visit(func(run) error { return nil })
	return s.held, err
}

func (s *discardSlot) reset() (int64, error) {
	n, err := s.changed()
	if e := s.discard(0, int64(len(s.all))); err == nil {
		err = e
	}
	s.held = 0
	return n, err
}

func (s *discardSlot) resident() int64 { return s.held }
