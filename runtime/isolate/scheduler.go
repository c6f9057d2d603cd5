package isolate

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A processor is the right to run a guest: there are as many as cores given
// to guests. What a running guest needs at hand hangs on it, so that nothing
// hot is shared between cores; only the goroutine that holds the processor
// touches it.
type processor struct {
	clean  map[*Program]*shelf // clean slots
	random *rand.ChaCha8       // seeds of clones

	closedSeen int64 // programsClosed when the clean slots were looked through
}

func newProcessor() *processor {
	var seed [32]byte
	cryptorand.Read(seed[:])
	return &processor{clean: map[*Program]*shelf{}, random: rand.NewChaCha8(seed)}
}

// A tenant is whose share of the processors an execution uses.
type tenant struct {
	name    string
	virtual time.Duration // processor time used, as the fair queue counts it
	waiting []*waiter     // first in, first out
	running int           // processors held
	queued  int           // executions waiting for admission
	live    int           // isolates admitted and not ended
}

// A waiter is a goroutine that wants a processor.
type waiter struct {
	tenant *tenant
	grant  chan *processor // capacity 1
	fresh  bool            // waits for admission, not for another turn
}

// A scheduler shares processors between tenants: weighted fair queueing by
// processor time used (start-time fair queueing, Goyal et al. 1996, with the
// measured use in place of a packet's length).
type scheduler struct {
	queuePerTenant, queueTotal int // executions that may wait for admission
	livePerTenant, liveTotal   int // isolates that may be under way, running or not
	queueWait                  time.Duration

	contended atomic.Int32 // waiters; read at every yield without the lock

	mu      sync.Mutex
	idle    []*processor
	tenants map[string]*tenant // those that run or wait
	virtual time.Duration      // of the tenant served last: newcomers start here
	queued  int                // executions waiting for admission
	live    int                // isolates admitted and not ended
	sweepAt int                // number of tenants at which to look for some to forget
	recent  time.Duration      // moving mean of a fresh execution's processor time
}

func newScheduler(c *Config) *scheduler {
	s := &scheduler{
		queuePerTenant: c.QueuePerTenant, queueTotal: c.QueueTotal, livePerTenant: c.LivePerTenant, liveTotal: c.LiveTotal,
		queueWait: c.QueueWait,
		tenants:   map[string]*tenant{}, sweepAt: 64,
	}
	for range c.Processors {
		s.idle = append(s.idle, newProcessor())
	}
	return s
}

// enter finds or makes the tenant's entry; the lock is held.
func (s *scheduler) enter(name string) *tenant {
	t := s.tenants[name]
	if t == nil {
		if len(s.tenants) >= s.sweepAt {
			s.sweep()
		}
		t = &tenant{name: name, virtual: s.virtual}
		s.tenants[name] = t
	}
	return t
}

// leave forgets a tenant that has nothing under way, and isn't ahead of the
// others: on return it would start at the queue's virtual time anyway. The lock
// is held.
func (s *scheduler) leave(t *tenant) {
	if t.live == 0 && t.running == 0 && len(t.waiting) == 0 && t.virtual <= s.virtual {
		delete(s.tenants, t.name)
	}
}

// sweep forgets the tenants that stayed because they were ahead of the others
// and no longer are; the lock is held.
func (s *scheduler) sweep() {
	for _, t := range s.tenants {
		s.leave(t)
	}
	s.sweepAt = max(64, 2*len(s.tenants))
}

// acquire waits for a processor. A fresh execution is admitted only while there
// are not too many under way and the queues have room; it ends with end.
func (s *scheduler) acquire(ctx context.Context, name string, fresh bool) (*processor, error) {
	s.mu.Lock()
	t := s.enter(name)
	if fresh {
		if err := s.roomLocked(t); err != nil {
			s.leave(t)
			s.mu.Unlock()
			return nil, err
		}
		t.live++
		s.live++
	}
	if n := len(s.idle); n > 0 && s.contended.Load() == 0 {
		p := s.idle[n-1]
		s.idle = s.idle[:n-1]
		t.running++
		s.mu.Unlock()
		return p, nil
	}
	if fresh {
		if err := s.queueRoomLocked(t); err != nil {
			s.endLocked(t)
			s.mu.Unlock()
			return nil, err
		}
		t.queued++
		s.queued++
	}
	w := &waiter{tenant: t, grant: make(chan *processor, 1), fresh: fresh}
	s.enqueueLocked(w)
	s.mu.Unlock()
	var patience <-chan time.Time // of those who wait for admission
	if fresh && s.queueWait > 0 {
		timer := time.NewTimer(s.queueWait)
		defer timer.Stop()
		patience = timer.C
	}
	var err error
	select {
	case p := <-w.grant:
		return p, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-patience:
		err = &OverloadError{fmt.Sprintf("no processor was free within %v", s.queueWait), false, time.Second}
	}
	if s.withdraw(w) {
		return nil, err
	}
	return <-w.grant, nil // granted meanwhile: the caller looks at ctx itself
}

