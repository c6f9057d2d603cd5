package quickjs

import (
	"bytes"
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// cells runs cells one after the other in one state.
type cells struct {
	t     testing.TB
	clone *clone
	files map[string]string
}

func newCells(t testing.TB, files map[string]string) *cells {
	return &cells{t: t, clone: newClone(t), files: files}
}

// start delivers a cell and returns when it first waits.
func (c *cells) start(p program) *life {
	c.t.Helper()
	p.files = c.files
	return begin(c.t, c.clone, op.EventCell, p)
}

func (c *cells) program(p program) *life {
	c.t.Helper()
	l := c.start(p)
	l.settleAll()
	return l
}

func (c *cells) run(source string) *life {
	c.t.Helper()
	return c.program(program{source: source, name: "cell.js"})
}

// A step is a cell and its result as JSON or text; or, behind a "!", its error.
type step struct{ source, want string }

func (c *cells) steps(steps ...step) {
	c.t.Helper()
	for i, s := range steps {
		l := c.run(s.source)
		if l.err != nil {
			c.t.Fatalf("cell %d %q: %v", i, s.source, l.err)
		}
		got := ""
		switch {
		case len(l.failures) > 0:
			got = "!" + l.failures[0].Name + ": " + l.failures[0].Message
		case len(l.results) == 1:
			got = l.results[0].value
		default:
			c.t.Fatalf("cell %d %q: %d results", i, s.source, len(l.results))
		}
		if got != s.want {
			c.t.Errorf("cell %d %q came to %q, want %q", i, s.source, got, s.want)
		}
	}
}

func TestCells(t *testing.T) {
	files := map[string]string{
		"counter.js": "export let n = 0; export default function next() { return ++n } export const name = 'counter'",
		"late.js":    "export const late = await new Promise((r) => setTimeout(r, 5, 'late'))",
		"broken.js":  "throw new RangeError('broken module')",
		"data.json":  `{"a": [1, 2]}`,
	}
	for name, steps := range map[string][]step{
		"names":          {{"let a = 1; const b = 2; var c = 3", ""}, {"function f() { return a + b + c }; class K { m() { return f() } }", ""}, {"a = 10; new K().m()", "15"}},
		"undefined":      {{"1", "1"}, {"nothing", "!ReferenceError: nothing is not defined"}},
		"result":         {{"const x = 5", ""}, {"x * 2", "10"}, {"({a: x})", `{"a":5}`}, {"'use strict'; x", "5"}, {"", ""}},
		"let again":      {{"let x = 1; const get = () => x", ""}, {"let x = 2", ""}, {"[x, get()]", "[2,2]"}, {"const x = 3; get()", "3"}, {"x = 4", "!TypeError: 'x' is read-only"}, {"let x = 4; x = 5; get()", "5"}},
		"kinds again":    {{"var x = 1", ""}, {"let x = 2; x", "2"}, {"function x() { return 3 } x()", "3"}, {"class x { static v = 4 } x.v", "4"}, {"var x = 5; x", "5"}, {"const x = 6; x", "6"}, {"var x; x", "5"}},
		"function again": {{"function f() { return 1 } const g = () => f()", ""}, {"function f() { return 2 } g()", "2"}},
		"a global":       {{"let fetch = 1; fetch", "1"}, {"typeof globalThis.fetch", `"function"`}},
		"restricted":     {{"let undefined = 1", "!SyntaxError: redeclaration of 'undefined'"}, {"undefined", ""}},
		"twice in one":   {{"let x = 1; let x = 2", "!SyntaxError: invalid redefinition of lexical identifier"}, {"typeof x", `"undefined"`}},
		"destructuring":  {{"const {a, b: [c, ...d]} = {a: 1, b: [2, 3, 4]}", ""}, {"[a, c, d]", "[1,2,[3,4]]"}},
		"closures":       {{"let n = 0; const inc = () => ++n; { let hidden = 7; var get = () => hidden }", ""}, {"inc(); inc()", "2"}, {"[n, get(), typeof hidden]", `[2,7,"undefined"]`}},
		"classes":        {{"class A { #p = 1; p() { return this.#p } }", ""}, {"class B extends A { p() { return super.p() + 1 } }", ""}, {"new B().p()", "2"}},
		"generators":     {{"function* g() { yield 1; yield 2 } const it = g(); it.next().value", "1"}, {"it.next().value", "2"}},
		"await":          {{"const x = await new Promise((r) => setTimeout(r, 5, 'slow'))", ""}, {"x", `"slow"`}, {"await Promise.all([1, Promise.resolve(x)])", `[1,"slow"]`}, {"Promise.resolve(3)", "3"}},
		"pending":        {{"let release; const p = new Promise((r) => { release = r })", ""}, {"release(9)", ""}, {"await p", "9"}},
		"async names":    {{"let a = 1; await null; let b = 2; function f() { return a + b } await f()", "3"}, {"f() + b", "5"}},
		"never":          {{"let kept = 1; await new Promise(() => {})", "!Error: The cell awaits a promise that never settles"}, {"kept", "1"}},
		"a failure":      {{"let x = 1, n = 0; const y = 2", ""}, {"n = 5; let x = n.no.no", "!TypeError: cannot read property 'no' of undefined"}, {"[x, y, n]", "[1,2,5]"}, {"let x = 7", ""}, {"x", "7"}},
		"a failure new":  {{"const z = nope()", "!ReferenceError: nope is not defined"}, {"z", "!ReferenceError: z is not defined"}, {"const z = 1; z", "1"}},
		"a failure kept": {{"let before = 1; throw new Error('x'); let after = 2", "!Error: x"}, {"before", "1"}, {"typeof after", `"undefined"`}},
		"a failure kind": {{"let x = 1", ""}, {"var x = nope()", "!ReferenceError: nope is not defined"}, {"x", "1"}, {"x = 2; x", "2"}},
		"from itself":    {{"let x = 1", ""}, {"let x = x + 1", "!ReferenceError: x is not initialized"}, {"x", "1"}},
		"a mistake":      {{"let x = 1", ""}, {"let x = ;", "!SyntaxError: unexpected token in expression: ';'"}, {"x", "1"}},
		"await failure":  {{"let x = 1", ""}, {"let x = await Promise.reject(new Error('no'))", "!Error: no"}, {"x", "1"}},
		"rejection":      {{"let p = Promise.reject(new Error('unhandled')); 1", "!Error: unhandled"}, {"2", "2"}},
		"rejections":     {{"for (let i = 0; i < 3; i++) Promise.reject(new Error('n' + i)); 1", "!Error: n0"}, {"2", "2"}},
		"timers":         {{"let log = []; setTimeout(() => log.push('t'), 10); 'result'", `"result"`}, {"log", `["t"]`}},
		"timer failure":  {{"setTimeout(() => { throw new Error('in a timer') }, 1); 1", "!Error: in a timer"}, {"2", "2"}},
		"dropped":        {{"let log = []; setTimeout(() => log.push('never'), 10); throw new Error('x')", "!Error: x"}, {"await new Promise((r) => setTimeout(r, 50)); log", "[]"}},
		"jobs":           {{"let log = []; Promise.resolve().then(() => log.push('job')); throw new Error('x')", "!Error: x"}, {"log", `["job"]`}},
		"import":         {{"import next, {n, name as called} from './counter.js'; import * as all from './counter.js'; [next(), called, typeof n]", `[1,"counter","number"]`}, {"[next(), called, all.n]", `[2,"counter",2]`}, {"import {n} from './counter.js'; n", "2"}},
		"import json":    {{"import data from './data.json' with {type: 'text'}; data.length", "13"}, {"JSON.parse(data).a", "[1,2]"}},
		"import await":   {{"import {late} from './late.js'; late", `"late"`}, {"late + '!'", `"late!"`}},
		"import node":    {{"import {posix, join} from 'node:path'; import process from 'node:process'", ""}, {"[join('a', 'b'), process === globalThis.process]", `["a/b",true]`}},
		"import nothing": {{"import './counter.js'; 1", "1"}},
		"import missing": {{"let x = 1; import {nope} from './counter.js'", "!SyntaxError: The module that is imported has no export 'nope'"}, {"typeof x", `"undefined"`}, {"typeof nope", `"undefined"`}},
		"import absent":  {{"import x from './absent.js'", "!Error: Cannot find module './absent.js'"}, {"1", "1"}},
		"import broken":  {{"import x from './broken.js'; 1", "!RangeError: broken module"}, {"1", "1"}},
		"import twice":   {{"import next from './counter.js'; let next = 1", "!SyntaxError: redeclaration of 'next'"}, {"typeof next", `"undefined"`}},
		"import const":   {{"import next from './counter.js'", ""}, {"next = 1", "!TypeError: 'next' is read-only"}, {"let next = 2; next", "2"}},
		"late import":    {{"const m = await import('./counter.js'); m.default()", "1"}, {"m.n", "1"}},
		"export":         {{"export const a = 1; export function f() { return a } export {a as b}", ""}, {"f()", "1"}},
		"default":        {{"export default 41 + 1", "42"}, {"export default function main() { return 'called' }", `"called"`}, {"main()", `"called"`}, {"export default async (input) => typeof input", `"undefined"`}},
		"input":          {{"typeof input", `"undefined"`}},
		"process":        {{"process.env.KEY + process.argv.length", `"value4"`}, {"process.env.KEY = 'mine'", `"mine"`}, {"process.env.KEY", `"mine"`}},
		"chdir":          {{"process.cwd()", `"/home"`}},
		"exit code":      {{"process.exitCode = 3; 1", "1"}, {"process.exitCode", ""}},
		"listeners":      {{"let ends = 0; process.on('exit', () => ends++); process.on('beforeExit', () => ends++); 0", "0"}, {"ends", "0"}},
		"comments":       {{"let a = 1 // import x from 'y'", ""}, {"`import ${a}\nimport x from 'y'`", `"import 1\nimport x from 'y'"`}},
		"this":           {{"this === globalThis", "true"}},
		"many":           {{strings.Repeat("function f() { return 1 }\n", 300) + "f()", "1"}, {"f()", "1"}},
	} {
		t.Run(name, func(t *testing.T) { newCells(t, files).steps(steps...) })
	}
}

func TestCellInput(t *testing.T) {
	c := newCells(t, nil)
	c.program(program{source: "input.a", input: `{"a": 1}`}).want(1, "number", "1")
	c.program(program{source: "input + 1", input: `2`}).want(1, "number", "3")
	c.program(program{source: "input"}).want(1, "number", "2")
	c.program(program{source: "export default (input) => input * 2", input: "21"}).want(1, "number", "42")
	c.program(program{source: "1", input: "{"}).wantFailure(0, "SyntaxError", "Expected property name or '}' in JSON at position 1 (line 1 column 2)")
	c.run("2").want(1, "number", "2")
}

func TestCellExit(t *testing.T) {
	c := newCells(t, nil)
	c.run("let log = []").want(0, "undefined", "")
	for name, source := range map[string]string{
		"plain":     "log.push(1); process.exit(3); log.push('after')",
		"caught":    "log.push(1); try { process.exit(3) } catch { log.push('caught') } finally { log.push('finally') }",
		"async":     "log.push(1); await (async () => { process.exit(3) })().catch(() => log.push('caught')); log.push('after')",
		"in a job":  "log.push(1); await null; process.exit(3)",
		"timer":     "log.push(1); setTimeout(() => process.exit(3), 1); await new Promise(() => {})",
		"generator": "log.push(1); function* g() { try { process.exit(3) } finally { log.push('finally') } } [...g()]",
		"import":    "import './exit.js'; log.push('after')",
	} {
		t.Run(name, func(t *testing.T) {
			c.t, c.files = t, map[string]string{"exit.js": "log.push(1); process.exit(3)"}
			c.run("log.length = 0")
			l := c.run(source)
			if l.err != nil || len(l.failures) > 0 || l.exit == nil || *l.exit != 3 {
				t.Fatalf("error %v, failures %+v, exit %v", l.err, l.failures, l.exit)
			}
			c.run("log").want(1, "array", "[1]")
		})
	}
}

func interrupt(t *testing.T, c *cells) {
	if err := c.clone.machine.Interrupt(); err != nil {
		t.Error(err)
	}
}

func TestCellInterrupt(t *testing.T) {
	for name, source := range map[string]string{
		"loop":      "n = 1; for (;;);",
		"caught":    "n = 1; for (;;) try { for (;;); } catch { n = 'caught' } finally { n = 'finally' }",
		"async":     "n = 1; (async () => { await null; for (;;); })().catch(() => { n = 'caught' }); await null",
		"jobs":      "n = 1; const loop = () => Promise.resolve().then(loop); await loop()",
		"builtin":   "n = 1; for (;;) Array.prototype.indexOf.call({length: 1e5}, 1)",
		"regex":     "n = 1; /(a+)+b/.test('a'.repeat(40))",
		"sort":      "n = 1; Array.from({length: 1000}, (_, i) => i).sort(() => { for (;;); })",
		"after one": "n = 1; Promise.resolve().then(() => { for (;;); }); throw new Error('first')",
	} {
		t.Run(name, func(t *testing.T) {
			c := newCells(t, nil)
			c.run("let n = 0").want(0, "undefined", "")
			l := c.program(program{source: source, yield: func(count int) {
				if count == 20 {
					interrupt(t, c)
				}
				if count > 100_000 {
					panic("not interrupted")
				}
			}})
			if l.err != nil {
				t.Fatal(l.err)
			}
			if name == "after one" {
				l.wantFailure(0, "Error", "first")
			} else {
				l.wantFailure(0, "Interrupted", "the execution was interrupted")
			}
			c.run("n").want(1, "number", "1")
			c.run("function f() { return n + 1 } f()").want(1, "number", "2")
		})
	}
	t.Run("waiting", func(t *testing.T) {
		c := newCells(t, nil)
		l := c.start(program{source: "let n = 1; await new Promise((r) => setTimeout(r, 1e6)); n = 2"})
		if l.status != isolate.Pending {
			t.Fatalf("status %v, error %v", l.status, l.err)
		}
		interrupt(t, c)
		l.settle(0, true, nil)
		l.wantFailure(0, "Interrupted", "the execution was interrupted")
		if l.status != isolate.Done || len(l.canceled) != 1 {
			t.Fatalf("status %v, canceled %v", l.status, l.canceled)
		}
		c.run("n").want(1, "number", "1")
	})
	t.Run("too late", func(t *testing.T) {
		c := newCells(t, nil)
		c.program(program{source: "1"})
		interrupt(t, c)
		c.run("let i = 0; for (; i < 1e6; i++); i")
		c.run("1").want(1, "number", "1")
	})
}

// What a cell was told but did not ask for is not in the state that is kept.
func TestCellKeepsNoSecrets(t *testing.T) {
	c := newCells(t, nil)
	const secret = "s3cret-of-the-environment"
	l := &life{host: &host{t: t}, t: t, clone: c.clone}
	c.clone.in.SetData(isolate.Port(l.host))
	for _, size := range []int{10, 200_000} { // in the mailbox, and beside it
		if err := c.clone.machine.Begin(isolate.Life{Seed: 1, MemoryBytes: 64 << 20}); err != nil {
			t.Fatal(err)
		}
		message := (&op.RunMessage{Name: "cell.js", Source: "1;" + strings.Repeat(" ", size), Dir: "/home",
			Env: []op.Pair{{Name: "TOKEN", Value: secret}}}).Encode()
		if l.status, l.err = c.clone.machine.Event(uint32(op.EventCell), message); l.err != nil || l.status != isolate.Done {
			t.Fatalf("status %v, error %v", l.status, l.err)
		}
		if at := bytes.Index(c.clone.memory, []byte(secret)); at >= 0 {
			t.Errorf("the secret is at %#x", at)
		}
	}
}

// Cells that do the same again and again don't use up memory.
func TestCellsLeakNothing(t *testing.T) {
	c := newCells(t, map[string]string{"m.js": "export const m = 1"})
	all := []string{
		"let a = {big: new Array(1000).fill(7)}; a",
		"const a = await new Promise((r) => setTimeout(r, 1, {x: 1})); a",
		"import {m} from './m.js'; m",
		"class a { x = new Uint8Array(10000) } new a()",
		"let b = nope()",
		"let = ",
		"setTimeout(() => {}, 1000); throw new Error('x')",
		"Promise.reject({}); 1",
		"export default () => ({a: 1})",
		"var b = 1; let c = 2; function d() {} d",
		"var c = 1; let b = 2; new Response('hi')",
		"process.exit(1)",
	}
	round := func(sources ...string) uint32 {
		for _, s := range sources {
			if l := c.run(s); l.err != nil {
				t.Fatal(l.err)
			}
		}
		if _, err := c.clone.machine.invoke("gc"); err != nil {
			t.Fatal(err)
		}
		top, err := c.clone.machine.HeapTop()
		if err != nil {
			t.Fatal(err)
		}
		return top
	}
	for range 20 {
		round(all...)
	}
	for _, s := range all {
		before := round(s)
		for range 200 {
			round(s)
		}
		// A page of cells may be begun, and tables may grow once.
		if after := round(s); after > before+32<<10 {
			t.Errorf("%q: the heap has grown from %d to %d bytes", s, before, after)
		}
	}
}

// A cell has as much memory as its life is given, beyond what there is.
func TestCellMemory(t *testing.T) {
	c := newCells(t, nil)
	fill := program{source: "(globalThis.kept ??= []).push(new Uint8Array(1 << 20)); kept.length"}
	top := func() uint32 {
		n, err := c.clone.machine.HeapTop()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	start := top()
	for i := 0; ; i++ {
		fill.memory = 16<<20 - min(top()-start, 16<<20-4096)
		l := c.program(fill)
		if l.err != nil {
			t.Fatal(l.err)
		}
		if len(l.failures) > 0 {
			if i < 8 || i > 16 || l.failures[0].Code != "ERR_OUT_OF_MEMORY" {
				t.Fatalf("cell %d: %v", i, l.failures[0])
			}
			return
		}
		if i > 32 {
			t.Fatal("32 MiB in 16")
		}
	}
}
