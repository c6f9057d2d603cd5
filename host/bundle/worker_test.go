package bundle

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

const workerVariable = "BUNDLE_TEST_WORKER"

// TestWorkerProcess is a worker, in a process of its own.
func TestWorkerProcess(t *testing.T) {
	if os.Getenv(workerVariable) == "" {
		t.Skip("it is run by TestWorkers")
	}
	if err := Work(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestWorkers(t *testing.T) {
	t.Setenv(workerVariable, "1")
	tr := NewTransformer(0)
	tr.UseWorkers([]string{os.Args[0], "-test.run=^TestWorkerProcess$"})
	defer tr.Close()
	honest := func() {
		code, err := tr.Transform("a.ts", "export const a: string = 'ä'", TypeScript, "")
		if err != nil || !strings.Contains(code.JavaScript, `const a = "ä"`) || code.Map == nil {
			t.Errorf("got %v, %v", code, err)
		}
	}
	honest()
	var mistake *Error
	if _, err := tr.Transform("a.ts", "let a: = 1", TypeScript, ""); !errors.As(err, &mistake) || mistake.Line != 1 || mistake.Column != 8 || mistake.Excerpt != "let a: = 1" {
		t.Errorf("got %v", err)
	}
	for _, hostile := range []string{
		strings.Repeat("[", 4_000_000),              // overflows the stack
		strings.Repeat("a=>", 20_000) + "1",         // takes too long
		"1" + strings.Repeat("/*"+"\n", 100) + "*/", // is a mistake or none
	} {
		if _, err := tr.Transform("a.ts", hostile, TypeScript, ""); err != nil && (!errors.As(err, &mistake) || mistake.Text == "") {
			t.Errorf("got %v", err)
		}
		honest()
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				honest()
			}
		})
	}
	wg.Wait()
}

func BenchmarkWorkers(b *testing.B) {
	b.Setenv(workerVariable, "1")
	tr := NewTransformer(0)
	tr.UseWorkers([]string{os.Args[0], "-test.run=^TestWorkerProcess$"})
	defer tr.Close()
	for b.Loop() {
		if _, err := tr.Transform("a.ts", "export default (x: number): number => x + 1", TypeScript, ""); err != nil {
			b.Fatal(err)
		}
	}
}
