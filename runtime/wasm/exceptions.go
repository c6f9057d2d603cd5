package wasm

import "slices"

// The exceptions pass turns exception handling (WebAssembly Core 3.0, 4.6.10)
// into plain branches, for engines that lack it or are slow at it.
//
//   - Two globals hold the exception that is under way: its tag's number + 1,
//     or 0 if there is none, and its value.
//   - throw and throw_ref set them and branch to the innermost handler of the
//     function; so does each call that may throw if they are set when it is
//     back. The branch drops the operands below.
//   - The handler of a try_table is the end of a block around its body: it
//     tests the clauses in order, and goes to the next handler if none fits.
//   - The handler of the function returns zeros: its caller looks at the
//     globals, not at them. A tail call has left its function and is not
//     looked after.
//   - An exnref is an i64: (tag + 1) << 32 | value, and 0 is null.
//
// An exception that nothing catches is left in the globals when the export
// returns: see GlobalException.
type exceptions struct {
	m       *module
	imports uint32            // of the module as it was: other passes may add some
	throws  []bool            // whether an exception may leave a function, by its place in bodies
	types   []bool            // whether it may leave an indirect call of a type
	tags    []bool            // whether a tag's exceptions carry a value
	bodies  map[uint32]uint32 // types of the bodies of try_tables whose types, the keys, have parameters
	pending uint32            // global
	value   uint32            // global
}

// newExceptions takes tags and exnrefs out of everything but the code of the
// first n functions.
func (m *module) newExceptions(n int) (*exceptions, error) {
	p := &exceptions{m: m, imports: uint32(len(m.imports)), bodies: map[uint32]uint32{}}
	for i, t := range m.tags {
		if s := m.types[t]; len(s.results) > 0 || len(s.params) > 1 || len(s.params) == 1 && s.params[0] != typeI32 {
			unsupported("tag %d carries anything but one i32", i)
		}
		p.tags = append(p.tags, len(m.types[t].params) > 0)
	}
	for i := range m.types {
		lowerTypes(m.types[i].params)
		lowerTypes(m.types[i].results)
	}
	for i := range m.globals {
		g := &m.globals[i]
		g.typ = lowerType(g.typ)
		for k, in := range g.init {
			g.init[k] = lowerNull(in)
		}
	}
	for i, t := range m.tables {
		if t.typ == typeExn {
			unsupported("table %d holds exceptions", i)
		}
	}
	for _, e := range m.elements {
		if e.typ == typeExn {
			unsupported("elements that are exceptions")
		}
	}
	m.exports = slices.DeleteFunc(m.exports, func(e export) bool { return e.kind == externTag })
	p.pending = m.addGlobal(GlobalException, 0)
	p.value = m.addGlobal(GlobalExceptionValue, 0)
	if err := p.analyze(n); err != nil {
		return nil, err
	}
	m.tags = nil
	return p, nil
}

func lowerType(t valueType) valueType {
	if t == typeExn {
		return typeI64
	}
	return t
}

func lowerTypes(ts []valueType) {
	for i := range ts {
		ts[i] = lowerType(ts[i])
	}
}

// lowerNull turns ref.null exn into the i64 that stands for it.
func lowerNull(in instruction) instruction {
	if in.op == opRefNull && valueType(in.lane) == typeExn {
		return instruction{op: opI64Const}
	}
	return in
}

// lowerBlockType lowers a block type that is one value.
func lowerBlockType(v int64) int64 {
	if v < 0 && valueType(v&0x7f) == typeExn {
		return int64(typeI64) - 0x80
	}
	return v
}

// noHandler is the handler of a place that no exception reaches.
const noHandler = -1

// A label is one that the source has open. Labels of the output are numbered
// from the outside: 0 is the function's.
type label struct {
	out     int // what it has become
	handler int // where exceptions raised inside go, a label of the output
	// try is the try_table; its clauses count labels from outside of it.
	try *instruction
}

// A lowering is one function on its way through the pass.
type lowering struct {
	*exceptions
	f      *function
	out    []instruction
	labels []label // of the source, the innermost last
	depth  int     // labels open in the output
	ref    int64   // a local for an exnref, made when needed; or -1
}

