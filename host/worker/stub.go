package worker

import (
	"context"
	"fmt"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
)

// A stub is a target that an instance holds, known to its guest by a handle.
type stub struct {
	target rpc.Target
	event  *event // that holds it; nil: the instance itself, for good
}

// permanentStubs are the handles of what env has: they are the same in every
// instance of a worker, as the base may know them.
const permanentStubs = 1 << 16

// Kinds of capabilities, as values on the wire have them.
const (
	capTarget   = 1
	capStub     = 2
	capReadable = 3
	capWritable = 4
	capBinding  = 5
	capBody     = 6
)

// maxCaps bounds the capabilities of one value.
const maxCaps = 10_000

// addStub gives a target a handle: it becomes the event's, or the instance's.
func (in *instance) addStub(t rpc.Target, e *event) (uint32, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if e != nil && (e.over || len(e.held) >= maxStubs) {
		if e.over {
			return 0, errEventOver
		}
		return 0, fmt.Errorf("the event holds %d stubs already: dispose of some", maxStubs)
	}
	for {
		in.stubbed++
		if in.stubbed <= permanentStubs {
			in.stubbed = permanentStubs + 1
		}
		if in.stubs[in.stubbed] == nil {
			break
		}
	}
	in.stubs[in.stubbed] = &stub{t, e}
	if e != nil {
		if e.held == nil {
			e.held = map[uint32]struct{}{}
		}
		e.held[in.stubbed] = struct{}{}
	}
	return in.stubbed, nil
}

// stub is the target behind a handle.
func (in *instance) stub(handle uint32) (rpc.Target, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if s := in.stubs[handle]; s != nil {
		return s.target, nil
	}
	return nil, &op.ErrorRecord{Name: "Error", Message: "RPC stub used after being disposed."}
}

func (in *instance) releaseStub(handle uint32) {
	if handle&dynamicBit != 0 {
		in.releaseDynamic(handle)
		return
	}
	in.mu.Lock()
	s := in.stubs[handle]
	if s != nil && handle > permanentStubs {
		delete(in.stubs, handle)
		if s.event != nil {
			delete(s.event.held, handle)
		}
	} else {
		s = nil
	}
	in.mu.Unlock()
	if s != nil {
		s.target.Release()
	}
}

// readValue takes a value from the guest, in the name of an event: its
// capabilities are then the value's.
func (in *instance) readValue(e *event, r *op.Reader) (v rpc.Value, err error) {
	message := r.Bytes()
	n := r.U32()
	if err := r.Err(); err != nil {
		return v, err
	}
	if len(message) > rpc.MaxValue {
		return v, &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf("Serialized RPC arguments or return values are limited to %d bytes, but the size of this value was: %d bytes.", rpc.MaxValue, len(message))}
	}
	if n > maxCaps {
		return v, fmt.Errorf("a value has %d capabilities, at most %d are allowed", n, maxCaps)
	}
	v.Message = append([]byte(nil), message...)
	for range n {
		kind, handle := r.U8(), r.U32()
		if err = r.Err(); err != nil {
			break
		}
		var c rpc.Capability
		if c, err = in.capability(e, kind, handle); err != nil {
			break
		}
		v.Caps = append(v.Caps, c)
	}
	if err != nil {
		v.Release()
	}
	return v, err
}

