package execution_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mayfly/guests/quickjs"
	"mayfly/host/egress"
	"mayfly/host/execution"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/storage"
)

var (
	program     *isolate.Program
	cacheFolder string
)

func TestMain(m *testing.M) {
	code, err := prepareAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func prepareAndRun(m *testing.M) (code int, err error) {
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return 0, err
		}
		cache = filepath.Join(dir, "mayfly")
	}
	cacheFolder = cache
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		return 0, err
	}
	defer e.Close()
	if program, err = isolate.Prepare(context.Background(), e, quickjs.Guest{}, cache, nil); err != nil {
		return 0, err
	}
	defer program.Close()
	code = m.Run()
	if code == 0 {
		err = goleak.Find() // nothing that an execution started outlives its service
	}
	return code, err
}

// memoryObjects keeps objects in memory.
type memoryObjects struct {
	mu      sync.Mutex
	content map[string][]byte
}

func (o *memoryObjects) Put(_ context.Context, key string, body io.Reader, options storage.PutOptions) (storage.Object, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return storage.Object{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.content == nil {
		o.content = map[string][]byte{}
	}
	o.content[key] = b
	return storage.Object{Key: key, Size: int64(len(b)), ContentType: options.ContentType}, nil
}

func (o *memoryObjects) Get(_ context.Context, key string, _ storage.GetOptions) (*storage.Content, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b, ok := o.content[key]
	if !ok {
		return nil, &storage.Error{Op: "get", Key: key, Err: storage.ErrNotFound}
	}
	return &storage.Content{Object: storage.Object{Key: key, Size: int64(len(b))}, Length: int64(len(b)), Body: io.NopCloser(bytes.NewReader(b))}, nil
}

// newService makes a service of its own for a test.
func newService(t testing.TB, change func(*execution.Config, *isolate.Config)) *execution.Service {
	t.Helper()
	runtimeConfig := isolate.Config{}
	config := execution.Config{
		Objects: &memoryObjects{},
		Egress:  egress.Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}
	if change != nil {
		change(&config, &runtimeConfig)
	}
	r, err := isolate.New(runtimeConfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Runtime = r
	s, err := execution.New(config, execution.Language{
		Names: []string{"javascript", "typescript"}, Version: quickjs.Version(), Image: "quickjs", Builtin: quickjs.Builtin,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Install("javascript", program, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// execute runs a request that has to be admitted.
func execute(t testing.TB, s *execution.Service, r execution.Request) *execution.Result {
	t.Helper()
	if r.Language == "" {
		r.Language = "javascript"
	}
	result, err := s.Execute(t.Context(), "test", r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func js(code string) execution.Request { return execution.Request{Code: code} }

func ts(code string) execution.Request {
	return execution.Request{Language: "typescript", Code: code}
}

// show is a result in a line, for messages.
func show(r *execution.Result) string {
	e := ""
	if r.Error != nil {
		e = fmt.Sprintf(" error %s: %s\n%s", r.Error.Name, r.Error.Message, r.Error.Stack)
	}
	return fmt.Sprintf("%s value %s text %q type %s stdout %q stderr %q%s", r.Outcome, r.Value, r.Text, r.ValueType, r.Stdout, r.Stderr, e)
}

func TestResults(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct {
		name    string
		request execution.Request
		value   string // JSON
		text    string
		typ     string
	}{
		{"number", js("1 + 2 * 3"), "7", "", "number"},
		{"string", js("'a' + 'ü'"), `"aü"`, "", "string"},
		{"object", js("({a: [1, null]})"), `{"a":[1,null]}`, "", "object"},
		{"array", js("[1, 2].map(x => x * 2)"), "[2,4]", "", "array"},
		{"null", js("null"), "null", "", "null"},
		{"nothing", js("undefined"), "", "", "undefined"},
		{"statement", js("let x = 1;"), "", "", "undefined"},
		{"function", js("(function f() {})"), "", "[Function: f]", "function"},
		{"bigint", js("2n ** 70n"), "", "1180591620717411303424n", "bigint"},
		{"map", js("new Map([[1, 'a']])"), "", "Map(1) { 1 => 'a' }", "Map"},
		{"date", js("new Date(0)"), `"1970-01-01T00:00:00.000Z"`, "", "Date"},
		{"top-level await", js("const x = await Promise.resolve(20); x + 1"), "21", "", "number"},
		{"after a timer", js("await new Promise(r => setTimeout(r, 5)); 'late'"), `"late"`, "", "string"},
		{"module value", js("export default 42"), "42", "", "number"},
		{"module function", execution.Request{Code: "export default (input, env, ctx) => [input.a, env.B, typeof ctx.waitUntil]", Input: json.RawMessage(`{"a":1}`), Env: map[string]string{"B": "x"}}, `[1,"x","function"]`, "", "array"},
		{"module async function", js("export default async () => { await 1; return 'x' }"), `"x"`, "", "string"},
		{"script with input", execution.Request{Code: "input.n + 1", Input: json.RawMessage(`{"n": 41}`)}, "42", "", "number"},
		{"typescript", ts("interface A { x: number }\nconst a: A = {x: 1};\na.x as number"), "1", "", "number"},
		{"typescript module", ts("export default (n: number): number => (n ?? 5) + 1"), "6", "", "number"},
		{"jsx in typescript", ts("/** @jsx h */\nconst h = (n: string, p: any) => [n, p];\n<b c='1'/>"), `["b",{"c":"1"}]`, "", "array"},
		{"arguments", execution.Request{Code: "process.argv.slice(2)", Args: []string{"a", "b c"}}, `["a","b c"]`, "", "array"},
		{"environment", execution.Request{Code: "process.env.X", Env: map[string]string{"X": "1"}}, `"1"`, "", "string"},
		{"stdin", execution.Request{Code: "require = undefined; const fs = await import('node:fs'); fs.readFileSync(0, 'utf8')", Stdin: []byte("in\n")}, `"in\n"`, "", "string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := execute(t, s, c.request)
			if r.Outcome != execution.OK || string(r.Value) != c.value || r.Text != c.text || r.ValueType != c.typ {
				t.Errorf("got %s\nwant value %s text %q type %s", show(r), c.value, c.text, c.typ)
			}
		})
	}
}

func TestErrorsPointAtTheUsersLines(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct {
		name    string
		request execution.Request
		errName string
		message string
		stack   string
	}{
		{"throw", js("\n\nfunction f() { throw new TypeError('no') }\nf()"), "TypeError", "no", "main.js:3:"},
		{"rejection", js("Promise.reject(new RangeError('r')); 1"), "RangeError", "r", "main.js:1:"},
		{"in a timer", js("setTimeout(() => { null.x }, 1)"), "TypeError", "cannot read property 'x' of null", "main.js:1:"},
		{"syntax", js("let x = ;"), "SyntaxError", "", "main.js:1"},
		{"typescript", ts("interface A {\n  x: number\n}\n\nfunction f(a: A): never {\n  throw new Error('x' + a.x)\n}\nf({x: 1})"), "Error", "x1", "main.ts:6:"},
		{"typescript syntax", ts("let y: = 2"), "SyntaxError", "", "main.ts:1:8"},
		{"not an error", js("throw {a: 1}"), "", "", ""},
		{"eval", js("eval('1')"), "EvalError", "Code generation from strings disallowed for this context", "main.js:1:"},
		{"Function", js("new Function('return 1')()"), "EvalError", "Code generation from strings disallowed for this context", "main.js:1:"},
		{"async Function", js("(async () => {}).constructor('return 1')()"), "EvalError", "Code generation from strings disallowed for this context", "main.js:1:"},
		{"missing module", js("import x from './none.js'"), "Error", "Cannot find module './none.js' imported from main.js", ""},
		{"missing builtin", js("import x from 'node:nothing'"), "", "node:nothing", ""},
		{"never resolves", js("await new Promise(() => {})"), "", "never", ""},
		{"in a file", execution.Request{Code: "import './lib/a.ts'", Files: []execution.File{{Path: "lib/a.ts", Content: []byte("type X = 1\n\n\nnull!.x")}}}, "TypeError", "", "lib/a.ts:4:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := execute(t, s, c.request)
			if r.Outcome != execution.Exception || r.Error == nil {
				t.Fatalf("got %s", show(r))
			}
			if c.errName != "" && r.Error.Name != c.errName || !strings.Contains(r.Error.Message, c.message) || !strings.Contains(r.Error.Stack, c.stack) {
				t.Errorf("got %s", show(r))
			}
			if strings.Contains(r.Error.Stack, "mayfly:") {
				t.Errorf("the stack shows what is not the user's:\n%s", r.Error.Stack)
			}
			if r.ExitCode == 0 {
				t.Error("the exit code is 0")
			}
		})
	}
	r := execute(t, s, js("throw new Error('outer', {cause: new TypeError('inner')})"))
	if r.Error == nil || r.Error.Cause == nil || r.Error.Cause.Name != "TypeError" || r.Error.Cause.Message != "inner" {
		t.Errorf("the cause is lost: %s", show(r))
	}
}

func TestEvalWhereTheServerAllowsIt(t *testing.T) {
	s := newService(t, func(c *execution.Config, _ *isolate.Config) { c.AllowEval = true })
	if r := execute(t, s, js("eval('1 + 1') + new Function('return 40')()")); string(r.Value) != "42" {
		t.Error(show(r))
	}
}

func TestLimits(t *testing.T) {
	s := newService(t, nil)
	limits := execution.Limits{CPU: 50 * time.Millisecond, Wall: 2 * time.Second, MemoryBytes: 32 << 20, OutputBytes: 10_000}
	for _, c := range []struct {
		name, code string
		want       []execution.Outcome
	}{
		{"loop", "while (true) {}", []execution.Outcome{execution.ExceededCPU}},
		{"loop that catches", "while (true) { try { while (true) {} } catch {} finally { continue } }", []execution.Outcome{execution.ExceededCPU}},
		{"microtasks", "const f = () => Promise.resolve().then(f); f(); await new Promise(() => {})", []execution.Outcome{execution.ExceededCPU, execution.ExceededMemory}},
		{"recursion of closures", "const f = n => n < 2 ? n : f(n - 1) + f(n - 2); f(60)", []execution.Outcome{execution.ExceededCPU}},
		{"regular expression", "/^(a+)+$/.test('a'.repeat(40) + 'b')", []execution.Outcome{execution.ExceededCPU}},
		{"sort", "const a = []; for (let i = 0; i < 3e5; i++) a.push(i * 7919 % 1000003); while (true) a.sort((x, y) => y - x).reverse()", []execution.Outcome{execution.ExceededCPU}},
		{"bigint", "let x = 3n; while (true) x = x ** 3n", []execution.Outcome{execution.ExceededCPU, execution.ExceededMemory, execution.Exception}},
		{"json", "const s = JSON.stringify(Array(1e5).fill({a: [1, 2, 3]})); while (true) JSON.parse(s)", []execution.Outcome{execution.ExceededCPU, execution.ExceededMemory}},
		{"fill", "const a = new Uint8Array(2e7); while (true) a.fill(1)", []execution.Outcome{execution.ExceededCPU}},
		{"copy", "const a = new Uint8Array(2e7); while (true) a.copyWithin(1, 0)", []execution.Outcome{execution.ExceededCPU}},
		{"digest", "const a = new Uint8Array(5e6); while (true) await crypto.subtle.digest('SHA-256', a)", []execution.Outcome{execution.ExceededCPU}},
		{"waits", "await new Promise(r => setTimeout(r, 60000))", []execution.Outcome{execution.ExceededWallTime}},
		{"intervals", "setInterval(() => {}, 1)", []execution.Outcome{execution.ExceededWallTime, execution.ExceededCPU}},
		{"array of arrays", "const a = []; while (true) a.push(new Array(1000).fill(a.length))", []execution.Outcome{execution.ExceededMemory, execution.ExceededCPU}},
		{"one buffer", "new ArrayBuffer(1e9)", []execution.Outcome{execution.ExceededMemory, execution.Exception}},
		{"string", "let s = 'x'; while (true) s += s", []execution.Outcome{execution.ExceededMemory, execution.Exception, execution.ExceededCPU}},
		{"output", "while (true) console.log('x'.repeat(100))", []execution.Outcome{execution.ExceededOutput}},
		{"result", "'x'.repeat(20000)", []execution.Outcome{execution.ExceededOutput}},
		{"deep recursion", "function f() { return f() + 1 } f()", []execution.Outcome{execution.Exception}},
		{"deep json", "JSON.parse('['.repeat(1e6))", []execution.Outcome{execution.Exception}},
		{"timers", "for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1)", []execution.Outcome{execution.ExceededCPU, execution.ExceededMemory, execution.Exception}},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits := limits
			if c.want[0] == execution.Exception {
				limits.CPU = time.Second // it ends by itself, however slow the machine
			}
			r := execute(t, s, execution.Request{Code: c.code, Limits: limits})
			if !slices.Contains(c.want, r.Outcome) {
				t.Errorf("got %s\nwant one of %v", show(r), c.want)
			}
			if r.Usage.CPU > limits.CPU+200*time.Millisecond {
				t.Errorf("it used %v of processor time", r.Usage.CPU)
			}
			if r.Error == nil || r.Error.Message == "" {
				t.Errorf("no reason is given: %s", show(r))
			}
			if after := execute(t, s, js("1 + 1")); string(after.Value) != "2" {
				t.Errorf("the next execution: %s", show(after))
			}
		})
	}
}

func TestOutputIsCutWithAMark(t *testing.T) {
	s := newService(t, nil)
	r := execute(t, s, execution.Request{Code: "console.error('e'); while (true) console.log('ü'.repeat(33))", Limits: execution.Limits{OutputBytes: 1000}})
	if r.Outcome != execution.ExceededOutput || !slices.Equal(r.Truncated, []string{"stdout"}) || len(r.Stdout) > 1100 ||
		!strings.HasSuffix(r.Stdout, "[output truncated]\n") || strings.Contains(r.Stdout, "\uFFFD") || r.Stderr != "e\n" {
		t.Errorf("truncated %v, %s", r.Truncated, show(r))
	}
}

func TestClonesShareNothing(t *testing.T) {
	s := newService(t, nil)
	execute(t, s, js("globalThis.leak = 'canary-' + 4711; Array.prototype.leak = 1; Object.prototype.leak = leak; console.log(leak)"))
	for range 50 {
		r := execute(t, s, js("[typeof leak, [].leak === undefined, ({}).leak === undefined]"))
		if string(r.Value) != `["undefined",true,true]` {
			t.Fatal(show(r))
		}
	}
}

func TestClonesDifferInRandomness(t *testing.T) {
	s := newService(t, nil)
	seen := map[string]bool{}
	const n = 2000
	for range n {
		r := execute(t, s, js("[Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint32Array(2)).join()].join(' ')"))
		for _, v := range strings.Fields(string(r.Value)) {
			if seen[v] {
				t.Fatalf("%s came twice", v)
			}
			seen[v] = true
		}
	}
	if len(seen) != 3*n {
		t.Errorf("%d values", len(seen))
	}
}

func TestFilesAndArtifacts(t *testing.T) {
	objects := &memoryObjects{}
	s := newService(t, func(c *execution.Config, _ *isolate.Config) { c.Objects = objects })
	r := execute(t, s, execution.Request{
		Code: `import {readFileSync, writeFileSync, mkdirSync} from 'node:fs';
			const text = readFileSync('in/a.txt', 'utf8');
			mkdirSync('/artifacts/deep', {recursive: true});
			writeFileSync('/artifacts/deep/b.svg', '<svg>' + text + '</svg>');
			writeFileSync('/artifacts/given.txt', 'given');
			writeFileSync('/artifacts/changed.txt', 'new');
			writeFileSync('out.csv', 'a,b');
			export default text`,
		Files: []execution.File{
			{Path: "in/a.txt", Content: []byte("hällo")}, {Path: "/artifacts/given.txt", Content: []byte("given")}, {Path: "/artifacts/changed.txt", Content: []byte("old")},
		},
	})
	if r.Outcome != execution.OK {
		t.Fatal(show(r))
	}
	var names []string
	for _, a := range r.Artifacts {
		names = append(names, a.Name)
	}
	if !slices.Equal(names, []string{"changed.txt", "deep/b.svg"}) {
		t.Fatalf("artifacts are %v", names)
	}
	a := r.Artifacts[1]
	if a.ContentType != "image/svg+xml" || a.Path != "/artifacts/deep/b.svg" || a.Size != int64(len("<svg>hällo</svg>")) || len(a.SHA256) != 64 {
		t.Errorf("got %+v", a)
	}
	if got := objects.content[execution.ArtifactKey("test", "deep/b.svg")]; string(got) != "<svg>hällo</svg>" {
		t.Errorf("stored %q", got)
	}
	// What one execution left, another one reads.
	r = execute(t, s, execution.Request{
		Code:  "import t from './copy.txt' with {type: 'text'}; export default t",
		Files: []execution.File{{Path: "copy.txt", Artifact: &execution.ArtifactRef{Execution: "test", Name: "deep/b.svg"}}},
	})
	if string(r.Value) != `"<svg>hällo</svg>"` {
		t.Error(show(r))
	}
	// Only what the patterns name is kept.
	r = execute(t, s, execution.Request{
		Code:      "const fs = await import('node:fs/promises'); await fs.writeFile('out.csv', 'x'); await fs.writeFile('/artifacts/b', 'x')",
		Artifacts: []string{"*.csv"},
	})
	if len(r.Artifacts) != 1 || r.Artifacts[0].Path != "/workspace/out.csv" || r.Artifacts[0].ContentType != "text/csv; charset=utf-8" {
		t.Errorf("got %+v, %s", r.Artifacts, show(r))
	}
	// Files are bounded, and running out of room is the program's to handle.
	r = execute(t, s, execution.Request{
		Code:   "const fs = await import('node:fs'); let code; try { for (;;) fs.appendFileSync('/tmp/x', 'x'.repeat(10000)) } catch (e) { code = e.code } code",
		Limits: execution.Limits{FilesBytes: 100_000},
	})
	if string(r.Value) != `"ENOSPC"` {
		t.Error(show(r))
	}
}

func TestModules(t *testing.T) {
	s := newService(t, nil)
	r := execute(t, s, execution.Request{
		Language: "typescript", Entrypoint: "app/main.ts",
		Files: []execution.File{
			{Path: "app/main.ts", Content: []byte("import {a} from '../lib/a';\nimport data from './d.json' with {type: 'json'};\nimport text from './t.txt' with {type: 'text'};\nconst b = await import('./b.js');\nexport default [a, data.x, text, b.default, import.meta.url] as unknown[]")},
			{Path: "lib/a.ts", Content: []byte("export const a: string = 'a'")},
			{Path: "app/d.json", Content: []byte(`{"x": 1}`)},
			{Path: "app/t.txt", Content: []byte("text")},
			{Path: "app/b.js", Content: []byte("export default 'b'")},
		},
	})
	if r.Outcome != execution.OK || !strings.HasPrefix(string(r.Value), `["a",1,"text","b",`) {
		t.Error(show(r))
	}
}

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("X-Method", r.Method)
			w.Header().Set("X-Got", r.Header.Get("X-Sent"))
			_, _ = io.Copy(w, r.Body)
		case "/stream":
			for i := range 20 {
				fmt.Fprintf(w, "%d;", i)
				w.(http.Flusher).Flush()
			}
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	host, portText, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, _ := strconv.Atoi(portText)
	open := execution.Network{Allow: []execution.NetworkRule{{Host: host, Ports: []int{port}}}}
	s := newService(t, nil)
	fetch := func(code string) *execution.Result {
		t.Helper()
		return execute(t, s, execution.Request{Code: strings.ReplaceAll(code, "URL", server.URL), Network: open, Limits: execution.Limits{Subrequests: 5, Wall: 5 * time.Second}})
	}
	r := fetch("const r = await fetch('URL/echo', {method: 'POST', body: 'bödy', headers: {'x-sent': '1'}}); [r.status, r.ok, r.headers.get('x-method'), r.headers.get('x-got'), await r.text()]")
	if string(r.Value) != `[200,true,"POST","1","bödy"]` || r.Usage.Subrequests != 1 || r.Usage.EgressBytes == 0 || r.Usage.IngressBytes == 0 {
		t.Errorf("usage %+v, %s", r.Usage, show(r))
	}
	if r := fetch("(await (await fetch('URL/none')).text()).trim()"); string(r.Value) != `"404 page not found"` {
		t.Error(show(r))
	}
	if r := fetch("let s = ''; for await (const c of (await fetch('URL/stream')).body.pipeThrough(new TransformStream())) s += new TextDecoder().decode(c); s"); !strings.HasSuffix(string(r.Value), `18;19;"`) {
		t.Error(show(r))
	}
	if r := fetch("const body = new ReadableStream({async pull(c) { this.n = (this.n ?? 0) + 1; if (this.n > 3) c.close(); else c.enqueue(new TextEncoder().encode('part' + this.n)) }}); await (await fetch('URL/echo', {method: 'POST', body, duplex: 'half'})).text()"); string(r.Value) != `"part1part2part3"` {
		t.Error(show(r))
	}
	if r := fetch("const c = new AbortController(); setTimeout(() => c.abort(), 20); try { await fetch('URL/slow', {signal: c.signal}); 'answered' } catch (e) { e.name }"); string(r.Value) != `"AbortError"` {
		t.Error(show(r))
	}
	if r := fetch("for (let i = 0; i < 10; i++) await (await fetch('URL/none')).text()"); r.Outcome != execution.ExceededSubrequests {
		t.Error(show(r))
	}
	r = execute(t, s, js(strings.ReplaceAll("await fetch('URL/echo')", "URL", server.URL)))
	if r.Outcome != execution.Exception || !strings.Contains(r.Error.Message+fmt.Sprint(r.Error.Cause), "network.allow") {
		t.Errorf("without a rule: %s cause %+v", show(r), r.Error.Cause)
	}
}

// A program that recurses deeply and catches the error ends well; what its
// stack took must not stay with the slot.
func TestDeepStacksAreGivenBack(t *testing.T) {
	s := newService(t, nil)
	before := heapInUse()
	for range 100 {
		if r := execute(t, s, js("const f = () => f() + 1; try { f() } catch (e) { e.name }")); string(r.Value) != `"RangeError"` && string(r.Value) != `"InternalError"` {
			t.Fatal(show(r))
		}
	}
	if grown := heapInUse() - before; grown > 8<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func TestCancel(t *testing.T) {
	s := newService(t, nil)
	for name, code := range map[string]string{"running": "for (;;) {}", "waiting": "await new Promise(r => setTimeout(r, 60000))"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(30*time.Millisecond, cancel)
			r, err := s.Execute(ctx, "test", execution.Request{Language: "javascript", Code: code}, nil)
			if err != nil || r.Outcome != execution.Canceled {
				t.Errorf("got %v, %+v", err, r)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	s := newService(t, nil)
	var events []execution.Event
	var seen time.Time
	r, err := s.Execute(t.Context(), "test", execution.Request{
		Language: "javascript",
		Code:     "console.log('a'); console.error('b'); await new Promise(r => setTimeout(r, 100)); console.log('c'); (await import('node:fs')).writeFileSync('/artifacts/x', '1'); 5",
	}, func(e execution.Event) {
		if e.Stdout == "a\n" {
			seen = time.Now()
		}
		events = append(events, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has the number %d", i+1, e.Seq)
		}
		switch {
		case e.Stdout != "":
			story = append(story, "out "+e.Stdout)
		case e.Stderr != "":
			story = append(story, "err "+e.Stderr)
		case e.Result != nil:
			story = append(story, "result "+string(e.Result.Value))
		case e.Artifact != nil:
			story = append(story, "artifact "+e.Artifact.Name)
		case e.Usage != nil:
			story = append(story, "usage")
		case e.End != nil:
			story = append(story, "end "+string(e.End.Outcome))
		}
	}
	want := []string{"out a\n", "err b\n", "out c\n", "result 5", "artifact x", "usage", "end ok"}
	if !slices.Equal(story, want) {
		t.Errorf("got %q\nwant %q", story, want)
	}
	if r.Stdout != "a\nc\n" || time.Since(seen) < 80*time.Millisecond {
		t.Errorf("output came %v before the end, all of it is %q", time.Since(seen), r.Stdout)
	}
}

func TestInvalidRequests(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct {
		request execution.Request
		fields  []string
	}{
		{execution.Request{Language: "cobol", Code: "1"}, []string{"/language"}},
		{execution.Request{Language: "javascript"}, []string{"/code"}},
		{execution.Request{Language: "javascript", Entrypoint: "a.js"}, []string{"/entrypoint"}},
		{execution.Request{Language: "javascript", Entrypoint: "a.js", Code: "1", Files: []execution.File{{Path: "a.js"}}}, []string{"/entrypoint"}},
		{execution.Request{Language: "javascript", Code: "1", Limits: execution.Limits{CPU: time.Hour, MemoryBytes: -1}}, []string{"/limits/cpu_ms", "/limits/memory_mb"}},
		{execution.Request{Language: "javascript", Code: "1", Network: execution.Network{Allow: []execution.NetworkRule{{Host: "a b"}}}}, []string{"/network/allow/0/host"}},
		{execution.Request{Language: "javascript", Code: "1", Artifacts: []string{"[a"}}, []string{"/artifacts/paths/0"}},
		{execution.Request{Language: "javascript", Code: "1", Files: []execution.File{{Path: "a/\x00"}}}, []string{"/files/0/path"}},
		{execution.Request{Language: "javascript", Code: "1", Files: []execution.File{{Path: ""}}}, []string{"/files/0/path"}},
		{execution.Request{Language: "javascript", Code: "1", Files: []execution.File{{Path: "x", Artifact: &execution.ArtifactRef{Execution: "e", Name: "n"}}}}, []string{"/files/0/artifact"}},
	} {
		_, err := s.Execute(t.Context(), "test", c.request, nil)
		var fields []string
		var visit func(error)
		visit = func(err error) {
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					visit(e)
				}
			}
			if e, ok := err.(*execution.InvalidError); ok {
				fields = append(fields, e.Field)
			}
		}
		visit(err)
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%+v: got %v (%v), want %v", c.request, fields, err, c.fields)
		}
	}
}

func TestOverload(t *testing.T) {
	s := newService(t, func(_ *execution.Config, r *isolate.Config) {
		r.Processors, r.QueuePerTenant, r.QueueTotal, r.Quantum = 1, 2, 3, time.Second
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	refused := make(chan error, 20)
	for range 20 {
		wg.Go(func() {
			_, err := s.Execute(ctx, "test", execution.Request{Language: "javascript", Code: "for (;;) {}", Tenant: "a"}, nil)
			refused <- err
		})
	}
	overloads := 0
	for range 17 {
		var o *execution.OverloadError
		if err := <-refused; !errors.As(err, &o) || !o.Tenant || o.RetryAfter < time.Second {
			t.Errorf("got %v", err)
		} else {
			overloads++
		}
	}
	// Another tenant still has a place, and comes first.
	if r := execute(t, s, execution.Request{Code: "1", Tenant: "b"}); r.Outcome != execution.OK {
		t.Error(show(r))
	}
	cancel()
	wg.Wait()
}

func TestConcurrentExecutions(t *testing.T) {
	s := newService(t, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				code := fmt.Sprintf("await new Promise(r => setTimeout(r, %d)); globalThis.n = (globalThis.n ?? 0) + %d; n", i%3, g*1000+i)
				r, err := s.Execute(t.Context(), "test", execution.Request{Language: "javascript", Code: code, Tenant: fmt.Sprint(g % 3)}, nil)
				if err != nil {
					t.Error(err)
				} else if string(r.Value) != fmt.Sprint(g*1000+i) {
					t.Errorf("want %d, got %s", g*1000+i, show(r))
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkExecute(b *testing.B) {
	s := newService(b, nil)
	request := execution.Request{Language: "javascript", Code: "1 + 2 * 3"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Execute(context.Background(), "bench", request, nil); err != nil {
				b.Error(err)
			}
		}
	})
}
