package vfs

import (
	"path"
	"strings"
)

// A place is where a path leads: the directory and the name in it, and the
// inode, which is 0 if nothing has that name. The name is empty if the path
// leads to a directory without naming it (the root, or "." or ".." at the end).
type place struct {
	dir   Ino
	name  string
	ino   Ino
	slash bool // a slash followed: only a directory will do
}

// resolve walks a path. The directories on the way, from the root to
// place.dir, are left in t.trail.
func (t *Tree) resolve(name string) (place, Code) {
	if name == "" {
		return place{}, ENOENT
	}
	if len(name) > t.limits.Path {
		return place{}, ENAMETOOLONG
	}
	if strings.IndexByte(name, 0) >= 0 {
		return place{}, EINVAL
	}
	t.trail = append(t.trail[:0], rootIno)
	if name[0] != '/' && t.cwd != "/" {
		p, code := t.walk(t.cwd)
		if code != "" {
			return place{}, code
		}
		if p.ino == 0 {
			return place{}, ENOENT
		}
		if p.name != "" {
			if t.node(p.ino).kind != Directory {
				return place{}, ENOTDIR
			}
			t.trail = append(t.trail, p.ino)
		}
	}
	return t.walk(name)
}

// walk continues from the last directory of t.trail.
func (t *Tree) walk(rest string) (place, Code) {
	for {
		rest = strings.TrimLeft(rest, "/")
		name, after, slash := strings.Cut(rest, "/")
		dir := t.trail[len(t.trail)-1]
		switch name {
		case "", ".":
		case "..":
			if len(t.trail) > 1 {
				t.trail = t.trail[:len(t.trail)-1]
			}
			dir = t.trail[len(t.trail)-1]
		default:
			if len(name) > t.limits.Name || len(t.trail) > t.limits.Depth {
				return place{}, ENAMETOOLONG
			}
			ino := t.child(dir, name)
			if strings.Trim(after, "/") == "" {
				if slash && ino != 0 && t.node(ino).kind != Directory {
					return place{}, ENOTDIR
				}
				return place{dir: dir, name: name, ino: ino, slash: slash}, ""
			}
			if ino == 0 {
				return place{}, ENOENT
			}
			if t.node(ino).kind != Directory {
				return place{}, ENOTDIR
			}
			t.trail = append(t.trail, ino)
			rest = after
			continue
		}
		if after == "" {
			return place{dir: dir, ino: dir}, ""
		}
		rest = after
	}
}

// find resolves a path to an inode that is there.
func (t *Tree) find(name string) (Ino, *node, Code) {
	p, code := t.resolve(name)
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
