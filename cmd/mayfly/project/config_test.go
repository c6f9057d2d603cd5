package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const whole = `{
	// A comment, and a trailing comma
	"$schema": "node_modules/wrangler/config-schema.json",
	"name": "shop",
	"main": "src/index.ts",
	"compatibility_date": "2026-11-01",
	"compatibility_flags": ["nodejs_compat"],
	"account_id": "0123",
	"workers_dev": true,
	"vars": { "GREETING": "hello", "LIMITS": { "a": [1, 2.5, null] } },
	"r2_buckets": [{ "binding": "FILES", "bucket_name": "files" }, { "binding": "MORE_FILES" }],
	"kv_namespaces": [{ "binding": "CACHE", "id": "abc" }],
	"services": [{ "binding": "AUTH", "service": "auth", "entrypoint": "Admin", "props": { "level": 3 } }],
	"worker_loaders": [{ "binding": "LOADER" }],
	"tail_consumers": [{ "service": "logs" }, { "service": "more", "environment": "live" }],
	"triggers": { "crons": ["*/5 * * * *"] },
	"limits": { "cpu_ms": 50, "memory_mb": 64, "wall_ms": 1000, "subrequests": 10 },
	"isolation": "request",
	"rules": [{ "type": "Text", "globs": ["**/*.md"], "fallthrough": true }, { "type": "Data", "globs": ["**/*.png"] }],
	"assets": { "directory": "public", "binding": "ASSETS", "not_found_handling": "404-page", "run_worker_first": ["/api/*"] },
	"define": { "DEBUG": "false" },
	"alias": { "fs": "./fs.js" },
	"minify": true,
	"secrets": { "required": ["TOKEN"] },
	"routes": ["example.com/*", { "pattern": "shop.example.com", "custom_domain": true, "zone_id": "1" }],
	"build": { "command": "npm run build", "watch_dir": "src" },
	"dev": { "port": 9000, "ip": "127.0.0.1" },
	"env": {
		"live": { "vars": { "GREETING": "good day" }, "limits": { "cpu_ms": 100 } },
		"named": { "name": "other", "kv_namespaces": [] },
	},
}`

func read(t *testing.T, name, text, env string) (*Config, []string) {
	t.Helper()
	c, warnings, err := Read(name, []byte(text), env)
	if err != nil {
		t.Fatal(err)
	}
	return c, texts(warnings)
}

func texts(problems []Problem) (list []string) {
	for _, p := range problems {
		list = append(list, p.String())
	}
	return list
}

func TestReadWhole(t *testing.T) {
	got, warnings := read(t, "wrangler.jsonc", whole, "")
	if len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
	want := &Config{
		Name: "shop", Main: "src/index.ts", CompatibilityDate: "2026-11-01", CompatibilityFlags: []string{"nodejs_compat"},
		R2:       []Bucket{{"FILES", "files"}, {"MORE_FILES", "more-files"}},
		KV:       []Namespace{{"CACHE", "abc"}},
		Services: []Service{{"AUTH", "auth", "Admin", []byte(`{"level":3}`)}},
		Loaders:  []string{"LOADER"}, TailConsumers: []string{"logs", "more-live"}, Crons: []string{"*/5 * * * *"},
		Limits: Limits{CPUMS: 50, WallMS: 1000, MemoryMB: 64, Subrequests: 10}, Isolation: "request",
		Routes: []Route{{Pattern: "example.com/*"}, {"shop.example.com", true}}, Secrets: []string{"TOKEN"},
		Assets: &Assets{Directory: "public", Binding: "ASSETS", NotFoundHandling: "404-page", WorkerFirstPatterns: []string{"/api/*"}},
		Rules: []Rule{{"Text", []string{"**/*.md"}, true}, {"Data", []string{"**/*.png"}, false},
			{"Text", []string{"**/*.txt", "**/*.html", "**/*.sql"}, false}, {"CompiledWasm", []string{"**/*.wasm"}, false}},
		Define: map[string]string{"DEBUG": "false"}, Alias: map[string]string{"fs": "./fs.js"}, Minify: true, KeepNames: true, SourceMaps: true,
		Build: Build{Command: "npm run build", WatchDir: []string{"src"}}, Dev: Dev{IP: "127.0.0.1", Port: 9000},
	}
	want.Vars = got.Vars
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if string(got.Vars["GREETING"]) != `"hello"` || string(got.Vars["LIMITS"]) != `{"a":[1,2.5,null]}` {
		t.Errorf("vars %s", got.Vars)
	}
}

