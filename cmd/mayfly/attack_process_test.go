package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// artifactProgram writes artifacts whose bytes tell what they have to be.
const artifactProgram = `import { mkdirSync, writeFileSync } from "node:fs";
mkdirSync("/artifacts/deep/er", { recursive: true });
export default ({ n }) => {
  writeFileSync("/artifacts/small.txt", "n" + n);
  writeFileSync("/artifacts/deep/er/middle.csv", ("row " + n + "\n").repeat(2000));
  if (n % 5 === 0) writeFileSync("/artifacts/large.bin", new Uint8Array(700_000).fill(n % 251));
  return n;
};`

// killRounds kills a server while it writes: what it had acknowledged is there
// after the next start, what is listed is whole, and nothing is under way that
// nobody runs.
func killRounds(t *testing.T, a *arena, _ *attackServer, c *attackCase) {
	data := t.TempDir()
	acknowledged := map[string]time.Time{}
	var accepted []string
	var killed time.Time
	for round := range c.number(t, "rounds") + 1 {
		s := startServer(t, data, nil, "--log-level", "warn")
		if round > 0 {
			checkAfterKill(t, a, s, acknowledged, accepted, killed)
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
		clear(acknowledged)
		accepted = nil
		var mu sync.Mutex
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for n := w; ctx.Err() == nil; n += 4 {
					r, err := s.post(ctx, "", map[string]any{"language": "javascript", "code": artifactProgram, "input": map[string]int{"n": n}})
					if err != nil {
						return
					}
					if r.Outcome != "ok" || len(r.Artifacts) < 2 {
						t.Errorf("before the kill: %s", short(string(r.body)))
						return
					}
					mu.Lock()
					acknowledged[r.ID] = time.Now()
					mu.Unlock()
				}
			})
		}
		header := jsonHeader.Clone()
		header.Set("Prefer", "respond-async")
		for range 3 { // that will be under way
			r, err := s.send("POST", "/v1/executions", header, marshal(map[string]any{"language": "javascript", "code": "await new Promise(r => setTimeout(r, 60000))", "limits": map[string]int{"wall_ms": 120_000}}))
			if err != nil || r.status != http.StatusAccepted {
				t.Fatalf("%v %+v", err, r)
			}
			accepted = append(accepted, r.ID)
		}
		time.Sleep(time.Duration(1200+rand.IntN(800)) * time.Millisecond)
		killed = time.Now()
		s.kill()
		cancel()
		wg.Wait()
	}
}

// recordedWithin is how long a record may take to get to the disk.
const recordedWithin = time.Second

func checkAfterKill(t *testing.T, a *arena, s *attackServer, acknowledged map[string]time.Time, accepted []string, killed time.Time) {
	t.Helper()
	whole := 0
	for id, at := range acknowledged {
		r, err := s.record(id, "")
		if err != nil {
			t.Fatal(err)
		}
		if r.status == http.StatusNotFound && killed.Sub(at) < recordedWithin {
			continue
		}
		if r.status != http.StatusOK || r.Outcome != "ok" || len(r.Artifacts) < 2 {
			t.Errorf("acknowledged %v before the kill: %s", killed.Sub(at), short(string(r.body)))
			continue
		}
		for _, artifact := range r.Artifacts {
			content, err := s.send("GET", artifact.URL, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content.body)
			if content.status != http.StatusOK || hex.EncodeToString(sum[:]) != artifact.SHA256 || int64(len(content.body)) != artifact.Size {
				t.Errorf("%s of %s: status %d, %d bytes of %d", artifact.Name, id, content.status, len(content.body), artifact.Size)
			}
			whole++
		}
	}
	for _, id := range accepted {
		r, err := a.recorded(s, "", id)
		if err != nil {
			t.Errorf("it was under way: %v", err)
		} else if r.Outcome != "canceled" && r.Outcome != "internalError" {
			t.Errorf("it was under way, and ended as %s", r.Outcome)
		}
	}
	r, err := s.send("GET", "/v1/executions?limit=1000", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Executions []struct{ ID, Status string } }
	if err := json.Unmarshal(r.body, &page); err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Executions {
		if e.Status != "done" {
			t.Errorf("%s is %s after a restart", e.ID, e.Status)
		}
	}
	if _, err := s.hello(1); err != nil {
		t.Error(err)
	}
	t.Logf("%d executions were acknowledged, %d artifacts are whole", len(acknowledged), whole)
	if whole == 0 {
		t.Error("no artifact was checked: the round shows nothing")
	}
}

