package worker

import (
	"context"
	"slices"
	"sync"

	"mayfly/host/op"
	"mayfly/host/rpc"
)

// Bounds of loaders.
const (
	maxLoaded      = 100_000 // workers with an id that one loader of one worker remembers
	maxLoaderDepth = 8       // loaders that may lead to a worker
	maxID          = 1024    // bytes of an id
	maxProvided    = 100_000 // handles of dynamic workers that one event has
)

// A loader has the dynamic workers that one worker made by one of its bindings.
// No other worker has them, whatever it calls its own.
type loader struct {
	parent *Worker

	mu     sync.Mutex
	byID   map[string]*dynamic
	recent dynamic // the head of a ring: the one used last follows, the one used longest ago precedes
}

// A dynamic worker is one that a loader made, or is making: there are very many,
// so it is small until somebody asks it something.
type dynamic struct {
	loader     *loader
	id         string
	next, prev *dynamic // in the ring of recent ones; nil: it is not among them
	holds      int32    // handles and entrypoints; under the loader's lock, as what follows

	code    *Code
	env     *rpc.Value
	policy  *dynamicPolicy
	err     error          // why there is no code
	waiting chan struct{}  // closed when there is code, or an error; nil: nobody waits yet
	owner   *dynamicHandle // that has to provide the code
	heirs   []*heir        // events that would, in its place
	worker  *Worker        // made when it is asked for the first time
	gone    bool
}

// A dynamicPolicy is what a dynamic worker may do, if that is not what its parent
// may.
type dynamicPolicy struct {
	blocked  bool
	outbound rpc.Target
	tails    []rpc.Target
	limits   Limits
}

// loader is that of a binding of the worker.
func (w *Worker) loader(name string) *loader {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.loaders[name]
	if l == nil {
		l = &loader{parent: w, byID: map[string]*dynamic{}}
		l.recent.next, l.recent.prev = &l.recent, &l.recent
		if w.loaders == nil {
			w.loaders = map[string]*loader{}
		}
		w.loaders[name] = l
	}
	return l
}

// find is the worker of an id, with one more hold. fresh says that it has no
// code yet, and that whoever asked has to provide it.
func (l *loader) find(id string) (d *dynamic, fresh bool, err error) {
	l.mu.Lock()
	d = l.byID[id]
	if d != nil {
		d.unlink()
	} else {
		for len(l.byID) >= maxLoaded && err == nil {
			err = l.drop()
		}
		if err != nil {
			l.mu.Unlock()
			return nil, false, err
		}
		d, fresh = &dynamic{loader: l, id: id}, true
		l.byID[id] = d
	}
	d.linkAfter(&l.recent)
	d.holds++
	l.mu.Unlock()
	return d, fresh, nil
}

// drop forgets the worker that was used longest ago, of those that nobody holds.
// The lock is held.
func (l *loader) drop() error {
	for d := l.recent.prev; d != &l.recent; d = d.prev {
		if d.holds == 0 {
			d.forget()
			go d.close()
			return nil
		}
	}
	return plainError("Too many dynamic Workers are in use: %d.", maxLoaded)
}

// anonymous is a worker without an id, with one hold.
func (l *loader) anonymous() *dynamic { return &dynamic{loader: l, holds: 1} }

func (d *dynamic) linkAfter(at *dynamic) {
	d.prev, d.next = at, at.next
	d.prev.next, d.next.prev = d, d
}

func (d *dynamic) unlink() {
	d.prev.next, d.next.prev = d.next, d.prev
	d.prev, d.next = nil, nil
}

// forget takes the worker out of its loader: the next who asks for its id gets
// another. The loader's lock is held.
func (d *dynamic) forget() {
	if d.next != nil {
		d.unlink()
		delete(d.loader.byID, d.id)
	}
}

func (d *dynamic) hold() {
	d.loader.mu.Lock()
	d.holds++
	d.loader.mu.Unlock()
}

// release gives one hold up. One without an id ends with the last.
func (d *dynamic) release() {
	d.loader.mu.Lock()
	d.holds--
	last := d.holds == 0 && d.next == nil
	d.loader.mu.Unlock()
	if last {
		d.close()
	}
}

// close gives up what the worker has.
func (d *dynamic) close() {
	d.loader.mu.Lock()
	w, env, policy := d.worker, d.env, d.policy
	closed := d.gone
	d.gone, d.env, d.policy, d.code = true, nil, nil, nil
	d.loader.mu.Unlock()
	switch {
	case closed:
	case w != nil:
		w.Close() // what it has is in its definition
	default:
		releaseAll(env, policy)
	}
}

func releaseAll(env *rpc.Value, policy *dynamicPolicy) {
	if env != nil {
		env.Release()
	}
	if policy != nil {
		policy.release()
	}
}

func (p *dynamicPolicy) release() {
	if p.outbound != nil {
		p.outbound.Release()
	}
	for _, t := range p.tails {
		t.Release()
	}
}

