package worker

import (
	"fmt"
	"time"
	"unicode/utf8"

	"mayfly/host/op"
	"mayfly/host/rpc"
)

// A dynamicHandle is a dynamic worker that an event of an instance holds.
type dynamicHandle struct {
	dynamic *dynamic
	event   *event
}

// callLoader answers the operations of a loader.
func (in *instance) callLoader(o op.Op, r *op.Reader, w *op.Writer) error {
	e := in.turn()
	if e == nil {
		return errGlobalScope
	}
	switch o {
	case op.LoaderGet:
		return in.loaderGet(e, r, w)
	case op.LoaderProvide:
		return in.loaderProvide(e, r)
	}
	return in.loaderEntrypoint(e, r, w)
}

func (in *instance) loaderGet(e *event, r *op.Reader, w *op.Writer) error {
	handle, named, id := r.U32(), r.U8(), r.Str()
	if err := r.Done(); err != nil {
		return err
	}
	in.mu.Lock()
	known := handle > 0 && handle <= uint32(len(in.bound)) && in.bound[handle-1].Kind == KindLoader
	var name string
	if known {
		name = in.bound[handle-1].Name
	}
	full := len(e.dynamics) >= maxProvided
	in.mu.Unlock()
	switch {
	case !known:
		return fmt.Errorf("%d is no loader", handle)
	case full:
		return plainError("The event uses %d dynamic Workers already.", maxProvided)
	case in.worker.def.Depth >= maxLoaderDepth:
		return plainError("Dynamic Workers are nested too deeply: %d loaders led here.", maxLoaderDepth)
	case len(id) > maxID || !utf8.ValidString(id):
		return typeError("The id of a dynamic Worker is longer than %d bytes.", maxID)
	}
	l := in.worker.loader(name)
	var d *dynamic
	if named == 0 {
		d = l.anonymous()
	} else {
		var err error
		if d, _, err = l.find(id); err != nil {
			return err
		}
	}
	in.mu.Lock()
	if e.over {
		in.mu.Unlock()
		d.release()
		return errEventOver
	}
	for {
		in.loaded = (in.loaded + 1) | dynamicBit
		if _, taken := in.dynamics[in.loaded]; !taken {
			break
		}
	}
	if in.dynamics == nil {
		in.dynamics = map[uint32]*dynamicHandle{}
	}
	if e.dynamics == nil {
		e.dynamics = map[uint32]struct{}{}
	}
	h := &dynamicHandle{d, e}
	in.dynamics[in.loaded] = h
	e.dynamics[in.loaded] = struct{}{}
	w.U32(in.loaded)
	in.mu.Unlock()
	switch owns, wait := d.own(h); {
	case owns:
		w.U8(1)
	case wait:
		w.U8(2)
	default:
		w.U8(0)
	}
	return nil
}

// dynamicOf is the dynamic worker behind a handle.
func (in *instance) dynamicOf(handle uint32) (*dynamicHandle, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if h := in.dynamics[handle]; h != nil {
		return h, nil
	}
	return nil, plainError("This dynamic Worker was loaded by another request, which has ended: load it again.")
}

// dynamicBit marks the handles of dynamic workers, which are given up as stubs are.
const dynamicBit = 1 << 31

// releaseDynamic gives up one that the guest has no use for any more.
func (in *instance) releaseDynamic(handle uint32) {
	in.mu.Lock()
	h := in.dynamics[handle]
	if h != nil {
		delete(in.dynamics, handle)
		delete(h.event.dynamics, handle)
	}
	in.mu.Unlock()
	if h != nil {
		in.endDynamics([]*dynamicHandle{h})
	}
}

// endDynamics gives up the dynamic workers that an event holds. The lock is not
// held.
func (in *instance) endDynamics(handles []*dynamicHandle) {
	for _, h := range handles {
		if h.dynamic.owns(h) {
			h.dynamic.abandon()
		}
		h.dynamic.release()
	}
}

