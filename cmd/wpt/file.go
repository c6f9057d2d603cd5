package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const testSuffix = ".any.js"

// A test is one file of the suite, or one variant of it.
type test struct {
	path    string // in the suite, with slashes
	variant string // empty, or a query: ?include=file
	scripts []string
	long    bool // has six times as long
}

// id names the test: its path and variant.
func (t *test) id() string { return t.path + t.variant }

// folder is the interface that the test belongs to: streams, html.
func (t *test) folder() string {
	name, _, _ := strings.Cut(t.path, "/")
	return name
}

// findTests lists the tests that one of the patterns matches, all if there is
// none, in order. A pattern that matches nothing is an error.
func findTests(suite string, patterns []string) ([]test, error) {
	var tests []test
	used := make([]bool, len(patterns))
	err := filepath.WalkDir(suite, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, testSuffix) {
			return err
		}
		relative, err := filepath.Rel(suite, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		chosen := len(patterns) == 0
		for i, p := range patterns {
			if matches(p, name) {
				chosen, used[i] = true, true
			}
		}
		if !chosen {
			return nil
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		tests = append(tests, readTest(name, bufio.NewScanner(f))...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("no test matches %q", patterns[i])
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("no tests in %s", suite)
	}
	slices.SortFunc(tests, func(a, b test) int { return strings.Compare(a.id(), b.id()) })
	return tests, nil
}

// matches says whether a pattern means a file: it is its path, a folder of it,
// or has wildcards, where * is any number of characters.
func matches(pattern, name string) bool {
	pattern, _, _ = strings.Cut(pattern, "?")
	pattern = strings.TrimSuffix(pattern, "/")
	if !strings.Contains(pattern, "*") {
		return name == pattern || name == pattern+testSuffix || strings.HasPrefix(name, pattern+"/")
	}
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// readTest reads a file's metadata, the lines "// META: key=value" at its head
// (web-platform-tests.org, "testharness.js tests"), and answers its variants.
func readTest(name string, lines *bufio.Scanner) []test {
	t := test{path: name}
	var variants []string
	for lines.Scan() {
		comment, ok := strings.CutPrefix(lines.Text(), "//")
		if !ok {
			break
		}
		meta, ok := strings.CutPrefix(strings.TrimSpace(comment), "META:")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(meta), "=")
		switch key {
		case "script":
			if strings.HasPrefix(value, "/") {
				value = strings.TrimPrefix(value, "/")
			} else {
				value = path.Join(path.Dir(name), value)
			}
			if value == "resources/WebIDLParser.js" { // what the suite's server has under this name
				value = "resources/webidl2/lib/webidl2.js"
			}
			t.scripts = append(t.scripts, value)
		case "variant":
			variants = append(variants, value)
		case "timeout":
			t.long = value == "long"
		}
	}
	if len(variants) == 0 {
		return []test{t}
	}
	tests := make([]test, len(variants))
	for i, v := range variants {
		tests[i] = t
		tests[i].variant = v
	}
	return tests
}
