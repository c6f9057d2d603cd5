package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/host/vfs"
	"mayfly/runtime/isolate"
)

// A Worker is a definition that can be asked. It costs next to nothing until it
// is. It is safe for concurrent use.
type Worker struct {
	service *Service
	def     Definition
	limits  Limits
	program *isolate.Program
	layer   *vfs.Layer
	version *TraceVersion

	mu        sync.Mutex
	base      *base // nil: not yet evaluated
	building  chan struct{}
	rooted    bool // instances can't begin with a base: each evaluates the modules
	instances []*instance
	closed    bool
	loaders   map[string]*loader // by binding

	evaluated atomic.Int64 // processor time of evaluations that no trace has yet
	traced    atomic.Bool  // an event of it has ended
	blocks    atomic.Bool  // its code has waited in the middle of a turn
}

// Worker makes a worker of a definition.
func (s *Service) Worker(def Definition) *Worker {
	w := &Worker{service: s, def: def}
	if def.Version != "" {
		w.version = &TraceVersion{def.Version}
	}
	w.limits = def.Limits.or(s.config.Defaults).Lower(s.config.Caps)
	return w
}

// or is l with its zero fields taken from d.
func (l Limits) or(d Limits) Limits {
	if l.CPU == 0 {
		l.CPU = d.CPU
	}
	if l.Wall == 0 {
		l.Wall = d.Wall
	}
	if l.MemoryBytes == 0 {
		l.MemoryBytes = d.MemoryBytes
	}
	if l.Subrequests == 0 {
		l.Subrequests = d.Subrequests
	}
	return l
}

// Definition is what the worker was made of.
func (w *Worker) Definition() *Definition { return &w.def }

// ErrClosed says that a worker was closed.
var ErrClosed = errors.New("the Worker is no longer there")