// capability is what the guest gives by a handle.
func (in *instance) capability(e *event, kind uint8, handle uint32) (c rpc.Capability, err error) {
	if kind == capBody {
		if isBinding(handle) && e != nil {
			c.Readable, err = in.bindingBody(e, handle)
		} else {
			c.Readable, err = in.takeBody(handle)
		}
		return c, err
	}
	if kind == capStub {
		// Without the lock: the target may be another instance's, which passes on
		// what is of this one, or this one's own.
		target, err := in.stub(handle)
		if err != nil {
			return c, err
		}
		if _, dynamic := target.(*dynamicEntrypoint); dynamic {
			return c, errTravels
		}
		target.Retain()
		return rpc.Capability{Target: target}, nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	switch kind {
	case capTarget:
		if e == nil || e.over {
			return c, errEventOver
		}
		x := in.exports[handle]
		if x == nil {
			x = &export{in: in, event: e, id: handle}
			in.exports[handle] = x
		}
		x.refs++
		x.given++
		return rpc.Capability{Target: x}, nil
	case capReadable, capWritable:
		b, ok := in.bodies[handle]
		if !ok || b.writable == nil || b.given {
			return c, fmt.Errorf("%#x is not the handle of a pipe to be passed on", handle)
		}
		b.given = true
		if kind == capReadable {
			in.bodies[handle] = b
			return rpc.Capability{Readable: b.writable}, nil
		}
		// The guest reads what the other side writes.
		b.readable, b.writable = b.writable, nil
		in.bodies[handle] = b
		return rpc.Capability{Writable: b.readable}, nil
	case capBinding:
		if handle == 0 || handle > uint32(len(in.bound)) {
			return c, fmt.Errorf("there is no such binding")
		}
		if policy, ok := in.worker.def.Bindings.Policies[handle]; ok {
			return rpc.Capability{Target: &network{service: in.service, tenant: in.worker.def.Tenant, policy: policy}}, nil
		}
		return rpc.Capability{Binding: &in.bound[handle-1]}, nil
	}
	return c, fmt.Errorf("%d is no kind of capability", kind)
}

// writeValue gives a value to the guest, in the name of an event: it takes the
// value's capabilities over.
func (in *instance) writeValue(e *event, w *op.Writer, v rpc.Value) error {
	w.Bytes(v.Message)
	w.U32(uint32(len(v.Caps)))
	for i, c := range v.Caps {
		kind, handle, err := in.receive(e, c)
		if err != nil {
			rest := rpc.Value{Caps: v.Caps[i:]}
			rest.Release()
			return err
		}
		w.U8(kind)
		w.U32(handle)
	}
	return nil
}

// receive gives a capability a handle of the instance's.
func (in *instance) receive(e *event, c rpc.Capability) (kind uint8, handle uint32, err error) {
	switch {
	case c.Target != nil:
		handle, err = in.addStub(c.Target, e)
		return capTarget, handle, err
	case c.Readable != nil:
		handle, err = in.addBody(e, bodyHandle{readable: c.Readable})
		return capReadable, handle, err
	case c.Writable != nil:
		handle, err = in.addBody(e, bodyHandle{writable: c.Writable, given: true})
		return capWritable, handle, err
	case c.Binding != nil:
		return capBinding, in.addBinding(*c.Binding), nil
	}
	return 0, 0, fmt.Errorf("an empty capability")
}

// addBinding makes a binding one of the instance's.
func (in *instance) addBinding(b binding.Entry) uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.bound = append(in.bound, b)
	if in.bindings != nil {
		in.bindings.Add(b)
	}
	return uint32(len(in.bound))
}

// An export is an object or a function that an event of an instance has given
// out. Whoever holds it calls it there.
type export struct {
	in    *instance
	event *event
	id    uint32
	refs  int    // under the instance's lock
	given uint32 // how often
}

// Retain implements rpc.Target.
func (x *export) Retain() {
	x.in.mu.Lock()
	x.refs++
	x.in.mu.Unlock()
}

// Release implements rpc.Target: with the last hold the guest lets go, too.
func (x *export) Release() {
	in := x.in
	in.mu.Lock()
	x.refs--
	gone := x.refs == 0 && in.exports[x.id] == x
	if gone {
		delete(in.exports, x.id)
	}
	over := x.event.over
	in.mu.Unlock()
	if gone && !over {
		w := op.NewWriter(nil)
		w.U32(x.id)
		w.U32(x.given)
		x.event.deliver(dispatchRelease, w.Message())
	}
}

var errStubOver = &op.ErrorRecord{Name: "Error", Message: "The execution context which hosted this callback is no longer running."}

// Fetch implements rpc.Target: an exported object answers it as a call.
func (x *export) Fetch(context.Context, *rpc.Request) (*rpc.Response, error) {
	return nil, &op.ErrorRecord{Name: "TypeError", Message: `The RPC receiver does not implement the method "fetch".`}
}

// Call implements rpc.Target.
func (x *export) Call(ctx context.Context, c *rpc.Call) (rpc.Value, error) {
	return x.start(c, nil)(ctx)
}

// start delivers a call, so that it comes before those that start later, and
// answers a function that waits for its result. It may be called in the turn of
// another isolate.
func (x *export) start(c *rpc.Call, after *isolate.Isolate) func(context.Context) (rpc.Value, error) {
	fail := func(err error) func(context.Context) (rpc.Value, error) {
		return func(context.Context) (rpc.Value, error) { return rpc.Value{}, err }
	}
	x.in.mu.Lock()
	over := x.event.over || x.in.over
	x.in.mu.Unlock()
	if over {
		c.Arguments.Release()
		return fail(errStubOver)
	}
	// What the call gets and begins belongs to the event that gave the object out.
	e := x.in.begin(dispatchCall, c.Caller, x.event.limits, nil)
	if e != nil && !e.within(x.event) {
		e.finish(isolate.Canceled, nil)
		e = nil
	}
	if e == nil {
		c.Arguments.Release()
		return fail(errStubOver)
	}
	e.trace.Event = &CallTrace{method(c)}
	err := e.sendCall(c, after, func(w *op.Writer) {
		w.U8(1)
		w.Str("")
		w.Bytes(nil)
		w.U32(0)
		w.U32(x.id)
	})
	if err != nil {
		return fail(err)
	}
	return e.result
}

