package quickjs

import (
	"errors"
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

func TestTimers(t *testing.T) {
	l := run(t, program{source: `
		const log = [];
		setTimeout(() => log.push('c'), 30);
		setTimeout((x, y) => log.push(x + y), 10, 'a', '1');
		const gone = setTimeout(() => log.push('never'), 5);
		clearTimeout(gone); clearTimeout(gone); clearTimeout(undefined); clearTimeout(12345);
		let n = 0;
		const id = setInterval(() => { log.push(++n); if (n === 3) clearInterval(id) }, 12);
		await new Promise(r => setTimeout(r, 100));
		log.join()`})
	l.want(resultJSON, "string", `"a1,1,2,c,3"`)
	if len(l.canceled) == 0 {
		t.Fatal("nothing was canceled at the host")
	}
}

func TestMicrotasksComeBeforeTimers(t *testing.T) {
	run(t, program{source: `
		const log = [];
		setTimeout(() => { log.push('t1'); Promise.resolve().then(() => log.push('m1')) }, 1);
		setTimeout(() => log.push('t2'), 2);
		queueMicrotask(() => log.push('m0'));
		await new Promise(r => setTimeout(r, 10));
		log.join()`}).want(resultJSON, "string", `"m0,t1,m1,t2"`)
}

func TestStaleSettlements(t *testing.T) {
	l := start(t, program{source: "let n = 0; const id = setTimeout(() => n++, 1); clearTimeout(id); await new Promise(r => setTimeout(r, 5)); n"})
	if l.status != isolate.Pending || len(l.pending) != 1 || len(l.canceled) != 1 {
		t.Fatalf("pending %v, canceled %v", l.pending, l.canceled)
	}
	stale := l.canceled[0]
	if stale == l.pending[0].id {
		t.Fatal("the id of a canceled operation was used again")
	}
	for _, id := range []uint32{stale, 0, 1, 1 << 31, 1<<32 - 1, l.pending[0].id + 1<<18, l.pending[0].id ^ 1} {
		l.settle(id, true, nil)
		if l.err != nil || l.status != isolate.Pending {
			t.Fatalf("id %d: status %v, error %v", id, l.status, l.err)
		}
		l.settle(id, false, []byte("rubbish"))
		if l.err != nil || l.status != isolate.Pending {
			t.Fatalf("id %d: status %v, error %v", id, l.status, l.err)
		}
	}
	id := l.pending[0].id
	l.settle(id, true, nil)
	l.want(resultJSON, "number", "0")
	if l.status != isolate.Done {
		t.Fatalf("status %v", l.status)
	}
	// The event is over: nothing is delivered any more.
	l.settle(id, true, nil)
	if l.err != nil || l.status != isolate.Done || len(l.results) != 1 {
		t.Fatalf("status %v, error %v, results %v", l.status, l.err, l.results)
	}
}

func TestRefusedOperation(t *testing.T) {
	l := start(t, program{source: "setTimeout(() => {}, 5); 1"})
	l.settle(l.pending[0].id, false, op.EncodeError(&op.ErrorRecord{Name: "RangeError", Code: "ERR_LIMIT", Message: "too many operations"}))
	f := l.wantFailure(1, "RangeError", "too many operations")
	if f.Code != "ERR_LIMIT" {
		t.Fatalf("code %q", f.Code)
	}
}

func TestFailedOperation(t *testing.T) {
	l := start(t, program{source: "try { await fetch('http://a.test/') } catch (e) { [e instanceof TypeError, e.cause?.code ?? e.code ?? null, e.message] }"})
	if len(l.pending) != 1 || l.pending[0].op != op.Fetch {
		t.Fatalf("pending %v, failures %v", l.pending, l.failures)
	}
	l.settle(l.pending[0].id, false, op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: "fetch failed", Cause: &op.ErrorRecord{Name: "Error", Code: "ECONNREFUSED", Message: "refused"}}))
	l.want(resultJSON, "array", `[true,"ECONNREFUSED","fetch failed"]`)
}

// Whatever an operation is settled with, the guest takes it.
func TestMalformedSettlements(t *testing.T) {
	whole := op.EncodeError(&op.ErrorRecord{Name: "TypeError", Code: "X", Message: "m", Cause: &op.ErrorRecord{Name: "E"}})
	for n := 0; n <= len(whole); n++ {
		l := start(t, program{source: "await fetch('http://a.test/').then(() => 1, () => 2)"})
		l.settle(l.pending[0].id, false, whole[:n])
		if l.err != nil || l.status != isolate.Done {
			t.Fatalf("%d bytes: status %v, error %v", n, l.status, l.err)
		}
	}
}

