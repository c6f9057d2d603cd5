package execution

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// A stored state is its rest (all but the memory) and its memory. In one
// stream, as a snapshot has them, they are, in little endian:
//
//	magic[8] version:u32 length:u32 rest   the rest's encoding, see AppendRest
//	memory:u8                              0: none, the warm image; 1: as isolate.State.Save writes it
//
// The rest is a message: str language, str digest of the program, u32 cells,
// u32 bodies, f64 uptime in milliseconds, u8 memory (0 or 1), f64 bytes that
// the files may have, bytes of the files, bytes of the open files (empty if there are none); and the CRC-32C of
// all that.
const (
	stateMagic   = "MayflySn"
	stateVersion = 1
	// maxRest bounds what is read before it can be checked.
	maxRest = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A StateError says why a stored state can't be used. It wraps ErrForeignState,
// ErrCorruptState or what the system said.
type StateError struct {
	Op  string // "read", "open", "save"
	Err error
}

func (e *StateError) Error() string { return "execution: " + e.Op + " state: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StateError) Unwrap() error { return e.Err }

func stateError(op string, err error) error {
	var inner *isolate.StateError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*OverloadError)):
		return err
	case errors.As(err, &inner):
		err = inner.Err
	}
	return &StateError{op, err}
}

// AppendRest appends all of the state but its memory. Equal states have equal
// rests.
func (st *State) AppendRest(dst []byte) []byte {
	st.mu.Lock()
	files := st.files.AppendState(nil)
	st.mu.Unlock()
	var open []byte
	if st.system != nil {
		open = st.system.AppendState(nil)
	}
	w := op.NewWriter(nil)
	digest, memory := "", byte(0)
	if st.memory != nil {
		digest, memory = st.memory.Program(), 1
	}
	w.Str(st.Language())
	w.Str(digest)
	w.U32(uint32(st.cells))
	w.U32(st.bodies)
	w.F64(float64(st.uptime) / float64(time.Millisecond))
	w.U8(memory)
	w.F64(float64(st.room))
	w.Bytes(files)
	w.Bytes(open)
	start := len(dst)
	dst = append(dst, w.Message()...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// HasMemory says whether there is memory to be saved: a cell has run.
func (st *State) HasMemory() bool { return st.memory != nil }

// A MemoryPart is memory that states share which came from each other, and a MemoryPlace
// where one was written: a session that is kept part by part costs, after each
// cell, what that cell changed.
type (
	MemoryPart  = isolate.Part
	MemoryPlace = isolate.Place
)

// Parts are the parts of the memory; there are none before the first cell. They
// are there until the state is closed.
func (st *State) Parts() ([]MemoryPart, error) {
	if st.memory == nil {
		return nil, nil
	}
	parts, err := st.memory.Parts()
	return parts, stateError("save", err)
}

// SaveIndex writes all of the memory but its parts, of which places says where
// they are, for [Service.OpenState]. There has to be memory.
func (st *State) SaveIndex(w io.Writer, places map[MemoryPart]MemoryPlace) error {
	return stateError("save", st.memory.SaveIndex(w, places))
}

// rest is what AppendRest encoded.
type rest struct {
	state  State
	digest string
	memory bool
}

// decodeRest takes the rest of a stored state apart, which anyone may have
// written. files is its own from then on.
func (s *Service) decodeRest(b []byte) (*rest, error) {
	if len(b) < 4 || crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("%w: checksum", ErrCorruptState)
	}
	r := op.NewReader(b[:len(b)-4])
	name, digest := r.Str(), r.Str()
	cells, bodies, uptime, memory, room, files, open := r.U32(), r.U32(), r.F64(), r.U8(), r.F64(), r.Bytes(), r.Bytes()
	if err := r.Done(); err != nil || memory > 1 || cells > math.MaxInt32 || !(uptime >= 0 && uptime < 1e15) || !(room >= 1 && room < 1<<50) {
		return nil, fmt.Errorf("%w: its parts are not as they should be", ErrCorruptState)
	}
	l := s.language(name)
	if l == nil {
		return nil, fmt.Errorf("%w: its language %.32q is not one of this server", ErrForeignState, name)
	}
	if l.program() == nil {
		return nil, l.unprepared()
	}
	tree, err := vfs.Decode(files, vfs.Options{Base: l.base(), Limits: vfs.Limits{Bytes: int64(room)}})
	switch {
	case errors.Is(err, vfs.ErrForeign):
		return nil, fmt.Errorf("%w: %w", ErrForeignState, err)
	case errors.Is(err, vfs.ENOSPC):
		return nil, fmt.Errorf("%w: %w", ErrForeignState, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCorruptState, err)
	}
	x := &rest{
		state:  State{language: l, cells: int(cells), bodies: bodies, uptime: time.Duration(math.Round(uptime * float64(time.Millisecond))), files: tree, room: int64(room)},
		digest: digest, memory: memory == 1,
	}
	if len(open) > 0 {
		if x.state.system, err = wasi.Decode(open, wasi.Options{Tree: tree}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorruptState, err)
		}
	}
	return x, nil
}

