package wasi

import (
	"mayfly/host/vfs"
)

// maxFiles is how many descriptors a guest may have (EMFILE).
const maxFiles = 1024

// preopened is the descriptor of "/"; firstFree comes after it.
const (
	preopened = 3
	firstFree = 4
)

// A fileKind says what a descriptor is of.
type fileKind uint8

const (
	free fileKind = iota
	streamIn
	streamOut
	regular
	directory
	kinds // how many there are
)

// A file is what a descriptor stands for.
type file struct {
	kind       fileKind
	flags      uint16  // fdflags
	ino        vfs.Ino // of an output stream its first number, 1 or 2
	position   int64
	rights     uint64
	inheriting uint64
}

// The rights that are looked at: libc derives the access mode from them.
const (
	rightRead     = 1 << 1
	rightWrite    = 1 << 6
	rightAllocate = 1 << 8
	rightSetSize  = 1 << 22
	rightsAll     = 1<<30 - 1
)

// The flags of descriptors.
const (
	flagAppend = 1 << 0
	flagsAll   = 1<<5 - 1
)

// File types.
const (
	typeUnknown   = 0
	typeCharacter = 2
	typeDirectory = 3
	typeRegular   = 4
	typeSymlink   = 7
)

// file is the open file of a descriptor, or nil.
func (s *System) file(fd uint64) *file {
	if fd >= uint64(len(s.files)) || s.files[fd].kind == free {
		return nil
	}
	return &s.files[fd]
}

// regular is the regular file of a descriptor that has a right.
func (s *System) regular(fd uint64, right uint64) (*file, errno) {
	f := s.file(fd)
	switch {
	case f == nil:
		return nil, eBadf
	case f.kind == directory:
		return nil, eIsdir
	case f.kind != regular:
		return nil, eSpipe
	case right != 0 && f.rights&right == 0:
		return nil, eBadf
	}
	return f, success
}

// directory is the inode of a descriptor that paths start from.
func (s *System) directory(fd uint64) (vfs.Ino, errno) {
	f := s.file(fd)
	if f == nil {
		return 0, eBadf
	}
	if f.kind != directory {
		return 0, eNotdir
	}
	return f.ino, success
}

// allot finds the lowest free descriptor.
func (s *System) allot() (int, errno) {
	for fd := range s.files {
		if s.files[fd].kind == free {
			return fd, success
		}
	}
	if len(s.files) >= maxFiles {
		return 0, eMfile
	}
	s.files = append(s.files, file{})
	return len(s.files) - 1, success
}

func (s *System) release(f *file) {
	if f.kind == regular || f.kind == directory {
		s.tree.Release(f.ino)
	}
	*f = file{}
}

func fileType(k vfs.Kind) byte {
	switch k {
	case vfs.File:
		return typeRegular
	case vfs.Directory:
		return typeDirectory
	case vfs.Symlink:
		return typeSymlink
	}
	return typeUnknown
}
