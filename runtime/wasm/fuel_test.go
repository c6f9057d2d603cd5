package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"mayfly/runtime/engine"
)

// countdown is for (n = param; n != 0; n--) body.
func countdown(body ...instruction) []instruction {
	code := []instruction{block(opBlock), block(opLoop), index(opLocalGet, 0), plain(opI32Eqz), index(opBrIf, 1)}
	code = append(code, body...)
	return append(code, index(opLocalGet, 0), constant(1), plain(opI32Sub), index(opLocalSet, 0), index(opBr, 0), plain(opEnd), plain(opEnd))
}

// stopAfter makes the guest's n-th yield its last.
func stopAfter(g *guest, n int) error {
	stop := errors.New("enough")
	g.yield = func() {
		if g.yields >= n {
			panic(engine.Stop{Cause: stop})
		}
	}
	return stop
}

func TestLoopsYield(t *testing.T) {
	a := newAssembler(0)
	nop := a.function("nop", "", "", "")
	a.function("leaf", "i", "", "", countdown()...)
	a.function("calling", "i", "", "", countdown(index(opCall, nop))...)
	a.function("forever", "", "", "", block(opLoop), index(opBr, 0), plain(opEnd))
	a.function("foreverIf", "", "", "", constant(1), block(opIf), block(opLoop), block(opBlock), index(opBr, 1), plain(opEnd), plain(opEnd), plain(opEnd))
	g, _ := rewritten(t, a, Options{Fuel: 1000})
	for _, name := range []string{"leaf", "calling"} {
		g.yields = 0
		g.must(name, 100_000)
		if g.yields != 100 {
			t.Errorf("%s: %d yields in 100,000 iterations with fuel for 1,000", name, g.yields)
		}
	}
	for _, name := range []string{"forever", "foreverIf"} {
		g.yields = 0
		stop := stopAfter(g, 3)
		if _, err := g.call(name); !errors.Is(err, stop) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongCode charges code without jumps, but not for what jumps leave out.
func TestLongCode(t *testing.T) {
	unrolled := func(n int, between ...instruction) (code []instruction) {
		for i := range n {
			code = append(code, index(opLocalGet, 0), plain(opDrop))
			if i%50 == 49 {
				code = append(code, between...)
			}
		}
		return code
	}
	a := newAssembler(0)
	a.function("short", "i", "", "", countdown(unrolled(100)...)...)
	a.function("long", "i", "", "", countdown(unrolled(1280)...)...)
	// As long, but each part is left behind before it is done.
	a.function("left", "i", "", "", countdown(join(one(block(opBlock), index(opBr, 0)), unrolled(100), one(plain(opEnd)))...)...)
	a.function("parts", "i", "", "", countdown(unrolled(1280, block(opBlock), index(opBr, 0), plain(opEnd))...)...)
	g, _ := rewritten(t, a, Options{Fuel: 1000})
	for name, want := range map[string]int{"short": 10, "long": 10 * (1 + 10*longCost), "left": 10, "parts": 10} {
		g.yields = 0
		g.must(name, 10_000)
		if g.yields < want*9/10 || g.yields > want {
			t.Errorf("%s: %d yields, want about %d", name, g.yields, want)
		}
	}
}

// TestPolling leaves the loops of one function to themselves.
func TestPolling(t *testing.T) {
	a := newAssembler(0)
	self := a.function("self", "i", "", "", countdown()...)
	a.function("other", "i", "", "", append(countdown(), index(opLocalGet, 0), index(opCall, self))...)
	g, _ := rewritten(t, a, Options{Fuel: 1000, Polling: []string{"self"}})
	g.must("self", 100_000)
	if g.yields != 0 {
		t.Errorf("%d yields in a function that polls", g.yields)
	}
	g.must("other", 100_000)
	if g.yields != 100 {
		t.Errorf("%d yields", g.yields)
	}
	if _, err := Rewrite(a.bytes(), Options{Fuel: 1, Polling: []string{"nobody"}}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a name that is not there: %v", err)
	}
}

// TestPollingCalls: a function that polls pays for its indirect calls once, at
// its entry, through which every cycle with it goes.
func TestPollingCalls(t *testing.T) {
	a := newAssembler(0)
	leaf := a.function("leaf", "i", "i", "", index(opLocalGet, 0))
	indirect := func(target int32) []instruction {
		return countdown(index(opLocalGet, 0), constant(target), instruction{op: opCallIndirect, x: a.functions[leaf]}, plain(opDrop))
	}
	a.function("loop", "i", "i", "", append(indirect(0), index(opLocalGet, 0))...)
	// Each calls itself n times with one less.
	self := a.function("self", "i", "i", "i", join(one(index(opLocalGet, 0), index(opLocalSet, 1)), one(block(opBlock), block(opLoop), index(opLocalGet, 1), plain(opI32Eqz), index(opBrIf, 1),
		index(opLocalGet, 0), constant(1), plain(opI32Sub), constant(1), instruction{op: opCallIndirect, x: a.functions[leaf]}, plain(opDrop),
		index(opLocalGet, 1), constant(1), plain(opI32Sub), index(opLocalSet, 1), index(opBr, 0), plain(opEnd), plain(opEnd), index(opLocalGet, 0)))...)
	a.tables = []table{{typeFunc, 2, 2, true}}
	a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: []uint32{leaf, self}}}
	g, _ := rewritten(t, a, Options{Fuel: 1000, Polling: []string{"loop", "self"}})
	g.must("loop", 500)
	if left := g.global(GlobalFuel).Get(); left != 999 {
		t.Errorf("fuel left after a loop of indirect calls: %d", left)
	}
	stop := stopAfter(g, 3)
	if _, err := g.call("self", 12); !errors.Is(err, stop) {
		t.Errorf("recursion through an indirect call: %v", err)
	}
}

