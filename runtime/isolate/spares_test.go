package isolate

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/runtime/engine"
)

// slow is a guest whose slots take long to make.
type slow struct{ scripted }

func (g slow) Machine(in engine.Instance) (Machine, error) {
	time.Sleep(2 * spareCost)
	return g.scripted.Machine(in)
}

// TestSpares has isolates come all at once, and closes the program while slots
// are made.
func TestSpares(t *testing.T) {
	for _, test := range []struct {
		guest Guest
		least int
	}{{slow{scripted{name: "slow"}}, mostSpares}, {scripted{name: "quick"}, 0}} {
		e, err := engine.New(engine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			p, err := Prepare(t.Context(), e, test.guest, t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := New(Config{Processors: 2})
			if err != nil {
				t.Fatal(err)
			}
			made := func() int {
				p.spares.mu.Lock()
				defer p.spares.mu.Unlock()
				return len(p.spares.slots)
			}
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					report := play(t, r, Job{Program: p}, func(port Port, memory []byte) {
						if memory[heapAt] != 0 {
							t.Error("a slot is not clean")
						}
						memory[heapAt] = 1
						port.Pause(5 * time.Millisecond)
					})
					if report.Outcome != OK {
						t.Errorf("%+v", report)
					}
				})
			}
			wg.Wait()
			if round > 0 { // in the first, whatever is under way is closed
				eventually(t, "slots are made ahead", func() bool { return made() >= test.least })
				time.Sleep(5 * spareCost)
				if n := made(); n > mostSpares {
					t.Errorf("%d slots are kept, not %d", n, mostSpares)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			p.refill()
			if made() != 0 {
				t.Error("slots are made of a closed program")
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSlotsAreLeft has more isolates at once than a processor keeps slots.
func TestSlotsAreLeft(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := Prepare(t.Context(), e, scripted{name: "quick"}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Processors: 1})
	if err != nil {
		t.Fatal(err)
	}
	const n = keepClean + 10
	before := slotsLeft.Load()
	burst := func() {
		var begun atomic.Int32
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				report := play(t, r, Job{Program: p}, func(port Port, memory []byte) {
					if memory[heapAt] != 0 {
						t.Error("a slot is not clean")
					}
					memory[heapAt] = 1
					begun.Add(1)
					for range 10_000 { // until all have a slot
						if port.Pause(time.Millisecond); begun.Load() == n {
							break
						}
					}
				})
				if report.Outcome != OK {
					t.Errorf("%+v", report)
				}
			})
		}
		wg.Wait()
	}
	burst()
	if left := slotsLeft.Load() - before; left != n-keepClean {
		t.Errorf("%d slots are left, not %d", left, n-keepClean)
	}
	burst()
	if left := slotsLeft.Load() - before; left != n-keepClean {
		t.Errorf("%d slots are left the second time, not %d: they were not taken", left, n-keepClean)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if left := slotsLeft.Load() - before; left != 0 {
		t.Errorf("%d slots are left of a closed program", left)
	}
}
