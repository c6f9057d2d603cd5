package vfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"
)

// The state of a tree is what it holds beyond its layer:
//
//	magic, version u32, the layer's digest
//	flags u8 (1: read-only), time of birth i64, next inode u64, last position
//	u64, working directory
//	number of held inodes u32, each: inode u64, handles u32
//	number of inodes u32, each: inode u64, kind u8, flags u8 (1: contents are
//	the layer's), mode u32, names u32, four times i64, then of a directory the
//	number of entries u32, each: name, inode u64, position u64; of another its
//	contents, unless they are the layer's
//	CRC-32C u32 of all before
//
// Numbers are little endian, inodes and names in ascending order; a string has
// its length before it, u32, contents u64. Equal trees have equal states.
const (
	stateMagic   = "MAYFLYTR"
	stateVersion = 1
)

// ErrState is what Decode fails with when the state is damaged, or none.
var ErrState = errors.New("not the state of a file tree, or a damaged one")

// ErrForeign is what Decode fails with when the state belongs to another layer.
var ErrForeign = errors.New("the state of a file tree over another layer")

// maxNumber bounds inode numbers and positions of a state, so that counting on
// never overflows.
const maxNumber = 1 << 62

// AppendState appends the tree as it is now, handles included, for [Decode].
func (t *Tree) AppendState(dst []byte) []byte {
	le := binary.LittleEndian
	size := 512
	for _, n := range t.own {
		size += 128 + int(n.size())
		for name := range n.entries {
			size += len(name) + 24
		}
	}
	b := slices.Grow(dst, size)
	start := len(b)
	text := func(s string) {
		b = le.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	number := func(v ...uint64) {
		for _, v := range v {
			b = le.AppendUint64(b, v)
		}
	}
	digest := t.base.Digest()
	b = append(b, stateMagic...)
	b = le.AppendUint32(b, stateVersion)
	b = append(b, digest[:]...)
	b = append(b, bit(t.frozen))
	number(uint64(t.born), uint64(t.next), t.seq)
	text(t.cwd)
	b = le.AppendUint32(b, uint32(len(t.held)))
	for _, ino := range slices.Sorted(maps.Keys(t.held)) {
		number(uint64(ino))
		b = le.AppendUint32(b, t.held[ino])
	}
	b = le.AppendUint32(b, uint32(len(t.own)))
	for _, ino := range slices.Sorted(maps.Keys(t.own)) {
		n := t.own[ino]
		number(uint64(ino))
		b = append(b, byte(n.kind), bit(n.lent && n.kind != Directory))
		b = le.AppendUint32(b, n.mode)
		b = le.AppendUint32(b, n.links)
		number(uint64(n.atime), uint64(n.mtime), uint64(n.ctime), uint64(n.btime))
		switch {
		case n.kind == Directory:
			b = le.AppendUint32(b, uint32(len(n.entries)))
			for _, name := range slices.Sorted(maps.Keys(n.entries)) {
				text(name)
				number(uint64(n.entries[name].ino), n.entries[name].seq)
			}
		case !n.lent:
			number(uint64(len(n.data)))
			b = append(b, n.data...)
		}
	}
	return le.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// Decode makes a tree of a state that [Tree.AppendState] made, over the same
// layer, which options.Base gives. The tree keeps the state, which must never
// change again. Of the options, Cwd and ReadOnly are the state's own.
//
// # Errors
//
// [ErrState], [ErrForeign], or [ENOSPC] if the state is past the limits.
func Decode(state []byte, options Options) (*Tree, error) {
	body, ok := bytes.CutPrefix(state, []byte(stateMagic))
	if !ok || len(body) < 4 {
		return nil, ErrState
	}
	body, sum := state[:len(state)-4], binary.LittleEndian.Uint32(state[len(state)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("checksum: %w", ErrState)
	}
	return decodeState(body[len(stateMagic):], options)
}

// decodeState takes what is between the magic and the checksum. Anyone may
// have written it.
func decodeState(body []byte, options Options) (*Tree, error) {
	t := &Tree{base: options.Base, limits: options.Limits.withDefaults(), now: options.Now}
	if t.base == nil {
		t.base = standardLayer
	}
	if t.now == nil {
		t.now = time.Now
	}
	r := &stateReader{rest: body}
	if version := r.u32(); version != stateVersion {
		return nil, fmt.Errorf("version %d: %w", version, ErrState)
	}
	if digest := t.base.Digest(); !bytes.Equal(r.bytes(uint64(len(digest))), digest[:]) {
		return nil, ErrForeign
	}
	t.frozen = r.flag()
	t.born, t.next, t.seq = int64(r.u64()), Ino(r.u64()), r.u64()
	t.cwd = string(r.bytes(uint64(r.u32())))
	if r.bad || t.next <= Ino(len(t.base.nodes)) || t.next > maxNumber || t.seq < uint64(len(t.base.nodes)) || t.seq > maxNumber ||
		len(t.cwd) > t.limits.Path || !strings.HasPrefix(t.cwd, "/") || strings.IndexByte(t.cwd, 0) >= 0 {
		return nil, ErrState
	}
	last := Ino(0)
	for n := r.u32(); n > 0 && !r.bad; n-- {
		ino, handles := Ino(r.u64()), r.u32()
		if ino <= last || ino >= t.next || handles == 0 {
			return nil, fmt.Errorf("handles: %w", ErrState)
		}
		if t.held == nil {
			t.held = map[Ino]uint32{}
		}
		t.held[ino], last = handles, ino
	}
	last = 0
	for n := r.u32(); n > 0 && !r.bad; n-- {
		ino := Ino(r.u64())
		if ino <= last || ino >= t.next {
			return nil, fmt.Errorf("order: %w", ErrState)
		}
		last = ino
		n := t.decodeNode(ino, r)
		if n == nil || r.bad {
			return nil, fmt.Errorf("inode %d: %w", ino, ErrState)
		}
		t.put(ino, n)
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("length: %w", ErrState)
	}
	if err := t.verify(); err != nil {
		return nil, err
	}
	return t, nil
}

// decodeNode reads an inode: nil if it can't be one.
func (t *Tree) decodeNode(ino Ino, r *stateReader) *node {
	n := &node{kind: Kind(r.u8()), shared: true}
	lent := r.flag()
	n.mode, n.links = r.u32(), r.u32()
	n.atime, n.mtime, n.ctime, n.btime = int64(r.u64()), int64(r.u64()), int64(r.u64()), int64(r.u64())
	var under *node
	if t.inBase(ino) {
		under = &t.base.nodes[ino-1]
		if under.kind != n.kind || under.locked {
			return nil
		}
	}
	if n.mode > 0o7777 || lent && (under == nil || n.kind == Directory) {
		return nil
	}
	switch n.kind {
	case File, Symlink:
		if lent {
			n.data, n.seal, n.lent = under.data, under.seal, true
		} else if size := r.u64(); size > 0 {
			n.data = r.bytes(size)
		}
		if n.kind == Symlink && (len(n.data) == 0 || len(n.data) > t.limits.Path || bytes.IndexByte(n.data, 0) >= 0) {
			return nil
		}
	case Directory:
		n.lent = under != nil
		t.decodeEntries(n, under, r)
	default:
		return nil
	}
	return n
}

// decodeEntries reads what a directory has beyond, or not, of one of the layer.
func (t *Tree) decodeEntries(n, under *node, r *stateReader) {
	if under != nil {
		n.count = len(under.names)
	}
	last := ""
	seen := map[uint64]bool{}
	for left := r.u32(); left > 0 && !r.bad; left-- {
		name := string(r.bytes(uint64(r.u32())))
		e := dirent{ino: Ino(r.u64()), seq: r.u64()}
		hidden := under != nil && under.lookup(name).ino != 0
		if hidden {
			n.count--
		}
		switch {
		case validName(name) != nil || len(name) > t.limits.Name || name <= last:
			r.bad = true
		case e.ino == 0:
			r.bad = r.bad || !hidden || e.seq != 0
		default:
			n.count++
			r.bad = r.bad || e.ino >= t.next || e.seq <= uint64(len(t.base.nodes)) || e.seq > t.seq || seen[e.seq]
			seen[e.seq] = true
		}
		if n.entries == nil {
			n.entries = map[string]dirent{}
		}
		n.entries[name], last = e, name
	}
}

// verify finds out whether the inodes make up one tree, each name and handle
// counted, and within the limits.
func (t *Tree) verify() error {
	found := make(map[Ino]uint32, len(t.own)) // names
	found[rootIno] = 1
	if n, ok := t.own[rootIno]; ok {
		n.parent = rootIno
	}
	wrong := Ino(0)
	for todo := []Ino{rootIno}; len(todo) > 0 && wrong == 0; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t.node(dir).links == 0 {
			wrong = dir
			break
		}
		t.eachChild(dir, func(e dirent) {
			own := t.own[e.ino]
			if own == nil && !t.inBase(e.ino) {
				wrong = e.ino
				return
			}
			n := t.node(e.ino)
			found[e.ino]++
			switch {
			case n.locked:
				// It can't have changed: only its own directory has it.
				if e.seq > uint64(len(t.base.nodes)) {
					wrong = e.ino
				} else if n.mixed {
					todo = append(todo, e.ino)
				}
			case n.kind != Directory:
			case found[e.ino] > 1 || own == nil && n.parent != dir:
				wrong = e.ino
			default:
				if own != nil {
					own.parent = dir
				}
				todo = append(todo, e.ino)
			}
		})
	}
	for ino, names := range found {
		if n := t.node(ino); n.links != names && !n.locked && wrong == 0 {
			wrong = ino
		}
	}
	for ino := range t.held {
		_, own := t.own[ino]
		if n := found[ino]; !own && (!t.inBase(ino) || n == 0 && !t.base.nodes[ino-1].locked) {
			wrong = ino
		}
	}
	for ino, n := range t.own {
		switch {
		case found[ino] > 0:
		case n.links != 0 || t.held[ino] == 0 || len(n.entries) > 0:
			wrong = ino
		default:
			n.count = 0
		}
		t.usage.Bytes += n.size()
		t.usage.Inodes += t.names(ino, n)
	}
	switch {
	case wrong != 0:
		return fmt.Errorf("inode %d: %w", wrong, ErrState)
	case t.usage.Bytes > t.limits.Bytes || t.usage.Inodes > t.limits.Inodes:
		return fmt.Errorf("%d bytes and %d names: %w", t.usage.Bytes, t.usage.Inodes, ENOSPC)
	}
	return nil
}

// Handles calls f for each inode that is held, in order, with the number of
// its handles.
func (t *Tree) Handles(f func(ino Ino, kind Kind, handles uint32)) {
	for _, ino := range slices.SortedFunc(maps.Keys(t.held), cmp.Compare[Ino]) {
		f(ino, t.node(ino).kind, t.held[ino])
	}
}

// A stateReader takes a state apart; what is cut off is bad.
type stateReader struct {
	rest []byte
	bad  bool
}

func (r *stateReader) bytes(length uint64) []byte {
	if length > uint64(len(r.rest)) {
		r.rest, r.bad = nil, true
		return nil
	}
	b := r.rest[:length:length]
	r.rest = r.rest[length:]
	return b
}

func (r *stateReader) number(size int) (v uint64) {
	b := r.bytes(uint64(size))
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func (r *stateReader) u8() byte    { return byte(r.number(1)) }
func (r *stateReader) u32() uint32 { return uint32(r.number(4)) }
func (r *stateReader) u64() uint64 { return r.number(8) }

// flag is a byte that is 0 or 1.
func (r *stateReader) flag() bool {
	v := r.u8()
	r.bad = r.bad || v > 1
	return v == 1
}
