package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// A base is what a worker's modules left when they had been evaluated. Workers of
// the same code share it, unless it depends on what env has.
type base struct {
	owner   *bases
	program *isolate.Program // that the state is of
	state   *isolate.State
	key     baseKey
	code    *Code // that was evaluated: it stays known as long as the base
	named   bool  // it is in the owner's table

	// Under the owner's lock.
	users  int // workers and instances
	starts int // of instances
	hot    *hot
}

// A hot base is a program of its own: its instances have nothing to apply, and
// what they have changed is told by the kernel.
type hot struct {
	program *isolate.Program
	users   int // instances, and the base
	base    *base
}

type baseKey [sha256.Size]byte

const (
	hotStarts = 3 // of a base until it becomes hot
	// maxHotImage is how many bytes an image may have that is copied for hot
	// bases: one with everything in it, as Python's, costs more than it saves.
	maxHotImage = 32 << 20
	maxHot      = 64 // hot bases at once
)

// bases are the states of code that was seen before, by digest. What nobody uses
// any more is kept while there is room, those used last longest.
type bases struct {
	budget int64 // bytes of states

	mu      sync.Mutex
	byKey   map[baseKey]*base
	private map[baseKey]struct{} // code whose evaluation depends on env
	idle    []*base              // used by nobody; the one used last is last
	size    int64
	hot     []*hot // the one that became hot last is last
}

// get is the base of a key, with one more user.
func (s *bases) get(key baseKey) (b *base, private bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b = s.byKey[key]
	if b == nil {
		_, private = s.private[key]
		return nil, private
	}
	if b.users == 0 {
		s.idle = slices.DeleteFunc(s.idle, func(x *base) bool { return x == b })
	}
	b.users++
	return b, false
}

// own is a base that only one worker has.
func (s *bases) own(program *isolate.Program, state *isolate.State) *base {
	return &base{owner: s, program: program, state: state, users: 1}
}

// put adds a base, with one user; who came first wins.
func (s *bases) put(key baseKey, code *Code, program *isolate.Program, state *isolate.State) *base {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.byKey[key]; b != nil {
		_ = state.Close()
		if b.users == 0 {
			s.idle = slices.DeleteFunc(s.idle, func(x *base) bool { return x == b })
		}
		b.users++
		return b
	}
	b := &base{owner: s, program: program, state: state, key: key, code: code, users: 1, named: true}
	s.byKey[key] = b
	s.size += b.bytes()
	s.trim()
	return b
}

// maxPrivate bounds how much is remembered of code that can't be shared.
const maxPrivate = 100_000

func (s *bases) setPrivate(key baseKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.private) >= maxPrivate {
		clear(s.private)
	}
	s.private[key] = struct{}{}
}

// trim closes bases that nobody uses until there is room. The lock is held.
func (s *bases) trim() { s.shrink(s.budget) }

// relieve closes bases that nobody uses until so many bytes are free.
func (s *bases) relieve(excess int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shrink(s.size - excess)
}

// shrink closes bases that nobody uses until the rest take no more than most. The
// lock is held.
func (s *bases) shrink(most int64) {
	for s.size > most && len(s.idle) > 0 {
		b := s.idle[0]
		s.idle = s.idle[1:]
		delete(s.byKey, b.key)
		s.size -= b.bytes()
		s.drop(b)
	}
}

// bytes is the memory that the base takes.
func (b *base) bytes() int64 { return b.state.Resident() + b.code.Size() }

// drop closes a base that nobody uses and nobody will find. The lock is held.
func (s *bases) drop(b *base) {
	s.cool(b)
	_ = b.state.Close()
}

// cool has a base's next instances apply its state again. The lock is held.
func (s *bases) cool(b *base) {
	h := b.hot
	if h == nil {
		return
	}
	b.hot = nil
	s.hot = slices.DeleteFunc(s.hot, func(x *hot) bool { return x == h })
	s.leave(h)
}

// leave gives up one use of a hot program. The lock is held.
func (s *bases) leave(h *hot) {
	if h.users--; h.users == 0 {
		_ = h.program.Close()
	}
}

// start is what one more instance begins with: a program, and a state of it or
// nil. It is one more user of both, until stop.
func (b *base) start() (*isolate.Program, *isolate.State, *hot) {
	s := b.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	b.users++
	b.starts++
	if b.hot == nil && b.starts >= hotStarts && b.program.ImageBytes() <= maxHotImage {
		if program, err := b.program.Derived(b.state); err == nil {
			if len(s.hot) == maxHot {
				s.cool(s.hot[0].base)
			}
			b.hot = &hot{program: program, users: 1, base: b}
			s.hot = append(s.hot, b.hot)
		} else {
			b.starts = 0
		}
	}
	if h := b.hot; h != nil {
		h.users++
		return h.program, nil, h
	}
	return b.program, b.state, nil
}

// stop says that an instance of the base has ended.
func (b *base) stop(h *hot) {
	if h != nil {
		b.owner.mu.Lock()
		b.owner.leave(h)
		b.owner.mu.Unlock()
	}
	b.release()
}

