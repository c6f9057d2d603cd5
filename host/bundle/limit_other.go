//go:build !linux

package bundle

import "time"

// limitMemory does nothing where the system has no such limit.
func limitMemory() {}

// processorTime is the time that has passed, where the system does not say more.
func processorTime() int64 { return time.Since(started).Nanoseconds() }

var started = time.Now()
