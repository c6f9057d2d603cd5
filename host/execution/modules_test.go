package execution

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"mayfly/host/bundle"
)

func testModules(files map[string]string) *modules {
	return &modules{
		cwd: "/workspace", inline: "main.ts", source: "1", syntax: bundle.TypeScript,
		read: func(p string) ([]byte, error) {
			if s, ok := files[p]; ok {
				return []byte(s), nil
			}
			return nil, fs.ErrNotExist
		},
		exists:      func(p string) bool { _, ok := files[p]; return ok },
		builtin:     func(s string) bool { return s == "node:fs" },
		transformer: bundle.NewTransformer(1 << 20),
	}
}

func TestResolve(t *testing.T) {
	m := testModules(map[string]string{
		"/workspace/a.ts": "", "/workspace/lib/b.js": "", "/workspace/lib/index.ts": "", "/data/c.json": "", "/workspace/d.js": "", "/workspace/d.ts": "",
	})
	for _, c := range []struct{ referrer, specifier, want string }{
		{"main.ts", "./a.ts", "a.ts"},
		{"main.ts", "./a", "a.ts"},
		{"main.ts", "./a.js", "a.ts"}, // TypeScript's way
		{"main.ts", "./d.js", "d.js"}, // but not where it exists
		{"main.ts", "./d", "d.ts"},
		{"main.ts", "./lib", "lib/index.ts"},
		{"lib/b.js", "../a.ts", "a.ts"},
		{"lib/b.js", ".", "lib/index.ts"},
		{"lib/b.js", "../main.ts", "main.ts"},
		{"main.ts", "/data/c.json", "/data/c.json"},
		{"main.ts", "file:///data/c.json", "/data/c.json"},
		{"/data/x.js", "./c.json", "/data/c.json"},
		{"main.ts", "../../../data/c.json", "/data/c.json"},
		{"main.ts", "fs", "node:fs"},
		{"main.ts", "node:anything", "node:anything"}, // the guest says what there is
		{"main.ts", "lodash", "error: packages are not installed"},
		{"main.ts", "https://x.example/y.js", "error: over the network"},
		{"main.ts", "./none", "error: Cannot find module './none' imported from main.ts"},
	} {
		got, err := m.resolve(c.referrer, c.specifier)
		if want, ok := strings.CutPrefix(c.want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s from %s: got %q, %v, want an error with %q", c.specifier, c.referrer, got, err, want)
			}
		} else if got != c.want || err != nil {
			t.Errorf("%s from %s: got %q, %v, want %q", c.specifier, c.referrer, got, err, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	m := testModules(map[string]string{
		"/workspace/a.ts": "export const a: number = 1", "/workspace/t.md": "# t", "/workspace/j.json": "{}", "/workspace/x": "?",
		"/workspace/bad.ts": "let x: = 1", "/workspace/v.tsx": "/** @jsx h */ export default <b/>", "/workspace/latin.js": "'\xe9'",
		"/workspace/view.ts": "/** @jsx h */ export default <b c='1'/>",
	})
	for _, c := range []struct {
		name, attribute string
		kind            byte
		want            string
	}{
		{"a.ts", "", kindSource, "const a = 1"},
		{"main.ts", "", kindSource, "1;"},
		{"t.md", "", kindText, "# t"},
		{"j.json", "", kindJSON, "{}"},
		{"j.json", "text", kindText, "{}"},
		{"x", "bytes", kindData, "?"},
		{"v.tsx", "", kindSource, "h("},
		{"view.ts", "", kindSource, "h("},
		{"x", "", 0, "its name tells no type"},
		{"a.ts", "css", 0, "there are json, text and bytes"},
		{"none.js", "", 0, "Cannot load module 'none.js'"},
		{"latin.js", "", 0, "not UTF-8"},
		{"bad.ts", "", 0, "bad.ts:1:8"},
	} {
		kind, source, err := m.load(c.name, c.attribute)
		if c.kind == 0 {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil || kind != c.kind || !strings.Contains(string(source), c.want) {
			t.Errorf("%s: got %c %q, %v, want %c %q", c.name, kind, source, err, c.kind, c.want)
		}
	}
	var mistake *bundle.Error
	if _, _, err := m.load("bad.ts", ""); !errors.As(err, &mistake) {
		t.Errorf("got %v, want a *bundle.Error", err)
	}
}
