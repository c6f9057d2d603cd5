package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/binding"
	"mayfly/host/execution"
)

func TestSync(t *testing.T) {
	s := newTestServer(t, nil)
	a := s.do("POST", "/v1/executions", `{"language":"javascript","code":"hello","metadata":{"b":"2","a":"1"}}`).want(200)
	x := a.execution()
	if x.Status != "done" || x.Outcome != "ok" || x.Result != "hi" || x.ResultType != "string" || x.ExitCode != 0 {
		t.Errorf("%s", a.body)
	}
	if x.Runtime["language"] != "javascript" || x.Runtime["digest"] != "abcd" || x.Metadata["a"] != "1" {
		t.Errorf("%s", a.body)
	}
	want := map[string]float64{"cpu_ms": 1.234, "wall_ms": 2, "queue_ms": 0, "startup_us": 17, "peak_memory_bytes": 65536, "egress_bytes": 0, "ingress_bytes": 0, "subrequests": 0}
	if !reflect.DeepEqual(x.Usage, want) {
		t.Errorf("usage %v", x.Usage)
	}
	if d := time.Since(x.CreatedAt); d < -time.Second || d > time.Minute {
		t.Errorf("created at %v", x.CreatedAt)
	}
	again := s.do("GET", "/v1/executions/"+x.ID, "").want(200)
	if string(again.body) != string(a.body) {
		t.Errorf("the record differs:\n%s\n%s", again.body, a.body)
	}
	// And from the disk.
	s.idle()
	if again := s.do("GET", "/v1/executions/"+x.ID, "").want(200); string(again.body) != string(a.body) {
		t.Errorf("the stored record differs:\n%s\n%s", again.body, a.body)
	}
}

func TestResults(t *testing.T) {
	s := newTestServer(t, nil)
	for _, c := range []struct {
		code    string
		outcome string
		want    string // a part of the answer
	}{
		{"hello", "ok", `"result":"hi","result_type":"string","displays":[]`},
		{"text Map(1) {}", "ok", `"result":"Map(1) {}","result_type":"Map"`},
		{"lines", "ok", `"result":{"a":1}`},
		{"broken", "ok", `"result":"{not json\n"`},
		{"print a\x00\xff\u2028\"\\é", "ok", "\"stdout\":\"a\\u0000\uFFFD\u2028\\\"\\\\é\""},
		{"print x", "ok", `"result":null,"result_type":null`},
		{"throw no", "exception", `"error":{"name":"TypeError","message":"no","stack":"at main.js:1","cause":{"name":"Error","message":"why"}},"exit_code":1`},
		{"spin", "exceededCpu", `"truncated":["stdout"]`},
	} {
		a := s.post(c.code).want(200)
		if x := a.execution(); x.Outcome != c.outcome {
			t.Errorf("%q: outcome %s", c.code, x.Outcome)
		}
		if !strings.Contains(string(a.body), c.want) {
			t.Errorf("%q: no %s in %s", c.code, c.want, a.body)
		}
	}
}

