package main

import (
	_ "embed"
	"errors"
	"fmt"
	html "html/template"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"mayfly/host/bundle"
	"mayfly/host/op"
)

// Paths below which mayfly dev answers itself.
const (
	devPrefix = "/__mayfly/"
	devEvents = devPrefix + "events"
	devScript = devPrefix + "reload.js"
)

//go:embed devpage.html
var errorPageText string

var errorPage = html.Must(html.New("page").Parse(errorPageText))

// reloadScript has a page loaded anew when the project has changed since the
// build that answered it: also when that was before the page began to listen.
// It asks once for each build, since a page out of a cache stays as old as it is.
const reloadScript = `(() => {
  const asked = "mayfly-reloaded-for";
  const build = new URL(document.currentScript.src).searchParams.get("build");
  const source = new EventSource("` + devEvents + `");
  source.addEventListener("build", (event) => {
    if (event.data === build || event.data === sessionStorage.getItem(asked)) return;
    sessionStorage.setItem(asked, event.data);
    location.reload();
  });
})();
`

// A pageError is an error as the page shows it.
type pageError struct {
	Title   string // Build failed, or the error's name
	Message string
	Place   string // file:line:column, where it is known
	Lines   []pageLine
	Stack   []pageFrame
	Notes   []string
	Cause   *pageError
}

type pageLine struct {
	Number              int
	Failing             bool
	Before, Mark, After string
}

type pageFrame struct {
	Text string
	Own  bool // in the project's own sources
}

// pageContext is how many lines are shown before and after the failing one.
const pageContext = 5

// excerpt reads the lines around a place in the project's files; column 0 marks
// nothing in the line: the engine's columns are where a call ends.
func (d *development) excerpt(file string, line, column, length int) []pageLine {
	if !filepath.IsLocal(filepath.FromSlash(file)) || line < 1 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(d.dir, filepath.FromSlash(file)))
	if err != nil || len(text) > 4<<20 {
		return nil
	}
	rows := strings.Split(string(text), "\n")
	var lines []pageLine
	for n := max(line-pageContext, 1); n <= min(line+pageContext, len(rows)); n++ {
		row := strings.TrimSuffix(rows[n-1], "\r")
		if len(row) > 500 {
			row = row[:500] + "…"
		}
		l := pageLine{Number: n, Failing: n == line, Before: row}
		if n == line && column > 0 && column-1 < len(row) {
			end := min(column-1+max(length, 1), len(row))
			l.Before, l.Mark, l.After = row[:column-1], row[column-1:end], row[end:]
		}
		lines = append(lines, l)
	}
	return lines
}

var framePlace = regexp.MustCompile(`([^\s()]+):(\d+):(\d+)`)

// describeError is what the page shows of an error.
func (d *development) describeError(err error) []*pageError {
	var mistakes bundle.MistakeList
	if errors.As(err, &mistakes) {
		var list []*pageError
		for _, m := range mistakes[:min(len(mistakes), 10)] {
			e := &pageError{Title: "Build failed", Message: m.Text, Notes: m.Notes}
			if m.File != "" {
				e.Place = fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
				e.Lines = d.excerpt(m.File, m.Line, m.Column, m.Length)
			}
			list = append(list, e)
		}
		return list
	}
	var record *op.ErrorRecord
	if !errors.As(err, &record) {
		return []*pageError{{Title: "Error", Message: err.Error()}}
	}
	return []*pageError{d.describeRecord(record, 0)}
}

