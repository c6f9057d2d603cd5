package worker

import (
	"context"

	"mayfly/host/op"
	"mayfly/host/rpc"
)

// A Direct is a target that may be able to begin at once. Who asks needs no
// goroutine then that waits for the answer, and calls come in the order in which
// they were made.
type Direct interface {
	rpc.Target
	// Now is the entrypoint that answers; nil where that is not known yet.
	Now() *Entrypoint
}

var (
	_ Direct = (*Entrypoint)(nil)
	_ Direct = (*dynamicEntrypoint)(nil)
)

// Now implements [Direct].
func (t *Entrypoint) Now() *Entrypoint { return t }

// Now implements [Direct].
func (t *dynamicEntrypoint) Now() *Entrypoint {
	t.mu.Lock()
	target := t.target
	t.mu.Unlock()
	if target != nil {
		return target
	}
	d := t.dynamic
	d.loader.mu.Lock()
	there := d.err == nil && !d.gone && d.code != nil
	d.loader.mu.Unlock()
	if !there {
		return nil
	}
	target, _ = t.ready(context.Background()) // which has nothing to wait for
	return target
}

// beginNow makes an event for the entrypoint, if the worker's base is there; nil
// otherwise. done gets its answer.
func (t *Entrypoint) beginNow(kind uint8, caller *rpc.Caller, done func(outcome)) *event {
	w := t.worker
	w.mu.Lock()
	if w.base == nil && w.building == nil && !w.closed && w.prepare() == nil && w.def.Code != nil {
		w.base, _ = w.service.bases.get(w.baseKey())
	}
	if w.closed || w.base == nil {
		w.mu.Unlock()
		return nil
	}
	in := w.choose()
	w.mu.Unlock()
	w.service.touch(in)
	e := in.begin(kind, caller, t.limits, done)
	if e != nil {
		e.trace.Entrypoint = t.name
	}
	return e
}

// fetchNow has a direct target answer a fetch, and reports whether it could. The
// rest is as with fetchTarget.
func (e *event) fetchNow(id uint32, target rpc.Target, r *rpc.Request, redirect uint8) bool {
	d, ok := target.(Direct)
	if !ok {
		return false
	}
	entrypoint := d.Now()
	if entrypoint == nil {
		return false
	}
	in := e.in
	asked := entrypoint.beginNow(dispatchFetch, r.Caller, func(a outcome) {
		switch {
		case a.err != nil:
			target.Release()
			in.fail1(id, streamError(a.err))
		case redirect != redirectManual && leadsOn(a.response):
			go func() {
				defer target.Release()
				response, err := follow(context.Background(), target, r, redirect, a.response)
				if err != nil {
					in.fail1(id, streamError(err))
					return
				}
				e.arrived(nil, id, r, response)
			}()
		default:
			e.arrived(a.after, id, r, a.response)
			target.Release()
		}
	})
	if asked == nil {
		return false
	}
	stop := func() {
		if r.Body.Stream != nil {
			r.Body.Stream.End(errAborted)
		}
		asked.abandon()
	}
	if !in.stopper(id, stop) {
		asked.finish("", errAborted)
		return true
	}
	// An error is the answer.
	_ = entrypoint.ask(asked, in.iso, r)
	return true
}

// callNow has a direct target answer a call, and reports whether it could.
func (e *event) callNow(id uint32, target rpc.Target, c *rpc.Call) bool {
	d, ok := target.(Direct)
	if !ok {
		return false
	}
	entrypoint := d.Now()
	if entrypoint == nil {
		return false
	}
	in := e.in
	asked := entrypoint.beginNow(dispatchCall, c.Caller, func(a outcome) {
		target.Release()
		if a.err != nil {
			in.fail1(id, a.err)
			return
		}
		w := op.NewWriter(make([]byte, 0, 16+len(a.value.Message)))
		if err := in.writeValue(e, w, a.value); err != nil {
			in.fail1(id, err)
			return
		}
		in.settleAfter(a.after, id, true, w.Message())
	})
	if asked == nil {
		return false
	}
	asked.trace.Event = &CallTrace{method(c)}
	if !in.stopper(id, asked.abandon) {
		asked.finish("", errAborted)
		return true
	}
	_ = asked.sendCall(c, in.iso, func(w *op.Writer) {
		w.U8(0)
		if err := entrypoint.writeTo(asked, w); err != nil {
			asked.finish("", err)
		}
		w.U32(0)
	})
	return true
}
