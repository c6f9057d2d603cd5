// Package encoding decodes the legacy encodings of the Encoding standard, as
// the standard does it to the byte: which bytes an error takes, and which begin
// anew, is what security of text filters rests on. The tables come from
// golang.org/x/text, whose own decoders differ there.
package encoding

import (
	"errors"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"mayfly/host/op"
)

// Errors that are the guest's fault.
var (
	// ErrEncoding: there is no encoding with this number.
	ErrEncoding = errors.New("unknown encoding")
	// ErrData: the data is not valid, and the decoder is fatal.
	ErrData = errors.New("the data is not valid in its encoding")
)

// An Encoding is one of those that are decoded here.
type Encoding uint8

// The encodings, numbered as the guest has them (guests/quickjs/c/encoding_labels.h).
const (
	IBM866 Encoding = iota
	ISO8859_2
	ISO8859_3
	ISO8859_4
	ISO8859_5
	ISO8859_6
	ISO8859_7
	ISO8859_8
	ISO8859_8I
	ISO8859_10
	ISO8859_13
	ISO8859_14
	ISO8859_15
	ISO8859_16
	KOI8R
	KOI8U
	Macintosh
	Windows874
	Windows1250
	Windows1251
	Windows1253
	Windows1254
	Windows1255
	Windows1256
	Windows1257
	Windows1258
	XMacCyrillic
	XUserDefined
	GBK
	GB18030
	Big5
	EUCJP
	ISO2022JP
	ShiftJIS
	EUCKR
	encodings
)

var singleByte = [XUserDefined]*charmap.Charmap{
	charmap.CodePage866, charmap.ISO8859_2, charmap.ISO8859_3, charmap.ISO8859_4, charmap.ISO8859_5, charmap.ISO8859_6, charmap.ISO8859_7,
	charmap.ISO8859_8, charmap.ISO8859_8, charmap.ISO8859_10, charmap.ISO8859_13, charmap.ISO8859_14, charmap.ISO8859_15, charmap.ISO8859_16,
	charmap.KOI8R, charmap.KOI8U, charmap.Macintosh, charmap.Windows874, charmap.Windows1250, charmap.Windows1251, charmap.Windows1253,
	charmap.Windows1254, charmap.Windows1255, charmap.Windows1256, charmap.Windows1257, charmap.Windows1258, charmap.MacintoshCyrillic,
}

// A decoder has one stream in its hands. Between two calls it is its state.
type decoder interface {
	// next decodes the character that p, which is not empty, begins with. n is how
	// many bytes it takes; 0 means that p is its beginning only, which it can't be
	// when it is the last of the stream. r is replacement for an error, and
	// nothing for bytes that stand for no character.
	next(p []byte, last bool) (r rune, n int)
	// state and setState are what there is between calls besides bytes.
	state() []byte
	setState([]byte) bool
}

const (
	replacement = utf8.RuneError
	nothing     = -1
	// Two characters of Big5 are a letter and a mark (Encoding standard, 14.1.1).
	withMark = 0x200000
)

// partSize is how many bytes are decoded between two pauses: about a millisecond.
const partSize = 64 << 10

// maxPending is the most that a decoder leaves of its input.
const maxPending = 4

// Call answers the operation decode. The answer is appended to out[:0] if it
// fits there, else allocated; nothing of in is kept. pause is called between
// parts of long work: it may panic to end the guest.
//
// # Errors
//
// [ErrEncoding], [ErrData], [op.ErrMessage].
func Call(in, out []byte, pause func()) ([]byte, error) {
	r := op.NewReader(in)
	e, flags, state, input := Encoding(r.U8()), r.U8(), r.Bytes(), r.Bytes()
	if err := r.Done(); err != nil {
		return nil, err
	}
	if e >= encodings {
		return nil, ErrEncoding
	}
	fatal, last := flags&1 != 0, flags&2 != 0
	const head = 4 + 1 + maxPending + 2
	if cap(out) < head+2*len(input) {
		out = make([]byte, 0, head+2*len(input)+2*maxPending)
	}
	w := op.NewWriter(out)
	if e <= XUserDefined {
		w.Bytes(nil)
		return decodeSingle(w.Message(), table(e), input, fatal, pause)
	}
	d := newDecoder(e)
	if len(state) > 0 {
		own := len(d.state())
		if len(state) < own || len(state)-own > maxPending || !d.setState(state[:own]) {
			return nil, op.ErrMessage
		}
		if len(state) > own {
			input = append(append(make([]byte, 0, len(state)+len(input)), state[own:]...), input...)
		}
	}
	// What is left over is known at the end only, and comes first: its room is kept.
	var units []byte
	units, left, err := decodeMulti(out[:0:cap(out)][head:head], d, input, fatal, last, pause)
	if err != nil {
		return nil, err
	}
	kept := append(d.state(), input[left:]...)
	if last {
		kept = nil
	}
	w = op.NewWriter(out)
	w.Bytes(kept)
	return append(w.Message(), units...), nil
}

func decodeSingle(to []byte, table *[128]uint16, input []byte, fatal bool, pause func()) ([]byte, error) {
	for len(input) > 0 {
		part := input[:min(partSize, len(input))]
		input = input[len(part):]
		for _, b := range part {
			unit := uint16(b)
			if b >= 0x80 {
				if unit = table[b-0x80]; unit == replacement && fatal {
					return nil, ErrData
				}
			}
			to = append(to, byte(unit), byte(unit>>8))
		}
		if len(input) > 0 {
			pause()
		}
	}
	return to, nil
}

// decodeMulti answers the units, and how much of the input has been decoded.
func decodeMulti(to []byte, d decoder, input []byte, fatal, last bool, pause func()) (units []byte, at int, err error) {
	paused := partSize
	for at < len(input) {
		if at >= paused {
			paused += partSize
			pause()
		}
		r, n := d.next(input[at:], last)
		if n == 0 {
			break
		}
		at += n
		switch {
		case r == nothing:
			continue
		case r == replacement && fatal:
			return nil, 0, ErrData
		case r >= withMark:
			r -= withMark
			to = append(to, byte(r), byte(r>>8), byte(r>>16), 0x03)
		case r >= 0x10000:
			r -= 0x10000
			high, low := 0xD800+r>>10, 0xDC00+r&0x3FF
			to = append(to, byte(high), byte(high>>8), byte(low), byte(low>>8))
		default:
			to = append(to, byte(r), byte(r>>8))
		}
	}
	return to, at, nil
}

var singleTables [encodings]struct {
	once  sync.Once
	units [128]uint16
}

// table is the upper half of a single-byte encoding.
func table(e Encoding) *[128]uint16 {
	t := &singleTables[e]
	t.once.Do(func() {
		for i := range t.units {
			if e == XUserDefined {
				t.units[i] = uint16(0xF780 + i)
			} else {
				t.units[i] = uint16(singleByte[e].DecodeByte(byte(0x80 + i)))
			}
		}
		fixSingle(e, &t.units)
	})
	return &t.units
}
