package engine_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"mayfly/runtime/engine"
)

// plainMemory is a memory without a window.
type plainMemory []byte

func (m plainMemory) Bytes() []byte  { return m }
func (m plainMemory) Windowed() bool { return false }

// machine is a module in one instance, for tests of a single goroutine.
type machine struct {
	t testing.TB
	engine.Instance
}

// start compiles a module and makes one instance, with every check in.
func start(t testing.TB, m wasmModule, memory engine.Memory, imports ...engine.Import) machine {
	t.Helper()
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	module, err := e.Compile(context.Background(), m.assemble(), engine.CompileOptions{Imports: imports})
	if err != nil {
		t.Fatal(err)
	}
	in, err := module.Instantiate(context.Background(), memory)
	if err != nil {
		t.Fatal(err)
	}
	return machine{t, in}
}

// try calls an export and returns its first result.
func (m machine) try(name string, params ...uint64) (uint64, error) {
	m.t.Helper()
	f, err := m.Function(name)
	if err != nil {
		m.t.Fatal(err)
	}
	stack := make([]uint64, max(len(params), 1))
	copy(stack, params)
	err = f.Call(stack)
	return stack[0], err
}

// call is try for calls that have to succeed.
func (m machine) call(name string, params ...uint64) uint64 {
	m.t.Helper()
	result, err := m.try(name, params...)
	if err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	return result
}

func (m machine) want(result uint64, name string, params ...uint64) {
	m.t.Helper()
	if got := m.call(name, params...); got != result {
		m.t.Errorf("%s%v = %d, want %d", name, params, got, result)
	}
}

// add, peek, poke: the functions most tests use.
var (
	addFunc = wasmFunc{export: "add", params: []byte{i64, i64}, results: []byte{i64},
		body: code(opLocalGet, 0, opLocalGet, 1, opI64Add)}
	peekFunc = wasmFunc{export: "peek", params: []byte{i32}, results: []byte{i32},
		body: code(opLocalGet, 0, opI32Load, 2, 0)}
	pokeFunc = wasmFunc{export: "poke", params: []byte{i32, i32},
		body: code(opLocalGet, 0, opLocalGet, 1, opI32Store, 2, 0)}
)

func TestCall(t *testing.T) {
	m := start(t, wasmModule{funcs: []wasmFunc{addFunc, {
		export: "divmod", params: []byte{i32, i32}, results: []byte{i32, i32},
		body: code(opLocalGet, 0, opLocalGet, 1, opI32DivS, opLocalGet, 0, opLocalGet, 1, 0x6f /* i32.rem_s */),
	}}}, nil)
	m.want(1<<63+1, "add", 1<<63, 1)
	f, err := m.Function("divmod")
	if err != nil {
		t.Fatal(err)
	}
	stack := []uint64{17, 5, 99}
	if err := f.Call(stack); err != nil {
		t.Fatal(err)
	}
	if stack[0] != 3 || stack[1] != 2 || stack[2] != 99 {
		t.Errorf("divmod(17, 5) left %v on the stack", stack)
	}
	if err := f.Call(stack[:1]); err == nil {
		t.Error("a stack shorter than the parameters was accepted")
	}
	if m.Memory() != nil {
		t.Error("a module without memory has one")
	}
}

func TestExports(t *testing.T) {
	m := start(t, wasmModule{
		funcs: []wasmFunc{addFunc, {export: "next", results: []byte{i64},
			body: code(opGlobalGet, 0, opI64Const, 1, opI64Add, opGlobalSet, 0, opGlobalGet, 0)}},
		globals: []wasmGlobal{{export: "counter", typ: i64, mutable: true, init: 41}, {export: "constant", typ: i32, init: 7}},
	}, nil)
	g, err := m.Global("counter")
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Get(); got != 41 {
		t.Errorf("counter starts at %d", got)
	}
	m.want(42, "next")
	if got := g.Get(); got != 42 {
		t.Errorf("counter is %d after next", got)
	}
	g.Set(1 << 40)
	m.want(1<<40+1, "next")
	for _, name := range []string{"constant", "add", "nothing"} {
		if _, err := m.Global(name); !errors.Is(err, engine.ErrNoExport) {
			t.Errorf("Global(%q): %v", name, err)
		}
	}
	for _, name := range []string{"counter", "nothing"} {
		if _, err := m.Function(name); !errors.Is(err, engine.ErrNoExport) {
			t.Errorf("Function(%q): %v", name, err)
		}
	}
}

func TestMemory(t *testing.T) {
	memory := make(plainMemory, 3*engine.PageSize)
	memory[100] = 7
	m := start(t, wasmModule{memory: 2, maximum: 9, funcs: []wasmFunc{peekFunc, pokeFunc,
		{export: "size", results: []byte{i32}, body: code(opMemorySize, 0)},
		{export: "grow", params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0, opMemoryGrow, 0)},
	}}, memory)
	m.want(7, "peek", 100)
	m.call("poke", 3*engine.PageSize-4, 0x01020304)
	if memory[3*engine.PageSize-4] != 4 {
		t.Error("the guest's store isn't in the memory it was given")
	}
	m.want(3, "size")
	m.want(3, "grow", 0)
	m.want(0xffffffff, "grow", 1)
	m.want(3, "size")
	if &m.Memory()[0] != &memory[0] || len(m.Memory()) != len(memory) {
		t.Error("Memory isn't the memory that was given")
	}
	memory[100] = 9
	m.want(9, "peek", 100)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if memory[100] != 9 {
		t.Error("closing the instance touched its memory")
	}
}

