package engine_test

// A small assembler for wasm modules: sections from Go values, function bodies
// from bytes.

import "slices"

// wasmModule is a module to be assembled; the index of a function counts the
// imports first.
type wasmModule struct {
	imports []wasmImport
	funcs   []wasmFunc
	memory  uint32 // pages, minimum; with maximum set, too. 0: no memory
	maximum uint32
	globals []wasmGlobal
	table   []uint32 // function indices, in table 0
}

type wasmImport struct {
	module, name    string
	params, results []byte
}

type wasmFunc struct {
	export          string // "": not exported
	params, results []byte
	locals          []byte
	body            []byte // without the final end
}

type wasmGlobal struct {
	export  string
	typ     byte
	mutable bool
	init    int64
}

// Value types and the opcodes that the tests use (WebAssembly Core 2.0, 5.3, 5.4).
const (
	i32  = 0x7f
	i64  = 0x7e
	f64  = 0x7c
	v128 = 0x7b

	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opI32Load      = 0x28
	opI32Store     = 0x36
	opI32Store8    = 0x3a
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opI32Eqz       = 0x45
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32DivS      = 0x6d
	opI64Add       = 0x7c
	opPrefixBulk   = 0xfc
	opPrefixVector = 0xfd
	void           = 0x40
)

func uleb(v uint64) []byte {
	var out []byte
	for {
		b := byte(v & 0x7f)
		if v >>= 7; v == 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func sleb(v int64) []byte {
	var out []byte
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// code joins opcodes (int, byte) and immediates ([]byte).
func code(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		default:
			panic("code: neither opcode nor immediate")
		}
	}
	return out
}

func i32Const(v int32) []byte { return append([]byte{opI32Const}, sleb(int64(v))...) }

func vector(items ...[]byte) []byte {
	return append(uleb(uint64(len(items))), slices.Concat(items...)...)
}

func text(s string) []byte { return append(uleb(uint64(len(s))), s...) }

func bytesVector(b []byte) []byte { return append(uleb(uint64(len(b))), b...) }

// assemble writes the module in the binary format.
func (m wasmModule) assemble() []byte {
	var types, imports, functions, globals, exports, bodies [][]byte
	typeOf := func(params, results []byte) []byte {
		types = append(types, slices.Concat([]byte{0x60}, bytesVector(params), bytesVector(results)))
		return uleb(uint64(len(types) - 1))
	}
	for _, i := range m.imports {
		imports = append(imports, slices.Concat(text(i.module), text(i.name), []byte{0}, typeOf(i.params, i.results)))
	}
	for n, f := range m.funcs {
		functions = append(functions, typeOf(f.params, f.results))
		if f.export != "" {
			exports = append(exports, slices.Concat(text(f.export), []byte{0}, uleb(uint64(len(m.imports)+n))))
		}
		var locals [][]byte
		for _, t := range f.locals {
			locals = append(locals, []byte{1, t})
		}
		bodies = append(bodies, bytesVector(slices.Concat(vector(locals...), f.body, []byte{opEnd})))
	}
	for n, g := range m.globals {
		op := byte(opI32Const)
		if g.typ == i64 {
			op = opI64Const
		}
		mutable := byte(0)
		if g.mutable {
			mutable = 1
		}
		globals = append(globals, slices.Concat([]byte{g.typ, mutable, op}, sleb(g.init), []byte{opEnd}))
		if g.export != "" {
			exports = append(exports, slices.Concat(text(g.export), []byte{3}, uleb(uint64(n))))
		}
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, content []byte) {
		out = slices.Concat(out, []byte{id}, bytesVector(content))
	}
	section(1, vector(types...))
	if imports != nil {
		section(2, vector(imports...))
	}
	section(3, vector(functions...))
	if m.table != nil {
		section(4, vector(slices.Concat([]byte{0x70, 0}, uleb(uint64(len(m.table))))))
	}
	switch {
	case m.maximum > 0:
		section(5, vector(slices.Concat([]byte{1}, uleb(uint64(m.memory)), uleb(uint64(m.maximum)))))
	case m.memory > 0:
		section(5, vector(slices.Concat([]byte{0}, uleb(uint64(m.memory)))))
	}
	if globals != nil {
		section(6, vector(globals...))
	}
	section(7, vector(exports...))
	if m.table != nil {
		var elems [][]byte
		for _, f := range m.table {
			elems = append(elems, uleb(uint64(f)))
		}
		section(9, vector(slices.Concat([]byte{0}, i32Const(0), []byte{opEnd}, vector(elems...))))
	}
	section(10, vector(bodies...))
	return out
}
