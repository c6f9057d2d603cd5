package snapshot

import (
	"os"

	"golang.org/x/sys/unix"
)

// A backing holds an image's contents: a sealed memfd, or plain memory where
// there is none.
type backing struct {
	fd     int    // -1: data is plain memory
	data   []byte // read-only if fd is open; a multiple of wasmPage
	mapped bool   // data has to be unmapped
}

// A builder fills a backing. What is not written is zero.
type builder struct {
	backing
	size int64
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
	return b, nil
}

// write writes p at an offset. Pages that are never written stay holes of the
// file.
func (b *builder) write(p []byte, at int64) error {
	if b.fd < 0 {
		copy(b.data[at:], p)
		return nil
	}
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

func (b *builder) discard() { _ = b.close() }

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
