package wasm

import "slices"

// escapes are the ways in which an exception may leave a function: what it
// does outside of every try_table that catches all.
type escapes struct {
	throws   bool
	direct   []uint32 // functions that it calls
	indirect []uint32 // types that it calls
	taken    []uint32 // functions whose reference it makes, wherever
	tries    []uint32 // types with parameters of its try_tables
}

// analyze finds out which of the first n functions that the module defines an
// exception may leave: those that throw, and those that call one that it may
// leave. An indirect call may reach any function of its type whose reference
// is taken anywhere. Imported functions throw nothing.
func (p *exceptions) analyze(n int) error {
	found := make([]escapes, n)
	p.throws = make([]bool, n)
	err := inParallel(n, func() func(i int) error {
		var code []instruction
		return func(i int) error {
			f, err := p.m.decode(i, code)
			if err != nil {
				return err
			}
			code = f.code
			found[i], err = p.escapes(&f)
			return err
		}
	})
	if err != nil {
		return err
	}

	canonical := p.m.canonicalTypes()
	callers := make([][]uint32, n)                  // of functions, by their place
	typeCallers := make([][]uint32, len(canonical)) // of types
	reachable := make([]bool, n)                    // by an indirect call
	take := func(x uint32) {
		if x >= p.imports && x-p.imports < uint32(n) {
			reachable[x-p.imports] = true
		}
	}
	p.m.references(take)
	for i := range found {
		for _, x := range found[i].direct {
			if x >= p.imports {
				callers[x-p.imports] = append(callers[x-p.imports], uint32(i))
			}
		}
		for _, t := range found[i].indirect {
			typeCallers[canonical[t]] = append(typeCallers[canonical[t]], uint32(i))
		}
		for _, x := range found[i].taken {
			take(x)
		}
		for _, t := range found[i].tries {
			// Parameters go on into the block inside, which lacks the results.
			p.bodies[t] = p.m.addType(p.m.types[t].params, nil)
		}
	}

	types := make([]bool, len(canonical))
	var work []uint32
	mark := func(fs ...uint32) {
		for _, f := range fs {
			if !p.throws[f] {
				p.throws[f] = true
				work = append(work, f)
			}
		}
	}
	for i := range found {
		if found[i].throws {
			mark(uint32(i))
		}
	}
	for len(work) > 0 {
		f := work[len(work)-1]
		work = work[:len(work)-1]
		mark(callers[f]...)
		if t := canonical[p.m.functions[f]]; reachable[f] && !types[t] {
			types[t] = true
			mark(typeCallers[t]...)
		}
	}
	p.types = make([]bool, len(canonical))
	for i, t := range canonical {
		p.types[i] = types[t]
	}
	return nil
}

// escapes looks through one function.
func (p *exceptions) escapes(f *function) (e escapes, err error) {
	defer catch(&err, func() string { return p.m.functionName(f.index) })
	all := []bool{false} // whether an exception raised inside a label is caught
	functions, types := int64(p.imports)+int64(len(p.throws)), int64(len(p.m.types))
	call := func(x uint32, caught bool) {
		if int64(x) >= functions {
			malformed("function %d of %d", x, functions)
		}
		if !caught {
			e.direct = append(e.direct, x)
		}
	}
	callType := func(x uint32, caught bool) {
		if int64(x) >= types {
			malformed("type %d of %d", x, types)
		}
		if !caught {
			e.indirect = append(e.indirect, x)
		}
	}
	for i := range f.code {
		in := &f.code[i]
		caught := all[len(all)-1]
		switch in.op {
		case opBlock, opLoop, opIf:
			all = append(all, caught)
		case opTryTable:
			if in.value >= types {
				malformed("type %d of %d", in.value, types)
			}
			if in.value >= 0 && len(p.m.types[in.value].params) > 0 {
				e.tries = append(e.tries, uint32(in.value))
			}
			all = append(all, caught || slices.ContainsFunc(in.clauses, func(c clause) bool { return c.kind >= 2 }))
		case opEnd:
			all = all[:len(all)-1]
		case opThrow, opThrowRef:
			e.throws = e.throws || !caught
		case opCall:
			call(in.x, caught)
		case opCallIndirect:
			callType(in.x, caught)
		case opReturnCall: // from outside of the function
			call(in.x, false)
		case opReturnCallIndirect:
			callType(in.x, false)
		case opRefFunc:
			e.taken = append(e.taken, in.x)
		case opRefIsNull:
			unsupported("ref.is_null, perhaps of an exception")
		}
	}
	slices.Sort(e.direct)
	slices.Sort(e.indirect)
	e.direct, e.indirect = slices.Clip(slices.Compact(e.direct)), slices.Clip(slices.Compact(e.indirect))
	return e, nil
}
