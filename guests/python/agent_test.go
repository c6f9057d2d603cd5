package python

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// A behaviour is a program and what has to come of it.
type behaviour struct {
	name    string
	source  string
	program program // besides the source

	stdout string
	stderr string // "*": any
	result string // the value as JSON, or its text
	typ    string
	fails  string // the error: its name and message
	code   string // of the error
	stack  string // the whole of it
	exit   int
}

var behaviours = []behaviour{
	// Values.
	{name: "expression", source: "x = 20\nx * 2 + 2", result: "42", typ: "int"},
	{name: "no value", source: "x = 1"},
	{name: "none", source: "None"},
	{name: "semicolon", source: "1 + 1;  # quiet"},
	{name: "comment with a semicolon", source: "1 + 1  # ;", result: "2", typ: "int"},
	{name: "plain data", source: "{'a': [1, 2.5, None, True, ('x',)]}", result: `{"a":[1,2.5,null,true,["x"]]}`, typ: "dict"},
	{name: "not a number", source: "[1.0, float('nan')]", result: "[1.0, nan]", typ: "list"},
	{name: "cycle", source: "x = []\nx.append(x)\nx", result: "[[...]]", typ: "list"},
	{name: "text that is not Unicode", source: `"\ud800"`, result: `'\ud800'`, typ: "str"},
	{name: "long number", source: "10**400 % 10**30 + 7", result: "7", typ: "int"},
	{name: "scalar of numpy", source: "import numpy as np\nnp.float64(0.5) * 3", result: "1.5", typ: "float64"},
	{name: "other object", source: "class A:\n    def __repr__(self): return 'an A'\nA()", result: "an A", typ: "A"},
	{name: "docstring", source: "'only text'", result: `"only text"`, typ: "str"},
	{
		name: "broken repr", source: "class A:\n    def __repr__(self): raise ValueError('no')\nA()",
		result: "<A object: its repr failed>", typ: "A",
		stderr: "Traceback (most recent call last):\n  File \"main.py\", line 2, in __repr__\n    def __repr__(self): raise ValueError('no')\n" +
			"                        ^^^^^^^^^^^^^^^^^^^^^^\nValueError: no\n",
	},

	// Surroundings.
	{name: "main", source: "import sys, __main__\nprint(__name__, __main__.x if hasattr(__main__, 'x') else '', __file__, sys.path[0])", stdout: "__main__  /workspace/main.py /workspace\n"},
	{name: "arguments", source: "import sys\nsys.argv", program: program{args: []string{"a", "é"}}, result: `["main.py","a","é"]`, typ: "list"},
	{name: "environment", source: "import os\ndict(os.environ)", program: program{env: []op.Pair{{Name: "K", Value: "v=1"}}}, result: `{"K":"v=1"}`, typ: "dict"},
	{name: "input", source: "mayfly.input['n'] + 1", program: program{input: `{"n": 41}`}, result: "42", typ: "int"},
	{name: "no input", source: "import mayfly\nprint(mayfly.input)", stdout: "None\n"},
	{name: "stdin", source: "import sys\nname = input()\nprint(name, sys.stdin.read(), sys.stdin.buffer.read())", program: program{stdin: "Ada\nrest\n"}, stdout: "Ada rest\n b''\n"},
	{name: "end of stdin", source: "input()", fails: "EOFError: EOF when reading a line"},
	{name: "home", source: "import os, pathlib\nprint(pathlib.Path.home(), os.path.expanduser('~/x'), 'HOME' in os.environ)", stdout: "/workspace /workspace/x False\n"},
	{name: "home of the request", source: "import pathlib\nprint(pathlib.Path.home())", program: program{env: []op.Pair{{Name: "HOME", Value: "/tmp"}}}, stdout: "/tmp\n"},
	{name: "modules", source: "import lib\nfrom pack.inner import y\nlib.x + y", program: program{files: map[string]string{
		"/workspace/lib.py": "x = 1\n", "/workspace/pack/__init__.py": "", "/workspace/pack/inner.py": "y = 2\n",
	}}, result: "3", typ: "int"},

	// Output.
	{
		name: "streams", source: "import os, sys\nprint('a', end='')\nprint('b')\nos.write(1, b'c\\n')\nsys.stdout.buffer.write(b'd\\n')\nprint('e', flush=True)\nprint('f', file=sys.stderr)\nprint(sys.stdout.isatty(), sys.stdout.encoding);",
		stdout: "ab\nc\nd\ne\nFalse utf-8\n", stderr: "f\n",
	},
	{name: "unfinished line", source: "print('no newline', end='')", stdout: "no newline"},
	{name: "closed stream", source: "import sys\nprint(1)\nsys.stdout.close()\nsys.stderr = None\n7", stdout: "1\n", result: "7", typ: "int"},

	// Errors.
	{
		name: "chain", source: "def f():\n    return 1 / 0\ntry:\n    f()\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e",
		fails: "ValueError: bad",
		stack: `Traceback (most recent call last):
  File "main.py", line 4, in <module>
    f()
    ~^^
  File "main.py", line 2, in f
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "main.py", line 6, in <module>
    raise ValueError('bad') from e
ValueError: bad`,
	},
	{
		name: "syntax", source: "x = (1,\n", fails: "SyntaxError: '(' was never closed (main.py, line 1)",
		stack: "  File \"main.py\", line 1\n    x = (1,\n        ^\nSyntaxError: '(' was never closed",
	},
	{
		name: "awaited", source: "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    raise KeyError('k')\nawait f()", fails: "KeyError: 'k'",
		stack: "Traceback (most recent call last):\n  File \"main.py\", line 5, in <module>\n    await f()\n  File \"main.py\", line 4, in f\n    raise KeyError('k')\nKeyError: 'k'",
	},
	{name: "code of the system", source: "open('/nope')", fails: "FileNotFoundError: [Errno 44] No such file or directory: '/nope'", code: "ENOENT"},
	{name: "broken str", source: "class E(Exception):\n    def __str__(self): raise ValueError\nraise E", fails: "E: <str() of E failed>"},
	{name: "group", source: "raise ExceptionGroup('g', [ValueError(1), TypeError('t')])", fails: "ExceptionGroup: g (2 sub-exceptions)"},
	{name: "recursion", source: "def f(): f()\nf()", fails: "RecursionError: maximum recursion depth exceeded"},
	{name: "recursion in C", source: "x = []\nfor _ in range(100000): x = [x]\nprint(len(repr(x)))", fails: "RecursionError"},
	{name: "memory", source: "x = []\nwhile True: x.append(bytearray(1 << 20))", fails: "MemoryError", code: "ERR_OUT_OF_MEMORY"},
	{name: "interrupt by itself", source: "raise KeyboardInterrupt", fails: "KeyboardInterrupt"},
	{name: "command of a notebook", source: "%matplotlib inline\n5", result: "5", typ: "int"},
	{name: "unknown command", source: "!ls", fails: "SyntaxError: invalid syntax (main.py, line 1)"},
	{name: "hook", source: "import sys\nsys.excepthook = lambda kind, *rest: print('hook', kind.__name__)\n1 / 0", stdout: "hook ZeroDivisionError\n", fails: "ZeroDivisionError: division by zero"},

	// The end.
	{name: "exit", source: "import sys\nprint('before')\nsys.exit(3)", stdout: "before\n", exit: 3},
	{name: "exit without a code", source: "raise SystemExit"},
	{name: "exit with a text", source: "import sys\nsys.exit('why')", stderr: "why\n", exit: 1},
	{name: "exit handlers", source: "import atexit\natexit.register(print, 'bye')\nprint('hi')", stdout: "hi\nbye\n"},
	{name: "exit handlers of failures", source: "import atexit\natexit.register(print, 'bye')\n1 / 0", stdout: "bye\n", fails: "ZeroDivisionError: division by zero"},
	{name: "files left open", source: "f = open('/tmp/x', 'w')\nf.write('kept')\nclass D:\n    def __del__(self): print(open('/tmp/x').read())\nd = D()", stdout: "kept\n"},
	{name: "temporary folders", source: "import tempfile, os, atexit\nd = tempfile.TemporaryDirectory()\natexit.register(lambda: print(os.path.exists(d.name)))\nNone", stdout: "True\n"},

	// Hostile.
	{name: "no builtins", source: "import builtins\nbuiltins.len = builtins.type = builtins.isinstance = None\n1 / 0", fails: "ZeroDivisionError"},
	{name: "nothing left", source: "import sys, builtins\nsys.modules.clear()\nbuiltins.__dict__.clear()"},
	{name: "no main", source: "import sys\ndel sys.modules['__main__']\nglobals().clear()"},
	{name: "no agent", source: "import _mayfly.entry as e\ne.failed = e.last_resort = None\n1 / 0", stderr: "*", fails: "SystemError: the program left the interpreter unable to report how it ended"},
	{name: "no door", source: "import _mayfly.host\n_mayfly.host.call = None\nprint('x')\n5", stdout: "x\n", stderr: "*", fails: "SystemError"},
	{name: "no event", source: "import _host\n_host.call(b'\\3')[0]", result: "1", typ: "int"},
	{name: "endless class", source: "class A:\n    def __getattr__(self, name): return self\n    def __repr__(self): return 'a'\nA()", result: "a", typ: "A"},
	{name: "stubborn", source: "try:\n    raise SystemExit(2)\nexcept:\n    print('no')", stdout: "no\n"},
	{name: "exception of the string", source: "class S(str):\n    def encode(self, *a): raise SystemExit(9)\nraise ValueError(S('s'))", fails: "ValueError: s"},
	{name: "metaclass", source: "class M(type):\n    @property\n    def __name__(cls): raise ValueError\nclass A(metaclass=M):\n    def __repr__(self): return 'a'\nA()", result: "a", typ: "A"},

	// asyncio.
	{name: "top-level await", source: "import asyncio\nasync def f(n):\n    await asyncio.sleep(n / 100)\n    return n\nawait asyncio.gather(f(2), f(1))", result: "[2,1]", typ: "list"},
	{name: "run", source: "import asyncio\nasync def f():\n    async with asyncio.TaskGroup() as g:\n        t = g.create_task(asyncio.sleep(0.001, 'x'))\n    return t.result()\nasyncio.run(f())", result: `"x"`, typ: "str"},
	{name: "run inside of await", source: "import asyncio\nasync def f(): return await asyncio.sleep(0, 1)\nawait asyncio.sleep(0)\nasyncio.run(f()) + asyncio.get_running_loop().run_until_complete(f())", result: "2", typ: "int"},
	{name: "timeout", source: "import asyncio\ntry:\n    await asyncio.wait_for(asyncio.sleep(60), 0.01)\nexcept TimeoutError:\n    print('late')", stdout: "late\n"},
	{name: "to_thread", source: "import asyncio\nawait asyncio.to_thread(lambda: 5)", result: "5", typ: "int"},
	{name: "queue", source: "import asyncio\nq = asyncio.Queue(1)\nasync def put():\n    for i in range(3): await q.put(i)\nt = asyncio.ensure_future(put()) if False else None\nasync def main():\n    t = asyncio.create_task(put())\n    return [await q.get() for _ in range(3)]\nawait main()", result: "[0,1,2]", typ: "list"},
	{
		name: "nothing to wait for", source: "import asyncio\nawait asyncio.Event().wait()",
		fails: "RuntimeError: nothing to wait for: every task waits for something that no timer and no operation under way will bring about",
	},
	{
		name: "tasks left over", source: "import asyncio\nasync def f():\n    try:\n        await asyncio.sleep(60)\n    finally:\n        print('ended')\nt = None\nasync def main():\n    global t\n    t = asyncio.create_task(f())\n    await asyncio.sleep(0)\nawait main()",
		stdout: "ended\n",
	},

	// What there is none of.
	{name: "threads", source: "import threading\nthreading.Thread(target=print).start()", fails: "RuntimeError: threads can't be started here: use asyncio, or concurrent.futures.ThreadPoolExecutor, which runs its functions in place"},
	{name: "pools of threads", source: "from concurrent.futures import ThreadPoolExecutor, as_completed\nwith ThreadPoolExecutor(4) as pool:\n    a = list(pool.map(abs, [-1, -2]))\n    b = [f.result() for f in as_completed([pool.submit(pow, 2, 3)])]\na + b", result: "[1,2,8]", typ: "list"},
	{name: "pool that fails", source: "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor().submit(lambda: 1 / 0).exception()", result: "ZeroDivisionError('division by zero')", typ: "ZeroDivisionError"},
	{name: "jobs", source: "from joblib import Parallel, delayed\nParallel(n_jobs=4)(delayed(abs)(i) for i in [-1, 2])", result: "[1,2]", typ: "list"},
	{name: "progress", source: "import io, tqdm, warnings\nwarnings.simplefilter('error')\nprint(list(tqdm.tqdm(range(2), disable=False, file=io.StringIO())))", stdout: "[0, 1]\n"},
	{name: "deadlock", source: "import threading\nlock = threading.Lock()\nwith lock:\n    print(lock.acquire(timeout=0.001), lock.acquire(False))\n    lock.acquire()", stdout: "False False\n", fails: "RuntimeError: this would wait for ever: there are no other threads that could let it go on"},
	{name: "empty queue", source: "import queue\ntry:\n    queue.SimpleQueue().get(timeout=0.001)\nexcept queue.Empty:\n    print('empty')\nqueue.Queue().get()", stdout: "empty\n", fails: "RuntimeError: this would wait for ever: there are no other threads that could let it go on"},
	{name: "processes", source: "import subprocess\nsubprocess.run(['ls'])", fails: "OSError: [Errno 58] processes can't be started here: call the library from Python instead", code: "ENOTSUP"},
	{name: "shell", source: "import os\nprint(hasattr(os, 'fork'))\nos.system('ls')", stdout: "False\n", fails: "AttributeError: module 'os' has no attribute 'system': processes can't be started here: call the library from Python instead"},
	{name: "pools of processes", source: "import multiprocessing\nmultiprocessing.Pool(2)", fails: "OSError: [Errno 58] processes can't be started here: call the library from Python instead"},
	{name: "alarms", source: "import signal\nsignal.alarm(1)", fails: "AttributeError: module 'signal' has no attribute 'alarm': signals don't come by themselves here: use asyncio.timeout for what can await, and the limits of the execution"},
}

