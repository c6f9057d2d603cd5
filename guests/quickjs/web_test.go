package quickjs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// checksPassed is how a program under testdata says that it came to its end.
var checksPassed = regexp.MustCompile(`^(\d+) checks passed\n$`)

// TestWebClasses runs the programs under testdata/web, which check the classes
// that are written in C against the standards of the web.
func TestWebClasses(t *testing.T) {
	library, err := os.ReadFile(checkLibrary)
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("testdata/web/*.test.js")
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) == 0 {
		t.Fatal("no programs under testdata/web")
	}
	for _, path := range programs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			l := run(t, program{source: string(source), name: filepath.Base(path), files: map[string]string{"check.js": string(library)}})
			if l.err != nil {
				t.Fatal(l.err)
			}
			for _, f := range l.failures {
				t.Errorf("%s: %s\n%s", f.Name, f.Message, f.Stack)
			}
			if l.stderr.Len() > 0 {
				t.Errorf("failed checks:\n%s", l.stderr.String())
			}
			said := checksPassed.FindStringSubmatch(l.stdout.String())
			if said == nil {
				t.Fatalf("it did not come to its end; it printed %q", l.stdout.String())
			}
			if n, _ := strconv.Atoi(said[1]); n < 50 {
				t.Errorf("only %d checks", n)
			}
		})
	}
}