// program is the program that the rest needs.
func (x *rest) program() (*isolate.Program, error) {
	p := x.state.language.program()
	if p.Digest() != x.digest {
		return nil, fmt.Errorf("%w: it needs the image %.64q, here is %s", ErrForeignState, x.digest, p.Digest())
	}
	return p, nil
}

func (x *rest) with(memory *isolate.State) *State {
	st := &x.state
	return &State{language: st.language, memory: memory, cells: st.cells, bodies: st.bodies, uptime: st.uptime, system: st.system, files: st.files, room: st.room}
}

// OpenState makes a state of its rest, which it keeps, and of its memory: the
// index, as SaveIndex wrote it, and the parts in the files that it names, which
// open finds. If the state had no memory, index is not read. It also gives the
// places of the parts.
//
// # Errors
//
// A [*StateError] with ErrForeignState or ErrCorruptState, or an
// [*OverloadError] while the language is not ready.
func (s *Service) OpenState(rest []byte, index io.Reader, open func(file string) (io.ReaderAt, error)) (*State, map[MemoryPart]MemoryPlace, error) {
	st, places, err := s.openState(rest, index, open)
	return st, places, stateError("open", err)
}

func (s *Service) openState(rest []byte, index io.Reader, open func(file string) (io.ReaderAt, error)) (*State, map[MemoryPart]MemoryPlace, error) {
	x, err := s.decodeRest(rest)
	if err != nil {
		return nil, nil, err
	}
	if !x.memory {
		return x.with(nil), nil, nil
	}
	p, err := x.program()
	if err != nil {
		return nil, nil, err
	}
	m, places, err := p.ReadIndex(index, open)
	if err != nil {
		return nil, nil, err
	}
	return x.with(m), places, nil
}

// OpenFiles is the state that a session can go on from when its memory is
// foreign or damaged: the warm image, with the files of a rest.
func (s *Service) OpenFiles(rest []byte) (*State, error) {
	x, err := s.decodeRest(rest)
	if err != nil {
		return nil, stateError("open", err)
	}
	return x.with(nil).Restart(), nil
}

// Save writes the whole state, for [Service.ReadState] here or on another
// machine. The environment of the session is not in it, unless the program put
// it into its memory.
func (st *State) Save(w io.Writer) error {
	b := append([]byte(nil), stateMagic...)
	b = binary.LittleEndian.AppendUint32(b, stateVersion)
	b = append(b, 0, 0, 0, 0)
	at := len(b)
	b = st.AppendRest(b)
	binary.LittleEndian.PutUint32(b[at-4:], uint32(len(b)-at))
	memory := byte(0)
	if st.memory != nil {
		memory = 1
	}
	if _, err := w.Write(append(b, memory)); err != nil {
		return stateError("save", err)
	}
	if st.memory == nil {
		return nil
	}
	return stateError("save", st.memory.Save(w))
}

// ReadState reads what [State.Save] wrote.
//
// # Errors
//
// Those of OpenState.
func (s *Service) ReadState(r io.Reader) (*State, error) {
	st, err := s.readState(r)
	return st, stateError("read", err)
}

func (s *Service) readState(r io.Reader) (*State, error) {
	head := make([]byte, len(stateMagic)+8)
	if err := readFull(r, head); err != nil {
		return nil, err
	}
	if string(head[:len(stateMagic)]) != stateMagic {
		return nil, fmt.Errorf("%w: no magic number", ErrCorruptState)
	}
	if v := binary.LittleEndian.Uint32(head[len(stateMagic):]); v != stateVersion {
		return nil, fmt.Errorf("%w: format version %d, not %d", ErrForeignState, v, stateVersion)
	}
	n := binary.LittleEndian.Uint32(head[len(stateMagic)+4:])
	if n > maxRest {
		return nil, fmt.Errorf("%w: %d bytes of files", ErrCorruptState, n)
	}
	// Grown as it comes: the length may be a lie.
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, err
	}
	x, err := s.decodeRest(b)
	if err != nil {
		return nil, err
	}
	memory := make([]byte, 1)
	if err := readFull(r, memory); err != nil {
		return nil, err
	}
	if memory[0] > 1 || (memory[0] == 1) != x.memory {
		return nil, fmt.Errorf("%w: its parts are not as they should be", ErrCorruptState)
	}
	if !x.memory {
		return x.with(nil), nil
	}
	p, err := x.program()
	if err != nil {
		return nil, err
	}
	m, err := p.ReadState(r)
	if err != nil {
		return nil, err
	}
	return x.with(m), nil
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off", ErrCorruptState)
	}
	return err
}
