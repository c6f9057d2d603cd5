package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		r    result
		want string
	}{
		{result{target: target{must: 50, aim: 15}, measured: 15}, metAim},
		{result{target: target{must: 50, aim: 15}, measured: 50}, metMust},
		{result{target: target{must: 50, aim: 15}, measured: 50.1}, missed},
		{result{target: target{must: 1.7, aim: 1.95, atLeast: true}, measured: 2}, metAim},
		{result{target: target{must: 1.7, aim: 1.95, atLeast: true}, measured: 1.7}, metMust},
		{result{target: target{must: 1.7, aim: 1.95, atLeast: true}, measured: 1.69}, missed},
		{result{target: target{must: 50, aim: 15}, measured: math.NaN()}, missed},
	} {
		if got := c.r.judge(); got != c.want {
			t.Errorf("%v of %+v: %s, want %s", c.r.measured, c.r.target, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.304: "0.30", 2: "2", 1.95: "1.95", 45.71: "45.7", 552.4: "552", 1759.3: "1,759", 1234567: "1,234,567", -1500: "-1,500"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) is %q, want %q", v, got, want)
		}
	}
}

func TestStatistics(t *testing.T) {
	if got := median([]float64{9, 1, 5}); got != 5 {
		t.Errorf("median of three: %v", got)
	}
	if got := median([]float64{4, 1, 2, 100}); got != 3 {
		t.Errorf("median of four: %v", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of none: %v", got)
	}
	if got := geometricMean([]float64{1, 4, 16}); math.Abs(got-4) > 1e-9 {
		t.Errorf("geometric mean: %v", got)
	}
	var list []time.Duration
	for i := range 100 {
		list = append(list, time.Duration(99-i))
	}
	if p50, p99 := quantile(list, 0.5), quantile(list, 0.99); p50 != 50 || p99 != 99 {
		t.Errorf("p50 %d, p99 %d", p50, p99)
	}
}

func TestSections(t *testing.T) {
	if got, err := chooseSections("soak, rest"); err != nil || len(got) != 2 || got[0].name != "soak" || got[1].name != "rest" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := chooseSections("rest,nothing"); err == nil {
		t.Error("an unknown section was accepted")
	}
}

// TestExchange has the generator's client talk to net/http's server, in both
// ways that a body can end.
func TestExchange(t *testing.T) {
	large := strings.Repeat("0123456789", 5000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/length":
			fmt.Fprintf(w, "%s %s", r.Method, body)
		case "/chunked":
			for part := range strings.SplitSeq(large, "9") {
				io.WriteString(w, part)
				w.(http.Flusher).Flush()
			}
		case "/empty":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	c, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, want := range []struct {
		path   string
		status int
		body   string
	}{
		{"/length", 200, "POST {}"}, {"/chunked", 200, strings.ReplaceAll(large, "9", "")}, {"/empty", 404, ""}, {"/length", 200, "POST {}"},
	} {
		status, body, err := c.exchange(encodeRequest("POST", address, want.path, []byte("{}")))
		if err != nil {
			t.Fatal(want.path, err)
		}
		if status != want.status || string(body) != want.body {
			t.Errorf("%s: %d with %d bytes, want %d with %d", want.path, status, len(body), want.status, len(want.body))
		}
	}
}

// TestWrongAnswersEndALoad sees to it that a peer that fails is not fast.
func TestWrongAnswersEndALoad(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			http.Error(w, "hello", http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "hello")
	}))
	defer server.Close()
	l := load{Address: strings.TrimPrefix(server.URL, "http://"), Path: "/", Connections: 2, Duration: 50 * time.Millisecond, Expect: "hello"}
	report, err := l.run()
	if err != nil || report.Requests == 0 || report.Total < report.Requests {
		t.Errorf("got %+v, %v", report, err)
	}
	l.Path = "/fails"
	if _, err := l.run(); err == nil {
		t.Error("status 500 counts as an answer")
	}
	l.Path, l.Expect = "/", "goodbye"
	if _, err := l.run(); err == nil {
		t.Error("the wrong text counts as an answer")
	}
}

// TestInputs reads what bench measures with, from the top of the source tree.
func TestInputs(t *testing.T) {
	t.Chdir("../..")
	list, err := workloads()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 11 {
		t.Errorf("%d programs, want 11 or more", len(list))
	}
}
