package worker

import (
	"context"
	"errors"
	"sync"

	"mayfly/host/op"
	"mayfly/host/rpc"
)

// A dynamicEntrypoint is an entrypoint of a dynamic worker, which may not have
// its code yet: a Target that holds the worker.
type dynamicEntrypoint struct {
	dynamic *dynamic
	name    string
	limits  Limits

	mu     sync.Mutex
	props  rpc.Value
	target *Entrypoint // when the worker is there
	refs   int
}

// entrypoint makes one; it takes the props over.
func (d *dynamic) entrypoint(name string, props rpc.Value, limits Limits) *dynamicEntrypoint {
	d.hold()
	return &dynamicEntrypoint{dynamic: d, name: name, props: props, limits: limits, refs: 1}
}

func (t *dynamicEntrypoint) ready(ctx context.Context) (*Entrypoint, error) {
	t.mu.Lock()
	target := t.target
	t.mu.Unlock()
	if target != nil {
		return target, nil
	}
	w, err := t.dynamic.ready(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.target == nil {
		t.target = w.Entrypoint(t.name, t.props, t.limits)
	}
	return t.target, nil
}

// Fetch implements rpc.Target.
func (t *dynamicEntrypoint) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	target, err := t.ready(ctx)
	if err != nil {
		r.Body.Discard()
		return nil, err
	}
	response, err := target.Fetch(ctx, r)
	return response, startFailure(err)
}

// Call implements rpc.Target.
func (t *dynamicEntrypoint) Call(ctx context.Context, c *rpc.Call) (rpc.Value, error) {
	target, err := t.ready(ctx)
	if err != nil {
		c.Arguments.Release()
		return rpc.Value{}, err
	}
	v, err := target.Call(ctx, c)
	return v, startFailure(err)
}

// Retain implements rpc.Target.
func (t *dynamicEntrypoint) Retain() {
	t.mu.Lock()
	t.refs++
	t.mu.Unlock()
}

// Release implements rpc.Target.
func (t *dynamicEntrypoint) Release() {
	t.mu.Lock()
	t.refs--
	last := t.refs == 0
	t.mu.Unlock()
	if last {
		t.props.Release()
		t.dynamic.release()
	}
}

// startFailure is an error of a dynamic worker's start as its parent gets it:
// the user's own message and stack, in the words of Workers.
func startFailure(err error) error {
	var start *StartError
	if !errors.As(err, &start) {
		return err
	}
	e := start.Record
	message := "Failed to start Worker:\nUncaught " + e.Error()
	if e.Stack != "" {
		message += "\n" + e.Stack
	}
	return &op.ErrorRecord{Name: "Error", Message: message}
}

// errTravels is what is said of an entrypoint of a dynamic worker that is to be
// passed on: nobody else could load the worker.
var errTravels = &op.ErrorRecord{Name: "DataCloneError", Message: "Entrypoints to dynamically-loaded workers cannot be transferred to other Workers, because the system does not know how to reload this Worker from scratch. Instead, have the parent Worker expose an entrypoint which constructs the dynamic worker and forwards to it."}
