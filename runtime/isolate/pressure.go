package isolate

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/runtime/snapshot"
)

// A pressure watches resident memory, refuses new isolates above a budget, and
// ends the largest ones before the kernel has to choose a process.
type pressure struct {
	budget   int64
	resident atomic.Int64 // of this process, when last looked at
	free     atomic.Int64 // that the machine or control group has left
	stop     chan struct{}
	stopped  chan struct{}

	collected time.Time // when garbage was collected for want of memory

	mu   sync.Mutex
	live map[*Isolate]struct{} // those that have run for a while, or rest
}

// Above the budget nothing is admitted. Above shedPercent of it, or with less
// than reserve left on the machine, isolates are ended. From collectPercent on
// Go's garbage is collected and given back, once in collectPeriod.
const (
	shedPercent    = 115
	collectPercent = 85
	collectPeriod  = 2 * time.Second
	reserve        = 256 << 20
	pressurePeriod = 50 * time.Millisecond
)

func newPressure(budget int64) *pressure {
	p := &pressure{budget: budget, stop: make(chan struct{}), stopped: make(chan struct{}), live: map[*Isolate]struct{}{}}
	if p.budget == 0 {
		p.budget = memoryTotal() / 4 * 3
	}
	p.look()
	return p
}

func (p *pressure) look() {
	p.resident.Store(memoryResident() + snapshot.Held()) // states are not the process's own pages
	p.free.Store(memoryFree())
}

// watch looks at memory until close.
func (p *pressure) watch() {
	defer close(p.stopped)
	tick := time.NewTicker(pressurePeriod)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.look()
			if p.resident.Load() > p.budget/100*collectPercent && time.Since(p.collected) > collectPeriod {
				// Part of it may be garbage: what is refused or ended for that
				// would be refused in vain.
				debug.FreeOSMemory()
				p.collected = time.Now()
				p.look()
			}
			if p.resident.Load() > p.budget/100*shedPercent || p.free.Load() < reserve {
				p.shed()
			}
		}
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
	if p.free.Load() < reserve {
		return "the machine is short of memory"
	}
	return ""
}

// shed ends the isolate that has changed most; one that rests between two events
// is parked, and ended only where that fails.
func (p *pressure) shed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var largest *Isolate
	for iso := range p.live {
		if iso.ending.Load() == nil && !iso.parking.Load() && (largest == nil || iso.memory.Load() > largest.memory.Load()) {
			largest = iso
		}
	}
	if largest != nil && largest.resident != nil && !largest.inTurn.Load() {
		largest.parking.Store(true) // the next look goes on with others
		go largest.putAway()
		return
	}
	if largest != nil {
		largest.End(LoadShed, "the server is short of memory, and this execution uses the most")
	}
}

// putAway parks a resident for want of memory.
func (iso *Isolate) putAway() {
	err := iso.resident.Park(context.Background())
	iso.parking.Store(false)
	if err != nil {
		iso.resident.Close(LoadShed, "the server is short of memory, and this isolate uses the most")
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
