package quickjs

import (
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

const (
	resultNone = iota
	resultJSON
	resultText
)

func TestResults(t *testing.T) {
	for _, test := range []struct {
		name, source string
		kind         uint8
		typ, value   string
	}{
		{"number", "1+2*3", resultJSON, "number", "7"},
		{"string", "'a\\u00e9\\u{1F600}'", resultJSON, "string", "\"a\u00e9\U0001F600\""},
		{"boolean", "true", resultJSON, "boolean", "true"},
		{"null", "null", resultJSON, "null", "null"},
		{"undefined", "undefined", resultNone, "undefined", ""},
		{"nothing", "", resultNone, "undefined", ""},
		{"object", "({a: 1, b: [2, {c: 'x'}]})", resultJSON, "object", `{"a":1,"b":[2,{"c":"x"}]}`},
		{"array", "[1, null, undefined]", resultJSON, "array", "[1,null,null]"},
		{"date", "new Date(0)", resultJSON, "Date", `"1970-01-01T00:00:00.000Z"`},
		{"class", "class Point { x = 1 }; new Point()", resultJSON, "Point", `{"x":1}`},
		{"no prototype", "Object.assign(Object.create(null), {a: 1})", resultJSON, "object", `{"a":1}`},
		{"toJSON", "({ toJSON() { return [1] } })", resultJSON, "object", "[1]"},
		{"promise", "Promise.resolve(5)", resultJSON, "number", "5"},
		{"thenable", "({ then(f) { f(6) } })", resultJSON, "number", "6"},
		{"async function", "(async () => { await null; return {ok: true} })()", resultJSON, "object", `{"ok":true}`},
		{"top-level await", "const x = await Promise.resolve(20); x + 2", resultJSON, "number", "22"},
		{"statement value", "let s = 0; for (let i = 0; i < 5; i++) s += i", resultJSON, "number", "10"},
		{"var and function", "var a = 2; function f() { return a * 21 }; f()", resultJSON, "number", "42"},
		{"comments mention import", "/* import export */ 'import x'", resultJSON, "string", `"import x"`},
		{"NaN", "NaN", resultText, "number", "NaN"},
		{"infinity", "-Infinity", resultText, "number", "-Infinity"},
		{"bigint", "2n ** 70n", resultText, "bigint", "1180591620717411303424n"},
		{"symbol", "Symbol('s')", resultText, "symbol", "Symbol(s)"},
		{"map", "new Map([[1, {a: 2}]])", resultText, "Map", "Map(1) { 1 => { a: 2 } }"},
		{"set", "new Set(['x'])", resultText, "Set", "Set(1) { 'x' }"},
		{"regexp", "/a+/g", resultText, "RegExp", "/a+/g"},
		{"cycle", "const o = {name: 'o'}; o.self = o; o", resultText, "object", "<ref *1> { name: 'o', self: [Circular *1] }"},
		{"bigint inside", "({n: 1n})", resultText, "object", "{ n: 1n }"},
		{"function", "(function f() {})", resultText, "function", "[Function: f]"},
		{"bytes", "new Uint8Array([1, 2, 255])", resultText, "Uint8Array", "Uint8Array(3) [ 1, 2, 255 ]"},
		{"lone surrogate", "'\\ud800'", resultJSON, "string", `"\ud800"`},
		{"input undefined", "typeof input", resultJSON, "string", `"undefined"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, program{source: test.source}).want(test.kind, test.typ, test.value)
		})
	}
}

func TestInput(t *testing.T) {
	run(t, program{source: "input.a.concat(input.b)", input: `{"a":[1],"b":"x"}`}).want(resultJSON, "array", `[1,"x"]`)
	run(t, program{source: "export default (input) => input * 2", input: "21"}).want(resultJSON, "number", "42")
	run(t, program{source: "input = 3; input", input: "1"}).want(resultJSON, "number", "3")
}

func TestModuleResults(t *testing.T) {
	for _, test := range []struct {
		name, source string
		kind         uint8
		typ, value   string
	}{
		{"value", "export default {a: 1}", resultJSON, "object", `{"a":1}`},
		{"function", "export default function () { return 3 }", resultJSON, "number", "3"},
		{"arrow", "export default () => [1]", resultJSON, "array", "[1]"},
		{"async", "export default async () => { await null; return 'x' }", resultJSON, "string", `"x"`},
		{"promise", "export default Promise.resolve(7)", resultJSON, "number", "7"},
		{"env", "export default (input, env) => env.KEY", resultJSON, "string", `"value"`},
		{"ctx", "export default (input, env, ctx) => { ctx.waitUntil(Promise.resolve()); return typeof ctx.waitUntil }", resultJSON, "string", `"function"`},
		{"class", "export default class A {}", resultText, "function", "[class A]"},
		{"none", "export const a = 1", resultNone, "undefined", ""},
		{"top-level await", "const a = await Promise.resolve(4); export default a", resultJSON, "number", "4"},
		{"main", "export default import.meta.main", resultJSON, "boolean", "true"},
		{"url", "export default import.meta.url", resultJSON, "string", `"file:///home/main.js"`},
		{"strict", "export default (function () { return this === undefined })()", resultJSON, "boolean", "true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, program{source: test.source}).want(test.kind, test.typ, test.value)
		})
	}
}

func TestKinds(t *testing.T) {
	run(t, program{source: "this === globalThis", kind: op.RunScript}).want(resultJSON, "boolean", "true")
	run(t, program{source: "1", kind: op.RunModule}).want(resultNone, "undefined", "")
	run(t, program{source: "export default 1", kind: op.RunScript}).wantFailure(0, "SyntaxError", "unsupported keyword: export")
	// A module whose own syntax is wrong is reported as a module.
	l := run(t, program{source: "import a from './a.js';\nlet x = ;"})
	if f := l.failures[0]; f.Name != "SyntaxError" || !strings.Contains(f.Stack, "main.js:2:") {
		t.Fatalf("%+v", f.ErrorRecord)
	}
}

func TestWorkAfterTheResult(t *testing.T) {
	l := start(t, program{source: "setTimeout(() => console.log('later'), 50); 'now'"})
	if l.status != isolate.Pending || len(l.results) != 1 {
		t.Fatalf("status %v, results %v, error %v", l.status, l.results, l.err)
	}
	l.settleAll()
	l.want(resultJSON, "string", `"now"`)
	if got := l.stdout.String(); got != "later\n" {
		t.Fatalf("printed %q", got)
	}
}

func TestProgramIsTold(t *testing.T) {
	run(t, program{source: "JSON.stringify([process.argv.slice(2), process.env.KEY, process.cwd()])"}).
		want(resultJSON, "string", `"[[\"one\",\"two\"],\"value\",\"/home\"]"`)
}

func TestExit(t *testing.T) {
	l := run(t, program{source: "process.exit(3); 1"})
	if l.exit == nil || *l.exit != 3 || l.err == nil {
		t.Fatalf("exit %v, error %v", l.exit, l.err)
	}
}

func TestFreshRandomness(t *testing.T) {
	a := run(t, program{source: "Math.random()"})
	b := run(t, program{source: "Math.random()"})
	if a.results[0] != b.results[0] {
		t.Fatal("one seed gave two sequences")
	}
	c := newClone(t)
	h := &host{t: t}
	c.in.SetData(isolate.Port(h))
	if err := c.machine.Begin(isolate.Life{Seed: 43}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.machine.Event(uint32(op.EventRun), (&op.RunMessage{Name: "main.js", Source: "Math.random()"}).Encode()); err != nil {
		t.Fatal(err)
	}
	if h.results[0] == a.results[0] {
		t.Fatal("two seeds gave one sequence")
	}
}

func TestLargeMessages(t *testing.T) {
	big := strings.Repeat("x", 300_000)
	run(t, program{source: "input.length", input: `"` + big + `"`}).want(resultJSON, "number", "300000")
	run(t, program{source: "/*" + big + "*/ 1"}).want(resultJSON, "number", "1")
	run(t, program{source: "'" + big + "'"}).want(resultJSON, "string", `"`+big+`"`)
	run(t, program{source: "export { default } from './big.txt' with { type: 'text' }", files: map[string]string{"big.txt": big}}).
		want(resultJSON, "string", `"`+big+`"`)
}

func TestNothingOfThreadsOrInternals(t *testing.T) {
	run(t, program{source: "[typeof SharedArrayBuffer, typeof Atomics, typeof native, typeof __native]"}).
		want(resultJSON, "array", `["undefined","undefined","undefined","undefined"]`)
}
