// Package system answers the small synchronous operations that need nothing of
// an execution's policy: randomness and clocks.
package system

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"mayfly/host/op"
)

// MaxRandom is how many bytes one random operation gives (Web Crypto,
// getRandomValues).
const MaxRandom = 65536

// Resolution is the step of the guests' clocks: coarse, so that they are of
// little use for measuring what neighbours do.
const Resolution = 100 * time.Microsecond

// Options configure a System. The zero value is usable.
type Options struct {
	Random io.Reader        // cryptographically strong; default crypto/rand
	Now    func() time.Time // with a monotonic reading; default time.Now
	Uptime time.Duration    // what the clock shows at first that counts from the start
}

// A System answers for one isolate, whose life begins when it is made. It is
// not safe for concurrent use.
type System struct {
	options Options
	start   time.Time
}

// New makes a system.
func New(options Options) *System {
	if options.Random == nil {
		options.Random = rand.Reader
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &System{options: options, start: options.Now().Add(-options.Uptime)}
}

// ErrTooManyBytes is the guest's fault.
var ErrTooManyBytes = errors.New("more random bytes than 65536 are asked for at once")

// Call answers the operations random and clock. The answer is appended
// to out[:0] if it fits there, else allocated; nothing of in is kept.
//
// # Errors
//
// [ErrTooManyBytes], [op.ErrMessage] if in can't be read or the
// operation is none of these, or what Options.Random fails with.
func (s *System) Call(o op.Op, in, out []byte) ([]byte, error) {
	r, w := op.NewReader(in), op.NewWriter(out)
	switch o {
	case op.Random:
		n := r.U32()
		if err := r.Done(); err != nil {
			return nil, err
		}
		if n > MaxRandom {
			return nil, ErrTooManyBytes
		}
		answer := out[:0]
		if uint32(cap(answer)) < n {
			answer = make([]byte, n)
		}
		answer = answer[:n]
		if _, err := io.ReadFull(s.options.Random, answer); err != nil {
			return nil, fmt.Errorf("random: %w", err)
		}
		return answer, nil
	case op.Clock:
		if err := r.Done(); err != nil {
			return nil, err
		}
		now := s.options.Now()
		w.F64(coarse(time.Duration(now.UnixNano())))
		w.F64(coarse(now.Sub(s.start)))
		return w.Message(), nil
	}
	return nil, op.ErrMessage
}

// coarse is a time in milliseconds, rounded down to Resolution.
func coarse(d time.Duration) float64 {
	// Whole tenths are divided last, so that they are the nearest numbers.
	return float64(d/Resolution) / float64(time.Millisecond/Resolution)
}
