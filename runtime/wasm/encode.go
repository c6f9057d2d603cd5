package wasm

// encode writes the module.
func (m *module) encode() []byte {
	size := 1 << 12
	for _, b := range m.bodies {
		size += len(b.code) + 8
	}
	out := append(make([]byte, 0, size+size/8), header...)
	section := func(id byte, n int, each func(b []byte, i int) []byte) {
		if n == 0 {
			return
		}
		b := appendU32(nil, uint32(n))
		for i := range n {
			b = each(b, i)
		}
		out = append(appendU32(append(out, id), uint32(len(b))), b...)
	}
	section(sectionType, len(m.types), func(b []byte, i int) []byte {
		b = append(b, 0x60)
		return appendTypes(appendTypes(b, m.types[i].params), m.types[i].results)
	})
	section(sectionImport, len(m.imports)+m.foreign.others(), func(b []byte, i int) []byte {
		if i >= len(m.imports) {
			return m.foreign.appendTo(b, i-len(m.imports))
		}
		f := m.imports[i]
		b = append(appendName(appendName(b, f.module), f.name), externFunction)
		return appendU32(b, f.typ)
	})
	section(sectionFunction, len(m.functions), func(b []byte, i int) []byte { return appendU32(b, m.functions[i]) })
	section(sectionTable, len(m.tables), func(b []byte, i int) []byte {
		t := m.tables[i]
		return appendLimits(append(b, byte(t.typ)), t.min, t.max, t.bounded)
	})
	if m.memory != nil {
		section(sectionMemory, 1, func(b []byte, _ int) []byte {
			return appendLimits(b, m.memory.min, m.memory.max, m.memory.bounded)
		})
	}
	section(sectionTag, len(m.tags), func(b []byte, i int) []byte { return appendU32(append(b, 0), m.tags[i]) })
	section(sectionGlobal, len(m.globals), func(b []byte, i int) []byte {
		g := m.globals[i]
		b = append(b, byte(g.typ), 0)
		if g.mutable {
			b[len(b)-1] = 1
		}
		return appendInstructions(b, g.init)
	})
	section(sectionExport, len(m.exports), func(b []byte, i int) []byte {
		e := m.exports[i]
		return appendU32(append(appendName(b, e.name), e.kind), e.x)
	})
	if m.start >= 0 {
		b := appendU32(nil, uint32(m.start))
		out = append(append(out, sectionStart, byte(len(b))), b...)
	}
	section(sectionElement, len(m.elements), func(b []byte, i int) []byte { return m.elements[i].appendTo(b) })
	if len(m.data) > 0 { // of a guest's none is left
		n := appendU32(nil, uint32(len(m.data)))
		out = append(append(out, sectionDataCount, byte(len(n))), n...)
	}
	section(sectionCode, len(m.bodies), func(b []byte, i int) []byte { return m.bodies[i].appendTo(b) })
	section(sectionData, len(m.data), func(b []byte, i int) []byte {
		d := m.data[i]
		if d.active {
			panic("wasm: an active data segment is left")
		}
		return append(appendU32(append(b, 1), uint32(len(d.bytes))), d.bytes...)
	})
	return out
}

func appendTypes(b []byte, ts []valueType) []byte {
	b = appendU32(b, uint32(len(ts)))
	for _, t := range ts {
		b = append(b, byte(t))
	}
	return b
}

func appendLimits(b []byte, min, max uint32, bounded bool) []byte {
	if !bounded {
		return appendU32(append(b, 0), min)
	}
	return appendU32(appendU32(append(b, 1), min), max)
}

func appendInstructions(b []byte, ins []instruction) []byte {
	for i := range ins {
		b = ins[i].appendTo(b)
	}
	return b
}

func (e *element) appendTo(b []byte) []byte {
	b = appendU32(b, e.flags)
	active, explicit, expressions := e.flags&1 == 0, e.flags&2 != 0, e.flags&4 != 0
	if active {
		if explicit {
			b = appendU32(b, e.table)
		}
		b = appendInstructions(b, e.offset)
	}
	if !active || explicit {
		if expressions {
			b = append(b, byte(e.typ))
		} else {
			b = append(b, 0)
		}
	}
	if expressions {
		b = appendU32(b, uint32(len(e.exprs)))
		for _, x := range e.exprs {
			b = appendInstructions(b, x)
		}
		return b
	}
	b = appendU32(b, uint32(len(e.funcs)))
	for _, f := range e.funcs {
		b = appendU32(b, f)
	}
	return b
}
