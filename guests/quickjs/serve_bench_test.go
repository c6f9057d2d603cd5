package quickjs

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// captured is an image of the clone as it is, between two events.
func (c *clone) captured(t testing.TB) *image {
	t.Helper()
	top, err := c.machine.HeapTop()
	if err != nil {
		t.Fatal(err)
	}
	img := &image{module: c.image.module, memory: append([]byte(nil), c.memory[:top]...), globals: map[string]uint64{}}
	for name := range c.image.globals {
		g, err := c.in.Global(name)
		if err != nil {
			t.Fatal(err)
		}
		img.globals[name] = g.Get()
	}
	return img
}

// fork is a worker in a clone of what this one left after its start.
func (w *worker) fork(t testing.TB, c *clone) *worker {
	t.Helper()
	if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	h := &workerHost{host: &host{t: t, files: w.host.files}, responses: map[uint32]*answered{}, answers: map[uint32]string{}, handle: 0xC0000000}
	c.in.SetData(isolate.Port(h))
	if err := c.machine.Begin(isolate.Life{Seed: 1, MemoryBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	return &worker{life: &life{host: h.host, t: t, clone: c}, host: h}
}

var workers = []struct {
	name, source string
	pages        int // that the first event of a clone may change
}{
	{"tiny", `export default { fetch() { return new Response("hi") } }`, 40},
	{"async", `export default { async fetch(request, env, ctx) { return new Response("hi " + env.KEY) } }`, 60},
	{"json", `export default { async fetch(request) { const url = new URL(request.url); return Response.json({ path: url.pathname, q: url.searchParams.get("q"), agent: request.headers.get("user-agent") }) } }`, 75},
	{"class", `import { WorkerEntrypoint } from "cloudflare:workers"; export default class extends WorkerEntrypoint { fetch() { return new Response("hi") } }`, 45},
}

var benchRequest = request{url: "http://localhost:8080/path?q=1", headers: []op.Pair{
	{Name: "accept", Value: "*/*"}, {Name: "host", Value: "localhost:8080"}, {Name: "user-agent", Value: "bench/1"}, {Name: "cf-connecting-ip", Value: "127.0.0.1"},
}, cf: `{"country":"XX","httpProtocol":"HTTP/1.1"}`}

// The first event of a clone changes few pages.
func TestServeChangesFewPages(t *testing.T) {
	for _, test := range workers {
		c := serve(t, test.source).clone.captured(t).clone(t)
		w := (&worker{host: &workerHost{host: &host{}}}).fork(t, c)
		before := c.changedPages(t)
		if x := w.get(benchRequest); x.status != 200 {
			t.Fatalf("%+v", x)
		}
		n := c.changedPages(t)
		t.Logf("%s: %d pages, of them %d by its begin", test.name, n, before)
		if n > test.pages {
			t.Errorf("%s: %d pages are changed, more than %d", test.name, n, test.pages)
		}
	}
}

// cpu is the processor time of the thread, which has to be locked.
func cpu() time.Duration {
	var usage syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkDispatch is a fetch in a worker that has served others, and the first
// one in a clone of what the start left.
func BenchmarkDispatch(b *testing.B) {
	for _, test := range workers {
		b.Run(test.name+"/warm", func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			w := serve(b, test.source)
			message := benchRequest.message()
			begun := cpu()
			defer func() { b.ReportMetric(float64(cpu()-begun)/float64(b.N), "cpu-ns/op") }()
			for i := range b.N {
				w.dispatch(uint32(i+1), dispatchFetch, message)
				if w.err != nil || len(w.host.done) != 1 {
					b.Fatal(w.err, w.host.failed)
				}
				w.host.done = w.host.done[:0]
				clear(w.host.responses)
			}
		})
		b.Run(test.name+"/clone", func(b *testing.B) {
			c := serve(b, test.source).clone.captured(b).clone(b)
			first := &worker{host: &workerHost{host: &host{}}}
			message := benchRequest.message()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var spent time.Duration
			defer func() { b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op") }()
			for range b.N {
				b.StopTimer()
				w := first.fork(b, c)
				b.StartTimer()
				begun := cpu()
				w.dispatch(1, dispatchFetch, message)
				spent += cpu() - begun
				if w.err != nil || len(w.host.done) != 1 {
					b.Fatal(w.err, w.host.failed)
				}
			}
		})
	}
}
