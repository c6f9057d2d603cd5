package worker

import (
	"encoding/json"
	"os"
	"testing"

	"mayfly/host/rpc"
)

// rpcPair makes the workers of testdata/rpc: the caller's entrypoint.
func rpcPair(t testing.TB) rpc.Target {
	t.Helper()
	read := func(name string) Definition {
		source, err := os.ReadFile("testdata/rpc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return script(string(source))
	}
	s := newService(t, nil)
	callee := s.Worker(read("callee.js"))
	props, err := rpc.Encode(map[string]any{"who": "me", "list": []any{1}})
	if err != nil {
		t.Fatal(err)
	}
	def := read("caller.js")
	def.Services = []ServiceBinding{
		{"CALLEE", callee.Entrypoint("", rpc.Value{}, Limits{})},
		{"HANDLERS", callee.Entrypoint("handlers", rpc.Value{}, Limits{})},
		{"PROPS", callee.Entrypoint("Props", rpc.Value{Message: props}, Limits{})},
	}
	return entry(s, def)
}

// TestRPC has one worker call another in every way that there is.
func TestRPC(t *testing.T) {
	target := rpcPair(t)
	for _, name := range []string{"values", "members", "pipelining", "functions", "disposal", "services", "streams", "messages", "signals", "kept", "find"} {
		t.Run(name, func(t *testing.T) {
			var report struct {
				Passed   int
				Failures []string
			}
			// What one event leaves another finds, if that is of the same instance.
			for try := 0; try < 50 && report.Passed == 0 && report.Failures == nil; try++ {
				if name == "find" {
					get(t, target, "http://caller/leave")
				}
				status, body := get(t, target, "http://caller/"+name)
				if err := json.Unmarshal([]byte(body), &report); err != nil || status != 200 {
					t.Fatalf("%d %s: %v", status, body, err)
				}
				if len(report.Failures) == 0 {
					report.Failures = nil
				}
			}
			for _, f := range report.Failures {
				t.Error(f)
			}
			if report.Passed == 0 {
				t.Error("nothing was checked")
			}
		})
	}
}