func (d *development) describeRecord(r *op.ErrorRecord, depth int) *pageError {
	e := &pageError{Title: r.Name, Message: r.Message}
	if e.Title == "" {
		e.Title = "Error"
	}
	stack := strings.TrimPrefix(r.Stack, r.Name+": "+r.Message)
	for row := range strings.SplitSeq(strings.Trim(stack, "\n"), "\n") {
		row = strings.TrimSpace(row)
		if row == "" {
			continue
		}
		frame := pageFrame{Text: row}
		if m := framePlace.FindStringSubmatch(row); m != nil {
			line, _ := strconv.Atoi(m[2])
			file := path.Clean(m[1])
			if lines := d.excerpt(file, line, 0, 0); lines != nil && !strings.Contains("/"+file, "/node_modules/") {
				frame.Own = true
				if e.Lines == nil {
					e.Lines, e.Place = lines, m[0]
				}
			}
		}
		e.Stack = append(e.Stack, frame)
	}
	if r.Cause != nil && depth < 5 {
		e.Cause = d.describeRecord(r.Cause, depth+1)
	}
	return e
}

// showError answers a request whose worker failed: a page for a browser, text
// for anybody else.
func (d *development) showError(w http.ResponseWriter, r *http.Request, err error) bool {
	var script string
	if page, ok := w.(*reloadingWriter); ok {
		page.head, script = true, page.script // the page below has it
	}
	h := w.Header()
	clear(h)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	list := d.describeError(err)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		for _, e := range list {
			for label := ""; e != nil; e, label = e.Cause, "caused by " {
				place := ""
				if len(e.Stack) == 0 && e.Place != "" {
					place = e.Place + ": "
				}
				fmt.Fprintf(w, "%s%s%s: %s\n", label, place, e.Title, e.Message)
				for _, f := range e.Stack {
					fmt.Fprintf(w, "    %s\n", f.Text)
				}
			}
		}
		return true
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	if r.Method != http.MethodHead {
		_ = errorPage.Execute(w, map[string]any{"Errors": list, "Script": script, "Worker": d.workerName(), "Method": r.Method, "URL": r.URL.RequestURI()}) // the client may be gone
	}
	return true
}

// A reloads tells pages that there is a new build.
type reloads struct {
	mu      sync.Mutex
	build   int64
	waiting map[chan int64]struct{}
}

// newReloads counts from the time, so that pages of a process before this one
// are loaded anew.
func newReloads() *reloads { return &reloads{build: time.Now().UnixMilli()} }

// script is the address of the script for pages that the build there is now, or
// a later one, answers.
func (l *reloads) script() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%s?build=%d", devScript, l.build)
}

// announce tells of a build.
func (l *reloads) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.build++
	for c := range l.waiting {
		select {
		case <-c: // it has not been read yet
		default:
		}
		c <- l.build
	}
}

// ServeHTTP sends the number of each build as an event.
func (l *reloads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := make(chan int64, 1)
	l.mu.Lock()
	if l.waiting == nil {
		l.waiting = map[chan int64]struct{}{}
	}
	l.waiting[c] = struct{}{}
	c <- l.build
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, c)
		l.mu.Unlock()
	}()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	flusher := http.NewResponseController(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case build := <-c:
			if _, err := fmt.Fprintf(w, "event: build\ndata: %d\n\n", build); err != nil || flusher.Flush() != nil {
				return
			}
		}
	}
}

// A reloadingWriter adds the script that loads pages anew to those that go
// through it.
type reloadingWriter struct {
	http.ResponseWriter
	script string // its address
	head   bool   // there is no body to add to
	page   bool
}

// Unwrap is for http.ResponseController.
func (w *reloadingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *reloadingWriter) WriteHeader(status int) {
	h := w.Header()
	w.page = !w.head && status >= 200 && (status < 300 || status >= 400) && status != http.StatusNoContent && status != http.StatusPartialContent &&
		strings.HasPrefix(h.Get("Content-Type"), "text/html") && h.Get("Content-Encoding") == ""
	if w.page {
		h.Del("Content-Length")
		h.Del("Etag")
		h.Del("Last-Modified") // the build may be another while the page isn't
	}
	w.ResponseWriter.WriteHeader(status)
}

// finish adds the script.
func (w *reloadingWriter) finish() {
	if w.page {
		_, _ = w.Write([]byte("\n<script src=\"" + w.script + "\"></script>")) // the client may be gone
	}
}
