package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/execution"
	"mayfly/host/session"
)

func TestSessionKeepsState(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Files: []execution.File{{Path: "lib.js", Content: []byte("export const seven = 7")}}, Env: map[string]string{"KEY": "v", "OTHER": "o"}})
	s.want(id, "let a = 1; const f = () => a; class K {}; a", "1")
	s.want(id, "a = 2; f()", "2")
	s.want(id, "let a = 3; f()", "3")
	s.want(id, "nope()", "!ReferenceError: nope is not defined")
	s.want(id, "import {seven} from './lib.js'; seven + a", "10")
	s.want(id, "seven", "7")
	s.want(id, "process.env.KEY", `"v"`)
	s.want(id, "import {writeFileSync, readFileSync} from 'node:fs'; writeFileSync('x.txt', 'content'); 1", "1")
	s.want(id, "readFileSync('x.txt', 'utf8')", `"content"`)
	if r := s.execute(id, execution.Request{Code: "process.env.KEY + process.env.OTHER + input", Env: map[string]string{"KEY": "w"}, Input: []byte(`"!"`)}); string(r.Value) != `"wo!"` {
		t.Errorf("with its own environment and input: %s %v", r.Value, r.Error)
	}
	info, err := s.Get("t", id)
	if err != nil || info.Cells != 10 || info.Status != session.Idle || info.MemoryBytes == 0 || info.FileBytes == 0 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := s.Get("other", id); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("another tenant sees it: %v", err)
	}
}

func TestTypeScript(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Language: "typescript", Files: []execution.File{{Path: "lib.ts", Content: []byte("export enum E { A = 5 }; export type T = number")}}})
	s.want(id, "import {E} from './lib'; import type {T} from './lib'; interface I { a: T }", "")
	s.want(id, "const x: I2 = {a: E.A}; type I2 = {a: number}; x.a", "5")
	s.want(id, "let y: number = ;", "!SyntaxError: Unexpected \";\"")
	r := s.run(id, "function thrower(n: number): never {\n\n  throw new Error('here' + n)\n}")
	if r.Outcome != execution.OK {
		t.Fatal(r.Error)
	}
	r = s.run(id, "thrower(1 as number)")
	if r.Error == nil || !strings.Contains(r.Error.Stack, "cell-") {
		t.Errorf("%+v", r.Error)
	}
	if r := s.execute(id, execution.Request{Language: "javascript", Code: "x.a + 1"}); string(r.Value) != "6" {
		t.Errorf("JavaScript in the same session: %s %v", r.Value, r.Error)
	}
}

// What was acknowledged is there after a restart, whether the service was
// closed or not.
func TestSessionSurvivesRestart(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Env: map[string]string{"KEY": "v"}, Metadata: map[string]string{"m": "1"}})
	empty := s.create(session.Options{})
	s.want(id, "let n = 1; function next() { return ++n } n", "1")
	if err := s.WriteFile(t.Context(), "t", id, "up.txt", []byte("uploaded")); err != nil {
		t.Fatal(err)
	}
	s = s.again()
	info, err := s.Get("t", id)
	if err != nil || info.Status != session.Hibernated || info.Cells != 1 || info.Metadata["m"] != "1" {
		t.Fatalf("%+v, %v", info, err)
	}
	s.want(id, "[next(), process.env.KEY, (await import('node:fs')).readFileSync('up.txt', 'utf8')]", `[2,"v","uploaded"]`)
	s.want(empty, "typeof next", `"undefined"`)
	for range 3 {
		s = s.again()
		s.want(id, "next() > 2", "true")
	}
	s.want(id, "n", "5")
	folders(t, s, id, empty)
}

// folders fails the test unless these sessions have files, and no others; and
// each no more than its state.
func folders(t *testing.T, s *server, ids ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.folder, "sessions"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		files, err := os.ReadDir(filepath.Join(s.folder, "sessions", e.Name()))
		if err != nil || len(files) > 33 {
			t.Errorf("session %s has %v, %v", e.Name(), files, err)
		}
	}
	slices.Sort(ids)
	if !slices.Equal(ids, names) {
		t.Errorf("there are folders %v, want %v", names, ids)
	}
}

