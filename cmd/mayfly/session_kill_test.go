package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// cellCount is a cell that counts in memory and in a file, in a language.
var cellCount = map[string]string{
	"javascript": `import fs from "node:fs"; var n = (globalThis.n ?? 0) + 1; fs.appendFileSync("log", "x"); [n, fs.readFileSync("log").length]`,
	"python":     "n = globals().get('n', 0) + 1\nwith open('log', 'a') as f: _ = f.write('x')\n[n, len(open('log').read())]",
}

// Servers are killed while sessions run cells: what was acknowledged is there
// after the next start, memory and files of the same moment.
func TestSessionsSurviveKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	data := t.TempDir()
	header := http.Header{"Content-Type": {"application/json"}}
	post := func(s *attackServer, target, body string) (*answer, error) {
		return s.send("POST", target, header, []byte(body))
	}
	program := func(code string) string {
		b, err := json.Marshal(map[string]string{"code": code})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	type kept struct {
		id, language       string
		acknowledged, sent int
	}
	var sessions []*kept
	languages := []string{"javascript", "javascript", "python"}
	const rounds = 3
	for round := range rounds + 1 {
		s := startServer(t, data, nil, "--log-level", "warn", "--session-memory", "1MiB")
		if round == 0 {
			for _, language := range languages {
				a, err := post(s, "/v1/sessions", fmt.Sprintf(`{"language":%q}`, language))
				if err != nil || a.status != 201 {
					t.Fatalf("%v %v", a, err)
				}
				sessions = append(sessions, &kept{id: a.ID, language: language})
			}
		}
		for _, x := range sessions {
			a, err := post(s, "/v1/sessions/"+x.id+"/executions", program(cellCount[x.language]))
			if err != nil || a.Outcome != "ok" {
				t.Fatalf("round %d, %s: %v %v", round, x.language, a, err)
			}
			var counts [2]int
			if err := json.Unmarshal(a.Result, &counts); err != nil {
				t.Fatal(err)
			}
			x.sent++
			// The one that was under way when the server was killed counts or
			// doesn't; what came before it does.
			if counts[0] != counts[1] || counts[0] <= x.acknowledged || counts[0] > x.sent {
				t.Errorf("round %d, %s: memory has %d, files %d; %d were acknowledged, %d sent", round, x.language, counts[0], counts[1], x.acknowledged, x.sent)
			}
			x.acknowledged, x.sent = counts[0], counts[0]
		}
		if round == rounds {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		} else {
			var wait sync.WaitGroup
			for _, x := range sessions {
				wait.Go(func() {
					for {
						x.sent++
						a, err := post(s, "/v1/sessions/"+x.id+"/executions", program(cellCount[x.language]))
						if err != nil {
							return // killed
						}
						if a.Outcome != "ok" {
							t.Errorf("%s: %s %s", x.language, a.Outcome, a.body)
							return
						}
						x.acknowledged++
					}
				})
			}
			time.Sleep(time.Duration(200+150*round) * time.Millisecond)
			s.kill()
			wait.Wait()
		}
		for _, f := range s.faults() {
			t.Errorf("a fault: %s", f)
		}
	}
	for _, x := range sessions {
		if x.acknowledged < rounds+1 {
			t.Errorf("%s: only %d cells", x.language, x.acknowledged)
		}
		files, err := os.ReadDir(filepath.Join(data, "sessions", x.id))
		if err != nil || len(files) > 33 {
			t.Errorf("%s: files %v, %v", x.language, files, err)
		}
	}
}
