package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/host/egress"
	"mayfly/host/op"
)

func encodeConnect(secure byte, host string, port int) []byte {
	w := op.NewWriter(nil)
	w.U8(secure)
	w.Str(host)
	w.U32(uint32(port))
	return w.Message()
}

func (g *guest) connect(secure byte, host string, port int) settled {
	g.Helper()
	return g.wait(g.start(op.Connect, encodeConnect(secure, host, port)))
}

// countingServer counts the connections that were made to it.
func countingServer(t *testing.T, secure bool) (*httptest.Server, *atomic.Int32) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Proto) }))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	made := new(atomic.Int32)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	return server, made
}

// What was made ready is what the fetch uses.
func TestConnectionsAreMadeReady(t *testing.T) {
	for name, secure := range map[string]byte{"http": 0, "https": 1} {
		t.Run(name, func(t *testing.T) {
			server, made := countingServer(t, secure == 1)
			w := finishWorld(t, server, func(c *Config) {
				if secure == 1 {
					roots := x509.NewCertPool()
					roots.AddCert(server.Certificate())
					c.TLS = &tls.Config{RootCAs: roots}
				}
			})
			g := w.guest(t, Limits{})
			for range 3 {
				for part := range secure + 1 { // as a library does: TCP, then TLS
					if s := g.connect(part, "127.0.0.1", port(t, w.URL)); !s.ok {
						t.Fatal(s.errorText(t))
					}
				}
				if a := g.mustGet(w.URL); string(a.bytes) != []string{"HTTP/1.1", "HTTP/2.0"}[secure] {
					t.Errorf("got %q", a.bytes)
				}
			}
			if n := made.Load(); n != 1 {
				t.Errorf("%d connections were made for one origin, want 1", n)
			}
		})
	}
}

func TestConnectSaysWhy(t *testing.T) {
	server, _ := countingServer(t, true)
	w := finishWorld(t, server, nil)
	nobody := deafPort(t)
	plain, _ := countingServer(t, false)
	defer plain.Close()
	g := newGuest(t, w.client, Options{Policy: w.policy(t,
		egress.Rule{Host: "127.0.0.1", Ports: []int{nobody, port(t, plain.URL)}},
		egress.Rule{Host: "10.0.0.1", Methods: []string{"POST"}},
	)})
	for _, c := range []struct {
		secure byte
		host   string
		port   int
		want   string
	}{
		{0, "example.com", 80, "no rule matches the host"},
		{1, "example.com", 443, "[EACCES]"},
		{0, "127.0.0.1", 1, "no rule for this host has the port"},
		{0, "10.0.0.1", 80, "not on the public internet"},
		{0, "127.0.0.1", nobody, "[ECONNREFUSED]"},
		{1, "127.0.0.1", port(t, w.URL), "[UNABLE_TO_VERIFY_LEAF_SIGNATURE]"},
		{1, "127.0.0.1", port(t, plain.URL), "[EPROTO]"},
		{0, "no host", 80, "TypeError"},
		{0, "127.0.0.1", 0, "0 is not a port"},
		{0, "127.0.0.1", 65536, "65536 is not a port"},
		{0, "127.0.0.1/x?", 80, "TypeError"},
		{0, "user@127.0.0.1", 80, "TypeError"},
	} {
		s := g.connect(c.secure, c.host, c.port)
		contains(t, s.errorText(t), c.want)
	}
	if s := g.wait(g.start(op.Connect, []byte("x"))); s.ok {
		t.Error("a malformed message was taken")
	}
}

// A rule that is for some methods opens the host, and the fetch is judged again.
func TestConnectIsNotAFetch(t *testing.T) {
	server, _ := countingServer(t, false)
	w := finishWorld(t, server, nil)
	policy, err := w.guard.Compile([]egress.Rule{{Host: "127.0.0.1", Ports: []int{port(t, w.URL)}, Methods: []string{"POST"}}})
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, w.client, Options{Policy: policy})
	if s := g.connect(0, "127.0.0.1", port(t, w.URL)); !s.ok {
		t.Fatal(s.errorText(t))
	}
	contains(t, g.get(w.URL).errorText(t), "has the method GET")
}

func TestConnectsAreCounted(t *testing.T) {
	server, _ := countingServer(t, false)
	w := finishWorld(t, server, nil)
	g := w.guest(t, Limits{Subrequests: 2})
	for range 2 * maxConnects {
		if s := g.connect(0, "127.0.0.1", port(t, w.URL)); !s.ok {
			t.Fatal(s.errorText(t))
		}
	}
	contains(t, g.connect(0, "127.0.0.1", port(t, w.URL)).errorText(t), "too many connections (limit 8)")
}

// A connection that nobody takes is closed with its client, and one that is
// being made is given up with its operation.
func TestConnectionsThatNobodyTakes(t *testing.T) {
	ended := make(chan error, 1)
	url := rawServer(t, func(conn net.Conn) {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	})
	w := newWorld(t, http.NotFoundHandler(), nil)
	g := newGuest(t, w.client, Options{Policy: w.policy(t, egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, url)}})})
	if s := g.connect(0, "127.0.0.1", port(t, url)); !s.ok {
		t.Fatal(s.errorText(t))
	}
	w.client.Close()
	if err := <-ended; err != io.EOF {
		t.Errorf("the connection ended by %v, want EOF", err)
	}

	silent := rawServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	w = newWorld(t, http.NotFoundHandler(), nil)
	g = newGuest(t, w.client, Options{Policy: w.policy(t, egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, silent)}})})
	id := g.start(op.Connect, encodeConnect(1, "127.0.0.1", port(t, silent)))
	g.Cancel(id)
	g.Close()
	if _, ok := g.peek(id); ok {
		t.Error("a cancelled operation settled")
	}
}

func FuzzDecodeConnect(f *testing.F) {
	f.Add(encodeConnect(1, "example.com", 443))
	f.Add([]byte{1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := decodeConnect(in)
		if err == nil && (m.port == 0 || m.port > 65535) {
			t.Errorf("port %d was taken", m.port)
		}
	})
}
