package timer

import (
	"slices"
	"sync"
	"testing"
	"time"
)

type settlements struct {
	mu  sync.Mutex
	ids []uint32
	all chan struct{} // closed at the expected count
	n   int
}

func (s *settlements) Settle(id uint32, ok bool, message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids = append(s.ids, id); len(s.ids) == s.n {
		close(s.all)
	}
}

// What is due together is settled in the order of its times; what was stopped
// is not settled.
func TestTimersKeepOrder(t *testing.T) {
	const n = 50
	s := &settlements{all: make(chan struct{}), n: n / 2}
	var due Timers
	for i := range n {
		// The later its id, the sooner a timer is due; ten have the same time.
		due.Start(s, uint32(i), time.Duration(5-i/10)*100*time.Millisecond)
	}
	for i := 0; i < n; i += 2 {
		if !due.Stop(uint32(i)) || due.Stop(uint32(i)) {
			t.Fatalf("timer %d was not stopped once", i)
		}
	}
	<-s.all
	due.Close()
	var want []uint32
	for group := n/10 - 1; group >= 0; group-- {
		for i := 1; i < 10; i += 2 {
			want = append(want, uint32(group*10+i))
		}
	}
	if !slices.Equal(s.ids, want) {
		t.Errorf("settled %v", s.ids)
	}
}

func TestTimersHammer(t *testing.T) {
	const n, routines = 500, 8
	s := &settlements{all: make(chan struct{}), n: n * routines}
	var due Timers
	var group sync.WaitGroup
	for r := range routines {
		group.Go(func() {
			for i := range n {
				id := uint32(r*n + i)
				due.Start(s, id, time.Duration(i%3)*time.Millisecond)
				if i%5 == 0 && due.Stop(id) {
					s.Settle(id, true, nil)
				}
			}
		})
	}
	group.Wait()
	<-s.all
	due.Close()
	slices.Sort(s.ids)
	if len(slices.Compact(s.ids)) != n*routines {
		t.Error("a timer was settled twice")
	}
}
