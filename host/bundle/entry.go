package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"
)

// WranglerConfig is what createWorker tells of a wrangler configuration among
// the files.
type WranglerConfig struct {
	Main               string   `json:"main,omitempty"`
	CompatibilityDate  string   `json:"compatibilityDate,omitempty"`
	CompatibilityFlags []string `json:"compatibilityFlags,omitempty"`
}

// wranglerConfig reads the configuration, nil if there is none. One that is
// malformed is empty, as in the package that this follows.
func (v *virtual) wranglerConfig() *WranglerConfig {
	for _, name := range []string{"wrangler.toml", "wrangler.json", "wrangler.jsonc"} {
		text, ok := v.files[name]
		if !ok {
			continue
		}
		members := map[string]any{}
		if strings.HasSuffix(name, ".toml") {
			_, _ = toml.Decode(text, &members)
		} else {
			_ = decodeJSONC(text, &members)
		}
		c := &WranglerConfig{}
		c.Main, _ = members["main"].(string)
		c.CompatibilityDate, _ = members["compatibility_date"].(string)
		list, _ := members["compatibility_flags"].([]any)
		for _, f := range list {
			if flag, ok := f.(string); ok {
				c.CompatibilityFlags = append(c.CompatibilityFlags, flag)
			}
		}
		return c
	}
	return nil
}

// maxNesting is how deep JSON with comments may nest: its parser recurses.
const maxNesting = 1000

func decodeJSONC(text string, into any) error {
	depth := 0
	for _, c := range text {
		switch c {
		case '[', '{':
			if depth++; depth > maxNesting {
				return fmt.Errorf("it nests too deeply")
			}
		case ']', '}':
			depth--
		}
	}
	plain, err := hujson.Standardize([]byte(text))
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// entryPoints are looked for where nothing says which is it.
var entryPoints = []string{"src/index.ts", "src/index.js", "src/index.mts", "src/index.mjs", "index.ts", "index.js", "index.py", "src/worker.ts", "src/worker.js"}

// entry is the entry point: that of the options, of the wrangler configuration,
// of package.json, or the first usual one.
func (v *virtual) entry(given string, config *WranglerConfig) (string, error) {
	name := given
	if name == "" && config != nil {
		name = config.Main
	}
	if name == "" {
		if p := v.packageAt("."); p != nil {
			if p.Exports != nil {
				name, _ = p.Export(".", []string{"import", "default", "module"})
			}
			for _, main := range []string{p.Module, p.Main} {
				if name == "" {
					name = main
				}
			}
		}
	}
	if name == "" {
		if i := slices.IndexFunc(entryPoints, func(name string) bool { _, ok := v.files[name]; return ok }); i >= 0 {
			name = entryPoints[i]
		}
	}
	if name == "" {
		return "", &CreateError{fmt.Sprintf("Could not determine entry point for createWorker. Tried (in order): the `entryPoint` option, `main` in wrangler config, `exports`/`module`/`main` in package.json, and the defaults %s. Pass `entryPoint` explicitly or add one of those files.", strings.Join(entryPoints, ", "))}
	}
	name = cleanName(name)
	if _, ok := v.files[name]; !ok {
		return "", &CreateError{fmt.Sprintf("Entry point %q was not found in `files`. Available files: %s.", name, v.listing())}
	}
	return name, nil
}

// listing shows the names of the files, a few of them.
func (v *virtual) listing() string {
	const most = 10
	var list []string
	for name := range v.files {
		if !strings.HasPrefix(name, "node_modules/") {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return "(none)"
	}
	slices.Sort(list)
	if more := len(list) - most; more > 0 {
		return fmt.Sprintf("%s, … (+%d more)", strings.Join(list[:most], ", "), more)
	}
	return strings.Join(list, ", ")
}

// typescriptOptions are what counts of tsconfig.json: no other file that it
// extends is looked at.
func (v *virtual) typescriptOptions() string {
	text, ok := v.files["tsconfig.json"]
	if !ok {
		return "{}"
	}
	var config struct {
		CompilerOptions map[string]json.RawMessage `json:"compilerOptions"`
	}
	if decodeJSONC(text, &config) != nil {
		return "{}"
	}
	base := "."
	_ = json.Unmarshal(config.CompilerOptions["baseUrl"], &base)
	paths := map[string][]string{}
	_ = json.Unmarshal(config.CompilerOptions["paths"], &paths)
	for pattern, to := range paths {
		for i := range to {
			to[i] = base + "/" + to[i]
		}
		paths[pattern] = to
	}
	v.paths = paths
	delete(config.CompilerOptions, "paths")
	delete(config.CompilerOptions, "baseUrl")
	options, err := json.Marshal(map[string]any{"compilerOptions": config.CompilerOptions})
	if err != nil {
		return "{}"
	}
	return string(options)
}
