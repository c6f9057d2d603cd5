package engine_test

import (
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"mayfly/runtime/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSectionsRefused(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const header = "\x00asm\x01\x00\x00\x00"
	section := func(id byte, content ...byte) string { return string([]byte{id, byte(len(content))}) + string(content) }
	start := header + section(1, 1, 0x60, 0, 0) + section(3, 1, 0) + section(8, 0) + section(10, 1, 2, 0, opEnd)
	for name, c := range map[string]struct {
		wasm string
		want error
	}{
		"start":           {start, engine.ErrInvalidModule},
		"memory":          {header + section(2, 1, 1, 'm', 1, 'n', 2, 0, 1), engine.ErrMissingImport},
		"table":           {header + section(2, 1, 1, 'm', 1, 'n', 1, 0x70, 0, 1), engine.ErrMissingImport},
		"global":          {header + section(2, 1, 1, 'm', 1, 'n', 3, i32, 0), engine.ErrMissingImport},
		"after custom":    {header + section(0, 1, 'x', 8, 2) + section(2, 1, 1, 'm', 1, 'n', 3, i32, 0), engine.ErrMissingImport},
		"truncated":       {header + section(2, 1, 1, 'm', 1, 'n', 3, i32, 0)[:6], engine.ErrInvalidModule},
		"length past end": {header + "\x02\xff\xff\xff\xff\x0f", engine.ErrInvalidModule},
		"length too long": {header + "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f", engine.ErrInvalidModule},
		"header only":     {header[:5], engine.ErrInvalidModule},
	} {
		if _, err := e.Compile(t.Context(), []byte(c.wasm), engine.CompileOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzCompile compiles hostile modules as those of users are, and makes an
// instance of what compiles. Nothing may panic.
func FuzzCompile(f *testing.F) {
	everything := wasmModule{
		memory: 1, maximum: 2, table: []uint32{1}, globals: []wasmGlobal{{export: "g", typ: i64, mutable: true, init: -1}},
		imports: []wasmImport{{"env", "host", []byte{i32}, []byte{i32}}},
		funcs: []wasmFunc{addFunc, peekFunc, pokeFunc,
			{export: "host", params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0, opCall, 0)},
			{params: []byte{i32}, locals: []byte{v128, f64}, body: code(opLoop, void, opLocalGet, 0, opBrIf, 0, opEnd)}},
	}
	f.Add(everything.assemble())
	f.Add(manyFuncs(3))
	f.Add(slices.Concat(manyFuncs(1), []byte{0, 3, 2, 'n', 'x'}))
	e, err := engine.New(engine.Config{})
	if err != nil {
		f.Fatal(err)
	}
	host := engine.Import{Module: "env", Name: "host", Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I32},
		Func: func(engine.Instance, []uint64) {}}
	memory := make(plainMemory, 16*engine.PageSize)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, err := e.Compile(t.Context(), wasm, engine.CompileOptions{Imports: []engine.Import{host}})
		if err != nil {
			return
		}
		if in, err := m.Instantiate(t.Context(), memory); err == nil {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}
