package isolate

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/runtime/engine"
)

// A Host is what the guest of one isolate can reach. Call and Start run on the
// goroutine of the turn; in is valid until they return. The same Host value
// serves one isolate only.
type Host interface {
	// Call answers a synchronous operation: appended to out[:0] if it fits,
	// else allocated. ok is false if the answer is an error record.
	Call(iso *Isolate, op uint32, in, out []byte) (answer []byte, ok bool)
	// Start begins an asynchronous operation. It must not block; it, or what
	// it started, calls iso.Settle(id) once, unless iso.Forget(id) was called.
	Start(iso *Isolate, op, id uint32, in []byte)
	// Settled says that operation id has been delivered to the guest.
	Settled(id uint32)
	// Flush is called now and then, when the guest can't: before it rests, and
	// while it runs for long. What is held back may be passed on.
	Flush()
	// Refuse is the error record for an operation past the limit of pending
	// ones.
	Refuse(limit int) []byte
}

// A Job is one isolate's life with one event.
type Job struct {
	Program *Program
	Host    Host
	Tenant  string
	Limits  Limits
	Event   uint32
	Message []byte

	// From is what the isolate starts from: the program's warm image, if nil.
	// The event's clock is its own all the same, and so is what is random by
	// strength.
	From *State
	// Fork says that others go on from the same state, too: generators of random
	// numbers that the program may have seeded start anew. Without it they go on
	// where the state left them.
	Fork bool
	// Keep asks for the state after the event, in Report.State.
	Keep bool
	// Started, if not nil, is called before the guest runs, on the goroutine
	// that runs it: it must not block. The isolate is then known, so that it
	// can be interrupted from outside.
	Started func(*Isolate)
}

// An Isolate is one running guest. Its exported methods are for its Host, but
// Interrupt, End and Elapsed, which anyone may call from any goroutine.
type Isolate struct {
	rt    *Runtime
	job   *Job
	ctx   context.Context
	slot  *slot
	proc  *processor
	usage Usage

	admitted time.Time
	segment  time.Duration // the thread's processor time when the guest segment began
	charged  time.Duration // part of usage.CPU that the scheduler knows of
	measured time.Duration // usage.CPU when memory was measured last
	listed   bool          // in the runtime's list of live isolates
	memory   atomic.Int64  // bytes changed when last measured

	resident *Resident     // nil: a job's
	turn     atomic.Uint32 // the event of a resident's turn
	inTurn   atomic.Bool   // one runs
	parking  atomic.Bool   // it is being parked for want of memory
	began    time.Duration // usage.CPU when the turn, or its event's part of it, began
	cpuEnd   time.Duration // usage.CPU that the event may reach; 0: no limit

	ending atomic.Pointer[ended] // set from outside of the turn
	asked  atomic.Bool           // an interrupt that the machine does not know of yet

	mu      sync.Mutex
	pending map[uint32]struct{}
	settled []Settlement
	wake    chan struct{} // capacity 1; made when first waited for
	grace   *time.Timer   // ends an isolate that was interrupted
	over    bool          // the guest no longer runs
}

// Settle completes an operation with a message, or with an error record if ok
// is false. It may be called from any goroutine; unknown and forgotten ids are
// ignored. The message belongs to the isolate from then on.
func (iso *Isolate) Settle(id uint32, ok bool, message []byte) {
	iso.SettleAfter(nil, id, ok, message)
}

// SettleAfter is Settle in the turn of another isolate, on the goroutine of that:
// what follows from it may wait for the end of that turn, if that is near.
func (iso *Isolate) SettleAfter(after *Isolate, id uint32, ok bool, message []byte) {
	iso.mu.Lock()
	if _, found := iso.pending[id]; found {
		delete(iso.pending, id)
		iso.settled = append(iso.settled, Settlement{id, ok, message})
		iso.awaken(after)
	}
	iso.mu.Unlock()
}

// awaken has what has happened be seen, as wakeLocked does. The lock is held.
func (iso *Isolate) awaken(after *Isolate) {
	if iso.resident != nil {
		iso.resident.wakeLocked(after)
	} else {
		iso.signal()
	}
}

