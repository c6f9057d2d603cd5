package isolate

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newResident makes a resident of a script, with a channel of its end.
func newResident(t testing.TB, r *Runtime, p *Program, h *residentHost, change func(*Residence)) (*Resident, chan Report) {
	t.Helper()
	ended := make(chan Report, 1)
	h.ended = func(report Report) { ended <- report }
	residence := Residence{Program: p, Host: h, Tenant: "t", Memory: 32 << 20, Operations: 100}
	if change != nil {
		change(&residence)
	}
	x := r.Reside(residence)
	t.Cleanup(func() { x.Close(OK, "") })
	return x, ended
}

func newTestRuntime(t testing.TB, c Config) *Runtime {
	t.Helper()
	if c.Processors == 0 {
		c.Processors = 2
	}
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// turnOf is the event whose turn a script plays.
func turnOf(port Port) uint32 { return port.(*Isolate).Turn() }

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// Events are interleaved where they wait, and each operation is of the event
// that began it.
func TestResidentInterleaves(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	turns := make(chan uint32, 10)
	h := &residentHost{}
	h.script = func(port Port, memory []byte) {
		turn := turnOf(port)
		memory[heapAt]++
		if memory[heapAt] <= 2 { // the first turns of both events
			port.Start(1, 10*turn, nil)
		}
		turns <- turn
	}
	x, ended := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	x.Deliver(Delivery{Event: 2})
	if a, b := receive(t, turns), receive(t, turns); a != 1 || b != 2 {
		t.Fatalf("turns of %d and %d", a, b)
	}
	x.Isolate().Settle(20, true, nil)
	if a := receive(t, turns); a != 2 {
		t.Errorf("a turn of %d", a)
	}
	x.Isolate().Settle(10, true, nil)
	if a := receive(t, turns); a != 1 {
		t.Errorf("a turn of %d", a)
	}
	x.Isolate().Settle(10, true, nil) // is not pending any more
	if u := x.Finish(1, false); u.CPU <= 0 {
		t.Error("the event has used nothing")
	}
	if u := x.Usage(1); u.CPU != 0 {
		t.Error("a forgotten event is known")
	}
	x.Close(OK, "")
	if report := receive(t, ended); report.Outcome != OK {
		t.Errorf("%+v", report)
	}
	x.Deliver(Delivery{Event: 3}) // is lost
}

// What a resident has changed outlives its slot, also while it waits.
func TestResidentParks(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	seen := make(chan byte, 10)
	h := &residentHost{}
	h.script = func(port Port, memory []byte) {
		memory[heapAt]++
		if memory[heapAt] == 1 {
			port.Start(1, 7, nil)
		}
		seen <- memory[heapAt]
	}
	x, _ := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	receive(t, seen)
	for want := byte(2); want < 6; want++ {
		if err := x.Park(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slot, held := x.Held(); slot || held == 0 {
			t.Fatalf("slot %v, %d bytes", slot, held)
		}
		if want == 2 {
			x.Isolate().Settle(7, true, nil)
		} else {
			x.Deliver(Delivery{Event: uint32(want)})
		}
		if got := receive(t, seen); got != want {
			t.Fatalf("found %d, not %d", got, want)
		}
	}
	// Another isolate gets the slot, and none of it.
	if report := play(t, r, Job{Program: p}, func(_ Port, memory []byte) {
		if memory[heapAt] != 0 {
			t.Error("a slot is not clean")
		}
	}); report.Outcome != OK {
		t.Errorf("%+v", report)
	}
}

// A state that was kept is the start of others, each with its own seed.
func TestResidentsFromState(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	base := &residentHost{}
	done := make(chan bool, 1)
	base.script = func(_ Port, memory []byte) { memory[heapAt] = 41 }
	base.rested = func(bool) { done <- true }
	first, _ := newResident(t, r, p, base, nil)
	first.Deliver(Delivery{})
	receive(t, done)
	state, err := first.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	const n = 200
	var mu sync.Mutex
	seeds := map[[8]byte]bool{}
	var group sync.WaitGroup
	for range n {
		group.Add(1)
		h := &residentHost{}
		h.script = func(_ Port, memory []byte) {
			if memory[heapAt] != 41 {
				t.Error("the state is not there")
			}
			memory[heapAt] = 1
			mu.Lock()
			seeds[[8]byte(memory[seedAt:seedAt+8])] = true
			mu.Unlock()
		}
		var x *Resident
		ended := sync.OnceFunc(group.Done)
		h.rested = func(bool) { x.Close(OK, "") }
		x = r.Reside(Residence{Program: p, Host: h, Tenant: "t", Memory: 32 << 20, From: state, Fork: true})
		h.ended = func(Report) { ended() }
		x.Deliver(Delivery{Event: 1})
	}
	group.Wait()
	if len(seeds) != n {
		t.Errorf("%d seeds of %d residents", len(seeds), n)
	}
}

// An event past its limit is interrupted; a guest that goes on is ended.
func TestResidentLimit(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	var told atomic.Uint32
	h := &residentHost{exceeded: func(event uint32) { told.Store(event) }}
	h.script = func(port Port, memory []byte) {
		for memory[interruptFlag] == 0 { // a program that heeds the interrupt
			port.Yield()
		}
		memory[interruptFlag] = 0
	}
	rested := make(chan bool, 10)
	h.rested = func(pending bool) { rested <- pending }
	x, ended := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 5, CPU: 10 * time.Millisecond})
	receive(t, rested)
	if told.Load() != 5 {
		t.Fatalf("event %d exceeded its limit", told.Load())
	}
	select {
	case report := <-ended:
		t.Fatalf("it has ended: %+v", report)
	default:
	}
	x.Deliver(Delivery{Event: 6, Kind: eventSpin, CPU: 10 * time.Millisecond})
	if report := receive(t, ended); report.Outcome != ExceededCPU {
		t.Errorf("%+v", report)
	}
}

