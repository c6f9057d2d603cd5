package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// attacksInFull says whether the long form is asked for: repetitions,
// concurrency, thousands of clones, the soak. The short form runs every case
// once.
func attacksInFull() bool { return os.Getenv("MAYFLY_ATTACKS") == "full" }

// helloBound is how long a neighbour may wait for its answer while attacks run,
// on a machine that has other things to do. It is generous: the fair share is
// measured by the case of row 28.
const helloBound = 5 * time.Second

// How much more than at the start a server may hold when the attacks are over:
// pools and caches have grown to what they stay at.
const (
	residentSlack   = 192 << 20
	descriptorSlack = 64
	goroutineSlack  = 64
)

// servers are those that cases may name.
var servers = map[string]struct {
	args    []string
	tenants []string // that have a key; with any, keys are required
}{
	"plain":   {args: []string{"--allow-private", upstreamNetwork}},
	"keys":    {args: []string{"--allow-private", upstreamNetwork}, tenants: []string{"alice", "mallory"}},
	"guarded": {tenants: []string{"alice"}}, // for those who get locked out
	"eval":    {args: []string{"--allow-eval"}},
}

// An arena is where attacks take place: the servers and what they can reach.
type arena struct {
	root    *testing.T // lives as long as the servers
	targets *targets

	mu      sync.Mutex
	servers map[string]*attackServer
	before  map[string]load
}

// server is a running server of that name.
func (a *arena) server(t *testing.T, name string) *attackServer {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.servers[name]; s != nil {
		return s
	}
	kind, ok := servers[name]
	if !ok {
		t.Fatalf("no server %q", name)
	}
	// A proxy in the environment must not be used by fetch.
	proxy := "http://" + a.targets.canary
	environment := []string{"HTTP_PROXY=" + proxy, "HTTPS_PROXY=" + proxy, "http_proxy=" + proxy, "https_proxy=" + proxy, "ALL_PROXY=" + proxy, "NO_PROXY="}
	args := append([]string{"--log-level", "warn", "--worker-code-memory", "64MiB"}, kind.args...) // what it keeps by choice is no leak
	if kind.tenants != nil {
		args = append(args, "--require-keys")
	}
	data := a.root.TempDir()
	s := &attackServer{data: data, keys: map[string]string{}}
	for _, tenant := range kind.tenants {
		s.createKey(t, tenant)
	}
	keys := s.keys
	s, err := tryServer(a.root, data, environment, args...)
	if err != nil {
		t.Fatal(err)
	}
	s.keys = keys
	for i := range 100 { // so that pools are as full as they get
		if _, err := s.hello(i); err != nil {
			t.Fatal(err)
		}
	}
	l, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	a.servers[name], a.before[name] = s, l
	return s
}

// TestAttack runs the attacks of testdata/attacks against real servers. After
// each of them the server is up, answers others right, has the outcome on
// record and logs no fault; in the end it holds as much as it did before, and
// nothing has reached what is closed.
func TestAttack(t *testing.T) {
	cases := readAttacks(t)
	a := &arena{root: t, targets: startTargets(t), servers: map[string]*attackServer{}, before: map[string]load{}}
	stop := a.neighbour(t)
	var wg sync.WaitGroup
	for _, group := range []string{"idle", "busy"} {
		wg.Go(func() {
			t.Run(group, func(t *testing.T) {
				for _, c := range cases {
					if c.Idle != (group == "idle") || c.Full && !attacksInFull() {
						continue
					}
					t.Run(c.name, func(t *testing.T) {
						if c.Idle {
							t.Parallel()
						}
						a.run(t, c)
					})
				}
			})
		})
	}
	wg.Wait()
	stop()
	for name, s := range a.servers {
		a.review(t, name, s)
	}
	for _, b := range a.targets.breaches() {
		t.Errorf("the canary was reached: %s", b)
	}
}

// run runs one case and looks after the server.
func (a *arena) run(t *testing.T, c *attackCase) {
	s := a.server(t, c.Server)
	switch {
	case c.Scenario != "":
		scenarios[c.Scenario](t, a, s, c)
	case c.Steps != nil:
		a.runSteps(t, s, c)
	default:
		a.runProgram(t, s, c)
	}
	if !s.running() {
		t.Fatalf("the server has ended: %v\n%s", s.state, s.logText())
	}
	for _, f := range s.faults() {
		t.Errorf("the server logged a fault: %s", f)
	}
	if c.Server == "guarded" {
		return // nobody gets in from here any more
	}
	if took, err := s.hello(len(c.name)); err != nil {
		t.Errorf("afterwards: %v", err)
	} else if took > helloBound {
		t.Errorf("afterwards a neighbour waited %v", took)
	}
}