// settle gives the worker its code, or says why there is none: then the next who
// asks for its id is asked for the code again. False if that was done before.
func (d *dynamic) settle(code *Code, env *rpc.Value, policy *dynamicPolicy, err error) bool {
	d.loader.mu.Lock()
	if d.gone || d.code != nil || d.err != nil {
		d.loader.mu.Unlock()
		return false
	}
	d.code, d.env, d.policy, d.err = code, env, policy, err
	if err != nil {
		d.forget()
	}
	waiting, heirs := d.waiting, d.heirs
	d.waiting, d.owner, d.heirs = nil, nil, nil
	d.loader.mu.Unlock()
	for _, h := range heirs {
		h.settle(false)
	}
	if waiting != nil {
		close(waiting)
	}
	return true
}

// A heir is an event that waits for code which another has to provide, and would
// do so itself.
type heir struct {
	in     *instance
	id     uint32 // of its operation loader_wait
	handle *dynamicHandle
}

func (h *heir) settle(provide bool) {
	w := op.NewWriter(nil)
	if provide {
		w.U8(1)
	} else {
		w.U8(0)
	}
	h.in.Settle(h.id, true, w.Message())
}

// abandon says that whoever had to provide the code has gone: the next has to.
func (d *dynamic) abandon() {
	d.loader.mu.Lock()
	if len(d.heirs) == 0 || d.gone || d.code != nil || d.err != nil {
		d.loader.mu.Unlock()
		d.settle(nil, nil, nil, errAbandoned)
		return
	}
	next := d.heirs[0]
	d.heirs = d.heirs[1:]
	d.owner = next.handle
	d.loader.mu.Unlock()
	next.settle(true)
}

// own makes a handle's event the one that has to provide the code. False if
// another has to, or has.
func (d *dynamic) own(h *dynamicHandle) (owns, wait bool) {
	d.loader.mu.Lock()
	defer d.loader.mu.Unlock()
	if d.code != nil || d.err != nil {
		return false, false
	}
	if d.owner == nil {
		d.owner = h
		return true, false
	}
	return false, d.owner.event != h.event
}

func (d *dynamic) owns(h *dynamicHandle) bool {
	d.loader.mu.Lock()
	defer d.loader.mu.Unlock()
	return d.owner == h
}

// loaderWait is the operation of that name.
func (e *event) loaderWait(id uint32, message []byte) {
	in := e.in
	r := op.NewReader(message)
	handle := r.U32()
	err := r.Done()
	var h *dynamicHandle
	if err == nil {
		h, err = in.dynamicOf(handle)
	}
	if err != nil {
		in.fail1(id, err)
		return
	}
	d := h.dynamic
	x := &heir{in, id, h}
	if !in.stopper(id, func() {
		d.loader.mu.Lock()
		d.heirs = slices.DeleteFunc(d.heirs, func(y *heir) bool { return y == x })
		d.loader.mu.Unlock()
	}) {
		return
	}
	d.loader.mu.Lock()
	pending := d.code == nil && d.err == nil && !d.gone
	first := pending && d.owner == nil
	switch {
	case first:
		d.owner = h
	case pending:
		d.heirs = append(d.heirs, x)
	}
	d.loader.mu.Unlock()
	if first || !pending {
		x.settle(first)
	}
}

// ready waits until there is code, and is the worker that runs it.
func (d *dynamic) ready(ctx context.Context) (*Worker, error) {
	for {
		d.loader.mu.Lock()
		switch {
		case d.err != nil:
			err := d.err
			d.loader.mu.Unlock()
			return nil, err
		case d.gone:
			d.loader.mu.Unlock()
			return nil, ErrClosed
		case d.worker != nil:
			w := d.worker
			d.loader.mu.Unlock()
			return w, nil
		case d.code != nil:
			d.worker = d.make()
			w := d.worker
			d.loader.mu.Unlock()
			return w, nil
		}
		if d.waiting == nil {
			d.waiting = make(chan struct{})
		}
		waiting := d.waiting
		d.loader.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

const emptyMap = 0xA0 // of CBOR: an object without properties

// make makes the worker. The loader's lock is held.
func (d *dynamic) make() *Worker {
	parent := d.loader.parent
	def := Definition{
		Name: parent.def.Name + ":" + d.id, Tenant: parent.def.Tenant, Parent: parent.def.Name, ID: d.id, Version: parent.def.Version,
		Code: d.code, Env: d.env, Request: false, Depth: parent.def.Depth + 1,
		Policy: parent.def.Policy, Outbound: parent.def.Outbound, Blocked: parent.def.Blocked, Limits: parent.limits,
	}
	if def.Env == nil {
		def.Env = &rpc.Value{Message: []byte{emptyMap}}
	}
	inherits := true
	if p := d.policy; p != nil {
		def.Limits = def.Limits.Lower(p.limits)
		def.Tails = p.tails
		if p.blocked || p.outbound != nil {
			def.Blocked, def.Outbound, def.Policy = p.blocked, p.outbound, nil
			inherits = false
		}
	}
	if inherits && def.Outbound != nil {
		def.Outbound.Retain()
	}
	return parent.service.Worker(def)
}

// errAbandoned is what those wait for in vain who wait for code that an event
// was to provide which has ended.
var errAbandoned = &op.ErrorRecord{Name: "Error", Message: "The request which initiated this dynamic worker load has already completed."}
