package isolate

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"mayfly/runtime/snapshot"
)

var (
	// ErrForeignState says that a state belongs to another guest, to another
	// build of it, or to another image.
	ErrForeignState = errors.New("the state belongs to another program")
	// ErrCorruptState says that stored contents are not the state that was
	// written: cut off, changed, or never one.
	ErrCorruptState = errors.New("the stored state is damaged")
	// ErrStateClosed says that a state was closed.
	ErrStateClosed = errors.New("the state is closed")
)

// A StateError is an error about a state: what was done with it and why that
// failed. Unwrap leads to one of the sentinel errors, or to the system's.
type StateError struct {
	Op  string // "save", "read", "spill", "open", "start from", "close"
	Err error
}

func (e *StateError) Error() string { return "isolate: " + e.Op + " state: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StateError) Unwrap() error { return e.Err }

func stateError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, snapshot.ErrMismatch):
		err = fmt.Errorf("%w: %w", ErrForeignState, err)
	case errors.Is(err, snapshot.ErrCorrupt):
		err = fmt.Errorf("%w: %w", ErrCorruptState, err)
	case errors.Is(err, snapshot.ErrClosed):
		err = fmt.Errorf("%w: %w", ErrStateClosed, err)
	}
	return &StateError{op, err}
}

// A State is an isolate at rest, between two events: what its memory and
// globals differ in from its program's image, and nothing else. It never
// changes, so that any number of jobs may start from it, one after the other
// or at once: to fork is to use it twice. It is safe for concurrent use.
//
// A State holds memory outside of Go's heap, shared with the states that it
// came from and those that came from it: Close it when no more jobs will start
// from it. A job that has started has its own hold.
type State struct {
	program string // digest of the image
	guest   string // its name

	mu    sync.Mutex
	refs  int // the owners' and one of each job that starts from it
	delta *snapshot.Delta
	file  string // where it was spilled to
}

func newState(p *Program, d *snapshot.Delta) *State {
	return &State{program: p.Digest(), guest: p.Name(), refs: 1, delta: d}
}

// Program is the digest of the program that jobs from this state need, as
// [Program.Digest] gives it.
func (s *State) Program() string { return s.program }

// Guest is the name of the guest.
func (s *State) Guest() string { return s.guest }

// Size is how many bytes of memory, in whole pages, differ from the image.
func (s *State) Size() int64 { return s.delta.Len() }

// Retain adds an owner, who has to Close the state too. It returns the state
// itself, or nil if that was closed already.
func (s *State) Retain() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return nil
	}
	s.refs++
	return s
}

// Close gives up one owner's hold. With the last one the memory goes.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return stateError("close", ErrStateClosed)
	}
	if s.refs--; s.refs > 0 {
		return nil
	}
	return stateError("close", s.delta.Close())
}

// use gives the delta to a job, which calls done when it no longer needs it.
func (s *State) use() (d *snapshot.Delta, done func(), err error) {
	if s.Retain() == nil {
		return nil, nil, ErrStateClosed
	}
	return s.delta, func() { _ = s.Close() }, nil
}

// A stored state is, in little endian:
//
//	magic[8] version:u32 length:u16 name      of the guest
//	digest[64]                                of the program, in hexadecimal
//	delta                                     see package snapshot; with its checksum
const (
	stateMagic   = "MayflySt"
	stateVersion = 1
)

func (s *State) header() []byte {
	b := append([]byte(nil), stateMagic...)
	b = binary.LittleEndian.AppendUint32(b, stateVersion)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s.guest)))
	b = append(b, s.guest...)
	return append(b, s.program...)
}

// Save writes the state, with version, guest, digests and checksum, for
// [Program.ReadState] here or on another machine.
func (s *State) Save(w io.Writer) error {
	d, done, err := s.use()
	if err != nil {
		return stateError("save", err)
	}
	defer done()
	if _, err := w.Write(s.header()); err != nil {
		return stateError("save", err)
	}
	return stateError("save", d.Save(w))
}

// ReadState reads what [State.Save] wrote.
//
// # Errors
//
// A [*StateError] with ErrForeignState if it is a state of another guest or
// image, and with ErrCorruptState if it is not what was written.
func (p *Program) ReadState(r io.Reader) (*State, error) {
	s, err := p.readState(r)
	return s, stateError("read", err)
}

func (p *Program) readState(r io.Reader) (*State, error) {
	fixed := make([]byte, len(stateMagic)+4+2)
	if err := readFull(r, fixed); err != nil {
		return nil, err
	}
	if string(fixed[:len(stateMagic)]) != stateMagic {
		return nil, fmt.Errorf("%w: no magic number", ErrCorruptState)
	}
	if v := binary.LittleEndian.Uint32(fixed[len(stateMagic):]); v != stateVersion {
		return nil, fmt.Errorf("%w: format version %d, not %d", ErrForeignState, v, stateVersion)
	}
	name := make([]byte, binary.LittleEndian.Uint16(fixed[len(stateMagic)+4:]))
	program := make([]byte, 2*len(snapshot.Digest{}))
	if err := errors.Join(readFull(r, name), readFull(r, program)); err != nil {
		return nil, err
	}
	if string(name) != p.Name() || string(program) != p.Digest() {
		return nil, fmt.Errorf("%w: it is of %.32q, image %.64q; this is %s, image %s", ErrForeignState, name, program, p.Name(), p.Digest())
	}
	d, err := snapshot.ReadDelta(r)
	if err != nil {
		return nil, err
	}
	if err := d.Bind(p.image); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return newState(p, d), nil
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off", ErrCorruptState)
	}
	return err
}

// Spill writes the state to a file, as Save does, and gives its memory up: it
// is read again when a job starts from it. After it returned the file is
// durable. It stays the caller's: it must be left as it is until the state is
// closed, and removed afterwards if it isn't to be opened again.
func (s *State) Spill(path string) error {
	d, done, err := s.use()
	if err != nil {
		return stateError("spill", err)
	}
	defer done()
	if err := s.writeFile(d, path); err != nil {
		return stateError("spill", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = path
	return nil
}

// OpenState is ReadState of a file, of which it checks everything but keeps
// nothing in memory: it is read again when a job starts from the state.
func (p *Program) OpenState(path string) (*State, error) {
	s, err := p.openState(path)
	return s, stateError("open", err)
}

func (p *Program) openState(path string) (*State, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := p.readState(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, err
	}
	s.file = path
	return s, nil
}

// writeFile writes a state to a temporary file, and renames that.
func (s *State) writeFile(d *snapshot.Delta, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.Write(s.header()); err != nil {
		return err
	}
	if err := errors.Join(d.Save(w), w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