func TestManyOperations(t *testing.T) {
	l := run(t, program{source: "let n = 0; await Promise.all(Array.from({length: 2000}, (_, i) => new Promise(r => setTimeout(() => { n++; r() }, 1)))); n"})
	l.want(resultJSON, "number", "2000")
}

func TestMachineRefusesNonsense(t *testing.T) {
	l := run(t, program{source: "1"})
	m := l.clone.machine
	if _, err := m.Event(uint32(op.EventRun), (&op.RunMessage{Source: "1"}).Encode()); !errors.Is(err, ErrProtocol) {
		t.Errorf("a second event: %v", err)
	}
	for _, message := range [][]byte{nil, {1}, {0, 0, 0xff, 0xff, 0xff, 0xff}, append((&op.RunMessage{Source: "1"}).Encode()[:12], 0xff, 0xff, 0xff, 0x7f)} {
		c := newClone(t)
		c.in.SetData(isolate.Port(&host{t: t}))
		if err := c.machine.Begin(isolate.Life{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.machine.Event(uint32(op.EventRun), message); !errors.Is(err, ErrProtocol) {
			t.Errorf("message %x: %v", message, err)
		}
	}
	c := newClone(t)
	c.in.SetData(isolate.Port(&host{t: t}))
	if _, err := c.machine.Settle(1, true, nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("a settlement before the event: %v", err)
	}
	if _, err := c.machine.Event(99, nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("an unknown event: %v", err)
	}
}

func TestReentrance(t *testing.T) {
	var seen []error
	var l *life
	c := newClone(t)
	h := &host{t: t}
	h.yield = func(int) {
		if seen == nil {
			_, err := c.machine.Event(uint32(op.EventRun), nil)
			_, err2 := c.machine.Settle(1, true, nil)
			_, err3 := c.machine.HeapTop()
			seen = []error{err, err2, err3, c.machine.Begin(isolate.Life{})}
		}
	}
	c.in.SetData(isolate.Port(h))
	if err := c.machine.Begin(isolate.Life{}); err != nil {
		t.Fatal(err)
	}
	_, err := c.machine.Event(uint32(op.EventRun), (&op.RunMessage{Name: "m.js", Source: "for (let i = 0; i < 100000; i++);"}).Encode())
	if err != nil || len(seen) != 4 {
		t.Fatal(err, seen)
	}
	for _, err := range seen {
		if !errors.Is(err, ErrBusy) {
			t.Errorf("re-entered: %v", err)
		}
	}
	_ = l
}

var errEnough = errors.New("enough")

// The interrupt points of loops, builtins and regular expressions reach the
// host, which can stop them.
func TestEndlessWorkIsStopped(t *testing.T) {
	for _, source := range []string{
		"for (;;);",
		"while (true) {}",
		"(function f() { for (;;) f.x = 1 })()",
		"/(a+)+$/.test('a'.repeat(40) + 'b')",
		"const f = () => Promise.resolve().then(f); f(); 1",
		"const f = () => queueMicrotask(f); f(); 1",
		"try { for (;;); } catch { for (;;); } finally { for (;;); }",
		"export default new Promise(() => { for (;;); })",
		"[...(function* () { for (;;) yield 0 })()].length",
		"const p = new Proxy({}, { get: (t, k, r) => { for (;;); } }); p.x",
	} {
		l := run(t, program{source: source, yield: func(n int) {
			if n > 50 {
				panic(engine.Stop{Cause: errEnough})
			}
		}})
		if !errors.Is(l.err, errEnough) {
			t.Errorf("%s: error %v, failures %v", source, l.err, l.failures)
		}
	}
}

// However long the code between two jumps is, the host is let in.
func TestLongFunctionsYield(t *testing.T) {
	body := "let x; " + strings.Repeat("x=1;", 100_000)
	for name, program := range map[string]func(loop string) program{
		"script":   func(loop string) program { return program{source: loop + "{" + body + "}"} },
		"function": func(loop string) program { return program{source: "function f() {" + body + "} " + loop + " f()"} },
		"module": func(loop string) program {
			return program{source: "import './a.js'; export default () => 1", files: map[string]string{"a.js": "const f = () => {" + body + "}; " + loop + " f()"}}
		},
		"eval": func(loop string) program {
			return program{source: "eval('" + loop + "{ let x; ' + 'x=1;'.repeat(100000) + '}')", eval: true}
		},
		"Function": func(loop string) program {
			return program{source: "const f = new Function('let x; ' + 'x=1;'.repeat(100000)); " + loop + " f()", eval: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			once, often := run(t, program("for (let i = 0; i < 1; i++)")), run(t, program("for (let i = 0; i < 200; i++)"))
			if once.err != nil || often.err != nil || len(once.failures)+len(often.failures) > 0 {
				t.Fatal(once.err, often.err, once.failures, often.failures)
			}
			// 40 million instructions, or more: compiling yields, too.
			if often.yields-once.yields < 3 {
				t.Fatalf("%d yields, and %d without the loop", often.yields, once.yields)
			}
		})
	}
}

func TestDeepRecursion(t *testing.T) {
	deep := map[string]string{
		"function":        "(function f() { f() })()",
		"getter":          "({ get a() { return this.a } }).a",
		"proxy":           "let p = {}; for (let i = 0; i < 100000; i++) p = new Proxy(p, {}); p.x",
		"json parse":      "JSON.parse('['.repeat(100000))",
		"json stringify":  "let o = []; for (let i = 0; i < 100000; i++) o = [o]; JSON.stringify(o)",
		"source":          "JSON.parse('{\"a\":'.repeat(50000))",
		"regexp":          "new RegExp('('.repeat(100000) + ')'.repeat(100000))",
		"regexp class":    "new RegExp('[a'.repeat(50000), 'v')",
		"toString":        "const a = []; a[0] = { toString() { return String(a) + String(this) } }; String(a)",
		"array flat":      "let a = []; for (let i = 0; i < 100000; i++) a = [a]; a.flat(Infinity)",
		"bound functions": "let f = () => 1; for (let i = 0; i < 100000; i++) f = f.bind(); f()",
		"sort":            "[2, 1].sort(function c() { return [2, 1].sort(c) })",
		"instanceof":      "let o = {}; for (let i = 0; i < 100000; i++) o = Object.create(o); o.nothing; o instanceof Array",
		"structuredClone": "let o = {}; for (let i = 0; i < 100000; i++) o = { o }; structuredClone(o)",
		"inspect":         "let o = {}; for (let i = 0; i < 10000; i++) o = { o }; console.log(o)",
		"spread":          "Math.max(...new Array(1e6).fill(1))",
		"rope":            "let s = 'x'; for (let i = 0; i < 1e5; i++) s = s + i + s.length; s.length",
		"rope, left":      "let s = ''; for (let i = 0; i < 1e5; i++) s = 'abc' + s; s.charCodeAt(7)",
	}
	for name, source := range deep {
		t.Run(name, func(t *testing.T) {
			// Every kind is an error that can be caught, or works.
			l := run(t, program{source: "let r; try { " + source + "; r = 'worked' } catch (e) { r = e instanceof Error ? e.name : typeof e }; r"})
			if l.err != nil || len(l.results) != 1 {
				t.Fatalf("error %v, results %v, failures %v", l.err, l.results, l.failures)
			}
			switch value := l.results[0].value; value {
			case `"worked"`, `"RangeError"`, `"SyntaxError"`, `"InternalError"`, `"DataCloneError"`:
			default:
				t.Fatalf("result %s", value)
			}
		})
	}
	// What the compiler recurses over, too.
	for _, source := range []string{strings.Repeat("(", 100000), strings.Repeat("[", 100000), strings.Repeat("a=>", 100000), strings.Repeat("-", 100000) + "1",
		strings.Repeat("{", 100000), "x" + strings.Repeat(".a", 100000), strings.Repeat("if(1)", 100000), strings.Repeat("`${", 50000)} {
		l := run(t, program{source: source})
		if l.err != nil || len(l.failures)+len(l.results) == 0 {
			t.Errorf("%.10s…: error %v", source, l.err)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	for name, source := range map[string]string{
		"array":      "const a = []; for (;;) a.push(a.length + 0.5)",
		"objects":    "const a = []; for (;;) a.push({ x: {} })",
		"strings":    "const a = []; let s = 'x'; for (;;) a.push(s += 'yz'.repeat(1000))",
		"flat":       "const a = []; for (;;) a.push('x'.repeat(1e6) + Math.random())",
		"buffers":    "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1))",
		"map":        "const m = new Map(); for (let i = 0;; i++) m.set(i, i)",
		"closures":   "let f = () => 0; for (;;) { const g = f; f = () => g }",
		"promises":   "const a = []; for (;;) a.push(new Promise(() => {}))",
		"repeat":     "'x'.repeat(2 ** 28).split('')",
		"caught":     "const a = []; try { for (;;) a.push({}) } catch {} try { for (;;) a.push({}) } catch {} a.push({}, {}); for (;;) a.push({})",
		"regexp":     "const a = []; for (let i = 0;; i++) a.push(new RegExp('a' + i))",
		"timers":     "for (;;) setTimeout(() => {}, 1e6)",
		"stringify":  "const a = new Array(5e6).fill('abcdefghij'); JSON.stringify(a)",
		"rejections": "for (;;) Promise.reject(new Error('x'))",
	} {
		t.Run(name, func(t *testing.T) {
			l := run(t, program{source: source, memory: 24 << 20, yield: func(n int) {
				if n > 500_000 {
					panic(engine.Stop{Cause: errEnough})
				}
			}})
			if l.err != nil {
				t.Fatal(l.err)
			}
			if len(l.failures) == 0 || l.failures[0].Code != "ERR_OUT_OF_MEMORY" {
				t.Fatalf("failures %+v", l.failures)
			}
			top, err := l.clone.machine.HeapTop()
			if err != nil {
				t.Fatal(err)
			}
			if over := int(top) - len(l.clone.image.memory) - 24<<20; over > 300<<10 {
				t.Fatalf("the heap is %d bytes over the limit", over)
			}
		})
	}
}

// Where no exception can say that memory is out, the guest says so and dies:
// the interpreter's own code does not survive every refused allocation.
func TestMemoryEndsInsideOfBuiltins(t *testing.T) {
	for name, source := range map[string]string{
		"subclass of array": "class A extends Array {} const a = []; for (;;) a.push(new A())",
		"species":           "class A extends Array {} const a = []; for (;;) a.push(A.of(1).map((x) => x))",
		"reflect":           "const a = []; for (;;) a.push(Reflect.construct(Array, [], Object))",
		"urls":              "const a = []; for (let i = 0;; i++) a.push(new URL('http://a.test/' + i))",
		"long urls":         "const s = 'x'.repeat(9e6); for (;;) new URL('http://a.test/' + s).href = 'http://b.test/' + s",
		"url searches":      "const u = new URL('http://a.test/'); for (;;) u.search += 'é'.repeat(1e5)",
		"json":              "JSON.parse('[' + '{\"a\":1},'.repeat(1e6) + '1]')",
		"array from":        "Array.from({ length: 1e7 }, (_, i) => [i])",
		"entries":           "const o = {}; for (let i = 0; i < 1e5; i++) o['k' + i] = i; const a = []; for (;;) a.push(Object.entries(o))",
		"match":             "[...'ab'.repeat(1e6).matchAll(/(?<x>a)/g)]",
		"split":             "'a b '.repeat(2e6).split(' ').map((s) => s + 'x')",
		"sets":              "const a = []; for (;;) a.push(new Set([1, 2, 3]).union(new Set([4, 5])))",
		"headers":           "const h = new Headers(); for (let i = 0;; i++) h.append('n' + i, 'v')",
		"clones":            "const a = []; const o = { x: [1, 2, { y: new Map([[1, 2]]) }] }; for (;;) a.push(structuredClone(o))",
		"async":             "const a = []; for (;;) a.push((async () => { await 1 })())",
		"generators":        "const a = []; for (;;) { const g = (function* () { yield 1 })(); g.next(); a.push(g) }",
	} {
		t.Run(name, func(t *testing.T) {
			l := run(t, program{source: source, memory: 24 << 20, yield: func(n int) {
				if n > 500_000 {
					panic(engine.Stop{Cause: errEnough})
				}
			}})
			var trap *engine.Trap
			if l.err != nil && !errors.As(l.err, &trap) {
				t.Fatal(l.err)
			}
			if len(l.failures) == 0 || l.failures[0].Code != "ERR_OUT_OF_MEMORY" {
				t.Fatalf("failures %+v, results %d, error %v", l.failures, len(l.results), l.err)
			}
		})
	}
}

func TestMessageFindsNoMemory(t *testing.T) {
	c := newClone(t)
	c.in.SetData(isolate.Port(&host{t: t}))
	if err := c.machine.Begin(isolate.Life{MemoryBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	message := (&op.RunMessage{Name: "m.js", Source: strings.Repeat(" ", 4<<20)}).Encode()
	if _, err := c.machine.Event(uint32(op.EventRun), message); !errors.Is(err, isolate.ErrMemory) || !errors.Is(err, ErrMemory) {
		t.Fatal(err)
	}
}

func TestGarbageIsCollected(t *testing.T) {
	// Cycles are only freed by the collector: without it this needs 2 GB.
	l := run(t, program{memory: 64 << 20, source: `
		for (let i = 0; i < 2e5; i++) { const a = { pad: new Uint8Array(10000) }; a.self = a }
		'survived'`})
	l.want(resultJSON, "string", `"survived"`)
	// … also where live data is close to the limit.
	l = run(t, program{memory: 64 << 20, source: `
		const keep = Array.from({length: 40}, () => new Uint8Array(1e6));
		for (let i = 0; i < 3e4; i++) { const a = { pad: new Uint8Array(10000) }; a.self = a }
		keep.length`})
	l.want(resultJSON, "number", "40")
}