func TestBehaviours(t *testing.T) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			p := b.program
			p.source = b.source
			h := run(t, p)
			if h.report.Outcome != isolate.OK {
				t.Fatalf("outcome %s: %v", h.report.Outcome, h.report.Err)
			}
			if got := h.stdout.String(); got != b.stdout {
				t.Errorf("printed %q, expected %q", got, b.stdout)
			}
			if got := h.stderr.String(); got != b.stderr && b.stderr != "*" {
				t.Errorf("printed on stderr %q, expected %q", got, b.stderr)
			}
			if h.result != b.result || h.typ != b.typ {
				t.Errorf("result %q of %q, expected %q of %q", h.result, h.typ, b.result, b.typ)
			}
			if h.code != b.exit {
				t.Errorf("exit code %d, expected %d", h.code, b.exit)
			}
			checkError(t, b, h.failed)
		})
	}
}

func checkError(t *testing.T, b behaviour, e *op.ErrorRecord) {
	t.Helper()
	if e == nil {
		if b.fails != "" {
			t.Errorf("did not fail, expected %s", b.fails)
		}
		return
	}
	got := e.Name
	if e.Message != "" {
		got += ": " + e.Message
	}
	if b.fails == "" || !strings.HasPrefix(got, b.fails) {
		t.Errorf("failed with %q, expected %q\n%s", got, b.fails, e.Stack)
	}
	if e.Code != b.code && b.code != "" {
		t.Errorf("code %q, expected %q", e.Code, b.code)
	}
	if b.stack != "" && e.Stack != b.stack {
		t.Errorf("stack:\n%s\nexpected:\n%s", e.Stack, b.stack)
	}
	for one := e; one != nil; one = one.Cause {
		for _, ours := range []string{"_mayfly", "_reactor", "<reactor>", "<turn"} {
			if strings.Contains(one.Stack, ours) {
				t.Errorf("the stack has lines of ours:\n%s", one.Stack)
			}
		}
	}
}

