package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/evanw/esbuild/pkg/api"
)

// A Rule says of which kind the files are that match one of its patterns, which
// are relative to the folder of the modules.
type Rule struct {
	Kind  Kind
	Globs []string
}

// A Project is a folder that becomes a worker: its entry point and all that this
// imports, in one module; what the rules name is a module of its own. The zero
// value of each option is its default.
type Project struct {
	Dir  string // absolute
	Main string // the entry point, relative to Dir

	Rules       []Rule
	Define      map[string]string
	Alias       map[string]string
	TSConfig    string // a file; empty: the nearest tsconfig.json
	JSXFactory  string
	JSXFragment string
	Minify      bool
	KeepNames   bool
	Development bool // process.env.NODE_ENV is development, not production

	// NoBundle leaves the entry point as it is.
	NoBundle bool
	// FindAdditional takes each file below BaseDir that matches a rule, imported
	// or not; BaseDir empty: where the entry point is.
	FindAdditional    bool
	BaseDir           string
	PreserveFileNames bool // of what the rules name; otherwise they begin with a digest

	// Builtin says whether the guest has a module, by its full name (node:fs).
	Builtin func(specifier string) bool
}

// conditions of package exports that hold in a worker.
var conditions = []string{"workerd", "worker", "browser"}

// A Builder bundles one project, again and again: what has not changed is not
// parsed again. It runs in this process, and so is for sources that are trusted.
type Builder struct {
	project Project
	base    string // folder of the modules, absolute

	mu      sync.Mutex
	context api.BuildContext // nil: there is nothing to bundle
	found   *collection      // of the build that is under way
}

// NewBuilder makes a builder of a project. Close ends it.
//
// # Errors
//
// Errors of the file system, a [MistakeList] for options that are malformed.
func NewBuilder(p Project) (*Builder, error) {
	dir, err := filepath.EvalSymlinks(p.Dir)
	if err != nil {
		return nil, err
	}
	p.Dir = dir
	b := &Builder{project: p, base: filepath.Join(dir, filepath.Dir(filepath.FromSlash(p.Main)))}
	if p.BaseDir != "" {
		b.base = filepath.Join(dir, filepath.FromSlash(p.BaseDir))
	}
	main := filepath.Join(dir, filepath.FromSlash(p.Main))
	if info, err := os.Stat(main); err != nil || !info.Mode().IsRegular() {
		return nil, MistakeList{{Text: fmt.Sprintf("the entry point %s is not there", p.Main)}}
	}
	if _, err := relative(b.base, main); err != nil {
		return nil, MistakeList{{Text: fmt.Sprintf("the entry point %s is not in base_dir %s", p.Main, p.BaseDir)}}
	}
	if b.whole() {
		return b, nil
	}
	var failed *api.ContextError
	if b.context, failed = api.Context(b.options()); failed != nil {
		return nil, mistakes(failed.Errors)
	}
	return b, nil
}

// whole says that the files are taken as they are.
func (b *Builder) whole() bool { return b.project.NoBundle || path.Ext(b.project.Main) == ".py" }

// Close ends the builder.
func (b *Builder) Close() {
	if b.context != nil {
		b.context.Dispose()
	}
}

// Build bundles the project as it is now.
//
// # Errors
//
// A [MistakeList] for mistakes in the sources, and imports that lead nowhere;
// errors of the file system.
func (b *Builder) Build(ctx context.Context) (*Output, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.found = newCollection(&b.project, b.base)
	if b.project.FindAdditional || b.whole() {
		if err := b.found.walk(b.extraRules()); err != nil {
			return nil, err
		}
	}
	var out *Output
	var err error
	if b.whole() {
		out, err = b.take()
	} else {
		out, err = b.bundle(ctx)
	}
	if err != nil {
		return nil, err
	}
	maps.Copy(out.Modules, b.found.modules)
	out.Inputs = append(out.Inputs, b.found.inputs...)
	slices.Sort(out.Inputs)
	out.Inputs = slices.Compact(out.Inputs)
	return out, out.check()
}

