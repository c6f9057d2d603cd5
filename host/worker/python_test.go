//go:build mayfly_tuned

package worker

import (
	"archive/zip"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/guests/python"
	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/host/vfs"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// preparedPython is the Python guest, made ready once.
type preparedPython struct {
	program *isolate.Program
	layer   *vfs.Layer
}

var preparePython = sync.OnceValues(func() (p preparedPython, err error) {
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return p, err
		}
		cache = filepath.Join(user, "mayfly")
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		return p, err
	}
	ctx := context.Background()
	if p.program, err = isolate.Prepare(ctx, e, python.Guest{}, cache, nil); err != nil {
		return p, err
	}
	p.layer, err = python.Layer(ctx, cache, nil)
	return p, err
})

// newPythonService makes a service with both guests.
func newPythonService(t testing.TB) *Service {
	t.Helper()
	p, err := preparePython()
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t, nil, execution.Language{Names: []string{"python"}, Version: python.Version(), Image: "python", Dialect: execution.Python})
	if err := s.config.Executions.Install("python", p.program, p.layer); err != nil {
		t.Fatal(err)
	}
	return s
}

// pythonScript is a definition of one module, and of others by name.
func pythonScript(source string, others ...string) Definition {
	modules := map[string]Module{"index.py": {Python, []byte(source)}}
	for i := 0; i < len(others); i += 2 {
		modules[others[i]] = Module{Python, []byte(others[i+1])}
	}
	return Definition{Name: "test", Tenant: "tenant", Code: &Code{MainModule: "index.py", Modules: modules, CompatibilityDate: "2026-01-01"}}
}