// damage changes a file as a bad disk would.
func damage(path, how string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch how {
	case "flip":
		for range 3 {
			content[rand.IntN(len(content))] ^= 1 << rand.IntN(8)
		}
	case "zero":
		at := rand.IntN(max(len(content)-4096, 1))
		clear(content[at:min(at+4096, len(content))])
		content[at] = 0xFF
	case "cut":
		content = content[:len(content)/2]
	case "empty":
		content = nil
	case "garbage":
		for i := range content {
			content[i] = byte(rand.Uint32())
		}
	default:
		return fmt.Errorf("unknown damage %q", how)
	}
	return os.WriteFile(path, content, 0o600)
}

// damagedCache starts servers on a cache with a damaged file: it is found out
// and made anew, and never run.
func damagedCache(t *testing.T, _ *arena, _ *attackServer, c *attackCase) {
	for _, how := range strings.Fields(c.Parameters["damages"]) {
		cache := copyCache(t)
		var damaged []string
		err := filepath.WalkDir(cache, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			relative, _ := filepath.Rel(cache, path)
			if matches(c.Parameters["files"], relative) {
				damaged = append(damaged, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(damaged) == 0 {
			t.Fatalf("no file of the cache matches %s", c.Parameters["files"])
		}
		for _, path := range damaged {
			if err := damage(path, how); err != nil {
				t.Fatal(err)
			}
		}
		for start := range 2 { // the second one finds what the first has mended
			s := startServer(t, t.TempDir(), nil, "--log-level", "warn", "--cache", cache, "--languages", "javascript")
			for i := range 50 {
				if _, err := s.hello(i); err != nil {
					t.Errorf("%s, start %d: %v", how, start+1, err)
					break
				}
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			for _, f := range s.faults() {
				t.Errorf("%s, start %d: %s", how, start+1, f)
			}
		}
	}
}

// copyCache makes a cache of the JavaScript guest that may be damaged: what is
// large and never rewritten is linked.
func copyCache(t *testing.T) string {
	t.Helper()
	from, to := cacheFolder(), t.TempDir()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(from, path)
		top, rest, _ := strings.Cut(relative, string(filepath.Separator))
		name := filepath.Join(to, relative)
		switch {
		case strings.Contains(relative, "unfinished") || strings.HasSuffix(relative, ".tmp") || strings.HasSuffix(relative, ".lock") || top == "engine":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case relative != "." && entry.IsDir() && (top != "quickjs" && top != "images" && top != "code" && top != "modules"),
			strings.HasPrefix(rest, "python"):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case top == "code" && entry.IsDir() && rest != "" && !strings.Contains(rest, string(filepath.Separator)) && folderSize(path) > 100<<20:
			return fs.SkipDir // Python's
		case top == "quickjs" && entry.IsDir() && rest != "": // packages and the toolchain
			if err := os.Symlink(path, name); err != nil {
				return err
			}
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(name, 0o700)
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process was replacing it
		}
		if err != nil {
			return err
		}
		return os.WriteFile(name, content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// folderSize is how many bytes the files below a folder have.
func folderSize(folder string) (size int64) {
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}

// damagedData damages what a server has stored: it either starts and answers
// rightly, or says clearly what is wrong and where. It never serves what is
// not what was stored.
func damagedData(t *testing.T, a *arena, _ *attackServer, c *attackCase) {
	data := t.TempDir()
	s := startServer(t, data, nil, "--log-level", "warn")
	var kept []*answer
	for n := range 20 {
		r, err := s.post(t.Context(), "", map[string]any{"language": "javascript", "code": artifactProgram, "input": map[string]int{"n": n}})
		if err != nil || r.Outcome != "ok" {
			t.Fatalf("%v %+v", err, r)
		}
		kept = append(kept, r)
	}
	for _, r := range kept {
		if _, err := a.recorded(s, "", r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for _, how := range strings.Fields(c.Parameters["damages"]) {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
			t.Fatal(err)
		}
		damaged := 0
		err := filepath.WalkDir(copied, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			relative, _ := filepath.Rel(copied, path)
			if info, err := entry.Info(); err != nil || info.Size() == 0 || !matches(c.Parameters["files"], relative) {
				return err
			}
			damaged++
			return damage(path, how)
		})
		if err != nil {
			t.Fatal(err)
		}
		if damaged == 0 {
			t.Fatalf("no stored file matches %s", c.Parameters["files"])
		}
		s, err := tryServer(t, copied, nil, "--log-level", "warn")
		if err != nil {
			// It may refuse, if it says why: the file, and what is wrong with it.
			if text := err.Error(); !matches(c.Parameters["refusal"], text) || matches("panic|goroutine", text) {
				t.Errorf("%s: the refusal does not say what is wrong: %s", how, text)
			}
			continue
		}
		served, refused := 0, 0
		for _, want := range kept {
			for _, artifact := range want.Artifacts {
				content, err := s.send("GET", artifact.URL, nil, nil)
				if err != nil { // cut off: the client knows that it is not whole
					refused++
					continue
				}
				if content.status != http.StatusOK {
					refused++
					continue
				}
				served++
				sum := sha256.Sum256(content.body)
				if hex.EncodeToString(sum[:]) != artifact.SHA256 {
					t.Errorf("%s: %s of %s is served with other content", how, artifact.Name, want.ID)
				}
			}
		}
		t.Logf("%s: %d files damaged, %d artifacts served as stored, %d refused", how, damaged, served, refused)
		if text := s.logText(); matches("panic|goroutine \\d", text) {
			t.Errorf("%s: %s", how, text)
		}
		if _, err := s.hello(1); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		s.kill()
	}
}

// memoryPressure lets tenants hold memory on a server with a small budget: it
// refuses or ends them, stays below what it was given, and serves again when
// they have gone.
func memoryPressure(t *testing.T, _ *arena, _ *attackServer, c *attackCase) {
	budget, most := c.number(t, "budget_mib"), c.number(t, "most_mib")
	s := startServer(t, t.TempDir(), nil, "--log-level", "warn", "--memory-budget", fmt.Sprintf("%dMiB", budget))
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(c.number(t, "for_ms"))*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	endings := map[string]int{}
	var wg sync.WaitGroup
	for i := range c.number(t, "holders") {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := s.post(ctx, "", map[string]any{"language": c.language(), "code": c.Parameters["program"], "tenant": fmt.Sprint("holder-", i%4), "limits": map[string]int{"memory_mb": 200, "wall_ms": 4000, "cpu_ms": 3000}})
				if err != nil {
					continue // its time is over
				}
				how := r.Outcome
				if how == "" {
					how = fmt.Sprint(r.status)
					if r.status != 503 && r.status != 429 || r.header.Get("Retry-After") == "" {
						t.Errorf("status %d, Retry-After %q", r.status, r.header.Get("Retry-After"))
					}
					time.Sleep(50 * time.Millisecond)
				}
				mu.Lock()
				endings[how]++
				mu.Unlock()
			}
		})
	}
	peak := 0.0
	for ctx.Err() == nil {
		if l, err := s.load(); err == nil {
			peak = max(peak, l.resident/(1<<20))
		}
		time.Sleep(20 * time.Millisecond)
	}
	wg.Wait()
	t.Logf("with a budget of %d MiB at most %.0f MiB were resident; endings %v", budget, peak, endings)
	if peak > float64(most) {
		t.Errorf("%.0f MiB were resident, at most %d were expected", peak, most)
	}
	if endings["503"]+endings["loadShed"] == 0 {
		t.Errorf("no load was shed: %v", endings)
	}
	for how := range endings {
		if !slices.Contains([]string{"ok", "503", "429", "loadShed", "exceededMemory", "exceededWallTime", "exceededCpu", "canceled"}, how) {
			t.Errorf("one ended as %s", how)
		}
	}
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
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

// stopUnderLoad asks a server to stop while programs run, wait and stream: it
// does so within its time, and everything has an end on record.
func stopUnderLoad(t *testing.T, a *arena, _ *attackServer, c *attackCase) {
	data := t.TempDir()
	s := startServer(t, data, nil, "--log-level", "warn", "--shutdown-grace", "1s")
	async := jsonHeader.Clone()
	async.Set("Prefer", "respond-async")
	var ids []string
	for i := range 12 {
		code := []string{"for (;;) {}", "await new Promise(r => setTimeout(r, 60000))", "setInterval(() => console.log('x'), 5)"}[i%3]
		r, err := s.send("POST", "/v1/executions", async, marshal(map[string]any{"language": "javascript", "code": code, "limits": map[string]int{"cpu_ms": 30_000, "wall_ms": 60_000}}))
		if err != nil || r.status != http.StatusAccepted {
			t.Fatalf("%v %+v", err, r)
		}
		ids = append(ids, r.ID)
	}
	time.Sleep(200 * time.Millisecond)
	start := time.Now()
	if err := s.stop(); err != nil {
		t.Errorf("it did not stop as asked: %v", err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("it stopped after %v", took)
	}
	for _, f := range s.faults() {
		t.Error(f)
	}
	s = startServer(t, data, nil, "--log-level", "error")
	for _, id := range ids {
		if r, err := a.recorded(s, "", id); err != nil {
			t.Error(err)
		} else if r.Outcome != "canceled" {
			t.Errorf("%s ended as %s", id, r.Outcome)
		}
	}
	s.kill()
}

// bruteForce guesses keys until the address is shut out, on a server of its
// own: then a guess is not even looked at.
func bruteForce(t *testing.T, _ *arena, s *attackServer, c *attackCase) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	token := s.keys["alice"]
	for i := range c.number(t, "guesses") {
		wg.Go(func() {
			guess := []string{token[:len(token)-1] + "A", "mf_" + strings.Repeat("A", 43), token + "A", strings.ToUpper(token), "x", strings.Repeat("k", 10_000)}[i%6]
			if guess == token {
				return
			}
			r, err := s.send("GET", "/v1/runtimes", http.Header{"Authorization": {"Bearer " + guess}}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			count[r.status]++
			if r.status == http.StatusTooManyRequests && r.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			if len(guess) > 20 && bytes.Contains(r.body, []byte(guess)) {
				t.Errorf("the answer repeats the guess: %s", short(string(r.body)))
			}
		})
	}
	wg.Wait()
	t.Logf("answers by status: %v", count)
	if count[200] > 0 || count[http.StatusUnauthorized] == 0 || count[http.StatusTooManyRequests] == 0 || count[http.StatusUnauthorized] > 60 {
		t.Errorf("answers by status: %v", count)
	}
}

// soak runs every program of the suite and honest ones in random order, for
// many executions, and compares what the server holds.
func soak(t *testing.T, a *arena, _ *attackServer, c *attackCase) {
	s := startServer(t, t.TempDir(), nil, "--log-level", "warn", "--allow-private", upstreamNetwork)
	variables := a.variables(s)
	type program struct {
		*attackCase
		body []byte
	}
	var programs []program
	for _, x := range readAttacks(t) {
		// What spins for its whole limit would be all that the soak does.
		if x.code != "" && x.Server == "plain" && !x.Idle && !x.Full && !slices.Contains(x.Outcomes, "exceededCpu") {
			programs = append(programs, program{x, x.body(variables)})
		}
	}
	var done sync.Map
	total := c.number(t, "executions")
	var wg sync.WaitGroup
	queue := make(chan int)
	for range 4 {
		wg.Go(func() {
			for n := range queue {
				if n%20 != 0 { // an honest one
					if _, err := s.hello(n); err != nil {
						t.Error(err)
					}
					continue
				}
				p := programs[rand.IntN(len(programs))]
				r, err := s.send("POST", "/v1/executions", jsonHeader, p.body)
				if err != nil {
					t.Errorf("%s: %v", p.name, err)
					continue
				}
				for _, w := range p.check(r) {
					t.Errorf("%s: %s", p.name, w)
				}
				done.Store(p.name, true)
			}
		})
	}
	var early load
	for n := range total {
		if n == total/4 {
			early, _ = s.load()
		}
		if t.Failed() || !s.running() {
			break
		}
		queue <- n
	}
	close(queue)
	wg.Wait()
	s.client.CloseIdleConnections()
	l, err := s.settled(load{resident: early.resident + 96<<20, descriptors: early.descriptors + 32, goroutines: early.goroutines + 32}, 20*time.Second)
	if err != nil {
		t.Error(err)
	}
	t.Logf("after a quarter: %.0f MiB, %.0f descriptors, %.0f goroutines; at the end: %.0f, %.0f, %.0f",
		early.resident/(1<<20), early.descriptors, early.goroutines, l.resident/(1<<20), l.descriptors, l.goroutines)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	for _, f := range s.faults() {
		t.Error(f)
	}
}
