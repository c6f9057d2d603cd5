package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deployedVersion is the body of a deploy whose modules all say which one they
// are of.
func deployedVersion(n int) []byte {
	part := func(i int) map[string]string {
		return map[string]string{"js": fmt.Sprintf("export default %d; //%s", n, strings.Repeat("x", 100_000*i))}
	}
	return marshal(map[string]any{
		"main_module": "index.js", "compatibility_date": "2026-01-31",
		"bindings": map[string]any{"VERSION": map[string]any{"type": "var", "value": n}},
		"modules": map[string]any{
			"index.js": map[string]string{"js": `import a from "./a.js"; import b from "./b.js"; export default { fetch(r, env) { return new Response([a, b, env.VERSION].join(" ")) } }`},
			"a.js":     part(1), "b.js": part(5),
		},
	})
}

// killDeploys kills a server while it takes deploys: afterwards it serves one
// that it had acknowledged last, or a later one, and that whole.
func killDeploys(t *testing.T, _ *arena, _ *attackServer, c *attackCase) {
	data := t.TempDir()
	var acknowledged atomic.Int64
	next := 1
	for round := range c.number(t, "rounds") + 1 {
		s := startServer(t, data, nil, "--log-level", "warn")
		if round > 0 {
			r, err := s.send("GET", "/w/deployed/", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var a, b, v int64
			if _, err := fmt.Sscanf(string(r.body), "%d %d %d", &a, &b, &v); r.status != 200 || err != nil {
				t.Fatalf("after the kill: %d %s", r.status, short(string(r.body)))
			}
			if a != b || a != v || a < acknowledged.Load() {
				t.Errorf("after the kill it serves %s; version %d was acknowledged", r.body, acknowledged.Load())
			}
			t.Logf("round %d: serves %d, acknowledged %d", round, a, acknowledged.Load())
		}
		if t.Failed() || round == c.number(t, "rounds") {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			for _, f := range s.faults() {
				t.Errorf("a fault after kill: %s", f)
			}
			return
		}
		deployed := make(chan struct{})
		begun := make(chan struct{})
		go func() {
			defer close(deployed)
			first := begun
			for ; ; next++ {
				r, err := s.send("PUT", "/v1/workers/deployed", jsonHeader, deployedVersion(next))
				if err != nil {
					return
				}
				if r.status != 200 && r.status != 201 {
					t.Errorf("deploy %d: %d %s", next, r.status, short(string(r.body)))
					return
				}
				if acknowledged.Swap(int64(next)) < int64(next) && first != nil {
					close(first)
					first = nil
				}
			}
		}()
		select {
		case <-begun:
		case <-deployed:
		case <-time.After(time.Minute):
			t.Fatal("no deploy was taken in a minute")
		}
		time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
		s.kill()
		<-deployed
		next++ // that one may be there, too
	}
}

// workerStorm deploys a worker and sends more requests to it at once than are
// admitted, none before: each is answered with what it asked for, or told that
// there is too much to do. What is the same for all of them is done once: the
// processor time of them together is bounded.
func workerStorm(t *testing.T, _ *arena, s *attackServer, c *attackCase) {
	worker := deployLoader(t, s, c)
	before := s.processorTime(t)
	var mu sync.Mutex
	count := map[int]int{}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range c.number(t, "requests") {
		wg.Go(func() {
			<-start
			r, err := s.send("GET", fmt.Sprintf("/w/%s/%d", worker, i), nil, nil)
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			count[r.status]++
			switch r.status {
			case http.StatusOK:
				if want := strings.ReplaceAll(c.Parameters["answer"], "@N@", fmt.Sprint(i)); string(r.body) != want && !(c.Parameters["refusal"] != "" && matches(c.Parameters["refusal"], string(r.body))) {
					t.Errorf("request %d: %s, want %q", i, short(string(r.body)), want)
				}
			case http.StatusTooManyRequests, http.StatusServiceUnavailable:
				if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 1 {
					t.Errorf("status %d with Retry-After %q: %s", r.status, r.header.Get("Retry-After"), short(string(r.body)))
				}
			default:
				t.Errorf("status %d: %s", r.status, short(string(r.body)))
			}
		})
	}
	close(start)
	wg.Wait()
	used := s.processorTime(t) - before
	t.Logf("answers by status: %v, in %v of processor time", count, used)
	if count[http.StatusOK] == 0 {
		t.Errorf("answers by status: %v", count)
	}
	if most := time.Duration(c.number(t, "cpu_ms")) * time.Millisecond; used > most {
		t.Errorf("it took %v of processor time, at most %v was expected", used, most)
	}
	if r, err := s.send("GET", "/w/"+worker+"/7", nil, nil); err != nil || r.status != http.StatusOK || string(r.body) != strings.ReplaceAll(c.Parameters["answer"], "@N@", "7") {
		t.Errorf("afterwards: %v %+v", err, r)
	}
}

// deployLoader deploys a case's program as a worker with a loader, and is its name.
func deployLoader(t *testing.T, s *attackServer, c *attackCase) (worker string) {
	t.Helper()
	worker = strings.TrimSuffix(c.name, ".toml")
	deploy := marshal(map[string]any{
		"main_module": "index.js", "compatibility_date": "2026-01-31",
		"bindings": map[string]any{"LOADER": map[string]string{"type": "worker_loader"}},
		"modules":  map[string]any{"index.js": map[string]string{"js": c.Parameters["program"]}},
	})
	if r, err := s.send("PUT", "/v1/workers/"+worker, jsonHeader, deploy); err != nil || r.status != http.StatusOK && r.status != http.StatusCreated {
		t.Fatalf("the deploy: %v %+v", err, r)
	}
	return worker
}

// hoarders has dynamic workers keep memory between requests, more than the server
// may have: it goes on to serve them and others.
func hoarders(t *testing.T, _ *arena, _ *attackServer, c *attackCase) {
	budget, most := c.number(t, "budget_mib"), float64(c.number(t, "most_mib"))
	s := startServer(t, t.TempDir(), nil, "--log-level", "warn", "--memory-budget", fmt.Sprintf("%dMiB", budget))
	worker := deployLoader(t, s, c)
	peak, served, n := 0.0, 0, c.number(t, "requests")
	for i := range n {
		// One is refused while others are made to end.
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			r, err := s.send("GET", fmt.Sprintf("/w/%s/%d", worker, i), nil, nil)
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			if r.status == http.StatusOK {
				served++
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("request %d: %d %s", i, r.status, short(string(r.body)))
				break
			}
		}
		if l, err := s.load(); err == nil {
			peak = max(peak, l.resident/(1<<20))
		}
	}
	t.Logf("with a budget of %d MiB at most %.0f MiB were resident; %d of %d answered", budget, peak, served, n)
	if peak > most {
		t.Errorf("%.0f MiB were resident, at most %.0f were expected", peak, most)
	}
	var err error
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err = s.hello(1); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	for _, f := range s.faults() {
		t.Error(f)
	}
}
