package vfs

import "io/fs"

// A Code is a POSIX error name. It is an error itself, so that a code is what
// errors.Is compares with: errors.Is(err, vfs.ENOENT).
type Code string

// The codes of this package (IEEE Std 1003.1-2017, 2.3).
const (
	ENOENT       Code = "ENOENT"
	EEXIST       Code = "EEXIST"
	ENOTDIR      Code = "ENOTDIR"
	EISDIR       Code = "EISDIR"
	ENOTEMPTY    Code = "ENOTEMPTY"
	EINVAL       Code = "EINVAL"
	ENAMETOOLONG Code = "ENAMETOOLONG"
	ENOSPC       Code = "ENOSPC"
	EROFS        Code = "EROFS"
	EBUSY        Code = "EBUSY"
	ELOOP        Code = "ELOOP"
	EMLINK       Code = "EMLINK"
	EPERM        Code = "EPERM"
	EFBIG        Code = "EFBIG"
	EIO          Code = "EIO"
)

var descriptions = map[Code]string{
	ENOENT:       "no such file or directory",
	EEXIST:       "file already exists",
	ENOTDIR:      "not a directory",
	EISDIR:       "illegal operation on a directory",
	ENOTEMPTY:    "directory not empty",
	EINVAL:       "invalid argument",
	ENAMETOOLONG: "name too long",
	ENOSPC:       "no space left on device",
	EROFS:        "read-only file system",
	EBUSY:        "resource busy or locked",
	ELOOP:        "too many symbolic links encountered",
	EMLINK:       "too many links",
	EPERM:        "operation not permitted",
	EFBIG:        "file too large",
	EIO:          "i/o error",
}

// Error describes the code in words, as libuv does.
func (c Code) Error() string { return descriptions[c] }

// Is makes the codes answer to the errors of io/fs.
func (c Code) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return c == ENOENT
	case fs.ErrExist:
		return c == EEXIST || c == ENOTEMPTY
	case fs.ErrInvalid:
		return c == EINVAL
	case fs.ErrPermission:
		return c == EROFS || c == EPERM
	}
	return false
}

// An Error is what the methods of a Tree that take paths fail with. It unwraps
// to its Code.
type Error struct {
	Op   string // the system call that would have failed: open, scandir, rename …
	Path string // as it was given
	To   string // second path of rename and copyfile, or empty
	Code Code
}

// Error reads like an error of node:fs: ENOENT: no such file or directory,
// open '/x'.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Code.Error() + ", " + e.Op + " '" + e.Path + "'"
	if e.To != "" {
		s += " -> '" + e.To + "'"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Code }
