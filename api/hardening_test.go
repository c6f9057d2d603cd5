package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/storage/meta"
)

// dial opens a connection and sends text.
func (s *testServer) dial(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// untilClosed reads what the server says before it closes the connection.
func untilClosed(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatalf("the connection stays open after %q", b)
	}
	return string(b)
}

// Who dawdles with a header, a body or between requests loses the connection,
// and no execution begins.
func TestSlowClients(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		o.HeaderTimeout, o.BodyTimeout, o.IdleTimeout = 400*time.Millisecond, 600*time.Millisecond, 400*time.Millisecond
	})
	post := "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	for name, text := range map[string]string{
		"nothing":      "",
		"half a line":  "GET /hea",
		"half a field": "GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ",
		"no end":       "GET /health HTTP/1.1\r\nHost: localhost\r\n",
		"idle":         "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"half a body":  post + `{"language":"javascript"`,
		"no body":      post,
		"unread body":  "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := untilClosed(t, s.dial(text))
			if strings.HasSuffix(name, "body") && name != "unread body" && !strings.Contains(got, "408 Request Timeout") {
				t.Errorf("%q", got)
			}
		})
	}
	// A trickle is no better than nothing.
	c := s.dial("GET /health HTTP/1.1\r\n")
	go func() {
		for range 500 {
			if _, err := io.WriteString(c, "X-A: b\r\n"); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	untilClosed(t, c)
	if list := s.do("GET", "/v1/executions", ""); !strings.Contains(string(list.body), `"executions":[]`) {
		t.Errorf("%s", list.body)
	}
}

// The time-outs of reading do not end an execution that takes longer.
func TestLongExecution(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		// Long enough for a busy machine to send a request in.
		o.HeaderTimeout, o.BodyTimeout, o.IdleTimeout = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond
		o.WriteTimeout = 500 * time.Millisecond
	})
	// A connection that idles may be closed just when it is used again.
	s.client.Transport.(*http.Transport).DisableKeepAlives = true
	for _, accept := range []string{"*/*", "application/x-ndjson"} {
		name := "long" + accept
		go func() {
			<-s.executor.started
			time.Sleep(1500 * time.Millisecond)
			close(s.executor.gate(name))
		}()
		if a := s.post("wait "+name, "Accept", accept).want(200); !strings.Contains(string(a.body), `"outcome":"ok"`) {
			t.Errorf("%s", a.body)
		}
	}
}

// A reader that takes nothing of a large answer is dropped.
func TestReaderThatStalls(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.WriteTimeout = 100 * time.Millisecond })
	x := s.do("POST", "/v1/executions", program("artifact big text/plain "+strings.Repeat("x", 12<<20))).want(200).execution()
	s.idle()
	c := s.dial("GET /v1/executions/" + x.ID + "/artifacts/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
	time.Sleep(time.Second)
	n, err := io.Copy(io.Discard, c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("the connection stays open")
	}
	if n >= 12<<20 {
		t.Errorf("all %d bytes came", n)
	}
}

func TestLargeHeaders(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.MaxHeader = 4 << 10 })
	got := untilClosed(t, s.dial("GET /health HTTP/1.1\r\nHost: localhost\r\n"+strings.Repeat("X-A: b\r\n", 3000)+"\r\n"))
	if !strings.Contains(got, "431") {
		t.Errorf("%q", got)
	}
}

// HTTP/2 is not spoken, and requests that two servers might read differently
// are refused (RFC 9112, section 6.3).
func TestProtocols(t *testing.T) {
	s := newTestServer(t, nil)
	for name, text := range map[string]string{
		"HTTP/2 preface":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"two lengths":         "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
		"unknown encoding":    "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n",
		"no host":             "GET /health HTTP/1.1\r\n\r\n",
		"two hosts":           "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
		"space in field name": "GET /health HTTP/1.1\r\nHost: localhost\r\nX A: b\r\n\r\n",
	} {
		got := untilClosed(t, s.dial(text))
		if strings.Contains(got, " 200 ") || strings.Contains(got, "HTTP/2") && name != "HTTP/2 preface" {
			t.Errorf("%s: %q", name, got)
		}
	}
	// An offer to upgrade is ignored.
	c := s.dial("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	if got := untilClosed(t, c); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("%q", got)
	}
}

func TestMaxConnections(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.MaxConnections = 2 })
	one, two := s.dial(""), s.dial("")
	three := s.dial("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	three.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := three.Read(make([]byte, 1)); err == nil {
		t.Fatal("a third connection was served")
	}
	one.Close()
	three.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got := untilClosed(t, three); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("%q", got)
	}
	two.Close()
}

// A panic in a handler costs its request, not the process.
func TestPanic(t *testing.T) {
	s := newTestServer(t, nil)
	s.echo.GET("/panic", s.counted(func(echo.Context) error { panic("a bug") }))
	s.echo.GET("/late", s.counted(func(c echo.Context) error {
		c.Response().WriteHeader(200)
		io.WriteString(c.Response(), "half")
		panic("a late bug")
	}))
	a := s.do("GET", "/panic", "").problem(internalFault)
	var p Problem
	a.decode(&p)
	incident := strings.TrimPrefix(p.Instance, "urn:mayfly:incident:")
	if incident == p.Instance || !strings.Contains(s.log.String(), incident) || strings.Contains(string(a.body), "a bug") {
		t.Errorf("%s\n%s", a.body, s.log.String())
	}
	resp, err := s.client.Get(s.url + "/late")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("an answer that was cut off looks whole")
	}
	s.post("hello").want(200)
}

