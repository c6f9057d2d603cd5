package webassembly

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// An instance is a module's, with what it was linked to.
type instance struct {
	part    *engine.Part
	handle  handle
	module  *compiled
	host    *engine.Part // its imports that are functions of JavaScript; may be nil
	glue    *engine.Part // its other imports; may be nil
	code    *engine.Code // of the glue
	size    int
	items   int // elements of its own tables at the start
	imports []object

	functions map[uint32]*function
	memory    *memory
	tables    []*table
	globals   []*global
	reference *engine.PartFunc // wasm.ExportReference
}

func (i *instance) close(s *Store) error {
	var errs []error
	for _, p := range []*engine.Part{i.part, i.glue, i.host} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if i.code != nil {
		errs = append(errs, i.code.Close())
	}
	s.hostSize -= i.size
	s.elements -= i.items
	return errors.Join(append(errs, (&module{i.module}).close(s))...)
}

// Kinds of imports in a message.
const (
	importFunction = iota // of JavaScript
	importHandle
	importNumber
)

// An importValue is one import as the guest gives it.
type importValue struct {
	kind   byte
	id     float64 // of a function of JavaScript
	object object
	bits   uint64
}

func (s *Store) readImport(r *op.Reader) (v importValue, err error) {
	switch v.kind = r.U8(); v.kind {
	case importFunction:
		v.id = r.F64()
	case importHandle:
		v.object, err = findFloat[object](s, r.F64())
	case importNumber:
		v.bits = math.Float64bits(r.F64())
	default:
		err = op.ErrMessage
	}
	return v, err
}

// instantiate is the operation wasm_instantiate.
func (s *Store) instantiate(r *op.Reader, w *op.Writer) error {
	m, err := findFloat[*module](s, r.F64())
	if err != nil {
		// The guest has its bytes, and compiles it anew.
		return &refusal{runtimeError, "the module is not compiled any more", "ERR_WASM_MODULE_GONE"}
	}
	declared := m.metered.Imports
	if n := r.U32(); int64(n) != int64(len(declared)) {
		return op.ErrMessage
	}
	values := make([]importValue, len(declared))
	for i := range values {
		if values[i], err = s.readImport(r); err != nil {
			return err
		}
	}
	if err := r.Done(); err != nil {
		return err
	}
	in, err := s.link(m.compiled, values)
	if err != nil {
		return err
	}
	// From here on it is an object like others: whatever its start function
	// does, others may have references to its functions.
	if in.handle, err = s.add(in); err != nil {
		return errors.Join(err, in.close(s))
	}
	s.fresh = append(s.fresh, in)
	if err := s.begin(in); err != nil {
		return err
	}
	w.F64(in.handle.float())
	exports := m.metered.Exports
	w.U32(uint32(len(exports)))
	for i := range exports {
		h, memory, err := s.export(in, &exports[i])
		if err != nil {
			return err
		}
		w.F64(h.float())
		w.U32(memory)
	}
	return nil
}

// begin runs what instantiation runs.
func (s *Store) begin(in *instance) error {
	f := in.part.Function(wasm.ExportInit)
	if f == nil {
		return errors.New("webassembly: a metered module lacks its start")
	}
	return s.run(f, nil)
}

// size is about what an instance takes on the host.
func sizeOf(m *wasm.Metered) int {
	return 8<<10 + 512*len(m.Imports) + 96*(len(m.Exports)+len(m.References)+len(m.Globals)+len(m.Tables))
}

// link makes an instance.
func (s *Store) link(c *compiled, values []importValue) (*instance, error) {
	in := &instance{module: c, functions: map[uint32]*function{}, imports: make([]object, len(values))}
	compiler := s.options.Compiler
	if _, mine := compiler.take(s.space, c.digest, c.size); mine {
		return nil, errors.New("webassembly: a module in use is not in the cache")
	}
	s.modules += c.size
	if err := s.charge(sizeOf(c.metered)); err != nil {
		return nil, errors.Join(err, (&module{c}).close(s))
	}
	in.size = sizeOf(c.metered)
	if err := s.linkParts(in, values); err != nil {
		return nil, errors.Join(err, in.close(s))
	}
	return in, nil
}

