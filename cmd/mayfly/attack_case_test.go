package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// attackFolder holds the attacks, one case a file. A .js, .ts or .py file is a
// program that is posted; its front matter (TOML, between the marks of
// attackLanguages) says what must come of it. A .toml file has steps of HTTP,
// or names a scenario of this package and its parameters.
const attackFolder = "../../testdata/attacks"

// attackLanguages are those of programs, by the extension of their files.
var attackLanguages = map[string]struct{ name, begin, end string }{
	".js": {"javascript", "/*---\n", "---*/\n"},
	".ts": {"typescript", "/*---\n", "---*/\n"},
	".py": {"python", "\"\"\"---\n", "---\"\"\"\n"},
}

// An attackCase is one file of attackFolder.
type attackCase struct {
	name string
	code string

	Rows     []int          `toml:"rows"`     // of the list of attacks
	Attack   string         `toml:"attack"`   // what is attacked, in words
	Server   string         `toml:"server"`   // which server of servers; default: plain
	Outcomes []string       `toml:"outcomes"` // those that are right; default: ok
	Status   int            `toml:"status"`   // of the answer; default: 200
	Value    string         `toml:"value"`    // the result, as JSON
	Match    string         `toml:"match"`    // matches the result's JSON
	Error    string         `toml:"error"`    // matches "name: message" of the error
	Stdout   string         `toml:"stdout"`   // matches
	Absent   string         `toml:"absent"`   // matches nowhere in the answer
	Repeat   int            `toml:"repeat"`   // in the full form; default: 5
	Idle     bool           `toml:"idle"`     // waits more than it works: runs beside others
	Full     bool           `toml:"full"`     // too long for the short form
	Request  map[string]any `toml:"request"`  // further fields of the request
	Steps    []attackStep   `toml:"step"`     // instead of code
	Scenario string         `toml:"scenario"` // instead of code: a key of scenarios

	Parameters map[string]string `toml:"parameters"` // of the scenario
}

// An attackStep is one request over HTTP, or raw bytes on a connection.
type attackStep struct {
	Name    string            `toml:"name"`
	Method  string            `toml:"method"` // default: GET, or POST with a body
	Path    string            `toml:"path"`
	Headers map[string]string `toml:"headers"`
	Key     string            `toml:"key"`    // name of the API key that is sent
	Body    string            `toml:"body"`   // as it is
	JSON    map[string]any    `toml:"json"`   // body as JSON
	Fill    *attackFill       `toml:"fill"`   // body made of repetitions
	Raw     string            `toml:"raw"`    // the whole request, on a connection of its own
	Repeat  int               `toml:"repeat"` // how often; default: 1
	Status  []int             `toml:"status"` // those that are right; default: 200. 0: the connection is closed without an answer
	Match   string            `toml:"match"`  // matches the body
	Absent  string            `toml:"absent"` // matches nowhere in the body
	Answer  map[string]string `toml:"answer"` // header field → what its value matches
	Save    map[string]string `toml:"save"`   // variable → path into the JSON body, as artifacts.0.url
}

type attackFill struct {
	Before string `toml:"before"`
	Text   string `toml:"text"`
	Count  int    `toml:"count"`
	After  string `toml:"after"`
}

// knownOutcomes are those of the contract, but for internalError: that is never
// right.
var knownOutcomes = []string{"ok", "exception", "exceededCpu", "exceededWallTime", "exceededMemory", "exceededOutput", "exceededSubrequests", "canceled", "loadShed"}

// readAttacks reads all cases, in order of their names.
func readAttacks(t *testing.T) []*attackCase {
	t.Helper()
	entries, err := os.ReadDir(attackFolder)
	if err != nil {
		t.Fatal(err)
	}
	var cases []*attackCase
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(attackFolder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseAttack(e.Name(), string(text))
		if err != nil {
			t.Fatalf("%s: %v", e.Name(), err)
		}
		cases = append(cases, c)
	}
	return cases
}

