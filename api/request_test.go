package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mayfly/host/execution"
)

// The decoder takes no text that encoding/json refuses, and reads the same
// from those that both take.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"language":"javascript","code":"1+2"}`,
		`{"language":"javascript","code":"\u00e9\ud83d\ude00\n","input":{"a":[1,-2.5e-3,true,null]},"limits":{"cpu_ms":5,"memory_mb":64}}`,
		`{"language":"typescript","entrypoint":"a.ts","files":[{"path":"a.ts","content":"x"},{"path":"b","content_base64":"AAE="}],"env":{"A":"b"},"args":["c"]}`,
		`{"network":{"allow":[{"host":"*","ports":[80],"methods":["GET"]}]},"artifacts":{"paths":["/x"]},"metadata":{"k":"v"},"tenant":"t","stdin":"s"}`,
		`{"files":[{"path":"a","artifact":{"execution":"e","name":"n"}}]}`,
		`{"a~b/c":{"d":[[[]]]}}`, ` [ ] `, `{"input":"\ud800"}`, `{"input":01}`, "\xff", `{"code":"`, `{,}`, `{"a":1,}`, `"\`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var d decoder
		d.decode(body)
		if d.err != nil {
			line, column, message := d.place()
			if line < 1 || column < 1 || message == "" {
				t.Errorf("no place for %v", d.err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("took %q", body)
		}
		for _, e := range d.errors {
			if e.Detail == "" || !utf8.ValidString(e.Pointer) || e.Pointer != "" && e.Pointer[0] != '/' {
				t.Errorf("%+v", e)
			}
		}
		if len(d.errors) > 0 {
			return
		}
		var want struct {
			Language, Code, Entrypoint, Stdin, Tenant string
			Args                                      []string
			Env, Metadata                             map[string]string
			Input                                     json.RawMessage
			Files                                     []struct{ Path string }
			Limits                                    struct {
				CPU int64 `json:"cpu_ms"`
			}
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", body, err)
		}
		got := &d.request
		if got.Language != want.Language || got.Code != want.Code || got.Entrypoint != want.Entrypoint || string(got.Stdin) != want.Stdin || got.Tenant != want.Tenant ||
			len(got.Args) != len(want.Args) || len(got.Env) != len(want.Env) || len(got.Files) != len(want.Files) ||
			!bytes.Equal(got.Input, want.Input) || got.Limits.CPU != time.Duration(want.Limits.CPU)*time.Millisecond {
			t.Errorf("%q: got %+v, want %+v", body, got, want)
		}
		for i := range got.Args {
			if got.Args[i] != want.Args[i] {
				t.Errorf("argument %d: %q, want %q", i, got.Args[i], want.Args[i])
			}
		}
		for k, v := range want.Env {
			if got.Env[k] != v {
				t.Errorf("variable %q: %q, want %q", k, got.Env[k], v)
			}
		}
	})
}

// What is encoded is JSON on one line, and says what it was made of.
func FuzzEncode(f *testing.F) {
	f.Add("hello\n", `{"a":1}`, "number")
	f.Add("\x00\xff\u2028\"\\", "{\n}", "")
	f.Add("", `"\ud800"`, "x")
	f.Add("", "[1", "object")
	f.Fuzz(func(t *testing.T, text, value, kind string) {
		r := &execution.Result{Stdout: text, Stderr: text, Value: json.RawMessage(value), ValueType: kind, Truncated: []string{text},
			Error: &execution.Error{Name: kind, Message: text, Cause: &execution.Error{Message: value}}}
		out := appendOutput(nil, r)
		if !json.Valid(out) || bytes.ContainsAny(out, "\r\n") {
			t.Fatalf("%q", out)
		}
		var got struct{ Stdout string }
		if err := json.Unmarshal(out, &got); err != nil || got.Stdout != strings.ToValidUTF8(text, "\uFFFD") && utf8.ValidString(text) {
			t.Errorf("%q became %q", text, got.Stdout)
		}
		for i, e := range story(r, time.Unix(1, 0)) {
			e.Seq = int64(i + 1)
			if out := appendEvent(nil, "id", &e, nil); !json.Valid(out) || bytes.ContainsAny(out, "\r\n") {
				t.Fatalf("%q", out)
			}
		}
	})
}

// A chain of causes that goes in a circle ends.
func TestCircularCause(t *testing.T) {
	e := &execution.Error{Name: "Error"}
	e.Cause = e
	if out := appendError(nil, e); !json.Valid(out) || strings.Count(string(out), "cause") != maxCauses-1 {
		t.Errorf("%s", out)
	}
}

func TestDeepValue(t *testing.T) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if out := appendValue(nil, []byte(deep)); string(out) != deep {
		t.Error("a deep value is not itself")
	}
	deeper := strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000)
	if out := appendValue(nil, []byte(deeper)); out[0] != '"' {
		t.Error("a value without bounds is taken as JSON")
	}
}

func TestMillis(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", -time.Second: "0", time.Nanosecond: "0", time.Microsecond: "0.001", 10 * time.Microsecond: "0.01", 100 * time.Microsecond: "0.1",
		time.Millisecond: "1", 1234567 * time.Microsecond: "1234.567", 10 * time.Millisecond: "10", 1500 * time.Microsecond: "1.5",
	} {
		if got := string(appendMillis(nil, d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	// What is before in the buffer is left alone.
	if got := string(appendMillis([]byte("100,"), 0)); got != "100,0" {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"langauge": "language", "Code": "code", "file": "files", "inputs": "input", "x": "", "limit": "limits", "wibble": "", "entry_point": "entrypoint",
	} {
		if got := nearest(name, requestFields); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRetold(t *testing.T) {
	r := &execution.Result{Stdout: "ab", Stderr: "c", ValueType: "number", Value: json.RawMessage("1"), Artifacts: make([]execution.Artifact, 2)}
	if !retold(story(r, time.Time{}), r) {
		t.Error("a story is not told again")
	}
	split := append([]execution.Event{{Seq: 1, Stdout: "a"}, {Seq: 2, Stdout: "b"}}, story(r, time.Time{})[1:]...)
	if retold(split, r) {
		t.Error("two parts of stdout are not one")
	}
	swapped := story(r, time.Time{})
	swapped[0], swapped[1] = swapped[1], swapped[0]
	if retold(swapped, r) {
		t.Error("the order is lost")
	}
}
