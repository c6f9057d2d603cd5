package api

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestArtifacts(t *testing.T) {
	s := newTestServer(t, nil)
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/v1/executions")</script></svg>`
	x := s.post("artifact sub/chart%20ü.svg image/svg+xml "+svg, "Prefer", "").want(200).execution()
	if len(x.Artifacts) != 1 {
		t.Fatalf("%+v", x)
	}
	a := x.Artifacts[0]
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Hostname() != "a-"+x.ID+".localhost" || u.Port() != s.url[strings.LastIndexByte(s.url, ':')+1:] || u.Path != "/sub/chart%20ü.svg" || u.RawQuery != "" {
		t.Errorf("URL %s", a.URL)
	}
	if d := time.Until(a.ExpiresAt); d < 50*time.Minute || d > time.Hour {
		t.Errorf("expires at %v", a.ExpiresAt)
	}
	s.idle()
	for _, target := range []string{a.URL, "/v1/executions/" + x.ID + "/artifacts" + u.EscapedPath()} {
		got := s.do("GET", target, "").want(200)
		if string(got.body) != svg {
			t.Errorf("%s", got.body)
		}
		for name, want := range map[string]string{
			"Content-Type": "image/svg+xml", "Content-Security-Policy": artifactPolicy, "Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "ETag": `"` + a.SHA256 + `"`, "Accept-Ranges": "bytes", "Cross-Origin-Opener-Policy": "same-origin",
			"Content-Disposition": `inline; filename="chart_20__.svg"; filename*=UTF-8''chart%2520%C3%BC.svg`, "Access-Control-Allow-Origin": "",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
			}
		}
		if !strings.HasPrefix(artifactPolicy, "sandbox; default-src 'none';") || strings.Contains(artifactPolicy, "allow-") {
			t.Error("the policy lets something run")
		}
		if head := s.do("HEAD", target, "").want(200); len(head.body) != 0 || head.header.Get("Content-Length") != got.header.Get("Content-Length") {
			t.Errorf("%v", head.header)
		}
		part := s.do("GET", target, "", "Range", "bytes=5-9").want(206)
		if string(part.body) != svg[5:10] || part.header.Get("Content-Range") == "" || part.header.Get("Content-Security-Policy") != artifactPolicy {
			t.Errorf("%q %v", part.body, part.header)
		}
		if part := s.do("GET", target, "", "Range", "bytes=-6").want(206); string(part.body) != "</svg>" {
			t.Errorf("%q", part.body)
		}
		s.do("GET", target, "", "Range", "bytes=1000-").want(416)
		s.do("GET", target, "", "If-None-Match", `"`+a.SHA256+`"`).want(304)
		s.do("GET", target, "", "Range", "bytes=0-0", "If-Range", `"other"`).want(200)
	}
	var list struct{ Artifacts []testArtifact }
	s.do("GET", "/v1/executions/"+x.ID+"/artifacts", "").want(200).decode(&list)
	if len(list.Artifacts) != 1 || list.Artifacts[0] != a {
		t.Errorf("%+v", list)
	}
}

// On the host of artifacts there is nothing but artifacts.
func TestArtifactHost(t *testing.T) {
	s := newTestServer(t, nil)
	x := s.post("artifact a.html text/html <p>").want(200).execution()
	y := s.post("artifact b.html text/html <p>").want(200).execution()
	s.idle()
	host := "a-" + x.ID + ".localhost"
	for _, path := range []string{"/", "/health", "/v1/executions", "/docs", "/metrics", "/b.html", "/a.html/", "/../a.html/..", "/%2e%2e/a.html", "/a.html%00", "/A.HTML", "/sub%2F..%2Fa.html"} {
		s.do("GET", path, "", "Host", host).problem(notFound)
	}
	s.do("GET", "/a.html", "", "Host", host).want(200)
	s.do("GET", "/a.html", "", "Host", strings.ToUpper(host)+":1").want(200)
	s.do("GET", "/a.html", "", "Host", "a-"+y.ID+".localhost").problem(notFound)
	for _, method := range []string{"POST", "DELETE", "OPTIONS"} {
		a := s.do(method, "/a.html", "", "Host", host).problem(methodNotAllowed)
		if a.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("Allow: %q", a.header.Get("Allow"))
		}
	}
	s.do("POST", "/v1/executions", program("hello"), "Host", host).problem(methodNotAllowed)
}

