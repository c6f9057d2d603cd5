package project

import (
	"fmt"
	"strings"
)

// A Problem is something in a configuration file that its author should know.
type Problem struct {
	File  string
	Line  int    // from 1; 0: of the file as a whole
	Field string // as r2_buckets[0].binding; empty: none in particular
	Text  string
}

// String is the problem as compilers print theirs: file, line, what.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field)
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// An Error is a configuration that can't be used, with all that is wrong in it.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
