package fetch

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mayfly/host/egress"
	"mayfly/host/op"
)

func (g *guest) startStream(url string) uint32 {
	return g.start(op.Fetch, encodeFetch(fetchMessage{method: "POST", url: url, body: bodyStream}))
}

func (g *guest) mustWrite(fetch uint32, end byte, data []byte) {
	g.Helper()
	if s := g.wait(g.write(fetch, end, data)); !s.ok {
		g.Fatal(s.errorText(g))
	}
}

func TestStreamedRequest(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%d %v %d", len(body), err, r.ContentLength)
	}), nil)
	g := w.guest(t, Limits{})
	id := g.startStream(w.URL)
	for range 20 {
		g.mustWrite(id, writeMore, bytes.Repeat([]byte("x"), 20_000))
	}
	g.mustWrite(id, writeLast, []byte("end"))
	s := g.waitFetch(id)
	if !s.ok || string(s.response.bytes) != "400003 <nil> -1" {
		t.Errorf("%+v", s)
	}
	if n := g.Usage().EgressBytes; n < 400_003 {
		t.Errorf("egress %d", n)
	}
	contains(t, g.wait(g.write(id, writeMore, []byte("late"))).errorText(t), "no longer wanted")
	contains(t, g.wait(g.write(4711, writeMore, nil)).errorText(t), "no longer wanted")
}

// A server that does not read holds the guest back.
func TestUnreadRequestsHoldTheGuestBack(t *testing.T) {
	read := make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		<-read
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, n)
	}), nil)
	g := w.guest(t, Limits{})
	id := g.startStream(w.URL)
	chunk, sent := make([]byte, 256<<10), 0
	var held uint32
	for held == 0 && sent < 200 {
		write := g.write(id, writeMore, bytes.Clone(chunk))
		sent++
		for range 20 {
			if _, ok := g.peek(write); ok {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if _, ok := g.peek(write); !ok {
			held = write
		}
	}
	if held == 0 {
		t.Fatal("the guest was never held back")
	}
	contains(t, g.wait(g.write(id, writeMore, []byte("another"))).errorText(t), "being written already")
	close(read)
	if s := g.wait(held); !s.ok {
		t.Fatal(s.errorText(t))
	}
	g.mustWrite(id, writeLast, nil)
	if s := g.waitFetch(id); !s.ok || string(s.response.bytes) != fmt.Sprint(sent*len(chunk)) {
		t.Errorf("%+v", s)
	}
}

func TestBothWaysAtOnce(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(rw)
		_ = control.EnableFullDuplex()
		rw.WriteHeader(200)
		_ = control.Flush()
		buffer := make([]byte, 1000)
		for {
			n, err := r.Body.Read(buffer)
			_, _ = rw.Write(bytes.ToUpper(buffer[:n]))
			_ = control.Flush()
			if err != nil {
				return
			}
		}
	}), nil)
	g := w.guest(t, Limits{})
	id := g.startStream(w.URL)
	g.mustWrite(id, writeMore, []byte("first"))
	s := g.waitFetch(id)
	if !s.ok || s.response.body != bodyStream {
		t.Fatalf("%+v", s)
	}
	expect := func(want string) {
		t.Helper()
		var got string
		for len(got) < len(want) {
			s := g.read(s.response.handle)
			if !s.ok {
				t.Fatal(s.errorText(t))
			}
			r := op.NewReader(s.message)
			r.U8()
			got += r.Str()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("FIRST")
	g.mustWrite(id, writeMore, []byte("second"))
	expect("SECOND")
	g.mustWrite(id, writeLast, nil)
	if rest, text := g.all(s.response); len(rest) != 0 || text != "" {
		t.Errorf("%q %s", rest, text)
	}
}

func TestAbortedRequestBody(t *testing.T) {
	gone := make(chan error, 1)
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		gone <- err
	}), nil)
	g := w.guest(t, Limits{})
	id := g.startStream(w.URL)
	g.mustWrite(id, writeMore, []byte("some"))
	g.mustWrite(id, writeAbort, nil)
	contains(t, g.wait(id).errorText(t), "AbortError")
	if err := <-gone; err == nil {
		t.Error("the server takes the request for whole")
	}
}

