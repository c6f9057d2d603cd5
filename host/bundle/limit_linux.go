package bundle

import "golang.org/x/sys/unix"

// workerMemory is the most that a worker may have, in bytes. A source can make
// code that is any number of times its size.
const workerMemory = 2 << 30

// limitMemory has the process end when it needs more.
func limitMemory() {
	limit := unix.Rlimit{Cur: workerMemory, Max: workerMemory}
	_ = unix.Setrlimit(unix.RLIMIT_DATA, &limit) // without, the machine's limits hold
}

// processorTime is what this process has used, in nanoseconds.
func processorTime() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
