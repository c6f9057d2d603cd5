package encoding

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
	"unicode/utf16"

	"mayfly/host/op"
)

// decode gives the input in parts, and answers the text.
func decode(t testing.TB, e Encoding, fatal bool, parts ...[]byte) (string, error) {
	t.Helper()
	var units []uint16
	var state []byte
	for i, part := range parts {
		var w op.Writer
		w.U8(uint8(e))
		var flags uint8
		if fatal {
			flags |= 1
		}
		if i == len(parts)-1 {
			flags |= 2
		}
		w.U8(flags)
		w.Bytes(state)
		w.Bytes(part)
		answer, err := Call(w.Message(), make([]byte, 0, 100), func() {})
		if err != nil {
			return "", err
		}
		r := op.NewReader(answer)
		state = bytes.Clone(r.Bytes())
		if len(state) > 2+maxPending {
			t.Fatalf("a state of %d bytes", len(state))
		}
		made := r.Rest()
		if r.Err() != nil || len(made)%2 != 0 {
			t.Fatalf("an answer of %d bytes: %v", len(made), r.Err())
		}
		for ; len(made) > 0; made = made[2:] {
			units = append(units, binary.LittleEndian.Uint16(made))
		}
	}
	if len(state) > 0 {
		t.Fatalf("%x is left at the end", state)
	}
	return string(utf16.Decode(units)), nil
}

func each(p []byte) (parts [][]byte) {
	for i := range p {
		parts = append(parts, p[i:i+1])
	}
	return append(parts, nil)
}

// What the standard's state machines do at their edges.
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		encoding Encoding
		bytes    string
		want     string
	}{
		{IBM866, "\x80\xFF", "А\u00a0"},
		{Windows874, "\x81\xA1\xDB", "\u0081ก\ufffd"},
		{Windows1253, "\x98\xAA", "\u0098\ufffd"},
		{ISO8859_8I, "\xE0\xBF", "א\ufffd"},
		{XUserDefined, "a\x80\xFF", "a\uf780\uf7ff"},
		{GBK, "\x80\xC4\xE3", "€你"},
		{GBK, "\xFF\x81", "\ufffd\ufffd"},
		{GB18030, "\x81\x30\x81\x30", "\u0080"},
		{GB18030, "\x81\x30\x81", "\ufffd"},
		{GB18030, "\x81\x30\x20", "\ufffd0 "},
		{GB18030, "\x81\x30\x81\x20", "\ufffd0\ufffd "},
		{GB18030, "\x81\x20\x81\xFF", "\ufffd \ufffd"},
		{GB18030, "\x84\x31\xA4\x39", "\uffff"},
		{GB18030, "\x84\x31\xA5\x30", "\ufffd"},
		{GB18030, "\x90\x30\x81\x30\xE3\x32\x9A\x35", "\U00010000\U0010ffff"},
		{GB18030, "\xE3\x32\x9A\x36", "\ufffd"},
		{GB18030, "\x81\x35\xF4\x37", "\ue7c7"},
		{GB18030, "\xA2\xE3\xA6\xD9\xFE\x59", "€\ufe10\u9fb4"},
		{Big5, "\x88\x62\x88\x64\x88\xA3\x88\xA5", "\u00ca\u0304\u00ca\u030c\u00ea\u0304\u00ea\u030c"},
		{Big5, "\xA4\xA4\x80\x87@\xA4", "中\ufffd\u43f0\ufffd"},
		{EUCJP, "\x8E\xB1\xA4\xA2\x8F\xB0\xA1", "ｱあ丂"},
		{EUCJP, "\x8E\xE0\x8F\xA1\x20\xA1", "\ufffd\ufffd \ufffd"},
		{ShiftJIS, "\x82\xA0\xB1\x80\xF0\x40\xFC\x4B", "あｱ\u0080\ue000黑"},
		{ShiftJIS, "\x81\x20\xA0\xFD\x82", "\ufffd \ufffd\ufffd\ufffd"},
		{EUCKR, "\xB0\xA1\x81\x41\x81\x20\xFF", "가갂\ufffd \ufffd"},
		{ISO2022JP, "\x1B$B$\"\x1B(B!", "あ!"},
		{ISO2022JP, "\x1B(J\\~\x1B(I1", "¥‾ｱ"},
		{ISO2022JP, "\x1B(B\x1B$B\x1B(B", "\ufffd\ufffd"},
		{ISO2022JP, "\x1B$B$\x1B(B!", "\ufffd!"},
		{ISO2022JP, "\x1B$x\x0E\x80", "\ufffd$x\ufffd\ufffd"},
		{ISO2022JP, "\x1B$", "\ufffd$"},
		{ISO2022JP, "\x1B", "\ufffd"},
		{ISO2022JP, "\x1B$@$", "\ufffd"},
	} {
		in := []byte(c.bytes)
		want := c.want
		if got, err := decode(t, c.encoding, false, in); err != nil || got != want {
			t.Errorf("%d %q: %+q, not %+q; %v", c.encoding, in, got, want, err)
		}
		if got, err := decode(t, c.encoding, false, each(in)...); err != nil || got != want {
			t.Errorf("%d %q in parts: %+q, not %+q; %v", c.encoding, in, got, want, err)
		}
		_, err := decode(t, c.encoding, true, each(in)...)
		if wrong := bytes.ContainsRune([]byte(want), replacement); wrong != errors.Is(err, ErrData) {
			t.Errorf("%d %q, fatal: %v", c.encoding, in, err)
		}
	}
}

