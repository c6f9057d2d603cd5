package execution_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/host/execution"
)

// TestNodeModulesOfTheHost compares what programs print that use node's modules
// over the host with what node printed (version 20, by node X.mjs > X.stdout).
func TestNodeModulesOfTheHost(t *testing.T) {
	programs, err := filepath.Glob("testdata/node/*.mjs")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	s := newService(t, nil)
	for _, path := range programs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(path, ".mjs") + ".stdout")
			if err != nil {
				t.Fatal(err)
			}
			if r := execute(t, s, js(string(source))); r.Outcome != execution.OK || r.Stdout != string(want) {
				t.Errorf("got %s\nwant %s", show(r), want)
			}
		})
	}
}
