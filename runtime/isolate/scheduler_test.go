package isolate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// enqueue starts an acquire that has to wait, and returns once it does.
func enqueue(t *testing.T, s *scheduler, name string, fresh bool) <-chan *processor {
	t.Helper()
	before := s.contended.Load()
	c := make(chan *processor, 1)
	go func() {
		p, err := s.acquire(context.Background(), name, fresh)
		if err != nil {
			t.Error(err)
		}
		c <- p
	}()
	for s.contended.Load() == before {
		time.Sleep(time.Millisecond)
	}
	return c
}

func TestSchedulerServesWhoUsedLeast(t *testing.T) {
	s := newScheduler(&Config{Processors: 1, QueuePerTenant: 10, QueueTotal: 10})
	p, err := s.acquire(t.Context(), "heavy", true)
	if err != nil {
		t.Fatal(err)
	}
	again := enqueue(t, s, "heavy", true)
	light := enqueue(t, s, "light", true)
	s.end(p, "heavy", 50*time.Millisecond)
	select {
	case p = <-light:
	case <-again:
		t.Fatal("the tenant that had used 50 ms came before the one that had used none")
	}
	s.end(p, "light", time.Millisecond)
	p = <-again
	s.end(p, "heavy", time.Millisecond)
	if n := len(s.tenants); n > 1 {
		t.Errorf("%d tenants are remembered", n)
	}
}

// A tenant that comes late doesn't get what it has not used meanwhile.
func TestSchedulerGivesNoCreditForAbsence(t *testing.T) {
	s := newScheduler(&Config{Processors: 1, QueuePerTenant: 100, QueueTotal: 100})
	p, _ := s.acquire(t.Context(), "old", true)
	for range 100 { // old and other take turns for a while
		c := enqueue(t, s, "other", false)
		d := enqueue(t, s, "old", false)
		s.release(p, "old", time.Millisecond)
		p = <-c
		s.release(p, "other", time.Millisecond)
		p = <-d
	}
	late := map[string]int{}
	waiting := map[string]<-chan *processor{"new": enqueue(t, s, "new", false), "other": enqueue(t, s, "other", false)}
	s.release(p, "old", time.Millisecond)
	for range 20 {
		var name string
		select {
		case p = <-waiting["new"]:
			name = "new"
		case p = <-waiting["other"]:
			name = "other"
		}
		late[name]++
		waiting[name] = enqueue(t, s, name, false)
		s.release(p, name, time.Millisecond)
	}
	for name, other := range map[string]string{"new": "other", "other": "new"} { // both have been granted it, or will be
		select {
		case p = <-waiting[name]:
			s.release(p, name, 0)
			p = <-waiting[other]
			s.release(p, other, 0)
		case <-time.After(50 * time.Millisecond):
			continue
		}
		break
	}
	if late["new"] > 13 || late["other"] > 13 {
		t.Errorf("the shares are %v of 20", late)
	}
}

func TestSchedulerBoundsItsQueues(t *testing.T) {
	s := newScheduler(&Config{Processors: 1, QueuePerTenant: 2, QueueTotal: 3})
	p, _ := s.acquire(t.Context(), "a", true)
	waiting := []<-chan *processor{enqueue(t, s, "a", true), enqueue(t, s, "a", true)}
	var overload *OverloadError
	if _, err := s.acquire(t.Context(), "a", true); !errors.As(err, &overload) || !overload.Tenant {
		t.Errorf("third of a tenant whose queue holds two: %v", err)
	}
	waiting = append(waiting, enqueue(t, s, "b", true))
	if _, err := s.acquire(t.Context(), "c", true); !errors.As(err, &overload) || overload.Tenant {
		t.Errorf("fourth in a queue of three: %v", err)
	}
	if overload.RetryAfter < time.Second {
		t.Errorf("Retry-After is %v", overload.RetryAfter)
	}
	// One that runs already is let wait, whatever the queues hold.
	waiting = append(waiting, enqueue(t, s, "a", false))
	s.release(p, "a", 0) // the first one rests, and wants to go on
	for {
		for i, c := range waiting {
			select {
			case p = <-c:
				waiting = append(waiting[:i:i], waiting[i+1:]...)
			case <-time.After(50 * time.Millisecond):
				continue
			}
			break
		}
		s.end(p, holder(s), 0)
		if len(waiting) == 0 {
			break
		}
	}
	if s.queued != 0 || s.live != 0 || len(s.idle) != 1 {
		t.Errorf("in the end %d are queued and %d processors are idle", s.queued, len(s.idle))
	}
}

