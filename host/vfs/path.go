package vfs

import (
	"path"
	"strings"
)

// maxLinks is how many symbolic links one resolution follows (POSIX,
// SYMLOOP_MAX is at least 8; Linux has 40).
const maxLinks = 40

// A place is where a path leads: the directory and the name in it, and the
// inode, which is 0 if nothing has that name. The name is empty if the path
// leads to a directory without naming it (the root, or "." or ".." at the end).
type place struct {
	dir   Ino
	name  string
	ino   Ino
	slash bool // a slash followed: only a directory will do
}

// resolve walks a path from a directory, or from the working directory if that
// is 0. A symbolic link at the end is followed if follow is set or a slash is
// behind it; one that leads nowhere gives the place where its target would be.
func (t *Tree) resolve(dir Ino, name string, follow bool) (place, Code) {
	switch {
	case name == "":
		return place{}, ENOENT
	case len(name) > t.limits.Path:
		return place{}, ENAMETOOLONG
	case strings.IndexByte(name, 0) >= 0:
		return place{}, EINVAL
	case name[0] == '/':
		dir = rootIno
	case dir == 0:
		dir = rootIno
		if t.cwd != "/" {
			p, code := t.walk(rootIno, t.cwd, true)
			if code == "" && p.ino == 0 {
				code = ENOENT
			}
			if code != "" {
				return place{}, code
			}
			dir = p.ino
		}
	}
	return t.walk(dir, name, follow)
}

// walk is resolve without its checks of the path.
func (t *Tree) walk(dir Ino, rest string, follow bool) (place, Code) {
	if t.node(dir).kind != Directory {
		return place{}, ENOTDIR
	}
	for followed := 0; ; {
		rest = strings.TrimLeft(rest, "/")
		name, after, slash := strings.Cut(rest, "/")
		switch name {
		case "", ".":
		case "..":
			if dir = t.node(dir).parent; dir == 0 {
				return place{}, ENOENT // of a directory that was removed
			}
		default:
			if len(name) > t.limits.Name {
				return place{}, ENAMETOOLONG
			}
			ino := t.child(dir, name)
			last := strings.TrimLeft(after, "/") == ""
			var kind Kind
			if ino != 0 {
				kind = t.node(ino).kind
			}
			if kind == Symlink && (!last || slash || follow) {
				if followed++; followed > maxLinks {
					return place{}, ELOOP
				}
				target := string(t.node(ino).data)
				if target[0] == '/' {
					dir = rootIno
				}
				rest = target
				if slash {
					rest = target + "/" + after
				}
				if len(rest) > t.limits.Path {
					return place{}, ENAMETOOLONG
				}
				continue
			}
			if last {
				if slash && ino != 0 && kind != Directory {
					return place{}, ENOTDIR
				}
				return place{dir: dir, name: name, ino: ino, slash: slash}, ""
			}
			if ino == 0 {
				return place{}, ENOENT
			}
			if kind != Directory {
				return place{}, ENOTDIR
			}
			dir, rest = ino, after
			continue
		}
		if after == "" {
			return place{dir: dir, ino: dir}, ""
		}
		rest = after
	}
}

// find resolves a path to an inode that is there.
func (t *Tree) find(name string) (Ino, *node, Code) { return t.findAt(0, name, true) }

func (t *Tree) findAt(dir Ino, name string, follow bool) (Ino, *node, Code) {
	p, code := t.resolve(dir, name, follow)
	if code != "" {
		return 0, nil, code
	}
	if p.ino == 0 {
		return 0, nil, ENOENT
	}
	return p.ino, t.node(p.ino), ""
}

// Abs makes a path absolute and shortest, without looking at the tree.
func (t *Tree) Abs(name string) string {
	if name == "" || name[0] != '/' {
		name = t.cwd + "/" + name
	}
	return path.Clean(name)
}
