package quickjs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	w.Str(cmpOr(q.method, "GET"))
	w.Str(cmpOr(q.url, "http://a.test/"))
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

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
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

func TestServe(t *testing.T) {
	for name, test := range map[string]struct {
		source string
		want   string
	}{
		"object":        {"export default { fetch() { return new Response('hi') } }", "hi"},
		"async":         {"export default { async fetch() { await 1; return new Response('hi') } }", "hi"},
		"this":          {"export default { a: 'own', fetch() { return new Response(this.a) } }", "own"},
		"arguments":     {"export default { fetch(...a) { return new Response(a.map((x) => x.constructor.name)) } }", "Request,Object,ExecutionContext"},
		"request":       {"export default { fetch(r) { return new Response([r.method, r.url, r.redirect, r.body, r.headers.get('x')]) } }", "GET,http://a.test/?q,manual,,ä"},
		"class":         {"import { WorkerEntrypoint } from 'cloudflare:workers'; export default class extends WorkerEntrypoint { fetch(r) { return new Response([this.env.KEY, typeof this.ctx.waitUntil, r.method, arguments.length]) } }", "value,function,GET,1"},
		"constructor":   {"import { WorkerEntrypoint } from 'cloudflare:workers'; let n = 0; export default class extends WorkerEntrypoint { constructor(ctx, env) { super(ctx, env); n++ } fetch() { return new Response(String(n)) } }", "1"},
		"environment":   {"import { env } from 'cloudflare:workers'; export default { fetch(r, e) { return new Response([e.KEY, env.KEY, process.env.KEY, env === env]) } }", "value,value,value,true"},
		"with env":      {"import { env, withEnv } from 'cloudflare:workers'; export default { async fetch(r, e) { const seen = await withEnv({ KEY: 'other' }, async () => { await 1; return env.KEY + Object.keys(env) }); return new Response([seen, env.KEY, e.KEY]) } }", "otherKEY,value,value"},
		"props":         {"export default { fetch(r, e, ctx) { return new Response(JSON.stringify(ctx.props)) } }", "{}"},
		"state":         {"let n = 1; export default { fetch() { return new Response(String(++n)) } }", "2"},
		"timer":         {"export default { async fetch() { await new Promise((r) => setTimeout(r, 10)); return new Response('late') } }", "late"},
		"thenable":      {"export default { fetch() { return { then(f) { f(new Response('then')) } } } }", "then"},
		"imports":       {"import a from './a.js'; export default { fetch: () => new Response(a) }", "module a"},
		"late import":   {"export default { fetch: async () => new Response((await import('./a.js')).default) }", "module a"},
		"top await":     {"const a = await Promise.resolve('x'); export default { fetch: () => new Response(a) }", "x"},
		"listener":      {"addEventListener('fetch', (e) => { e.waitUntil(1); e.respondWith(new Response(e.type + e.request.method)) })", "fetchGET"},
		"listens later": {"addEventListener('fetch', (e) => e.respondWith((async () => { await 1; return new Response('async') })()))", "async"},
		"cf":            {"export default { fetch(r) { return new Response(JSON.stringify([r.cf, r.cf === r.cf, r.clone().cf.a, new Request(r).cf.a, new Request(r, { cf: { b: 1 } }).cf, new Request('http://a.test/').cf])) } }", `[{"a":[1]},true,[1],[1],{"b":1},null]`},
		"node":          {"import { Buffer } from 'node:buffer'; export default { fetch() { return new Response(Buffer.from('aGk=', 'base64').toString()) } }", "hi"},
		"bytes":         {"export default { fetch() { return new Response(new Uint8Array([104, 105])) } }", "hi"},
		"eval":          {"export default { fetch() { try { eval('1') } catch (e) { return new Response(e.name) } } }", "EvalError"},
		"exports":       {"export default { fetch(r, env, ctx) { return new Response([typeof ctx.exports.Other.fetch, 'Other' in ctx.exports]) } }; export const Other = { fetch() {} }", "function,true"},
		"caught":        {"export default { async fetch() { const p = Promise.reject(new Error('x')); try { await p } catch (e) { return new Response(e.message) } } }", "x"},
		"global listener": {`addEventListener('unhandledrejection', (e) => { e.preventDefault(); globalThis.seen = e.reason.message });
			export default { async fetch() { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1)); return new Response(seen) } }`, "lost"},
		"process.on": {`process.on('uncaughtException', (e) => { globalThis.seen = e.message });
			export default { async fetch() { setTimeout(() => { throw new Error('thrown') }, 1); await new Promise((r) => setTimeout(r, 2)); return new Response(seen) } }`, "thrown"},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving(t, newClone(t), test.source, map[string]string{"a.js": "export default 'module a'"})
			w.begun()
			q := request{}
			switch name {
			case "request":
				q = request{url: "http://a.test/?q", headers: []op.Pair{{Name: "X", Value: "ä"}}}
			case "cf":
				q = request{cf: `{"a":[1]}`}
			}
			if got := w.text(q); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestServeFails(t *testing.T) {
	for name, test := range map[string]struct {
		source        string
		kind, message string
	}{
		"throws":     {"throw new RangeError('no'); export default {}", "RangeError", "no"},
		"rejects":    {"await Promise.reject(new TypeError('no')); export default {}", "TypeError", "no"},
		"syntax":     {"export default {", "SyntaxError", "invalid property name"},
		"import":     {"import './none.js'", "Error", "Cannot find module './none.js'"},
		"imported":   {"import './a.js'", "Error", "from a"},
		"rejection":  {"Promise.reject(new Error('lost')); export default {}", "Error", "lost"},
		"never":      {"await new Promise(() => {}); export default {}", "Error", "Top-level await in module is not settled: what it waits for can only come in a handler."},
		"eval":       {"eval('1')", "EvalError", "Code generation from strings disallowed for this context"},
		"in a job":   {"queueMicrotask(() => { throw new Error('job') }); export default {}", "Error", "job"},
		"not a file": {"import 'node:nothing'", "TypeError", "No such built-in module: node:nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving(t, newClone(t), test.source, map[string]string{"a.js": "throw new Error('from a')"})
			w.settleAll()
			if w.err != nil || len(w.failures) == 0 {
				t.Fatalf("error %v, failures %v", w.err, w.failures)
			}
			f := w.failures[0]
			if f.Name != test.kind || !strings.HasPrefix(f.Message, test.message) {
				t.Errorf("%s: %s", f.Name, f.Message)
			}
			w.dispatch(1, dispatchFetch, request{}.message())
			if w.err == nil {
				t.Error("an event is taken after a failed start")
			}
		})
	}
}

func TestDispatchFails(t *testing.T) {
	const entrypoint = "import { WorkerEntrypoint, DurableObject, WorkflowEntrypoint } from 'cloudflare:workers'; export class Named extends WorkerEntrypoint { fetch() { return new Response('named') } }; export const plain = {}; export const text = 'x'; export class Other {}; "
	for name, test := range map[string]struct {
		source, entrypoint string
		origin             uint8
		kind, message      string
	}{
		"throws":           {"export default { fetch() { throw new RangeError('no') } }", "", 0, "RangeError", "no"},
		"rejects":          {"export default { async fetch() { await 1; throw new RangeError('no') } }", "", 0, "RangeError", "no"},
		"passes through":   {"export default { fetch(r, e, ctx) { ctx.passThroughOnException(); throw new RangeError('no') } }", "", 128, "RangeError", "no"},
		"a value":          {"export default { fetch() { throw 1 } }", "", 0, "Uncaught", "1"},
		"no response":      {"export default { fetch() { return 'x' } }", "", 0, "TypeError", "Incorrect type for Promise: the Promise did not resolve to 'Response'."},
		"undefined":        {"export default { fetch() {} }", "", 0, "TypeError", "Incorrect type for Promise: the Promise did not resolve to 'Response'."},
		"no handler":       {"export default { scheduled() {} }", "", 0, "TypeError", "Handler does not export a fetch() function."},
		"no default":       {entrypoint, "", 0, "Error", "Worker has no default entrypoint."},
		"no such":          {entrypoint, "None", 0, "Error", "Worker has no such entrypoint: None"},
		"text":             {entrypoint, "text", 0, "Error", "Worker has no such entrypoint: text"},
		"other class":      {entrypoint, "Other", 0, "Error", "Worker has no such entrypoint: Other"},
		"inherited":        {entrypoint, "toString", 0, "Error", "Worker has no such entrypoint: toString"},
		"plain":            {entrypoint, "plain", 0, "TypeError", "Handler does not export a fetch() function."},
		"a function":       {"export default function () {}", "", 0, "Error", "Worker has no default entrypoint."},
		"used":             {"export default { async fetch() { const r = new Response('x'); await r.text(); return r } }", "", 0, "TypeError", ""},
		"locked":           {"export default { fetch() { const r = new Response(new ReadableStream()); r.body.getReader(); return r } }", "", 0, "TypeError", ""},
		"an error":         {"export default { fetch() { return Response.error() } }", "", 0, "TypeError", "Return value is Response.error(), which can't be sent."},
		"hangs":            {"export default { fetch() { return new Promise(() => {}) } }", "", 0, "Error", "The Workers runtime canceled this request because it detected that your Worker's code had hung and would never generate a response. Refer to: https://developers.cloudflare.com/workers/observability/errors/"},
		"not listened":     {"addEventListener('fetch', () => {})", "", 0, "TypeError", "No listener of the event fetch called respondWith()."},
		"in a constructor": {"import { WorkerEntrypoint } from 'cloudflare:workers'; export default class extends WorkerEntrypoint { constructor() { throw new Error('made') } }", "", 0, "", "made"},
		"uncaught":         {"export default { fetch() { setTimeout(() => { throw new Error('later') }, 1); return new Promise((r) => setTimeout(r, 2, new Response())) } }", "", 1, "Error", "later"},
		"rejection":        {"export default { fetch() { Promise.reject(new Error('lost')); return new Response() } }", "", 2, "Error", "lost"},
		"wait until":       {"export default { fetch(r, e, ctx) { ctx.waitUntil(Promise.reject(new Error('after'))); return new Response() } }", "", 2, "Error", "after"},
		"recursion":        {"export default { fetch() { return this.fetch() } }", "", 0, "RangeError", "Maximum call stack size exceeded"},
		"in the stream":    {"export default { fetch() { return new Response(new ReadableStream({ pull() { throw new Error('source') } })) } }", "", 1, "Error", "source"},
		"text in a stream": {"export default { fetch() { return new Response(new ReadableStream({ start(c) { c.enqueue('x') } })) } }", "", 1, "TypeError", "This TransformStream is being used as a byte stream, but received a string on its writable side. If you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, test.source)
			for range 2 { // the second is served by a worker that has failed before
				w.host.failed = nil
				event := w.fetch(request{entrypoint: test.entrypoint})
				w.settleAll()
				if w.err != nil || len(w.host.failed) != 1 {
					t.Fatalf("error %v, failures %v", w.err, w.host.failed)
				}
				f := w.host.failed[0]
				if f.event != event || f.origin != test.origin || test.kind != "" && f.Name != test.kind || test.message != "" && f.Message != test.message {
					t.Errorf("event %d failed (%d) %q: %q", f.event, f.origin, f.Name, f.Message)
				}
				if strings.Contains(f.Stack, "mayfly:") {
					t.Errorf("the stack shows our files:\n%s", f.Stack)
				}
				if n := len(w.host.done); n == 0 || w.host.done[n-1] != event {
					t.Errorf("the event is not over: %v", w.host.done)
				}
			}
		})
	}
}

