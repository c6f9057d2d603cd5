// Package compression has the streams of one isolate that compress and
// decompress (Compression standard, and what node:zlib needs beyond it). The
// guest pushes input and pulls output, so that nothing grows here: however
// small the input was, output is made as far as it is asked for.
package compression

import (
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/flate"

	"mayfly/host/op"
)

// Limits of one isolate's streams.
const (
	// MaxMemory is how many bytes the open streams may hold, as estimated.
	MaxMemory = 48 << 20
	// MaxRoom is how many bytes one step gives at most.
	MaxRoom = 1 << 20
)

// Errors that are the guest's fault, as it gets them.
var (
	// ErrMemory: too many streams are open, or too large ones.
	ErrMemory = &op.ErrorRecord{Name: "RangeError", Code: "ERR_TOO_MANY_STREAMS",
		Message: "too many compression streams are open: finish some, or cancel them"}
	// ErrGone: the handle is not of this isolate's present life. A stream does
	// not outlive the event that made it: its state is not in the guest.
	ErrGone = &op.ErrorRecord{Name: "InvalidStateError", Code: "ERR_INVALID_STATE",
		Message: "the compression stream is no longer there: it has ended, or was open when the program's state was saved"}
	// ErrParameters: an option is out of its range.
	ErrParameters = &op.ErrorRecord{Name: "RangeError", Code: "ERR_OUT_OF_RANGE", Message: "a compression option is out of range"}
)

// Options configure Streams. The zero value is usable.
type Options struct {
	// Pause is called between parts of long work, of about a millisecond each, so
	// that limits hold: it may panic to end the guest.
	Pause func()
}

// Streams are the open streams of one isolate in one event. They are not safe
// for concurrent use.
type Streams struct {
	options Options
	open    map[uint64]*stream
	base    uint64 // of handles: random, so that an older life's is never one of these
	made    uint64
	memory  int64
}

type stream struct {
	compressor   *compressor
	decompressor decompressor
	memory       int64
}

// parameters are what a stream is opened with.
type parameters struct {
	format     Format
	decompress bool
	members    bool
	level      int
	window     int
	dictionary []byte
}

// New makes an empty table.
func New(options Options) *Streams {
	if options.Pause == nil {
		options.Pause = func() {}
	}
	return &Streams{options: options, open: map[uint64]*stream{}}
}

// Close lets go of all streams.
func (s *Streams) Close() {
	for handle := range s.open {
		s.close(handle)
	}
}

func (s *Streams) close(handle uint64) {
	if o := s.open[handle]; o != nil {
		s.memory -= o.memory
		delete(s.open, handle)
		if o.compressor != nil {
			o.compressor.close()
		}
	}
}

// Call answers the operations of compression. The answer is appended to out[:0]
// if it fits there, else allocated; nothing of in is kept.
//
// # Errors
//
// [ErrMemory], [ErrGone], [ErrParameters], an [*Error] for data that is wrong,
// after which the stream is closed, or [op.ErrMessage].
func (s *Streams) Call(o op.Op, in, out []byte) ([]byte, error) {
	r := op.NewReader(in)
	switch o {
	case op.CompressStep:
		return s.step(r, out)
	case op.CompressClose:
		handle := r.F64()
		if err := r.Done(); err != nil {
			return nil, err
		}
		s.close(uint64(handle))
		return nil, nil
	}
	return nil, op.ErrMessage
}

// step is one push and pull.
func (s *Streams) step(r *op.Reader, out []byte) ([]byte, error) {
	handle := uint64(r.F64())
	after := flush(r.U8())
	room := int(min(r.U32(), MaxRoom))
	var p parameters
	if handle == 0 {
		p = parameters{format: Format(r.U8()), decompress: r.U8() != 0, members: r.U8() != 0, level: int(int8(r.U8())), window: int(r.U8())}
		p.dictionary = append([]byte(nil), r.Bytes()...)
	}
	input := r.Bytes()
	if err := r.Done(); err != nil {
		return nil, err
	}
	if after >= flushes || room == 0 {
		return nil, ErrParameters
	}
	var o *stream
	var err error
	if handle == 0 {
		if handle, o, err = s.start(&p); err != nil {
			return nil, err
		}
	} else if o = s.open[handle]; o == nil {
		return nil, ErrGone
	}

	const head = 8 + 1 + 4 + 4
	if cap(out) < head+room {
		out = make([]byte, head+room)
	}
	out = out[:head+room]
	var a answer
	if o.compressor != nil {
		a = s.compress(o.compressor, input, after, out[head:])
	} else {
		a, err = s.decompress(o.decompressor, input, after, out[head:])
	}
	if err == nil {
		err = s.charge(o)
	}
	if err != nil {
		s.close(handle)
		return nil, err
	}
	if a.state == ended {
		s.close(handle)
		handle = 0
	}
	w := op.NewWriter(out)
	w.F64(float64(handle))
	w.U8(uint8(a.state))
	w.U32(uint32(a.consumed))
	w.U32(uint32(a.unread))
	return out[:head+a.made], nil
}

