package engine_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"mayfly/runtime/engine"
)

func BenchmarkCall(b *testing.B) {
	f, err := start(b, wasmModule{funcs: []wasmFunc{addFunc}}, nil).Function("add")
	if err != nil {
		b.Fatal(err)
	}
	stack := []uint64{1, 2}
	for b.Loop() {
		if err := f.Call(stack); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostCall is one call out of the guest: a loop of them is in one
// call of the guest.
func BenchmarkHostCall(b *testing.B) {
	calls := 0
	m := start(b, wasmModule{
		imports: []wasmImport{{"env", "host", nil, nil}},
		funcs: []wasmFunc{{export: "run", params: []byte{i32}, body: code(
			opLoop, void, opCall, 0, opLocalGet, 0, i32Const(1), opI32Sub, opLocalTee, 0, opBrIf, 0, opEnd)}},
	}, nil, engine.Import{Module: "env", Name: "host", Func: func(in engine.Instance, _ []uint64) { calls++ }})
	b.ResetTimer()
	m.call("run", uint64(b.N))
	if calls != b.N {
		b.Fatal(calls)
	}
}

func BenchmarkStop(b *testing.B) {
	stop := engine.Stop{Cause: errors.New("stop")}
	for _, depth := range []uint64{0, 100, 10000} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			module, host := unwinder(func(engine.Instance, []uint64) { panic(stop) })
			m := start(b, module, nil, host)
			for b.Loop() {
				if _, err := m.try("run", depth); err == nil {
					b.Fatal("not stopped")
				}
			}
		})
	}
}

func BenchmarkGlobal(b *testing.B) {
	m := start(b, wasmModule{globals: []wasmGlobal{{export: "g", typ: i32, mutable: true}}}, nil)
	g, err := m.Global("g")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		g.Set(g.Get() + 1)
	}
}

// BenchmarkInstantiate makes and closes an instance of a small module, or of
// the one that MAYFLY_BENCH_WASM names, whose imports do nothing.
func BenchmarkInstantiate(b *testing.B) {
	wasm := manyFuncs(50)
	var imports []engine.Import
	memory := make(plainMemory, 512<<20)
	if path := os.Getenv("MAYFLY_BENCH_WASM"); path != "" {
		var err error
		if wasm, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
		imports = importsOf(wasm)
	}
	e, err := engine.New(engine.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(b.Context(), wasm, engine.CompileOptions{Imports: imports})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		in, err := m.Instantiate(b.Context(), memory)
		if err != nil {
			b.Fatal(err)
		}
		if err := in.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// importsOf reads the types and imports of a module and makes host functions
// that return zeros.
func importsOf(wasm []byte) []engine.Import {
	type signature struct{ params, results []engine.ValueType }
	var types []signature
	var imports []engine.Import
	p := 8
	next := func() byte { p++; return wasm[p-1] }
	number := func() (n int) {
		for shift := 0; ; shift += 7 {
			b := next()
			n |= int(b&0x7f) << shift
			if b < 0x80 {
				return n
			}
		}
	}
	valueTypes := func() (out []engine.ValueType) {
		for range number() {
			out = append(out, engine.ValueType(next()))
		}
		return out
	}
	name := func() string { n := number(); p += n; return string(wasm[p-n : p]) }
	for p < len(wasm) {
		id, size := next(), number()
		end := p + size
		switch id {
		case 1:
			for range number() {
				next() // 0x60
				types = append(types, signature{valueTypes(), valueTypes()})
			}
		case 2:
			for range number() {
				module, field := name(), name()
				if kind := next(); kind != 0 {
					panic("an import that isn't a function")
				}
				t := types[number()]
				imports = append(imports, engine.Import{Module: module, Name: field, Params: t.params, Results: t.results,
					Func: func(_ engine.Instance, stack []uint64) { clear(stack[:len(t.results)]) }})
			}
		}
		p = end
	}
	return imports
}
