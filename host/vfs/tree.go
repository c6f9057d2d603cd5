// Package vfs is the file system that a guest sees: a tree in memory, one per
// isolate, over a shared read-only layer.
//
// A Tree holds only what differs from its layer, by inode: a fresh tree is a
// pointer to the layer and costs nothing to make, a file of the layer is copied
// when it is first written, and a fork or a saved session is the differing
// inodes. Directories map names to inode numbers, so a handle that is an inode
// number and a position survives renames and copies; an inode that is held
// (see [Tree.Hold]) outlives its last name.
//
// Path names follow POSIX (IEEE Std 1003.1-2017, 4.13), symbolic links
// included; resolution is a walk in one place, Tree.resolve.
package vfs

import (
	"maps"
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
	Symlink   Kind = 3
)

// Limits bound a tree. A zero field takes its default.
type Limits struct {
	Bytes  int64 // contents of all files that the layer does not hold; default 64 MiB; past it ENOSPC
	Inodes int   // names made and not removed, and inodes held without one; default 16384; past it ENOSPC
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
	base    *Layer
	own     map[Ino]*node  // inodes that the layer lacks, or that differ from it
	held    map[Ino]uint32 // open handles
	next    Ino
	seq     uint64 // of the last name entered, greater than any in the layer
	cwd     string
	limits  Limits
	frozen  bool
	now     func() time.Time
	born    int64
	usage   Usage
	listing listing
}

// Usage is what a tree holds beyond its layer.
type Usage struct {
	Bytes  int64 // contents of files
	Inodes int   // names of files and directories
}

// node is an inode. Those of a layer are never changed.
type node struct {
	kind   Kind
	shared bool // data belongs to somebody else too: copied before it is changed
	lent   bool // data is the layer's: not counted
	locked bool // part of a layer that is mounted read-only
	mixed  bool // of a locked directory of a layer: something below it is not locked
	mode   uint32
	links  uint32 // names; a directory has at most one
	parent Ino    // of a directory that has a name; of anything in a layer
	data   []byte // contents, or the target of a symbolic link
	seal   *seal  // of data that was not yet verified
	// names of a directory of a layer, sorted.
	names []dirent
	// entries of a directory of a tree. Over a directory of the layer with the
	// same number, they are the differences only: inode 0 hides a name.
	entries                    map[string]dirent
	count                      int   // entries that are there
	atime, mtime, ctime, btime int64 // Unix nanoseconds; 0: when the tree was made
}

// dirent is an entry of a directory. In a tree's map the name is the key.
type dirent struct {
	name string
	ino  Ino
	seq  uint64 // position in listings, never used twice in a directory
}

