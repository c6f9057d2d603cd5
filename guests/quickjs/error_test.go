package quickjs

import (
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name, source   string
		origin         uint8
		error, message string
	}{
		{"throw", "throw new TypeError('bad')", 0, "TypeError", "bad"},
		{"module", "export default () => { throw new RangeError('far') }", 0, "RangeError", "far"},
		{"awaited", "await Promise.reject(new Error('async'))", 0, "Error", "async"},
		{"result rejects", "Promise.reject(new Error('result'))", 0, "Error", "result"},
		{"reference", "nothing.at.all", 0, "ReferenceError", "nothing is not defined"},
		{"own class", "class MyError extends Error { name = 'MyError' }; throw new MyError('own')", 0, "MyError", "own"},
		{"number", "throw 5", 0, "Uncaught", "5"},
		{"string", "throw 'text'", 0, "Uncaught", "'text'"},
		{"undefined", "throw undefined", 0, "Uncaught", "undefined"},
		{"null", "throw null", 0, "Uncaught", "null"},
		{"object", "throw {code: 7}", 0, "Uncaught", "{ code: 7 }"},
		{"symbol", "throw Symbol('x')", 0, "Uncaught", "Symbol(x)"},
		{"timer", "setTimeout(() => { throw new Error('tick') }); 1", 1, "Error", "tick"},
		{"microtask", "queueMicrotask(() => { throw new Error('micro') }); 1", 1, "Error", "micro"},
		{"rejection", "Promise.reject(new Error('lost')); 1", 2, "Error", "lost"},
		{"rejection later", "setTimeout(() => Promise.reject(new Error('lost')), 1); 1", 2, "Error", "lost"},
		{"rejection of nothing", "Promise.reject(); 1", 2, "Uncaught", "undefined"},
		{"waitUntil", "export default (i, e, ctx) => { ctx.waitUntil(Promise.reject(new Error('bg'))); return 1 }", 2, "Error", "bg"},
		{"never", "await new Promise(() => {})", 0, "Error", "The script awaits a promise that never settles"},
		{"never, module", "export default new Promise(() => {})", 0, "Error", "The module awaits a promise that never settles"},
		{"hostile message", "throw Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })", 0, "Error", ""},
		{"hostile name", "throw Object.defineProperty(new Error('x'), 'name', { get() { throw 1 } })", 0, "Error", "x"},
		{"hostile stack", "throw Object.defineProperty(new Error('x'), 'stack', { get() { throw 1 } })", 0, "Error", "x"},
		{"hostile cause", "throw Object.defineProperty(new Error('x'), 'cause', { get() { throw 1 } })", 0, "Error", "x"},
		{"strange types", "throw Object.assign(new Error('x'), { name: 5, message: {}, code: 1 })", 0, "Error", ""},
		{"syntax", "let let = 1", 0, "SyntaxError", "'let' is not a valid lexical identifier"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, program{source: test.source}).wantFailure(test.origin, test.error, test.message)
		})
	}
}

func TestHandledRejections(t *testing.T) {
	for _, source := range []string{
		"Promise.reject(new Error('x')).catch(() => {}); 1",
		"const p = Promise.reject(new Error('x')); await null; p.catch(() => {}); 1",
		"const p = Promise.reject(new Error('x')); queueMicrotask(() => queueMicrotask(() => p.catch(() => {}))); 1",
		"await Promise.allSettled([Promise.reject(1)]); 1",
	} {
		run(t, program{source: source}).want(resultJSON, "number", "1")
	}
}

func TestStacks(t *testing.T) {
	l := run(t, program{source: "function outer() {\n  inner();\n}\nfunction inner() {\n  throw new Error('deep');\n}\nouter();"})
	f := l.wantFailure(0, "Error", "deep")
	want := "    at inner (main.js:5:13)\n    at outer (main.js:2:3)\n    at main.js:7:1"
	if f.Stack != want {
		t.Fatalf("stack\n%s\nwant\n%s", f.Stack, want)
	}
	// Frames of ours and of native functions are not the user's.
	l = run(t, program{source: "[1].map(() => { throw new Error('in map') })"})
	if f := l.wantFailure(0, "Error", "in map"); strings.Contains(f.Stack, "native") || strings.Count(f.Stack, "main.js") != 2 {
		t.Fatalf("stack\n%s", f.Stack)
	}
	l = run(t, program{source: "new EventTarget().dispatchEvent(5)"})
	if len(l.failures) != 1 || strings.Contains(l.failures[0].Stack, "mayfly:") || !strings.Contains(l.failures[0].Stack, "main.js:1:") {
		t.Fatalf("%+v", l.failures)
	}
	// A syntax error has the place in the user's file.
	l = run(t, program{source: "\n\n  let x = ;"})
	if f := l.failures[0]; f.Name != "SyntaxError" || f.Stack != "    at main.js:3:11" {
		t.Fatalf("%+v", f.ErrorRecord)
	}
}

