package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"mayfly/host/execution"
	"mayfly/storage"
)

// fakeExecutor runs a little language: the code is a verb, perhaps with an
// argument after a blank.
type fakeExecutor struct {
	objects storage.Objects
	mu      sync.Mutex
	gates   map[string]chan struct{}
	started chan string // ids of blocking executions, when they begin
	ended   chan execution.Outcome
	ready   bool
}

func newFakeExecutor(objects storage.Objects) *fakeExecutor {
	return &fakeExecutor{objects: objects, gates: map[string]chan struct{}{}, started: make(chan string, 1000), ended: make(chan execution.Outcome, 1000), ready: true}
}

// gate is what "wait NAME" waits for: that it is closed.
func (f *fakeExecutor) gate(name string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gates[name] == nil {
		f.gates[name] = make(chan struct{})
	}
	return f.gates[name]
}

func (f *fakeExecutor) Ready() bool { return f.ready }

func (f *fakeExecutor) Runtimes() []execution.Runtime {
	return []execution.Runtime{
		{Language: "javascript", Version: "quickjs-ng 0.17.0", Image: "quickjs", Digest: "abcd", Ready: true},
		{Language: "typescript", Version: "quickjs-ng 0.17.0", Image: "quickjs", Digest: "abcd", Ready: true},
		{Language: "python", Version: "CPython 3.15.0", Image: "python", Ready: f.ready},
	}
}

func (f *fakeExecutor) Validate(r *execution.Request) error {
	var errs []error
	if r.Language != "javascript" && r.Language != "typescript" {
		errs = append(errs, &execution.InvalidError{Field: "/language", Message: "must be javascript or typescript"})
	}
	if r.Limits.CPU > time.Minute {
		errs = append(errs, &execution.InvalidError{Field: "/limits/cpu_ms", Message: "must not exceed 60000"})
	}
	return errors.Join(errs...)
}

