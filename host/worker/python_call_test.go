//go:build mayfly_tuned

package worker

import (
	"mayfly/host/rpc"
	"strings"
	"sync"
	"testing"
	"time"
)

// service binds another worker's entrypoint.
func (d Definition) service(name string, target rpc.Target) Definition {
	d.Services = append(d.Services, ServiceBinding{Name: name, Target: target})
	return d
}

// Values and calls go both ways between languages.
func TestPythonCalls(t *testing.T) {
	s := newPythonService(t)
	const library = `
import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers";
class Counter extends RpcTarget { #n = 0; add(k) { return this.#n += k } get value() { return this.#n } [Symbol.dispose]() {} }
const show = (v) => v === undefined ? "undefined" : v instanceof Map ? "Map" + JSON.stringify([...v]) : v instanceof Set ? "Set" + JSON.stringify([...v])
  : v instanceof Date ? "Date" + v.toISOString() : v instanceof ArrayBuffer ? "ArrayBuffer" + v.byteLength : typeof v === "bigint" ? v + "n" : v instanceof Error ? v.name + ":" + v.message : JSON.stringify(v);
export default class extends WorkerEntrypoint {
  show(v) { return show(v) }
  echo(v) { return v }
  counter() { return new Counter() }
  async twice(f, x) { return await f(await f(x)) }
  async method(o) { return (await o.hello("js")) + (await o.name) }
  things() { return { date: new Date(5), map: new Map([[1, "a"]]), set: new Set([2]), bytes: new Uint8Array([1, 2]), big: 2n ** 70n, deep: { list: [1.5, null, undefined] }, error: new RangeError("r") } }
  fail() { throw new TypeError("from js") }
  own() { const e = new Error("own"); e.name = "Mine"; throw e }
  stream() { return new Response("streamed").body }
  async read(s) { return await new Response(s).text() }
  async response(r) { return [r.status, r.headers.get("x"), await r.text()] }
  nested() { return { counter: new Counter() } }
  fetch(request) { return new Response(request.method + " " + new URL(request.url).pathname) }
}`
	js := entry(s, script(library))
	const head = `
from workers import *
from js import Object
import datetime, asyncio
class Target(RpcTarget):
    name = "target"
    def hello(self, who): return "hello " + who + " "
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        js = self.env.JS
        return Response(str(await self.test(js)))
    async def test(self, js):
`
	for _, c := range []struct{ name, source, want string }{
		{"dict", "return await js.show({'a': 1})", `Map[["a",1]]`},
		{"object", "return await js.show(Object.fromEntries([['a', 1]]))", `{"a":1}`},
		{"list", "return await js.show([1, 1.5, 'x', None, True])", `[1,1.5,"x",null,true]`},
		{"bytes", "return await js.show(b'abc')", "ArrayBuffer3"},
		{"date", "return await js.show(datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc))", "Date2020-01-02T00:00:00.000Z"},
		{"set", "return await js.show({1, 2})", "Set[1,2]"},
		{"large", "return await js.show(2 ** 60)", "1152921504606846976n"},
		{"error", "return await js.show(ValueError('v'))", "ValueError:v"},
		{"numpy", "import numpy as np\n        return await js.show([np.int64(3), np.float64(1.5)])", "[3,1.5]"},
		{"things", "return await js.things()", "{'date': datetime.datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=datetime.timezone.utc), 'map': {1: 'a'}, 'set': {2}, 'bytes': b'\\x01\\x02', 'big': 1180591620717411303424, 'deep': {'list': [1.5, None, None]}, 'error': ValueError('r')}"},
		{"echo", "l = [1]\n        r = await js.echo([l, l, {'k': {1, 2}}])\n        return r[0] is r[1], r", "(True, [[1], [1], {'k': {1, 2}}])"},
		{"stub", "c = await js.counter()\n        return await c.add(2), await c.add(3), await c.value", "(2, 5, 5)"},
		{"pipelined", "return await js.counter().add(4), await js.nested().counter.add(1)", "(4, 1)"},
		{"disposed", "with await js.counter() as c: pass\n        return await c.add(1)", "RuntimeError: RPC stub used after being disposed."},
		{"callback", "async def f(x):\n            await asyncio.sleep(0.001)\n            return x * 2\n        return await js.twice(f, 5)", "20"},
		{"callback while blocking", "return js.twice(lambda x: x + 1, 5).wait()", "7"},
		{"target", "return await js.method(Target())", "hello js target"},
		{"error of js", "return await js.fail()", "TypeError: from js"},
		{"own error", "return await js.own()", "Mine: own"},
		{"missing", "return await js.nothing()", `TypeError: The RPC receiver does not implement the method "nothing".`},
		{"private", "class A: pass\n        return await js.show(A())", `TypeError: Could not serialize object of type "A". This type does not support serialization.`},
		{"stream from js", "return await (await js.stream()).text()", "streamed"},
		{"stream to js", "async def g():\n            yield b'a'\n            yield b'b'\n        return await js.read(g())", "ab"},
		{"response", "return await js.response(Response('body', status=201, headers={'x': 'y'}))", "[201, 'y', 'body']"},
		{"fetch", "r = await js.fetch('http://x/path', method='PUT')\n        return r.status, await r.text()", "(200, 'PUT /path')"},
		{"together", "return await asyncio.gather(*(js.echo(i) for i in range(5)))", "[0, 1, 2, 3, 4]"},
		{"loopback", "return await self.ctx.exports.Other(props={'p': 1}).method(2)", "({'p': 1}, 2)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := head + "        " + c.source + "\nclass Other(WorkerEntrypoint):\n    def method(self, x): return str((self.ctx.props, x))\n"
			def := pythonScript(source).service("JS", js)
			w := s.Worker(def)
			response, err := w.Entrypoint("", rpc.Value{}, Limits{}).Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://example.com/"})
			var got string
			if err != nil {
				e := errorRecord(err)
				got = e.Name + ": " + e.Message
			} else {
				got = content(t, response)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A worker in JavaScript calls one in Python.
func TestPythonCalled(t *testing.T) {
	s := newPythonService(t)
	py := entry(s, pythonScript(`
from workers import *
import asyncio, datetime
class Counter(RpcTarget):
    def __init__(self): self.n = 0
    def add(self, k):
        self.n += k
        return self.n
    def _private(self): return 1
class Default(WorkerEntrypoint):
    def show(self, v): return repr(v)
    def counter(self): return Counter()
    def things(self): return {"date": datetime.datetime.fromtimestamp(5, datetime.timezone.utc), "t": (1, 2), "b": b"xy", "none": None}
    async def call(self, f, x):
        return await f(x) + await f(x)
    def function(self): return lambda a, b: a + b
    def fail(self): raise ValueError("from python")
    def nothing(self): pass
    def _hidden(self): return 1
    async def stream(self):
        async def g():
            for i in range(3):
                await asyncio.sleep(0)
                yield str(i)
        return g()
    def response(self): return Response("r", status=202)
    def __secret(self): pass
`))
	for _, c := range []struct{ name, source, want string }{
		{"show", `await py.show({a: [1, "x", null, true], d: new Date(0)})`, `{'a': [1, 'x', None, True], 'd': datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)}`},
		{"several", `await py.show(1, 2).catch((e) => e.name + e.message)`, "TypeErrorDefault.show() takes 2 positional arguments but 3 were given"},
		{"counter", `{ using c = await py.counter(); return [await c.add(1), await c.add(2)] }`, "[1,3]"},
		{"pipelined", `await py.counter().add(7)`, "7"},
		{"things", `{ const m = await py.things(); return [m instanceof Map, m.get("date").getTime(), m.get("t"), m.get("b").byteLength, m.get("none")] }`, "[true,5000,[1,2],2,null]"},
		{"callback", `await py.call(async (x) => { await scheduler.wait(1); return x * 2 }, 4)`, "16"},
		{"function", `{ const f = await py.function(); return await f(2, 3) }`, "5"},
		{"fail", `await py.fail().catch((e) => e.name + ": " + e.message + (e instanceof Error))`, "ValueError: from pythontrue"},
		{"nothing", `typeof await py.nothing()`, "undefined"},
		{"hidden", `await py._hidden().catch((e) => e.message)`, `The RPC receiver does not implement the method "_hidden".`},
		{"env", `await py.env.catch?.(() => 1) ?? await Promise.resolve(py.env).catch((e) => e.message)`, "1"},
		{"stream", `await new Response(await py.stream()).text()`, "012"},
		{"response", `{ const r = await py.response(); return [r.status, await r.text()] }`, `[202,"r"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := "return " + c.source
			if strings.HasPrefix(c.source, "{") {
				run = c.source
			}
			def := script(`export default {async fetch(request, env) { const py = env.PY; const v = await (async () => { `+run+` })(); return new Response(typeof v === "string" ? v : JSON.stringify(v)) }}`).service("PY", py)
			response, err := entry(s, def).Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://example.com/"})
			if err != nil {
				t.Fatal(err)
			}
			if got := content(t, response); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func BenchmarkPythonCall(b *testing.B) {
	s := newPythonService(b)
	var callee, caller time.Duration
	var mu sync.Mutex
	s.config.Traced = func(_ *Worker, t *Trace) {
		mu.Lock()
		defer mu.Unlock()
		if _, called := t.Event.(*CallTrace); called {
			callee += t.CPU
		} else {
			caller = t.CPU
		}
	}
	js := entry(s, script(`import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint { add(a, b) { return a + b } }`))
	py := entry(s, pythonScript("from workers import *\nclass Default(WorkerEntrypoint):\n    def add(self, a, b): return a + b\n"))
	for name, target := range map[string]rpc.Target{"js": js, "python": py} {
		b.Run(name, func(b *testing.B) {
			def := pythonScript(`
from workers import *
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        s = 0
        for _ in range(int(request.url.rpartition("/")[2])):
            s = await self.env.OTHER.add(s, 1)
        return Response(str(s))
`).service("OTHER", target)
			def.Limits.Subrequests, def.Limits.CPU = 1<<30, 1<<40
			target := entry(s, def)
			get(b, target, "http://x/20")
			callee = 0
			b.ResetTimer()
			get(b, target, "http://x/"+itoa(b.N))
			b.ReportMetric(float64(caller.Microseconds())/float64(b.N), "caller-µs/op")
			b.ReportMetric(float64(callee.Microseconds())/float64(b.N), "callee-µs/op")
		})
	}
}
