package worker

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"mayfly/guests/quickjs"
	"mayfly/host/egress"
	"mayfly/host/execution"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

var program *isolate.Program

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	remove, err := trustTestServers()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		cache = filepath.Join(user, "mayfly")
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer e.Close()
	if program, err = isolate.Prepare(context.Background(), e, quickjs.Guest{}, cache, nil); err != nil {
		fmt.Fprintln(os.Stderr, "the guest could not be prepared:", err)
		return 1
	}
	defer program.Close()
	return m.Run()
}

// trustTestServers has the certificate of httptest be one of the system's: it is
// for 127.0.0.1 and example.com.
func trustTestServers() (remove func(), err error) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	file, err := os.CreateTemp("", "certificate")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := os.Setenv("SSL_CERT_FILE", file.Name()); err != nil {
		return nil, err
	}
	return func() { os.Remove(file.Name()) }, pem.Encode(file, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// newService makes a service for a test.
func newService(t testing.TB, edit func(*Config), more ...execution.Language) *Service {
	t.Helper()
	rt, err := isolate.New(isolate.Config{Processors: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	executions, err := execution.New(execution.Config{Runtime: rt, Objects: nowhere{}, Egress: egress.Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}, append([]execution.Language{{
		Names: []string{"javascript", "typescript"}, Version: quickjs.Version(), Image: "quickjs", Builtin: quickjs.Builtin, Dialect: execution.JavaScript,
	}}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(executions.Close)
	if err := executions.Install("javascript", program, nil); err != nil {
		t.Fatal(err)
	}
	config := Config{Executions: executions}
	if edit != nil {
		edit(&config)
	}
	s := New(config)
	t.Cleanup(s.Close)
	return s
}

type nowhere struct{ execution.Objects }

// script is a definition of one module.
func script(source string) Definition {
	return Definition{Name: "test", Tenant: "tenant", Code: &Code{
		MainModule: "index.js", Modules: map[string]Module{"index.js": {JS, []byte(source)}}, CompatibilityDate: "2026-01-01",
	}}
}
