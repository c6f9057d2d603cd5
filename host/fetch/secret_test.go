package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"mayfly/host/egress"
)

const canary = "c4n&ry/9f\"1e:77aa"

// secrets has a policy that injects, and one secret.
func (w *world) secrets(t *testing.T, rules ...egress.Rule) *guest {
	t.Helper()
	policy, err := w.guard.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return newGuest(t, w.client, Options{Policy: policy, Secret: func(_ context.Context, name string) (string, error) {
		if name != "KEY" {
			return "", errors.New("there is no such secret")
		}
		return canary, nil
	}})
}

// A server that shows the whole request does not show the guest the secret.
func TestSecretsAreInjectedAndHidden(t *testing.T) {
	var seen *http.Request
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = r
		rw.Header().Set("X-Echo", "got "+r.Header.Get("Authorization"))
		fmt.Fprintf(rw, "%s|%s|%s|%q|%s|%s", r.Header.Get("Authorization"), r.URL.RawQuery, r.URL.Query().Get("key"), canary, `c4n\u0026ry/9f\"1e:77aa`, strings.Repeat("x", 40_000))
		io.WriteString(rw, canary[:5])
	}), nil)
	g := w.secrets(t, egress.Rule{
		Host: "127.0.0.1", Ports: []int{port(t, w.URL)}, AllowHTTP: true,
		Inject: []egress.Injection{{Header: "authorization", Secret: "KEY", Format: "Bearer {}"}, {Query: "key", Secret: "KEY"}},
	})
	a := g.fetch(fetchMessage{method: "GET", url: w.URL + "/?a=1&key=guess", header: headers("authorization", "the guest's")})
	if !a.ok {
		t.Fatal(a.errorText(t))
	}
	body, failure := g.all(a.response)
	if failure != "" {
		t.Fatal(failure)
	}
	if got := seen.Header["Authorization"]; len(got) != 1 || got[0] != "Bearer "+canary {
		t.Errorf("the server saw %q", got)
	}
	if got := seen.URL.Query(); len(got["key"]) != 1 || got.Get("key") != canary || got.Get("a") != "1" {
		t.Errorf("the server saw %q", seen.URL.RawQuery)
	}
	if a.response.url != w.URL+"/?a=1&key=guess" {
		t.Errorf("the response's url is %q", a.response.url)
	}
	whole := fmt.Sprint(a.response.header) + string(body)
	for _, form := range []string{canary, url.QueryEscape(canary), `c4n&ry/9f\"1e:77aa`, `c4n\u0026ry`, "1e:77aa"} {
		if strings.Contains(whole, form) {
			t.Errorf("the guest sees %q", form)
		}
	}
	stars := strings.Repeat("*", len(canary))
	if want := "Bearer " + stars + "|a=1&key=" + strings.Repeat("*", len(url.QueryEscape(canary))) + "|" + stars + "|"; !strings.HasPrefix(string(body), want) {
		t.Errorf("the body begins with %q, want %q", body[:len(want)], want)
	}
	if !strings.HasSuffix(string(body), "x"+canary[:5]) {
		t.Error("a part of the secret at the end of the body is missing")
	}
}

// A redirect's target gets what its own rule injects, and nothing of the rule
// before.
func TestSecretsStayWithTheirHost(t *testing.T) {
	var there http.Header
	var query string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { there, query = r.Header, r.URL.RawQuery }))
	defer other.Close()
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.URL+"/?leak="+url.QueryEscape(r.Header.Get("X-Key")), http.StatusTemporaryRedirect)
	}), nil)
	g := w.secrets(t,
		egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, w.URL)}, AllowHTTP: true, Inject: []egress.Injection{{Header: "X-Key", Secret: "KEY"}}},
		egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, other.URL)}})
	a := g.mustGet(w.URL)
	if there == nil || there.Get("X-Key") != "" || strings.Contains(query, "c4n") {
		t.Errorf("the other server saw %v and %q", there, query)
	}
	if strings.Contains(a.url, "c4n") {
		t.Errorf("the response's url is %q", a.url)
	}
}

func TestSecretsThatAreNotThere(t *testing.T) {
	calls := 0
	w := newWorld(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }), nil)
	rule := egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, w.URL)}, AllowHTTP: true, Inject: []egress.Injection{{Header: "X-Key", Secret: "GONE"}}}
	if got, want := w.secrets(t, rule).get(w.URL).errorText(t), "adds the secret GONE: there is no such secret"; !strings.Contains(got, want) {
		t.Errorf("got %q", got)
	}
	policy, err := w.guard.Compile([]egress.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := newGuest(t, w.client, Options{Policy: policy}).get(w.URL).errorText(t), "there are no secrets here"; !strings.Contains(got, want) {
		t.Errorf("got %q", got)
	}
	rule.AllowHTTP, rule.Inject[0].Secret = false, "KEY"
	if got, want := w.secrets(t, rule).get(w.URL).errorText(t), "in the clear"; !strings.Contains(got, want) {
		t.Errorf("got %q", got)
	}
	if calls != 0 {
		t.Errorf("%d requests left", calls)
	}
}

// What is blotted out does not depend on how the body is cut, and the rest stays
// as it was.
func FuzzBlotter(f *testing.F) {
	f.Add([]byte("a canary, a canarycanary and a canar"), "canary", uint8(3))
	f.Add([]byte("aaaaaaaaaaaaaaab"), "aaaaaab", uint8(1))
	f.Fuzz(func(t *testing.T, body []byte, secret string, size uint8) {
		response := &http.Response{Header: http.Header{}}
		read := func(r io.Reader) []byte {
			response.Body = io.NopCloser(r)
			hide(response, []string{secret})
			var out bytes.Buffer
			if _, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{response.Body}, make([]byte, int(size)+1)); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		whole := read(bytes.NewReader(body))
		if len(whole) != len(body) {
			t.Fatalf("%d bytes of %d", len(whole), len(body))
		}
		for i := range whole {
			if whole[i] != body[i] && whole[i] != '*' {
				t.Fatalf("byte %d of %q changed in %q", i, body, whole)
			}
		}
		if len(secret) >= minHidden && !strings.Contains(secret, "*") {
			if bytes.Contains(whole, []byte(secret)) {
				t.Fatalf("%q shows %q", whole, secret)
			}
			if cut := read(iotest.OneByteReader(bytes.NewReader(body))); bytes.Contains(cut, []byte(secret)) {
				t.Fatalf("%q shows %q, byte for byte", cut, secret)
			}
		}
	})
}
