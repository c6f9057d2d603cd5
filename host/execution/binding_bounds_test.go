package execution_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/binding"
	"mayfly/host/egress"
	"mayfly/host/execution"
	"mayfly/host/secret"
	"mayfly/storage"
)

// script runs code that has to come to a value.
func script(t testing.TB, s *execution.Service, code string, bindings ...execution.Binding) string {
	t.Helper()
	r := execute(t, s, execution.Request{Code: code, Tenant: "t", Bindings: bindings})
	if r.Error != nil {
		return r.Error.Name + ": " + r.Error.Message
	}
	return string(r.Value)
}

func wantValue(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// message is what a promise is rejected with.
const message = "const message = (p) => p.then(() => 'done', (e) => e.message);\n"

// A prefix and the right to read can't be left, whatever the keys.
func TestBindingScopes(t *testing.T) {
	s := withStores(t, nil)
	all := []execution.Binding{r2Binding("R2"), kvBinding("KV")}
	wantValue(t, script(t, s, `for (const k of ["secret", "a/1", "a/../secret", "b/1", "a"]) { await env.R2.put(k, k); await env.KV.put(k, k); } 'ok'`, all...), `"ok"`)
	for i := range all {
		all[i].Prefix = "a/"
	}
	wantValue(t, script(t, s, message+`
		const { R2, KV } = env;
		const key = (o) => o?.key ?? null;
		[(await R2.list()).objects.map(key), (await R2.list({ prefix: "../" })).objects.map(key), (await R2.list({ startAfter: "1" })).objects.map(key),
		 key(await R2.head("../secret")), await (await R2.get("../secret")).text(), key(await R2.head("/secret")), key(await R2.head("secret")), key(await R2.get("b/1")),
		 (await KV.list()).keys.map((k) => k.name), await KV.get("../secret"), await KV.get("secret"), await message(KV.get("..")), await message(KV.get("")), await message(R2.get(""))]`, all...),
		`[["../secret","1"],["../secret"],[],"../secret","a/../secret",null,null,null,["../secret","1"],"a/../secret",null,"\"..\" is not allowed as a key name.","Key name cannot be empty.","get: The specified object name is not valid. (10020)"]`)
	// A cursor of the whole leads to nothing outside.
	cursor := script(t, s, `[(await env.R2.list({ limit: 1 })).cursor, (await env.KV.list({ limit: 1 })).cursor]`, r2Binding("R2"), kvBinding("KV"))
	wantValue(t, script(t, s, `const [a, b] = `+cursor+`; [(await env.R2.list({ cursor: a })).objects.map((o) => o.key), (await env.KV.list({ cursor: b })).keys.map((k) => k.name)]`, all...),
		`[["../secret","1"],["../secret","1"]]`)
	// An upload outside of the prefix can't be gone on with.
	upload := script(t, s, `(await env.R2.createMultipartUpload("secret")).uploadId`, r2Binding("R2"))
	wantValue(t, script(t, s, message+`const id = `+upload+`; [await message(env.R2.resumeMultipartUpload("secret", id).uploadPart(1, "x")), await message(env.R2.resumeMultipartUpload("../secret", id).abort())]`, all...),
		`["uploadPart: The specified multipart upload does not exist. (10024)","abortMultipartUpload: The specified multipart upload does not exist. (10024)"]`)
	for i := range all {
		all[i].ReadOnly = true
	}
	wantValue(t, script(t, s, message+`
		const { R2, KV } = env;
		const denied = await Promise.all([R2.put("x", "x"), R2.delete("1"), R2.createMultipartUpload("x"), R2.resumeMultipartUpload("x", "y").uploadPart(1, "x"),
			R2.resumeMultipartUpload("x", "y").complete([]), R2.resumeMultipartUpload("x", "y").abort(), KV.put("x", "x"), KV.delete("1"), R2.put("x", new Uint8Array(1e6))].map(message));
		[denied.every((m) => /read-only/.test(m)), denied[0], denied[6], await KV.get("1"), await (await R2.get("1")).text()]`, all...),
		`[true,"put: Access denied: the binding is read-only. (10003)","KV PUT failed: 403 The binding is read-only.","a/1","a/1"]`)
	// Another tenant has none of it.
	r := execute(t, s, execution.Request{Code: `[(await env.R2.list()).objects.length, (await env.KV.list()).keys.length]`, Tenant: "other", Bindings: []execution.Binding{r2Binding("R2"), kvBinding("KV")}})
	wantValue(t, string(r.Value), `[0,0]`)
}

// Each binding has its own limits, and what is past them is an error by a code.
func TestBindingLimits(t *testing.T) {
	s := withStores(t, nil)
	limited := func(l binding.Limits) []execution.Binding {
		a, b := r2Binding("R2"), kvBinding("KV")
		a.Limits, b.Limits = l, l
		return []execution.Binding{a, b}
	}
	const try = `const code = (p) => p.then(() => 'ok', (e) => e.code);` + "\n"
	wantValue(t, script(t, s, try+`[await code(env.R2.put("a", "x")), await code(env.R2.get("a")), await code(env.R2.head("a")), await code(env.KV.put("a", "x"))]`, limited(binding.Limits{Operations: 2})...),
		`["ok","ok","ERR_BINDING_LIMIT","ok"]`)
	wantValue(t, script(t, s, try+`[await code(env.R2.put("a", new Uint8Array(600))), await code(env.R2.put("a", new Uint8Array(600))), await code(env.R2.put("big", new Uint8Array(1e6))), await code(env.R2.put("s", new Blob(["x".repeat(500000)]).stream())),
		await code(env.KV.put("a", new Uint8Array(600))), await code(env.KV.put("a", "x".repeat(401))), await env.R2.head("big"), (await env.R2.head("a")).size]`, limited(binding.Limits{WriteBytes: 1000})...),
		`["ok","ERR_BINDING_LIMIT","ERR_BINDING_LIMIT","ERR_BINDING_LIMIT","ok","ERR_BINDING_LIMIT",null,600]`)
	wantValue(t, script(t, s, `await env.R2.put("big", new Uint8Array(400_000)); await env.KV.put("big", "x".repeat(2000)); 'ok'`, limited(binding.Limits{})...), `"ok"`)
	wantValue(t, script(t, s, try+`const o = await env.R2.get("big"); [await code(o.bytes()), await code(env.KV.get("big")), await code(env.R2.get("a").then((o) => o.text()))]`, limited(binding.Limits{ReadBytes: 100_000})...),
		`["ERR_BINDING_LIMIT","ok","ok"]`)
	r := execute(t, s, execution.Request{Code: `await env.KV.put("u", "12345"); await env.KV.get("u"); await env.KV.get("u")`, Tenant: "t", Bindings: []execution.Binding{kvBinding("KV")}})
	if r.Usage.Bindings != (binding.Usage{Operations: 3, ReadBytes: 10, WriteBytes: 5}) || r.Usage.EgressBytes != 0 || r.Usage.Subrequests != 0 {
		t.Errorf("usage is %+v", r.Usage)
	}
}

// What is asked for is checked before anything runs, each field by its name.
func TestInvalidBindings(t *testing.T) {
	s := withStores(t, func(c *execution.Config) { c.Secrets = secrets{"TOKEN": "s3cr3t-canary"} })
	bare := newService(t, nil)
	for _, c := range []struct {
		service *execution.Service
		binding execution.Binding
		field   string
	}{
		{s, execution.Binding{Name: "1A", Type: "var"}, "/bindings/1A"},
		{s, execution.Binding{Name: "a-b", Type: "var"}, "/bindings/a-b"},
		{s, execution.Binding{Name: "__proto__", Type: "var"}, "/bindings/__proto__"},
		{s, execution.Binding{Name: strings.Repeat("A", 101), Type: "var"}, "/bindings/" + strings.Repeat("A", 101)},
		{s, execution.Binding{Name: "A"}, "/bindings/A/type"},
		{s, execution.Binding{Name: "A", Type: "d1"}, "/bindings/A/type"},
		{s, execution.Binding{Name: "A", Type: "var"}, "/bindings/A/value"},
		{s, execution.Binding{Name: "A", Type: "var", Value: json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)}, "/bindings"},
		{s, execution.Binding{Name: "A", Type: "r2_bucket", Bucket: "No"}, "/bindings/A/bucket"},
		{s, execution.Binding{Name: "A", Type: "r2_bucket", Bucket: "files", Prefix: strings.Repeat("p", 1024)}, "/bindings/A/prefix"},
		{s, execution.Binding{Name: "A", Type: "r2_bucket", Bucket: "files", Limits: binding.Limits{Operations: -1}}, "/bindings/A/limits/operations"},
		{s, execution.Binding{Name: "A", Type: "kv_namespace"}, "/bindings/A/namespace"},
		{s, execution.Binding{Name: "A", Type: "secret", Secret: "NOT_THERE"}, "/bindings/A/secret"},
		{s, execution.Binding{Name: "A", Type: "secret", Secret: "../x"}, "/bindings/A/secret"},
		{s, execution.Binding{Name: "A", Type: "fetcher", Network: execution.Network{Allow: []execution.NetworkRule{{Host: "::bad::"}}}}, "/bindings/A/network/allow/0/host"},
		{s, execution.Binding{Name: "A", Type: "fetcher", BaseURL: "file:///etc"}, "/bindings/A/base_url"},
		{s, execution.Binding{Name: "A", Type: "assets"}, "/bindings/A/files"},
		{s, execution.Binding{Name: "A", Type: "assets", Bucket: "files", Files: "/x"}, "/bindings/A/files"},
		{bare, r2Binding("A"), "/bindings/A/type"},
		{bare, kvBinding("A"), "/bindings/A/type"},
	} {
		_, err := c.service.Execute(t.Context(), "test", execution.Request{Language: "javascript", Code: "1", Bindings: []execution.Binding{c.binding}}, nil)
		var invalid *execution.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	// A bucket that isn't there shows when it is used.
	wantValue(t, script(t, s, message+`await message(env.B.head("x"))`, execution.Binding{Name: "B", Type: "r2_bucket", Bucket: "missing"}), `"head: The specified bucket does not exist. (10006)"`)
	// Values and secrets, and variables of the environment where no binding has the name.
	r := execute(t, s, execution.Request{Code: `[env.V, env.V === env.V, env.S, env.X, env.KEY, "KEY" in env, "no" in env, Object.keys(env).sort(), { ...env }.S]`, Env: map[string]string{"X": "x", "KEY": "variable"}, Bindings: []execution.Binding{
		{Name: "V", Type: "var", Value: json.RawMessage(`{"a":[1,null]}`)}, {Name: "S", Type: "secret", Secret: "TOKEN"}, {Name: "KEY", Type: "var", Value: json.RawMessage(`"binding"`)},
	}})
	wantValue(t, string(r.Value), `[{"a":[1,null]},true,"s3cr3t-canary","x","binding",true,false,["KEY","S","V","X"],"s3cr3t-canary"]`)
}

type secrets map[string]string

func (s secrets) Value(_ context.Context, _, name string) (string, error) {
	if v, ok := s[name]; ok {
		return v, nil
	}
	return "", secret.ErrNotFound
}

// faulty is a bucket that does what a test wants of it.
type faulty struct {
	storage.Objects
	do func(ctx context.Context) error
}

func (f faulty) Head(ctx context.Context, _ string) (storage.Object, error) {
	return storage.Object{}, f.do(ctx)
}
func (f faulty) Get(ctx context.Context, _ string, _ storage.GetOptions) (*storage.Content, error) {
	if err := f.do(ctx); err != nil {
		return nil, err
	}
	return &storage.Content{Object: storage.Object{Key: "k", Size: 1 << 20, ETag: "e"}, Length: 1 << 20, Body: io.NopCloser(brokenReader{})}, nil
}
func (f faulty) Put(ctx context.Context, _ string, _ io.Reader, _ storage.PutOptions) (storage.Object, error) {
	return storage.Object{}, f.do(ctx)
}

// brokenReader breaks off after a part.
type brokenReader struct{}

func (brokenReader) Read(p []byte) (int, error) {
	return 0, errors.New("read /srv/secret/path: i/o error")
}

type bucketOf struct{ objects storage.Objects }

func (b bucketOf) Open(context.Context, string, string) (storage.Objects, error) {
	return b.objects, nil
}

// logLines gathers what is logged.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A store that fails, panics or hangs fails an operation, tells nothing of
// itself, and harms nobody else.
func TestFaultyBindings(t *testing.T) {
	faultyService := func(t *testing.T, do func(context.Context) error) (*execution.Service, *logLines) {
		log := &logLines{}
		return withStores(t, func(c *execution.Config) {
			c.Buckets = bucketOf{faulty{do: do}}
			c.Log = slog.New(slog.NewTextHandler(log, nil))
		}), log
	}
	all := []execution.Binding{r2Binding("R2"), kvBinding("KV")}
	t.Run("panic", func(t *testing.T) {
		s, log := faultyService(t, func(context.Context) error { panic("canary of the host") })
		got := script(t, s, message+`[await message(env.R2.head("x")), await env.KV.get("x")]`, all...)
		if !strings.Contains(got, `head: R2: internal error; reference = `) || !strings.Contains(got, "null") || strings.Contains(got, "canary") {
			t.Error(got)
		}
		reference := got[strings.Index(got, "reference = ")+12:][:12]
		if text := log.String(); !strings.Contains(text, reference) || !strings.Contains(text, "canary of the host") || !strings.Contains(text, "binding_bounds_test.go") {
			t.Errorf("the log has %s", text)
		}
	})
	t.Run("errors", func(t *testing.T) {
		for _, c := range []struct {
			err  error
			want string
		}{
			{&storage.Error{Op: "put", Key: "/srv/secret/path", Err: storage.ErrNoSpace}, `"put: The store is full. (10043)"`},
			{&storage.Error{Op: "put", Key: "/srv/secret/path", Err: storage.ErrUnavailable}, `"put: Service is temporarily unavailable. (10043)"`},
			{&storage.Error{Op: "put", Key: "/srv/secret/path", Err: storage.ErrReadOnly}, `"put: The store can't be written to. (10043)"`},
		} {
			s, _ := faultyService(t, func(context.Context) error { return c.err })
			wantValue(t, script(t, s, message+`await message(env.R2.put("x", "x"))`, all...), c.want)
		}
		s, log := faultyService(t, func(context.Context) error { return errors.New("open /srv/secret/path: canary") })
		if got := script(t, s, message+`await message(env.R2.put("x", "x"))`, all...); strings.Contains(got, "canary") || !strings.Contains(got, "reference") || !strings.Contains(log.String(), "canary") {
			t.Error(got)
		}
	})
	t.Run("broken body", func(t *testing.T) {
		s, _ := faultyService(t, func(context.Context) error { return nil })
		got := script(t, s, message+`await message((async () => (await env.R2.get("x")).text())())`, all...)
		if strings.Contains(got, "secret") || !strings.Contains(got, "could not be read to its end") {
			t.Error(got)
		}
	})
	t.Run("hang", func(t *testing.T) {
		for name, do := range map[string]func(context.Context) error{
			"heeding":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"heedless": func(context.Context) error { time.Sleep(3 * time.Second); return nil },
		} {
			s, _ := faultyService(t, do)
			start := time.Now()
			r := execute(t, s, execution.Request{Code: `await env.R2.head("x")`, Bindings: all, Limits: execution.Limits{Wall: 300 * time.Millisecond}})
			if r.Outcome != execution.ExceededWallTime || time.Since(start) > 20*time.Second {
				t.Errorf("%s: %s after %v", name, r.Outcome, time.Since(start))
			}
			if name == "heedless" {
				time.Sleep(2 * time.Second) // until it is done, for goleak
			}
		}
	})
}

// The names of things behind bindings are nowhere in the guest.
func TestBindingSecrecy(t *testing.T) {
	s := withStores(t, func(c *execution.Config) { c.Secrets = secrets{"CANARYNAME": "v"} })
	r2, kv := r2Binding("R2"), kvBinding("KV")
	r2.Bucket, r2.Prefix, kv.Namespace, kv.Prefix = "canarybucket", "canaryprefix/", "canaryspace", "canaryprefix/"
	got := script(t, s, `
		import { inspect } from "node:util";
		export default async (input, env) => {
			await env.R2.put("a", "b"); await env.KV.put("a", "b");
			const seen = [env.R2, env.KV, env, await env.R2.get("a"), await env.R2.list(), await env.KV.list(), await env.R2.createMultipartUpload("u")];
			for (const f of [() => env.R2.put("", ""), () => env.KV.put("a", "b", { expirationTtl: 1 }), () => env.R2.get("x".repeat(1020))]) seen.push(await f().catch((e) => [e.message, e.stack, e]));
			return [inspect(seen, { depth: 9, showHidden: true }), JSON.stringify(seen), Object.getOwnPropertyNames(env.R2)].join();
		}`, r2, kv, execution.Binding{Name: "S", Type: "secret", Secret: "CANARYNAME"})
	if strings.Contains(strings.ToLower(got), "canary") || !strings.Contains(got, "R2Bucket") {
		t.Error(got)
	}
}

// A session's objects go on to work in its later cells, and numbers of bindings
// mean something in one execution only.
func TestBindingsInCells(t *testing.T) {
	s := withStores(t, nil)
	st, err := s.NewState(t.Context(), execution.Request{Language: "javascript", Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	cell := func(code, want string, bindings ...execution.Binding) {
		t.Helper()
		r, next, err := s.ExecuteCell(t.Context(), "test", execution.Request{Language: "javascript", Code: code, Tenant: "t", Bindings: bindings}, execution.Cell{From: st}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if next != nil {
			st.Close()
			st = next
		}
		got := string(r.Value)
		if r.Error != nil {
			got = r.Error.Message
		}
		wantValue(t, got, want)
	}
	other := kvBinding("A")
	other.Namespace = "other"
	cell(`var kv = env.KV; await kv.put("k", "v"); var body = (await env.R2.get("none")); await env.R2.put("big", new Uint8Array(300000)); body = await env.R2.get("big"); 'ok'`, `"ok"`, kvBinding("KV"), r2Binding("R2"))
	cell(`[await kv.get("k"), kv === env.KV]`, `["v",true]`, other, kvBinding("KV"), r2Binding("R2"))
	cell(message+`await message(kv.get("k"))`, `"The binding KV is not there any more"`, other)
	cell(`[await message(body.text()), await env.A.get("k")]`, `["the body was read to its end, cancelled, or never there",null]`, other)
	wrong := r2Binding("KV")
	cell(`[await message(kv.get("k")), env.KV.constructor.name]`, `["The binding KV is not there any more","R2Bucket"]`, wrong)
	cell(`[typeof env.KV, await message(kv.get("k"))]`, `["undefined","The binding KV is not there any more"]`)
	cell(`await kv.get("k")`, `"v"`, kvBinding("KV"))
}

func TestAssets(t *testing.T) {
	s := withStores(t, nil)
	files := map[string]string{"index.html": "<p>home</p>", "style.css": "p{}", "about.html": "about", "docs/index.html": "docs", "404.html": "not here", "größe.txt": "9", "data.txt": "0123456789", "large.bin": strings.Repeat("x", 300_000)}
	r := bindingProgram(t, "assets.js", execution.Binding{Name: "SITE", Type: binding.KindAssets, Files: "public"})
	r.Files = append(r.Files, execution.File{Path: "secret.txt", Content: []byte("secret")})
	for name, content := range files {
		r.Files = append(r.Files, execution.File{Path: "public/" + name, Content: []byte(content)})
	}
	wantOK(t, execute(t, s, r))

	list, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, script(t, s, `for (const [k, v] of Object.entries(`+string(list)+`)) await env.R2.put("site/" + k, v); await env.R2.put("secret.txt", "secret"); 'ok'`, r2Binding("R2")), `"ok"`)
	wantOK(t, execute(t, s, bindingProgram(t, "assets.js", execution.Binding{Name: "SITE", Type: binding.KindAssets, Bucket: "files", Prefix: "site/"})))
}

// A fetcher goes where its own rules say, and bodies pass between it, the
// network and buckets.
func TestFetcher(t *testing.T) {
	s := withStores(t, func(c *execution.Config) {
		c.Egress = egress.Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Method, r.URL, len(b), err)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	open := execution.Network{Allow: []execution.NetworkRule{{Host: "127.0.0.1", Ports: []int{port}}}}
	api := execution.Binding{Name: "API", Type: binding.KindFetcher, BaseURL: server.URL + "/v1/", Network: open}
	closed := execution.Binding{Name: "CLOSED", Type: binding.KindFetcher}
	got := script(t, s, message+`
		const url = `+strconv.Quote(server.URL)+`;
		const text = async (p) => (await p).text();
		await env.R2.put("large", new Uint8Array(700_000));
		const { body } = await env.R2.get("large");
		[await text(env.API.fetch("items?q=1")), await text(env.API.fetch(url + "/abs", { method: "POST", body: "12345" })), await text(env.API.fetch(new Request(url + "/r"))),
		 await text(env.API.fetch("up", { method: "PUT", body, duplex: "half" })),
		 (await message(fetch(url))).includes("not allowed"), (await message(env.CLOSED.fetch(url))).includes("not allowed"), (await message(env.API.fetch("http://127.0.0.1:1/"))).includes("not allowed")]`,
		api, closed, r2Binding("R2"))
	wantValue(t, got, `["GET /v1/items?q=1 0 <nil>","POST /abs 5 <nil>","GET /r 0 <nil>","PUT /v1/up 700000 <nil>",true,true,true]`)
	// By the execution's own network too, a bucket's body is a request's, and a response's body an object's.
	r := execute(t, s, execution.Request{Tenant: "t", Network: open, Bindings: []execution.Binding{r2Binding("R2")}, Code: `
		const url = ` + strconv.Quote(server.URL) + `;
		const sent = await (await fetch(url, { method: "POST", body: (await env.R2.get("large")).body, duplex: "half" })).text();
		await env.R2.put("kept", (await fetch(url + "/kept")).body);
		[sent, await (await env.R2.get("kept")).text()]`})
	wantValue(t, string(r.Value), `["POST / 700000 <nil>","GET /kept 0 <nil>"]`)
}

// A program may use the name env for something of its own, and env as it is
// where there are no bindings.
func TestEnvName(t *testing.T) {
	s := newService(t, nil)
	for code, want := range map[string]string{
		"const env = 5; env":                 "5",
		"let env = 5; env":                   "5",
		"var env = 5; [env, globalThis.env]": "[5,5]",
		"function env() { return 5 }; env()": "5",
		"env = 5; env":                       "5",
		"export default (input, env) => [env.A, env.B, 'A' in env, Object.keys(env)]": `["a",null,true,["A"]]`,
		"env.A = 'b'; [env.A, process.env.A]":                                         `["b","b"]`,
		"delete env.A; [typeof env.A, typeof process.env.A]":                          `["undefined","undefined"]`,
		"env.X = { y: 1 }; [env.X.y, 'X' in process.env]":                             "[1,false]",
		"[typeof env.toString, JSON.stringify(env), `${env}`]":                        `["function","{\"A\":\"a\"}","[object Object]"]`,
	} {
		r := execute(t, s, execution.Request{Code: code, Env: map[string]string{"A": "a"}})
		got := string(r.Value)
		if r.Error != nil {
			got = r.Error.Message
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
}
