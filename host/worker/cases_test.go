package worker

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"mayfly/guests/quickjs"
	"mayfly/host/binding"
	"mayfly/host/bundle"
	"mayfly/host/rpc"
)

const casesDir = "../../testdata/workers"

// config is what counts of a wrangler.jsonc.
type config struct {
	Name               string                     `json:"name"`
	Main               string                     `json:"main"`
	CompatibilityDate  string                     `json:"compatibility_date"`
	CompatibilityFlags []string                   `json:"compatibility_flags"`
	Vars               map[string]json.RawMessage `json:"vars"`
	Loaders            []struct{ Binding string } `json:"worker_loaders"`
}

// TestWorkers runs the tests that are workers, see the README beside them.
func TestWorkers(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(casesDir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no cases", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			target := project(t, archive)
			status, list := get(t, target, "http://suite/")
			var names []string
			if status != 200 || json.Unmarshal([]byte(list), &names) != nil || len(names) == 0 {
				t.Fatalf("%d %s", status, list)
			}
			for _, name := range names {
				t.Run(name, func(t *testing.T) {
					status, body := get(t, target, "http://suite/?test="+url.QueryEscape(name))
					if status != 200 {
						t.Error(body)
					}
				})
			}
		})
	}
}

// project is the default entrypoint of an archive's worker.
func project(t *testing.T, archive *txtar.Archive) rpc.Target {
	t.Helper()
	var c config
	code := &Code{Modules: map[string]Module{}}
	helper, err := os.ReadFile(filepath.Join(casesDir, "test.js"))
	if err != nil {
		t.Fatal(err)
	}
	code.Modules["test.js"] = Module{JS, helper}
	for _, f := range archive.Files {
		switch filepath.Ext(f.Name) {
		case ".jsonc":
			if err := json.Unmarshal(f.Data, &c); err != nil {
				t.Fatal(err)
			}
		case ".js":
			code.Modules[f.Name] = Module{JS, f.Data}
		default:
			code.Modules[f.Name] = Module{Text, f.Data}
		}
	}
	code.MainModule, code.CompatibilityDate, code.CompatibilityFlags = c.Main, c.CompatibilityDate, c.CompatibilityFlags
	def := Definition{Name: c.Name, Tenant: "tenant", Code: code}
	for name, value := range c.Vars {
		def.Bindings.Entries = append(def.Bindings.Entries, varEntry(name, value))
	}
	for _, l := range c.Loaders {
		def.Loaders = append(def.Loaders, LoaderBinding{l.Binding})
	}
	bundler := bundle.NewCreator(nil, quickjs.Builtin, nil)
	t.Cleanup(bundler.Close)
	s := newService(t, func(c *Config) { c.Bundler = bundler })
	return s.Worker(def).Entrypoint("", rpc.Value{}, Limits{})
}

func varEntry(name string, value json.RawMessage) binding.Entry {
	return binding.Entry{Name: name, Kind: binding.KindVar, Value: value}
}
