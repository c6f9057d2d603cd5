package quickjs

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

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
		if !errors.Is(w.err, isolate.ErrMemory) {
			t.Errorf("%s: error %v, failures %v", body, w.err, w.host.failed)
		}
	}
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
