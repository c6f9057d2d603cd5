package snapshot

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A backing holds an image's contents: a sealed memfd, or plain memory where
// there is none.
type backing struct {
	fd     int    // -1: data is plain memory
	data   []byte // read-only if fd is open; a multiple of wasmPage
	mapped bool   // data has to be unmapped
	huge   bool   // of huge pages
}

// A builder fills a backing. What is not written is zero.
type builder struct {
	backing
	size  int64
	pages hugeFile // not open for small images
}

// newBuilder starts a backing of size bytes, a multiple of wasmPage.
func newBuilder(size int64) (*builder, error) {
	b := &builder{backing: backing{fd: -1}}
	if size == 0 {
		return b, nil
	}
	fd, err := unix.MemfdCreate("mayfly-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("mayfly-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		if b.data, err = allocate(size); err != nil {
			return nil, err
		}
		b.mapped = true
		return b, nil
	}
	b.fd = fd
	if err := unix.Ftruncate(fd, size); err != nil {
		b.discard()
		return nil, os.NewSyscallError("ftruncate", err)
	}
	b.size = size
	if size >= hugeBytes {
		b.pages.open(fd, size)
	}
	return b, nil
}

// hugeBytes is the length from which the contents of images are put into huge
// pages, of hugePage bytes (MADV_COLLAPSE, Linux 6.1): a part of an image that
// no life has stored into is then one entry of a slot's page table in place of
// 512, to load from and to look at for changes. A slot's first life on an image
// of 220 MiB takes a sixth of the time.
const (
	hugeBytes = 32 << 20
	hugePage  = 2 << 20
)

// A hugeFile is a file that is being written into huge pages.
type hugeFile struct {
	reserved []byte // address space around file
	file     []byte // mapped for collapse only; not if the system gives no huge pages
	asked    []bool // for which huge pages it was asked
	got      int
}

// open maps the file.
func (h *hugeFile) open(fd int, size int64) {
	length := uintptr(size + hugePage)
	start, err := unix.MmapPtr(-1, 0, nil, length, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_NORESERVE|unix.MAP_ANON)
	if err != nil {
		return
	}
	h.reserved = unsafe.Slice((*byte)(start), int(length))
	at := unsafe.Add(start, -uintptr(start)&(hugePage-1))
	if _, err := unix.MmapPtr(fd, 0, at, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err == nil {
		h.file = unsafe.Slice((*byte)(at), int(size))
		h.asked = make([]bool, size/hugePage)
	}
}

// expect makes the pages huge that from to to lie in. That is cheaper before
// they are written than afterwards, when it takes a copy.
func (h *hugeFile) expect(from, to int64) {
	for n := from / hugePage; n <= (to-1)/hugePage && n < int64(len(h.asked)); n++ {
		if h.asked[n] {
			continue
		}
		h.asked[n] = true
		page := h.file[n*hugePage:][:hugePage]
		page[0] = 0 // where there is nothing, nothing is collapsed
		if unix.Madvise(page, unix.MADV_COLLAPSE) == nil {
			h.got++
		} else if h.got == 0 {
			h.asked = nil // nor will others be
		}
	}
}

// close unmaps the file.
func (h *hugeFile) close() {
	if len(h.reserved) > 0 {
		_ = unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(h.reserved)), uintptr(len(h.reserved)))
	}
	h.reserved, h.file, h.asked = nil, nil, nil
}

// write writes p at an offset. Pages that are never written stay holes of the
// file.
func (b *builder) write(p []byte, at int64) error {
	if b.fd < 0 {
		copy(b.data[at:], p)
		return nil
	}
	b.pages.expect(at, at+int64(len(p)))
	for len(p) > 0 {
		n, err := unix.Pwrite(b.fd, p, at)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("pwrite", err)
		}
		p, at = p[n:], at+int64(n)
	}
	return nil
}

// seal ends writing. The builder must not be used any more.
func (b *builder) seal() (*backing, error) {
	b.huge = b.pages.got*2 > int(b.size/hugePage)
	b.pages.close()
	if b.fd >= 0 {
		seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		if _, err := unix.FcntlInt(uintptr(b.fd), unix.F_ADD_SEALS, seals); err != nil {
			b.discard()
			return nil, os.NewSyscallError("fcntl", err)
		}
		// Not earlier: a file with a shared mapping can't be sealed.
		var err error
		if b.data, err = unix.Mmap(b.fd, 0, int(b.size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
			b.discard()
			return nil, os.NewSyscallError("mmap", err)
		}
		b.mapped = true
	}
	return &b.backing, nil
}

func (b *builder) discard() {
	b.pages.close()
	_ = b.close()
}

func (b *backing) close() error {
	var err error
	if b.mapped {
		err = unix.Munmap(b.data)
	}
	if b.fd >= 0 {
		if e := unix.Close(b.fd); err == nil {
			err = e
		}
	}
	b.data, b.fd, b.mapped = nil, -1, false
	return err
}