// holder is the tenant that runs.
func holder(s *scheduler) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tenants {
		if t.running > 0 {
			return t.name
		}
	}
	return ""
}

func TestSchedulerLetsGoOfWhoGivesUp(t *testing.T) {
	s := newScheduler(&Config{Processors: 1, QueuePerTenant: 10, QueueTotal: 10})
	p, _ := s.acquire(t.Context(), "a", true)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := s.acquire(ctx, "b", true); err != gone {
		t.Errorf("got %v, want the cause of the end", err)
	}
	s.end(p, "a", 0)
	if s.contended.Load() != 0 || s.queued != 0 || len(s.idle) != 1 || len(s.tenants) != 0 {
		t.Errorf("left behind: %d waiters, %d queued, %d tenants", s.contended.Load(), s.queued, len(s.tenants))
	}
}

// Executions under way are bounded too: those that wait for a timer hold
// memory, and those that spin would share the processors with ever more.
func TestSchedulerBoundsWhatIsUnderWay(t *testing.T) {
	s := newScheduler(&Config{Processors: 1, LivePerTenant: 2, LiveTotal: 3})
	for _, name := range []string{"a", "a", "b"} {
		p, err := s.acquire(t.Context(), name, true)
		if err != nil {
			t.Fatal(err)
		}
		s.release(p, name, 0) // it rests
	}
	var overload *OverloadError
	if _, err := s.acquire(t.Context(), "a", true); !errors.As(err, &overload) || !overload.Tenant {
		t.Errorf("third of a tenant that may have two: %v", err)
	}
	if _, err := s.acquire(t.Context(), "c", true); !errors.As(err, &overload) || overload.Tenant {
		t.Errorf("fourth where there may be three: %v", err)
	}
	p, err := s.acquire(t.Context(), "a", false)
	if err != nil {
		t.Fatal(err)
	}
	s.end(p, "a", 0)
	if p, err = s.acquire(t.Context(), "c", true); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	s.end(p, "c", 0)
}

// Tenants that are named once each don't pile up.
func TestSchedulerForgetsTenants(t *testing.T) {
	s := newScheduler(&Config{Processors: 2, QueuePerTenant: 10, QueueTotal: 10})
	p, _ := s.acquire(t.Context(), "spinning", true)
	for i := range 10_000 {
		name := fmt.Sprint(i)
		q, _ := s.acquire(t.Context(), name, true)
		s.end(q, name, time.Duration(i)*time.Microsecond)
	}
	if n := len(s.tenants); n > 200 {
		t.Errorf("%d tenants are remembered", n)
	}
	s.end(p, "spinning", 0)
}

func TestSchedulerHammer(t *testing.T) {
	const processors = 3
	s := newScheduler(&Config{Processors: processors, QueuePerTenant: 1000, QueueTotal: 1000})
	var running, most atomic.Int32
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			name := fmt.Sprint("tenant", g%4)
			for i := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%7 == 0 {
					go cancel()
				}
				p, err := s.acquire(ctx, name, i%2 == 0)
				cancel()
				if err != nil {
					continue
				}
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				p.random.Uint64() // a race here is two holders of one processor
				if i%3 == 0 {
					running.Add(-1)
					p = s.turnover(p, name, time.Microsecond)
					running.Add(1)
				}
				running.Add(-1)
				if i%2 == 0 {
					s.end(p, name, time.Microsecond)
				} else {
					s.release(p, name, time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > processors {
		t.Errorf("%d ran at once on %d processors", most.Load(), processors)
	}
	if len(s.idle) != processors || s.contended.Load() != 0 || s.queued != 0 {
		t.Errorf("left behind: %d of %d processors, %d waiters, %d queued", len(s.idle), processors, s.contended.Load(), s.queued)
	}
}
