package fetch

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/host/egress"
	"mayfly/host/op"
)

func TestFetch(t *testing.T) {
	var seen *http.Request
	var seenBody []byte
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = r
		seenBody, _ = io.ReadAll(r.Body)
		rw.Header().Add("Set-Cookie", "a=1")
		rw.Header().Add("Set-Cookie", "b=2")
		rw.Header().Set("X-Latin", "caf\xe9")
		rw.WriteHeader(http.StatusTeapot)
		fmt.Fprint(rw, "short and stout")
	}), nil)
	g := w.guest(t, Limits{})
	s := g.fetch(fetchMessage{
		method: "post", url: w.URL + "/pot?q=1#fragment", body: bodyBytes, bytes: []byte("tea"),
		header: headers("content-type", "text/plain", "x-twice", "1", "x-twice", "2", "x-latin", "café"),
	})
	if !s.ok {
		t.Fatal(s.errorText(t))
	}
	a := s.response
	if a.status != 418 || a.statusText != "I'm a teapot" || a.url != w.URL+"/pot?q=1" || a.redirected || a.body != bodyBytes || string(a.bytes) != "short and stout" || a.handle != 0 {
		t.Errorf("got %+v", a)
	}
	if got := a.get("set-cookie"); !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("set-cookie %q", got)
	}
	if got := a.get("x-latin"); !slices.Equal(got, []string{"café"}) {
		t.Errorf("x-latin %q", got)
	}
	if seen.Method != "POST" || string(seenBody) != "tea" || seen.ContentLength != 3 || seen.UserAgent() != "mayfly" || seen.Header.Get("X-Latin") != "caf\xe9" || !slices.Equal(seen.Header["X-Twice"], []string{"1", "2"}) {
		t.Errorf("the server saw %+v with %q", seen, seenBody)
	}
	u := g.Usage()
	if u.Subrequests != 1 || u.EgressBytes < 3 || u.IngressBytes < 15 || g.LimitHit() {
		t.Errorf("usage %+v", u)
	}
}

