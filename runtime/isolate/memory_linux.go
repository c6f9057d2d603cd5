package isolate

import (
	"bytes"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// memoryTotal is what the process may use: the machine's memory, or its
// control group's limit if that is less (cgroup v2, memory.max).
func memoryTotal() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return math.MaxInt64
	}
	total := int64(info.Totalram) * int64(info.Unit)
	if limit, ok := readNumber("/sys/fs/cgroup/memory.max"); ok {
		total = min(total, limit)
	}
	return total
}

// memoryFree is what the machine or the control group has left.
func memoryFree() int64 {
	free := int64(math.MaxInt64)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, rest, ok := bytes.Cut(b, []byte("MemAvailable:")); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				if kib, err := strconv.ParseInt(string(f[0]), 10, 64); err == nil {
					free = kib << 10
				}
			}
		}
	}
	limit, ok := readNumber("/sys/fs/cgroup/memory.max")
	used, ok2 := readNumber("/sys/fs/cgroup/memory.current")
	if ok && ok2 {
		free = min(free, limit-used)
	}
	return free
}

// memoryResident is the resident memory of this process.
func memoryResident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(string(f[1]), 10, 64)
	shared, _ := strconv.ParseInt(string(f[2]), 10, 64) // images and the program itself
	return (resident - shared) * int64(os.Getpagesize())
}

func readNumber(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n, err == nil // "max" is no number
}
