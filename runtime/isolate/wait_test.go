package isolate

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// running says how many processors are held.
func running(r *Runtime) int { return r.Stats().Running }

// eventually waits until a condition holds, for up to ten seconds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("still not: " + what)
		}
	}
}

// blocks are the ways in which a guest waits inside its turn, for a long time.
var blocks = map[string]func(port Port) bool{
	"Wait":      func(port Port) bool { _, more := port.Wait(time.Hour); return more },
	"Wait ever": func(port Port) bool { port.Start(1, 77, nil); _, more := port.Wait(-1); return more },
	"Pause":     func(port Port) bool { port.Pause(time.Hour); return false },
}

// TestWaitsEnd ends waits by everything that can.
func TestWaitsEnd(t *testing.T) {
	p := prepareScripted(t, scripted{})
	for name, block := range blocks {
		for why, test := range map[string]struct {
			limits Limits
			end    func(iso *Isolate, cancel func())
			want   Outcome
		}{
			"wall limit": {limits: Limits{Wall: 20 * time.Millisecond}, want: ExceededWallTime},
			"cancel":     {end: func(_ *Isolate, cancel func()) { cancel() }, want: Canceled},
			"end":        {end: func(iso *Isolate, _ func()) { iso.End(LoadShed, "test") }, want: LoadShed},
			"interrupt":  {end: func(iso *Isolate, _ func()) { iso.Interrupt(time.Hour) }, want: OK},
		} {
			t.Run(name+"/"+why, func(t *testing.T) {
				r := newRuntime(t, Config{Processors: 1})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var noticed atomic.Bool
				started := make(chan *Isolate, 1)
				done := make(chan Report, 1)
				go func() {
					report, err := r.Run(ctx, Job{
						Program: p, Limits: test.limits, Started: func(iso *Isolate) { started <- iso },
						Host: &scriptHost{script: func(port Port, memory []byte) {
							if block(port) {
								t.Error("something settled")
							}
							noticed.Store(memory[interruptFlag] == 1)
						}},
					})
					if err != nil {
						t.Error(err)
					}
					done <- report
				}()
				iso := <-started
				if test.end != nil {
					eventually(t, "the processor is given back", func() bool { return running(r) == 0 })
					test.end(iso, cancel)
				}
				report := <-done
				if report.Outcome != test.want {
					t.Errorf("%+v", report)
				}
				if want := why == "interrupt"; noticed.Load() != want {
					t.Errorf("interrupted: %t", noticed.Load())
				}
				if running(r) != 0 || r.Stats().Lasting != 0 {
					t.Errorf("%+v", r.Stats())
				}
			})
		}
	}
}

// TestWaitEndsBeforeItBegins ends isolates at the moment at which they begin
// to wait.
func TestWaitEndsBeforeItBegins(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 2})
	for i := range 300 {
		for _, block := range blocks {
			report := play(t, r, Job{Program: p, Started: func(iso *Isolate) {
				go func() {
					for range i { // now before it, now after it
					}
					if i%2 == 0 {
						iso.End(Canceled, "test")
					} else {
						iso.Interrupt(time.Hour)
					}
				}()
			}}, func(port Port, _ []byte) { block(port) })
			if want := [2]Outcome{Canceled, OK}[i%2]; report.Outcome != want {
				t.Fatalf("%+v", report)
			}
		}
	}
}

// TestWaitDelivers settles operations while the guest waits for them.
func TestWaitDelivers(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	var settled []uint32
	host := &scriptHost{
		start:  func(iso *Isolate, id uint32) { go iso.Settle(id, id%2 == 0, []byte{byte(id)}) },
		settle: func(id uint32) { settled = append(settled, id) },
		script: func(port Port, _ []byte) {
			if _, more := port.Wait(-1); more {
				t.Error("something settled")
			}
			const n = 50
			for id := range uint32(n) {
				port.Start(1, 1+id, nil)
			}
			seen := map[uint32]bool{}
			for range n {
				s, more := port.Wait(-1)
				if !more || seen[s.ID] || s.OK != (s.ID%2 == 0) || s.Message[0] != byte(s.ID) {
					t.Errorf("%+v, %t", s, more)
				}
				seen[s.ID] = true
			}
			if _, more := port.Wait(-1); more {
				t.Error("something settled")
			}
			start := time.Now()
			if _, more := port.Wait(3 * time.Millisecond); more || time.Since(start) < 3*time.Millisecond {
				t.Errorf("waited %v, %t", time.Since(start), more)
			}
			port.Start(1, 99, nil)
			start = time.Now()
			if port.Pause(3 * time.Millisecond); time.Since(start) < 3*time.Millisecond {
				t.Errorf("paused for %v", time.Since(start))
			}
			if s, more := port.Wait(0); !more || s.ID != 99 {
				t.Errorf("%+v, %t", s, more)
			}
		},
	}
	report, err := r.Run(t.Context(), Job{Program: p, Host: host})
	if err != nil || report.Outcome != OK {
		t.Fatalf("%+v, %v", report, err)
	}
	if len(settled) != 51 {
		t.Errorf("the host heard of %d", len(settled))
	}
}