func TestEntrypoints(t *testing.T) {
	w := serve(t, `import { WorkerEntrypoint, DurableObject } from 'cloudflare:workers';
		export class Named extends WorkerEntrypoint { fetch() { return new Response('named' + (this instanceof Named)) } }
		export class Derived extends Named {}
		export const plain = { fetch(r, env, ctx) { return new Response('plain' + env.KEY + ctx.props.a) } };
		export class Object extends DurableObject {}
		export { plain as default };
		export const made = { fetch() { return new Response(String(new Object())) } };`)
	for name, want := range map[string]string{"Named": "namedtrue", "Derived": "namedtrue", "plain": "plainvalueundefined", "": "plainvalueundefined", "default": "plainvalueundefined"} {
		if got := w.text(request{entrypoint: name}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	w.fetch(request{entrypoint: "made"})
	if f := w.host.failed[0]; f.Message != "DurableObject is not supported here yet" {
		t.Errorf("%v", f)
	}
}

// The methods with which a response's body goes to the host.
func TestResponses(t *testing.T) {
	w := serve(t, `export default { async fetch(r) {
		switch (new URL(r.url).pathname) {
			case "/null": return new Response(null, { status: 204, statusText: "None", headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["X-Y", "ä"]] });
			case "/empty": return new Response("", { status: 304 });
			case "/json": return Response.json({ a: 1 }, { status: 201, encodeBody: "manual", cf: {} });
			case "/body": return new Response(r.body);
			case "/request": return new Response(await r.text());
			case "/fetched": return fetch("http://b.test/");
			case "/wrapped": { const x = await fetch("http://b.test/"); return new Response(x.body, x) }
			case "/blob": return new Response(new Blob(["blob"]));
			case "/stream": return new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("one")); c.close() } }));
			default: return new Response("body");
		}
	} }`)
	x := w.get(request{url: "http://a.test/null"})
	if x.status != 204 || x.statusText != "None" || x.kind != 0 || len(x.headers) != 3 || header(x, "x-y") != "ä" {
		t.Errorf("%+v", x)
	}
	if x = w.get(request{url: "http://a.test/empty"}); x.status != 304 || x.kind != 0 || len(x.headers) != 0 {
		t.Errorf("%+v", x)
	}
	if x = w.get(request{url: "http://a.test/json"}); x.status != 201 || x.body != `{"a":1}` || header(x, "content-type") != "application/json" {
		t.Errorf("%+v", x)
	}
	if got := w.text(request{url: "http://a.test/request", method: "POST", body: "post"}); got != "post" {
		t.Errorf("%q", got)
	}
	if got := w.text(request{url: "http://a.test/blob"}); got != "blob" {
		t.Errorf("%q", got)
	}
	// A body that nobody reads is passed on.
	if x = w.get(request{url: "http://a.test/body", method: "POST", handle: 0xC0000005}); x.kind != 3 || x.body != "\x05\x00\x00\xC0" {
		t.Errorf("%+v", x)
	}
	for _, path := range []string{"/fetched", "/wrapped"} {
		event := w.fetch(request{url: "http://a.test" + path})
		answer := op.NewWriter(nil)
		answer.U32(203)
		answer.Str("")
		answer.Str("http://b.test/")
		answer.U8(0)
		answer.Pairs([]op.Pair{{Name: "a", Value: "b"}})
		answer.U8(2)
		answer.Bytes(nil)
		answer.U32(9)
		w.settle(w.take(op.Fetch).id, true, answer.Message())
		x = w.host.responses[event]
		if x == nil || x.kind != 3 || x.body != "\x09\x00\x00\x00" || x.status != 203 || header(x, "a") != "b" || w.status != isolate.Done {
			t.Errorf("%s: %+v, status %v", path, x, w.status)
		}
	}
	// HEAD has the length, and no body.
	if x = w.get(request{url: "http://a.test/", method: "HEAD"}); x.kind != 0 || header(x, "content-length") != "4" {
		t.Errorf("%+v", x)
	}
	if x = w.get(request{url: "http://a.test/stream", method: "HEAD"}); x.kind != 0 {
		t.Errorf("%+v", x)
	}
}

// written is what a body_write brings.
func (w *worker) written() (id, handle uint32, end uint8, text string) {
	w.t.Helper()
	s := w.take(op.BodyWrite)
	r := op.NewReader(s.in)
	return s.id, r.U32(), r.U8(), r.Str()
}

func TestStreamedResponse(t *testing.T) {
	const source = `export default { fetch(r, env, ctx) {
		let n = 0;
		return new Response(new ReadableStream({
			pull(c) { if (n++ < 3) c.enqueue(new TextEncoder().encode("part" + n)); else c.close() },
			cancel(reason) { console.log("canceled", String(reason)) },
		}, { highWaterMark: 0 }));
	} }`
	w := serve(t, source)
	event := w.fetch(request{})
	x := w.host.responses[event]
	if x == nil || x.kind != 2 {
		t.Fatalf("%+v", x)
	}
	for _, want := range []string{"part1", "part2", "part3"} {
		// The next part is asked for when there is room.
		id, handle, end, text := w.written()
		if len(w.pending) != 0 || handle != x.handle || end != 0 || text != want || len(w.host.done) != 0 || w.status != isolate.Pending {
			t.Fatalf("handle %d, end %d, %q; %d more", handle, end, text, len(w.pending))
		}
		w.settle(id, true, nil)
	}
	id, _, end, _ := w.written()
	if end != 1 || len(w.host.done) != 0 {
		t.Fatalf("end %d, done %v", end, w.host.done)
	}
	w.settle(id, true, nil)
	if !slices.Equal(w.host.done, []uint32{event}) || w.status != isolate.Done {
		t.Errorf("done %v, status %v", w.host.done, w.status)
	}

	// Nobody reads on: the source hears of it, and the event is over.
	event = w.fetch(request{})
	id, _, _, _ = w.written()
	w.settle(id, false, op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: "the body is no longer wanted"}))
	if w.status != isolate.Done || w.host.done[1] != event || len(w.host.logs) != 1 || w.host.logs[0].text != "canceled TypeError: the body is no longer wanted" {
		t.Errorf("status %v, done %v, logs %v", w.status, w.host.done, w.host.logs)
	}

	// A large chunk goes in pieces.
	w = serve(t, `export default { fetch() { return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(2.5 * 2 ** 20)); c.close() } })) } }`)
	w.fetch(request{})
	total := 0
	for {
		id, _, end, text := w.written()
		total += len(text)
		if len(text) > 1<<20 {
			t.Errorf("a piece of %d bytes", len(text))
		}
		w.settle(id, true, nil)
		if end == 1 {
			break
		}
	}
	if total != 5<<19 {
		t.Errorf("%d bytes", total)
	}
}