// brokenStore fails where it is told to.
type brokenStore struct {
	Store
	lookups bool
	room    chan struct{} // the queue of records is full until it is closed
}

func (b *brokenStore) Record(ctx context.Context, x meta.Execution) error {
	if b.room != nil {
		select {
		case <-b.room:
		case <-ctx.Done():
			return meta.ErrQueueFull
		}
	}
	return b.Store.Record(ctx, x)
}

// A store that is behind does not delay answers, and loses nothing.
func TestRecordsWait(t *testing.T) {
	room := make(chan struct{})
	s := newTestServer(t, func(o *Options) { o.Store = &brokenStore{Store: o.Store, room: room} })
	x := s.post("hello").want(200).execution()
	// Its own connection waits with the record, which slows who asks for too
	// much; others do not.
	s.client.CloseIdleConnections()
	if got := s.do("GET", "/v1/executions/"+x.ID, "").want(200).execution(); got.Outcome != "ok" {
		t.Errorf("%+v", got)
	}
	close(room)
	s.idle()
	if stored, err := s.options.Store.Execution(t.Context(), "", x.ID); err != nil || stored.Outcome != "ok" {
		t.Errorf("%+v %v", stored, err)
	}
}

func (b *brokenStore) Execution(ctx context.Context, tenant, id string) (x meta.Execution, err error) {
	if b.lookups {
		return x, fmt.Errorf("disk on fire at /secret/path")
	}
	return b.Store.Execution(ctx, tenant, id)
}

func TestStoreFails(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Store = &brokenStore{Store: o.Store, lookups: true} })
	a := s.do("GET", "/v1/executions/ex00000000000000000000000000", "").problem(internalFault)
	if strings.Contains(string(a.body), "secret") {
		t.Errorf("%s", a.body)
	}
	s.post("hello").want(200)
}

// A shutdown lets executions end.
func TestShutdownFinishes(t *testing.T) {
	s := newTestServer(t, nil)
	async := s.post("wait s", "Prefer", "respond-async").want(202).execution()
	sync := make(chan *answer, 1)
	go func() { sync <- s.post("wait s") }()
	receive(t, s.executor.started)
	receive(t, s.executor.started)
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	eventually(t, "it drains", s.draining.Load)
	w := httptest.NewRecorder()
	r := s.request("POST", "/v1/executions", program("hello"))
	r.Host = "localhost"
	s.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), string(shuttingDown)) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	select {
	case err := <-ended:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.executor.gate("s"))
	if a := receive(t, sync).want(200); a.execution().Outcome != "ok" {
		t.Errorf("%s", a.body)
	}
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
	if x, err := s.options.Store.Execution(t.Context(), "", async.ID); err != nil || x.Outcome != "ok" {
		t.Errorf("%+v %v", x, err)
	}
}

// When its time is over, a shutdown cancels what still runs, and records it.
func TestShutdownCancels(t *testing.T) {
	s := newTestServer(t, nil)
	async := s.post("block", "Prefer", "respond-async").want(202).execution()
	sync := make(chan *answer, 1)
	go func() { sync <- s.post("block") }()
	resp, err := s.client.Do(s.request("POST", "/v1/executions", program("block"), "Accept", "text/event-stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for range 3 {
		receive(t, s.executor.started)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if a := receive(t, sync).want(200); a.execution().Outcome != "canceled" {
		t.Errorf("%s", a.body)
	}
	last, in := testEvent{}, bufio.NewReader(resp.Body)
	for {
		e, ok := s.next("text/event-stream", in)
		if !ok {
			break
		}
		last = e
	}
	if last.Outcome != string(execution.Canceled) {
		t.Errorf("the stream ends with %+v", last)
	}
	if x, err := s.options.Store.Execution(t.Context(), "", async.ID); err != nil || x.Outcome != "canceled" {
		t.Errorf("%+v %v", x, err)
	}
}

// What a dead process left is answered in the form of the others.
func TestInterrupted(t *testing.T) {
	s := newTestServer(t, nil)
	store := s.options.Store.(*meta.Store)
	id := store.NewID()
	asked := appendAsked(nil, s.runtimeOf("javascript"), map[string]string{"k": "v"}, "")
	if err := store.Record(t.Context(), meta.Execution{ID: id, Tenant: "a", Status: meta.Running, CreatedAt: time.Now(), Request: asked}); err != nil {
		t.Fatal(err)
	}
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	outcome, result := Interrupted()
	if n, err := store.EndUnfinished(t.Context(), outcome, result); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	x := s.do("GET", "/v1/executions/"+id, "").want(200).execution()
	if x.Status != "done" || x.Outcome != "internalError" || x.Error == nil || x.Metadata["k"] != "v" {
		t.Errorf("%+v", x)
	}
	if got := kinds(s.do("GET", "/v1/executions/"+id+"/events", "").want(200).events(s)); strings.Join(got, " ") != "error usage end" {
		t.Errorf("%v", got)
	}
}
