package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var testRules = []Rule{
	{KindText, []string{"**/*.txt", "**/*.html", "**/*.sql"}}, {KindData, []string{"**/*.bin"}}, {KindWasm, []string{"**/*.wasm"}},
}

func testBuiltin(name string) bool {
	return name == "node:fs" || name == "node:path" || name == "node:events"
}

// folder makes a folder of the files of an archive.
func folder(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func builder(t *testing.T, p Project) *Builder {
	t.Helper()
	p.Builtin = testBuiltin
	b, err := NewBuilder(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func build(t *testing.T, p Project) *Output {
	t.Helper()
	out, err := builder(t, p).Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProject(t *testing.T) {
	dir := folder(t, `
-- src/index.ts --
import { readFileSync } from "node:fs";
import EventEmitter from "events";
import { WorkerEntrypoint } from "cloudflare:workers";
import page from "./page.html";
import add from "./add.wasm";
import again from "../src/add.wasm?module";
import data from "./data.json";
import lib from "lib";
import aliased from "what";
const legacy = require("./notes.txt");
export default class extends WorkerEntrypoint {
	fetch(request: Request): Response { return new Response(page + data.a + lib + aliased + legacy + process.env.NODE_ENV + FLAG + String(add === again) + typeof EventEmitter + readFileSync) }
}
-- src/page.html --
<p>page</p>
-- src/notes.txt --
notes
-- src/add.wasm --
wasm
-- src/data.json --
{"a": "of json"}
-- node_modules/lib/package.json --
{"name": "lib", "exports": {".": {"node": "./node.js", "workerd": "./workerd.js", "default": "./default.js"}}}
-- node_modules/lib/workerd.js --
export default "lib of workerd";
-- node_modules/lib/node.js --
export default "lib of node";
-- node_modules/lib/default.js --
export default "lib of default";
-- what.js --
export default "by alias";
`)
	out := build(t, Project{Dir: dir, Main: "src/index.ts", Rules: testRules, Define: map[string]string{"FLAG": `"a flag"`}, Alias: map[string]string{"what": "./what.js"}})
	if out.Main != "index.js" {
		t.Errorf("main module %s", out.Main)
	}
	code := string(out.Modules["index.js"].Content)
	for _, want := range []string{`from "node:fs"`, `from "node:events"`, `from "cloudflare:workers"`, `"lib of workerd"`, `"by alias"`, `"of json"`, `"productiona flag"`} {
		if !strings.Contains(code, want) {
			t.Errorf("no %s in\n%s", want, code)
		}
	}
	for _, not := range []string{"lib of node", "lib of default", "<p>page", ": Request"} {
		if strings.Contains(code, not) {
			t.Errorf("there is %s in\n%s", not, code)
		}
	}
	kinds := map[string]Kind{}
	for name, m := range out.Modules {
		_, base, _ := strings.Cut(name, "-")
		kinds[base] = m.Kind
		if name != out.Main && !strings.Contains(code, `"./`+name+`"`) {
			t.Errorf("%s is not imported", name)
		}
	}
	if len(out.Modules) != 4 || kinds["page.html"] != KindText || kinds["notes.txt"] != KindText || kinds["add.wasm"] != KindWasm {
		t.Errorf("modules %v", kinds)
	}
	if len(out.Warnings) > 0 {
		t.Errorf("warnings %v", out.Warnings)
	}
	for _, want := range []string{"src/index.ts", "src/page.html", "src/data.json", "what.js"} {
		if !strings.Contains(strings.Join(out.Inputs, " "), want) {
			t.Errorf("inputs %v lack %s", out.Inputs, want)
		}
	}
}

func TestProjectMapLeadsToTheSource(t *testing.T) {
	dir := folder(t, `
-- src/index.ts --
import { fail } from "./lib/fail";
interface A { b: string }

export default { fetch() { fail(); } };
-- src/lib/fail.ts --
type B = string;

export function fail(): never {
	throw new Error("here");
}
`)
	for _, minify := range []bool{false, true} {
		out := build(t, Project{Dir: dir, Main: "src/index.ts", Minify: minify})
		code := string(out.Modules["index.js"].Content)
		at := strings.Index(code, "new Error")
		line := 1 + strings.Count(code[:at], "\n")
		column := at - strings.LastIndex(code[:at], "\n")
		m, err := ParseMap(out.Maps["index.js"])
		if err != nil {
			t.Fatal(err)
		}
		file, l, c, ok := m.Position(line, column)
		if !ok || file != "src/lib/fail.ts" || l != 4 || c != 8 {
			t.Errorf("minify %v: got %s:%d:%d, %v", minify, file, l, c, ok)
		}
		stack := MapStack("Error: here\n    at fail (index.js:"+itoa(line)+":"+itoa(column)+")", map[string]*Map{"index.js": m})
		if !strings.Contains(stack, "(src/lib/fail.ts:4:8)") {
			t.Errorf("stack %s", stack)
		}
	}
}

func TestProjectMistakes(t *testing.T) {
	for _, c := range []struct {
		name, source, want, note string
		line, column             int
	}{
		{"syntax", "const a = 1;\nlet b: = 2;", "Unexpected \"=\"", "", 2, 8},
		{"missing file", "import a from './b';a()", `Could not resolve "./b"`, "", 1, 15},
		{"missing package", "\nimport a from 'nowhere';a()", `Could not resolve "nowhere"`, "external", 2, 15},
		{"no loader", "import a from './a.png';a()", `No loader is configured for ".png" files: a.png`, `"globs": ["**/*.png"]`, 1, 15},
	} {
		dir := folder(t, "-- a.png --\nx\n-- index.ts --\n"+c.source+"\n")
		_, err := builder(t, Project{Dir: dir, Main: "index.ts"}).Build(t.Context())
		var list MistakeList
		if !errors.As(err, &list) || len(list) != 1 {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		e := list[0]
		if e.File != "index.ts" || e.Line != c.line || e.Column != c.column || e.Text != c.want || !strings.Contains(strings.Join(e.Notes, " "), c.note) || e.Excerpt == "" || e.Length == 0 {
			t.Errorf("%s: got %+v", c.name, *e)
		}
	}
	for _, p := range []Project{{Main: "gone.ts"}, {Main: "index.ts", BaseDir: "lib"}} {
		p.Dir = folder(t, "-- index.ts --\n1\n-- lib/a.js --\n1\n")
		if _, err := NewBuilder(p); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}

func TestMissingBuiltinsFailWhenUsed(t *testing.T) {
	dir := folder(t, "-- index.js --\nimport repl, { start } from 'node:repl';\nexport default { fetch() { return start() } }\n")
	out := build(t, Project{Dir: dir, Main: "index.js"})
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0].Text, "node:repl") || out.Warnings[0].Line != 1 {
		t.Errorf("warnings %v", out.Warnings)
	}
	if code := string(out.Modules["index.js"].Content); strings.Contains(code, `from "node:repl"`) || !strings.Contains(code, "is not available here") {
		t.Errorf("got\n%s", code)
	}
}

func TestAdditionalModules(t *testing.T) {
	archive := `
-- src/index.js --
import "./lib/named.js";
import text from "./lib/a.txt";
export default { async fetch() { return import("./lib/" + text + ".js") } }
-- src/lib/named.js --
export const named = 1;
-- src/lib/other.mjs --
export const other = 1;
-- src/lib/a.txt --
a
-- src/node_modules/x/a.txt --
a
-- src/.hidden/a.txt --
a
`
	rules := append([]Rule{{KindJS, []string{"lib/*.js"}}}, testRules...)
	out := build(t, Project{Dir: folder(t, archive), Main: "src/index.js", Rules: rules, FindAdditional: true})
	if len(out.Modules) != 3 || out.Modules["lib/named.js"].Kind != KindJS || out.Modules["lib/a.txt"].Kind != KindText {
		t.Errorf("modules %v", names(out))
	}
	if code := string(out.Modules["index.js"].Content); !strings.Contains(code, `"./lib/named.js"`) || !strings.Contains(code, `"./lib/a.txt"`) {
		t.Errorf("got\n%s", code)
	}
	out = build(t, Project{Dir: folder(t, archive), Main: "src/index.js", Rules: rules, FindAdditional: true, NoBundle: true})
	if len(out.Modules) != 3 || !strings.HasPrefix(string(out.Modules["index.js"].Content), `import "./lib/named.js"`) {
		t.Errorf("modules %v", names(out))
	}
	out = build(t, Project{Dir: folder(t, archive), Main: "src/index.js", BaseDir: ".", Rules: testRules})
	if out.Main != "src/index.js" {
		t.Errorf("main module %s", out.Main)
	}
}

func names(o *Output) (list []string) {
	for name := range o.Modules {
		list = append(list, name)
	}
	return list
}

func TestPythonProject(t *testing.T) {
	out := build(t, Project{Dir: folder(t, "-- src/entry.py --\nimport lib.a\n-- src/lib/a.py --\nx = 1\n-- src/page.html --\np\n-- other.py --\n1\n"), Main: "src/entry.py", Rules: testRules})
	if out.Main != "entry.py" || len(out.Modules) != 3 || out.Modules["lib/a.py"].Kind != KindPython || out.Modules["page.html"].Kind != KindText || out.Modules["entry.py"].Kind != KindPython {
		t.Errorf("got %s of %v", out.Main, names(out))
	}
}

func TestRebuildSeesChanges(t *testing.T) {
	dir := folder(t, "-- index.js --\nimport t from './a.txt';\nimport { b } from './b.js';\nexport default t + b\n-- a.txt --\none\n-- b.js --\nexport const b = 'first';\n")
	b := builder(t, Project{Dir: dir, Main: "index.js", Rules: testRules})
	contents := func() (all string) {
		out, err := b.Build(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Modules {
			all += string(m.Content)
		}
		return all
	}
	if all := contents(); !strings.Contains(all, "one") || !strings.Contains(all, "first") {
		t.Errorf("got %s", all)
	}
	for name, text := range map[string]string{"a.txt": "two", "b.js": "export const b = 'second';"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if all := contents(); strings.Contains(all, "one") || !strings.Contains(all, "two") || !strings.Contains(all, "second") {
		t.Errorf("got %s", all)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.js"), []byte("export const b = ;"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(t.Context()); err == nil {
		t.Error("the mistake was not seen")
	}
	ended, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := b.Build(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add([]byte(`{"version":3,"sources":["a","b"],"mappings":"AAAA;ACAA,CAAC"}`), 1, 1)
	f.Add([]byte(`{"version":3,"sources":["a"],"mappings":"ADAA"}`), 1, 1)
	f.Add([]byte(`{"version":3,"sections":[{}]}`), 1, 1)
	f.Fuzz(func(t *testing.T, encoded []byte, line, column int) {
		m, err := ParseMap(encoded)
		if err == nil && m != nil {
			m.Position(line, column)
		}
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
