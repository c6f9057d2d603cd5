package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers says what the packages below a folder may import of this module:
// imports go downwards only.
var layers = map[string][]string{
	"runtime/engine":   {},
	"runtime/wasm":     {},
	"runtime/snapshot": {"runtime/engine"},
	"runtime/isolate":  {"runtime/engine", "runtime/wasm", "runtime/snapshot"},
	"storage":          {"storage"},
	"host/op":          {"host/op"},
	"host":             {"host", "runtime", "storage"},
	"guests":           {"guests", "runtime", "host/op", "host/vfs", "host/wasi"},
	"api":              {"api", "host", "storage"},
	"cmd":              {"cmd", "api", "guests", "host", "runtime", "storage"},
}

// owners are the only importers of a module from elsewhere.
var owners = map[string]string{
	"github.com/tetratelabs/wazero":  "runtime/engine",
	"github.com/evanw/esbuild":       "host/bundle",
	"github.com/labstack/echo":       "api",
	"github.com/minio/minio-go":      "storage/s3",
	"modernc.org/sqlite":             "storage",
	"github.com/alecthomas/kong":     "cmd",
	"github.com/schollz/progressbar": "cmd",
}

func TestImportsGoDownwards(t *testing.T) {
	command := exec.Command("go", "list", "-json=ImportPath,Imports", "mayfly/...")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for decoder := json.NewDecoder(out); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		name := strings.TrimPrefix(p.ImportPath, "mayfly/")
		layer := layerOf(name)
		if layer == "" {
			t.Errorf("%s is in no layer: say in this test and in ARCHITECTURE.md where it belongs", name)
			continue
		}
		for _, imported := range p.Imports {
			if own, ok := strings.CutPrefix(imported, "mayfly/"); ok {
				if !allowed(layers[layer], own) && !strings.HasPrefix(own, name+"/") {
					t.Errorf("%s imports %s, which is not below %s", name, own, layer)
				}
				continue
			}
			for module, owner := range owners {
				if below(imported, module) && !below(name, owner) {
					t.Errorf("%s imports %s, which only %s may", name, imported, owner)
				}
			}
		}
	}
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	if seen < 15 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

// layerOf is the longest folder in layers that a package is below.
func layerOf(name string) (layer string) {
	for folder := range layers {
		if below(name, folder) && len(folder) > len(layer) {
			layer = folder
		}
	}
	return layer
}

func allowed(folders []string, name string) bool {
	for _, f := range folders {
		if below(name, f) {
			return true
		}
	}
	return false
}

func below(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
