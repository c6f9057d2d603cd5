package execution

import (
	"container/heap"
	"sync"
	"time"
)

// timers are an isolate's pending sleeps. Those that are due are settled in
// the order of their times, and of their beginning where these are the same
// (HTML, timer initialization steps): timers of Go each, they would race.
type timers struct {
	mu     sync.Mutex
	iso    settler
	queue  sleepQueue
	byID   map[uint32]*sleep
	began  uint64
	clock  *time.Timer // wakes for the first of the queue; nil until there was one
	closed bool
}

// A settler is what timers need of an isolate.
type settler interface {
	Settle(id uint32, ok bool, message []byte)
}

// A sleep is one pending timer.
type sleep struct {
	id    uint32
	due   time.Time
	began uint64
	place int // in the queue
}

// start begins a sleep of an isolate, which is always the same.
func (t *timers) start(iso settler, id uint32, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.iso = iso
	if t.byID == nil {
		t.byID = map[uint32]*sleep{}
	}
	t.began++
	s := &sleep{id: id, due: time.Now().Add(delay), began: t.began}
	t.byID[id] = s
	heap.Push(&t.queue, s)
	if s.place == 0 {
		t.wind(delay)
	}
}

// wind sets the clock to the first sleep's time.
func (t *timers) wind(delay time.Duration) {
	if t.clock == nil {
		t.clock = time.AfterFunc(delay, t.ring)
	} else {
		t.clock.Reset(delay)
	}
}

// ring settles what is due. A clock that was wound anew may ring once more
// than there is a reason for.
func (t *timers) ring() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	now := time.Now()
	for len(t.queue) > 0 {
		first := t.queue[0]
		if wait := first.due.Sub(now); wait > 0 {
			t.wind(wait)
			return
		}
		heap.Pop(&t.queue)
		delete(t.byID, first.id)
		t.iso.Settle(first.id, true, nil)
	}
}

// stop ends a sleep, if the id is of one.
func (t *timers) stop(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	if s == nil {
		return false
	}
	delete(t.byID, id)
	heap.Remove(&t.queue, s.place)
	return true
}

// close ends all.
func (t *timers) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.clock != nil {
		t.clock.Stop()
	}
}

// sleepQueue is a heap, the earliest first.
type sleepQueue []*sleep

func (q sleepQueue) Len() int { return len(q) }

func (q sleepQueue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].began < q[j].began
	}
	return q[i].due.Before(q[j].due)
}

func (q sleepQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *sleepQueue) Push(x any) {
	s := x.(*sleep)
	s.place = len(*q)
	*q = append(*q, s)
}

func (q *sleepQueue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return s
}
