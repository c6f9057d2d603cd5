package webassembly

import (
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

const (
	// inlineBytes is the size up to which a module is compiled at once, without
	// giving the processor back: some milliseconds.
	inlineBytes = 8 << 10
	// compileTime is the least that compiling takes for each byte.
	compileTime = 150 * time.Nanosecond
)

// A module is a compiled module in use by one isolate.
type module struct{ *compiled }

func (m *module) close(s *Store) error {
	s.modules -= m.size
	return s.options.Compiler.drop(s.space, m.compiled)
}

// compile is the operation wasm_compile.
func (s *Store) compile(r *op.Reader, w *op.Writer) error {
	given := r.Bytes()
	if err := r.Done(); err != nil {
		return err
	}
	c, err := s.module(given)
	if err != nil {
		return err
	}
	s.modules += c.size
	h, err := s.add(&module{c})
	if err != nil {
		return errors.Join(err, (&module{c}).close(s))
	}
	w.F64(h.float())
	w.U32(uint32(len(c.metered.Imports)))
	for _, e := range c.metered.Imports {
		w.Str(e.Module)
		writeExtern(w, &e)
	}
	w.U32(uint32(len(c.metered.Exports)))
	for _, e := range c.metered.Exports {
		writeExtern(w, &e)
	}
	return nil
}

func writeExtern(w *op.Writer, e *wasm.Extern) {
	w.Str(e.Name)
	w.U8(byte(e.Kind))
	switch e.Kind {
	case wasm.Function:
		w.Bytes(e.Params)
		w.Bytes(e.Results)
	case wasm.Table:
		w.U8(e.Type)
		writeLimits(w, e)
	case wasm.Memory:
		writeLimits(w, e)
	case wasm.Global:
		w.U8(e.Type)
		w.U8(flag(e.Mutable))
	}
}

func writeLimits(w *op.Writer, e *wasm.Extern) {
	w.U32(e.Min)
	w.U8(flag(e.Bounded))
	w.U32(e.Max)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// module compiles a module, or finds it compiled.
func (s *Store) module(given []byte) (*compiled, error) {
	if len(given) > wasm.MaxModuleBytes {
		return nil, refuse(compileError, "a module of %d bytes is larger than the limit of %d", len(given), wasm.MaxModuleBytes)
	}
	if s.modules+len(given) > maxModules {
		return nil, refuse(rangeError, "the modules in use are larger than the limit of %d bytes", maxModules)
	}
	compiler := s.options.Compiler
	m, mine := compiler.take(s.space, sha256.Sum256(given), len(given))
	settled := false
	defer func() {
		if !settled { // the isolate ended while it waited
			compiler.abandon(s.space, m)
		}
	}()
	if mine {
		if len(given) <= inlineBytes {
			compiler.compile(s.space, m, given)
		} else {
			if s.options.CPU > 0 && s.guest.CPU()+time.Duration(len(given))*compileTime > s.options.CPU {
				m.err = errAbandoned
				compiler.forget(s.space, m)
				close(m.ready)
				s.options.Exceeded()
			}
			// What is compiled outlives this isolate, if it has to end.
			copied := append([]byte(nil), given...)
			s.guest.Aside(func() { compiler.compile(s.space, m, copied) })
		}
	} else {
		select {
		case <-m.ready:
		default:
			s.guest.Aside(func() { <-m.ready })
		}
	}
	settled = true
	err := m.err
	if err == nil {
		return m, nil
	}
	var malformed *wasm.Error
	var bug *engine.HostPanic
	switch {
	case errors.Is(err, errAbandoned):
		return s.module(given)
	case errors.As(err, &malformed):
		return nil, refuse(compileError, "%s", strings.TrimPrefix(malformed.Error(), "wasm: "))
	case errors.As(err, &bug):
		return nil, refuse(compileError, "the module can't be compiled")
	case errors.Is(err, engine.ErrInvalidModule):
		message := err.Error()
		if _, cause, ok := strings.Cut(message, engine.ErrInvalidModule.Error()+": "); ok {
			message = cause
		}
		return nil, refuse(compileError, "%s", message)
	}
	return nil, err
}

// errAbandoned: whoever was to compile a module can't.
var errAbandoned = errors.New("abandoned")

// abandon drops a module once it is ready, on behalf of an isolate that has
// ended.
func (c *Compiler) abandon(s *space, m *compiled) {
	c.mu.Lock()
	s.stores++
	c.mu.Unlock()
	go func() {
		<-m.ready
		_ = c.drop(s, m)
		_ = c.release(s)
	}()
}

// forget takes a module out of the cache that did not get compiled.
func (c *Compiler) forget(s *space, m *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(s.cached, m.digest)
}
