package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/execution"
	"mayfly/host/session"
	"mayfly/host/vfs"
)

// fakeSessions keeps sessions whose cells the fake executor runs.
type fakeSessions struct {
	executor *fakeExecutor
	newID    func() string

	mu        sync.Mutex
	sessions  map[string]*fakeSession
	snapshots map[string]session.Snapshot
	created   []session.Options
	fail      error // of what is called next
}

type fakeSession struct {
	session.Info
	env   map[string]string
	files map[string][]byte
}

func (f *fakeSessions) find(tenant, id string) (*fakeSession, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail; err != nil {
		f.fail = nil
		return nil, err
	}
	x := f.sessions[id]
	if x == nil || tenant != "" && x.Tenant != tenant {
		return nil, session.ErrNotFound
	}
	return x, nil
}

func (f *fakeSessions) Create(_ context.Context, o session.Options) (session.Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail; err != nil {
		f.fail = nil
		return session.Info{}, err
	}
	f.created = append(f.created, o)
	if o.Language == "cobol" {
		return session.Info{}, &execution.InvalidError{Field: "/language", Message: "is not one of this server"}
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	x := &fakeSession{session.Info{ID: f.newID(), Tenant: o.Tenant, Language: o.Language, Status: session.Idle, CreatedAt: now, UsedAt: now,
		IdleTimeout: o.IdleTimeout, DeleteIdle: o.DeleteIdle, Limits: o.Limits, Network: o.Network, Bindings: o.Bindings, Metadata: o.Metadata, Snapshot: o.Snapshot}, o.Env, map[string][]byte{}}
	if o.DeleteIdle {
		x.ExpiresAt = now.Add(time.Hour)
	}
	f.sessions[x.ID] = x
	return x.Info, nil
}

func (f *fakeSessions) Get(tenant, id string) (session.Info, error) {
	x, err := f.find(tenant, id)
	if err != nil {
		return session.Info{}, err
	}
	return x.Info, nil
}

func (f *fakeSessions) List(tenant, cursor string, limit int) (page []session.Info, next string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(f.sessions))) {
		if x := f.sessions[id]; (tenant == "" || x.Tenant == tenant) && (cursor == "" || id < cursor) {
			if len(page) == limit {
				return page, page[limit-1].ID
			}
			page = append(page, x.Info)
		}
	}
	return page, ""
}

func (f *fakeSessions) Delete(_ context.Context, tenant, id string) error {
	_, err := f.find(tenant, id)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.sessions, id)
	}
	return err
}

func (f *fakeSessions) Complete(tenant, id string, r *execution.Request) error {
	x, err := f.find(tenant, id)
	if err == nil {
		r.Tenant = x.Tenant
		if r.Language == "" {
			r.Language = x.Language
		}
	}
	return err
}

func (f *fakeSessions) Execute(ctx context.Context, tenant, id, executionID string, r execution.Request, emit func(execution.Event)) (*execution.Result, error) {
	x, err := f.find(tenant, id)
	if err != nil {
		return nil, err
	}
	result, err := f.executor.Execute(ctx, executionID, r, emit)
	f.mu.Lock()
	x.Cells++
	f.mu.Unlock()
	return result, err
}

func (f *fakeSessions) Interrupt(tenant, id string) (bool, error) {
	_, err := f.find(tenant, id)
	return err == nil, err
}

func (f *fakeSessions) Restart(_ context.Context, tenant, id string) (session.Info, error) {
	return f.Get(tenant, id)
}

func (f *fakeSessions) Fork(ctx context.Context, tenant, id string, metadata map[string]string) (session.Info, error) {
	x, err := f.find(tenant, id)
	if err != nil {
		return session.Info{}, err
	}
	info, err := f.Create(ctx, session.Options{Tenant: x.Tenant, Language: x.Language, Metadata: metadata})
	info.Parent = id
	return info, err
}

