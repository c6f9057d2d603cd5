package encoding

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// indexTables are the standard's indexes: code points by pointer, 0 for none.
type indexTables struct {
	gb18030  [126 * 190]uint16
	fourByte [39420]uint16 // the ranges of gb18030 in the basic plane
	big5     [126 * 157]rune
	jis0208  [60 * 188]uint16
	jis0212  [94 * 94]uint16
	eucKR    [126 * 190]uint16
}

// indexes are read out of the library's decoders when they are first needed,
// which takes a few milliseconds.
var indexes = sync.OnceValue(func() *indexTables {
	t := &indexTables{}
	one := func(e encoding.Encoding) func(b ...byte) rune {
		d := e.NewDecoder()
		var to [16]byte
		return func(b ...byte) rune {
			d.Reset()
			n, used, err := d.Transform(to[:], b, true)
			if err != nil || used != len(b) {
				return 0
			}
			r, size := utf8.DecodeRune(to[:n])
			if size != n || r == utf8.RuneError {
				return 0
			}
			return r
		}
	}
	gb, big5, eucJP, sjis, eucKR := one(simplifiedchinese.GB18030), one(traditionalchinese.Big5), one(japanese.EUCJP), one(japanese.ShiftJIS), one(korean.EUCKR)
	for lead := range 126 {
		for trail := range 190 {
			second := byte(0x40 + trail)
			if second >= 0x7F {
				second++
			}
			t.gb18030[lead*190+trail] = uint16(gb(byte(0x81+lead), second))
			t.eucKR[lead*190+trail] = uint16(eucKR(byte(0x81+lead), byte(0x41+trail)))
		}
		for trail := range 157 {
			second := byte(0x40 + trail)
			if second >= 0x7F {
				second += 0x22
			}
			t.big5[lead*157+trail] = big5(byte(0x81+lead), second)
		}
	}
	for pointer := range t.fourByte {
		t.fourByte[pointer] = uint16(gb(byte(0x81+pointer/12600), byte(0x30+pointer/1260%10), byte(0x81+pointer/10%126), byte(0x30+pointer%10)))
	}
	for lead := range 94 {
		for trail := range 94 {
			t.jis0208[lead*94+trail] = uint16(eucJP(byte(0xA1+lead), byte(0xA1+trail)))
			t.jis0212[lead*94+trail] = uint16(eucJP(0x8F, byte(0xA1+lead), byte(0xA1+trail)))
		}
	}
	for lead := 47; lead < 60; lead++ { // what only Shift_JIS reaches
		for trail := range 188 {
			second := byte(0x40 + trail)
			if second >= 0x7F {
				second++
			}
			if pointer := lead*188 + trail; pointer > 10715 {
				t.jis0208[pointer] = uint16(sjis(byte(0xC1+lead), second))
			}
		}
	}
	t.fix()
	return t
})

// gb18030Ranges is the standard's "index gb18030 ranges code point"; 0 for none.
func gb18030Ranges(pointer int) rune {
	switch {
	case pointer == 7457:
		return 0xE7C7
	case pointer < len(indexes().fourByte):
		return rune(indexes().fourByte[pointer])
	case pointer >= 189000 && pointer <= 1237575:
		return 0x10000 + rune(pointer) - 189000
	}
	return 0
}

// fix adds what the standard's index of gb18030 has beyond the library's: the
// private use area, and the characters that GB 18030-2022 moved out of it.
func (t *indexTables) fix() {
	for _, run := range gb18030Added {
		for i := range run.count {
			t.gb18030[run.pointer+i] = run.first + i
		}
	}
}

var gb18030Added = []struct{ pointer, count, first uint16 }{
	{0x17C0, 96, 0xE4C6}, {0x187E, 96, 0xE526}, {0x18E8, 6, 0xE766}, {0x1921, 1, 0xE76D}, {0x192C, 2, 0xE76E}, {0x193A, 2, 0xE770},
	{0x193C, 95, 0xE586}, {0x19FA, 96, 0xE5E6}, {0x1AAD, 11, 0xE772}, {0x1AB8, 96, 0xE646}, {0x1B6E, 8, 0xE77D}, {0x1B76, 96, 0xE6A6},
	{0x1BEE, 8, 0xE785}, {0x1C0E, 1, 0xFE10}, {0x1C0F, 1, 0xFE12}, {0x1C10, 1, 0xFE11}, {0x1C11, 4, 0xFE13}, {0x1C21, 2, 0xFE17},
	{0x1C28, 1, 0xFE19}, {0x1C2B, 9, 0xE797}, {0x1C34, 96, 0xE706}, {0x1CB5, 15, 0xE7A0}, {0x1CE5, 13, 0xE7AF}, {0x1D47, 11, 0xE7BC},
	{0x1D6D, 1, 0x1E3F}, {0x1D72, 4, 0xE7C9}, {0x1D9B, 21, 0xE7CD}, {0x1DC8, 1, 0xE7E2}, {0x1DCB, 1, 0xE7E3}, {0x1DCD, 3, 0xE7E4},
	{0x1E06, 13, 0xE7F4}, {0x1E5F, 15, 0xE801}, {0x1ECE, 94, 0xE000}, {0x1F8C, 94, 0xE05E}, {0x204A, 94, 0xE0BC}, {0x2108, 94, 0xE11A},
	{0x21C6, 94, 0xE178}, {0x2284, 94, 0xE1D6}, {0x408D, 5, 0xE810}, {0x58B2, 94, 0xE234}, {0x5970, 94, 0xE292}, {0x5A2E, 94, 0xE2F0},
	{0x5AEC, 94, 0xE34E}, {0x5BAA, 94, 0xE3AC}, {0x5C68, 94, 0xE40A}, {0x5CD7, 3, 0xE816}, {0x5CDF, 1, 0x9FB4}, {0x5CE7, 1, 0x9FB5},
	{0x5CEC, 2, 0x9FB6}, {0x5CF2, 1, 0xE831}, {0x5CF3, 1, 0x9FB8}, {0x5CFC, 1, 0xE83B}, {0x5D04, 1, 0x9FB9}, {0x5D15, 1, 0x9FBA},
	{0x5D16, 1, 0xE855}, {0x5D25, 1, 0x9FBB}, {0x5D26, 94, 0xE468},
}

// fixSingle: bytes of the C1 controls that stand for nothing else are controls.
func fixSingle(e Encoding, units *[128]uint16) {
	for i := range 32 {
		if units[i] == utf8.RuneError {
			units[i] = uint16(0x80 + i)
		}
	}
}
