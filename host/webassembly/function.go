package webassembly

import (
	"encoding/binary"
	"errors"
	"math"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// A function is one that an instance exports or has a reference to.
type function struct {
	in              *instance
	index           uint32
	handle          handle
	params, results []byte
	references      bool // are among them
	vectors         bool
	idle            *engine.PartFunc // for the next call
	raw             uint64           // what the engine calls it, once known
}

func (f *function) close(*Store) error { return nil }

// function is the function of an index of an instance. Where that is imported
// from another instance it is that one's.
func (s *Store) function(in *instance, x uint32) (*function, error) {
	if f := in.functions[x]; f != nil {
		return f, nil
	}
	metered := in.module.metered
	if int64(x) < int64(metered.ImportedFunctions) {
		n := uint32(0)
		for i := range metered.Imports {
			if metered.Imports[i].Kind != wasm.Function {
				continue
			}
			if n == x {
				if f, ok := in.imports[i].(*function); ok {
					return f, nil
				}
				break
			}
			n++
		}
	}
	f := &function{in: in, index: x}
	t := metered.Signature(x)
	if t == nil {
		return nil, errors.New("webassembly: a function that nothing refers to")
	}
	f.params, f.results = t.Params, t.Results
	f.references = hasReference(f.params) || hasReference(f.results)
	for _, types := range [][]byte{f.params, f.results} {
		for _, t := range types {
			f.vectors = f.vectors || t == byte(engine.V128)
		}
	}
	if err := s.charge(256); err != nil {
		return nil, err
	}
	in.size += 256
	var err error
	if f.handle, err = s.add(f); err != nil {
		return nil, err
	}
	in.functions[x] = f
	return f, nil
}

// callable is a way to call a function that is not being called.
func (s *Store) callable(f *function) (*engine.PartFunc, error) {
	if c := f.idle; c != nil {
		f.idle = nil
		s.kept--
		return c, nil
	}
	c := f.in.part.Function(wasm.ExportName(wasm.Function, f.index))
	if c == nil {
		return nil, errors.New("webassembly: a function is not exported")
	}
	return c, nil
}

// keep puts a callable back, if it is small and few are kept.
func (s *Store) keep(f *function, c *engine.PartFunc) {
	if f.idle == nil && s.kept < keepFuncs && c.StackBytes() <= keepStack {
		f.idle = c
		s.kept++
	}
}

// run makes a call into the space.
func (s *Store) run(c *engine.PartFunc, stack []uint64) error {
	if len(s.active) > maxDepth || len(s.active) > 0 && s.stacks() > maxStacks {
		return refuse(rangeError, "Maximum call stack size exceeded")
	}
	s.active = append(s.active, c)
	err := c.Call(&s.thread, stack)
	s.active = s.active[:len(s.active)-1]
	return s.result(err)
}

// call is the operation wasm_call.
func (s *Store) call(in, out []byte) ([]byte, error) {
	if len(in) < 8 || len(in)%8 != 0 {
		return nil, op.ErrMessage
	}
	f, err := findFloat[*function](s, math.Float64frombits(binary.LittleEndian.Uint64(in)))
	if err != nil {
		return nil, err
	}
	if f.vectors {
		return nil, refuse(typeError, "a function with a vector in its type can't be called from JavaScript")
	}
	in = in[8:]
	if len(in) != 8*len(f.params) {
		return nil, op.ErrMessage
	}
	var small [8]uint64
	stack := small[:]
	if n := max(len(f.params), len(f.results)); n > len(small) {
		stack = make([]uint64, n)
	}
	for i := range f.params {
		stack[i] = binary.LittleEndian.Uint64(in[8*i:])
		if f.references && f.params[i] == byte(engine.FuncRef) {
			if stack[i], err = s.rawReference(handle(stack[i])); err != nil {
				return nil, err
			}
		}
	}
	c, err := s.callable(f)
	if err != nil {
		return nil, err
	}
	err = s.run(c, stack)
	s.keep(f, c)
	if err != nil {
		return nil, err
	}
	out = out[:0]
	for i := range f.results {
		v := stack[i]
		if f.references && f.results[i] == byte(engine.FuncRef) {
			h, err := s.referenceHandle(v)
			if err != nil {
				return nil, err
			}
			v = uint64(h)
		}
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	return out, nil
}

// rawReference is what the engine calls a function; 0 is null.
func (s *Store) rawReference(h handle) (uint64, error) {
	if h == 0 {
		return 0, nil
	}
	f, err := find[*function](s, h)
	if err != nil {
		return 0, err
	}
	if f.raw == 0 {
		for k, x := range f.in.module.metered.References {
			if x == f.index {
				if f.raw, err = s.refer(f.in, k); err != nil {
					return 0, err
				}
				s.name(f.raw, f)
				return f.raw, nil
			}
		}
		return 0, errors.New("webassembly: a function that nothing refers to")
	}
	return f.raw, nil
}

// refer asks an instance for the reference to the k-th function that it can
// refer to.
func (s *Store) refer(in *instance, k int) (uint64, error) {
	if in.reference == nil {
		if in.reference = in.part.Function(wasm.ExportReference); in.reference == nil {
			return 0, errors.New("webassembly: a metered module can't refer to its functions")
		}
	}
	stack := [1]uint64{uint64(k)}
	if err := in.reference.Call(&s.thread, stack[:]); err != nil {
		return 0, s.result(err)
	}
	return stack[0], nil
}

func (s *Store) name(raw uint64, f *function) {
	if s.references == nil {
		s.references = map[uint64]*function{}
	}
	s.references[raw] = f
}

// referenceHandle is the handle of what the engine calls raw; 0 is null.
func (s *Store) referenceHandle(raw uint64) (handle, error) {
	if raw == 0 {
		return 0, nil
	}
	if f := s.references[raw]; f != nil {
		return f.handle, nil
	}
	// It is of an instance that nobody has asked for all of its references.
	for len(s.fresh) > 0 {
		in := s.fresh[0]
		s.fresh = s.fresh[1:]
		found := false
		for k, x := range in.module.metered.References {
			f, err := s.function(in, x)
			if err != nil {
				return 0, err
			}
			if f.in != in {
				continue // it has its name from its own instance
			}
			if f.raw, err = s.refer(in, k); err != nil {
				return 0, err
			}
			s.name(f.raw, f)
			found = found || f.raw == raw
		}
		if found {
			return s.references[raw].handle, nil
		}
	}
	return 0, errors.New("webassembly: a reference that no instance has made")
}