// extraRules are those of Python projects, whose modules are found by name.
func (b *Builder) extraRules() []Rule {
	if path.Ext(b.project.Main) == ".py" {
		return []Rule{{KindPython, []string{"**/*.py"}}}
	}
	return nil
}

// mainName is the main module's.
func (b *Builder) mainName() string {
	name, _ := relative(b.base, filepath.Join(b.project.Dir, filepath.FromSlash(b.project.Main))) // checked by NewBuilder
	if b.whole() {
		return name
	}
	return strings.TrimSuffix(name, path.Ext(name)) + ".js"
}

// take is the entry point as it is.
func (b *Builder) take() (*Output, error) {
	main := filepath.Join(b.project.Dir, filepath.FromSlash(b.project.Main))
	kind := KindJS
	switch syntax, code := SyntaxOf(main); {
	case path.Ext(main) == ".py":
		kind = KindPython
	case !code || syntax != JavaScript:
		return nil, MistakeList{{Text: fmt.Sprintf("no_bundle takes JavaScript only, and %s is none", b.project.Main)}}
	case path.Ext(main) == ".cjs":
		kind = KindCommon
	}
	content, err := os.ReadFile(main)
	if err != nil {
		return nil, err
	}
	name := b.mainName()
	return &Output{Main: name, Modules: map[string]Module{name: {kind, content}}, Inputs: []string{filepath.ToSlash(b.project.Main)}}, nil
}

const bundleFile = "worker.js" // is never written

func (b *Builder) options() api.BuildOptions {
	p := &b.project
	mode := `"production"`
	if p.Development {
		mode = `"development"`
	}
	define := map[string]string{"process.env.NODE_ENV": mode, "global.process.env.NODE_ENV": mode, "globalThis.process.env.NODE_ENV": mode,
		"navigator.userAgent": `"Cloudflare-Workers"`}
	maps.Copy(define, p.Define)
	o := api.BuildOptions{
		EntryPoints:    []string{filepath.Join(p.Dir, filepath.FromSlash(p.Main))},
		AbsWorkingDir:  p.Dir,
		Outfile:        filepath.Join(p.Dir, bundleFile),
		Bundle:         true,
		Format:         api.FormatESModule,
		Platform:       api.PlatformNeutral,
		Target:         api.ES2022,
		MainFields:     []string{"browser", "module", "main"},
		Conditions:     conditions,
		Define:         define,
		Loader:         map[string]api.Loader{".js": api.LoaderJSX, ".mjs": api.LoaderJSX, ".cjs": api.LoaderJSX},
		Tsconfig:       p.TSConfig,
		JSXFactory:     p.JSXFactory,
		JSXFragment:    p.JSXFragment,
		KeepNames:      p.KeepNames,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude,
		Charset:        api.CharsetUTF8,
		LegalComments:  api.LegalCommentsNone,
		LogLevel:       api.LogLevelSilent,
		Metafile:       true,
	}
	if p.TSConfig != "" {
		o.Tsconfig = filepath.Join(p.Dir, filepath.FromSlash(p.TSConfig))
	}
	if p.Minify {
		o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = true, true, true
	}
	o.Plugins = []api.Plugin{b.aliases(), runtimeModules(), b.ruled(), builtinImports(p.Builtin), missingBuiltins()}
	return o
}

// bundle makes the main module.
func (b *Builder) bundle(ctx context.Context) (*Output, error) {
	stop := context.AfterFunc(ctx, b.context.Cancel)
	r := b.context.Rebuild()
	stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(r.Errors) > 0 {
		return nil, mistakes(r.Errors)
	}
	out := &Output{Main: b.mainName(), Modules: map[string]Module{}, Maps: map[string][]byte{}}
	for _, w := range r.Warnings {
		if !strings.Contains(fileOf(w), "node_modules/") { // which nobody here can mend
			out.Warnings = append(out.Warnings, mistake(w))
		}
	}
	for _, f := range r.OutputFiles {
		switch filepath.Base(f.Path) {
		case bundleFile:
			out.Modules[out.Main] = Module{KindJS, f.Contents}
		case bundleFile + ".map":
			out.Maps[out.Main] = f.Contents
		}
	}
	var meta struct{ Inputs map[string]struct{} }
	if err := json.Unmarshal([]byte(r.Metafile), &meta); err != nil {
		return nil, fmt.Errorf("bundle: the list of inputs: %w", err)
	}
	for name := range meta.Inputs {
		if !strings.Contains(name, ":") { // not of a plugin
			out.Inputs = append(out.Inputs, name)
		}
	}
	return out, nil
}

