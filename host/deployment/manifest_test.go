package deployment

import (
	"errors"
	"strings"
	"testing"

	"mayfly/host/execution"
)

const manifest = `{"main_module": "a.js", "modules": {"a.js": {"js": "export default {}"}, "b.bin": {"data": "AAE="}}, "compatibility_date": "2026-01-01",
	"bindings": {"A": {"type": "service", "service": "b", "props": {"x": 1}}, "L": {"type": "worker_loader"}, "V": {"type": "var", "value": 1}},
	"limits": {"cpu_ms": 50}, "crons": ["*/5 * * * *"], "domains": ["shop.example.com"], "routes": ["www.example.com/*"]}`

// What is wrong with a manifest is told with the field that it is in.
func TestManifestErrors(t *testing.T) {
	for change, want := range map[string]string{
		`"crons": ["*/5 * * * *"]|"crons": ["* * * * *", "61 * * * *"]`: "/crons/1: minute",
		`"cpu_ms": 50|"cpu_ms": -1`:                                     "/limits/cpu_ms",
		`"cpu_ms": 50|"cpu_ms": "50"`:                                   "/limits/cpu_ms: is a JSON string: expected a number",
		`"service": "b"|"service": "B!"`:                                "/bindings/A/service",
		`"props"|"prop"`:                                                "/bindings/A: unknown field",
		`{"js": "export default {}"}|{}`:                                "/modules/a.js: has 0 members",
		`"main_module": "a.js"|"main_module": "c.js"`:                   "/main_module",
		`"limits"|"limit"`:                                              "unknown member",
		`"AAE="|"?"`:                                                    "illegal base64",
	} {
		old, replacement, _ := strings.Cut(change, "|")
		text := strings.Replace(manifest, old, replacement, 1)
		if text == manifest {
			t.Fatal(change)
		}
		m, err := ParseManifest([]byte(text))
		if err == nil {
			_, codeErr := m.code()
			_, _, bindingsErr := m.bindings()
			err = errors.Join(codeErr, bindingsErr, m.check())
		}
		var field *FieldError
		var invalid *execution.InvalidError
		if !errors.As(err, &field) && !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(manifest))
	f.Add([]byte(`{"modules": {"a": null, "b": {"json": null}}, "bindings": {"A": null, "B": 1}, "source_maps": {"a": "{}"}, "routes": ["/", "*", "*/*"], "crons": [""], "assets": {"files": {"": {}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		// None of it may fail but with an error.
		_, codeErr := m.code()
		_, mapsErr := m.maps()
		_, _, bindingsErr := m.bindings()
		if m.Assets != nil {
			_ = m.Assets.check()
		}
		m.triggers()
		m.Inventory()
		if errors.Join(codeErr, mapsErr, bindingsErr, m.check()) != nil {
			return
		}
		stored, err := encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(stored); err != nil {
			t.Fatalf("what was stored can't be read: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	m, err := ParseManifest([]byte(manifest))
	if err != nil {
		f.Fatal(err)
	}
	stored, err := encode(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decode(b) // it only must not panic
	})
}