// TestManyWait has many isolates wait on one processor, while another tenant's
// go on running.
func TestManyWait(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	const n = 200
	var wg sync.WaitGroup
	release := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			report := play(t, r, Job{Program: p, Tenant: "waits"}, func(port Port, memory []byte) {
				memory[heapAt] = byte(i)
				iso := port.(*Isolate)
				go func() { <-release; iso.Settle(5, true, nil) }()
				port.Start(1, 5, nil)
				if s, more := port.Wait(-1); !more || s.ID != 5 || memory[heapAt] != byte(i) {
					t.Errorf("%+v, %t", s, more)
				}
			})
			if report.Outcome != OK || report.Usage.CPU > time.Second {
				t.Errorf("%+v", report)
			}
		})
	}
	eventually(t, "all of them wait", func() bool { s := r.Stats(); return s.Lasting == n && s.Running == 0 })
	for range 20 {
		report := play(t, r, Job{Program: p, Tenant: "runs"}, func(_ Port, memory []byte) {
			if memory[heapAt] != 0 {
				t.Error("a slot of one that waits")
			}
		})
		if report.Outcome != OK {
			t.Errorf("%+v", report)
		}
	}
	close(release)
	wg.Wait()
}

// TestInterrupt interrupts programs that listen, that don't, and that can't.
func TestInterrupt(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	// One that ends by itself: its state is kept, and nothing of the interrupt
	// is left for what comes after.
	report := play(t, r, Job{Program: p, Keep: true, Started: func(iso *Isolate) { iso.Interrupt(0) }}, func(port Port, memory []byte) {
		memory[heapAt] = 3
		for memory[interruptFlag] == 0 {
			port.Yield()
		}
	})
	if report.Outcome != OK || report.State == nil {
		t.Fatalf("%+v", report)
	}
	play(t, r, Job{Program: p, From: report.State}, func(port Port, memory []byte) {
		port.Yield()
		if memory[interruptFlag] != 0 || memory[heapAt] != 3 {
			t.Error("the next event is interrupted, too")
		}
	})
	closeState(t, report.State)
	// One that is told and goes on.
	times := byte(0)
	report, err := r.Run(t.Context(), Job{Program: p, Keep: true, Started: func(iso *Isolate) { iso.Interrupt(300 * time.Millisecond) },
		Host: &scriptHost{script: func(port Port, memory []byte) {
			for {
				port.Yield()
				times = memory[interruptFlag]
				port.(*Isolate).Interrupt(time.Hour) // the first grace counts
			}
		}}})
	if err != nil || report.Outcome != Canceled || report.State != nil || times < 2 {
		t.Errorf("%+v, %v; told %d times", report, err, times)
	}
	// One whose machine can't be told.
	other := prepareScripted(t, scripted{deaf: true})
	report, err = r.Run(t.Context(), Job{Program: other, Event: eventSpin, Host: &scriptHost{},
		Started: func(iso *Isolate) { time.AfterFunc(5*time.Millisecond, func() { iso.Interrupt(time.Hour) }) }})
	if err != nil || report.Outcome != Canceled {
		t.Errorf("%+v, %v", report, err)
	}
	// One that has ended.
	var late *Isolate
	play(t, r, Job{Program: p, Started: func(iso *Isolate) { late = iso }}, func(Port, []byte) {})
	late.Interrupt(time.Nanosecond)
	if late.grace != nil {
		t.Error("an isolate that has ended can be interrupted")
	}
}

// TestInterruptAtRest interrupts a guest between two turns.
func TestInterruptAtRest(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	for name, heeds := range map[string]bool{"heeds": true, "goes on": false} {
		turns := 0
		report := play(t, r, Job{Program: p, Event: eventRest, Keep: true, Started: func(iso *Isolate) {
			go func() {
				eventually(t, "it rests", func() bool { return running(r) == 0 })
				grace := 20 * time.Millisecond
				if heeds {
					grace = time.Hour // it does not take that
				}
				iso.Interrupt(grace)
			}()
		}}, func(port Port, memory []byte) {
			turns++
			if memory[0] != restMark {
				memory[0] = restMark
				port.Start(1, 9, nil)
			} else if heeds && memory[interruptFlag] == 1 {
				memory[0] = 0
			}
		})
		want, least := Canceled, 1 // its grace may be over before it gets a processor
		if heeds {
			want, least = OK, 2
		}
		if report.Outcome != want || turns < least || turns > 2 || (report.State != nil) != heeds {
			t.Errorf("%s: %+v after %d turns", name, report, turns)
		}
		if report.State != nil {
			closeState(t, report.State)
		}
	}
}