func TestTransportHeadersAreDropped(t *testing.T) {
	var got http.Header
	var host, encoding string
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, host, encoding = r.Header, r.Host, strings.Join(r.TransferEncoding, ",")
	}), nil)
	var list []op.Pair
	for _, name := range []string{
		"Host", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Expect", "Proxy-Authorization", "proxy-connection", "Accept-Encoding", "HTTP2-Settings", "Via",
	} {
		list = append(list, op.Pair{Name: name, Value: "chunked"})
	}
	g := w.guest(t, Limits{})
	s := g.fetch(fetchMessage{method: "POST", url: w.URL, header: append(list, op.Pair{Name: "User-Agent", Value: "custom"}), body: bodyBytes, bytes: []byte("x")})
	if !s.ok {
		t.Fatal(s.errorText(t))
	}
	if host != strings.TrimPrefix(w.URL, "http://") || encoding != "" {
		t.Errorf("host %q, transfer encoding %q", host, encoding)
	}
	want := http.Header{"User-Agent": {"custom"}, "Accept": {"*/*"}, "Accept-Encoding": {acceptEncoding}, "Content-Length": {"1"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusedRequests(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }), nil)
	big := strings.Repeat("x", maxRequestHead)
	for name, c := range map[string]struct {
		m    fetchMessage
		want string
	}{
		"CR in a value":         {fetchMessage{method: "GET", url: w.URL, header: headers("a", "b\rc: d")}, "TypeError"},
		"LF in a value":         {fetchMessage{method: "GET", url: w.URL, header: headers("a", "b\nc: d")}, "TypeError"},
		"NUL in a value":        {fetchMessage{method: "GET", url: w.URL, header: headers("a", "b\x00")}, "TypeError"},
		"no byte in a value":    {fetchMessage{method: "GET", url: w.URL, header: headers("a", "ā")}, "TypeError"},
		"CRLF in a name":        {fetchMessage{method: "GET", url: w.URL, header: headers("a\r\nb", "c")}, "TypeError"},
		"an empty name":         {fetchMessage{method: "GET", url: w.URL, header: headers("", "c")}, "TypeError"},
		"a colon in a name":     {fetchMessage{method: "GET", url: w.URL, header: headers("a:", "c")}, "TypeError"},
		"large headers":         {fetchMessage{method: "GET", url: w.URL, header: headers("a", big)}, "TypeError"},
		"CRLF in the method":    {fetchMessage{method: "GET / HTTP/1.1\r\n", url: w.URL}, "is not a method"},
		"an empty method":       {fetchMessage{url: w.URL}, "is not a method"},
		"CONNECT":               {fetchMessage{method: "connect", url: w.URL}, "not allowed"},
		"TRACE":                 {fetchMessage{method: "TRACE", url: w.URL}, "not allowed"},
		"TRACK":                 {fetchMessage{method: "track", url: w.URL}, "not allowed"},
		"GET with a body":       {fetchMessage{method: "GET", url: w.URL, body: bodyBytes}, "can't have a body"},
		"HEAD with a stream":    {fetchMessage{method: "HEAD", url: w.URL, body: bodyStream}, "can't have a body"},
		"an unknown mode":       {fetchMessage{method: "GET", url: w.URL, redirect: 3}, "TypeError"},
		"an unknown body":       {fetchMessage{method: "POST", url: w.URL, body: 3}, "TypeError"},
		"a relative URL":        {fetchMessage{method: "GET", url: "/x"}, "invalid URL"},
		"a file URL":            {fetchMessage{method: "GET", url: "file:///etc/passwd"}, "invalid URL"},
		"a URL with password":   {fetchMessage{method: "GET", url: "http://a:b@127.0.0.1/"}, "user name or a password"},
		"another port":          {fetchMessage{method: "GET", url: "http://127.0.0.1:9/"}, "add 9 to ports"},
		"another host":          {fetchMessage{method: "GET", url: "http://example.com/"}, `add {"host": "example.com"} to network.allow`},
		"an unopened address":   {fetchMessage{method: "GET", url: "http://10.0.0.1/"}, "egress to 10.0.0.1:80 is not allowed by the network policy"},
		"too large a body":      {fetchMessage{method: "POST", url: w.URL, body: bodyBytes, bytes: make([]byte, 1001)}, "limit of 1000 bytes"},
		"an address's spelling": {fetchMessage{method: "GET", url: "http://0x7f.1:9/"}, "egress to 127.0.0.1:9"},
	} {
		t.Run(name, func(t *testing.T) {
			g := w.guest(t, Limits{RequestBytes: 1000})
			text := g.fetch(c.m).errorText(t)
			contains(t, text, "TypeError")
			contains(t, text, c.want)
			if n := g.Usage().Subrequests; n != 0 {
				t.Errorf("%d subrequests", n)
			}
		})
	}
	g := newGuest(t, w.client, Options{})
	contains(t, g.get(w.URL).errorText(t), "opens no network")
}

// The guard has the last word, whatever the rules say.
func TestGuardRefuses(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }), func(c *Config) { c.Guard = egress.NewGuard(egress.Config{}) })
	policy, err := w.guard.Compile([]egress.Rule{{Host: "*", Ports: []int{port(t, w.URL)}}, {Host: "127.0.0.1", Ports: []int{port(t, w.URL)}}})
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, w.client, Options{Policy: policy})
	contains(t, g.get(w.URL).errorText(t), "only the server's configuration can [EACCES]")
	text := g.get(fmt.Sprintf("http://localhost.:%d/", port(t, w.URL))).errorText(t)
	contains(t, text, "the name leads to an address that is not on the public internet")
	if strings.Contains(text, "127.0") || strings.Contains(text, "::1") {
		t.Errorf("the text tells what the name leads to: %s", text)
	}
}

func TestProxyVariablesMeanNothing(t *testing.T) {
	proxy := newWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }), nil)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	if newGuest(t, proxy.client, Options{}).client.newTransport(&pool{}).Proxy != nil {
		t.Error("there is a proxy")
	}
	g := newGuest(t, proxy.client, Options{Policy: mustCompile(t, proxy.guard, egress.Rule{Host: "nothing.invalid"})})
	contains(t, g.get("http://nothing.invalid/").errorText(t), "TypeError: fetch failed")
}

