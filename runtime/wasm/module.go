package wasm

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Section numbers (WebAssembly Core 2.0, 5.5.2; tags as in Core 3.0).
const (
	sectionCustom    = 0
	sectionType      = 1
	sectionImport    = 2
	sectionFunction  = 3
	sectionTable     = 4
	sectionMemory    = 5
	sectionGlobal    = 6
	sectionExport    = 7
	sectionStart     = 8
	sectionElement   = 9
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
	sectionTag       = 13
)

// sectionOrder is the order of the sections in a module.
const sectionOrder = "\x01\x02\x03\x04\x05\x0d\x06\x07\x08\x09\x0c\x0a\x0b"

// Kinds of imports and exports.
const (
	externFunction = 0
	externTable    = 1
	externMemory   = 2
	externGlobal   = 3
	externTag      = 4
)

const header = "\x00asm\x01\x00\x00\x00"

// pageBytes is the size of a page of linear memory.
const pageBytes = 64 << 10

// maxLocals bounds the locals of one function, as engines do.
const maxLocals = 50_000

// A module is a decoded module. Code is decoded function by function, later.
type module struct {
	types     []functionType
	imports   []importedFunction
	functions []uint32 // types of the functions that the module defines
	tables    []table
	memory    *memory
	tags      []uint32 // types of tags
	globals   []global
	exports   []export
	start     int64 // function, or -1
	elements  []element
	bodies    []body
	data      []dataSegment
	names     map[uint32]string // of functions

	// Of modules that users brought (see Meter), which may import anything.
	foreign *foreign // nil for guests
}

type functionType struct{ params, results []valueType }

func (t functionType) equal(o functionType) bool {
	return slices.Equal(t.params, o.params) && slices.Equal(t.results, o.results)
}

type importedFunction struct {
	module, name string
	typ          uint32
}

type table struct {
	typ      valueType
	min, max uint32
	bounded  bool
}

type memory struct {
	min, max uint32 // pages
	bounded  bool   // max is declared
}

type global struct {
	typ     valueType
	mutable bool
	init    []instruction // with its end
}

type export struct {
	name string
	kind byte
	x    uint32
}

// An element segment (5.5.12). Flags are those of the binary format.
type element struct {
	flags  uint32
	table  uint32
	offset []instruction
	typ    valueType
	funcs  []uint32        // if flags has no bit 2
	exprs  [][]instruction // else
}

type dataSegment struct {
	active bool
	offset []instruction
	bytes  []byte
}

// parse decodes a guest's module, which imports functions only.
func parse(b []byte) (*module, error) { return parseInto(&module{start: -1}, b) }

// parseInto decodes a module into m.
func parseInto(m *module, b []byte) (_ *module, err error) {
	section := "header"
	defer catch(&err, func() string { return section })
	if !strings.HasPrefix(string(b[:min(len(b), len(header))]), header) {
		malformed("no magic number of version 1")
	}
	r := &reader{b: b, p: len(header)}
	last, dataCount := -1, int64(-1)
	for !r.done() {
		id := r.byte()
		section = fmt.Sprintf("section %d", id)
		s := &reader{b: r.bytes(r.u32())}
		if id == sectionCustom {
			m.custom(s)
			continue
		}
		rank := strings.IndexByte(sectionOrder, id)
		if rank < 0 {
			malformed("unknown section")
		}
		if rank <= last {
			malformed("out of order")
		}
		last = rank
		switch id {
		case sectionType:
			m.parseTypes(s)
		case sectionImport:
			m.parseImports(s)
		case sectionFunction:
			for n := s.count(); n > 0; n-- {
				m.functions = append(m.functions, m.typeIndex(s))
			}
		case sectionTable:
			for n := s.count(); n > 0; n-- {
				m.tables = append(m.tables, s.table())
			}
		case sectionMemory:
			n := s.count()
			if n > 1 {
				unsupported("%d memories", n)
			}
			if n == 1 {
				m.memory = s.memory()
			}
		case sectionTag:
			for n := s.count(); n > 0; n-- {
				s.byte()
				m.tags = append(m.tags, m.typeIndex(s))
			}
		case sectionGlobal:
			for n := s.count(); n > 0; n-- {
				g := s.globalType()
				g.init = s.expression()
				m.globals = append(m.globals, g)
			}
		case sectionExport:
			for n := s.count(); n > 0; n-- {
				e := export{name: s.name(), kind: s.byte(), x: s.u32()}
				m.checkExport(e)
				m.exports = append(m.exports, e)
			}
		case sectionStart:
			m.start = int64(s.u32())
			m.typeOf(uint32(m.start))
		case sectionElement:
			for n := s.count(); n > 0; n-- {
				m.elements = append(m.elements, s.element())
			}
		case sectionDataCount:
			dataCount = int64(s.u32())
			if m.foreign != nil {
				m.foreign.counted = true
			}
		case sectionCode:
			for n := s.count(); n > 0; n-- {
				m.bodies = append(m.bodies, s.body())
			}
		case sectionData:
			for n := s.count(); n > 0; n-- {
				m.data = append(m.data, s.data())
			}
		}
		if !s.done() {
			malformed("%d bytes too many", len(s.b)-s.p)
		}
	}
	section = "module"
	if len(m.bodies) != len(m.functions) {
		malformed("%d functions, %d bodies", len(m.functions), len(m.bodies))
	}
	if dataCount >= 0 && dataCount != int64(len(m.data)) {
		malformed("%d data segments announced, %d found", dataCount, len(m.data))
	}
	return m, nil
}