func TestCauses(t *testing.T) {
	l := run(t, program{source: "throw new Error('a', { cause: new TypeError('b', { cause: 'c' }) })"})
	f := l.wantFailure(0, "Error", "a")
	if f.Cause == nil || f.Cause.Name != "TypeError" || f.Cause.Cause == nil || f.Cause.Cause.Message != "'c'" {
		t.Fatalf("%+v", f.ErrorRecord)
	}
	// A chain without end is cut.
	l = run(t, program{source: "const e = new Error('loop'); e.cause = e; throw e"})
	n := 0
	for c := l.wantFailure(0, "Error", "loop").ErrorRecord; c != nil; c = c.Cause {
		n++
	}
	if n < 2 || n > op.MaxErrorDepth {
		t.Fatalf("%d causes", n)
	}
}

func TestHostileValues(t *testing.T) {
	for _, source := range []string{
		"throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 }, ownKeys() { throw 3 } })",
		"throw new Proxy(new Error('x'), { get() { throw 1 } })",
		"throw { toString() { throw 1 }, [Symbol.toPrimitive]() { throw 2 } }",
		"throw Object.create(null)",
		"const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy",
		"const p = new Proxy(function () {}, {}); throw p",
		"throw { get [Symbol.toStringTag]() { throw 1 } }",
		"throw { constructor: { get name() { throw 1 } } }",
	} {
		l := run(t, program{source: source})
		if l.err != nil || len(l.failures) != 1 {
			t.Errorf("%s: error %v, failures %v", source, l.err, l.failures)
		}
	}
	for _, source := range []string{
		"new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 }, ownKeys() { throw 3 } })",
		"const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); [proxy]",
		"({ get a() { throw 1 } })",
		"({ toJSON() { throw 1 } })",
		"Object.setPrototypeOf(class {}, null)",
		"Object.defineProperty(Object.create({ get constructor() { throw 1 } }), 'x', { value: 1 })",
		"({ then: 5 })",
	} {
		l := run(t, program{source: source})
		if l.err != nil || len(l.failures)+len(l.results) == 0 {
			t.Errorf("%s: error %v, failures %v, results %v", source, l.err, l.failures, l.results)
		}
	}
}

func TestOnlyTheFirstFailureEnds(t *testing.T) {
	l := run(t, program{source: "setTimeout(() => console.log('never')); Promise.reject(1); Promise.reject(2); throw new Error('first')"})
	l.wantFailure(0, "Error", "first")
	if len(l.failures) != 1 || l.stdout.Len() != 0 || l.status != isolate.Done {
		t.Fatalf("failures %v, printed %q, status %v", l.failures, l.stdout.String(), l.status)
	}
}

func TestEval(t *testing.T) {
	sources := []string{
		"eval('1+1')", "(0, eval)('1+1')", "new Function('return 2')()", "Function('return 2')()",
		"(async () => {}).constructor('return 2')() && 2", "(function* () {}).constructor('yield 2')().next().value",
		"(async function* () {}).constructor('yield 2')() && 2",
		"Reflect.construct(Function, ['return 2'])()", "globalThis.eval('2')",
		"class F extends Function {}; new F('return 2')()",
	}
	for _, source := range sources {
		run(t, program{source: source}).wantFailure(0, "EvalError", "Code generation from strings disallowed for this context")
		run(t, program{source: source, eval: true}).want(resultJSON, "number", "2")
	}
	// Other than strings pass through, as the standard says.
	run(t, program{source: "eval(5)"}).want(resultJSON, "number", "5")
	// Not code: these stay.
	run(t, program{source: "[JSON.parse('[1]')[0], new RegExp('a+').test('aa')]"}).want(resultJSON, "array", "[1,true]")
	// It is no way around the limits of the boot either.
	run(t, program{source: "import('data:text/javascript,1').then(() => 'in', e => 'out')"}).want(resultJSON, "string", `"out"`)
}
