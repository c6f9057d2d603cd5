package wasm

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// The cases of testdata/exceptions.wat, made with wasmtime's wat2wasm, and
// what the specification makes of them: function, argument, result; EXC is an
// exception that nobody catches.
var (
	//go:embed testdata/exceptions.wasm
	exceptionsWasm []byte
	//go:embed testdata/exceptions.txt
	exceptionsResults string
)

// features are those of the engine and tail calls, which it leaves out.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall

// instantiate runs a module in wazero itself: with features, or as an
// interpreter that knows exceptions.
func instantiate(t interface {
	Helper()
	Fatal(...any)
}, config wazero.RuntimeConfig, wasm []byte) (api.Module, func()) {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	yield := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("yield")
	if _, err := yield.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m, func() { _ = r.Close(ctx) }
}

// reference is wazero's interpreter, whose exceptions are right.
func reference() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features | experimental.CoreFeaturesExceptionHandling)
}

// outcome calls an export: its result, EXC or TRAP.
func outcome(m api.Module, name string, params ...uint64) string {
	v, err := m.ExportedFunction(name).Call(context.Background(), params...)
	// The globals are kept after exceptions and traps alike: the one that is
	// pending goes by them.
	if g, ok := m.ExportedGlobal(GlobalException).(api.MutableGlobal); ok && g.Get() != 0 {
		g.Set(0)
		return "EXC"
	}
	switch {
	case err == nil:
		return fmt.Sprint(api.DecodeI32(v[0]))
	case strings.Contains(err.Error(), "uncaught exception"):
		return "EXC"
	}
	return "TRAP"
}

func TestExceptions(t *testing.T) {
	cases := strings.Split(strings.TrimSpace(exceptionsResults), "\n")
	if len(cases) < 180 {
		t.Errorf("only %d cases", len(cases))
	}
	check := func(config wazero.RuntimeConfig, wasm []byte, what any) {
		m, stop := instantiate(t, config, wasm)
		defer stop()
		for _, c := range cases {
			var name, want string
			var x int32
			if _, err := fmt.Sscan(c, &name, &x, &want); err != nil {
				t.Fatal(err)
			}
			if got := outcome(m, name, api.EncodeI32(x)); got != want {
				t.Errorf("%s(%d) = %s, want %s (%+v)", name, x, got, want, what)
			}
		}
	}
	check(reference(), exceptionsWasm, "as it is")
	for _, o := range []Options{{}, {Fuel: 1}, {Fuel: 100, MemoryPages: 3}} {
		o.LowerExceptions = true
		r, err := Rewrite(exceptionsWasm, o)
		if err != nil {
			t.Fatal(err)
		}
		check(wazero.NewRuntimeConfig().WithCoreFeatures(features), r.Wasm, o)
		check(wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features), r.Wasm, o)
	}
}