// linkParts makes the parts of an instance. After an error it has some of them.
func (s *Store) linkParts(in *instance, values []importValue) (err error) {
	metered := in.module.metered
	for _, t := range metered.Tables[tablesImported(metered):] {
		if !s.room(t.Min) {
			return refuse(rangeError, "tables of more than %d elements", maxElements)
		}
		s.elements += int(t.Min)
		in.items += int(t.Min)
	}
	parts := make([]*engine.Part, len(values)) // what an import comes from
	names := make([]string, len(values))
	var functions []engine.SpaceFunc
	for i, v := range values {
		d := &metered.Imports[i]
		in.imports[i] = v.object
		switch v.kind {
		case importFunction:
			if d.Kind != wasm.Function {
				return mismatch(d, "is a function")
			}
			functions = append(functions, s.importedFunction(i, v.id, d))
		case importHandle:
			if parts[i], names[i], err = s.exported(d, v.object); err != nil {
				return err
			}
		case importNumber:
			if d.Kind != wasm.Global || d.Mutable {
				return mismatch(d, "is a number")
			}
			g, err := s.newGlobal(d.Type, false, v.bits)
			if err != nil {
				return err
			}
			g.number = true
			in.imports[i] = g
			parts[i], names[i] = g.part, g.name
		}
	}
	if len(functions) > 0 {
		if in.host, err = s.space.engine.Host(functions); err != nil {
			return refuse(linkError, "%v", err)
		}
	}
	if len(functions) < len(values) {
		if err := s.tie(in, parts, names); err != nil {
			return err
		}
	}
	resolve := func(name string) *engine.Part {
		switch {
		case name == wasm.MeterModule:
			return s.space.shared
		case in.glue != nil:
			return in.glue
		}
		return in.host
	}
	memory := &memory{id: newMemory}
	in.part, err = s.space.engine.Instantiate(&s.thread, in.module.code, resolve, s.resize(memory))
	if err != nil {
		return s.linkResult(err)
	}
	if metered.OwnMemory {
		memory.part, memory.name, memory.declared = in.part, wasm.ExportName(wasm.Memory, 0), *metered.Memory
		in.memory = memory
	}
	return nil
}

func tablesImported(m *wasm.Metered) (n int) {
	for i := range m.Imports {
		if m.Imports[i].Kind == wasm.Table {
			n++
		}
	}
	return n
}

// tie makes the glue of an instance: a module that has the imports under the
// names that the instance's module wants.
func (s *Store) tie(in *instance, parts []*engine.Part, names []string) error {
	ties := make([]wasm.Tie, len(parts))
	for i := range ties {
		ties[i] = wasm.Tie{Extern: in.module.metered.Imports[i], Name: names[i]}
		if parts[i] == nil { // a function of JavaScript
			parts[i], ties[i].Name = in.host, wasm.Place(i)
		}
	}
	var err error
	if in.code, err = s.space.engine.Compile(wasm.Glue(ties)); err != nil {
		return err
	}
	places := make(map[string]*engine.Part, len(parts))
	for i, p := range parts {
		places[wasm.Place(i)] = p
	}
	in.glue, err = s.space.engine.Instantiate(&s.thread, in.code, func(name string) *engine.Part { return places[name] }, nil)
	return s.linkResult(err)
}

// linkResult is the error of making an instance.
func (s *Store) linkResult(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrMemorySize):
		return refuse(rangeError, "WebAssembly.Memory: could not allocate memory")
	case errors.Is(err, engine.ErrMissingImport):
		message := err.Error()
		if _, cause, ok := strings.Cut(message, engine.ErrMissingImport.Error()+": "); ok {
			message = cause
		}
		return refuse(linkError, "%s", message)
	}
	return s.result(err)
}

func mismatch(d *wasm.Extern, is string) error {
	return refuse(linkError, "import %q of module %q %s, where the module wants a %s", d.Name, d.Module, is, kindNames[d.Kind])
}

var kindNames = map[wasm.ExternKind]string{wasm.Function: "function", wasm.Table: "table", wasm.Memory: "memory", wasm.Global: "global"}