func (f *fakeExecutor) Execute(ctx context.Context, id string, r execution.Request, emit func(execution.Event)) (*execution.Result, error) {
	if err := f.Validate(&r); err != nil {
		return nil, err
	}
	seq := int64(0)
	send := func(e execution.Event) {
		if emit != nil {
			seq++
			e.Seq, e.Time = seq, time.Unix(1_700_000_000, 0).Add(time.Duration(seq)*time.Millisecond)
			emit(e)
		}
	}
	result := &execution.Result{Outcome: execution.OK, Usage: execution.Usage{
		CPU: 1234 * time.Microsecond, Wall: 2 * time.Millisecond, Startup: 17 * time.Microsecond, PeakMemory: 65536,
	}}
	out := func(s string) { result.Stdout += s; send(execution.Event{Stdout: s}) }
	errOut := func(s string) { result.Stderr += s; send(execution.Event{Stderr: s}) }
	canceled := func() {
		result.Outcome, result.ExitCode = execution.Canceled, 1
		result.Error = &execution.Error{Name: "Canceled", Message: context.Cause(ctx).Error()}
	}
	verb, arg, _ := strings.Cut(r.Code, " ")
	switch verb {
	case "hello":
		result.Value, result.ValueType = json.RawMessage(`"hi"`), "string"
	case "input":
		result.Value, result.ValueType = r.Input, "object"
	case "request":
		result.Value, _ = json.Marshal(r)
		result.ValueType = "object"
	case "text":
		result.Text, result.ValueType = arg, "Map"
	case "lines":
		result.Value, result.ValueType = json.RawMessage("{\n\"a\":\r\n1}"), "object"
	case "broken":
		result.Value, result.ValueType = json.RawMessage("{not json\n"), "object"
	case "print":
		out(arg)
	case "talk":
		out("one\n")
		errOut("two\n")
		out("three\n")
	case "show", "showing": // displays; with output between them
		for i, d := range testDisplays {
			result.Displays = append(result.Displays, d)
			send(execution.Event{Display: &testDisplays[i]})
			if verb == "showing" {
				out("shown\n")
			}
		}
		result.Text, result.ValueType = "Figure", "Figure"
	case "throw":
		result.Outcome, result.ExitCode = execution.Exception, 1
		result.Error = &execution.Error{Name: "TypeError", Message: arg, Stack: "at main.js:1", Cause: &execution.Error{Name: "Error", Message: "why"}}
	case "spin":
		result.Outcome, result.ExitCode = execution.ExceededCPU, 1
		result.Truncated = []string{"stdout"}
		result.Error = &execution.Error{Name: "ExceededCPU", Message: "too much"}
	case "block": // until it is canceled
		out("ready\n")
		f.started <- id
		<-ctx.Done()
		canceled()
	case "wait": // for a gate
		out("before\n")
		f.started <- id
		select {
		case <-f.gate(arg):
			out("after\n")
		case <-ctx.Done():
			canceled()
		}
	case "quiet": // wait, without a word before
		f.started <- id
		select {
		case <-f.gate(arg):
		case <-ctx.Done():
			canceled()
		}
	case "artifact", "export": // name, type, content
		parts := strings.SplitN(arg, " ", 3)
		sum := sha256.Sum256([]byte(parts[2]))
		a := execution.Artifact{Name: parts[0], Path: "/artifacts/" + parts[0], Size: int64(len(parts[2])), ContentType: parts[1], SHA256: hex.EncodeToString(sum[:])}
		if _, err := f.objects.Put(ctx, execution.ArtifactKey(id, a.Name), strings.NewReader(parts[2]), storage.PutOptions{ContentType: a.ContentType}); err != nil {
			return nil, err
		}
		if verb == "export" {
			a.Export = &execution.Exported{Bucket: "reports", Key: "p/" + a.Name, Error: storage.ErrReadOnly.Error()}
		}
		result.Artifacts = append(result.Artifacts, a)
	case "panic":
		panic("the executor is broken")
	case "fail":
		return nil, errors.New("secret detail")
	case "overload":
		return nil, &execution.OverloadError{RetryAfter: 1500 * time.Millisecond, Reason: "the queue is full"}
	case "quota":
		return nil, &execution.OverloadError{Tenant: true, Reason: "the tenant's share is used up"}
	default:
		return nil, &execution.InvalidError{Field: "/code", Message: "unknown verb"}
	}
	if result.ValueType != "" {
		send(execution.Event{Result: result})
	}
	if result.Error != nil {
		send(execution.Event{Error: result.Error})
	}
	for i := range result.Artifacts {
		send(execution.Event{Artifact: &result.Artifacts[i]})
	}
	send(execution.Event{Usage: &result.Usage})
	send(execution.Event{End: result})
	select {
	case f.ended <- result.Outcome:
	default:
	}
	return result, nil
}

// A testServer is a real server on a free port of loopback.
type testServer struct {
	*Server
	t        testing.TB
	executor *fakeExecutor
	client   *http.Client
	doc      *openapi3.T
	log      *bytes.Buffer
	url      string
}

