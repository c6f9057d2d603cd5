package compression

import (
	"encoding/binary"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
)

// A flush says what a compressor does after its input (zlib's names).
type flush uint8

const (
	noFlush   flush = iota
	syncFlush       // all that came can be decoded from what went out
	finish
	flushes
)

// MaxBrotliQuality is the highest quality of brotli that is worked with: the
// two above it take a second for a megabyte, and can't be interrupted in it.
// Asking for more gives this one; the result is as valid, and a few per cent
// larger.
const MaxBrotliQuality = 9

// partSize is how much is compressed between two pauses: less than 10 ms.
const partSize = 64 << 10

// A compressor encodes a stream in one of the formats. What it makes waits in
// it until it is taken.
type compressor struct {
	format  Format
	level   int
	deflate *flate.Writer
	brotli  *brotli.Writer
	pooled  bool
	window  int64
	sum     hash.Hash32
	size    uint32
	out     pending
	over    bool
}

// pending is output that waits.
type pending struct {
	bytes []byte
	taken int
}

func (o *pending) Write(p []byte) (int, error) {
	o.bytes = append(o.bytes, p...)
	return len(p), nil
}

func (o *pending) left() int { return len(o.bytes) - o.taken }

func (o *pending) take(p []byte) int {
	n := copy(p, o.bytes[o.taken:])
	if o.taken += n; o.taken == len(o.bytes) {
		o.bytes, o.taken = o.bytes[:0], 0
	}
	return n
}

// Writers have tables of a megabyte: they are used again, by level. What they
// write depends on nothing of their past.
var deflaters [flate.BestCompression - flate.HuffmanOnly + 1]sync.Pool

func newCompressor(p *parameters) *compressor {
	c := &compressor{format: p.format, level: p.level}
	if p.format == Brotli {
		c.window = 1 << p.window
		c.brotli = brotli.NewWriterOptions(&c.out, brotli.WriterOptions{Quality: min(p.level, MaxBrotliQuality), LGWin: p.window})
		return c
	}
	switch p.format {
	case Deflate:
		c.sum = adler32.New()
		c.out.bytes = zlibHead(p.level, p.dictionary)
	case Gzip:
		c.sum = crc32.NewIEEE()
		c.out.bytes = gzipHead(p.level)
	}
	if len(p.dictionary) > 0 {
		c.deflate, _ = flate.NewWriterDict(&c.out, p.level, p.dictionary) // the level has been checked
		return c
	}
	c.pooled = true
	if w, ok := deflaters[p.level-flate.HuffmanOnly].Get().(*flate.Writer); ok {
		w.Reset(&c.out)
		c.deflate = w
	} else {
		c.deflate, _ = flate.NewWriter(&c.out, p.level)
	}
	return c
}

// close gives back what can be used again.
func (c *compressor) close() {
	if c.pooled && c.deflate != nil {
		c.deflate.Reset(io.Discard)
		deflaters[c.level-flate.HuffmanOnly].Put(c.deflate)
	}
	c.deflate, c.brotli = nil, nil
}

// memory is an estimate of what it holds, in bytes.
func (c *compressor) memory() int64 {
	if c.format == Brotli {
		return 4<<20 + 2*c.window
	}
	return 1536 << 10
}

// write compresses a part.
func (c *compressor) write(p []byte) {
	if c.sum != nil {
		c.sum.Write(p)
		c.size += uint32(len(p))
	}
	c.encoder().Write(p) // to memory: it can't fail
}

func (c *compressor) encoder() interface {
	io.WriteCloser
	Flush() error
} {
	if c.brotli != nil {
		return c.brotli
	}
	return c.deflate
}

func (c *compressor) flush() { c.encoder().Flush() }

func (c *compressor) finish() {
	c.encoder().Close()
	switch c.format {
	case Deflate:
		c.out.bytes = binary.BigEndian.AppendUint32(c.out.bytes, c.sum.Sum32())
	case Gzip:
		c.out.bytes = binary.LittleEndian.AppendUint32(c.out.bytes, c.sum.Sum32())
		c.out.bytes = binary.LittleEndian.AppendUint32(c.out.bytes, c.size)
	}
	c.over = true
}

// zlibHead is RFC 1950's header, with the level as zlib writes it.
func zlibHead(level int, dictionary []byte) []byte {
	flags := 2
	switch {
	case level == flate.HuffmanOnly || level == 0 || level == 1:
		flags = 0
	case level > 1 && level < 6:
		flags = 1
	case level > 6:
		flags = 3
	}
	head := 0x78<<8 | flags<<6
	if len(dictionary) > 0 {
		head |= 0x20
	}
	head += 31 - head%31
	b := []byte{byte(head >> 8), byte(head)}
	if len(dictionary) > 0 {
		b = binary.BigEndian.AppendUint32(b, adler32.Checksum(dictionary))
	}
	return b
}

// gzipHead is RFC 1952's header without a name or a time, made on Unix.
func gzipHead(level int) []byte {
	extra := byte(0)
	switch level {
	case 1:
		extra = 4
	case 9:
		extra = 2
	}
	return []byte{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, extra, 3}
}
