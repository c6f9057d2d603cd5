// Package project reads what makes a directory a worker: its wrangler.jsonc,
// wrangler.json or wrangler.toml, and the variables of its developer.
//
// The keys, their defaults and what environments inherit are those of wrangler;
// https://developers.cloudflare.com/workers/wrangler/configuration/.
package project

import "encoding/json"

// A Config is a project's configuration for one environment, checked.
type Config struct {
	File string // the configuration file; empty: there is none
	Dir  string // the project's directory, absolute: other paths are relative to it
	Env  string // the environment, empty for the top level

	Name                  string // of the worker, with its environment
	Main                  string // the entry point; empty for assets alone
	CompatibilityDate     string // YYYY-MM-DD, or empty
	CompatibilityFlags    []string
	Vars                  map[string]json.RawMessage
	R2                    []Bucket
	KV                    []Namespace
	Services              []Service
	Loaders               []string // names of bindings
	TailConsumers         []string // names of workers
	Crons                 []string
	Limits                Limits
	Isolation             string // warm, request, or empty for the server's default
	Routes                []Route
	Secrets               []string // names that the worker needs
	Assets                *Assets
	Rules                 []Rule // the user's, then the defaults that still hold
	Define                map[string]string
	Alias                 map[string]string
	TSConfig              string
	JSXFactory            string
	JSXFragment           string
	Minify                bool
	KeepNames             bool // of functions and classes, when they are renamed
	NoBundle              bool
	FindAdditionalModules bool
	PreserveFileNames     bool
	BaseDir               string // of additional modules; empty: where the entry point is
	SourceMaps            bool
	KeepVars              bool // those that were set by other means
	Build                 Build
	Dev                   Dev
}

// A Bucket is a binding of r2_buckets.
type Bucket struct{ Binding, Name string }

// A Namespace is a binding of kv_namespaces.
type Namespace struct{ Binding, ID string }

// A Service is a binding to an entrypoint of another worker.
type Service struct {
	Binding, Service, Entrypoint string
	Props                        json.RawMessage // an object, or nil
}

// Limits of an event; 0: the server's default.
type Limits struct {
	CPUMS       int64
	WallMS      int64
	MemoryMB    int64
	Subrequests int64
}

// A Route is a pattern of URLs that the worker answers.
type Route struct {
	Pattern      string
	CustomDomain bool
}

// Assets are files that are served as they are.
type Assets struct {
	Directory        string
	Binding          string
	HTMLHandling     string
	NotFoundHandling string
	// WorkerFirst: requests go to the worker before the files; if there are
	// patterns, those that match.
	WorkerFirst         bool
	WorkerFirstPatterns []string
}

// A Rule says what kind of module the files are that match its patterns.
type Rule struct {
	Type        string // ESModule, CommonJS, CompiledWasm, Text, Data, PythonModule
	Globs       []string
	Fallthrough bool
}

// Build is a command that comes before bundling.
type Build struct {
	Command  string
	Dir      string
	WatchDir []string
}

// Dev is for mayfly dev alone.
type Dev struct {
	IP   string
	Port int // 0: not given
}

// defaultRules are those that hold without being written.
var defaultRules = []Rule{
	{Type: "Text", Globs: []string{"**/*.txt", "**/*.html", "**/*.sql"}},
	{Type: "Data", Globs: []string{"**/*.bin"}},
	{Type: "CompiledWasm", Globs: []string{"**/*.wasm"}},
}
