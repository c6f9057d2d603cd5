package wasi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"mayfly/host/vfs"
)

// The state of a System is its open files and its monotonic clock:
//
//	magic, version u32, uptime i64, number of descriptors u32, each: kind u8,
//	flags u16, inode u64, position i64, rights u64, inheriting rights u64
//	CRC-32C u32 of all before
//
// Numbers are little endian. What is free is all zero.
const (
	stateMagic   = "MAYFLYFD"
	stateVersion = 1
	fileSize     = 1 + 2 + 8 + 8 + 8 + 8
	headerSize   = len(stateMagic) + 4 + 8 + 4
)

// ErrState is what Decode fails with when the state is damaged, or not that of
// a system over this tree.
var ErrState = errors.New("not the state of open files, or a damaged one")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendState appends the open files and the clock for [Decode]. The tree has
// its own state, [vfs.Tree.AppendState], which belongs to it.
func (s *System) AppendState(dst []byte) []byte {
	le := binary.LittleEndian
	start, files := len(dst), s.files
	for len(files) > 0 && files[len(files)-1].kind == free {
		files = files[:len(files)-1]
	}
	b := append(dst, stateMagic...)
	b = le.AppendUint32(b, stateVersion)
	b = le.AppendUint64(b, uint64(s.Uptime()))
	b = le.AppendUint32(b, uint32(len(files)))
	for i := range files {
		f := &files[i]
		b = append(b, byte(f.kind))
		b = le.AppendUint16(b, f.flags)
		b = le.AppendUint64(b, uint64(f.ino))
		b = le.AppendUint64(b, uint64(f.position))
		b = le.AppendUint64(b, f.rights)
		b = le.AppendUint64(b, f.inheriting)
	}
	return le.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// Decode makes a system of a state and of options, whose Tree must be decoded
// from what was encoded together with the state, and unused since. Its clock
// goes on from the state's unless options.Uptime is set. It fails with
// [ErrState].
func Decode(state []byte, options Options) (*System, error) {
	le := binary.LittleEndian
	if len(state) < headerSize+4 || string(state[:len(stateMagic)]) != stateMagic {
		return nil, ErrState
	}
	body, sum := state[:len(state)-4], le.Uint32(state[len(state)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("checksum: %w", ErrState)
	}
	body = body[len(stateMagic):]
	if version := le.Uint32(body); version != stateVersion {
		return nil, fmt.Errorf("version %d: %w", version, ErrState)
	}
	uptime, count := le.Uint64(body[4:]), le.Uint32(body[12:])
	body = body[16:]
	if uptime > math.MaxInt64 || count > maxFiles || len(body) != int(count)*fileSize {
		return nil, fmt.Errorf("length: %w", ErrState)
	}
	if options.Uptime == 0 {
		options.Uptime = time.Duration(uptime)
	}
	s := newSystem(options)
	s.files = make([]file, count)
	for fd := range s.files {
		b := body[fd*fileSize:]
		f := file{
			kind: fileKind(b[0]), flags: le.Uint16(b[1:]), ino: vfs.Ino(le.Uint64(b[3:])), position: int64(le.Uint64(b[11:])),
			rights: le.Uint64(b[19:]), inheriting: le.Uint64(b[27:]),
		}
		if !f.valid() {
			return nil, fmt.Errorf("descriptor %d: %w", fd, ErrState)
		}
		s.files[fd] = f
	}
	if !s.fits() {
		return nil, fmt.Errorf("another tree: %w", ErrState)
	}
	return s, nil
}

// valid says whether a file can be in a table, apart from its inode.
func (f *file) valid() bool {
	switch {
	case f.kind >= kinds || f.flags > flagsAll || f.position < 0 || (f.rights|f.inheriting)&^rightsAll != 0:
		return false
	case f.kind == free:
		return *f == file{}
	case f.kind == streamIn:
		return f.ino == 0 && f.position == 0
	case f.kind == streamOut:
		return (f.ino == 1 || f.ino == 2) && f.position == 0
	case f.kind == directory:
		return f.position == 0
	}
	return true
}

// fits says whether the table and the tree agree on what is open.
func (s *System) fits() bool {
	if len(s.files) <= preopened || s.files[preopened].kind != directory || s.files[preopened].ino != vfs.Root {
		return false
	}
	type use struct {
		kind  fileKind
		count uint32
	}
	uses := map[vfs.Ino]use{}
	for i := range s.files {
		f := &s.files[i]
		if f.kind != regular && f.kind != directory {
			continue
		}
		u := uses[f.ino]
		if u.count > 0 && u.kind != f.kind {
			return false
		}
		uses[f.ino] = use{f.kind, u.count + 1}
	}
	fit := true
	s.tree.Handles(func(ino vfs.Ino, kind vfs.Kind, handles uint32) {
		want := map[vfs.Kind]fileKind{vfs.File: regular, vfs.Directory: directory}[kind]
		fit = fit && want != free && uses[ino] == use{want, handles}
		delete(uses, ino)
	})
	return fit && len(uses) == 0
}
