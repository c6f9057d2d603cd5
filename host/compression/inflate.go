package compression

import (
	"encoding/binary"
	"math/bits"
)

// windowSize is how far back DEFLATE may refer (RFC 1951 §3.2.5).
const windowSize = 32 << 10

// chunkSize is how much output an inflater makes before it has to be taken.
const chunkSize = 64 << 10

// An inflater decodes DEFLATE (RFC 1951) that comes in pieces. The libraries'
// own readers pull their input, so that one which waits for more has to wait on
// a goroutine of its own; this one returns, and all that it knows is in here.
//
// A unit (a symbol with its extra bits, a block's header) is decoded only as a
// whole: if its bits are not there yet nothing is taken, and it is tried again
// when more have come.
type inflater struct {
	in     bitReader
	state  inflateState
	last   bool // this block is the last
	stored int  // bytes of a stored block that are still to come

	literals, distances huffman

	buffer  [windowSize + chunkSize]byte
	written int // end of what is decoded in buffer
	taken   int // end of what has been taken of it
}

type inflateState uint8

const (
	inflateHeader inflateState = iota
	inflateStored
	inflateCodes
	inflateEnd
)

// A progress says what a decoder waits for.
type progress uint8

const (
	needsInput progress = iota // all of the input is used up
	needsRoom                  // output has to be taken
	ended
)

// reset makes it ready for another stream. dictionary, which may be empty, is
// what references may reach back to from the beginning.
func (f *inflater) reset(dictionary []byte) {
	if len(dictionary) > windowSize {
		dictionary = dictionary[len(dictionary)-windowSize:]
	}
	f.state, f.last, f.stored = inflateHeader, false, 0
	f.in.hold, f.in.bits = 0, 0
	f.written = copy(f.buffer[:], dictionary)
	f.taken = f.written
}

// output is what is decoded and not taken.
func (f *inflater) output() []byte { return f.buffer[f.taken:f.written] }

// slide makes room in the buffer, if all of it has been taken.
func (f *inflater) slide() {
	if f.taken == f.written && f.written > windowSize {
		copy(f.buffer[:windowSize], f.buffer[f.written-windowSize:f.written])
		f.written, f.taken = windowSize, windowSize
	}
}

// run decodes until something is missing.
func (f *inflater) run() (progress, error) {
	f.slide()
	for {
		var p progress
		var err error
		switch f.state {
		case inflateHeader:
			if f.last {
				f.in.giveBack()
				f.state = inflateEnd
				continue
			}
			var whole bool
			before := f.in
			if whole, err = f.header(); !whole { // once more, later; a mistake shows again
				f.in = before
				return needsInput, err
			}
			continue
		case inflateStored:
			p = f.copyStored()
		case inflateCodes:
			p, err = f.codes()
		case inflateEnd:
			return ended, nil
		}
		if err != nil || f.state != inflateHeader {
			return p, err
		}
	}
}

// The orders and tables of RFC 1951 §3.2.5 and §3.2.7.
var (
	codeOrder    = [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lengthBase   = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra  = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
		12289, 16385, 24577}
	distanceExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	fixedLengths  = func() (lengths [288]uint8) {
		for i := range lengths {
			switch {
			case i < 144:
				lengths[i] = 8
			case i < 256:
				lengths[i] = 9
			case i < 280:
				lengths[i] = 7
			default:
				lengths[i] = 8
			}
		}
		return
	}()
)

// header reads a block's header. whole is false if it has not come whole.
func (f *inflater) header() (whole bool, err error) {
	v, ok := f.in.take(3)
	if !ok {
		return false, nil
	}
	switch v >> 1 {
	case 0:
		f.in.align()
		v, ok := f.in.take(32)
		if !ok {
			return false, nil
		}
		if uint16(v) != ^uint16(v>>16) {
			return false, dataError("invalid stored block lengths")
		}
		f.stored = int(uint16(v))
		f.state = inflateStored
	case 1:
		f.literals.build(fixedLengths[:])
		var distances [32]uint8
		for i := range distances {
			distances[i] = 5
		}
		f.distances.build(distances[:])
		f.state = inflateCodes
	case 2:
		if whole, err := f.dynamic(); !whole {
			return false, err
		}
		f.state = inflateCodes
	default:
		return false, dataError("invalid block type")
	}
	f.last = v&1 != 0
	return true, nil
}

