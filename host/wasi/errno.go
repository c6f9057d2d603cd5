package wasi

import "mayfly/host/vfs"

// An errno is an error code of preview 1, in the order of its list.
type errno uint16

const (
	success      errno = 0
	eBadf        errno = 8
	eBusy        errno = 10
	eExist       errno = 20
	eFault       errno = 21
	eFbig        errno = 22
	eIlseq       errno = 25
	eInval       errno = 28
	eIo          errno = 29
	eIsdir       errno = 31
	eLoop        errno = 32
	eMfile       errno = 33
	eMlink       errno = 34
	eNametoolong errno = 37
	eNoent       errno = 44
	eNospc       errno = 51
	eNosys       errno = 52
	eNotdir      errno = 54
	eNotempty    errno = 55
	eNotsock     errno = 57
	eNotsup      errno = 58
	eOverflow    errno = 61
	ePerm        errno = 63
	eRange       errno = 68
	eRofs        errno = 69
	eSpipe       errno = 70
	eNotcapable  errno = 76
)

// errnoOf is the number of a code of the file tree.
func errnoOf(c vfs.Code) errno {
	switch c {
	case "":
		return success
	case vfs.ENOENT:
		return eNoent
	case vfs.EEXIST:
		return eExist
	case vfs.ENOTDIR:
		return eNotdir
	case vfs.EISDIR:
		return eIsdir
	case vfs.ENOTEMPTY:
		return eNotempty
	case vfs.EINVAL:
		return eInval
	case vfs.ENAMETOOLONG:
		return eNametoolong
	case vfs.ENOSPC:
		return eNospc
	case vfs.EROFS:
		return eRofs
	case vfs.EBUSY:
		return eBusy
	case vfs.ELOOP:
		return eLoop
	case vfs.EMLINK:
		return eMlink
	case vfs.EPERM:
		return ePerm
	case vfs.EFBIG:
		return eFbig
	}
	return eIo
}
