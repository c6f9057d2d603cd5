package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"
)

// createJob is what a worker process is sent to bundle at run time.
type createJob struct {
	Options  Options
	Packages string   // a folder that has node_modules; empty: there is none
	Builtins []string // names of the guest's modules without node:
}

// createAnswer is what comes back.
type createAnswer struct {
	Result *Result `json:",omitempty"`
	Error  string  `json:",omitempty"`
	CPU    int64   // nanoseconds of the process's
}

// A creation is a run-time bundle that is being made. The sources are hostile:
// all that esbuild reads comes from virtual, so that no file of the machine can
// be named.
type creation struct {
	options  Options
	files    *virtual
	tsconfig string
	builtin  func(string) bool
	warnings []string
}

// create bundles, in a process that may be ended.
func create(job createJob) (*Result, error) {
	var folder *os.Root
	if job.Packages != "" {
		var err error
		if folder, err = os.OpenRoot(job.Packages); err != nil {
			return nil, errors.New("the packages are gone")
		}
		defer folder.Close()
	}
	c := &creation{options: job.Options, files: newVirtual(job.Options.Files, folder)}
	c.builtin = func(name string) bool { return slices.Contains(job.Builtins, strings.TrimPrefix(name, "node:")) }
	config := c.files.wranglerConfig()
	entry, err := c.files.entry(job.Options.EntryPoint, config)
	if err != nil {
		return nil, err
	}
	c.tsconfig = c.files.typescriptOptions()
	var r *Result
	switch {
	case path.Ext(entry) == ".py":
		if r = c.python(entry); config == nil {
			config = &WranglerConfig{}
		}
	case job.Options.bundles():
		r, err = c.bundle(entry)
	default:
		r, err = c.transform(entry)
	}
	if err != nil {
		return nil, err
	}
	r.WranglerConfig = config
	r.Warnings = append(r.Warnings, c.warnings...)
	size := 0
	for _, m := range r.Modules {
		size += m.size()
	}
	if size > MaxCode {
		return nil, &CreateError{fmt.Sprintf("The modules have %d bytes together; the limit is %d", size, MaxCode)}
	}
	return r, nil
}

// python takes all files as they are.
func (c *creation) python(entry string) *Result {
	r := &Result{MainModule: entry, Modules: map[string]CreatedModule{}}
	for name, text := range c.files.files {
		switch path.Ext(name) {
		case ".py", ".js":
			r.Modules[name] = CreatedModule{Code: text}
		case ".toml":
		default:
			r.Modules[name] = CreatedModule{Text: &text}
		}
	}
	if _, ok := c.files.files["pyproject.toml"]; ok {
		c.warnings = append(c.warnings, "The dependencies of pyproject.toml are not installed here")
	}
	return r
}

const createdName = "bundle.js"

// bundle makes one module of all.
func (c *creation) bundle(entry string) (*Result, error) {
	o := c.buildOptions(entry)
	if c.options.Sourcemap {
		o.Sourcemap = api.SourceMapInline
	}
	built := api.Build(o)
	if len(built.Errors) > 0 {
		return nil, buildFailure(built.Errors)
	}
	c.warn(built.Warnings)
	for _, f := range built.OutputFiles {
		if path.Ext(f.Path) == ".js" {
			return &Result{MainModule: createdName, Modules: map[string]CreatedModule{createdName: {Code: string(f.Contents)}}}, nil
		}
	}
	return nil, &CreateError{fmt.Sprintf("The entry point %q gives no code", entry)}
}

func (c *creation) buildOptions(entry string) api.BuildOptions {
	o := api.BuildOptions{
		EntryPoints:   []string{entry},
		AbsWorkingDir: string(os.PathSeparator),
		Outfile:       string(os.PathSeparator) + createdName,
		Bundle:        true,
		Format:        api.FormatESModule,
		Platform:      api.PlatformNeutral,
		Target:        targets[c.options.Target],
		Define:        map[string]string{"process.env.NODE_ENV": `"production"`, "navigator.userAgent": `"Cloudflare-Workers"`},
		TsconfigRaw:   c.tsconfig,
		Charset:       api.CharsetUTF8,
		LegalComments: api.LegalCommentsNone,
		LogLevel:      api.LogLevelSilent,
		Loader:        loaders(c.options.Loader),
		JSX:           jsxModes[c.options.JSX],
	}
	o.JSXImportSource = c.options.JSXImportSource
	for name, to := range c.options.Define {
		o.Define[name] = to
	}
	if c.options.Minify {
		o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = true, true, true
	}
	o.Plugins = []api.Plugin{c.virtualModules(), c.external(), builtinImports(c.builtin), missingBuiltins(), c.fileSystem()}
	return o
}

// loaders are those that the options give names of files; anything else has its
// own, or is a text.
func loaders(given map[string]string) map[string]api.Loader {
	list := map[string]api.Loader{}
	for name, loader := range given {
		list[name] = loaderNames[loader]
	}
	return list
}

func (c *creation) loader(name string) api.Loader {
	best := ""
	for suffix := range c.options.Loader {
		if strings.HasSuffix(name, suffix) && len(suffix) > len(best) {
			best = suffix
		}
	}
	if best != "" {
		return loaderNames[c.options.Loader[best]]
	}
	switch path.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".tsx":
		return api.LoaderTSX
	case ".jsx":
		return api.LoaderJSX
	case ".json":
		return api.LoaderJSON
	case ".css":
		return api.LoaderCSS
	case ".txt", ".html", ".sql", ".md", ".svg":
		return api.LoaderText
	}
	return api.LoaderJS
}