// Every field of a request reaches the executor.
func TestRequestFields(t *testing.T) {
	s := newTestServer(t, nil)
	a := s.do("POST", "/v1/executions", `{
		"language": "typescript", "code": "request", "stdin": "in\ud83d\ude00", "args": ["a", ""], "env": {"K": "v"},
		"input": {"deep": [1, 2.5e3, null, "\ud800"]},
		"files": [{"path": "a/b.txt", "content": "text"}, {"path": "c.bin", "content_base64": "AAEC/w=="}],
		"limits": {"cpu_ms": 1, "wall_ms": 2, "memory_mb": 3, "output_bytes": 4, "files_bytes": 5, "subrequests": 6, "operations": 7},
		"network": {"allow": [{"host": "*.example.com", "ports": [443], "methods": ["GET"]}, {"host": "1.2.3.4"}]},
		"bindings": {"R2": {"type": "r2_bucket", "bucket": "reports", "prefix": "a/", "read_only": true, "limits": {"operations": 1, "read_bytes": 2, "write_bytes": 3}},
			"KV": {"type": "kv_namespace", "namespace": "n"}, "V": {"type": "var", "value": {"a": [1, null]}}, "S": {"type": "secret", "secret": "TOKEN"},
			"F": {"type": "fetcher", "base_url": "https://x.example/", "network": {"allow": [{"host": "x.example"}]}}, "A": {"type": "assets", "files": "/public"}},
		"artifacts": {"paths": ["/out/**"]}, "tenant": "acme", "metadata": {"k": "v"}}`).want(200)
	var got struct{ Result execution.Request }
	a.decode(&got)
	want := execution.Request{
		Language: "typescript", Code: "request", Stdin: []byte("in😀"), Args: []string{"a", ""}, Env: map[string]string{"K": "v"},
		Input: json.RawMessage(`{"deep":[1,2.5e3,null,"\ud800"]}`),
		Files: []execution.File{{Path: "a/b.txt", Content: []byte("text")}, {Path: "c.bin", Content: []byte{0, 1, 2, 255}}},
		Limits: execution.Limits{CPU: time.Millisecond, Wall: 2 * time.Millisecond, MemoryBytes: 3 << 20,
			OutputBytes: 4, FilesBytes: 5, Subrequests: 6, Operations: 7},
		Network: execution.Network{Allow: []execution.NetworkRule{
			{Host: "*.example.com", Ports: []int{443}, Methods: []string{"GET"}}, {Host: "1.2.3.4"}}},
		Bindings: []execution.Binding{
			{Name: "R2", Type: "r2_bucket", Bucket: "reports", Prefix: "a/", ReadOnly: true, Limits: binding.Limits{Operations: 1, ReadBytes: 2, WriteBytes: 3}},
			{Name: "KV", Type: "kv_namespace", Namespace: "n"}, {Name: "V", Type: "var", Value: json.RawMessage(`{"a":[1,null]}`)}, {Name: "S", Type: "secret", Secret: "TOKEN"},
			{Name: "F", Type: "fetcher", BaseURL: "https://x.example/", Network: execution.Network{Allow: []execution.NetworkRule{{Host: "x.example"}}}},
			{Name: "A", Type: "assets", Files: "/public"},
		},
		Artifacts: []string{"/out/**"}, Tenant: "acme", Metadata: map[string]string{"k": "v"},
	}
	if !reflect.DeepEqual(got.Result, want) {
		t.Errorf("got  %+v\nwant %+v", got.Result, want)
	}
}

