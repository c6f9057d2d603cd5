package execution_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/host/execution"
)

// TestPythonDisplays follows displays from a program to its result: in order
// among what it prints, kept under the output limit.
func TestPythonDisplays(t *testing.T) {
	s := pythonService(t)
	run := func(code string, output int64) (*execution.Result, []string) {
		t.Helper()
		var story []string
		r, err := s.Execute(t.Context(), "test", execution.Request{Language: "python", Code: code, Limits: execution.Limits{OutputBytes: output}}, func(e execution.Event) {
			switch {
			case e.Display != nil:
				kind := "display"
				if e.Display.Main {
					kind = "main"
				}
				for _, p := range e.Display.Parts {
					kind += " " + p.Type
				}
				story = append(story, kind)
			case e.Stdout != "":
				story = append(story, e.Stdout)
			case e.Result != nil:
				story = append(story, "result "+e.Result.Text)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return r, story
	}
	const html = "class A:\n  def __repr__(self): return 'A'\n  def _repr_html_(self): return 'x' * size\n"

	r, story := run(html+"size = 10\nprint('before')\ndisplay(A())\nprint('after', end='')\nA()", 0)
	want := []string{"before\n", "display text/html text/plain", "after", "main text/html text/plain", "result A"}
	if diff := cmp.Diff(want, story); diff != "" || r.Outcome != execution.OK || len(r.Displays) != 2 {
		t.Errorf("%s with %d displays: %s", r.Outcome, len(r.Displays), diff)
	}

	// What has no room is left out, and the program goes on.
	r, story = run(html+"size = 5000\ndisplay(A())\nprint('on')", 4000)
	if diff := cmp.Diff([]string{"display text/plain", "on\n"}, story); diff != "" || r.Outcome != execution.OK || !slices.Contains(r.Truncated, "displays") {
		t.Errorf("%s, cut %v: %s", r.Outcome, r.Truncated, diff)
	}

	// Displays without end are output without end.
	r, _ = run("while True: display(1)", 20_000)
	if r.Outcome != execution.ExceededOutput || len(r.Displays) == 0 || len(r.Displays) > 40 || r.Error == nil || !strings.Contains(r.Error.Message, "output limit") {
		t.Errorf("%s after %d displays: %+v", r.Outcome, len(r.Displays), r.Error)
	}
}
