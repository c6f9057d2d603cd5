//go:build mayfly_tuned

package worker

import (
	"context"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
)

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

// More requests that block arrive in one isolate than its stack has room for, each
// being served inside of the one before: the later ones wait.
func TestPythonBlockingInOne(t *testing.T) {
	s := newPythonService(t)
	s.processors = 1
	defer func(n int) { blockingInstances = n }(blockingInstances)
	blockingInstances = 1
	g := newGate()
	target := entry(s, pythonScript(`
from workers import *
class Default(WorkerEntrypoint):
    def fetch(self, request):
        number = request.url.rpartition("/")[2]
        return Response(self.env.JS.slow(number).wait() + self.env.JS.slow(number).wait())
`).service("JS", g))
	const n = 200
	g.arrived = make(chan string, 2*n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://x/" + itoa(i)})
			if err != nil {
				t.Error(err)
			} else if body := content(t, response); body != itoa(i)+itoa(i) {
				t.Errorf("%d answered %q", i, body)
			}
		})
	}
	first := <-g.arrived // what else has arrived is taken where this one waits
	for i := range n {
		if itoa(i) != first {
			close(g.of(itoa(i)))
		}
	}
	for seen := map[string]bool{first: true}; len(seen) < 60; {
		seen[<-g.arrived] = true
	}
	close(g.of(first))
	group.Wait()
}

// A gate is a service whose calls are answered when they are let through.
type gate struct {
	arrived chan string
	mu      sync.Mutex
	open    map[string]chan struct{}
}

func newGate() *gate { return &gate{arrived: make(chan string, 256), open: map[string]chan struct{}{}} }

func (g *gate) of(name string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[name] == nil {
		g.open[name] = make(chan struct{})
	}
	return g.open[name]
}

func (g *gate) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	g.arrived <- path.Base(r.URL)
	select {
	case <-g.of(path.Base(r.URL)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &rpc.Response{Status: 200, Body: rpc.Body{Bytes: []byte(path.Base(r.URL))}}, nil
}

func (g *gate) Call(ctx context.Context, c *rpc.Call) (rpc.Value, error) {
	v, err := rpc.Decode(c.Arguments.Message)
	if err != nil {
		return rpc.Value{}, err
	}
	name := v.([]any)[0].(string)
	g.arrived <- name
	select {
	case <-g.of(name):
	case <-ctx.Done():
		return rpc.Value{}, ctx.Err()
	}
	message, err := rpc.Encode(name)
	return rpc.Value{Message: message}, err
}

func (g *gate) Retain()  {}
func (g *gate) Release() {}

// await waits for the next call.
func (g *gate) await(t *testing.T, want string) {
	t.Helper()
	select {
	case name := <-g.arrived:
		if name != want {
			t.Fatalf("%s came to the gate, not %s", name, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not come to the gate", want)
	}
}

// blockingPython is a worker whose requests wait at a gate, by blocking.
func blockingPython(g *gate, wait string) Definition {
	def := pythonScript(strings.ReplaceAll(`
from workers import *
from pyodide.ffi import run_sync
import asyncio, urllib.request
class Default(WorkerEntrypoint):
    def fetch(self, request):
        name = request.url.rpartition("/")[2]
        if name == "plain":
            return Response(name)
        try:
            return Response(WAIT)
        finally:
            print("left", name)
`, "WAIT", wait)).service("GATE", g)
	def.Outbound = g
	return def
}

// waysToBlock are expressions of Python that block until the gate is open.
var waysToBlock = map[string]string{
	"call":     "self.env.GATE.wait(name).wait()",
	"run_sync": "run_sync(self.env.GATE.wait(name))",
	"asyncio":  "run_sync(asyncio.wait_for(self.env.GATE.wait(name), 100))",
	"urllib":   "urllib.request.urlopen('http://outside/' + name).read()",
}

// asked is a request under way.
type asked struct {
	cancel context.CancelFunc
	answer chan string
}

func ask(t *testing.T, target rpc.Target, name string) asked {
	ctx, cancel := context.WithCancel(t.Context())
	a := asked{cancel, make(chan string, 1)}
	go func() {
		response, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://x/" + name})
		if err != nil {
			a.answer <- err.Error()
			return
		}
		a.answer <- content(t, response)
	}()
	return a
}

func (a asked) wait(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-a.answer:
		if got != want {
			t.Errorf("%q was answered, not %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s was not answered", want)
	}
}

// Requests that block don't wait for those that came later, nor these for them,
// once the worker is known for it.
func TestPythonBlockingOrder(t *testing.T) {
	s := newPythonService(t)
	s.processors = 1
	g := newGate()
	target := entry(s, blockingPython(g, waysToBlock["call"]))
	close(g.of("first"))
	ask(t, target, "first").wait(t, "first")
	g.await(t, "first")
	const n = 8
	for _, order := range []string{"forwards", "backwards"} {
		var list [n]asked
		name := func(i int) string { return itoa(i) + order }
		for i := range n {
			list[i] = ask(t, target, name(i))
			g.await(t, name(i))
		}
		for i := range n {
			if order == "backwards" {
				i = n - 1 - i
			}
			close(g.of(name(i)))
			list[i].wait(t, name(i))
		}
	}
}

// A request that nobody waits for any more gives way to the one that it has
// blocked inside of.
func TestPythonBlockingAbandoned(t *testing.T) {
	old := blockingInstances
	blockingInstances = 1
	defer func() { blockingInstances = old }()
	for name, way := range waysToBlock {
		t.Run(name, func(t *testing.T) {
			s := newPythonService(t)
			s.processors = 1
			seen := &pythonTraces{}
			s.config.Traced = seen.add
			g := newGate()
			target := entry(s, blockingPython(g, way))
			outside := ask(t, target, "outside")
			g.await(t, "outside")
			inside := ask(t, target, "inside")
			g.await(t, "inside")
			ask(t, target, "plain").wait(t, "plain")
			inside.cancel()
			inside.wait(t, context.Canceled.Error())
			close(g.of("outside"))
			outside.wait(t, "outside")
			ask(t, target, "plain").wait(t, "plain")
			traces := seen.wait(t, 4)
			if got := traces[1].Outcome; got != isolate.Canceled {
				t.Errorf("the outcome of what was given up is %s", got)
			}
			if got := logsOf(traces[2]); got != "log:left outside" {
				t.Errorf("the one outside logged %q", got)
			}
		})
	}
}
