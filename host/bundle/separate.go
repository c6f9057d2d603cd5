package bundle

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// transform makes modules of the files that the entry point leads to, one by
// one: TypeScript becomes JavaScript, and imports name the modules.
func (c *creation) transform(entry string) (*Result, error) {
	r := &Result{MainModule: outputName(entry), Modules: map[string]CreatedModule{}}
	queue, seen := []string{entry}, map[string]bool{entry: true}
	for len(queue) > 0 {
		file := queue[0]
		queue = queue[1:]
		text, err := c.files.read(file)
		if err != nil {
			return nil, &CreateError{err.Error()}
		}
		if _, code := SyntaxOf(file); !code {
			if path.Ext(file) == ".json" && json.Valid([]byte(text)) {
				r.Modules[file] = CreatedModule{JSON: json.RawMessage(text)}
			} else {
				r.Modules[file] = CreatedModule{Text: &text}
			}
			continue
		}
		m, imports, err := c.one(file, text)
		if err != nil {
			return nil, err
		}
		r.Modules[outputName(file)] = m
		for _, name := range imports {
			if !seen[name] {
				seen[name] = true
				queue = append(queue, name)
			}
		}
	}
	if list := c.options.bundlerOnly(); len(list) > 0 {
		verb := "are"
		if len(list) == 1 {
			verb = "is"
		}
		c.warnings = append(c.warnings, fmt.Sprintf("%s %s ignored when `bundle: false` (transform-only mode). Set `bundle: true` (the default) to apply them.", strings.Join(list, ", "), verb))
	}
	return r, nil
}

// outputName is the name of a file's module.
func outputName(file string) string {
	switch extension := path.Ext(file); extension {
	case ".ts", ".tsx", ".jsx":
		return strings.TrimSuffix(file, extension) + ".js"
	case ".mts":
		return strings.TrimSuffix(file, extension) + ".mjs"
	}
	return file
}

var (
	esmSyntax      = regexp.MustCompile(`(?m)^\s*(import|export)\b|\bimport\.meta\b`)
	commonJSSyntax = regexp.MustCompile(`\b(module\.exports|exports\.|require\()`)
)

// isCommonJS guesses as bundlers do: by the name, the package, and the source.
func (c *creation) isCommonJS(file, text string) bool {
	switch path.Ext(file) {
	case ".cjs":
		return true
	case ".mjs", ".ts", ".tsx", ".mts", ".jsx":
		return false
	}
	if p := c.files.packageOf(file); p != nil && p.Type == "module" {
		return false
	}
	return commonJSSyntax.MatchString(text) && !esmSyntax.MatchString(text)
}

// one transforms a file, and says which others it imports.
func (c *creation) one(file, text string) (m CreatedModule, imports []string, err error) {
	common := c.isCommonJS(file, text)
	o := c.buildOptions(file)
	o.TreeShaking = api.TreeShakingFalse
	o.JSX, o.JSXImportSource, o.Loader = api.JSXTransform, "", nil
	o.Define = nil
	o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = false, false, false
	if common {
		o.Format = api.FormatCommonJS
	}
	var found []string
	o.Plugins = []api.Plugin{c.external(), {Name: "names", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint || strings.HasPrefix(a.Path, "node:") || strings.HasPrefix(a.Path, "data:") {
				return api.OnResolveResult{Path: a.Path, Namespace: fileNamespace, External: a.Kind != api.ResolveEntryPoint}, nil
			}
			require := a.Kind == api.ResolveJSRequireCall || a.Kind == api.ResolveJSRequireResolve
			f, ok := c.files.resolve(file, a.Path, require, nil)
			if !ok || f.empty {
				r := api.OnResolveResult{Path: a.Path, External: true}
				if strings.HasPrefix(a.Path, ".") || strings.HasPrefix(a.Path, "/") {
					r.Warnings = []api.Message{{Text: fmt.Sprintf("Failed to resolve '%s' from %s", a.Path, file)}}
				}
				return r, nil
			}
			found = append(found, f.file)
			return api.OnResolveResult{Path: specifier(outputName(file), outputName(f.file)), External: true}, nil
		})
	}}, c.fileSystem()}
	built := api.Build(o)
	if len(built.Errors) > 0 {
		return m, nil, buildFailure(built.Errors)
	}
	c.warn(built.Warnings)
	code := string(built.OutputFiles[0].Contents)
	switch name := outputName(file); {
	case common:
		m.CommonJS = &code
	case path.Ext(name) == ".js":
		m.Code = code
	default:
		m.JS = &code
	}
	return m, found, nil
}

// specifier is how a module names another.
func specifier(from, to string) string {
	name, err := filepath.Rel(filepath.FromSlash(path.Dir(from)), filepath.FromSlash(to))
	if err != nil {
		return "/" + to
	}
	if name = filepath.ToSlash(name); !strings.HasPrefix(name, ".") {
		name = "./" + name
	}
	return name
}
