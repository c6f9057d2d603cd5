package isolate

import (
	"errors"

	"mayfly/runtime/engine"
	"mayfly/runtime/snapshot"
)

// A slot is a long-lived instance of a program, put back to its image between
// isolates.
type slot struct {
	memory   *snapshot.Memory
	instance engine.Instance
	machine  Machine
	globals  []engine.Global
	values   []uint64 // of the globals, in the image
	runs     int
}

// keepClean is how many clean slots a processor keeps of a program: isolates
// that wait at an await hold slots, so that more than one come back at once.
const keepClean = 16

// take is a clean slot of the program.
func (p *processor) take(program *Program) (*slot, error) {
	if n := programsClosed.Load(); n != p.closedSeen {
		p.closedSeen = n
		p.sweep()
	}
	if h := p.clean[program]; h != nil {
		if s := h.take(); s != nil {
			return s, nil
		}
	}
	return program.slot()
}

// sweep closes the slots of programs that were closed.
func (p *processor) sweep() {
	for program, h := range p.clean {
		if program.closed.Load() {
			for _, s := range h.all() {
				s.close()
			}
			delete(p.clean, program)
		}
	}
}

// give puts a clean slot where the next isolate finds it.
func (p *processor) give(program *Program, s *slot) {
	h := p.clean[program]
	if h == nil {
		h = new(shelf)
		p.clean[program] = h
	}
	if len(h.slots) < keepClean {
		h.put(s)
		return
	}
	if !program.spares.leave(s) {
		s.close()
	}
}

// reset puts memory and globals back as they are in the image, and says how
// many bytes had changed.
func (s *slot) reset() (int64, error) {
	n, err := s.memory.Reset()
	s.resetGlobals()
	return n, err
}

func (s *slot) resetGlobals() {
	for i, g := range s.globals {
		g.Set(s.values[i])
	}
}

// resume brings a clean slot to the state that a delta was captured of.
func (s *slot) resume(d *snapshot.Delta) error {
	if err := s.memory.Apply(d); err != nil {
		return err
	}
	for i, g := range d.Globals { // in the order of the image's, see Program.fits
		s.globals[i].Set(g.Bits)
	}
	return nil
}

func (s *slot) close() error {
	var errs []error
	if s.machine != nil {
		errs = append(errs, s.machine.Close())
	}
	return errors.Join(append(errs, s.instance.Close(), s.memory.Close())...)
}