func mustCompile(t testing.TB, guard *egress.Guard, rules ...egress.Rule) *egress.Policy {
	t.Helper()
	policy, err := guard.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestRedirects(t *testing.T) {
	mux := http.NewServeMux()
	var w *world
	mux.HandleFunc("/hop/{n}", func(rw http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		if n == 0 {
			fmt.Fprint(rw, "arrived")
			return
		}
		http.Redirect(rw, r, fmt.Sprintf("/hop/%d", n-1), http.StatusFound)
	})
	mux.HandleFunc("/to/{status}", func(rw http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.PathValue("status"))
		rw.Header().Set("Location", r.URL.Query().Get("location"))
		rw.WriteHeader(status)
	})
	mux.HandleFunc("/echo", func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %q type=%q auth=%q cookie=%q x=%q", r.Method, body, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.Header.Get("X-Kept"))
	})
	w = newWorld(t, mux, nil)
	other := newWorld(t, mux, nil)
	policy := w.policy(t, egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, other.URL)}})
	private := headers("authorization", "secret", "cookie", "c=1", "x-kept", "yes", "content-type", "text/x")

	for name, c := range map[string]struct {
		m    fetchMessage
		want string // of the body, or of the error
	}{
		"20 hops":                   {fetchMessage{method: "GET", url: w.URL + "/hop/20"}, "arrived"},
		"21 hops":                   {fetchMessage{method: "GET", url: w.URL + "/hop/21"}, "more than 20 redirects"},
		"mode error":                {fetchMessage{method: "GET", url: w.URL + "/hop/1", redirect: redirectError}, "redirect mode is error"},
		"303 turns PUT into GET":    {fetchMessage{method: "PUT", url: w.URL + "/to/303?location=/echo", body: bodyBytes, bytes: []byte("b"), header: private}, `GET "" type="" auth="secret" cookie="c=1" x="yes"`},
		"302 turns POST into GET":   {fetchMessage{method: "POST", url: w.URL + "/to/302?location=/echo", body: bodyBytes, bytes: []byte("b"), header: private}, `GET "" type=""`},
		"302 keeps PUT":             {fetchMessage{method: "PUT", url: w.URL + "/to/302?location=/echo", body: bodyBytes, bytes: []byte("b"), header: private}, `PUT "b" type="text/x"`},
		"307 keeps POST":            {fetchMessage{method: "POST", url: w.URL + "/to/307?location=/echo", body: bodyBytes, bytes: []byte("b"), header: private}, `POST "b" type="text/x"`},
		"308 to another origin":     {fetchMessage{method: "POST", url: w.URL + "/to/308?location=" + other.URL + "/echo", body: bodyBytes, bytes: []byte("b"), header: private}, `POST "b" type="text/x" auth="" cookie="" x="yes"`},
		"to an unopened host":       {fetchMessage{method: "GET", url: w.URL + "/to/302?location=http://10.0.0.1/"}, "egress to 10.0.0.1:80 is not allowed"},
		"to a metadata address":     {fetchMessage{method: "GET", url: w.URL + "/to/302?location=http://169.254.169.254/latest/"}, "egress to 169.254.169.254:80 is not allowed"},
		"with backslashes":          {fetchMessage{method: "GET", url: w.URL + `/to/302?location=/\10.0.0.1/`}, "egress to 10.0.0.1:80 is not allowed"},
		"to another scheme":         {fetchMessage{method: "GET", url: w.URL + "/to/302?location=file:///etc/passwd"}, "a redirect leads to an invalid URL"},
		"to a URL with a user name": {fetchMessage{method: "GET", url: w.URL + "/to/302?location=http://u@127.0.0.1/"}, "a redirect leads to an invalid URL"},
		"without a location":        {fetchMessage{method: "GET", url: w.URL + "/to/302"}, ""},
		"an unchanged status":       {fetchMessage{method: "GET", url: w.URL + "/to/300?location=/echo"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, w.client, Options{Policy: policy})
			s := g.fetch(c.m)
			if !s.ok {
				contains(t, s.errorText(t), c.want)
				if c.want == "" {
					t.Error(s.errorText(t))
				}
				return
			}
			contains(t, string(s.response.bytes), c.want)
			if c.want != "" && !s.response.redirected {
				t.Error("it does not say that it was redirected")
			}
		})
	}

	g := newGuest(t, w.client, Options{Policy: policy})
	s := g.fetch(fetchMessage{method: "GET", url: w.URL + "/hop/1", redirect: redirectManual})
	if !s.ok || s.response.status != 302 || !slices.Equal(s.response.get("location"), []string{"/hop/0"}) || s.response.redirected {
		t.Errorf("mode manual: %+v", s.response)
	}
	if u := g.Usage(); u.Subrequests != 1 {
		t.Errorf("usage %+v", u)
	}
	a := g.mustGet(w.URL + "/hop/3")
	if a.url != w.URL+"/hop/0" || g.Usage().Subrequests != 5 {
		t.Errorf("%+v, %+v", a, g.Usage())
	}
	id := g.start(op.Fetch, encodeFetch(fetchMessage{method: "POST", url: w.URL + "/to/307?location=/echo", body: bodyStream}))
	g.write(id, writeLast, []byte("x"))
	contains(t, g.wait(id).errorText(t), "streamed body can't be redirected")
}

