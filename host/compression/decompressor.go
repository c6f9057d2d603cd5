package compression

import (
	"bytes"
	"errors"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
	"strings"

	"github.com/andybalholm/brotli"

	"mayfly/host/op"
)

// A Format is one of the formats of the Compression standard.
type Format uint8

// The formats.
const (
	DeflateRaw Format = iota // RFC 1951
	Deflate                  // RFC 1950, zlib's
	Gzip                     // RFC 1952
	Brotli                   // RFC 7932
	formats
)

// An Error is what is wrong with compressed data. Code is zlib's name of it:
// Z_DATA_ERROR, Z_BUF_ERROR for data that ends too early, Z_NEED_DICT.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

// As makes it the TypeError that the Compression standard asks for.
func (e *Error) As(target any) bool {
	record, ok := target.(**op.ErrorRecord)
	if ok {
		*record = &op.ErrorRecord{Name: "TypeError", Code: e.Code, Message: e.Message}
	}
	return ok
}

func dataError(message string) *Error { return &Error{"Z_DATA_ERROR", message} }

// ErrTruncated: the data ends before the stream does.
var ErrTruncated = &Error{"Z_BUF_ERROR", "unexpected end of file"}

// A decompressor decodes a stream that comes in pieces.
type decompressor interface {
	// feed adds input, which is copied.
	feed(p []byte)
	// step decodes into p. needsInput: all that could be decoded is out.
	step(p []byte) (n int, state progress, err error)
	// unread is how many bytes of the input are past the stream's end.
	unread() int
	// memory is an estimate of what it holds, in bytes.
	memory() int64
}

// An inflating decompressor has DEFLATE in one of its three frames.
type inflating struct {
	inflater
	format     Format
	members    bool // gzip: more members may follow
	dictionary []byte
	stage      frameStage
	flags      byte
	skip       int         // bytes of the header to go past
	header     hash.Hash32 // of gzip's header
	sum        hash.Hash32 // of what was decoded; nil for raw
	size       uint32
}

type frameStage uint8

const (
	frameStart frameStage = iota
	frameExtra            // the length of gzip's extra field
	frameSkip
	frameName
	frameComment
	frameHeaderSum
	frameBody
	frameTrailer
	frameEnd
)

// gzip's flags (RFC 1952 §2.3.1).
const (
	gzipHeaderSum = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
	gzipReserved  = 0xE0
)

func newInflating(format Format, members bool, dictionary []byte) *inflating {
	d := &inflating{format: format, members: members, dictionary: dictionary}
	switch format {
	case DeflateRaw:
		d.stage = frameBody
		d.reset(dictionary)
	case Deflate:
		d.sum = adler32.New()
		d.reset(nil)
	case Gzip:
		d.header, d.sum = crc32.NewIEEE(), crc32.NewIEEE()
		d.reset(nil)
	}
	return d
}

func (d *inflating) feed(p []byte) { d.in.feed(p) }

func (d *inflating) unread() int { return d.in.unread() }

func (d *inflating) memory() int64 { return 128 << 10 }

func (d *inflating) step(p []byte) (n int, state progress, err error) {
	for {
		switch d.stage {
		case frameBody:
			state, err = d.run()
			// What came before a mistake is still good.
			taken := copy(p[n:], d.output())
			if d.sum != nil {
				d.sum.Write(d.output()[:taken])
				d.size += uint32(taken)
			}
			d.taken += taken
			n += taken
			if len(d.output()) > 0 {
				return n, needsRoom, nil
			}
			if err != nil {
				return n, state, err
			}
			if state == needsRoom && n < len(p) {
				continue
			}
			if state != ended {
				return n, state, nil
			}
			d.stage = frameTrailer
		case frameEnd:
			if !d.members || !d.another() {
				return n, ended, nil
			}
		default:
			whole, err := d.frame()
			if err != nil {
				return n, needsInput, err
			}
			if !whole {
				return n, needsInput, nil
			}
		}
	}
}

// another begins the next member of a gzip file, if there is one. What does not
// begin as one is left, as gzip and zlib do.
func (d *inflating) another() bool {
	left := d.in.bytes[d.in.at:]
	if len(left) == 0 || left[0] != 0x1F || len(left) > 1 && left[1] != 0x8B {
		return false
	}
	d.stage = frameStart
	d.header.Reset()
	d.sum.Reset()
	d.size = 0
	d.reset(nil)
	return true
}

