package fetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mayfly/host/egress"
	"mayfly/host/op"
)

// event is websocket_receive's answer, decoded.
type event struct {
	kind  byte
	code  uint32
	clean bool
	data  string
}

func (g *guest) dialSocket(u string, header ...string) settled {
	g.Helper()
	return g.waitFetch(g.start(op.Websocket, encodeFetch(fetchMessage{method: "GET", url: u, header: headers(header...)})))
}

func (g *guest) mustDial(u string, header ...string) *answer {
	g.Helper()
	s := g.dialSocket(u, header...)
	if !s.ok {
		g.Fatal(s.errorText(g))
	}
	if s.response.status != 101 || s.response.handle == 0 || s.response.body != bodyNone {
		g.Fatalf("no socket: %+v", s.response)
	}
	return s.response
}

func (g *guest) receive(handle uint32) event {
	g.Helper()
	return g.event(g.wait(g.start(op.WebsocketReceive, binary.LittleEndian.AppendUint32(nil, handle))))
}

func (g *guest) event(s settled) event {
	g.Helper()
	if !s.ok {
		g.Fatal(s.errorText(g))
	}
	r := op.NewReader(s.message)
	e := event{r.U8(), r.U32(), r.U8() == 1, string(r.Bytes())}
	if err := r.Done(); err != nil {
		g.Fatal(err)
	}
	return e
}

func encodeSend(handle uint32, messages ...socketMessage) []byte {
	w := op.NewWriter(nil)
	w.U32(handle)
	w.U32(uint32(len(messages)))
	for _, m := range messages {
		w.U8(m.kind)
		w.Bytes(m.data)
	}
	return w.Message()
}

func (g *guest) post(handle uint32, messages ...socketMessage) settled {
	g.Helper()
	return g.wait(g.start(op.WebsocketSend, encodeSend(handle, messages...)))
}

func (g *guest) shut(handle, code uint32, reason string) uint32 {
	w := op.NewWriter(nil)
	w.U32(handle)
	w.U32(code)
	w.Str(reason)
	return g.start(op.WebsocketClose, w.Message())
}

func text(s string) socketMessage { return socketMessage{socketText, []byte(s)} }

// echoSockets is a server whose sockets say what they are told, but for words
// that have it do something else.
func echoSockets(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/plain":
		rw.WriteHeader(http.StatusTeapot)
		fmt.Fprint(rw, strings.Repeat("no socket", 1000))
		return
	case "/redirect":
		http.Redirect(rw, r, "/", http.StatusFound)
		return
	}
	c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for {
		typ, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		switch string(data) {
		case "close":
			c.Close(4001, "bye")
			return
		case "drop":
			return
		case "headers":
			data = []byte(fmt.Sprint(r.Header))
		case "large":
			data = make([]byte, MaxSocketMessage+1)
		case "largest":
			data = make([]byte, MaxSocketMessage)
		case "not UTF-8":
			data = []byte{0xff}
		case "flood":
			for range 1000 {
				if c.Write(r.Context(), websocket.MessageBinary, make([]byte, 100_000)) != nil {
					return
				}
			}
		}
		if c.Write(r.Context(), typ, data) != nil {
			return
		}
	}
}

