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
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/host/egress"
	"mayfly/host/egress/egresstest"
)

func TestBrokenResponses(t *testing.T) {
	for name, c := range map[string]struct{ response, want string }{
		"nothing":                  {"", "the connection was closed"},
		"no HTTP":                  {"SSH-2.0-OpenSSH_9.0\r\n\r\n", "not valid HTTP"},
		"a cut head":               {"HTTP/1.1 200 OK\r\nContent-", "fetch failed"},
		"a cut body":               {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "closed before the end"},
		"a cut chunk":              {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nshort", "closed before the end"},
		"a bad chunk":              {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort", "fetch failed"},
		"two lengths":              {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "fetch failed"},
		"a length below zero":      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "fetch failed"},
		"a flood of headers":       {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n", "headers are too large"},
		"an endless header":        {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n", "headers are too large"},
		"a flood of early answers": {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("x", 1000)+"\r\n\r\n", 1000), "fetch failed"},
		"a broken gzip":            {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nnogzi", "fetch failed"},
	} {
		t.Run(name, func(t *testing.T) {
			url := rawServer(t, func(conn net.Conn) {
				buffer := make([]byte, 4096)
				_, _ = conn.Read(buffer)
				_, _ = io.WriteString(conn, c.response)
				if tcp := conn.(*net.TCPConn); tcp != nil {
					_ = tcp.CloseWrite()
					_ = conn.SetReadDeadline(time.Now().Add(time.Second))
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			w := newWorld(t, http.NotFoundHandler(), nil)
			g := newGuest(t, w.client, Options{Policy: mustCompile(t, w.guard, egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, url)}})})
			s := g.get(url)
			text := ""
			if s.ok {
				_, text = g.all(s.response)
			} else {
				text = s.errorText(t)
			}
			contains(t, text, c.want)
			contains(t, text, "TypeError")
		})
	}
}

func TestTimeouts(t *testing.T) {
	silent := make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/head":
			<-silent
		case "/body":
			rw.(http.Flusher).Flush()
			<-silent
		case "/trickle":
			for {
				if _, err := rw.Write([]byte("x")); err != nil {
					return
				}
				rw.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}
	}), func(c *Config) { c.HeaderTimeout, c.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond })
	t.Cleanup(func() { close(silent) })
	g := w.guest(t, Limits{})
	contains(t, g.get(w.URL+"/head").errorText(t), "the response took longer than 200ms")
	_, text := g.all(g.mustGet(w.URL + "/body"))
	contains(t, text, "the next part of the response's body took longer than 200ms")

	g = w.guest(t, Limits{Total: 400 * time.Millisecond})
	_, text = g.all(g.mustGet(w.URL + "/trickle"))
	contains(t, text, "the fetch took longer than 400ms")
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Proto) }))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that does not trust it
	server.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	w := finishWorld(t, server, func(c *Config) { c.TLS = &tls.Config{RootCAs: roots} })
	g := w.guest(t, Limits{})
	a := g.mustGet(w.URL)
	if string(a.bytes) != "HTTP/2.0" || a.statusText != "" {
		t.Errorf("%+v", a)
	}

	distrusting := NewClient(Config{Guard: w.guard})
	t.Cleanup(distrusting.Close)
	g = newGuest(t, distrusting, Options{Policy: w.policy(t)})
	contains(t, g.get(w.URL).errorText(t), "unknown authority")

	plain := newWorld(t, http.NotFoundHandler(), nil)
	g = plain.guest(t, Limits{})
	contains(t, g.get(strings.Replace(plain.URL, "http:", "https:", 1)).errorText(t), "does not speak TLS")
}

func TestUnreachable(t *testing.T) {
	url := "http://127.0.0.1:" + strconv.Itoa(deafPort(t))
	w := newWorld(t, http.NotFoundHandler(), nil)
	g := newGuest(t, w.client, Options{Policy: mustCompile(t, w.guard, egress.Rule{Host: "*", Ports: []int{port(t, url)}})})
	contains(t, g.get(url).errorText(t), "the connection was refused")
}

// A name is looked up for every connection, and judged every time.
func TestRebindingBetweenFetches(t *testing.T) {
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { hits.Add(1); rw.Header().Set("Connection", "close") }))
	resolver := egresstest.Resolver(func(n int, _ string) []netip.Addr {
		if n == 0 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")} // would be answered too
	})
	w := finishWorld(t, server, func(c *Config) {
		c.Guard = egress.NewGuard(egress.Config{Resolver: resolver, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	})
	g := newGuest(t, w.client, Options{Policy: mustCompile(t, w.guard, egress.Rule{Host: "*", Ports: []int{port(t, w.URL)}})})
	name := fmt.Sprintf("http://rebind.example:%d/", port(t, w.URL))
	if a := g.mustGet(name); a.status != 200 {
		t.Errorf("status %d", a.status)
	}
	text := g.get(name).errorText(t)
	contains(t, text, "the name leads to an address that is not on the public internet")
	if strings.Contains(text, "127.0.0.2") {
		t.Errorf("the text tells what the name leads to: %s", text)
	}
	if hits.Load() != 1 {
		t.Errorf("%d hits", hits.Load())
	}
}

// Tenants do not share connections.
func TestPoolsAreATenantsOwn(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.RemoteAddr) }), nil)
	from := func(tenant string) string {
		g := newGuest(t, w.client, Options{Tenant: tenant, Policy: w.policy(t)})
		defer g.Close()
		return string(g.mustGet(w.URL).bytes)
	}
	a, b := from("a"), from("b")
	if a == b {
		t.Error("a connection went from one tenant to another")
	}
	if again := from("a"); again != a {
		t.Error("a tenant's connection was not used again")
	}
}

func TestTenantsAreForgotten(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(c *Config) { c.Tenants = 3 })
	for i := range 10 {
		g := newGuest(t, w.client, Options{Tenant: fmt.Sprint(i), Policy: w.policy(t)})
		g.mustGet(w.URL)
	}
	if n := len(w.client.pools); n != 3 || w.client.recent.Len() != 3 {
		t.Errorf("%d pools are kept", n)
	}
}
