package vfs

import "strings"

// A Layer is a tree that no longer changes. Any number of trees stand on it at
// the same time.
type Layer struct {
	nodes []node // by inode number, from 1; the first is the root
}

// standardLayer is what a tree stands on that was given none.
var standardLayer = func() *Layer {
	l := &Layer{nodes: make([]node, 4)}
	for i := range l.nodes {
		l.nodes[i] = node{kind: Directory, mode: 0o755}
	}
	l.nodes[0].entries = map[string]Ino{
		"tmp": 2, "artifacts": 3, strings.TrimPrefix(DefaultCwd, "/"): 4,
	}
	l.nodes[0].count = 3
	return l
}()

// Freeze makes a layer of what the tree is now, for other trees to stand on.
// Contents are shared, and the tree stays usable. Inodes get new numbers.
func (t *Tree) Freeze() *Layer {
	l := &Layer{nodes: make([]node, 1, 1+t.usage.Inodes)}
	type step struct{ from, to Ino }
	l.nodes[0] = t.frozenNode(rootIno)
	for todo := []step{{rootIno, rootIno}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		children := t.entries(s.from)
		entries := make(map[string]Ino, len(children))
		for _, c := range children {
			l.nodes = append(l.nodes, t.frozenNode(c.Ino))
			ino := Ino(len(l.nodes))
			entries[c.Name] = ino
			if c.Kind == Directory {
				todo = append(todo, step{c.Ino, ino})
			}
		}
		l.nodes[s.to-1].entries = entries
		l.nodes[s.to-1].count = len(entries)
	}
	return l
}

func (t *Tree) frozenNode(ino Ino) node {
	n := t.node(ino)
	if own, ok := t.own[ino]; ok {
		own.shared = true
	}
	c := *n
	c.entries, c.shared = nil, true
	return c
}

// Merge lays trees over each other: where two have the same path, the later one
// decides, and directories are merged.
func Merge(layers ...*Layer) *Layer {
	const unlimited = 1 << 62
	limits := Limits{Bytes: unlimited, Inodes: unlimited, Name: unlimited, Path: unlimited, Depth: unlimited}
	merged := New(Options{Cwd: "/", Limits: limits})
	for _, l := range layers {
		source := New(Options{Base: l, Cwd: "/", Limits: limits})
		// Neither the walk nor the changes can fail without limits.
		_ = source.Walk("/", func(name string, info Info) error {
			there, err := merged.Stat(name)
			if err == nil && (there.Kind != info.Kind) {
				_ = merged.Remove(name, Recursive)
			}
			if info.Kind == Directory {
				_, err = merged.Mkdir(name, true)
				return err
			}
			if err := merged.MountFile(name, source.node(info.Ino).data); err != nil {
				return err
			}
			p, _ := merged.resolve(name)
			n := merged.own[p.ino]
			from := source.node(info.Ino)
			n.mode, n.mtime, n.ctime, n.btime = from.mode, from.mtime, from.ctime, from.btime
			return nil
		})
	}
	return merged.Freeze()
}