// dynamic reads the code lengths of a block (RFC 1951 §3.2.7).
func (f *inflater) dynamic() (whole bool, err error) {
	v, ok := f.in.take(14)
	if !ok {
		return false, nil
	}
	literals, distances, codes := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if literals > 286 || distances > 30 {
		return false, dataError("too many length or distance symbols")
	}
	var lengths [286 + 30]uint8
	for i := range codes {
		v, ok := f.in.take(3)
		if !ok {
			return false, nil
		}
		lengths[codeOrder[i]] = uint8(v)
	}
	if f.literals.build(lengths[:19]) != complete {
		return false, dataError("invalid code lengths set")
	}
	clear(lengths[:19])
	total := literals + distances
	for i := 0; i < total; {
		symbol, ok := f.in.symbol(&f.literals)
		if !ok {
			return false, nil
		}
		if symbol < 16 {
			lengths[i] = uint8(symbol)
			i++
			continue
		}
		var length uint8
		var count uint64
		switch symbol {
		case 16:
			if i == 0 {
				return false, dataError("invalid bit length repeat")
			}
			length = lengths[i-1]
			count, ok = f.in.take(2)
			count += 3
		case 17:
			count, ok = f.in.take(3)
			count += 3
		case 18:
			count, ok = f.in.take(7)
			count += 11
		default:
			return false, dataError("invalid code lengths set")
		}
		if !ok {
			return false, nil
		}
		if i+int(count) > total {
			return false, dataError("invalid bit length repeat")
		}
		for ; count > 0; count-- {
			lengths[i] = length
			i++
		}
	}
	if lengths[256] == 0 {
		return false, dataError("invalid code -- missing end-of-block")
	}
	if f.literals.build(lengths[:literals]) == wrong {
		return false, dataError("invalid literal/lengths set")
	}
	if f.distances.build(lengths[literals:total]) == wrong {
		return false, dataError("invalid distances set")
	}
	return true, nil
}

func (f *inflater) copyStored() progress {
	for f.stored > 0 {
		if f.written == len(f.buffer) {
			return needsRoom
		}
		// What was read ahead comes first.
		if f.in.bits >= 8 {
			f.buffer[f.written] = byte(f.in.hold)
			f.in.hold >>= 8
			f.in.bits -= 8
			f.written++
			f.stored--
			continue
		}
		f.in.hold = 0 // the copies in it, of bytes that are now taken directly
		n := min(f.stored, len(f.buffer)-f.written, len(f.in.bytes)-f.in.at)
		if n == 0 {
			return needsInput
		}
		copy(f.buffer[f.written:], f.in.bytes[f.in.at:f.in.at+n])
		f.in.at += n
		f.written += n
		f.stored -= n
	}
	f.state = inflateHeader
	return needsInput
}

// codes decodes symbols up to the end of the block.
func (f *inflater) codes() (progress, error) {
	const longest = 258
	literals, distances := &f.literals, &f.distances
	in := f.in
	w := f.written
	defer func() {
		f.in = in
		f.written = w
	}()
	for {
		if w > len(f.buffer)-longest {
			return needsRoom, nil
		}
		in.fill()
		// A length with its distance takes at most 48 bits: they are there, or the
		// input ends. Nothing is committed before all of them are.
		hold, left := in.hold, int(in.bits)
		entry := literals.find(hold)
		n := int(entry & 15)
		symbol := int(entry >> 4)
		if n > left {
			return needsInput, nil
		}
		hold >>= n
		left -= n
		if symbol < 256 {
			f.buffer[w] = byte(symbol)
			w++
			in.hold, in.bits = hold, uint(left)
			// Most symbols are literals: try another on the same bits.
			entry = literals.find(hold)
			n = int(entry & 15)
			symbol = int(entry >> 4)
			if n > left || symbol > 255 || w > len(f.buffer)-longest {
				continue
			}
			f.buffer[w] = byte(symbol)
			w++
			in.hold, in.bits = hold>>n, uint(left-n)
			continue
		}
		if symbol == 256 {
			in.hold, in.bits = hold, uint(left)
			f.state = inflateHeader
			return needsInput, nil
		}
		symbol -= 257
		if symbol >= len(lengthBase) {
			if n == 0 && left < 15 { // no code begins like this, so far
				return needsInput, nil
			}
			return needsInput, dataError("invalid literal/length code")
		}
		extra := int(lengthExtra[symbol])
		length := int(lengthBase[symbol]) + int(hold&(1<<extra-1))
		hold >>= extra
		left -= extra
		entry = distances.find(hold)
		n = int(entry & 15)
		symbol = int(entry >> 4)
		left -= n
		if left < 0 {
			return needsInput, nil
		}
		if symbol >= len(distanceBase) {
			if n == 0 && left < 15 {
				return needsInput, nil
			}
			return needsInput, dataError("invalid distance code")
		}
		hold >>= n
		extra = int(distanceExtra[symbol])
		distance := int(distanceBase[symbol]) + int(hold&(1<<extra-1))
		hold >>= extra
		left -= extra
		if left < 0 {
			return needsInput, nil
		}
		if distance > w {
			return needsInput, dataError("invalid distance too far back")
		}
		in.hold, in.bits = hold, uint(left)
		from := w - distance
		if distance >= length {
			copy(f.buffer[w:w+length], f.buffer[from:from+length])
			w += length
			continue
		}
		for end := w + length; w < end; {
			w += copy(f.buffer[w:end], f.buffer[from:w])
		}
	}
}

