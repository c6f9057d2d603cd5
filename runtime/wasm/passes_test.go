package wasm

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
)

func TestGrowth(t *testing.T) {
	a := newAssembler(2) // to 16
	a.function("size", "", "i", "", plain(opMemorySize))
	a.function("grow", "i", "i", "", index(opLocalGet, 0), plain(opMemoryGrow))
	g, r := rewritten(t, a, Options{MemoryPages: 12})
	if r.MinPages != 2 || r.MaxPages != 16 {
		t.Errorf("limits %d to %d", r.MinPages, r.MaxPages)
	}
	if len(g.Memory()) != 12*pageBytes {
		t.Errorf("%d bytes of memory", len(g.Memory()))
	}
	no := uint64(math.MaxUint32)
	steps := []struct{ delta, want, size uint64 }{
		{0, 2, 2}, {3, 2, 5}, {8, no, 5}, {7, 5, 12}, {1, no, 12}, {0, 12, 12}, {no, no, 12}, {1 << 31, no, 12},
	}
	for _, s := range steps {
		if got := uint64(uint32(g.must("grow", s.delta))); got != s.want {
			t.Errorf("grow(%d) = %d, want %d", s.delta, got, s.want)
		}
		if got := g.must("size"); got != s.size {
			t.Errorf("size() = %d after grow(%d), want %d", got, s.delta, s.size)
		}
	}
	// The host undoes growth and lowers the limit.
	g.global(GlobalPages).Set(2)
	g.global(GlobalPagesLimit).Set(3)
	for _, want := range []uint64{2, no} {
		if got := uint64(uint32(g.must("grow", 1))); got != want {
			t.Errorf("grow(1) = %d under a limit of 3, want %d", got, want)
		}
	}
	g.global(GlobalPagesLimit).Set(1)
	if got := uint64(uint32(g.must("grow", 0))); got != no {
		t.Errorf("grow(0) = %d with more pages than the limit", got)
	}

	small := newAssembler(1)
	small.memory.max = 3
	small.function("grow", "i", "i", "", index(opLocalGet, 0), plain(opMemoryGrow))
	g, _ = rewritten(t, small, Options{MemoryPages: 12})
	if got := uint64(uint32(g.must("grow", 3))); got != no {
		t.Errorf("grow beyond the module's own maximum = %d", got)
	}
}

func TestLift(t *testing.T) {
	a := newAssembler(2)
	a.data(8, []byte("abcdef"))
	a.data(10, []byte("XY")) // over the first
	a.data(pageBytes+3, []byte{0, 1})
	a.data(2*pageBytes, nil) // empty at the very end
	a.global(typeI32, constant(7))
	a.global(typeI64, instruction{op: opI64Const, value: -1})
	a.addExport("sp", externGlobal, 0)
	a.globals = append(a.globals, global{typeI32, false, []instruction{constant(9), plain(opEnd)}})
	start := a.function("boot", "", "", "", constant(5), index(opGlobalSet, 0))
	a.start = int64(start)
	a.function("load", "i", "i", "", index(opLocalGet, 0), instruction{op: opI32Load, x: 0, y: 0})
	g, r := rewritten(t, a, Options{Fuel: 100, Exports: map[string]uint32{"constant": 2, "sp": 0}})
	want := make([]byte, pageBytes+5)
	copy(want[8:], "abXYef")
	want[pageBytes+4] = 1
	if !bytes.Equal(r.Image, want) {
		t.Errorf("image of %d bytes: %q", len(r.Image), r.Image[:16])
	}
	if !slices.Equal(r.Globals, []string{"sp", "mayfly_global_1"}) {
		t.Errorf("globals %v", r.Globals)
	}
	if got := uint32(g.must("load", 8)); got != 0x59586261 {
		t.Errorf("loaded %#x", got)
	}
	if r.Start != FunctionStart || g.global("sp").Get() != 7 {
		t.Errorf("start %q ran by itself: %d", r.Start, g.global("sp").Get())
	}
	g.must(r.Start)
	if got := g.global("sp").Get(); got != 5 {
		t.Errorf("global is %d after the start function", got)
	}
	if got := g.global("mayfly_global_1").Get(); got != math.MaxUint64 {
		t.Errorf("global 1 is %#x", got)
	}
	if m, err := parse(r.Wasm); err != nil || !slices.Contains(m.exports, export{"constant", externGlobal, 2}) {
		t.Errorf("global 2 is not exported (%v)", err)
	}
	// The import moved every function up.
	if len(r.Functions) < 3 || r.Functions[1] != "boot" || r.Functions[2] != "load" || r.Functions[0] != "" {
		t.Errorf("names %q", r.Functions)
	}
	if bytes.Contains(r.Wasm, []byte("producers")) || bytes.Contains(r.Wasm, []byte("abcdef")) {
		t.Error("data or custom sections are left")
	}
}