func TestTOMLIsTheSame(t *testing.T) {
	c, warnings := read(t, "wrangler.toml", `
name = "shop" # a comment
main = 'src/index.ts'
compatibility_date = 2026-11-01
kv_namespaces = [
  { binding = "CACHE", id = "a]b" },
  { binding = "OTHER", id = """x
]""" }
]
[vars]
GREETING = "hello"
[[r2_buckets]]
binding = "FILES"
[env.live.vars]
GREETING = "live"
`, "")
	if len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
	if c.Name != "shop" || c.Main != "src/index.ts" || c.CompatibilityDate != "2026-11-01" || len(c.KV) != 2 || c.KV[1].ID != "x\n]" || len(c.R2) != 1 || string(c.Vars["GREETING"]) != `"hello"` {
		t.Errorf("got %+v", c)
	}
}

func TestEnvironments(t *testing.T) {
	c, warnings := read(t, "wrangler.jsonc", whole, "live")
	if c.Name != "shop-live" || c.Limits.CPUMS != 100 || c.Limits.MemoryMB != 0 || c.Main != "src/index.ts" || len(c.Crons) != 1 || !c.Minify || c.Alias["fs"] == "" {
		t.Errorf("what is inherited: %+v", c)
	}
	if string(c.Vars["GREETING"]) != `"good day"` || c.Vars["LIMITS"] != nil || c.R2 != nil || c.KV != nil || c.Services != nil || c.Loaders != nil || c.TailConsumers != nil || c.Define != nil || c.Secrets != nil {
		t.Errorf("what is not inherited: %+v", c)
	}
	for _, name := range []string{"r2_buckets", "kv_namespaces", "services", "worker_loaders", "tail_consumers", "define", "secrets"} {
		if !strings.Contains(strings.Join(warnings, "\n"), ": "+name+": environments don't inherit it") {
			t.Errorf("no warning for %s in %q", name, warnings)
		}
	}
	c, warnings = read(t, "wrangler.jsonc", whole, "named")
	if c.Name != "other" || strings.Contains(strings.Join(warnings, "\n"), "kv_namespaces") {
		t.Errorf("name %q, warnings %q", c.Name, warnings)
	}
	if _, _, err := Read("wrangler.jsonc", []byte(whole), "lvie"); err == nil || err.Error() != `wrangler.jsonc: there is no environment "lvie"; there are live, named` {
		t.Errorf("got %v", err)
	}
}

