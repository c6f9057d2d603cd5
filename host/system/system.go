// Package system answers the small synchronous operations that need nothing of
// an execution's policy: randomness, clocks and digests.
package system

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
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
	// Pause is called between parts of a long digest, of about a millisecond
	// each, so that limits hold: it may panic to end the guest.
	Pause func()
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
	if options.Pause == nil {
		options.Pause = func() {}
	}
	return &System{options: options, start: options.Now().Add(-options.Uptime)}
}

// Errors that are the guest's fault.
var (
	ErrTooManyBytes = errors.New("more random bytes than 65536 are asked for at once")
	ErrAlgorithm    = errors.New("unknown digest algorithm")
)

// Call answers the operations random, clock and digest. The answer is appended
// to out[:0] if it fits there, else allocated; nothing of in is kept.
//
// # Errors
//
// [ErrTooManyBytes], [ErrAlgorithm], [op.ErrMessage] if in can't be read or the
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
	case op.Digest:
		algorithm, data := r.Str(), r.Bytes()
		if err := r.Done(); err != nil {
			return nil, err
		}
		h, err := newHash(algorithm)
		if err != nil {
			return nil, err
		}
		const part = 512 << 10
		for len(data) > part {
			h.Write(data[:part])
			data = data[part:]
			s.options.Pause()
		}
		h.Write(data)
		return h.Sum(out[:0]), nil
	}
	return nil, op.ErrMessage
}

// coarse is a time in milliseconds, rounded down to Resolution.
func coarse(d time.Duration) float64 {
	// Whole tenths are divided last, so that they are the nearest numbers.
	return float64(d/Resolution) / float64(time.Millisecond/Resolution)
}

// newHash finds an algorithm by its name in Web Crypto (case does not matter).
func newHash(algorithm string) (hash.Hash, error) {
	switch {
	case strings.EqualFold(algorithm, "SHA-256"):
		return sha256.New(), nil
	case strings.EqualFold(algorithm, "SHA-1"):
		return sha1.New(), nil
	case strings.EqualFold(algorithm, "SHA-384"):
		return sha512.New384(), nil
	case strings.EqualFold(algorithm, "SHA-512"):
		return sha512.New(), nil
	case strings.EqualFold(algorithm, "MD5"):
		return md5.New(), nil
	}
	return nil, ErrAlgorithm
}
