package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// Options are those of createWorker of the npm package
// @cloudflare/worker-bundler 0.2.3.
type Options struct {
	Files           map[string]string `json:"files"`
	EntryPoint      string            `json:"entryPoint,omitempty"`
	Bundle          *bool             `json:"bundle,omitempty"` // nil: true
	Externals       []string          `json:"externals,omitempty"`
	Target          string            `json:"target,omitempty"`
	Minify          bool              `json:"minify,omitempty"`
	Sourcemap       bool              `json:"sourcemap,omitempty"`
	Registry        string            `json:"registry,omitempty"` // is not used: the server has its own
	JSX             string            `json:"jsx,omitempty"`
	JSXImportSource string            `json:"jsxImportSource,omitempty"`
	Define          map[string]string `json:"define,omitempty"`
	Loader          map[string]string `json:"loader,omitempty"`
	Conditions      []string          `json:"conditions,omitempty"`
	VirtualModules  map[string]string `json:"virtualModules,omitempty"`
}

// Result is that of createWorker.
type Result struct {
	MainModule     string                   `json:"mainModule"`
	Modules        map[string]CreatedModule `json:"modules"`
	WranglerConfig *WranglerConfig          `json:"wranglerConfig,omitempty"`
	Warnings       []string                 `json:"warnings,omitempty"`

	// CPU is what the bundling took of a processor; 0 if the result was at hand.
	CPU time.Duration `json:"-"`
}

// A CreatedModule is JavaScript or Python (by its name), which JSON has as a
// string, or one of the others, an object with that member.
type CreatedModule struct {
	Code     string          `json:"-"`
	JS       *string         `json:"js,omitempty"`
	CommonJS *string         `json:"cjs,omitempty"`
	Text     *string         `json:"text,omitempty"`
	JSON     json.RawMessage `json:"json,omitempty"`
}

type createdObject CreatedModule

func (m CreatedModule) plain() bool {
	return m.JS == nil && m.CommonJS == nil && m.Text == nil && m.JSON == nil
}

// MarshalJSON implements [json.Marshaler].
func (m CreatedModule) MarshalJSON() ([]byte, error) {
	if m.plain() {
		return json.Marshal(m.Code)
	}
	return json.Marshal(createdObject(m))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (m *CreatedModule) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &m.Code)
	}
	return json.Unmarshal(b, (*createdObject)(m))
}

func (m *CreatedModule) size() int {
	n := len(m.Code) + len(m.JSON)
	for _, s := range []*string{m.JS, m.CommonJS, m.Text} {
		if s != nil {
			n += len(*s)
		}
	}
	return n
}

// A CreateError says why there is no bundle; it is for who asked for it.
type CreateError struct{ Message string }

func (e *CreateError) Error() string { return e.Message }

// Bounds of one createWorker.
const (
	maxFiles       = 10_000
	maxDefinitions = 64 << 10 // bytes: each may appear in the code any number of times
	maxNames       = 1000     // of externals, conditions and the like
	createTimeout  = 20 * time.Second
	maxResults     = 128 << 20 // bytes of results that are remembered
)

// A Creator bundles at run time what workers give it. It is safe for concurrent
// use.
type Creator struct {
	builtins []string
	packages *Packages
	workers  *workers // nil: in this process
	results  *recent[*Result]
}

// NewCreator makes a creator. Its bundles are made by processes of command,
// which has to call [Work]; without one they are made in this process, which a
// hostile source can stall or end. builtin says what modules the guest has;
// packages installs dependencies, nil: nobody does. Close ends the processes.
func NewCreator(command []string, builtin func(specifier string) bool, packages *Packages) *Creator {
	c := &Creator{packages: packages, results: newRecent[*Result](maxResults)}
	for _, name := range append(slices.Clone(nodeModules), submodules...) {
		if builtin != nil && builtin("node:"+name) {
			c.builtins = append(c.builtins, name)
		}
	}
	if command != nil {
		c.workers = newWorkers(command)
	}
	return c
}

// submodules of Node.js.
var submodules = []string{"assert/strict", "dns/promises", "fs/promises", "inspector/promises", "path/posix", "path/win32", "readline/promises",
	"stream/consumers", "stream/promises", "stream/web", "timers/promises", "util/types"}

// Close ends the processes. No CreateWorker may be under way.
func (c *Creator) Close() {
	if c.workers != nil {
		c.workers.close()
	}
}

