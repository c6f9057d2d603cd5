package worker

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mayfly/host/op"
	"mayfly/host/rpc"
)

// get asks a worker by GET.
func get(t testing.TB, target rpc.Target, url string) (int, string) {
	t.Helper()
	response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return response.Status, content(t, response)
}

func content(t testing.TB, r *rpc.Response) string {
	t.Helper()
	if r.Body.Stream == nil {
		return string(r.Body.Bytes)
	}
	b, err := io.ReadAll(r.Body.Stream.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func entry(s *Service, def Definition) rpc.Target {
	return s.Worker(def).Entrypoint("", rpc.Value{}, Limits{})
}

func TestFetch(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct{ name, source, want string }{
		{"plain object", `export default {fetch(request) { return new Response("hi " + new URL(request.url).pathname) }}`, "200 hi /path"},
		{"async", `export default {async fetch(request, env, ctx) { await 1; await scheduler.wait(1); return Response.json([request.method, typeof env, typeof ctx.waitUntil], {status: 201}) }}`, `201 ["GET","object","function"]`},
		{"class", `import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint { fetch(request) { return new Response(typeof this.env + this.ctx.constructor.name) } }`, "200 objectExecutionContext"},
		{"stream", `export default {fetch() { const {readable, writable} = new TransformStream(); const w = writable.getWriter(); (async () => { for (let i = 0; i < 3; i++) await w.write(new TextEncoder().encode("part" + i)); await w.close() })(); return new Response(readable) }}`, "200 part0part1part2"},
		{"null", `export default {fetch() { return new Response(null, {status: 204}) }}`, "204 "},
		{"module state", `let n = 0; export default {fetch() { return new Response(String(++n)) }}`, "200 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := get(t, entry(s, script(c.source)), "http://example.com/path")
			if got := strings.TrimSpace(itoa(status)) + " " + body; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestErrors(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct{ name, source, want string }{
		{"throws", `export default {fetch() { throw new RangeError("oops") }}`, "RangeError: oops"},
		{"rejects", `export default {async fetch() { await 1; throw new RangeError("oops") }}`, "RangeError: oops"},
		{"no response", `export default {fetch() { return 1 }}`, "TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'."},
		{"no default", `export const a = 1`, "Error: Worker has no default entrypoint."},
		{"no handler", `export default {}`, "TypeError: Handler does not export a fetch() function."},
		{"start", `throw new Error("at start")`, "Error: at start"},
		{"global scope", `await fetch("http://example.com"); export default {}`, "Error: Disallowed operation called within global scope."},
		{"syntax", `export default {`, "SyntaxError: "},
		{"used body", `export default {async fetch() { const r = new Response("x"); await r.text(); return r }}`, "TypeError: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := entry(s, script(c.source)).Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://example.com/"})
			var record *op.ErrorRecord
			if !errors.As(err, &record) || !strings.HasPrefix(record.Name+": "+record.Message, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func BenchmarkFetchWarm(b *testing.B) {
	var cpu atomic.Int64
	target := entry(newService(b, func(c *Config) { c.Traced = func(_ *Worker, t *Trace) { cpu.Add(int64(t.CPU)) } }), script(`export default {fetch() { return new Response("hi") }}`))
	get(b, target, "http://example.com/")
	cpu.Store(0)
	for b.Loop() {
		get(b, target, "http://example.com/")
	}
	b.ReportMetric(float64(cpu.Load())/float64(b.N), "cpu-ns/op")
}

func BenchmarkFetchFresh(b *testing.B) {
	def := script(`export default {fetch() { return new Response("hi") }}`)
	def.Request = true
	target := entry(newService(b, nil), def)
	get(b, target, "http://example.com/")
	for b.Loop() {
		get(b, target, "http://example.com/")
	}
}

func TestCalls(t *testing.T) {
	s := newService(t, nil)
	callee := s.Worker(script(`import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers"
class Counter extends RpcTarget { #n = 0; add(n) { return this.#n += n } }
export default class extends WorkerEntrypoint {
	add(a, b) { return a + b }
	counter() { return new Counter() }
	async apply(f, x) { return await f(x) + 1 }
	fail() { throw new RangeError("no") }
	props() { return this.ctx.props }
}`))
	def := script(`export default {async fetch(request, env) {
	const out = [];
	out.push(await env.CALLEE.add(1, 2));
	using counter = await env.CALLEE.counter();
	await counter.add(5);
	out.push(await counter.add(6));
	out.push(await env.CALLEE.counter().add(7));
	out.push(await env.CALLEE.apply((x) => x * 10, 4));
	try { await env.CALLEE.fail() } catch (e) { out.push(e.name + ":" + e.message) }
	try { await env.CALLEE.none() } catch (e) { out.push(e.message) }
	return Response.json(out);
}}`)
	def.Services = []ServiceBinding{{"CALLEE", callee.Entrypoint("", rpc.Value{}, Limits{})}}
	_, body := get(t, entry(s, def), "http://example.com/")
	if want := `[3,11,7,41,"RangeError:no","The RPC receiver does not implement the method \"none\"."]`; body != want {
		t.Errorf("got %s, want %s", body, want)
	}
}

func BenchmarkCall(b *testing.B) {
	var cpu [2]atomic.Int64
	s := newService(b, func(c *Config) {
		c.Traced = func(_ *Worker, t *Trace) {
			if _, called := t.Event.(*CallTrace); called {
				cpu[0].Add(int64(t.CPU))
			} else {
				cpu[1].Store(int64(t.CPU))
			}
		}
	})
	callee := s.Worker(script(`import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint { add(a, b) { return a + b } }`))
	def := script(`export default {async fetch(request, env) {
	const n = +new URL(request.url).searchParams.get("n");
	let s = 0;
	for (let i = 0; i < n; i++) s = await env.CALLEE.add(s, 1);
	return new Response(String(s));
}}`)
	def.Limits.Subrequests, def.Limits.CPU = 1<<30, 1<<40
	def.Services = []ServiceBinding{{"CALLEE", callee.Entrypoint("", rpc.Value{}, Limits{})}}
	target := entry(s, def)
	get(b, target, "http://example.com/?n=1")
	b.ResetTimer()
	get(b, target, "http://example.com/?n="+strconv.Itoa(b.N))
	b.ReportMetric(float64(cpu[0].Load())/float64(b.N), "callee-ns/op")
	b.ReportMetric(float64(cpu[1].Load())/float64(b.N), "caller-ns/op")
}

// A handler's failure says whether what is behind the worker may answer instead.
func TestPassThroughOnException(t *testing.T) {
	target := entry(newService(t, nil), script(`export default { async fetch(request, env, ctx) {
	if (request.url.endsWith("/pass")) ctx.passThroughOnException();
	throw new RangeError("no");
} }`))
	for path, passes := range map[string]bool{"/pass": true, "/fail": false} {
		_, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test" + path})
		var through *PassThroughError
		var record *op.ErrorRecord
		if errors.As(err, &through) != passes || !errors.As(err, &record) || record.Name != "RangeError" || record.Message != "no" {
			t.Errorf("%s: %#v", path, err)
		}
	}
}
