package engine_test

import (
	"errors"
	"strings"
	"testing"

	"mayfly/runtime/engine"
)

func TestTrap(t *testing.T) {
	m := start(t, wasmModule{memory: 1, table: []uint32{0}, funcs: []wasmFunc{
		addFunc, peekFunc, pokeFunc,
		{export: "unreachable", body: code(opUnreachable)},
		{export: "div", params: []byte{i32, i32}, results: []byte{i32}, body: code(opLocalGet, 0, opLocalGet, 1, opI32DivS)},
		{export: "recurse", params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0, opCall, 5, i32Const(1), opI32Add)},
		{export: "indirect", params: []byte{i32}, body: code(opLocalGet, 0, opCallIndirect, 3, 0)},
		{export: "fill", params: []byte{i32, i32}, body: code(opLocalGet, 0, i32Const(1), opLocalGet, 1, opPrefixBulk, 11, 0)},
	}}, make(plainMemory, engine.PageSize))
	for _, c := range []struct {
		name   string
		params []uint64
		code   engine.TrapCode
		text   string
	}{
		{"unreachable", nil, engine.TrapUnreachable, "unreachable"},
		{"div", []uint64{1, 0}, engine.TrapOther, "divide by zero"},
		{"div", []uint64{1 << 31, 0xffffffff}, engine.TrapOther, "overflow"},
		{"peek", []uint64{engine.PageSize - 3}, engine.TrapOutOfBounds, "out of bounds"},
		{"peek", []uint64{0xffffffff}, engine.TrapOutOfBounds, "out of bounds"},
		{"poke", []uint64{0xfffffffc, 1}, engine.TrapOutOfBounds, "out of bounds"},
		{"fill", []uint64{engine.PageSize - 8, 9}, engine.TrapOutOfBounds, "out of bounds"},
		{"recurse", []uint64{0}, engine.TrapStackOverflow, "stack overflow"},
		{"indirect", []uint64{0}, engine.TrapOther, "indirect call"},
		{"indirect", []uint64{5}, engine.TrapOther, "invalid table access"},
	} {
		_, err := m.try(c.name, c.params...)
		var trap *engine.Trap
		if !errors.As(err, &trap) || trap.Code != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s%v: %v, want trap %q", c.name, c.params, err, c.code)
		}
	}
	m.want(3, "add", 1, 2) // the instance can still be called
	if n := m.StackBytes(); n < 1<<20 {
		t.Errorf("after recursion up to the limit the stacks hold %d bytes", n)
	}
}

// unwinder is a module whose export "run" calls env.host from n nested calls.
func unwinder(host engine.HostFunc) (wasmModule, engine.Import) {
	return wasmModule{
		imports: []wasmImport{{"env", "host", nil, nil}},
		funcs: []wasmFunc{{export: "run", params: []byte{i32}, results: []byte{i32}, body: code(
			opLocalGet, 0, opI32Eqz, opIf, i32, opCall, 0, i32Const(0),
			opElse, opLocalGet, 0, i32Const(1), opI32Sub, opCall, 1, i32Const(1), opI32Add, opEnd)},
			addFunc},
	}, engine.Import{Module: "env", Name: "host", Func: host}
}

func TestStop(t *testing.T) {
	cause := errors.New("deadline")
	module, host := unwinder(func(engine.Instance, []uint64) { panic(engine.Stop{Cause: cause}) })
	m := start(t, module, nil, host)
	for _, depth := range []uint64{0, 1, 20000} {
		_, err := m.try("run", depth)
		var stop engine.Stop
		if !errors.As(err, &stop) || !errors.Is(err, cause) {
			t.Errorf("depth %d: %v", depth, err)
		}
		m.want(3, "add", 1, 2)
	}
}

func TestStopOnlyOnce(t *testing.T) {
	stop := true
	module, host := unwinder(func(engine.Instance, []uint64) {
		if stop {
			panic(&engine.Stop{Cause: errors.New("deadline")})
		}
	})
	m := start(t, module, nil, host)
	if _, err := m.try("run", 3); !errors.As(err, new(engine.Stop)) {
		t.Fatal(err)
	}
	stop = false
	m.want(3, "run", 3)
	if _, err := m.try("run", 1<<30); !errors.As(err, new(*engine.Trap)) {
		t.Errorf("a trap after a stop: %v", err)
	}
}

// An error that reads like a trap of the engine is still the host's.
type liar struct{}

func (liar) Error() string { return "unreachable" }

func TestHostPanic(t *testing.T) {
	var nothing *wasmFunc
	for name, host := range map[string]engine.HostFunc{
		"text":  func(engine.Instance, []uint64) { panic("whoops") },
		"error": func(engine.Instance, []uint64) { panic(liar{}) },
		"nil":   func(engine.Instance, []uint64) { _ = nothing.export },
		"index": func(_ engine.Instance, stack []uint64) { stack = stack[:0]; _ = stack[len(name())] },
		"panic": func(engine.Instance, []uint64) { panic(nil) },
	} {
		module, imported := unwinder(host)
		m := start(t, module, nil, imported)
		_, err := m.try("run", 2)
		var p *engine.HostPanic
		if !errors.As(err, &p) || errors.As(err, new(*engine.Trap)) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(string(p.Stack), "fault_test.go") {
			t.Errorf("%s: the stack doesn't name the host function:\n%s", name, p.Stack)
		}
		if name == "error" && !errors.Is(err, liar{}) {
			t.Error("the error that was panicked with is lost")
		}
		m.want(3, "add", 1, 2)
	}
}

func name() string { return "" }

// A host function may call into another instance, whose end is not its own.
func TestNestedCall(t *testing.T) {
	cause := errors.New("inner")
	module, host := unwinder(func(engine.Instance, []uint64) { panic(engine.Stop{Cause: cause}) })
	inner := start(t, module, nil, host)
	var got error
	module, host = unwinder(func(engine.Instance, []uint64) { _, got = inner.try("run", 1) })
	outer := start(t, module, nil, host)
	outer.want(2, "run", 2)
	if !errors.Is(got, cause) {
		t.Errorf("inner call: %v", got)
	}
}
