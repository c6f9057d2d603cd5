package execution

import (
	"errors"
	"fmt"
	"time"
)

// DefaultLimits hold where a request and the server's configuration are silent.
var DefaultLimits = Limits{
	CPU:         5 * time.Second,
	Wall:        30 * time.Second,
	MemoryBytes: 128 << 20,
	OutputBytes: 1 << 20,
	FilesBytes:  64 << 20,
	Subrequests: 50,
	Operations:  1000,
}

// DefaultCaps are the highest limits that a request may ask for, where the
// server's configuration is silent.
var DefaultCaps = Limits{
	CPU:         60 * time.Second,
	Wall:        5 * time.Minute,
	MemoryBytes: 384 << 20,
	OutputBytes: 16 << 20,
	FilesBytes:  256 << 20,
	Subrequests: 1000,
	Operations:  10_000,
}

// limitFields names the limits as requests do, in the order of Limits, with
// the unit that requests count in.
var limitFields = [...]struct {
	field string
	unit  int64
}{
	{"/limits/cpu_ms", int64(time.Millisecond)},
	{"/limits/wall_ms", int64(time.Millisecond)},
	{"/limits/memory_mb", 1 << 20},
	{"/limits/output_bytes", 1},
	{"/limits/files_bytes", 1},
	{"/limits/subrequests", 1},
	{"/limits/operations", 1},
}

func (l Limits) values() [len(limitFields)]int64 {
	return [...]int64{int64(l.CPU), int64(l.Wall), l.MemoryBytes, l.OutputBytes, l.FilesBytes, int64(l.Subrequests), int64(l.Operations)}
}

func limitsOf(v [len(limitFields)]int64) Limits {
	return Limits{time.Duration(v[0]), time.Duration(v[1]), v[2], v[3], v[4], int(v[5]), int(v[6])}
}

// Or is l with its zero fields taken from d.
func (l Limits) Or(d Limits) Limits {
	v := l.values()
	for i, x := range d.values() {
		if v[i] == 0 {
			v[i] = x
		}
	}
	return limitsOf(v)
}

// check names each limit that is negative or above its cap.
func (l Limits) check(caps Limits) error {
	var errs []error
	most := caps.values()
	for i, x := range l.values() {
		if f := limitFields[i]; x < 0 || most[i] > 0 && x > most[i] {
			errs = append(errs, &InvalidError{f.field, fmt.Sprintf("%d is not between 1 and %d, the most that this server allows", x/f.unit, most[i]/f.unit)})
		}
	}
	return errors.Join(errs...)
}

// within is l with each field at most that of caps.
func (l Limits) within(caps Limits) Limits {
	v := l.values()
	for i, x := range caps.values() {
		if x > 0 && v[i] > x {
			v[i] = x
		}
	}
	return limitsOf(v)
}