func (f *fakeSessions) ReadFile(_ context.Context, tenant, id, name string) ([]byte, vfs.Info, error) {
	x, err := f.find(tenant, id)
	if err != nil {
		return nil, vfs.Info{}, err
	}
	b, ok := x.files[name]
	if !ok {
		return nil, vfs.Info{}, &vfs.Error{Op: "read", Path: name, Code: vfs.ENOENT}
	}
	return b, vfs.Info{Kind: vfs.File, Size: int64(len(b)), Mtime: time.Unix(1_700_000_000, 0)}, nil
}

func (f *fakeSessions) ListFiles(_ context.Context, tenant, id, name string) (list []session.File, err error) {
	x, err := f.find(tenant, id)
	if err != nil {
		return nil, err
	}
	for _, file := range slices.Sorted(maps.Keys(x.files)) {
		if path.Dir(file) != name {
			continue
		}
		kind := vfs.File
		if x.files[file] == nil {
			kind = vfs.Directory
		}
		list = append(list, session.File{Name: path.Base(file), Path: "/workspace/" + file, Info: vfs.Info{Kind: kind, Size: int64(len(x.files[file])), Mtime: time.Unix(1_700_000_000, 0)}})
	}
	return list, nil
}

func (f *fakeSessions) WriteFile(_ context.Context, tenant, id, name string, content []byte) error {
	x, err := f.find(tenant, id)
	if err != nil {
		return err
	}
	if len(content) > 100 {
		return &vfs.Error{Op: "open", Path: name, Code: vfs.ENOSPC}
	}
	x.files[name] = append([]byte{}, content...)
	return nil
}

func (f *fakeSessions) MakeDirectory(_ context.Context, tenant, id, name string) error {
	x, err := f.find(tenant, id)
	if err == nil {
		x.files[name] = nil
	}
	return err
}

func (f *fakeSessions) RemoveFile(_ context.Context, tenant, id, name string) error {
	x, err := f.find(tenant, id)
	if err != nil {
		return err
	}
	if _, ok := x.files[name]; !ok {
		return &vfs.Error{Op: "rm", Path: name, Code: vfs.ENOENT}
	}
	delete(x.files, name)
	return nil
}

func (f *fakeSessions) Snapshot(_ context.Context, tenant, id, name string) (session.Snapshot, error) {
	x, err := f.find(tenant, id)
	if err != nil {
		return session.Snapshot{}, err
	}
	p := session.Snapshot{ID: f.newID(), Tenant: x.Tenant, Session: id, Language: x.Language, Name: name, CreatedAt: x.CreatedAt, Size: 100, Cells: x.Cells, SHA256: "ab"}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshots[p.ID] = p
	return p, nil
}

func (f *fakeSessions) GetSnapshot(_ context.Context, tenant, id string) (session.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.snapshots[id]
	if !ok || tenant != "" && p.Tenant != tenant {
		return p, session.ErrNotFound
	}
	return p, nil
}

func (f *fakeSessions) ListSnapshots(_ context.Context, tenant, _ string, limit int) (page []session.Snapshot, next string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.snapshots)) {
		if p := f.snapshots[id]; tenant == "" || p.Tenant == tenant {
			page = append(page, p)
		}
	}
	return page, "", nil
}

func (f *fakeSessions) DeleteSnapshot(ctx context.Context, tenant, id string) error {
	_, err := f.GetSnapshot(ctx, tenant, id)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.snapshots, id)
	}
	return err
}

// withSessions gives a test server sessions.
func withSessions(f *fakeSessions) func(*Options) {
	return func(o *Options) {
		f.executor, f.newID = o.Executor.(*fakeExecutor), o.Store.NewID
		f.sessions, f.snapshots = map[string]*fakeSession{}, map[string]session.Snapshot{}
		o.Sessions = f
	}
}

type testSession struct {
	ID, Language, Status, Parent, Snapshot string
	OnIdle                                 string `json:"on_idle"`
	IdleTimeout                            int64  `json:"idle_timeout_ms"`
	Executions                             int
	Metadata                               map[string]string
	ExpiresAt                              *time.Time `json:"expires_at"`
}