// frame reads the next part of the header or of the trailer. whole is false if
// it has not come whole.
func (d *inflating) frame() (whole bool, err error) {
	in := d.in.bytes[d.in.at:]
	need := func(n int) bool { return len(in) >= n }
	// head goes past n bytes of gzip's header.
	head := func(n int) {
		d.header.Write(in[:n])
		d.in.at += n
	}
	switch d.stage {
	case frameStart:
		if d.format == Deflate {
			return d.zlibHeader(in)
		}
		if len(in) > 0 && in[0] != 0x1F || len(in) > 1 && in[1] != 0x8B {
			return false, dataError("incorrect header check")
		}
		if len(in) > 2 && in[2] != 8 {
			return false, dataError("unknown compression method")
		}
		if len(in) > 3 && in[3]&gzipReserved != 0 {
			return false, dataError("unknown header flags set")
		}
		if !need(10) {
			return false, nil
		}
		d.flags = in[3]
		head(10)
		d.stage = frameExtra
	case frameExtra:
		d.stage = frameName
		if d.flags&gzipExtra != 0 {
			if !need(2) {
				d.stage = frameExtra
				return false, nil
			}
			d.skip = int(in[0]) | int(in[1])<<8
			head(2)
			d.stage = frameSkip
		}
	case frameSkip:
		n := min(d.skip, len(in))
		head(n)
		if d.skip -= n; d.skip > 0 {
			return false, nil
		}
		d.stage = frameName
	case frameName, frameComment:
		flag := byte(gzipName)
		if d.stage == frameComment {
			flag = gzipComment
		}
		if d.flags&flag != 0 {
			end := bytes.IndexByte(in, 0)
			if end < 0 {
				head(len(in))
				return false, nil
			}
			head(end + 1)
		}
		d.stage++
	case frameHeaderSum:
		if d.flags&gzipHeaderSum != 0 {
			if !need(2) {
				return false, nil
			}
			if uint16(d.header.Sum32()) != uint16(in[0])|uint16(in[1])<<8 {
				return false, dataError("header crc mismatch")
			}
			d.in.at += 2
		}
		d.stage = frameBody
	case frameTrailer:
		switch d.format {
		case Deflate:
			if !need(4) {
				return false, nil
			}
			if d.sum.Sum32() != uint32(in[0])<<24|uint32(in[1])<<16|uint32(in[2])<<8|uint32(in[3]) {
				return false, dataError("incorrect data check")
			}
			d.in.at += 4
		case Gzip:
			if !need(8) {
				return false, nil
			}
			if d.sum.Sum32() != uint32(in[0])|uint32(in[1])<<8|uint32(in[2])<<16|uint32(in[3])<<24 {
				return false, dataError("incorrect data check")
			}
			if d.size != uint32(in[4])|uint32(in[5])<<8|uint32(in[6])<<16|uint32(in[7])<<24 {
				return false, dataError("incorrect length check")
			}
			d.in.at += 8
		}
		d.stage = frameEnd
	}
	return true, nil
}

// zlibHeader reads RFC 1950 §2.2's two bytes, and the sum of a dictionary.
func (d *inflating) zlibHeader(in []byte) (whole bool, err error) {
	if len(in) < 2 {
		return false, nil
	}
	switch {
	case (int(in[0])<<8|int(in[1]))%31 != 0:
		return false, dataError("incorrect header check")
	case in[0]&15 != 8:
		return false, dataError("unknown compression method")
	case in[0]>>4 > 7:
		return false, dataError("invalid window size")
	}
	n := 2
	if in[1]&0x20 != 0 {
		if len(d.dictionary) == 0 {
			return false, &Error{"Z_NEED_DICT", "Missing dictionary"}
		}
		if n = 6; len(in) < n {
			return false, nil
		}
		if adler32.Checksum(d.dictionary) != uint32(in[2])<<24|uint32(in[3])<<16|uint32(in[4])<<8|uint32(in[5]) {
			return false, dataError("Bad dictionary")
		}
		input := d.in
		d.reset(d.dictionary)
		d.in = input
	}
	d.in.at += n
	d.stage = frameBody
	return true, nil
}

// An unbrotling decompressor has brotli. The library's reader can be asked
// again after its source had nothing.
type unbrotling struct {
	reader *brotli.Reader
	source source
	window int64 // 0 as long as nothing came
	over   bool  // the stream has ended
	extra  bool  // and bytes came after it
}

// A source has what was fed. At probing it has come to its end.
type source struct {
	bytes   []byte
	probing bool
}

var errNothing = errors.New("nothing now")

func (s *source) Read(p []byte) (int, error) {
	if len(s.bytes) == 0 {
		if s.probing {
			return 0, io.EOF
		}
		return 0, errNothing
	}
	n := copy(p, s.bytes)
	s.bytes = s.bytes[n:]
	return n, nil
}

func newUnbrotling() *unbrotling {
	d := &unbrotling{}
	d.reader = brotli.NewReader(&d.source)
	return d
}

func (d *unbrotling) feed(p []byte) {
	if d.window == 0 && len(p) > 0 {
		d.window = brotliWindow(p[0])
	}
	d.source.bytes = append(append([]byte(nil), d.source.bytes...), p...)
}

// brotliWindow is the window's size by the first byte (RFC 7932 §9.1).
func brotliWindow(first byte) int64 {
	switch {
	case first&1 == 0:
		return 1 << 16
	case first>>1&7 != 0:
		return 1 << (17 + first>>1&7)
	case first>>4&7 == 0:
		return 1 << 17
	case first>>4&7 != 1:
		return 1 << (8 + first>>4&7)
	}
	return 1 << 24 // a large window, which the reader refuses
}

func (d *unbrotling) unread() int {
	if d.extra {
		return max(1, len(d.source.bytes))
	}
	return len(d.source.bytes)
}

func (d *unbrotling) memory() int64 { return 256<<10 + d.window }

func (d *unbrotling) step(p []byte) (n int, state progress, err error) {
	for n < len(p) && !d.over {
		m, err := d.reader.Read(p[n:])
		n += m
		switch {
		case err == nil:
		case errors.Is(err, errNothing):
			// The reader does not say that it is at its end, but for an end of input
			// that is in the right place.
			d.source.probing = true
			_, err = d.reader.Read(p[n:])
			d.source.probing = false
			if err != io.EOF {
				return n, needsInput, nil
			}
			d.over = true
		case strings.HasSuffix(err.Error(), "excessive input"):
			d.over, d.extra = true, true
		default:
			return n, needsInput, &Error{"ERR_BROTLI_FORMAT", "Decompression failed"}
		}
	}
	if d.over {
		return n, ended, nil
	}
	return n, needsRoom, nil
}