// What a crash leaves behind is removed: files of a state that was not
// acknowledged, sessions without a record.
func TestOpenTidies(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{})
	s.want(id, "let n = 1; n", "1")
	s.close()
	for _, name := range []string{id + "/99.pages", id + "/99.state", "exorphan/1.state"} {
		path := filepath.Join(s.folder, "sessions", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s = s.again()
	s.want(id, "n", "1")
	folders(t, s, id)
}

func TestRolledBack(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{})
	s.want(id, "let n = 1; n", "1")
	for name, test := range map[string]struct {
		request execution.Request
		outcome execution.Outcome
	}{
		"cpu":    {execution.Request{Code: "n = 2; for (;;);", Limits: execution.Limits{CPU: 20 * time.Millisecond}}, execution.ExceededCPU},
		"wall":   {execution.Request{Code: "n = 2; await new Promise((r) => setTimeout(r, 60_000))", Limits: execution.Limits{Wall: 50 * time.Millisecond}}, execution.ExceededWallTime},
		"memory": {execution.Request{Code: "n = 2; const a = []; for (;;) a.push(new Array(1000).fill(1))", Limits: execution.Limits{MemoryBytes: 8 << 20}}, execution.ExceededMemory},
		"output": {execution.Request{Code: "n = 2; for (;;) console.log('x'.repeat(1000))", Limits: execution.Limits{OutputBytes: 10_000}}, execution.ExceededOutput},
	} {
		r := s.execute(id, test.request)
		if r.Outcome != test.outcome {
			t.Errorf("%s: outcome %s, %v", name, r.Outcome, r.Error)
		}
		s.want(id, "n", "1")
	}
	s.want(id, "(await import('node:fs')).writeFileSync('f', 'x'); for (;;);", "!LimitError: the CPU limit of 5s was reached")
	s.want(id, "(await import('node:fs')).existsSync('f')", "false")
	if r := s.run(id, "n = 7; process.exit(3)"); r.Outcome != execution.Exception || r.ExitCode != 3 {
		t.Errorf("%+v", r)
	}
	s.want(id, "n", "7")
}

// What cells hold together is bounded by the session's limit.
func TestMemoryLimitHoldsForAll(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Limits: execution.Limits{MemoryBytes: 16 << 20}})
	s.want(id, "let kept = []; kept.length", "0")
	for i := 1; ; i++ {
		r := s.run(id, "kept.push(new Uint8Array(1 << 19).fill(1)); kept.length")
		if r.Outcome == execution.ExceededMemory {
			if i < 8 || i > 40 {
				t.Errorf("half a MiB at a time, cell %d was the first to fail", i)
			}
			s.want(id, "kept.length", fmt.Sprint(i-1))
			s.want(id, "kept.length = 0; kept.length", "0")
			return
		}
		if r.Outcome != execution.OK || i > 60 {
			t.Fatalf("cell %d: %s %v", i, r.Outcome, r.Error)
		}
	}
}

func TestInterrupt(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Limits: execution.Limits{CPU: 30 * time.Second}})
	if running, err := s.Interrupt("t", id); running || err != nil {
		t.Errorf("nothing runs, but %v, %v", running, err)
	}
	s.want(id, "let n = 0; n", "0")
	for i, code := range []string{"n++; for (;;);", "n++; await new Promise((r) => setTimeout(r, 25_000))"} {
		done := make(chan *execution.Result)
		go func() {
			r, err := s.Execute(context.Background(), "t", id, fmt.Sprint("interrupted-", i), execution.Request{Code: code}, nil)
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		for {
			if info, _ := s.Get("t", id); info.Status == session.Running {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if running, err := s.Interrupt("t", id); !running || err != nil {
			t.Errorf("%v, %v", running, err)
		}
		if r := <-done; r.Outcome != execution.Exception || r.Error.Name != "Interrupted" {
			t.Errorf("%s: %+v", r.Outcome, r.Error)
		}
		s.want(id, "n", fmt.Sprint(i+1))
	}
}

func TestRestart(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Limits: execution.Limits{CPU: 30 * time.Second}})
	s.want(id, "let n = 1; (await import('node:fs')).writeFileSync('f', 'kept'); n", "1")
	started := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		once := sync.OnceFunc(func() { close(started) })
		r, err := s.Execute(context.Background(), "t", id, "canceled", execution.Request{Code: "console.log('on'); for (;;);"}, func(execution.Event) { once() })
		if err != nil || r.Outcome != execution.Canceled {
			t.Errorf("%+v, %v", r, err)
		}
	}()
	<-started
	if _, err := s.Restart(t.Context(), "t", id); err != nil {
		t.Fatal(err)
	}
	<-done
	s.want(id, "typeof n", `"undefined"`)
	s.want(id, "(await import('node:fs')).readFileSync('f', 'utf8')", `"kept"`)
	s = s.again()
	s.want(id, "typeof n", `"undefined"`)
}