// virtualModules are sources for specifiers.
func (c *creation) virtualModules() api.Plugin {
	const namespace = "virtual-module"
	return api.Plugin{Name: "virtual modules", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if _, ok := c.options.VirtualModules[a.Path]; ok && a.Kind != api.ResolveEntryPoint {
				return api.OnResolveResult{Path: a.Path, Namespace: namespace}, nil
			}
			return api.OnResolveResult{}, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: namespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			source := harmless(c.options.VirtualModules[a.Path])
			return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
		})
	}}
}

// isExternal says whether an import is to stay.
func (c *creation) isExternal(specifier string) bool {
	if strings.HasPrefix(specifier, "cloudflare:") || strings.HasPrefix(specifier, "workerd:") || specifier == "@cloudflare/worker-bundler" {
		return true
	}
	return !strings.HasPrefix(specifier, ".") && !strings.HasPrefix(specifier, "/") &&
		slices.ContainsFunc(c.options.Externals, func(e string) bool { return e != "" && strings.HasPrefix(specifier, e) })
}

func (c *creation) external() api.Plugin {
	return api.Plugin{Name: "externals", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind != api.ResolveEntryPoint && c.isExternal(a.Path) {
				return api.OnResolveResult{Path: a.Path, External: true}, nil
			}
			return api.OnResolveResult{}, nil
		})
	}}
}

// Namespaces of what is read by our own.
const (
	fileNamespace  = "files"
	emptyNamespace = "empty"
)

var errSealed = errors.New("there are no files but those that are given")

// fileSystem answers for every import and every file: esbuild looks at none
// itself.
func (c *creation) fileSystem() api.Plugin {
	return api.Plugin{Name: "files", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint {
				return api.OnResolveResult{Path: a.Path, Namespace: fileNamespace}, nil
			}
			if strings.HasPrefix(a.Path, "data:") {
				return api.OnResolveResult{}, nil // esbuild decodes these
			}
			require := a.Kind == api.ResolveJSRequireCall || a.Kind == api.ResolveJSRequireResolve
			importer := a.Importer
			if a.Namespace != fileNamespace {
				importer = "index.js"
			}
			bare, _, _ := strings.Cut(a.Path, "?")
			f, ok := c.files.resolve(importer, bare, require, c.options.Conditions)
			switch {
			case ok && f.empty:
				return api.OnResolveResult{Path: a.Path, Namespace: emptyNamespace}, nil
			case ok:
				r := api.OnResolveResult{Path: f.file, Namespace: fileNamespace}
				if !c.files.packageOf(f.file).sideEffects(f.file) {
					r.SideEffects = api.SideEffectsFalse
				}
				return r, nil
			case strings.HasPrefix(a.Path, ".") || strings.HasPrefix(a.Path, "/") || strings.HasPrefix(a.Path, "#") || slices.Contains(nodeModules, a.Path):
				return api.OnResolveResult{Errors: []api.Message{{Text: fmt.Sprintf("Could not resolve %q", a.Path)}}}, nil
			case strings.Contains(a.Path, "://"):
				return api.OnResolveResult{Errors: []api.Message{{Text: fmt.Sprintf("Could not resolve %q: modules are not loaded over the network", a.Path)}}}, nil
			}
			return api.OnResolveResult{Path: a.Path, External: true, Warnings: []api.Message{{Text: fmt.Sprintf("There is no package %q: the import stays, and needs a module of that name", a.Path)}}}, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: fileNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := c.files.read(a.Path)
			if errors.Is(err, fs.ErrNotExist) {
				return api.OnLoadResult{Errors: []api.Message{{Text: "File not found: " + a.Path}}}, nil
			}
			if err != nil {
				return api.OnLoadResult{}, err
			}
			text = harmless(text)
			return api.OnLoadResult{Contents: &text, Loader: c.loader(a.Path)}, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: emptyNamespace}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
			source := "module.exports = {};"
			return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
		})
		// Imports by a pattern are looked up by esbuild before any plugin is asked.
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: "file"}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
			return api.OnLoadResult{}, errSealed
		})
	}}
}

// warn keeps the warnings that are about the files; nobody here can mend those
// in packages.
func (c *creation) warn(list []api.Message) {
	for _, w := range list {
		if at := place(w); !strings.Contains(at, "node_modules/") {
			c.warnings = append(c.warnings, at+w.Text)
		}
	}
}

var mapOfFile = regexp.MustCompile(`(?i)(sourceMappingURL)=(\s*file:)`)

// harmless is a source without comments that name a source map by a file: such
// are read from the disk, whatever the namespace of the source is.
func harmless(source string) string { return mapOfFile.ReplaceAllString(source, "$1 $2") }

func place(m api.Message) string {
	if m.Location == nil || m.Location.File == "" {
		return ""
	}
	_, file, found := strings.Cut(m.Location.File, ":")
	if !found {
		file = m.Location.File
	}
	return fmt.Sprintf("%s:%d:%d: ", file, m.Location.Line, m.Location.Column)
}

// buildFailure is what createWorker rejects with, in the form of esbuild's own.
func buildFailure(list []api.Message) error {
	const most = 5
	var b strings.Builder
	plural := "s"
	if len(list) == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "Build failed with %d error%s:", len(list), plural)
	for i, m := range list {
		if m.Text == errSealed.Error() {
			return &CreateError{"Build failed: " + errSealed.Error()} // without names of files
		}
		if i == most {
			fmt.Fprintf(&b, "\n…")
			break
		}
		fmt.Fprintf(&b, "\n%sERROR: %s", place(m), m.Text)
	}
	text := b.String()
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	return &CreateError{text}
}
