package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
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
