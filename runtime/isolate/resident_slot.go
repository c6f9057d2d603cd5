package isolate

import (
	"context"

	"mayfly/runtime/snapshot"
)

// How a resident comes by its slot and gives it up: both between two turns, on
// their goroutine. Parked, it is a state alone.

// Keep makes a state of what the resident has changed: jobs and other residents
// may start from it. It is the caller's to close.
func (x *Resident) Keep(ctx context.Context) (state *State, err error) {
	err = x.between(ctx, func(*processor) error {
		var err error
		if x.iso.slot == nil && x.state == nil && x.residence.From == nil {
			err = x.takeSlot() // it has not begun: it is as the image
		}
		switch {
		case err != nil:
		case x.iso.slot != nil:
			state, err = x.residence.Program.keep(x.iso.slot)
		case x.state != nil:
			state = x.state.Retain()
		case x.residence.From != nil:
			state = x.residence.From.Retain()
		}
		if err == nil && state == nil {
			err = stateError("keep", ErrStateClosed)
		}
		return err
	})
	return state, err
}

// Park gives the resident's slot up, keeping what it has changed. Operations may
// be under way: when one settles the resident goes on.
//
// It takes a processor, so who holds one must not wait for it: the turn of a
// resident has [Resident.ParkSoon].
func (x *Resident) Park(ctx context.Context) error { return x.between(ctx, x.park) }

// ParkSoon is Park for who does not wait: done is called when it is parked, or is
// not. It may be called from a turn.
func (x *Resident) ParkSoon(done func(error)) { x.later(x.park, done) }

func (x *Resident) park(p *processor) error {
	if x.iso.slot == nil {
		return nil
	}
	x.iso.mu.Lock()
	busy := len(x.inbox) > 0 || len(x.iso.settled) > 0
	x.iso.mu.Unlock()
	if busy {
		return nil // it would have to come back at once
	}
	state, changed, err := x.residence.Program.keepReset(x.iso.slot)
	if state == nil {
		return err
	}
	x.iso.mu.Lock()
	old := x.state
	x.state = state
	x.iso.mu.Unlock()
	x.putSlot(p, err != nil, func(*slot) (int64, error) { return changed, nil })
	if old != nil {
		return old.Close()
	}
	return nil
}

// Held is what the resident holds now: a slot or not, and how many bytes of
// memory of its own that nobody shares for certain.
func (x *Resident) Held() (slot bool, bytes int64) {
	x.iso.mu.Lock()
	defer x.iso.mu.Unlock()
	if x.iso.slot != nil {
		return true, x.iso.memory.Load()
	}
	if x.state != nil {
		return false, x.state.Resident()
	}
	return false, 0
}

// takeSlot takes a clean slot, and has the resident go on in it.
func (x *Resident) takeSlot() error {
	iso := x.iso
	s, err := iso.proc.take(iso.job.Program)
	if err != nil {
		return err
	}
	iso.mu.Lock()
	iso.slot = s
	iso.mu.Unlock()
	s.instance.SetData(Port(iso))
	from, fork := x.state, false
	if from == nil {
		from, fork = x.residence.From, x.residence.Fork
	}
	iso.job.From = from
	if from != nil {
		var d *snapshot.Delta
		var done func()
		if d, done, err = from.use(); err == nil {
			if err = iso.job.Program.fits(d); err == nil {
				err = s.resume(d)
			}
			done()
		}
		if err != nil {
			return stateError("start from", err)
		}
	}
	return s.machine.Begin(Life{Seed: iso.proc.random.Uint64(), MemoryBytes: iso.room(), Resumed: from != nil && !fork})
}

// giveSlot puts the slot back, clean, or discards it.
func (x *Resident) giveSlot(p *processor, broken bool) { x.putSlot(p, broken, (*slot).reset) }

// putSlot is giveSlot with what makes the slot clean and says how many bytes had
// changed.
func (x *Resident) putSlot(p *processor, broken bool, clean func(*slot) (int64, error)) {
	iso := x.iso
	s := iso.slot
	if s == nil {
		return
	}
	iso.mu.Lock()
	iso.slot = nil
	iso.mu.Unlock()
	if iso.listed {
		iso.listed = false
		iso.rt.pressure.remove(iso)
	}
	s.instance.SetData(nil)
	s.runs++
	if broken || p == nil || s.runs >= iso.rt.config.SlotRuns || s.instance.StackBytes() > keepStack {
		s.close()
		return
	}
	n, err := clean(s)
	iso.usage.Memory = max(iso.usage.Memory, n)
	if err != nil {
		s.close()
		return
	}
	p.give(iso.job.Program, s)
}