func TestRefuse(t *testing.T) {
	raw := func(sections ...[]byte) []byte {
		return slices.Concat(append([][]byte{[]byte(header)}, sections...)...)
	}
	cases := map[string]struct {
		wasm []byte
		o    Options
		want error
	}{
		"empty":         {nil, Options{}, ErrMalformed},
		"not wasm":      {[]byte("\x7fELF...."), Options{}, ErrMalformed},
		"component":     {[]byte("\x00asm\x0d\x00\x01\x00"), Options{}, ErrMalformed},
		"cut off":       {raw([]byte{1, 5, 1}), Options{}, ErrMalformed},
		"lying count":   {raw([]byte{1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f}), Options{}, ErrMalformed},
		"long number":   {raw([]byte{1, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}), Options{}, ErrMalformed},
		"order":         {raw([]byte{3, 1, 0}, []byte{1, 1, 0}), Options{}, ErrMalformed},
		"twice":         {raw([]byte{1, 1, 0}, []byte{1, 1, 0}), Options{}, ErrMalformed},
		"unknown":       {raw([]byte{14, 0}), Options{}, ErrMalformed},
		"no bodies":     {raw([]byte{1, 4, 1, 0x60, 0, 0}, []byte{3, 2, 1, 0}), Options{}, ErrMalformed},
		"two memories":  {raw([]byte{5, 5, 2, 0, 1, 0, 1}), Options{}, ErrUnsupported},
		"shared memory": {raw([]byte{5, 4, 1, 3, 1, 1}), Options{}, ErrUnsupported},
		"large memory":  {raw([]byte{5, 5, 1, 0, 0x81, 0x80, 0x04}), Options{}, ErrMalformed},
		"gc type":       {raw([]byte{1, 3, 1, 0x5f, 0}), Options{}, ErrUnsupported},
		"many locals": {raw([]byte{1, 4, 1, 0x60, 0, 0}, []byte{3, 2, 1, 0}, []byte{10, 10, 1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b}),
			Options{}, ErrUnsupported},
		"import of a memory": {raw([]byte{2, 6, 1, 0, 0, 2, 0, 1}), Options{}, ErrUnsupported},
		"no memory to grow":  {newAssembler(0).bytes(), Options{MemoryPages: 4}, ErrUnsupported},
		"too small":          {newAssembler(5).bytes(), Options{MemoryPages: 4}, ErrUnsupported},
		"too large":          {newAssembler(5).bytes(), Options{MemoryPages: 1<<16 + 1}, ErrUnsupported},
		"negative fuel":      {newAssembler(5).bytes(), Options{Fuel: -1}, ErrUnsupported},
		"no such global":     {newAssembler(5).bytes(), Options{Exports: map[string]uint32{"x": 0}}, ErrUnsupported},
	}
	add := func(name string, want error, o Options, build func(a *assembler)) {
		a := newAssembler(1)
		build(a)
		c := cases[name]
		c.wasm, c.o, c.want = a.bytes(), o, want
		cases[name] = c
	}
	add("passive data", ErrUnsupported, Options{}, func(a *assembler) { a.segments = []dataSegment{{bytes: []byte("x")}} })
	add("data out of bounds", ErrMalformed, Options{}, func(a *assembler) { a.data(pageBytes-1, []byte("xy")) })
	add("data at a negative offset", ErrMalformed, Options{}, func(a *assembler) { a.data(-1, []byte("x")) })
	add("a huge image", ErrUnsupported, Options{}, func(a *assembler) {
		a.memory = &memory{min: 1 << 16, max: 1 << 16}
		a.data(-8, []byte("x"))
	})
	add("data.drop", ErrUnsupported, Options{}, func(a *assembler) {
		a.function("f", "", "", "", instruction{op: opDataDrop, raw: []byte{0xfc, 9, 0}})
	})
	add("legacy exceptions", ErrUnsupported, Options{}, func(a *assembler) {
		a.function("f", "", "", "", instruction{op: opLegacyTry, raw: []byte{6, 0x40}}, plain(opEnd))
	})
	add("yield of another type", ErrUnsupported, Options{Fuel: 5}, func(a *assembler) {
		a.imports = []importedFunction{{"env", "yield", a.addType(nil, types("i"))}}
	})
	add("a vector global", ErrUnsupported, Options{}, func(a *assembler) {
		a.global(typeV128, instruction{op: opV128Const, raw: append([]byte{0xfd, 12}, make([]byte, 16)...)})
	})
	add("code after the end", ErrMalformed, Options{}, func(a *assembler) { a.function("f", "", "", "", plain(opEnd)) })
	add("code without an end", ErrMalformed, Options{}, func(a *assembler) { a.function("f", "", "", "", block(opBlock)) })
	add("an export's name taken", ErrUnsupported, Options{Fuel: 5}, func(a *assembler) { a.function(GlobalFuel, "", "", "") })
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := Rewrite(c.wasm, c.o)
			var typed *Error
			if !errors.Is(err, c.want) || !errors.As(err, &typed) || r != nil {
				t.Errorf("Rewrite() = %v, want %v", err, c.want)
			}
		})
	}
}

// TestYieldImported uses the import that the module has already.
func TestYieldImported(t *testing.T) {
	a := newAssembler(1)
	a.imports = []importedFunction{{"env", "yield", a.addType(nil, nil)}}
	a.function("twice", "i", "", "", append([]instruction{index(opCall, 0)}, countdown()...)...)
	g, r := rewritten(t, a, Options{Fuel: 10})
	g.must("twice", 99)
	if g.yields != 11 {
		t.Errorf("%d yields", g.yields)
	}
	if n := bytes.Count(r.Wasm, []byte("yield")); n != 1 {
		t.Errorf("%d imports", n)
	}
}

// TestStable rewrites the same module twice, and its own output.
func TestStable(t *testing.T) {
	o := Options{Fuel: 1000, MemoryPages: 16}
	first, err := Rewrite(bulkModule().bytes(), o)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := Rewrite(bulkModule().bytes(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Wasm, again.Wasm) || !slices.Equal(first.Functions, again.Functions) {
			t.Fatal("the same input gave another output")
		}
	}
	plainly, err := Rewrite(first.Wasm, Options{})
	if err != nil {
		t.Fatal(err)
	}
	exported, err := Rewrite(plainly.Wasm, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plainly.Wasm, exported.Wasm) {
		t.Error("a module without anything to lift changes")
	}
	if _, err := Rewrite(first.Wasm, o); !errors.Is(err, ErrUnsupported) {
		t.Errorf("metering twice: %v", err)
	}
}