func (s *testServer) session(body string, fields ...string) testSession {
	s.t.Helper()
	var x testSession
	a := s.do("POST", "/v1/sessions", body, fields...).want(201)
	a.decode(&x)
	if got := a.header.Get("Location"); got != "/v1/sessions/"+x.ID {
		s.t.Errorf("location %q", got)
	}
	return x
}

// A session tells its bindings as it was given them.
func TestSessionBindings(t *testing.T) {
	f := &fakeSessions{}
	s := newTestServer(t, withSessions(f))
	const given = `{"A":{"type":"r2_bucket","bucket":"reports","prefix":"a/","read_only":true,"limits":{"operations":5,"write_bytes":10}},"B":{"type":"var","value":{"x":[1]}},"C":{"type":"fetcher","network":{"allow":[{"host":"x.example"}]},"base_url":"https://x.example/"},"D":{"type":"secret","secret":"TOKEN"},"E":{"type":"assets","files":"/site"}}`
	x := s.session(`{"language":"javascript","bindings":` + given + `}`)
	if o := f.created[0]; len(o.Bindings) != 5 || o.Bindings[0].Limits.WriteBytes != 10 || string(o.Bindings[1].Value) != `{"x":[1]}` {
		t.Errorf("%+v", o.Bindings)
	}
	var got struct{ Bindings json.RawMessage }
	s.do("GET", "/v1/sessions/"+x.ID, "").want(200).decode(&got)
	if string(got.Bindings) != given {
		t.Errorf("%s", got.Bindings)
	}
}

