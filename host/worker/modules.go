package worker

import (
	"path"
	"strings"
	"unicode/utf8"

	"mayfly/host/op"
)

// modulePath is the path in a bundle that a specifier means in a module of that
// name; false if it leads out of the bundle.
func modulePath(referrer, specifier string) (string, bool) {
	if rest, ok := strings.CutPrefix(specifier, "file:///"); ok {
		specifier = "/" + rest // import.meta.url and what is made of it
	}
	p := specifier
	if !strings.HasPrefix(p, "/") {
		p = path.Dir(referrer) + "/" + p
		if strings.HasPrefix(referrer, "/") {
			p = strings.TrimLeft(p, "/")
		}
	}
	p = path.Clean(strings.TrimLeft(p, "/"))
	return p, p != "." && p != ".." && !strings.HasPrefix(p, "../")
}

// builtinPackages are npm packages whose part the guest has, for bundles that
// leave them out.
var builtinPackages = map[string]string{"@cloudflare/worker-bundler": "node:cloudflare-worker-bundler"}

// Resolve names the module that an import or a require of a specifier in the
// module referrer means: a module of the code, by its name in Modules, or a
// builtin of the guest, which begins with node:. As in Workers, specifiers are
// paths relative to the importing module, with or without ./ before them, and
// extensions are not guessed; a bare name is looked for at the bundle's root
// too.
//
// # Errors
//
// An [*op.ErrorRecord] if there is none.
func (c *Code) Resolve(referrer, specifier string, builtin func(name string) bool) (string, error) {
	c.index()
	if strings.HasPrefix(specifier, "node:") {
		if builtin(specifier) {
			return specifier, nil
		}
		return "", missingModule(specifier, referrer)
	}
	if rest, ok := strings.CutPrefix(specifier, "cloudflare:"); ok {
		if name := "node:cloudflare-" + rest; builtin(name) {
			return name, nil
		}
		return "", missingModule(specifier, referrer)
	}
	target, inside := modulePath(referrer, specifier)
	if inside {
		if name, ok := c.named(target); ok {
			return name, nil
		}
	}
	if !strings.HasPrefix(specifier, "./") && !strings.HasPrefix(specifier, "../") {
		if name, ok := c.named(specifier); ok {
			return name, nil
		}
		if name := "node:" + specifier; !strings.HasPrefix(name, "node:cloudflare-") && builtin(name) {
			return name, nil
		}
		if name := builtinPackages[specifier]; name != "" && builtin(name) {
			return name, nil
		}
	}
	if !inside {
		target = specifier
	}
	return "", missingModule(target, referrer)
}

func missingModule(target, referrer string) error {
	return &op.ErrorRecord{Name: "Error", Code: "ERR_MODULE_NOT_FOUND", Message: "No such module \"" + target + "\".\n  imported from \"" + referrer + "\""}
}

// named finds a module by its name, or by a path that is the same.
func (c *Code) named(p string) (string, bool) {
	if _, ok := c.Modules[p]; ok {
		return p, true
	}
	name, ok := c.byPath[p]
	return name, ok
}

// Kinds of modules as the operation load answers them.
const (
	loadSource   = 'm'
	loadCommonJS = 'c'
	loadJSON     = 'j'
	loadText     = 't'
	loadBytes    = 'd' // a Uint8Array
	loadBuffer   = 'b' // an ArrayBuffer
	loadWasm     = 'w'
)

// Load is the module of a name that Resolve answered, as the operation load
// answers it. attribute is the type of the import's attributes, or empty.
//
// # Errors
//
// An [*op.ErrorRecord].
func (c *Code) Load(name, attribute string) (kind byte, content []byte, err error) {
	m, ok := c.Modules[name]
	if !ok {
		return 0, nil, plainError("No such module %q.", name)
	}
	content = m.Content
	switch attribute {
	case "":
	case "json":
		if m.Kind != JSON && m.Kind != Text {
			return 0, nil, typeError("Module %q is not of type \"json\".", name)
		}
		return loadJSON, content, nil
	case "text":
		return loadText, validText(content), nil
	case "bytes":
		return loadBytes, content, nil
	default:
		return 0, nil, typeError("Unsupported import attribute type: %.100q", attribute)
	}
	switch m.Kind {
	case JS, CommonJS:
		if !utf8.Valid(content) {
			return 0, nil, typeError("Module %q is not UTF-8.", name)
		}
		if m.Kind == CommonJS {
			return loadCommonJS, content, nil
		}
		return loadSource, content, nil
	case JSON:
		return loadJSON, content, nil
	case Data:
		return loadBuffer, content, nil
	case Wasm:
		return loadWasm, content, nil
	case Python:
		return 0, nil, typeError("Module %q is a Python module: JavaScript can't import it.", name)
	}
	return loadText, validText(content), nil
}

func validText(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(strings.ToValidUTF8(string(b), "\uFFFD"))
}
