package encoding

// Decoders of the Encoding standard, sections 10 to 13. One that has no state
// but bytes answers from the bytes alone.

func newDecoder(e Encoding) decoder {
	switch e {
	case GBK, GB18030:
		return stateless(nextGB18030)
	case Big5:
		return stateless(nextBig5)
	case EUCJP:
		return stateless(nextEUCJP)
	case ISO2022JP:
		return &iso2022jp{}
	case ShiftJIS:
		return stateless(nextShiftJIS)
	}
	return stateless(nextEUCKR)
}

type stateless func(p []byte) (r rune, n int)

func (f stateless) next(p []byte, last bool) (rune, int) {
	if p[0] < 0x80 {
		return rune(p[0]), 1
	}
	r, n := f(p)
	if n == 0 && last { // an unfinished character at the end is one error
		return replacement, len(p)
	}
	return r, n
}

func (stateless) state() []byte { return nil }

func (stateless) setState(s []byte) bool { return len(s) == 0 }

// wrongPair is the error of a lead byte with the byte after it: which is not
// taken if it is ASCII.
func wrongPair(trail byte) (rune, int) {
	if trail < 0x80 {
		return replacement, 1
	}
	return replacement, 2
}

func nextGB18030(p []byte) (rune, int) {
	first := p[0]
	if first == 0x80 {
		return 0x20AC, 1
	}
	if first == 0xFF {
		return replacement, 1
	}
	if len(p) < 2 {
		return 0, 0
	}
	second := p[1]
	if second >= 0x30 && second <= 0x39 {
		if len(p) < 3 {
			return 0, 0
		}
		if p[2] < 0x81 || p[2] > 0xFE {
			return replacement, 1 // the second and the third begin anew
		}
		if len(p) < 4 {
			return 0, 0
		}
		if p[3] < 0x30 || p[3] > 0x39 {
			return replacement, 1
		}
		pointer := ((int(first)-0x81)*10+int(second)-0x30)*1260 + (int(p[2])-0x81)*10 + int(p[3]) - 0x30
		if r := gb18030Ranges(pointer); r != 0 {
			return r, 4
		}
		return replacement, 4
	}
	offset := byte(0x40)
	if second >= 0x7F {
		offset = 0x41
	}
	if second >= 0x40 && second <= 0x7E || second >= 0x80 && second <= 0xFE {
		if r := indexes().gb18030[(int(first)-0x81)*190+int(second-offset)]; r != 0 {
			return rune(r), 2
		}
	}
	return wrongPair(second)
}

func nextBig5(p []byte) (rune, int) {
	lead := p[0]
	if lead == 0x80 || lead == 0xFF {
		return replacement, 1
	}
	if len(p) < 2 {
		return 0, 0
	}
	trail := p[1]
	offset := byte(0x40)
	if trail >= 0x7F {
		offset = 0x62
	}
	if trail >= 0x40 && trail <= 0x7E || trail >= 0xA1 && trail <= 0xFE {
		pointer := (int(lead)-0x81)*157 + int(trail-offset)
		switch pointer {
		case 1133:
			return withMark + 0x0400CA, 2
		case 1135:
			return withMark + 0x0C00CA, 2
		case 1164:
			return withMark + 0x0400EA, 2
		case 1166:
			return withMark + 0x0C00EA, 2
		}
		if r := indexes().big5[pointer]; r != 0 {
			return r, 2
		}
	}
	return wrongPair(trail)
}

func nextEUCJP(p []byte) (rune, int) {
	lead := p[0]
	if lead != 0x8E && lead != 0x8F && (lead < 0xA1 || lead > 0xFE) {
		return replacement, 1
	}
	if len(p) < 2 {
		return 0, 0
	}
	trail := p[1]
	if lead == 0x8E && trail >= 0xA1 && trail <= 0xDF {
		return 0xFF61 - 0xA1 + rune(trail), 2
	}
	index := indexes().jis0208[:]
	skip := 0
	if lead == 0x8F && trail >= 0xA1 && trail <= 0xFE {
		if len(p) < 3 {
			return 0, 0
		}
		lead, trail = p[1], p[2]
		skip = 1
		index = indexes().jis0212[:]
	}
	if lead >= 0xA1 && trail >= 0xA1 && trail <= 0xFE {
		if r := index[(int(lead)-0xA1)*94+int(trail)-0xA1]; r != 0 {
			return rune(r), skip + 2
		}
	}
	r, n := wrongPair(trail)
	return r, skip + n
}

