package snapshot

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
)

// A Part is memory of a delta that others may share: those that it came from,
// and those that come from it. Equal parts are the same memory, as long as a
// delta that has it is open. To keep a delta part by part costs what it has
// that the one before has not.
type Part struct{ segment *segment }

// A Place is where a part was written.
type Place struct {
	File string // named by who wrote it; at most 65,535 bytes
	At   int64  // of its first byte
	Sum  uint64 // as Part.Save gave it
}

// Size is how many bytes the part has.
func (p Part) Size() int64 { return p.segment.size }

// Save writes the part's bytes and gives their checksum.
func (p Part) Save(w io.Writer) (sum uint64, err error) {
	var c checksum
	buf := make([]byte, min(p.segment.size, 256<<10))
	for at := int64(0); at < p.segment.size; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), p.segment.size-at)]
		if err := p.segment.read([][]byte{buf}, at); err != nil {
			return 0, fail("save part", err)
		}
		c.Write(buf)
		if _, err := w.Write(buf); err != nil {
			return 0, fail("save part", err)
		}
	}
	return c.value(), nil
}

func (c *checksum) value() uint64 { return binary.LittleEndian.Uint64(c.append(nil)) }

// Parts are the parts of the delta, in no order that means anything.
func (d *Delta) Parts() []Part {
	var list []Part
	for s := range d.segments() {
		list = append(list, Part{s})
	}
	return list
}

// An index is stored as a delta is, but for the pages and the patches. In their
// place it has, in little endian:
//
//	count:u32 { length:u16 file at:u64 size:u64 sum:u64 }   parts
//	count:u32 { start:u32 count:u32 part:u32 at:u64 }       extents, in order
//	part:u32 at:u64 length:u32                              patches; part is none if there are none
const (
	indexMagic = "MayflyIx"
	noPart     = math.MaxUint32
	maxParts   = 1 << 20
)

// SaveIndex writes all of the delta but its parts, of which places says where
// they are.
func (d *Delta) SaveIndex(w io.Writer, places map[Part]Place) error {
	return fail("save index", d.saveIndex(w, places))
}

