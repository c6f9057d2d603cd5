package webassembly

import (
	"container/list"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// Bounds of what a process keeps.
const (
	// cacheBytes is how much of compiled modules is kept that no isolate uses,
	// by the modules' own size. Code is three to five times as large.
	cacheBytes = 48 << 20
	// spaceModules and spaceTypes are how many a space may have seen before
	// isolates get a new one: a space never forgets the types of functions.
	spaceModules = 20_000
	spaceTypes   = 200_000
)

// fuelPeriod is how much a module does between two yields: some 50 µs, and less
// than 50 ms for one that was made to miss caches.
const fuelPeriod = 20_000

// A Compiler compiles modules for all isolates of a process, and keeps what it
// compiled by content. The zero value is ready to use. It is safe for
// concurrent use.
type Compiler struct {
	mu    sync.Mutex
	space *space // what new isolates get; made when first needed

	// large is held while a large module is compiled: one at a time.
	large sync.Mutex
}

// A space is an engine's space with its cache of modules.
type space struct {
	engine  *engine.Space
	stores  int  // isolates that use it
	retired bool // gets no more of them
	modules int  // compiled so far
	types   int

	cached map[[sha256.Size]byte]*compiled
	idle   list.List // of those that nobody uses, the most recent first
	bytes  int       // of these

	shared *engine.Part // the functions that metered modules call
}

// compiled is a module in the cache.
type compiled struct {
	digest  [sha256.Size]byte
	size    int
	users   int
	entry   *list.Element // while idle
	metered *wasm.Metered
	code    *engine.Code
	ready   chan struct{} // closed when compiled, or failed
	err     error
}

// acquire gives an isolate its space.
func (c *Compiler) acquire() (*space, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.space; s != nil && (s.modules > spaceModules || s.types > spaceTypes) {
		c.space = nil
		s.retired = true
		if s.stores == 0 {
			if err := s.close(); err != nil {
				return nil, err
			}
		}
	}
	if c.space == nil {
		s := &space{engine: engine.NewSpace(), cached: map[[sha256.Size]byte]*compiled{}}
		var err error
		if s.shared, err = s.engine.Host(meterFunctions); err != nil {
			return nil, errors.Join(err, s.engine.Close())
		}
		c.space = s
	}
	c.space.stores++
	return c.space, nil
}

func (c *Compiler) release(s *space) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.stores--; s.stores == 0 && s.retired {
		return s.close()
	}
	return nil
}

func (s *space) close() error { return s.engine.Close() }

// Close lets go of all that is kept. No isolate may be left that uses it.
func (c *Compiler) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.space
	c.space = nil
	if s == nil {
		return nil
	}
	if s.stores > 0 {
		s.retired = true
		return nil
	}
	return s.close()
}

// take finds a module in the cache. If make is true the caller has to compile
// it, and calls finish; else the module is ready, or somebody else's to make
// ready.
func (c *Compiler) take(s *space, digest [sha256.Size]byte, size int) (m *compiled, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m = s.cached[digest]
	if m == nil {
		m = &compiled{digest: digest, size: size, ready: make(chan struct{}), users: 1}
		s.cached[digest] = m
		return m, true
	}
	if m.users++; m.entry != nil {
		s.idle.Remove(m.entry)
		s.bytes -= m.size
		m.entry = nil
	}
	return m, false
}

// compile does the work of making a module ready.
func (c *Compiler) compile(s *space, m *compiled, module []byte) {
	defer close(m.ready)
	if len(module) > inlineBytes {
		c.large.Lock()
		defer c.large.Unlock()
	}
	if m.metered, m.err = wasm.Meter(module, fuelPeriod); m.err == nil {
		m.code, m.err = s.engine.Compile(m.metered.Wasm)
		m.metered.Wasm = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.modules++
	if m.err != nil {
		delete(s.cached, m.digest)
		return
	}
	s.types += m.metered.Types
}

// drop is the end of one use.
func (c *Compiler) drop(s *space, m *compiled) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.users--; m.users > 0 || s.cached[m.digest] != m {
		return nil
	}
	m.entry = s.idle.PushFront(m)
	s.bytes += m.size
	var errs []error
	for s.bytes > cacheBytes {
		old := s.idle.Remove(s.idle.Back()).(*compiled)
		old.entry = nil
		s.bytes -= old.size
		delete(s.cached, old.digest)
		errs = append(errs, old.code.Close())
	}
	return errors.Join(errs...)
}

// refusal is an error of the program's own: what is thrown, and why.
type refusal struct{ name, message, code string }

func (r *refusal) Error() string { return r.name + ": " + r.message }

func refuse(name, format string, a ...any) error {
	return &refusal{name: name, message: fmt.Sprintf(format, a...)}
}

// Names of errors.
const (
	compileError = "CompileError"
	linkError    = "LinkError"
	runtimeError = "RuntimeError"
	rangeError   = "RangeError"
	typeError    = "TypeError"
)
