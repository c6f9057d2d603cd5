//go:build cpython

package python

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// cpythonVersion is the version whose tests are run: the latest that systems
// ship as a package. The guest's is newer, which is the reason of some failures.
const cpythonVersion = "3.11"

//go:embed testdata/cpython/expectations.toml
var expectationsText string

//go:embed testdata/cpython/runner.py
var cpythonRunner string

// expectations say what of CPython's own tests is run, and what fails and why.
// Each failure and each exclusion has a reason.
type expectations struct {
	// Modules are those that are run, with what is known of each.
	Modules map[string]moduleExpectation
}

type moduleExpectation struct {
	// Fails are tests that fail, as Class.test with stars, and why. One that
	// passes must be taken from here.
	Fails map[string]string
	// Skips are tests that can't be run here, and why.
	Skips map[string]string
}

// cpythonTests finds the folder of the tests: that of the system's package, or
// of a Python of that version.
func cpythonTests(t testing.TB) string {
	t.Helper()
	candidates := []string{os.Getenv("MAYFLY_CPYTHON_TESTS"), "/usr/lib/python" + cpythonVersion + "/test"}
	for _, name := range []string{"python" + cpythonVersion, "python3"} {
		script := "import sys; assert '%d.%d' % sys.version_info[:2] == '" + cpythonVersion + "'; import test; print(test.__path__[0])"
		if out, err := exec.Command(name, "-c", script).Output(); err == nil {
			candidates = append(candidates, strings.TrimSpace(string(out)))
		}
	}
	for _, folder := range candidates {
		if _, err := os.Stat(filepath.Join(folder, "test_json", "__init__.py")); folder != "" && err == nil {
			return folder
		}
	}
	t.Fatalf("CPython's own tests are not there: apt-get install libpython%s-testsuite, or name their folder in MAYFLY_CPYTHON_TESTS", cpythonVersion)
	return ""
}

// sourcesOnly leaves out of a folder what Python writes into it.
type sourcesOnly struct{ fs.FS }

func (s sourcesOnly) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(s.FS, name)
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool {
		return e.Name() == "__pycache__" || !e.IsDir() && !e.Type().IsRegular()
	}), err
}

// A cpythonResult is what the runner answers.
type cpythonResult struct {
	Run, Good, Skipped int
	Bad                map[string]string
}

func runCPython(t *testing.T, base *vfs.Layer, module string, skips []string) (*cpythonResult, error) {
	shared := ready(t)
	h := &platform{timers: map[uint32]*time.Timer{}, tree: vfs.New(vfs.Options{Base: base})}
	h.system = wasi.New(wasi.Options{Tree: h.tree, Args: []string{"main.py"}, Write: func(fd int, b []byte) { h.write(fd, b) }})
	input, err := json.Marshal(map[string]any{"module": module, "skip": append([]string{}, skips...)})
	if err != nil {
		return nil, err
	}
	message := op.RunMessage{Name: "runner.py", Source: cpythonRunner, Input: input, Dir: h.tree.Cwd()}
	report, err := shared.runtime.Run(context.Background(), isolate.Job{
		Program: shared.program, Host: h, Tenant: "test", Event: uint32(op.EventRun), Message: message.Encode(),
		Limits: isolate.Limits{Wall: 4 * time.Minute, Memory: 320 << 20},
	})
	if err != nil {
		return nil, err
	}
	if h.failed != nil {
		return nil, errors.New(h.failed.Stack)
	}
	r := &cpythonResult{}
	if err := json.Unmarshal([]byte(h.result), r); err != nil {
		return nil, errors.Join(fmt.Errorf("%v", report.Outcome), report.Err, err, errors.New(h.stderr.String()))
	}
	return r, nil
}

// TestCPython runs CPython's own tests, module by module, and holds the result
// against testdata/cpython/expectations.toml, whose lists may only get shorter.
// If MAYFLY_CPYTHON names modules, only those are run.
func TestCPython(t *testing.T) {
	var known expectations
	meta, err := toml.Decode(expectationsText, &known)
	if err != nil {
		t.Fatal(err)
	}
	if odd := meta.Undecoded(); len(odd) > 0 {
		t.Fatalf("expectations.toml has unknown keys: %v", odd)
	}
	for module, e := range known.Modules {
		for name, reason := range e.Fails {
			if strings.TrimSpace(reason) == "" {
				t.Errorf("%s: the failure of %s has no reason", module, name)
			}
		}
		for name, reason := range e.Skips {
			if strings.TrimSpace(reason) == "" {
				t.Errorf("%s: the exclusion of %s has no reason", module, name)
			}
		}
	}
	if len(known.Modules) < 60 {
		t.Errorf("%d modules are run, want 60 at least", len(known.Modules))
	}
	modules := slices.Sorted(maps.Keys(known.Modules))
	if choice := os.Getenv("MAYFLY_CPYTHON"); choice != "" {
		modules = strings.Split(choice, ",")
	}
	archive := filepath.Join(t.TempDir(), "cpython.layer")
	if err := vfs.BuildLayer(archive, vfs.BuildOptions{}, vfs.Source{At: "test", FS: sourcesOnly{os.DirFS(cpythonTests(t))}}); err != nil {
		t.Fatal(err)
	}
	layer, err := vfs.OpenLayer(archive)
	if err != nil {
		t.Fatal(err)
	}
	base := vfs.Stack(vfs.Mount{At: "/", Layer: ready(t).layer}, vfs.Mount{At: "/opt/cpython", Layer: layer, ReadOnly: true})
	for _, module := range modules {
		t.Run(module, func(t *testing.T) {
			expected := known.Modules[module]
			start := time.Now()
			r, err := runCPython(t, base, module, slices.Collect(maps.Keys(expected.Skips)))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d tests: %d good, %d skipped, %d failed, in %v", r.Run, r.Good, r.Skipped, len(r.Bad), time.Since(start).Round(time.Millisecond))
			if r.Good == 0 {
				t.Error("no test passed")
			}
			for name, text := range r.Bad {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(expected.Fails)), func(pattern string) bool { return matches(pattern, name) }) {
					t.Errorf("%s fails, and is not expected to:\n%s", name, text)
				}
			}
			for pattern := range expected.Fails {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(r.Bad)), func(name string) bool { return matches(pattern, name) }) {
					t.Errorf("%s passes now: take it from the list", pattern)
				}
			}
		})
	}
}

// matches says whether a pattern names a test; a star stands for anything.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
