package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/host/execution"
	"mayfly/host/session"
	"mayfly/storage"
)

func TestSnapshot(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Env: map[string]string{"SECRET": "the-secret-of-the-session"}, Files: []execution.File{{Path: "f", Content: []byte("one")}}})
	s.want(id, "let n = 1; n", "1")
	snapshot, err := s.Snapshot(t.Context(), "t", id, "after one")
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Cells != 1 || snapshot.Name != "after one" || snapshot.Session != id || snapshot.Size == 0 || snapshot.SHA256 == "" {
		t.Errorf("%+v", snapshot)
	}
	s.want(id, "n = 2; n", "2")
	if err := s.Delete(t.Context(), "t", id); err != nil {
		t.Fatal(err)
	}
	s = s.again()
	stored := read(t, s.artifacts, "snapshots/t/"+snapshot.ID)
	if bytes.Contains(stored, []byte("the-secret")) {
		t.Error("the session's environment is in the snapshot")
	}
	for range 2 { // any number of sessions
		made := s.create(session.Options{Snapshot: snapshot.ID, Env: map[string]string{"SECRET": "another"}, Files: []execution.File{{Path: "g", Content: []byte("two")}}})
		s.want(made, "n++; [n, process.env.SECRET]", `[2,"another"]`)
		s.want(made, "const fs = await import('node:fs'); [fs.readFileSync('f', 'utf8'), fs.readFileSync('g', 'utf8')]", `["one","two"]`)
		info, err := s.Get("t", made)
		if err != nil || info.Snapshot != snapshot.ID || info.Language != "javascript" {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if page, next, err := s.ListSnapshots(t.Context(), "t", "", 10); err != nil || next != "" || len(page) != 1 || page[0] != snapshot {
		t.Errorf("%+v %q %v, want %+v", page, next, err, snapshot)
	}
	for _, tenant := range []string{"other", "t/../t"} {
		if _, err := s.GetSnapshot(t.Context(), tenant, snapshot.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s gets it: %v", tenant, err)
		}
		if err := s.DeleteSnapshot(t.Context(), tenant, snapshot.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s deletes it: %v", tenant, err)
		}
		var invalid *execution.InvalidError
		if _, err := s.Create(t.Context(), session.Options{Tenant: tenant, Snapshot: snapshot.ID}); !errors.As(err, &invalid) {
			t.Errorf("%s makes a session of it: %v", tenant, err)
		}
	}
	if got, err := s.GetSnapshot(t.Context(), "", snapshot.ID); err != nil || got != snapshot {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.DeleteSnapshot(t.Context(), "t", snapshot.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetSnapshot(t.Context(), "t", snapshot.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
}

func read(t *testing.T, objects storage.Objects, key string) []byte {
	t.Helper()
	content, err := objects.Get(t.Context(), key, storage.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer content.Body.Close()
	b, err := io.ReadAll(content.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A snapshot moves to another server, which has the same guest, with its
// object.
func TestSnapshotElsewhere(t *testing.T) {
	here, there := open(t, t.TempDir(), nil), open(t, t.TempDir(), nil)
	id := here.create(session.Options{})
	here.want(id, "let n = 41; const f = () => n + 1; f()", "42")
	snapshot, err := here.Snapshot(t.Context(), "t", id, "")
	if err != nil {
		t.Fatal(err)
	}
	key := "snapshots/t/" + snapshot.ID
	if _, err := there.artifacts.Put(t.Context(), key, bytes.NewReader(read(t, here.artifacts, key)), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	there.want(there.create(session.Options{Snapshot: snapshot.ID}), "f()", "42")
}

// What is damaged, cut off or foreign is refused, by an error that says so.
func TestSnapshotRefused(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{})
	s.want(id, "let n = 1; n", "1")
	snapshot, err := s.Snapshot(t.Context(), "t", id, "")
	if err != nil {
		t.Fatal(err)
	}
	whole := read(t, s.artifacts, "snapshots/t/"+snapshot.ID)
	put := func(b []byte) error {
		t.Helper()
		if _, err := s.artifacts.Put(t.Context(), "snapshots/t/damaged", bytes.NewReader(b), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Create(t.Context(), session.Options{Tenant: "t", Snapshot: "damaged"})
		return err
	}
	if err := put(whole); err != nil {
		t.Fatal(err)
	}
	var state *execution.StateError
	refuse := func(what string, b []byte) {
		t.Helper()
		if err := put(b); !errors.As(err, &state) || !errors.Is(err, execution.ErrCorruptState) && !errors.Is(err, execution.ErrForeignState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := 0; n < len(whole); n += 1 + n/3 {
		refuse(fmt.Sprintf("%d of %d bytes", n, len(whole)), whole[:n])
	}
	refuse("one byte less", whole[:len(whole)-1])
	refuse("one byte more", append(bytes.Clone(whole), 0))
	for at := 0; at < len(whole); at += 1 + len(whole)/200 {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		refuse(fmt.Sprintf("byte %d changed", at), b)
	}
	foreign := bytes.Replace(whole, []byte(program.Digest()), []byte(strings.Repeat("0", len(program.Digest()))), -1)
	refuse("another program", foreign)
	if info, err := os.ReadDir(filepath.Join(s.folder, "sessions")); err != nil || len(info) != 2 {
		t.Errorf("what was refused left %v, %v", info, err)
	}
}

// A session whose stored state is damaged says so, and starts anew with its
// files.
func TestDamagedSession(t *testing.T) {
	for _, what := range []string{"pages", "state"} {
		t.Run(what, func(t *testing.T) {
			s := open(t, t.TempDir(), nil)
			id := s.create(session.Options{Files: []execution.File{{Path: "f", Content: []byte("kept")}}})
			s.want(id, "let n = 1; n", "1")
			s.close()
			names, err := filepath.Glob(filepath.Join(s.folder, "sessions", id, "*."+what))
			if err != nil || len(names) != 1 {
				t.Fatal(names, err)
			}
			b, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(names[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
			s = s.again()
			_, err = s.Execute(t.Context(), "t", id, "x", execution.Request{Code: "n"}, nil)
			var state *execution.StateError
			if !errors.As(err, &state) || !errors.Is(err, execution.ErrCorruptState) {
				t.Fatalf("got %v", err)
			}
			if _, err := s.Restart(t.Context(), "t", id); err != nil {
				t.Fatal(err)
			}
			want := `["undefined",true]`
			if what == "state" {
				want = `["undefined",false]`
			}
			s.want(id, "[typeof n, (await import('node:fs')).existsSync('f')]", want)
		})
	}
}

// Under a budget for next to nothing every session is on disk between its
// cells, and none is the worse for it.
// For want of memory states are on disk only, those first that were not used for
// longest.
func TestRelieve(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	var ids []string
	for i := range 3 {
		ids = append(ids, s.create(session.Options{}))
		s.want(ids[i], fmt.Sprintf("let n = %d; n", i), fmt.Sprint(i))
	}
	bytes := s.Stats().Bytes
	for _, step := range []struct {
		excess   int64
		resident int
	}{{0, 3}, {1, 2}, {bytes / 3, 1}, {1 << 40, 0}} {
		s.Relieve(step.excess)
		if stats := s.Stats(); stats.Resident != step.resident {
			t.Errorf("after %d bytes: %+v, want %d in memory", step.excess, stats, step.resident)
		}
	}
	for i, id := range ids {
		s.want(id, "n += 10; n", fmt.Sprint(i+10))
	}
}

func TestTinyBudget(t *testing.T) {
	s := open(t, t.TempDir(), func(c *session.Config) { c.MemoryBudget = 1 })
	var ids []string
	for i := range 5 {
		ids = append(ids, s.create(session.Options{}))
		s.want(ids[i], fmt.Sprintf("let n = %d; n", i), fmt.Sprint(i))
	}
	for round := range 3 {
		for i, id := range ids {
			s.want(id, "n += 10; n", fmt.Sprint(i+10*(round+1)))
		}
	}
	if stats := s.Stats(); stats.Resident != 0 || stats.Bytes != 0 || stats.Sessions != 5 {
		t.Errorf("%+v", stats)
	}
}

func TestIdle(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	s := open(t, t.TempDir(), func(c *session.Config) {
		c.Now = func() time.Time { return time.Unix(0, now.Load()) }
		c.IdleTimeout, c.Keep = time.Hour, 24*time.Hour
	})
	pass := func(d time.Duration) {
		now.Add(int64(d))
		if err := s.Sweep(); err != nil {
			t.Fatal(err)
		}
	}
	status := func(id string) session.Status {
		info, err := s.Get("t", id)
		if errors.Is(err, session.ErrNotFound) {
			return "gone"
		}
		return info.Status
	}
	a, b, c := s.create(session.Options{}), s.create(session.Options{IdleTimeout: time.Minute}), s.create(session.Options{IdleTimeout: time.Minute, DeleteIdle: true})
	for _, id := range []string{a, b, c} {
		s.want(id, "let n = 1; n", "1")
	}
	pass(2 * time.Minute)
	if got := []session.Status{status(a), status(b), status(c)}; got[0] != session.Idle || got[1] != session.Hibernated || got[2] != "gone" {
		t.Errorf("after two minutes: %v", got)
	}
	pass(time.Hour)
	s.want(b, "n", "1") // and is kept for another day
	pass(23 * time.Hour)
	if got := []session.Status{status(a), status(b)}; got[0] != "gone" || got[1] != session.Hibernated {
		t.Errorf("after a day: %v", got)
	}
	folders(t, s, b)
	pass(2 * time.Hour)
	folders(t, s)
}

func TestLimits(t *testing.T) {
	s := open(t, t.TempDir(), func(c *session.Config) { c.PerTenant, c.Total, c.Snapshots, c.Waiting = 2, 3, 1, 1 })
	id := s.create(session.Options{})
	s.create(session.Options{})
	var limit *session.LimitError
	if _, err := s.Create(t.Context(), session.Options{Tenant: "t", Language: "javascript"}); !errors.As(err, &limit) || !limit.Tenant {
		t.Errorf("a third: %v", err)
	}
	if _, err := s.Fork(t.Context(), "t", id, nil); !errors.As(err, &limit) || !limit.Tenant {
		t.Errorf("a fork: %v", err)
	}
	s.create(session.Options{Tenant: "u"})
	if _, err := s.Create(t.Context(), session.Options{Tenant: "v", Language: "javascript"}); !errors.As(err, &limit) || limit.Tenant {
		t.Errorf("a fourth in all: %v", err)
	}
	if _, err := s.Snapshot(t.Context(), "t", id, ""); err != nil {
		t.Error(err)
	}
	if _, err := s.Snapshot(t.Context(), "t", id, ""); !errors.As(err, &limit) {
		t.Errorf("a second snapshot: %v", err)
	}
	s = s.again() // which counts them again
	if err := s.Delete(t.Context(), "t", id); err != nil {
		t.Fatal(err)
	}
	id = s.create(session.Options{})
	if _, err := s.Create(t.Context(), session.Options{Tenant: "t", Language: "javascript"}); !errors.As(err, &limit) {
		t.Errorf("a third after a restart: %v", err)
	}

	// One runs, one waits, one more is refused.
	var overload *execution.OverloadError
	var refused atomic.Int32
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range 3 {
		wait.Go(func() {
			_, err := s.Execute(ctx, "t", id, fmt.Sprint("e", i), execution.Request{Code: "await new Promise((r) => setTimeout(r, 10_000))"}, nil)
			if errors.As(err, &overload) {
				refused.Add(1)
				cancel()
			}
		})
	}
	wait.Wait()
	if refused.Load() != 1 {
		t.Errorf("%d were refused", refused.Load())
	}
	for name, o := range map[string]session.Options{
		"language":  {Language: "cobol"},
		"limits":    {Language: "javascript", Limits: execution.Limits{CPU: time.Hour}},
		"network":   {Language: "javascript", Network: execution.Network{Allow: []execution.NetworkRule{{Host: "::bad::"}}}},
		"idle":      {Language: "javascript", IdleTimeout: -1},
		"files":     {Language: "javascript", Files: []execution.File{{Path: ""}}},
		"artifacts": {Language: "javascript", Files: []execution.File{{Path: "f", Artifact: &execution.ArtifactRef{Execution: "x", Name: "y"}}}},
	} {
		o.Tenant = "w"
		var invalid *execution.InvalidError
		if _, err := s.Create(t.Context(), o); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ten sessions at once: each sees its own canary only, whatever the others do.
func TestSessionsInterleaved(t *testing.T) {
	s := open(t, t.TempDir(), func(c *session.Config) { c.MemoryBudget = 1 << 20 })
	var wait sync.WaitGroup
	for i := range 10 {
		wait.Go(func() {
			canary := fmt.Sprintf("canary-%d", i)
			info, err := s.Create(t.Context(), session.Options{Tenant: canary, Language: "javascript", Env: map[string]string{"CANARY": canary}})
			if err != nil {
				t.Error(err)
				return
			}
			id := info.ID
			run := func(code string) string {
				r, err := s.Execute(t.Context(), canary, id, canary+"-x", execution.Request{Code: code}, nil)
				if err != nil || r.Outcome != execution.OK {
					t.Errorf("%s: %v %v", canary, err, r)
					return ""
				}
				return string(r.Value)
			}
			run(fmt.Sprintf("let mine = '%s'; (await import('node:fs')).writeFileSync('canary', mine); let log = [mine]", canary))
			for n := range 8 {
				want := fmt.Sprintf(`["%s","%s","%s",%d]`, canary, canary, canary, n+2)
				if got := run("log.push(mine); [mine, process.env.CANARY, (await import('node:fs')).readFileSync('canary', 'utf8'), log.filter((x) => x === mine).length]"); got != want {
					t.Errorf("%s: %s, want %s", canary, got, want)
				}
				switch n {
				case 2:
					content, _, err := s.ReadFile(t.Context(), canary, id, "canary")
					if err != nil || string(content) != canary {
						t.Errorf("%s: file %q, %v", canary, content, err)
					}
				case 4:
					fork, err := s.Fork(t.Context(), canary, id, nil)
					if err != nil {
						t.Error(err)
						return
					}
					id = fork.ID
				case 6:
					if err := s.WriteFile(t.Context(), canary, id, "other", []byte("x")); err != nil {
						t.Error(err)
					}
				}
			}
			if page, _ := s.List(canary, "", 10); len(page) != 2 {
				t.Errorf("%s: %d sessions", canary, len(page))
			}
		})
	}
	wait.Wait()
}

// Calls of every kind at once on few sessions: each has one owner at a time,
// and nothing is lost.
func TestHammer(t *testing.T) {
	s := open(t, t.TempDir(), func(c *session.Config) { c.MemoryBudget, c.Waiting = 300<<10, 100 })
	ids := []string{s.create(session.Options{}), s.create(session.Options{})}
	for _, id := range ids {
		s.want(id, "var n = 0; n", "0")
	}
	var done [2]atomic.Int64
	var wait sync.WaitGroup
	for w := range 6 {
		wait.Go(func() {
			for i := range 8 {
				k := (w + i) % 2
				id := ids[k]
				r, err := s.Execute(t.Context(), "t", id, fmt.Sprintf("h-%d-%d", w, i), execution.Request{Code: "n++; n"}, nil)
				if err != nil || r.Outcome != execution.OK {
					t.Error(err, r)
					return
				}
				done[k].Add(1)
				var err2 error
				switch (w + i) % 5 {
				case 0:
					err2 = s.WriteFile(t.Context(), "t", id, fmt.Sprintf("f%d", w), []byte("x"))
				case 1:
					_, err2 = s.ListFiles(t.Context(), "t", id, ".")
				case 2:
					var fork session.Info
					if fork, err2 = s.Fork(t.Context(), "t", id, nil); err2 == nil {
						err2 = s.Delete(t.Context(), "t", fork.ID)
					}
				case 3:
					s.List("", "", 100)
					err2 = s.Sweep()
				case 4:
					var p session.Snapshot
					if p, err2 = s.Snapshot(t.Context(), "t", id, ""); err2 == nil {
						err2 = s.DeleteSnapshot(t.Context(), "t", p.ID)
					}
				}
				if err2 != nil {
					t.Error(err2)
				}
			}
		})
	}
	wait.Wait()
	s = s.again()
	for k, id := range ids {
		s.want(id, "n", fmt.Sprint(done[k].Load()))
	}
	folders(t, s, ids...)
}

// What a cell costs on disk is what it changed, not all that the session holds;
// and old pages don't pile up.
func TestCellsWriteWhatChanged(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{})
	s.want(id, "let big = new Uint8Array(8 << 20).fill(7), n = 0; big.length", "8388608")
	folder := filepath.Join(s.folder, "sessions", id)
	size := func() (bytes int64, files int) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			bytes += info.Size()
		}
		return bytes, len(entries)
	}
	first, _ := size()
	for range 5 {
		s.want(id, "n++ < 5", "true")
	}
	if then, _ := size(); then > first+4<<20 {
		t.Errorf("five small cells wrote %d bytes more than %d", then-first, first)
	}
	for i := range 60 {
		s.want(id, fmt.Sprintf("big.fill(%d, 0, 1 << 20); n++; big[5]", i), fmt.Sprint(i))
	}
	if then, files := size(); then > 3*first+4<<20 || files > 40 {
		t.Errorf("in the end there are %d bytes in %d files, at first %d", then, files, first)
	}
	s = s.again()
	s.want(id, "[n, big[5], big[5 << 20]]", "[65,59,7]")
}