func TestPythonFetch(t *testing.T) {
	s := newPythonService(t)
	const head = "from workers import *\nclass Default(WorkerEntrypoint):\n"
	for _, c := range []struct{ name, source, want string }{
		{"class", head + "    async def fetch(self, request):\n        return Response('hi ' + request.url + ' ' + request.method)", "200 hi http://example.com/path GET"},
		{"not async", head + "    def fetch(self, request): return Response.json({'a': [1, None]}, status=201)", `201 {"a":[1,null]}`},
		{"function", "from js import Response, Object\nfrom pyodide.ffi import to_js\nasync def on_fetch(request, env, ctx):\n    return Response.new('old', headers=Object.fromEntries([['x', 'y']]), status=202)", "202 old"},
		{"function of one", "from workers import Response\ndef on_fetch(request): return Response('one')", "200 one"},
		{"waiting", "import asyncio\n" + head + "    async def fetch(self, request):\n        a = await asyncio.gather(asyncio.sleep(0.002, 1), asyncio.sleep(0.001, 2))\n        return Response(str(a))", "200 [1, 2]"},
		{"blocking", "import time, asyncio\n" + head + "    def fetch(self, request):\n        time.sleep(0.001)\n        return Response(str(asyncio.run(asyncio.sleep(0.001, 5))))", "200 5"},
		{"run_sync", "import asyncio\nfrom pyodide.ffi import run_sync\n" + head + "    async def fetch(self, request):\n        return Response(str(run_sync(asyncio.sleep(0.001, 7))))", "200 7"},
		{"stream", "import asyncio\n" + head + "    async def fetch(self, request):\n        async def body():\n            for i in range(3):\n                yield f'part{i}'\n                await asyncio.sleep(0.001)\n        return Response(body())", "200 part0part1part2"},
		{"null", head + "    def fetch(self, request): return Response(None, status=204)", "204 "},
		{"redirect", head + "    def fetch(self, request): return Response.redirect('http://a.b/')", "302 "},
		{"module", "import other, os\n" + head + "    def fetch(self, request): return Response(other.x + os.path.basename(other.__file__))", "200 xother.py"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := get(t, entry(s, pythonScript(c.source, "other.py", "x = 'x'")), "http://example.com/path")
			if got := itoa(status) + " " + body; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Errors are the program's own.
func TestPythonErrors(t *testing.T) {
	s := newPythonService(t)
	const head = "from workers import *\nclass Default(WorkerEntrypoint):\n"
	for _, c := range []struct{ name, source, want, stack string }{
		{"raised", head + "    def fetch(self, request):\n        return {}['k']", "KeyError: 'k'", "line 4, in fetch"},
		{"later", "import asyncio\n" + head + "    async def fetch(self, request):\n        await asyncio.sleep(0)\n        raise ValueError('v')", "ValueError: v", "line 6, in fetch"},
		{"no response", head + "    def fetch(self, request): return 1", "TypeError: The handler did not return a Response, but an object of the type int.", ""},
		{"dict", head + "    def fetch(self, request): return Response({})", "TypeError: Unsupported type in Response: dict", ""},
		{"no handler", "from workers import *\nclass Default(WorkerEntrypoint): pass", "TypeError: Handler does not export a fetch() function.", ""},
		{"no entrypoint", "x = 1", "TypeError: Worker has no default entrypoint.", ""},
		{"two", head + "    pass\ndef on_fetch(): pass", "TypeError: Cannot define multiple default entrypoints", ""},
		{"syntax", "x = (", "SyntaxError: '(' was never closed (index.py, line 1)", ""},
		{"import", "import nothing_there", "ModuleNotFoundError: No module named 'nothing_there'", "line 1"},
		{"random", "import os\nos.urandom(3)", "RuntimeError: Disallowed operation called within global scope.", ""},
		{"fetch", "import urllib.request\nurllib.request.urlopen('http://example.com')", "RuntimeError: Disallowed operation called within global scope.", ""},
		{"asleep", "import asyncio\nasyncio.run(asyncio.sleep(1))", "RuntimeError: Disallowed operation called within global scope.", ""},
		{"hung", "import asyncio\n" + head + "    async def fetch(self, request):\n        await asyncio.get_running_loop().create_future()", "RuntimeError: The Workers runtime canceled this request because it detected", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := entry(s, pythonScript(c.source)).Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://example.com/"})
			if err == nil {
				t.Fatal("no error")
			}
			e := errorRecord(err)
			if got := e.Name + ": " + e.Message; !strings.HasPrefix(got, c.want) || !strings.Contains(e.Stack, c.stack) {
				t.Errorf("got %q, want %q\n%s", got, c.want, e.Stack)
			}
		})
	}
}

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

// FastAPI is an application of ASGI. Its packages come as a project vendors them,
// in python_modules.
func TestPythonFastAPI(t *testing.T) {
	s := newPythonService(t)
	def := pythonScript(`
import asyncio, asgi
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request, HTTPException, Depends
from fastapi.responses import StreamingResponse, PlainTextResponse
from pydantic import BaseModel
from workers import WorkerEntrypoint

@asynccontextmanager
async def lifespan(app):
    app.state.started = True
    yield

app = FastAPI(lifespan=lifespan)

class Item(BaseModel):
    name: str
    price: float = 1.5
    tags: list[str] = []

@app.get("/")
async def root():
    return {"message": "hello", "started": app.state.started}

@app.get("/items/{item_id}")
def read_item(item_id: int, q: str | None = None):
    return {"item_id": item_id, "q": q}

@app.post("/items", status_code=201)
async def create(item: Item):
    await asyncio.sleep(0.001)
    return item

@app.get("/env")
async def env(request: Request):
    return {"var": request.scope["env"].NAME}

@app.get("/stream")
async def stream():
    async def parts():
        for i in range(3):
            yield f"{i};"
            await asyncio.sleep(0.001)
    return StreamingResponse(parts(), media_type="text/plain")

@app.get("/gone")
async def gone(): raise HTTPException(410, "gone")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await asgi.fetch(app, request, self.env, self.ctx)
`)
	addWheels(t, def.Code)
	def.Variables = map[string]string{"NAME": "value"}
	w := s.Worker(def).Entrypoint("", rpc.Value{}, Limits{})
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/", "", `200 {"message":"hello","started":true}`},
		{"GET", "/items/5?q=x", "", `200 {"item_id":5,"q":"x"}`},
		{"GET", "/items/abc", "", `422 {"detail":[{"loc":["path","item_id"],"msg":"value is not a valid integer","type":"type_error.integer"}]}`},
		{"POST", "/items", `{"name": "n", "tags": ["a"]}`, `201 {"name":"n","price":1.5,"tags":["a"]}`},
		{"POST", "/items", `{}`, `422 {"detail":[{"loc":["body","name"],"msg":"field required","type":"value_error.missing"}]}`},
		{"GET", "/env", "", `200 {"var":"value"}`},
		{"GET", "/stream", "", "200 0;1;2;"},
		{"GET", "/gone", "", `410 {"detail":"gone"}`},
		{"GET", "/nothing", "", `404 {"detail":"Not Found"}`},
	} {
		r := &rpc.Request{Method: c.method, URL: "http://example.com" + c.path}
		if c.body != "" {
			r.Body.Bytes = []byte(c.body)
			r.Header = append(r.Header, op.Pair{Name: "content-type", Value: "application/json"})
		}
		response, err := w.Fetch(t.Context(), r)
		if err != nil {
			e := errorRecord(err)
			t.Fatalf("%s %s: %v\n%s", c.method, c.path, err, e.Stack)
		}
		if got := itoa(response.Status) + " " + content(t, response); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

// fastAPI are the versions that have no native code: later ones need a part of
// pydantic that is in Rust.
var fastAPI = []string{
	"fastapi==0.112.4", "starlette==0.38.6", "pydantic==1.10.26", "anyio==4.16.0", "idna==3.20", "typing_extensions==4.16.0",
}

// addWheels adds the modules of FastAPI and what it needs, as pip fetches them.
func addWheels(t *testing.T, code *Code) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "mayfly", "test", "fastapi-0.112.4")
	wheels, _ := filepath.Glob(filepath.Join(folder, "*.whl"))
	if len(wheels) < len(fastAPI) {
		arguments := append([]string{"-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", "--dest", folder}, fastAPI...)
		if out, err := exec.Command("python3", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("pip: %v\n%s", err, out)
		}
		wheels, _ = filepath.Glob(filepath.Join(folder, "*.whl"))
	}
	for _, wheel := range wheels {
		archive, err := zip.OpenReader(wheel)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(f.Name, "/") {
				continue
			}
			kind := Text
			if strings.HasSuffix(f.Name, ".py") {
				kind = Python
			}
			code.Modules["python_modules/"+f.Name] = Module{kind, content}
		}
		archive.Close()
	}
}

