package isolate

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"mayfly/runtime/engine"
)

// A ResidentHost is the Host of a resident.
type ResidentHost interface {
	Host
	// Refused says that the delivery of an event was not admitted, by an
	// [*OverloadError].
	Refused(event uint32, err error)
	// Exceeded says that an event has used more processor time than it may, and
	// that the guest was interrupted for it. The resident goes on.
	Exceeded(event uint32)
	// Rested says that there is nothing to do now; pending, that operations are
	// under way. It is called between turns, on their goroutine and never at the
	// same time as one: it must not block. No processor is held.
	Rested(pending bool)
	// Blocked says that the guest waits in the middle of a turn: what is delivered
	// meanwhile it handles inside of that. It is called like Rested, but in the
	// turn, and may come several times in one.
	Blocked()
	// Evict asks, when memory is short, to do without the resident: true if it
	// was closed, which it may be when no event is under way and what it
	// remembers may be lost. It is called on any goroutine.
	Evict() bool
	// Ended says that the resident is over, by itself or by Close: once, after
	// its last turn. Turn is then the event in whose turn it ended, 0 if that
	// was between two.
	Ended(report Report)
}

// Residence is what a resident is made of.
type Residence struct {
	Program    *Program
	Host       ResidentHost
	Tenant     string
	Memory     int64  // as Limits has it
	Operations int    // as Limits has it
	From       *State // where it starts: the warm image if nil. It has to stay open until the resident has ended
	Fork       bool   // as Job has it
}

// A Delivery is an event for a resident.
type Delivery struct {
	Event   uint32        // whose turns it begins; 0: nobody's
	Kind    uint32        // as the guest numbers events
	Message []byte        // the resident's from then on
	CPU     time.Duration // that all turns of Event may use together, told with the first; 0: no limit
	// After is the isolate in whose turn it is delivered, on the goroutine of that,
	// if it is: then it may wait for the end of that turn, if that is near.
	After *Isolate
}

// A Resident is an isolate that lives on between events, of which any number may
// be under way. It has no goroutine, thread or processor while there is nothing
// to do, and may be parked then: its slot is given up, and taken again with what
// it had changed when there is. It is safe for concurrent use.
//
// Operations belong to the event in whose turn they began, and their settlements
// are turns of it.
type Resident struct {
	iso       *Isolate
	residence Residence

	// What follows is under the isolate's lock.
	inbox    []Delivery
	tasks    []func(p *processor, err error) // run between two turns; err: not at all
	running  bool                            // a goroutine is there, or about to be
	closing  *ended                          // it ends as soon as no turn runs
	over     bool
	state    *State // what it left when it was parked
	admitted bool   // the scheduler counts it
	events   map[uint32]*account
	spare    *account          // of an event that is finished, for the next
	owners   map[uint32]uint32 // of pending operations
	last     bool              // the last turn was a settlement: a delivery has precedence

	exceeded []uint32 // events past their limit in the turn under way
	runner   *runner  // of the goroutine that runs it; only that uses it
}

// Reside makes a resident. It costs next to nothing until the first delivery. It
// is there until it ends: Close it.
func (r *Runtime) Reside(residence Residence) *Resident {
	x := &Resident{residence: residence}
	job := &Job{
		Program: residence.Program, Host: residence.Host, Tenant: residence.Tenant, From: residence.From, Fork: residence.Fork,
		Limits: Limits{Memory: residence.Memory, Operations: residence.Operations},
	}
	x.iso = &Isolate{rt: r, job: job, ctx: context.Background(), resident: x}
	r.pressure.addResident(x)
	return x
}

// Isolate is the resident's isolate, for its host.
func (x *Resident) Isolate() *Isolate { return x.iso }

// Deliver queues an event's delivery, and does not wait. What is delivered to a
// resident that is over is lost.
func (x *Resident) Deliver(d Delivery) {
	x.iso.mu.Lock()
	defer x.iso.mu.Unlock()
	if x.over || x.closing != nil {
		return
	}
	if d.Event != 0 {
		if x.events == nil {
			x.events = map[uint32]*account{}
		}
		if x.events[d.Event] == nil {
			a := x.spare
			if x.spare = nil; a == nil {
				a = new(account)
			}
			*a = account{limit: d.CPU}
			x.events[d.Event] = a
		}
	}
	after := d.After
	d.After = nil
	x.inbox = append(x.inbox, d)
	x.wakeLocked(after)
}

// wakeLocked sees to it that what there is to do is done: after the turn of
// another isolate that this is called in, if one is given. The lock is held.
func (x *Resident) wakeLocked(after *Isolate) {
	if x.running {
		x.iso.signal() // it may wait in the middle of a turn
		return
	}
	if x.over {
		return
	}
	x.running = true
	if after != nil && after.resident != nil && after.resident.runner != nil {
		r := after.resident.runner
		r.after = append(r.after, x)
	} else {
		x.iso.rt.runners.start(x)
	}
}

