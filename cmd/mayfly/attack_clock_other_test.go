//go:build !linux

package main

import (
	"runtime"
	"testing"
	"time"
)

var attackEpoch = time.Now()

// processorTime is how much processor time the server would have used if it had
// had all processors all the time: another process's clock can't be read here.
func (s *attackServer) processorTime(testing.TB) time.Duration {
	return time.Since(attackEpoch) * time.Duration(runtime.NumCPU())
}