// aliases resolves what Alias renames, before anything else is asked.
func (b *Builder) aliases() api.Plugin {
	return api.Plugin{Name: "alias", Setup: func(build api.PluginBuild) {
		if len(b.project.Alias) == 0 {
			return
		}
		build.OnResolve(api.OnResolveOptions{Filter: `.*`, Namespace: ""}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			to, ok := b.project.Alias[a.Path]
			if !ok || a.PluginData == aliased {
				return api.OnResolveResult{}, nil
			}
			from := a.ResolveDir
			if strings.HasPrefix(to, ".") {
				from = b.project.Dir
			}
			r := build.Resolve(to, api.ResolveOptions{ResolveDir: from, Importer: a.Importer, Kind: a.Kind, PluginData: aliased})
			return api.OnResolveResult{Path: r.Path, External: r.External, Namespace: r.Namespace, Suffix: r.Suffix, Errors: r.Errors, Warnings: r.Warnings, PluginData: r.PluginData}, nil
		})
	}}
}

// Marks of resolving that has been begun by a plugin.
type resolving int

const (
	aliased resolving = iota + 1
	ruledOut
)

// ruled makes modules of the files that rules name. Imports of them stay, by the
// new name.
func (b *Builder) ruled() api.Plugin {
	const required = "required-module"
	return api.Plugin{Name: "rules", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint || a.PluginData == ruledOut || a.Namespace == required {
				return api.OnResolveResult{}, nil
			}
			bare, _, _ := strings.Cut(a.Path, "?")
			if !b.found.mayMatch(bare) && !b.project.FindAdditional {
				return api.OnResolveResult{}, nil
			}
			r := build.Resolve(bare, api.ResolveOptions{ResolveDir: a.ResolveDir, Importer: a.Importer, Kind: a.Kind, PluginData: ruledOut})
			if len(r.Errors) > 0 || r.External || r.Namespace != "file" {
				return api.OnResolveResult{}, nil // let it be reported as any other
			}
			name, err := b.found.module(r.Path)
			if name == "" || err != nil {
				return api.OnResolveResult{}, err
			}
			specifier := "./" + name
			if dir := path.Dir(b.mainName()); dir != "." && b.found.additional[name] {
				up, err := filepath.Rel(dir, name)
				if err != nil {
					return api.OnResolveResult{}, err
				}
				if specifier = filepath.ToSlash(up); !strings.HasPrefix(specifier, ".") {
					specifier = "./" + specifier
				}
			}
			if a.Kind == api.ResolveJSRequireCall {
				return api.OnResolveResult{Path: specifier, Namespace: required}, nil
			}
			return api.OnResolveResult{Path: specifier, External: true}, nil
		})
		build.OnResolve(api.OnResolveOptions{Filter: `.*`, Namespace: required}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: a.Path, External: true}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: required}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			source := fmt.Sprintf("import content from %q; module.exports = content;", a.Path)
			return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
		})
	}}
}

// A collection has the modules that rules found in one build.
type collection struct {
	project *Project
	base    string

	mu         sync.Mutex
	modules    map[string]Module
	additional map[string]bool // those that keep their path
	inputs     []string
}

func newCollection(p *Project, base string) *collection {
	return &collection{project: p, base: base, modules: map[string]Module{}, additional: map[string]bool{}}
}

// mayMatch says whether an import by that name may be of a file that a rule
// names: cheaper than to resolve each import.
func (c *collection) mayMatch(specifier string) bool {
	for _, rule := range c.project.Rules {
		if rule.Kind == KindJS || rule.Kind == KindCommon {
			continue
		}
		for _, glob := range rule.Globs {
			suffix := glob[strings.LastIndexAny(glob, "*?]}/")+1:]
			if suffix == "" || strings.HasSuffix(specifier, suffix) {
				return true
			}
		}
	}
	return false
}

