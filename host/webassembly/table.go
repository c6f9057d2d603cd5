package webassembly

import (
	"errors"
	"math"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// access calls one of the functions to work with a table. ok is false if it
// trapped: the index is out of bounds.
func (s *Store) access(t *table, name string, stack []uint64) (ok bool, err error) {
	if t.access == nil {
		if t.own != nil {
			t.access = t.part
		} else if err := s.reach(t); err != nil {
			return false, err
		}
	}
	f := t.access.Function(name)
	if f == nil {
		return false, errors.New("webassembly: a table's module lacks " + name)
	}
	err = f.Call(&s.thread, stack)
	var trap *engine.Trap
	if errors.As(err, &trap) {
		return false, nil
	}
	return err == nil, err
}

// reach makes the functions for a table that an instance has.
func (s *Store) reach(t *table) error {
	if err := s.charge(partSize); err != nil {
		return err
	}
	var err error
	if t.glued, err = s.space.engine.Compile(wasm.TableAccess(t.declared.Type, t.name)); err != nil {
		return err
	}
	t.access, err = s.space.engine.Instantiate(&s.thread, t.glued, func(string) *engine.Part { return t.part }, nil)
	return s.linkResult(err)
}

func (s *Store) tableSize(t *table) (uint32, error) {
	var stack [1]uint64
	if _, err := s.access(t, wasm.TableSize, stack[:]); err != nil {
		return 0, err
	}
	return uint32(stack[0]), nil
}

func (s *Store) makeTable(r *op.Reader, w *op.Writer) error {
	d := wasm.Extern{Kind: wasm.Table, Type: r.U8()}
	d = readLimits(r, d)
	value := r.F64()
	if err := r.Done(); err != nil {
		return err
	}
	if !isReference(d.Type) {
		return op.ErrMessage
	}
	if d.Bounded && d.Max < d.Min || !s.room(d.Min) {
		return refuse(rangeError, "WebAssembly.Table(): the size is out of range")
	}
	bits, err := s.inward(d.Type, floatReference(value))
	if err != nil {
		return err
	}
	t := &table{name: wasm.ExportName(wasm.Table, 0), declared: d, made: d.Min}
	if t.part, t.own, err = s.makePart(wasm.TableModule(d.Type, 0, d.Max, d.Bounded), nil); err != nil {
		return err
	}
	stack := [2]uint64{bits, uint64(d.Min)}
	if ok, err := s.access(t, wasm.TableGrow, stack[:]); err != nil || !ok || uint32(stack[0]) == math.MaxUint32 {
		return errors.Join(refuse(rangeError, "WebAssembly.Table(): could not make it"), err, t.close(s))
	}
	s.elements += int(d.Min)
	if t.handle, err = s.add(t); err != nil {
		return errors.Join(err, t.close(s))
	}
	w.F64(t.handle.float())
	return nil
}

// floatReference is a reference in a message that is read as a float.
func floatReference(f float64) uint64 {
	if f >= 0 && f < 1<<52 {
		return uint64(f)
	}
	return 0
}

func (s *Store) getElement(r *op.Reader, w *op.Writer) error {
	t, err := findFloat[*table](s, r.F64())
	x := r.U32()
	if err = errors.Join(err, r.Done()); err != nil {
		return err
	}
	stack := [1]uint64{uint64(x)}
	ok, err := s.access(t, wasm.TableGet, stack[:])
	if err != nil {
		return err
	}
	if !ok {
		return refuse(rangeError, "WebAssembly.Table.get(): invalid address %d in %s table", x, typeNames[t.declared.Type])
	}
	v, err := s.outward(t.declared.Type, stack[0])
	w.F64(float64(v))
	return err
}

func (s *Store) setElement(r *op.Reader) error {
	t, err := findFloat[*table](s, r.F64())
	x, value := r.U32(), r.F64()
	if err = errors.Join(err, r.Done()); err != nil {
		return err
	}
	bits, err := s.inward(t.declared.Type, floatReference(value))
	if err != nil {
		return err
	}
	stack := [2]uint64{uint64(x), bits}
	ok, err := s.access(t, wasm.TableSet, stack[:])
	if err == nil && !ok {
		return refuse(rangeError, "WebAssembly.Table.set(): invalid address %d in %s table", x, typeNames[t.declared.Type])
	}
	return err
}

func (s *Store) growTable(r *op.Reader, w *op.Writer) error {
	t, err := findFloat[*table](s, r.F64())
	n, value := r.U32(), r.F64()
	if err = errors.Join(err, r.Done()); err != nil {
		return err
	}
	bits, err := s.inward(t.declared.Type, floatReference(value))
	if err != nil {
		return err
	}
	if !s.room(n) {
		return refuse(rangeError, "WebAssembly.Table.grow(): failed to grow table by %d", n)
	}
	stack := [2]uint64{bits, uint64(n)}
	ok, err := s.access(t, wasm.TableGrow, stack[:])
	if err != nil {
		return err
	}
	if !ok || uint32(stack[0]) == math.MaxUint32 {
		return refuse(rangeError, "WebAssembly.Table.grow(): failed to grow table by %d", n)
	}
	s.elements += int(n)
	t.made += n
	w.U32(uint32(stack[0]))
	return nil
}

var typeNames = map[byte]string{byte(engine.FuncRef): "funcref", byte(engine.ExternRef): "externref"}
