package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/coder/websocket"
)

// targets are what attacks send requests to: upstream is at an address that
// the servers' operator opens, canary at one that nothing may ever reach.
type targets struct {
	upstream, canary string // host:port

	mu      sync.Mutex
	reached []string // requests that the canary got
}

// upstreamNetwork is what servers are told to allow.
const upstreamNetwork = "127.0.0.2/32"

func startTargets(t testing.TB) *targets {
	t.Helper()
	g := &targets{}
	g.upstream = serve(t, "127.0.0.2:0", http.HandlerFunc(g.serveUpstream))
	g.canary = serve(t, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.reached = append(g.reached, fmt.Sprintf("%s %s for %s", r.Method, r.RequestURI, r.Host))
		g.mu.Unlock()
		fmt.Fprintln(w, "canary-reached")
	}))
	return g
}

func serve(t testing.TB, address string, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// breaches are what reached the canary.
func (g *targets) breaches() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.reached...)
}

// variables are what cases name of the targets.
func (g *targets) variables() map[string]string {
	_, up, _ := net.SplitHostPort(g.upstream)
	_, canary, _ := net.SplitHostPort(g.canary)
	return map[string]string{"UPSTREAM": g.upstream, "UPSTREAM_PORT": up, "CANARY": g.canary, "CANARY_PORT": canary}
}

// serveUpstream is a server under an attacker's control.
func (g *targets) serveUpstream(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch r.URL.Path {
	case "/echo": // the request as it came
		var b bytes.Buffer
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		fmt.Fprintf(&b, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
		_ = r.Header.Write(&b)
		fmt.Fprintf(&b, "Transfer-Encoding: %v\n\n%s", r.TransferEncoding, body)
		_, _ = w.Write(b.Bytes())
	case "/redirect":
		code, err := strconv.Atoi(query.Get("code"))
		if err != nil {
			code = http.StatusFound
		}
		w.Header()["Location"] = []string{query.Get("to")}
		w.WriteHeader(code)
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	case "/endless": // until the client goes away
		chunk := []byte(strings.Repeat("x", 64<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	case "/drip": // a byte now and then
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	case "/silent":
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	case "/headers": // too many of them
		for i := range 20_000 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("y", 100))
		}
	case "/sink":
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	case "/bomb": // 256 MiB of zeros, in few bytes
		coding := query.Get("coding")
		w.Header().Set("Content-Encoding", coding)
		bombOnce.Do(makeBombs)
		_, _ = w.Write(bombs[coding])
	case "/socket": // says what it is told, or sends without an end
		serveSocket(w, r, query.Get("flood") != "")
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "retry: 1\nid: %s\ndata: %q\n\n", query.Get("id"), r.Header["Last-Event-Id"])
	case "/lying-length", "/split", "/no-http":
		g.lie(w, r.URL.Path)
	default:
		fmt.Fprint(w, "upstream")
	}
}

// bombs are compressed bodies, by their codings.
var (
	bombs    = map[string][]byte{}
	bombOnce sync.Once
)

func makeBombs() {
	pack := func(w io.WriteCloser, source io.Reader, b *bytes.Buffer) []byte {
		_, _ = io.Copy(w, source)
		_ = w.Close()
		return b.Bytes()
	}
	zeros := func() io.Reader { return io.LimitReader(zeroReader{}, 256<<20) }
	var deflated, brotlied, twice bytes.Buffer
	z := gzip.NewWriter(&deflated)
	bombs["gzip"] = pack(z, zeros(), &deflated)
	bombs["br"] = pack(brotli.NewWriterLevel(&brotlied, 1), zeros(), &brotlied)
	bombs["gzip, gzip"] = pack(gzip.NewWriter(&twice), bytes.NewReader(bombs["gzip"]), &twice)
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func serveSocket(w http.ResponseWriter, r *http.Request, flood bool) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for chunk := make([]byte, 64<<10); flood; {
		if c.Write(r.Context(), websocket.MessageBinary, chunk) != nil {
			return
		}
	}
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

// lie answers with bytes that are no right answer.
func (g *targets) lie(w http.ResponseWriter, path string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, map[string]string{
		"/lying-length": "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nshort",
		"/split":        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"/no-http":      "\x00\x01\x02 no http \xff\xfe\r\n\r\n",
	}[path])
}
