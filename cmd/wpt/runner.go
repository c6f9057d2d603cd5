package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"mayfly/guests/quickjs"
	"mayfly/host/egress"
	"mayfly/host/execution"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/storage"
)

// What a test may use. Time is generous, since a machine may be busy: what is
// slow shows in the run's own time.
var testLimits = execution.Limits{
	CPU: 2 * time.Minute, Wall: 4 * time.Minute, MemoryBytes: 384 << 20, OutputBytes: 64 << 20, FilesBytes: 64 << 20,
	Subrequests: 10_000, Operations: 10_000,
}

// Time that the harness gives a file, and by how much more one with a long
// timeout has.
const (
	fileTime   = 20 * time.Second
	longFactor = 6
)

// A subtest's status, as testharness.js numbers them.
type status int

const (
	pass status = iota
	fail
	timedOut
	notRun
	unmet // a precondition
)

func (s status) String() string {
	switch s {
	case pass:
		return "pass"
	case fail:
		return "fail"
	case timedOut:
		return "time-out"
	case notRun:
		return "not run"
	case unmet:
		return "precondition failed"
	}
	return "unknown"
}

// A result is what came of one subtest.
type result struct {
	Name    string `json:"name"`
	Status  status `json:"status"`
	Message string `json:"message"`
	Harness bool   `json:"harness"` // the result is of the file: its Status is another one
}

// An outcome is what came of one test.
type outcome struct {
	test     test
	subtests []result
	broken   string // why the file itself failed: a crash, an error of the harness; empty if it did not
}

// A runner runs tests in isolates.
type runner struct {
	suite   string
	time    time.Duration // of a file
	server  *server
	service *execution.Service
	closers []func()
	harness string // testharness.js and what belongs to it
	scripts sync.Map
}

// noObjects keeps no artifacts: tests have none.
type noObjects struct{}

func (noObjects) Put(context.Context, string, io.Reader, storage.PutOptions) (storage.Object, error) {
	return storage.Object{}, errors.New("tests keep no artifacts")
}

func (noObjects) Get(context.Context, string, storage.GetOptions) (*storage.Content, error) {
	return nil, storage.ErrNotFound
}

func newRunner(ctx context.Context, suite, cache string) (_ *runner, err error) {
	r := &runner{suite: suite, time: fileTime}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := r.loadHarness(); err != nil {
		return nil, err
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, func() { e.Close() })
	program, err := isolate.Prepare(ctx, e, quickjs.Guest{}, cache, nil)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, func() { program.Close() })
	machine, err := isolate.New(isolate.Config{})
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, func() { machine.Close() })
	// Tests evaluate scripts in the global scope.
	r.service, err = execution.New(execution.Config{
		Runtime: machine, Objects: noObjects{}, AllowEval: true, Caps: testLimits,
		Egress: egress.Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
	}, execution.Language{Names: []string{"javascript"}, Version: quickjs.Version(), Image: "quickjs", Builtin: quickjs.Builtin})
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, r.service.Close)
	if err := r.service.Install("javascript", program, nil); err != nil {
		return nil, err
	}
	if r.server, err = serveSuite(suite); err != nil {
		return nil, err
	}
	r.closers = append(r.closers, r.server.close)
	return r, nil
}

func (r *runner) close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

//go:embed prelude.js
var prelude string

//go:embed reporter.js
var reporter string

func (r *runner) loadHarness() error {
	source, err := os.ReadFile(filepath.Join(r.suite, "resources", "testharness.js"))
	if err != nil {
		return err
	}
	r.harness = prelude + "\n" + string(source) + "\n;" + reporter + "\n"
	return nil
}

