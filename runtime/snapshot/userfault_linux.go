package snapshot

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From <linux/userfaultfd.h>: requests of a userfaultfd and their arguments.
const (
	uffdioAPI          = 0xc018aa3f // _IOWR(0xaa, 0x3f, struct uffdio_api)
	uffdioRegister     = 0xc020aa00 // _IOWR(0xaa, 0x00, struct uffdio_register)
	uffdioWriteProtect = 0xc018aa06 // _IOWR(0xaa, 0x06, struct uffdio_writeprotect)

	uffdAPI           = 0xaa
	uffdUserModeOnly  = 1
	registerModeWP    = 1 << 1
	writeProtectMode  = 1 << 0
	featureWPShmem    = 1 << 12
	featureWPUnfilled = 1 << 13 // pages that are not present can be protected, too
	featureWPAsync    = 1 << 15 // a store clears the protection; nobody has to answer
)

type (
	uffdAPIArgs      struct{ api, features, ioctls uint64 }
	uffdRegisterArgs struct{ start, length, mode, ioctls uint64 }
	uffdProtectArgs  struct{ start, length, mode uint64 }
)

// userfault is the process's one userfaultfd, or -1. It stays open. With
// asynchronous write protection it never has anything to read.
var userfault = sync.OnceValue(func() int {
	fd, _, e := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK|uffdUserModeOnly, 0, 0)
	if e != 0 {
		return -1
	}
	args := uffdAPIArgs{api: uffdAPI, features: featureWPShmem | featureWPUnfilled | featureWPAsync}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, fd, uffdioAPI, uintptr(unsafe.Pointer(&args))); e != 0 {
		unix.Close(int(fd))
		return -1
	}
	return int(fd)
})

// register makes a mapping one whose pages can be protected. It stays one until
// it is unmapped.
func register(mapping []byte) error {
	args := uffdRegisterArgs{uint64(uintptr(unsafe.Pointer(&mapping[0]))), uint64(len(mapping)), registerModeWP, 0}
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(userfault()), uffdioRegister, uintptr(unsafe.Pointer(&args)))
	if e != 0 {
		return os.NewSyscallError("ioctl(UFFDIO_REGISTER)", e)
	}
	return nil
}

// protect has the kernel note the next store into each of the pages.
func protect(pages []byte) error {
	args := uffdProtectArgs{uint64(uintptr(unsafe.Pointer(&pages[0]))), uint64(len(pages)), writeProtectMode}
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(userfault()), uffdioWriteProtect, uintptr(unsafe.Pointer(&args)))
	if e != 0 {
		return os.NewSyscallError("ioctl(UFFDIO_WRITEPROTECT)", e)
	}
	return nil
}

// trackWorks tries to track a load and a store.
var trackWorks = sync.OnceValue(func() bool {
	if !scanWorks() || userfault() < 0 {
		return false
	}
	contents := make([]byte, 2*wasmPage)
	contents[wasmPage] = 1
	img, err := NewImage(Digest{}, contents, nil)
	if err != nil {
		return false
	}
	defer img.Close()
	if img.backing.fd < 0 {
		return false
	}
	m, err := newMapping(img, img.Len(), true)
	if err != nil {
		return false
	}
	defer m.close()
	if m.track() != nil {
		return false
	}
	m.all[0] = m.all[wasmPage]
	n, err := newScanSlot(m, img.Len(), Track).changed()
	return err == nil && n == int64(os.Getpagesize())
})