// pythonTraces gathers what workers say of their events.
type pythonTraces struct {
	mu   sync.Mutex
	list []Trace
}

func (x *pythonTraces) add(_ *Worker, t *Trace) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = append(x.list, *t)
}

// wait waits for so many traces.
func (x *pythonTraces) wait(t *testing.T, n int) []Trace {
	t.Helper()
	for range 1000 {
		x.mu.Lock()
		list := append([]Trace(nil), x.list...)
		x.mu.Unlock()
		if len(list) >= n {
			return list
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %d traces", n)
	return nil
}

func logsOf(t Trace) string {
	var texts []string
	for _, l := range t.Logs {
		texts = append(texts, l.Level+":"+l.Text)
	}
	return strings.Join(texts, "|")
}

// Events of one isolate interleave where they wait, and what they say is theirs.
func TestPythonEvents(t *testing.T) {
	s := newPythonService(t)
	seen := &pythonTraces{}
	s.config.Traced = seen.add
	s.processors = 1
	def := pythonScript(`
from workers import *
from js import console
import asyncio, time, logging
n = 0
waiting = None
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        global n, waiting
        n += 1
        path = request.url.rpartition("/")[2]
        print("begin", path)
        if path == "pair":
            if waiting is None:
                waiting = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_later(10, lambda: None)
                await waiting
            else:
                waiting.set_result(1)
                waiting = None
        elif path == "slow":
            await asyncio.sleep(0.01)
            console.warn("slow", {"a": 1})
        elif path == "after":
            async def after():
                await asyncio.sleep(0.01)
                print("after")
            self.ctx.waitUntil(after())
        elif path == "left":
            async def left():
                try:
                    await asyncio.sleep(60)
                finally:
                    print("left")
            asyncio.create_task(left())
            await asyncio.sleep(0)
        elif path == "fails":
            async def fails():
                raise ValueError("in waitUntil")
            waitUntil(fails())
        elif path == "n":
            return Response(str(n))
        elif path == "loop":
            while True: pass
        print("end", path)
        return Response(path)
    async def scheduled(self, controller, env, ctx):
        print(controller.cron, controller.scheduledTime, env is self.env, ctx is self.ctx)
    async def tail(self, items):
        print(len(items), items[0].scriptName, items[0]["logs"])
`)
	w := s.Worker(def)
	target := w.Entrypoint("", rpc.Value{}, Limits{})
	events := 0
	last := func() Trace {
		events++
		return seen.wait(t, events)[events-1]
	}
	check := func(path, logs string) {
		t.Helper()
		if _, body := get(t, target, "http://x/"+path); body != path {
			t.Errorf("%s answered %q", path, body)
		}
		if got := logsOf(last()); got != logs {
			t.Errorf("%s logged %q, want %q", path, got, logs)
		}
	}
	check("plain", "log:begin plain|log:end plain")
	check("slow", `log:begin slow|warn:slow {'a': 1}|log:end slow`)
	check("after", "log:begin after|log:end after|log:after")
	check("left", "log:begin left|log:end left|log:left")
	get(t, target, "http://x/fails")
	if e := last().Exceptions; len(e) != 1 || e[0].Name != "ValueError" || e[0].Message != "in waitUntil" {
		t.Errorf("waitUntil failed with %+v", e)
	}

	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, body := get(t, target, "http://x/pair"); body != "pair" {
				t.Errorf("a pair is %q", body)
			}
		})
	}
	group.Wait()
	last()
	last()
	if _, n := get(t, target, "http://x/n"); n != "8" {
		t.Errorf("%s events, of one instance", n)
	}
	last()

	if err := target.Scheduled(t.Context(), time.UnixMilli(1700000000000), "* * * * *"); err != nil {
		t.Error(err)
	}
	if got := logsOf(last()); got != "log:* * * * * 1700000000000.0 True True" {
		t.Errorf("scheduled logged %q", got)
	}
	if err := target.Tail(t.Context(), []byte(`[{"scriptName":"a","logs":[]}]`), nil); err != nil {
		t.Error(err)
	}
	if got := logsOf(last()); got != "log:1 a []" {
		t.Errorf("tail logged %q", got)
	}

	// A limit ends the event, and nothing but it.
	limited := w.Entrypoint("", rpc.Value{}, Limits{CPU: 50 * time.Millisecond})
	if _, err := limited.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://x/loop"}); err == nil || err.Error() != "Worker exceeded CPU time limit." {
		t.Errorf("a loop ended with %v", err)
	}
	if got := last().Outcome; got != isolate.ExceededCPU {
		t.Errorf("its outcome is %s", got)
	}
	if _, n := get(t, target, "http://x/n"); n != "10" {
		t.Errorf("%s events: the isolate should have lived on", n)
	}
	last()

	// Nobody waits for an answer any more.
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		time.Sleep(20 * time.Millisecond)
		cancel()
	}()
	if _, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://x/pair"}); err == nil {
		t.Error("an answer came")
	}
	if got := logsOf(last()); got != "log:begin pair" {
		t.Errorf("an event that was given up logged %q", got)
	}
}