// newTestServer starts a server that ends with the test. change may alter the
// options.
func newTestServer(t testing.TB, change func(*Options)) *testServer {
	t.Helper()
	store, objects := newTestStorage(t)
	log := &lockedBuffer{}
	o := Options{
		Store: store, Objects: objects, Listen: "127.0.0.1:0",
		Keep: time.Hour, Version: "test", Log: slog.New(slog.NewTextHandler(log, nil)),
		ResumeWindow: 50 * time.Millisecond,
	}
	executor := newFakeExecutor(objects)
	o.Executor = executor
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	ts := &testServer{Server: s, t: t, executor: executor, log: &log.Buffer, url: "http://" + s.Addr().String()}
	address := s.Addr().String()
	transport := &http.Transport{
		// Every name leads to the server, as *.localhost does in browsers.
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 32,
	}
	ts.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ts.doc = loadSpecification(t)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return ts
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// An answer is a response that has been read, and found to be as specified.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// request makes a request; fields are name, value, name, value.
func (s *testServer) request(method, path, body string, fields ...string) *http.Request {
	s.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = s.url + path
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(fields); i += 2 {
		switch {
		case fields[i] == "Host":
			r.Host = fields[i+1]
		case fields[i+1] == "":
			r.Header.Del(fields[i])
		default:
			r.Header.Set(fields[i], fields[i+1])
		}
	}
	return r
}

// do makes a request, reads the answer and holds it against the
// specification.
func (s *testServer) do(method, path, body string, fields ...string) *answer {
	s.t.Helper()
	r := s.request(method, path, body, fields...)
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &answer{s.t, resp.StatusCode, resp.Header, data}
	s.conforms(r, []byte(body), a)
	return a
}

// post runs code.
func (s *testServer) post(code string, fields ...string) *answer {
	s.t.Helper()
	return s.do("POST", "/v1/executions", program(code), fields...)
}

func program(code string) string {
	b, _ := json.Marshal(map[string]any{"language": "javascript", "code": code})
	return string(b)
}

// conforms holds an answer against the specification; and the request too, if
// the server took it.
func (s *testServer) conforms(r *http.Request, body []byte, a *answer) {
	s.t.Helper()
	if a.header.Get("X-Content-Type-Options") != "nosniff" {
		s.t.Errorf("%s %s: no nosniff", r.Method, r.URL.Path)
	}
	plain := r.Clone(context.Background())
	plain.URL = &url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	plain.Host = ""
	if plain.Method == http.MethodHead {
		plain.Method = http.MethodGet
	}
	plain.Body = io.NopCloser(bytes.NewReader(body))
	plain.ContentLength = int64(len(body))
	route, parameters := s.route(plain)
	if route == nil || s.hosts.execution(r.Host) != "" {
		if a.status < 300 && a.status != 204 && s.hosts.execution(r.Host) == "" {
			s.t.Errorf("%s %s: %d, but not specified", r.Method, r.URL.Path, a.status)
		}
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: plain, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true},
	}
	if a.status < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			s.t.Errorf("%s %s: the server took what is not specified: %v", r.Method, r.URL.Path, err)
		}
	}
	if r.Method == http.MethodHead || strings.HasSuffix(route.Path, "{name}") && a.status < 400 {
		return // no body, or one that is not ours
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.header,
		Body: io.NopCloser(bytes.NewReader(a.body)), Options: input.Options,
	}
	if err := openapi3filter.ValidateResponse(context.Background(), output); err != nil {
		s.t.Errorf("%s %s: %d is not as specified: %v\n%s", r.Method, r.URL.Path, a.status, err, a.body)
	}
}

func init() {
	text := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		b, err := io.ReadAll(body)
		return string(b), err
	}
	for _, media := range []string{"text/event-stream", "application/x-ndjson", "application/yaml", "text/html"} {
		openapi3filter.RegisterBodyDecoder(media, text)
	}
}

// A testEvent is an event as clients see it.
type testEvent struct {
	Seq      int64
	Type     string
	Text     string
	Result   any
	Display  map[string]any
	Error    *execution.Error
	Artifact *testArtifact
	Outcome  string
	comment  bool
}

// parse decodes an event and holds it against the specification.
func (s *testServer) parse(data []byte) (e testEvent) {
	s.t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		s.t.Fatalf("%v: %s", err, data)
	}
	if err := s.doc.Components.Schemas["Event"].Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		s.t.Errorf("not as specified: %v: %s", err, data)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		s.t.Fatal(err)
	}
	return e
}

