package execution

import (
	"mayfly/host/compression"
	"mayfly/host/encoding"
	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// codecs answer the operations that compress and decode.
type codecs struct {
	streams *compression.Streams // made when first used
}

func (c *codecs) call(iso *isolate.Isolate, o op.Op, in, out []byte) ([]byte, error) {
	switch o {
	case op.Decode:
		return encoding.Call(in, out, iso.Yield)
	case op.Crc32:
		return compression.Checksum(in, out, iso.Yield)
	}
	if c.streams == nil {
		c.streams = compression.New(compression.Options{Pause: iso.Yield})
	}
	return c.streams.Call(o, in, out)
}

// close lets go of the streams. The isolate no longer runs.
func (c *codecs) close() {
	if c.streams != nil {
		c.streams.Close()
	}
}
