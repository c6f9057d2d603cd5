package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"mayfly/host/worker"
	"mayfly/runtime/isolate"
)

// A devLog prints what a worker does, event by event.
type devLog struct {
	style *terminalStyle

	mu sync.Mutex
	w  io.Writer
}

var levelColours = map[string]string{"debug": colourFaint, "info": colourCyan, "warn": colourYellow, "error": colourRed}

// logged prints a message of the console as it comes.
func (l *devLog) logged(w *worker.Worker, m *worker.TraceLog) {
	l.message(l.who(w), m)
}

func (l *devLog) message(who string, m *worker.TraceLog) {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(printable(m.Text), "\n"), "\n") {
		fmt.Fprintf(&b, "%s%s\n", who, l.style.paint(levelColours[m.Level], line))
	}
	l.print(b.String())
}

// who names a worker that the project's own has made.
func (l *devLog) who(w *worker.Worker) string {
	def := w.Definition()
	if def.Parent == "" {
		return ""
	}
	return l.style.paint(colourFaint, "["+printable(cmp.Or(def.ID, def.Name))+"] ")
}

// traced prints an event: its errors, and what it was.
func (l *devLog) traced(w *worker.Worker, t *worker.Trace) { l.ended(l.who(w), t) }

func (l *devLog) ended(who string, t *worker.Trace) {
	var b strings.Builder
	for _, e := range t.Exceptions {
		stack := strings.TrimPrefix(printable(e.Stack), e.Name+": "+e.Message)
		fmt.Fprintf(&b, "%s%s %s\n", who, l.style.paint(colourRed, "uncaught"), l.style.paint(colourBold, printable(e.Name+": "+e.Message)))
		if stack = strings.Trim(stack, "\n"); stack != "" {
			fmt.Fprintln(&b, l.style.paint(colourFaint, stack))
		}
	}
	if what := l.event(t); what != "" {
		fmt.Fprintf(&b, "%s%s\n", who, what)
	}
	l.print(b.String())
}

func (l *devLog) event(t *worker.Trace) string {
	took := l.style.paint(colourFaint, time.Duration(t.WallTime*float64(time.Millisecond)).Round(100*time.Microsecond).String())
	outcome := ""
	if t.Outcome != isolate.OK {
		outcome = " " + l.style.paint(colourRed, string(t.Outcome))
	}
	switch e := t.Event.(type) {
	case *worker.FetchTrace:
		return l.fetch(e) + outcome + " " + took
	case *worker.ScheduledTrace:
		return "scheduled " + e.Cron + outcome + " " + took
	}
	if outcome != "" {
		return "event" + outcome + " " + took
	}
	return ""
}

func (l *devLog) fetch(e *worker.FetchTrace) string {
	target := e.Request.URL
	if u, err := url.Parse(target); err == nil {
		target = u.RequestURI()
	}
	text := e.Request.Method + " " + printable(target)
	if e.Response == nil {
		return text
	}
	colour := colourGreen
	switch {
	case e.Response.Status >= 500:
		colour = colourRed
	case e.Response.Status >= 400:
		colour = colourYellow
	case e.Response.Status >= 300:
		colour = colourCyan
	}
	return text + " " + l.style.paint(colour, fmt.Sprint(e.Response.Status))
}

func (l *devLog) print(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, text) // to a terminal
}

// Write implements io.Writer, one message at a time.
func (l *devLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