// TestMayThrow asks which functions have been rewritten, and where they look
// for exceptions.
func TestMayThrow(t *testing.T) {
	a := newAssembler(0)
	a.tags = []uint32{a.addType(nil, nil)}
	a.imports = []importedFunction{{"env", "host", a.addType(nil, nil)}}
	unary, other := a.addType(types("i"), types("i")), a.addType(types("l"), nil)
	a.types = append(a.types, functionType{types("i"), types("i")})
	again := uint32(len(a.types) - 1)
	catchAll := func(code ...instruction) []instruction {
		raw := []byte{byte(opTryTable), 0x40, 1, 2, 0} // catch_all 0
		return join(one(block(opBlock), instruction{op: opTryTable, value: blockEmpty, clauses: []clause{{kind: 2}}, raw: raw}), code, one(plain(opEnd), plain(opEnd)))
	}
	throw := index(opThrow, 0)
	cases := []struct {
		name            string
		params, results string
		code            []instruction
		throws          bool
		checks          int // looks at the pending exception after a call
	}{
		{"throws", "", "", one(throw), true, 0},
		{"shields", "", "", catchAll(throw), false, 0},
		{"calls", "", "", one(index(opCall, 1), plain(opNop)), true, 1},
		{"calls last", "", "", one(index(opCall, 1)), true, 0},
		{"calls and returns", "", "i", one(index(opCall, 1), constant(1), plain(opReturn)), true, 1},
		{"shields a call", "", "", catchAll(index(opCall, 1)), false, 1},
		{"calls nothing that throws", "", "", one(index(opCall, 2), index(opCall, 0)), false, 0},
		{"shields a tail call", "", "", catchAll(index(opReturnCall, 1)), true, 0},
		{"of a table", "i", "i", one(index(opCall, 1), constant(1)), true, 1},
		{"calls indirectly", "", "", one(constant(1), constant(0), index(opCallIndirect, unary), plain(opDrop)), true, 1},
		{"calls an equal type", "", "", one(constant(1), constant(0), index(opCallIndirect, again), plain(opDrop)), true, 1},
		{"calls another type", "", "", one(instruction{op: opI64Const}, constant(0), index(opCallIndirect, other)), false, 0},
		{"throws unseen", "l", "", one(throw), true, 0}, // its reference is nowhere taken
		{"itself", "", "", one(index(opCall, 14), plain(opNop)), false, 0},
		{"catches one", "", "", join(one(block(opBlock), instruction{op: opTryTable, value: blockEmpty, raw: []byte{byte(opTryTable), 0x40, 1, 0, 0, 0}}),
			one(throw, plain(opEnd), plain(opEnd))), true, 0},
	}
	var elements []uint32
	for _, c := range cases {
		x := a.function(c.name, c.params, c.results, "", c.code...)
		if c.name == "of a table" {
			elements = append(elements, x)
		}
	}
	a.tables = []table{{typeFunc, 1, 1, true}}
	a.elements = []element{{offset: []instruction{constant(0), plain(opEnd)}, typ: typeFunc, funcs: elements}}
	a.addExport("tag", externTag, 0)
	source := a.bytes()

	m, err := parse(source)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.newExceptions(len(m.bodies))
	if err != nil {
		t.Fatal(err)
	}
	before, err := parse(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.apply([]pass{p}, len(m.bodies)); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if p.throws[i] != c.throws {
			t.Errorf("%s: may throw: %v", c.name, p.throws[i])
		}
		f, err := m.decode(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		checks, tries := 0, 0
		for k, in := range f.code {
			if in.op == opGlobalGet && in.x == p.pending && f.code[k+1].op == opBrIf {
				checks++
			}
		}
		b, err := before.decode(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range b.code {
			if in.op == opTryTable {
				tries++
			}
		}
		if checks != c.checks {
			t.Errorf("%s: looks for exceptions %d times", c.name, checks)
		}
		if same := bytes.Equal(m.bodies[i].code, before.bodies[i].code); same != (!c.throws && tries == 0 || c.name == "calls last") {
			t.Errorf("%s: the same as before: %v", c.name, same)
		}
	}
	for _, e := range m.exports {
		if e.kind == externTag {
			t.Error("a tag is exported")
		}
	}
}

// TestExceptionGlobals: what is pending is state; a null of a global is lowered.
func TestExceptionGlobals(t *testing.T) {
	r, err := Rewrite(exceptionsWasm, Options{LowerExceptions: true, Fuel: 10, MemoryPages: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"mayfly_global_0", "mayfly_global_1", GlobalException, GlobalExceptionValue, GlobalPages}; !slices.Equal(r.Globals, want) {
		t.Errorf("globals %v", r.Globals)
	}
	m, stop := instantiate(t, wazero.NewRuntimeConfig().WithCoreFeatures(features), r.Wasm)
	defer stop()
	if _, err := m.ExportedFunction("escape").Call(context.Background(), 12); err != nil {
		t.Fatal(err)
	}
	tag, value := m.ExportedGlobal(GlobalException).Get(), m.ExportedGlobal(GlobalExceptionValue).Get()
	if tag != 1 || value != 120 {
		t.Errorf("tag %d, value %d", tag, value)
	}
}

// TestExceptionSelect: wazero's interpreter knows no select of exnrefs.
func TestExceptionSelect(t *testing.T) {
	a := newAssembler(0)
	a.tags = []uint32{a.addType(types("i"), nil)}
	ref := a.addType(nil, []valueType{typeExn})
	selected := instruction{op: opSelectTyped, raw: []byte{byte(opSelectTyped), 1, byte(typeExn)}}
	null := instruction{op: opRefNull, raw: []byte{byte(opRefNull), byte(typeExn)}}
	try := func(kind byte) instruction {
		return instruction{op: opTryTable, raw: []byte{byte(opTryTable), 0x40, 1, kind, 0, 0}}
	}
	a.function("f", "i", "i", "",
		instruction{op: opBlock, value: int64(typeI32) - 0x80},
		try(0),
		null,
		instruction{op: opBlock, value: int64(ref)}, // the exnref alone
		instruction{op: opBlock, value: int64(a.addType(nil, []valueType{typeI32, typeExn}))},
		try(1),
		constant(42), index(opThrow, 0),
		plain(opEnd), plain(opUnreachable), plain(opEnd),
		index(opBr, 0), plain(opEnd),
		index(opLocalGet, 0), selected, instruction{op: opThrowRef, raw: []byte{byte(opThrowRef)}},
		plain(opEnd), plain(opUnreachable), plain(opEnd))
	r, err := Rewrite(a.encode(), Options{LowerExceptions: true})
	if err != nil {
		t.Fatal(err)
	}
	m, stop := instantiate(t, wazero.NewRuntimeConfig().WithCoreFeatures(features), r.Wasm)
	defer stop()
	if got := outcome(m, "f", 0); got != "42" {
		t.Errorf("the thrown one: %s", got)
	}
	if got := outcome(m, "f", 1); got != "TRAP" {
		t.Errorf("null: %s", got)
	}
}

func TestRefuseExceptions(t *testing.T) {
	null := instruction{op: opRefNull, raw: []byte{byte(opRefNull), byte(typeFunc)}}
	cases := map[string]struct {
		make func(a *assembler)
		want error
	}{
		"i64":          {func(a *assembler) { a.tags = []uint32{a.addType(types("l"), nil)} }, ErrUnsupported},
		"two values":   {func(a *assembler) { a.tags = []uint32{a.addType(types("ii"), nil)} }, ErrUnsupported},
		"results":      {func(a *assembler) { a.tags = []uint32{a.addType(nil, types("i"))} }, ErrUnsupported},
		"table":        {func(a *assembler) { a.tables = []table{{typeExn, 1, 1, true}} }, ErrUnsupported},
		"elements":     {func(a *assembler) { a.elements = []element{{flags: 5, typ: typeExn}} }, ErrUnsupported},
		"ref.is_null":  {func(a *assembler) { a.function("f", "", "i", "", null, plain(opRefIsNull)) }, ErrUnsupported},
		"no such tag":  {func(a *assembler) { a.function("f", "", "", "", index(opThrow, 0)) }, ErrMalformed},
		"no such call": {func(a *assembler) { a.function("f", "", "", "", index(opCall, 9)) }, ErrMalformed},
		"no such type": {func(a *assembler) { a.function("f", "", "", "", constant(0), index(opCallIndirect, 9)) }, ErrMalformed},
		"no such clause's tag": {func(a *assembler) {
			a.function("f", "", "", "", instruction{op: opTryTable, raw: []byte{byte(opTryTable), 0x40, 1, 0, 9, 0}}, plain(opEnd))
		}, ErrMalformed},
		"no such label": {func(a *assembler) {
			a.tags = []uint32{a.addType(nil, nil)}
			a.function("f", "", "", "", index(opThrow, 0), index(opBr, 1))
		}, ErrMalformed},
		"no such body": {func(a *assembler) {
			a.function("f", "", "", "", instruction{op: opTryTable, raw: []byte{byte(opTryTable), 9, 0}}, plain(opEnd))
		}, ErrMalformed},
	}
	for name, c := range cases {
		a := newAssembler(0)
		c.make(a)
		if _, err := Rewrite(a.encode(), Options{LowerExceptions: true}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExceptionsDeterminism: the number of processors doesn't show.
func TestExceptionsDeterminism(t *testing.T) {
	o := Options{LowerExceptions: true, Fuel: 100, MemoryPages: 3}
	want, err := Rewrite(exceptionsWasm, o)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, n := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(n)
		got, err := Rewrite(exceptionsWasm, o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Wasm, want.Wasm) {
			t.Errorf("differs with %d processors", n)
		}
	}
}
