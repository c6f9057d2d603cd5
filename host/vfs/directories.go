package vfs

import (
	"io/fs"
	"slices"
	"strings"
)

// ReadDir lists a directory, sorted by name in byte order.
func (t *Tree) ReadDir(name string) ([]Entry, error) {
	ino, n, code := t.find(name)
	if code == "" && n.kind != Directory {
		code = ENOTDIR
	}
	if code != "" {
		return nil, &Error{Op: "scandir", Path: name, Code: code}
	}
	return t.entries(ino), nil
}

func (t *Tree) entries(dir Ino) []Entry {
	list := make([]Entry, 0, t.node(dir).count)
	t.eachChild(dir, func(e dirent) {
		list = append(list, Entry{Name: e.name, Kind: t.node(e.ino).kind, Ino: e.ino})
	})
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Mkdir makes a directory. With recursive it makes those above it too, and one
// that is there is no error. It returns the absolute path of the first directory
// that it made, which is empty if it made none.
func (t *Tree) Mkdir(name string, recursive bool) (first string, err error) {
	fail := func(code Code) (string, error) {
		return first, &Error{Op: "mkdir", Path: name, Code: code}
	}
	if !recursive {
		if code := t.mkdir(0, name); code != "" {
			return fail(code)
		}
		return t.Abs(name), nil
	}
	if name == "" {
		return fail(ENOENT)
	}
	if len(name) > t.limits.Path {
		return fail(ENAMETOOLONG)
	}
	// Most of the way is usually there.
	if ino, n, code := t.find(name); code == "" && ino != 0 {
		if n.kind != Directory {
			return fail(EEXIST)
		}
		return "", nil
	}
	for end := 1; end <= len(name); end++ {
		if end < len(name) && name[end] != '/' || name[end-1] == '/' {
			continue
		}
		prefix := name[:end]
		switch code := t.mkdir(0, prefix); code {
		case "":
			if first == "" {
				first = t.Abs(prefix)
			}
		case EEXIST:
			if _, n, _ := t.find(prefix); n != nil && n.kind != Directory {
				if strings.Trim(name[end:], "/") != "" {
					return fail(ENOTDIR)
				}
				return fail(EEXIST)
			}
		default:
			return fail(code)
		}
	}
	return first, nil
}

func (t *Tree) mkdir(dir Ino, name string) Code {
	p, code := t.resolve(dir, name, false)
	switch {
	case code != "":
		return code
	case p.ino != 0:
		return EEXIST
	}
	_, _, code = t.add(p.dir, p.name, &node{kind: Directory, mode: 0o755, parent: p.dir})
	return code
}

// Remove removes a file, or what else the flags allow.
func (t *Tree) Remove(name string, flags RemoveFlags) error {
	op := "rm"
	switch {
	case flags&OnlyEmpty != 0:
		op = "rmdir"
	case flags&OnlyFile != 0:
		op = "unlink"
	}
	if code := t.remove(0, name, flags); code != "" && !(code == ENOENT && flags&Force != 0) {
		return &Error{Op: op, Path: name, Code: code}
	}
	return nil
}

func (t *Tree) remove(dir Ino, name string, flags RemoveFlags) Code {
	if flags >= 16 || flags&OnlyEmpty != 0 && flags&OnlyFile != 0 {
		return EINVAL
	}
	p, code := t.resolve(dir, name, false)
	if code != "" {
		return code
	}
	if p.ino == 0 {
		return ENOENT
	}
	n := t.node(p.ino)
	switch {
	case p.ino == rootIno:
		return EBUSY
	case n.kind == Directory && flags&OnlyFile != 0:
		return EISDIR
	case n.kind != Directory && flags&OnlyEmpty != 0:
		return ENOTDIR
	case p.name == "":
		return EINVAL
	case n.kind == Directory && flags&OnlyEmpty != 0 && n.count > 0:
		return ENOTEMPTY
	case n.kind == Directory && flags&(OnlyEmpty|Recursive) == 0:
		return EISDIR
	case t.frozen || n.locked || t.node(p.dir).locked:
		return EROFS
	}
	t.unlink(p.dir, p.name)
	t.drop(p.ino)
	return ""
}

// Rename moves a file or a directory, over a file or an empty directory of the
// same kind if there is one (rename(2)). A directory does not go into itself:
// EINVAL.
func (t *Tree) Rename(from, to string) error {
	if code := t.rename(0, from, 0, to); code != "" {
		return &Error{Op: "rename", Path: from, To: to, Code: code}
	}
	return nil
}

func (t *Tree) rename(fromDir Ino, from string, toDir Ino, to string) Code {
	a, code := t.resolve(fromDir, from, false)
	if code != "" {
		return code
	}
	if a.ino == 0 {
		return ENOENT
	}
	b, code := t.resolve(toDir, to, false)
	if code != "" {
		return code
	}
	if a.name == "" || b.name == "" {
		return EBUSY
	}
	source := t.node(a.ino)
	if source.kind == Directory && t.inside(b.dir, a.ino) {
		return EINVAL
	}
	switch {
	case a.ino == b.ino:
		return ""
	case b.ino == 0:
		if b.slash && source.kind != Directory {
			return ENOTDIR
		}
	default:
		target := t.node(b.ino)
		switch {
		case source.kind == Directory && target.kind != Directory:
			return ENOTDIR
		case source.kind != Directory && target.kind == Directory:
			return EISDIR
		case target.count > 0:
			return ENOTEMPTY
		case target.locked:
			return EROFS
		}
	}
	if source.locked || t.node(a.dir).locked {
		return EROFS
	}
	if code := t.entrance(b.dir, 0); code != "" {
		return code
	}
	if b.ino != 0 {
		t.unlink(b.dir, b.name)
		t.drop(b.ino)
	}
	t.unlink(a.dir, a.name)
	t.link(b.dir, b.name, a.ino)
	if n, ok := t.own[a.ino]; ok {
		n.ctime = t.stamp()
	}
	return ""
}

// inside reports whether a directory is another one or below it.
func (t *Tree) inside(dir, above Ino) bool {
	for dir != above {
		if dir == rootIno || dir == 0 {
			return false
		}
		dir = t.node(dir).parent
	}
	return true
}

// Walk calls f for a path and all that is below it, parents first, siblings in
// order of their names, until f fails; what is below a directory for which f
// returns fs.SkipDir is left out. Paths are absolute; symbolic links below the
// path are not followed. What lies deeper than
// a path can reach (directories were moved together) is left out. The tree must
// not be changed meanwhile.
func (t *Tree) Walk(root string, f func(name string, info Info) error) error {
	ino, _, code := t.find(root)
	if code != "" {
		return &Error{Op: "scandir", Path: root, Code: code}
	}
	type step struct {
		name  string
		ino   Ino
		depth int
	}
	start := t.Abs(root)
	todo := []step{{start, ino, strings.Count(strings.TrimRight(start, "/"), "/")}}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		info := t.info(s.ino)
		switch err := f(s.name, info); {
		case err == fs.SkipDir && info.Kind == Directory:
			continue
		case err != nil:
			return err
		}
		if info.Kind != Directory || s.depth >= t.limits.Depth {
			continue
		}
		children := t.entries(s.ino)
		slices.Reverse(children)
		for _, c := range children {
			if name := strings.TrimRight(s.name, "/") + "/" + c.Name; len(name) <= t.limits.Path {
				todo = append(todo, step{name, c.Ino, s.depth + 1})
			}
		}
	}
	return nil
}
