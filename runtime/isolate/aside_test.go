package isolate

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// The time of a thread that works is seen from outside, and that of one that
// waits doesn't pass.
func TestOtherThread(t *testing.T) {
	clocks := make(chan func() time.Duration)
	var stop atomic.Bool
	defer stop.Store(true)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		clocks <- otherThread()
		for !stop.Load() {
		}
	}()
	clock := <-clocks
	start := clock()
	for deadline := time.Now().Add(10 * time.Second); clock()-start < 20*time.Millisecond; {
		if time.Now().After(deadline) {
			t.Fatalf("a busy thread used %v", clock()-start)
		}
		time.Sleep(time.Millisecond)
	}
}
