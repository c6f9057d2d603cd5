package quickjs

import (
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

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