// CreateWorker makes the modules of a worker of source files and the packages
// of their package.json, as createWorker of @cloudflare/worker-bundler does.
//
// # Errors
//
// A [*CreateError] for what is wrong with the options or the sources,
// [ErrBusy], the context's.
func (c *Creator) CreateWorker(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	job := createJob{Options: o, Builtins: c.builtins}
	var warnings []string
	wanted, err := dependencies(o.Files)
	if err != nil {
		return nil, err
	}
	if len(wanted) > 0 {
		if c.packages == nil {
			return nil, &CreateError{"This server does not install npm packages (dependencies in package.json): give the packages' files below node_modules/, or have its operator allow it (mayfly serve --npm)"}
		}
		folder, release, err := c.packages.Install(ctx, wanted)
		if err != nil {
			return nil, err
		}
		defer release()
		job.Packages = folder
	}
	if o.Registry != "" {
		warnings = append(warnings, "registry is ignored: packages come from the server's own index")
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(text)
	r, known := c.results.get(key)
	if !known {
		if r, err = c.create(ctx, job); err != nil {
			return nil, err
		}
		size := len(text) / 8 // what is kept of the job is its key: this bounds their number
		for _, m := range r.Modules {
			size += m.size()
		}
		c.results.put(key, r, size)
	}
	out := *r
	if known {
		out.CPU = 0
	}
	out.Warnings = append(slices.Clone(r.Warnings), warnings...)
	return &out, nil
}

func (c *Creator) create(ctx context.Context, job createJob) (*Result, error) {
	var answer createAnswer
	if c.workers == nil {
		answer = answerCreate(job)
	} else {
		switch err := c.workers.do(ctx, workerJob{Create: &job}, &answer, createTimeout); {
		case errors.Is(err, errWorker):
			return nil, &CreateError{"The sources nest too deeply, make too much code, or take too long to bundle"}
		case err != nil:
			return nil, err
		}
	}
	if answer.Result == nil {
		return nil, &CreateError{answer.Error}
	}
	answer.Result.CPU = time.Duration(answer.CPU)
	return answer.Result, nil
}

func answerCreate(job createJob) (a createAnswer) {
	begin := processorTime()
	r, err := create(job)
	if a.Result = r; err != nil {
		a.Result, a.Error = nil, err.Error()
	}
	a.CPU = processorTime() - begin
	return a
}

func (o *Options) bundles() bool { return o.Bundle == nil || *o.Bundle }

// bundlerOnly are the options that are given and count for bundles alone.
func (o *Options) bundlerOnly() (list []string) {
	for _, one := range []struct {
		name  string
		given bool
	}{{"jsx", o.JSX != ""}, {"jsxImportSource", o.JSXImportSource != ""}, {"define", o.Define != nil}, {"loader", o.Loader != nil},
		{"conditions", o.Conditions != nil}, {"virtualModules", o.VirtualModules != nil}} {
		if one.given {
			list = append(list, one.name)
		}
	}
	return list
}

var (
	targets = map[string]api.Target{"": api.ES2022, "es2015": api.ES2015, "es2016": api.ES2016, "es2017": api.ES2017, "es2018": api.ES2018,
		"es2019": api.ES2019, "es2020": api.ES2020, "es2021": api.ES2021, "es2022": api.ES2022, "es2023": api.ES2023, "es2024": api.ES2024, "esnext": api.ESNext}
	jsxModes    = map[string]api.JSX{"": api.JSXTransform, "transform": api.JSXTransform, "preserve": api.JSXPreserve, "automatic": api.JSXAutomatic}
	loaderNames = map[string]api.Loader{"js": api.LoaderJS, "jsx": api.LoaderJSX, "ts": api.LoaderTS, "tsx": api.LoaderTSX, "json": api.LoaderJSON,
		"css": api.LoaderCSS, "text": api.LoaderText, "binary": api.LoaderBinary, "base64": api.LoaderBase64, "dataurl": api.LoaderDataURL}
)

func (o *Options) check() error {
	wrong := func(format string, args ...any) error { return &CreateError{fmt.Sprintf(format, args...)} }
	size := 0
	for name, text := range o.Files {
		size += len(name) + len(text)
		if strings.ContainsRune(name, 0) || name == "" {
			return wrong("A file has no name, or a zero character in it")
		}
	}
	for name, text := range o.VirtualModules {
		size += len(name) + len(text)
	}
	definitions := 0
	for name, text := range o.Define {
		definitions += len(name) + len(text)
	}
	switch {
	case len(o.Files) == 0:
		return wrong("`files` is empty")
	case len(o.Files)+len(o.VirtualModules) > maxFiles:
		return wrong("There are %d files; the limit is %d", len(o.Files)+len(o.VirtualModules), maxFiles)
	case size > MaxCode:
		return wrong("The files have %d bytes together; the limit is %d", size, MaxCode)
	case definitions > maxDefinitions:
		return wrong("`define` has %d bytes; the limit is %d", definitions, maxDefinitions)
	case len(o.Externals)+len(o.Conditions)+len(o.Loader) > maxNames:
		return wrong("There are more than %d names in `externals`, `conditions` and `loader`", maxNames)
	}
	if _, ok := targets[strings.ToLower(o.Target)]; !ok {
		return wrong("There is no target %q: expected es2022, esnext or another edition", o.Target)
	}
	o.Target = strings.ToLower(o.Target)
	if _, ok := jsxModes[o.JSX]; !ok {
		return wrong("There is no jsx mode %q: expected transform, preserve or automatic", o.JSX)
	}
	for name, loader := range o.Loader {
		if _, ok := loaderNames[loader]; !ok {
			return wrong("There is no loader %q (of %q): expected js, jsx, ts, tsx, json, css, text, binary, base64 or dataurl", loader, name)
		}
		if !strings.HasPrefix(name, ".") {
			return wrong("`loader` has %q: expected an extension with its dot", name)
		}
	}
	return nil
}
