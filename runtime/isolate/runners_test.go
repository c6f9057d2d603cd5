package isolate

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What is delivered in the turn of another isolate does not wait for the end of
// that turn where it goes on: while it runs for long, while it waits, and while
// it does work aside.
func TestAfterDoesNotWait(t *testing.T) {
	p := prepareScripted(t, scripted{})
	for name, wait := range map[string]func(port Port, ran *atomic.Bool){
		"yields": func(port Port, ran *atomic.Bool) {
			for end := time.Now().Add(30 * time.Second); !ran.Load() && time.Now().Before(end); {
				port.Yield()
			}
		},
		"waits": func(port Port, _ *atomic.Bool) {
			port.Start(1, 7, nil)
			port.Wait(30 * time.Second)
		},
		"aside": func(port Port, ran *atomic.Bool) {
			port.(*Isolate).Aside(func() {
				for end := time.Now().Add(30 * time.Second); !ran.Load() && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRuntime(t, Config{})
			var ran, first atomic.Bool
			var other *Resident
			over := make(chan bool, 1)
			h := &residentHost{}
			h.script = func(port Port, _ []byte) {
				other.Deliver(Delivery{Event: 1, After: port.(*Isolate)})
				wait(port, &ran)
				first.Store(ran.Load())
				over <- true
			}
			x, _ := newResident(t, r, p, h, nil)
			callee := &residentHost{}
			callee.script = func(port Port, _ []byte) {
				ran.Store(true)
				x.Isolate().SettleAfter(port.(*Isolate), 7, true, nil)
			}
			other, _ = newResident(t, r, p, callee, nil)
			x.Deliver(Delivery{Event: 1})
			receive(t, over)
			if !first.Load() {
				t.Error("what was delivered waited for the end of the turn")
			}
		})
	}
}

// A turn may give many others something to do, and itself: each gets its turn,
// also where the one they would follow ends its isolate.
func TestAfterManyAndEnd(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{Processors: 1})
	const many = 20
	ran := make(chan bool, many+1)
	others := make([]*Resident, many)
	for i := range others {
		h := &residentHost{}
		h.script = func(Port, []byte) { ran <- true }
		others[i], _ = newResident(t, r, p, h, nil)
	}
	turns := 0
	var x *Resident
	h := &residentHost{}
	h.script = func(port Port, _ []byte) {
		iso := port.(*Isolate)
		if turns++; turns == 1 {
			x.Deliver(Delivery{Event: 2, After: iso})
			return
		}
		for _, other := range others {
			other.Deliver(Delivery{Event: 1, After: iso})
		}
		iso.Unwind(Exception, "over")
	}
	x, ended := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	for range many {
		receive(t, ran)
	}
	if report := receive(t, ended); report.Outcome != Exception {
		t.Errorf("%+v", report)
	}
}

// Residents that give one another things to do lose none of them.
func TestAfterHammer(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	const residents, balls, hops = 6, 12, 200
	var left atomic.Int32
	left.Store(balls)
	over := make(chan bool)
	ring := make([]*Resident, residents)
	var played [residents]int
	var mu sync.Mutex
	for i := range ring {
		h := &residentHost{}
		h.script = func(port Port, _ []byte) {
			iso := port.(*Isolate)
			mu.Lock()
			played[i]++
			mu.Unlock()
			hop := iso.Turn() - 1
			if hop%7 == 3 {
				port.Yield()
			}
			if hop == hops {
				if left.Add(-1) == 0 {
					close(over)
				}
				return
			}
			d := Delivery{Event: iso.Turn() + 1, After: iso}
			if hop%5 == 0 {
				d.After = nil
			}
			ring[(i+int(hop)%3)%residents].Deliver(d)
		}
		ring[i], _ = newResident(t, r, p, h, nil)
	}
	for i := range balls {
		ring[i%residents].Deliver(Delivery{Event: 1})
	}
	receive(t, over)
	mu.Lock()
	defer mu.Unlock()
	sum := 0
	for _, n := range played {
		sum += n
	}
	if want := balls * (hops + 1); sum != want {
		t.Errorf("%d turns, not %d", sum, want)
	}
}

// Runners that nobody needs end after a while.
func TestRunnersEnd(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	started := make(chan bool)
	for range 4 {
		h := &residentHost{}
		h.script = func(port Port, _ []byte) {
			started <- true
			port.Start(1, 7, nil)
			port.Wait(50 * time.Millisecond)
		}
		x, _ := newResident(t, r, p, h, nil)
		x.Deliver(Delivery{Event: 1})
	}
	for range 4 {
		receive(t, started)
	}
	idle := func() int {
		r.runners.mu.Lock()
		defer r.runners.mu.Unlock()
		return len(r.runners.idle)
	}
	for end := time.Now().Add(30 * time.Second); idle() < 4 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := idle(); n != 4 {
		t.Fatalf("%d runners are idle", n)
	}
	for end := time.Now().Add(30 * time.Second); idle() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := idle(); n != 0 {
		t.Errorf("%d runners are still there", n)
	}
}