// pick is an instance for one more event; it has to be given back by settled.
func (w *Worker) pick(ctx context.Context) (*instance, error) {
	for {
		w.mu.Lock()
		if w.closed {
			w.mu.Unlock()
			return nil, ErrClosed
		}
		if w.base != nil || w.rooted && len(w.instances) > 0 && !w.def.Request {
			in := w.choose()
			w.mu.Unlock()
			w.service.touch(in)
			return in, nil
		}
		if w.building == nil {
			done := make(chan struct{})
			w.building = done
			w.mu.Unlock()
			b, kept, err := w.build()
			w.mu.Lock()
			w.base, w.building = b, nil
			if kept != nil {
				w.rooted = true
				w.instances = append(w.instances, kept)
			}
			if err == nil && w.closed {
				err = ErrClosed
			}
			w.mu.Unlock()
			close(done)
			if err != nil {
				if kept != nil {
					kept.resident.Close(isolate.OK, "")
				}
				return nil, err
			}
			if kept != nil {
				w.service.touch(kept)
				return kept, nil
			}
			continue
		}
		wait := w.building
		w.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Evaluate has the worker's modules be evaluated, unless that was done: events find
// what they left, of other workers of the same code too. It answers the CPU time
// that it took, which no event's account has.
//
// # Errors
//
// A [*StartError] of the program's own, an [*OutcomeError] if it went past a limit,
// an [*execution.OverloadError] if the guest is not ready yet.
func (w *Worker) Evaluate(ctx context.Context) (cpu time.Duration, err error) {
	_, err = w.pick(ctx)
	return time.Duration(w.evaluated.Swap(0)), err
}

// Charge has the account of the worker's next event have CPU time of evaluating
// its modules before.
func (w *Worker) Charge(cpu time.Duration) { w.evaluated.Add(int64(cpu)) }

// crowded is how many events an instance has when the next one begins in another:
// requests that come one after the other meet in one, though the one before may
// have something to finish.
const crowded = 4

// choose is the oldest instance that isn't crowded, or a new one where there is a
// processor for it, or the one that has least to do. The lock is held.
func (w *Worker) choose() *instance {
	var best *instance
	full, most := int32(crowded), w.service.processors
	if w.blocks.Load() {
		full, most = 1, max(most, blockingInstances)
	}
	if !w.def.Request {
		for _, in := range w.instances {
			if best == nil || in.load.Load() < best.load.Load() {
				best = in
			}
			if in.load.Load() < full {
				best = in
				break
			}
		}
		if best != nil && (best.load.Load() < full || len(w.instances) >= most || w.base == nil) {
			best.used = time.Now()
			return best
		}
	}
	in := w.start(w.base)
	w.instances = append(w.instances, in)
	return in
}

// start makes an instance that goes on from a base.
func (w *Worker) start(b *base) *instance {
	in := newInstance(w)
	residence := isolate.Residence{Host: in, Tenant: w.def.Tenant, Memory: w.limits.MemoryBytes, Operations: maxOperations, Fork: true}
	in.base = b
	residence.Program, residence.From, in.hot = b.start()
	in.resident = w.service.config.Executions.Runtime().Reside(residence)
	in.iso = in.resident.Isolate()
	in.used = time.Now()
	return in
}

// retire forgets an instance that is over.
func (w *Worker) retire(in *instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.instances {
		if x == in {
			w.instances = append(w.instances[:i], w.instances[i+1:]...)
			break
		}
	}
	w.service.forget(in)
}

// settled says that an event of an instance has ended.
func (w *Worker) settled(in *instance) {
	if w.def.Request || w.isClosed() {
		if in.load.Load() == 0 {
			in.resident.Close(isolate.OK, "")
		}
	}
}

func (w *Worker) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// Close ends the worker: events under way end on their own, no new ones begin.
func (w *Worker) Close() {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.closed = true
	instances := append([]*instance(nil), w.instances...)
	b := w.base
	w.mu.Unlock()
	for _, in := range instances {
		if in.load.Load() == 0 {
			in.resident.Close(isolate.OK, "")
		}
	}
	if b != nil {
		b.release()
	}
	if w.def.Env != nil {
		w.def.Env.Release()
	}
	for _, t := range w.def.Tails {
		t.Release()
	}
	if w.def.Outbound != nil {
		w.def.Outbound.Release()
	}
}

// An Entrypoint is an entrypoint of a worker, with what it is given: a Target.
type Entrypoint struct {
	worker *Worker
	name   string
	props  rpc.Value // its capabilities are the entrypoint's
	limits Limits
}

// Entrypoint is an entrypoint of the worker: the default one if the name is
// empty. It takes the props over. Whether there is one of that name shows when
// it is asked.
func (w *Worker) Entrypoint(name string, props rpc.Value, limits Limits) *Entrypoint {
	return &Entrypoint{worker: w, name: name, props: props, limits: w.limits.Lower(limits)}
}

// Retain implements rpc.Target.
func (t *Entrypoint) Retain() {}

// Release implements rpc.Target.
func (t *Entrypoint) Release() {}

// begin makes an event for the entrypoint.
func (t *Entrypoint) begin(ctx context.Context, kind uint8, caller *rpc.Caller) (*event, error) {
	for {
		in, err := t.worker.pick(ctx)
		if err != nil {
			return nil, err
		}
		if e := in.begin(kind, caller, t.limits, nil); e != nil {
			e.trace.Entrypoint = t.name
			return e, nil
		}
		t.worker.retire(in) // it ended meanwhile
	}
}

// writeTo writes which entrypoint an event is for.
func (t *Entrypoint) writeTo(e *event, w *op.Writer) error {
	w.Str(t.name)
	props := rpc.Value{Message: t.props.Message, Caps: append([]rpc.Capability(nil), t.props.Caps...)}
	for _, c := range props.Caps {
		if c.Target != nil {
			c.Target.Retain()
		}
	}
	return e.in.writeValue(e, w, props)
}

// Fetch implements rpc.Target.
func (t *Entrypoint) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	e, err := t.begin(ctx, dispatchFetch, r.Caller)
	if err != nil {
		r.Body.Discard()
		return nil, err
	}
	if err := t.ask(e, nil, r); err != nil {
		return nil, err
	}
	a, err := e.wait(ctx)
	return a.response, err
}

// ask gives an event its request, in the turn of another isolate if one is
// given.
func (t *Entrypoint) ask(e *event, after *isolate.Isolate, r *rpc.Request) error {
	if t.worker.service.watched(t.worker) {
		e.trace.Event = fetchTrace(r)
	} else {
		e.trace.Event = &FetchTrace{}
	}
	w := e.dispatch(dispatchFetch, 512+len(r.Body.Bytes))
	if err := t.writeTo(e, w); err != nil {
		r.Body.Discard()
		e.finish("", err)
		return err
	}
	w.Str(r.Method)
	w.Str(r.URL)
	w.Pairs(r.Header)
	w.Bytes(r.CF)
	switch {
	case r.Body.Stream != nil:
		handle, err := e.in.addBody(e, bodyHandle{readable: r.Body.Stream})
		if err != nil {
			e.finish("", err)
			return err
		}
		w.U8(bodyStream)
		w.Bytes(nil)
		w.U32(handle)
	case r.Body.Bytes != nil:
		w.U8(bodyBytes)
		w.Bytes(r.Body.Bytes)
		w.U32(0)
	default:
		w.U8(bodyNull)
		w.Bytes(nil)
		w.U32(0)
	}
	e.send(after, w)
	return nil
}

// fetchTrace is a request as traces have it.
func fetchTrace(r *rpc.Request) *FetchTrace {
	headers := make(map[string]string, len(r.Header))
	for _, p := range r.Header {
		if old, ok := headers[p.Name]; ok {
			headers[p.Name] = old + ", " + p.Value
		} else {
			headers[p.Name] = p.Value
		}
	}
	return &FetchTrace{Request: FetchTraceRequest{Method: r.Method, URL: r.URL, Headers: headers, CF: r.CF}}
}

// Call implements rpc.Target.
func (t *Entrypoint) Call(ctx context.Context, c *rpc.Call) (rpc.Value, error) {
	e, err := t.begin(ctx, dispatchCall, c.Caller)
	if err != nil {
		c.Arguments.Release()
		return rpc.Value{}, err
	}
	e.trace.Event = &CallTrace{method(c)}
	var failed error
	v, err := e.call(ctx, c, func(w *op.Writer) {
		w.U8(0)
		failed = t.writeTo(e, w)
		w.U32(0)
	})
	if failed != nil {
		return rpc.Value{}, failed
	}
	return v, err
}

// Scheduled has the worker handle a time of its crons.
func (t *Entrypoint) Scheduled(ctx context.Context, at time.Time, cron string) error {
	e, err := t.begin(ctx, dispatchScheduled, nil)
	if err != nil {
		return err
	}
	e.trace.Event = &ScheduledTrace{at.UnixMilli(), cron}
	return e.simple(ctx, t, dispatchScheduled, func(w *op.Writer) {
		w.F64(float64(at.UnixMilli()))
		w.Str(cron)
	})
}

// Tail has the worker handle traces: a JSON array of them.
func (t *Entrypoint) Tail(ctx context.Context, items []byte, scripts []TailTraceItem) error {
	e, err := t.begin(ctx, dispatchTail, nil)
	if err != nil {
		return err
	}
	e.trace.Event = &TailTrace{scripts}
	return e.simple(ctx, t, dispatchTail, func(w *op.Writer) { w.Bytes(items) })
}

// simple dispatches an event whose answer says only whether it went well.
func (e *event) simple(ctx context.Context, t *Entrypoint, kind uint8, rest func(*op.Writer)) error {
	w := op.NewWriter(nil)
	if err := t.writeTo(e, w); err != nil {
		e.finish("", err)
		return err
	}
	rest(w)
	e.deliver(kind, w.Message())
	a, err := e.wait(ctx)
	a.value.Release()
	return err
}
