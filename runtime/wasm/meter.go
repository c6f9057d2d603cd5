package wasm

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Bounds of modules that users bring. Where the JavaScript interface has limits
// that all implementations share (WebAssembly JavaScript Interface, Limits),
// these are the same or lower.
const (
	MaxModuleBytes   = 32 << 20
	MaxFunctionBytes = 1 << 20 // of one body: the compiler can't be stopped within one
	maxImports       = 10_000
	maxExports       = 100_000
	maxFunctions     = 1_000_000
	maxParams        = 1000 // and results
	maxTable         = 10_000_000
)

// An ExternKind is a kind of import or export (WebAssembly Core 2.0, 5.5.5).
type ExternKind byte

// The kinds.
const (
	Function ExternKind = externFunction
	Table    ExternKind = externTable
	Memory   ExternKind = externMemory
	Global   ExternKind = externGlobal
)

// An Extern is one import or export of a module, with its type. Value types
// are those of the binary format (5.3.1).
type Extern struct {
	Module, Name    string // Module is empty for an export
	Kind            ExternKind
	Index           uint32 // of an export in the module's own index space
	Params, Results []byte // of a function
	Type            byte   // of a table's elements, or a global
	Mutable         bool   // of a global
	Min             uint32 // of a table, in elements, or a memory, in pages
	Max             uint32 // if Bounded
	Bounded         bool
}

func (e *Extern) setFunction(t functionType) {
	e.Params, e.Results = encodedTypes(t.params), encodedTypes(t.results)
}

func encodedTypes(ts []valueType) []byte {
	b := make([]byte, len(ts))
	for i, t := range ts {
		b[i] = byte(t)
	}
	return b
}

func (e *Extern) setTable(t table) {
	e.Type, e.Min, e.Max, e.Bounded = byte(t.typ), t.min, t.max, t.bounded
}

func (e *Extern) setMemory(m *memory) { e.Min, e.Max, e.Bounded = m.min, m.max, m.bounded }

func (e *Extern) setGlobal(g global) { e.Type, e.Mutable = byte(g.typ), g.mutable }

// Names of a metered module's own imports and exports. The first are of
// MeterModule; whatever the module imported is imported from another module,
// each under the name [Place] of its place.
const (
	MeterModule = "mayfly"
	MeterYield  = "yield" // () → (): fuel is used up
	// MeterTable is (n i32, done i32) → i32. Before a table grows by n, done is
	// 0: n answers that it may, -1 that it may not. After it has, done is 1.
	MeterTable = "table"

	// ExportInit is () → (): what instantiation does with active segments, and
	// the start function. To be called once.
	ExportInit = "init"
	// ExportReference is (i32) → funcref: the reference to a function, by its
	// place in Metered.References.
	ExportReference = "reference"
)

// A Metered is a module that counts its own work, and how it is to be linked.
type Metered struct {
	// Wasm has neither start function nor active segments: they are what its
	// export ExportInit does. All of its tables, globals and its memory are
	// exported, and those functions that can be referred to.
	Wasm    []byte
	Imports []Extern
	Exports []Extern
	// References are the functions that a reference can be made to, in the
	// module's own index space, sorted.
	References []uint32
	signatures []Extern // of these
	// Functions is how many functions there are, ImportedFunctions how many of
	// these are imported.
	Functions, ImportedFunctions int
	Types                        int // of functions
	// Tables and Globals are all of the module, in order, the imported first.
	Tables, Globals []Extern
	// Memory is the module's memory, imported or not; nil if there is none.
	Memory *Extern
	// OwnMemory: it is not imported.
	OwnMemory bool
}

// Place is the name under which the i-th import is imported.
func Place(i int) string { return placeName(i) }

func placeName(i int) string { return strconv.Itoa(i) }

// ExportName is the name under which a metered module exports a member. A
// function that is imported is exported as a function that calls it, so that
// the host can; LinkName is the function itself.
func ExportName(kind ExternKind, x uint32) string {
	return string("ftmg"[kind]) + strconv.FormatUint(uint64(x), 10)
}

// LinkName is the name under which other modules import a member.
func LinkName(kind ExternKind, x uint32) string {
	if kind == Function {
		return "l" + strconv.FormatUint(uint64(x), 10)
	}
	return ExportName(kind, x)
}