// runProgram posts a program: once in the short form, in the full one a number
// of times one after the other, then so many at once.
func (a *arena) runProgram(t *testing.T, s *attackServer, c *attackCase) {
	variables := a.variables(s)
	body := c.body(variables)
	key := ""
	if len(s.keys) > 0 {
		key = "mallory"
	}
	once := func() {
		r, err := s.send("POST", "/v1/executions", s.withKey(jsonHeader, key), body)
		if err != nil {
			t.Errorf("no answer: %v", err)
			return
		}
		for _, w := range c.check(r) {
			t.Errorf("%s\nerror: %s", w, short(r.errorText()))
		}
		if r.ID == "" {
			if c.Status == 200 {
				t.Errorf("the answer has no id: %s", short(string(r.body)))
			}
			return
		}
		if recorded, err := a.recorded(s, key, r.ID); err != nil {
			t.Error(err)
		} else if recorded.Outcome != r.Outcome {
			t.Errorf("it ended as %s, on record is %s", r.Outcome, recorded.Outcome)
		}
	}
	once()
	if !attacksInFull() {
		return
	}
	for range c.Repeat - 1 {
		once()
	}
	var wg sync.WaitGroup
	for range c.Repeat {
		wg.Go(once)
	}
	wg.Wait()
}

// recorded is the record of an execution that has ended. Records are written
// in batches, so it may take a moment.
func (a *arena) recorded(s *attackServer, key, id string) (r *answer, err error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if r, err = s.record(id, key); err != nil {
			return nil, err
		}
		if r.status == http.StatusOK && r.Outcome != "" {
			return r, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s is not on record: status %d, %s", id, r.status, short(string(r.body)))
		}
	}
}

func (a *arena) variables(s *attackServer) map[string]string {
	v := a.targets.variables()
	v["LONG"] = strings.Repeat("X-A: b\r\n", 20_000) // header fields
	v["CHUNKS"] = strings.Repeat("1;"+strings.Repeat("e", 1000)+"\r\nx\r\n", 1000)
	v["FF"] = "\xff" // not UTF-8
	for n, x := range s.variables() {
		v[n] = x
	}
	for tenant, token := range s.keys {
		v["KEY_"+tenant] = token
	}
	return v
}

// neighbour is a tenant of the plain server that does something all the time,
// and whose answers are right whatever the others do. It ends with stop, which
// reports.
func (a *arena) neighbour(t *testing.T) (stop func()) {
	s := a.server(t, "plain")
	ctx, cancel := context.WithCancel(t.Context())
	var took []time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			d, err := s.hello(n)
			if err != nil {
				t.Errorf("while attacks run: %v", err)
				if !s.running() {
					return
				}
				continue
			}
			took = append(took, d)
		}
	}()
	return func() {
		cancel()
		<-done
		slices.Sort(took)
		if len(took) == 0 {
			t.Error("the neighbour got no answer at all")
			return
		}
		p50, p99 := took[len(took)/2], took[len(took)*99/100]
		t.Logf("the neighbour had %d answers: p50 %v, p99 %v, the slowest %v", len(took), p50, p99, took[len(took)-1])
		if p99 > helloBound {
			t.Errorf("the neighbour's p99 was %v", p99)
		}
	}
}

// review looks at a server after all attacks, and stops it.
func (a *arena) review(t *testing.T, name string, s *attackServer) {
	if !s.running() {
		t.Errorf("server %s has ended: %v\n%s", name, s.state, s.logText())
		return
	}
	s.client.CloseIdleConnections()
	before := a.before[name]
	if name != "guarded" {
		// Garbage of a heap that rests is collected after two minutes, which
		// only the full form waits for.
		most, wait := load{resident: before.resident + residentSlack, descriptors: before.descriptors + descriptorSlack, goroutines: before.goroutines + goroutineSlack}, 150*time.Second
		if !attacksInFull() {
			wait = 20 * time.Second
			if l, err := s.load(); err == nil {
				most.resident += l.heap + l.unused
			}
		}
		l, err := s.settled(most, wait)
		if err != nil {
			t.Errorf("server %s: %v", name, err)
		} else {
			t.Logf("server %s holds %.0f MiB, %.0f descriptors, %.0f goroutines; before the attacks %.0f, %.0f, %.0f",
				name, l.resident/(1<<20), l.descriptors, l.goroutines, before.resident/(1<<20), before.descriptors, before.goroutines)
		}
	}
	if err := s.stop(); err != nil {
		t.Errorf("server %s did not stop as asked: %v", name, err)
	}
	for _, f := range s.faults() {
		t.Errorf("server %s logged a fault: %s", name, f)
	}
}
