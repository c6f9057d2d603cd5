package wasi

import (
	"encoding/binary"
	"math"
	"time"
)

// Clocks of preview 1.
const (
	clockRealtime  = 0
	clockMonotonic = 1
	clockProcess   = 2
	clockThread    = 3
)

// clock is the time of a clock in nanoseconds, before it is made coarse.
func (s *System) clock(id uint64) (time.Duration, errno) {
	switch id {
	case clockRealtime:
		return time.Duration(s.options.Now().UnixNano()), success
	case clockMonotonic:
		return s.Uptime(), success
	case clockProcess, clockThread:
		if s.options.CPU != nil {
			return s.options.CPU(), success
		}
		return s.options.Now().Sub(s.start), success
	}
	return 0, eInval
}

func (c *call) clockResGet(p []uint64) errno {
	if p[0] > clockThread {
		return eInval
	}
	return c.put64(p[1], uint64(Resolution))
}

func (c *call) clockTimeGet(p []uint64) errno {
	now, e := c.clock(p[0])
	if e != success {
		return e
	}
	return c.put64(p[2], uint64(max(now, 0)/Resolution*Resolution))
}

// maxSubscriptions is how many events one poll_oneoff may wait for: more than
// there are descriptors.
const maxSubscriptions = 4096

// Sizes of the records of poll_oneoff.
const (
	subscriptionSize = 48
	eventSize        = 32
)

// Types of events.
const (
	eventClock = 0
	eventRead  = 1
	eventWrite = 2
)

// pollOneoff waits for clocks. Files are always ready, so with one among the
// subscriptions it doesn't wait.
func (c *call) pollOneoff(p []uint64) errno {
	n := p[2]
	if n == 0 || n > maxSubscriptions {
		return eInval
	}
	in, e := c.bytes(p[0], n*subscriptionSize)
	if e != success {
		return e
	}
	out, e := c.bytes(p[1], n*eventSize)
	if e != success {
		return e
	}
	if _, e := c.bytes(p[3], 4); e != success {
		return e
	}
	var from [2]time.Duration // the clocks that can be waited for
	from[clockRealtime], _ = c.clock(clockRealtime)
	from[clockMonotonic], _ = c.clock(clockMonotonic)
	wait := time.Duration(math.MaxInt64)
	for rest := in; len(rest) > 0; rest = rest[subscriptionSize:] {
		wait = min(wait, c.left(rest, &from))
	}
	if wait > 0 {
		c.port.Pause(wait)
	}
	// A guest whose events overlap its subscriptions gets what it made of them.
	count := uint64(0)
	for rest := in; len(rest) > 0; rest = rest[subscriptionSize:] {
		if c.left(rest, &from) > wait {
			continue
		}
		count += c.event(rest, out[count*eventSize:])
	}
	return c.put32(p[3], uint32(count))
}

// left is how long to wait for a subscription, counted from the time of the
// clocks that is given; it is 0 for what is ready, or wrong.
func (c *call) left(sub []byte, from *[2]time.Duration) time.Duration {
	id, flags := binary.LittleEndian.Uint32(sub[16:]), binary.LittleEndian.Uint16(sub[40:])
	if sub[8] != eventClock || id > clockMonotonic {
		return 0
	}
	timeout := time.Duration(min(binary.LittleEndian.Uint64(sub[24:]), math.MaxInt64))
	if flags&1 != 0 {
		timeout -= from[id]
	}
	return max(timeout, 0)
}

// event writes the event of a subscription, and answers 1.
func (c *call) event(sub, out []byte) uint64 {
	var userdata [8]byte
	copy(userdata[:], sub)
	tag, subject := sub[8], binary.LittleEndian.Uint32(sub[16:])
	e, ready, hangup := success, uint64(0), uint16(0)
	switch f := c.file(uint64(subject)); {
	case tag == eventClock && subject > clockThread:
		e = eInval
	case tag == eventClock && subject > clockMonotonic:
		e = eNotsup
	case tag == eventClock:
	case tag > eventWrite:
		e = eInval
	case f == nil:
		e = eBadf
	case tag == eventWrite:
		ready = maxStream
	case f.kind == streamIn:
		if ready = uint64(len(c.options.Stdin) - c.stdin); ready == 0 {
			hangup = 1
		}
	case f.kind == regular:
		ready = uint64(max(c.tree.Size(f.ino)-f.position, 0))
	}
	clear(out[:eventSize])
	copy(out, userdata[:])
	binary.LittleEndian.PutUint16(out[8:], uint16(e))
	out[10] = tag
	binary.LittleEndian.PutUint64(out[16:], ready)
	binary.LittleEndian.PutUint16(out[24:], hangup)
	return 1
}