// Events are interleaved, and each has its own operations, errors and logs.
func TestInterleaved(t *testing.T) {
	w := serve(t, `import { waitUntil } from "cloudflare:workers";
		export default { async fetch(r, env, ctx) {
			const name = new URL(r.url).pathname;
			await new Promise((f) => setTimeout(f, 10));
			if (name === "/b") Promise.reject(new Error("of b"));
			waitUntil(new Promise((f) => setTimeout(f, 10)));
			return new Response(name);
		} }`)
	a := w.fetch(request{url: "http://a.test/a"})
	b := w.fetch(request{url: "http://a.test/b"})
	if len(w.pending) != 2 || len(w.host.responses) != 0 {
		t.Fatalf("%d pending", len(w.pending))
	}
	first, second := w.take(op.Sleep), w.take(op.Sleep)
	w.settle(second.id, true, nil)
	if w.host.responses[b] == nil || w.host.responses[a] != nil {
		t.Fatal("b is not answered, or a is")
	}
	w.settle(first.id, true, nil)
	if w.host.responses[a].body != "/a" || w.host.responses[b].body != "/b" || len(w.host.done) != 0 {
		t.Fatalf("done %v", w.host.done)
	}
	if len(w.host.failed) != 1 || w.host.failed[0].event != b || w.host.failed[0].origin != 2 {
		t.Errorf("%v", w.host.failed)
	}
	// What waitUntil waits for was begun by each.
	second, first = w.take(op.Sleep), w.take(op.Sleep)
	w.settle(first.id, true, nil)
	w.settle(second.id, true, nil)
	if !slices.Equal(w.host.done, []uint32{a, b}) || w.status != isolate.Done {
		t.Errorf("done %v, status %v", w.host.done, w.status)
	}
}