func TestArtifactTokens(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	s, tokens := newKeyedServer(t, func(o *Options) { o.Secret = secret }, "a", "b")
	x := s.post("artifact a.txt text/plain mine", "X-API-Key", tokens[0]).want(200).execution()
	y := s.post("artifact a.txt text/plain other", "X-API-Key", tokens[0]).want(200).execution()
	s.idle()
	a := x.Artifacts[0]
	u, _ := url.Parse(a.URL)
	token := u.Query().Get("token")
	if len(token) < 40 {
		t.Fatalf("URL %s", a.URL)
	}
	if got := s.do("GET", a.URL, "").want(200); string(got.body) != "mine" {
		t.Errorf("%s", got.body)
	}
	path := "/v1/executions/" + x.ID + "/artifacts/a.txt"
	s.do("GET", path+"?token="+token, "").want(200)
	s.do("GET", path, "", "X-API-Key", tokens[0]).want(200)
	s.do("GET", path, "", "X-API-Key", tokens[1]).problem(notFound)
	s.do("GET", path, "").problem(unauthenticated)
	s.do("GET", strings.TrimSuffix(a.URL, token), "").problem(unauthenticated)
	// It opens this one only, as long as it says, and can't be changed.
	s.do("GET", "/v1/executions/"+y.ID+"/artifacts/a.txt?token="+token, "").problem(unauthenticated)
	until, mac, _ := strings.Cut(token, ".")
	for _, bad := range []string{"z" + until + "." + mac, until + "." + strings.Repeat("A", len(mac)), until + ".", ".", until, mac, "1." + mac, s.artifactToken(x.ID, "a.txt", time.Now().Unix()-1), s.artifactToken(x.ID, "b.txt", time.Now().Unix()+100)} {
		s.do("GET", path+"?token="+url.QueryEscape(bad), "").problem(unauthenticated)
	}
	// Asking in vain does not count as guessing keys.
	s.do("GET", path, "", "X-API-Key", tokens[0]).want(200)
	// Links in replayed events work too.
	for _, e := range s.do("GET", "/v1/executions/"+x.ID+"/events", "", "X-API-Key", tokens[0]).want(200).events(s) {
		if e.Artifact != nil {
			s.do("GET", e.Artifact.URL, "").want(200)
		}
	}
}

func TestArtifactURLs(t *testing.T) {
	for _, c := range []struct {
		options Options
		listen  string
		want    string
	}{
		{Options{Listen: "127.0.0.1:0"}, "127.0.0.1:99", "http://a-ID.localhost:99/n/%C3%BC%3F"},
		{Options{Listen: "[::1]:0"}, "[::1]:99", "http://a-ID.localhost:99/n/%C3%BC%3F"},
		{Options{Listen: "0.0.0.0:0"}, "0.0.0.0:99", "/v1/executions/ID/artifacts/n/%C3%BC%3F"},
		{Options{Listen: "127.0.0.2:0"}, "127.0.0.2:99", "/v1/executions/ID/artifacts/n/%C3%BC%3F"},
		{Options{Listen: "127.0.0.1:0", PublicURL: "https://x.example/base"}, "127.0.0.1:99", "https://x.example/base/v1/executions/ID/artifacts/n/%C3%BC%3F"},
		{Options{Listen: "127.0.0.1:0", PublicURL: "https://x.example:8443", ArtifactDomain: "files.example"}, "127.0.0.1:99", "https://a-ID.files.example:8443/n/%C3%BC%3F"},
	} {
		var base artifactBase
		base.set(&c.options, c.listen)
		if got := base.url("ID", "n/ü?"); got != c.want {
			t.Errorf("%+v: %s, want %s", c.options.Listen, got, c.want)
		}
	}
}

func TestArtifactHeaders(t *testing.T) {
	for given, want := range map[string]string{
		"text/html": "text/html; charset=utf-8", "text/csv; charset=latin1": "text/csv; charset=latin1", "image/png": "image/png",
		"": "application/octet-stream", "nonsense\r\nX: y": "application/octet-stream", "text/html\x00": "application/octet-stream",
	} {
		if got := artifactType(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	for name, want := range map[string]string{
		"a.txt":           `inline; filename="a.txt"`,
		"x/y.txt":         `inline; filename="y.txt"`,
		"a\"b\r\n\\c.txt": `inline; filename="a_b___c.txt"; filename*=UTF-8''a%22b%0D%0A%5Cc.txt`,
	} {
		if got := disposition(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// Where an artifact was put besides is answered at once, from memory and from
// the disk.
func TestExportedArtifacts(t *testing.T) {
	s := newTestServer(t, nil)
	x := s.post("export a.svg image/svg+xml <svg/>").want(200)
	const want = `"export":{"bucket":"reports","key":"p/a.svg","error":"store is read-only"}`
	if !strings.Contains(string(x.body), want) {
		t.Errorf("got %s", x.body)
	}
	id := x.execution().ID
	for range 2 {
		for _, target := range []string{"/v1/executions/" + id, "/v1/executions/" + id + "/artifacts"} {
			if got := s.do("GET", target, "").want(200); !strings.Contains(string(got.body), want) {
				t.Errorf("%s: %s", target, got.body)
			}
		}
	}
	if got := s.do("GET", "/v1/executions/"+id+"/events", "", "Accept", "application/x-ndjson").want(200); !strings.Contains(string(got.body), want) {
		t.Errorf("events: %s", got.body)
	}
}
