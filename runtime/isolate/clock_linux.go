package isolate

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadCPU is the processor time of the calling thread; the goroutine has to
// be locked to it. It is read around every guest segment: RawSyscall keeps the
// Go scheduler out of it.
func threadCPU() time.Duration {
	var ts unix.Timespec
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

// otherThread is the processor time of the calling thread, as other threads can
// read it while it lives (clock_gettime(2); the kernel's CPUCLOCK_SCHED of one
// thread).
func otherThread() func() time.Duration {
	clock := ^int32(unix.Gettid())<<3 | 6
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(clock, &t); err != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}
}
