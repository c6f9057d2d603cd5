package isolate

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/runtime/snapshot"
)

// The host learns in whose turn a resident ended.
func TestResidentEndsInTurn(t *testing.T) {
	p := prepareScripted(t, scripted{})
	for name, test := range map[string]struct {
		end  func(x *Resident, port Port)
		turn uint32
	}{
		"a bug of the host": {func(*Resident, Port) { panic("bug") }, 2},
		"an outcome":        {func(_ *Resident, port Port) { port.(*Isolate).Unwind(ExceededOutput, "test") }, 2},
		"after its turn":    {func(x *Resident, _ Port) { x.Close(OK, "") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRuntime(t, Config{Processors: 1})
			h := &residentHost{}
			x, _ := newResident(t, r, p, h, nil)
			h.script = func(port Port, _ []byte) {
				if turnOf(port) == 2 {
					test.end(x, port)
					return
				}
				port.Start(1, 7, nil)
			}
			turn := make(chan uint32, 1)
			h.ended = func(Report) {
				turn <- x.Isolate().Turn()
				if u := x.Finish(2, true); u.CPU < 0 || u.CPU > time.Minute {
					t.Errorf("the event has used %v", u.CPU)
				}
			}
			x.Deliver(Delivery{Event: 1})
			x.Deliver(Delivery{Event: 2})
			if got := receive(t, turn); got != test.turn {
				t.Errorf("it ended in the turn of %d, not of %d", got, test.turn)
			}
		})
	}
}

// The host is not told that a resident rests while a turn runs, and what comes
// meanwhile is not lost.
func TestResidentRestsAlone(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	var resting atomic.Bool
	const n = 200
	var turns atomic.Int32
	h := &residentHost{}
	h.script = func(Port, []byte) {
		if resting.Load() {
			t.Error("a turn runs while the host is told of rest")
		}
		turns.Add(1)
	}
	var x *Resident
	done := make(chan bool, 1)
	h.rested = func(bool) {
		resting.Store(true)
		if got := turns.Load(); got < n {
			x.Deliver(Delivery{Event: uint32(got + 1)})
		} else {
			done <- true
		}
		time.Sleep(50 * time.Microsecond)
		resting.Store(false)
	}
	x, _ = newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	receive(t, done)
}

// work uses processor time, so that an isolate is one that lasts.
func work(port Port) {
	for start := port.(*Isolate).CPU(); port.(*Isolate).CPU() < start+2*memoryInterval; {
		port.Yield()
	}
}

// A resident that is closed while it waits for admission leaves nothing behind.
func TestResidentClosedInQueue(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{Processors: 1, QueueWait: 2 * time.Second})
	rested := make(chan bool, 1)
	h := &residentHost{rested: func(pending bool) { rested <- pending }}
	h.script = func(port Port, _ []byte) { work(port) }
	x, ended := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	receive(t, rested)
	if n := r.Stats().Lasting; n != 1 {
		t.Fatalf("%d isolates last", n)
	}

	hold, held := make(chan bool), make(chan bool, 1)
	other := &residentHost{}
	other.script = func(Port, []byte) {
		held <- true
		<-hold
	}
	y, _ := newResident(t, r, p, other, nil)
	y.Deliver(Delivery{Event: 1})
	receive(t, held)
	defer close(hold)

	refused := make(chan uint32, 1)
	h.refused = func(event uint32, err error) { refused <- event }
	x.Deliver(Delivery{Event: 2})
	eventually(t, "it waits for admission", func() bool { return r.Stats().Queued == 1 })
	parked := make(chan error, 1)
	go func() { parked <- x.Park(t.Context()) }()
	eventually(t, "it is to be parked", func() bool {
		x.iso.mu.Lock()
		defer x.iso.mu.Unlock()
		return len(x.tasks) == 1
	})
	x.Close(OK, "")
	if event := receive(t, refused); event != 2 {
		t.Errorf("event %d was refused", event)
	}
	if err := receive(t, parked); !errors.Is(err, ErrOverloaded) {
		t.Errorf("parking: %v", err)
	}
	if report := receive(t, ended); report.Outcome != OK {
		t.Errorf("%+v", report)
	}
	if n := r.Stats().Lasting; n != 0 {
		t.Errorf("%d isolates last", n)
	}
	if slot, _ := x.Held(); slot {
		t.Error("it holds a slot")
	}
}