func (d *Delta) saveIndex(w io.Writer, places map[Part]Place) error {
	numbers := map[*segment]uint32{}
	le := binary.LittleEndian
	parts := d.Parts()
	b := le.AppendUint32(nil, uint32(len(parts)))
	for i, p := range parts {
		place, ok := places[p]
		if !ok || len(place.File) > math.MaxUint16 {
			return mismatch("part %d has no place", i)
		}
		numbers[p.segment] = uint32(i)
		b = le.AppendUint16(b, uint16(len(place.File)))
		b = append(b, place.File...)
		b = le.AppendUint64(b, uint64(place.At))
		b = le.AppendUint64(b, uint64(p.segment.size))
		b = le.AppendUint64(b, place.Sum)
	}
	b = le.AppendUint32(b, uint32(len(d.extents)))
	for _, e := range d.extents {
		b = le.AppendUint32(b, e.start)
		b = le.AppendUint32(b, e.count)
		b = le.AppendUint32(b, numbers[e.segment])
		b = le.AppendUint64(b, uint64(e.at))
	}
	patches := uint32(noPart)
	if d.patches.bytes > 0 {
		patches = numbers[d.patches.segment]
	}
	b = le.AppendUint32(b, patches)
	b = le.AppendUint64(b, uint64(d.patches.at))
	b = le.AppendUint32(b, uint32(d.patches.bytes))
	h := header{magic: indexMagic, guest: d.guest, origin: d.Image(), size: d.size, globals: d.Globals, runs: d.runs()}
	return h.encode(w, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// ReadIndex reads what SaveIndex wrote, and the parts from the files that it
// names, which open finds. It gives the delta and where its parts are.
//
// # Errors
//
// ErrCorrupt if the index or a part is not what was written, or what open
// fails with.
func ReadIndex(r io.Reader, open func(file string) (io.ReaderAt, error)) (*Delta, map[Part]Place, error) {
	d, places, err := readIndex(newDecoder(r), open)
	return d, places, fail("read index", err)
}

func readIndex(dec *decoder, open func(file string) (io.ReaderAt, error)) (_ *Delta, _ map[Part]Place, err error) {
	h, err := dec.header(indexMagic)
	if err != nil {
		return nil, nil, err
	}
	type stored struct {
		Place
		size int64
	}
	var parts []stored
	n, err := dec.u32()
	if err != nil {
		return nil, nil, err
	}
	if n > maxParts {
		return nil, nil, corrupt("%d parts", n)
	}
	for ; n > 0; n-- {
		var p stored
		length, err := dec.u16()
		if err != nil {
			return nil, nil, err
		}
		name := make([]byte, length)
		err = dec.read(name)
		at, err2 := dec.u64()
		size, err3 := dec.u64()
		sum, err4 := dec.u64()
		if err := errors.Join(err, err2, err3, err4); err != nil {
			return nil, nil, err
		}
		if at > math.MaxInt64-MaxBytes || size == 0 || size > MaxBytes {
			return nil, nil, corrupt("a part of %d bytes at %d", size, at)
		}
		p.Place, p.size = Place{string(name), int64(at), sum}, int64(size)
		parts = append(parts, p)
	}

	// Extents: only then it is known that there is use for the parts.
	type piece struct {
		run
		part uint32
		at   int64
	}
	var pieces []piece
	var runs []run
	used := make([]bool, len(parts))
	if n, err = dec.u32(); err != nil {
		return nil, nil, err
	}
	for ; n > 0; n-- {
		start, err := dec.u32()
		count, err2 := dec.u32()
		part, err3 := dec.u32()
		at, err4 := dec.u64()
		if err := errors.Join(err, err2, err3, err4); err != nil {
			return nil, nil, err
		}
		last := uint32(0)
		if len(pieces) > 0 {
			last = pieces[len(pieces)-1].end()
		}
		if start < last || int64(start)+int64(count) > h.size/PageSize || count == 0 || int64(part) >= int64(len(parts)) ||
			at%PageSize != 0 || at > MaxBytes || int64(at)+int64(count)*PageSize > parts[part].size {
			return nil, nil, corrupt("pages %d+%d in part %d", start, count, part)
		}
		pieces = append(pieces, piece{run{start, count}, part, int64(at)})
		runs = appendRun(runs, start, count)
		used[part] = true
	}
	if !slices.Equal(runs, h.runs) {
		return nil, nil, corrupt("extents are not its pages")
	}
	patches, err := dec.u32()
	patchesAt, err2 := dec.u64()
	patchesLength, err3 := dec.u32()
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, nil, err
	}
	if patches == noPart != (patchesLength == 0) || patches != noPart &&
		(int64(patches) >= int64(len(parts)) || patchesAt > MaxBytes || int64(patchesAt)+int64(patchesLength) > parts[patches].size) {
		return nil, nil, corrupt("patches in part %d", patches)
	}
	if patches != noPart {
		used[patches] = true
	}
	for i := range used {
		if !used[i] {
			return nil, nil, corrupt("part %d has no use", i)
		}
	}
	if err := dec.end(); err != nil {
		return nil, nil, err
	}

	d := &Delta{Globals: h.globals, guest: h.guest, origin: h.origin, size: h.size}
	d.refs.Store(1)
	segments := make([]*segment, 0, len(parts))
	places := map[Part]Place{}
	defer func() {
		if err != nil {
			for _, s := range segments {
				err = errors.Join(err, s.release())
			}
		}
	}()
	for _, p := range parts {
		s, err := readPart(p.Place, p.size, open)
		if err != nil {
			return nil, nil, err
		}
		segments = append(segments, s)
		places[Part{s}] = p.Place
	}
	for _, e := range pieces {
		d.extents = append(d.extents, extent{e.run, segments[e.part], e.at})
	}
	if patches != noPart {
		list := make([]byte, patchesLength)
		if err := segments[patches].read([][]byte{list}, int64(patchesAt)); err != nil {
			return nil, nil, err
		}
		count, err := checkPatches(list, h.runs, uint32(h.size/PageSize))
		if err != nil {
			return nil, nil, err
		}
		d.patches = patchesOf(segments[patches], int64(patchesAt), int64(patchesLength), count)
	}
	return d, places, nil
}

func patchesOf(s *segment, at, bytes, pages int64) patches {
	return patches{segment: s, at: at, bytes: bytes, pages: pages}
}

// readPart reads a part. Memory is taken as its contents arrive.
func readPart(place Place, size int64, open func(file string) (io.ReaderAt, error)) (_ *segment, err error) {
	f, err := open(place.File)
	if err != nil {
		return nil, err
	}
	s, err := newSegment(size)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	var sum checksum
	buf := make([]byte, min(size, 256<<10))
	for at := int64(0); at < size; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), size-at)]
		if n, err := f.ReadAt(buf, place.At+at); n < len(buf) {
			if err == nil || errors.Is(err, io.EOF) {
				err = corrupt("a part is cut off")
			}
			return nil, err
		}
		sum.Write(buf)
		if err := s.write([][]byte{buf}, at); err != nil {
			return nil, err
		}
	}
	if sum.value() != place.Sum {
		return nil, corrupt("the checksum of a part differs")
	}
	return s, nil
}
