package execution_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mayfly/host/execution"
)

// Python has all that a request can give, and what it leaves is kept.
func TestPython(t *testing.T) {
	s := pythonService(t)
	t.Run("streams", func(t *testing.T) { testPythonStreams(t, s) })
	t.Run("entrypoints", func(t *testing.T) { testPythonEntrypoints(t, s) })
	file := func(path, content string) execution.File {
		return execution.File{Path: path, Content: []byte(content)}
	}
	for _, c := range []struct {
		name      string
		request   execution.Request
		outcome   execution.Outcome
		value     string
		stdout    string
		artifacts string
		code      int
	}{
		{"value", execution.Request{Code: "{'a': [1, 2.5, None, True]}"}, execution.OK, `{"a":[1,2.5,null,true]}`, "", "", 0},
		{"entrypoint", execution.Request{Entrypoint: "app/main.py", Files: []execution.File{file("app/main.py", "import part\nprint(part.x, __name__)"), file("app/part.py", "x = 7")}},
			execution.OK, "", "7 __main__\n", "", 0},
		{"surroundings", execution.Request{Code: "import sys, os\nprint(sys.stdin.read(), sys.argv[1:], os.environ['K'], os.environ['HOME'], os.getcwd())", Stdin: []byte("in"), Args: []string{"a"}, Env: map[string]string{"K": "v"}},
			execution.OK, "", "in ['a'] v /workspace /workspace\n", "", 0},
		{"artifacts", execution.Request{Code: "open('/artifacts/b.txt', 'w').write('b')\nopen('/artifacts/a.txt', 'w').write('a')\nopen('other.txt', 'w').write('c');"},
			execution.OK, "", "", "a.txt b.txt", 0},
		{"exit", execution.Request{Code: "import sys\nprint('x')\nsys.exit(5)"}, execution.Exception, "", "x\n", "", 5},
		{"exit at once", execution.Request{Code: "import os\nos._exit(6)"}, execution.Exception, "", "", "", 6},
		{"files", execution.Request{Code: "open('big', 'wb').write(bytes(4 << 20))", Limits: execution.Limits{FilesBytes: 1 << 20}}, execution.Exception, "", "", "", 1},
		{"output", execution.Request{Code: "import os\nwhile True: os.write(1, b'x' * 1000)", Limits: execution.Limits{OutputBytes: 4000}}, execution.ExceededOutput, "", strings.Repeat("x", 4000) + "\n[output truncated]\n", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.request.Language = "python"
			r := execute(t, s, c.request)
			var names []string
			for _, a := range r.Artifacts {
				names = append(names, a.Name)
			}
			if r.Outcome != c.outcome || string(r.Value) != c.value || r.Stdout != c.stdout || strings.Join(names, " ") != c.artifacts || r.ExitCode != c.code {
				t.Errorf("%s, artifacts %v, code %d", show(r), names, r.ExitCode)
			}
		})
	}
}

// Output is passed on as it is printed, and a waiting program can be canceled.
func testPythonStreams(t *testing.T, s *execution.Service) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first time.Duration
	start := time.Now()
	r, err := s.Execute(ctx, "test", execution.Request{Language: "python", Code: "import time\nprint('now')\ntime.sleep(60)"}, func(e execution.Event) {
		if e.Stdout == "now\n" {
			first = time.Since(start)
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != execution.Canceled || first == 0 {
		t.Errorf("%s after %v", show(r), first)
	}
}

// Entrypoints have the language's own names.
func testPythonEntrypoints(t *testing.T, s *execution.Service) {
	r := execution.Request{Language: "python", Entrypoint: "main.js", Files: []execution.File{{Path: "main.js"}}}
	if err := s.Validate(&r); err == nil || !strings.Contains(err.Error(), "expected .py") {
		t.Errorf("%v", err)
	}
}