// TestRecursion has call graphs without a loop in any function.
func TestRecursion(t *testing.T) {
	// fib(n) = n <= 1 ? 1 : next(n-1) + next(n-2)
	fib := func(next ...instruction) []instruction {
		code := []instruction{index(opLocalGet, 0), constant(1), plain(opI32LeS), block(opIf), constant(1), plain(opReturn), plain(opEnd)}
		for _, less := range []int32{1, 2} {
			code = append(code, index(opLocalGet, 0), constant(less), plain(opI32Sub))
			code = append(code, next...)
		}
		return append(code, plain(opI32Add))
	}
	cases := map[string]func(a *assembler){
		"self": func(a *assembler) { a.function("fib", "i", "i", "", fib(index(opCall, 0))...) },
		"through others": func(a *assembler) {
			a.function("fib", "i", "i", "", fib(index(opCall, 1))...)
			a.function("b", "i", "i", "", index(opLocalGet, 0), index(opCall, 2))
			a.function("c", "i", "i", "", index(opLocalGet, 0), index(opCall, 0))
		},
		"indirect": func(a *assembler) {
			a.function("fib", "i", "i", "", fib(constant(0), instruction{op: opCallIndirect, x: 0})...)
			a.tables = []table{{typeFunc, 1, 1, true}}
			a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: []uint32{0}}}
		},
		"indirect through others": func(a *assembler) {
			a.function("fib", "i", "i", "", fib(constant(0), instruction{op: opCallIndirect, x: 0})...)
			a.function("b", "i", "i", "", index(opLocalGet, 0), index(opCall, 0))
			a.tables = []table{{typeFunc, 1, 1, true}}
			a.elements = []element{{flags: 4, offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc,
				exprs: [][]instruction{{index(opRefFunc, 1), plain(opEnd)}}}}
		},
		"set into the table": func(a *assembler) {
			a.function("fib", "i", "i", "", append([]instruction{constant(0), index(opRefFunc, 0), index(opTableSet, 0)},
				fib(constant(0), instruction{op: opCallIndirect, x: 0})...)...)
			a.tables = []table{{typeFunc, 1, 1, true}}
			a.elements = []element{{flags: 3, typ: typeFunc, funcs: []uint32{0}}} // declares it
		},
	}
	for name, build := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAssembler(0)
			build(a)
			g, _ := rewritten(t, a, Options{Fuel: 1000})
			if got := g.must("fib", 20); got != 10946 {
				t.Errorf("fib(20) = %d", got)
			}
			if g.yields < 10 { // 21,891 calls
				t.Errorf("%d yields", g.yields)
			}
			g.yields = 0
			stop := stopAfter(g, 5)
			if _, err := g.call("fib", 60); !errors.Is(err, stop) {
				t.Errorf("fib(60): %v", err)
			}
		})
	}
}

