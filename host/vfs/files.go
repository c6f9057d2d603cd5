package vfs

import (
	"errors"
	"path"
	"strings"
	"time"
)

// A WriteMode says what Write does with a file that is there.
type WriteMode uint8

// The modes of Write; the numbers are those of the fs_write operation.
const (
	Truncate  WriteMode = 0 // replace its contents
	Append    WriteMode = 1 // write after its end
	Exclusive WriteMode = 2 // fail with EEXIST
)

// RemoveFlags say what Remove may remove; the numbers are those of fs_rm.
type RemoveFlags uint8

// The flags of Remove.
const (
	Recursive RemoveFlags = 1 // a directory with all that is in it
	Force     RemoveFlags = 2 // what isn't there is no error
	OnlyEmpty RemoveFlags = 4 // only an empty directory: rmdir(2)
	OnlyFile  RemoveFlags = 8 // only a file: unlink(2)
)

// An Entry is a name in a directory.
type Entry struct {
	Name string
	Kind Kind
	Ino  Ino
}

// Info describes an inode.
type Info struct {
	Kind     Kind
	Size     int64  // bytes; of a symbolic link its target's length; 0 for a directory
	Mode     uint32 // permission bits
	Links    uint32 // names; 0 if it is only held
	Ino      Ino
	Atime    time.Time // as it was set: reading leaves it alone
	Mtime    time.Time // contents changed
	Ctime    time.Time // contents, name or size changed
	Birth    time.Time // made
	Layer    bool      // as the layer has it: neither made nor changed in this tree
	ReadOnly bool      // part of a layer that is mounted read-only
}

// Read returns the contents of a file. They are the tree's own: valid until the
// next change, and not to be changed.
func (t *Tree) Read(name string) ([]byte, error) {
	_, n, code := t.find(name)
	if code == "" && n.kind == Directory {
		return nil, &Error{Op: "read", Path: name, Code: EISDIR}
	}
	var content []byte
	if code == "" {
		content, code = n.contents()
	}
	if code != "" {
		return nil, &Error{Op: "open", Path: name, Code: code}
	}
	return content, nil
}

// Write writes a file, which it makes if there is none. Content is copied.
func (t *Tree) Write(name string, mode WriteMode, content []byte) error {
	if code := t.write(name, mode, content); code != "" {
		return &Error{Op: "open", Path: name, Code: code}
	}
	return nil
}

func (t *Tree) write(name string, mode WriteMode, content []byte) Code {
	if mode > Exclusive {
		return EINVAL
	}
	p, code := t.resolve(0, name, true)
	if code != "" {
		return code
	}
	if p.ino != 0 && mode == Exclusive {
		return EEXIST
	}
	start := 0
	if mode == Append && p.ino != 0 {
		old, code := t.node(p.ino).contents()
		if code != "" {
			return code
		}
		start = len(old)
	}
	if code := t.room(p.ino, int64(start+len(content))); code != "" {
		return code
	}
	n, code := t.file(p)
	if code != "" {
		return code
	}
	if start == 0 && n.shared {
		t.replace(n, nil) // nothing of what is there will stay
	}
	t.resize(n, start+len(content))
	copy(n.data[start:], content)
	t.touch(n)
	return ""
}

// file is the file at a place for changing, made if it is missing.
func (t *Tree) file(p place) (*node, Code) {
	switch {
	case t.frozen:
		return nil, EROFS
	case p.name == "", p.ino == 0 && p.slash:
		return nil, EISDIR
	case p.ino == 0:
		_, n, code := t.add(p.dir, p.name, &node{kind: File, mode: 0o644})
		return n, code
	case t.node(p.ino).kind == Directory:
		return nil, EISDIR
	case t.node(p.ino).locked:
		return nil, EROFS
	}
	return t.change(p.ino), ""
}

// MountFile puts a file there before the guest runs, with the directories above
// it. The tree keeps content, which must never change again; it is counted.
func (t *Tree) MountFile(name string, content []byte) error {
	fail := func(code Code) error { return &Error{Op: "open", Path: name, Code: code} }
	if name == "" {
		return fail(ENOENT)
	}
	if dir := path.Dir(strings.TrimRight(name, "/")); dir != "." && dir != "/" {
		if _, err := t.Mkdir(dir, true); errors.Is(err, EEXIST) {
			return fail(ENOTDIR)
		} else if err != nil {
			return err
		}
	}
	p, code := t.resolve(0, name, true)
	if code != "" {
		return fail(code)
	}
	if code := t.room(p.ino, int64(len(content))); code != "" {
		return fail(code)
	}
	n, code := t.file(p)
	if code != "" {
		return fail(code)
	}
	t.replace(n, content)
	t.touch(n)
	return nil
}

// Truncate sets the size of a file in bytes; new ones are zero.
func (t *Tree) Truncate(name string, size int64) error {
	fail := func(code Code) error { return &Error{Op: "open", Path: name, Code: code} }
	if size < 0 {
		return fail(EINVAL)
	}
	ino, n, code := t.find(name)
	if code != "" {
		return fail(code)
	}
	if n.kind == Directory {
		return fail(EISDIR)
	}
	if code := t.setSize(ino, size); code != "" {
		return fail(code)
	}
	return nil
}

func (t *Tree) setSize(ino Ino, size int64) Code {
	n := t.node(ino)
	if t.frozen || n.locked {
		return EROFS
	}
	if code := t.room(ino, size); code != "" {
		return code
	}
	if size > 0 {
		if _, code := n.contents(); code != "" {
			return code
		}
	}
	n = t.change(ino)
	t.resize(n, int(size))
	t.touch(n)
	return ""
}

// Copy copies a file; contents are shared until either is written. With
// exclusive, a target that is there is EEXIST.
func (t *Tree) Copy(from, to string, exclusive bool) error {
	fail := func(code Code) error { return &Error{Op: "copyfile", Path: from, To: to, Code: code} }
	ino, source, code := t.find(from)
	if code != "" {
		return fail(code)
	}
	if source.kind == Directory {
		return fail(EISDIR)
	}
	p, code := t.resolve(0, to, true)
	if code != "" {
		return fail(code)
	}
	if p.ino != 0 && exclusive {
		return fail(EEXIST)
	}
	if p.ino == ino {
		return nil
	}
	content, code := source.contents()
	if code != "" {
		return fail(code)
	}
	if code := t.room(p.ino, int64(len(content))); code != "" {
		return fail(code)
	}
	n, code := t.file(p)
	if code != "" {
		return fail(code)
	}
	if own, ok := t.own[ino]; ok {
		own.shared = true
	}
	t.replace(n, content)
	n.mode = source.mode
	t.touch(n)
	return nil
}

// Stat describes what a path leads to.
func (t *Tree) Stat(name string) (Info, error) {
	ino, _, code := t.find(name)
	if code != "" {
		return Info{}, &Error{Op: "stat", Path: name, Code: code}
	}
	return t.info(ino), nil
}

func (t *Tree) info(ino Ino) Info {
	n := t.node(ino)
	own := n
	if t.inBase(ino) {
		own = t.own[ino]
	}
	at := func(ns int64) time.Time {
		if ns == 0 {
			ns = t.born
		}
		return time.Unix(0, ns)
	}
	return Info{
		Kind: n.kind, Size: int64(len(n.data)), Mode: n.mode, Links: n.links, Ino: ino, Layer: own == nil, ReadOnly: n.locked,
		Atime: at(n.atime), Mtime: at(n.mtime), Ctime: at(n.ctime), Birth: at(n.btime),
	}
}
