package quickjs

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// prepare prepares a program, which has to succeed, and takes an image of it.
func prepare(t testing.TB, p program) *image {
	t.Helper()
	l := begin(t, newClone(t), op.EventPrepare, p)
	l.settleAll()
	if l.err != nil || len(l.failures) > 0 || len(l.results) > 0 {
		t.Fatalf("error %v, failures %+v, results %+v", l.err, l.failures, l.results)
	}
	top, err := l.clone.machine.HeapTop()
	if err != nil {
		t.Fatal(err)
	}
	img := &image{module: l.clone.image.module, memory: bytes.Clone(l.clone.memory[:top]), globals: map[string]uint64{}}
	for name := range l.clone.image.globals {
		g, err := l.clone.in.Global(name)
		if err != nil {
			t.Fatal(err)
		}
		img.globals[name] = g.Get()
	}
	return img
}

// invoke calls the prepared function in a clean clone, until it first waits.
func (c *clone) invoke(t testing.TB, seed uint64, message *op.InvokeMessage, files map[string]string, yield func(int)) *life {
	t.Helper()
	if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	l := &life{host: &host{t: t, files: files, yield: yield}, t: t, clone: c}
	c.in.SetData(isolate.Port(l.host))
	if err := c.machine.Begin(isolate.Life{Seed: seed, MemoryBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	l.status, l.err = c.machine.Event(uint32(op.EventInvoke), message.Encode())
	return l
}

func TestInvoke(t *testing.T) {
	for name, test := range map[string]struct {
		program program
		message op.InvokeMessage
		want    result
	}{
		"module":        {program{source: "export default (input) => input.a + 1"}, op.InvokeMessage{Input: []byte(`{"a": 41}`)}, result{1, "number", "42"}},
		"named":         {program{source: "export default function f() { return typeof f }"}, op.InvokeMessage{}, result{1, "string", `"function"`}},
		"script":        {program{source: "let n = 40; (input) => n + input"}, op.InvokeMessage{Input: []byte("2")}, result{1, "number", "42"}},
		"no input":      {program{source: "export default (...args) => [args.length, args[0] === undefined]"}, op.InvokeMessage{}, result{1, "array", "[3,true]"}},
		"no result":     {program{source: "export default () => {}"}, op.InvokeMessage{}, result{0, "undefined", ""}},
		"state":         {program{source: "let n = 1; n += 1; export default () => ++n"}, op.InvokeMessage{}, result{1, "number", "3"}},
		"async":         {program{source: "export default async (input) => { await 1; return input }"}, op.InvokeMessage{Input: []byte(`"x"`)}, result{1, "string", `"x"`}},
		"timer":         {program{source: "export default () => new Promise((r) => setTimeout(r, 5, 'late'))"}, op.InvokeMessage{}, result{1, "string", `"late"`}},
		"thenable":      {program{source: "export default () => ({ then(f) { f('then') } })"}, op.InvokeMessage{}, result{1, "string", `"then"`}},
		"response":      {program{source: "export default () => new Response('hi')"}, op.InvokeMessage{}, run(t, program{source: "export default () => new Response('hi')"}).results[0]},
		"environment":   {program{source: "export default (input, env) => [env.KEY, env.TOKEN, process.env.TOKEN, process.argv.length]"}, op.InvokeMessage{Env: []op.Pair{{Name: "TOKEN", Value: "t"}}}, result{1, "array", `["value","t","t",4]`}},
		"context":       {program{source: "export default (input, env, ctx) => { ctx.waitUntil(Promise.resolve()); ctx.passThroughOnException(); return typeof ctx }"}, op.InvokeMessage{}, result{1, "string", `"object"`}},
		"import":        {program{source: "import a from './a.js'; export default () => a", files: map[string]string{"a.js": "export default 'a'"}}, op.InvokeMessage{}, result{1, "string", `"a"`}},
		"late import":   {program{source: "export default async () => (await import('./a.js')).default", files: map[string]string{"a.js": "export default 'a'"}}, op.InvokeMessage{}, result{1, "string", `"a"`}},
		"await before":  {program{source: "await new Promise((r) => setTimeout(r, 1)); export default () => 'ready'"}, op.InvokeMessage{}, result{1, "string", `"ready"`}},
		"cleared timer": {program{source: "clearTimeout(setTimeout(() => {}, 1)); export default () => 1"}, op.InvokeMessage{}, result{1, "number", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := prepare(t, test.program).clone(t)
			for range 3 { // each is a clone of the state that prepare left
				l := c.invoke(t, 1, &test.message, test.program.files, nil)
				l.settleAll()
				l.want(test.want.kind, test.want.typ, test.want.value)
			}
		})
	}
}

func TestInvokeFails(t *testing.T) {
	for name, test := range map[string]struct {
		source        string
		input         string
		origin        uint8
		kind, message string
	}{
		"throws":      {"export default () => { throw new TypeError('no') }", "", 0, "TypeError", "no"},
		"rejects":     {"export default async () => { await 1; throw new RangeError('no') }", "", 0, "RangeError", "no"},
		"uncaught":    {"export default () => { setTimeout(() => { throw new Error('later') }, 1) }", "", 1, "Error", "later"},
		"rejection":   {"export default () => { Promise.reject(new Error('lost')); return 1 }", "", 2, "Error", "lost"},
		"wait until":  {"export default (input, env, ctx) => { ctx.waitUntil(Promise.reject(new Error('lost'))); return 1 }", "", 2, "Error", "lost"},
		"waits":       {"export default () => new Promise(() => {})", "", 0, "Error", "The module awaits a promise that never settles"},
		"input":       {"export default () => 1", "{", 0, "SyntaxError", "Expected property name or '}' in JSON at position 1 (line 1 column 2)"},
		"no eval":     {"export default () => eval('1')", "", 0, "EvalError", "Code generation from strings disallowed for this context"},
		"not a class": {"export default () => { throw 1 }", "", 0, "Uncaught", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := prepare(t, program{source: test.source}).clone(t).invoke(t, 1, &op.InvokeMessage{Input: []byte(test.input)}, nil, nil)
			l.settleAll()
			l.wantFailure(test.origin, test.kind, test.message)
		})
	}
}

func TestPrepareFails(t *testing.T) {
	for name, test := range map[string]struct {
		source        string
		origin        uint8
		kind, message string
	}{
		"no export":      {"export const a = 1", 0, "TypeError", "The module's default export is not a function"},
		"object":         {"export default {}", 0, "TypeError", "The module's default export is not a function"},
		"class":          {"export default class {}", 0, "TypeError", "The module's default export is not a function"},
		"script":         {"1 + 1", 0, "TypeError", "The script's value is not a function"},
		"throws":         {"throw new RangeError('no'); export default () => 1", 0, "RangeError", "no"},
		"syntax":         {"export default (", 0, "SyntaxError", "unexpected token in expression: ''"},
		"waits":          {"await new Promise(() => {}); export default () => 1", 0, "Error", "The module awaits a promise that never settles"},
		"rejection":      {"Promise.reject(new Error('lost')); export default () => 1", 2, "Error", "lost"},
		"timer":          {"setTimeout(() => {}, 1); export default () => 1", 0, "Error", "The program has 1 operations pending after its evaluation (timers, fetches, bodies); start them in the function that it exports"},
		"interval":       {"setInterval(() => {}, 1); export default () => 1", 0, "Error", "The program has 1 operations pending after its evaluation (timers, fetches, bodies); start them in the function that it exports"},
		"fetch":          {"fetch('http://a.test/').catch(() => {}); export default () => 1", 0, "Error", "The program has 1 operations pending after its evaluation (timers, fetches, bodies); start them in the function that it exports"},
		"job at the end": {"queueMicrotask(() => { throw new Error('job') }); export default () => 1", 1, "Error", "job"},
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, newClone(t), op.EventPrepare, program{source: test.source})
			l.settleAll()
			l.wantFailure(test.origin, test.kind, test.message)
			if _, err := l.clone.machine.Event(uint32(op.EventInvoke), (&op.InvokeMessage{}).Encode()); !errors.Is(err, ErrProtocol) {
				t.Errorf("invoke after a failed prepare: %v", err)
			}
		})
	}
}

