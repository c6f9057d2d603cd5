package isolate

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/runtime/snapshot"
)

// A pressure watches resident memory and refuses new isolates above a budget.
// So that the budget is never used up for good, what is kept for speed alone is
// given back before that, and the largest isolates are ended where that is not
// enough, before the kernel has to choose a process.
type pressure struct {
	budget   int64
	measure  func() (resident, free int64)
	trim     func(all bool) int // gives back what the runtime keeps for speed
	resident atomic.Int64       // of this process, when last looked at
	free     atomic.Int64       // that the machine or control group has left
	shut     atomic.Bool        // nothing is admitted, though there may be room
	stop     chan struct{}
	stopped  chan struct{}

	// Of the watch's goroutine.
	collected time.Time // when garbage was collected for want of memory
	relieved  time.Time // when something was given back
	trimmed   time.Time // when clean slots were looked through that nobody needs
	above     time.Time // since when memory is above the budget; zero: it is not
	ended     time.Time // when an isolate was ended for want of memory

	relieving atomic.Bool // what is given back is so on a goroutine of its own
	work      sync.WaitGroup

	mu        sync.Mutex
	live      map[*Isolate]struct{}  // those that have run for a while, or rest in a slot
	residents map[*Resident]struct{} // all

	keepersMu sync.Mutex // held while they are called
	keepers   map[*keeper]struct{}
}

// A keeper keeps memory for speed alone, and gives back some when it is told to.
type keeper struct{ relieve func(excess int64) }

// Clean slots that nobody has needed for trimPeriod are closed, with or without
// pressure. Where they are manySlots Go's garbage is collected after that.
//
// Shares of the budget. From collectPercent on Go's garbage is collected and given
// back, once in collectPeriod. Above relievePercent what is kept for speed goes,
// until relievedPercent is left: clean slots, what the keepers have, residents
// without events. Above the budget nothing is admitted. Isolates are ended above
// shedPercent, or with less than reserve left on the machine, one at each look, and
// more above floodPercent; and above the budget where it stays so for lastPeriod,
// as events without an end may have it.
const (
	floodPercent    = 150
	shedPercent     = 115
	relievePercent  = 95
	relievedPercent = 90
	collectPercent  = 85

	trimPeriod     = 30 * time.Second
	collectPeriod  = 2 * time.Second
	relievePeriod  = 100 * time.Millisecond
	shutPeriod     = time.Second
	lastPeriod     = 10 * time.Second
	pressurePeriod = 50 * time.Millisecond

	reserve   = 256 << 20
	manySlots = 16
)

func newPressure(budget int64, trim func(all bool) int) *pressure {
	p := &pressure{
		budget: budget, measure: memory, trim: trim, stop: make(chan struct{}), stopped: make(chan struct{}),
		live: map[*Isolate]struct{}{}, residents: map[*Resident]struct{}{}, keepers: map[*keeper]struct{}{},
	}
	if p.budget == 0 {
		p.budget = memoryTotal() / 4 * 3
	}
	p.look()
	return p
}

func memory() (resident, free int64) {
	return memoryResident() + snapshot.Held(), memoryFree() // states are not the process's own pages
}

func (p *pressure) look() {
	resident, free := p.measure()
	p.resident.Store(resident)
	p.free.Store(free)
}

// excess is how many bytes more are resident than a share of the budget, or than
// leaves the machine its reserve.
func (p *pressure) excess(percent int64) int64 {
	return max(p.resident.Load()-p.budget/100*percent, reserve-p.free.Load())
}

// watch looks at memory until close.
func (p *pressure) watch() {
	defer close(p.stopped)
	defer p.work.Wait()
	tick := time.NewTicker(pressurePeriod)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			p.look()
			p.tend(now)
		}
	}
}

// tend does what the last look asks for.
func (p *pressure) tend(now time.Time) {
	defer func() { p.shut.Store(now.Sub(p.ended) < shutPeriod) }()
	collect := p.resident.Load() > p.budget/100*collectPercent && now.Sub(p.collected) > collectPeriod
	relieve := p.excess(relievePercent) > 0 && now.Sub(p.relieved) > relievePeriod
	if (collect || relieve) && p.relieving.CompareAndSwap(false, true) {
		if collect {
			p.collected = now
		}
		p.relieved = now
		p.work.Go(func() {
			defer p.relieving.Store(false)
			if collect {
				// Part of it may be garbage: what is given back or ended for
				// that would be so in vain.
				debug.FreeOSMemory()
				p.look()
			}
			p.relieve()
		})
	}
	if now.Sub(p.trimmed) > trimPeriod {
		p.trimmed = now
		p.work.Go(func() {
			if p.trim(false) >= manySlots {
				debug.FreeOSMemory() // their tables; at rest the next collection may be minutes away
			}
		})
	}
	over := p.excess(100)
	switch {
	case over <= 0:
		p.above = time.Time{}
	case p.above.IsZero():
		p.above = now
	case now.Sub(p.above) > lastPeriod:
		p.above = now
		p.shed(over)
		return
	}
	// One after the other: those that are left come to their end while nobody is
	// let in, and with too many gone newcomers would have these ended as well.
	if p.excess(shedPercent) > 0 {
		p.ended = now
		p.shed(max(1, p.resident.Load()-p.budget/100*floodPercent))
	}
}

func (p *pressure) close() {
	close(p.stop)
	<-p.stopped
}

// refuse says why nothing is admitted now, or is empty.
func (p *pressure) refuse() string {
	if r := p.resident.Load(); r > p.budget {
		return fmt.Sprintf("%d MiB of memory are resident, %d MiB are the budget", r>>20, p.budget>>20)
	}
	if p.shut.Load() {
		return "an execution had to be ended for want of memory"
	}
	if p.free.Load() < reserve {
		return "the machine is short of memory"
	}
	return ""
}

// relieve gives back what is kept for speed, what costs least to have again
// first, until there is room.
func (p *pressure) relieve() {
	for _, step := range []func(excess int64){func(int64) { p.trim(true) }, p.askKeepers, p.evict} {
		if p.excess(relievePercent) <= 0 {
			return
		}
		step(p.excess(relievedPercent))
		p.look()
	}
}

// OnPressure has f be called when memory is short, with how many bytes should
// become free: for who keeps what it can do without. f is called on another
// goroutine, never twice at once, and not any more when remove has returned.
func (r *Runtime) OnPressure(f func(excess int64)) (remove func()) {
	p, k := r.pressure, &keeper{f}
	p.keepersMu.Lock()
	p.keepers[k] = struct{}{}
	p.keepersMu.Unlock()
	return func() {
		p.keepersMu.Lock()
		delete(p.keepers, k)
		p.keepersMu.Unlock()
	}
}

func (p *pressure) askKeepers(excess int64) {
	p.keepersMu.Lock()
	defer p.keepersMu.Unlock()
	for k := range p.keepers {
		k.relieve(excess)
	}
}

func (p *pressure) add(iso *Isolate) {
	p.mu.Lock()
	p.live[iso] = struct{}{}
	p.mu.Unlock()
}

func (p *pressure) remove(iso *Isolate) {
	p.mu.Lock()
	delete(p.live, iso)
	p.mu.Unlock()
}

func (p *pressure) addResident(x *Resident) {
	p.mu.Lock()
	p.residents[x] = struct{}{}
	p.mu.Unlock()
}

func (p *pressure) removeResident(x *Resident) {
	p.mu.Lock()
	delete(p.residents, x)
	p.mu.Unlock()
}