// Causes are records of their own, outermost first.
func TestCauses(t *testing.T) {
	h := run(t, program{source: "try:\n    try:\n        1 / 0\n    except Exception as e:\n        raise KeyError('k')\nexcept Exception as e:\n    raise ValueError('v') from e"})
	var names []string
	for e := h.failed; e != nil; e = e.Cause {
		names = append(names, e.Name)
	}
	if got := fmt.Sprint(names); got != "[ValueError KeyError ZeroDivisionError]" {
		t.Errorf("causes %s", got)
	}
}

// Every life has randomness of its own, in all generators.
func TestRandomness(t *testing.T) {
	const source = `
import random, uuid, secrets, os, tempfile
import numpy as np
print(random.random(), random.Random().random(), np.random.rand(), np.random.default_rng().random(), uuid.uuid4(), secrets.token_hex(8),
      os.urandom(8).hex(), os.path.basename(tempfile.mktemp()), sep="\n")
`
	seen := map[string]int{}
	const lives = 30
	for i := range lives {
		for n, line := range strings.Split(strings.TrimSpace(run(t, program{source: source}).stdout.String()), "\n") {
			if first, ok := seen[line]; ok {
				t.Fatalf("value %d of life %d is one of life %d: %s", n, i, first, line)
			}
			seen[line] = i
		}
	}
	if len(seen) != 8*lives {
		t.Errorf("%d values", len(seen))
	}
	run(t, program{source: "import random, numpy as np\nrandom.seed(42); np.random.seed(42)\nprint(random.random(), np.random.rand())"}).
		ok(t, "0.6394267984578837 0.3745401188473625\n")
}

