package execution

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"mayfly/host/bundle"
)

// modules resolves and loads the modules of one execution: its inline program
// and the files of its file system. Names are paths, relative where they lie
// in the working directory, so that stacks read as the user's own.
type modules struct {
	cwd         string
	inline      string // name of the inline program; empty if there is none
	source      string
	syntax      bundle.Syntax
	read        func(path string) ([]byte, error) // of the file system
	exists      func(path string) bool            // as a file
	builtin     func(specifier string) bool
	transformer *bundle.Transformer
	tsconfig    *string                // read at first use
	whole       bool                   // the inline program is a cell: later ones use what it doesn't
	maps        map[string]*bundle.Map // by name, of the files that were transformed

	nodePackages map[string]*nodePackage // by folder; nil: none
}

// errModule is a module that can't be had; its message is for the user.
type errModule struct{ message, code string }

func (e *errModule) Error() string { return e.message }

// extensions are tried for an import that names no file, in this order.
var extensions = []string{".ts", ".tsx", ".mts", ".js", ".mjs", ".jsx", ".json",
	"/index.ts", "/index.tsx", "/index.js", "/index.mjs", "/index.jsx"}

// resolve names the module that an import of specifier in referrer means.
func (m *modules) resolve(referrer, specifier string) (string, error) {
	return m.resolveFor(referrer, specifier, false)
}

// resolveFor does the same for an import, or for a require of CommonJS.
func (m *modules) resolveFor(referrer, specifier string, require bool) (string, error) {
	target := specifier
	switch {
	case strings.HasPrefix(specifier, "node:"):
		return specifier, nil
	case specifier == "cloudflare:workers" && m.builtin != nil:
		return "node:cloudflare-workers", nil
	case m.builtin != nil && m.builtin("node:"+specifier):
		return "node:" + specifier, nil
	case strings.HasPrefix(specifier, "file:///"):
		target = strings.TrimPrefix(specifier, "file://")
	case strings.HasPrefix(specifier, "/"):
	case specifier == "." || specifier == "..", strings.HasPrefix(specifier, "./"), strings.HasPrefix(specifier, "../"):
		target = path.Join(path.Dir(m.absolute(referrer)), specifier)
	case strings.Contains(specifier, "://"):
		return "", &errModule{fmt.Sprintf("Cannot import '%s' from %s: modules are not loaded over the network; put the file into the request's files", specifier, referrer), "ERR_UNSUPPORTED_ESM_URL_SCHEME"}
	default:
		if file, found, err := m.resolvePackage(referrer, specifier, require); found || err != nil {
			return file, err
		}
		return "", &errModule{fmt.Sprintf("Cannot find package '%s' imported from %s: packages are not installed here; bundle them, or put node_modules into the request's files", specifier, referrer), "ERR_MODULE_NOT_FOUND"}
	}
	target = path.Clean(target)
	if m.inline != "" && m.relative(target) == m.inline {
		return m.inline, nil
	}
	if m.exists(target) {
		return m.relative(target), nil
	}
	// TypeScript's way: './a.js' means './a.ts' where only that exists.
	if base, ok := strings.CutSuffix(target, ".js"); ok {
		for _, ext := range []string{".ts", ".tsx"} {
			if m.exists(base + ext) {
				return m.relative(base + ext), nil
			}
		}
	}
	packaged := strings.Contains(target, "/node_modules/")
	if packaged { // sources may lie beside what was made of them
		if file, ok := m.withExtension(target); ok {
			return m.relative(file), nil
		}
	}
	for _, ext := range extensions {
		if packaged && ext[0] == '/' {
			break
		}
		if m.exists(target + ext) {
			return m.relative(target + ext), nil
		}
	}
	if file, found, err := m.packageFile(target, require); found || err != nil {
		return file, err
	}
	return "", &errModule{fmt.Sprintf("Cannot find module '%s' imported from %s", specifier, referrer), "ERR_MODULE_NOT_FOUND"}
}