func TestAbort(t *testing.T) {
	reason := op.NewWriter(nil)
	reason.Str("The client has disconnected.")
	w := serve(t, `export default { async fetch(r, env, ctx) {
		const wait = new URL(r.url).pathname === "/wait";
		r.signal.onabort = () => console.log(r.signal.reason.name, r.signal.reason.message);
		if (wait) ctx.waitUntil(new Promise((f) => setTimeout(f, 5)));
		await new Promise((f) => setTimeout(f, 10));
		return new Response("late");
	} }`)
	event := w.fetch(request{})
	w.dispatch(event, dispatchAbort, reason.Message())
	if len(w.host.logs) != 1 || w.host.logs[0].text != "AbortError The client has disconnected." || !slices.Equal(w.host.done, []uint32{event}) || w.status != isolate.Done {
		t.Errorf("logs %v, done %v, status %v", w.host.logs, w.host.done, w.status)
	}
	w.pending = nil
	event = w.fetch(request{url: "http://a.test/wait"})
	w.dispatch(event, dispatchAbort, reason.Message())
	if len(w.host.done) != 1 || w.status != isolate.Pending {
		t.Errorf("done %v: it waits for something", w.host.done)
	}
	w.settle(w.take(op.Sleep).id, true, nil)
	if len(w.host.done) != 2 || w.status != isolate.Done || len(w.host.responses) != 0 {
		t.Errorf("done %v, responses %v", w.host.done, w.host.responses)
	}
	// One that is over, or never was.
	w.dispatch(event, dispatchAbort, reason.Message())
	w.dispatch(99, dispatchAbort, reason.Message())
	w.dispatch(99, dispatchEnd, nil)
	if w.err != nil || len(w.host.done) != 2 || len(w.host.failed) != 0 {
		t.Errorf("error %v, done %v, failures %v", w.err, w.host.done, w.host.failed)
	}
}

