package wasm

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"pgregory.net/rapid"
)

// Locals of a generated function after its two parameters; the counters of its
// loops follow.
const (
	thrownAccumulator = 2 // i32
	thrownRef         = 3 // exnref
	thrownCounters    = 4
)

// Tags and globals of a generated module.
const (
	tagValue, tagBare = 0, 1
	trace             = 0 // global: what happened, in order
)

// A thrower draws the body of a function (i32, i32) → i32 that throws, catches
// and throws again. It always ends, as in program.
type thrower struct {
	t      *rapid.T
	m      *assembler
	self   uint32
	loops  uint32
	left   int
	labels []bool // open ones, the innermost last: whether to branch there is to leave it, without operands
}

func join(parts ...[]instruction) []instruction { return slices.Concat(parts...) }
func one(in ...instruction) []instruction       { return in }

func (p *thrower) draw(least, most int, what string) int {
	return rapid.IntRange(least, most).Draw(p.t, what)
}

func (p *thrower) value() []instruction {
	switch p.draw(0, 3, "value") {
	case 0:
		return one(constant(int32(p.draw(-2, 9, "constant"))))
	case 1:
		return one(index(opLocalGet, uint32(p.draw(0, 2, "local"))))
	case 2:
		return one(index(opGlobalGet, trace))
	default:
		return join(p.value(), p.value(), one(plain(opI32Add)))
	}
}

// note writes something to the trace.
func (p *thrower) note(n int32) []instruction {
	return one(index(opGlobalGet, trace), constant(31), plain(0x6c), index(opLocalGet, thrownAccumulator), plain(opI32Add),
		constant(n), plain(opI32Add), index(opGlobalSet, trace))
}

func (p *thrower) block() (code []instruction) {
	for n := p.draw(1, 4, "statements"); n > 0 && p.left > 0; n-- {
		p.left--
		code = append(code, p.statement()...)
	}
	return code
}

// within draws code inside one more label.
func (p *thrower) within(leaves bool, draw func() []instruction) []instruction {
	p.labels = append(p.labels, leaves)
	defer func() { p.labels = p.labels[:len(p.labels)-1] }()
	return draw()
}

// sometimes draws code that runs if a value has its lowest bits zero.
func (p *thrower) sometimes(draw func() []instruction) []instruction {
	return join(p.value(), one(constant(int32(p.draw(0, 3, "mask"))), plain(opI32And), plain(opI32Eqz), block(opIf)),
		p.within(true, draw), one(plain(opEnd)))
}

func (p *thrower) statement() []instruction {
	kind := p.draw(0, 13, "statement")
	if len(p.labels) > 12 && kind > 6 {
		kind = 0
	}
	add := one(index(opLocalGet, thrownAccumulator), plain(opI32Add), index(opLocalSet, thrownAccumulator))
	callee := func() uint32 { return uint32(p.draw(0, int(p.self)-1, "callee")) }
	switch kind {
	case 0:
		return join(p.value(), add, p.note(1))
	case 1:
		return p.sometimes(func() []instruction { return join(p.value(), one(index(opThrow, tagValue))) })
	case 2:
		return p.sometimes(func() []instruction { return one(index(opThrow, tagBare)) })
	case 3: // of null, it traps
		return p.sometimes(func() []instruction {
			return one(index(opLocalGet, thrownRef), instruction{op: opThrowRef, raw: []byte{byte(opThrowRef)}})
		})
	case 4, 5: // with operands below
		if p.self == 0 {
			return nil
		}
		call := one(index(opCall, callee()))
		if kind == 5 {
			call = one(constant(int32(callee())), instruction{op: opCallIndirect, x: uint32(p.draw(0, 1, "type"))})
		}
		return join(p.value(), p.value(), p.value(), call, one(plain(opI32Add)), add, p.note(2))
	case 6:
		return p.leave(callee)
	case 7:
		return join(p.value(), one(block(opIf)), p.within(true, p.block), one(plain(opElse)), p.within(true, p.block), one(plain(opEnd)))
	case 8: // a loop that counts down
		counter := thrownCounters + p.loops
		p.loops++
		return join(one(constant(int32(p.draw(1, 4, "iterations"))), index(opLocalSet, counter), block(opLoop)), p.within(false, p.block),
			one(index(opLocalGet, counter), constant(1), plain(opI32Sub), index(opLocalTee, counter), index(opBrIf, 0), plain(opEnd)))
	default:
		return p.try()
	}
}

