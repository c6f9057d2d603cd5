package wasm

import "slices"

// The fuel pass makes a guest count its own work, so that the host gets to run
// at least every so often whatever the guest does:
//
//   - each loop iteration costs 1, at the loop's header, but for functions
//     that are said to poll;
//   - each indirect call costs 1, when it is back: then the engine's registers
//     are free, and the arguments gone. However deep it goes before, the stack
//     ends it. A function that is said to poll pays at its entry instead;
//   - each direct call costs 1 that closes a cycle of the graph of direct calls
//     (recursion.go);
//   - bulk operations cost their length (bulk.go);
//   - longRun instructions without a jump cost longCost, so that an iteration
//     of a loop that a compiler unrolled (digests, ciphers) costs what it takes.
//
// Code without loops, calls and bulk operations is bounded by its size.
type fuel struct {
	m      *module
	first  uint32 // functions from here on have moved up by one
	moved  uint32 // by how many
	count  uint32 // global: what is left
	yield  uint32 // function: starts anew and calls the import
	charge uint32 // function: takes its parameter
	copy   uint32 // function: memory.copy in chunks
	fill   uint32 // function: memory.fill in chunks

	polling map[uint32]bool // functions whose loops call the import themselves

	calls [][]uint32 // functions that each calls directly
}

const (
	// longRun is how many instructions may follow each other for nothing.
	longRun = 256
	// longCost is about what they take: an iteration of a small loop is a few
	// nanoseconds, an instruction less than one.
	longCost = 4
)

func (m *module) newFuel(interval int32, polling []string, functions int) *fuel {
	p := &fuel{m: m, calls: make([][]uint32, functions)}
	p.make(interval, p.link(importedFunction{"env", "yield", m.addType(nil, nil)})[0])
	p.polling = m.named(polling)
	return p
}

// make adds what all metered functions share. The order is part of what a
// guest's module is known by.
func (p *fuel) make(interval int32, yield uint32) {
	m := p.m
	p.count = m.addGlobal(GlobalFuel, interval)
	p.yield = m.addFunction("mayfly.yield", nil, nil, nil,
		constant(interval), index(opGlobalSet, p.count),
		index(opCall, yield))
	p.charge = m.addFunction("mayfly.charge", []valueType{typeI32}, nil, nil, p.chargeCode()...)
	if m.memory != nil || m.foreign.count(externMemory) > 0 {
		p.copy = m.addFunction("mayfly.copy", []valueType{typeI32, typeI32, typeI32}, nil, []valueType{typeI32}, p.copyCode()...)
		p.fill = m.addFunction("mayfly.fill", []valueType{typeI32, typeI32, typeI32}, nil, []valueType{typeI32}, p.fillCode()...)
	}
}

// link finds or adds imports. Adding moves the module's own functions up.
func (p *fuel) link(wanted ...importedFunction) (found []uint32) {
	m := p.m
	p.first = uint32(len(m.imports))
	for _, w := range wanted {
		at := slices.IndexFunc(m.imports[:p.first], func(f importedFunction) bool { return f.module == w.module && f.name == w.name })
		if at >= 0 {
			if !m.types[m.imports[at].typ].equal(m.types[w.typ]) {
				unsupported("the module imports %s.%s with other parameters or results", w.module, w.name)
			}
			found = append(found, uint32(at))
			continue
		}
		found = append(found, uint32(len(m.imports)))
		m.imports = append(m.imports, w)
		p.moved++
	}
	if p.moved == 0 {
		return found
	}
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
	return found
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
	var c []uint32
	var b bulkLocals
	var scratch uint32 // a local, made when needed
	counted := false
	count := func() {
		if !counted {
			scratch, counted = f.local(typeI32), true
		}
		out = p.countOne(out, scratch)
	}
	polling := p.polling[f.index]
	run := 0
	for i := range f.code {
		in := f.code[i]
		if run++; run == longRun {
			out = append(out, index(opGlobalGet, p.count), constant(longCost), plain(opI32Sub), index(opGlobalSet, p.count))
			run = 0
		}
		switch in.op {
		case opBr, opBrTable, opReturn, opUnreachable, opElse:
			run = 0 // what follows is reached from elsewhere
		case opLoop:
			run = 0
			out = append(out, in)
			if !polling {
				count()
			}
			continue
		case opCall, opReturnCall:
			in.x, in.raw = p.move(in.x), nil
			c = append(c, in.x)
		case opCallIndirect:
			out = append(out, in)
			if !polling {
				count()
			}
			continue
		case opReturnCallIndirect: // there is no back
			if !polling {
				count()
			}
		case opRefFunc:
			in.x, in.raw = p.move(in.x), nil
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

// countOne takes 1 and yields if nothing is left. To count in a local and tell
// the global every 64 times gained nothing: it is the branch with a call behind
// it that costs, not the counter.
func (p *fuel) countOne(out []instruction, scratch uint32) []instruction {
	return append(out,
		index(opGlobalGet, p.count), constant(1), plain(opI32Sub), index(opLocalTee, scratch), index(opGlobalSet, p.count),
		index(opLocalGet, scratch), constant(0), plain(opI32LeS),
		block(opIf), index(opCall, p.yield), plain(opEnd))
}
