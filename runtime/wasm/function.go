package wasm

import "slices"

// A body is the locals and code of a function.
type body struct {
	locals []localGroup
	code   []byte // with the last end
}

type localGroup struct {
	count uint32
	typ   valueType
}

func (r *reader) body() (b body) {
	s := &reader{b: r.bytes(r.u32())}
	total := uint64(0)
	for n := s.count(); n > 0; n-- {
		g := localGroup{s.u32(), s.valueType()}
		if total += uint64(g.count); total > maxLocals {
			unsupported("%d locals in a function", total)
		}
		b.locals = append(b.locals, g)
	}
	b.code = s.b[s.p:]
	return b
}

func (b *body) appendTo(out []byte) []byte {
	head := appendU32(nil, uint32(len(b.locals)))
	for _, g := range b.locals {
		head = append(appendU32(head, g.count), byte(g.typ))
	}
	out = appendU32(out, uint32(len(head)+len(b.code)))
	return append(append(out, head...), b.code...)
}

// A function is a body in the hands of the passes.
type function struct {
	index  uint32 // in the module's index space
	params int
	locals []localGroup
	code   []instruction // in order, the last end included
	count  uint32        // parameters and locals
}

// decode decodes the code of the i-th function that the module defines into
// code, which it may reuse.
func (m *module) decode(i int, code []instruction) (f function, err error) {
	defer catch(&err, func() string { return m.functionName(uint32(len(m.imports) + i)) })
	b := &m.bodies[i]
	typ := m.types[m.functions[i]]
	f = function{index: uint32(len(m.imports) + i), params: len(typ.params), locals: slices.Clone(b.locals), code: code[:0]}
	f.count = uint32(len(typ.params))
	for _, g := range b.locals {
		f.count += g.count
	}
	r := reader{b: b.code}
	depth := 1
	for depth > 0 {
		f.code = append(f.code, instruction{})
		in := &f.code[len(f.code)-1]
		r.instruction(in)
		switch in.op {
		case opBlock, opLoop, opIf, opTryTable:
			depth++
		case opEnd:
			depth--
		case opMemoryInit, opDataDrop:
			if m.foreign == nil {
				unsupported("a data segment is used after the start") // there is none left
			}
			if !m.foreign.counted {
				malformed("a data segment is used, and none were announced")
			}
		}
	}
	if !r.done() {
		malformed("code after the last end")
	}
	return f, nil
}

// local adds a local and returns its index.
func (f *function) local(t valueType) uint32 {
	if n := len(f.locals); n > 0 && f.locals[n-1].typ == t {
		f.locals[n-1].count++
	} else {
		f.locals = append(f.locals, localGroup{1, t})
	}
	f.count++
	return f.count - 1
}

func (f *function) encode() body {
	size := 0
	for i := range f.code {
		size += max(len(f.code[i].raw), 4)
	}
	return body{f.locals, appendInstructions(make([]byte, 0, size), f.code)}
}
