// Package isolate runs guests: isolates cloned from warm images, in turns, on
// a fair share of the processors, under limits, to exactly one outcome each.
// It knows no language and no capability: a [Guest] brings the one, a [Host]
// the other.
package isolate

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"mayfly/runtime/engine"
	"mayfly/runtime/snapshot"
)

// Config configures a Runtime. Its zero value works.
type Config struct {
	Processors     int           // guests that run at once; 0: the cores of the machine
	Quantum        time.Duration // processor time after which others are let in; 0: 2 ms
	QueuePerTenant int           // executions of a tenant that wait for admission; 0: 256
	QueueTotal     int           // executions that wait for admission in all; 0: 4096
	LivePerTenant  int           // isolates of a tenant that may be under way, running or resting; 0: 1,000
	LiveTotal      int           // isolates that may be under way in all; 0: 4,000
	QueueWait      time.Duration // longest wait for admission; 0: 30 s
	MemoryBudget   int64         // bytes of resident memory above which nothing is admitted; 0: three quarters of what the machine or control group gives
	SlotRuns       int           // isolates a slot serves before it is replaced; 0: 100,000
}

func (c Config) withDefaults() Config {
	set := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	set(&c.Processors, runtime.NumCPU())
	set(&c.QueuePerTenant, 256)
	set(&c.QueueTotal, 4096)
	set(&c.LivePerTenant, 1000)
	set(&c.LiveTotal, 4000)
	set(&c.SlotRuns, 100_000)
	if c.Quantum == 0 {
		c.Quantum = 2 * time.Millisecond
	}
	if c.QueueWait == 0 {
		c.QueueWait = 30 * time.Second
	}
	return c
}

// A Runtime runs isolates. It is safe for concurrent use.
type Runtime struct {
	config    Config
	scheduler *scheduler
	pressure  *pressure
	runners   runners
}

// New makes a runtime. Close it to end its watch over memory.
func New(config Config) (*Runtime, error) {
	config = config.withDefaults()
	if config.Processors < 0 || config.Quantum < 0 || config.QueuePerTenant < 0 || config.QueueTotal < 0 || config.LivePerTenant < 0 || config.LiveTotal < 0 || config.MemoryBudget < 0 {
		return nil, fmt.Errorf("isolate: negative value in %+v", config)
	}
	r := &Runtime{
		config:    config,
		scheduler: newScheduler(&config),
	}
	r.pressure = newPressure(config.MemoryBudget, r.trim)
	go r.pressure.watch()
	return r, nil
}

// Close ends the runtime's own goroutines and closes its idle slots. No job
// may be running.
func (r *Runtime) Close() error {
	r.runners.close()
	r.pressure.close()
	var errs []error
	r.scheduler.mu.Lock()
	defer r.scheduler.mu.Unlock()
	for _, p := range r.scheduler.idle {
		for _, h := range p.clean {
			for _, s := range h.all() {
				errs = append(errs, s.close())
			}
		}
		clear(p.clean)
	}
	return errors.Join(errs...)
}

// trim closes clean slots that are kept for the next isolates: the tables of their
// instances, and the pages that were changed in them, stay the process's own until
// then. Those that nobody has needed since it was called last, or all. It answers how
// many.
func (r *Runtime) trim(all bool) (closed int) {
	from := (*shelf).unused
	if all {
		from = (*shelf).all
	}
	for program, slots := range r.scheduler.takeClean(from) {
		slots = append(slots, program.spares.takeLeft(from)...)
		if all {
			slots = append(slots, program.spares.takeMade()...)
		}
		for _, s := range slots {
			_ = s.close() // nobody is in it
		}
		closed += len(slots)
	}
	return closed
}

// memoryBytes is how much a job's guest may change or grow.
func (r *Runtime) memoryBytes(job *Job) uint32 {
	most := job.Program.memoryBytes
	if l := job.Limits.Memory; l > 0 {
		return uint32(min(l, int64(most)))
	}
	return most
}

// room is how much the guest's heap may grow: what a state holds already is
// part of its limit.
func (iso *Isolate) room() uint32 {
	room := iso.rt.memoryBytes(iso.job)
	if from := iso.job.From; from != nil {
		held := uint32(min(from.Size(), int64(room)))
		room = max(room-held, leastRoom)
	}
	return room
}

// leastRoom is how many bytes the heap may grow where a state has used up the
// limit: a program can still free what it holds.
const leastRoom = 1 << 20

// Run runs one event in a fresh isolate, or in one that starts from a state,
// to its end. The context's end cancels it. The error is an [*OverloadError]
// when the job was not admitted, a [*StateError] when it can't start from its
// state, and nil otherwise.
func (r *Runtime) Run(ctx context.Context, job Job) (Report, error) {
	var then func(*slot) error
	var kept *State
	if job.Keep {
		then = func(s *slot) (err error) {
			kept, err = job.Program.keep(s)
			return err
		}
	}
	report, err := r.run(ctx, &job, then)
	report.State = kept
	return report, err
}