// Forget drops a pending operation: it will not be settled. It reports
// whether there was one.
func (iso *Isolate) Forget(id uint32) bool {
	iso.mu.Lock()
	defer iso.mu.Unlock()
	if iso.resident != nil {
		delete(iso.resident.owners, id)
	}
	if _, found := iso.pending[id]; found {
		delete(iso.pending, id)
		return true
	}
	for i, s := range iso.settled {
		if s.ID == id {
			iso.settled = append(iso.settled[:i], iso.settled[i+1:]...)
			return true
		}
	}
	return false
}

// End ends the event with an outcome as soon as the guest can be stopped: at
// its next yield, or at once if it rests. The first call counts.
func (iso *Isolate) End(outcome Outcome, why string) {
	if iso.ending.CompareAndSwap(nil, &ended{outcome, why}) {
		iso.mu.Lock()
		iso.awaken(nil)
		iso.mu.Unlock()
	}
}

// Unwind is End for use inside Host.Call: it does not return.
func (iso *Isolate) Unwind(outcome Outcome, why string) {
	iso.ending.CompareAndSwap(nil, &ended{outcome, why})
	panic(engine.Stop{Cause: iso.ending.Load()})
}

// Elapsed is the time since admission.
func (iso *Isolate) Elapsed() time.Duration { return time.Since(iso.admitted) }

// CPU is the processor time that the event has used so far; of a resident, its
// turn. It is for host
// functions: on another goroutine than the turn's it is a guess.
func (iso *Isolate) CPU() time.Duration {
	used := iso.usage.CPU + threadCPU() - iso.segment
	if iso.resident != nil {
		used -= iso.began
	}
	return used
}

// Context ends with the isolate's event.
func (iso *Isolate) Context() context.Context { return iso.ctx }

// signal wakes the goroutine that waits; the lock is held.
func (iso *Isolate) signal() {
	if iso.wake != nil {
		select {
		case iso.wake <- struct{}{}:
		default:
		}
	}
}

// run takes the isolate from its first turn to its end. It holds a processor
// at the start and at the end. The error is an *ended, or what the engine gave.
func (iso *Isolate) run() (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() { // the host's own methods may have a bug: it ends this isolate
		if p := recover(); p != nil {
			err = &engine.HostPanic{Value: p, Stack: debug.Stack()}
		}
	}()
	if iso.job.Started != nil {
		iso.job.Started(iso)
	}
	iso.segment = threadCPU()
	err = iso.slot.machine.Begin(Life{
		Seed: iso.proc.random.Uint64(), MemoryBytes: iso.room(), Resumed: iso.job.From != nil && !iso.job.Fork,
	})
	iso.usage.Startup += time.Since(iso.admitted) - iso.usage.Queue
	status := Done
	if err == nil {
		status, err = iso.slot.machine.Event(iso.job.Event, iso.job.Message)
	}
	for err == nil {
		var s Settlement
		var more bool
		if s, more, err = iso.next(status); err != nil || !more {
			break
		}
		if s.ID != noOperation {
			iso.job.Host.Settled(s.ID)
		}
		status, err = iso.slot.machine.Settle(s.ID, s.OK, s.Message)
	}
	iso.account()
	iso.uninterrupt()
	if err == nil {
		if e := iso.ending.Load(); e != nil {
			err = e
		}
	}
	return err
}

// account adds the guest segment that just ended to the usage and begins
// another.
func (iso *Isolate) account() {
	now := threadCPU()
	iso.usage.CPU += now - iso.segment
	iso.segment = now
}

var errNothingPending = errors.New("the guest waits, but no operation is pending")

