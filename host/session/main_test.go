package session_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mayfly/guests/quickjs"
	"mayfly/host/execution"
	"mayfly/host/session"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/storage"
	objects "mayfly/storage/fs"
	"mayfly/storage/meta"
)

var program *isolate.Program

func TestMain(m *testing.M) {
	code, err := prepareAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func prepareAndRun(m *testing.M) (code int, err error) {
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return 0, err
		}
		cache = filepath.Join(dir, "mayfly")
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		return 0, err
	}
	defer e.Close()
	if program, err = isolate.Prepare(context.Background(), e, quickjs.Guest{}, cache, nil); err != nil {
		return 0, err
	}
	defer program.Close()
	code = m.Run()
	if code == 0 {
		err = goleak.Find()
	}
	return code, err
}

// A server is what keeps sessions, over a folder that outlives it.
type server struct {
	*session.Service
	t         testing.TB
	folder    string
	executor  *execution.Service
	runtime   *isolate.Runtime
	records   *meta.Store
	files     *objects.Store
	artifacts storage.Objects
	change    func(*session.Config)
	n         int
}

// open opens a server over a folder. It is closed when the test ends, unless
// it was crashed or closed before.
func open(t testing.TB, folder string, change func(*session.Config)) *server {
	t.Helper()
	s := &server{t: t, folder: folder, change: change}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.records, err = meta.Open(t.Context(), filepath.Join(folder, "meta.db"), meta.Options{})
	check(err)
	s.files, err = objects.Open(t.Context(), filepath.Join(folder, "objects"), objects.Options{})
	check(err)
	s.artifacts, err = s.files.Bucket(t.Context(), "artifacts")
	check(err)
	s.runtime, err = isolate.New(isolate.Config{})
	check(err)
	s.executor, err = execution.New(execution.Config{Runtime: s.runtime, Objects: s.artifacts}, execution.Language{
		Names: []string{"javascript", "typescript"}, Version: quickjs.Version(), Image: "quickjs", Builtin: quickjs.Builtin,
	})
	check(err)
	check(s.executor.Install("javascript", program, nil))
	config := session.Config{Executor: s.executor, Records: s.records, Objects: s.artifacts, Folder: filepath.Join(folder, "sessions")}
	if change != nil {
		change(&config)
	}
	s.Service, err = session.Open(t.Context(), config)
	check(err)
	t.Cleanup(s.close)
	return s
}

func (s *server) close() {
	if s.Service == nil {
		return
	}
	if err := s.Service.Close(); err != nil {
		s.t.Error(err)
	}
	s.Service = nil
	s.executor.Close()
	for _, f := range []func() error{s.runtime.Close, s.files.Close, func() error { return s.records.Close(context.Background()) }} {
		if err := f(); err != nil {
			s.t.Error(err)
		}
	}
}

// again is the server after a restart.
func (s *server) again() *server {
	s.t.Helper()
	s.close()
	return open(s.t, s.folder, s.change)
}

// create makes a session of JavaScript unless o says otherwise.
func (s *server) create(o session.Options) string {
	s.t.Helper()
	if o.Language == "" && o.Snapshot == "" {
		o.Language = "javascript"
	}
	if o.Tenant == "" {
		o.Tenant = "t"
	}
	info, err := s.Create(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return info.ID
}

// run runs a cell, which has to be admitted.
func (s *server) run(id, code string) *execution.Result {
	s.t.Helper()
	return s.execute(id, execution.Request{Code: code})
}

func (s *server) execute(id string, r execution.Request) *execution.Result {
	s.t.Helper()
	s.n++
	result, err := s.Execute(s.t.Context(), "", id, fmt.Sprintf("execution-%d-%d", s.n, time.Now().UnixNano()), r, nil)
	if err != nil {
		s.t.Fatalf("%q: %v", r.Code, err)
	}
	return result
}

// want runs a cell and compares its result, or behind a "!" its error.
func (s *server) want(id, code, want string) *execution.Result {
	s.t.Helper()
	r := s.run(id, code)
	got := string(r.Value)
	if r.Error != nil {
		got = "!" + r.Error.Name + ": " + r.Error.Message
	}
	if got != want {
		s.t.Fatalf("%q came to %q (%s), want %q", code, got, r.Outcome, want)
	}
	return r
}
