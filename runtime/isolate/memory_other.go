//go:build !linux

package isolate

import (
	"math"
	"runtime"
)

func memoryTotal() int64 { return 8 << 30 }

func memoryFree() int64 { return math.MaxInt64 }

// memoryResident is what Go has from the system; slots without a window are
// part of it.
func memoryResident() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}
