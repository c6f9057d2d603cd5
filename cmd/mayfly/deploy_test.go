package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// projectFolder makes a folder of the files of an archive.
func projectFolder(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A contract is a server that takes deployments, as the REST contract has them.
type contract struct {
	mu      sync.Mutex
	assets  map[string]string
	workers map[string]map[string]any
	buckets map[string]bool
	refuse  string // a problem to answer
	puts    int
}

func (s *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer a-key" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if digest, ok := strings.CutPrefix(r.URL.Path, "/v1/assets/"); ok {
		if r.Method == http.MethodPut {
			s.assets[digest] = string(text)
			s.puts++
		} else if _, ok := s.assets[digest]; !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/v1/buckets/"); ok && r.Method == http.MethodPut {
		switch {
		case s.buckets == nil:
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"title": "Not allowed", "detail": "The key is for workers only."}`)
		case s.buckets[name]:
			io.WriteString(w, `{}`)
		default:
			s.buckets[name] = true
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{}`)
		}
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/v1/workers/")
	if !ok || r.Method != http.MethodPut {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if s.refuse != "" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, s.refuse)
		return
	}
	var worker map[string]any
	if json.Unmarshal(text, &worker) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.workers[name] = worker
	io.WriteString(w, `{"name": "`+name+`", "version": "v1", "url": "http://`+name+`.localhost:8787/", "warnings": ["a warning"]}`)
}

const shop = `
-- wrangler.jsonc --
{
	"name": "shop", "main": "src/index.ts", "compatibility_date": "2026-11-01",
	"vars": {"GREETING": "hello", "N": 5},
	"r2_buckets": [{"binding": "FILES", "bucket_name": "files"}],
	"kv_namespaces": [{"binding": "CACHE", "id": "cache"}],
	"services": [{"binding": "AUTH", "service": "auth", "entrypoint": "Admin", "props": {"a": 1}}],
	"worker_loaders": [{"binding": "LOADER"}],
	"secrets": {"required": ["TOKEN"]},
	"triggers": {"crons": ["*/5 * * * *"]},
	"limits": {"cpu_ms": 50},
	"assets": {"directory": "public", "binding": "ASSETS", "run_worker_first": ["/api/*"], "not_found_handling": "404-page"},
	"kv_namespace": [],
	"routes": ["a.example.com/*", {"pattern": "b.example.com", "custom_domain": true}],
	"env": {"live": {"vars": {"GREETING": "good day"}}},
}
-- src/index.ts --
import text from "./a.txt";
import data from "./b.bin";
export default { fetch(r: Request) { return new Response(text + data) } };
-- src/a.txt --
a text
-- src/b.bin --
data
-- public/index.html --
<p>hello</p>
-- public/style.css --
p {}
-- public/same.css --
p {}
-- public/notes.secret --
x
-- public/drafts/a.html --
x
-- public/.assetsignore --
*.secret
drafts/
`

