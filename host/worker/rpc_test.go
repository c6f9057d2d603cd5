package worker

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/host/binding"
	"mayfly/host/binding/kv"
	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
	"mayfly/storage/kv/embedded"
)

// rpcPair makes the workers of testdata/rpc: the caller's entrypoint.
func rpcPair(t testing.TB) rpc.Target {
	t.Helper()
	read := func(name string) Definition {
		source, err := os.ReadFile("testdata/rpc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return script(string(source))
	}
	s := newService(t, nil)
	callee := s.Worker(read("callee.js"))
	props, err := rpc.Encode(map[string]any{"who": "me", "list": []any{1}})
	if err != nil {
		t.Fatal(err)
	}
	def := read("caller.js")
	def.Services = []ServiceBinding{
		{"CALLEE", callee.Entrypoint("", rpc.Value{}, Limits{})},
		{"HANDLERS", callee.Entrypoint("handlers", rpc.Value{}, Limits{})},
		{"PROPS", callee.Entrypoint("Props", rpc.Value{Message: props}, Limits{})},
	}
	return entry(s, def)
}

// TestRPC has one worker call another in every way that there is.
func TestRPC(t *testing.T) {
	target := rpcPair(t)
	for _, name := range []string{"values", "members", "pipelining", "functions", "disposal", "services", "streams", "messages", "signals", "kept", "find"} {
		t.Run(name, func(t *testing.T) {
			var report struct {
				Passed   int
				Failures []string
			}
			// What one event leaves another finds, if that is of the same instance.
			for try := 0; try < 50 && report.Passed == 0 && report.Failures == nil; try++ {
				if name == "find" {
					get(t, target, "http://caller/leave")
				}
				status, body := get(t, target, "http://caller/"+name)
				if err := json.Unmarshal([]byte(body), &report); err != nil || status != 200 {
					t.Fatalf("%d %s: %v", status, body, err)
				}
				if len(report.Failures) == 0 {
					report.Failures = nil
				}
			}
			for _, f := range report.Failures {
				t.Error(f)
			}
			if report.Passed == 0 {
				t.Error("nothing was checked")
			}
		})
	}
}

// TestBindingsPassed has workers pass bindings to each other that have the same
// name at both: each stays what it was.
func TestBindingsPassed(t *testing.T) {
	store, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "kv"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	namespace := func(name string) binding.Entry {
		return binding.Entry{Name: "KV", Kind: binding.KindKV, Open: func(ctx context.Context) (binding.Binding, error) {
			n, err := store.Open(ctx, "tenant", name)
			if err != nil {
				return nil, err
			}
			return kv.New(n, kv.Options{}), nil
		}}
	}
	s := newService(t, nil)
	callee := script(`import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint {
	async put(kv, value) { await kv.put("k", value); await this.env.KV.put("k", "callee's"); return Object.keys(this.env).join() }
	async both(a, b) { return [await a.get("k"), await b.get("k"), await this.env.KV.get("k"), a === b] }
	own() { return { kv: this.env.KV } }
}`)
	callee.Bindings.Entries = []binding.Entry{namespace("callee")}
	caller := script(`export default {async fetch(request, env) {
	const out = [await env.CALLEE.put(env.KV, "caller's"), await env.KV.get("k")];
	const { kv } = await env.CALLEE.own();
	out.push(await kv.get("k"), await env.CALLEE.both(env.KV, kv), await env.CALLEE.both(kv, kv), Object.keys(env).sort().join());
	return Response.json(out);
}}`)
	caller.Bindings.Entries = []binding.Entry{namespace("caller")}
	caller.Services = []ServiceBinding{{"CALLEE", s.Worker(callee).Entrypoint("", rpc.Value{}, Limits{})}}
	caller.Loaders = []LoaderBinding{{"LOADER"}}
	_, body := get(t, entry(s, caller), "http://example.com/")
	const want = `["KV","caller's","callee's",["caller's","callee's","callee's",false],["callee's","callee's","callee's",true],"CALLEE,KV,LOADER"]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// left counts what the instances of a worker hold of events.
func left(w *Worker) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, in := range w.instances {
		in.mu.Lock()
		n += len(in.events) + len(in.owners) + len(in.exports) + len(in.bodies)
		for _, s := range in.stubs {
			if s.event != nil {
				n++
			}
		}
		in.mu.Unlock()
	}
	return n
}

// TestNothingIsLeft has events end that dispose of nothing, whose callbacks are
// kept elsewhere, and whose streams nobody reads.
func TestNothingIsLeft(t *testing.T) {
	s := newService(t, nil)
	callee := s.Worker(script(`import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers"
let kept = [];
class Counter extends RpcTarget {
	constructor(f) { super(); this.f = f?.dup(); }
	add() { return new Counter(this.f) }
	background(ctx) { return "done" }
	async later() { scheduler.wait(3600_000).catch(() => {}); return 1 }
}
export default class extends WorkerEntrypoint {
	counter(f) { return new Counter(f) }
	keep(f) { kept.push(f.dup()); return { f, again: () => f } }
	stream() { return new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(100000)) } }) }
	take(stream, signal) { kept.push(stream, signal) }
	waits() { const { ctx } = this; return new (class extends RpcTarget { go() { ctx.waitUntil(scheduler.wait(20)); return "waiting" } })() }
}`))
	def := script(`export default {async fetch(request, env, ctx) {
	const { C } = {C: env.CALLEE};
	for (let i = 0; i < 5; i++) {
		const f = () => i;
		const counter = await C.counter(f);
		await counter.add().add().later();
		await C.keep(f);
		await C.keep(counter);
		const stream = await C.stream();
		await stream.getReader().read();
		await C.stream();
		await C.take(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(10)) } }), new AbortController().signal);
		await C.waits().go();
	}
	return new Response("over");
}}`)
	def.Services = []ServiceBinding{{"CALLEE", callee.Entrypoint("", rpc.Value{}, Limits{})}}
	caller := s.Worker(def)
	for range 3 {
		if status, body := get(t, caller.Entrypoint("", rpc.Value{}, Limits{}), "http://example.com/"); body != "over" {
			t.Fatalf("%d %s", status, body)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for left(caller)+left(callee) > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if a, b := left(caller), left(callee); a+b > 0 {
		t.Errorf("the caller has %d, the callee %d things of events that are over", a, b)
	}
}

// TestCutOff has a call run out of time that is part of another event: its caller
// is told, and the other event's stubs are gone.
func TestCutOff(t *testing.T) {
	s := newService(t, nil)
	calleeDef := script(`import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers"