// Meter prepares a module that a user brought: it counts what it does, in
// whatever it does, and calls the host each time that it has done interval of
// it. Unlike Rewrite it trusts nothing: the charge for a piece of code can't be
// jumped over, and calls cost what they lead to.
//
// # Errors
//
// ErrMalformed if the module can't be decoded; ErrUnsupported if it uses what
// the engine or this package lacks (exceptions, threads, several memories,
// garbage collection), or is over a limit. What is decoded is not thereby
// valid: that is for the engine to say of the result.
func Meter(wasm []byte, interval int32) (*Metered, error) {
	if len(wasm) > MaxModuleBytes {
		return nil, &Error{Kind: ErrUnsupported, Detail: "a module of more than 32 MiB"}
	}
	m, err := parseInto(&module{start: -1, foreign: &foreign{}}, wasm)
	if err != nil {
		return nil, err
	}
	r := &Metered{}
	if err := m.meter(interval, r); err != nil {
		return nil, err
	}
	return r, nil
}

func (m *module) meter(interval int32, r *Metered) (err error) {
	defer catch(&err, func() string { return "module" })
	own := len(m.bodies)
	m.checkLimits()
	m.describe(r)
	references := m.referable()
	for _, x := range references {
		var e Extern
		e.setFunction(m.typeOf(x))
		r.signatures = append(r.signatures, e)
	}
	p := &metering{fuel: fuel{m: m, calls: make([][]uint32, own)}}
	imports := p.link(
		importedFunction{MeterModule, MeterYield, m.addType(nil, nil)},
		importedFunction{MeterModule, MeterTable, m.addType([]valueType{typeI32, typeI32}, []valueType{typeI32})})
	p.table = imports[1]
	m.exports = nil
	p.make(interval, imports[0])
	if err := m.apply([]pass{p}, own); err != nil {
		return err
	}
	m.exportMembers(p, r, references)
	m.addInit(p)
	r.Wasm = appendNames(m.encode(), m.names)
	return nil
}

// Signature is the type of a function that is among References; nil for others.
func (r *Metered) Signature(x uint32) *Extern {
	i, ok := slices.BinarySearch(r.References, x)
	if !ok {
		return nil
	}
	return &r.signatures[i]
}

func (m *module) checkLimits() {
	if n := len(m.imports) + len(m.functions); n > maxFunctions {
		unsupported("%d functions", n)
	}
	for _, b := range m.bodies {
		if len(b.code) > MaxFunctionBytes {
			unsupported("a function of more than %d bytes", MaxFunctionBytes)
		}
	}
	for _, t := range m.types {
		if len(t.params) > maxParams || len(t.results) > maxParams {
			unsupported("a function of more than %d parameters or results", maxParams)
		}
	}
	for _, t := range m.tables {
		if t.min > maxTable {
			unsupported("a table of %d elements", t.min)
		}
	}
	if m.memory != nil && m.foreign.memory != nil {
		unsupported("2 memories")
	}
	if len(m.exports) > maxExports {
		unsupported("%d exports", len(m.exports))
	}
	names := make(map[string]bool, len(m.exports))
	for _, e := range m.exports {
		if !utf8.ValidString(e.name) {
			malformed("the name of an export is no UTF-8")
		}
		if names[e.name] {
			malformed("two exports are called %q", e.name)
		}
		names[e.name] = true
	}
	if m.start >= 0 {
		if t := m.typeOf(uint32(m.start)); len(t.params)+len(t.results) > 0 {
			malformed("start function with parameters or results")
		}
	}
}

// describe says what the module imports and exports.
func (m *module) describe(r *Metered) {
	f := m.foreign
	r.Imports = f.imports
	r.Types = len(m.types)
	r.ImportedFunctions, r.Functions = len(m.imports), len(m.imports)+len(m.functions)
	for i, t := range slices.Concat(f.tables, m.tables) {
		e := Extern{Kind: Table, Index: uint32(i)}
		e.setTable(t)
		r.Tables = append(r.Tables, e)
	}
	for i, g := range slices.Concat(f.globals, m.globals) {
		e := Extern{Kind: Global, Index: uint32(i)}
		e.setGlobal(g)
		r.Globals = append(r.Globals, e)
	}
	if memory := f.memory; memory != nil || m.memory != nil {
		if r.OwnMemory = memory == nil; r.OwnMemory {
			memory = m.memory
		}
		r.Memory = &Extern{Kind: Memory}
		r.Memory.setMemory(memory)
	}
	for _, e := range m.exports {
		x := Extern{Kind: ExternKind(e.kind), Index: e.x}
		switch e.kind {
		case externFunction:
			x.setFunction(m.typeOf(e.x))
		case externTable:
			x = r.Tables[e.x]
		case externMemory:
			x = *r.Memory
		case externGlobal:
			x = r.Globals[e.x]
		default:
			unsupported("export of kind %d", e.kind)
		}
		x.Name = e.name
		r.Exports = append(r.Exports, x)
	}
}

