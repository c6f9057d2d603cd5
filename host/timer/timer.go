// Package timer has the pending sleeps of an isolate.
package timer

import (
	"container/heap"
	"sync"
	"time"
)

// Delay is a number of milliseconds as programs give it, as a duration: none
// below zero, Longest at most.
func Delay(ms float64) time.Duration {
	if !(ms > 0) { // not a number is none, too
		return 0
	}
	return time.Duration(min(ms, float64(Longest/time.Millisecond)) * float64(time.Millisecond))
}

// Longest is the longest delay of a timer (HTML, timer initialization steps, has
// a signed 32-bit number of milliseconds).
const Longest = (1<<31 - 1) * time.Millisecond

// Timers are an isolate's pending sleeps. Those that are due are settled in
// the order of their times, and of their beginning where these are the same
// (HTML, timer initialization steps): timers of Go each, they would race. The
// zero value has none. It is safe for concurrent use.
type Timers struct {
	mu     sync.Mutex
	to     Settler
	queue  sleepQueue
	byID   map[uint32]*sleep
	began  uint64
	clock  *time.Timer // wakes for the first of the queue; nil until there was one
	closed bool
}

// A Settler is what timers need of an isolate.
type Settler interface {
	Settle(id uint32, ok bool, message []byte)
}

// A sleep is one pending timer.
type sleep struct {
	id    uint32
	due   time.Time
	began uint64
	place int // in the queue
}

// Start begins a sleep of an isolate, which is always the same.
func (t *Timers) Start(to Settler, id uint32, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to = to
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
func (t *Timers) wind(delay time.Duration) {
	if t.clock == nil {
		t.clock = time.AfterFunc(delay, t.ring)
	} else {
		t.clock.Reset(delay)
	}
}

// ring settles what is due. A clock that was wound anew may ring once more
// than there is a reason for.
func (t *Timers) ring() {
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
		t.to.Settle(first.id, true, nil)
	}
}

// Stop ends a sleep, if the id is of one.
func (t *Timers) Stop(id uint32) bool {
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

// Close ends all.
func (t *Timers) Close() {
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