func (in *instance) loaderProvide(e *event, r *op.Reader) error {
	handle, given := r.U32(), r.U8()
	if err := r.Err(); err != nil {
		return err
	}
	h, err := in.dynamicOf(handle)
	if err != nil {
		return err
	}
	if given > 1 {
		return op.ErrMessage
	}
	if !h.dynamic.owns(h) {
		return plainError("The code of this dynamic Worker was given already.")
	}
	if given == 0 {
		record, err := op.ReadError(r)
		if err == nil {
			err = r.Done()
		}
		if err != nil {
			return err
		}
		h.dynamic.settle(nil, nil, nil, record)
		return nil
	}
	p, err := in.service.codes.decode(r.Rest(), time.Now())
	if err != nil {
		return err
	}
	env, policy, err := in.provided(e, p)
	if err != nil {
		return err
	}
	if !h.dynamic.settle(p.Code, env, policy, nil) {
		releaseAll(env, policy)
	}
	return nil
}

// provided takes what came with a worker's code from the guest.
func (in *instance) provided(e *event, p *Provided) (env *rpc.Value, policy *dynamicPolicy, err error) {
	policy = &dynamicPolicy{limits: p.Limits.limits(), blocked: p.Outbound == OutboundBlocked}
	defer func() {
		if err != nil {
			releaseAll(env, policy)
			env, policy = nil, nil
		}
	}()
	if p.HasEnv {
		env = &rpc.Value{Message: p.Env.Message}
		for _, h := range p.Env.Handles {
			if h.Kind != capTarget && h.Kind != capStub && h.Kind != capBinding {
				return env, policy, &op.ErrorRecord{Name: "DataCloneError", Message: "The env of a dynamic Worker can't have streams."}
			}
			c, err := in.capability(e, h.Kind, h.Number)
			if err != nil {
				return env, policy, err
			}
			env.Caps = append(env.Caps, c)
		}
	}
	target := func(h Handle) (rpc.Target, error) {
		c, err := in.capability(e, h.Kind, h.Number)
		if err != nil {
			return nil, err
		}
		if c.Target == nil {
			c.Release()
			return nil, typeError("A dynamic Worker's globalOutbound and tails must have the type 'Fetcher'.")
		}
		return c.Target, nil
	}
	if p.Outbound == OutboundTarget {
		if policy.outbound, err = target(p.Target); err != nil {
			return env, policy, err
		}
	}
	for _, h := range p.Tails {
		t, err := target(h)
		if err != nil {
			return env, policy, err
		}
		policy.tails = append(policy.tails, t)
	}
	if !policy.blocked && policy.outbound == nil && policy.tails == nil && policy.limits == (Limits{}) {
		policy = nil
	}
	return env, policy, nil
}

// limits are the ones of a worker or an entrypoint.
func (l *ProvidedLimits) limits() Limits {
	return Limits{
		CPU: duration(l.CPUMs), Wall: duration(l.WallMs),
		MemoryBytes: int64(min(l.MemoryMB, 1<<20) * (1 << 20)), Subrequests: int(min(l.Subrequests, 1<<30)),
	}
}

// duration is a number of milliseconds, bounded.
func duration(ms float64) time.Duration {
	return time.Duration(min(ms, 1<<40) * float64(time.Millisecond))
}

func (in *instance) loaderEntrypoint(e *event, r *op.Reader, w *op.Writer) error {
	handle, named, name := r.U32(), r.U8(), r.Str()
	props, err := in.readValue(e, r)
	limits := readLimits(r)
	if err == nil {
		err = r.Done()
	}
	if err == nil {
		err = limits.check()
	}
	var h *dynamicHandle
	if err == nil {
		h, err = in.dynamicOf(handle)
	}
	if err != nil {
		props.Release()
		return err
	}
	if named == 0 {
		name = ""
	}
	t := h.dynamic.entrypoint(name, props, limits.limits())
	stub, err := in.addStub(t, e)
	if err != nil {
		t.Release()
		return err
	}
	w.U32(stub)
	return nil
}