// Each life of a prepared program has randomness and limits of its own.
func TestInvokeIsFresh(t *testing.T) {
	c := prepare(t, program{source: "const early = Math.random(); export default () => [early, Math.random()]"}).clone(t)
	first := c.invoke(t, 1, &op.InvokeMessage{}, nil, nil)
	second := c.invoke(t, 2, &op.InvokeMessage{}, nil, nil)
	again := c.invoke(t, 1, &op.InvokeMessage{}, nil, nil)
	if first.results[0] == second.results[0] || first.results[0] != again.results[0] {
		t.Errorf("results %v, %v and, with the first's seed, %v", first.results, second.results, again.results)
	}

	c = prepare(t, program{source: "const a = []; export default () => { for (;;) a.push(a.length + 0.5) }"}).clone(t)
	l := c.invoke(t, 1, &op.InvokeMessage{}, nil, nil)
	if l.err != nil || len(l.failures) == 0 || l.failures[0].Code != "ERR_OUT_OF_MEMORY" {
		t.Errorf("error %v, failures %+v", l.err, l.failures)
	}

	c = prepare(t, program{source: "export default () => { for (;;); }"}).clone(t)
	l = c.invoke(t, 1, &op.InvokeMessage{}, nil, func(n int) {
		if n > 10 {
			panic(engine.Stop{Cause: errEnough})
		}
	})
	if !errors.Is(l.err, errEnough) {
		t.Errorf("error %v", l.err)
	}
}