// A worker that damages what serves it harms itself: its events fail, none waits
// for ever.
func TestPythonSabotage(t *testing.T) {
	for _, damage := range []string{
		"import _mayfly.entry as e; e.go.__code__ = (lambda: 1 / 0).__code__",
		"import _mayfly.worker as w; w.dispatch = None",
		"import _mayfly.worker as w; w.HANDLERS.clear()",
		"import _mayfly.host as h; h.call = None",
		`import _host; _host.call(b"\x05\xff\xff\xff\xff"); _host.call(b"\x05"); raise KeyError(1)`,
		`import _host; _host.call(b"\x02" + bytes(8)); _host.call(b"\x03"); raise KeyError(1)`,
	} {
		t.Run(damage, func(t *testing.T) {
			s := newPythonService(t)
			target := entry(s, pythonScript(strings.ReplaceAll("from workers import *\nclass Default(WorkerEntrypoint):\n    async def fetch(self, request):\n        DAMAGE\n        return Response('done')\n", "DAMAGE", damage)))
			failed := false
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				_, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://x/"})
				failed = failed || err != nil
				if ctx.Err() != nil {
					t.Error("nobody answered")
				}
				cancel()
			}
			if !failed {
				t.Error("it did no damage")
			}
		})
	}
}

// A start that takes too long is the limit's, not the program's.
func TestPythonStartLimit(t *testing.T) {
	limit := startLimitPython
	startLimitPython = 100 * time.Millisecond
	defer func() { startLimitPython = limit }()
	_, err := entry(newPythonService(t), pythonScript("while True: pass")).Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://x/"})
	if err == nil || err.Error() != "Worker exceeded CPU time limit." {
		t.Errorf("the start ended with %v", err)
	}
}

