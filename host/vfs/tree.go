// Package vfs is the file system that a guest sees: a tree in memory, one per
// isolate, over a shared read-only layer.
//
// A Tree holds only what differs from its layer, by inode: a fresh tree is a
// pointer to the layer and costs nothing to make, a file of the layer is copied
// when it is first written, and a fork or a saved session is the differing
// inodes. Directories map names to inode numbers, so a handle that is an inode
// number and a position survives renames and copies.
//
// Path names follow POSIX (IEEE Std 1003.1-2017, 4.13). There are no symbolic
// links yet: resolution is a walk in one place, [Tree.resolve].
package vfs

import (
	"slices"
	"strings"
	"time"
)

// DefaultCwd is the working directory of a tree whose options name none.
const DefaultCwd = "/workspace"

// An Ino is the number of an inode. The root's is 1; none has 0.
type Ino uint64

const rootIno Ino = 1

// A Kind tells files from directories. Its values are those of the fs_readdir
// and fs_stat operations.
type Kind uint8

// The kinds of inodes.
const (
	File      Kind = 1
	Directory Kind = 2
)

// Limits bound a tree. A zero field takes its default.
type Limits struct {
	Bytes  int64 // contents of all files that the layer does not hold; default 64 MiB; past it ENOSPC
	Inodes int   // files and directories made and not removed; default 16384; past it ENOSPC
	Name   int   // bytes of one name; default 255; past it ENAMETOOLONG
	Path   int   // bytes of one path; default 4096; past it ENAMETOOLONG
	Depth  int   // directories from the root down; default 128; past it ENAMETOOLONG
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 64 << 20
	}
	if l.Inodes == 0 {
		l.Inodes = 16384
	}
	if l.Name == 0 {
		l.Name = 255
	}
	if l.Path == 0 {
		l.Path = 4096
	}
	if l.Depth == 0 {
		l.Depth = 128
	}
	return l
}

// Options configure a tree. The zero value is usable.
type Options struct {
	Base     *Layer           // what the tree starts from; nil: /tmp, /artifacts and DefaultCwd, all empty
	Cwd      string           // absolute; where relative paths start; made if missing, / if that fails; default DefaultCwd
	Limits   Limits           //
	ReadOnly bool             // every change fails with EROFS
	Now      func() time.Time // default time.Now
}

// A Tree is a file tree. It is not safe for concurrent use.
type Tree struct {
	base   *Layer
	own    map[Ino]*node // inodes that the layer lacks, or that differ from it
	next   Ino
	cwd    string
	limits Limits
	frozen bool
	now    func() time.Time
	born   int64
	usage  Usage
	trail  []Ino // scratch of resolve: the directories from the root down
}

// Usage is what a tree holds beyond its layer.
type Usage struct {
	Bytes  int64 // contents of files
	Inodes int   // files and directories
}

// node is an inode. Those of a layer are never changed.
type node struct {
	kind   Kind
	shared bool // data belongs to somebody else too: copied before it is changed
	mode   uint32
	data   []byte
	// entries of a directory. In a tree, over a directory of the layer with the
	// same number, they are the differences only: 0 hides a name of the layer.
	entries             map[string]Ino
	count               int   // entries that are there
	mtime, ctime, btime int64 // Unix nanoseconds; 0: when the tree was made
}

// New makes a tree.
func New(options Options) *Tree {
	t := &Tree{
		base: options.Base, cwd: options.Cwd, limits: options.Limits.withDefaults(),
		now: options.Now,
	}
	if t.base == nil {
		t.base = standardLayer
	}
	if t.now == nil {
		t.now = time.Now
	}
	t.next = Ino(len(t.base.nodes)) + 1
	t.born = t.now().UnixNano()
	if t.cwd == "" {
		t.cwd = DefaultCwd
	}
	if t.cwd != DefaultCwd || t.base != standardLayer {
		for _, dir := range []string{"/tmp", "/artifacts", t.cwd} {
			if _, err := t.Mkdir(dir, true); err != nil && dir == t.cwd {
				t.cwd = "/"
			}
		}
	}
	t.frozen = options.ReadOnly
	return t
}

// Cwd is the directory where relative paths start.
func (t *Tree) Cwd() string { return t.cwd }

// Usage says what the tree holds beyond its layer.
func (t *Tree) Usage() Usage { return t.usage }

// Fork makes an independent copy of the tree. Contents are shared until either
// side writes to them, so its cost is that of the differing inodes.
func (t *Tree) Fork() *Tree {
	f := *t
	f.trail = nil
	if t.own != nil {
		f.own = make(map[Ino]*node, len(t.own))
	}
	for ino, n := range t.own {
		n.shared = true
		c := *n
		if n.entries != nil {
			c.entries = make(map[string]Ino, len(n.entries))
			for name, child := range n.entries {
				c.entries[name] = child
			}
		}
		f.own[ino] = &c
	}
	return &f
}

// node is the inode as it is now, for reading.
func (t *Tree) node(ino Ino) *node {
	if n, ok := t.own[ino]; ok {
		return n
	}
	return &t.base.nodes[ino-1]
}