// parseAttack reads one case and refuses what has no effect.
func parseAttack(name, text string) (*attackCase, error) {
	c := &attackCase{name: name, Server: "plain", Repeat: 5, Status: 200}
	front := text
	if language, ok := attackLanguages[filepath.Ext(name)]; ok {
		_, rest, ok := strings.Cut(text, language.begin)
		if ok {
			front, c.code, ok = strings.Cut(rest, language.end)
		}
		if !ok {
			return nil, fmt.Errorf("no front matter between %q and %q", language.begin, language.end)
		}
		c.code = strings.Repeat("\n", strings.Count(text, "\n")-strings.Count(c.code, "\n")) + c.code // lines as in the file
	} else if filepath.Ext(name) != ".toml" {
		return nil, fmt.Errorf("neither a program nor .toml")
	}
	data, err := toml.Decode(front, c)
	if err != nil {
		return nil, err
	}
	for _, key := range data.Undecoded() {
		// What is inside of a free-form table is listed too.
		if free := key[0] == "request" || len(key) > 1 && key[1] == "json"; !free {
			return nil, fmt.Errorf("unknown key %v", key)
		}
	}
	if c.Outcomes == nil {
		c.Outcomes = []string{"ok"}
	}
	for _, o := range c.Outcomes {
		if !slices.Contains(knownOutcomes, o) {
			return nil, fmt.Errorf("%q is not an outcome that can be right", o)
		}
	}
	patterns := []string{c.Match, c.Error, c.Stdout, c.Absent}
	for _, s := range c.Steps {
		patterns = append(patterns, s.Match, s.Absent)
		for _, p := range s.Answer {
			patterns = append(patterns, p)
		}
	}
	for _, p := range patterns {
		if _, err := regexp.Compile(p); err != nil {
			return nil, err
		}
	}
	kinds := 0
	for _, has := range []bool{strings.TrimSpace(c.code) != "", len(c.Steps) > 0, c.Scenario != ""} {
		if has {
			kinds++
		}
	}
	number, _, _ := strings.Cut(name, "-")
	row, err := strconv.Atoi(number)
	switch {
	case kinds != 1:
		return nil, fmt.Errorf("expected one of a program, steps and a scenario")
	case err != nil || !slices.Contains(c.Rows, row):
		return nil, fmt.Errorf("the name begins with no number of rows")
	case c.Attack == "":
		return nil, fmt.Errorf("attack is empty")
	case c.Scenario != "" && scenarios[c.Scenario] == nil:
		return nil, fmt.Errorf("no scenario %q", c.Scenario)
	}
	return c, nil
}

// vary replaces variables, as @UPSTREAM@. In JSON a port may be a string that
// holds only the variable: it becomes a number.
func vary(text string, variables map[string]string) string {
	names := make([]string, 0, len(variables))
	for n := range variables {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if strings.HasSuffix(n, "_PORT") {
			text = strings.ReplaceAll(text, `"@`+n+`@"`, variables[n])
		}
		text = strings.ReplaceAll(text, "@"+n+"@", variables[n])
	}
	return text
}

// body is the request that posts the case's program.
func (c *attackCase) body(variables map[string]string) []byte {
	request := map[string]any{"language": attackLanguages[filepath.Ext(c.name)].name, "tenant": "attacker"}
	for k, v := range c.Request {
		request[k] = v
	}
	if request["entrypoint"] == nil {
		request["code"] = c.code
	}
	return []byte(vary(string(marshal(request)), variables))
}

// marshal is JSON in which markup and variables stay as they are.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // of maps that TOML made
	}
	return bytes.TrimSpace(b.Bytes())
}

// check compares an answer with what the case expects.
func (c *attackCase) check(a *answer) (wrong []string) {
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if a.status != c.Status {
		fail("status %d, want %d", a.status, c.Status)
		return wrong
	}
	if c.Status != 200 {
		return wrong
	}
	if !slices.Contains(c.Outcomes, a.Outcome) {
		fail("outcome %s, want one of %v", a.Outcome, c.Outcomes)
	}
	if c.Value != "" && string(a.Result) != c.Value {
		fail("result %s, want %s", short(string(a.Result)), c.Value)
	}
	if !matches(c.Match, string(a.Result)) {
		fail("result %s does not match %s", short(string(a.Result)), c.Match)
	}
	if c.Error != "" && !matches(c.Error, a.errorText()) {
		fail("error %s does not match %s", short(a.errorText()), c.Error)
	}
	if !matches(c.Stdout, a.Stdout) {
		fail("stdout %s does not match %s", short(a.Stdout), c.Stdout)
	}
	if c.Absent != "" && matches(c.Absent, string(a.body)) {
		fail("the answer has %q: %s", regexp.MustCompile(c.Absent).FindString(string(a.body)), short(string(a.body)))
	}
	if a.Outcome != "ok" && a.Error == nil {
		fail("no reason is given")
	}
	limits, _ := c.Request["limits"].(map[string]any)
	if most, ok := limits["cpu_ms"].(int64); ok {
		over := a.Usage.CPUMS - float64(most)
		if over > maxOvershoot {
			fail("it used %.0f ms of processor time, %.0f more than its limit", a.Usage.CPUMS, over)
		}
	}
	return wrong
}

// maxOvershoot is how much processor time in milliseconds an execution may use
// past its limit. What the program writes at its end counts too.
const maxOvershoot = 100

func matches(pattern, text string) bool {
	return pattern == "" || regexp.MustCompile("(?s)"+pattern).MatchString(text)
}

// short is text that fits in a message.
func short(text string) string {
	if len(text) > 600 {
		text = text[:300] + " … " + text[len(text)-300:]
	}
	return strconv.Quote(text)
}
