package quickjs

import (
	"slices"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

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
