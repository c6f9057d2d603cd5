package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

func archived(archive string) map[string]string {
	files := map[string]string{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// created is the main module of a bundle that has to succeed.
func created(t *testing.T, c *Creator, o Options) (*Result, string) {
	t.Helper()
	r, err := c.CreateWorker(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, r.Modules[r.MainModule].Code
}

func TestCreateWorker(t *testing.T) {
	c := NewCreator(nil, testBuiltin, nil)
	r, code := created(t, c, Options{Files: archived(`
-- wrangler.jsonc --
{"main": "./src/index.ts", /* here */ "compatibility_date": "2026-01-01", "compatibility_flags": ["nodejs_compat"],}
-- tsconfig.json --
{"extends": "/etc/passwd", "compilerOptions": {"jsxFactory": "h", "baseUrl": ".", "paths": {"@/*": ["src/*"]}}} // a comment
-- src/index.ts --
import { a } from "./a.js";
import b from "@/b";
import data from "../data.json";
import lib, { unused } from "lib";
import old from "old";
import { readFileSync } from "fs";
import { WorkerEntrypoint } from "cloudflare:workers";
import help from "helper";
import page from "./page.html";
import v from "virtual:v";
const path = require("path");
export default { fetch(r: Request): Response { return new Response([a, b, data.n, lib, old, readFileSync, WorkerEntrypoint, help, page, v, path].join()) } };
-- src/a.ts --
export const a: string = "of a";
-- src/b.tsx --
export default <b/>;
-- src/page.html --
<p>a page</p>
-- data.json --
{"n": "a number"}
-- node_modules/lib/package.json --
{"exports": {".": {"worker": {"import": "./w.js", "require": "./w.cjs"}, "default": "./no.js"}}, "sideEffects": false}
-- node_modules/lib/w.js --
import "./effects.js";
export default "lib for workers";
export const unused = 1;
-- node_modules/lib/effects.js --
console.log("an effect");
-- node_modules/old/package.json --
{"main": "lib/node.js", "browser": {"./lib/node.js": "./lib/browser.js", "fs": false}}
-- node_modules/old/lib/node.js --
module.exports = "old for node";
-- node_modules/old/lib/browser.js --
const fs = require("fs"); module.exports = "old for browsers" + fs.x;
`), Externals: []string{"helper"}, VirtualModules: map[string]string{"virtual:v": "export default 'of nowhere'"}})
	if r.MainModule != "bundle.js" || len(r.Modules) != 1 || len(r.Warnings) > 0 {
		t.Errorf("got %s of %d modules, warnings %q", r.MainModule, len(r.Modules), r.Warnings)
	}
	for _, want := range []string{`"of a"`, `h("b"`, `"a number"`, `"lib for workers"`, `old for browsers`, `from "node:fs"`, `from "cloudflare:workers"`, `from "helper"`, "<p>a page</p>", `"of nowhere"`, `from "node:path"`} {
		if !strings.Contains(code, want) {
			t.Errorf("no %s in\n%s", want, code)
		}
	}
	if strings.Contains(code, "an effect") {
		t.Error("what has no side effects is there")
	}
	if w := r.WranglerConfig; w == nil || w.CompatibilityDate != "2026-01-01" || len(w.CompatibilityFlags) != 1 {
		t.Errorf("configuration %+v", w)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.HasPrefix(string(text), `{"mainModule":"bundle.js","modules":{"bundle.js":"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestCreateWorkerOptions(t *testing.T) {
	c := NewCreator(nil, testBuiltin, nil)
	files := map[string]string{"index.ts": "const longName = () => DEBUG; export default { fetch: () => longName() + <div/> }"}
	files["index.tsx"] = files["index.ts"]
	delete(files, "index.ts")
	_, code := created(t, c, Options{Files: files, EntryPoint: "./index.tsx", Minify: true, Sourcemap: true, JSX: "automatic", JSXImportSource: "preact", Externals: []string{"preact"}, Define: map[string]string{"DEBUG": `"debugging"`}})
	for _, want := range []string{"debugging", "preact/jsx-runtime", "sourceMappingURL=data:"} {
		if !strings.Contains(code, want) {
			t.Errorf("no %s in %s", want, code)
		}
	}
	if strings.Contains(code, "longName") {
		t.Errorf("%s is not small", code)
	}
	_, code = created(t, c, Options{Files: map[string]string{"src/index.js": "import a from './a.svg'; import b from './b.dat'; console.log(a, b)", "src/a.svg": "<svg/>", "src/b.dat": "x"}, Loader: map[string]string{".svg": "dataurl", ".dat": "base64"}})
	if !strings.Contains(code, "data:image/svg+xml") || !strings.Contains(code, `"eA=="`) {
		t.Errorf("got %s", code)
	}
}

func TestCreateWorkerEntryPoints(t *testing.T) {
	c := NewCreator(nil, testBuiltin, nil)
	for name, files := range map[string]map[string]string{
		"wrangler.toml": {"wrangler.toml": "main = 'a.js'", "a.js": "1+1;'here'", "index.js": ""},
		"exports":       {"package.json": `{"exports": {".": {"types": "./x.d.ts", "import": "./a.js"}}}`, "a.js": "'here'", "index.js": ""},
		"module":        {"package.json": `{"module": "a.js", "main": "b.js"}`, "a.js": "'here'"},
		"default":       {"src/worker.ts": "'here'"},
	} {
		for n := range files {
			if strings.HasSuffix(n, ".js") && files[n] != "" || strings.HasSuffix(n, ".ts") {
				files[n] = "console.log('here')"
			}
		}
		if _, code := created(t, c, Options{Files: files}); !strings.Contains(code, "here") {
			t.Errorf("%s: got %s", name, code)
		}
	}
	r, code := created(t, c, Options{Files: map[string]string{"index.py": "import a", "a.py": "", "data.csv": "1,2", "pyproject.toml": "[project]"}})
	if r.MainModule != "index.py" || code != "import a" || len(r.Modules) != 3 || r.Modules["data.csv"].Text == nil || len(r.Warnings) != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestCreateWorkerWithoutBundle(t *testing.T) {
	no := false
	r, code := created(t, NewCreator(nil, testBuiltin, nil), Options{Bundle: &no, Define: map[string]string{"A": "1"}, Files: archived(`
-- src/index.ts --
import { helper } from "./lib/helper";
import lib from "lib";
import data from "./data.json";
import text from "./a.txt";
import { x } from "cloudflare:workers";
import fs from "node:fs";
export default { fetch: (r: Request) => helper(lib, data, text, x, fs, import("./lazy.mjs")) };
-- src/lib/helper.ts --
import type { T } from "../types";
export { default as again } from "../index.js";
export const helper = (...all: T[]) => all;
-- src/types.ts --
export type T = unknown;
-- src/data.json --
{"a": 1}
-- src/a.txt --
text
-- src/lazy.mjs --
export const unused = 1;
const kept = 2;
-- node_modules/lib/package.json --
{"main": "main.js"}
-- node_modules/lib/main.js --
module.exports = require("./other");
-- node_modules/lib/other.js --
exports.a = 1;
`)})
	if r.MainModule != "src/index.js" || len(r.Modules) != 7 {
		t.Errorf("got %s of %v", r.MainModule, r.Modules)
	}
	for _, want := range []string{`"./lib/helper.js"`, `"../node_modules/lib/main.js"`, `"./data.json"`, `"./a.txt"`, `"cloudflare:workers"`, `"node:fs"`, `import("./lazy.mjs")`} {
		if !strings.Contains(code, want) {
			t.Errorf("no %s in\n%s", want, code)
		}
	}
	if m := r.Modules["src/lib/helper.js"]; !strings.Contains(m.Code, `"../index.js"`) {
		t.Errorf("helper: %+v", m)
	}
	if m := r.Modules["src/lazy.mjs"]; m.JS == nil || !strings.Contains(*m.JS, "kept") {
		t.Errorf("lazy: %+v", m)
	}
	if m := r.Modules["node_modules/lib/main.js"]; m.CommonJS == nil || !strings.Contains(*m.CommonJS, `require("./other.js")`) {
		t.Errorf("lib: %+v", m)
	}
	if string(r.Modules["src/data.json"].JSON) == "" || r.Modules["src/a.txt"].Text == nil || len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "define is ignored when `bundle: false`") {
		t.Errorf("got %+v", r)
	}
}

func TestCreateWorkerErrors(t *testing.T) {
	c := NewCreator(nil, testBuiltin, nil)
	for _, x := range []struct {
		options Options
		want    string
	}{
		{Options{}, "`files` is empty"},
		{Options{Files: map[string]string{"a.txt": ""}}, "Could not determine entry point for createWorker."},
		{Options{Files: map[string]string{"a.txt": ""}, EntryPoint: "b.js"}, "Entry point \"b.js\" was not found in `files`. Available files: a.txt."},
		{Options{Files: map[string]string{"index.js": "let a = ;"}}, "Build failed with 1 error:\nindex.js:1:8: ERROR: Unexpected \";\""},
		{Options{Files: map[string]string{"index.js": "import './b'"}}, "Could not resolve \"./b\""},
		{Options{Files: map[string]string{"index.js": "import 'https://x/y.js'"}}, "modules are not loaded over the network"},
		{Options{Files: map[string]string{"index.js": ""}, Target: "es3"}, "There is no target"},
		{Options{Files: map[string]string{"index.js": ""}, JSX: "x"}, "There is no jsx mode"},
		{Options{Files: map[string]string{"index.js": ""}, Loader: map[string]string{".a": "file"}}, "There is no loader \"file\""},
		{Options{Files: map[string]string{"index.js": ""}, Define: map[string]string{"A": strings.Repeat("x", 1<<17)}}, "`define` has"},
		{Options{Files: map[string]string{"index.js": "", "package.json": `{"dependencies": {"hono": "^4"}}`}}, "This server does not install npm packages"},
		{Options{Files: map[string]string{"index.js": "", "package.json": `{"dependencies": {"a": "git+ssh://x/y"}}`}}, "leads elsewhere than to the index"},
		{Options{Files: map[string]string{"index.js": "", "package.json": `{"dependencies": {"a": "file:../.."}}`}}, "leads elsewhere than to the index"},
		{Options{Files: map[string]string{"index.js": "", "package.json": `{"dependencies": {"a": "https://x/y.tgz"}}`}}, "leads elsewhere than to the index"},
		{Options{Files: map[string]string{"index.js": "", "package.json": `{"dependencies": {"a": "user/repository"}}`}}, "leads elsewhere than to the index"},
		{Options{Files: map[string]string{"index.js": "", "package.json": `{"dependencies": {"../a": "1"}}`}}, "is no name of a package"},
	} {
		_, err := c.CreateWorker(t.Context(), x.options)
		var e *CreateError
		if !errors.As(err, &e) || !strings.Contains(e.Message, x.want) {
			t.Errorf("got %v, want %s", err, x.want)
		}
	}
}

// TestCreateWorkerReadsNoFiles tries all that makes esbuild read the disk.
func TestCreateWorkerReadsNoFiles(t *testing.T) {
	const secret = "the-secret-of-the-machine"
	dir := t.TempDir()
	for _, name := range []string{"secret.js", "secret.txt", "secret.json", "tsconfig.json", "package.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`{"`+secret+`": "`+secret+`"}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.js.map"), []byte(`{"version":3,"sources":["`+secret+`"],"mappings":"AAAA"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 40) + strings.TrimPrefix(dir, "/")
	c := NewCreator(nil, testBuiltin, nil)
	for i, source := range []string{
		`import a from "` + dir + `/secret.txt"; console.log(a)`,
		`import a from "` + up + `/secret.json"; console.log(a)`,
		`import a from "file://` + dir + `/secret.txt"; console.log(a)`,
		`export * from "./` + up + `/secret.js"`,
		"const x = 'a'; import(`./" + up + "/${x}.js`)",
		"const x = 'a'; require(`./" + up + "/${x}.txt`)",
		"const x = 'a'; import(`" + up + "/${x}.json`)",
		"console.log(1)\n//# sourceMappingURL=file://" + dir + "/a.js.map",
		"console.log(1)\n/*# sourceMappingURL=FILE://localhost" + dir + "/a.js.map */",
		"console.log(1)\n//@ sourceMappingURL=" + dir + "/a.js.map",
		"console.log(1)\n//# sourceMappingURL=" + up + "/a.js.map",
		"console.log(new URL('" + up + "/secret.txt', import.meta.url).href); import './x.css'",
		"import 'leak'",
	} {
		for _, bundle := range []bool{true, false} {
			r, err := c.CreateWorker(t.Context(), Options{Sourcemap: true, Bundle: &bundle, Loader: map[string]string{".txt": "text"}, Files: map[string]string{
				"index.js": source, "x.css": `@import "` + dir + `/secret.txt"; a { background: url(` + dir + `/secret.txt) }`,
				"tsconfig.json": `{"extends": "` + dir + `/tsconfig.json", "compilerOptions": {"paths": {"*": ["` + up + `/*"]}}}`,
				"../../x":       "1", "node_modules/leak/package.json": `{"main": "` + up + `/secret.js", "browser": {"./a": "` + dir + `/secret.js"}}`,
			}})
			text, marshalErr := json.Marshal(r)
			if all := fmt.Sprint(string(text), err); strings.Contains(all, secret) || err != nil && strings.Contains(all, "secret.") && strings.Contains(all, dir) && !strings.Contains(source, dir) || marshalErr != nil {
				t.Errorf("%d: got %s", i, all)
			}
		}
	}
}

func TestCreateWorkerInProcesses(t *testing.T) {
	t.Setenv(workerVariable, "1")
	c := NewCreator([]string{os.Args[0], "-test.run=^TestWorkerProcess$"}, testBuiltin, nil)
	defer c.Close()
	n := 0
	honest := func() {
		n++
		r, code := created(t, c, Options{Files: map[string]string{"index.ts": fmt.Sprintf("export const a: number = %d", n)}})
		if !strings.Contains(code, fmt.Sprintf("a = %d", n)) || r.CPU <= 0 {
			t.Errorf("got %+v", r)
		}
	}
	honest()
	for name, o := range map[string]Options{
		"deep": {Files: map[string]string{"index.js": strings.Repeat("[", 4_000_000)}},
		"much": {Files: map[string]string{"index.js": "console.log(" + strings.Repeat("A,", 500_000) + "A)"}, Define: map[string]string{"A": `"` + strings.Repeat("x", 60_000) + `"`}},
	} {
		var e *CreateError
		if _, err := c.CreateWorker(t.Context(), o); !errors.As(err, &e) || e.Message == "" {
			t.Errorf("%s: got %v", name, err)
		}
		honest()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.CreateWorker(ctx, Options{Files: map[string]string{"index.js": strings.Repeat("a=>", 20_000) + "1"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	honest()
	same := Options{Files: map[string]string{"index.ts": "export const same: number = 1"}}
	created(t, c, same)
	if r, _ := created(t, c, same); r.CPU != 0 {
		t.Error("the same sources were bundled twice")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				created(t, c, same)
			}
		})
	}
	wg.Wait()
}

// TestCreateWorkerInstalls fetches packages of the index that npm is configured
// with.
func TestCreateWorkerInstalls(t *testing.T) {
	folder := t.TempDir()
	packages, err := NewPackages(PackagesConfig{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCreator(nil, testBuiltin, packages)
	o := Options{Files: map[string]string{
		"index.ts":     "import { Hono } from 'hono'; import { Router } from 'itty'; const app = new Hono(); app.get('/', (c) => c.text('hi' + Router)); export default app",
		"package.json": `{"dependencies": {"hono": "^4.13.0", "itty": "npm:itty-router@5"}, "devDependencies": {"typescript": "*"}, "scripts": {"preinstall": "exit 1"}}`,
	}}
	r, code := created(t, c, o)
	if !strings.Contains(code, "class Hono") && !strings.Contains(code, "Hono = class") || strings.Contains(code, `from "hono"`) || strings.Contains(code, `from "itty"`) {
		t.Errorf("got %d bytes, warnings %q", len(code), r.Warnings)
	}
	o.Files["more.ts"] = ""
	begin := time.Now()
	created(t, c, o)
	t.Logf("with packages at hand: %v", time.Since(begin))
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	for manifest, want := range map[string]string{
		`{"dependencies": {"hono": "^999"}}`:                             "there is no version hono@^999 on the index",
		`{"dependencies": {"mayfly-there-is-no-such-package-q7": "^1"}}`: "there is no package",
	} {
		o.Files["package.json"] = manifest
		var e *CreateError
		if _, err := c.CreateWorker(t.Context(), o); !errors.As(err, &e) || !strings.Contains(e.Message, want) {
			t.Errorf("got %v", err)
		}
	}
}

func TestPackagesAreBounded(t *testing.T) {
	wanted := map[string]string{"hono": "^4.13.0"}
	for name, config := range map[string]PackagesConfig{
		"the packages are larger than":     {Bytes: 1000},
		"the packages have more than":      {Files: 3},
		"npm takes longer than":            {Timeout: time.Millisecond},
		"package.json has 1 dependencies;": {Count: -1},
	} {
		config.Folder = t.TempDir()
		p, err := NewPackages(config)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.Install(t.Context(), wanted)
		var e *CreateError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Message, name) {
			t.Errorf("got %v, want %s", err, name)
		}
		if left, _ := os.ReadDir(config.Folder); len(left) != 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

func TestPackagesSweep(t *testing.T) {
	p, err := NewPackages(PackagesConfig{Folder: t.TempDir(), Keep: 100, Command: []string{"unused"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"oldest", "used", "newest"} {
		folder := filepath.Join(p.config.Folder, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "x"), make([]byte, 60), 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(i)*1000, 0)
		if err := os.Chtimes(folder, at, at); err != nil {
			t.Fatal(err)
		}
	}
	p.used["used"] = 1
	p.sweep()
	left, err := os.ReadDir(p.config.Folder)
	if err != nil || len(left) != 1 || left[0].Name() != "used" {
		t.Errorf("%v, %v", left, err)
	}
}

func FuzzVirtualResolve(f *testing.F) {
	f.Add("a/b.js", "../c", `{"exports": {"./*": "./x/*.js"}, "browser": {"./a": false}}`)
	f.Add("node_modules/p/a.js", "#x", `{"imports": {"#x": "#x"}, "main": "../../.."}`)
	f.Fuzz(func(t *testing.T, importer, specifier, manifest string) {
		files := map[string]string{cleanName(importer): "", "c.js": "", "node_modules/p/package.json": manifest, "node_modules/p/x/a.js": "", "package.json": manifest}
		v := newVirtual(files, nil)
		for _, require := range []bool{false, true} {
			got, ok := v.resolve(cleanName(importer), specifier, require, nil)
			if !ok || got.empty {
				continue
			}
			if _, there := v.files[got.file]; !there {
				t.Errorf("%q leads to %q", specifier, got.file)
			}
		}
	})
}
