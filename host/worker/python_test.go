//go:build mayfly_tuned

package worker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/guests/python"
	"mayfly/host/execution"
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