func nextShiftJIS(p []byte) (rune, int) {
	lead := p[0]
	switch {
	case lead == 0x80:
		return 0x80, 1
	case lead >= 0xA1 && lead <= 0xDF:
		return 0xFF61 - 0xA1 + rune(lead), 1
	case lead == 0xA0 || lead > 0xFC:
		return replacement, 1
	case len(p) < 2:
		return 0, 0
	}
	trail := p[1]
	offset, leadOffset := byte(0x40), byte(0x81)
	if trail >= 0x7F {
		offset = 0x41
	}
	if lead >= 0xA0 {
		leadOffset = 0xC1
	}
	if trail >= 0x40 && trail <= 0x7E || trail >= 0x80 && trail <= 0xFC {
		pointer := int(lead-leadOffset)*188 + int(trail-offset)
		if pointer >= 8836 && pointer <= 10715 {
			return 0xE000 - 8836 + rune(pointer), 2
		}
		if r := indexes().jis0208[pointer]; r != 0 {
			return rune(r), 2
		}
	}
	return wrongPair(trail)
}

func nextEUCKR(p []byte) (rune, int) {
	lead := p[0]
	if lead == 0x80 || lead == 0xFF {
		return replacement, 1
	}
	if len(p) < 2 {
		return 0, 0
	}
	trail := p[1]
	if trail >= 0x41 && trail <= 0xFE {
		if r := indexes().eucKR[(int(lead)-0x81)*190+int(trail)-0x41]; r != 0 {
			return rune(r), 2
		}
	}
	return wrongPair(trail)
}

// An iso2022jp decoder has shifted to one of four sets of characters.
type iso2022jp struct {
	set     byte
	escaped bool // an escape, and no character since: another one is an error
}

const (
	setASCII byte = iota
	setRoman
	setKatakana
	setJIS
	sets
)

func (d *iso2022jp) state() []byte {
	if d.escaped {
		return []byte{d.set, 1}
	}
	return []byte{d.set, 0}
}

func (d *iso2022jp) setState(s []byte) bool {
	if len(s) != 2 || s[0] >= sets || s[1] > 1 {
		return false
	}
	d.set, d.escaped = s[0], s[1] == 1
	return true
}

func (d *iso2022jp) next(p []byte, last bool) (r rune, n int) {
	b := p[0]
	if b == 0x1B {
		return d.escape(p, last)
	}
	d.escaped = false
	switch d.set {
	case setKatakana:
		if b >= 0x21 && b <= 0x5F {
			return 0xFF61 - 0x21 + rune(b), 1
		}
		return replacement, 1
	case setJIS:
		if b < 0x21 || b > 0x7E {
			return replacement, 1
		}
		if len(p) < 2 {
			if last {
				return replacement, 1
			}
			return 0, 0
		}
		trail := p[1]
		if trail == 0x1B {
			return replacement, 1
		}
		if trail >= 0x21 && trail <= 0x7E {
			if r := indexes().jis0208[(int(b)-0x21)*94+int(trail)-0x21]; r != 0 {
				return rune(r), 2
			}
		}
		return replacement, 2
	}
	switch {
	case b >= 0x80 || b == 0x0E || b == 0x0F:
		return replacement, 1
	case d.set == setRoman && b == 0x5C:
		return 0xA5, 1
	case d.set == setRoman && b == 0x7E:
		return 0x203E, 1
	}
	return rune(b), 1
}

func (d *iso2022jp) escape(p []byte, last bool) (rune, int) {
	if len(p) < 3 && !last && (len(p) < 2 || p[1] == '$' || p[1] == '(') {
		return 0, 0
	}
	set := sets
	if len(p) >= 3 {
		switch string(p[1:3]) {
		case "(B":
			set = setASCII
		case "(J":
			set = setRoman
		case "(I":
			set = setKatakana
		case "$@", "$B":
			set = setJIS
		}
	}
	if set == sets {
		d.escaped = false
		return replacement, 1
	}
	d.set = set
	if d.escaped {
		return replacement, 3
	}
	d.escaped = true
	return nothing, 3
}
