package python

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/runtime/isolate"
)

// Nothing of a life is seen in the next one, on the same slot: neither its
// names, modules, files, environment, arguments, nor its bytes in memory.
func TestLivesAreApart(t *testing.T) {
	const secret = "canary-7f3a91c2"
	leave := program{
		source: `
import sys, os, builtins, math, json, gc
token = "".join(["canary", "-7f3a", "91c2"])
builtins.left = token
math.left = token
json.dumps = lambda *a: token
sys.modules["left"] = math
sys.path.append("/" + token)
os.environ["LEFT"] = token
open("/tmp/left", "w").write(token)
open("/workspace/left.py", "w").write("x = 1")
kept = [token + str(i) for i in range(1000)]
import numpy as np
a = np.frombuffer((token * 1000).encode(), dtype=np.uint8).copy()
print(len(kept))
`,
		stdin: secret, args: []string{secret},
	}
	look := program{source: `
import sys, os, builtins, math, json
print("left" in dir(builtins), hasattr(math, "left"), json.dumps([1]), "left" in sys.modules, [p for p in sys.path if "canary" in p],
      os.environ.get("LEFT"), os.path.exists("/tmp/left"), os.path.exists("/workspace/left.py"), sys.argv, "token" in globals())
needle = ("canary" + "-7f3a91c2")[::-1]
import gc
found = [o for o in gc.get_objects() if type(o) in (list, dict, tuple) and needle[::-1] in str(type(o))]
print(len(found))
# Fresh memory holds nothing of another's.
import numpy as np
dirty = 0
for n in (1 << 12, 1 << 16, 1 << 20, 1 << 24):
    dirty += np.empty(n, dtype=np.uint8).tobytes().count(b"canary-7f3a")
print(dirty)
`}
	for range 3 {
		run(t, leave).ok(t, "1000\n")
		run(t, look).ok(t, "False False [1] False [] None False False ['main.py'] False\n0\n0\n")
	}
}

// Ten thousand lives: no value of any generator comes twice.
func TestEntropy(t *testing.T) {
	const source = `
import random, uuid, secrets, os
import numpy as np
print(random.random(), uuid.uuid4(), secrets.token_hex(8), os.urandom(8).hex(), np.random.rand(), np.random.default_rng().random(), sep="\n")
`
	lives := int64(10_000)
	if testing.Short() {
		lives = 500
	}
	ready(t)
	var mu sync.Mutex
	seen := make(map[string]int64, 6*lives)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for life := next.Add(1); life <= lives && !t.Failed(); life = next.Add(1) {
				values := strings.Fields(run(t, program{source: source}).stdout.String())
				mu.Lock()
				if len(values) != 6 {
					t.Errorf("life %d printed %q", life, values)
				}
				for _, v := range values {
					if first, ok := seen[v]; ok {
						t.Errorf("life %d has %s of life %d", life, v, first)
					}
					seen[v] = life
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// However a program ends, it ends, and its slot or the next one is good.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name, source string
		limits       isolate.Limits
		outcome      isolate.Outcome
		fails        string // name of the error that nobody caught
		code         int
	}{
		{name: "sys.exit", source: "import sys; sys.exit(4)", outcome: isolate.OK, code: 4},
		{name: "exit with text", source: "raise SystemExit('why')", outcome: isolate.OK, code: 1},
		{name: "os._exit", source: "import os; os._exit(3)", outcome: isolate.OK, code: 3},
		{name: "recursion", source: "def f(n): return f(n + 1)\nf(0)", outcome: isolate.OK, fails: "RecursionError"},
		{name: "recursion without a limit", source: "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)", outcome: isolate.ExceededMemory},
		{name: "one large allocation", source: "x = bytes(1 << 30)", outcome: isolate.OK, fails: "MemoryError"},
		{name: "many allocations", source: "x = []\nwhile True: x.append(bytes(1 << 20))", outcome: isolate.OK, fails: "MemoryError", limits: isolate.Limits{Memory: 32 << 20}},
		{name: "loop", source: "while True: pass", outcome: isolate.ExceededCPU, limits: isolate.Limits{CPU: 100 * time.Millisecond}},
		{name: "C loop", source: "sum(range(10**10))", outcome: isolate.ExceededCPU, limits: isolate.Limits{CPU: 100 * time.Millisecond}},
		{name: "sleep", source: "import time; time.sleep(60)", outcome: isolate.ExceededWallTime, limits: isolate.Limits{Wall: 100 * time.Millisecond}},
		{name: "hostile frames", source: `
import _host, os
for request in [b"", b"\x00", b"\x01" * 9, b"\x02", b"\x03", b"\x04\x00", b"\xff" * 100] + [os.urandom(1 + i % 40) for i in range(2000) ]:
    if request[:1] == b"\x02" or request[:5] in (b"\x00\x04\x00\x00\x00",):
        continue
    try:
        _host.call(request)
    except Exception:
        pass
print("on")
`, outcome: isolate.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := run(t, program{source: c.source, limits: c.limits})
			failed, outcome := "", h.report.Outcome
			if h.failed != nil {
				failed = h.failed.Name
			}
			if outcome == isolate.ExceededMemory && c.fails == "MemoryError" {
				// The interpreter may be stopped before it can say so.
				failed, outcome = c.fails, isolate.OK
			}
			if outcome != c.outcome || failed != c.fails || h.code != c.code {
				t.Errorf("%s %q code %d (%v), expected %s %q code %d", h.report.Outcome, failed, h.code, h.report.Err, c.outcome, c.fails, c.code)
			}
			if h.failed != nil && failed == "MemoryError" && h.failed.Code != "ERR_OUT_OF_MEMORY" {
				t.Errorf("the code of a MemoryError is %q", h.failed.Code)
			}
			run(t, program{source: "print(sum(range(10)))"}).ok(t, "45\n")
		})
	}
}

// BenchmarkHello is the life of print(1): what the processor does from its
// start to the clean slot.
func BenchmarkHello(b *testing.B) {
	p := program{source: "print(1)"}
	run(b, p).ok(b, "1\n")
	var cpu time.Duration
	for b.Loop() {
		cpu += run(b, p).report.Usage.CPU
	}
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "guest-µs/op")
}
