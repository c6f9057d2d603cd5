package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"mayfly/host/bundle"
)

// A terminalStyle is how messages look: in colours on a terminal whose user did
// not ask for none (https://no-color.org).
type terminalStyle struct{ colour bool }

func newTerminalStyle(w io.Writer) *terminalStyle {
	f, ok := w.(*os.File)
	return &terminalStyle{ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Colours, as SGR has them (ECMA-48).
const (
	colourRed    = "31"
	colourGreen  = "32"
	colourYellow = "33"
	colourCyan   = "36"
	colourFaint  = "2"
	colourBold   = "1"
)

func (s *terminalStyle) paint(colour, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// printable is a text of a program without what moves a terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}

func (s *terminalStyle) warning(w io.Writer, text string) {
	fmt.Fprintf(w, "%s %s\n", s.paint(colourYellow, "warning:"), text)
}

func (s *terminalStyle) failure(w io.Writer, text string) {
	fmt.Fprintf(w, "%s %s\n", s.paint(colourRed, "error:"), text)
}

// mistake shows an error of the sources, the line, and what in it is meant.
func (s *terminalStyle) mistake(w io.Writer, e *bundle.Error) {
	s.message(w, colourRed, "error:", e)
}

func (s *terminalStyle) message(w io.Writer, colour, label string, e *bundle.Error) {
	at := ""
	if e.File != "" {
		at = fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	}
	fmt.Fprintf(w, "%s %s%s\n", s.paint(colour, label), at, s.paint(colourBold, e.Text))
	if e.Excerpt != "" {
		number := fmt.Sprint(e.Line)
		fmt.Fprintf(w, "  %s %s\n", s.paint(colourFaint, number+" │"), strings.ReplaceAll(e.Excerpt, "\t", "    "))
		before := e.Excerpt[:min(max(e.Column-1, 0), len(e.Excerpt))]
		indent := len([]rune(strings.ReplaceAll(before, "\t", "    ")))
		marked := e.Excerpt[len(before):min(len(before)+max(e.Length, 1), len(e.Excerpt))]
		fmt.Fprintf(w, "  %s %s%s\n", s.paint(colourFaint, strings.Repeat(" ", len(number))+" │"), strings.Repeat(" ", indent), s.paint(colour, strings.Repeat("~", max(len([]rune(marked)), 1))))
	}
	for _, n := range e.Notes {
		fmt.Fprintf(w, "  %s\n", s.paint(colourFaint, n))
	}
}
