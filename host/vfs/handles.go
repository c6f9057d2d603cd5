package vfs

import (
	"slices"
	"time"
)

// The methods in this file work on inodes, for a system interface that has
// file descriptors. They are on the hot path of interpreters: a failure is a
// Code, which is empty for success, and they don't allocate unless the tree
// grows. Directories that they start from must be held, or be [Root]. Names are
// not kept. A working directory plays no part.

// Root is the inode of the root directory, which is always there.
const Root = rootIno

// OpenFlags say how [Tree.OpenAt] opens.
type OpenFlags uint8

// The flags of OpenAt (open(2)).
const (
	OpenCreate    OpenFlags = 1 // make a file if nothing is there
	OpenDirectory OpenFlags = 2 // ENOTDIR for anything else
	OpenExclusive OpenFlags = 4 // with OpenCreate: EEXIST if something is there
	OpenTruncate  OpenFlags = 8 // cut a file to nothing
	OpenFollow    OpenFlags = 16
)

// OpenAt finds or makes what a path leads to, and holds it. Without OpenFollow
// a symbolic link at the end is ELOOP.
func (t *Tree) OpenAt(dir Ino, name string, flags OpenFlags) (Ino, Kind, Code) {
	exclusive := flags&(OpenCreate|OpenExclusive) == OpenCreate|OpenExclusive
	p, code := t.resolve(dir, name, flags&OpenFollow != 0 && !exclusive)
	if code != "" {
		return 0, 0, code
	}
	if p.ino == 0 {
		switch {
		case flags&OpenCreate == 0:
			return 0, 0, ENOENT
		case flags&OpenDirectory != 0:
			return 0, 0, EINVAL
		case p.slash:
			return 0, 0, EISDIR
		}
		ino, _, code := t.add(p.dir, p.name, &node{kind: File, mode: 0o644})
		if code != "" {
			return 0, 0, code
		}
		t.Hold(ino)
		return ino, File, ""
	}
	n := t.node(p.ino)
	switch {
	case exclusive:
		return 0, 0, EEXIST
	case n.kind == Symlink && flags&OpenDirectory == 0:
		return 0, 0, ELOOP
	case n.kind != Directory && flags&OpenDirectory != 0:
		return 0, 0, ENOTDIR
	case n.kind == Directory && flags&(OpenCreate|OpenTruncate) != 0:
		return 0, 0, EISDIR
	}
	if flags&OpenTruncate != 0 {
		if code := t.setSize(p.ino, 0); code != "" {
			return 0, 0, code
		}
	}
	t.Hold(p.ino)
	return p.ino, n.kind, ""
}

// Hold keeps an inode that is there until [Tree.Release], whatever happens to
// its names. What is held without a name counts for the limits.
func (t *Tree) Hold(ino Ino) {
	if t.held == nil {
		t.held = make(map[Ino]uint32, 8)
	}
	t.held[ino]++
}

// Release undoes one Hold.
func (t *Tree) Release(ino Ino) {
	if t.held[ino]--; t.held[ino] > 0 {
		return
	}
	delete(t.held, ino)
	if n, ok := t.own[ino]; ok && n.links == 0 {
		t.discard(ino)
	}
}

// ReadAt reads from a file. At its end and beyond, n is 0.
func (t *Tree) ReadAt(ino Ino, p []byte, offset int64) (n int, code Code) {
	data, code := t.Contents(ino)
	if code != "" || offset >= int64(len(data)) {
		return 0, code
	}
	if offset < 0 {
		return 0, EINVAL
	}
	return copy(p, data[offset:]), ""
}

// Contents are the bytes of a file: valid until the next change, and not to be
// changed.
func (t *Tree) Contents(ino Ino) ([]byte, Code) {
	n := t.node(ino)
	if n.kind != File {
		return nil, EISDIR
	}
	return n.contents()
}

// WriteAt writes to a file, all or nothing. What lies between its end and the
// offset becomes zero.
func (t *Tree) WriteAt(ino Ino, p []byte, offset int64) Code {
	n := t.node(ino)
	switch {
	case n.kind != File:
		return EISDIR
	case t.frozen || n.locked:
		return EROFS
	case offset < 0:
		return EINVAL
	case len(p) == 0:
		return ""
	case offset > t.limits.Bytes:
		return ENOSPC
	}
	size := max(offset+int64(len(p)), int64(len(n.data)))
	if code := t.room(ino, size); code != "" {
		return code
	}
	if _, code := n.contents(); code != "" {
		return code
	}
	n = t.change(ino)
	if n.shared || int(size) != len(n.data) {
		t.resize(n, int(size))
	}
	copy(n.data[offset:], p)
	t.touch(n)
	return ""
}

// SetSize sets the size of a file in bytes; new ones are zero.
func (t *Tree) SetSize(ino Ino, size int64) Code {
	switch {
	case t.node(ino).kind != File:
		return EISDIR
	case size < 0:
		return EINVAL
	}
	return t.setSize(ino, size)
}

// Size is the size of a file in bytes.
func (t *Tree) Size(ino Ino) int64 { return int64(len(t.node(ino).data)) }

// InfoOf describes an inode.
func (t *Tree) InfoOf(ino Ino) Info { return t.info(ino) }

// StatAt describes what a path leads to.
func (t *Tree) StatAt(dir Ino, name string, follow bool) (Info, Code) {
	ino, _, code := t.findAt(dir, name, follow)
	if code != "" {
		return Info{}, code
	}
	return t.info(ino), ""
}