func TestSessions(t *testing.T) {
	f := &fakeSessions{}
	s := newTestServer(t, withSessions(f))
	x := s.session(`{"language":"javascript","env":{"A":"b"},"metadata":{"k":"v"},"idle_timeout_ms":5000,"on_idle":"delete","files":[{"path":"f","content":"c"}],
		"limits":{"cpu_ms":100,"memory_mb":64,"files_bytes":1000},"network":{"allow":[{"host":"example.com","ports":[443],"methods":["GET"]},{"host":"*"}]}}`)
	if x.Language != "javascript" || x.Status != "idle" || x.OnIdle != "delete" || x.IdleTimeout != 5000 || x.Metadata["k"] != "v" || x.ExpiresAt == nil {
		t.Errorf("%+v", x)
	}
	o := f.created[0]
	if o.Tenant != "default" && o.Tenant != anonymousTenant || o.Env["A"] != "b" || o.IdleTimeout != 5*time.Second || !o.DeleteIdle || string(o.Files[0].Content) != "c" ||
		o.Limits.CPU != 100*time.Millisecond || o.Limits.FilesBytes != 1000 || len(o.Network.Allow) != 2 || o.Network.Allow[0].Ports[0] != 443 {
		t.Errorf("%+v", o)
	}
	s.do("GET", "/v1/sessions/"+x.ID, "").want(200)
	s.do("HEAD", "/v1/sessions/"+x.ID, "").want(200)

	// Cells, in all forms of executions.
	at := "/v1/sessions/" + x.ID
	cell := s.do("POST", at+"/executions", `{"code":"hello"}`).want(200)
	var one struct{ ID, Session, Result string }
	cell.decode(&one)
	if one.Session != x.ID || one.Result != "hi" {
		t.Errorf("%s", cell.body)
	}
	s.idle()
	if again := s.do("GET", "/v1/executions/"+one.ID, "").want(200); string(again.body) != string(cell.body) {
		t.Errorf("the record differs: %s", again.body)
	}
	if list := s.do("GET", "/v1/executions", "").want(200); !strings.Contains(string(list.body), `"session":"`+x.ID+`"`) {
		t.Errorf("%s", list.body)
	}
	for _, media := range []string{"text/event-stream", "application/x-ndjson"} {
		events := s.do("POST", at+"/executions", `{"code":"talk"}`, "Accept", media).want(200).events(s)
		if n := len(events); n != 5 || events[n-1].Type != "end" {
			t.Errorf("%s: %+v", media, events)
		}
	}
	async := s.do("POST", at+"/executions", `{"code":"hello"}`, "Prefer", "respond-async").want(202)
	if !strings.HasPrefix(async.header.Get("Location"), "/v1/executions/ex") {
		t.Errorf("%v", async.header)
	}
	first := s.do("POST", at+"/executions", `{"code":"hello"}`, "Idempotency-Key", "k").want(200)
	again := s.do("POST", at+"/executions", `{"code":"hello"}`, "Idempotency-Key", "k").want(200)
	if string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("not the same: %s", again.body)
	}
	other := s.session(`{"language":"javascript"}`)
	s.do("POST", "/v1/sessions/"+other.ID+"/executions", `{"code":"hello"}`, "Idempotency-Key", "k").problem(idempotencyReused)

	var interrupted struct{ Interrupted bool }
	s.do("POST", at+"/interrupt", "").want(200).decode(&interrupted)
	if !interrupted.Interrupted {
		t.Error("not interrupted")
	}
	s.do("POST", at+"/restart", "").want(200)
	var fork testSession
	s.do("POST", at+"/fork", "").want(201).decode(&fork)
	if fork.Parent != x.ID {
		t.Errorf("%+v", fork)
	}
	s.do("POST", at+"/fork", `{"metadata":{"a":"b"}}`).want(201).decode(&fork)
	if fork.Metadata["a"] != "b" {
		t.Errorf("%+v", fork)
	}

	var snapshot struct{ ID, Session, Name string }
	s.do("POST", at+"/snapshots", `{"name":"n"}`).want(201).decode(&snapshot)
	if snapshot.Session != x.ID || snapshot.Name != "n" {
		t.Errorf("%+v", snapshot)
	}
	s.do("POST", at+"/snapshots", "").want(201)
	s.do("GET", "/v1/snapshots/"+snapshot.ID, "").want(200)
	var snapshots struct{ Snapshots []struct{ ID string } }
	s.do("GET", "/v1/snapshots?limit=10", "").want(200).decode(&snapshots)
	if len(snapshots.Snapshots) != 2 {
		t.Errorf("%+v", snapshots)
	}
	if made := s.session(`{"snapshot":"` + snapshot.ID + `"}`); made.Snapshot != snapshot.ID {
		t.Errorf("%+v", made)
	}
	s.do("DELETE", "/v1/snapshots/"+snapshot.ID, "").want(204)
	s.do("GET", "/v1/snapshots/"+snapshot.ID, "").problem(notFound)

	var page struct {
		Sessions []testSession
		Next     *string `json:"next_cursor"`
	}
	s.do("GET", "/v1/sessions?limit=2", "").want(200).decode(&page)
	if len(page.Sessions) != 2 || page.Next == nil {
		t.Fatalf("%+v", page)
	}
	all := len(page.Sessions)
	for page.Next != nil {
		next := *page.Next
		page.Next = nil
		s.do("GET", "/v1/sessions?limit=2&cursor="+next, "").want(200).decode(&page)
		all += len(page.Sessions)
	}
	if all != 5 {
		t.Errorf("%d sessions in all pages", all)
	}
	s.do("DELETE", at, "").want(204)
	s.do("GET", at, "").problem(notFound)
	s.do("DELETE", at, "").problem(notFound)
}

