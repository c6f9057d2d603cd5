package webassembly

import (
	"encoding/binary"
	"errors"
	"math"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// A memory is one that an instance or the program made. Its bytes are a block
// of the guest's heap, which the guest knows by id.
type memory struct {
	part     *engine.Part
	name     string
	id       uint32
	declared wasm.Extern
	handle   handle
	own      *engine.Code // if the program made it
}

func (m *memory) close(*Store) error { return closeOwn(m.part, m.own) }

// A table likewise.
type table struct {
	part     *engine.Part
	name     string
	declared wasm.Extern
	handle   handle
	own      *engine.Code
	access   *engine.Part // that has the functions to work with it
	glued    *engine.Code // of the access, if it is a module of its own
	made     uint32       // elements that it was made with, or grown by from outside
}

func (t *table) close(*Store) error {
	var err error
	if t.access != nil && t.access != t.part {
		err = errors.Join(t.access.Close(), t.glued.Close())
	}
	return errors.Join(err, closeOwn(t.part, t.own))
}

// A global likewise.
type global struct {
	part    *engine.Part
	name    string
	typ     byte
	mutable bool
	value   engine.Global
	handle  handle
	own     *engine.Code
	number  bool // it stands for a number that an instance imports, which has it alone
}

func (g *global) close(*Store) error { return closeOwn(g.part, g.own) }

// closeOwn closes what an object has of its own.
func closeOwn(p *engine.Part, own *engine.Code) error {
	if own == nil {
		return nil
	}
	return errors.Join(p.Close(), own.Close())
}

// resize gets a memory its bytes from the guest.
func (s *Store) resize(m *memory) engine.Resize {
	return func(size uint64) []byte {
		if size > uint64(len(s.guest.Memory())) {
			return nil
		}
		var message [8]byte
		binary.LittleEndian.PutUint32(message[:], m.id)
		binary.LittleEndian.PutUint32(message[4:], uint32(size))
		answer := s.guest.Nested(nestedMemory, message[:])
		if len(answer) != 8 {
			panic("webassembly: the guest's answer on a memory is malformed")
		}
		at := uint64(binary.LittleEndian.Uint32(answer[4:]))
		if at == 0 {
			return nil
		}
		bytes := s.guest.Memory()
		if at+size > uint64(len(bytes)) {
			panic(engine.Stop{Cause: errors.New("webassembly: a memory outside of the guest's")})
		}
		m.id = binary.LittleEndian.Uint32(answer)
		s.guest.Yield() // a large one took time to copy
		return bytes[at : at+size : at+size]
	}
}

// export is the handle of an export, and the guest's id if it is a memory.
func (s *Store) export(in *instance, e *wasm.Extern) (h handle, id uint32, err error) {
	switch e.Kind {
	case wasm.Function:
		f, err := s.function(in, e.Index)
		if err != nil {
			return 0, 0, err
		}
		return f.handle, 0, nil
	case wasm.Memory:
		m := in.memory
		if m == nil {
			m, _ = in.imported(wasm.Memory, 0).(*memory)
		}
		if m.handle == 0 {
			m.handle, err = s.add(m)
		}
		return m.handle, m.id, err
	case wasm.Table:
		t, err := s.tableOf(in, e.Index)
		if err != nil {
			return 0, 0, err
		}
		if t.handle == 0 {
			t.handle, err = s.add(t)
		}
		return t.handle, 0, err
	default:
		g, err := s.globalOf(in, e.Index)
		if err != nil {
			return 0, 0, err
		}
		if g.handle == 0 {
			g.handle, err = s.add(g)
		}
		return g.handle, 0, err
	}
}

// imported is the object that an index of a kind was imported as; nil if the
// instance has that itself.
func (i *instance) imported(kind wasm.ExternKind, x uint32) object {
	n := uint32(0)
	for k := range i.module.metered.Imports {
		if i.module.metered.Imports[k].Kind != kind {
			continue
		}
		if n == x {
			return i.imports[k]
		}
		n++
	}
	return nil
}

func (s *Store) tableOf(in *instance, x uint32) (*table, error) {
	if t, ok := in.imported(wasm.Table, x).(*table); ok {
		return t, nil
	}
	if in.tables == nil {
		in.tables = make([]*table, len(in.module.metered.Tables))
	}
	if in.tables[x] == nil {
		in.tables[x] = &table{part: in.part, name: wasm.ExportName(wasm.Table, x), declared: in.module.metered.Tables[x]}
	}
	return in.tables[x], nil
}

func (s *Store) globalOf(in *instance, x uint32) (*global, error) {
	if g, ok := in.imported(wasm.Global, x).(*global); ok {
		return g, nil
	}
	if in.globals == nil {
		in.globals = make([]*global, len(in.module.metered.Globals))
	}
	if in.globals[x] == nil {
		d := in.module.metered.Globals[x]
		g := &global{part: in.part, name: wasm.ExportName(wasm.Global, x), typ: d.Type, mutable: d.Mutable}
		if g.value = in.part.Global(g.name); g.value == nil {
			return nil, errors.New("webassembly: a global is not exported")
		}
		in.globals[x] = g
	}
	return in.globals[x], nil
}

// partSize is about what a part takes on the host.
const partSize = 8 << 10

// makePart compiles and instantiates a module of ours.
func (s *Store) makePart(module []byte, memory engine.Resize) (*engine.Part, *engine.Code, error) {
	if err := s.charge(partSize); err != nil {
		return nil, nil, err
	}
	code, err := s.space.engine.Compile(module)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.space.engine.Instantiate(&s.thread, code, nil, memory)
	if err != nil {
		return nil, nil, errors.Join(s.linkResult(err), code.Close())
	}
	return p, code, nil
}

func (s *Store) newGlobal(typ byte, mutable bool, bits uint64) (*global, error) {
	initial := bits
	if mutable {
		initial = 0 // the same module for all values
	}
	p, code, err := s.makePart(wasm.GlobalModule(typ, mutable, initial), nil)
	if err != nil {
		return nil, err
	}
	g := &global{part: p, name: wasm.ExportName(wasm.Global, 0), typ: typ, mutable: mutable, own: code}
	if g.value = p.Global(g.name); mutable {
		g.value.Set(bits)
	}
	if g.handle, err = s.add(g); err != nil {
		return nil, errors.Join(err, g.close(s))
	}
	return g, nil
}

// Actions of the operation wasm_object, with what they take and answer. Values
// of references are handles, or ids of the guest.
const (
	actionMemory     = iota // u32 min, u8 bounded, u32 max → f64 memory, u32 id
	actionMemoryGrow        // f64 memory, u32 pages → u32 previous pages
	actionTable             // u8 type, u32 min, u8 bounded, u32 max, f64 value → f64 table
	actionTableGet          // f64 table, u32 index → f64 value
	actionTableSet          // f64 table, u32 index, f64 value
	actionTableGrow         // f64 table, u32 elements, f64 value → u32 previous size
	actionTableSize         // f64 table → u32 size
	actionGlobal            // u8 type, u8 mutable, 8 bytes value → f64 global
	actionGlobalGet         // f64 global → 8 bytes
	actionGlobalSet         // f64 global, 8 bytes
	actionFunction          // f64 function → f64 instance, u32 index, bytes params, bytes results
	actionRelease           // f64 handle: nothing of it can be reached any more
)

func (s *Store) object(r *op.Reader, w *op.Writer) error {
	switch r.U8() {
	case actionMemory:
		d := readLimits(r, wasm.Extern{Kind: wasm.Memory})
		if err := r.Done(); err != nil {
			return err
		}
		if d.Min > 1<<16 || d.Bounded && (d.Max > 1<<16 || d.Max < d.Min) {
			return refuse(rangeError, "WebAssembly.Memory(): the size is out of range")
		}
		m := &memory{id: newMemory, name: wasm.ExportName(wasm.Memory, 0), declared: d}
		var err error
		if m.part, m.own, err = s.makePart(wasm.MemoryModule(d.Min, d.Max, d.Bounded), s.resize(m)); err != nil {
			return err
		}
		if m.handle, err = s.add(m); err != nil {
			return errors.Join(err, m.close(s))
		}
		w.F64(m.handle.float())
		w.U32(m.id)
		return nil
	case actionMemoryGrow:
		m, err := findFloat[*memory](s, r.F64())
		pages := r.U32()
		if err = errors.Join(err, r.Done()); err != nil {
			return err
		}
		previous, ok, err := m.part.GrowMemory(&s.thread, m.name, pages)
		if err != nil {
			return s.result(err)
		}
		if !ok {
			return refuse(rangeError, "WebAssembly.Memory.grow(): the memory can't grow by %d pages", pages)
		}
		w.U32(previous)
		return nil
	case actionTable:
		return s.makeTable(r, w)
	case actionTableGet:
		return s.getElement(r, w)
	case actionTableSet:
		return s.setElement(r)
	case actionTableGrow:
		return s.growTable(r, w)
	case actionTableSize:
		t, err := findFloat[*table](s, r.F64())
		if err = errors.Join(err, r.Done()); err != nil {
			return err
		}
		n, err := s.tableSize(t)
		w.U32(n)
		return err
	case actionGlobal:
		typ, mutable, value := r.U8(), r.U8() != 0, math.Float64bits(r.F64())
		if err := r.Done(); err != nil {
			return err
		}
		bits, err := s.inward(typ, value)
		if err != nil {
			return err
		}
		g, err := s.newGlobal(typ, mutable || isReference(typ) && bits != 0, bits)
		if err != nil {
			return err
		}
		g.mutable = mutable
		w.F64(g.handle.float())
		return nil
	case actionGlobalGet:
		g, err := findFloat[*global](s, r.F64())
		if err = errors.Join(err, r.Done()); err != nil {
			return err
		}
		v, err := s.outward(g.typ, g.value.Get())
		if err != nil {
			return err
		}
		w.F64(math.Float64frombits(v))
		return nil
	case actionGlobalSet:
		g, err := findFloat[*global](s, r.F64())
		value := math.Float64bits(r.F64())
		if err = errors.Join(err, r.Done()); err != nil {
			return err
		}
		if !g.mutable {
			return refuse(typeError, "set WebAssembly.Global.value: the global is constant")
		}
		if value, err = s.inward(g.typ, value); err != nil {
			return err
		}
		g.value.Set(value)
		return nil
	case actionFunction:
		f, err := findFloat[*function](s, r.F64())
		if err = errors.Join(err, r.Done()); err != nil {
			return err
		}
		w.F64(f.in.handle.float())
		w.U32(f.index)
		w.Bytes(f.params)
		w.Bytes(f.results)
		return nil
	case actionRelease:
		h := r.F64()
		if err := r.Done(); err != nil {
			return err
		}
		return s.release(h)
	}
	return op.ErrMessage
}

func readLimits(r *op.Reader, d wasm.Extern) wasm.Extern {
	d.Min = r.U32()
	d.Bounded = r.U8() != 0
	d.Max = r.U32()
	return d
}

func isReference(typ byte) bool {
	return typ == byte(engine.FuncRef) || typ == byte(engine.ExternRef)
}

// inward is a value of the guest as the engine has it.
func (s *Store) inward(typ byte, v uint64) (uint64, error) {
	if typ == byte(engine.FuncRef) {
		return s.rawReference(handle(v))
	}
	return v, nil
}

// outward is the contrary.
func (s *Store) outward(typ byte, v uint64) (uint64, error) {
	if typ == byte(engine.FuncRef) {
		h, err := s.referenceHandle(v)
		return uint64(h), err
	}
	return v, nil
}

// release lets go of an object of which the guest says that nothing can reach
// it: what is linked to it is released with it.
func (s *Store) release(f float64) error {
	h := handle(f)
	if uint32(h>>20) != s.epoch {
		return nil // it ended with an earlier event
	}
	o, err := findFloat[object](s, f)
	if err != nil {
		return err
	}
	drop := func(h handle) {
		if h != 0 {
			x := uint32(h & (maxObjects - 1))
			s.objects[x] = nil
			s.free = append(s.free, x)
		}
	}
	var bytes *memory
	if in, ok := o.(*instance); ok {
		for i, other := range s.fresh {
			if other == in {
				s.fresh = append(s.fresh[:i], s.fresh[i+1:]...)
				break
			}
		}
		for _, f := range in.functions {
			if f.idle != nil {
				s.kept--
			}
			if s.references[f.raw] == f {
				delete(s.references, f.raw)
			}
			drop(f.handle)
		}
		if bytes = in.memory; bytes != nil {
			drop(bytes.handle)
		}
		for _, t := range in.tables {
			if t != nil {
				drop(t.handle)
				if err := t.close(s); err != nil {
					return err
				}
				s.elements -= int(t.made)
			}
		}
		for _, g := range in.globals {
			if g != nil {
				drop(g.handle)
			}
		}
		for k, o := range in.imports {
			// A number was made into a global for this instance alone.
			if g, ok := o.(*global); ok && in.module.metered.Imports[k].Kind == wasm.Global && g.number {
				drop(g.handle)
				if err := g.close(s); err != nil {
					return err
				}
			}
		}
	}
	switch o := o.(type) {
	case *memory:
		bytes = o
	case *global:
		s.hostSize -= partSize
	case *table:
		s.hostSize -= partSize
		s.elements -= int(o.made)
	}
	drop(h)
	err = o.close(s)
	if bytes != nil {
		var message [8]byte // of no size: it is the guest's again
		binary.LittleEndian.PutUint32(message[:], bytes.id)
		binary.LittleEndian.PutUint32(message[4:], noMemory)
		s.guest.Nested(nestedMemory, message[:])
	}
	return err
}
