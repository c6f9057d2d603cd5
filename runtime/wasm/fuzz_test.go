package wasm

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzRewrite: a module is rewritten or refused; what comes out decodes again,
// and is the same the second time.
func FuzzRewrite(f *testing.F) {
	f.Add(bulkModule().bytes())
	a := newAssembler(1)
	a.data(4, []byte("data"))
	a.global(typeI64, instruction{op: opI64Const, value: 1 << 40})
	a.imports = []importedFunction{{"env", "call", a.addType(types("ii"), types("i"))}}
	a.start = int64(a.function("recursive", "", "", "l", index(opCall, 1)))
	a.function("f", "di", "i", "il", countdown(plain(opMemorySize), plain(opMemoryGrow), plain(opDrop))...)
	a.tables = []table{{typeFunc, 1, 1, true}, {typeExtern, 1, 2, false}}
	a.elements = []element{
		{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: []uint32{1}},
		{flags: 5, typ: typeFunc, exprs: [][]instruction{{index(opRefFunc, 2), plain(opEnd)}}},
	}
	a.tags = []uint32{0}
	f.Add(a.bytes())
	f.Add(exceptionsWasm)
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, o := range []Options{{}, {Fuel: 100}, {Fuel: 1, MemoryPages: 64}, {LowerExceptions: true}, {LowerExceptions: true, Fuel: 1}} {
			r, err := Rewrite(b, o)
			if err != nil {
				if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
					t.Fatalf("%+v: %v", o, err)
				}
				continue
			}
			again, err := Rewrite(b, o)
			if err != nil || !bytes.Equal(r.Wasm, again.Wasm) {
				t.Fatalf("%+v: the second time differs (%v)", o, err)
			}
			plainly, err := Rewrite(r.Wasm, Options{})
			if err != nil {
				t.Fatalf("the output does not decode: %v", err)
			}
			if len(plainly.Image) != 0 || plainly.Start != "" {
				t.Fatal("something to lift is left")
			}
		}
	})
}
