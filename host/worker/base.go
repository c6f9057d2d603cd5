package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// A base is what a worker's modules left when they had been evaluated. Workers of
// the same code share it, unless it depends on what env has.
type base struct {
	state *isolate.State
	owner *bases // nil: a worker's own
	key   baseKey

	users int  // under the owner's lock
	named bool // it is in the owner's table
}

type baseKey [sha256.Size]byte

// bases are the states of code that was seen before, by digest. What nobody uses
// any more is kept while there is room, those used last longest.
type bases struct {
	budget int64 // bytes of states

	mu      sync.Mutex
	byKey   map[baseKey]*base
	private map[baseKey]struct{} // code whose evaluation depends on env
	idle    []*base              // used by nobody; the one used last is last
	size    int64
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
		for i, x := range s.idle {
			if x == b {
				s.idle = append(s.idle[:i], s.idle[i+1:]...)
				break
			}
		}
	}
	b.users++
	return b, false
}

// put adds a base, with one user; who came first wins.
func (s *bases) put(key baseKey, state *isolate.State) *base {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.byKey[key]; b != nil {
		_ = state.Close()
		b.users++
		return b
	}
	b := &base{state: state, owner: s, key: key, users: 1, named: true}
	s.byKey[key] = b
	s.size += state.Resident()
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
func (s *bases) trim() {
	for s.size > s.budget && len(s.idle) > 0 {
		b := s.idle[0]
		s.idle = s.idle[1:]
		delete(s.byKey, b.key)
		s.size -= b.state.Resident()
		_ = b.state.Close()
	}
}

// release gives up one user's hold.
func (b *base) release() {
	s := b.owner
	if s == nil {
		_ = b.state.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.users--; b.users == 0 {
		s.idle = append(s.idle, b)
		s.trim()
	}
}

func (s *bases) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.byKey {
		_ = b.state.Close()
	}
	clear(s.byKey)
	s.idle = nil
}

// build makes the worker's base: of code that was seen before, or by evaluating
// the modules. The error is for whoever asks.
func (w *Worker) build() (*base, error) {
	if err := w.prepare(); err != nil {
		return nil, err
	}
	key := w.baseKey()
	b, private := w.service.bases.get(key)
	if b != nil {
		return b, nil
	}
	state, asked, err := w.evaluate()
	switch {
	case err != nil:
		return nil, err
	case private, asked:
		if !private {
			w.service.bases.setPrivate(key)
		}
		return &base{state: state}, nil
	}
	return w.service.bases.put(key, state), nil
}

// evaluate evaluates the modules in an isolate of its own, and keeps the state
// that they leave. asked says that they looked at env.
func (w *Worker) evaluate() (state *isolate.State, asked bool, err error) {
	in := newInstance(w)
	in.evaluating, in.started = true, make(chan struct{})
	in.resident = w.service.config.Executions.Runtime().Reside(isolate.Residence{
		Program: w.program, Host: in, Tenant: w.def.Tenant, Memory: w.limits.MemoryBytes, Operations: maxOperations,
	})
	in.iso = in.resident.Isolate()
	defer in.resident.Close(isolate.OK, "")
	message := op.NewWriter(nil)
	if w.def.Code.StartupEval() {
		message.U8(1)
	} else {
		message.U8(0)
	}
	message.Str(w.def.Code.MainModule)
	message.Pairs(pairs(w.def.Variables))
	message.Str("/")
	in.resident.Deliver(isolate.Delivery{Event: evaluation, Kind: uint32(op.EventServe), Message: message.Message(), CPU: startLimit})
	<-in.started
	in.mu.Lock()
	started, fault := in.startErr, in.fault
	in.mu.Unlock()
	switch {
	case started != nil:
		return nil, false, w.startError(started)
	case fault != nil:
		return nil, false, fault
	}
	if state, err = in.resident.Keep(context.Background()); err != nil {
		return nil, false, err
	}
	return state, in.asked, nil
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
