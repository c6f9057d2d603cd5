package wasm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestInstructions decodes each kind of immediate, and encodes it from the
// fields where passes may change them.
func TestInstructions(t *testing.T) {
	cases := []struct {
		hex    string
		op     opcode
		remake bool // appendTo can make it without raw
	}{
		{"00", opUnreachable, true},
		{"0240", opBlock, true},
		{"037f", opLoop, true},
		{"04ff00", opIf, true}, // type 127
		{"0805", opThrow, true},
		{"0a", opThrowRef, false},
		{"0c8001", opBr, true},
		{"0d00", opBrIf, true},
		{"0e0200010203"[:10], opBrTable, false},
		{"0f", opReturn, true},
		{"108101", opCall, true},
		{"110203", opCallIndirect, true},
		{"1204", opReturnCall, true},
		{"130100", opReturnCallIndirect, true},
		{"1a", opDrop, true},
		{"1b", opSelect, true},
		{"1c017f", opSelectTyped, false},
		{"1f40020001000203", opTryTable, false}, // catch tag 1 label 0; catch_all label 3
		{"208080808001"[:6] + "01", opLocalGet, false},
		{"2401", opGlobalSet, true},
		{"2600", opTableSet, true},
		{"28028010", opI32Load, true},
		{"3e0200", opI64Store32, true},
		{"3f00", opMemorySize, true},
		{"4000", opMemoryGrow, true},
		{"417f", opI32Const, true},
		{"418080808078", opI32Const, true},
		{"42808080808080808080" + "7f", opI64Const, true},
		{"4300000000", opF32Const, false},
		{"440000000000000000", opF64Const, false},
		{"45", opI32Eqz, true},
		{"c0", 0xc0, true},
		{"c4", opI64Extend32S, true},
		{"d070", opRefNull, false},
		{"d1", opRefIsNull, true},
		{"d205", opRefFunc, true},
		{"fc07", opI64TruncSatF64U, false},
		{"fc080100", opMemoryInit, false},
		{"fc0901", opDataDrop, false},
		{"fc0a0000", opMemoryCopy, true},
		{"fc0b00", opMemoryFill, true},
		{"fc0c0001", opTableInit, false},
		{"fc0d01", opElemDrop, false},
		{"fc0e0001", opTableCopy, false},
		{"fc0f00", opTableGrow, false},
		{"fc1000", opTableSize, false},
		{"fc1100", opTableFill, false},
		{"fd000410", 0xfd << 16, false},
		{"fd0b0400", 0xfd<<16 | 11, false},
		{"fd0c" + "00112233445566778899aabbccddeeff", opV128Const, false},
		{"fd0d" + "00112233445566778899aabbccddeeff", opV128Shuffle, false},
		{"fd0e", 0xfd<<16 | 14, false},
		{"fd1503", 0xfd<<16 | 21, false},
		{"fd2201", 0xfd<<16 | 34, false},
		{"fd23", 0xfd<<16 | 35, false},
		{"fd54040102", 0xfd<<16 | 84, false},
		{"fd5b040102", 0xfd<<16 | 91, false},
		{"fd5c0200", 0xfd<<16 | 92, false},
		{"fd5d0300", 0xfd<<16 | 93, false},
		{"fdff01", 0xfd<<16 | 255, false},
	}
	for _, c := range cases {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		in, n, err := decodeOne(append(b, 0xaa))
		if err != nil || in.op != c.op || n != len(b) {
			t.Errorf("%s: instruction %#x of %d bytes, %v", c.hex, uint32(in.op), n, err)
			continue
		}
		if got := in.appendTo(nil); !bytes.Equal(got, b) {
			t.Errorf("%s: encoded as %x", c.hex, got)
		}
		if c.remake {
			in.raw = nil
			if got := in.appendTo(nil); !bytes.Equal(got, b) {
				t.Errorf("%s: made as %x", c.hex, got)
			}
		}
		// Every shorter form is cut off.
		for k := range len(b) {
			if _, _, err := decodeOne(b[:k]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", c.hex, k, err)
			}
		}
	}
	for _, bad := range []string{"06", "07", "09", "18", "19", "c5", "fb00", "fc12", "fd8002", "fe00", "284000", "4001", "fc0a0001", "d06e", "0270"[:2] + "63"} {
		b, _ := hex.DecodeString(bad + "0000")
		if _, _, err := decodeOne(b); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func decodeOne(b []byte) (in instruction, n int, err error) {
	defer catch(&err, nil)
	r := reader{b: b}
	r.instruction(&in)
	return in, r.p, nil
}

func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, s := rapid.Uint32().Draw(t, "u"), rapid.Int64().Draw(t, "s")
		r := reader{b: appendSigned(appendU32(nil, u), s)}
		if got := r.u32(); got != u {
			t.Fatalf("%d read as %d", u, got)
		}
		if got := r.signed(64); got != s || !r.done() {
			t.Fatalf("%d read as %d", s, got)
		}
		r = reader{b: appendSigned(nil, s)}
		func() {
			var err error
			defer func() {
				if fits := s >= math.MinInt32 && s <= math.MaxInt32; fits != (err == nil) {
					t.Fatalf("%d as 32 bits: %v", s, err)
				}
			}()
			defer catch(&err, nil)
			if got := r.signed(32); got != s {
				t.Fatalf("%d read as %d", s, got)
			}
		}()
	})
}
