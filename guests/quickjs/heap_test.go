package quickjs

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The allocator is tested natively, where a sanitizer sees what it does: the
// same header, with a heap and names of its own.
func TestAllocator(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		// The guest's own compiler does, without the sanitizers' libraries.
		t.Fatalf("no C compiler to test the allocator with: %v", err)
	}
	program := filepath.Join(t.TempDir(), "alloc_test")
	build := exec.Command(compiler, "-m64", "-O1", "-g", "-Wall", "-Werror", "-Wno-unused-function", "-fsanitize=undefined", "-fno-sanitize-recover=all",
		"-I", "c", "-o", program, filepath.Join("testdata", "alloc_test.c"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command(program)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