func (s *scheduler) roomLocked(t *tenant) error {
	switch {
	case s.livePerTenant > 0 && t.live-t.queued >= s.livePerTenant:
		return &OverloadError{fmt.Sprintf("this tenant has %d executions under way already", t.live-t.queued), true, time.Second}
	case s.liveTotal > 0 && s.live-s.queued >= s.liveTotal:
		return &OverloadError{fmt.Sprintf("%d executions are under way already", s.live-s.queued), false, time.Second}
	}
	return nil
}

func (s *scheduler) queueRoomLocked(t *tenant) error {
	switch {
	case s.queuePerTenant > 0 && t.queued >= s.queuePerTenant:
		return &OverloadError{fmt.Sprintf("this tenant has %d executions waiting already", t.queued), true, s.retryLocked(t.queued)}
	case s.queueTotal > 0 && s.queued >= s.queueTotal:
		return &OverloadError{fmt.Sprintf("%d executions are waiting already", s.queued), false, s.retryLocked(s.queued)}
	}
	return nil
}

// retryLocked guesses when n executions will have been served.
func (s *scheduler) retryLocked(n int) time.Duration {
	return min(max(time.Duration(n)*s.recent, time.Second), time.Minute)
}

func (s *scheduler) enqueueLocked(w *waiter) {
	t := w.tenant
	if t.running == 0 && len(t.waiting) == 0 {
		t.virtual = max(t.virtual, s.virtual) // no credit for having been away
	}
	t.waiting = append(t.waiting, w)
	s.contended.Add(1)
}

// withdraw takes a waiter out of its queue; false if it was granted.
func (s *scheduler) withdraw(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range w.tenant.waiting {
		if x == w {
			w.tenant.waiting = append(w.tenant.waiting[:i], w.tenant.waiting[i+1:]...)
			s.dequeuedLocked(w)
			if w.fresh {
				s.endLocked(w.tenant)
			}
			return true
		}
	}
	return false
}

func (s *scheduler) dequeuedLocked(w *waiter) {
	s.contended.Add(-1)
	if w.fresh {
		w.tenant.queued--
		s.queued--
	}
}

// release gives a processor back, after used of processor time by the tenant,
// for an isolate that rests.
func (s *scheduler) release(p *processor, name string, used time.Duration) {
	s.mu.Lock()
	s.releaseLocked(s.tenants[name], p, used)
	s.mu.Unlock()
}

// end is release for an isolate that has ended.
func (s *scheduler) end(p *processor, name string, used time.Duration) {
	s.mu.Lock()
	t := s.tenants[name]
	s.releaseLocked(t, p, used)
	s.endLocked(t)
	s.mu.Unlock()
}

// leaveLive ends an isolate that holds no processor.
func (s *scheduler) leaveLive(name string) {
	s.mu.Lock()
	if t := s.tenants[name]; t != nil {
		s.endLocked(t)
	}
	s.mu.Unlock()
}

func (s *scheduler) endLocked(t *tenant) {
	t.live--
	s.live--
	s.leave(t)
}

func (s *scheduler) releaseLocked(t *tenant, p *processor, used time.Duration) {
	t.virtual += used
	t.running--
	if s.contended.Load() == 0 {
		// Nobody is kept from anything: what was used needs no balancing.
		s.virtual = max(s.virtual, t.virtual)
	}
	s.grantLocked(p)
}

// grantLocked gives p to the waiter of the tenant that has used least, or to
// the idle ones.
func (s *scheduler) grantLocked(p *processor) {
	if s.contended.Load() == 0 {
		s.idle = append(s.idle, p)
		return
	}
	var next *tenant
	for _, t := range s.tenants {
		if len(t.waiting) > 0 && (next == nil || t.virtual < next.virtual) {
			next = t
		}
	}
	w := next.waiting[0]
	next.waiting = next.waiting[1:]
	next.running++
	s.virtual = max(s.virtual, next.virtual)
	s.dequeuedLocked(w)
	w.grant <- p
}

// turnover lets waiters in after a quantum: the caller has used some processor
// time on p and goes on when it is its turn again, perhaps on another p. There
// is no way out but a grant: the caller stands in the middle of a guest's turn.
func (s *scheduler) turnover(p *processor, name string, used time.Duration) *processor {
	s.mu.Lock()
	t := s.tenants[name]
	t.virtual += used
	if s.contended.Load() == 0 {
		s.mu.Unlock()
		return p
	}
	t.running--
	w := &waiter{tenant: t, grant: make(chan *processor, 1)}
	// Behind those of its own tenant: they have had less of the turn.
	t.waiting = append(t.waiting, w)
	s.contended.Add(1)
	s.grantLocked(p)
	s.mu.Unlock()
	return <-w.grant
}

// takeClean takes clean slots of the processors that are idle, as from chooses
// them of a shelf.
func (s *scheduler) takeClean(from func(*shelf) []*slot) map[*Program][]*slot {
	taken := map[*Program][]*slot{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.idle {
		for program, h := range p.clean {
			taken[program] = append(taken[program], from(h)...)
			if len(h.slots) == 0 {
				delete(p.clean, program)
			}
		}
	}
	return taken
}

// served notes a fresh execution's processor time, for Retry-After.
func (s *scheduler) served(cpu time.Duration) {
	s.mu.Lock()
	s.recent += (cpu - s.recent) / 16
	s.mu.Unlock()
}