// TestFreeCalls checks that calls which close no cycle cost nothing.
func TestFreeCalls(t *testing.T) {
	a := newAssembler(0)
	c := a.function("c", "", "", "")
	b := a.function("b", "", "", "", index(opCall, c), index(opCall, c))
	a.function("a", "", "", "", index(opCall, b), index(opCall, c))
	g, _ := rewritten(t, a, Options{Fuel: 1000})
	g.must("a")
	if left := g.global(GlobalFuel).Get(); left != 1000 {
		t.Errorf("fuel left: %d", left)
	}
}

func bulkModule() *assembler {
	a := newAssembler(16)
	a.function("copy", "iii", "", "", index(opLocalGet, 0), index(opLocalGet, 1), index(opLocalGet, 2), plain(opMemoryCopy))
	a.function("fill", "iii", "", "", index(opLocalGet, 0), index(opLocalGet, 1), index(opLocalGet, 2), plain(opMemoryFill))
	for _, n := range []int32{0, bulkTiny, bulkTiny + 1, bulkSmall, bulkSmall + 1, -1} {
		a.function(fmt.Sprintf("copy%d", n), "ii", "", "", index(opLocalGet, 0), index(opLocalGet, 1), constant(n), plain(opMemoryCopy))
		a.function(fmt.Sprintf("fill%d", n), "ii", "", "", index(opLocalGet, 0), index(opLocalGet, 1), constant(n), plain(opMemoryFill))
	}
	return a
}

// TestBulk compares chunked operations with the engine's own, results, traps
// and all.
func TestBulk(t *testing.T) {
	a := bulkModule()
	pristine := make([]byte, 16*pageBytes)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range pristine {
		pristine[i] = byte(r.Uint32())
	}
	want := run(t, bulkModule().encode(), pristine, 16)
	got, _ := rewritten(t, a, Options{Fuel: 1000})
	copy(got.Memory(), pristine)
	const size = 16 * pageBytes
	at := func() uint64 {
		edges := []uint64{0, 1, bulkSmall, bulkChunk, bulkChunk + 1, size / 2, size - bulkChunk, size - 1, size, size + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1}
		if r.IntN(2) == 0 {
			return edges[r.IntN(len(edges))]
		}
		return uint64(r.IntN(size))
	}
	for range 3000 {
		name, params := "copy", []uint64{at(), at(), at()}
		if r.IntN(4) == 0 {
			name = "fill"
		}
		if r.IntN(3) == 0 { // overlapping
			params[1] = uint64(uint32(int(params[0]) + r.IntN(2*bulkChunk) - bulkChunk))
		}
		if r.IntN(8) == 0 {
			name = fmt.Sprint(name, []int32{0, bulkTiny, bulkTiny + 1, bulkSmall, bulkSmall + 1, -1}[r.IntN(6)])
			params = params[:2]
		}
		_, err1 := want.call(name, params...)
		_, err2 := got.call(name, params...)
		if code(err1) != code(err2) {
			t.Fatalf("%s(%v): %v, want %v", name, params, err2, err1)
		}
		if !bytes.Equal(want.Memory(), got.Memory()) {
			t.Fatalf("%s(%v) (%v): memory differs", name, params, err1)
		}
	}
}

func code(err error) engine.TrapCode {
	var trap *engine.Trap
	if errors.As(err, &trap) {
		return trap.Code
	}
	return ""
}

// TestBulkYields checks that operations are charged by their length and done
// in chunks.
func TestBulkYields(t *testing.T) {
	a := bulkModule()
	const calls = 50
	g, _ := rewritten(t, a, Options{Fuel: 1000})
	var filled []int
	g.yield = func() { filled = append(filled, bytes.IndexByte(g.Memory(), 0)) }
	g.must("fill", 0, 1, 16*pageBytes)
	if len(filled) != 4 || filled[0] != 0 || filled[3] != 3*bulkChunk {
		t.Errorf("a fill of 1 MiB yielded with %v bytes done", filled)
	}
	g.yield = nil
	g.yields = 0
	g.global(GlobalFuel).Set(1 << 20)
	for range calls {
		g.must("copy", 0, 1, bulkSmall)
		g.must(fmt.Sprint("copy", bulkSmall), 0, 1)
	}
	if left := 1<<20 - int(g.global(GlobalFuel).Get()); left != calls*2*bulkSmall>>bulkShift {
		t.Errorf("%d spent", left)
	}
}
