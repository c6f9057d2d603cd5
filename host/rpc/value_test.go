package rpc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var bigs = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })

// TestValues writes and reads values of all kinds.
func TestValues(t *testing.T) {
	for _, v := range []any{
		nil, Undefined{}, true, false, 0.0, 1.0, -1.0, 23.0, 24.0, 256.0, 65536.0, float64(1 << 40), -float64(1 << 40), 1.5, math.Inf(-1), float64(1 << 60),
		"", "text", "é😀", "\xed\xa0\x80 alone", big.NewInt(0), big.NewInt(-1), new(big.Int).Lsh(big.NewInt(1), 200), new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 200)),
		[]byte{}, []byte{1, 2}, []any{}, []any{1.0, []any{"x"}}, &Object{Fields: []Field{}}, &Object{Fields: []Field{{"b", 1.0}, {"\xed\xa0\x80", 2.0}, {"a", nil}}},
		&Object{Sparse: true, Length: 5, Fields: []Field{{"3", 1.0}}}, &Set{Members: []any{1.0, "x"}}, &Map{Pairs: [][2]any{{1.0, "x"}, {&Object{Fields: []Field{}}, nil}}},
		&Failure{Class: "TypeError", Fields: []Field{{"message", "m"}}}, &Tagged{Tag: TagDate, Content: 5.0}, &Tagged{Tag: TagUint8Array, Content: []byte{1}}, &Tagged{Tag: TagStub, Content: 0.0},
	} {
		message, err := Encode(v)
		if err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		got, err := Decode(message)
		if err != nil {
			t.Fatalf("%#v as %x: %v", v, message, err)
		}
		if diff := cmp.Diff(v, got, bigs); diff != "" {
			t.Errorf("%x: %s", message, diff)
		}
	}
	if message, _ := Encode(math.Copysign(0, -1)); hex.EncodeToString(message) != "fb8000000000000000" {
		t.Errorf("-0 is %x", message)
	}
	if v, err := Decode(nil); err != nil || v != (Undefined{}) {
		t.Errorf("an absent value is %v, %v", v, err)
	}
}

// TestSharing has one object twice, and a cycle.
func TestSharing(t *testing.T) {
	o := &Object{}
	inner := &Set{Members: []any{o}}
	o.Fields = []Field{{"self", o}, {"a", inner}, {"b", inner}}
	message, err := Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Decode(message)
	if err != nil {
		t.Fatal(err)
	}
	got := v.(*Object)
	if got.Get("self") != any(got) || got.Get("a") != got.Get("b") || got.Get("a").(*Set).Members[0] != any(got) {
		t.Errorf("%x lost what is the same", message)
	}
}

// TestEndless writes what is in itself.
func TestEndless(t *testing.T) {
	list := []any{nil, nil}
	list[0], list[1] = list, list
	if _, err := Encode(list); err == nil {
		t.Error("it came to an end")
	}
}

// TestMalformed reads what is no message.
func TestMalformed(t *testing.T) {
	deep := bytes.Repeat([]byte{0x81}, MaxNesting+2)
	for _, message := range []string{
		"ff", "18", "5f", "81", "a1", "a101f6", "61ff", "9bffffffffffffffff", "9affffffff", "bbffffffffffffffff", "d81d00", "c4", "0000", "82d81d0182", "d9ea6282", "1b0020000000000000", "c3f6",
		"d9ea6481d81d00", "f8ff", "f0", string(hex.EncodeToString(append(deep, 0))),
	} {
		b, err := hex.DecodeString(message)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.40s: %v, %v", message, v, err)
		}
	}
}

// FuzzDecode reads anything, and writes what it makes of it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"f6", "a261610161626178", "83010203", "d90103a10102", "d9010281d81d00", "d9ea668265457272" + "6f72a0", "d840420102", "c249010000000000000000", "fb7ff8000000000000", "f93c00"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		v, err := Decode(message)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		// Sharing of arrays and bytes is lost in Go, so what is written may be more,
		// without an end even: too much.
		if len(message) > 16 {
			return
		}
		again, err := Encode(v)
		if err != nil {
			return
		}
		if _, err := Decode(again); err != nil {
			t.Fatalf("%x became %x: %v", message, again, err)
		}
	})
}