func TestRequestLimitOfAStream(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), nil)
	g := w.guest(t, Limits{RequestBytes: 1000})
	id := g.startStream(w.URL)
	g.mustWrite(id, writeMore, make([]byte, 1000))
	contains(t, g.wait(g.write(id, writeMore, []byte("x"))).errorText(t), "limit of 1000 bytes")
	contains(t, g.wait(id).errorText(t), "limit of 1000 bytes")
}

// The time that the guest takes to write is not the server's.
func TestSlowGuestsAreNotTimedOut(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, n)
	}), func(c *Config) { c.HeaderTimeout = 150 * time.Millisecond })
	g := w.guest(t, Limits{})
	id := g.startStream(w.URL)
	time.Sleep(400 * time.Millisecond)
	g.mustWrite(id, writeMore, []byte("abc"))
	time.Sleep(400 * time.Millisecond)
	g.mustWrite(id, writeLast, nil)
	if s := g.waitFetch(id); !s.ok || string(s.response.bytes) != "3" {
		t.Errorf("%+v", s)
	}
}

// An operation that was cancelled never settles, in whichever phase it was.
func TestCancel(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/head":
			arrived <- struct{}{}
		case "/body":
			_, _ = rw.Write(make([]byte, 10))
			rw.(http.Flusher).Flush()
			arrived <- struct{}{}
		case "/upload":
			_, _ = r.Body.Read(make([]byte, 1))
			arrived <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}), nil)
	t.Cleanup(func() { close(release) })
	mute := rawServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	policy := w.policy(t, egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, mute)}})
	g := newGuest(t, w.client, Options{Policy: policy})
	never := func(id uint32) {
		t.Helper()
		if s, ok := g.peek(id); ok {
			t.Errorf("settled: %+v", s)
		}
	}
	get := func(url string) uint32 {
		return g.start(op.Fetch, encodeFetch(fetchMessage{method: "GET", url: url}))
	}
	ids := []uint32{get(w.URL + "/head")}
	<-arrived
	g.Cancel(ids[0])

	ids = append(ids, get(strings.Replace(mute, "http:", "https:", 1))) // in the handshake
	g.Cancel(ids[1])

	upload := g.startStream(w.URL + "/upload")
	g.mustWrite(upload, writeMore, []byte("x"))
	<-arrived
	g.Cancel(upload)
	ids = append(ids, upload)

	a := g.mustGet(w.URL + "/body")
	<-arrived
	if s := g.read(a.handle); !s.ok {
		t.Fatal(s.errorText(t))
	}
	read := g.start(op.BodyRead, []byte{byte(a.handle), 0, 0, 0})
	g.Cancel(read)
	ids = append(ids, read)
	// The body is as it was, and a body_read that waits learns of its end.
	read = g.start(op.BodyRead, []byte{byte(a.handle), 0, 0, 0})
	contains(t, g.read(a.handle).errorText(t), "being read already")
	g.CancelBody(a.handle)
	contains(t, g.wait(read).errorText(t), "cancelled")
	g.Cancel(999_999)

	// All that was open is given back.
	deadline := time.Now().Add(10 * time.Second)
	for {
		g.Session.mu.Lock()
		open, uploads := g.open, len(g.uploads)
		g.Session.mu.Unlock()
		if open == 0 && uploads == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d fetches and %d uploads stay open", open, uploads)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, id := range ids {
		never(id)
	}
}

func TestCloseAbortsEverything(t *testing.T) {
	arrived := make(chan struct{}, 10)
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			rw.(http.Flusher).Flush()
		}
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body) // a server that does not read learns of no end
		<-r.Context().Done()
	}), nil)
	g := w.guest(t, Limits{})
	head := g.start(op.Fetch, encodeFetch(fetchMessage{method: "GET", url: w.URL + "/head"}))
	upload := g.startStream(w.URL + "/upload")
	g.mustWrite(upload, writeMore, []byte("x"))
	a := g.mustGet(w.URL + "/body")
	read := g.start(op.BodyRead, []byte{byte(a.handle), 0, 0, 0})
	for range 3 {
		<-arrived
	}
	g.Close()
	g.Close()
	after := g.start(op.Fetch, encodeFetch(fetchMessage{method: "GET", url: w.URL}))
	for _, id := range []uint32{head, upload, read, after} {
		if s, ok := g.peek(id); ok {
			t.Errorf("%d settled: %+v", id, s)
		}
	}
}
