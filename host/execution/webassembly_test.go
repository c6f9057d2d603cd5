package execution_test

import (
	"strings"
	"sync"
	"testing"

	"mayfly/host/execution"
)

// addModule is JavaScript that makes module: it exports add, and a memory of a
// page.
const addModule = `const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1,
	7, 11, 2, 3, 97, 100, 100, 0, 0, 1, 109, 2, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]));
`

func TestWebAssembly(t *testing.T) {
	s := newService(t, nil)
	var wg sync.WaitGroup
	for range 8 { // the code is the same, the memories are not
		wg.Go(func() {
			r, err := s.Execute(t.Context(), "wasm", execution.Request{Language: "javascript", Code: addModule + `
				const { exports } = new WebAssembly.Instance(module);
				const view = new Uint8Array(exports.m.buffer);
				if (view.some((b) => b !== 0)) throw new Error("memory that is not clean");
				view.fill(0x5a);
				exports.add(40, 2)`}, nil)
			if err != nil || r.Outcome != execution.OK || string(r.Value) != "42" {
				t.Errorf("%v: %s %s %v", err, r.Outcome, r.Value, r.Error)
			}
		})
	}
	wg.Wait()
}

// What is of the engine ends with its cell, and says so; modules and the bytes
// of memories are kept.
func TestWebAssemblyAcrossCells(t *testing.T) {
	s := newService(t, nil)
	st := newState(t, s, execution.Request{})
	r, st := cell(t, s, st, execution.Request{Code: addModule + `
		var instance = new WebAssembly.Instance(module);
		var { buffer } = instance.exports.m;
		new Uint8Array(buffer)[7] = 77;
		var keptModule = module;
		instance.exports.add(1, 2)`})
	if string(r.Value) != "3" {
		t.Fatalf("%s %s %v", r.Outcome, r.Value, r.Error)
	}
	for range 2 {
		r, st = cell(t, s, st, execution.Request{Code: `instance.exports.add(1, 2)`})
		if r.Error == nil || r.Error.Name != "RuntimeError" || !strings.Contains(r.Error.Message, "ended with the event") {
			t.Errorf("an instance of an earlier cell: %s %s %v", r.Outcome, r.Value, r.Error)
		}
		r, st = cell(t, s, st, execution.Request{Code: `instance.exports.m.grow(1)`})
		if r.Error == nil || r.Error.Name != "RuntimeError" {
			t.Errorf("a memory of an earlier cell: %s %s %v", r.Outcome, r.Value, r.Error)
		}
		r, st = cell(t, s, st, execution.Request{Code: `[new WebAssembly.Instance(keptModule).exports.add(20, 3), new Uint8Array(buffer)[7],
			buffer === instance.exports.m.buffer, WebAssembly.Module.exports(keptModule).length]`})
		if string(r.Value) != "[23,77,true,2]" {
			t.Errorf("%s %s %v", r.Outcome, r.Value, r.Error)
		}
	}
}

// TestWebAssemblyIsCollected: instances that are given up make room for others,
// on both sides, also where imports and exports know each other.
func TestWebAssemblyIsCollected(t *testing.T) {
	s := newService(t, nil)
	r, err := s.Execute(t.Context(), "wasm", execution.Request{Language: "javascript", Code: `
		// (import "a" "f" (func)) (func (export "g") call 0) (memory (export "m") 16)
		const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 97, 1, 102, 0, 0,
			3, 2, 1, 0, 5, 3, 1, 0, 16, 7, 9, 2, 1, 103, 0, 1, 1, 109, 2, 0, 10, 6, 1, 4, 0, 16, 0, 11]));
		let calls = 0;
		for (let i = 0; i < 2000; i++) {
			const made = { exports: new WebAssembly.Instance(module, { a: { f() { calls += made.exports.m.buffer.byteLength === 1 << 20 ? 1 : 0; } } }).exports };
			made.exports.g();
			if (i % 20 === 0) await null;
		}
		calls`}, nil)
	if err != nil || string(r.Value) != "2000" { // 2 GB of memories, where 128 MB may be had
		t.Fatalf("%v: %s %s %v", err, r.Outcome, r.Value, r.Error)
	}
}
