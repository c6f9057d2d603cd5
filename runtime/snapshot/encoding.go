package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"
)

// An image and a delta are stored alike, in little endian:
//
//	magic[8] version:u32 guest[32] origin[32] size:u64
//	count:u32 { length:u16 name bits:u64 }    globals
//	count:u32 { start:u32 count:u32 }         runs of pages, in order
//	pages
//	checksum[32]                              SHA-256 of all before
//
// Origin is the digest of the image that a delta applies to, and zero for an
// image. Size is the image's length, or the bytes of the memory that a delta
// was taken from.
const (
	formatVersion = 1
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

// encode writes a header and its pages, and returns the checksum.
func (h *header) encode(w io.Writer, pages func(io.Writer) error) (sum Digest, err error) {
	if err := h.check(); err != nil {
		return sum, err
	}
	hash := sha256.New()
	both := io.MultiWriter(hash, w)
	if _, err := both.Write(h.append(nil)); err != nil {
		return sum, err
	}
	if err := pages(both); err != nil {
		return sum, err
	}
	hash.Sum(sum[:0])
	_, err = w.Write(sum[:])
	return sum, err
}

// A decoder reads what encode wrote, and never trusts a count: memory is taken
// as contents arrive.
type decoder struct {
	r    *bufio.Reader
	hash hash.Hash
}

func newDecoder(r io.Reader) *decoder {
	return &decoder{r: bufio.NewReaderSize(r, 64<<10), hash: sha256.New()}
}

func (d *decoder) read(p []byte) error {
	if _, err := io.ReadFull(d.r, p); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return corrupt("cut off")
		}
		return err
	}
	d.hash.Write(p)
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
	buf := make([]byte, 16*PageSize)
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
	want := d.hash.Sum(nil)
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

// Save writes the image. Two images with the same guest, memory and globals
// are saved as the same bytes.
func (img *Image) Save(w io.Writer) error {
	if !img.retain() {
		return fail("save image", ErrClosed)
	}
	defer img.release()
	_, err := img.save(w)
	return fail("save image", err)
}

func (img *Image) save(w io.Writer) (Digest, error) {
	h := header{magic: imageMagic, guest: img.guest, size: img.Len(), globals: img.globals, runs: img.runs}
	return h.encode(w, func(w io.Writer) error {
		for _, p := range pieces(img.backing.data, img.runs) {
			if _, err := w.Write(p.data); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadImage reads what [Image.Save] wrote.
//
// # Errors
//
// ErrCorrupt if it was not, or not wholly; ErrMismatch if the image belongs to
// another guest.
func ReadImage(r io.Reader, guest Digest) (*Image, error) {
	img, err := readImage(newDecoder(r), guest)
	return img, fail("read image", err)
}

func readImage(d *decoder, guest Digest) (*Image, error) {
	h, err := d.header(imageMagic)
	if err != nil {
		return nil, err
	}
	length := int64(0)
	if n := len(h.runs); n > 0 {
		_, length = h.runs[n-1].bytes()
	}
	if h.origin != (Digest{}) || h.size != roundUp(length, wasmPage) {
		return nil, corrupt("%d bytes declared, %d stored", h.size, length)
	}
	if h.guest != guest {
		return nil, mismatch("the image belongs to guest %v, not to %v", h.guest, guest)
	}
	return newImage(h.guest, h.globals, h.runs, func(b *builder) error {
		if err := d.pages(h.runs, func(at int64, data []byte) error { return b.write(data, at) }); err != nil {
			return err
		}
		return d.end()
	})
}

// Save writes the delta, with the digests of guest and image.
func (d *Delta) Save(w io.Writer) error {
	h := header{magic: deltaMagic, guest: d.guest, origin: d.Image(), size: d.size, globals: d.Globals, runs: d.runs}
	_, err := h.encode(w, func(w io.Writer) error {
		_, err := w.Write(d.data)
		return err
	})
	return fail("save delta", err)
}

// ReadDelta reads what [Delta.Save] wrote. Apply and With check that it fits.
//
// # Errors
//
// ErrCorrupt if it was not written by Save, or not wholly.
func ReadDelta(r io.Reader) (*Delta, error) {
	d, err := readDelta(newDecoder(r))
	return d, fail("read delta", err)
}

func readDelta(dec *decoder) (*Delta, error) {
	h, err := dec.header(deltaMagic)
	if err != nil {
		return nil, err
	}
	d := &Delta{Globals: h.globals, guest: h.guest, origin: h.origin, size: h.size, runs: h.runs}
	err = dec.pages(h.runs, func(_ int64, data []byte) error {
		d.data = append(d.data, data...)
		return nil
	})
	if err == nil {
		err = dec.end()
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}