// module is the name of the module of a file, or empty if it is to be bundled.
func (c *collection) module(file string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	within, errOutside := relative(c.base, file)
	if errOutside == nil && c.additional[within] {
		return within, nil
	}
	if errOutside != nil { // a package's, say, of a folder above
		within = strings.TrimPrefix(filepath.ToSlash(file), "/")
	}
	kind, ok := c.kind(within, c.project.Rules)
	if !ok || kind == KindJS || kind == KindCommon || kind == KindPython {
		return "", nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	name := path.Base(within)
	if c.project.PreserveFileNames && errOutside == nil {
		name = within
	} else {
		digest := sha256.Sum256(content)
		name = hex.EncodeToString(digest[:])[:16] + "-" + name
	}
	c.modules[name] = Module{kind, content}
	if in, err := filepath.Rel(c.project.Dir, file); err == nil {
		c.inputs = append(c.inputs, filepath.ToSlash(in))
	}
	return name, nil
}

// kind is what the first rule that matches says.
func (c *collection) kind(name string, rules []Rule) (Kind, bool) {
	for _, rule := range rules {
		for _, glob := range rule.Globs {
			if match, err := doublestar.Match(glob, name); err == nil && match {
				return rule.Kind, true
			}
		}
	}
	return "", false
}

// Bounds of what is found by looking.
const maxAdditional = 10_000 // files

var errTooManyFiles = errors.New("bundle: there are more than 10000 files that match the rules: give base_dir")

// walk adds each file below base that matches a rule.
func (c *collection) walk(more []Rule) error {
	rules := append(more, c.project.Rules...)
	main := filepath.Join(c.project.Dir, filepath.FromSlash(c.project.Main))
	return filepath.WalkDir(c.base, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() {
			if file != c.base && (name == "node_modules" || strings.HasPrefix(name, ".") || name == "__pycache__") {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || file == main {
			return nil
		}
		name, err := relative(c.base, file)
		if err != nil {
			return nil
		}
		kind, ok := c.kind(name, rules)
		if !ok {
			return nil
		}
		if len(c.modules) == maxAdditional {
			return errTooManyFiles
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		c.modules[name], c.additional[name] = Module{kind, content}, true
		if in, err := filepath.Rel(c.project.Dir, file); err == nil {
			c.inputs = append(c.inputs, filepath.ToSlash(in))
		}
		return nil
	})
}

// relative is the name of a file below a folder, with slashes.
func relative(folder, file string) (string, error) {
	name, err := filepath.Rel(folder, file)
	if err != nil {
		return "", err
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("bundle: %s is not below %s", file, folder)
	}
	return filepath.ToSlash(name), nil
}

// mistakes are esbuild's messages.
func mistakes(list []api.Message) MistakeList {
	var all MistakeList
	for _, m := range list {
		all = append(all, mistake(m))
	}
	return all
}

func mistake(m api.Message) *Error {
	e := &Error{Text: m.Text}
	if l := m.Location; l != nil {
		e.File, e.Line, e.Column, e.Length, e.Excerpt = l.File, l.Line, l.Column+1, l.Length, excerpt(l.LineText)
	}
	for _, n := range m.Notes {
		text := n.Text
		if l := n.Location; l != nil {
			text = fmt.Sprintf("%s (%s:%d:%d)", strings.TrimSuffix(text, ":"), l.File, l.Line, l.Column+1)
		}
		e.Notes = append(e.Notes, text)
	}
	if strings.HasPrefix(m.Text, "No loader is configured for ") {
		e.Notes = []string{`A rule makes a module of such files, as {"type": "Data", "globs": ["**/*.png"]} in rules.`}
	}
	return e
}

func fileOf(m api.Message) string {
	if m.Location == nil {
		return ""
	}
	return filepath.ToSlash(m.Location.File)
}