// An event that the host has ended leaves nothing behind.
func TestEnd(t *testing.T) {
	w := serve(t, `export default { async fetch(r, env, ctx) {
		setInterval(() => {}, 1);
		await new Promise((f) => setTimeout(f, 10));
		return new Response("late");
	} }`)
	event := w.fetch(request{})
	other := w.fetch(request{})
	w.dispatch(event, dispatchEnd, nil)
	if w.status != isolate.Pending || len(w.host.done) != 0 {
		t.Errorf("status %v, done %v", w.status, w.host.done)
	}
	w.dispatch(other, dispatchEnd, nil)
	if w.status != isolate.Done || len(w.host.done) != 0 || len(w.host.failed) != 0 {
		t.Errorf("status %v, done %v, failures %v", w.status, w.host.done, w.host.failed)
	}
	for _, s := range w.pending {
		w.settle(s.id, true, nil)
	}
	if len(w.host.responses) != 0 || w.status != isolate.Done {
		t.Errorf("responses %v", w.host.responses)
	}
}

func TestScheduledAndTail(t *testing.T) {
	message := func(name string, rest func(w *op.Writer)) []byte {
		w := op.NewWriter(nil)
		w.Str(name)
		w.U32(0)
		w.U32(0)
		rest(w)
		return w.Message()
	}
	at := func(w *op.Writer) { w.F64(1234567890123); w.Str("*/5 * * * *") }
	items := func(w *op.Writer) { w.Str(`[{"outcome":"ok"}]`) }
	for name, test := range map[string]struct {
		source, entrypoint string
		kind               uint8
		rest               func(*op.Writer)
		log, fault         string
	}{
		"scheduled":    {"export default { async scheduled(c, env, ctx) { await 1; c.noRetry(); console.log(c.scheduledTime, c.cron, c.type, env.KEY, typeof ctx.waitUntil) } }", "", dispatchScheduled, at, "1234567890123 */5 * * * * scheduled value function", ""},
		"in a class":   {"import { WorkerEntrypoint } from 'cloudflare:workers'; export class A extends WorkerEntrypoint { scheduled(c) { console.log(c.cron, arguments.length, this.env.KEY) } }", "A", dispatchScheduled, at, "*/5 * * * * 1 value", ""},
		"listens":      {"addEventListener('scheduled', (e) => e.waitUntil((async () => console.log(e.cron, e.scheduledTime))()))", "", dispatchScheduled, at, "*/5 * * * * 1234567890123", ""},
		"throws":       {"export default { scheduled() { throw new Error('no') } }", "", dispatchScheduled, at, "", "no"},
		"no scheduled": {"export default { fetch() {} }", "", dispatchScheduled, at, "", "Handler does not export a scheduled() function."},
		"tail":         {"export default { tail(events, env, ctx) { console.log(events.length, events[0].outcome, env.KEY) } }", "", dispatchTail, items, "1 ok value", ""},
		"no tail":      {"export default { fetch() {} }", "", dispatchTail, items, "", "Handler does not export a tail() function."},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, test.source)
			w.dispatch(1, test.kind, message(test.entrypoint, test.rest))
			w.settleAll()
			if w.err != nil || !slices.Equal(w.host.done, []uint32{1}) {
				t.Fatalf("error %v, done %v", w.err, w.host.done)
			}
			if test.fault != "" {
				if len(w.host.failed) != 1 || w.host.failed[0].Message != test.fault {
					t.Errorf("%v", w.host.failed)
				}
				return
			}
			if answer, ok := w.host.answers[1]; !ok || answer != "" || len(w.host.failed) != 0 {
				t.Errorf("answer %q, failures %v", answer, w.host.failed)
			}
			if len(w.host.logs) != 1 || w.host.logs[0].text != test.log {
				t.Errorf("%v", w.host.logs)
			}
		})
	}
}

