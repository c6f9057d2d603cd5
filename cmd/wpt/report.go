package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// Shares of subtests that have to pass, and that should.
const (
	mustPass = 0.85
	aimPass  = 0.97
)

// A report is what a run came to.
type report struct {
	comparisons []*comparison
	unexpected  []string
}

func newReport(outcomes []outcome, expected expectations) *report {
	r := &report{}
	for i := range outcomes {
		c := outcomes[i].compare(expected[outcomes[i].test.id()])
		r.comparisons = append(r.comparisons, c)
		for _, line := range append(c.worse, c.better...) {
			r.unexpected = append(r.unexpected, c.outcome.test.id()+": "+line)
		}
	}
	return r
}

// A tally counts subtests.
type tally struct {
	name                 string
	files, passed, total int
}

func (t *tally) share() float64 {
	if t.total == 0 {
		return 0
	}
	return float64(t.passed) / float64(t.total)
}

// tallies counts by interface; the last one is of all.
func (r *report) tallies() []*tally {
	var list []*tally
	all := &tally{name: "all"}
	for _, c := range r.comparisons {
		folder := c.outcome.test.folder()
		if len(list) == 0 || list[len(list)-1].name != folder { // tests are in order
			list = append(list, &tally{name: folder})
		}
		for _, t := range []*tally{list[len(list)-1], all} {
			t.files++
			t.passed += c.passed
			t.total += c.total
		}
	}
	return append(list, all)
}

// print writes the report for a person: what was unexpected, or with verbose
// all that failed, and a table.
func (r *report) print(out io.Writer, verbose bool) {
	for _, c := range r.comparisons {
		if verbose {
			c.outcome.print(out)
		}
		for _, line := range c.worse {
			fmt.Fprintf(out, "UNEXPECTED %s: %s\n", c.outcome.test.id(), shorten(line, verbose))
		}
		for _, line := range c.better {
			fmt.Fprintf(out, "UNEXPECTED %s: %s\n", c.outcome.test.id(), line)
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "interface\ttests\tpassed\tsubtests\tshare\t\n")
	for _, t := range r.tallies() {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f %%\t\n", t.name, t.files, t.passed, t.total, 100*t.share())
	}
	table.Flush()
	all := r.tallies()
	share := all[len(all)-1].share()
	verdict := "less than has to pass"
	switch {
	case share >= aimPass:
		verdict = "as aimed at"
	case share >= mustPass:
		verdict = "as has to be"
	}
	fmt.Fprintf(out, "%.2f %% pass: %s (must %.0f %%, aim %.0f %%)\n", 100*share, verdict, 100*mustPass, 100*aimPass)
}

// print writes all that failed, and why.
func (o *outcome) print(out io.Writer) {
	for _, s := range o.subtests {
		if s.Status != pass {
			fmt.Fprintf(out, "%s: %q %s: %s\n", o.test.id(), s.Name, s.Status, printable(s.Message))
		}
	}
	if o.broken != "" {
		fmt.Fprintf(out, "%s: %s\n", o.test.id(), o.broken)
	}
}

// printable shows control characters, which messages of tests have, as what
// they are.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// shorten keeps a message to a line, unless all is to be seen.
func shorten(s string, whole bool) string {
	s = printable(s)
	if whole {
		return s
	}
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}