func TestPreparedRefusesOtherEvents(t *testing.T) {
	c := prepare(t, program{source: "export default () => 1"}).clone(t)
	for _, test := range []struct {
		event   op.Event
		message []byte
	}{
		{op.EventRun, (&op.RunMessage{Source: "1"}).Encode()},
		{op.EventPrepare, (&op.RunMessage{Source: "export default () => 2"}).Encode()},
		{op.EventInvoke, nil},
		{op.EventInvoke, []byte{5, 0, 0, 0}},
		{op.EventInvoke, []byte{0, 0, 0, 0}},
		{op.EventInvoke, []byte{0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0}},
	} {
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
		c.in.SetData(isolate.Port(&host{t: t}))
		if err := c.machine.Begin(isolate.Life{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.machine.Event(uint32(test.event), test.message); !errors.Is(err, ErrProtocol) {
			t.Errorf("event %v, message %x: %v", test.event, test.message, err)
		}
	}
	if _, err := newClone(t).machine.Event(uint32(op.EventInvoke), (&op.InvokeMessage{}).Encode()); !errors.Is(err, ErrProtocol) {
		t.Errorf("invoke without prepare: %v", err)
	}
}

// What C says of a Response is what the bootstrap's inspect says.
func TestResponseIsShown(t *testing.T) {
	for _, expression := range []string{
		"new Response('hi')", "new Response()", "new Response(null, { status: 204, statusText: 'No Content' })", "new Response('x', { status: 404 })",
		"new Response(new Uint8Array(3))", "Response.json({ a: 1 })", "new Response('', { headers: { plain: 'a' } })",
		"new Response(null, { headers: { plain: '" + strings.Repeat("v", 35) + "' } })", "new Response(null, { headers: { plain: '" + strings.Repeat("v", 36) + "' } })",
		"new Response(null, { headers: { plain: '" + strings.Repeat("v", 90) + "' } })", "new Response('a', { headers: { a: 'b', c: 'd' } })",
		"new Response('a', { headers: { a: \"it's\" } })", "new Response(null, { headers: { a_1: '' } })", "new Response(null, { headers: { '1a': 'x' } })",
		"new Response(null, { statusText: 'é' })", "Object.assign(new Response('hi'), { own: 1 })", "new (class Own extends Response {})('hi')",
		"Response.error()", "Response.redirect('http://a.test/', 301)", "new Response(new ReadableStream())",
		"(() => { const r = new Response('hi'); r.headers; return r })()", "(() => { const r = new Response('hi'); r.text(); return r })()",
	} {
		direct := run(t, program{source: "export default () => " + expression})
		said := run(t, program{source: "import { inspect } from 'node:util'; export default () => inspect(" + expression + ")"})
		if len(direct.results) != 1 || len(said.results) != 1 {
			t.Fatalf("%s: %+v, %+v", expression, direct.failures, said.failures)
		}
		var want string
		if err := json.Unmarshal([]byte(said.results[0].value), &want); err != nil {
			t.Fatal(err)
		}
		if direct.results[0].kind != 2 || direct.results[0].value != want {
			t.Errorf("%s is shown as\n%s\nand inspected as\n%s", expression, direct.results[0].value, want)
		}
	}
}

// An invocation changes few pages of the prepared image.
func TestInvokeChangesFewPages(t *testing.T) {
	for _, test := range []struct {
		source string
		limit  int
	}{
		{"export default () => 1", 12},
		{"export default () => new Response('hi')", 25},
		{"export default async (input, env) => ({ key: env.KEY })", 60},
	} {
		c := prepare(t, program{source: test.source}).clone(t)
		l := c.invoke(t, 1, &op.InvokeMessage{}, nil, nil)
		if l.err != nil || len(l.results) != 1 {
			t.Fatalf("%s: error %v, failures %+v", test.source, l.err, l.failures)
		}
		n := c.changedPages(t)
		t.Logf("%d pages: %s", n, test.source)
		if n > test.limit {
			t.Errorf("%d pages are changed, more than %d: %s", n, test.limit, test.source)
		}
	}
}
