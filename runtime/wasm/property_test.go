package wasm

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// program draws the body of a function (i32, i32) → i32 that always ends: its
// loops count down, and it calls only functions before it. Locals are the
// parameters, an accumulator, and one counter a loop.
type program struct {
	t     *rapid.T
	self  uint32
	depth int
	loops int32
	left  int
}

const accumulator = 2

func (p *program) block() (code []instruction) {
	for n := rapid.IntRange(1, 4).Draw(p.t, "statements"); n > 0 && p.left > 0; n-- {
		p.left--
		code = append(code, p.statement()...)
	}
	return code
}

func (p *program) small() instruction {
	return constant(rapid.Int32Range(-3, 300_000).Draw(p.t, "constant"))
}

func (p *program) value() []instruction {
	switch rapid.IntRange(0, 5).Draw(p.t, "value") {
	case 0:
		return []instruction{p.small()}
	case 1:
		return []instruction{index(opLocalGet, uint32(rapid.IntRange(0, 2).Draw(p.t, "local")))}
	case 2:
		return []instruction{plain(opMemorySize)}
	case 3: // a load inside the first page
		return []instruction{index(opLocalGet, accumulator), constant(0xfffc), plain(opI32And), {op: opI32Load}}
	case 4:
		return []instruction{index(opGlobalGet, 0)}
	default:
		return append(append(p.value(), p.value()...), plain(opI32Add))
	}
}

func (p *program) statement() []instruction {
	kind := rapid.IntRange(0, 8).Draw(p.t, "statement")
	if p.depth > 2 && kind >= 6 || p.depth > 1 && (kind == 4 || kind == 5) {
		kind = 0 // or it would take too long
	}
	join := func(parts ...[]instruction) (code []instruction) {
		for _, x := range parts {
			code = append(code, x...)
		}
		return code
	}
	one := func(in ...instruction) []instruction { return in }
	switch kind {
	case 0:
		return join(p.value(), one(index(opLocalGet, accumulator), plain(opI32Add), index(opLocalSet, accumulator)))
	case 1:
		return join(one(constant(rapid.Int32Range(0, 2).Draw(p.t, "grow")), plain(opMemoryGrow)), one(index(opGlobalSet, 0)))
	case 2: // may be out of bounds
		return join(p.value(), p.value(), p.value(), one(plain(opMemoryFill)))
	case 3:
		return join(p.value(), p.value(), p.value(), one(plain(opMemoryCopy)))
	case 4:
		if p.self == 0 {
			return nil
		}
		f := uint32(rapid.IntRange(0, int(p.self)-1).Draw(p.t, "callee"))
		return join(p.value(), p.value(), one(index(opCall, f), index(opLocalSet, accumulator)))
	case 5:
		if p.self == 0 {
			return nil
		}
		f := rapid.Int32Range(0, int32(p.self)-1).Draw(p.t, "callee")
		return join(p.value(), p.value(), one(constant(f), instruction{op: opCallIndirect, x: 0}, index(opLocalSet, accumulator)))
	case 6:
		p.depth++
		defer func() { p.depth-- }()
		return join(p.value(), one(block(opIf)), p.block(), one(plain(opElse)), p.block(), one(plain(opEnd)))
	default: // a loop that counts down
		p.depth++
		defer func() { p.depth-- }()
		counter := uint32(accumulator + 1 + p.loops)
		p.loops++
		n := rapid.Int32Range(1, 8).Draw(p.t, "iterations")
		return join(one(constant(n), index(opLocalSet, counter), block(opLoop)), p.block(),
			one(index(opLocalGet, counter), constant(1), plain(opI32Sub), index(opLocalTee, counter), index(opBrIf, 0), plain(opEnd)))
	}
}

// TestBehaviour compares random programs before and after the passes: results,
// traps, memory and globals.
func TestBehaviour(t *testing.T) {
	const most = 8 // pages, of which 2 are there at the start
	rapid.Check(t, func(rt *rapid.T) {
		a := newAssembler(2)
		a.memory.max = most
		a.global(typeI32, constant(1))
		a.data(100, []byte("some data, and\x00some more"))
		var all []uint32
		for i := range rapid.IntRange(1, 4).Draw(rt, "functions") {
			p := program{t: rt, self: uint32(i), left: 12}
			code := append(p.block(), index(opLocalGet, accumulator))
			locals := bytes.Repeat([]byte("i"), int(p.loops)+1)
			all = append(all, a.function(fmt.Sprint("f", i), "ii", "i", string(locals), code...))
		}
		a.tables = []table{{typeFunc, uint32(len(all)), 10, true}}
		a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: all}}

		// Growth is real before, so what is compared must not depend on what
		// a real memory of this size refuses: the reference grows virtually.
		before, err := Rewrite(a.bytes(), Options{MemoryPages: most})
		if err != nil {
			rt.Fatal(err)
		}
		after, err := Rewrite(a.bytes(), Options{MemoryPages: most, Fuel: rapid.Int32Range(1, 500).Draw(rt, "fuel")})
		if err != nil {
			rt.Fatal(err)
		}
		want := run(t, before.Wasm, before.Image, most)
		got := run(t, after.Wasm, after.Image, most)
		for i := range all {
			x, y := uint64(rapid.Uint32().Draw(rt, "x")), uint64(rapid.Uint32().Draw(rt, "y"))
			name := fmt.Sprint("f", i)
			v1, err1 := want.call(name, x, y)
			v2, err2 := got.call(name, x, y)
			if code(err1) != code(err2) || err1 == nil && v1 != v2 {
				rt.Fatalf("%s(%d, %d) = %d, %v; want %d, %v", name, x, y, v2, err2, v1, err1)
			}
			if !bytes.Equal(want.Memory(), got.Memory()) {
				rt.Fatalf("%s: memory differs", name)
			}
			for _, global := range after.Globals {
				if want.global(global).Get() != got.global(global).Get() {
					rt.Fatalf("%s: global %s differs", name, global)
				}
			}
		}
	})
}
