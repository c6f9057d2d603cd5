package execution_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mayfly/guests/python"
	"mayfly/host/execution"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// pythonService is a service with Python alone.
func pythonService(t *testing.T, change ...func(*execution.Config)) *execution.Service {
	t.Helper()
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "mayfly")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	must(err)
	t.Cleanup(func() { must(e.Close()) })
	p, err := isolate.Prepare(context.Background(), e, python.Guest{}, cache, nil)
	must(err)
	t.Cleanup(func() { must(p.Close()) })
	layer, err := python.Layer(context.Background(), cache, nil)
	must(err)
	r, err := isolate.New(isolate.Config{})
	must(err)
	t.Cleanup(func() { must(r.Close()) })
	config := execution.Config{Runtime: r, Objects: &memoryObjects{}}
	for _, f := range change {
		f(&config)
	}
	s, err := execution.New(config,
		execution.Language{Names: []string{"python"}, Version: python.Version(), Image: "python", Dialect: execution.Python})
	must(err)
	t.Cleanup(s.Close)
	must(s.Install("python", p, layer))
	return s
}

// TestPythonCPULimit ends programs that spend their time in C: in the
// interpreter's own loops, in libraries, in memory that is copied. How far
// past the limit they get is measured by cmd/bench; here it is only not to be
// seconds.
func TestPythonCPULimit(t *testing.T) {
	const limit, slack = 100 * time.Millisecond, time.Second
	const folder = "../../testdata/bench/python/limit"
	programs, err := filepath.Glob(filepath.Join(folder, "*.py"))
	if err != nil || len(programs) < 20 {
		t.Fatalf("%d programs in %s (%v)", len(programs), folder, err)
	}
	s := pythonService(t)
	for _, path := range programs {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".py"), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r := execute(t, s, execution.Request{Language: "python", Code: string(source),
				Limits: execution.Limits{CPU: limit, Wall: 5 * time.Minute, MemoryBytes: 384 << 20}})
			if r.Outcome != execution.ExceededCPU {
				t.Fatalf("ended with %s", show(r))
			}
			if past := r.Usage.CPU - limit; past < 0 || past > slack {
				t.Errorf("%v past the limit", past)
			}
		})
	}
	// The slots are as good as new.
	r := execute(t, s, execution.Request{Language: "python", Code: "import numpy; numpy.arange(10).sum().item()"})
	if r.Outcome != execution.OK || string(r.Value) != "45" {
		t.Errorf("afterwards: %s", show(r))
	}
}
