package fetch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"mayfly/host/op"
)

// relay is a server that gives bodies, and says what it was sent.
func relay(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/sink":
		sum, n := byte(0), 0
		buffer := make([]byte, 10_000)
		for {
			k, err := r.Body.Read(buffer)
			for _, c := range buffer[:k] {
				sum += c
			}
			n += k
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
		}
		fmt.Fprintf(rw, "%d %d %d", r.ContentLength, n, sum)
	case "/deaf":
		rw.WriteHeader(http.StatusForbidden)
	case "/redirect":
		http.Redirect(rw, r, "/sink", http.StatusTemporaryRedirect)
	case "/cut":
		rw.Header().Set("Content-Length", "1000000")
		_, _ = rw.Write(make([]byte, 200_000))
	case "/endless":
		for r.Context().Err() == nil {
			if _, err := rw.Write(make([]byte, 10_000)); err != nil {
				return
			}
		}
	default:
		n, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if r.URL.RawQuery == "" {
			rw.Header().Set("Content-Length", strconv.Itoa(n))
		}
		_, _ = rw.Write(bytes.Repeat([]byte{3}, n))
	}
}

func (g *guest) passOn(u string, handle uint32) settled {
	g.Helper()
	return g.fetch(fetchMessage{method: "POST", url: u, body: bodyPassed, bytes: binary.LittleEndian.AppendUint32(nil, handle)})
}

func TestBodiesArePassedOn(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(relay), nil)
	g := w.guest(t, Limits{Open: 2})
	for _, n := range []int{100_000, 1_000_000, 5_000_001} {
		for query, length := range map[string]int{"": n, "?unknown": -1} {
			a := g.mustGet(fmt.Sprintf("%s/%d%s", w.URL, n, query))
			if a.body != bodyStream {
				t.Fatalf("%d bytes were no stream", n)
			}
			s := g.passOn(w.URL+"/sink", a.handle)
			if !s.ok {
				t.Fatal(s.errorText(t))
			}
			if got, want := string(s.response.bytes), fmt.Sprintf("%d %d %d", length, n, byte(3*n)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			contains(t, g.read(a.handle).errorText(t), "never there")
			contains(t, g.passOn(w.URL+"/sink", a.handle).errorText(t), "never there")
		}
	}
	// What the guest has read of a body is not passed on.
	a := g.mustGet(w.URL + "/1000000")
	r := op.NewReader(g.read(a.handle).message)
	r.U8()
	had := len(r.Bytes())
	s := g.passOn(w.URL+"/sink", a.handle)
	if got, want := string(s.response.bytes), fmt.Sprintf("-1 %d ", 1_000_000-had); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if g.open != 0 {
		t.Errorf("%d fetches are left open", g.open)
	}
	if u := g.Usage(); u.EgressBytes < 13_000_000 || u.IngressBytes < 13_000_000 {
		t.Errorf("usage %+v", u)
	}
}

func TestPassedBodiesThatFail(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(relay), nil)
	for path, c := range map[string]struct{ to, want string }{
		"/cut":     {"/sink", "closed before the end"},
		"/endless": {"/sink", "request bodies are larger than the limit"},
		"/1000000": {"/redirect", "can't be redirected"},
		"/2000000": {"//", "fetch failed"},
	} {
		g := w.guest(t, Limits{Open: 2, RequestBytes: 10_000_000})
		a := g.mustGet(w.URL + path)
		if c.to == "//" {
			s := g.passOn("http://10.0.0.1/", a.handle)
			contains(t, s.errorText(t), "not allowed by the network policy")
			continue
		}
		s := g.passOn(w.URL+c.to, a.handle)
		if s.ok {
			t.Errorf("%s: %d %s", path, s.response.status, s.response.bytes)
			continue
		}
		contains(t, s.errorText(t), c.want)
	}
	g := w.guest(t, Limits{})
	contains(t, g.fetch(fetchMessage{method: "POST", url: w.URL + "/sink", body: bodyPassed, bytes: []byte{1}}).errorText(t), "malformed")
	contains(t, g.passOn(w.URL+"/sink", 999).errorText(t), "never there")
}

// An answer that comes before the body is read ends the body.
func TestPassedBodiesThatNobodyWants(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(relay), nil)
	g := w.guest(t, Limits{})
	for range 5 {
		a := g.mustGet(w.URL + "/endless")
		s := g.passOn(w.URL+"/deaf", a.handle)
		if s.ok && s.response.status != http.StatusForbidden {
			t.Errorf("status %d", s.response.status)
		}
	}
	// Cancelling either end ends both.
	a := g.mustGet(w.URL + "/endless")
	id := g.start(op.Fetch, encodeFetch(fetchMessage{method: "POST", url: w.URL + "/sink", body: bodyPassed, bytes: binary.LittleEndian.AppendUint32(nil, a.handle)}))
	g.CancelBody(a.handle)
	contains(t, g.wait(id).errorText(t), "abort")
	a = g.mustGet(w.URL + "/endless")
	id = g.start(op.Fetch, encodeFetch(fetchMessage{method: "POST", url: w.URL + "/sink", body: bodyPassed, bytes: binary.LittleEndian.AppendUint32(nil, a.handle)}))
	g.Cancel(id)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		g.Session.mu.Lock()
		open, passed := g.open, len(g.passed)
		g.Session.mu.Unlock()
		if open == 0 && passed == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d fetches and %d passed bodies are left", open, passed)
		}
	}
}
