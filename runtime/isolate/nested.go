package isolate

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"mayfly/runtime/engine"
)

// A Nester is a Machine whose guest can be entered again by the synchronous
// operation that it waits for.
type Nester interface {
	// Nested has the guest perform one of its own functions, which may itself
	// call operations. The answer is valid until the guest goes on. Its error
	// is what engine.Function.Call gave, after which the guest is over.
	Nested(function uint32, message []byte) (answer []byte, err error)
	// Memory is the guest's linear memory. It never moves.
	Memory() []byte
}

var errNoNester = errors.New("the guest can't be entered in the middle of an operation")

func (iso *Isolate) nester() Nester {
	n, ok := iso.slot.machine.(Nester)
	if !ok {
		panic(engine.Stop{Cause: errNoNester})
	}
	return n
}

// Nested enters the guest in the middle of the synchronous operation that
// Host.Call answers. Where the guest ends meanwhile it does not return.
func (iso *Isolate) Nested(function uint32, message []byte) []byte {
	answer, err := iso.nester().Nested(function, message)
	if err != nil {
		var stop engine.Stop
		if errors.As(err, &stop) {
			panic(stop)
		}
		panic(engine.Stop{Cause: err})
	}
	return answer
}

// Memory is the guest's linear memory, for the use of synchronous operations.
func (iso *Isolate) Memory() []byte { return iso.nester().Memory() }

// asideCheck is how often limits are looked at while work is done aside.
const asideCheck = 10 * time.Millisecond

// Aside has long work of a synchronous operation done on a goroutine of its
// own, for which the isolate gives its processor back. The processor time that
// it takes is the isolate's. Where a limit ends the isolate meanwhile Aside
// does not return, while work, which can't be stopped, goes on: it must touch
// nothing of the isolate.
func (iso *Isolate) Aside(work func()) {
	iso.spread()
	var done atomic.Bool
	var failure any
	var used time.Duration
	clocks := make(chan func() time.Duration, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		clock := otherThread()
		start := clock()
		clocks <- func() time.Duration { return clock() - start }
		defer func() {
			if r := recover(); r != nil {
				failure = &engine.HostPanic{Value: r, Stack: debug.Stack()}
			}
			used = clock() - start
			done.Store(true)
			iso.mu.Lock()
			iso.signal()
			iso.mu.Unlock()
		}()
		work()
	}()
	clock := <-clocks
	for {
		iso.mu.Lock()
		iso.waits()
		iso.mu.Unlock()
		if done.Load() {
			break
		}
		iso.stopped()
		if limit := iso.job.Limits.CPU; limit > 0 {
			// The thread may serve others as soon as the work is done.
			if so := clock(); !done.Load() && iso.usage.CPU+so > limit {
				iso.usage.CPU += so
				iso.Unwind(ExceededCPU, "the CPU limit of "+limit.String()+" was reached")
			}
		}
		if end := iso.cpuEnd; end > 0 {
			if so := clock(); !done.Load() && iso.usage.CPU+so > end {
				iso.usage.CPU += so
				iso.Unwind(ExceededCPU, "the CPU limit was reached")
			}
		}
		if err := iso.rest(time.Now().Add(asideCheck)); err != nil {
			panic(engine.Stop{Cause: err})
		}
	}
	iso.usage.CPU += used
	if failure != nil {
		panic(failure)
	}
}