// referable are the functions that the module may make references to
// (Core 2.0, 3.4.10: C.refs), and those that it exports.
func (m *module) referable() []uint32 {
	var found []uint32
	add := func(x uint32) {
		m.typeOf(x) // checks it
		found = append(found, x)
	}
	m.references(add)
	for _, e := range m.exports {
		if e.kind == externFunction {
			add(e.x)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// exportMembers exports what linking and the host need, under names of ours.
func (m *module) exportMembers(p *metering, r *Metered, references []uint32) {
	r.References = references
	add := func(name string, kind byte, x uint32) { m.exports = append(m.exports, export{name, kind, x}) }
	for _, x := range references {
		moved := p.move(x)
		add(LinkName(Function, x), externFunction, moved)
		if int64(x) < int64(r.ImportedFunctions) {
			t := m.typeOf(moved)
			var code []instruction
			for i := range t.params {
				code = append(code, index(opLocalGet, uint32(i)))
			}
			moved = m.addFunction("mayfly.call", t.params, t.results, nil, append(code, index(opCall, moved))...)
		}
		add(ExportName(Function, x), externFunction, moved)
	}
	for i := range r.Tables {
		add(ExportName(Table, uint32(i)), externTable, uint32(i))
	}
	for i := range r.Globals {
		add(ExportName(Global, uint32(i)), externGlobal, uint32(i))
	}
	if r.Memory != nil {
		add(ExportName(Memory, 0), externMemory, 0)
	}
	if len(references) == 0 {
		return
	}
	// A br_table out of as many blocks as there are references.
	n := len(references)
	code := make([]instruction, 0, 5*n+8)
	labels := make([]uint32, n+1)
	for i := range labels {
		labels[i] = uint32(i)
	}
	for range n + 1 {
		code = append(code, block(opBlock))
	}
	code = append(code, index(opLocalGet, 0), instruction{op: opBrTable, labels: labels})
	for _, x := range references {
		code = append(code, plain(opEnd), index(opRefFunc, p.move(x)), plain(opReturn))
	}
	code = append(code, plain(opEnd), instruction{op: opRefNull, lane: byte(typeFunc)})
	add(ExportReference, externFunction, m.addFunction("mayfly.reference", []valueType{typeI32}, []valueType{typeFunc}, nil, code...))
}

// addInit makes the active segments passive, and exports what applies them in
// the order of the specification (Core 2.0, 4.5.4): elements, data, start.
func (m *module) addInit(p *metering) {
	var code []instruction
	offset := func(ins []instruction) {
		for _, in := range ins[:len(ins)-1] {
			if in.op == opGlobalGet && (int64(in.x) >= int64(len(m.foreign.globals)) || m.foreign.globals[in.x].mutable) {
				malformed("the offset of a segment is not constant")
			}
			code = append(code, in)
		}
	}
	for i := range m.elements {
		e := &m.elements[i]
		x := uint32(i)
		switch {
		case e.flags&1 == 0: // active
			offset(e.offset)
			n := len(e.funcs)
			if e.flags&4 != 0 {
				n = len(e.exprs)
			}
			if n > math.MaxInt32 {
				unsupported("an element segment of %d elements", n)
			}
			code = append(code, constant(0), constant(int32(n)), instruction{op: opTableInit, x: x, y: e.table}, index(opElemDrop, x))
			e.flags, e.offset, e.table = e.flags&4|1, nil, 0
		case e.flags&2 != 0: // declarative: dropped from the first
			code = append(code, index(opElemDrop, x))
		}
	}
	for i := range m.data {
		d := &m.data[i]
		if !d.active {
			continue
		}
		x := uint32(i)
		offset(d.offset)
		code = append(code, constant(0), constant(int32(len(d.bytes))), instruction{op: opMemoryInit, x: x}, index(opDataDrop, x))
		d.active, d.offset = false, nil
	}
	if m.start >= 0 {
		code = append(code, index(opCall, p.move(uint32(m.start))))
		m.start = -1
	}
	m.exports = append(m.exports, export{ExportInit, externFunction, m.addFunction("mayfly.init", nil, nil, nil, code...)})
}

// appendNames adds the names of functions, which stack traces have.
func appendNames(out []byte, names map[uint32]string) []byte {
	if len(names) == 0 {
		return out
	}
	sub := appendU32(nil, uint32(len(names)))
	xs := make([]uint32, 0, len(names))
	for x := range names {
		xs = append(xs, x)
	}
	slices.Sort(xs)
	for _, x := range xs {
		sub = appendName(appendU32(sub, x), names[x])
	}
	s := appendU32(append(appendName(nil, "name"), 1), uint32(len(sub)))
	s = append(s, sub...)
	return append(appendU32(append(out, sectionCustom), uint32(len(s))), s...)
}