func (p *exceptions) function(f *function, out []instruction) []instruction {
	place := f.index - uint32(len(p.m.imports))
	throws := p.throws[place]
	if !throws && !mentionsExceptions(f) {
		return append(out, f.code...)
	}
	for i := range f.locals {
		f.locals[i].typ = lowerType(f.locals[i].typ)
	}
	results := p.m.types[p.m.functions[place]].results
	l := lowering{exceptions: p, f: f, out: out, depth: 1, ref: -1, labels: []label{{handler: noHandler}}}
	switch {
	case throws && len(results) == 0:
		l.labels[0].handler = 0 // to leave is to return
	case throws:
		l.labels[0].handler = l.open(block(opBlock))
	}
	last := len(f.code) - 1
	for i := range f.code[:last] {
		l.instruction(i)
	}
	if l.depth == 2 {
		l.emit(plain(opReturn))
		l.end()
		for _, t := range results {
			l.emit(zero(t))
		}
	}
	return append(l.out, f.code[last])
}

// mentionsExceptions says whether a function from which none may leave has to
// be rewritten all the same.
func mentionsExceptions(f *function) bool {
	for _, g := range f.locals {
		if g.typ == typeExn {
			return true
		}
	}
	for i := range f.code {
		switch in := &f.code[i]; in.op {
		case opTryTable, opThrow, opThrowRef:
			return true
		case opRefNull:
			if valueType(in.lane) == typeExn {
				return true
			}
		case opBlock, opLoop, opIf:
			if lowerBlockType(in.value) != in.value {
				return true
			}
		case opSelectTyped:
			if valueType(in.raw[len(in.raw)-1]) == typeExn {
				return true
			}
		}
	}
	return false
}

func (l *lowering) emit(in ...instruction) { l.out = append(l.out, in...) }

// open emits the start of a block and returns its label.
func (l *lowering) open(in instruction) int {
	l.emit(in)
	l.depth++
	return l.depth - 1
}

func (l *lowering) end() {
	l.emit(plain(opEnd))
	l.depth--
}

// branch emits a branch to a label of the output.
func (l *lowering) branch(op opcode, to int) { l.emit(index(op, uint32(l.depth-1-to))) }

// relabel is what a label that counts from some depth of the source has
// become, counted from here.
func (l *lowering) relabel(x uint32, open int) uint32 {
	if int64(x) >= int64(open) {
		malformed("branch to label %d of %d", x, open)
	}
	return uint32(l.depth - 1 - l.labels[open-1-int(x)].out)
}

func (l *lowering) handler() int { return l.labels[len(l.labels)-1].handler }

// raise goes on to a handler.
func (l *lowering) raise(handler int) {
	if handler == noHandler {
		l.emit(plain(opUnreachable)) // the analysis has shown it
		return
	}
	l.branch(opBr, handler)
}

func (l *lowering) instruction(i int) {
	in := l.f.code[i]
	open := len(l.labels)
	switch in.op {
	case opBlock, opLoop, opIf:
		if v := lowerBlockType(in.value); v != in.value {
			in.value, in.raw = v, nil
		}
		h := l.handler()
		l.labels = append(l.labels, label{out: l.open(in), handler: h})
	case opTryTable:
		l.tryTable(&l.f.code[i])
	case opEnd:
		closed := l.labels[open-1]
		if closed.try != nil {
			l.branch(opBr, closed.out)
			l.end()
			l.labels = l.labels[:open-1]
			l.dispatch(closed.try)
		}
		l.end()
		l.labels = l.labels[:open-1]
	case opBr, opBrIf:
		if x := l.relabel(in.x, open); x != in.x {
			in.x, in.raw = x, nil
		}
		l.emit(in)
	case opBrTable:
		labels := make([]uint32, len(in.labels))
		for k, x := range in.labels {
			labels[k] = l.relabel(x, open)
		}
		if !slices.Equal(labels, in.labels) {
			in.labels, in.raw = labels, nil
		}
		l.emit(in)
	case opCall:
		l.emit(in)
		if in.x >= l.imports && l.throws[in.x-l.imports] {
			l.check(i)
		}
	case opCallIndirect:
		l.emit(in)
		if l.types[in.x] {
			l.check(i)
		}
	case opThrow:
		if !l.carries(in.x) {
			l.emit(constant(0))
		}
		l.emit(index(opGlobalSet, l.value), constant(int32(in.x+1)), index(opGlobalSet, l.pending))
		l.raise(l.handler())
	case opThrowRef:
		l.throwRef()
	case opSelectTyped:
		in.raw = slices.Clone(in.raw)
		t := &in.raw[len(in.raw)-1]
		*t = byte(lowerType(valueType(*t)))
		l.emit(in)
	default:
		l.emit(lowerNull(in))
	}
}