// SetTimes sets the time stamps of an inode; a zero one is left alone.
func (t *Tree) SetTimes(ino Ino, atime, mtime time.Time) Code {
	if t.frozen || t.node(ino).locked {
		return EROFS
	}
	n := t.change(ino)
	if !atime.IsZero() {
		n.atime = stampOf(atime)
	}
	if !mtime.IsZero() {
		n.mtime = stampOf(mtime)
	}
	n.ctime = t.stamp()
	return ""
}

// stampOf keeps the Unix epoch itself apart from the zero of a node, which
// means when the tree was made.
func stampOf(at time.Time) int64 {
	if ns := at.UnixNano(); ns != 0 {
		return ns
	}
	return 1
}

// SetTimesAt is SetTimes of what a path leads to.
func (t *Tree) SetTimesAt(dir Ino, name string, follow bool, atime, mtime time.Time) Code {
	ino, _, code := t.findAt(dir, name, follow)
	if code != "" {
		return code
	}
	return t.SetTimes(ino, atime, mtime)
}

// MkdirAt makes a directory.
func (t *Tree) MkdirAt(dir Ino, name string) Code { return t.mkdir(dir, name) }

// RemoveAt removes one name, or more if the flags say so.
func (t *Tree) RemoveAt(dir Ino, name string, flags RemoveFlags) Code {
	return t.remove(dir, name, flags)
}

// RenameAt moves, as [Tree.Rename] does.
func (t *Tree) RenameAt(fromDir Ino, from string, toDir Ino, to string) Code {
	return t.rename(fromDir, from, toDir, to)
}

// LinkAt gives a file one more name (link(2)). A directory is EPERM.
func (t *Tree) LinkAt(fromDir Ino, from string, follow bool, toDir Ino, to string) Code {
	ino, n, code := t.findAt(fromDir, from, follow)
	if code != "" {
		return code
	}
	p, code := t.resolve(toDir, to, false)
	switch {
	case code != "":
		return code
	case n.kind == Directory:
		return EPERM
	case p.ino != 0:
		return EEXIST
	case p.slash:
		return ENOENT
	case n.locked:
		return EROFS
	}
	if code := t.entrance(p.dir, 1); code != "" {
		return code
	}
	n = t.change(ino)
	t.relink(ino, n, n.links+1)
	t.link(p.dir, p.name, ino)
	return ""
}

// SymlinkAt makes a symbolic link. The target need not exist.
func (t *Tree) SymlinkAt(target string, dir Ino, name string) Code {
	p, code := t.resolve(dir, name, false)
	switch {
	case code != "":
		return code
	case target == "" || p.ino == 0 && p.slash:
		return ENOENT
	case len(target) > t.limits.Path:
		return ENAMETOOLONG
	case p.ino != 0:
		return EEXIST
	case slices.Contains([]byte(target), 0):
		return EINVAL
	}
	if code := t.entrance(p.dir, 1); code != "" {
		return code
	}
	if code := t.room(0, int64(len(target))); code != "" {
		return code
	}
	_, n, code := t.add(p.dir, p.name, &node{kind: Symlink, mode: 0o777})
	if code == "" {
		t.replace(n, []byte(target))
	}
	return code
}

// ReadlinkAt is the target of a symbolic link. Anything else is EINVAL.
func (t *Tree) ReadlinkAt(dir Ino, name string) (string, Code) {
	_, n, code := t.findAt(dir, name, false)
	if code == "" && n.kind != Symlink {
		code = EINVAL
	}
	if code != "" {
		return "", code
	}
	return string(n.data), ""
}

// Parent is the directory above one; that of the root is the root, that of one
// that was removed itself.
func (t *Tree) Parent(dir Ino) Ino {
	if parent := t.node(dir).parent; parent != 0 {
		return parent
	}
	return dir
}

// A listing is a directory whose entries were last listed, in order of their
// positions.
type listing struct {
	dir     Ino
	entries []dirent
}

func (l *listing) forget(dir Ino) {
	if l.dir == dir {
		l.dir = 0
	}
}

// List calls f for the entries of a directory that lie behind a position, until
// f returns false. The first position is 0; f is given the one behind its
// entry. A position stays where it is when entries come and go: what is there
// all the while is listed exactly once.
func (t *Tree) List(dir Ino, position uint64, f func(e Entry, next uint64) bool) Code {
	if t.node(dir).kind != Directory {
		return ENOTDIR
	}
	entries := t.listing.entries
	if _, own := t.own[dir]; !own {
		entries = t.base.nodes[dir-1].names
	} else if t.listing.dir != dir {
		entries = entries[:0]
		t.eachChild(dir, func(e dirent) { entries = append(entries, e) })
		slices.SortFunc(entries, func(a, b dirent) int {
			if a.seq < b.seq {
				return -1
			}
			return 1
		})
		t.listing = listing{dir, entries}
	}
	first, _ := slices.BinarySearchFunc(entries, position, func(e dirent, position uint64) int {
		if e.seq <= position {
			return -1
		}
		return 1
	})
	for _, e := range entries[first:] {
		if !f(Entry{Name: e.name, Kind: t.node(e.ino).kind, Ino: e.ino}, e.seq) {
			break
		}
	}
	return ""
}
