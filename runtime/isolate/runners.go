package isolate

import (
	"sync"
	"time"
)

// runners are goroutines that run residents. Those that have just done so wait a
// while for the next: their stacks have grown to what a turn needs.
type runners struct {
	mu   sync.Mutex
	idle []*runner // the one that ran last at the end
	// least is how many have been idle all the time since trim last looked.
	least    int
	trimming bool
	closed   bool
}

// runnerPatience is how often runners end that nobody needed meanwhile.
const runnerPatience = time.Second

// A runner is a goroutine that runs residents, one after the other.
type runner struct {
	next chan *Resident // capacity 1; nil: it ends
	// after are residents that the turn under way has given something to do. They
	// follow it on this goroutine, where no other need be woken. Only the goroutine
	// itself uses it.
	after []*Resident
}

// start has a goroutine run a resident.
func (r *runners) start(x *Resident) {
	r.mu.Lock()
	n := len(r.idle) - 1
	if n < 0 {
		r.mu.Unlock()
		go r.run(x)
		return
	}
	next := r.idle[n]
	r.idle[n] = nil
	r.idle = r.idle[:n]
	r.least = min(r.least, n)
	r.mu.Unlock()
	next.next <- x
}

func (r *runners) run(x *Resident) {
	self := &runner{next: make(chan *Resident, 1)}
	for {
		x.run(self)
		if len(self.after) > 0 {
			x = self.after[0]
			self.after = append(self.after[:0], self.after[1:]...)
			r.spread(self)
			continue
		}
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			return
		}
		r.idle = append(r.idle, self)
		if !r.trimming {
			r.trimming = true
			time.AfterFunc(runnerPatience, r.trim)
		}
		r.mu.Unlock()
		if x = <-self.next; x == nil {
			return
		}
	}
}

// spread has other goroutines run what would follow the turn under way: it takes
// longer than others should wait for.
func (r *runners) spread(self *runner) {
	for i, x := range self.after {
		self.after[i] = nil
		r.start(x)
	}
	self.after = self.after[:0]
}

// trim ends the runners that were idle all the time since it looked last.
func (r *runners) trim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	over := r.idle[:r.least]
	for _, old := range over {
		old.next <- nil
	}
	r.idle = append([]*runner(nil), r.idle[r.least:]...)
	r.least = len(r.idle)
	if r.trimming = len(r.idle) > 0; r.trimming {
		time.AfterFunc(runnerPatience, r.trim)
	}
}

// close ends the runners that are idle, and the others when they would be.
func (r *runners) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, old := range r.idle {
		old.next <- nil
	}
	r.idle, r.least = nil, 0
}
