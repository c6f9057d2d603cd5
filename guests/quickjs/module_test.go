package quickjs

import (
	"strings"
	"testing"
)

func TestModules(t *testing.T) {
	files := map[string]string{
		"a.js":       "import b from './b.js'; export const a = b + 1; export default a",
		"b.js":       "export default 40",
		"c.js":       "globalThis.count = (globalThis.count ?? 0) + 1; export const count = globalThis.count",
		"cycle1.js":  "import { two } from './cycle2.js'; export const one = () => two() + 1",
		"cycle2.js":  "import { one } from './cycle1.js'; export const two = () => typeof one === 'function' ? 10 : 0",
		"tla.js":     "export const v = await Promise.resolve('late')",
		"data.json":  `{"n": [1, 2]}`,
		"note.txt":   "h\u00e9llo",
		"raw.bin":    "\x00\x01",
		"raw.data":   "\x02\x03",
		"throws.js":  "throw new RangeError('at load')",
		"syntax.js":  "export default = 1",
		"meta.js":    "export default [import.meta.main, import.meta.url, import.meta.filename, import.meta.dirname]",
		"dir/x y.js": "export default import.meta",
		"bad.json":   "{",
	}
	for _, test := range []struct{ name, source, typ, value string }{
		{"static", "import { a } from './a.js'; export default a + 1", "number", "42"},
		{"default and star", "import a, * as all from './a.js'; export default [a, Object.keys(all)]", "array", `[41,["a","default"]]`},
		{"once", "import './c.js'; import { count } from './c.js'; export default count", "number", "1"},
		{"cycle", "import { one } from './cycle1.js'; export default one()", "number", "11"},
		{"top-level await", "import { v } from './tla.js'; export default v", "string", `"late"`},
		{"json", "import d from './data.json' with { type: 'json' }; export default d.n", "array", "[1,2]"},
		{"text", "import s from './note.txt' with { type: 'text' }; export default s", "string", "\"h\u00e9llo\""},
		{"bytes", "import b from './raw.bin' with { type: 'bytes' }; export default [b.constructor.name, ...b]", "array", `["Uint8Array",0,1]`},
		{"buffer", "import b from './raw.data'; export default [b.constructor.name, ...new Uint8Array(b)]", "array", `["ArrayBuffer",2,3]`},
		{"one file as two types", "import t from './data.json' with { type: 'text' }; import j from './data.json' with { type: 'json' }; export default [t.length, j.n.length]", "array", "[13,2]"},
		{"dynamic", "export default (await import('./a.js')).a", "number", "41"},
		{"dynamic from a script", "const { a } = await import('./a.js'); a", "number", "41"},
		{"dynamic json", "(await import('./data.json', { with: { type: 'json' } })).default.n[1]", "number", "2"},
		{"dynamic failure is caught", "await import('./none.js').catch(e => e.code)", "string", `"ERR_MODULE_NOT_FOUND"`},
		{"meta", "import m from './meta.js'; export default m", "array", `[false,"file:///home/meta.js","/home/meta.js","/home"]`},
		{"meta in a folder", "import m from './dir/x y.js'; export default [m.url, m.dirname]", "array", `["file:///home/dir/x%20y.js","/home/dir"]`},
		{"builtin", "import * as path from 'node:path'; export default path.join('a', '..', 'b')", "string", `"b"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, program{source: test.source, files: files}).want(resultJSON, test.typ, test.value)
		})
	}
	for _, test := range []struct{ name, source, error, message string }{
		{"missing", "import './none.js'", "Error", "Cannot find module './none.js'"},
		{"no such export", "import { nope } from './b.js'; nope", "SyntaxError", "Could not find export 'nope' in module 'b.js'"},
		{"throws", "import './throws.js'", "RangeError", "at load"},
		{"attribute", "import d from './data.json' with { kind: 'json' }", "TypeError", `Import attribute "kind" is not supported`},
		{"attribute value", "import d from './data.json' with { type: 'css' }", "TypeError", `Import attribute "type" with value "css" is not supported`},
		{"internal", "import native from 'mayfly:native'", "TypeError", "Cannot find module 'mayfly:native'"},
		{"internal, dynamic", "await import('mayfly:native')", "TypeError", "Cannot find module 'mayfly:native'"},
		{"no such builtin", "import 'node:nothing'", "TypeError", "No such built-in module: node:nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, program{source: test.source, files: files}).wantFailure(0, test.error, test.message)
		})
	}
	for file, where := range map[string]string{"syntax.js": "syntax.js:1:", "bad.json": "bad.json:1:"} {
		attribute := ""
		if strings.HasSuffix(file, ".json") {
			attribute = " with { type: 'json' }"
		}
		l := run(t, program{source: "import x from './" + file + "'" + attribute, files: files})
		if len(l.failures) == 0 || l.failures[0].Name != "SyntaxError" || !strings.Contains(l.failures[0].Stack, where) {
			t.Errorf("%s: %+v", file, l.failures)
		}
	}
}

// A file may be called like one of our own modules; it isn't one.
func TestInternalNames(t *testing.T) {
	l := run(t, program{name: "mayfly:main", source: "import native from 'mayfly:native'; export default native"})
	l.wantFailure(0, "TypeError", "Cannot find module 'mayfly:native'")
	run(t, program{name: "mayfly:host", source: "throw new Error('x')"})
}