// next reads one event of a stream; ok is false at the end.
func (s *testServer) next(media string, in *bufio.Reader) (e testEvent, ok bool) {
	s.t.Helper()
	var id, event, data string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if line != "" || data != "" {
				s.t.Fatalf("cut off: %q", line)
			}
			return e, false
		}
		line = strings.TrimSuffix(line, "\n")
		if media == "application/x-ndjson" {
			return s.parse([]byte(line)), true
		}
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && data != "":
			e = s.parse([]byte(data))
			if fmt.Sprint(e.Seq) != id || e.Type != event {
				s.t.Errorf("event %s, id %s, data %s", event, id, data)
			}
			return e, true
		case line == ":":
			return testEvent{comment: true}, true
		case name == "id":
			id = value
		case name == "event":
			event = value
		case name == "data":
			data = value
		}
	}
}

// events reads all events of an answer.
func (a *answer) events(s *testServer) (list []testEvent) {
	a.t.Helper()
	if a.header.Get("Content-Type") == "application/json" {
		var all struct{ Events []json.RawMessage }
		a.decode(&all)
		for _, one := range all.Events {
			list = append(list, s.parse(one))
		}
		return list
	}
	in := bufio.NewReader(bytes.NewReader(a.body))
	for {
		e, ok := s.next(a.header.Get("Content-Type"), in)
		if !ok {
			return list
		}
		list = append(list, e)
	}
}

// route finds what the specification says of a request.
func (s *testServer) route(r *http.Request) (*routers.Route, map[string]string) {
	segments := strings.SplitN(r.URL.Path, "/", 6)
	for path, item := range s.doc.Paths.Map() {
		parameters := map[string]string{}
		pattern := strings.SplitN(path, "/", 6)
		if len(pattern) != len(segments) {
			continue
		}
		same := true
		for i, p := range pattern {
			if strings.HasPrefix(p, "{") && segments[i] != "" {
				parameters[strings.Trim(p, "{}")] = segments[i]
			} else if p != segments[i] {
				same = false
			}
		}
		if op := item.GetOperation(r.Method); same && op != nil {
			return &routers.Route{Spec: s.doc, Path: path, PathItem: item, Method: r.Method, Operation: op}, parameters
		}
	}
	return nil, nil
}

// want ends the test unless the answer has the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// problem ends the test unless the answer is that problem.
func (a *answer) problem(kind problemKind) *answer {
	a.t.Helper()
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.header.Get("Content-Type") != problemContentType {
		a.t.Fatalf("%d %s is no problem: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	if p.Type != problemTypePrefix+string(kind) || a.status != problemKinds[kind].status || p.Status != a.status || p.Code != a.status || p.Message != p.Detail || p.Detail == "" {
		a.t.Fatalf("want %s: %d %s", kind, a.status, a.body)
	}
	return a
}

// testExecution is an execution as clients see it.
type testExecution struct {
	ID, Status, Outcome string
	CreatedAt           time.Time `json:"created_at"`
	Result              any
	ResultType          string `json:"result_type"`
	Displays            []map[string]any
	Stdout, Stderr      string
	Truncated           []string
	Error               *execution.Error
	ExitCode            int `json:"exit_code"`
	Usage               map[string]float64
	Runtime             map[string]string
	Metadata            map[string]string
	Artifacts           []testArtifact
}

type testArtifact struct {
	Name, Path, URL, SHA256 string
	Size                    int
	ContentType             string    `json:"content_type"`
	ExpiresAt               time.Time `json:"expires_at"`
}

func (a *answer) execution() testExecution {
	a.t.Helper()
	var x testExecution
	a.decode(&x)
	return x
}

func (a *answer) decode(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
}

// eventually waits until ok, or ends the test.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("not in time: " + what)
}

func (s *testServer) idle() {
	s.t.Helper()
	eventually(s.t, "nothing is under way", func() bool {
		busy := false
		s.runs.each(func(*run) { busy = true })
		return !busy
	})
}

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func hashOf(body string) [32]byte { return sha256.Sum256([]byte(body)) }
