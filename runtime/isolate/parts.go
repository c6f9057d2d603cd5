package isolate

import (
	"io"

	"mayfly/runtime/snapshot"
)

// A Part is memory that states share which came from each other, and a Place
// where one was written: see package snapshot. To keep a state part by part
// costs what it has that the one before has not.
type (
	Part  = snapshot.Part
	Place = snapshot.Place
)

// Parts are the parts of the state. They are there until the state is closed.
func (s *State) Parts() ([]Part, error) {
	d, done, err := s.use()
	if err != nil {
		return nil, stateError("save", err)
	}
	defer done()
	return d.Parts(), nil
}

// SaveIndex writes all of the state but its parts, of which places says where
// they are, for [Program.ReadIndex].
func (s *State) SaveIndex(w io.Writer, places map[Part]Place) error {
	d, done, err := s.use()
	if err != nil {
		return stateError("save", err)
	}
	defer done()
	if _, err := w.Write(s.header()); err != nil {
		return stateError("save", err)
	}
	return stateError("save", d.SaveIndex(w, places))
}

// ReadIndex reads what SaveIndex wrote, and the parts from the files that it
// names, which open finds.
//
// # Errors
//
// Those of ReadState, or what open fails with.
func (p *Program) ReadIndex(r io.Reader, open func(file string) (io.ReaderAt, error)) (*State, map[Part]Place, error) {
	s, places, err := p.readIndex(r, open)
	return s, places, stateError("read", err)
}

func (p *Program) readIndex(r io.Reader, open func(file string) (io.ReaderAt, error)) (*State, map[Part]Place, error) {
	if err := p.readHeader(r); err != nil {
		return nil, nil, err
	}
	d, places, err := snapshot.ReadIndex(r, open)
	if err != nil {
		return nil, nil, err
	}
	if d, err = p.bind(d); err != nil {
		return nil, nil, err
	}
	return newState(p, d), places, nil
}
