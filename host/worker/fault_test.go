package worker

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
)

// told is a target that notes what it is told.
type told struct {
	counted
	calls chan string
}

func (t *told) Fetch(_ context.Context, r *rpc.Request) (*rpc.Response, error) {
	t.calls <- r.URL
	return &rpc.Response{Status: 200}, nil
}

// Who disconnects has the request's signal aborted; what waitUntil waits for goes
// on, in a dynamic worker too.
func TestDisconnect(t *testing.T) {
	note := &told{calls: make(chan string, 10)}
	def := script(`
const source = ` + "`" + `export default { async fetch(request, env, ctx) {
	ctx.waitUntil((async () => { await scheduler.wait(50); await env.NOTE.fetch("http://child/after") })());
	request.signal.addEventListener("abort", () => { ctx.waitUntil(env.NOTE.fetch("http://child/aborted")) });
	await env.NOTE.fetch("http://child/begun");
	await scheduler.wait(60000);
} }` + "`" + `;
export default { async fetch(request, env, ctx) {
	ctx.waitUntil((async () => { await scheduler.wait(50); await env.NOTE.fetch("http://parent/after") })());
	return env.LOADER.load({ compatibilityDate: "2026-01-31", mainModule: "m.js", modules: { "m.js": source }, env: { NOTE: env.NOTE } }).getEntrypoint().fetch(request);
} }`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	def.Services = []ServiceBinding{{"NOTE", note}}
	target := entry(newService(t, nil), def)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	failed := make(chan error, 1)
	go func() {
		_, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://example.com/"})
		failed <- err
	}()
	if got := <-note.calls; got != "http://child/begun" {
		t.Fatal(got)
	}
	cancel(gone)
	if err := <-failed; err != gone {
		t.Errorf("who went away is told %v", err)
	}
	want := map[string]bool{"http://child/aborted": true, "http://child/after": true, "http://parent/after": true}
	for range 3 {
		select {
		case got := <-note.calls:
			delete(want, got)
		case <-time.After(20 * time.Second):
			t.Fatalf("never came: %v", want)
		}
	}
	if len(want) > 0 {
		t.Errorf("never came: %v", want)
	}
}

// broken is a binding that panics.
type broken struct{ uses atomic.Int32 }

func (b *broken) Do(context.Context, *binding.Call) (binding.Reply, error) {
	if b.uses.Add(1) == 1 {
		panic("a bug of the binding")
	}
	return binding.Reply{}, &op.ErrorRecord{Name: "Error", Message: "fine"}
}

// A bug of the host in a binding ends one request, of a child to which the
// binding was passed; others go on.
func TestBindingPanics(t *testing.T) {
	def := script(`
const source = ` + "`" + `export default { async get(key, env) { return await env.KV.get(key).catch((e) => e.message) }, async ok() { await scheduler.wait(30); return "fine" } }` + "`" + `;
export default { async fetch(request, env) {
	const child = env.LOADER.get("child", () => ({ compatibilityDate: "2026-01-31", mainModule: "m.js", modules: { "m.js": source }, env: { KV: env.KV } })).getEntrypoint();
	const settled = await Promise.allSettled([child.ok(0), child.get("a")]);
	return Response.json([settled.map((s) => s.value ?? s.reason.message), await child.get("b")]);
} }`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	b := &broken{}
	def.Bindings.Entries = []binding.Entry{{Name: "KV", Kind: binding.KindKV, Open: func(context.Context) (binding.Binding, error) { return b, nil }}}
	_, body := get(t, entry(newService(t, nil), def), "http://example.com/")
	if !strings.HasPrefix(body, `[["fine","KV: internal error; reference = `) || !strings.HasSuffix(body, `"],"fine"]`) {
		t.Errorf("got %s", body)
	}
}

// counting is a worker whose wasm instance is made when the modules are evaluated.
func counting() Definition {
	def := script(`import m from "./count.wasm"; const { exports } = new WebAssembly.Instance(m); export default { fetch() { return new Response(String(exports.next())) } }`)
	def.Code.Modules["count.wasm"] = Module{Wasm, []byte("\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x00\x01\x7f\x03\x02\x01\x00\x06\x06\x01\x7f\x01\x41\x00\x0b\x07\x08\x01\x04next\x00\x00\x0a\x0d\x01\x0b\x00\x23\x00\x41\x01\x6a\x24\x00\x23\x00\x0b")}
	return def
}

// Isolates that can't begin with a state are parked, and go on, like others.
func TestInstancesOfWebAssemblyAtTheTop(t *testing.T) {
	s := newService(t, func(c *Config) { c.Warm = 1 })
	a, b := entry(s, counting()), entry(s, counting())
	for i := 1; i <= 4; i++ {
		for _, target := range []rpc.Target{a, b} {
			if _, body := get(t, target, "http://example.com/"); body != strconv.Itoa(i) {
				t.Errorf("got %s, want %d", body, i)
			}
		}
	}
	def := counting()
	def.Request = true
	fresh := entry(s, def)
	for range 3 {
		if _, body := get(t, fresh, "http://example.com/"); body != "1" {
			t.Errorf("a fresh isolate counts %s", body)
		}
	}
}

// The code of a worker may be asked of a request whose client goes away: then
// another request that waits for it gives it.
func TestCodeOfAnotherRequest(t *testing.T) {
	note := &told{calls: make(chan string, 10)}
	def := script(`export default { async fetch(request, env) {
	const slow = request.url.endsWith("slow");
	const getCode = async () => {
		await env.NOTE.fetch(slow ? "http://x/slow" : "http://x/other");
		if (slow) await scheduler.wait(60000);
		return { compatibilityDate: "2026-01-31", mainModule: "m.js", modules: { "m.js": "export default { fetch() { return new Response('here') } }" } };
	};
	const first = env.LOADER.get("one", getCode).getEntrypoint();
	if (!slow) await env.NOTE.fetch("http://x/waits");
	return env.LOADER.get("one", getCode).getEntrypoint().fetch(request.url);
} }`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	def.Services = []ServiceBinding{{"NOTE", note}}
	target := entry(newService(t, nil), def)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://example.com/slow"})
		failed <- err
	}()
	if got := <-note.calls; got != "http://x/slow" {
		t.Fatal(got)
	}
	answer := make(chan string, 2)
	for range 2 {
		go func() {
			response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://example.com/other"})
			if err != nil {
				answer <- err.Error()
				return
			}
			answer <- content(t, response)
		}()
	}
	for range 2 {
		if got := <-note.calls; got != "http://x/waits" {
			t.Fatal(got)
		}
	}
	cancel()
	if err := <-failed; err == nil {
		t.Error("the client that has gone got an answer")
	}
	for range 2 {
		if got := <-answer; got != "here" {
			t.Errorf("got %s", got)
		}
	}
	if got := <-note.calls; got != "http://x/other" || len(note.calls) > 0 {
		t.Errorf("asked: %s, and %d more", got, len(note.calls))
	}
}

// TestEvaluationThatExceeds: what ended an evaluation is said the same way, also
// where the isolate's end comes before anybody has looked.
func TestEvaluationThatExceeds(t *testing.T) {
	in := newInstance(newService(t, nil).Worker(script("for (;;);")))
	in.evaluating, in.started, in.iso = true, make(chan struct{}), new(isolate.Isolate)
	in.Exceeded(evaluation)
	in.Ended(isolate.Report{Outcome: isolate.ExceededCPU, Err: errors.New("stopped")})
	<-in.started
	var outcome *OutcomeError
	if !errors.As(in.fault, &outcome) || outcome.Outcome != isolate.ExceededCPU {
		t.Errorf("it ended by %v", in.fault)
	}
	var internal *InternalError
	if _, err := newService(t, nil).Worker(script("for (;;);")).Evaluate(t.Context()); !errors.As(err, &outcome) || errors.As(err, &internal) {
		t.Errorf("it ended by %v", err)
	}
}

// For want of memory instances end that serve nobody. The next event begins anew.
func TestEvicted(t *testing.T) {
	s := newService(t, nil)
	w := s.Worker(script(`import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers";
	let served = 0;
	class Counter extends RpcTarget { next() { return ++served } }
	export class Counters extends WorkerEntrypoint { get counter() { return new Counter() } }
	export default { async fetch(request) {
		const n = ++served;
		if (request.url.endsWith("/slow")) await scheduler.wait(1000);
		return new Response(String(n));
	} }`))
	target := w.Entrypoint("", rpc.Value{}, Limits{})
	want := func(path, body string) {
		t.Helper()
		if _, got := get(t, target, "http://a.test"+path); got != body {
			t.Errorf("%s: %q, want %q", path, got, body)
		}
	}
	instance := func() *instance {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.instances[0]
	}
	want("/", "1")
	want("/", "2")
	first := instance()
	if !first.Evict() {
		t.Error("it was not evicted")
	}
	if first.Evict() {
		t.Error("it was evicted twice")
	}
	want("/", "1")

	slow := make(chan string)
	go func() {
		_, body := get(t, target, "http://a.test/slow")
		slow <- body
	}()
	for instance().load.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if instance().Evict() {
		t.Error("it was evicted with a request under way")
	}
	if body := <-slow; body != "2" {
		t.Errorf("%q", body)
	}

	// While somebody holds a stub of it, it stays.
	counters := w.Entrypoint("Counters", rpc.Value{}, Limits{})
	value, err := counters.Call(t.Context(), &rpc.Call{Get: true, Path: []string{"counter"}})
	if err != nil || len(value.Caps) != 1 {
		t.Fatalf("%+v %v", value, err)
	}
	if instance().Evict() {
		t.Error("it was evicted with a stub of it held")
	}
	value.Caps[0].Target.Release()
	for start := time.Now(); !instance().Evict(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("it was not evicted when the stub was given back")
		}
	}
	want("/", "1")
}

// For want of memory the states of code go that nobody uses, and no others.
func TestBasesForMemory(t *testing.T) {
	s := newService(t, nil)
	kept := func() int {
		s.bases.mu.Lock()
		defer s.bases.mu.Unlock()
		return len(s.bases.byKey)
	}
	definition := func(n int) Definition {
		return script(`export default { fetch() { return new Response("` + strconv.Itoa(n) + `") } }`)
	}
	workers := make([]*Worker, 3)
	for i := range workers {
		workers[i] = s.Worker(definition(i))
		get(t, workers[i].Entrypoint("", rpc.Value{}, Limits{}), "http://a.test/")
	}
	for i := range 2 {
		workers[i].Close()
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		s.bases.mu.Lock()
		n := len(s.bases.idle)
		s.bases.mu.Unlock()
		if n == 2 {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d are idle", n)
		}
	}
	s.bases.relieve(1)
	if n := kept(); n != 2 {
		t.Errorf("%d are kept", n)
	}
	s.bases.relieve(1 << 40)
	if n := kept(); n != 1 {
		t.Errorf("%d are kept", n)
	}
	for i := range workers {
		if _, body := get(t, entry(s, definition(i)), "http://a.test/"); body != strconv.Itoa(i) {
			t.Errorf("%q", body)
		}
	}
}