// Derive runs one event in a fresh isolate, as Run does, and makes a program of
// the state that it leaves: isolates of it are clones of that state. The event
// has to leave nothing pending, and nothing in memory that its clones must not
// share: no time, randomness or secret. The program is nil unless the outcome
// is OK. Close it when it is no longer used; it doesn't outlive the one it was
// derived from.
func (r *Runtime) Derive(ctx context.Context, job Job) (*Program, Report, error) {
	var derived *Program
	report, err := r.run(ctx, &job, func(s *slot) (err error) {
		derived, err = job.Program.derive(s)
		return err
	})
	return derived, report, err
}

// run is Run; then, if not nil, sees the slot of an isolate that ended well.
func (r *Runtime) run(ctx context.Context, job *Job, then func(*slot) error) (Report, error) {
	var from *snapshot.Delta
	if job.From != nil {
		d, done, err := job.From.use()
		if err == nil {
			defer done()
			err = job.Program.fits(d)
		}
		if err != nil {
			err = stateError("start from", err)
			return Report{Outcome: InternalError, Err: err}, err
		}
		from = d
	}
	asked := time.Now()
	iso := &Isolate{rt: r, job: job, ctx: ctx}
	if err := r.admit(iso); err != nil {
		var overload *OverloadError
		if errors.As(err, &overload) {
			return Report{Outcome: LoadShed, Err: err, Usage: Usage{Queue: time.Since(asked)}}, err
		}
		return Report{Outcome: Canceled, Err: err, Usage: Usage{Queue: time.Since(asked)}}, nil
	}
	iso.admitted = time.Now()
	iso.usage.Queue = 0
	queue := iso.admitted.Sub(asked)

	var err error
	if iso.slot, err = iso.proc.take(job.Program); err == nil {
		iso.slot.instance.SetData(Port(iso))
		if from != nil {
			err = iso.slot.resume(from)
		}
		if err == nil {
			err = iso.run()
		}
		if err == nil && then != nil {
			err = then(iso.slot)
		}
		iso.slot.instance.SetData(nil)
		r.putBack(iso, err)
	}
	if iso.listed {
		r.pressure.remove(iso)
	}
	r.scheduler.end(iso.proc, job.Tenant, iso.uncharged())
	iso.usage.Wall = time.Since(iso.admitted)
	iso.usage.Queue = queue
	r.scheduler.served(iso.usage.CPU)
	report := Report{Outcome: OK, Usage: iso.usage}
	if err != nil {
		report.Outcome, report.Err = classify(err), err
	}
	return report, nil
}

// admit waits for the first processor.
func (r *Runtime) admit(iso *Isolate) (err error) {
	if why := r.pressure.refuse(); why != "" {
		return &OverloadError{why, false, time.Second}
	}
	iso.proc, err = r.scheduler.acquire(iso.ctx, iso.job.Tenant, true)
	return err
}

// keepStack is how many bytes of the engine's stacks a slot may keep: what
// programs use that don't recurse deeply. A JavaScript framework that routes one
// request takes 600 KiB.
const keepStack = 1 << 20

// putBack makes the slot clean again, or discards it.
func (r *Runtime) putBack(iso *Isolate, failed error) {
	s := iso.slot
	s.runs++
	var e *ended
	if failed != nil && (!errors.As(failed, &e) || errors.As(failed, new(engine.Stop))) || s.runs >= r.config.SlotRuns || s.instance.StackBytes() > keepStack {
		// Nothing is known of an instance after a trap or an unwound turn, and
		// what deep recursion took for its stack is given back only so: a new
		// slot costs a fraction of a millisecond.
		if n, err := s.memory.Changed(); err == nil {
			iso.usage.Memory = max(iso.usage.Memory, n)
		}
		s.close()
		return
	}
	n, err := s.reset()
	iso.usage.Memory = max(iso.usage.Memory, n)
	if err != nil {
		s.close()
		return
	}
	iso.proc.give(iso.job.Program, s)
}

// classify names the outcome of an error of run.
func classify(err error) Outcome {
	var e *ended
	if errors.As(err, &e) {
		return e.outcome
	}
	var trap *engine.Trap
	if errors.Is(err, ErrMemory) || errors.As(err, &trap) && trap.Code == engine.TrapStackOverflow {
		return ExceededMemory // the wasm stack counts as the guest's memory
	}
	return InternalError
}

// Stats is how a runtime stands.
type Stats struct {
	Processors int   // guests that may run at once
	Running    int   // guests that run
	Waiting    int   // goroutines that wait for a processor: for admission, or for another turn
	Queued     int   // of those, for admission
	Lasting    int   // isolates that rest, or have run for a while
	Resident   int64 // bytes of the process that are its own, when last looked at, with States
	States     int64 // bytes of all states
	Budget     int64 // of Resident: above it nothing is admitted
}

// Stats tells how the runtime stands.
func (r *Runtime) Stats() Stats {
	s := r.scheduler
	s.mu.Lock()
	stats := Stats{
		Processors: r.config.Processors, Running: r.config.Processors - len(s.idle), Waiting: int(s.contended.Load()), Queued: s.queued,
		Resident: r.pressure.resident.Load(), States: snapshot.Held(), Budget: r.pressure.budget,
	}
	s.mu.Unlock()
	r.pressure.mu.Lock()
	stats.Lasting = len(r.pressure.live)
	r.pressure.mu.Unlock()
	return stats
}
