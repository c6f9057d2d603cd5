package snapshot

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
)

// An image and a delta are stored alike, in little endian:
//
//	magic[8] version:u32 guest[32] origin[32] size:u64
//	count:u32 { length:u16 name bits:u64 }    globals
//	count:u32 { start:u32 count:u32 }         runs of pages, in order
//	pages
//	digest[32]                                of an image: SHA-256 of all before
//	length:u32 patches                        of a delta, see appendPatch
//	checksum:u64                              of all before
//
// Origin is the digest of the image that a delta applies to, and zero for an
// image. Size is the image's length, or the bytes of the memory that a delta
// was taken from. The digest names an image; that it is whole is told by the
// checksum, which takes a thirtieth of the time.
const (
	formatVersion = 2
	imageMagic    = "MayflyIm"
	deltaMagic    = "MayflyDe"
	maxGlobals    = 4096
)

// header is all but the pages.
type header struct {
	magic         string
	guest, origin Digest
	size          int64
	globals       []Global
	runs          []run
}

func (h *header) append(b []byte) []byte {
	b = append(b, h.magic...)
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	b = append(b, h.guest[:]...)
	b = append(b, h.origin[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.size))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.globals)))
	for _, g := range h.globals {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(g.Name)))
		b = append(b, g.Name...)
		b = binary.LittleEndian.AppendUint64(b, g.Bits)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.runs)))
	for _, r := range h.runs {
		b = binary.LittleEndian.AppendUint32(b, r.start)
		b = binary.LittleEndian.AppendUint32(b, r.count)
	}
	return b
}

// check refuses what decode would.
func (h *header) check() error {
	if len(h.globals) > maxGlobals {
		return mismatch("%d globals", len(h.globals))
	}
	for _, g := range h.globals {
		if len(g.Name) > math.MaxUint16 {
			return mismatch("a global's name has %d bytes", len(g.Name))
		}
	}
	return nil
}

// A checksum tells accidents of storage: the CRC-32 of Castagnoli and that of
// IEEE 802.3 together, for both of which processors have instructions.
type checksum struct{ castagnoli, ieee uint32 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *checksum) Write(p []byte) (int, error) {
	c.castagnoli = crc32.Update(c.castagnoli, castagnoli, p)
	c.ieee = crc32.Update(c.ieee, crc32.IEEETable, p)
	return len(p), nil
}

func (c *checksum) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, c.castagnoli)
	return binary.LittleEndian.AppendUint32(b, c.ieee)
}

// encode writes a header, what body writes, and the checksum.
func (h *header) encode(w io.Writer, body func(io.Writer) error) error {
	if err := h.check(); err != nil {
		return err
	}
	var sum checksum
	both := io.MultiWriter(&sum, w)
	if _, err := both.Write(h.append(nil)); err != nil {
		return err
	}
	if err := body(both); err != nil {
		return err
	}
	_, err := w.Write(sum.append(nil))
	return err
}

// A decoder reads what encode wrote, and never trusts a count: memory is taken
// as contents arrive.
type decoder struct {
	r   *bufio.Reader
	sum checksum
}

func newDecoder(r io.Reader) *decoder { return &decoder{r: bufio.NewReaderSize(r, 64<<10)} }

func (d *decoder) read(p []byte) error {
	if _, err := io.ReadFull(d.r, p); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return corrupt("cut off")
		}
		return err
	}
	d.sum.Write(p)
	return nil
}

func (d *decoder) u16() (uint16, error) {
	var b [2]byte
	err := d.read(b[:])
	return binary.LittleEndian.Uint16(b[:]), err
}

func (d *decoder) u32() (uint32, error) {
	var b [4]byte
	err := d.read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (d *decoder) u64() (uint64, error) {
	var b [8]byte
	err := d.read(b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// header reads and checks all before the pages.
func (d *decoder) header(magic string) (h header, err error) {
	h.magic = magic
	start := make([]byte, len(magic))
	if err := d.read(start); err != nil {
		return h, err
	}
	if string(start) != magic {
		return h, corrupt("no magic number")
	}
	version, err := d.u32()
	if err != nil {
		return h, err
	}
	if version != formatVersion {
		return h, corrupt("format version %d, not %d", version, formatVersion)
	}
	if err := errors.Join(d.read(h.guest[:]), d.read(h.origin[:])); err != nil {
		return h, err
	}
	size, err := d.u64()
	if err != nil {
		return h, err
	}
	if size > MaxBytes || size%wasmPage != 0 {
		return h, corrupt("a memory of %d bytes", size)
	}
	h.size = int64(size)
	if h.globals, err = d.globals(); err != nil {
		return h, err
	}
	h.runs, err = d.runs(uint32(size / PageSize))
	return h, err
}

func (d *decoder) globals() (globals []Global, err error) {
	n, err := d.u32()
	if err != nil {
		return nil, err
	}
	if n > maxGlobals {
		return nil, corrupt("%d globals", n)
	}
	for ; n > 0; n-- {
		length, err := d.u16()
		if err != nil {
			return nil, err
		}
		name := make([]byte, length)
		if err := d.read(name); err != nil {
			return nil, err
		}
		bits, err := d.u64()
		if err != nil {
			return nil, err
		}
		globals = append(globals, Global{string(name), bits})
	}
	return globals, nil
}

func (d *decoder) runs(pages uint32) (runs []run, err error) {
	n, err := d.u32()
	if err != nil {
		return nil, err
	}
	next := uint32(0) // runs are in order and don't touch
	for ; n > 0; n-- {
		start, err := d.u32()
		if err != nil {
			return nil, err
		}
		count, err := d.u32()
		if err != nil {
			return nil, err
		}
		if start < next || start >= pages || count == 0 || count > pages-start || len(runs) > 0 && start == next {
			return nil, corrupt("pages %d+%d of %d", start, count, pages)
		}
		next = start + count
		runs = append(runs, run{start, count})
	}
	return runs, nil
}

// pages reads the pages of runs, calling f with one or more at a time.
func (d *decoder) pages(runs []run, f func(at int64, data []byte) error) error {
	buf := make([]byte, 64*PageSize)
	for _, r := range runs {
		for from, to := r.bytes(); from < to; {
			part := buf[:min(int64(len(buf)), to-from)]
			if err := d.read(part); err != nil {
				return err
			}
			if err := f(from, part); err != nil {
				return err
			}
			from += int64(len(part))
		}
	}
	return nil
}

// end checks the checksum, and that nothing follows it.
func (d *decoder) end() error {
	want := d.sum.append(nil)
	sum := make([]byte, len(want))
	if err := d.read(sum); err != nil {
		return err
	}
	if !bytes.Equal(sum, want) {
		return corrupt("the checksum differs")
	}
	if _, err := d.r.ReadByte(); err != io.EOF {
		if err == nil {
			err = corrupt("bytes after the checksum")
		}
		return err
	}
	return nil
}
