package isolate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
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
	program *Program
	digest  string // of the program
	guest   string // its name
	size    int64

	mu    sync.Mutex
	refs  int             // the owners' and one of each job that starts from it
	delta *snapshot.Delta // nil while it is only in the file
	file  string          // where it was spilled to, if it was
}

func newState(p *Program, d *snapshot.Delta) *State {
	return &State{program: p, digest: p.Digest(), guest: p.Name(), size: d.Len(), refs: 1, delta: d}
}

// Program is the digest of the program that jobs from this state need, as
// [Program.Digest] gives it.
func (s *State) Program() string { return s.digest }

// Guest is the name of the guest.
func (s *State) Guest() string { return s.guest }

// Size is how many bytes of memory, in whole pages, differ from the image. The
// limit of a job's memory counts them.
func (s *State) Size() int64 { return s.size }

// Resident is how many bytes of memory the state takes: 0 once it was spilled
// and until a job starts from it again. What it shares with other states counts
// in each.
func (s *State) Resident() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delta == nil {
		return 0
	}
	return s.delta.Stored()
}

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
	return stateError("close", s.drop())
}

// drop lets go of the memory; the lock is held.
func (s *State) drop() error {
	d := s.delta
	if d == nil {
		return nil
	}
	s.delta = nil
	return d.Close()
}

// use gives the delta to a job, which calls done when it no longer needs it. A
// state that was spilled is read from its file.
func (s *State) use() (d *snapshot.Delta, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return nil, nil, ErrStateClosed
	}
	if s.delta == nil {
		if err := s.load(); err != nil {
			return nil, nil, err
		}
	}
	d = s.delta
	d.Retain() // the state's own hold is still there
	return d, func() { _ = d.Close() }, nil
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
	return append(b, s.digest...)
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
	d, err := p.readState(r)
	if err != nil {
		return nil, stateError("read", err)
	}
	return newState(p, d), nil
}

func (p *Program) readState(r io.Reader) (*snapshot.Delta, error) {
	if err := p.readHeader(r); err != nil {
		return nil, err
	}
	d, err := snapshot.ReadDelta(r)
	if err != nil {
		return nil, err
	}
	return p.bind(d)
}

// bind takes a delta that was read, if it is one of the program's.
func (p *Program) bind(d *snapshot.Delta) (*snapshot.Delta, error) {
	if err := d.Bind(p.image); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := p.fits(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// readHeader reads what comes before a state's delta.
func (p *Program) readHeader(r io.Reader) error {
	fixed := make([]byte, len(stateMagic)+4+2)
	if err := readFull(r, fixed); err != nil {
		return err
	}
	if string(fixed[:len(stateMagic)]) != stateMagic {
		return fmt.Errorf("%w: no magic number", ErrCorruptState)
	}
	if v := binary.LittleEndian.Uint32(fixed[len(stateMagic):]); v != stateVersion {
		return fmt.Errorf("%w: format version %d, not %d", ErrForeignState, v, stateVersion)
	}
	name := make([]byte, binary.LittleEndian.Uint16(fixed[len(stateMagic)+4:]))
	program := make([]byte, 2*len(snapshot.Digest{}))
	if err := errors.Join(readFull(r, name), readFull(r, program)); err != nil {
		return err
	}
	if string(name) != p.Name() || string(program) != p.Digest() {
		return fmt.Errorf("%w: it is of %.32q, image %.64q; this is %s, image %s", ErrForeignState, name, program, p.Name(), p.Digest())
	}
	return nil
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off", ErrCorruptState)
	}
	return err
}

// Spill writes the state to a file, as Save does, and gives its memory up: it
// is read again when a job starts from it, and then stays until the next Spill,
// which has nothing to write any more if the path is the same. After it
// returned the file is durable. It stays the caller's: it must be left as it is
// until the state is closed, and removed afterwards if it isn't to be opened
// again.
func (s *State) Spill(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return stateError("spill", ErrStateClosed)
	}
	if s.file == path {
		return stateError("spill", s.drop())
	}
	if s.delta == nil {
		if err := s.load(); err != nil {
			return stateError("spill", err)
		}
	}
	err := snapshot.WriteFile(path, func(w io.Writer) error {
		if _, err := w.Write(s.header()); err != nil {
			return err
		}
		return s.delta.Save(w)
	})
	if err != nil {
		return stateError("spill", err)
	}
	s.file = path
	return stateError("spill", s.drop())
}

// OpenState is ReadState of a file. The state takes memory when a job starts
// from it.
func (p *Program) OpenState(path string) (*State, error) {
	d, err := p.openFile(path)
	if err != nil {
		return nil, stateError("open", err)
	}
	s := newState(p, d)
	s.file = path
	return s, stateError("open", s.drop())
}

// load reads the state from its file; the lock is held.
func (s *State) load() (err error) {
	s.delta, err = s.program.openFile(s.file)
	return err
}

func (p *Program) openFile(path string) (*snapshot.Delta, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return p.readState(f)
}
