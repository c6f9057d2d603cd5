package execution

import (
	"path"
	"slices"
	"strings"

	"mayfly/host/bundle"
	"mayfly/host/op"
)

// A Dialect is how a language's programs are named and made ready for its
// guest: what executions do differently by language is here.
type Dialect struct {
	// inline names an inline program in one of the language's names.
	inline func(language string) string
	// extensions are those of programs among files.
	extensions []string
	// ready makes a source one that the guest runs. An error is a mistake in
	// the source.
	ready func(m *modules, name, source string) (string, op.RunKind, error)
	// env is what the environment of programs has, unless the request gives
	// it. Its values may use the working directory.
	env func(cwd string) []op.Pair
	// directs says that the guest goes to the file system itself, by WASI.
	directs bool
	// packages says that requests may ask for packages.
	packages bool
}

// JavaScript is JavaScript and TypeScript: sources are transformed where they
// are not JavaScript.
var JavaScript = &Dialect{
	inline: func(language string) string {
		if language == "typescript" {
			return "main.ts"
		}
		return "main.js"
	},
	extensions: []string{".js", ".mjs", ".jsx", ".ts", ".mts", ".tsx"},
	ready: func(m *modules, name, source string) (string, op.RunKind, error) {
		syntax, _ := bundle.SyntaxOf(name)
		m.inline, m.source, m.syntax = name, source, syntax
		kind := op.RunDetect
		if e := path.Ext(name); e == ".mjs" || e == ".mts" {
			kind = op.RunModule
		}
		code, err := m.code(name, source, syntax)
		return code, kind, err
	},
	env: func(string) []op.Pair { return nil },
}

// Python is Python: the guest takes sources as they are.
var Python = &Dialect{
	inline:     func(string) string { return "main.py" },
	extensions: []string{".py"},
	ready: func(_ *modules, _, source string) (string, op.RunKind, error) {
		return source, op.RunDetect, nil
	},
	env:     func(cwd string) []op.Pair { return []op.Pair{{Name: "HOME", Value: cwd}} },
	directs: true, packages: true,
}

// runs says whether a file's name is one of a program.
func (d *Dialect) runs(name string) bool { return slices.Contains(d.extensions, path.Ext(name)) }

// names lists the extensions for an error: ".js, .mjs or .ts".
func (d *Dialect) names() string {
	last := len(d.extensions) - 1
	if last == 0 {
		return d.extensions[0]
	}
	return strings.Join(d.extensions[:last], ", ") + " or " + d.extensions[last]
}

// environment is a request's, sorted by name, with what the dialect adds.
func (d *Dialect) environment(given map[string]string, cwd string) []op.Pair {
	var env []op.Pair
	for name, value := range given {
		env = append(env, op.Pair{Name: name, Value: value})
	}
	for _, p := range d.env(cwd) {
		if _, ok := given[p.Name]; !ok {
			env = append(env, p)
		}
	}
	slices.SortFunc(env, func(a, b op.Pair) int { return strings.Compare(a.Name, b.Name) })
	return env
}