// release gives up one user's hold.
func (b *base) release() {
	s := b.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.users--; b.users > 0 {
		return
	}
	if !b.named {
		s.drop(b)
		return
	}
	s.idle = append(s.idle, b)
	s.trim()
}

func (s *bases) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.byKey {
		s.drop(b)
	}
	clear(s.byKey)
	s.idle = nil
}

// build makes the worker's base: of code that was seen before, or by evaluating
// the modules. Where nothing can go on from what those leave it is the instance
// itself that has evaluated them. The error is for whoever asks.
func (w *Worker) build() (*base, *instance, error) {
	if w.def.Code == nil {
		return nil, nil, &op.ErrorRecord{Name: "Error", Message: "The Worker has no code, only assets."}
	}
	if err := w.prepare(); err != nil {
		return nil, nil, err
	}
	key := w.baseKey()
	b, private := w.service.bases.get(key)
	if b != nil {
		return b, nil, nil
	}
	state, asked, kept, err := w.evaluate()
	switch {
	case err != nil:
		return nil, nil, err
	case kept != nil:
		return nil, kept, nil
	case private, asked:
		if !private {
			w.service.bases.setPrivate(key)
		}
		return w.service.bases.own(w.program, state), nil, nil
	}
	return w.service.bases.put(key, w.def.Code, w.program, state), nil, nil
}

// evaluate evaluates the modules in an isolate of its own, and keeps the state
// that they leave. asked says that they looked at env.
//
// Where they have left more than a state holds, the isolate is kept instead: it
// serves by itself.
func (w *Worker) evaluate() (state *isolate.State, asked bool, kept *instance, err error) {
	in := newInstance(w)
	in.evaluating, in.started = true, make(chan struct{})
	in.resident = w.service.config.Executions.Runtime().Reside(isolate.Residence{
		Program: w.program, Host: in, Tenant: w.def.Tenant, Memory: w.limits.MemoryBytes, Operations: maxOperations,
	})
	in.iso = in.resident.Isolate()
	defer func() {
		if kept == nil {
			in.resident.Close(isolate.OK, "")
		}
	}()
	message := op.NewWriter(nil)
	if w.def.Code.StartupEval() {
		message.U8(1)
	} else {
		message.U8(0)
	}
	message.Str(w.def.Code.MainModule)
	message.Pairs(pairs(w.def.Variables))
	message.Str("/")
	limit := startLimit
	if w.def.Code.Python() {
		limit = startLimitPython
	}
	in.resident.Deliver(isolate.Delivery{Event: evaluation, Kind: uint32(op.EventServe), Message: message.Message(), CPU: limit})
	<-in.started
	w.evaluated.Add(int64(in.resident.Usage(evaluation).CPU))
	in.mu.Lock()
	started, fault := in.startErr, in.fault
	in.mu.Unlock()
	switch {
	case started != nil:
		return nil, false, nil, w.startError(started)
	case fault != nil:
		return nil, false, nil, fault
	}
	if in.platform.Rooted() {
		in.evaluating = false
		in.last = evaluation
		in.resident.Finish(evaluation, false)
		in.used = time.Now()
		return nil, false, in, nil
	}
	if state, err = in.resident.Keep(context.Background()); err != nil {
		return nil, false, nil, err
	}
	return state, in.asked, nil, nil
}

// evaluation is the event of an instance that evaluates.
const evaluation = 1

// evaluated says that the evaluation is over.
func (in *instance) evaluated(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	select {
	case <-in.started:
		return
	default:
	}
	if in.fault == nil {
		in.fault = err
	}
	close(in.started)
}

// fail is the operation of that name: an error of the evaluation.
func (in *instance) fail(_ uint8, e *op.ErrorRecord) {
	if !in.evaluating {
		in.broken(e)
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.startErr == nil {
		in.startErr = e
	}
}

// startError is an error of the evaluation, for whoever asks: the user's own.
func (w *Worker) startError(e *op.ErrorRecord) error {
	mapped := *e
	mapped.Stack = w.mapStack(e.Stack)
	return &StartError{&mapped}
}

// A StartError is an error that a worker's modules threw when they were
// evaluated.
type StartError struct{ Record *op.ErrorRecord }

func (e *StartError) Error() string { return e.Record.Name + ": " + e.Record.Message }

// Unwrap makes it an error of the guest that asked.
func (e *StartError) Unwrap() error { return e.Record }

func pairs(m map[string]string) []op.Pair {
	list := make([]op.Pair, 0, len(m))
	for name, value := range m {
		list = append(list, op.Pair{Name: name, Value: value})
	}
	return list
}

// baseKey names what the worker's base depends on.
func (w *Worker) baseKey() baseKey {
	digest := w.def.Code.Digest()
	if len(w.def.Variables) == 0 {
		return baseKey(digest)
	}
	h := sha256.New()
	h.Write(digest[:])
	for _, name := range slices.Sorted(maps.Keys(w.def.Variables)) {
		fmt.Fprintf(h, "%d %s%d %s", len(name), name, len(w.def.Variables[name]), w.def.Variables[name])
	}
	return baseKey(h.Sum(nil))
}