// An answer is what a step did: input bytes consumed, output bytes made, and at
// the end of decompression how many bytes came after it.
type answer struct {
	state                  progress
	consumed, made, unread int
}

// start opens a stream.
func (s *Streams) start(p *parameters) (uint64, *stream, error) {
	if p.format >= formats || len(p.dictionary) > 0 && (p.format == Gzip || p.format == Brotli) {
		return 0, nil, ErrParameters
	}
	o := &stream{}
	switch {
	case p.decompress && p.format == Brotli:
		o.decompressor = newUnbrotling()
	case p.decompress:
		o.decompressor = newInflating(p.format, p.members, p.dictionary)
	case p.format == Brotli && (p.level < 0 || p.level > brotliBest || p.window < 10 || p.window > 24):
		return 0, nil, ErrParameters
	case p.format != Brotli && (p.level < flate.HuffmanOnly || p.level > flate.BestCompression):
		return 0, nil, ErrParameters
	default:
		if p.format != Brotli && p.level == flate.DefaultCompression {
			p.level = 6
		}
		// Its memory is known before it is taken.
		if s.memory+(&compressor{format: p.format, window: 1 << p.window}).memory() > MaxMemory {
			return 0, nil, ErrMemory
		}
		o.compressor = newCompressor(p)
	}
	if s.base == 0 {
		var b [8]byte
		rand.Read(b[:])
		// Below 2^53, as numbers of JavaScript are exact; never 0.
		s.base = binary.LittleEndian.Uint64(b[:])&(1<<52-1) | 1<<51
	}
	s.made++
	handle := s.base + s.made
	s.open[handle] = o
	if err := s.charge(o); err != nil {
		s.close(handle)
		return 0, nil, err
	}
	return handle, o, nil
}

const brotliBest = 11

// charge counts what a stream holds.
func (s *Streams) charge(o *stream) error {
	var memory int64
	if o.compressor != nil {
		memory = o.compressor.memory() + int64(cap(o.compressor.out.bytes))
	} else {
		memory = o.decompressor.memory()
	}
	s.memory += memory - o.memory
	o.memory = memory
	if s.memory > MaxMemory {
		return ErrMemory
	}
	return nil
}

func (s *Streams) compress(c *compressor, input []byte, after flush, out []byte) (a answer) {
	flushed := after == noFlush
	for {
		a.made += c.out.take(out[a.made:])
		switch {
		case c.out.left() > 0:
			a.state = needsRoom
			return a
		case c.over:
			a.state = ended
			return a
		case a.consumed < len(input):
			n := min(partSize, len(input)-a.consumed)
			c.write(input[a.consumed : a.consumed+n])
			a.consumed += n
		case flushed:
			a.state = needsInput
			return a
		case after == syncFlush:
			c.flush()
			flushed = true
		default:
			c.finish()
			flushed = true
		}
		s.options.Pause()
	}
}

func (s *Streams) decompress(d decompressor, input []byte, after flush, out []byte) (a answer, err error) {
	for {
		var n int
		// A part of the output at a time.
		to := out[a.made:min(len(out), a.made+partSize)]
		n, a.state, err = d.step(to)
		a.made += n
		if err != nil {
			if a.made > 0 { // what is right comes first; the mistake, at the next step
				a.state = needsRoom
				return a, nil
			}
			return a, err
		}
		switch {
		case a.state == ended:
			a.unread = d.unread() + len(input) - a.consumed
			return a, nil
		case a.state == needsRoom && a.made == len(out):
			return a, nil
		case a.state == needsInput:
			if a.consumed == len(input) {
				if after == finish {
					if a.made > 0 {
						a.state = needsRoom
						return a, nil
					}
					return a, ErrTruncated
				}
				return a, nil
			}
			n := min(partSize, len(input)-a.consumed)
			d.feed(input[a.consumed : a.consumed+n])
			a.consumed += n
		}
		s.options.Pause()
	}
}

// Checksum answers the operation crc32. pause is called between parts of long
// work: it may panic to end the guest.
func Checksum(in, out []byte, pause func()) ([]byte, error) {
	r := op.NewReader(in)
	sum, data := r.U32(), r.Bytes()
	if err := r.Done(); err != nil {
		return nil, err
	}
	for ; len(data) > checksumPart; data = data[checksumPart:] {
		sum = crc32.Update(sum, crc32.IEEETable, data[:checksumPart])
		pause()
	}
	w := op.NewWriter(out)
	w.U32(crc32.Update(sum, crc32.IEEETable, data))
	return w.Message(), nil
}

// checksumPart takes about a millisecond.
const checksumPart = 4 << 20
