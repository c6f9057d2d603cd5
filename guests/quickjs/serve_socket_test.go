package quickjs

import (
	"slices"
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// received is the answer to a websocket_receive.
func received(kind uint8, code uint32, clean uint8, data string) []byte {
	w := op.NewWriter(nil)
	w.U8(kind)
	w.U32(code)
	w.U8(clean)
	w.Str(data)
	return w.Message()
}

// sent is what a websocket_send brings: its messages, binary ones in brackets.
func (w *worker) sent() (id, handle uint32, messages []string) {
	w.t.Helper()
	s := w.take(op.WebsocketSend)
	r := op.NewReader(s.in)
	handle = r.U32()
	for range r.U32() {
		if r.U8() == 2 {
			messages = append(messages, "["+r.Str()+"]")
		} else {
			messages = append(messages, r.Str())
		}
	}
	return s.id, handle, messages
}

func (w *worker) closing() (id, handle, code uint32, reason string) {
	w.t.Helper()
	s := w.take(op.WebsocketClose)
	r := op.NewReader(s.in)
	return s.id, r.U32(), r.U32(), r.Str()
}

const echoWorker = `export default { fetch(request) {
	const [client, server] = Object.values(new WebSocketPair());
	server.accept();
	server.send("hello");
	server.addEventListener("message", ({ data }) => {
		if (data === "bye") server.close(4001, "done");
		else server.send(typeof data === "string" ? "echo " + data : data);
	});
	server.addEventListener("close", ({ code, reason, wasClean }) => console.log("closed", code, reason, wasClean));
	server.addEventListener("error", ({ message }) => console.log("error", message));
	return new Response(null, { status: 101, webSocket: client, headers: { "sec-websocket-protocol": "chat" } });
} }`

// open opens a WebSocket of a worker: its handle.
func (w *worker) open(q request) (event, handle uint32) {
	w.t.Helper()
	event = w.fetch(q)
	for len(w.pending) > 0 && w.pending[0].op == op.Sleep {
		w.settle(w.take(op.Sleep).id, true, nil)
	}
	x := w.host.responses[event]
	if x == nil || x.status != 101 || x.kind != 4 {
		w.t.Fatalf("response %+v, failures %v", x, w.host.failed)
	}
	return event, x.handle
}

// tasks runs the tasks by which what arrived is given to listeners.
func (w *worker) tasks() {
	w.t.Helper()
	for {
		i := slices.IndexFunc(w.pending, func(s started) bool { return s.op == op.Sleep })
		if i < 0 {
			return
		}
		w.settle(w.take(op.Sleep).id, true, nil)
	}
}

func TestSocketOfResponse(t *testing.T) {
	w := serve(t, echoWorker)
	event, handle := w.open(request{})
	if header(w.host.responses[event], "sec-websocket-protocol") != "chat" {
		t.Errorf("%+v", w.host.responses[event])
	}
	id, to, messages := w.sent()
	if to != handle || !slices.Equal(messages, []string{"hello"}) {
		t.Fatalf("to %x: %q", to, messages)
	}
	w.settle(id, true, nil)
	w.settle(w.take(op.WebsocketReceive).id, true, received(1, 0, 0, "ä"))
	w.tasks()
	id, _, messages = w.sent()
	if !slices.Equal(messages, []string{"echo ä"}) {
		t.Fatalf("%q", messages)
	}
	// What is sent while that is under way goes after it.
	for _, m := range []string{"1", "2"} {
		w.settle(w.take(op.WebsocketReceive).id, true, received(1, 0, 0, m))
	}
	w.settle(w.take(op.WebsocketReceive).id, true, received(2, 0, 0, "\x00\xff"))
	w.tasks()
	w.settle(id, true, nil)
	id, _, messages = w.sent()
	if !slices.Equal(messages, []string{"echo 1", "echo 2", "[\x00\xff]"}) {
		t.Fatalf("%q", messages)
	}
	w.settle(id, true, nil)
	// The worker closes, and the other end answers.
	w.settle(w.take(op.WebsocketReceive).id, true, received(1, 0, 0, "bye"))
	w.tasks()
	id, to, code, reason := w.closing()
	if to != handle || code != 4001 || reason != "done" || len(w.host.done) != 0 {
		t.Fatalf("closes %x with %d %q; done %v", to, code, reason, w.host.done)
	}
	w.settle(id, true, nil)
	w.settle(w.take(op.WebsocketReceive).id, true, received(0, 4001, 1, "done"))
	w.tasks()
	if !slices.Equal(w.host.done, []uint32{event}) || w.status != isolate.Done || len(w.pending) != 0 {
		t.Errorf("done %v, status %v, pending %v", w.host.done, w.status, w.pending)
	}
	if len(w.host.logs) != 1 || w.host.logs[0].text != "closed 4001 done true" || len(w.host.failed) != 0 {
		t.Errorf("logs %v, failures %v", w.host.logs, w.host.failed)
	}
}

func TestSocketClosedByTheOther(t *testing.T) {
	for name, test := range map[string]struct {
		message []byte
		logs    []string
		answer  uint32 // the code of the close that answers, 0: none
	}{
		"cleanly":     {received(0, 4000, 1, "ciao"), []string{"closed 4000 ciao true"}, 4000},
		"without one": {received(0, 1005, 1, ""), []string{"closed 1005  true"}, 1005},
		"broken":      {received(0, 1006, 0, ""), []string{"error The WebSocket's connection broke", "closed 1006  false"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, echoWorker)
			event, _ := w.open(request{})
			id, _, _ := w.sent()
			w.settle(id, true, nil)
			w.settle(w.take(op.WebsocketReceive).id, true, test.message)
			w.tasks()
			for len(w.pending) > 0 {
				w.settle(w.take(w.pending[0].op).id, true, nil)
			}
			var logs []string
			for _, l := range w.host.logs {
				logs = append(logs, l.text)
			}
			if !slices.Equal(logs, test.logs) {
				t.Errorf("%q", logs)
			}
			if !slices.Equal(w.host.done, []uint32{event}) || w.status != isolate.Done {
				t.Errorf("done %v, status %v", w.host.done, w.status)
			}
		})
	}
}

