package isolate

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestPressure has a watch see memory come and go.
func TestPressure(t *testing.T) {
	const budget = 1000 << 20
	var resident, free, trims, asked atomic.Int64
	free.Store(4 * reserve)
	var trimmed func()
	p := newPressure(budget, func() { trims.Add(1); trimmed() })
	p.measure = func() (int64, int64) { return resident.Load(), free.Load() }
	p.keepers[&keeper{asked.Store}] = struct{}{}
	now := time.Now()
	look := func(percent int64, after time.Duration) {
		t.Helper()
		resident.Store(budget / 100 * percent)
		now = now.Add(after)
		p.look()
		p.tend(now)
		p.work.Wait()
	}
	check := func(what string, wantTrims, wantAsked int64) {
		t.Helper()
		if n, m := trims.Swap(0), asked.Swap(0); n != wantTrims || m != wantAsked {
			t.Errorf("%s: %d times clean slots were closed, and %d bytes were asked for; want %d, %d", what, n, m, wantTrims, wantAsked)
		}
	}
	trimmed = func() {}
	look(94, time.Hour)
	check("below", 0, 0)
	look(96, time.Hour)
	check("above", 1, budget/100*6)
	look(96, pressurePeriod)
	check("at once again", 0, 0)
	look(96, 2*relievePeriod)
	check("later", 1, budget/100*6)
	trimmed = func() { resident.Store(budget / 2) }
	look(96, time.Hour)
	check("where clean slots are enough", 1, 0)
	trimmed = func() {}
	free.Store(reserve - 1)
	look(50, time.Hour)
	check("on a machine that is short", 1, 1)
	free.Store(4 * reserve)
	look(50, time.Hour)
	check("when all is well", 0, 0)

	live := func(bytes int64) *Isolate {
		iso := &Isolate{job: &Job{}}
		iso.memory.Store(bytes)
		p.add(iso)
		return iso
	}
	large, middle, small := live(budget/10), live(budget/11), live(budget/12)
	ended := func(what string, want ...*Isolate) {
		t.Helper()
		for i, iso := range []*Isolate{large, middle, small} {
			should := false
			for _, w := range want {
				should = should || w == iso
			}
			if is := iso.ending.Load() != nil; is != should {
				t.Errorf("%s: isolate %d has ended: %v", what, i, is)
			}
		}
	}
	look(101, time.Hour)
	look(101, lastPeriod/2)
	look(99, lastPeriod/2)
	look(101, lastPeriod/2)
	look(101, lastPeriod/2)
	ended("for a moment")
	look(101, 2*lastPeriod)
	ended("for long", large)
	look(105, 2*lastPeriod)
	ended("while one ends, which is enough", large)
	look(116, pressurePeriod)
	ended("far above, while one ends", large)
	look(150+11, pressurePeriod)
	ended("farther above", large, middle)
}

// Clean slots are closed for want of memory, and made again.
func TestTrim(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{Processors: 1})
	run := func() {
		if report := play(t, r, Job{Program: p}, func(_ Port, memory []byte) { memory[heapAt]++ }); report.Outcome != OK {
			t.Fatalf("%+v", report)
		}
	}
	slots := func() int { return len(r.scheduler.idle[0].clean[p]) }
	run()
	if !p.spares.leave(r.scheduler.idle[0].clean[p][0]) {
		t.Fatal("there was no room")
	}
	r.scheduler.idle[0].clean[p] = nil
	run() // takes it back
	if n := slots(); n != 1 {
		t.Fatalf("%d slots are kept", n)
	}
	left := slotsLeft.Load()
	s, err := p.newSlot()
	if err != nil {
		t.Fatal(err)
	}
	p.spares.leave(s)
	p.spares.making.Wait() // of those made ahead, where that takes long
	r.trim()
	if n := slots() + len(p.spares.left) + len(p.spares.slots); n != 0 || slotsLeft.Load() != left {
		t.Errorf("%d slots are left, counted are %d", n, slotsLeft.Load()-left)
	}
	run()
}

// Who is asked to do without its residents, and in which order.
func TestEvict(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{})
	var order string
	make := func(name, tenant string, pages int, willing bool) *Resident {
		rested := make(chan bool, 2)
		h := &residentHost{rested: func(bool) { rested <- true }}
		h.script = func(_ Port, memory []byte) {
			for i := range pages {
				memory[heapAt+i*4096] = byte(i + 1)
			}
		}
		x, _ := newResident(t, r, p, h, func(residence *Residence) { residence.Tenant = tenant })
		h.evict = func() bool {
			order += name
			if willing {
				x.Close(OK, "")
			}
			return willing
		}
		x.Deliver(Delivery{Event: 1})
		receive(t, rested)
		x.Finish(1, false)
		if err := x.Park(t.Context()); err != nil {
			t.Fatal(err)
		}
		receive(t, rested)
		return x
	}
	evict := func(excess int64, want string) {
		t.Helper()
		order = ""
		if r.pressure.evict(excess); order != want {
			t.Errorf("%q were asked, not %q", order, want)
		}
	}
	make("a", "light", 50, true)
	large := make("b", "heavy", 40, true)
	make("c", "heavy", 20, false)
	make("d", "heavy", 15, true)
	_, bytes := large.Held()
	evict(bytes, "b")
	eventually(t, "it has ended", func() bool { _, bytes := large.Held(); return bytes == 0 })
	evict(1<<30, "acd")
	evict(1<<30, "c")
}