func TestDelete(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id, other := s.create(session.Options{Limits: execution.Limits{CPU: 30 * time.Second}}), s.create(session.Options{})
	var wait sync.WaitGroup
	started := make(chan struct{})
	once := sync.OnceFunc(func() { close(started) })
	for range 3 { // one runs, the others wait
		wait.Go(func() {
			r, err := s.Execute(context.Background(), "t", id, "canceled", execution.Request{Code: "console.log('on'); for (;;);"}, func(execution.Event) { once() })
			if !errors.Is(err, session.ErrNotFound) && (err != nil || r.Outcome != execution.Canceled) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	<-started
	if err := s.Delete(t.Context(), "other", id); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("another tenant deletes: %v", err)
	}
	if err := s.Delete(t.Context(), "t", id); err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	if err := s.Delete(t.Context(), "t", id); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	folders(t, s, other)
	s = s.again()
	if page, _ := s.List("t", "", 10); len(page) != 1 || page[0].ID != other {
		t.Errorf("%+v", page)
	}
}

// Five cells, forked after the third: the two go on apart.
func TestFork(t *testing.T) {
	for _, hibernated := range []bool{false, true} {
		t.Run(fmt.Sprint("hibernated ", hibernated), func(t *testing.T) {
			s := open(t, t.TempDir(), nil)
			id := s.create(session.Options{Metadata: map[string]string{"m": "1"}})
			for i := 1; i <= 3; i++ {
				s.want(id, fmt.Sprintf("var log = [...(globalThis.log ?? []), %d]; (await import('node:fs')).writeFileSync('f%d', 'x'); log.length", i, i), fmt.Sprint(i))
			}
			if hibernated {
				s = s.again()
			}
			fork, err := s.Fork(t.Context(), "t", id, nil)
			if err != nil {
				t.Fatal(err)
			}
			if fork.Parent != id || fork.Cells != 3 || fork.Metadata["m"] != "1" || fork.ID == id {
				t.Errorf("%+v", fork)
			}
			for i := 4; i <= 5; i++ {
				s.want(id, fmt.Sprintf("log.push(%d); log.length", i), fmt.Sprint(i))
				s.want(fork.ID, fmt.Sprintf("log.push(-%d); log.length", i), fmt.Sprint(i))
			}
			check := func() {
				s.want(id, "(await import('node:fs')).readdirSync('.').join() + log", `"f1,f2,f31,2,3,4,5"`)
				s.want(fork.ID, "(await import('node:fs')).readdirSync('.').join() + log", `"f1,f2,f31,2,3,-4,-5"`)
			}
			check()
			s = s.again()
			check()
			if err := s.Delete(t.Context(), "t", id); err != nil {
				t.Fatal(err)
			}
			s.want(fork.ID, "log.length", "5")
			s = s.again()
			s.want(fork.ID, "log.length", "5")
		})
	}
}

func TestForksHaveTheirOwnRandomness(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{})
	s.want(id, "Math.random() === crypto.randomUUID()", "false")
	seen := map[string]bool{}
	for range 20 {
		fork, err := s.Fork(t.Context(), "t", id, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{"Math.random()", "crypto.randomUUID()"} {
			v := string(s.run(fork.ID, code).Value)
			if seen[v] {
				t.Errorf("%s came twice: %s", code, v)
			}
			seen[v] = true
		}
	}
}

func TestFiles(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{Limits: execution.Limits{FilesBytes: 1 << 20}})
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.WriteFile(ctx, "t", id, "a/b/c.txt", []byte("one")))
	check(s.WriteFile(ctx, "t", id, "a/b/c.txt", []byte("two")))
	check(s.MakeDirectory(ctx, "t", id, "d/e"))
	check(s.MakeDirectory(ctx, "t", id, "d/e"))
	s.want(id, "import fs from 'node:fs'; fs.writeFileSync('d/made', fs.readFileSync('a/b/c.txt')); fs.readdirSync('.')", `["a","d"]`)
	content, info, err := s.ReadFile(ctx, "t", id, "/workspace/d/made")
	check(err)
	if string(content) != "two" || info.Size != 3 {
		t.Errorf("%q %+v", content, info)
	}
	list, err := s.ListFiles(ctx, "t", id, "d")
	check(err)
	if len(list) != 2 || list[0].Path != "/workspace/d/e" || list[1].Name != "made" || list[1].Size != 3 {
		t.Errorf("%+v", list)
	}
	check(s.RemoveFile(ctx, "t", id, "a"))
	if _, _, err := s.ReadFile(ctx, "t", id, "a/b/c.txt"); err == nil {
		t.Error("read what was removed")
	}
	for name, err := range map[string]error{
		"too large":  s.WriteFile(ctx, "t", id, "big", make([]byte, 2<<20)),
		"no such":    s.RemoveFile(ctx, "t", id, "nope"),
		"a folder":   s.WriteFile(ctx, "t", id, "d", []byte("x")),
		"foreign":    s.WriteFile(ctx, "other", id, "f", []byte("x")),
		"foreign rm": s.RemoveFile(ctx, "other", id, "d"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s = s.again()
	s.want(id, "fs.readdirSync('.')", `["d"]`)
	if err := s.WriteFile(t.Context(), "t", id, "big", make([]byte, 2<<20)); err == nil {
		t.Error("after a restart the files have no limit")
	}
	folders(t, s, id)
}

// An artifact is told of by the cell that made or changed it.
func TestArtifacts(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	id := s.create(session.Options{})
	names := func(r *execution.Result) (list []string) {
		for _, a := range r.Artifacts {
			list = append(list, a.Name)
		}
		return list
	}
	for i, test := range []struct {
		code string
		want []string
	}{
		{"import fs from 'node:fs'; fs.writeFileSync('/artifacts/a.txt', '1')", []string{"a.txt"}},
		{"1", nil},
		{"fs.writeFileSync('/artifacts/b.txt', '1')", []string{"b.txt"}},
		{"fs.writeFileSync('/artifacts/a.txt', '1')", nil}, // the same
		{"fs.writeFileSync('/artifacts/a.txt', '2')", []string{"a.txt"}},
	} {
		if got := names(s.run(id, test.code)); !slices.Equal(got, test.want) {
			t.Errorf("cell %d has the artifacts %v, want %v", i, got, test.want)
		}
	}
}
