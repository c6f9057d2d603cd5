//go:build !linux

package isolate

import "time"

var clockStart = time.Now()

// threadCPU falls back to the monotonic clock, which counts too much when the
// machine is busy: a guest is stopped early, never late.
func threadCPU() time.Duration { return time.Since(clockStart) }

// otherThread is the time that passes.
func otherThread() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
