package wasm

// The growth pass makes memory.size and memory.grow virtual: they work on two
// globals, while the engine's memory has its full size from the start. Growth
// is then undone by setting a global, and memory never moves.
type growth struct {
	pages uint32 // global
	grow  uint32 // function
}

func (m *module) checkGrowth(pages uint32) {
	switch {
	case m.memory == nil:
		unsupported("no memory to declare at %d pages", pages)
	case pages > 1<<16:
		unsupported("a memory of %d pages", pages)
	case m.memory.min > pages:
		unsupported("the memory's minimum of %d pages is more than %d", m.memory.min, pages)
	}
}

func (m *module) newGrowth(pages uint32) *growth {
	g := &growth{pages: m.addGlobal(GlobalPages, int32(m.memory.min))}
	limit := m.addGlobal(GlobalPagesLimit, int32(min(pages, m.memory.max)))
	m.memory = &memory{min: pages, max: pages, bounded: true}
	// grow(delta) → the old size, or -1 if there is no room. A limit below
	// the size leaves no room.
	const delta = 0
	g.grow = m.addFunction("mayfly.grow", []valueType{typeI32}, []valueType{typeI32}, nil,
		index(opGlobalGet, g.pages), plain(opI64ExtendI32U),
		index(opLocalGet, delta), plain(opI64ExtendI32U),
		plain(opI64Add),
		index(opGlobalGet, limit), plain(opI64ExtendI32U),
		plain(opI64GtU),
		block(opIf),
		constant(-1), plain(opReturn),
		plain(opEnd),
		index(opGlobalGet, g.pages),
		index(opGlobalGet, g.pages), index(opLocalGet, delta), plain(opI32Add), index(opGlobalSet, g.pages),
	)
	return g
}

func (g *growth) function(f *function, out []instruction) []instruction {
	for _, in := range f.code {
		switch in.op {
		case opMemorySize:
			in = index(opGlobalGet, g.pages)
		case opMemoryGrow:
			in = index(opCall, g.grow)
		}
		out = append(out, in)
	}
	return out
}
