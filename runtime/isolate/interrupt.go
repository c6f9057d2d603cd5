package isolate

import (
	"time"

	"mayfly/runtime/engine"
)

// DefaultGrace is how long an isolate that was interrupted may go on where the
// caller has no wish.
const DefaultGrace = time.Second

// Interrupt asks the guest to end its event, from outside and from any
// goroutine: at its next yield, or at once if it waits, a machine that is an
// [Interrupter] is asked, so that the program sees an error of its language and
// its state survives. An event that hasn't ended after the grace, and one of
// another machine at once, ends with the outcome Canceled. A grace of 0 or less
// means DefaultGrace; it runs from the first call on. An isolate that has ended
// is left alone.
func (iso *Isolate) Interrupt(grace time.Duration) {
	if grace <= 0 {
		grace = DefaultGrace
	}
	iso.mu.Lock()
	defer iso.mu.Unlock()
	if iso.over {
		return
	}
	if iso.grace == nil {
		iso.grace = time.AfterFunc(grace, func() {
			iso.End(Canceled, "the program was interrupted and did not end within "+grace.String())
		})
	}
	iso.asked.Store(true)
	iso.signal()
}

// uninterrupt makes interrupts void: the guest has ended.
func (iso *Isolate) uninterrupt() {
	iso.mu.Lock()
	defer iso.mu.Unlock()
	iso.over = true
	if iso.grace != nil {
		iso.grace.Stop()
	}
}

// askMachine passes an interrupt on to the guest. It runs on the goroutine of
// the turn. The error is an *ended if there is nothing to be asked.
func (iso *Isolate) askMachine() error {
	m, ok := iso.slot.machine.(Interrupter)
	if !ok {
		iso.ending.CompareAndSwap(nil, &ended{Canceled, "the program was interrupted"})
		return iso.ending.Load()
	}
	return m.Interrupt()
}

// stopped unwinds the guest if its event was ended from outside, and passes an
// interrupt on: it reports if there was one. It is called in the middle of a
// turn.
func (iso *Isolate) stopped() bool {
	if e := iso.ending.Load(); e != nil {
		panic(engine.Stop{Cause: e})
	}
	if !iso.asked.Load() || !iso.asked.Swap(false) {
		return false
	}
	if err := iso.askMachine(); err != nil {
		panic(engine.Stop{Cause: err})
	}
	return true
}
