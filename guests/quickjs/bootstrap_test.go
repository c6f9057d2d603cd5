package quickjs

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateGoldens = flag.Bool("update-goldens", false, "write the goldens of testdata/js/golden anew by running node, which must be of version 20")

// checkLibrary is what the self-checking programs import as ./check.js.
const checkLibrary = "testdata/js/check.js"

// TestPrograms runs the programs under testdata/js: each checks itself and
// answers with how many checks it made.
func TestPrograms(t *testing.T) {
	library, err := os.ReadFile(checkLibrary)
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("testdata/js/*.test.js")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, file := range programs {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".test.js"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPlatform(t, map[string]string{"check.js": string(library)})
			l := runPlatform(t, p, string(source), name)
			if l.err != nil {
				t.Fatalf("error: %v\n%s%s", l.err, p.stdout.String(), p.stderr.String())
			}
			for _, f := range l.failures {
				t.Errorf("failed (%d): %v\n%s", f.origin, f.ErrorRecord, f.Stack)
			}
			if failed := p.stderr.String(); failed != "" {
				t.Errorf("checks failed:\n%s", failed)
			}
			if !strings.HasSuffix(p.stdout.String(), " checks passed\n") {
				t.Errorf("the program did not come to its end; its output:\n%s", p.stdout.String())
			}
		})
	}
}

// TestGoldens compares the output of programs with what node printed.
func TestGoldens(t *testing.T) {
	programs, err := filepath.Glob("testdata/js/golden/*.mjs")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, file := range programs {
		base := strings.TrimSuffix(file, ".mjs")
		t.Run(filepath.Base(base), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *updateGoldens {
				updateGolden(t, file, base)
			}
			l := runPlatform(t, newPlatform(t, nil), string(source), filepath.Base(file))
			if l.err != nil {
				t.Fatal(l.err)
			}
			for _, f := range l.failures {
				t.Errorf("failed (%d): %v\n%s", f.origin, f.ErrorRecord, f.Stack)
			}
			for extension, got := range map[string]string{".stdout": l.stdout.String(), ".stderr": l.stderr.String()} {
				want, err := os.ReadFile(base + extension)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("%s differs (-node +guest):\n%s", extension, diff)
				}
			}
		})
	}
}

func updateGolden(t *testing.T, file, base string) {
	t.Helper()
	absolute, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("node", absolute)
	command.Dir = "/"
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	for extension, text := range map[string]string{".stdout": stdout.String(), ".stderr": stderr.String()} {
		if err := os.WriteFile(base+extension, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProcessExit(t *testing.T) {
	for _, c := range []struct {
		name, source, stdout string
		code                 uint32
		exits                bool
	}{
		{"falls off the end", `process.on("exit", (code) => console.log("exit", code))`, "exit 0\n", 0, false},
		{"exitCode", `process.on("exit", (code) => console.log("exit", code)); process.exitCode = 3`, "exit 3\n", 3, true},
		{"exit", `process.on("exit", (code) => console.log("exit", code)); process.exit(4); console.log("not here")`, "exit 4\n", 4, true},
		{"exit in a timer", `setInterval(() => {}, 1); setTimeout(() => process.exit(5), 10)`, "", 5, true},
		{"beforeExit starts anew", `let n = 0; process.on("beforeExit", () => { if (n++ < 2) setTimeout(() => console.log("more"), 1); })`, "more\nmore\n", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlatform(t, nil)
			l := runPlatform(t, p, c.source, "main.js")
			for _, f := range l.failures {
				t.Errorf("failed (%d): %v", f.origin, f.ErrorRecord)
			}
			if got := p.stdout.String(); got != c.stdout {
				t.Errorf("stdout %q, want %q", got, c.stdout)
			}
			switch {
			case c.exits && p.exit == nil:
				t.Error("it did not exit")
			case c.exits && *p.exit != c.code:
				t.Errorf("exit code %d, want %d", *p.exit, c.code)
			case !c.exits && p.exit != nil:
				t.Errorf("it exited with %d", *p.exit)
			}
		})
	}
}
