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

// BenchmarkWebClasses measures what the classes cost in the guest: ns/round is
// for one round of the source, the loop and its share of a run included.
func BenchmarkWebClasses(b *testing.B) {
	const rounds = 2000
	bootedImage(b) // not to be measured
	for _, bench := range []struct{ name, source string }{
		{"loop", ""},
		{"response", "new Response('hi')"},
		{"response with headers", "new Response('hi', { status: 201, headers: { 'x-a': '1', 'x-b': '2' } }).headers.get('x-a')"},
		{"response text", "new Response('hi').text()"},
		{"headers", "new Headers({ a: '1', b: '2' }).get('a')"},
		{"request", "new Request('https://example.com/a?b=1', { method: 'POST', body: 'x' })"},
		{"url", "new URL('https://example.com/a/b?c=1#d').pathname"},
		{"search params", "new URLSearchParams('a=1&b=2').get('b')"},
		{"clone", "structuredClone({ a: 1, b: [1, 2, { c: 'd' }] })"},
		{"encode", "new TextEncoder().encode('hello world')"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				l := run(b, program{source: "for (let i = 0; i < " + strconv.Itoa(rounds) + "; i++) { " + bench.source + " }\n0"})
				if l.err != nil || len(l.failures) > 0 {
					b.Fatal(l.err, l.failures)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rounds, "ns/round")
		})
	}
}