// within makes an event part of another, unless that is over.
func (e *event) within(context *event) bool {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if context.over {
		return false
	}
	if context.calls == nil {
		context.calls = map[*event]struct{}{}
	}
	context.calls[e] = struct{}{}
	e.context = context
	return true
}

// method is the name that traces show of a call.
func method(c *rpc.Call) string {
	if len(c.Path) == 0 {
		return ""
	}
	return c.Path[len(c.Path)-1]
}

// call dispatches a call and waits for its result; target writes what is called.
func (e *event) call(ctx context.Context, c *rpc.Call, target func(*op.Writer)) (rpc.Value, error) {
	if err := e.sendCall(c, nil, target); err != nil {
		return rpc.Value{}, err
	}
	return e.result(ctx)
}

func (e *event) sendCall(c *rpc.Call, after *isolate.Isolate, target func(*op.Writer)) error {
	w := e.dispatch(dispatchCall, 64+len(c.Arguments.Message))
	target(w)
	if c.Get {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Strs(c.Path)
	if err := e.in.writeValue(e.context, w, c.Arguments); err != nil {
		e.finish("", err)
		return err
	}
	e.send(after, w)
	return nil
}

func (e *event) result(ctx context.Context) (rpc.Value, error) {
	a, err := e.wait(ctx)
	return a.value, err
}

// callStub is the operation stub_call.
func (e *event) callStub(id uint32, message []byte) {
	in := e.in
	r := op.NewReader(message)
	handle, get := r.U32(), r.U8()
	path := r.Strs()
	arguments, err := in.readValue(e, r)
	if err == nil {
		err = r.Done()
	}
	var target rpc.Target
	if err == nil {
		target, err = in.stub(handle)
	}
	switch {
	case err != nil:
	case len(path) > rpc.MaxPath:
		err = &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf("A path of %d properties is too long: at most %d are allowed.", len(path), rpc.MaxPath)}
	default:
		err = e.spend()
	}
	if err != nil {
		arguments.Release()
		in.fail1(id, err)
		return
	}
	target.Retain()
	caller := e.asking()
	call := &rpc.Call{Get: get == 1, Path: path, Arguments: arguments, Caller: &caller}
	if e.callNow(id, target, call) {
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if !in.stopper(id, func() { cancel(errAborted) }) {
		cancel(nil)
		arguments.Release()
		target.Release()
		return
	}
	result := func(ctx context.Context) (rpc.Value, error) { return target.Call(ctx, call) }
	if x, ok := target.(*export); ok {
		result = x.start(call, in.iso)
	}
	go func() {
		defer cancel(nil)
		defer target.Release()
		v, err := result(ctx)
		if err != nil {
			in.fail1(id, err)
			return
		}
		w := op.NewWriter(make([]byte, 0, 16+len(v.Message)))
		if err := in.writeValue(e, w, v); err != nil {
			in.fail1(id, err)
			return
		}
		in.Settle(id, true, w.Message())
	}()
}

var errAborted = &op.ErrorRecord{Name: "AbortError", Message: "The operation was aborted"}

// asking is on whose account the event asks others: as deep in a chain as the
// deepest of the calls that are part of it.
func (e *event) asking() rpc.Caller {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	caller := e.caller
	for c := range e.calls {
		caller.Depth = max(caller.Depth, c.caller.Depth)
	}
	return caller
}

// spend counts a subrequest that is not the network's.
func (e *event) spend() error {
	if e.asking().Depth >= rpc.MaxDepth {
		return &op.ErrorRecord{Name: "Error", Message: fmt.Sprintf("Subrequest depth limit exceeded: %d Workers have called one another. Is there a loop?", rpc.MaxDepth)}
	}
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if limit := e.limits.Subrequests; limit != 0 && e.spent >= limit { // below zero: none
		return errSubrequests(max(limit, 0))
	}
	e.spent++
	return nil
}

func errSubrequests(limit int) error {
	return &op.ErrorRecord{Name: "Error", Message: fmt.Sprintf("Too many subrequests (limit %d)", limit)}
}

// answer is the operation answer.
func (in *instance) answer(r *op.Reader) error {
	id := r.U32()
	in.mu.Lock()
	e := in.events[id]
	in.mu.Unlock()
	if e == nil {
		return nil // it was ended meanwhile
	}
	v, err := in.readValue(e.context, r)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		v.Release()
		return err
	}
	a := outcome{value: v, after: in.iso}
	if !e.give(a) {
		a.discard()
	}
	return nil
}

// A Pipe of the guest's that it passes on, or that it reads.
func (in *instance) openPipe(w *op.Writer) error {
	e := in.turn()
	if e == nil {
		return errGlobalScope
	}
	handle, err := in.addBody(e, bodyHandle{writable: pipe.New()})
	if err == nil {
		w.U32(handle)
	}
	return err
}
