package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// childVariable makes the test binary the program itself, so that a test can
// run it as a process of its own, built with the same tags.
const childVariable = "MAYFLY_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main() // does not return
	}
	testscript.Main(m, map[string]func(){"mayfly": main})
}