// The env of a dynamic worker is a value with what it was given.
func TestPythonEnvironment(t *testing.T) {
	s := newPythonService(t)
	other := s.Worker(pythonScript("from workers import *\nclass Default(WorkerEntrypoint):\n    def hello(self, x): return 'hello ' + x\n"))
	message, err := rpc.Encode(map[string]any{"text": "t", "list": []any{1}, "other": &rpc.Tagged{Tag: rpc.TagService, Content: int64(0)}})
	if err != nil {
		t.Fatal(err)
	}
	def := pythonScript(`
from workers import *
at_start = env.text
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(at_start + str(self.env["list"]) + await env.other.hello("x") + str("nothing" in env))
`)
	def.Parent = "parent"
	def.Env = &rpc.Value{Message: message, Caps: []rpc.Capability{{Target: other.Entrypoint("", rpc.Value{}, Limits{})}}}
	if _, body := get(t, entry(s, def), "http://x/"); body != "t[1]hello xFalse" {
		t.Error(body)
	}
}

// What workers share is the same in all of them, what is random is not.
func TestPythonInstances(t *testing.T) {
	s := newPythonService(t)
	def := pythonScript(`
from workers import *
import random, uuid, os, time
started = time.time()
class Default(WorkerEntrypoint):
    def fetch(self, request):
        return Response(f"{started} {time.time() > 1e9} {random.random()} {uuid.uuid4()} {os.urandom(4).hex()}")
`)
	fresh := def
	fresh.Request = true
	target, another := entry(s, def), entry(newPythonService(t), def)
	targets := []rpc.Target{target, target, another, entry(s, fresh)}
	seen := map[string]bool{}
	for i := range 12 {
		_, body := get(t, targets[i%len(targets)], "http://x/")
		parts := strings.Fields(body)
		if len(parts) != 5 || parts[0] != "0.0" || parts[1] != "True" {
			t.Fatal(body)
		}
		for _, random := range parts[2:] {
			if seen[random] {
				t.Errorf("%s came twice", random)
			}
			seen[random] = true
		}
	}
}

func BenchmarkPythonFetch(b *testing.B) {
	const source = "from workers import *\nclass Default(WorkerEntrypoint):\n    async def fetch(self, request):\n        return Response('hello')\n"
	for _, c := range []struct {
		name  string
		fresh bool
	}{{"warm", false}, {"fresh", true}} {
		b.Run(c.name, func(b *testing.B) {
			s := newPythonService(b)
			var cpu, wall time.Duration
			var mu sync.Mutex
			s.config.Traced = func(_ *Worker, t *Trace) {
				mu.Lock()
				cpu += t.CPU
				wall += t.Wall
				mu.Unlock()
			}
			def := pythonScript(source)
			def.Request = c.fresh
			target := entry(s, def)
			for range 20 {
				get(b, target, "http://x/")
			}
			cpu, wall = 0, 0
			for b.Loop() {
				get(b, target, "http://x/")
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(wall.Microseconds())/float64(b.N), "event-µs/op")
		})
	}
}

