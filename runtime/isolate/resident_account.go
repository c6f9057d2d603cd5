package isolate

import (
	"time"

	"mayfly/runtime/engine"
)

// An account is what an event has used.
type account struct {
	used, limit time.Duration
	told        bool // that it exceeded its limit
}

// Usage is what an event has used so far.
func (x *Resident) Usage(event uint32) Usage {
	x.iso.mu.Lock()
	defer x.iso.mu.Unlock()
	return x.usageLocked(event)
}

func (x *Resident) usageLocked(event uint32) Usage {
	u := Usage{Memory: x.iso.memory.Load()}
	if a := x.events[event]; a != nil {
		u.CPU = a.used
	}
	return u
}

// Finish forgets an event, and is what it has used. inTurn says that the caller
// is the host in the middle of a turn: where that is the event's, what it has
// used until now counts.
func (x *Resident) Finish(event uint32, inTurn bool) Usage {
	x.iso.mu.Lock()
	defer x.iso.mu.Unlock()
	u := x.usageLocked(event)
	if inTurn && x.iso.inTurn.Load() && x.iso.turn.Load() == event {
		u.CPU += x.iso.usage.CPU - x.iso.began + threadCPU() - x.iso.segment
	}
	if a := x.events[event]; a != nil {
		x.spare = a
		delete(x.events, event)
	}
	return u
}

// beginLocked begins a turn, or a part of one, of an event. The lock is held.
func (x *Resident) beginLocked(event uint32) {
	iso := x.iso
	iso.turn.Store(event)
	iso.inTurn.Store(true)
	iso.began = iso.usage.CPU
	iso.cpuEnd = 0
	switch a := x.events[event]; {
	case a != nil && a.limit > 0:
		iso.cpuEnd = max(iso.usage.CPU+a.limit-a.used, 1)
	case a == nil && event != 0:
		iso.cpuEnd = iso.usage.CPU + finishedCPU
	}
}

// charge ends a turn, or a part of one: its event is told what it has used. It
// runs on the goroutine of the turn.
func (x *Resident) charge() {
	iso := x.iso
	iso.mu.Lock()
	event := iso.turn.Load()
	if a := x.events[event]; a != nil {
		a.used += iso.usage.CPU - iso.began
	}
	iso.began = iso.usage.CPU
	iso.turn.Store(0)
	iso.inTurn.Store(false)
	exceeded := x.exceeded
	x.exceeded = nil
	iso.mu.Unlock()
	for _, event := range exceeded {
		x.residence.Host.Exceeded(event)
	}
}

// finishedCPU is the processor time of a turn of an event that is finished: what
// it left behind may end, but not run for ever.
const finishedCPU = time.Second

// cpuGrace is the processor time that an interrupted event has to end. Where its
// fuel has run out in the middle of the interpreter, QuickJS asks only after as
// many more calls as take it some 50 ms, before it sees that it was interrupted.
const cpuGrace = 250 * time.Millisecond

// overtime handles an event that is past its limit of processor time, in the
// middle of its turn: the guest is asked to end it, once, where it can be asked.
func (x *Resident) overtime() {
	iso := x.iso
	event := iso.turn.Load()
	iso.mu.Lock()
	a := x.events[event]
	ask := a != nil && !a.told
	limit := finishedCPU
	if a != nil {
		limit = a.limit
		a.told = true
	}
	if ask {
		x.exceeded = append(x.exceeded, event)
	}
	iso.mu.Unlock()
	if m, ok := iso.slot.machine.(Interrupter); ok && ask {
		iso.cpuEnd = iso.usage.CPU + cpuGrace
		if err := m.Interrupt(); err != nil {
			panic(engine.Stop{Cause: err})
		}
		return
	}
	iso.Unwind(ExceededCPU, "the CPU limit of "+limit.String()+" was reached")
}

// handOver is the next delivery for a guest that waits in the middle of its
// turn. The lock is held.
func (x *Resident) handOverLocked() (s Settlement, ok bool) {
	if len(x.inbox) == 0 {
		return s, false
	}
	d := x.inbox[0]
	x.inbox = without(x.inbox)
	message := make([]byte, 0, 4+len(d.Message))
	message = append(message, byte(d.Kind), byte(d.Kind>>8), byte(d.Kind>>16), byte(d.Kind>>24))
	x.passLocked(d.Event)
	return Settlement{ID: DeliveryID, OK: true, Message: append(message, d.Message...)}, true
}

// Pass makes the rest of the turn one of another event that is under way: a guest
// that waits in the middle of its turn may go on with what it did before
// something else was handed over. It is for host functions.
func (iso *Isolate) Pass(event uint32) {
	x := iso.resident
	if x == nil || event == iso.turn.Load() {
		return
	}
	iso.account()
	iso.mu.Lock()
	defer iso.mu.Unlock()
	if x.events[event] != nil {
		x.passLocked(event)
	}
}

// passLocked makes the rest of the turn one of another event. The lock is held;
// it runs on the goroutine of the turn.
func (x *Resident) passLocked(event uint32) {
	iso := x.iso
	if a := x.events[iso.turn.Load()]; a != nil {
		a.used += iso.usage.CPU - iso.began
	}
	x.beginLocked(event)
}