func TestSocketMistakes(t *testing.T) {
	for name, test := range map[string]struct{ body, message string }{
		"status":        {"return new Response(null, { webSocket: new WebSocketPair()[0] })", "Responses with a WebSocket must have status code 101."},
		"no socket":     {"return new Response(null, { status: 101 })", "the status must be from 200 to 599"},
		"not a socket":  {"return new Response(null, { status: 101, webSocket: {} })", "webSocket is not a WebSocket"},
		"accepted":      {"const p = new WebSocketPair(); p[0].accept(); return new Response(null, { status: 101, webSocket: p[0] })", "Can't return WebSocket in a Response after calling accept()."},
		"used twice":    {"const p = new WebSocketPair(); p[1].accept(); globalThis.kept ??= p[0]; return new Response(null, { status: 101, webSocket: kept })", "Can't return WebSocket that was already used in a response."},
		"of a client":   {"return new Response(null, { status: 101, webSocket: new WebSocket('ws://a.test/') })", "Can't return WebSocket in a Response if it was created with `new WebSocket()`"},
		"cloned":        {"return new Response(null, { status: 101, webSocket: new WebSocketPair()[0] }).clone()", "Cannot clone a response to a WebSocket handshake."},
		"another event": {"const p = new WebSocketPair(); p[1].accept(); if (globalThis.old) { old.send('x') } globalThis.old = p[1]; return new Response(null, { status: 101, webSocket: p[0] })", "Cannot perform I/O on behalf of a different request."},
		"accept later":  {"const p = new WebSocketPair(); setTimeout(() => p[0].accept(), 1); return new Response(null, { status: 101, webSocket: p[0] })", "Can't accept() WebSocket that was already used in a response."},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, "export default { fetch() { "+test.body+" } }")
			w.fetch(request{})
			if len(w.host.failed) == 0 {
				w.tasks()
			}
			if len(w.host.failed) == 0 {
				w.fetch(request{})
			}
			if len(w.host.failed) != 1 || !strings.HasPrefix(w.host.failed[0].Message, test.message) {
				t.Errorf("%v", w.host.failed)
			}
		})
	}
}

// A socket that came with a fetch is passed on: what arrives at one handle is
// sent to the other.
func TestSocketPassedOn(t *testing.T) {
	for name, source := range map[string]string{
		"the response": `export default { fetch: () => fetch("http://b.test/", { headers: { upgrade: "websocket" } }) }`,
		"the socket":   `export default { async fetch() { const { webSocket } = await fetch("http://b.test/", { headers: { upgrade: "websocket" } }); return new Response(null, { status: 101, webSocket }) } }`,
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, source)
			event := w.fetch(request{})
			answer := op.NewWriter(nil)
			answer.U32(101)
			answer.Str("")
			answer.Str("http://b.test/")
			answer.U8(0)
			answer.Pairs(nil)
			answer.U8(0)
			answer.Bytes(nil)
			answer.U32(0xC0000099)
			w.settle(w.take(op.Websocket).id, true, answer.Message())
			x := w.host.responses[event]
			if x == nil || x.status != 101 || x.kind != 4 {
				t.Fatalf("%+v, failures %v", x, w.host.failed)
			}
			from := map[uint32]uint32{} // handle → operation that receives
			for range 2 {
				s := w.take(op.WebsocketReceive)
				from[op.NewReader(s.in).U32()] = s.id
			}
			w.settle(from[0xC0000099], true, received(1, 0, 0, "down"))
			id, to, messages := w.sent()
			if to != x.handle || !slices.Equal(messages, []string{"down"}) {
				t.Errorf("to %x: %q", to, messages)
			}
			w.settle(id, true, nil)
			w.settle(from[x.handle], true, received(2, 0, 0, "up"))
			id, to, messages = w.sent()
			if to != 0xC0000099 || !slices.Equal(messages, []string{"[up]"}) {
				t.Errorf("to %x: %q", to, messages)
			}
			w.settle(id, true, nil)
			for range 2 {
				s := w.take(op.WebsocketReceive)
				from[op.NewReader(s.in).U32()] = s.id
			}
			w.settle(from[x.handle], true, received(0, 4002, 1, "enough"))
			id, to, code, reason := w.closing()
			if to != 0xC0000099 || code != 4002 || reason != "enough" || len(w.host.done) != 0 {
				t.Errorf("closes %x with %d %q; done %v", to, code, reason, w.host.done)
			}
			w.settle(id, true, nil)
			w.settle(from[0xC0000099], true, received(0, 4002, 1, "enough"))
			if !slices.Equal(w.host.done, []uint32{event}) || w.status != isolate.Done {
				t.Errorf("done %v, status %v, pending %v", w.host.done, w.status, w.pending)
			}
		})
	}
}
