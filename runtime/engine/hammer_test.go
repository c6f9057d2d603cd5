package engine_test

import (
	"errors"
	"sync"
	"testing"

	"mayfly/runtime/engine"
)

// TestHammer uses one engine and two of its modules from several goroutines:
// instances come and go, call and are called, stop and trap.
func TestHammer(t *testing.T) {
	e, err := engine.New(engine.Config{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("stop")
	host := engine.Import{Module: "env", Name: "host", Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I32},
		Func: func(in engine.Instance, stack []uint64) {
			if stack[0] == 0 {
				panic(engine.Stop{Cause: cause})
			}
			stack[0] += *in.Data().(*uint64)
		}}
	wasm := wasmModule{
		memory:  1,
		imports: []wasmImport{{"env", "host", []byte{i32}, []byte{i32}}},
		funcs: []wasmFunc{
			{export: "run", params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0, opCall, 0)},
			{export: "trap", body: code(opUnreachable)},
			peekFunc, pokeFunc,
		},
	}.assemble()
	var modules []engine.Module
	for range 2 {
		m, err := e.Compile(t.Context(), wasm, engine.CompileOptions{Imports: []engine.Import{host}})
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, m)
	}
	const goroutines, rounds = 8, 40
	var wg sync.WaitGroup
	for g := range uint64(goroutines) {
		wg.Go(func() {
			memory := make(plainMemory, engine.PageSize)
			for r := range uint64(rounds) {
				in, err := modules[(g+r)%2].Instantiate(t.Context(), memory)
				if err != nil {
					t.Error(err)
					return
				}
				m := machine{t, in}
				number := g*rounds + r
				m.SetData(&number)
				if got, err := m.try("run", 7); err != nil || got != 7+number {
					t.Errorf("run = %d, %v", got, err)
				}
				if _, err := m.try("run", 0); !errors.Is(err, cause) {
					t.Error(err)
				}
				if _, err := m.try("trap"); !errors.As(err, new(*engine.Trap)) {
					t.Error(err)
				}
				if _, err := m.try("poke", 64, number); err != nil {
					t.Error(err)
				}
				if got, err := m.try("peek", 64); err != nil || got != number {
					t.Errorf("peek = %d, %v", got, err)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
				if r%10 == 0 {
					c, err := e.Compile(t.Context(), manyFuncs(int(2+r/10)), engine.CompileOptions{})
					if err != nil {
						t.Error(err)
						return
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, m := range modules {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