// leave draws branches and returns.
func (p *thrower) leave(callee func() uint32) []instruction {
	var targets []uint32
	for i := range p.labels {
		if depth := uint32(i); p.labels[len(p.labels)-1-i] {
			targets = append(targets, depth)
		}
	}
	kind := p.draw(0, 4, "leave")
	switch {
	case kind == 0:
		return p.sometimes(func() []instruction { return join(p.value(), one(plain(opReturn))) })
	case kind == 1 && p.self > 0:
		return p.sometimes(func() []instruction { return join(p.value(), p.value(), one(index(opReturnCall, callee()))) })
	case kind == 2 && p.self > 0:
		return p.sometimes(func() []instruction {
			return join(p.value(), p.value(), one(constant(int32(callee())), instruction{op: opReturnCallIndirect}))
		})
	case len(targets) == 0:
		return nil
	case kind == 3:
		target := instruction{op: opBrTable}
		for range p.draw(1, 4, "targets") {
			target.labels = append(target.labels, 1+rapid.SampledFrom(targets).Draw(p.t, "target"))
		}
		return p.sometimes(func() []instruction { return join(p.value(), one(target)) })
	default:
		return join(p.value(), one(constant(1), plain(opI32And), index(opBrIf, rapid.SampledFrom(targets).Draw(p.t, "target"))))
	}
}

// try draws a try_table with handlers, each a block around it that takes what
// its clause hands over. Handlers go on behind them all, or throw again.
func (p *thrower) try() []instruction {
	clauses := make([]clause, p.draw(0, 3, "clauses"))
	for i := range clauses {
		clauses[i] = clause{kind: byte(p.draw(0, 3, "kind")), tag: uint32(p.draw(tagValue, tagBare, "tag")), label: uint32(i)}
	}
	// The innermost block is the first clause's.
	var open []instruction
	open = append(open, block(opBlock))
	for i := len(clauses) - 1; i >= 0; i-- {
		var handed []valueType
		if clauses[i].kind < 2 && clauses[i].tag == tagValue {
			handed = append(handed, typeI32)
		}
		if clauses[i].kind&1 != 0 {
			handed = append(handed, typeExn)
		}
		open = append(open, instruction{op: opBlock, value: int64(p.m.addType(nil, handed))})
	}
	around := len(p.labels)
	p.labels = append(append(p.labels, true), make([]bool, len(clauses))...)
	var before, after []instruction
	try := instruction{op: opTryTable, value: blockEmpty, clauses: clauses}
	switch p.draw(0, 2, "type") {
	case 1:
		try.value = int64(typeI32) - 0x80
		after = join(p.value(), one(plain(opEnd), plain(opDrop)))
	case 2: // takes two, leaves one
		try.value = int64(p.m.addType(types("il"), types("i")))
		before = join(p.value(), one(instruction{op: opI64Const, value: 5}))
		after = one(plain(0xa7), plain(opI32Add), plain(opEnd), index(opLocalSet, thrownAccumulator))
	default:
		after = one(plain(opEnd))
	}
	encoded := appendU32(appendSigned([]byte{byte(opTryTable)}, try.value), uint32(len(clauses)))
	for _, c := range clauses {
		encoded = append(encoded, c.kind)
		if c.kind < 2 {
			encoded = appendU32(encoded, c.tag)
		}
		encoded = appendU32(encoded, c.label)
	}
	try.raw = encoded
	code := join(open, before, one(try), p.within(after[0].op == opEnd && len(after) == 1, p.block), after)
	code = append(code, index(opBr, uint32(len(clauses))))
	for i, c := range clauses {
		p.labels = p.labels[:around+len(clauses)-i] // the clause's block ends
		code = append(code, plain(opEnd))
		if c.kind&1 != 0 {
			code = append(code, index(opLocalSet, thrownRef))
		}
		if c.kind < 2 && c.tag == tagValue {
			code = append(code, index(opLocalSet, thrownAccumulator))
		}
		code = append(code, p.note(int32(3+c.kind))...)
		code = append(code, p.block()...)
		code = append(code, index(opBr, uint32(len(clauses)-1-i)))
	}
	p.labels = p.labels[:around]
	return append(code, plain(opEnd))
}

