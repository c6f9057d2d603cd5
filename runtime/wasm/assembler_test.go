package wasm

import (
	"context"
	"testing"

	"mayfly/runtime/engine"
)

// An assembler builds modules for tests out of the package's own types.
type assembler struct {
	module
	segments []dataSegment
}

func newAssembler(pages uint32) *assembler {
	a := &assembler{module: module{start: -1}}
	if pages > 0 {
		a.memory = &memory{min: pages, max: 16, bounded: true}
		a.exports = append(a.exports, export{"memory", externMemory, 0})
	}
	return a
}

func types(s string) (ts []valueType) {
	for _, c := range s {
		ts = append(ts, map[rune]valueType{'i': typeI32, 'l': typeI64, 'd': typeF64}[c])
	}
	return ts
}

// function adds an exported function and returns its index.
func (a *assembler) function(name, params, results, locals string, code ...instruction) uint32 {
	x := a.addFunction(name, types(params), types(results), types(locals), code...)
	a.addExport(name, externFunction, x)
	return x
}

// data adds an active segment.
func (a *assembler) data(at int32, b []byte) {
	a.segments = append(a.segments, dataSegment{active: true, offset: []instruction{constant(at), plain(opEnd)}, bytes: b})
}

func (a *assembler) global(t valueType, init instruction) uint32 {
	a.globals = append(a.globals, global{t, true, []instruction{init, plain(opEnd)}})
	return uint32(len(a.globals) - 1)
}

// bytes encodes the module, with its data, names and a custom section.
func (a *assembler) bytes() []byte {
	b := a.encode()
	if len(a.segments) > 0 {
		s := appendU32(nil, uint32(len(a.segments)))
		for _, d := range a.segments {
			if d.active {
				s = appendInstructions(append(s, 0), d.offset)
			} else {
				s = append(s, 1)
			}
			s = append(appendU32(s, uint32(len(d.bytes))), d.bytes...)
		}
		b = append(appendU32(append(b, sectionData), uint32(len(s))), s...)
	}
	var names []byte
	n := uint32(0)
	for x := range uint32(len(a.imports) + len(a.functions)) {
		if name, ok := a.names[x]; ok {
			names = appendName(appendU32(names, x), name)
			n++
		}
	}
	sub := append(appendU32(nil, n), names...)
	s := append(appendU32(append(appendName(nil, "name"), 1), uint32(len(sub))), sub...)
	b = append(appendU32(append(b, sectionCustom), uint32(len(s))), s...)
	s = appendName(nil, "producers")
	return append(appendU32(append(b, sectionCustom), uint32(len(s))), s...)
}

// memoryBytes is a linear memory without a window.
type memoryBytes []byte

func (m memoryBytes) Bytes() []byte { return m }
func (memoryBytes) Windowed() bool  { return false }

// A guest is an instance of a test's module.
type guest struct {
	engine.Instance
	t      testing.TB
	yields int
	yield  func()
}

// run compiles a module and instantiates it with a memory of some pages.
func run(t testing.TB, wasm, image []byte, pages uint32) *guest {
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
	g := &guest{t: t}
	imports := []engine.Import{{Module: "env", Name: "yield", Func: func(engine.Instance, []uint64) {
		g.yields++
		if g.yield != nil {
			g.yield()
		}
	}}}
	m, err := e.Compile(context.Background(), wasm, engine.CompileOptions{Imports: imports})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var memory engine.Memory
	if pages > 0 {
		b := make(memoryBytes, pages*pageBytes)
		copy(b, image)
		memory = b
	}
	if g.Instance, err = m.Instantiate(context.Background(), memory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// rewritten rewrites a module and runs it.
func rewritten(t testing.TB, a *assembler, o Options) (*guest, *Result) {
	t.Helper()
	r, err := Rewrite(a.bytes(), o)
	if err != nil {
		t.Fatal(err)
	}
	pages := r.MinPages
	if o.MemoryPages > 0 {
		pages = o.MemoryPages
	}
	return run(t, r.Wasm, r.Image, pages), r
}

// call calls an export with at most one result.
func (g *guest) call(name string, params ...uint64) (uint64, error) {
	g.t.Helper()
	f, err := g.Function(name)
	if err != nil {
		g.t.Fatal(err)
	}
	stack := make([]uint64, max(len(params), 1))
	copy(stack, params)
	err = f.Call(stack)
	return stack[0], err
}

func (g *guest) must(name string, params ...uint64) uint64 {
	g.t.Helper()
	v, err := g.call(name, params...)
	if err != nil {
		g.t.Fatalf("%s(%v): %v", name, params, err)
	}
	return v
}

func (g *guest) global(name string) engine.Global {
	g.t.Helper()
	x, err := g.Global(name)
	if err != nil {
		g.t.Fatal(err)
	}
	return x
}
