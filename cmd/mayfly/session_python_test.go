package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// A notebook is a session of a server, seen by its client.
type notebook struct {
	t      *testing.T
	server *attackServer
	id     string
}

func (n notebook) post(path, body string) *answer {
	n.t.Helper()
	header := http.Header{}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	a, err := n.server.send("POST", "/v1/sessions/"+n.id+path, header, []byte(body))
	if err != nil {
		n.t.Fatal(err)
	}
	return a
}

func (n notebook) run(code string) *answer {
	n.t.Helper()
	b, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		n.t.Fatal(err)
	}
	return n.post("/executions", string(b))
}

// want runs a cell and compares its result; behind a "!" its error's name.
func (n notebook) want(code, want string) {
	n.t.Helper()
	a := n.run(code)
	got := string(a.Result)
	if a.Error != nil {
		got = "!" + a.Error.Name
	}
	if got != want {
		n.t.Fatalf("%q came to %s, want %s (%d, %s, %s)", code, got, want, a.status, a.Outcome, a.errorText())
	}
}

// other makes a notebook of an answer that tells of a session.
func (n notebook) other(a *answer) notebook {
	n.t.Helper()
	if a.status != 201 || a.ID == "" {
		n.t.Fatalf("%d %s", a.status, a.body)
	}
	return notebook{n.t, n.server, a.ID}
}

// Sessions of Python keep names, open files and seeds; a fork after the third
// of five cells goes its own way; a snapshot starts others.
func TestPythonSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	s := startServer(t, t.TempDir(), nil, "--log-level", "warn")
	n := notebook{t, s, ""}
	create := func(body string) notebook {
		a, err := s.send("POST", "/v1/sessions", http.Header{"Content-Type": {"application/json"}}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return n.other(a)
	}
	n = create(`{"language":"python","env":{"KEY":"v"}}`)
	n.want("import random, os\nimport pandas as pd\nlog = [1]\nrandom.seed(7); first = random.random()\nos.environ['KEY']", `"v"`)
	n.want("log.append(2)\nf = open('open.txt', 'w')\nf.write('left')", "4")
	n.want("df = pd.DataFrame({'a': [1, 2, 3]}); log.append(3)\nint(df.a.sum())", "6")
	fork := n.other(n.post("/fork", ""))
	snapshot := n.post("/snapshots", `{"name":"three"}`)
	if snapshot.status != 201 {
		t.Fatalf("%s", snapshot.body)
	}
	for i := 4; i <= 5; i++ {
		n.want(fmt.Sprintf("log.append(%d); log[-1]", i), fmt.Sprint(i))
		fork.want(fmt.Sprintf("log.append(-%d); log[-1]", i), fmt.Sprint(-i))
	}
	n.want("f.write(' here'); f.close(); [open('open.txt').read(), log]", `["left here",[1,2,3,4,5]]`)
	fork.want("f.write(' there'); f.close(); [open('open.txt').read(), log]", `["left there",[1,2,3,-4,-5]]`)

	// The seed goes on where it was; in a copy it doesn't.
	n.want("random.seed(7); random.random() == first", "true")
	n.want("second = random.random()\nrandom.seed(7); random.random(); random.random() == second", "true")
	fork.want("random.seed(7); random.random() == first", "true")
	again := n.other(n.post("/fork", ""))
	n.want("third = random.random(); third != second", "true")
	again.want("random.seed(7); [random.random() for _ in range(2)][1] == second", "true")
	another := n.other(n.post("/fork", ""))
	a, b := string(again.run("random.random()").Result), string(another.run("random.random()").Result)
	if a == b || a == "" {
		t.Errorf("two forks have the random numbers %s and %s", a, b)
	}

	made := create(fmt.Sprintf(`{"snapshot":%q}`, snapshot.ID))
	made.want("log", "[1,2,3]")
	made.want("f.write('!'); f.close(); open('open.txt').read()", `"left!"`)
	made.want("int(df.a.max())", "3")

	// Errors and interrupts leave the state.
	n.want("x = 1\n1/0", "!ZeroDivisionError")
	n.want("x", "1")
	for _, code := range []string{"x = 2\nwhile True: pass", "import time\nx = 2\ntime.sleep(60)"} {
		done := make(chan *answer)
		go func() { done <- n.run(code) }()
		deadline := time.Now().Add(30 * time.Second)
		for interrupted := false; !interrupted && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			var body struct{ Interrupted bool }
			if err := json.Unmarshal(n.post("/interrupt", "").body, &body); err != nil {
				t.Fatal(err)
			}
			interrupted = body.Interrupted
		}
		if a := <-done; a.Error == nil || a.Error.Name != "KeyboardInterrupt" {
			t.Errorf("%q: %s %s", code, a.Outcome, a.errorText())
		}
		n.want("len(log)", "5")
	}
	n.want("raise SystemExit(3)", "!SystemExit")
	n.want("len(log)", "5")
	if a := n.post("/restart", ""); a.status != 200 {
		t.Errorf("%s", a.body)
	}
	n.want("['log' in globals(), open('open.txt').read()]", `[false,"left here"]`)
	for _, f := range s.faults() {
		t.Errorf("a fault: %s", f)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