// interrupted runs a program that is interrupted some time after it prints its
// first line.
func interrupted(t *testing.T, source string) *platform {
	t.Helper()
	asked := false
	return run(t, program{
		source: "from _mayfly import host, op\nhost.call(op.CLOCK)\n" + source,
		onCall: func(iso *isolate.Isolate, number op.Op) {
			if number == op.Clock && !asked {
				asked = true
				time.AfterFunc(30*time.Millisecond, func() { iso.Interrupt(20 * time.Second) })
			}
		},
	})
}

// Programs see an interrupt as KeyboardInterrupt, wherever they are.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct{ name, source, stdout, fails string }{
		{"loop", "while True: pass", "", "KeyboardInterrupt"},
		{"caught", "try:\n    while True: pass\nexcept KeyboardInterrupt: print('caught')\nprint('on')", "caught\non\n", ""},
		{"sleeping", "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('awake')", "awake\n", ""},
		{"awaiting", "import asyncio\nawait asyncio.sleep(60)", "", "KeyboardInterrupt"},
		{"running a loop", "import asyncio\nasync def f():\n    try: await asyncio.sleep(60)\n    except asyncio.CancelledError: print('cancelled'); raise\nasyncio.run(f())", "cancelled\n", "KeyboardInterrupt"},
		{"own handler", "import signal, time\nsignal.signal(signal.SIGINT, lambda *a: print('handled'))\nt = time.monotonic()\nwhile time.monotonic() - t < 0.3: pass", "handled\n", ""},
		{"repr", "class A:\n    def __repr__(self):\n        while True: pass\nA()", "", "KeyboardInterrupt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := interrupted(t, test.source)
			if h.report.Outcome != isolate.OK {
				t.Fatalf("outcome %s: %v", h.report.Outcome, h.report.Err)
			}
			if got := h.stdout.String(); got != test.stdout {
				t.Errorf("printed %q, expected %q", got, test.stdout)
			}
			checkError(t, behaviour{fails: test.fails}, h.failed)
		})
	}
}

func BenchmarkPrint(b *testing.B) {
	for _, source := range []string{"pass", "print(1)", "1 + 1", "1 / 0"} {
		b.Run(source, func(b *testing.B) {
			p := program{source: source}
			run(b, p)
			var cpu time.Duration
			for b.Loop() {
				cpu += run(b, p).report.Usage.CPU
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(run(b, p).report.Usage.Memory>>12), "pages")
		})
	}
}