// TestExceptionsBehaviour compares random programs with wazero's interpreter:
// results, exceptions, traps, and the order of what happened.
func TestExceptionsBehaviour(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		a := newAssembler(0)
		a.addExport("trace", externGlobal, a.global(typeI32, constant(1)))
		binary := a.addType(types("ii"), types("i"))
		a.types = append(a.types, functionType{types("ii"), types("i")}) // equal to it
		a.tags = []uint32{a.addType(types("i"), nil), a.addType(nil, nil)}
		var all []uint32
		for i := range rapid.IntRange(1, 4).Draw(rt, "functions") {
			p := thrower{t: rt, m: a, self: uint32(i), left: 14}
			code := append(p.block(), index(opLocalGet, thrownAccumulator))
			x := a.function(fmt.Sprint("f", i), "ii", "i", "", code...)
			a.bodies[x].locals = append([]localGroup{{1, typeI32}, {1, typeExn}}, localGroup{p.loops, typeI32})
			if a.functions[x] = binary; rapid.Bool().Draw(rt, "other type") {
				a.functions[x] = binary + 1
			}
			all = append(all, x)
		}
		a.tables = []table{{typeFunc, uint32(len(all)), 10, true}}
		a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: all}}
		source := a.encode()
		lowered, err := Rewrite(source, Options{LowerExceptions: true, Fuel: rapid.Int32Range(0, 3).Draw(rt, "fuel")})
		if err != nil {
			rt.Fatal(err)
		}
		if m, err := parse(lowered.Wasm); err != nil || len(m.tags) > 0 {
			rt.Fatalf("tags are left (%v)", err)
		}
		want, stop := instantiate(rt, reference(), source)
		defer stop()
		got, stop := instantiate(rt, wazero.NewRuntimeConfig().WithCoreFeatures(features), lowered.Wasm)
		defer stop()
		for i := range all {
			x, y := uint64(rapid.IntRange(-2, 9).Draw(rt, "x")), uint64(rapid.Uint32().Draw(rt, "y"))
			name := fmt.Sprint("f", i)
			r1 := outcome(want, name, api.EncodeI32(int32(x)), uint64(uint32(y)))
			r2 := outcome(got, name, api.EncodeI32(int32(x)), uint64(uint32(y)))
			t1, t2 := want.ExportedGlobal("trace").Get(), got.ExportedGlobal("trace").Get()
			if r1 != r2 || uint32(t1) != uint32(t2) {
				rt.Fatalf("%s(%d, %d) = %s, trace %d; want %s, %d", name, int32(x), uint32(y), r2, uint32(t2), r1, uint32(t1))
			}
			if r1 != "EXC" && r1 != "TRAP" {
				r1 = "result"
			}
			seen[r1]++
		}
	})
	for _, kind := range []string{"result", "EXC", "TRAP"} {
		if seen[kind] == 0 {
			t.Errorf("no program ended in %s: %v", kind, seen)
		}
	}
	t.Log(seen)
}
