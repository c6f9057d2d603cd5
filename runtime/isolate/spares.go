package isolate

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Spares are clean slots of a program that were made ahead, so that isolates
// that come all at once don't each pay for the making of one. Only slots that
// take long to make are worth it. And those that one processor has more of than
// it keeps, for another: isolates that are parked by one and taken up by another
// would have slots made and closed all the time.
type spares struct {
	mu     sync.Mutex
	slots  []*slot
	left   shelf          // over from processors
	making sync.WaitGroup // of at most one goroutine
	busy   bool           // it is under way
	closed bool
}

const (
	// spareCost is the time that making a slot takes at least for some to be
	// made ahead: one of a large guest's, whose instance has long tables.
	spareCost = 2 * time.Millisecond
	// mostSpares is how many are.
	mostSpares = 4
	// mostLeft is how many processors leave, of all programs.
	mostLeft = 128
)

// slotsLeft counts those that processors left.
var slotsLeft atomic.Int64

// leave takes a clean slot that a processor does not keep; false if there are
// enough.
func (r *spares) leave(s *slot) bool {
	if slotsLeft.Add(1) <= mostLeft {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			r.left.put(s)
			return true
		}
	}
	slotsLeft.Add(-1)
	return false
}

// slot is a clean slot: one that was left or made ahead, or a new one.
func (p *Program) slot() (*slot, error) {
	r := &p.spares
	r.mu.Lock()
	s := r.left.take()
	if s != nil {
		r.mu.Unlock()
		slotsLeft.Add(-1)
		return s, nil
	}
	if n := len(r.slots); n > 0 {
		s = r.slots[n-1]
		r.slots = r.slots[:n-1]
	}
	r.mu.Unlock()
	if s != nil {
		p.refill()
		return s, nil
	}
	start := time.Now()
	s, err := p.newSlot()
	if err == nil && time.Since(start) >= spareCost {
		p.refill()
	}
	return s, err
}

// refill makes slots ahead, unless that is under way.
func (p *Program) refill() {
	r := &p.spares
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy || r.closed || len(r.slots) >= mostSpares {
		return
	}
	r.busy = true
	r.making.Go(func() {
		for {
			s, err := p.newSlot()
			r.mu.Lock()
			if err == nil && !r.closed {
				r.slots = append(r.slots, s)
				s = nil
			}
			r.busy = err == nil && !r.closed && len(r.slots) < mostSpares
			busy := r.busy
			r.mu.Unlock()
			if err == nil && s != nil {
				_ = s.close() // nobody has seen it
			}
			if !busy {
				return // whoever needs a slot next sees the error, if there is one
			}
		}
	})
}

// takeLeft takes slots that processors left, as from chooses them.
func (r *spares) takeLeft(from func(*shelf) []*slot) []*slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := from(&r.left)
	slotsLeft.Add(-int64(len(taken)))
	return taken
}

// takeMade takes the slots that were made ahead.
func (r *spares) takeMade() []*slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.slots
	r.slots = nil
	return taken
}

// close closes the slots that were made ahead; no more will be.
func (r *spares) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.making.Wait()
	var errs []error
	for _, s := range append(r.takeLeft((*shelf).all), r.takeMade()...) {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
