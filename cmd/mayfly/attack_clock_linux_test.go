package main

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is how much processor time the server has used since its start,
// all threads together.
func (s *attackServer) processorTime(t testing.TB) time.Duration {
	t.Helper()
	const scheduled = 2 // the process's clock as the scheduler counts: clock_getcpuclockid(3)
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^s.command.Process.Pid<<3|scheduled), &at); err != nil {
		t.Fatalf("the clock of the server's process: %v", err)
	}
	return time.Duration(at.Nano())
}