// carries says whether exceptions of a tag carry a value.
func (l *lowering) carries(tag uint32) bool {
	if int64(tag) >= int64(len(l.tags)) {
		malformed("tag %d of %d", tag, len(l.tags))
	}
	return l.tags[tag]
}

// check follows the call at place i.
func (l *lowering) check(i int) {
	h := l.handler()
	if h == l.labels[0].handler && l.returns(i+1) {
		return // with results that the caller won't look at
	}
	l.emit(index(opGlobalGet, l.pending))
	l.branch(opBrIf, h)
}

// returns says whether the code from place i on does nothing but return.
func (l *lowering) returns(i int) bool {
	if l.f.code[i].op == opReturn {
		return true
	}
	for ; i < len(l.f.code); i++ {
		if l.f.code[i].op != opEnd {
			return false
		}
	}
	return true
}

// tryTable opens a block of the try_table's type, at whose end code goes on,
// and in it one at whose end the handler is.
func (l *lowering) tryTable(in *instruction) {
	t := lowerBlockType(in.value)
	body := int64(blockEmpty)
	if x, ok := l.bodies[uint32(t)]; ok && t >= 0 {
		body = int64(x)
	}
	opened := label{out: l.open(instruction{op: opBlock, value: t}), try: in}
	opened.handler = l.open(instruction{op: opBlock, value: body})
	l.labels = append(l.labels, opened)
}

// dispatch emits the handler of a try_table: the clauses in order. The labels
// open are those around it.
func (l *lowering) dispatch(try *instruction) {
	const any, withRef = 2, 1 // bits of a clause's kind
	for _, c := range try.clauses {
		if c.kind&any == 0 {
			value := l.carries(c.tag)
			l.emit(index(opGlobalGet, l.pending), constant(int32(c.tag+1)), plain(opI32Eq))
			l.open(block(opIf))
			if value {
				l.emit(index(opGlobalGet, l.value))
			}
		}
		if c.kind&withRef != 0 {
			l.emit(index(opGlobalGet, l.pending), plain(opI64ExtendI32U), instruction{op: opI64Const, value: 32}, plain(opI64Shl),
				index(opGlobalGet, l.value), plain(opI64ExtendI32U), plain(opI64Or))
		}
		l.emit(constant(0), index(opGlobalSet, l.pending))
		l.emit(index(opBr, l.relabel(c.label, len(l.labels))))
		if c.kind&any != 0 {
			return
		}
		l.end()
	}
	l.raise(l.handler())
}

// throwRef throws the exnref on the stack again; null traps.
func (l *lowering) throwRef() {
	if l.ref < 0 {
		l.ref = int64(l.f.local(typeI64))
	}
	ref := uint32(l.ref)
	l.emit(index(opLocalTee, ref), plain(opI64Eqz), block(opIf), plain(opUnreachable), plain(opEnd),
		index(opLocalGet, ref), plain(opI32WrapI64), index(opGlobalSet, l.value),
		index(opLocalGet, ref), instruction{op: opI64Const, value: 32}, plain(opI64ShrU), plain(opI32WrapI64), index(opGlobalSet, l.pending))
	l.raise(l.handler())
}

// zero pushes the default of a type.
func zero(t valueType) instruction {
	switch t {
	case typeI32:
		return constant(0)
	case typeI64:
		return instruction{op: opI64Const}
	case typeF32:
		return instruction{op: opF32Const, raw: []byte{byte(opF32Const), 0, 0, 0, 0}}
	case typeF64:
		return instruction{op: opF64Const, raw: []byte{byte(opF64Const), 0, 0, 0, 0, 0, 0, 0, 0}}
	case typeV128:
		return instruction{op: opV128Const, raw: append([]byte{byte(opV128Const >> 16), byte(opV128Const & 0xff)}, make([]byte, 16)...)}
	default:
		return instruction{op: opRefNull, raw: []byte{byte(opRefNull), byte(t)}}
	}
}
