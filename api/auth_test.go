package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/storage/meta"
)

// newKeyedServer starts a server that demands keys, and makes one for each
// tenant.
func newKeyedServer(t *testing.T, change func(*Options), tenants ...string) (s *testServer, tokens []string) {
	t.Helper()
	var store *meta.Store
	s = newTestServer(t, func(o *Options) {
		o.RequireKeys = true
		store = o.Store.(*meta.Store)
		if change != nil {
			change(o)
		}
	})
	for _, tenant := range tenants {
		_, token, err := store.CreateKey(t.Context(), tenant+"'s", tenant, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	return s, tokens
}

func TestKeys(t *testing.T) {
	s, tokens := newKeyedServer(t, nil, "a", "b")
	a, b := "Bearer "+tokens[0], "Bearer "+tokens[1]
	for _, path := range []string{"/v1/executions", "/v1/runtimes", "/metrics", "/v1/executions/ex00000000000000000000000000", "/v1/executions/ex00000000000000000000000000/events", "/v1/executions/ex00000000000000000000000000/artifacts", "/v1/executions/ex00000000000000000000000000/artifacts/x"} {
		got := s.do("GET", path, "").problem(unauthenticated)
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: no challenge", path)
		}
	}
	s.post("hello").problem(unauthenticated)
	s.do("GET", "/health", "").want(200)
	s.do("GET", "/docs", "").want(200)
	s.do("GET", "/openapi.json", "").want(200)
	for _, header := range []string{"Bearer ", "Bearer x", "Basic " + tokens[0], "Bearer " + tokens[0] + "x", "bearer" + tokens[0], "Bearer " + strings.ToUpper(tokens[0])} {
		s.post("hello", "Authorization", header).problem(unauthenticated)
	}
	s.post("hello", "X-API-Key", tokens[0]).want(200)
	s.post("hello", "Authorization", "bearer "+tokens[0]).want(200)

	// A key sees its tenant's executions, and no other.
	x := s.post("artifact a.txt text/plain mine", "Authorization", a).want(200).execution()
	s.idle()
	for _, path := range []string{"", "/events", "/artifacts", "/artifacts/a.txt"} {
		s.do("GET", "/v1/executions/"+x.ID+path, "", "Authorization", a).want(200)
		s.do("GET", "/v1/executions/"+x.ID+path, "", "Authorization", b).problem(notFound)
	}
	s.do("POST", "/v1/executions/"+x.ID+"/cancel", "", "Authorization", b).problem(notFound)
	if got := s.do("GET", "/v1/executions", "", "Authorization", b).want(200); !strings.Contains(string(got.body), `"executions":[]`) {
		t.Errorf("%s", got.body)
	}
	s.do("GET", "/v1/executions?tenant=a", "", "Authorization", b).problem(invalidRequest)
	s.do("POST", "/v1/executions", `{"language":"javascript","code":"hello","tenant":"a"}`, "Authorization", b).problem(invalidRequest)
	s.do("POST", "/v1/executions", `{"language":"javascript","code":"hello","tenant":"b"}`, "Authorization", b).want(200)
	mount := `{"language":"javascript","code":"hello","files":[{"path":"x","artifact":{"execution":"` + x.ID + `","name":"a.txt"}}]}`
	s.do("POST", "/v1/executions", mount, "Authorization", a).want(200)
	s.do("POST", "/v1/executions", mount, "Authorization", b).problem(invalidRequest)

	// One under way is no more to be seen.
	y := s.post("block", "Prefer", "respond-async", "Authorization", a).want(202).execution()
	receive(t, s.executor.started)
	for _, path := range []string{"", "/events"} {
		s.do("GET", "/v1/executions/"+y.ID+path, "", "Authorization", b).problem(notFound)
	}
	s.do("POST", "/v1/executions/"+y.ID+"/cancel", "", "Authorization", b).problem(notFound)
	s.do("POST", "/v1/executions/"+y.ID+"/cancel", "", "Authorization", a).want(202)
	s.idle()
}

// On loopback a key is optional; one that is given counts.
func TestOptionalKeys(t *testing.T) {
	s := newTestServer(t, nil)
	_, token, err := s.options.Store.(*meta.Store).CreateKey(t.Context(), "k", "a", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	x := s.post("hello").want(200).execution()
	y := s.post("hello", "X-API-Key", token).want(200).execution()
	s.idle()
	s.do("GET", "/v1/executions/"+x.ID, "", "X-API-Key", token).problem(notFound)
	s.do("GET", "/v1/executions/"+y.ID, "").want(200)
	s.post("hello", "X-API-Key", "mf_wrong").problem(unauthenticated)
}

func TestRevokedKey(t *testing.T) {
	s, tokens := newKeyedServer(t, nil, "a")
	s.post("hello", "X-API-Key", tokens[0]).want(200)
	store := s.options.Store.(*meta.Store)
	keys, err := store.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.RevokeKey(t.Context(), keys[0].ID); err != nil {
		t.Fatal(err)
	}
	s.post("hello", "X-API-Key", tokens[0]).problem(unauthenticated)
}

func TestKeyFailures(t *testing.T) {
	var offset atomic.Int64
	s, tokens := newKeyedServer(t, func(o *Options) {
		o.KeyFailures, o.KeyFailureWindow = 3, time.Minute
		o.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	}, "a")
	for range 3 {
		s.post("hello", "X-API-Key", "mf_guess").problem(unauthenticated)
	}
	// Past the limit a right guess is not told from a wrong one.
	for _, token := range []string{"mf_guess", tokens[0]} {
		a := s.post("hello", "X-API-Key", token).problem(tooManyFailures)
		if after := a.header.Get("Retry-After"); after == "" || after == "0" {
			t.Errorf("Retry-After %q", after)
		}
	}
	offset.Store(int64(61 * time.Second))
	s.post("hello", "X-API-Key", tokens[0]).want(200)
	for range 3 {
		s.post("hello", "X-API-Key", "mf_guess").problem(unauthenticated)
	}
	s.post("hello", "X-API-Key", tokens[0]).problem(tooManyFailures)
}

func TestFailureLimiterIsBounded(t *testing.T) {
	l := failureLimiter{most: 3, window: time.Minute}
	now := time.Unix(0, 0)
	address := netip.MustParseAddr("10.0.0.0")
	for range maxFailureAddresses + 10 {
		address = address.Next()
		l.add(address, now)
	}
	if len(l.failures) > maxFailureAddresses {
		t.Errorf("%d addresses", len(l.failures))
	}
}

func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{
		"1.2.3.4:5": "1.2.3.4", "[::ffff:1.2.3.4]:5": "1.2.3.4", "[2001:db8:1:2:3:4:5:6]:7": "2001:db8:1:2::",
		"[fe80::1%eth0]:1": "fe80::", "nonsense": "invalid IP",
	} {
		if got := addressOf(&http.Request{RemoteAddr: remote}).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	store, objects := newTestStorage(t)
	valid := Options{Executor: newFakeExecutor(objects), Store: store, Objects: objects}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"nothing":       {func(*Options) {}, ""},
		"every address": {func(o *Options) { o.Listen = "0.0.0.0:0" }, "RequireKeys"},
		"no host":       {func(o *Options) { o.Listen = ":0" }, "RequireKeys"},
		"a name":        {func(o *Options) { o.Listen = "example.com:80" }, "RequireKeys"},
		"with keys":     {func(o *Options) { o.Listen, o.RequireKeys = "0.0.0.0:0", true }, ""},
		"IPv6":          {func(o *Options) { o.Listen = "[::1]:0" }, ""},
		"no port":       {func(o *Options) { o.Listen = "127.0.0.1" }, "Listen"},
		"short secret":  {func(o *Options) { o.Secret = []byte("short") }, "32 bytes"},
		"bad URL":       {func(o *Options) { o.PublicURL = "example.com" }, "PublicURL"},
		"bad origin":    {func(o *Options) { o.Origins = []string{"https://a.example/"} }, "origin"},
		"wildcard":      {func(o *Options) { o.Origins = []string{"*"} }, "origin"},
		"bad host":      {func(o *Options) { o.Hosts = []string{"http://a"} }, "host"},
		"no store":      {func(o *Options) { o.Store = nil }, "required"},
	} {
		o := valid
		c.change(&o)
		s, err := New(o)
		if err == nil {
			if err := s.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHosts(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		o.Hosts = []string{"box.example", "[2001:db8::1]"}
	})
	for _, host := range []string{"localhost", "LOCALHOST:8787", "localhost.:1", "127.0.0.1", "127.0.0.1:80", "[::1]:80", "[::1]", "box.example:99", "[2001:db8::1]:5"} {
		s.do("GET", "/health", "", "Host", host).want(200)
	}
	for _, host := range []string{"evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example", "2130706433", "0.0.0.0", "a-b.localhost.evil.example"} {
		s.do("GET", "/health", "", "Host", host).problem(forbiddenHost)
		s.post("hello", "Host", host).problem(forbiddenHost)
	}
}

func TestHostsWithKeys(t *testing.T) {
	s, tokens := newKeyedServer(t, nil, "a")
	s.post("hello", "Host", "any.example", "X-API-Key", tokens[0]).want(200)
}

func TestOrigins(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Origins = []string{"https://app.example"} })
	own := s.url
	for _, c := range []struct {
		origin, site string
		taken        bool
	}{
		{"", "", true},
		{own, "", true},
		{own, "same-origin", true},
		{"", "none", true},
		{"https://app.example", "cross-site", true},
		{"https://app.example", "", true},
		{"https://evil.example", "", false},
		{"https://evil.example", "cross-site", false},
		{"http://127.0.0.1:1", "same-site", false},
		{"http://localhost:1", "", false},
		{"null", "", false},
		{"", "cross-site", false},
		{"https://app.example.evil.example", "", false},
		{"http://app.example", "", false},
	} {
		a := s.post("hello", "Origin", c.origin, "Sec-Fetch-Site", c.site)
		if c.taken {
			a.want(200)
		} else {
			a.problem(forbiddenOrigin)
		}
		allowed := c.origin == "https://app.example"
		if got := a.header.Get("Access-Control-Allow-Origin"); (got == c.origin && got != "") != allowed || !allowed && got != "" {
			t.Errorf("%q: Access-Control-Allow-Origin %q", c.origin, got)
		}
		if a.header.Get("Vary") != "Origin" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%v", a.header)
		}
	}
	a := s.do("OPTIONS", "/v1/executions", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST").want(204)
	if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
		t.Errorf("%v", a.header)
	}
	s.do("OPTIONS", "/v1/executions", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST").problem(forbiddenOrigin)
}

func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"a": "a", "A:1": "a", "a.": "a", "a.:80": "a", "[::1]": "::1", "[::1]:80": "::1", "::1": "::1", "": "", ":80": "", "[": "",
	} {
		if got := hostName(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func FuzzHost(f *testing.F) {
	store, objects := newTestStorage(f)
	s, err := New(Options{Executor: newFakeExecutor(objects), Store: store, Objects: objects})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Shutdown(context.Background()) })
	for _, host := range []string{"localhost", "[::1]:80", "a-ex6h07s08k40001m9eupd70k4lns.localhost:1", "a-.localhost", "", ":", "[", "]:"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/health", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		name := hostName(host)
		if w.Code == 200 && name != "localhost" && name != "127.0.0.1" && name != "::1" {
			t.Errorf("%q is served", host)
		}
	})
}
