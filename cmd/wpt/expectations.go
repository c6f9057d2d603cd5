package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Expectations say of every test how many subtests it has and which of them
// are known to fail. There is one file for each interface of the suite, as
// streams.txt:
//
//	url/url-setters.any.js?include=file 263
//		# Why the following fail.
//		"name of a subtest"
//		file
//	url/url-tojson.any.js 2
//
// The word file stands for the test as a whole: it ends with an error or too
// late, and subtests that it doesn't come to count as failed. The word all says
// that all its subtests fail.
type expectations map[string]*expectation // by the test's id

// An expectation is what is known of one test.
type expectation struct {
	total   int
	broken  bool
	why     string // reason for broken
	all     bool
	fails   map[string]string // reason by subtest
	reasons []string          // in order of the file
}

func (e *expectation) add(reason string) {
	if !slices.Contains(e.reasons, reason) {
		e.reasons = append(e.reasons, reason)
	}
}

// A SyntaxError says where expectations can't be read.
type SyntaxError struct {
	File   string
	Line   int
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// readExpectations reads all files of a folder; one that is not there has none.
func readExpectations(folder string) (expectations, error) {
	all := expectations{}
	files, err := fs.Glob(os.DirFS(folder), "*.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		if err := all.parse(name, content); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// parse adds what one file says.
func (all expectations) parse(name string, content []byte) error {
	var e *expectation
	reason, number := "", 0
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		number++
		wrong := func(format string, a ...any) error {
			return &SyntaxError{name, number, fmt.Sprintf(format, a...)}
		}
		line := lines.Text()
		entry, indented := strings.CutPrefix(line, "\t")
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case !indented:
			id, count, _ := strings.Cut(line, " ")
			total, err := strconv.Atoi(count)
			if err != nil || total < 0 {
				return wrong("expected a test and the number of its subtests")
			}
			if all[id] != nil {
				return wrong("%s is there twice", id)
			}
			e, reason = &expectation{total: total, fails: map[string]string{}}, ""
			all[id] = e
		case e == nil:
			return wrong("an entry without a test")
		case strings.HasPrefix(entry, "# "):
			reason = entry[2:]
			e.add(reason)
		case reason == "":
			return wrong("an entry without a reason")
		case entry == "file":
			e.broken, e.why = true, reason
		case entry == "all":
			e.all, e.why = true, reason
		default:
			subtest, err := strconv.Unquote(entry)
			if err != nil {
				return wrong("expected a reason, file, all, or a subtest's name in quotes")
			}
			e.fails[subtest] = reason
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// format is the text of one interface's expectations.
func (all expectations) format(folder string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What is expected of the tests below %s, see cmd/wpt. This list only shrinks.\n", folder)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if (&test{path: id}).folder() != folder {
			continue
		}
		e := all[id]
		fmt.Fprintf(&b, "%s %d\n", id, e.total)
		for _, reason := range e.reasons {
			var entries []string
			if e.why == reason && e.broken {
				entries = append(entries, "file")
			}
			if e.why == reason && e.all {
				entries = append(entries, "all")
			}
			for _, subtest := range slices.Sorted(maps.Keys(e.fails)) {
				if e.fails[subtest] == reason {
					entries = append(entries, strconv.Quote(subtest))
				}
			}
			if len(entries) > 0 {
				fmt.Fprintf(&b, "\t# %s\n\t%s\n", reason, strings.Join(entries, "\n\t"))
			}
		}
	}
	return b.Bytes()
}

// write writes the files of the interfaces that changed.
func (all expectations) write(folder string, changed map[string]bool) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var errs []error
	for name := range changed {
		errs = append(errs, os.WriteFile(filepath.Join(folder, name+".txt"), all.format(name), 0o644))
	}
	return errors.Join(errs...)
}

// A comparison is one outcome against what was expected.
type comparison struct {
	outcome *outcome
	total   int
	passed  int
	better  []string // what passed unexpectedly
	worse   []string // what failed unexpectedly, each with its message
	// the same by name, for updates
	betterNames, worseNames []string
	fixed, broke            bool // of the file itself
}

// compare says where an outcome differs from the expectation, which may be nil.
func (o *outcome) compare(e *expectation) *comparison {
	c := &comparison{outcome: o, total: len(o.subtests)}
	if e == nil {
		e = &expectation{total: -1}
	}
	seen := map[string]bool{}
	for _, s := range o.subtests {
		seen[s.Name] = true
		_, expected := e.fails[s.Name]
		expected = expected || e.all
		if s.Status == pass {
			c.passed++
			if expected {
				c.betterNames = append(c.betterNames, s.Name)
				c.better = append(c.better, fmt.Sprintf("%q passes", s.Name))
			}
		} else if !expected {
			c.worseNames = append(c.worseNames, s.Name)
			c.worse = append(c.worse, fmt.Sprintf("%q: %s: %s", s.Name, s.Status, s.Message))
		}
	}
	for name := range e.fails {
		if !seen[name] && o.broken == "" {
			c.betterNames = append(c.betterNames, name)
			c.better = append(c.better, fmt.Sprintf("%q is not there", name))
		}
	}
	switch {
	case o.broken != "" && !e.broken:
		c.broke = true
		c.worse = append(c.worse, "the file: "+o.broken)
	case o.broken == "" && e.broken:
		c.fixed = true
		c.better = append(c.better, "the file ends as it should")
	}
	if o.broken != "" {
		// One failure for the file, and those that it did not come to.
		c.total = max(c.total+1, e.total)
	} else if e.total < 0 {
		c.worse = append(c.worse, "the test has no expectations")
	} else if e.total != c.total && !(e.broken && c.total > e.total) {
		c.worse = append(c.worse, fmt.Sprintf("%d subtests where %d were expected", c.total, e.total))
	}
	return c
}

// update takes off what passes, and with a reason puts on what fails. It
// answers the interfaces that changed.
func (all expectations) update(outcomes []outcome, reason string) map[string]bool {
	changed := map[string]bool{}
	for i := range outcomes {
		o := &outcomes[i]
		id := o.test.id()
		e := all[id]
		c := o.compare(e)
		if e != nil && len(c.better) == 0 && (len(c.worse) == 0 || reason == "") {
			continue
		}
		if e == nil {
			if reason == "" {
				continue
			}
			e = &expectation{fails: map[string]string{}}
			all[id] = e
		}
		changed[o.test.folder()] = true
		if e.all && len(c.betterNames) > 0 {
			e.all = false
			for _, s := range o.subtests {
				e.fails[s.Name] = e.why
			}
		}
		for _, name := range c.betterNames {
			delete(e.fails, name)
		}
		if c.fixed {
			// Now the file comes to all its subtests: of those that it did not
			// come to before, the ones that fail stay on the list.
			e.broken = false
			for _, name := range c.worseNames {
				e.fails[name] = e.why
			}
			e.total = c.total
		}
		if reason == "" {
			continue
		}
		e.total = c.total
		for _, name := range c.worseNames {
			e.add(reason)
			e.fails[name] = reason
		}
		if c.broke {
			e.add(reason)
			e.broken, e.why = true, reason
		}
	}
	return changed
}
