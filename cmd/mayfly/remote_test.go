package main

import (
	"encoding/json"
	"testing"
)

// TestRemoteProblem: what is wrong with a field is said once.
func TestRemoteProblem(t *testing.T) {
	for answer, want := range map[string]string{
		`{"title": "The request is not valid", "detail": "/limits/cpu_ms: is not a number", "errors": [{"pointer": "/limits/cpu_ms", "detail": "is not a number"}]}`:                  "The request is not valid: /limits/cpu_ms: is not a number",
		`{"title": "The request is not valid", "detail": "/a: is odd (and 1 more)", "errors": [{"pointer": "/a", "detail": "is odd"}, {"pointer": "/b", "detail": "is even"}]}`:       "The request is not valid:\n  /a: is odd\n  /b: is even",
		`{"title": "Assets are missing", "detail": "2 files are not there.", "errors": [{"pointer": "/assets/files", "detail": "aa"}, {"pointer": "/assets/files", "detail": "bb"}]}`: "Assets are missing: 2 files are not there.\n  /assets/files: aa\n  /assets/files: bb",
		`{"title": "Not found", "detail": "There is no worker."}`: "Not found: There is no worker.",
		`{}`: "the server answers ",
	} {
		p := &remoteProblem{}
		if err := json.Unmarshal([]byte(answer), p); err != nil {
			t.Fatal(err)
		}
		if got := p.Error(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
