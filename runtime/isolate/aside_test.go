package isolate

import (
	"runtime"
	"testing"
	"time"
)

// The time of a thread that works is seen from outside, and that of one that
// waits doesn't pass.
func TestOtherThread(t *testing.T) {
	clocks := make(chan func() time.Duration)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		clocks <- otherThread()
		for {
			select {
			case <-stop:
				return
			default:
			}
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