// runAll runs tests, so many at once, and answers their outcomes in order.
func (r *runner) runAll(ctx context.Context, tests []test, parallel int) []outcome {
	outcomes := make([]outcome, len(tests))
	next := make(chan int)
	var group sync.WaitGroup
	for range max(parallel, 1) {
		group.Go(func() {
			for i := range next {
				outcomes[i] = r.run(ctx, tests[i])
			}
		})
	}
	for i := range tests {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	group.Wait()
	return outcomes
}

// run runs one test in an isolate of its own.
func (r *runner) run(ctx context.Context, t test) outcome {
	o := outcome{test: t}
	program, err := r.program(t)
	if err != nil {
		o.broken = err.Error()
		return o
	}
	wait := r.time
	if t.long {
		wait *= longFactor
	}
	argument, err := json.Marshal(map[string]any{"origin": r.server.origin, "path": "/" + t.id(), "milliseconds": wait.Milliseconds()})
	if err != nil {
		o.broken = err.Error()
		return o
	}
	end, err := r.service.Execute(ctx, t.id(), execution.Request{
		Language: "javascript", Code: program, Args: []string{string(argument)}, Limits: testLimits, Tenant: "wpt",
		Network: execution.Network{Allow: []execution.NetworkRule{{Host: "127.0.0.1", Ports: []int{r.port()}}}},
	}, nil)
	if err != nil {
		o.broken = err.Error()
		return o
	}
	o.read(end, r.server.host())
	return o
}

func (r *runner) port() int {
	return int(netip.MustParseAddrPort(r.server.host()).Port())
}

// strictScript finds scripts that begin with "use strict", after comments.
var strictScript = regexp.MustCompile(`^(\s|//[^\n]*\n|/\*(?s:.*?)\*/)*["']use strict["']`)

// program is the script that runs a test: all its scripts are one, in whose
// global scope they share their names, as a worker's do. Only a strict test's
// own source is evaluated in it, since it may not make the others strict.
func (r *runner) program(t test) (string, error) {
	var b strings.Builder
	b.WriteString(r.harness)
	for _, name := range t.scripts {
		source, err := r.source(name)
		if err != nil {
			return "", err
		}
		b.WriteString(source)
		b.WriteString("\n;\n")
	}
	source, err := r.source(t.path)
	if err != nil {
		return "", err
	}
	if strictScript.MatchString(source) {
		literal, err := json.Marshal(source + "\n//# sourceURL=" + t.path)
		if err != nil {
			return "", err
		}
		source = fmt.Sprintf("(0, eval)(%s);", literal)
	}
	b.WriteString(source)
	b.WriteString("\n;\n__evaluated();\n")
	return b.String(), nil
}

func (r *runner) source(name string) (string, error) {
	if kept, ok := r.scripts.Load(name); ok {
		return kept.(string), nil
	}
	content, err := os.ReadFile(filepath.Join(r.suite, filepath.FromSlash(name)))
	if err != nil {
		return "", err
	}
	source := string(content)
	if strings.Contains(name, ".sub.") {
		source = r.server.substitute(source)
	}
	r.scripts.Store(name, source)
	return source, nil
}

// read takes what a test reported from its output.
func (o *outcome) read(end *execution.Result, host string) {
	complete := false
	for line := range strings.Lines(end.Stdout) {
		_, text, ok := strings.Cut(line, "\x01")
		if !ok {
			continue
		}
		var s result
		decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
		if err := decoder.Decode(&s); err != nil {
			o.broken = "unreadable result: " + err.Error()
			return
		}
		if s.Harness {
			complete = true
			if s.Status != 0 {
				o.broken = fmt.Sprintf("the harness %s: %s", []string{"", "failed", "ran out of time", "has an unmet precondition"}[min(s.Status&3, 3)], s.Message)
			}
			continue
		}
		s.Name = strings.ReplaceAll(s.Name, host, "web-platform.test")
		o.subtests = append(o.subtests, s)
	}
	switch {
	case complete:
	case end.Error != nil:
		o.broken = fmt.Sprintf("%s: %s: %s\n%s", end.Outcome, end.Error.Name, end.Error.Message, end.Error.Stack)
	default:
		o.broken = fmt.Sprintf("the test ended without a result: %s", end.Outcome)
	}
}