// next is the settlement to deliver next. It gives the processor back while
// there is none; more is false when the guest is done.
func (iso *Isolate) next(status Status) (s Settlement, more bool, err error) {
	for {
		if e := iso.ending.Load(); e != nil {
			return s, false, e
		}
		iso.mu.Lock()
		if len(iso.settled) > 0 {
			s = iso.settled[0]
			iso.settled = without(iso.settled)
			iso.mu.Unlock()
			return s, true, nil
		}
		if status == Done {
			iso.mu.Unlock()
			return s, false, nil
		}
		if len(iso.pending) == 0 {
			iso.mu.Unlock()
			return s, false, errNothingPending
		}
		wait := iso.waits()
		iso.mu.Unlock()
		if iso.asked.Swap(false) {
			// The guest gets a turn, to see that it was interrupted.
			return Settlement{ID: noOperation}, true, iso.askMachine()
		}
		if !wait {
			continue
		}
		if err := iso.rest(time.Time{}); err != nil {
			return s, false, err
		}
	}
}

// noOperation is never the id of an operation.
const noOperation = 0

// waits sees to it that whatever happens from now on wakes who rests, and says
// whether nothing has happened yet that would have. The lock is held.
func (iso *Isolate) waits() bool {
	if iso.wake == nil {
		iso.wake = make(chan struct{}, 1)
	}
	return iso.ending.Load() == nil && !iso.asked.Load()
}

// Wait implements Port.
func (iso *Isolate) Wait(d time.Duration) (s Settlement, more bool) {
	var until time.Time
	if d >= 0 {
		until = time.Now().Add(d)
	}
	for {
		if iso.stopped() {
			return s, false
		}
		iso.mu.Lock()
		if len(iso.settled) > 0 {
			s = iso.settled[0]
			iso.settled = without(iso.settled)
			if x := iso.resident; x != nil {
				iso.account()
				x.passLocked(x.owners[s.ID])
				delete(x.owners, s.ID)
			}
			iso.mu.Unlock()
			iso.job.Host.Settled(s.ID)
			return s, true
		}
		if iso.resident != nil {
			iso.account()
			if s, more = iso.resident.handOverLocked(); more {
				iso.mu.Unlock()
				return s, true
			}
		}
		over := d < 0 && len(iso.pending) == 0
		wait := iso.waits()
		iso.mu.Unlock()
		if over || d >= 0 && !time.Now().Before(until) {
			return s, false
		}
		if !wait {
			continue
		}
		if x := iso.resident; x != nil {
			x.residence.Host.Blocked()
		}
		if err := iso.rest(until); err != nil {
			panic(engine.Stop{Cause: err})
		}
	}
}

// Pause implements Port.
func (iso *Isolate) Pause(d time.Duration) {
	for until := time.Now().Add(d); !iso.stopped() && time.Now().Before(until); {
		iso.mu.Lock()
		wait := iso.waits()
		iso.mu.Unlock()
		if !wait {
			continue
		}
		if err := iso.rest(until); err != nil {
			panic(engine.Stop{Cause: err})
		}
	}
}

// spread is [Resident.spread] of a resident.
func (iso *Isolate) spread() {
	if iso.resident != nil {
		iso.resident.spread()
	}
}

// Host implements Port.
func (iso *Isolate) Host() any { return iso.job.Host }

// rest gives the processor back until there is something to do, or a time if
// one is given. On return the isolate holds a processor again, whatever the
// error.
func (iso *Isolate) rest(until time.Time) error {
	iso.spread()
	iso.job.Host.Flush()
	iso.account()
	if !iso.listed || iso.usage.CPU-iso.measured > restInterval {
		iso.list()
		iso.measure()
	}
	iso.rt.scheduler.release(iso.proc, iso.job.Tenant, iso.uncharged())
	iso.proc = nil
	runtime.UnlockOSThread()

	ctx := iso.ctx
	if wall := iso.job.Limits.Wall; wall > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, iso.admitted.Add(wall), errWall)
		defer cancel()
	}
	var over <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		over = t.C
	}
	var err error
	select {
	case <-iso.wake:
	case <-over:
	case <-ctx.Done():
		err = iso.contextEnded(ctx)
	}
	// The end needs a processor too: the slot is put back on it.
	acquireCtx := context.WithoutCancel(ctx)
	p, _ := iso.rt.scheduler.acquire(acquireCtx, iso.job.Tenant, false)
	iso.proc = p
	runtime.LockOSThread()
	iso.segment = threadCPU()
	return err
}