func TestMemoryRefused(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	module, err := e.Compile(t.Context(), wasmModule{memory: 2, funcs: []wasmFunc{peekFunc}}.assemble(), engine.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, memory := range map[string]engine.Memory{
		"none": nil, "empty": plainMemory{}, "small": make(plainMemory, engine.PageSize), "odd": make(plainMemory, 2*engine.PageSize+1),
	} {
		if _, err := module.Instantiate(t.Context(), memory); !errors.Is(err, engine.ErrMemorySize) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := module.Instantiate(t.Context(), make(plainMemory, 2*engine.PageSize)); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

func TestHostCall(t *testing.T) {
	type tenant struct{ calls int }
	host := engine.Import{Module: "env", Name: "host", Params: []engine.ValueType{engine.I32, engine.I64}, Results: []engine.ValueType{engine.I64},
		Func: func(in engine.Instance, stack []uint64) {
			in.Data().(*tenant).calls++
			in.Memory()[0]++
			stack[0] = stack[1] * uint64(uint32(stack[0]))
		}}
	memory := make(plainMemory, engine.PageSize)
	m := start(t, wasmModule{
		memory:  1,
		imports: []wasmImport{{"env", "host", []byte{i32, i64}, []byte{i64}}},
		funcs: []wasmFunc{{export: "run", params: []byte{i32, i64}, results: []byte{i64},
			body: code(opLocalGet, 0, opLocalGet, 0, opLocalGet, 1, opCall, 0, opCall, 0)}},
	}, memory, host)
	who := &tenant{}
	m.SetData(who)
	m.want(9*5, "run", 3, 5)
	if who.calls != 2 || memory[0] != 2 {
		t.Errorf("%d calls with the instance's data, %d in its memory", who.calls, memory[0])
	}
}

// The upper half of an i32 is zero wherever Go sees it, and has no part in
// what the guest sees.
func TestInt32IsZeroExtended(t *testing.T) {
	var got []uint64
	host := engine.Import{Module: "env", Name: "host", Params: []engine.ValueType{engine.I32, engine.I32}, Results: []engine.ValueType{engine.I32},
		Func: func(_ engine.Instance, stack []uint64) {
			got = append(got[:0], stack[:2]...)
			stack[0] |= 0xabc << 32
		}}
	m := start(t, wasmModule{
		imports: []wasmImport{{"env", "host", []byte{i32, i32}, []byte{i32}}},
		funcs: []wasmFunc{
			{export: "wide", params: []byte{i32, i32}, results: []byte{i64}, body: code(opLocalGet, 0, opLocalGet, 1, opCall, 0, 0xad /* i64.extend_i32_u */)},
			{export: "narrow", params: []byte{i32, i32}, results: []byte{i32}, body: code(opLocalGet, 0, opLocalGet, 1, opCall, 0)},
		},
	}, nil, host)
	for _, name := range []string{"wide", "narrow"} {
		m.want(0xfffffffe, name, 0x1_ffff_fffe, 0xffff_ffff_0000_0005)
		if got[0] != 0xfffffffe || got[1] != 5 {
			t.Errorf("the host got %#x", got)
		}
	}
}

func TestImports(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	module := func(name string) []byte {
		return wasmModule{
			imports: []wasmImport{{"env", name, []byte{i32}, []byte{i32}}},
			funcs:   []wasmFunc{{export: "run", params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0, opCall, 0)}},
		}.assemble()
	}
	plus := func(name string, n uint64) engine.Import {
		return engine.Import{Module: "env", Name: name, Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I32},
			Func: func(_ engine.Instance, stack []uint64) { stack[0] += n }}
	}
	wrong := plus("host", 1)
	wrong.Results = nil
	for name, given := range map[string][]engine.Import{"none": nil, "other": {plus("other", 1)}, "type": {wrong}} {
		_, err := e.Compile(t.Context(), module("host"), engine.CompileOptions{Imports: given})
		if !errors.Is(err, engine.ErrMissingImport) || !strings.Contains(err.Error(), "env.host") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Compile(t.Context(), module("host"), engine.CompileOptions{Imports: []engine.Import{plus("host", 1), plus("host", 2)}}); err == nil {
		t.Error("an import given twice was accepted")
	}
	// The same names mean different functions in different modules.
	for n := range uint64(3) {
		m, err := e.Compile(t.Context(), module("host"), engine.CompileOptions{Imports: []engine.Import{plus("host", n), plus("unused", 0)}})
		if err != nil {
			t.Fatal(err)
		}
		in, err := m.Instantiate(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		machine{t, in}.want(10+n, "run", 10)
	}
}

func TestInvalidModule(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	unbalanced := wasmModule{funcs: []wasmFunc{{export: "run", results: []byte{i32}, body: code(opDrop)}}}.assemble()
	for name, wasm := range map[string][]byte{"empty": nil, "text": []byte("(module)"), "unbalanced": unbalanced} {
		if _, err := e.Compile(t.Context(), wasm, engine.CompileOptions{}); !errors.Is(err, engine.ErrInvalidModule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClosed(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	wasm := wasmModule{funcs: []wasmFunc{addFunc}}.assemble()
	a, err := e.Compile(t.Context(), wasm, engine.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := a.Instantiate(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := in.Function("add")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(in.Close(), in.Close()); err != nil {
		t.Fatal(err)
	}
	if err := f.Call([]uint64{1, 2}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Call on a closed instance: %v", err)
	}
	if err := errors.Join(a.Close(), a.Close(), e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Instantiate(t.Context(), nil); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Instantiate on a closed module: %v", err)
	}
	if _, err := e.Compile(t.Context(), wasm, engine.CompileOptions{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Compile on a closed engine: %v", err)
	}
}

func TestVersion(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != engine.Version {
		t.Errorf("go.mod pins wazero %s, the package says %s", got, engine.Version)
	}
}