// TestIndexes holds the tables to digests of what the standard's indexes give,
// over every sequence of their length.
func TestIndexes(t *testing.T) {
	all := func(parts ...[2]int) (list []byte) {
		var add func(prefix []byte, parts [][2]int)
		add = func(prefix []byte, parts [][2]int) {
			if len(parts) == 0 {
				list = append(append(list, prefix...), '\n')
				return
			}
			for b := parts[0][0]; b <= parts[0][1]; b++ {
				add(append(prefix, byte(b)), parts[1:])
			}
		}
		add(make([]byte, 0, 8), parts)
		return list
	}
	upper := all([2]int{0x80, 0xFF})
	pairs := all([2]int{0x80, 0xFF}, [2]int{0, 0xFF})
	for e := range encodings {
		in := upper
		switch {
		case e == EUCJP:
			in = append(bytes.Clone(pairs), all([2]int{0x8F, 0x8F}, [2]int{0xA0, 0xFF}, [2]int{0xA0, 0xFF})...)
		case e == GB18030:
			in = append(bytes.Clone(pairs), all([2]int{0x81, 0x84}, [2]int{0x30, 0x39}, [2]int{0x81, 0xFE}, [2]int{0x30, 0x39})...)
		case e == ISO2022JP:
			in = append([]byte("\x1B$B"), bytes.ReplaceAll(all([2]int{0x21, 0x7E}, [2]int{0x21, 0x7E}), []byte("\n"), nil)...)
		case e >= GBK:
			in = pairs
		}
		text, err := decode(t, e, false, in)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		if got := hex.EncodeToString(sum[:8]); got != indexDigests[e] {
			t.Errorf("%d: %q,", e, got)
		}
	}
}

func TestCallRefuses(t *testing.T) {
	message := func(e, flags uint8, state, in []byte) []byte {
		var w op.Writer
		w.U8(e)
		w.U8(flags)
		w.Bytes(state)
		w.Bytes(in)
		return w.Message()
	}
	for name, c := range map[string]struct {
		message []byte
		want    error
	}{
		"unknown":      {message(uint8(encodings), 0, nil, nil), ErrEncoding},
		"short":        {[]byte{1, 2}, op.ErrMessage},
		"long":         {append(message(0, 0, nil, nil), 1), op.ErrMessage},
		"large state":  {message(uint8(GBK), 0, make([]byte, 5), nil), op.ErrMessage},
		"short state":  {message(uint8(ISO2022JP), 0, make([]byte, 1), nil), op.ErrMessage},
		"wrong state":  {message(uint8(ISO2022JP), 0, []byte{sets, 0}, nil), op.ErrMessage},
		"wrong escape": {message(uint8(ISO2022JP), 0, []byte{0, 2}, nil), op.ErrMessage},
	} {
		if _, err := Call(c.message, nil, func() {}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPauses(t *testing.T) {
	for _, e := range []Encoding{IBM866, Big5} {
		var w op.Writer
		w.U8(uint8(e))
		w.U8(2)
		w.Bytes(nil)
		w.Bytes(make([]byte, 10*partSize))
		pauses := 0
		if _, err := Call(w.Message(), nil, func() { pauses++ }); err != nil || pauses < 9 {
			t.Errorf("%d: %d pauses, %v", e, pauses, err)
		}
	}
}

// FuzzDecode: however a stream is split, its text is the same.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(GB18030), []byte("\x81\x30\x81\x20\x84\x31\xA4\x39"), 2)
	f.Add(uint8(ISO2022JP), []byte("\x1B$B$\"\x1B(B!\x1B$x"), 5)
	f.Add(uint8(EUCJP), []byte("\x8E\xB1\xA4\xA2\x8F\xB0\xA1"), 6)
	f.Add(uint8(Big5), []byte("\x88\x62\xA4"), 1)
	f.Fuzz(func(t *testing.T, e uint8, in []byte, at int) {
		if Encoding(e) >= encodings || at < 0 || at > len(in) || len(in) > 1<<16 {
			return
		}
		whole, err := decode(t, Encoding(e), false, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, parts := range [][][]byte{{in[:at], in[at:]}, each(in)} {
			if got, err := decode(t, Encoding(e), false, parts...); err != nil || got != whole {
				t.Fatalf("%+q, not %+q; %v", got, whole, err)
			}
		}
	})
}

// indexDigests were taken when every one of these sequences decoded to what an
// implementation of the standard with the standard's own indexes gives.
var indexDigests = [encodings]string{
	"7ffc596cb77902c5", "64a2f39a5149e90d", "3a1718ae7743efaf", "f1797db4019385e3", "8ad41a95d05e78fd",
	"21b32820c3e53060", "8f9051bbaae5a944", "2ab70f50bb89f9a2", "2ab70f50bb89f9a2", "a8e24330345e4437",
	"1374ef1d62d82230", "c7fa312fa4a25485", "edac8b0995c246a4", "2db1a0d11369bd62", "f218618f4b7487d2",
	"986308ea82e552b7", "d2a4c868abe68fce", "ed153f6f715356c2", "33cb778f9cc2120a", "1cceffb51f96eac1",
	"a94233bc0ee21244", "4463fdde23016876", "006f929c1ac9b559", "56ff3c6d002bdedd", "1fb600d7c78d1c92",
	"46d65c5c252e30fe", "fb5cd9f7e27be9f4", "e7fff2203522b55f", "6ca032ac22b5921c", "0043e7a96908d451",
	"0a6ca50e9b5d4c9a", "fd7ac10c4c00f1df", "8b9d7687f5830297", "0694ae80cedb484d", "066ddaeeb420c9da",
}