func TestConsoleOfWorker(t *testing.T) {
	w := serve(t, `console.log("at the start"); export default { fetch() {
		console.debug("debug"); console.info("%s of %d", "x", 2); console.warn({ a: [1] }, null, undefined); console.error(new RangeError("no").message, 1n);
		console.log(new Map([[1, 2]]), () => {}, [1]); console.group("g"); console.log("a\nb"); console.groupEnd(); console.assert(false, "so");
		console.log("x".repeat(100000)); const cycle = {}; cycle.cycle = cycle; console.log(cycle);
		console.log({ toJSON() { throw new Error("never") } }); console.log("\ud800"); console.countReset("none");
		const log = console.log; console.log = (x) => log("mine", x); console.log(1);
		process.stdout.write("raw");
		return new Response();
	} }`)
	if w.stdout.String() != "at the start\n" {
		t.Errorf("%q", w.stdout.String())
	}
	w.get(request{})
	for i, want := range []logged{
		{0, "debug", `["debug"]`}, {2, "x of 2", `["%s of %d","x",2]`}, {3, "{ a: [ 1 ] } null undefined", `[{"a":[1]},null,null]`}, {4, "no 1n", `["no","1n"]`},
		{1, "Map(1) { 1 => 2 } [Function (anonymous)] [ 1 ]", `["Map(1) { 1 => 2 }","[Function (anonymous)]",[1]]`},
		{1, "g", `["g"]`}, {1, "  a\n  b", `["a\nb"]`}, {4, "Assertion failed: so", `["Assertion failed: so"]`},
		{1, "", ""}, {1, "<ref *1> { cycle: [Circular *1] }", `["<ref *1> { cycle: [Circular *1] }"]`},
		{1, "{ toJSON: [Function: toJSON] }", `["{ toJSON: [Function: toJSON] }"]`}, {1, "\xed\xa0\x80", `["\ud800"]`},
		{3, "Warning: Count for 'none' does not exist", `["Warning: Count for 'none' does not exist"]`}, {1, "mine 1", `["mine",1]`},
	} {
		got := w.host.logs[i]
		if !json.Valid([]byte(got.message)) || len(got.text) > 1<<16 || len(got.message) > 1<<16 {
			t.Errorf("message %d: %.100q, %.100q", i, got.text, got.message)
		}
		if want.message != "" && got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if w.stdout.String() != "at the start\nraw" {
		t.Errorf("%q", w.stdout.String())
	}
}

// An event that is interrupted ends, whatever it does against that; others go on.
func TestInterruptedEvent(t *testing.T) {
	for name, body := range map[string]string{
		"loop":         "for (;;) {}",
		"caught":       "for (;;) { try { for (;;) {} } catch {} finally { for (;;) {} } }",
		"executor":     "await new Promise(() => { for (;;) {} }); for (;;) {}",
		"after await":  "await 1; for (;;) {}",
		"jobs":         "const again = () => Promise.resolve().then(again); again(); await new Promise(() => {})",
		"ticks":        "const again = () => process.nextTick(again); again(); await new Promise(() => {})",
		"rejections":   "const again = () => { for (let i = 0; i < 9; i++) Promise.reject(i); queueMicrotask(again) }; again()",
		"in a getter":  "return { get then() { for (;;) {} } }",
		"in a timer":   "setTimeout(() => { for (;;) {} }, 5); await new Promise(() => {})",
		"in a stream":  "return new Response(new ReadableStream({ pull() { for (;;) {} } }))",
		"in a sort":    "[3, 2, 1].sort(() => { for (;;) {} })",
		"in toJSON":    "console.log({ toJSON() { for (;;) {} } })",
		"in the error": "throw { get message() { for (;;) {} }, get name() { for (;;) {} } }",
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, `export default { async fetch(r) {
				const path = new URL(r.url).pathname;
				if (path === "/slow") await new Promise((f) => setTimeout(f, 1000));
				if (path === "/bad") { `+body+` }
				return new Response("fine");
			} }`)
			slow := w.fetch(request{url: "http://a.test/slow"})
			sleep := w.take(op.Sleep)
			w.host.yield = func(n int) {
				if n >= 3 {
					if n > 1000 {
						panic("it goes on and on")
					}
					if n == 3 {
						if err := w.clone.machine.Interrupt(); err != nil {
							t.Error(err)
						}
					}
				}
			}
			w.yields = 0
			bad := w.fetch(request{url: "http://a.test/bad"})
			for len(w.pending) > 0 && len(w.host.failed) == 0 {
				w.settle(w.take(w.pending[0].op).id, true, nil)
			}
			if name == "in the error" && len(w.host.failed) == 1 {
				return // which was reported without its getters
			}
			if w.err != nil || len(w.host.failed) == 0 {
				t.Fatalf("error %v, failures %v", w.err, w.host.failed)
			}
			f := w.host.failed[len(w.host.failed)-1]
			if f.event != bad || f.origin != 0 || f.Code != "ERR_INTERRUPTED" {
				t.Errorf("event %d failed (%d): %v", f.event, f.origin, f.ErrorRecord)
			}
			w.host.failed, w.pending, w.host.yield = nil, nil, nil
			good := w.fetch(request{})
			if x := w.host.responses[good]; x == nil || x.body != "fine" || !slices.Contains(w.host.done, good) {
				t.Errorf("the next event: %+v", x)
			}
			w.settle(sleep.id, true, nil)
			if x := w.host.responses[slow]; x == nil || x.body != "fine" || w.status != isolate.Done {
				t.Errorf("the other event: %+v, status %v", x, w.status)
			}
		})
	}

	// An interrupt that came too late is nobody's.
	w := serve(t, "export default { fetch() { return new Response('fine') } }")
	if err := w.clone.machine.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if got := w.text(request{}); got != "fine" {
		t.Errorf("%q", got)
	}
}