func TestSubrequestLimit(t *testing.T) {
	var served atomic.Int64
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if r.URL.Path == "/loop" {
			http.Redirect(rw, r, "/loop", http.StatusFound)
		}
	}), nil)
	g := w.guest(t, Limits{Subrequests: 5})
	g.mustGet(w.URL)
	if g.LimitHit() {
		t.Error("hit at once")
	}
	if got, want := g.get(w.URL+"/loop").errorText(t), "Error: Too many subrequests (limit 5)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !g.LimitHit() || served.Load() != 5 || g.Usage().Subrequests != 5 {
		t.Errorf("hit %v, served %d, usage %+v", g.LimitHit(), served.Load(), g.Usage())
	}
}

func TestNullBodies(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		rw.WriteHeader(status)
	}), nil)
	g := w.guest(t, Limits{})
	for path, kind := range map[string]byte{"/204": bodyNone, "/205": bodyNone, "/304": bodyNone, "/200": bodyBytes} {
		if a := g.mustGet(w.URL + path); a.body != kind || len(a.bytes) != 0 || a.handle != 0 {
			t.Errorf("%s: %+v", path, a)
		}
	}
	if s := g.fetch(fetchMessage{method: "HEAD", url: w.URL + "/200"}); !s.ok || s.response.body != bodyNone {
		t.Errorf("HEAD: %+v", s.response)
	}
}

func TestStreamedResponse(t *testing.T) {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * 7)
	}
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(data) }), nil)
	g := w.guest(t, Limits{})
	a := g.mustGet(w.URL)
	if a.body != bodyStream || a.handle == 0 {
		t.Fatalf("got %d bytes at once", len(a.bytes))
	}
	got, text := g.all(a)
	if text != "" || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %s", len(got), text)
	}
	contains(t, g.read(a.handle).errorText(t), "TypeError")
	if n := g.Usage().IngressBytes; n < int64(len(data)) {
		t.Errorf("ingress %d", n)
	}
}

// What the guest does not read is not read for it, beyond a chunk and what the
// connection's own buffers hold.
func TestUnreadResponsesHoldTheServerBack(t *testing.T) {
	var sent atomic.Int64
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 64<<10)
		for {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
			sent.Add(int64(len(chunk)))
		}
	}), nil)
	g := w.guest(t, Limits{ResponseBytes: 1 << 40})
	a := g.mustGet(w.URL)
	settleDown := func() int64 {
		for last := int64(-1); ; {
			now := sent.Load()
			if now == last {
				return now
			}
			last = now
			time.Sleep(100 * time.Millisecond)
		}
	}
	settleDown()
	if got := g.Usage().IngressBytes; got > 2*chunkSize {
		t.Errorf("%d bytes were read ahead", got)
	}
	before := g.Usage().IngressBytes
	for range 10 {
		if s := g.read(a.handle); !s.ok {
			t.Fatal(s.errorText(t))
		}
	}
	settleDown()
	if after := g.Usage().IngressBytes; after <= before || after > before+12*chunkSize {
		t.Errorf("%d bytes, then %d", before, after)
	}
	g.CancelBody(a.handle)
	contains(t, g.read(a.handle).errorText(t), "TypeError")
}

func TestResponseLimit(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 10_000)
		for {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
	}), nil)
	g := w.guest(t, Limits{ResponseBytes: 100_000})
	got, text := g.all(g.mustGet(w.URL))
	if len(got) != 100_000 {
		t.Errorf("got %d bytes", len(got))
	}
	contains(t, text, "limit of 100000 bytes")
	// The limit is the execution's, not the fetch's.
	got, text = g.all(g.mustGet(w.URL))
	if len(got) != 0 {
		t.Errorf("got %d bytes more", len(got))
	}
	contains(t, text, "limit of 100000 bytes")
}