// What settles while an event is refused is delivered all the same.
func TestResidentSettledInQueue(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{Processors: 1, QueuePerTenant: 1, QueueWait: 20 * time.Millisecond})
	turns := make(chan uint32, 1)
	h := &residentHost{}
	h.script = func(port Port, memory []byte) {
		if memory[heapAt]++; memory[heapAt] == 1 {
			port.Start(1, 7, nil)
			turns <- 0
			return
		}
		turns <- turnOf(port)
	}
	refused := make(chan uint32, 1)
	h.refused = func(event uint32, _ error) { refused <- event }
	x, _ := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	receive(t, turns)
	// As when the turn that began the operation needed no admission.
	eventually(t, "it rests", func() bool { x.iso.mu.Lock(); defer x.iso.mu.Unlock(); return !x.running })
	x.iso.mu.Lock()
	x.admitted = false
	x.iso.mu.Unlock()
	r.scheduler.leaveLive("t")

	hold, held := make(chan bool), make(chan bool, 1)
	other := &residentHost{}
	other.script = func(Port, []byte) {
		held <- true
		<-hold
	}
	y, _ := newResident(t, r, p, other, nil)
	y.Deliver(Delivery{Event: 1})
	receive(t, held)
	x.Deliver(Delivery{Event: 2})
	x.Isolate().Settle(7, true, nil)
	time.Sleep(60 * time.Millisecond) // it may have been refused by then
	close(hold)
	for n := 0; n < 2; n++ {
		select {
		case event := <-refused:
			t.Errorf("event %d was refused while something was under way", event)
		case event := <-turns:
			if event != 1 && event != 2 {
				t.Errorf("a turn of %d", event)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("what settled is lost")
		}
	}
}

// What a finished event left behind can't run for ever.
func TestResidentFinishedEvent(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	h := &residentHost{}
	var x *Resident
	started := make(chan bool, 1)
	h.script = func(port Port, memory []byte) {
		if memory[heapAt]++; memory[heapAt] == 1 {
			x.Finish(1, true)
			port.Start(1, 7, nil)
			started <- true
			return
		}
		for {
			for start := time.Now(); time.Since(start) < time.Millisecond; { // as a guest between two yields
			}
			port.Yield()
		}
	}
	x, ended := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1, CPU: time.Minute})
	receive(t, started)
	x.Isolate().Settle(7, true, nil)
	if report := receive(t, ended); report.Outcome != ExceededCPU {
		t.Errorf("%+v", report)
	}
}

// For want of memory residents that rest are parked, and go on later.
func TestResidentParkedForMemory(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	rested := make(chan bool, 1)
	var count atomic.Int32
	h := &residentHost{rested: func(pending bool) { rested <- pending }}
	h.script = func(port Port, memory []byte) {
		memory[heapAt]++
		count.Store(int32(memory[heapAt]))
		work(port)
	}
	x, ended := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	receive(t, rested)
	r.pressure.shed(1)
	r.pressure.shed(1) // while that is done, nothing else is to be found
	eventually(t, "it is parked", func() bool { slot, _ := x.Held(); return !slot })
	eventually(t, "it is left out of the list", func() bool { return r.Stats().Lasting == 0 })
	<-rested
	x.Deliver(Delivery{Event: 2})
	receive(t, rested)
	if count.Load() != 2 {
		t.Errorf("it found %d turns", count.Load())
	}
	// One whose parking was not enough ends.
	r.pressure.shed(1)
	eventually(t, "it is parked again", func() bool { slot, _ := x.Held(); return !slot && !x.iso.parking.Load() })
	r.pressure.shed(1)
	if report := receive(t, ended); report.Outcome != LoadShed {
		t.Errorf("%+v", report)
	}
}

// Residents that are parked cost their pages and little else: no slot, no
// goroutine, no place in the watch over memory.
func TestResidentsParkedAreSmall(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	const n = 2000
	before := snapshot.Held()
	rested := make(chan bool, 2)
	residents := make([]*Resident, n)
	ended := make(chan Report, n)
	var heap, then runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	for i := range residents {
		h := &residentHost{rested: func(bool) { rested <- true }, ended: func(report Report) { ended <- report }}
		h.script = func(_ Port, memory []byte) { memory[heapAt] = 1 + byte(i) }
		x := r.Reside(Residence{Program: p, Host: h, Tenant: "t", Memory: 32 << 20})
		residents[i] = x
		x.Deliver(Delivery{Event: 1})
		receive(t, rested)
		x.Finish(1, false)
		if err := x.Park(t.Context()); err != nil {
			t.Fatal(err)
		}
		receive(t, rested)
	}
	runtime.GC()
	runtime.ReadMemStats(&then)
	pages := snapshot.Held() - before
	t.Logf("each holds %d bytes of pages and %d of Go's heap", pages/n, int64(then.HeapAlloc-heap.HeapAlloc)/n)
	if most := int64(8 * 4096); pages/n > most { // the machine's page, the heap's, what they are kept in
		t.Errorf("each holds %d bytes of pages", pages/n)
	}
	if each := int64(then.HeapAlloc-heap.HeapAlloc) / n; each > 8<<10 {
		t.Errorf("each holds %d bytes of Go's heap", each)
	}
	if stats := r.Stats(); stats.Lasting != 0 {
		t.Errorf("%d isolates last", stats.Lasting)
	}
	for _, x := range residents {
		x.Close(OK, "")
	}
	for range residents {
		if report := receive(t, ended); report.Outcome != OK {
			t.Fatalf("%+v", report)
		}
	}
	if left := snapshot.Held() - before; left != 0 {
		t.Errorf("%d bytes of states are left", left)
	}
}