func TestSessionFiles(t *testing.T) {
	s := newTestServer(t, withSessions(&fakeSessions{}))
	at := "/v1/sessions/" + s.session(`{"language":"javascript"}`).ID + "/files"
	octets := []string{"Content-Type", "application/octet-stream"}
	s.do("PUT", at+"/a.txt", "content", octets...).want(204)
	s.do("PUT", at+"/a%20b%2Fc.txt", "x", octets...).want(204)
	s.do("PUT", at+"/empty", "").want(204)
	s.do("PUT", at+"/folder/", "").want(204)
	got := s.do("GET", at+"/a.txt", "").want(200)
	if string(got.body) != "content" || got.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") ||
		!strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%q %v", got.body, got.header)
	}
	s.do("HEAD", at+"/a.txt", "").want(200)
	s.do("GET", at+"/a%20b/c.txt", "").want(200)
	var list struct {
		Files []struct {
			Name, Path, Type string
			Size             int
		}
	}
	s.do("GET", at, "").want(200).decode(&list)
	if len(list.Files) != 3 || list.Files[0].Path != "/workspace/a.txt" || list.Files[0].Size != 7 || list.Files[2].Type != "directory" {
		t.Errorf("%+v", list)
	}
	s.do("GET", at+"?path=a%20b", "").want(200).decode(&list)
	if len(list.Files) != 1 || list.Files[0].Name != "c.txt" {
		t.Errorf("%+v", list)
	}
	s.do("DELETE", at+"/a.txt", "").want(204)
	s.do("DELETE", at+"/a.txt", "").problem(notFound)
	s.do("GET", at+"/a.txt", "").problem(notFound)
	s.do("GET", at+"/x/../y", "", "X", "y").problem(invalidRequest)
	s.do("PUT", at+"/x%2F..%2Fy", "b", octets...).problem(invalidRequest)
	s.do("PUT", at+"/folder/", "content", octets...).problem(invalidRequest)
	s.do("PUT", at+"/large", strings.Repeat("x", 101), octets...).problem(tooLarge)
	s.do("PUT", at+"/z", "x", "Content-Encoding", "gzip").problem(unsupportedMedia)
	s.do("GET", at+"?path=a&path=b", "").problem(invalidRequest)
	s.do("GET", at+"?depth=1", "").problem(invalidRequest)
}

func TestSessionErrors(t *testing.T) {
	f := &fakeSessions{}
	s := newTestServer(t, withSessions(f))
	x := s.session(`{"language":"javascript"}`)
	at := "/v1/sessions/" + x.ID
	for _, c := range []struct{ body, pointer string }{
		{`{}`, "/language"},
		{`{"language":""}`, "/language"},
		{`{"snapshot":""}`, "/snapshot"},
		{`{"language":"cobol"}`, "/language"},
		{`{"language":"javascript","code":"1"}`, "/code"},
		{`{"language":"javascript","idle_timeout_ms":0}`, "/idle_timeout_ms"},
		{`{"language":"javascript","idle_timeout_ms":2592000001}`, "/idle_timeout_ms"},
		{`{"language":"javascript","on_idle":"die"}`, "/on_idle"},
		{`{"language":"javascript","on_idle":"delete","on_idle":"delete"}`, "/on_idle"},
		{`{"language":"javascript","limits":{"cpu_ms":0}}`, "/limits/cpu_ms"},
		{`{"language":"javascript","idle":1}`, "/idle"},
		{`[]`, ""},
	} {
		a := s.do("POST", "/v1/sessions", c.body).problem(invalidRequest)
		var p struct{ Errors []FieldError }
		a.decode(&p)
		if len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer {
			t.Errorf("%s: %s", c.body, a.body)
		}
	}
	s.do("POST", "/v1/sessions", `{"language"`).problem(invalidJSON)
	s.do("POST", at+"/executions", `{"code":"hello","language":"cobol"}`).problem(invalidRequest)
	s.do("POST", at+"/executions", `{}`).problem(invalidRequest)
	s.do("POST", at+"/executions", `{"code":"hello","snapshot":"x"}`).problem(invalidRequest)
	s.do("POST", at+"/fork", `{"name":"x"}`).problem(invalidRequest)
	s.do("POST", at+"/snapshots", `{"name":5}`).problem(invalidRequest)
	s.do("POST", at+"/snapshots", `{"name":"`+strings.Repeat("n", 129)+`"}`).problem(invalidRequest)
	s.do("POST", at+"/snapshots", `{`).problem(invalidJSON)
	s.do("GET", "/v1/sessions?limit=0", "").problem(invalidRequest)
	s.do("GET", "/v1/sessions?what=1", "").problem(invalidRequest)
	s.do("PUT", at, "{}").problem(methodNotAllowed)

	for _, c := range []struct {
		err  error
		kind problemKind
	}{
		{&session.LimitError{Tenant: true, What: "sessions"}, tooManyRequests},
		{&session.LimitError{What: "sessions"}, overloaded},
		{&execution.OverloadError{Reason: "not ready", RetryAfter: time.Second}, overloaded},
		{&execution.StateError{Op: "read", Err: fmt.Errorf("%w: another image", execution.ErrForeignState)}, unusableState},
		{&execution.StateError{Op: "read", Err: fmt.Errorf("%w: cut off", execution.ErrCorruptState)}, unusableState},
		{session.ErrRestarted, restarted},
		{session.ErrClosed, shuttingDown},
		{context.DeadlineExceeded, internalFault},
	} {
		f.mu.Lock()
		f.fail = c.err
		f.mu.Unlock()
		s.do("POST", "/v1/sessions", `{"language":"javascript"}`).problem(c.kind)
		f.mu.Lock()
		f.fail = c.err
		f.mu.Unlock()
		s.do("POST", at+"/restart", "").problem(c.kind)
	}

	none := newTestServer(t, nil)
	none.do("POST", "/v1/sessions", `{"language":"javascript"}`).problem(notFound)
	none.do("GET", "/v1/snapshots", "").problem(notFound)
}

