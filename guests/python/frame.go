package python

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// Verbs of the frames that the guest sends by _host.call. Little endian.
const (
	verbCall  = iota // u32 operation, payload: answers a synchronous operation
	verbStart        // u32 operation, u32 id, payload: begins an asynchronous one
	verbWait         // f64 milliseconds, negative: until one settles
	verbEvent        // fetches the event of this life; with what adopt takes
	verbProbe        // looks at the guest's memory, while the image is booted
	verbPass         // u32 event: what comes now is done for that one
)

// A frame is a decoded request of the guest.
type frame struct {
	verb    byte
	op      uint32
	id      uint32
	wait    time.Duration // negative: as long as something is pending
	payload []byte        // of the guest's memory
}

var errFrame = errors.New("malformed request to the host")

// maxWait is the longest wait: longer than any life.
const maxWait = time.Duration(math.MaxInt64 / 2)

// parseFrame decodes a request.
func parseFrame(b []byte) (f frame, err error) {
	if len(b) == 0 {
		return f, errFrame
	}
	f.verb, b = b[0], b[1:]
	switch {
	case f.verb == verbCall && len(b) >= 4:
		f.op, f.payload = binary.LittleEndian.Uint32(b), b[4:]
	case f.verb == verbStart && len(b) >= 8:
		f.op, f.id, f.payload = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), b[8:]
	case f.verb == verbWait && len(b) == 8:
		ms := math.Float64frombits(binary.LittleEndian.Uint64(b))
		switch {
		case ms < 0:
			f.wait = -1
		case ms > float64(maxWait/time.Millisecond):
			f.wait = maxWait
		case ms == ms: // a number
			f.wait = time.Duration(ms * float64(time.Millisecond))
		}
	case f.verb == verbPass && len(b) == 4:
		f.id = binary.LittleEndian.Uint32(b)
	case f.verb == verbEvent || f.verb == verbProbe:
		f.payload = b
	default:
		return frame{}, errFrame
	}
	return f, nil
}