// size is what a node counts for.
func (n *node) size() int64 {
	if n.lent {
		return 0
	}
	return int64(len(n.data))
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
	t.seq = uint64(len(t.base.nodes))
	t.born = t.stamp()
	if t.cwd == "" {
		t.cwd = DefaultCwd
	}
	if t.cwd != DefaultCwd || !t.base.standard {
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

// Fork makes an independent copy of the tree, handles included. Contents are
// shared until either side writes to them, so its cost is that of the differing
// inodes.
func (t *Tree) Fork() *Tree {
	f := *t
	f.held, f.listing = maps.Clone(t.held), listing{}
	if t.own != nil {
		f.own = make(map[Ino]*node, len(t.own))
	}
	for ino, n := range t.own {
		n.shared = true
		c := *n
		c.entries = maps.Clone(n.entries)
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
// contents stay the layer's until resize or replace.
func (t *Tree) change(ino Ino) *node {
	if n, ok := t.own[ino]; ok {
		return n
	}
	c := t.base.nodes[ino-1]
	c.names, c.shared, c.lent = nil, true, true
	t.put(ino, &c)
	return &c
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
		if e, ok := n.entries[name]; ok {
			return e.ino
		}
		if n.links == 0 {
			return 0
		}
	}
	if t.inBase(dir) {
		return t.base.nodes[dir-1].lookup(name).ino
	}
	return 0
}

// lookup is the entry of a name in a directory of a layer; its inode is 0 if
// there is none.
func (n *node) lookup(name string) dirent {
	low, high := 0, len(n.names)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if n.names[middle].name < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(n.names) && n.names[low].name == name {
		return n.names[low]
	}
	return dirent{}
}

// eachChild calls f for every entry of a directory, in no order.
func (t *Tree) eachChild(dir Ino, f func(e dirent)) {
	own := t.own[dir]
	if own != nil {
		for name, e := range own.entries {
			if e.ino != 0 {
				e.name = name
				f(e)
			}
		}
		if own.links == 0 {
			return
		}
	}
	if !t.inBase(dir) {
		return
	}
	for _, e := range t.base.nodes[dir-1].names {
		if own != nil {
			if _, changed := own.entries[e.name]; changed {
				continue
			}
		}
		f(e)
	}
}

// link enters a name that is not there.
func (t *Tree) link(dir Ino, name string, ino Ino) {
	d := t.change(dir)
	if d.entries == nil {
		d.entries = make(map[string]dirent, 4)
	}
	t.seq++
	// The name may be part of a message that the caller reuses.
	d.entries[strings.Clone(name)] = dirent{ino: ino, seq: t.seq}
	d.count++
	if n := t.node(ino); n.kind == Directory && n.parent != dir {
		t.change(ino).parent = dir
	}
	t.listing.forget(dir)
	t.touch(d)
}

// unlink removes a name that is there, not the inode.
func (t *Tree) unlink(dir Ino, name string) {
	d := t.change(dir)
	if t.inBase(dir) && t.base.nodes[dir-1].lookup(name).ino != 0 {
		if d.entries == nil {
			d.entries = make(map[string]dirent, 4)
		}
		d.entries[strings.Clone(name)] = dirent{}
	} else {
		delete(d.entries, name)
	}
	d.count--
	t.listing.forget(dir)
	t.touch(d)
}

// names is how many names of an inode count.
func (t *Tree) names(ino Ino, n *node) int {
	if t.inBase(ino) {
		return max(0, int(n.links)-int(t.base.nodes[ino-1].links))
	}
	return max(1, int(n.links))
}

// relink sets the number of names of an inode that is open for change.
func (t *Tree) relink(ino Ino, n *node, links uint32) {
	t.usage.Inodes -= t.names(ino, n)
	n.links = links
	t.usage.Inodes += t.names(ino, n)
	n.ctime = t.stamp()
}

// drop takes one name from an inode, and with the last gives it back, if
// nothing holds it, with all that is below it.
func (t *Tree) drop(ino Ino) {
	for todo := []Ino{ino}; len(todo) > 0; {
		ino := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := t.node(ino)
		if n.kind == Directory && n.count > 0 {
			t.eachChild(ino, func(e dirent) { todo = append(todo, e.ino) })
		}
		if n.links <= 1 && t.held[ino] == 0 {
			t.discard(ino)
			continue
		}
		n = t.change(ino)
		t.relink(ino, n, n.links-1)
		if n.kind == Directory {
			n.entries, n.count, n.parent = nil, 0, 0
		}
	}
}

// discard gives back an inode without names and handles.
func (t *Tree) discard(ino Ino) {
	n, ok := t.own[ino]
	if !ok {
		return
	}
	t.usage.Bytes -= n.size()
	t.relink(ino, n, 0)
	if !t.inBase(ino) {
		t.usage.Inodes--
	}
	delete(t.own, ino)
}

// entrance tells whether a directory may take one more entry. made is how many
// names that is more in the tree: 0 for one that moves.
func (t *Tree) entrance(dir Ino, made int) Code {
	d := t.node(dir)
	switch {
	case t.frozen || d.locked:
		return EROFS
	case d.links == 0:
		return ENOENT
	case t.usage.Inodes+made > t.limits.Inodes:
		return ENOSPC
	}
	depth := 1
	for ; dir != rootIno; dir = t.node(dir).parent {
		if depth++; depth > t.limits.Depth {
			return ENAMETOOLONG
		}
	}
	return ""
}

// add makes an inode and enters it under a name that is not there.
func (t *Tree) add(dir Ino, name string, n *node) (Ino, *node, Code) {
	if code := t.entrance(dir, 1); code != "" {
		return 0, nil, code
	}
	now := t.stamp()
	n.atime, n.mtime, n.ctime, n.btime, n.links = now, now, now, now, 1
	ino := t.next
	t.next++
	t.usage.Inodes++
	t.put(ino, n)
	t.link(dir, name, ino)
	return ino, n, ""
}

// Resolution is the step of time stamps, as of a guest's clocks: coarse, so
// that they are of little use for measuring what neighbours do.
const Resolution = 100 * time.Microsecond

// stamp is the time now in Unix nanoseconds.
func (t *Tree) stamp() int64 {
	now := t.now().UnixNano()
	return now - now%int64(Resolution)
}

func (t *Tree) touch(n *node) {
	n.mtime = t.stamp()
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
		held -= own.size()
	}
	if size > t.limits.Bytes || held+size > t.limits.Bytes {
		return ENOSPC
	}
	return ""
}

// resize sets the length of a file that is open for change and makes its
// contents its own. New bytes are zero.
func (t *Tree) resize(n *node, length int) {
	t.usage.Bytes += int64(length) - n.size()
	old := n.data
	switch {
	case length == 0:
		n.data = nil
	case n.shared || cap(old) > 2*length+slack:
		n.data = make([]byte, length)
		copy(n.data, old)
	case length <= len(old):
		n.data = old[:length]
	case length <= cap(old):
		n.data = old[:length]
		clear(n.data[len(old):])
	default:
		// Doubled, as often as a file that is written in parts grows.
		n.data = make([]byte, length, max(length, int(min(2*int64(len(old)), t.limits.Bytes))))
		copy(n.data, old)
	}
	n.shared, n.lent, n.seal = false, false, nil
}

// replace sets the contents of a file that is open for change to bytes that
// somebody else holds too.
func (t *Tree) replace(n *node, data []byte) {
	t.usage.Bytes += int64(len(data)) - n.size()
	n.data, n.shared, n.lent, n.seal = slices.Clip(data), true, false, nil
}