func TestMistakesAreNamedWithTheirLine(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"w.jsonc", "{\n\"main\": 5}", `w.jsonc:2: main: expected a string, but it is a number`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"r2_buckets\": [\n{\"binding\": \"A\"},\n{\"bucket_name\": \"other\"}]}", `w.jsonc:4: r2_buckets[1]: it needs binding`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"r2_buckets\": [{\"binding\": \"A\",\n\"bucket_name\": \"b\"}]}", `w.jsonc:3: r2_buckets[0].bucket_name: "b" is no name of a bucket: expected 3 to 63 of a-z, 0-9 and - inside`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"vars\": {\"A\": 1},\n\"kv_namespaces\": [{\"binding\": \"A\"}]}", `w.jsonc:3: kv_namespaces[0].binding: A is the name of another binding already: vars.A`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\n\"triggers\": {\"crons\": [\"* * *\"]}}", `w.jsonc:3: triggers.crons[0]: "* * *" has 3 parts: expected 5, as */5 * * * * (minute, hour, day, month, day of the week)`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"compatibility_date\": \"soon\"}", `w.jsonc:2: compatibility_date: "soon" is no date: expected one like 2026-11-01`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"limits\": {\"cpu_ms\": 1.5}}", `w.jsonc:2: limits.cpu_ms: expected a whole number from 1 up, but it is 1.5`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"name\": \"My Worker\"}", `w.jsonc:2: name: "My Worker" is no name of a worker: expected 1 to 63 of a-z, 0-9 and - inside, not beginning with a-`},
		{"w.jsonc", "{\"main\": \"a.js\",\n\"main\": \"b.js\"}", `w.jsonc:2: main: it is given twice`},
		{"w.jsonc", "{\n\n\"main\": x}", `w.jsonc:3: invalid literal: x`},
		{"w.jsonc", "{}", `w.jsonc: main: expected the file of the entry point, as src/index.ts, or assets`},
		{"w.jsonc", "[]", `w.jsonc:1: expected a table, but it is a list`},
		{"w.jsonc", "{\"main\": \"a\", \"env\":\n3}", `w.jsonc:2: env: expected a table, but it is a number`},
		{"w.jsonc", "{\"main\": \"a\", \"rules\": [\n{\"type\": \"Txt\", \"globs\": [\"a\"]}]}", `w.jsonc:2: rules[0].type: expected ESModule or CommonJS or CompiledWasm or Text or Data or PythonModule, but it is "Txt"`},
		{"w.jsonc", "{\"main\": \"a\", \"assets\": {\n\"directory\": \"d\", \"run_worker_first\": 1}}", `w.jsonc:2: assets.run_worker_first: expected true, false or a list of patterns, but it is a number`},
		{"w.toml", "main = \"a\"\n[[services]]\nbinding = \"A\"\nservice = \"s\"\n[[services]]\nbinding = \"B\"\nservice = 4", `w.toml:7: services[1].service: expected a string, but it is a number`},
		{"w.toml", "main = \"a\"\nservices = [\n  {binding = \"A\", service = \"s\"},\n  {binding = \"B\"}\n]", `w.toml:4: services[1]: it needs service`},
		{"w.toml", "main = \"a\"\nname =", `w.toml:2: unexpected EOF; expected value`},
	} {
		_, _, err := Read(c.file, []byte(c.text), "")
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", c.text, err)
			continue
		}
		if len(e.Problems) != 1 || e.Error() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.text, e, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ text, env, want string }{
		{"{\"main\": \"a\",\n\"kv_namespace\": []}", "", "w.jsonc:2: kv_namespace: there is no such key: is kv_namespaces meant?"},
		{"{\"main\": \"a\",\n\"frobnicate\": []}", "", "w.jsonc:2: frobnicate: there is no such key, it has no effect"},
		{"{\"main\": \"a\",\n\"durable_objects\": {}}", "", "w.jsonc:2: durable_objects: it is not supported yet: env will not have it"},
		{"{\"main\": \"a\",\n\"limits\": {\"cpu\": 4}}", "", "w.jsonc:2: limits.cpu: there is no such key, it has no effect"},
		{"{\"main\": \"a\",\n\"name\": \"my_worker\"}", "", "w.jsonc:2: name: the worker is called my-worker here: its name is a part of host names"},
		{"{\"main\": \"a\",\n\"site\": {}}", "", "w.jsonc:2: site: it is not supported: use assets"},
		{"{\"main\": \"a\",\n\"env\": {\"e\": {\n\"alias\": {}}}}", "e", "w.jsonc:3: env.e.alias: it counts at the top level of the file only"},
		{"{\"main\": \"a\",\n\"rules\": [{\"type\": \"Text\", \"globs\": [\"a\"]},\n{\"type\": \"Text\", \"globs\": [\"b\"]}]}", "", `w.jsonc:3: rules[1]: an earlier rule of type Text comes before it: give that "fallthrough": true`},
		{"{\"main\": \"a\",\n\"routes\": [\"a.example.com/*\", {\"pattern\": \"b.example.com\", \"custom_domain\": true},\n\"c.example.com/api/*\"]}", "", `w.jsonc:3: routes[2]: "c.example.com/api/*" has no effect: expected all of a host, as shop.example.com/*, or a custom_domain`},
		{"{\"main\": \"a\",\n\"route\": \"*.example.com/*\"}", "", `w.jsonc:2: route: "*.example.com/*" has no effect: expected all of a host, as shop.example.com/*, or a custom_domain`},
		{"{\"main\": \"a\",\n\"r2_buckets\": [{\"binding\": \"B\", \"remote\": true}]}", "", "w.jsonc:2: r2_buckets[0].remote: there is no remote mode: the binding is the server's own"},
	} {
		_, warnings, err := Read("w.jsonc", []byte(c.text), c.env)
		if err != nil {
			t.Error(err)
		}
		if got := texts(warnings); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s:\n got %q\nwant %s", c.text, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(deep); !errors.Is(err, ErrNoConfig) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(dir, "wrangler.toml")
	if err := os.WriteFile(path, []byte("main = 'x.js'"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Find(deep)
	if err != nil || got != path {
		t.Errorf("got %s, %v", got, err)
	}
	c, _, err := Load(got, "")
	if err != nil || c.Dir != dir || c.File != path {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestVariables(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".env", "A=env\nB=env")
	write(".env.live", "B=live")
	vars, files, err := Variables(dir, "live")
	if err != nil || vars["A"] != "env" || vars["B"] != "live" || len(files) != 2 {
		t.Errorf("got %v from %v, %v", vars, files, err)
	}
	write(".dev.vars", "# comment\n\nexport PLAIN = a b # c\nHASH=a#b\nSINGLE='a\\nb'\nDOUBLE=\"a\\nb \\\"q\\\"\" # c\nLINES=\"one\ntwo\"\nEMPTY=\nLAST=`x`")
	vars, _, err = Variables(dir, "live")
	want := map[string]string{"PLAIN": "a b", "HASH": "a#b", "SINGLE": `a\nb`, "DOUBLE": "a\nb \"q\"", "LINES": "one\ntwo", "EMPTY": "", "LAST": "x"}
	if diff := cmp.Diff(want, vars); diff != "" || err != nil {
		t.Error(diff, err)
	}
	write(".dev.vars.live", "ONLY=1\n\nno variable")
	if _, _, err = Variables(dir, "live"); err == nil || err.Error() != ".dev.vars.live:3: expected NAME=value" {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(true, []byte(whole), "live")
	f.Add(false, []byte("main = 'a'\n[[a.b]]\nc = [{d = 1}, [2]]\n[a.b.e]\n\"x.y\" = '''\n'''"), "")
	f.Add(false, []byte("a = \"\"\"\\\"\"\"\"\"\nb.c.\"d\" = 1e9"), "")
	f.Fuzz(func(t *testing.T, jsonc bool, text []byte, env string) {
		name := "w.toml"
		if jsonc {
			name = "w.jsonc"
		}
		lines := 1 + strings.Count(string(text), "\n")
		c, warnings, err := Read(name, text, env)
		var e *Error
		if err != nil && !errors.As(err, &e) || (err == nil) != (c != nil) {
			t.Fatalf("got %v, %v", c, err)
		}
		if e != nil {
			warnings = append(warnings, e.Problems...)
		}
		for _, p := range warnings {
			if p.Line < 0 || p.Line > lines+1 || p.String() == "" {
				t.Errorf("%+v of %d lines", p, lines)
			}
		}
	})
}

// FuzzLines checks that each key of a TOML document is found where it is.
func FuzzLines(f *testing.F) {
	f.Add("a = 1\n[b.c]\nd = [\n{ e = 2 },\n]\n[[f]]\ng = 1\n[[f]]\n[f.h]\n'i j' = '''x\n'''\nk = 3")
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := parse("w.toml", []byte(text))
		if err != nil {
			return
		}
		rows := strings.Split(text, "\n")
		var walk func(v *value)
		walk = func(v *value) {
			switch d := v.data.(type) {
			case []*value:
				for _, item := range d {
					walk(item)
				}
			case *object:
				for _, m := range d.members {
					if m.line < 1 || m.line > len(rows) {
						t.Fatalf("%q at line %d of %d", m.name, m.line, len(rows))
					}
					if variableName(m.name) && !strings.Contains(rows[m.line-1], m.name) && !strings.ContainsAny(text, `\`) {
						t.Errorf("%q is not in line %d of\n%s", m.name, m.line, text)
					}
					walk(m.value)
				}
			}
		}
		walk(tree)
	})
}

func FuzzVariables(f *testing.F) {
	f.Add("A=1\nB=\"x\ny\"")
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := parseVariables("x", text)
		for name := range vars {
			if !variableName(name) {
				t.Errorf("name %q, %v", name, err)
			}
		}
	})
}