func (m *module) custom(r *reader) {
	if r.name() != "name" {
		return
	}
	// Names are a convenience: what is wrong with them is no error.
	defer func() {
		if x := recover(); x != nil {
			if _, ok := x.(*Error); !ok {
				panic(x)
			}
		}
	}()
	for !r.done() {
		id := r.byte()
		s := &reader{b: r.bytes(r.u32())}
		if id != 1 { // function names
			continue
		}
		m.names = map[uint32]string{}
		for n := s.count(); n > 0; n-- {
			x := s.u32()
			m.names[x] = s.name()
		}
	}
}

func (m *module) parseTypes(r *reader) {
	for n := r.count(); n > 0; n-- {
		if form := r.byte(); form != 0x60 {
			unsupported("type form %#x", form)
		}
		m.types = append(m.types, functionType{r.valueTypes(), r.valueTypes()})
	}
}

func (r *reader) valueTypes() []valueType {
	ts := make([]valueType, r.count())
	for i := range ts {
		ts[i] = r.valueType()
	}
	return ts
}

func (m *module) parseImports(r *reader) {
	for n := r.count(); n > 0; n-- {
		i := importedFunction{module: r.name(), name: r.name()}
		kind := r.byte()
		if m.foreign != nil {
			m.foreign.parse(m, r, i.module, i.name, kind)
			continue
		}
		if kind != externFunction {
			unsupported("import of %s.%s, which is no function", i.module, i.name)
		}
		i.typ = m.typeIndex(r)
		m.imports = append(m.imports, i)
	}
}

func (m *module) typeIndex(r *reader) uint32 {
	x := r.u32()
	if int64(x) >= int64(len(m.types)) {
		malformed("type %d of %d", x, len(m.types))
	}
	return x
}

// typeOf is the type of a function of the module's index space.
func (m *module) typeOf(f uint32) functionType {
	n := uint32(len(m.imports))
	switch {
	case f < n:
		return m.types[m.imports[f].typ]
	case int64(f-n) < int64(len(m.functions)):
		return m.types[m.functions[f-n]]
	}
	malformed("function %d of %d", f, len(m.imports)+len(m.functions))
	return functionType{}
}

func (m *module) checkExport(e export) {
	n := m.foreign.count(e.kind)
	switch e.kind {
	case externFunction:
		n = len(m.imports) + len(m.functions)
	case externTable:
		n += len(m.tables)
	case externMemory:
		if m.memory != nil {
			n++
		}
	case externGlobal:
		n += len(m.globals)
	case externTag:
		n = len(m.tags)
	default:
		malformed("export of kind %d", e.kind)
	}
	if int64(e.x) >= int64(n) {
		malformed("export %q of %d, there are %d", e.name, e.x, n)
	}
}

func (r *reader) flag() bool {
	b := r.byte()
	if b > 1 {
		malformed("flag %d", b)
	}
	return b == 1
}

func (r *reader) globalType() global { return global{typ: r.valueType(), mutable: r.flag()} }

func (r *reader) table() (t table) {
	t.typ = r.valueType()
	flags := r.byte()
	if flags > 1 {
		unsupported("table with limits of kind %d", flags)
	}
	t.min, t.max, t.bounded = r.u32(), math.MaxUint32, flags == 1
	if t.bounded {
		t.max = r.u32()
	}
	return t
}