// A loader makes workers in Python, which get stubs and an outbound as others do.
func TestPythonLoaded(t *testing.T) {
	s := newPythonService(t)
	def := script(`
import { WorkerEntrypoint } from "cloudflare:workers";
export class Room extends WorkerEntrypoint {
  #log = [];
  post(text) { return this.ctx.props.name + ": " + text }
}
export class Outbound extends WorkerEntrypoint {
  fetch(request) { return new Response("intercepted " + request.url + " " + request.headers.get("x-secret")) }
}
const source = ` + "`" + `
from workers import *
import urllib.request
import text
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        posted = await self.env.ROOM.post("hi")
        out = await (await fetch("http://outside/path", headers={"x-secret": "s"})).text()
        blocking = urllib.request.urlopen("http://outside/blocking").read().decode()
        return Response(" | ".join([posted, out, blocking, text.VALUE]))
class Other(WorkerEntrypoint):
    def add(self, a, b): return a + b + self.ctx.props["c"]
` + "`" + `;
export default {
  async fetch(request, env, ctx) {
    const worker = env.LOADER.get("a", () => ({
      compatibilityDate: "2026-01-01", mainModule: "main.py", modules: { "main.py": source, "text.py": { py: "VALUE = 'other module'" } },
      env: { ROOM: ctx.exports.Room({ props: { name: "py" } }) }, globalOutbound: ctx.exports.Outbound(),
    }));
    const text = await (await worker.getEntrypoint().fetch(request)).text();
    const sum = await worker.getEntrypoint("Other", { props: { c: 3 } }).add(1, 2);
    const missing = await worker.getEntrypoint("Nothing").add(1).catch((e) => e.message);
    const blocked = await env.LOADER.load({ compatibilityDate: "2026-01-01", mainModule: "main.py", globalOutbound: null,
      modules: { "main.py": "from workers import *\nclass Default(WorkerEntrypoint):\n    async def fetch(self, request):\n        try: await fetch('http://x/')\n        except Exception as e: return Response(str(e))" } })
      .getEntrypoint().fetch("http://x/").then((r) => r.text());
    const broken = await env.LOADER.load({ compatibilityDate: "2026-01-01", mainModule: "main.py", modules: { "main.py": "raise ValueError('at start')" } })
      .getEntrypoint().fetch("http://x/").catch((e) => e.name + ": " + e.message);
    return Response.json([text, sum, missing, blocked, broken]);
  }
}`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	_, body := get(t, entry(s, def), "http://parent/")
	want := `["py: hi | intercepted http://outside/path s | intercepted http://outside/blocking null | other module",6,"Worker has no such entrypoint: Nothing",` +
		`"This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities (such as bindings in 'env') to talk to the outside world.","Error: Failed to start Worker:\nUncaught ValueError: at start\nTraceback (most recent call last):\n  File \"/session/metadata/main.py\", line 1, in <module>\n    raise ValueError('at start')\nValueError: at start"]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// Workers in Python load others, of either language.
func TestPythonLoader(t *testing.T) {
	s := newPythonService(t)
	def := pythonScript(`
from workers import *
JS = """
export default { async fetch(request, env) { return Response.json([env.settings.deep, await env.room.post("js")]) } }
"""
PY = """
from workers import *
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(env.settings) + await (await fetch("http://out/")).text())
    def add(self, a, b): return a + b + self.ctx.props.c
"""
class Room(WorkerEntrypoint):
    def post(self, text): return self.ctx.props["name"] + ":" + text
class Outbound(WorkerEntrypoint):
    def fetch(self, request): return Response("intercepted " + request.url)
asked = 0
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        room = self.ctx.exports.Room(props={"name": "room"})
        js = self.env.LOADER.load({"compatibilityDate": "2026-01-01", "mainModule": "m.js", "modules": {"m.js": JS}, "env": {"settings": {"deep": [1]}, "room": room}})
        out = [await (await js.get_entrypoint().fetch(request)).text()]
        async def code():
            global asked
            asked += 1
            return {"compatibility_date": "2026-01-01", "main_module": "m.py", "modules": {"m.py": {"py": PY}}, "env": {"settings": {"a": 1}}, "global_outbound": self.ctx.exports.Outbound}
        for _ in range(2):
            py = self.env.LOADER.get("one", code)
            out.append(await (await py.get_entrypoint().fetch(request)).text())
            out.append(await py.getEntrypoint(None, {"props": {"c": 3}}).add(1, 2))
        out.append(asked)
        async def fails(): raise ValueError("no code")
        for what in (lambda: self.env.LOADER.load({"modules": {}}), lambda: self.env.LOADER.get("bad", fails).getEntrypoint().anything()):
            try:
                await what()
            except Exception as e:
                out.append(str(e).partition("\n")[0])
        return Response.json(out)
`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	_, body := get(t, entry(s, def), "http://parent/")
	want := `["[[1],\"room:js\"]","{'a': 1}intercepted http://out/",6,"{'a': 1}intercepted http://out/",6,1,"Dynamic Worker code must contain at least one module.","no code"]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// Requests whose code blocks are served at once, too, and each goes on when what
// it waits for is there.
func TestPythonBlocking(t *testing.T) {
	s := newPythonService(t)
	js := entry(s, script(`import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint { async slow(x) { await scheduler.wait(20); return x } }`))
	target := entry(s, pythonScript(`
from workers import *
class Default(WorkerEntrypoint):
    def fetch(self, request):
        number = request.url.rpartition("/")[2]
        first = self.env.JS.slow(number).wait()
        second = self.env.JS.slow(first).wait()
        print(number)
        return Response(second)
`).service("JS", js))
	seen := &pythonTraces{}
	s.config.Traced = func(w *Worker, tr *Trace) {
		if _, ok := tr.Event.(*FetchTrace); ok && len(tr.Logs) > 0 {
			seen.add(w, tr)
		}
	}
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://x/" + itoa(i)})
			if err != nil {
				t.Error(err)
			} else if body := content(t, response); body != itoa(i) {
				t.Errorf("%d answered %q", i, body)
			}
		})
	}
	group.Wait()
	for _, tr := range seen.wait(t, 100) {
		if len(tr.Logs) != 1 || tr.Outcome != isolate.OK {
			t.Errorf("an event has %d logs, outcome %s", len(tr.Logs), tr.Outcome)
		}
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
