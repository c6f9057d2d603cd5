package bundle

import (
	"fmt"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// BundleOptions say how a program and the packages that it imports become one
// module.
type BundleOptions struct {
	Source string // the program, an ES module
	Name   string // of the program, for messages and stacks
	Dir    string // where its imports are resolved

	// Modules is a node_modules folder for packages that are not found from
	// where they are imported; empty: none.
	Modules string

	// Builtin says whether the guest has a module, by its full name (node:fs).
	// Imports and requires of these stay, with and without the prefix.
	Builtin func(specifier string) bool
}

// Bundle makes one ES module of a program and its packages, for a platform that
// is neither a browser nor node: of a package's conditional exports those of
// "workerd", "worker" and "browser" count, as Workers have them. It runs in this
// process, and so is for sources that are trusted.
//
// # Errors
//
// An [*Error] for a mistake in a source, or an import that leads nowhere.
func Bundle(o BundleOptions) (string, error) {
	var modules []string
	if o.Modules != "" {
		modules = []string{o.Modules}
	}
	r := api.Build(api.BuildOptions{
		Stdin:         &api.StdinOptions{Contents: o.Source, Sourcefile: o.Name, ResolveDir: o.Dir, Loader: api.LoaderJS},
		Bundle:        true,
		NodePaths:     modules,
		Format:        api.FormatESModule,
		Platform:      api.PlatformNeutral,
		Target:        api.ESNext,
		MainFields:    []string{"browser", "module", "main"},
		Conditions:    []string{"workerd", "worker", "browser"},
		Define:        map[string]string{"process.env.NODE_ENV": `"production"`},
		Loader:        map[string]api.Loader{".wasm": api.LoaderBinary},
		Charset:       api.CharsetUTF8,
		LegalComments: api.LegalCommentsNone,
		LogLevel:      api.LogLevelSilent,
		Plugins:       []api.Plugin{builtinImports(o.Builtin)},
	})
	if len(r.Errors) > 0 {
		e := &Error{File: o.Name, Text: r.Errors[0].Text}
		if l := r.Errors[0].Location; l != nil {
			e.File, e.Line, e.Column, e.Excerpt = l.File, l.Line, l.Column+1, excerpt(l.LineText)
		}
		return "", e
	}
	return string(r.OutputFiles[0].Contents), nil
}

// builtinImports keeps imports of modules that the guest has. A require of one
// becomes an import of it, which is what a module can have.
func builtinImports(has func(string) bool) api.Plugin {
	const required = "required-builtin"
	return api.Plugin{Name: "builtins", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^(node:)?[a-z0-9_]+(/[a-z0-9_/]+)?$`, Namespace: ""}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			name := "node:" + strings.TrimPrefix(a.Path, "node:")
			if has == nil || !has(name) {
				return api.OnResolveResult{}, nil
			}
			if a.Kind == api.ResolveJSRequireCall || a.Kind == api.ResolveJSRequireResolve {
				return api.OnResolveResult{Path: name, Namespace: required}, nil
			}
			return api.OnResolveResult{Path: name, External: true}, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: required}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			source := fmt.Sprintf("import builtin from %q; module.exports = builtin;", a.Path)
			return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
		})
	}}
}