// inBase reports whether the layer has an inode of this number.
func (t *Tree) inBase(ino Ino) bool { return int(ino) <= len(t.base.nodes) }

// change is the inode for changing: copied from the layer at first. A file's
// contents stay shared until reserve.
func (t *Tree) change(ino Ino) *node {
	if n, ok := t.own[ino]; ok {
		return n
	}
	c := t.base.nodes[ino-1]
	c.entries, c.shared = nil, true
	t.put(ino, &c)
	if c.kind == File {
		t.usage.Bytes += int64(len(c.data))
	}
	return t.own[ino]
}

func (t *Tree) put(ino Ino, n *node) {
	if t.own == nil {
		t.own = make(map[Ino]*node, 8)
	}
	t.own[ino] = n
}

// child is the inode of a name in a directory, or 0.
func (t *Tree) child(dir Ino, name string) Ino {
	if n, ok := t.own[dir]; ok {
		if ino, ok := n.entries[name]; ok {
			return ino
		}
	}
	if t.inBase(dir) {
		return t.base.nodes[dir-1].entries[name]
	}
	return 0
}

// eachChild calls f for every entry of a directory, in no order.
func (t *Tree) eachChild(dir Ino, f func(name string, ino Ino)) {
	own := t.own[dir]
	if own != nil {
		for name, ino := range own.entries {
			if ino != 0 {
				f(name, ino)
			}
		}
	}
	if !t.inBase(dir) {
		return
	}
	for name, ino := range t.base.nodes[dir-1].entries {
		if own != nil {
			if _, changed := own.entries[name]; changed {
				continue
			}
		}
		f(name, ino)
	}
}

// link enters a name that is not there.
func (t *Tree) link(dir Ino, name string, ino Ino) {
	d := t.change(dir)
	if d.entries == nil {
		d.entries = make(map[string]Ino, 4)
	}
	// The name may be part of a message that the caller reuses.
	d.entries[strings.Clone(name)] = ino
	d.count++
	t.touch(d)
}

// unlink removes a name that is there, not the inode.
func (t *Tree) unlink(dir Ino, name string) {
	d := t.change(dir)
	if t.inBase(dir) && t.base.nodes[dir-1].entries[name] != 0 {
		if d.entries == nil {
			d.entries = make(map[string]Ino, 4)
		}
		d.entries[strings.Clone(name)] = 0
	} else {
		delete(d.entries, name)
	}
	d.count--
	t.touch(d)
}

// free gives an inode back, with all that is below it.
func (t *Tree) free(ino Ino) {
	for todo := []Ino{ino}; len(todo) > 0; {
		ino := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n, own := t.own[ino]
		if t.node(ino).kind == Directory {
			t.eachChild(ino, func(_ string, child Ino) { todo = append(todo, child) })
		}
		if !own {
			continue
		}
		t.usage.Bytes -= int64(len(n.data))
		if !t.inBase(ino) {
			t.usage.Inodes--
		}
		delete(t.own, ino)
	}
}

// add makes an inode and enters it under a name that is not there.
func (t *Tree) add(dir Ino, name string, n *node) (*node, Code) {
	if t.usage.Inodes >= t.limits.Inodes {
		return nil, ENOSPC
	}
	now := t.now().UnixNano()
	n.mtime, n.ctime, n.btime = now, now, now
	ino := t.next
	t.next++
	t.usage.Inodes++
	t.put(ino, n)
	t.link(dir, name, ino)
	return n, ""
}

func (t *Tree) touch(n *node) {
	n.mtime = t.now().UnixNano()
	n.ctime = n.mtime
}

// slack is how many bytes of capacity a file may hold beyond its length
// doubled: host memory that no limit counts.
const slack = 4096

// room tells whether a file may have a size, before anything is changed. ino is
// 0 for a file that isn't there yet.
func (t *Tree) room(ino Ino, size int64) Code {
	held := t.usage.Bytes
	if own, ok := t.own[ino]; ok {
		held -= int64(len(own.data))
	}
	if size > t.limits.Bytes || held+size > t.limits.Bytes {
		return ENOSPC
	}
	return ""
}

// resize sets the length of a file that is open for change and makes its
// contents its own. New bytes are zero.
func (t *Tree) resize(n *node, length int) {
	t.usage.Bytes += int64(length - len(n.data))
	old := n.data
	switch {
	case length == 0:
		n.data = nil
	case n.shared || cap(old) > 2*length+slack:
		n.data = make([]byte, length)
		copy(n.data, old)
	case length <= len(old):
		n.data = old[:length]
	default:
		n.data = append(old, make([]byte, length-len(old))...)
	}
	n.shared = false
}

// replace sets the contents of a file that is open for change to bytes that
// somebody else holds too.
func (t *Tree) replace(n *node, data []byte) {
	t.usage.Bytes += int64(len(data) - len(n.data))
	n.data, n.shared = slices.Clip(data), true
}