// A tenant's key reaches its own sessions and snapshots only.
func TestSessionTenants(t *testing.T) {
	s, tokens := newKeyedServer(t, withSessions(&fakeSessions{}), "a", "b")
	mine, theirs := []string{"X-API-Key", tokens[0]}, []string{"X-API-Key", tokens[1]}
	x := s.session(`{"language":"javascript"}`, mine...)
	at := "/v1/sessions/" + x.ID
	var p struct{ ID string }
	s.do("POST", at+"/snapshots", "", mine...).want(201).decode(&p)
	for _, c := range []struct{ method, path, body string }{
		{"GET", at, ""}, {"DELETE", at, ""}, {"POST", at + "/executions", `{"code":"hello"}`}, {"POST", at + "/interrupt", ""}, {"POST", at + "/restart", ""},
		{"POST", at + "/fork", ""}, {"POST", at + "/snapshots", ""}, {"GET", at + "/files", ""}, {"GET", at + "/files/x", ""}, {"PUT", at + "/files/x", ""},
		{"DELETE", at + "/files/x", ""}, {"GET", "/v1/snapshots/" + p.ID, ""}, {"DELETE", "/v1/snapshots/" + p.ID, ""},
	} {
		s.do(c.method, c.path, c.body, theirs...).problem(notFound)
		s.do(c.method, c.path, c.body).problem(unauthenticated)
	}
	s.do("POST", "/v1/sessions", `{"language":"javascript","tenant":"a"}`, theirs...).problem(invalidRequest)
	for _, path := range []string{"/v1/sessions", "/v1/snapshots"} {
		if a := s.do("GET", path, "", theirs...).want(200); strings.Contains(string(a.body), x.ID) {
			t.Errorf("%s", a.body)
		}
		if a := s.do("GET", path, "", mine...).want(200); !strings.Contains(string(a.body), x.ID) {
			t.Errorf("%s", a.body)
		}
		s.do("GET", path+"?tenant=a", "", theirs...).problem(invalidRequest)
		s.do(http.MethodGet, path, "").problem(unauthenticated)
	}
	s.do("GET", at, "", mine...).want(200)
}

// The decoder of sessions takes no text that encoding/json refuses.
func FuzzSessionDecode(f *testing.F) {
	for _, seed := range []string{
		`{"language":"javascript"}`, `{"snapshot":"ex1","on_idle":"delete","idle_timeout_ms":5}`, `{"language":1}`, `{"name":"n"}`, `[]`, `{`, `{"metadata":{"a":"b"},"on_idle":"hibernate"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var d sessionDecoder
		d.decode(body)
		if d.err != nil || len(d.errors) > 0 {
			return
		}
		var want struct {
			Language, Snapshot string
			Idle               int64  `json:"idle_timeout_ms"`
			OnIdle             string `json:"on_idle"`
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("took %q: %v", body, err)
		}
		if d.request.Language != want.Language || d.snapshot != want.Snapshot || d.idle.Milliseconds() != want.Idle || d.deleteIdle != (want.OnIdle == "delete") {
			t.Errorf("%q: got %+v", body, d)
		}
	})
}