// Memory that is out ends the isolate.
func TestServeOutOfMemory(t *testing.T) {
	for _, body := range []string{"const a = []; for (;;) a.push(a.length + 0.5)", "const a = []; for (;;) a.push({})", "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"} {
		w := serve(t, "export default { fetch() { "+body+" } }")
		w.dispatch(1, dispatchFetch, request{}.message())
		if !errorsIsMemory(w.err) {
			t.Errorf("%s: error %v, failures %v", body, w.err, w.host.failed)
		}
	}
}

func errorsIsMemory(err error) bool {
	return err != nil && strings.Contains(fmt.Sprint(err), isolate.ErrMemory.Error())
}

// A worker that has served many events is as large as one that has served few.
func TestServeLeaksNothing(t *testing.T) {
	// Garbage without cycles goes at once; streams leave some that is collected.
	const cycles = 28 << 20
	for name, source := range map[string]string{
		"plain":  "export default { fetch() { return new Response('hi') } }",
		"async":  "export default { async fetch(r, env, ctx) { ctx.waitUntil(Promise.resolve()); setTimeout(() => {}, 1000); await 1; console.log(r.headers.get('a'), r.signal.aborted); return Response.json({ a: [r.url] }) } }",
		"throws": "export default { async fetch() { await 1; throw new Error('no') } }",
		"class":  "import { WorkerEntrypoint } from 'cloudflare:workers'; export default class extends WorkerEntrypoint { async fetch() { const b = await new Response('hi').text(); return new Response(b + await new Response(new Response('x').body).text()) } }",
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, source)
			n := 100_000
			switch name {
			case "async", "throws":
				n = 20_000
			case "class":
				n = 40_000 // which would be 48 MiB
			}
			var early uint32
			message := request{headers: []op.Pair{{Name: "a", Value: "b"}}}.message()
			for i := range n {
				w.dispatch(uint32(i+1), dispatchFetch, message)
				if w.err != nil || w.status != isolate.Done || len(w.host.done) != 1 {
					t.Fatalf("event %d: error %v, status %v, done %v", i, w.err, w.status, w.host.done)
				}
				w.host.done, w.host.failed, w.host.logs, w.pending = w.host.done[:0], w.host.failed[:0], w.host.logs[:0], w.pending[:0]
				clear(w.host.responses)
				if i == n/10 {
					early = w.used(t)
				}
			}
			room := uint32(64 << 10)
			if name == "class" {
				room = cycles
			}
			if late := w.used(t); late > early+room {
				t.Errorf("the heap has %d bytes after %d events, and %d after %d", early, n/10, late, n)
			}
		})
	}
}

// used is how many bytes of the heap are in use after a collection.
func (w *worker) used(t testing.TB) uint32 {
	t.Helper()
	f, err := w.clone.in.Function("gc")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Call(nil); err != nil {
		t.Fatal(err)
	}
	top, err := w.clone.machine.HeapTop()
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func TestDispatchRefusesMalformedMessages(t *testing.T) {
	w := serve(t, "export default { fetch() { return new Response('hi') } }")
	w.last = 1000
	good := request{url: "http://a.test/", headers: []op.Pair{{Name: "a", Value: "b"}}, body: "x", method: "POST"}.message()
	for i := range good {
		w.dispatch(uint32(i+1), dispatchFetch, bytes.Clone(good[:i]))
		if w.err != nil {
			t.Fatalf("%d bytes: %v", i, w.err)
		}
	}
	w.host.failed = nil
	if got := w.text(request{}); got != "hi" {
		t.Errorf("%q", got)
	}
}
