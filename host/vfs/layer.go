package vfs

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Layer is a tree that no longer changes. Any number of trees stand on it at
// the same time: it is safe for concurrent use.
type Layer struct {
	nodes []node // by inode number, from 1; the first is the root
	// standard says that the standard directories are there.
	standard bool

	once   sync.Once
	digest [sha256.Size]byte
	// parts give the digest without reading contents, where they are known.
	parts func(h hash.Hash)
	unmap func() error // of contents in a file; nil if there are none
}

// A seal is the checksum of contents that lie in a file and were not read yet.
// They are verified when they are first read, once in a process.
type seal struct {
	sum   uint32        // CRC-32C (RFC 3720, 12.1)
	state atomic.Uint32 // one of the three below
}

const (
	sealDue uint32 = iota
	sealGood
	sealBad
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// contents is the data of a file, or EIO if it is not what was stored.
func (n *node) contents() ([]byte, Code) {
	if n.seal == nil || n.seal.verify(n.data) {
		return n.data, ""
	}
	return nil, EIO
}

func (c *seal) verify(data []byte) bool {
	switch c.state.Load() {
	case sealGood:
		return true
	case sealBad:
		return false
	}
	if crc32.Checksum(data, castagnoli) != c.sum {
		c.state.Store(sealBad)
		return false
	}
	c.state.Store(sealGood)
	return true
}

// standardLayer is what a tree stands on that was given none.
var standardLayer = func() *Layer {
	l := &Layer{nodes: make([]node, 4), standard: true}
	for i := range l.nodes {
		l.nodes[i] = node{kind: Directory, mode: 0o755, links: 1, parent: rootIno}
	}
	for i, name := range []string{"artifacts", "tmp", strings.TrimPrefix(DefaultCwd, "/")} {
		l.nodes[0].names = append(l.nodes[0].names, dirent{name, Ino(i + 2), uint64(i + 1)})
	}
	l.nodes[0].count = 3
	return l
}()

// Digest names what the layer holds: trees that were encoded over a layer can
// be decoded over one of the same digest only. For a layer of files that were
// given by [OpenLayer] it costs little; else all contents are read once.
func (l *Layer) Digest() [sha256.Size]byte {
	l.once.Do(func() {
		h := sha256.New()
		if l.parts != nil {
			l.parts(h)
		} else {
			l.hash(h)
		}
		h.Sum(l.digest[:0])
	})
	return l.digest
}

// hash feeds all of a layer to h, unambiguously.
func (l *Layer) hash(h hash.Hash) {
	var b []byte
	number := func(v ...uint64) {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	number(uint64(len(l.nodes)))
	for i := range l.nodes {
		n := &l.nodes[i]
		locked := uint64(0)
		if n.locked {
			locked = 1
		}
		number(uint64(n.kind), locked, uint64(n.mode), uint64(n.atime), uint64(n.mtime), uint64(n.ctime), uint64(n.btime))
		number(uint64(len(n.names)), uint64(len(n.data)))
		for _, e := range n.names {
			number(uint64(e.ino), uint64(len(e.name)))
			b = append(b, e.name...)
		}
		h.Write(b)
		h.Write(n.data)
		b = b[:0]
	}
}

// Freeze makes a layer of what the tree is now, for other trees to stand on.
// Contents are shared, and the tree stays usable. Inodes get new numbers; those
// without a name are left out.
func (t *Tree) Freeze() *Layer {
	for _, n := range t.own {
		n.shared = true
	}
	b := newBuilder()
	b.nodes[0] = t.node(rootIno).frozen(rootIno)
	b.graft(rootIno, rootIno, t.node, t.entries, false)
	return b.layer()
}

// A Mount is a layer at a place of a larger one.
type Mount struct {
	At       string // absolute path
	Layer    *Layer
	ReadOnly bool // neither it nor the directories above it can be changed: EROFS
}

// Stack makes one layer of the standard directories and several layers. Where
// two have the same path, the later one decides, and directories are merged.
// Contents are shared. It is deterministic: the same mounts give the same
// inode numbers, and the same digest. A Mount whose path leads through a file
// of an earlier one is in the place of that file.
func Stack(mounts ...Mount) *Layer {
	b := newBuilder()
	b.mount("/", standardLayer, false)
	for _, m := range mounts {
		b.mount(m.At, m.Layer, m.ReadOnly)
	}
	l := b.layer()
	mounts = slices.Clone(mounts)
	l.parts = func(h hash.Hash) {
		h.Write([]byte("stack"))
		for _, m := range mounts {
			digest, locked := m.Layer.Digest(), byte(0)
			if m.ReadOnly {
				locked = 1
			}
			h.Write(binary.LittleEndian.AppendUint64([]byte{locked}, uint64(len(m.At))))
			h.Write([]byte(m.At))
			h.Write(digest[:])
		}
	}
	return l
}

// Merge lays layers over each other: where two have the same path, the later
// one decides, and directories are merged.
func Merge(layers ...*Layer) *Layer {
	mounts := make([]Mount, len(layers))
	for i, l := range layers {
		mounts[i] = Mount{At: "/", Layer: l}
	}
	return Stack(mounts...)
}

// A builder makes a layer. Its directories have their names in maps.
type builder struct {
	nodes    []node
	children []map[string]Ino
}

func newBuilder() *builder {
	return &builder{
		nodes:    []node{{kind: Directory, mode: 0o755, links: 1, parent: rootIno}},
		children: make([]map[string]Ino, 1),
	}
}

// frozen is a node as a layer has it, without its names.
func (n *node) frozen(parent Ino) node {
	c := *n
	c.shared, c.lent, c.mixed, c.links, c.parent, c.names, c.entries, c.count = true, false, false, 1, parent, nil, nil, 0
	return c
}

func (b *builder) add(n node) Ino {
	b.nodes, b.children = append(b.nodes, n), append(b.children, nil)
	return Ino(len(b.nodes))
}

func (b *builder) enter(dir Ino, name string, ino Ino) {
	if b.children[dir-1] == nil {
		b.children[dir-1] = map[string]Ino{}
	}
	b.children[dir-1][name] = ino
}

// mount merges a layer into the directory of a path, which is made.
func (b *builder) mount(at string, l *Layer, lock bool) {
	dir := rootIno
	for name := range strings.SplitSeq(at, "/") {
		if name == "" {
			continue
		}
		ino := b.children[dir-1][name]
		if ino == 0 || b.nodes[ino-1].kind != Directory {
			ino = b.add(node{kind: Directory, mode: 0o755, links: 1, parent: dir})
			b.enter(dir, name, ino)
		}
		dir = ino
		if lock {
			b.nodes[dir-1].locked = true
		}
	}
	if dir != rootIno {
		parent, locked := b.nodes[dir-1].parent, b.nodes[dir-1].locked
		b.nodes[dir-1] = l.nodes[0].frozen(parent)
		b.nodes[dir-1].locked = locked || l.nodes[0].locked
	}
	b.graft(dir, rootIno, func(ino Ino) *node { return &l.nodes[ino-1] }, func(dir Ino) []Entry {
		n := &l.nodes[dir-1]
		list := make([]Entry, len(n.names))
		for i, e := range n.names {
			list[i] = Entry{Name: e.name, Ino: e.ino}
		}
		return list
	}, lock)
}

// graft merges what is below a directory elsewhere into one of the builder.
func (b *builder) graft(to, from Ino, source func(Ino) *node, list func(Ino) []Entry, lock bool) {
	type step struct{ to, from Ino }
	linked := map[Ino]Ino{} // files with several names
	for todo := []step{{to, from}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range list(s.from) {
			n := source(e.Ino)
			ino := b.children[s.to-1][e.Name]
			switch {
			case n.kind == Directory:
				if ino == 0 || b.nodes[ino-1].kind != Directory {
					ino = b.add(n.frozen(s.to))
					b.enter(s.to, e.Name, ino)
				}
				todo = append(todo, step{ino, e.Ino})
			case linked[e.Ino] != 0:
				ino = linked[e.Ino]
				b.enter(s.to, e.Name, ino)
			default:
				ino = b.add(n.frozen(s.to))
				b.enter(s.to, e.Name, ino)
				if n.links > 1 {
					linked[e.Ino] = ino
				}
			}
			if lock {
				b.nodes[ino-1].locked = true
			}
		}
	}
}

// layer numbers what can be reached from the root anew, and sorts the names.
func (b *builder) layer() *Layer {
	l := &Layer{nodes: make([]node, 1, len(b.nodes))}
	l.nodes[0] = b.nodes[0]
	numbers := map[Ino]Ino{}
	type step struct{ from, to Ino }
	for todo := []step{{rootIno, rootIno}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		children := b.children[s.from-1]
		names := make([]dirent, 0, len(children))
		for name, ino := range children {
			names = append(names, dirent{name: name, ino: ino})
		}
		slices.SortFunc(names, func(a, b dirent) int { return strings.Compare(a.name, b.name) })
		for i := range names {
			e := &names[i]
			e.seq = uint64(i + 1)
			from := e.ino
			if known := numbers[from]; known != 0 {
				e.ino = known
				l.nodes[known-1].links++
				continue
			}
			n := b.nodes[from-1]
			n.parent = s.to
			l.nodes = append(l.nodes, n)
			e.ino = Ino(len(l.nodes))
			if n.kind == Directory {
				todo = append(todo, step{from, e.ino})
			} else {
				numbers[from] = e.ino
			}
		}
		l.nodes[s.to-1].names, l.nodes[s.to-1].count = names, len(names)
	}
	for i := len(l.nodes) - 1; i > 0; i-- { // what is below comes behind
		n := &l.nodes[i]
		if above := &l.nodes[n.parent-1]; above.locked && (!n.locked || n.mixed) {
			above.mixed = true
		}
	}
	l.standard = true
	for _, e := range standardLayer.nodes[0].names {
		ino := l.nodes[0].lookup(e.name).ino
		l.standard = l.standard && ino != 0 && l.nodes[ino-1].kind == Directory
	}
	return l
}