func TestResidentEnds(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	t.Run("a bug of the host", func(t *testing.T) {
		h := &residentHost{}
		h.script = func(Port, []byte) { panic("bug") }
		x, ended := newResident(t, r, p, h, nil)
		x.Deliver(Delivery{Event: 1})
		if report := receive(t, ended); report.Outcome != InternalError {
			t.Errorf("%+v", report)
		}
		if _, err := x.Keep(t.Context()); !errors.Is(err, errResidentOver) {
			t.Error(err)
		}
		if err := x.Park(t.Context()); !errors.Is(err, errResidentOver) {
			t.Error(err)
		}
	})
	t.Run("closed in a turn", func(t *testing.T) {
		h := &residentHost{}
		var x *Resident
		h.script = func(port Port, _ []byte) {
			x.Close(Canceled, "enough")
			for {
				port.Yield()
			}
		}
		var ended chan Report
		x, ended = newResident(t, r, p, h, nil)
		x.Deliver(Delivery{Event: 1})
		if report := receive(t, ended); report.Outcome != Canceled || report.Reason() != "enough" {
			t.Errorf("%+v", report)
		}
	})
	t.Run("never used", func(t *testing.T) {
		x, ended := newResident(t, r, p, &residentHost{}, nil)
		x.Close(OK, "")
		x.Close(Canceled, "again")
		if report := receive(t, ended); report.Outcome != OK {
			t.Errorf("%+v", report)
		}
	})
	t.Run("refused", func(t *testing.T) {
		r := newTestRuntime(t, Config{Processors: 1, QueuePerTenant: 1, LivePerTenant: 1})
		hold := &residentHost{}
		hold.script = func(port Port, _ []byte) { port.Start(1, 1, nil) }
		rested := make(chan bool, 1)
		hold.rested = func(pending bool) { rested <- pending }
		first, _ := newResident(t, r, p, hold, nil)
		first.Deliver(Delivery{Event: 1})
		if !receive(t, rested) {
			t.Fatal("nothing is pending")
		}
		refused := make(chan uint32, 1)
		h := &residentHost{refused: func(event uint32, err error) {
			if !errors.Is(err, ErrOverloaded) {
				t.Error(err)
			}
			refused <- event
		}}
		h.script = func(Port, []byte) {}
		second, _ := newResident(t, r, p, h, nil)
		second.Deliver(Delivery{Event: 9})
		if event := receive(t, refused); event != 9 {
			t.Errorf("event %d was refused", event)
		}
	})
}

// A guest that waits in its turn is handed what is delivered meanwhile.
func TestResidentHandsOver(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	handed := make(chan uint32, 2)
	h := &residentHost{}
	h.script = func(port Port, _ []byte) {
		port.Start(1, 3, nil)
		for {
			s, more := port.Wait(-1)
			if !more {
				return
			}
			if s.ID == DeliveryID {
				handed <- turnOf(port)
				if string(s.Message) != "\x02\x00\x00\x00hello" {
					t.Errorf("the message %q", s.Message)
				}
				continue
			}
			if turn := turnOf(port); s.ID != 3 || turn != 1 {
				t.Errorf("operation %d in the turn of %d", s.ID, turn)
			}
			return
		}
	}
	rested := make(chan bool, 1)
	h.rested = func(pending bool) { rested <- pending }
	x, _ := newResident(t, r, p, h, nil)
	x.Deliver(Delivery{Event: 1})
	time.Sleep(time.Millisecond) // so that it waits, most times
	x.Deliver(Delivery{Event: 2, Kind: 2, Message: []byte("hello")})
	if event := receive(t, handed); event != 2 {
		t.Errorf("the turn of %d", event)
	}
	x.Isolate().Settle(3, true, nil)
	if receive(t, rested) {
		t.Error("something is pending")
	}
}

// Many residents do everything at once.
func TestResidentHammer(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	const residents, rounds = 24, 120
	var group sync.WaitGroup
	for i := range residents {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			h := &residentHost{}
			var turns atomic.Int64
			h.script = func(port Port, memory []byte) {
				turns.Add(1)
				memory[heapAt+int(memory[heapAt])*4096]++
				memory[heapAt]++
				if memory[heapAt]%3 == 0 {
					id := uint32(memory[heapAt]) + 1
					iso := port.(*Isolate)
					port.Start(1, id, nil)
					go iso.Settle(id, true, nil)
				}
			}
			ended := make(chan Report, 1)
			h.ended = func(report Report) { ended <- report }
			x := r.Reside(Residence{Program: p, Host: h, Tenant: string(rune('a' + i%3)), Memory: 64 << 20, Operations: 100})
			for round := range rounds {
				switch random.IntN(6) {
				case 0:
					if err := x.Park(context.Background()); err != nil {
						t.Error(err)
					}
				case 1:
					s, err := x.Keep(context.Background())
					if err != nil {
						t.Error(err)
					} else if err := s.Close(); err != nil {
						t.Error(err)
					}
				case 2:
					x.Held()
					x.Finish(uint32(random.IntN(rounds)), false)
				default:
					x.Deliver(Delivery{Event: uint32(round + 1), CPU: time.Minute})
				}
			}
			x.Close(OK, "")
			if report := receive(t, ended); report.Outcome != OK {
				t.Errorf("%+v", report)
			}
		})
	}
	group.Wait()
}