// exported is where the object of an import comes from. The engine checks the
// types of functions, tables and globals; limits are checked here, as they are
// now and not as they were declared.
func (s *Store) exported(d *wasm.Extern, o object) (*engine.Part, string, error) {
	switch o := o.(type) {
	case *function:
		if d.Kind == wasm.Function {
			if string(o.params) != string(d.Params) || string(o.results) != string(d.Results) {
				return nil, "", refuse(linkError, "function import %q of module %q: the imported function has another signature", d.Name, d.Module)
			}
			return o.in.part, wasm.LinkName(wasm.Function, o.index), nil
		}
		return nil, "", mismatch(d, "is a function")
	case *memory:
		if d.Kind != wasm.Memory {
			return nil, "", mismatch(d, "is a memory")
		}
		pages := uint32(o.part.MemorySize(o.name) / engine.PageSize)
		if err := checkLimits(d, pages, &o.declared); err != nil {
			return nil, "", err
		}
		return o.part, o.name, nil
	case *table:
		if d.Kind != wasm.Table {
			return nil, "", mismatch(d, "is a table")
		}
		size, err := s.tableSize(o)
		if err != nil {
			return nil, "", err
		}
		if d.Type != o.declared.Type {
			return nil, "", mismatch(d, "is a table of another type")
		}
		if err := checkLimits(d, size, &o.declared); err != nil {
			return nil, "", err
		}
		return o.part, o.name, nil
	case *global:
		if d.Kind != wasm.Global {
			return nil, "", mismatch(d, "is a global")
		}
		if d.Mutable != o.mutable || d.Type != o.typ {
			return nil, "", refuse(linkError, "global import %q of module %q: the imported global has another type or mutability", d.Name, d.Module)
		}
		return o.part, o.name, nil
	}
	return nil, "", mismatch(d, "is something else")
}

func checkLimits(d *wasm.Extern, size uint32, is *wasm.Extern) error {
	switch {
	case size < d.Min:
		return refuse(linkError, "%s import %q of module %q: its size %d is smaller than the initial %d", kindNames[d.Kind], d.Name, d.Module, size, d.Min)
	case d.Bounded && !is.Bounded:
		return refuse(linkError, "%s import %q of module %q has no maximum, where the module wants %d", kindNames[d.Kind], d.Name, d.Module, d.Max)
	case d.Bounded && is.Max > d.Max:
		return refuse(linkError, "%s import %q of module %q: its maximum %d is larger than the module's %d", kindNames[d.Kind], d.Name, d.Module, is.Max, d.Max)
	}
	return nil
}

// importedFunction is a function of JavaScript as an import.
func (s *Store) importedFunction(place int, id float64, d *wasm.Extern) engine.SpaceFunc {
	types := func(b []byte) []engine.ValueType {
		ts := make([]engine.ValueType, len(b))
		for i, t := range b {
			ts[i] = engine.ValueType(t)
		}
		return ts
	}
	params, results := len(d.Params), d.Results
	references := hasReference(d.Params) || hasReference(results)
	return engine.SpaceFunc{
		Name: wasm.Place(place), Params: types(d.Params), Results: types(results),
		Func: func(_ *engine.Thread, stack []uint64) {
			s.callImport(id, params, results, stack, references, d.Params)
		},
	}
}

// callImport calls a function of JavaScript.
func (s *Store) callImport(id float64, params int, results []byte, stack []uint64, references bool, types []byte) {
	if len(s.active) > maxDepth || s.stacks() > maxStacks {
		panic(engine.Stop{Cause: refuse(rangeError, "Maximum call stack size exceeded")})
	}
	message := make([]byte, 0, 8+8*params)
	message = binary.LittleEndian.AppendUint64(message, math.Float64bits(id))
	for i := range params {
		v := stack[i]
		if references && types[i] == byte(engine.FuncRef) {
			h, err := s.referenceHandle(v)
			if err != nil {
				panic(engine.Stop{Cause: err})
			}
			v = uint64(h)
		}
		message = binary.LittleEndian.AppendUint64(message, v)
	}
	answer := s.guest.Nested(nestedImport, message)
	if len(answer) < 8 || binary.LittleEndian.Uint64(answer) == 0 && len(answer) != 8+8*len(results) {
		panic(fmt.Sprintf("webassembly: an import answered %d bytes", len(answer)))
	}
	if binary.LittleEndian.Uint64(answer) != 0 {
		panic(engine.Stop{Cause: errThrown})
	}
	for i, t := range results {
		v := binary.LittleEndian.Uint64(answer[8+8*i:])
		if t == byte(engine.FuncRef) {
			var err error
			if v, err = s.rawReference(handle(v)); err != nil {
				panic(engine.Stop{Cause: err})
			}
		}
		stack[i] = v
	}
}

// errThrown: an import threw. The guest has the exception, and throws it where
// the outermost call was made, whatever the error says.
var errThrown = refuse(runtimeError, "an import threw")

func hasReference(types []byte) bool {
	for _, t := range types {
		if t == byte(engine.FuncRef) {
			return true
		}
	}
	return false
}

// stacks is the memory of the stacks that are in use.
func (s *Store) stacks() (n int) {
	for _, f := range s.active {
		n += f.StackBytes()
	}
	return n
}
