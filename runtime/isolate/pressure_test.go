package isolate

import (
	"sync"
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
	p := newPressure(budget, func(all bool) int {
		if all {
			trims.Add(1)
			trimmed()
		}
		return 0
	})
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
	free.Store(0)
	look(50, pressurePeriod)
	ended("on a machine that is short, while one ends", large)
	free.Store(4 * reserve)
	look(116, pressurePeriod)
	ended("far above, while one ends", large)
	look(150+11, pressurePeriod)
	ended("farther above", large, middle)
}

// Clean slots are closed when nobody has needed them for a while, all of them for
// want of memory, and made again.
func TestTrim(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newTestRuntime(t, Config{Processors: 1})
	before := slotsLeft.Load()
	// Many wait at once, then one after the other comes.
	const many = keepClean + 4
	inside, leave := make(chan bool, many), make(chan bool)
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			x, ended := newResident(t, r, p, &residentHost{scriptHost: scriptHost{script: func(_ Port, memory []byte) { memory[heapAt]++ }}, rested: func(bool) { inside <- true }}, nil)
			x.Deliver(Delivery{Event: 1})
			<-leave
			x.Close(OK, "")
			<-ended
		})
	}
	for range many {
		receive(t, inside)
	}
	close(leave)
	wg.Wait()
	run := func() {
		t.Helper()
		if report := play(t, r, Job{Program: p}, func(_ Port, memory []byte) {
			if memory[heapAt]++; memory[heapAt] != 1 {
				t.Error("the slot is not clean")
			}
		}); report.Outcome != OK {
			t.Fatalf("%+v", report)
		}
	}
	check := func(what string, kept, left int) {
		t.Helper()
		p.spares.making.Wait() // of those made ahead, where that takes long
		k := 0
		if h := r.scheduler.idle[0].clean[p]; h != nil {
			k = len(h.slots)
		}
		if n := int(slotsLeft.Load() - before); k != kept || len(p.spares.left.slots) != left || n != left {
			t.Errorf("%s: %d slots are kept and %d are left, of which %d count; want %d and %d", what, k, len(p.spares.left.slots), n, kept, left)
		}
	}
	check("when they have gone", keepClean, 4)
	r.trim(false)
	check("at first", keepClean, 4)
	run()
	if n := r.trim(false); n != keepClean+4-1 {
		t.Errorf("%d slots were closed", n)
	}
	check("with one used", 1, 0)
	run()
	r.trim(false)
	check("with one used still", 1, 0)
	r.trim(true)
	check("for want of memory", 0, 0)
	if n := len(p.spares.slots); n != 0 {
		t.Errorf("%d slots were made ahead", n)
	}
	run()
	r.trim(false)
	r.trim(false)
	check("with none used", 0, 0)
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
