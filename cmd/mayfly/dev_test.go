package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A lockedBuffer is written to and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A devServer is a mayfly dev under way.
type devServer struct {
	t    *testing.T
	dir  string
	base string
	out  *lockedBuffer
}

var devAddress = regexp.MustCompile(`serves (http://[^/]+)/`)

// startDev runs mayfly dev in a folder until the test ends.
func startDev(t *testing.T, dir string, args ...string) *devServer {
	t.Helper()
	d := &devServer{t: t, dir: dir, out: &lockedBuffer{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	command := append([]string{"dev", dir, "--port", "0", "--cache", preparedCache(t)}, args...)
	go func() { done <- execute(ctx, command, console{strings.NewReader(""), d.out, d.out}) }()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("mayfly dev ended with %d\n%s", code, d.out)
		}
	})
	d.eventually("an address", func() bool {
		if m := devAddress.FindStringSubmatch(d.out.String()); m != nil {
			d.base = m[1]
		}
		return d.base != ""
	})
	return d
}

func (d *devServer) eventually(what string, f func() bool) {
	d.t.Helper()
	for begin := time.Now(); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			d.t.Fatalf("no %s within a minute\n%s", what, d.out)
		}
	}
}

// get asks for a path, as a browser if page.
func (d *devServer) get(path string, page bool) (int, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.base+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if page {
		r.Header.Set("Accept", "text/html,*/*")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	text := string(body)
	if to := response.Header.Get("Location"); to != "" {
		text = "→ " + to
	}
	return response.StatusCode, text
}

func (d *devServer) want(path string, status int, body string) {
	d.t.Helper()
	if s, b := d.get(path, false); s != status || strings.TrimSpace(b) != body {
		d.t.Errorf("%s: %d %s, want %d %s", path, s, b, status, body)
	}
}

func (d *devServer) write(name, text string) {
	d.t.Helper()
	// As editors do it: whole, or not at all.
	temporary := filepath.Join(d.dir, ".writing")
	if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

const devProject = `
-- wrangler.jsonc --
{
	"name": "hello", "main": "src/index.ts", "compatibility_date": "2026-11-01",
	"vars": {"GREETING": "good day", "OTHER": "configured"},
	"kv_namespaces": [{"binding": "KV", "id": "kv"}],
	"r2_buckets": [{"binding": "FILES", "bucket_name": "files"}],
	"services": [{"binding": "SELF", "service": "hello", "entrypoint": "Named", "props": {"n": 3}}, {"binding": "ELSE", "service": "elsewhere"}],
	"secrets": {"required": ["TOKEN", "MISSING"]},
	"assets": {"directory": "public", "binding": "ASSETS", "run_worker_first": ["/api/*"]},
}
-- .dev.vars --
TOKEN=a-token
OTHER="the developer's"
-- src/index.ts --
import { WorkerEntrypoint } from "cloudflare:workers";
import { fail } from "./fail";
import text from "./text.txt";

export class Named extends WorkerEntrypoint {
	add(a: number) { return a + (this as any).ctx.props.n; }
}

export default {
	async fetch(request: Request, env: any): Promise<Response> {
		const { pathname } = new URL(request.url);
		console.log("asked for", pathname);
		switch (pathname) {
			case "/fail": return fail("on purpose");
			case "/kv": await env.KV.put("n", String(Number(await env.KV.get("n") ?? 0) + 1)); return new Response(await env.KV.get("n"));
			case "/r2": await env.FILES.put("a", "in a bucket"); return new Response(await (await env.FILES.get("a")).text());
			case "/self": return new Response(String(await env.SELF.add(1)));
			case "/elsewhere": return env.ELSE.fetch(request);
			case "/asset": return env.ASSETS.fetch("http://x/about");
			case "/env": return Response.json([env.GREETING, env.OTHER, env.TOKEN, process.env.NODE_ENV, process.env.OTHER]);
			case "/api/data.json": return new Response("of the worker");
		}
		return new Response("<h1>" + text.trim() + "</h1>", { headers: { "content-type": "text/html" } });
	},
	async scheduled(event: any) { console.warn("cron", event.cron); },
};
-- src/fail.ts --
type Why = string;

export function fail(why: Why): never {
	throw new RangeError("it failed " + why);
}
-- src/text.txt --
first
-- public/about.html --
<p>about</p>
-- public/docs/index.html --
<p>docs</p>
-- public/api/data.json --
of the files
-- public/_redirects --
/old /about 301
-- public/hidden.txt --
hidden
-- public/.assetsignore --
hidden.txt
`

func TestDev(t *testing.T) {
	d := startDev(t, projectFolder(t, devProject))
	if text, err := os.ReadFile(filepath.Join(d.dir, ".mayfly/.gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf("%q, %v", text, err)
	}
	if status, body := d.get("/", true); status != 200 || !strings.HasPrefix(body, "<h1>first</h1>") || !strings.Contains(body, devScript) {
		t.Errorf("%d %s", status, body)
	}
	d.want("/kv", 200, "1")
	d.want("/kv", 200, "2")
	d.want("/r2", 200, "in a bucket")
	d.want("/self", 200, "4")
	d.want("/env", 200, `["good day","the developer's","a-token","development","the developer's"]`)
	d.want("/api/data.json", 200, "of the worker")
	d.want("/about.html", 307, "→ /about")
	d.want("/docs", 307, "→ /docs/")
	d.want("/old", 301, "→ /about")
	for path, want := range map[string]string{"/about": "<p>about</p>", "/asset": "<p>about</p>", "/docs/": "<p>docs</p>", "/hidden.txt": "<h1>first</h1>"} {
		if status, body := d.get(path, false); status != 200 || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := d.get("/elsewhere", false); status != 500 || !strings.Contains(body, `There is no worker "elsewhere" here: mayfly dev --with DIR`) {
		t.Errorf("%d %s", status, body)
	}
	d.want("/cdn-cgi/handler/scheduled?cron=*/5+*+*+*+*", 200, "Ran scheduled event")
	for _, want := range []string{"asked for /kv\n", "GET /kv 200", "cron */5 * * * *\n", "warning: the secret MISSING is missing"} {
		d.eventually(want, func() bool { return strings.Contains(d.out.String(), want) })
	}

	// An error nobody caught, in the terminal, as text, and as a page.
	d.want("/fail", 500, "RangeError: it failed on purpose\n    at fail (src/fail.ts:4:38)\n    at fetch (src/index.ts:14:25)")
	status, page := d.get("/fail", true)
	for _, want := range []string{"it failed on purpose", `<div class="failing"><i>4</i>	throw new RangeError(&#34;it failed &#34;`, `<li class="own">at fetch (src/index.ts:14:`, devScript, "prefers-color-scheme"} {
		if status != 500 || !strings.Contains(page, want) {
			t.Errorf("%d, no %s in\n%s", status, want, page)
		}
	}
	d.eventually("the error in the terminal", func() bool {
		return strings.Contains(d.out.String(), "uncaught RangeError: it failed on purpose\n    at fail (src/fail.ts:4:")
	})

	// A page that waits for the next build is told of it.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.base+devEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	events, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	builds := bufio.NewScanner(events.Body)
	next := func() string {
		for builds.Scan() {
			if data, ok := strings.CutPrefix(builds.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatalf("the events ended: %v", builds.Err())
		return ""
	}
	before := next()
	if _, page := d.get("/", true); !strings.Contains(page, devScript+"?build="+before+`"`) {
		t.Errorf("%s isn't of build %s", page, before)
	}
	d.write("src/text.txt", "second")
	if after := next(); after == before {
		t.Errorf("build %s twice", after)
	}
	if _, body := d.get("/", false); !strings.HasPrefix(body, "<h1>second</h1>") {
		t.Errorf("got %s", body)
	}

	// A mistake, and its mending.
	good, err := os.ReadFile(filepath.Join(d.dir, "src/fail.ts"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("src/fail.ts", "export const fail = ;\n")
	next()
	d.want("/", 500, `src/fail.ts:1:21: Build failed: Unexpected ";"`)
	if status, page = d.get("/", true); status != 500 || !strings.Contains(page, `<div class="failing"><i>1</i>export const fail = <mark>;</mark></div>`) {
		t.Errorf("%d %s", status, page)
	}
	d.write("src/fail.ts", string(good))
	next()
	d.want("/self", 200, "4")

	// The configuration, the variables, and files.
	config, err := os.ReadFile(filepath.Join(d.dir, "wrangler.jsonc"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("wrangler.jsonc", strings.Replace(string(config), "good day", "good evening", 1))
	next()
	d.want("/env", 200, `["good evening","the developer's","a-token","development","the developer's"]`)
	d.write(".dev.vars", "TOKEN=another")
	next()
	d.want("/env", 200, `["good evening","configured","another","development","configured"]`)
	d.write("wrangler.jsonc", "{")
	next()
	if status, body := d.get("/", false); status != 500 || !strings.Contains(body, "wrangler.jsonc:1:") {
		t.Errorf("%d %s", status, body)
	}
	d.write("wrangler.jsonc", string(config))
	next()
	d.write("public/about.html", "<p>new</p>")
	next()
	if _, body := d.get("/about", false); !strings.HasPrefix(body, "<p>new</p>") {
		t.Errorf("got %s", body)
	}
	d.write("public/_redirects", "/old /docs/ 308")
	next()
	d.want("/old", 308, "→ /docs/")
	d.want("/kv", 200, "3") // it stays through all of this

	// Names that lead here from elsewhere.
	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, d.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example.com"
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("got %v, %v", response, err)
	}
	response.Body.Close()
}

// TestDevTogether serves projects that are bound to each other.
func TestDevTogether(t *testing.T) {
	dir := projectFolder(t, `
-- shop/wrangler.json --
{"name": "shop", "main": "index.js", "compatibility_date": "2026-11-01", "services": [{"binding": "AUTH", "service": "auth", "props": {"level": 2}}, {"binding": "NAMED", "service": "auth", "entrypoint": "Named"}], "tail_consumers": [{"service": "auth"}]}
-- shop/index.js --
export default { async fetch(request, env) { console.log("a sale"); return new Response(await (await env.AUTH.fetch(request)).text() + await env.NAMED.who("me")) } };
-- auth/wrangler.json --
{"name": "auth", "main": "index.js", "compatibility_date": "2026-11-01"}
-- auth/index.js --
import { WorkerEntrypoint } from "cloudflare:workers";
export class Named extends WorkerEntrypoint { who(name) { return "it is " + name } }
export default {
	fetch: (request, env, ctx) => new Response("level " + (ctx.props?.level ?? "none") + " "),
	tail: (events) => console.log("heard of", events[0].scriptName, events[0].logs[0].message[0]),
};
`)
	d := startDev(t, filepath.Join(dir, "shop"), "--with", filepath.Join(dir, "auth"))
	d.want("/", 200, "level 2 it is me")
	d.eventually("the tail", func() bool { return strings.Contains(d.out.String(), "heard of shop a sale\n") })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "auth.localhost"
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "level none " {
		t.Errorf("got %s, %v", text, err)
	}
	d.dir = filepath.Join(dir, "auth")
	d.write("index.js", "import { WorkerEntrypoint } from 'cloudflare:workers';\nexport class Named extends WorkerEntrypoint { who() { return 'somebody else' } }\nexport default { fetch: () => new Response('changed ') }")
	d.eventually("the change", func() bool { _, text := d.get("/", false); return strings.HasPrefix(text, "changed ") })
}

// TestDevStreams has bodies and messages go through as they come.
func TestDevStreams(t *testing.T) {
	d := startDev(t, projectFolder(t, `
-- wrangler.toml --
main = "index.js"
compatibility_date = "2026-11-01"
-- index.js --
import notes from "./notes.txt" with { type: "text" };
export default {
	fetch(request) {
		const url = new URL(request.url);
		if (url.pathname === "/notes") return new Response(notes);
		if (url.pathname === "/page") {
			const { readable, writable } = new TransformStream();
			const w = writable.getWriter();
			w.write(new TextEncoder().encode("<p>first</p>"));
			request.signal.addEventListener("abort", () => console.log("gone"));
			return new Response(readable, { headers: { "content-type": "text/html" } });
		}
		const [client, server] = Object.values(new WebSocketPair());
		server.accept();
		server.addEventListener("message", (e) => { console.log("said", e.data); server.send("you said " + e.data); });
		return new Response(null, { status: 101, webSocket: client });
	},
};
-- notes.txt --
notes
`))
	d.want("/notes", 200, "notes")
	conn, answer, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(d.base, "http")+"/socket", nil)
	if err != nil {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%v: %s\n%s", err, text, d.out)
	}
	defer conn.CloseNow()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "you said hello" {
		t.Errorf("got %q, %v", text, err)
	}
	// What it logs is seen while the socket is open.
	d.eventually("the message", func() bool { return strings.Contains(d.out.String(), "said hello\n") })
	response, err := http.Get(d.base + "/page")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 12)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "<p>first</p>" {
		t.Errorf("got %q, %v", first, err)
	}
}

// TestDevProjects serves the projects that use what only workers have.
func TestDevProjects(t *testing.T) {
	modules := installProjects(t, preparedCache(t))
	for name, check := range map[string]func(d *devServer){
		"capnweb": func(d *devServer) {
			// Two calls, the second on what the first gives, in one batch.
			body := "[\"push\",[\"pipeline\",0,[\"greet\"],[\"you\"]]]\n[\"push\",[\"pipeline\",0,[\"counter\"],[]]]\n[\"push\",[\"pipeline\",2,[\"add\"],[5]]]\n[\"pull\",1]\n[\"pull\",3]"
			response, err := http.Post(d.base+"/rpc", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != 200 || !strings.Contains(string(text), `["resolve",1,"hello you"]`) || !strings.Contains(string(text), `["resolve",3,5]`) {
				t.Errorf("got %s, %v", text, err)
			}
		},
		"codemode": func(d *devServer) {
			d.want("/", 200, `{"result":42,"logs":["on the way"]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source, err := os.ReadFile(filepath.Join(projectsFolder, name, "index.ts"))
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{
				"index.ts":      string(source),
				"wrangler.json": `{"name": "x", "main": "index.ts", "compatibility_date": "2026-11-01", "worker_loaders": [{"binding": "LOADER"}]}`,
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			check(startDev(t, dir, "--languages", "javascript"))
		})
	}
}

// TestReloadsHammer has pages come and go while builds are announced; whoever
// stays learns of the last.
func TestReloadsHammer(t *testing.T) {
	var l reloads
	server := httptest.NewServer(&l)
	defer server.Close()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
				if err != nil {
					t.Error(err)
				}
				if response, err := http.DefaultClient.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				cancel()
			}
		})
		group.Go(func() {
			for range 50 {
				l.announce()
			}
		})
	}
	group.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len("event: build\ndata: 200\n\n"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "event: build\ndata: 200\n\n" {
		t.Errorf("got %q, %v", first, err)
	}
}
