package wasm

// The fuel pass makes a guest count its own work, so that the host gets to run
// at least every so often whatever the guest does:
//
//   - each loop iteration costs 1, at the loop's header;
//   - each call costs 1 that closes a cycle of the call graph without a loop
//     (recursion.go);
//   - bulk operations cost their length (bulk.go).
//
// Code without loops, calls and bulk operations is bounded by its size.
type fuel struct {
	m      *module
	first  uint32 // functions from here on have moved up by one
	moved  uint32 // by how many
	count  uint32 // global: what is left
	yield  uint32 // function: starts anew and calls the import
	spend  uint32 // function: takes leafPeriod
	charge uint32 // function: takes its parameter
	copy   uint32 // function: memory.copy in chunks
	fill   uint32 // function: memory.fill in chunks

	calls []calls // of each function
}

// leafPeriod is how many iterations of a loop without calls are counted in a
// local before the global is told; a power of two.
const leafPeriod = 64

func (m *module) newFuel(interval int32, functions int) *fuel {
	p := &fuel{m: m, calls: make([]calls, functions)}
	yield := p.link()
	p.count = m.addGlobal(GlobalFuel, interval)
	p.yield = m.addFunction("mayfly.yield", nil, nil, nil,
		constant(interval), index(opGlobalSet, p.count),
		index(opCall, yield))
	p.spend = m.addFunction("mayfly.spend", nil, nil, nil, p.spendConstant(leafPeriod)...)
	p.charge = m.addFunction("mayfly.charge", []valueType{typeI32}, nil, nil, p.chargeCode()...)
	if m.memory != nil {
		p.copy = m.addFunction("mayfly.copy", []valueType{typeI32, typeI32, typeI32}, nil, []valueType{typeI32}, p.copyCode()...)
		p.fill = m.addFunction("mayfly.fill", []valueType{typeI32, typeI32, typeI32}, nil, []valueType{typeI32}, p.fillCode()...)
	}
	return p
}

// link finds or adds the import env.yield. Adding moves the module's own
// functions up by one.
func (p *fuel) link() uint32 {
	m := p.m
	for i, f := range m.imports {
		if f.module != "env" || f.name != "yield" {
			continue
		}
		if !m.types[f.typ].equal(functionType{}) {
			unsupported("the module imports env.yield with parameters or results")
		}
		return uint32(i)
	}
	p.first, p.moved = uint32(len(m.imports)), 1
	m.imports = append(m.imports, importedFunction{"env", "yield", m.addType(nil, nil)})
	for i := range m.exports {
		if m.exports[i].kind == externFunction {
			m.exports[i].x = p.move(m.exports[i].x)
		}
	}
	for i := range m.globals {
		p.moveAll(m.globals[i].init)
	}
	for i := range m.elements {
		e := &m.elements[i]
		p.moveAll(e.offset)
		for k := range e.funcs {
			e.funcs[k] = p.move(e.funcs[k])
		}
		for _, x := range e.exprs {
			p.moveAll(x)
		}
	}
	names := make(map[uint32]string, len(m.names))
	for x, name := range m.names {
		names[p.move(x)] = name
	}
	m.names = names
	return p.first
}

// move is the new index of a function.
func (p *fuel) move(x uint32) uint32 {
	if x >= p.first {
		x += p.moved
	}
	return x
}

func (p *fuel) moveAll(ins []instruction) {
	for i := range ins {
		if ins[i].op == opRefFunc {
			ins[i].x, ins[i].raw = p.move(ins[i].x), nil
		}
	}
}

// spendConstant takes n and yields if nothing is left.
func (p *fuel) spendConstant(n int32) []instruction {
	return []instruction{
		index(opGlobalGet, p.count), constant(n), plain(opI32Sub), index(opGlobalSet, p.count),
		index(opGlobalGet, p.count), constant(0), plain(opI32LeS),
		block(opIf), index(opCall, p.yield), plain(opEnd),
	}
}

func (p *fuel) function(f *function, out []instruction) []instruction {
	leaves := leafLoops(f.code)
	var c calls
	var leaf, scratch uint32 // locals, made when needed
	var b bulkLocals
	for i := range f.code {
		in := f.code[i]
		switch in.op {
		case opLoop:
			out = append(out, in)
			if len(leaves) > 0 && leaves[0].at == i {
				if leaves[0].leaf {
					if leaf == 0 {
						leaf = f.local(typeI32) + 1
					}
					out = p.countLeaf(out, leaf-1)
				} else {
					if scratch == 0 {
						scratch = f.local(typeI32) + 1
					}
					out = p.countLoop(out, scratch-1)
				}
				leaves = leaves[1:]
			}
			continue
		case opCall, opReturnCall:
			in.x, in.raw = p.move(in.x), nil
			c.direct = append(c.direct, in.x)
		case opCallIndirect, opReturnCallIndirect:
			c.indirect = append(c.indirect, in.x)
		case opRefFunc:
			in.x, in.raw = p.move(in.x), nil
			c.taken = append(c.taken, in.x)
		case opMemoryCopy, opMemoryFill:
			out = p.bulk(f, out, in, &b)
			continue
		case opTableInit, opTableCopy, opTableFill, opTableGrow:
			out = p.bulkTable(f, out, &b)
		}
		out = append(out, in)
	}
	p.calls[f.index-uint32(len(p.m.imports))] = c
	return out
}

// countLoop counts an iteration in the global.
func (p *fuel) countLoop(out []instruction, scratch uint32) []instruction {
	return append(out,
		index(opGlobalGet, p.count), constant(1), plain(opI32Sub), index(opLocalTee, scratch), index(opGlobalSet, p.count),
		index(opLocalGet, scratch), constant(0), plain(opI32LeS),
		block(opIf), index(opCall, p.yield), plain(opEnd))
}

// countLeaf counts an iteration in a local of the function, and tells the
// global every leafPeriod of them.
func (p *fuel) countLeaf(out []instruction, local uint32) []instruction {
	return append(out,
		index(opLocalGet, local), constant(1), plain(opI32Add), index(opLocalTee, local),
		constant(leafPeriod-1), plain(opI32And), plain(opI32Eqz),
		block(opIf), index(opCall, p.spend), plain(opEnd))
}

// A loopKind says if the loop at an instruction has no loops, calls or bulk
// operations inside.
type loopKind struct {
	at   int
	leaf bool
}

// leafLoops finds the loops of a function, in order.
func leafLoops(code []instruction) (loops []loopKind) {
	var open []int // loop that each open block is, or -1
	inner := -1    // innermost open loop
	for i := range code {
		switch code[i].op {
		case opLoop:
			if inner >= 0 {
				loops[inner].leaf = false
			}
			inner = len(loops)
			loops = append(loops, loopKind{i, true})
			open = append(open, inner)
		case opBlock, opIf, opTryTable:
			open = append(open, -1)
		case opEnd:
			if n := len(open); n > 0 {
				closed := open[n-1]
				open = open[:n-1]
				if closed >= 0 {
					inner = -1
					for k := len(open) - 1; k >= 0 && inner < 0; k-- {
						inner = open[k]
					}
				}
			}
		case opCall, opCallIndirect, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableFill, opTableGrow:
			if inner >= 0 {
				loops[inner].leaf = false
			}
		}
	}
	return loops
}