class Target extends RpcTarget { spin() { for (;;); } ok() { return "ok" } }
export default class extends WorkerEntrypoint { target() { return new Target() } ok() { return "ok" } }`)
	calleeDef.Limits.CPU = 100 * time.Millisecond
	def := script(`export default {async fetch(request, env, ctx) {
	const out = [];
	const target = await env.CALLEE.target();
	out.push(await target.ok());
	try { await target.spin() } catch (e) { out.push(e.message) }
	try { await target.ok() } catch (e) { out.push(e.message) }
	out.push(await env.CALLEE.ok());
	return Response.json(out);
}}`)
	def.Services = []ServiceBinding{{"CALLEE", s.Worker(calleeDef).Entrypoint("", rpc.Value{}, Limits{})}}
	_, body := get(t, entry(s, def), "http://example.com/")
	const want = `["ok","Worker exceeded CPU time limit.","The execution context which hosted this callback is no longer running.","ok"]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// tally is a target that counts how often it was let go.
type tally struct {
	rpc.Target
	released atomic.Int64
}

func (c *tally) Release() { c.released.Add(1) }

// An answer that a guest gives while its caller goes is let go, on whichever side
// of the other it comes: nobody else will.
func TestAnswerAsCallerGoes(t *testing.T) {
	w := newService(t, nil).Worker(script(`export default { fetch() { return new Response("here") } }`))
	if _, body := get(t, w.Entrypoint("", rpc.Value{}, Limits{}), "http://a.test/"); body != "here" {
		t.Fatalf("%q", body)
	}
	w.mu.Lock()
	in := w.instances[0]
	w.mu.Unlock()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, answerFirst := range map[string]bool{"before": true, "after": false} {
		target := &tally{}
		answer := outcome{value: rpc.Value{Caps: []rpc.Capability{{Target: target}}}}
		e := in.begin(dispatchCall, nil, Limits{}, nil)
		if answerFirst {
			e.give(answer)
		}
		a, err := e.wait(gone)
		if !answerFirst {
			e.give(answer)
		}
		a.value.Release() // it may have been in time
		if n := target.released.Load(); n != 1 {
			t.Errorf("%s: %v, and the answer was let go %d times", name, err, n)
		}
		e.finish(isolate.Canceled, nil)
	}
}