var errWall = errors.New("wall time limit reached")

func (iso *Isolate) contextEnded(ctx context.Context) *ended {
	if context.Cause(ctx) == errWall {
		return iso.wallEnded()
	}
	return &ended{Canceled, context.Cause(ctx).Error()}
}

func (iso *Isolate) wallEnded() *ended {
	return &ended{ExceededWallTime, "the wall time limit of " + iso.job.Limits.Wall.String() + " was reached"}
}

// uncharged is the processor time that the scheduler does not know of yet.
func (iso *Isolate) uncharged() time.Duration {
	d := iso.usage.CPU - iso.charged
	iso.charged = iso.usage.CPU
	return d
}

// Yield implements Port: the guest has used up its fuel.
func (iso *Isolate) Yield() {
	iso.spread()
	iso.account()
	l := &iso.job.Limits
	iso.stopped()
	if l.CPU > 0 && iso.usage.CPU > l.CPU {
		iso.Unwind(ExceededCPU, "the CPU limit of "+l.CPU.String()+" was reached")
	}
	if iso.cpuEnd > 0 && iso.usage.CPU > iso.cpuEnd {
		iso.resident.overtime()
	}
	if l.Wall > 0 && time.Since(iso.admitted) > l.Wall {
		e := iso.wallEnded()
		iso.Unwind(e.outcome, e.why)
	}
	if err := iso.ctx.Err(); err != nil {
		iso.Unwind(Canceled, context.Cause(iso.ctx).Error())
	}
	if iso.usage.CPU-iso.measured > memoryInterval {
		iso.list()
		iso.job.Host.Flush()
		if limit := iso.rt.memoryBytes(iso.job); iso.measure() > int64(limit)+memorySlack {
			iso.Unwind(ExceededMemory, "the memory limit was reached")
		}
	}
	if iso.usage.CPU-iso.charged > iso.rt.config.Quantum {
		if iso.rt.scheduler.contended.Load() > 0 {
			runtime.UnlockOSThread()
			iso.proc = iso.rt.scheduler.turnover(iso.proc, iso.job.Tenant, iso.uncharged())
			runtime.LockOSThread()
		} else {
			runtime.Gosched()
		}
		iso.segment = threadCPU()
	}
}

// Memory is measured after this much processor time: at yields, and before a
// guest rests. It may change memorySlack more than its limit (its stack, its
// allocator's rounding) before it is stopped.
const (
	memoryInterval = 10 * time.Millisecond
	restInterval   = time.Millisecond
	memorySlack    = 2 << 20
)

// measure counts the bytes that the guest has changed.
func (iso *Isolate) measure() int64 {
	iso.measured = iso.usage.CPU
	n, err := iso.slot.memory.Changed()
	if err != nil {
		return iso.memory.Load() // the reset finds out
	}
	iso.memory.Store(n)
	iso.usage.Memory = max(iso.usage.Memory, n)
	return n
}

// list makes the isolate known to the watch over memory. Short ones never are.
func (iso *Isolate) list() {
	if !iso.listed {
		iso.listed = true
		iso.rt.pressure.add(iso)
	}
}

// Call implements Port.
func (iso *Isolate) Call(op uint32, in, out []byte) ([]byte, bool) {
	return iso.job.Host.Call(iso, op, in, out)
}

// Start implements Port.
func (iso *Isolate) Start(op, id uint32, in []byte) {
	iso.mu.Lock()
	if iso.pending == nil {
		iso.pending = make(map[uint32]struct{})
	}
	limit := iso.job.Limits.Operations
	refused := limit > 0 && len(iso.pending) >= limit
	iso.pending[id] = struct{}{}
	if x := iso.resident; x != nil {
		if x.owners == nil {
			x.owners = map[uint32]uint32{}
		}
		x.owners[id] = iso.turn.Load()
	}
	iso.mu.Unlock()
	if refused {
		iso.Settle(id, false, iso.job.Host.Refuse(limit))
		return
	}
	iso.job.Host.Start(iso, op, id, in)
}
