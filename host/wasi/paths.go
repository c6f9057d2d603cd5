package wasi

import (
	"encoding/binary"
	"unicode/utf8"

	"mayfly/host/vfs"
)

// at is the directory and the path that a function of paths is given, as two
// parameters after the descriptor.
func (c *call) at(fd, path, length uint64) (vfs.Ino, string, errno) {
	dir, e := c.directory(fd)
	if e != success {
		return 0, "", e
	}
	name, e := c.path(path, length)
	return dir, name, e
}

// follow is the only flag of lookups.
const follow = 1

func (c *call) pathCreateDirectory(p []uint64) errno {
	dir, name, e := c.at(p[0], p[1], p[2])
	if e != success {
		return e
	}
	return errnoOf(c.tree.MkdirAt(dir, name))
}

func (c *call) pathFilestatGet(p []uint64) errno {
	dir, name, e := c.at(p[0], p[2], p[3])
	if e != success {
		return e
	}
	b, e := c.bytes(p[4], filestatSize)
	if e != success {
		return e
	}
	info, code := c.tree.StatAt(dir, name, p[1]&follow != 0)
	if code != "" {
		return errnoOf(code)
	}
	putFilestat(b, &info)
	return success
}

func (c *call) pathFilestatSetTimes(p []uint64) errno {
	dir, name, e := c.at(p[0], p[2], p[3])
	if e != success {
		return e
	}
	atime, mtime, e := c.times(p[4], p[5], p[6])
	if e != success {
		return e
	}
	return errnoOf(c.tree.SetTimesAt(dir, name, p[1]&follow != 0, atime, mtime))
}

func (c *call) pathLink(p []uint64) errno {
	fromDir, from, e := c.at(p[0], p[2], p[3])
	if e != success {
		return e
	}
	toDir, to, e := c.at(p[4], p[5], p[6])
	if e != success {
		return e
	}
	return errnoOf(c.tree.LinkAt(fromDir, from, p[1]&follow != 0, toDir, to))
}

// oflags of path_open. They are those of vfs.
const (
	openCreate    = uint64(vfs.OpenCreate)
	openDirectory = uint64(vfs.OpenDirectory)
	openAll       = 1<<4 - 1
)

func (c *call) pathOpen(p []uint64) errno {
	dir, name, e := c.at(p[0], p[2], p[3])
	if e != success {
		return e
	}
	oflags, rights, inheriting, flags := p[4], p[5]&rightsAll, p[6]&rightsAll, p[7]
	if oflags > openAll || flags > flagsAll {
		return eInval
	}
	result, e := c.bytes(p[8], 4)
	if e != success {
		return e
	}
	fd, e := c.allot()
	if e != success {
		return e
	}
	how := vfs.OpenFlags(oflags)
	if p[1]&follow != 0 {
		how |= vfs.OpenFollow
	}
	ino, kind, code := c.tree.OpenAt(dir, name, how)
	if code != "" {
		return errnoOf(code)
	}
	opened := file{kind: regular, flags: uint16(flags), ino: ino, rights: rights, inheriting: inheriting}
	switch {
	case kind == vfs.Directory && rights&rightWrite != 0 && oflags&openDirectory == 0:
		c.tree.Release(ino)
		return eIsdir
	case kind == vfs.Directory:
		opened.kind = directory
	case rights&rightWrite != 0 && c.tree.InfoOf(ino).ReadOnly:
		c.tree.Release(ino)
		return eRofs
	}
	c.files[fd] = opened
	binary.LittleEndian.PutUint32(result, uint32(fd))
	return success
}

func (c *call) pathReadlink(p []uint64) errno {
	dir, name, e := c.at(p[0], p[1], p[2])
	if e != success {
		return e
	}
	b, e := c.bytes(p[3], p[4])
	if e != success {
		return e
	}
	target, code := c.tree.ReadlinkAt(dir, name)
	if code != "" {
		return errnoOf(code)
	}
	return c.put32(p[5], uint32(copy(b, target)))
}

func (c *call) pathRemoveDirectory(p []uint64) errno {
	dir, name, e := c.at(p[0], p[1], p[2])
	if e != success {
		return e
	}
	return errnoOf(c.tree.RemoveAt(dir, name, vfs.OnlyEmpty))
}

func (c *call) pathRename(p []uint64) errno {
	fromDir, from, e := c.at(p[0], p[1], p[2])
	if e != success {
		return e
	}
	toDir, to, e := c.at(p[3], p[4], p[5])
	if e != success {
		return e
	}
	return errnoOf(c.tree.RenameAt(fromDir, from, toDir, to))
}

// pathSymlink makes a link whose target may be absolute: the tree is all that
// there is, so that no target leads out of it.
func (c *call) pathSymlink(p []uint64) errno {
	target, e := c.bytes(p[0], p[1])
	if e != success {
		return e
	}
	if !utf8.Valid(target) {
		return eIlseq
	}
	dir, name, e := c.at(p[2], p[3], p[4])
	if e != success {
		return e
	}
	return errnoOf(c.tree.SymlinkAt(string(target), dir, name))
}

func (c *call) pathUnlinkFile(p []uint64) errno {
	dir, name, e := c.at(p[0], p[1], p[2])
	if e != success {
		return e
	}
	return errnoOf(c.tree.RemoveAt(dir, name, vfs.OnlyFile))
}
