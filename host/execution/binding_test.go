package execution_test

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/host/binding"
	"mayfly/host/execution"
	"mayfly/runtime/isolate"
	"mayfly/storage"
	objects "mayfly/storage/fs"
	"mayfly/storage/kv/embedded"
)

//go:embed testdata/bindings
var bindingPrograms embed.FS

// tenantBuckets has the buckets that were made for tenants.
type tenantBuckets struct{ store *objects.Store }

func (b tenantBuckets) Open(ctx context.Context, tenant, name string) (storage.Objects, error) {
	if name == "missing" {
		return nil, &storage.Error{Op: "open bucket", Bucket: name, Err: storage.ErrNoSuchBucket}
	}
	return b.store.Bucket(ctx, strings.ToLower("tenant-"+tenant+"-"+name))
}

// withStores gives a service stores of its own.
func withStores(t testing.TB, change func(*execution.Config)) *execution.Service {
	t.Helper()
	stores := stores(t)
	return newService(t, func(c *execution.Config, _ *isolate.Config) {
		stores(c)
		if change != nil {
			change(c)
		}
	})
}

// stores makes stores, and answers what gives them to a service.
func stores(t testing.TB) func(*execution.Config) {
	t.Helper()
	dir := t.TempDir()
	kv, err := embedded.Open(t.Context(), filepath.Join(dir, "kv.db"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := objects.Open(t.Context(), filepath.Join(dir, "objects"), objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(kv.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return func(c *execution.Config) { c.KV, c.Buckets = kv, tenantBuckets{store} }
}

// bindingProgram is a request for a program of testdata/bindings, whose result
// has to be "ok".
func bindingProgram(t testing.TB, name string, bindings ...execution.Binding) execution.Request {
	t.Helper()
	r := execution.Request{Language: "javascript", Entrypoint: name, Tenant: "t", Bindings: bindings}
	entries, err := fs.ReadDir(bindingPrograms, "testdata/bindings")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := bindingPrograms.ReadFile("testdata/bindings/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		r.Files = append(r.Files, execution.File{Path: e.Name(), Content: content})
	}
	return r
}

func wantOK(t testing.TB, result *execution.Result) {
	t.Helper()
	if result.Outcome != execution.OK || string(result.Value) != `"ok"` {
		message := ""
		if result.Error != nil {
			message = result.Error.Name + ": " + result.Error.Message + "\n" + result.Error.Stack
		}
		t.Fatalf("%s, value %s, stderr %s\n%s", result.Outcome, result.Value, result.Stderr, message)
	}
}

func r2Binding(name string) execution.Binding {
	return execution.Binding{Name: name, Type: binding.KindR2, Bucket: "files"}
}

func kvBinding(name string) execution.Binding {
	return execution.Binding{Name: name, Type: binding.KindKV, Namespace: "settings"}
}

func TestKV(t *testing.T) {
	s := withStores(t, nil)
	result := execute(t, s, bindingProgram(t, "kv.js", kvBinding("KV")))
	wantOK(t, result)
	u := result.Usage.Bindings
	if u.Operations < 150 || u.ReadBytes < 6_000_000 || u.WriteBytes < 3_000_000 {
		t.Errorf("usage is %+v", u)
	}
}

func TestR2(t *testing.T) {
	s := withStores(t, nil)
	wantOK(t, execute(t, s, bindingProgram(t, "r2.js", r2Binding("BUCKET"))))
}

func TestPythonBindings(t *testing.T) {
	s := pythonService(t, stores(t), func(c *execution.Config) { c.Secrets = secrets{"TOKEN": "sesame"} })
	r := bindingProgram(t, "bindings.py", kvBinding("KV"), r2Binding("BUCKET"),
		execution.Binding{Name: "LIMIT", Type: binding.KindVar, Value: json.RawMessage("5")}, execution.Binding{Name: "WORDS", Type: binding.KindVar, Value: json.RawMessage(`["a", "b"]`)},
		execution.Binding{Name: "S", Type: binding.KindSecret, Secret: "TOKEN"}, execution.Binding{Name: "SITE", Type: binding.KindAssets, Files: "site"})
	r.Language = "python"
	r.Files = append(r.Files, execution.File{Path: "site/index.html", Content: []byte("hi")})
	wantOK(t, execute(t, s, r))
}
