package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"mayfly/runtime/engine"
)

// A linked is an instance of a metered module, whose memory may move when it
// grows.
type linked struct {
	t      testing.TB
	part   *engine.Part
	thread *engine.Thread
	memory []byte
	yields int
	stop   int // unwinds after so many yields, if not 0
	most   uint64
}

var errStopped = errors.New("stopped by the test")

// link meters a module, and makes an instance of it.
func link(t testing.TB, module []byte, interval int32) *linked {
	t.Helper()
	metered, err := Meter(module, interval)
	if err != nil {
		t.Fatal(err)
	}
	return instantiateMetered(t, metered.Wasm)
}

func instantiateMetered(t testing.TB, module []byte) *linked {
	t.Helper()
	s := engine.NewSpace()
	l := &linked{t: t, thread: &engine.Thread{}, most: 16 * pageBytes}
	host, err := s.Host([]engine.SpaceFunc{
		{Name: MeterYield, Func: func(*engine.Thread, []uint64) {
			if l.yields++; l.yields == l.stop {
				panic(engine.Stop{Cause: errStopped})
			}
		}},
		{Name: MeterTable, Params: []engine.ValueType{engine.I32, engine.I32}, Results: []engine.ValueType{engine.I32}, Func: func(_ *engine.Thread, stack []uint64) {
			if uint32(stack[0]) > 1000 {
				stack[0] = 1<<32 - 1
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	code, err := s.Compile(module)
	if err != nil {
		t.Fatal(err)
	}
	l.part, err = s.Instantiate(l.thread, code, func(string) *engine.Part { return host }, func(size uint64) []byte {
		if size > l.most {
			return nil
		}
		// In the middle of something larger, as in a guest's heap, and always
		// somewhere else.
		heap := bytes.Repeat([]byte{0xaa}, int(size)+2*pageBytes)
		moved := heap[pageBytes : pageBytes+int(size) : pageBytes+int(size)]
		clear(moved)
		copy(moved, l.memory)
		l.memory = moved
		return moved
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *linked) call(name string, params ...uint64) (uint64, error) {
	l.t.Helper()
	f := l.part.Function(name)
	if f == nil {
		l.t.Fatalf("no function %s", name)
	}
	stack := make([]uint64, max(f.Slots, len(params), 1))
	copy(stack, params)
	err := f.Call(l.thread, stack)
	return stack[0], err
}

// TestMeteredBehaviour compares random programs with what they do as they are:
// results, traps, memory and globals.
func TestMeteredBehaviour(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := newAssembler(2)
		a.memory.max = 8
		a.global(typeI32, constant(1))
		a.addExport("global", externGlobal, 0)
		a.segments = append(a.segments, dataSegment{active: true, offset: []instruction{constant(100), plain(opEnd)}, bytes: []byte("some data, and\x00some more")})
		var all []uint32
		for i := range rapid.IntRange(1, 4).Draw(rt, "functions") {
			p := program{t: rt, self: uint32(i), left: 12}
			code := append(p.block(), index(opLocalGet, accumulator))
			locals := bytes.Repeat([]byte("i"), int(p.loops)+1)
			all = append(all, a.function(fmt.Sprint("f", i), "ii", "i", string(locals), code...))
		}
		a.tables = []table{{typeFunc, uint32(len(all)), 10, true}}
		a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: all}}
		module := a.bytes()
		want := instantiateMetered(t, module)
		got := link(t, module, rapid.Int32Range(1, 500).Draw(rt, "interval"))
		if _, err := got.call(ExportInit); err != nil {
			rt.Fatal(err)
		}
		for i, f := range all {
			x, y := uint64(rapid.Uint32().Draw(rt, "x")), uint64(rapid.Uint32().Draw(rt, "y"))
			v1, err1 := want.call(fmt.Sprint("f", i), x, y)
			v2, err2 := got.call(ExportName(Function, f), x, y)
			if code(err1) != code(err2) || err1 == nil && v1 != v2 {
				rt.Fatalf("f%d(%d, %d) = %d, %v; want %d, %v", i, x, y, v2, err2, v1, err1)
			}
			if !bytes.Equal(want.memory, got.memory) {
				rt.Fatalf("f%d: memory differs", i)
			}
			if v1, v2 := want.part.Global("global").Get(), got.part.Global(ExportName(Global, 0)).Get(); v1 != v2 {
				rt.Fatalf("f%d: the global is %d, want %d", i, v2, v1)
			}
		}
	})
}

// skipping is a body that jumps over most of its text: a charge that stood in
// one place only would never be reached.
func skipping(blocks int) (code []instruction) {
	for range blocks {
		code = append(code, block(opBlock))
		for range freeRun - 4 {
			code = append(code, index(opLocalGet, 0), plain(opDrop))
		}
		code = append(code, constant(1), index(opBrIf, 0))
		for range 8 {
			code = append(code, plain(opNop))
		}
		code = append(code, plain(opEnd))
	}
	return code
}

// TestNothingIsFree: every way to go on for long yields, whatever it is made of.
func TestNothingIsFree(t *testing.T) {
	doubling := func() *assembler {
		a := newAssembler(0)
		f := a.function("f0", "", "", "")
		for i := 1; i < 64; i++ {
			f = a.function(fmt.Sprint("f", i), "", "", "", index(opCall, f), index(opCall, f))
		}
		return a
	}
	one := func(pages uint32, params, locals string, code ...instruction) *assembler {
		a := newAssembler(pages)
		a.function("f", params, "", locals, code...)
		return a
	}
	for name, a := range map[string]*assembler{
		"loop":      one(0, "", "", block(opLoop), index(opBr, 0), plain(opEnd)),
		"doubling":  doubling(),
		"recursion": one(0, "", "", block(opLoop), index(opCall, 0), index(opBr, 0), plain(opEnd)),
		"fill": one(1, "", "", block(opLoop), constant(0), constant(1), constant(60_000), plain(opMemoryFill),
			index(opBr, 0), plain(opEnd)),
	} {
		t.Run(name, func(t *testing.T) {
			l := link(t, a.bytes(), 1000)
			l.stop = 5
			last := uint32(len(a.functions) - 1)
			_, err := l.call(ExportName(Function, last))
			var trap *engine.Trap
			if !errors.Is(err, errStopped) && !(name == "recursion" && errors.As(err, &trap)) {
				t.Errorf("it was not stopped: %v after %d yields", err, l.yields)
			}
		})
	}
	// Code without a loop is charged on the way that is taken.
	l := link(t, one(0, "i", "", skipping(2000)...).bytes(), 100)
	if _, err := l.call(ExportName(Function, 0), 1); err != nil {
		t.Fatal(err)
	}
	before := l.yields
	a := one(0, "i", "", append(append([]instruction{block(opLoop)}, skipping(2000)...), index(opLocalGet, 0), constant(1), plain(opI32Sub),
		index(opLocalTee, 0), index(opBrIf, 0), plain(opEnd))...)
	l = link(t, a.bytes(), 100)
	if _, err := l.call(ExportName(Function, 0), 50); err != nil {
		t.Fatal(err)
	}
	// Fifty rounds of 2,000 times 2·(freeRun-4) instructions; a yield at each
	// round at most, as only loops look.
	if l.yields < 45 || before > 1 {
		t.Errorf("%d yields, and %d without a loop", l.yields, before)
	}
}

// TestPricesOnEveryWay: the fuel that a straight way takes is in proportion to
// its length, wherever its jumps lead.
func TestPricesOnEveryWay(t *testing.T) {
	a := newAssembler(0)
	a.function("f", "i", "", "", skipping(1000)...)
	metered, err := Meter(a.bytes(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	// Read the counter by exporting it: Meter keeps it to itself.
	m, err := parseInto(&module{start: -1, foreign: &foreign{}}, metered.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range m.exports {
		found = found || e.name == GlobalFuel
	}
	if !found {
		t.Fatal("the counter is not exported")
	}
	l := instantiateMetered(t, metered.Wasm)
	if _, err := l.call(ExportName(Function, 0), 1); err != nil {
		t.Fatal(err)
	}
	spent := 1<<30 - int64(int32(l.part.Global(GlobalFuel).Get()))
	done := int64(1000 * (2*(freeRun-4) + 3))
	if spent < done/freeRun/2 {
		t.Errorf("%d instructions cost %d", done, spent)
	}
}

// FuzzMeter: a module is metered or refused; the result decodes.
func FuzzMeter(f *testing.F) {
	f.Add(bulkModule().bytes())
	f.Add(exceptionsWasm)
	f.Add([]byte(header))
	f.Add(TableModule(byte(typeFunc), 1, 2, true))
	f.Add(TableAccess(byte(typeExtern), "t0"))
	f.Add(GlobalModule(byte(typeF64), true, 1<<60))
	f.Add(MemoryModule(1, 2, true))
	a := newAssembler(1)
	a.imports = []importedFunction{{"env", "call", a.addType(types("ii"), types("i"))}}
	a.start = int64(a.function("f", "", "", "l", index(opCall, 1)))
	a.tables = []table{{typeFunc, 1, 1, true}, {typeExtern, 1, 2, false}}
	a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: []uint32{1}}}
	f.Add(a.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Meter(b, 1000)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if _, err := parseInto(&module{start: -1, foreign: &foreign{}}, r.Wasm); err != nil {
			t.Fatalf("the output does not decode: %v", err)
		}
		for _, x := range r.References {
			if r.Signature(x) == nil {
				t.Fatalf("function %d has no type", x)
			}
		}
	})
}
