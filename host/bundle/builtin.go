package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// nodeModules are the modules of Node.js that no package can be named after;
// those that the guest has are asked for first.
var nodeModules = []string{
	"assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto", "dgram", "diagnostics_channel", "dns",
	"domain", "events", "fs", "http", "http2", "https", "inspector", "module", "net", "os", "path", "perf_hooks", "process", "punycode",
	"querystring", "readline", "repl", "stream", "string_decoder", "sys", "timers", "tls", "trace_events", "tty", "url", "util", "v8", "vm",
	"wasi", "worker_threads", "zlib",
}

// missingBuiltins lets programs import modules of Node.js that the guest does
// not have: using one is an error that says so, importing it is none, as many
// packages import what they need in some places only.
func missingBuiltins() api.Plugin {
	const missing = "missing-builtin"
	return api.Plugin{Name: "missing builtins", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^(node:.+|[a-z0-9_]+(/[a-z0-9_/]+)?)$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			name, prefixed := strings.CutPrefix(a.Path, "node:")
			module, _, _ := strings.Cut(name, "/")
			if !prefixed {
				if a.PluginData == missingAsked || !slices.Contains(nodeModules, module) {
					return api.OnResolveResult{}, nil
				}
				// A package may have that name.
				r := b.Resolve(a.Path, api.ResolveOptions{ResolveDir: a.ResolveDir, Importer: a.Importer, Kind: a.Kind, PluginData: missingAsked})
				if len(r.Errors) == 0 {
					return api.OnResolveResult{}, nil
				}
			}
			result := api.OnResolveResult{Path: name, Namespace: missing}
			if !strings.Contains(a.Importer, "node_modules") {
				result.Warnings = []api.Message{{Text: fmt.Sprintf("There is no node:%s here: importing it works, using it is an error", name)}}
			}
			return result, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: missing}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			// esbuild copies the properties of a CommonJS module to an object with
			// the same prototype, so that is where access is noticed.
			source := fmt.Sprintf(`module.exports = Object.create(new Proxy({}, {
  get(_, name) {
    if (typeof name === "symbol" || name === "__esModule" || name === "default" || name === "then") return undefined;
    throw new Error(%q + "." + name + " is not available here");
  },
}));`, "node:"+a.Path)
			return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
		})
	}}
}

const missingAsked resolving = 10

// runtimeModules keeps the imports of what the runtime itself offers; the npm
// package among it bundles in wasm, where the runtime does so natively.
func runtimeModules() api.Plugin {
	return api.Plugin{Name: "runtime modules", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^((cloudflare|workerd):.*|@cloudflare/worker-bundler)$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: a.Path, External: true}, nil
		})
	}}
}
