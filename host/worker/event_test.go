package worker

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
)

// traces gathers those of a service.
type traces struct {
	mu   sync.Mutex
	list []*Trace
}

func (x *traces) config(c *Config) {
	c.Watched = func(*Worker) bool { return true }
	c.Traced = func(_ *Worker, t *Trace) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.list = append(x.list, t)
	}
}

// of waits for the trace of a request to a path.
func (x *traces) of(t *testing.T, path string) *Trace {
	t.Helper()
	for range 1000 {
		x.mu.Lock()
		for _, trace := range x.list {
			if f, ok := trace.Event.(*FetchTrace); ok && strings.HasSuffix(f.Request.URL, path) {
				x.mu.Unlock()
				return trace
			}
		}
		x.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("there is no trace of %s", path)
	return nil
}

const busy = `let served = 0; let shared;
export default { async fetch(request) {
	const path = new URL(request.url).pathname;
	served++;
	switch (path) {
		case "/loop": try { for (;;) {} } catch {} finally { for (;;) {} }
		case "/jobs": { const again = () => Promise.resolve().then(again); again(); await new Promise(() => {}) }
		case "/memory": { const a = []; for (;;) a.push(new Array(1000).fill(a.length)) }
		case "/slow": await scheduler.wait(1500); break;
		case "/hang": await new Promise(() => {}); break;
		case "/shared": await (shared ??= scheduler.wait(300)); break;
		case "/log": console.warn("seen", { a: 1 }); setTimeout(() => { throw new Error("later") }, 1); await scheduler.wait(5);
	}
	return new Response(path + served);
} }`

// An event that is over its limit of processor time ends alone: what runs beside
// it in the same isolate goes on.
func TestOneEventExceeds(t *testing.T) {
	var seen traces
	s := newService(t, seen.config)
	target := s.Worker(script(busy)).Entrypoint("", rpc.Value{}, Limits{CPU: 200 * time.Millisecond})
	slow := make(chan string)
	go func() {
		response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test/slow"})
		if err != nil {
			slow <- err.Error()
			return
		}
		slow <- string(response.Body.Bytes)
	}()
	for _, path := range []string{"/loop", "/jobs"} {
		_, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test" + path})
		var limit *OutcomeError
		if !errors.As(err, &limit) || limit.Outcome != isolate.ExceededCPU {
			t.Errorf("%s: %v", path, err)
		}
		if trace := seen.of(t, path); trace.Outcome != isolate.ExceededCPU {
			t.Errorf("%s: outcome %s", path, trace.Outcome)
		}
	}
	if got := <-slow; !strings.HasPrefix(got, "/slow") {
		t.Errorf("the slow one came to %q", got)
	}
}

// Memory that is out ends the isolate; the next event gets another.
func TestOutOfMemory(t *testing.T) {
	var seen traces
	target := entry(newService(t, seen.config), script(busy))
	if _, body := get(t, target, "http://a.test/first"); body != "/first1" {
		t.Errorf("%q", body)
	}
	_, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test/memory"})
	var limit *OutcomeError
	if err == nil || errors.As(err, &limit) && limit.Outcome != isolate.ExceededMemory {
		t.Errorf("%v", err)
	}
	if trace := seen.of(t, "/memory"); trace.Outcome != isolate.ExceededMemory {
		t.Errorf("outcome %s", trace.Outcome)
	}
	if _, body := get(t, target, "http://a.test/next"); body != "/next1" {
		t.Errorf("%q", body)
	}
}

func TestHang(t *testing.T) {
	target := entry(newService(t, nil), script(busy))
	_, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test/hang"})
	if err == nil || !strings.Contains(err.Error(), "code had hung") {
		t.Errorf("%v", err)
	}
	// What another request waits for is no hang.
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test/shared"})
			if err != nil {
				t.Error(err)
			} else if !strings.HasPrefix(string(response.Body.Bytes), "/shared") {
				t.Errorf("%q", response.Body.Bytes)
			}
		})
	}
	both.Wait()
}

func TestTraceOfEvent(t *testing.T) {
	var seen traces
	target := entry(newService(t, seen.config), script(busy))
	get(t, target, "http://a.test/log")
	trace := seen.of(t, "/log")
	if len(trace.Logs) != 1 || trace.Logs[0].Level != "warn" || string(trace.Logs[0].Message) != `["seen",{"a":1}]` || trace.Logs[0].Text != "seen { a: 1 }" {
		t.Errorf("%+v", trace.Logs)
	}
	if len(trace.Exceptions) != 1 || trace.Exceptions[0].Message != "later" || trace.Outcome != isolate.Exception {
		t.Errorf("%+v, outcome %s", trace.Exceptions, trace.Outcome)
	}
}

// TestStartIsAccounted has the evaluation of modules count once, for whoever asked
// first.
func TestStartIsAccounted(t *testing.T) {
	var seen traces
	target := entry(newService(t, seen.config), script(`let n = 0;
for (let i = 0; i < 300_000; i++) n += i;
export default { fetch: () => new Response(String(n)) };`))
	get(t, target, "http://a.test/first")
	first := seen.of(t, "/first")
	get(t, target, "http://a.test/second")
	second := seen.of(t, "/second")
	if first.Start <= first.CPU || second.Start != 0 {
		t.Errorf("the first event was charged %v besides its %v, the second %v", first.Start, first.CPU, second.Start)
	}
}

func TestWebSocketOfResponse(t *testing.T) {
	var seen traces
	target := entry(newService(t, seen.config), script(`export default { fetch() {
		const [client, server] = Object.values(new WebSocketPair());
		server.accept();
		server.addEventListener("message", ({ data }) => { if (data === "bye") server.close(4001, "done"); else server.send("echo " + data) });
		return new Response(null, { status: 101, webSocket: client });
	} }`))
	response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test/socket", WebSocket: true})
	if err != nil || response.Status != 101 || response.Socket == nil {
		t.Fatalf("%+v, %v", response, err)
	}
	receive := func() rpc.SocketMessage {
		arrived := make(chan rpc.SocketMessage, 1)
		response.Socket.Receive(func(m rpc.SocketMessage) { arrived <- m })
		select {
		case m := <-arrived:
			return m
		case <-time.After(30 * time.Second):
			t.Fatal("no message")
			return rpc.SocketMessage{}
		}
	}
	for _, text := range []string{"one", "two"} {
		response.Socket.Send(rpc.SocketMessage{Kind: rpc.SocketText, Data: []byte(text)}, nil)
		if m := receive(); m.Kind != rpc.SocketText || string(m.Data) != "echo "+text {
			t.Errorf("%+v", m)
		}
	}
	response.Socket.Send(rpc.SocketMessage{Kind: rpc.SocketText, Data: []byte("bye")}, nil)
	if m := receive(); m.Kind != rpc.SocketClosed || m.Code != 4001 || string(m.Data) != "done" {
		t.Errorf("%+v", m)
	}
	response.Socket.Send(rpc.SocketMessage{Kind: rpc.SocketClosed, Code: 4001, Clean: true}, nil)
	if trace := seen.of(t, "/socket"); trace.Outcome != isolate.OK {
		t.Errorf("outcome %s, %+v", trace.Outcome, trace.Exceptions)
	}
}
