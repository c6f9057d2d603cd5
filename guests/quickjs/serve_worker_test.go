package quickjs

import (
	"cmp"
	"slices"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// Kinds of dispatched events, as the event dispatch numbers them.
const (
	dispatchFetch = iota + 1
	dispatchCall
	dispatchScheduled
	dispatchTail
	dispatchAbort
	dispatchRelease
	dispatchEnd
)

// A worker is a life that serves.
type worker struct {
	*life
	host *workerHost
	last uint32 // the last event
}

// A workerHost is a host that remembers what the events of a worker came to.
type workerHost struct {
	*host
	responses map[uint32]*answered
	answers   map[uint32]string // their messages
	failed    []eventFailure
	done      []uint32
	logs      []logged
	env       []byte // the answer to environment, or nil
	handle    uint32
	canceled  []uint32 // bodies
	loopbacks []string
}

type answered struct {
	status     uint32
	statusText string
	headers    []op.Pair
	kind       uint8
	body       string
	handle     uint32
}

type eventFailure struct {
	event  uint32
	origin uint8
	*op.ErrorRecord
}

type logged struct {
	level         uint8
	text, message string
}

func (h *workerHost) Call(number uint32, in, out []byte) ([]byte, bool) {
	r := op.NewReader(in)
	w := op.NewWriter(out)
	switch op.Op(number) {
	case op.Respond:
		event := r.U32()
		x := &answered{status: r.U32(), statusText: r.Str(), headers: r.Pairs(), kind: r.U8(), body: r.Str()}
		if x.kind == 2 || x.kind == 4 {
			h.handle++
			x.handle = h.handle
		}
		h.responses[event] = x
		w.U32(x.handle)
	case op.Answer:
		event := r.U32()
		h.answers[event] = string(r.Bytes())
		for range r.U32() {
			r.U8()
			r.U32()
		}
	case op.EventFail:
		event, origin := r.U32(), r.U8()
		record, err := op.ReadError(r)
		if err != nil {
			h.t.Error(err)
			return nil, true
		}
		h.failed = append(h.failed, eventFailure{event, origin, record})
	case op.EventDone:
		h.done = append(h.done, r.U32())
	case op.Log:
		h.logs = append(h.logs, logged{r.U8(), r.Str(), string(r.Bytes())})
	case op.Environment:
		if h.env != nil {
			return append(out[:0], h.env...), true
		}
		w.U8(0)
		w.Bytes(nil)
		w.U32(0)
	case op.Loopback:
		h.loopbacks = append(h.loopbacks, r.Str())
		r.Bytes()
		r.U32()
		w.U32(77)
	case op.BodyCancel:
		h.canceled = append(h.canceled, r.U32())
	case op.StubRelease:
		r.U32()
	case op.Resolve:
		r.Str()
		if r.Str() == "cloudflare:workers" {
			w.Str("node:cloudflare-workers")
			return w.Message(), true
		}
		return h.host.Call(number, in, out)
	default:
		return h.host.Call(number, in, out)
	}
	if err := r.Done(); err != nil {
		h.t.Errorf("%v: %v", op.Op(number), err)
	}
	return w.Message(), true
}

// serveMessage is the message of the event serve.
func serveMessage(main string, eval bool) []byte {
	w := op.NewWriter(nil)
	if eval {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Str(main)
	w.Pairs([]op.Pair{{Name: "KEY", Value: "value"}})
	w.Str("/")
	return w.Message()
}

// serving evaluates a worker's modules in a clone: main.js, which is source, and
// files.
func serving(t testing.TB, c *clone, source string, files map[string]string) *worker {
	t.Helper()
	all := map[string]string{"main.js": source}
	for name, text := range files {
		all[name] = text
	}
	h := &workerHost{host: &host{t: t, files: all}, responses: map[uint32]*answered{}, answers: map[uint32]string{}, handle: 0xC0000000}
	w := &worker{life: &life{host: h.host, t: t, clone: c}, host: h}
	c.in.SetData(isolate.Port(h))
	if err := c.machine.Begin(isolate.Life{Seed: 42, MemoryBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	w.status, w.err = c.machine.Event(uint32(op.EventServe), serveMessage("main.js", false))
	return w
}

// serve serves a worker that has to begin well.
func serve(t testing.TB, source string) *worker {
	t.Helper()
	w := serving(t, newClone(t), source, nil)
	w.begun()
	return w
}

func (w *worker) begun() {
	w.t.Helper()
	for _, f := range w.failures {
		w.t.Fatalf("failed (%d): %v\n%s", f.origin, f.ErrorRecord, f.Stack)
	}
	if w.err != nil || w.status != isolate.Done {
		w.t.Fatalf("status %v, error %v", w.status, w.err)
	}
}

// A request is a dispatched fetch.
type request struct {
	entrypoint string
	props      []byte // a value, or nil
	method     string
	url        string
	headers    []op.Pair
	cf         string
	body       string
	handle     uint32 // of a streamed body
}

func (q request) message() []byte {
	w := op.NewWriter(nil)
	w.Str(q.entrypoint)
	if q.props != nil {
		w.Raw(q.props)
	} else {
		w.U32(0)
		w.U32(0)
	}
	w.Str(cmp.Or(q.method, "GET"))
	w.Str(cmp.Or(q.url, "http://a.test/"))
	w.Pairs(q.headers)
	w.Str(q.cf)
	switch {
	case q.handle != 0:
		w.U8(2)
	case q.body != "":
		w.U8(1)
	default:
		w.U8(0)
	}
	w.Str(q.body)
	w.U32(q.handle)
	return w.Message()
}

// dispatch delivers an event.
func (w *worker) dispatch(event uint32, kind uint8, message []byte) {
	m := op.NewWriter(nil)
	m.U32(event)
	m.U8(kind)
	m.Bytes(message)
	w.status, w.err = w.clone.machine.Event(uint32(op.EventDispatch), m.Message())
}

// fetch dispatches a fetch: its number.
func (w *worker) fetch(q request) uint32 {
	w.t.Helper()
	w.last++
	w.dispatch(w.last, dispatchFetch, q.message())
	if w.err != nil {
		w.t.Fatal(w.err)
	}
	return w.last
}

// get is a fetch that has to be answered, and to be over, when nothing is
// pending any more.
func (w *worker) get(q request) *answered {
	w.t.Helper()
	event := w.fetch(q)
	w.settleAll()
	for _, f := range w.host.failed {
		w.t.Fatalf("event %d failed (%d): %v\n%s", f.event, f.origin, f.ErrorRecord, f.Stack)
	}
	x := w.host.responses[event]
	if x == nil {
		w.t.Fatalf("no response; status %v", w.status)
	}
	if !slices.Contains(w.host.done, event) {
		w.t.Fatalf("the event is not over")
	}
	return x
}

// text is the body of a response to a plain request.
func (w *worker) text(q request) string {
	w.t.Helper()
	x := w.get(q)
	if x.status != 200 || x.kind != 1 {
		w.t.Fatalf("response %+v", x)
	}
	return x.body
}

// take is the oldest pending operation of a kind, which it has to have.
func (w *worker) take(o op.Op) started {
	w.t.Helper()
	for i, s := range w.pending {
		if s.op == o {
			w.pending = append(w.pending[:i], w.pending[i+1:]...)
			return s
		}
	}
	w.t.Fatalf("no %v is pending, but %v", o, w.pending)
	return started{}
}

func header(x *answered, name string) string {
	for _, h := range x.headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}
