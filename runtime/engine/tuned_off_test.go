//go:build !mayfly_tuned

package engine_test

import (
	"errors"
	"testing"

	"mayfly/runtime/engine"
)

func TestInfoStock(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if info := e.Info(); info.Tuned || info.Name != "wazero" || info.Version != engine.Version {
		t.Errorf("the stock build says %+v", info)
	}
}

// The stock engine keeps its checks, and needs no window, for any module.
func TestTrustedInStock(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(t.Context(), wasmModule{memory: 1, funcs: []wasmFunc{pokeFunc}}.assemble(), engine.CompileOptions{Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	in, err := m.Instantiate(t.Context(), make(plainMemory, engine.PageSize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (machine{t, in}).try("poke", engine.PageSize, 1); err == nil {
		t.Error("a store past the end didn't trap")
	}
}

func TestMemoryPast2GiBRefused(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(t.Context(), wasmModule{memory: 1, funcs: []wasmFunc{pokeFunc}}.assemble(), engine.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	memory := make(plainMemory, 2<<30+engine.PageSize) // never touched
	if _, err := m.Instantiate(t.Context(), memory); !errors.Is(err, engine.ErrMemorySize) {
		t.Errorf("past 2 GiB: %v", err)
	}
	if _, err := m.Instantiate(t.Context(), memory[:2<<30]); err != nil {
		t.Errorf("2 GiB: %v", err)
	}
}
