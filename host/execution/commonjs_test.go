package execution_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/host/execution"
)

// files makes a request's files of names and contents.
func files(pairs ...string) []execution.File {
	var list []execution.File
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, execution.File{Path: pairs[i], Content: []byte(pairs[i+1])})
	}
	return list
}

func TestCommonJS(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct {
		name  string
		code  string
		files []execution.File
		value string
	}{
		{"module.exports by import", "import x, {a} from './x.js'\nexport default [a, x.a, typeof x.f]", files("x.js", "module.exports = {a: 1, f() {}}"), `[1,1,"function"]`},
		{"exports.name by import", "import * as x from './x.cjs'\nexport default Object.keys(x)", files("x.cjs", "exports.b = 2; exports.a = 1"), `["a","b","default","module.exports"]`},
		{"require in a script", "const {a} = require('./x'); const fs = require('fs'); a + typeof fs.readFileSync", files("x.js", "exports.a = 'a'"), `"afunction"`},
		{"the module's own names", "require('./lib/x.js')", files("lib/x.js", "module.exports = [__filename, __dirname, this === exports, module.loaded, require.resolve('./x.js')]"),
			`["/workspace/lib/x.js","/workspace/lib",true,false,"/workspace/lib/x.js"]`},
		{"cycles", "require('./a.js').done", files("a.js", "exports.early = 1; const b = require('./b.js'); exports.done = [b.seen, require('./b.js') === b]", "b.js", "exports.seen = require('./a.js').early"), `[1,true]`},
		{"once", "require('./n.js'); require('./n'); (await import('./n.js')).default + globalThis.n", files("n.js", "globalThis.n = (globalThis.n ?? 0) + 1; module.exports = 10"), `11`},
		{"json", "require('./d').x[0]", files("d.json", `{"x":[7]}`), `7`},
		{"an index and a main", "[require('./lib'), require('./pkg')]", files("lib/index.js", "module.exports = 'i'", "pkg/package.json", `{"main":"./m"}`, "pkg/m.js", "module.exports = 'm'"), `["i","m"]`},
		{"an ES module", "const x = require('./x.mjs'); [x.default, x.a]", files("x.mjs", "export default 1; export const a = 2"), `[1,2]`},
		{"an ES module that chooses its exports", "require('./x.mjs')()", files("x.mjs", "const f = () => 'f'; export { f as 'module.exports' }"), `"f"`},
		{"import within CommonJS", "await require('./x.js')()", files("x.js", "module.exports = async () => (await import('./y.mjs')).y", "y.mjs", "export const y = 'y'"), `"y"`},
		{"a file that only mentions it", "import {x} from './x.js'\nexport default x", files("x.js", "// module.exports and require('x')\nexport const x = 5"), `5`},
		{"sloppy mode", "require('./x.js')", files("x.js", "undeclared = 3; module.exports = (function () { return typeof this })()"), `"object"`},
		{"a hash bang", "require('./x.js')", files("x.js", "#!/usr/bin/env node\nmodule.exports = 1"), `1`},
		{"bare names of builtins", "import fs from 'fs'\nimport {join} from 'path'\nexport default [typeof fs.statSync, join('a', 'b')]", nil, `["function","a/b"]`},
		{"createRequire", "import {createRequire} from 'node:module'\nexport default createRequire(import.meta.url)('./x.js') + createRequire('/workspace/lib/')('./y')",
			files("x.js", "module.exports = 'x'", "lib/y.js", "module.exports = 'y'"), `"xy"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := execute(t, s, execution.Request{Code: c.code, Files: c.files}); r.Outcome != execution.OK || string(r.Value) != c.value {
				t.Errorf("got %s\nwant %s", show(r), c.value)
			}
		})
	}
	for _, c := range []struct{ name, code, want, stack string }{
		{"missing file", "require('./none')", "Cannot find module './none'\nRequire stack:\n- main.js", ""},
		{"missing package", "try { require('nope') } catch (e) { throw new Error(e.code) }", "MODULE_NOT_FOUND", ""},
		{"missing builtin", "require('node:nope')", "No such built-in module: node:nope", ""},
		{"thrown inside", "require('./bad.js')", "inside", "bad.js:2:"},
		{"thrown inside, imported", "import './bad.js'", "inside", "bad.js:2:"},
		{"mistake", "require('./mistake.js')", "", "mistake.js:1"},
		{"awaits", "require('./await.mjs')", "awaits at its top level", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := execute(t, s, execution.Request{Code: c.code, Files: files("bad.js", "const x = require('path')\nmodule.exports = (() => { throw new Error('inside') })()", "mistake.js", "module.exports = ;", "await.mjs", "await new Promise(r => setTimeout(r)); export {}")})
			if r.Error == nil || !strings.Contains(r.Error.Message, c.want) || !strings.Contains(r.Error.Stack, c.stack) || strings.Contains(r.Error.Stack, "mayfly:") {
				t.Errorf("got %s\nwant %s", show(r), c.want)
			}
		})
	}
}

// Packages among the request's files are found as Node.js finds them.
func TestNodeModules(t *testing.T) {
	s := newService(t, nil)
	all := files(
		"node_modules/plain/index.js", "module.exports = 'plain'",
		"node_modules/main/package.json", `{"main": "lib/m"}`, "node_modules/main/lib/m.js", "exports.who = 'main'", "node_modules/main/extra.js", "module.exports = 'extra'",
		"node_modules/esm/package.json", `{"type": "module", "main": "m.js"}`, "node_modules/esm/m.js", "export const who = 'esm'; export default typeof require",
		"node_modules/both/package.json", `{"exports": {".": {"import": "./i.mjs", "require": "./r.cjs"}, "./sub/*": "./s/*.js", "./sub/secret": null, "./package.json": "./package.json"}}`,
		"node_modules/both/i.mjs", "export default 'import'", "node_modules/both/r.cjs", "module.exports = 'require'", "node_modules/both/s/a.js", "module.exports = 'sub a'",
		"node_modules/order/package.json", `{"exports": {"node": "./n.js", "worker": "./w.js", "default": "./d.js"}}`, "node_modules/order/w.js", "module.exports = 'worker'",
		"node_modules/@scope/p/package.json", `{"module": "./es.js", "main": "./cjs.js"}`, "node_modules/@scope/p/es.js", "export default 'es'", "node_modules/@scope/p/cjs.js", "module.exports = 'cjs'",
		"node_modules/outer/index.js", "module.exports = require('dep')", "node_modules/outer/node_modules/dep/index.js", "module.exports = 'inner dep'", "node_modules/dep/index.js", "module.exports = 'outer dep'",
		"node_modules/self/package.json", `{"name": "self", "exports": {"./a": "./a.mjs", "./b": "./b.mjs"}, "imports": {"#x": "./x.mjs", "#dep": "plain"}}`,
		"node_modules/self/a.mjs", "import b from 'self/b'; import x from '#x'; import p from '#dep'; export default [b, x, p]", "node_modules/self/b.mjs", "export default 'b'", "node_modules/self/x.mjs", "export default 'x'",
		"node_modules/beside/a.js", "export default 'js'", "node_modules/beside/a.ts", "export default 'ts'", "node_modules/beside/index.js", "export {default} from './a'",
		"lib/deep/x.js", "export {default} from 'plain'",
	)
	for _, c := range []struct{ code, value string }{
		{"import p from 'plain'\nexport default p", `"plain"`},
		{"import {who} from 'main'\nimport x from 'main/extra'\nimport y from 'main/extra.js'\nexport default [who, x, y]", `["main","extra","extra"]`},
		{"import r, {who} from 'esm'\nexport default [who, r]", `["esm","function"]`},
		{"import b from 'both'\nimport a from 'both/sub/a'\nexport default [b, a]", `["import","sub a"]`},
		{"[require('both'), require('both/sub/a'), typeof require('both/package.json').exports]", `["require","sub a","object"]`},
		{"require('order')", `"worker"`},
		{"import p from '@scope/p'\nexport default p", `"es"`},
		{"require('@scope/p')", `"cjs"`},
		{"[require('outer'), require('dep')]", `["inner dep","outer dep"]`},
		{"import a from 'self/a'\nexport default a", `["b","x","plain"]`},
		{"import a from 'beside'\nexport default a", `"js"`},
		{"import p from './lib/deep/x.js'\nexport default p", `"plain"`},
		{"try { require('both/none') } catch (e) { [e.code, e.message.includes('is not defined by \"exports\"')] }", `["ERR_PACKAGE_PATH_NOT_EXPORTED",true]`},
		{"try { require('both/sub/secret') } catch (e) { e.code }", `"ERR_PACKAGE_PATH_NOT_EXPORTED"`},
		{"try { require('nowhere') } catch (e) { e.code }", `"MODULE_NOT_FOUND"`},
	} {
		if r := execute(t, s, execution.Request{Code: c.code, Files: all}); r.Outcome != execution.OK || string(r.Value) != c.value {
			t.Errorf("%s\ngot %s\nwant %s", c.code, show(r), c.value)
		}
	}
}

// Packages work unbundled, too, from a node_modules as npm makes it.
func TestNPMUnbundled(t *testing.T) {
	modules, err := npmModules()
	if err != nil {
		t.Fatal(err)
	}
	h := newNPMHarness(t)
	check, err := os.ReadFile(filepath.Join(npmFolder, "check.js"))
	if err != nil {
		t.Fatal(err)
	}
	unbundled := map[string]string{"lodash": "", "semver": "", "yaml": "", "markdown-it": "", "immer": "", "ajv": "", "qs": "", "rxjs": "", "handlebars": "", "cheerio": ""}
	for _, c := range npmCases(t) {
		if _, chosen := unbundled[c.name]; !chosen {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			mounted := files("check.js", string(check), "cases/"+c.name+".js", c.source+npmEpilogue)
			mountPackage(t, modules, c.name, &mounted, map[string]bool{})
			h.check(t, c, execution.Request{Entrypoint: "cases/" + c.name + ".js", Files: mounted})
		})
		delete(unbundled, c.name)
	}
	for name := range unbundled {
		t.Errorf("there is no case %s", name)
	}
}

// mountPackage adds a package's own sources, below node_modules, and those of
// its dependencies.
func mountPackage(t *testing.T, modules, name string, list *[]execution.File, done map[string]bool) {
	t.Helper()
	if done[name] {
		return
	}
	done[name] = true
	root := filepath.Join(modules, filepath.FromSlash(name))
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".js", ".mjs", ".cjs", ".json":
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(modules, path)
			*list = append(*list, execution.File{Path: "node_modules/" + filepath.ToSlash(relative), Content: content})
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	for dependency := range p.Dependencies {
		if _, err := os.Stat(filepath.Join(root, "node_modules", dependency)); err != nil {
			mountPackage(t, modules, dependency, list, done)
		}
	}
}