func TestSockets(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	g := w.guest(t, Limits{})
	a := g.mustDial(w.URL, "sec-websocket-protocol", "other, chat", "x-own", "1", "sec-websocket-key", "mine", "sec-websocket-extensions", "permessage-deflate", "connection", "close", "upgrade", "h2c", "host", "evil")
	if got := a.get("sec-websocket-protocol"); len(got) != 1 || got[0] != "chat" {
		t.Errorf("protocol %q", got)
	}
	if s := g.post(a.handle, text("höllo"), socketMessage{socketBinary, []byte{0, 255}}, text("")); !s.ok {
		t.Fatal(s.errorText(t))
	}
	for _, want := range []event{{socketText, 0, false, "höllo"}, {socketBinary, 0, false, "\x00\xff"}, {socketText, 0, false, ""}} {
		if got := g.receive(a.handle); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	g.post(a.handle, text("headers"))
	said := g.receive(a.handle).data
	contains(t, said, "X-Own:[1]")
	for _, not := range []string{"evil", "mine", "h2c", "close", "deflate"} {
		if strings.Contains(said, not) {
			t.Errorf("the server was told %q: %s", not, said)
		}
	}
	closing := g.shut(a.handle, 3000, "done")
	if got, want := g.receive(a.handle), (event{socketClosed, 3000, true, "done"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s := g.wait(closing); !s.ok {
		t.Error(s.errorText(t))
	}
	contains(t, g.post(a.handle, text("late")).errorText(t), "closed")
	if u := g.Usage(); u.Subrequests != 1 || u.EgressBytes < 50 || u.IngressBytes < 100 {
		t.Errorf("usage %+v", u)
	}
}

func TestSocketEnds(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	g := w.guest(t, Limits{ResponseBytes: 200 << 20})
	for _, c := range []struct {
		say  string
		want event
	}{
		{"close", event{socketClosed, 4001, true, "bye"}},
		{"drop", event{socketClosed, 1006, false, ""}},
		{"large", event{socketClosed, 1006, false, ""}},
		{"not UTF-8", event{socketClosed, 1006, false, ""}},
	} {
		a := g.mustDial(w.URL)
		if s := g.post(a.handle, text(c.say)); !s.ok {
			t.Fatal(s.errorText(t))
		}
		if got := g.receive(a.handle); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.say, got, c.want)
		}
	}
	a := g.mustDial(w.URL)
	g.post(a.handle, text("largest"))
	if got := g.receive(a.handle); len(got.data) != MaxSocketMessage {
		t.Errorf("a message of the largest size was not passed on: %d, %d", got.kind, got.code)
	}
	contains(t, g.post(a.handle, socketMessage{socketBinary, make([]byte, MaxSocketMessage+1)}).errorText(t), "larger than the limit")
	g.wait(g.shut(a.handle, 0, ""))
	if got, want := g.receive(a.handle), (event{socketClosed, 1005, true, ""}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The peer's reason is known, whoever reads its close frame.
func TestSocketReasons(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	g := w.guest(t, Limits{Subrequests: 100})
	for i := range 100 {
		a := g.mustDial(w.URL)
		reason := strings.Repeat("r", i+1)
		g.shut(a.handle, 3000, reason)
		if got, want := g.receive(a.handle), (event{socketClosed, 3000, true, reason}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

func TestSocketRefusals(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	g := w.guest(t, Limits{Subrequests: 6})
	contains(t, g.dialSocket("http://10.0.0.1/").errorText(t), "not allowed by the network policy")
	contains(t, g.dialSocket("ws://127.0.0.1/").errorText(t), "TypeError")
	contains(t, g.dialSocket(w.URL+"/redirect").errorText(t), "can't be redirected")
	contains(t, g.dialSocket(w.URL, "sec-websocket-protocol", "a b").errorText(t), "not a WebSocket subprotocol")
	contains(t, g.waitFetch(g.start(op.Websocket, encodeFetch(fetchMessage{method: "POST", url: w.URL}))).errorText(t), "GET and no body")
	s := g.dialSocket(w.URL + "/plain")
	if !s.ok || s.response.status != http.StatusTeapot {
		t.Fatalf("%+v", s)
	}
	if whole, _ := g.all(s.response); len(whole) != 9000 {
		t.Errorf("a refusal's body has %d bytes", len(whole))
	}
	a := g.mustDial(w.URL)
	for code, reason := range map[uint32]string{1004: "", 1005: "", 1006: "", 1015: "", 999: "", 2000: "", 5000: "", 1000: strings.Repeat("x", 124), 0: "why", 3000: "\xff"} {
		if s := g.wait(g.shut(a.handle, code, reason)); s.ok {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
	contains(t, g.post(a.handle, socketMessage{3, nil}).errorText(t), "kind of message")
	contains(t, g.post(a.handle, text("\xff")).errorText(t), "UTF-8")
	contains(t, g.post(77, text("")).errorText(t), "never there")
	for range 4 {
		s = g.dialSocket(w.URL)
	}
	contains(t, s.errorText(t), "Too many subrequests")
}

// A peer that sends more than the guest takes is not read from.
func TestSocketBackPressure(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	g := w.guest(t, Limits{ResponseBytes: 200 << 20})
	a := g.mustDial(w.URL)
	g.post(a.handle, text("flood"))
	g.receive(a.handle)
	time.Sleep(100 * time.Millisecond)
	if n := g.Usage().IngressBytes; n > 2*readAhead {
		t.Errorf("%d bytes were read for a guest that took 100000", n)
	}
	for n := 1; n < 1000; n++ {
		if e := g.receive(a.handle); len(e.data) != 100_000 {
			t.Fatalf("message %d: %d, %d bytes", n, e.kind, len(e.data))
		}
	}
	// Closing discards what waits, and does not wait for the guest to take it.
	g.receive(a.handle)
	g.post(a.handle, text("flood"))
	g.wait(g.shut(a.handle, 1000, ""))
	for {
		if e := g.receive(a.handle); e.kind == socketClosed {
			break
		}
	}
	g.Session.mu.Lock()
	defer g.Session.mu.Unlock()
	if g.held != 0 {
		t.Errorf("%d bytes are still held", g.held)
	}
}

func TestSocketLimits(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	g := w.guest(t, Limits{ResponseBytes: 100_000, RequestBytes: 100_000, Open: 2})
	a := g.mustDial(w.URL)
	contains(t, g.post(a.handle, socketMessage{socketBinary, make([]byte, 100_001)}).errorText(t), "larger than the limit")
	g.post(a.handle, text("flood"))
	for {
		if e := g.receive(a.handle); e.kind == socketClosed {
			if e.clean {
				t.Error("a socket past the limit closed cleanly")
			}
			break
		}
	}
	g.mustDial(w.URL)
	b := g.mustDial(w.URL)
	contains(t, g.dialSocket(w.URL).errorText(t), "open already")
	// Cancelling the operation that opened it closes it.
	g.Cancel(g.id - 1)
	if e := g.receive(b.handle); e.kind != socketClosed || e.clean {
		t.Errorf("%+v", e)
	}
}

// The end of a session ends its sockets, whatever they are doing.
func TestSocketsEndWithTheSession(t *testing.T) {
	var mu sync.Mutex
	left := 0
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		_, _, _ = c.Read(context.Background())
		mu.Lock()
		left++
		mu.Unlock()
	}), nil)
	g := w.guest(t, Limits{})
	for range 3 {
		a := g.mustDial(w.URL)
		g.start(op.WebsocketReceive, binary.LittleEndian.AppendUint32(nil, a.handle))
	}
	begin := time.Now()
	g.Close()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	for {
		mu.Lock()
		n := left
		mu.Unlock()
		if n == 3 {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%d of 3 connections ended", n)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPongs(t *testing.T) {
	ended := make(chan error, 1)
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c.CloseRead(ctx)
		ended <- c.Ping(ctx)
	}), nil)
	g := w.guest(t, Limits{})
	g.mustDial(w.URL)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSecureSockets(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(echoSockets))
	server.EnableHTTP2 = true
	server.StartTLS()
	w := finishWorld(t, server, func(c *Config) { c.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig })
	g := w.guest(t, Limits{})
	a := g.mustDial(w.URL)
	g.post(a.handle, text("secret"))
	if e := g.receive(a.handle); e.data != "secret" {
		t.Errorf("%+v", e)
	}
}

// Servers that accept what they were not asked, or speak no WebSocket after it.
func TestHostileSocketServers(t *testing.T) {
	accept := func(request string) string {
		for line := range strings.Lines(request) {
			if _, ok := strings.CutPrefix(strings.ToLower(line), "sec-websocket-key:"); ok {
				sum := sha1.Sum([]byte(strings.TrimSpace(line[len("sec-websocket-key:"):]) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				return base64.StdEncoding.EncodeToString(sum[:])
			}
		}
		return ""
	}
	for name, c := range map[string]struct {
		head, frames string // KEY stands for what is right
		opens        bool
	}{
		"wrong key":             {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n", "", false},
		"no key":                {"Upgrade: websocket\r\nConnection: Upgrade\r\n", "", false},
		"another upgrade":       {"Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "", false},
		"unasked protocol":      {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: x\r\n", "", false},
		"unasked extension":     {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", "", false},
		"no frames":             {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "GET / HTTP/1.1\r\n\r\n", true},
		"reserved bits":         {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\xf1\x01x", true},
		"huge length":           {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" + strings.Repeat("x", 100), true},
		"negative length":       {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", true},
		"long control":          {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\x89\x7e\x01\x00" + strings.Repeat("x", 256), true},
		"continuation at first": {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\x80\x01x", true},
		"bad close":             {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\x88\x01x", true},
		"cut frame":             {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n", "\x82\x05x", true},
	} {
		t.Run(name, func(t *testing.T) {
			u := rawServer(t, func(conn net.Conn) {
				var request bytes.Buffer
				for r := bufio.NewReader(conn); !strings.HasSuffix(request.String(), "\r\n\r\n"); {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					request.WriteString(line)
				}
				head := strings.ReplaceAll(c.head, "KEY", accept(request.String()))
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n"+head+"\r\n"+c.frames)
				_ = conn.(*net.TCPConn).CloseWrite()
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.Copy(io.Discard, conn)
			})
			w := newWorld(t, http.NotFoundHandler(), nil)
			g := newGuest(t, w.client, Options{Policy: mustCompile(t, w.guard, egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, u)}})})
			s := g.dialSocket(u)
			if s.ok != c.opens {
				t.Fatalf("opened: %v", s.ok)
			}
			if !c.opens {
				contains(t, s.errorText(t), "TypeError: fetch failed")
				return
			}
			if e := g.receive(s.response.handle); e.kind != socketClosed || e.clean {
				t.Errorf("%+v", e)
			}
		})
	}
}

func FuzzSendMessage(f *testing.F) {
	f.Add(encodeSend(1, text("a"), socketMessage{socketBinary, []byte{1, 2}}))
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		handle, messages, size, err := decodeSend(in)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeSend(handle, messages...), in) {
			t.Errorf("%q is read as %d %q", in, handle, messages)
		}
		if size < len(messages)*messageOverhead {
			t.Errorf("size %d of %d messages", size, len(messages))
		}
	})
}