func (r *reader) memory() *memory {
	flags := r.byte()
	if flags > 1 {
		unsupported("memory with limits of kind %d (shared or of 64 bits)", flags)
	}
	m := &memory{min: r.u32(), max: 1 << 16, bounded: flags == 1}
	if m.bounded {
		m.max = r.u32()
	}
	if m.min > m.max || m.max > 1<<16 {
		malformed("memory of %d to %d pages", m.min, m.max)
	}
	return m
}

// expression reads a constant expression (5.4.9).
func (r *reader) expression() (ins []instruction) {
	for {
		var in instruction
		r.instruction(&in)
		ins = append(ins, in)
		switch in.op {
		case opEnd:
			return ins
		case opI32Const, opI64Const, opF32Const, opF64Const, opV128Const, opRefNull, opRefFunc, opGlobalGet:
		default:
			unsupported("instruction %#x in a constant expression", uint32(in.op))
		}
	}
}

func (r *reader) element() (e element) {
	if e.flags = r.u32(); e.flags > 7 {
		malformed("element segment of kind %d", e.flags)
	}
	active, explicit, expressions := e.flags&1 == 0, e.flags&2 != 0, e.flags&4 != 0
	if active {
		if explicit {
			e.table = r.u32()
		}
		e.offset = r.expression()
	}
	e.typ = typeFunc
	if !active || explicit {
		if expressions {
			e.typ = r.valueType()
		} else if kind := r.byte(); kind != 0 {
			malformed("element kind %d", kind)
		}
	}
	for n := r.count(); n > 0; n-- {
		if expressions {
			e.exprs = append(e.exprs, r.expression())
		} else {
			e.funcs = append(e.funcs, r.u32())
		}
	}
	return e
}

func (r *reader) data() (d dataSegment) {
	flags := r.u32()
	if flags > 2 {
		malformed("data segment of kind %d", flags)
	}
	if flags == 2 {
		if x := r.u32(); x != 0 {
			unsupported("memory %d", x)
		}
	}
	if d.active = flags != 1; d.active {
		d.offset = r.expression()
	}
	d.bytes = r.bytes(r.u32())
	return d
}

// addType finds or adds a function type.
func (m *module) addType(params, results []valueType) uint32 {
	t := functionType{params, results}
	for i := range m.types {
		if m.types[i].equal(t) {
			return uint32(i)
		}
	}
	m.types = append(m.types, t)
	return uint32(len(m.types) - 1)
}

// canonicalTypes is for each type the first that is equal to it: an indirect
// call tells only those apart.
func (m *module) canonicalTypes() []int {
	canonical := make([]int, len(m.types))
	first := make(map[string]int, len(m.types))
	for i, t := range m.types {
		key := string(appendTypes(appendTypes(nil, t.params), t.results))
		if _, ok := first[key]; !ok {
			first[key] = i
		}
		canonical[i] = first[key]
	}
	return canonical
}

// references are the functions whose references are made outside of code:
// those in tables, mostly.
func (m *module) references(found func(f uint32)) {
	expression := func(ins []instruction) {
		for _, in := range ins {
			if in.op == opRefFunc {
				found(in.x)
			}
		}
	}
	for _, e := range m.elements {
		for _, f := range e.funcs {
			found(f)
		}
		for _, x := range e.exprs {
			expression(x)
		}
	}
	for _, x := range m.globals {
		expression(x.init)
	}
}

// addGlobal adds a mutable i32 global, exported under a name.
func (m *module) addGlobal(name string, init int32) uint32 {
	x := uint32(m.foreign.count(externGlobal) + len(m.globals))
	m.globals = append(m.globals, global{typeI32, true, []instruction{constant(init), plain(opEnd)}})
	m.addExport(name, externGlobal, x)
	return x
}

func (m *module) addExport(name string, kind byte, x uint32) {
	for _, e := range m.exports {
		if e.name == name {
			unsupported("export %q exists", name)
		}
	}
	m.exports = append(m.exports, export{name, kind, x})
}

// addFunction adds a function of the passes' own.
func (m *module) addFunction(name string, params, results []valueType, locals []valueType, code ...instruction) uint32 {
	x := uint32(len(m.imports) + len(m.functions))
	m.functions = append(m.functions, m.addType(params, results))
	b := body{code: appendInstructions(nil, append(code, plain(opEnd)))}
	for _, t := range locals {
		b.locals = append(b.locals, localGroup{1, t})
	}
	m.bodies = append(m.bodies, b)
	if m.names == nil {
		m.names = map[uint32]string{}
	}
	m.names[x] = name
	return x
}