// Turn is the event whose turn runs; 0 if it is nobody's.
func (iso *Isolate) Turn() uint32 { return iso.turn.Load() }

// errResidentOver is what Keep and Park fail with when there is nothing left.
var errResidentOver = errors.New("isolate: the resident is over")

// between has f run between two turns, on a processor, and waits for it. f is
// called without the lock.
func (x *Resident) between(ctx context.Context, f func(p *processor) error) error {
	done := make(chan error, 1)
	x.later(f, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// later has f run between two turns, on a processor, and done be called with what
// it answers.
func (x *Resident) later(f func(p *processor) error, done func(error)) {
	x.iso.mu.Lock()
	over := x.over || x.closing != nil
	if !over {
		x.tasks = append(x.tasks, func(p *processor, err error) {
			if err == nil {
				err = f(p)
			}
			done(err)
		})
		x.wakeLocked(nil)
	}
	x.iso.mu.Unlock()
	if over {
		done(errResidentOver)
	}
}

// Close ends the resident as soon as no turn runs: with OK the turn under way
// comes to its own end, with another outcome it is stopped. What waits is
// dropped. Ended is called for it, on another goroutine or later in this turn.
func (x *Resident) Close(outcome Outcome, why string) {
	x.iso.mu.Lock()
	defer x.iso.mu.Unlock()
	if x.over || x.closing != nil {
		return
	}
	x.closing = &ended{outcome, why}
	if outcome != OK {
		x.iso.ending.CompareAndSwap(nil, x.closing)
	}
	if !x.running && x.iso.slot == nil {
		// There is nothing to put back.
		x.running = true
		go x.finish(nil, nil)
		return
	}
	x.wakeLocked(nil)
}

// run does what there is to do, on a processor, until there is nothing.
func (x *Resident) run(self *runner) {
	iso := x.iso
	x.runner = self
	for {
		x.spread() // a processor may have to be waited for
		iso.mu.Lock()
		fresh := !x.admitted && x.closing == nil && len(x.inbox) > 0 && len(iso.pending) == 0 && len(iso.settled) == 0
		iso.mu.Unlock()
		if fresh {
			if err := iso.rt.admit(iso); err != nil {
				x.refuse(err)
				return
			}
			iso.mu.Lock()
			x.admitted = true
			iso.mu.Unlock()
		} else {
			iso.proc, _ = iso.rt.scheduler.acquire(context.Background(), iso.job.Tenant, false)
		}
		err := x.turns()
		if err == nil {
			if x.rested() {
				return
			}
			continue // something came while the host was told
		}
		if err == errFinished {
			err = nil
		}
		x.finish(iso.proc, err)
		return
	}
}

// spread has what would follow the turn under way be run by others. It is called
// on the goroutine of the turn, where that is not about to be over.
func (x *Resident) spread() {
	if r := x.runner; r != nil && len(r.after) > 0 {
		x.iso.rt.runners.spread(r)
	}
}

// rested says if there is still nothing to do: then nobody runs the resident.
func (x *Resident) rested() bool {
	iso := x.iso
	iso.mu.Lock()
	defer iso.mu.Unlock()
	x.running = len(x.inbox) > 0 || len(iso.settled) > 0 || len(x.tasks) > 0 || x.closing != nil || iso.ending.Load() != nil
	return !x.running
}

// errFinished ends turns of a resident that is closed and came to rest.
var errFinished = errors.New("finished")

// refuse tells of deliveries that were not admitted.
func (x *Resident) refuse(err error) {
	x.iso.mu.Lock()
	inbox, tasks := x.inbox, x.tasks
	x.inbox, x.tasks = nil, nil
	closing := x.closing != nil || x.iso.ending.Load() != nil
	for _, d := range inbox {
		delete(x.events, d.Event)
	}
	if !closing {
		x.running = false
	}
	x.iso.mu.Unlock()
	for _, f := range tasks {
		f(nil, err)
	}
	for _, d := range inbox {
		x.residence.Host.Refused(d.Event, err)
	}
	if closing {
		x.finish(nil, nil)
	}
}

// turns runs turns until there is nothing to do: then it has given the processor
// back, and is nil. Any other error ends the resident.
func (x *Resident) turns() (err error) {
	iso := x.iso
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() {
		if p := recover(); p != nil {
			if iso.proc != nil {
				iso.account()
			}
			err = &engine.HostPanic{Value: p, Stack: debug.Stack()}
		}
	}()
	iso.admitted = time.Now()
	iso.segment = threadCPU()
	host := x.residence.Host
	for {
		if e := iso.ending.Load(); e != nil {
			return e
		}
		iso.mu.Lock()
		if len(x.tasks) > 0 {
			tasks := x.tasks
			x.tasks = nil
			iso.mu.Unlock()
			x.spread()
			for _, f := range tasks {
				f(iso.proc, nil)
			}
			iso.account() // the tenant's, but no event's
			continue
		}
		if x.closing != nil {
			iso.mu.Unlock()
			return errFinished
		}
		s, d, what := x.nextLocked()
		if what == nothing {
			pending := len(iso.pending) > 0
			x.restLocked(pending)
			iso.mu.Unlock()
			host.Rested(pending)
			return nil
		}
		iso.mu.Unlock()
		x.spread()
		if iso.slot == nil {
			if err := x.takeSlot(); err != nil {
				return err
			}
		}
		if what == settlement {
			host.Settled(s.ID)
			_, err = iso.slot.machine.Settle(s.ID, s.OK, s.Message)
		} else {
			_, err = iso.slot.machine.Event(d.Kind, d.Message)
		}
		iso.account()
		if err != nil {
			return err // finish charges the event for it
		}
		x.charge()
		if iso.usage.CPU-iso.charged > iso.rt.config.Quantum && iso.rt.scheduler.contended.Load() > 0 {
			x.spread()
			runtime.UnlockOSThread()
			iso.proc = iso.rt.scheduler.turnover(iso.proc, iso.job.Tenant, iso.uncharged())
			runtime.LockOSThread()
			iso.segment = threadCPU()
		}
	}
}

const (
	nothing = iota
	settlement
	delivery
)

// nextLocked is what is to be done next, in the name of whose event that is. The
// lock is held.
func (x *Resident) nextLocked() (s Settlement, d Delivery, what int) {
	iso := x.iso
	event := uint32(0)
	switch {
	case len(iso.settled) > 0 && (!x.last || len(x.inbox) == 0):
		s = iso.settled[0]
		iso.settled = without(iso.settled)
		event = x.owners[s.ID]
		delete(x.owners, s.ID)
		what = settlement
	case len(x.inbox) > 0:
		d = x.inbox[0]
		x.inbox = without(x.inbox)
		event = d.Event
		what = delivery
	default:
		return s, d, nothing
	}
	x.last = what == settlement
	x.beginLocked(event)
	return s, d, what
}

// without is a queue without its first item. One that has become empty keeps its
// room for the next.
func without[T any](queue []T) []T {
	var none T
	queue[0] = none
	if len(queue) == 1 {
		return queue[:0]
	}
	return queue[1:]
}

// restLocked gives the processor back: nothing is to be done. The goroutine still
// is the resident's, until the host was told. The lock is held.
func (x *Resident) restLocked(pending bool) {
	iso := x.iso
	if iso.slot != nil && iso.usage.CPU-iso.measured > memoryInterval {
		iso.measure()
		if !iso.listed {
			iso.listed = true
			iso.rt.pressure.add(iso)
		}
	}
	if x.admitted && !pending {
		x.admitted = false
		iso.rt.scheduler.end(iso.proc, iso.job.Tenant, iso.uncharged())
	} else {
		iso.rt.scheduler.release(iso.proc, iso.job.Tenant, iso.uncharged())
	}
	iso.proc = nil
}

// finish ends the resident: p is the processor that it holds, or nil.
func (x *Resident) finish(p *processor, err error) {
	iso := x.iso
	turn := iso.turn.Load()
	if iso.inTurn.Load() {
		x.charge()
	}
	iso.turn.Store(turn) // for Ended
	var e *ended
	broken := err != nil && (!errors.As(err, &e) || errors.As(err, new(engine.Stop)))
	x.giveSlot(p, broken)
	iso.proc = nil
	switch {
	case p != nil && x.admitted:
		iso.rt.scheduler.end(p, iso.job.Tenant, iso.uncharged())
	case p != nil:
		iso.rt.scheduler.release(p, iso.job.Tenant, iso.uncharged())
	case x.admitted:
		iso.rt.scheduler.leaveLive(iso.job.Tenant)
	}
	iso.uninterrupt()
	iso.rt.pressure.removeResident(x)
	iso.mu.Lock()
	if err == nil && x.closing != nil && x.closing.outcome != OK {
		err = x.closing
	}
	if e := iso.ending.Load(); err == nil && e != nil {
		err = e
	}
	x.over = true
	x.inbox = nil
	tasks := x.tasks
	x.tasks = nil
	state := x.state
	x.state = nil
	iso.pending, iso.settled = nil, nil
	x.owners = nil
	iso.mu.Unlock()
	for _, f := range tasks {
		f(nil, errResidentOver)
	}
	if state != nil {
		_ = state.Close()
	}
	report := Report{Outcome: OK, Usage: iso.usage}
	if err != nil {
		report.Outcome, report.Err = classify(err), err
	}
	x.residence.Host.Ended(report)
}