func (m *modules) absolute(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(m.cwd, name)
}

func (m *modules) relative(p string) string {
	if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(m.cwd, "/")+"/"); ok {
		return rest
	}
	return p
}

// Kinds of modules, as the load operation answers them.
const (
	kindSource   = 'm'
	kindCommonJS = 'c'
	kindEither   = 'a' // source or CommonJS: the one that it compiles as
	kindJSON     = 'j'
	kindText     = 't'
	kindData     = 'd'
)

// load is a module's kind and source. attribute is the import's type
// attribute, or empty.
func (m *modules) load(name, attribute string) (kind byte, source []byte, err error) {
	if m.inline != "" && name == m.inline {
		js, err := m.code(name, m.source, m.syntax)
		return kindSource, []byte(js), err
	}
	b, err := m.read(m.absolute(name))
	if err != nil {
		return 0, nil, &errModule{fmt.Sprintf("Cannot load module '%s': %v", name, err), "ERR_MODULE_NOT_FOUND"}
	}
	switch attribute {
	case "json":
		return kindJSON, b, nil
	case "text":
		return kindText, []byte(strings.ToValidUTF8(string(b), "\uFFFD")), nil
	case "bytes":
		return kindData, b, nil
	case "":
	default:
		return 0, nil, &errModule{fmt.Sprintf("Cannot import '%s' with the type '%s': there are json, text and bytes", name, attribute), "ERR_IMPORT_ATTRIBUTE_UNSUPPORTED"}
	}
	if syntax, ok := bundle.SyntaxOf(name); ok {
		if !utf8.Valid(b) {
			return 0, nil, &errModule{fmt.Sprintf("Cannot load module '%s': its source is not UTF-8", name), "ERR_MODULE_NOT_FOUND"}
		}
		js, err := m.code(name, string(b), syntax)
		kind = kindSource
		if syntax == bundle.JavaScript {
			kind = m.scriptKind(name, js)
		}
		return kind, []byte(js), err
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		return kindJSON, b, nil
	case ".txt", ".md", ".html", ".css", ".csv", ".sql", ".svg", ".xml", ".yaml", ".yml", ".toml":
		return kindText, []byte(strings.ToValidUTF8(string(b), "\uFFFD")), nil
	case ".bin", ".wasm":
		return kindData, b, nil
	}
	return 0, nil, &errModule{fmt.Sprintf("Cannot import '%s': its name tells no type; add one, as in import x from '%s' with {type: 'text'}", name, name), "ERR_UNKNOWN_FILE_EXTENSION"}
}

// keepImports has imports kept that the file itself has no use for.
const keepImports = `{"compilerOptions": {"verbatimModuleSyntax": true}}`

// code makes a source ready, remembering where it comes from.
func (m *modules) code(name, source string, syntax bundle.Syntax) (string, error) {
	tsconfig := ""
	if syntax != bundle.JavaScript {
		if m.tsconfig == nil {
			b, _ := m.read(path.Join(m.cwd, "tsconfig.json"))
			s := string(b)
			m.tsconfig = &s
		}
		tsconfig = *m.tsconfig
		if m.whole && name == m.inline {
			tsconfig = keepImports
		}
	}
	code, err := m.transformer.Transform(name, source, syntax, tsconfig)
	var mistake *bundle.Error
	if errors.As(err, &mistake) && syntax == bundle.TypeScript {
		// What isn't TypeScript may be TypeScript with JSX.
		if again, err2 := m.transformer.Transform(name, source, bundle.TSX, tsconfig); err2 == nil {
			code, err = again, nil
		}
	}
	if err != nil {
		return "", err
	}
	if code.Map != nil {
		if m.maps == nil {
			m.maps = map[string]*bundle.Map{}
		}
		m.maps[name] = code.Map
	}
	return code.JavaScript, nil
}