func TestInvalidRequests(t *testing.T) {
	s := newTestServer(t, nil)
	for _, c := range []struct {
		name, body string
		errors     []string // pointer: part of the detail
	}{
		{"nothing", `{}`, []string{"/language: required", "/code: required"}},
		{"no object", `[1]`, []string{": expected an object, not array"}},
		{"null", `null`, []string{": expected an object, not null"}},
		{"wrong types", `{"language":1,"code":[],"args":"x","env":{"A":1},"stdin":{}}`,
			[]string{"/language: expected a string, not number", "/code: expected a string, not array", "/args: expected an array", "/env/A: expected a string, not number", "/stdin: expected a string, not object"}},
		{"typo", `{"langauge":"javascript","code":"hello"}`, []string{"/langauge: unknown field; did you mean language?", "/language: required"}},
		{"unknown", `{"language":"javascript","code":"hello","wibble":1}`, []string{"/wibble: unknown field; known are language"}},
		{"escaped name", `{"language":"javascript","code":"hello","a/b~c":1}`, []string{"/a~1b~0c: unknown"}},
		{"twice", `{"language":"javascript","code":"hello","code":"hello"}`, []string{"/code: is given twice"}},
		{"bindings", `{"language":"javascript","code":"hello","bindings":{"A":1,"B":{},"C":{"type":"var","bucket":"x","value":1},"D":{"type":"r2_bucket","bucket":1,"limits":{"operations":0,"reads":1}},"E":{"type":"fetcher","network":{"allow":[{}]},"wibble":1}}}`,
			[]string{"/bindings/A: expected a binding", "/bindings/B/type: required", "/bindings/C/bucket: is no member of a binding of type var", "/bindings/D/bucket: expected a string, not number",
				"/bindings/D/limits/operations: must be an integer from 1", "/bindings/D/limits/reads: unknown field", "/bindings/E/network/allow/0/host: required", "/bindings/E/wibble: unknown field"}},
		{"later", `{"language":"javascript","code":"hello","image":"x","callback_url":"http://x"}`,
			[]string{"/image: is not offered", "/callback_url: is not offered"}},
		{"packages", `{"language":"javascript","code":"hello","packages":["a==1",2,"\u0000"],"args":{}}`, []string{"/packages/1: expected a string, not number", "/args: expected an array"}},
		{"many packages", `{"language":"javascript","code":"hello","packages":["` + strings.Repeat(`a","`, 32) + `a"]}`, []string{"/packages: must not have more than 32 elements"}},
		{"limits", `{"language":"javascript","code":"hello","limits":{"cpu_ms":0,"wall_ms":1.5,"memory_mb":-1,"output_bytes":"1","files_bytes":99999999999999999999,"subreqests":1}}`,
			[]string{"/limits/cpu_ms: must be an integer from 1", "/limits/wall_ms: must be an integer", "/limits/memory_mb: must be", "/limits/output_bytes: expected an integer, not string", "/limits/files_bytes: must be", "/limits/subreqests: unknown field; did you mean subrequests?"}},
		{"memory overflow", `{"language":"javascript","code":"hello","limits":{"memory_mb":9007199254740993}}`, []string{"/limits/memory_mb: must be"}},
		{"files", `{"language":"javascript","entrypoint":"z.js","files":[{"path":""},{"path":"../x","content":""},{"path":"a","content":"","content_base64":""},{"path":"b","content_base64":"*"},{"content":"x"},{"path":"a\u0000b","content":""},{"path":"./a","content":""}]}`,
			[]string{"/files/0/path: must not be empty", "/files/0: must have exactly one", "/files/1/path: must not hold '..'", "/files/2: must have exactly one", "/files/3/content_base64: must be base64", "/files/4/path: required", "/files/5/path: must not hold a NUL", "/files/6/path: is the path of file 2"}},
		{"entrypoint", `{"language":"javascript","entrypoint":"z.js","files":[{"path":"a.js","content":""}]}`, []string{"/entrypoint: must be the path of one of files"}},
		{"both", `{"language":"javascript","code":"hello","entrypoint":"a.js","files":[{"path":"a.js","content":""}]}`, []string{"/entrypoint: code and entrypoint"}},
		{"injections", `{"language":"javascript","code":"hello","network":{"allow":[{"host":"a","secret":1,"allow_http":"yes","inject":[{"headr":"a"},"x"]}]}}`,
			[]string{"/network/allow/0/secret: expected a string", "/network/allow/0/allow_http: expected true or false, not string", "/network/allow/0/inject/0/headr: unknown field; did you mean header?", "/network/allow/0/inject/1: expected an injection"}},
		{"export", `{"language":"javascript","code":"hello","artifacts":{"export":{"buckt":"b"}}}`, []string{"/artifacts/export/buckt: unknown field; did you mean bucket?", "/artifacts/export/bucket: required"}},
		{"no export", `{"language":"javascript","code":"hello","artifacts":{"export":"b"}}`, []string{"/artifacts/export: expected an object with bucket and prefix"}},
		{"rules", `{"language":"javascript","code":"hello","network":{"allow":[{"ports":[0,70000]},"x"]}}`,
			[]string{"/network/allow/0/ports/0: must be", "/network/allow/0/ports/1: must be", "/network/allow/0/host: required", "/network/allow/1: expected a rule"}},
		{"environment", `{"language":"javascript","code":"hello","env":{"A=B":"","":"","C":"\u0000"}}`,
			[]string{"/env/A=B: a variable's name", "/env/: a variable's name", "/env/C: holds a NUL"}},
		{"tenant", `{"language":"javascript","code":"hello","tenant":"a/b"}`, []string{"/tenant: must be 1 to 128"}},
		{"surrogate", `{"language":"javascript","code":"\ud800"}`, []string{"/code: holds an unpaired surrogate"}},
		{"artifact", `{"language":"javascript","code":"hello","files":[{"path":"a","artifact":{"execution":"ex00000000000000000000000000"}},{"path":"b","artifact":{"execution":"../..","name":"x"}}]}`,
			[]string{"/files/0/artifact: must name", "/files/1/artifact: there is no such artifact"}},
		{"the executor's", `{"language":"cobol","code":"hello","limits":{"cpu_ms":60001}}`, []string{"/language: must be javascript", "/limits/cpu_ms: must not exceed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, prefer := range []string{"", "respond-async"} {
				a := s.do("POST", "/v1/executions", c.body, "Prefer", prefer).problem(invalidRequest)
				var p Problem
				a.decode(&p)
				var got []string
				for _, e := range p.Errors {
					got = append(got, e.Pointer+": "+e.Detail)
				}
				for _, want := range c.errors {
					found := false
					for _, g := range got {
						found = found || strings.HasPrefix(g, want)
					}
					if !found {
						t.Errorf("no %q in %q", want, got)
					}
				}
				if len(got) != len(c.errors) {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	if a := s.do("GET", "/v1/executions", ""); !strings.Contains(string(a.body), `"executions":[]`) {
		t.Errorf("something ran: %s", a.body)
	}
}

func TestInvalidJSON(t *testing.T) {
	s := newTestServer(t, nil)
	for body, want := range map[string]string{
		`{"language":"javascript",` + "\n" + `"code": oops}`: "Line 2, column 9: expected a value",
		`{"language"`:          "Line 1, column 12: expected ':'",
		`{"language":"a"} x`:   "Line 1, column 18: text after",
		`{"a":"` + "\n" + `"}`: "a control character",
		"{\"a\":\"\xff\"}":     "not valid UTF-8",
		`{"input":01}`:         "expected ',' or '}'",
		`{"input":1.}`:         "a bad number",
		`{"input":"\x"}`:       "an unknown escape",
		`{"input":"\u12"}`:     `a bad \u escape`,
		`{"input":"\`:          "a string without an end",
		` `:                    "the text ends",
		`{"input":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`: "nested deeper",
	} {
		a := s.do("POST", "/v1/executions", body).problem(invalidJSON)
		if !strings.Contains(string(a.body), strings.ReplaceAll(want, `\`, `\\`)) {
			t.Errorf("%.40q: %s", body, a.body)
		}
	}
}

func TestPlatformErrors(t *testing.T) {
	s := newTestServer(t, nil)
	for _, accept := range []string{"application/json", "text/event-stream", "application/x-ndjson"} {
		a := s.post("overload", "Accept", accept).problem(overloaded)
		if got := a.header.Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After %q", got)
		}
		s.post("quota", "Accept", accept).problem(tooManyRequests)
		s.post("nonsense", "Accept", accept).problem(invalidRequest)
	}
	// A fault is an outcome with the name of its log entry, and never the
	// reason.
	for _, code := range []string{"fail", "panic"} {
		a := s.post(code).want(200)
		x := a.execution()
		if x.Outcome != "internalError" || x.Error == nil || strings.Contains(string(a.body), "secret") {
			t.Errorf("%s", a.body)
		}
		incident := x.Error.Message[strings.LastIndexByte(x.Error.Message, ' ')+1:]
		if !strings.Contains(s.log.String(), incident) {
			t.Errorf("no %s in the log: %s", incident, s.log.String())
		}
	}
	s.post("hello").want(200)
}

func TestHTTPErrors(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.MaxBody = 1000 })
	s.do("GET", "/nowhere", "").problem(notFound)
	s.do("GET", "/v1/executions/", "").problem(notFound)
	s.do("GET", "/v1/executions/ex00000000000000000000000000", "").problem(notFound)
	s.do("GET", "/v1/executions/%2e%2e", "").problem(notFound)
	s.do("GET", "/v1/executions/x%00y/events", "").problem(notFound)
	s.do("POST", "/v1/executions/ex00000000000000000000000000/cancel", "").problem(notFound)
	a := s.do("DELETE", "/v1/executions", "").problem(methodNotAllowed)
	if allow := a.header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") || strings.Contains(allow, "PUT") {
		t.Errorf("Allow: %q", allow)
	}
	s.post("hello", "Content-Type", "text/plain").problem(unsupportedMedia)
	s.post("hello", "Content-Type", "").problem(unsupportedMedia)
	s.post("hello", "Content-Type", "application/json; charset=latin1").problem(unsupportedMedia)
	s.post("hello", "Content-Encoding", "gzip").problem(unsupportedMedia)
	s.post("hello", "Content-Type", "application/json; charset=UTF-8").want(200)
	s.post("hello", "Accept", "image/png").problem(notAcceptable)
	s.post("hello", "Accept", "text/html, */*;q=0.1").want(200)
	s.post("hello", "Accept", "application/json;q=0").problem(notAcceptable)
	s.post("print " + strings.Repeat("x", 1000)).problem(tooLarge)
	// Without a Content-Length too.
	r := s.request("POST", "/v1/executions", program("print "+strings.Repeat("x", 1000)))
	r.ContentLength = -1
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestAsync(t *testing.T) {
	s := newTestServer(t, nil)
	a := s.post("wait a", "Prefer", "wait=5, respond-async", "Accept", "text/event-stream").want(202)
	x := a.execution()
	if x.Status == "done" || x.Outcome != "" || a.header.Get("Location") != "/v1/executions/"+x.ID || a.header.Get("Preference-Applied") != "respond-async" {
		t.Errorf("%v %s", a.header, a.body)
	}
	receive(t, s.executor.started)
	if got := s.do("GET", "/v1/executions/"+x.ID, "").want(200).execution(); got.Status != "running" {
		t.Errorf("status %s", got.Status)
	}
	close(s.executor.gate("a"))
	eventually(t, "it ends", func() bool {
		got := s.do("GET", "/v1/executions/"+x.ID, "").want(200).execution()
		return got.Status == "done" && got.Outcome == "ok" && got.Stdout == "before\nafter\n"
	})
	// What is refused only later is recorded all the same.
	y := s.post("overload", "Prefer", "respond-async").want(202).execution()
	eventually(t, "it is shed", func() bool {
		return s.do("GET", "/v1/executions/"+y.ID, "").want(200).execution().Outcome == "loadShed"
	})
}

func TestAsyncIsBounded(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.MaxAsync = 2 })
	s.post("wait a", "Prefer", "respond-async").want(202)
	s.post("wait a", "Prefer", "respond-async").want(202)
	a := s.post("wait a", "Prefer", "respond-async").problem(tooManyRequests)
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	s.post("hello").want(200)
	close(s.executor.gate("a"))
	s.idle()
	s.post("hello", "Prefer", "respond-async").want(202)
}

func TestCancel(t *testing.T) {
	s := newTestServer(t, nil)
	x := s.post("block", "Prefer", "respond-async").want(202).execution()
	receive(t, s.executor.started)
	s.do("POST", "/v1/executions/"+x.ID+"/cancel", "").want(202)
	eventually(t, "it ends", func() bool {
		return s.do("GET", "/v1/executions/"+x.ID, "").want(200).execution().Outcome == "canceled"
	})
	if got := s.do("POST", "/v1/executions/"+x.ID+"/cancel", "").want(200).execution(); got.Outcome != "canceled" {
		t.Errorf("outcome %s", got.Outcome)
	}
	// One that somebody waits for can be canceled too: who waits is told.
	done := make(chan testExecution)
	go func() { done <- s.post("block").execution() }()
	s.do("POST", "/v1/executions/"+receive(t, s.executor.started)+"/cancel", "").want(202)
	if got := receive(t, done); got.Outcome != "canceled" || !strings.Contains(got.Error.Message, errRequested.Error()) {
		t.Errorf("%+v", got)
	}
}

func TestList(t *testing.T) {
	s := newTestServer(t, nil)
	var ids []string
	for i := range 5 {
		code := "hello"
		if i%2 == 1 {
			code = "throw x"
		}
		ids = append(ids, s.do("POST", "/v1/executions", fmt.Sprintf(`{"language":"javascript","code":%q,"tenant":"t%d","metadata":{"i":"%d"}}`, code, i/3, i)).want(200).execution().ID)
	}
	s.idle()
	type page struct {
		Executions []testExecution
		NextCursor string `json:"next_cursor"`
	}
	list := func(query string) (p page) {
		s.do("GET", "/v1/executions?"+query, "").want(200).decode(&p)
		return p
	}
	all := list("")
	if len(all.Executions) != 5 || all.NextCursor != "" {
		t.Fatalf("%+v", all)
	}
	for i, x := range all.Executions {
		if x.ID != ids[4-i] || x.Metadata["i"] != fmt.Sprint(4-i) || x.Runtime["language"] != "javascript" {
			t.Errorf("%d: %+v", i, x)
		}
	}
	var seen []string
	for cursor := ""; ; {
		p := list("limit=2&cursor=" + cursor)
		for _, x := range p.Executions {
			seen = append(seen, x.ID)
		}
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("pages have %v", seen)
	}
	if p := list("outcome=exception"); len(p.Executions) != 2 {
		t.Errorf("%+v", p)
	}
	if p := list("tenant=t1&status=done"); len(p.Executions) != 2 {
		t.Errorf("%+v", p)
	}
	for _, query := range []string{"limit=0", "limit=x", "limit=1001", "status=ended", "outcome=bad", "cursor=nonsense", "wibble=1", "limit=1&limit=2", "tenant=a%2Fb"} {
		s.do("GET", "/v1/executions?"+query, "").problem(invalidRequest)
	}
	// What takes long is in the list before it ends.
	s.post("wait l", "Prefer", "respond-async").want(202)
	go s.post("wait l")
	receive(t, s.executor.started)
	receive(t, s.executor.started)
	eventually(t, "both are listed as running", func() bool { return len(list("status=running").Executions) == 2 })
	close(s.executor.gate("l"))
	s.idle()
	if p := list("status=running"); len(p.Executions) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestIdempotency(t *testing.T) {
	s := newTestServer(t, nil)
	first := s.post("hello", "Idempotency-Key", "k1").want(200)
	again := s.post("hello", "Idempotency-Key", "k1").want(200)
	if string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	s.post("throw x", "Idempotency-Key", "k1").problem(idempotencyReused)
	s.post("hello", "Idempotency-Key", strings.Repeat("k", 256)).problem(invalidRequest)

	// In flight.
	done := make(chan *answer)
	go func() { done <- s.post("wait i", "Idempotency-Key", "k2") }()
	receive(t, s.executor.started)
	s.post("wait i", "Idempotency-Key", "k2").problem(idempotencyInUse)
	close(s.executor.gate("i"))
	id := receive(t, done).want(200).execution().ID
	if got := s.post("wait i", "Idempotency-Key", "k2").want(200).execution().ID; got != id {
		t.Errorf("ran twice: %s, %s", id, got)
	}

	// In the background.
	async := s.post("hello", "Idempotency-Key", "k3", "Prefer", "respond-async").want(202)
	again = s.post("hello", "Idempotency-Key", "k3", "Prefer", "respond-async").want(202)
	if again.header.Get("Location") != async.header.Get("Location") || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%v", again.header)
	}

	// As a stream.
	stream := s.post("talk", "Idempotency-Key", "k4", "Accept", "application/x-ndjson").want(200)
	again = s.post("talk", "Idempotency-Key", "k4", "Accept", "application/x-ndjson").want(200)
	if string(stream.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s\n%s", stream.body, again.body)
	}

	// What was refused can be tried again.
	for _, accept := range []string{"*/*", "text/event-stream"} {
		s.post("overload", "Idempotency-Key", "k5", "Accept", accept).problem(overloaded)
		s.post("overload", "Idempotency-Key", "k5", "Accept", accept).problem(overloaded)
	}

	// Another tenant's keys are others.
	other := s.do("POST", "/v1/executions", `{"language":"javascript","code":"hello","tenant":"other"}`, "Idempotency-Key", "k1").want(200)
	if other.header.Get("Idempotency-Replayed") != "" {
		t.Error("a key of another tenant was used")
	}
}

// A claim of a process that died does not block the key for a day.
func TestIdempotencyAfterCrash(t *testing.T) {
	s := newTestServer(t, nil)
	body := program("hello")
	if _, err := s.options.Store.ClaimKey(t.Context(), anonymousTenant, "k", hashOf(body), s.options.Store.NewID()); err != nil {
		t.Fatal(err)
	}
	a := s.do("POST", "/v1/executions", body, "Idempotency-Key", "k").want(200)
	if a.header.Get("Idempotency-Replayed") != "" {
		t.Error("replayed what never ran")
	}
	// One whose execution was recorded is answered with it.
	if _, err := s.options.Store.ClaimKey(t.Context(), anonymousTenant, "k2", hashOf(body), a.execution().ID); err != nil {
		t.Fatal(err)
	}
	again := s.do("POST", "/v1/executions", body, "Idempotency-Key", "k2").want(200)
	if string(again.body) != string(a.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s", again.body)
	}
}

// Of many racing requests with one key, one runs.
func TestIdempotencyRace(t *testing.T) {
	s := newTestServer(t, nil)
	var mu sync.Mutex
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			a := s.post("hello", "Idempotency-Key", "race")
			if a.status == 409 {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[a.want(200).execution().ID] = true
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("ran as %v", ids)
	}
}

func TestHammer(t *testing.T) {
	s := newTestServer(t, nil)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 25 {
				switch (worker + i) % 5 {
				case 0:
					s.post("hello").want(200)
				case 1:
					x := s.post("talk", "Prefer", "respond-async").want(202).execution()
					s.do("GET", "/v1/executions/"+x.ID+"/events", "", "Accept", "text/event-stream").want(200)
				case 2:
					s.post("talk", "Accept", "application/x-ndjson").want(200)
				case 3:
					x := s.post("block", "Prefer", "respond-async").want(202).execution()
					s.do("POST", "/v1/executions/"+x.ID+"/cancel", "")
					s.do("GET", "/v1/executions?limit=5", "").want(200)
				case 4:
					s.post("throw x", "Idempotency-Key", fmt.Sprint(worker, i)).want(200)
				}
			}
		})
	}
	wg.Wait()
	s.idle()
}

func TestRuntimesHealthMetrics(t *testing.T) {
	s := newTestServer(t, nil)
	var list struct {
		Runtimes []struct {
			Language string
			Ready    bool
		}
	}
	s.do("GET", "/v1/runtimes", "").want(200).decode(&list)
	if len(list.Runtimes) != 3 || list.Runtimes[0].Language != "javascript" || !list.Runtimes[0].Ready {
		t.Errorf("%+v", list)
	}
	if a := s.do("GET", "/health", "").want(200); string(a.body) != `{"status":"ok","version":"test"}` {
		t.Errorf("%s", a.body)
	}
	if a := s.do("HEAD", "/health", "").want(200); len(a.body) != 0 {
		t.Errorf("%s", a.body)
	}
	s.post("hello").want(200)
	s.post("throw x").want(200)
	s.post("overload").want(503)
	s.idle()
	a := s.do("GET", "/metrics", "").want(200)
	for _, want := range []string{
		`mayfly_executions_total{language="javascript",outcome="ok"} 1`,
		`mayfly_executions_total{language="javascript",outcome="exception"} 1`,
		`mayfly_executions_refused_total{reason="overloaded"} 1`,
		`mayfly_execution_seconds_count{language="javascript",phase="cpu"} 2`,
		`mayfly_execution_seconds_sum{language="javascript",phase="cpu"} 0.002468`,
		`mayfly_http_responses_total{code="503"} 1`,
		`mayfly_executions_under_way 0`,
		`go_goroutines`,
	} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("no %s", want)
		}
	}
	s.executor.ready = false
	if a := s.do("GET", "/health", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), `"starting","version":"test","preparing":["python"]`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestDocs(t *testing.T) {
	s := newTestServer(t, nil)
	a := s.do("GET", "/docs", "").want(200)
	policy := a.header.Get("Content-Security-Policy")
	_, nonce, _ := strings.Cut(policy, "script-src 'nonce-")
	nonce, _, _ = strings.Cut(nonce, "'")
	if len(nonce) < 20 || strings.Count(string(a.body), `nonce="`+nonce+`"`) != 2 || strings.Contains(string(a.body), "{{") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(string(a.body), "//cdn") || strings.Contains(string(a.body), "innerHTML") {
		t.Error("the page is not as strict as it should be")
	}
	if b := s.do("GET", "/docs", "").want(200); b.header.Get("Content-Security-Policy") == policy {
		t.Error("a nonce is used twice")
	}
	s.do("GET", "/openapi.json", "").want(200)
	if a := s.do("GET", "/openapi.yaml", "").want(200); !strings.HasPrefix(string(a.body), "openapi: 3.1") {
		t.Error("not the specification")
	}
}