// A bitReader reads bits, the low ones of a byte first.
type bitReader struct {
	bytes []byte
	at    int    // of bytes: what hold has is before
	hold  uint64 // the next bits; above bits there are copies of bytes that are still to come, or zeros
	bits  uint
}

// fill reads ahead: 56 bits at least, unless the input ends.
func (r *bitReader) fill() {
	if r.at+8 <= len(r.bytes) {
		r.hold |= binary.LittleEndian.Uint64(r.bytes[r.at:]) << r.bits
		r.at += int(63-r.bits) >> 3
		r.bits |= 56
		return
	}
	// What the fast form has put above bits must not be added twice.
	r.hold &= 1<<r.bits - 1
	for r.bits < 56 && r.at < len(r.bytes) {
		r.hold |= uint64(r.bytes[r.at]) << r.bits
		r.at++
		r.bits += 8
	}
}

// take reads n bits, 32 at most. ok is false if they are not there.
func (r *bitReader) take(n uint) (v uint64, ok bool) {
	if r.bits < n {
		if r.fill(); r.bits < n {
			return 0, false
		}
	}
	v = r.hold & (1<<n - 1)
	r.hold >>= n
	r.bits -= n
	return v, true
}

// symbol reads a symbol. ok is false if its bits are not there.
func (r *bitReader) symbol(h *huffman) (symbol int, ok bool) {
	r.fill()
	entry := h.find(r.hold)
	n := uint(entry & 15)
	if n > r.bits || n == 0 && r.bits < 15 {
		return 0, false
	}
	r.hold >>= n
	r.bits -= n
	return int(entry >> 4), true
}

// align drops the bits up to the next byte.
func (r *bitReader) align() {
	r.hold >>= r.bits & 7
	r.bits &^= 7
}

// giveBack drops the rest of a byte, and returns the bytes that were read ahead.
func (r *bitReader) giveBack() {
	r.at -= int(r.bits >> 3)
	r.hold, r.bits = 0, 0
}

// unread is how many bytes have not been taken by bits.
func (r *bitReader) unread() int { return len(r.bytes) - r.at + int(r.bits>>3) }

// feed adds input, which is copied.
func (r *bitReader) feed(p []byte) {
	n := copy(r.bytes, r.bytes[r.at:])
	r.bytes = append(r.bytes[:n], p...)
	r.at = 0
	r.hold &= 1<<r.bits - 1
}

// A huffman decodes one prefix code: by a table for codes up to tableBits, and
// bit by bit for longer ones.
type huffman struct {
	table  [1 << tableBits]uint16 // symbol<<4 | length; see find
	counts [16]uint16             // codes of each length
	order  [288]uint16            // symbols by code
}

const tableBits = 10

// noSymbol is past every alphabet; with the length 0 it means that no code
// begins like this.
const noSymbol = 0xFFF

type codeSet uint8

const (
	complete codeSet = iota
	lone             // one code of one bit, or none: what zlib lets pass
	wrong
)

// build makes the code with these lengths (RFC 1951 §3.2.2).
func (h *huffman) build(lengths []uint8) codeSet {
	h.counts = [16]uint16{}
	for _, n := range lengths {
		h.counts[n]++
	}
	h.counts[0] = 0
	left, longest := 1, 0
	for n := 1; n < 16; n++ {
		if left = left<<1 - int(h.counts[n]); left < 0 {
			return wrong
		}
		if h.counts[n] > 0 {
			longest = n
		}
	}
	set := complete
	if left > 0 {
		if longest > 1 {
			return wrong
		}
		set = lone
	}
	var offsets [16]uint16
	var codes [16]uint32
	for n := 1; n < 15; n++ {
		offsets[n+1] = offsets[n] + h.counts[n]
		codes[n+1] = (codes[n] + uint32(h.counts[n])) << 1
	}
	for i := range h.table {
		h.table[i] = noSymbol << 4
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.order[offsets[n]] = uint16(symbol)
		offsets[n]++
		code := codes[n]
		codes[n]++
		if n <= tableBits {
			reversed := bits.Reverse32(code) >> (32 - n)
			for i := reversed; i < 1<<tableBits; i += 1 << n {
				h.table[i] = uint16(symbol)<<4 | uint16(n)
			}
		}
	}
	return set
}

// find answers symbol<<4 | length of the code that hold begins with. The length
// may be more than there are bits.
func (h *huffman) find(hold uint64) uint32 {
	if entry := h.table[hold&(1<<tableBits-1)]; entry&15 != 0 {
		return uint32(entry)
	}
	return h.findLong(hold)
}

func (h *huffman) findLong(hold uint64) uint32 {
	code, first, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		code |= int(hold & 1)
		hold >>= 1
		count := int(h.counts[n])
		if code-count < first {
			return uint32(h.order[index+code-first])<<4 | uint32(n)
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return noSymbol << 4
}
