package execution_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/guests/quickjs"
	"mayfly/guests/registry"
	"mayfly/host/bundle"
	"mayfly/host/execution"
	"mayfly/runtime/isolate"
)

// npmFolder has the packages of the cases, and the cases: see its README.
const npmFolder = "../../testdata/npm"

// npmModules installs the packages and answers their node_modules.
var npmModules = sync.OnceValues(func() (string, error) {
	folder, err := registry.InstallNPM(context.Background(), filepath.Join(cacheFolder, "test"), os.DirFS(npmFolder), func(string, float64) {})
	return filepath.Join(folder, "node_modules"), err
})

// A npmCase is a program that uses a package in earnest.
type npmCase struct {
	name, path, source string
	evaluates          bool // makes code from strings
}

func npmCases(t *testing.T) []npmCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(npmFolder, "cases", "*.js"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []npmCase
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, npmCase{strings.TrimSuffix(filepath.Base(path), ".js"), path, string(source), strings.Contains(string(source), "// needs eval\n")})
	}
	return cases
}

// npmEpilogue tells how many checks passed, so that a case that never got to
// them does not pass for one that did.
const npmEpilogue = "\nimport { count as countChecks } from \"../check.js\";\nconsole.log(\"checks\", countChecks());\n"

// npmHarness runs cases against the peer.
type npmHarness struct {
	plain, evaluating *execution.Service
	peer              *httptest.Server
}

func newNPMHarness(t *testing.T) *npmHarness {
	h := &npmHarness{
		plain:      newService(t, nil),
		evaluating: newService(t, func(c *execution.Config, _ *isolate.Config) { c.AllowEval = true }),
		peer:       httptest.NewServer(http.HandlerFunc(npmPeer)),
	}
	t.Cleanup(h.peer.Close)
	return h
}

// check runs a case's code, with files, and fails unless it passes at least
// as many checks as its source has.
func (h *npmHarness) check(t *testing.T, c npmCase, r execution.Request) {
	t.Helper()
	s := h.plain
	if c.evaluates {
		s = h.evaluating
	}
	_, port, err := net.SplitHostPort(h.peer.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	r.Limits = execution.Limits{CPU: 20 * time.Second, Wall: time.Minute, MemoryBytes: 256 << 20}
	r.Network = execution.Network{Allow: []execution.NetworkRule{{Host: "127.0.0.1", Ports: []int{number}}}}
	r.Env = map[string]string{"PEER": h.peer.URL}
	result := execute(t, s, r)
	wanted := len(npmCheck.FindAllString(c.source, -1))
	got, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(result.Stdout, "checks ")))
	if result.Outcome != execution.OK || got < wanted || wanted < 3 {
		t.Errorf("%d checks of %d passed: %s", got, wanted, show(result))
	}
}

var npmCheck = regexp.MustCompile(`(?m)^(await )?(equal|match|ok|throws|rejects)\(`)

// TestNPM runs the cases, each bundled with its package into one module.
func TestNPM(t *testing.T) {
	modules, err := npmModules()
	if err != nil {
		t.Fatal(err)
	}
	cases := npmCases(t)
	if len(cases) < 40 {
		t.Fatalf("there are %d cases", len(cases))
	}
	h := newNPMHarness(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, err := bundle.Bundle(bundle.BundleOptions{
				Source: c.source + npmEpilogue, Name: filepath.Base(c.path), Dir: filepath.Dir(c.path), Modules: modules, Builtin: quickjs.Builtin,
			})
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, c, execution.Request{Code: code})
		})
	}
}