func TestDeploy(t *testing.T) {
	server := &contract{assets: map[string]string{}, workers: map[string]map[string]any{}, buckets: map[string]bool{}}
	h := httptest.NewServer(server)
	defer h.Close()
	dir := projectFolder(t, shop)
	deploy := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := execute(t.Context(), append([]string{"deploy", dir, "--server", h.URL, "--key", "a-key"}, args...), console{strings.NewReader(""), &out, &errs})
		return code, out.String(), errs.String()
	}
	code, out, errs := deploy("--var", "MORE:x:y", "--define", "DEBUG:1")
	if code != 0 || out != "http://shop.localhost:8787/\n" {
		t.Fatalf("exit code %d, %q, %s", code, out, errs)
	}
	if !server.buckets["files"] || len(server.buckets) != 1 {
		t.Errorf("buckets %v", server.buckets)
	}
	if _, _, again := deploy(); strings.Contains(again, "made the bucket") {
		t.Errorf("the bucket was there:\n%s", again)
	}
	server.workers, server.buckets = map[string]map[string]any{}, nil
	if code, _, refused := deploy(); code != exitFailure || !strings.Contains(refused, `r2_buckets[0].bucket_name: the bucket "files", which FILES is to be, can't be made: Not allowed: The key is for workers only.`) || len(server.workers) != 0 {
		t.Errorf("exit code %d, workers %v\n%s", code, server.workers, refused)
	}
	server.buckets = map[string]bool{"files": true}
	if code, _, again := deploy("--var", "MORE:x:y", "--define", "DEBUG:1"); code != 0 {
		t.Fatalf("exit code %d, %s", code, again)
	}
	for _, want := range []string{"made the bucket files", "warning: wrangler.jsonc:12: kv_namespace: there is no such key: is kv_namespaces meant?", "warning: a warning", "3 assets", "GREETING (variable)"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
	w := server.workers["shop"]
	modules := w["modules"].(map[string]any)
	if len(modules) != 3 || w["main_module"] != "index.js" || !strings.Contains(modules["index.js"].(map[string]any)["js"].(string), "-a.txt") {
		t.Errorf("modules %v", modules)
	}
	for name, m := range modules {
		if strings.HasSuffix(name, "b.bin") && m.(map[string]any)["data"] != "ZGF0YQo=" || strings.HasSuffix(name, "a.txt") && m.(map[string]any)["text"] != "a text\n" {
			t.Errorf("%s: %v", name, m)
		}
	}
	text, err := json.Marshal(w["bindings"])
	if err != nil || string(text) != `{"AUTH":{"entrypoint":"Admin","props":{"a":1},"service":"auth","type":"service"},"CACHE":{"namespace":"cache","type":"kv_namespace"},"FILES":{"bucket":"files","type":"r2_bucket"},"GREETING":{"type":"var","value":"hello"},"LOADER":{"type":"worker_loader"},"MORE":{"type":"var","value":"x:y"},"N":{"type":"var","value":5},"TOKEN":{"secret":"TOKEN","type":"secret"}}` {
		t.Errorf("bindings %s", text)
	}
	assets := w["assets"].(map[string]any)
	files := assets["files"].(map[string]any)
	if len(files) != 3 || files["/index.html"].(map[string]any)["type"] != "text/html; charset=utf-8" || assets["binding"] != "ASSETS" || len(assets["run_worker_first"].([]any)) != 1 {
		t.Errorf("assets %v", assets)
	}
	if digest := files["/index.html"].(map[string]any)["sha256"].(string); server.assets[digest] != "<p>hello</p>\n" || server.puts != 2 {
		t.Errorf("%d assets were sent: %v", server.puts, server.assets)
	}
	if !strings.Contains(w["source_maps"].(map[string]any)["index.js"].(string), "src/index.ts") {
		t.Errorf("source maps %v", w["source_maps"])
	}
	if limits := w["limits"].(map[string]any); len(limits) != 1 || limits["cpu_ms"] != 50.0 {
		t.Errorf("limits %v", limits)
	}
	if hosts := fmt.Sprint(w["routes"], w["domains"]); hosts != "[a.example.com/*] [b.example.com]" {
		t.Errorf("routes and domains %s", hosts)
	}

	if code, _, errs = deploy("--env", "live"); code != 0 || server.puts != 2 || server.workers["shop-live"] == nil || server.workers["shop-live"]["bindings"].(map[string]any)["FILES"] != nil {
		t.Errorf("exit code %d, %d assets were sent\n%s", code, server.puts, errs)
	}
	if code, _, _ = deploy("--name", "other", "--dry-run"); code != 0 || server.workers["other"] != nil {
		t.Errorf("exit code %d, workers %v", code, server.workers)
	}
	written := t.TempDir()
	if code, out, _ = deploy("--dry-run", "--json", "--outdir", written); code != 0 || !strings.HasPrefix(out, `{"main_module":"index.js"`) {
		t.Errorf("exit code %d, %s", code, out)
	}
	if list, _ := filepath.Glob(filepath.Join(written, "*")); len(list) != 4 {
		t.Errorf("written %v", list)
	}
	if code, _, errs = deploy("--name", "No"); code != exitUsage || !strings.Contains(errs, "no name of a worker") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	server.refuse = `{"title": "The request is not valid", "detail": "2 mistakes", "errors": [{"pointer": "/limits/cpu_ms", "detail": "too much"}]}`
	if code, _, errs = deploy(); code != exitFailure || !strings.Contains(errs, "The request is not valid: 2 mistakes\n  /limits/cpu_ms: too much") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	if err := os.WriteFile(filepath.Join(dir, "src/index.ts"), []byte("const a = 1;\n\tlet é = nothing(;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs = deploy(); code != exitFailure || !strings.Contains(errs, "error: src/index.ts:2:19: Unexpected \";\"\n  2 │     let é = nothing(;\n    │                     ~\n") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

func TestDeployWithoutServer(t *testing.T) {
	dir := projectFolder(t, "-- wrangler.toml --\nname = \"a\"\nmain = \"a.js\"\n-- a.js --\nexport default {}\n")
	var out, errs bytes.Buffer
	code := execute(t.Context(), []string{"deploy", filepath.Join(dir, "wrangler.toml"), "--server", "http://127.0.0.1:1"}, console{strings.NewReader(""), &out, &errs})
	if code != exitFailure || !strings.Contains(errs.String(), "is a server running there?") || !strings.Contains(errs.String(), "compatibility_date is missing") {
		t.Errorf("exit code %d, %s", code, &errs)
	}
	if code = execute(t.Context(), []string{"deploy", t.TempDir()}, console{strings.NewReader(""), &out, &errs}); code != exitFailure || !strings.Contains(errs.String(), "mayfly init") {
		t.Errorf("exit code %d, %s", code, &errs)
	}
}