func TestGzip(t *testing.T) {
	var small, bomb bytes.Buffer
	for buffer, n := range map[*bytes.Buffer]int64{&small: 5, &bomb: 8 << 20} {
		z := gzip.NewWriter(buffer)
		_, _ = io.CopyN(z, zeros{}, n)
		z.Close()
	}
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		if r.URL.Path == "/bomb" {
			_, _ = rw.Write(bomb.Bytes())
			return
		}
		_, _ = rw.Write(small.Bytes())
	}), nil)
	g := w.guest(t, Limits{ResponseBytes: 1 << 20})
	a := g.mustGet(w.URL)
	if got, text := g.all(a); string(got) != "\x00\x00\x00\x00\x00" || text != "" || a.get("content-encoding") != nil {
		t.Errorf("%+v: %q %s", a, got, text)
	}
	got, text := g.all(g.mustGet(w.URL + "/bomb"))
	if len(got) > 1<<20 {
		t.Errorf("%d bytes", len(got))
	}
	contains(t, text, "larger than the limit")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestOpenLimit(t *testing.T) {
	data := make([]byte, 200_000)
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(data) }), nil)
	g := w.guest(t, Limits{Open: 2})
	a, b := g.mustGet(w.URL), g.mustGet(w.URL)
	contains(t, g.get(w.URL).errorText(t), "2 fetches are open already")
	g.CancelBody(a.handle)
	c := g.mustGet(w.URL)
	if got, text := g.all(b); len(got) != len(data) || text != "" {
		t.Errorf("%d bytes, %s", len(got), text)
	}
	g.mustGet(w.URL)
	g.CancelBody(c.handle)
	g.CancelBody(4711)
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		_, _ = rw.Write(bytes.Repeat([]byte{'x'}, n))
	}), nil)
	var running sync.WaitGroup
	for tenant := range 4 {
		running.Go(func() {
			g := newGuest(t, w.client, Options{Tenant: fmt.Sprint(tenant % 2), Policy: w.policy(t)})
			defer g.Close()
			var ids []uint32
			for i := range 20 {
				ids = append(ids, g.start(op.Fetch, encodeFetch(fetchMessage{method: "GET", url: fmt.Sprintf("%s/?n=%d", w.URL, i*10_000)})))
			}
			for i, id := range ids {
				s := g.waitFetch(id)
				if !s.ok {
					t.Error(s.errorText(t))
					continue
				}
				if i%5 == 4 {
					g.CancelBody(s.response.handle)
				} else if got, text := g.all(s.response); len(got) != i*10_000 || text != "" {
					t.Errorf("%d bytes of %d, %s", len(got), i*10_000, text)
				}
			}
		})
	}
	running.Wait()
}

func FuzzMessages(f *testing.F) {
	f.Add(uint32(op.Fetch), encodeFetch(fetchMessage{method: "GET", url: "http://127.0.0.1/", header: headers("a", "b")}))
	f.Add(uint32(op.Fetch), encodeFetch(fetchMessage{method: "POST", url: "http://x/", body: bodyStream, bytes: []byte("x")}))
	f.Add(uint32(op.BodyRead), []byte{1, 0, 0, 0})
	f.Add(uint32(op.BodyWrite), []byte{1, 0, 0, 0, 1, 2, 0, 0, 0, 'a', 'b'})
	f.Add(uint32(op.Fetch), []byte{1, 0, 0, 0, 'G', 1, 0, 0, 0, 'x', 255, 255, 255, 255})
	client := NewClient(Config{Guard: egress.NewGuard(egress.Config{})})
	f.Fuzz(func(t *testing.T, o uint32, in []byte) {
		g := newGuest(t, client, Options{}) // with no policy nothing leaves
		id := g.start(op.Op(o), slices.Clone(in))
		// Only a stream that nobody ends could wait; without a policy it fails.
		if s := g.wait(id); s.ok {
			t.Fatalf("%q was answered with %q", in, s.message)
		} else {
			s.errorText(t)
		}
	})
}

func BenchmarkFetch(b *testing.B) {
	b.ReportAllocs()
	w := newWorld(b, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "hi") }), nil)
	g := w.guest(b, Limits{Subrequests: 1 << 40})
	for b.Loop() {
		g.mustGet(w.URL)
	}
}

func BenchmarkNewSession(b *testing.B) {
	b.ReportAllocs()
	client := NewClient(Config{Guard: egress.NewGuard(egress.Config{})})
	for b.Loop() {
		client.NewSession(Options{}).Close()
	}
}
