package project

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strconv"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"
)

// Bounds of a configuration file.
const (
	maxFile  = 1 << 20 // bytes
	maxDepth = 64      // tables in one another
)

// A value of a configuration file, and where it is. Its data are nil, a bool, a
// float64, a string, a []*value or an *object.
type value struct {
	line int // from 1
	data any
}

// An object has its members in the order of the file.
type object struct{ members []member }

type member struct {
	name  string
	line  int
	value *value
}

// get is the member of that name, or nil.
func (o *object) get(name string) *value {
	for _, m := range o.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// kind names what a value is, as messages do.
func (v *value) kind() string {
	switch v.data.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []*value:
		return "a list"
	}
	return "a table"
}

// plain is the value as encoding/json has it.
func (v *value) plain() any {
	switch d := v.data.(type) {
	case []*value:
		list := make([]any, len(d))
		for i, item := range d {
			list[i] = item.plain()
		}
		return list
	case *object:
		m := make(map[string]any, len(d.members))
		for _, member := range d.members {
			m[member.name] = member.value.plain()
		}
		return m
	}
	return v.data
}

// parse reads a configuration file in the syntax that its name says: TOML, or
// JSON with comments and trailing commas.
func parse(name string, content []byte) (*value, error) {
	if len(content) > maxFile {
		return nil, &Error{[]Problem{{File: name, Text: fmt.Sprintf("the file has %d bytes; at most %d are read", len(content), maxFile)}}}
	}
	if bytes.HasPrefix(content, []byte("\xef\xbb\xbf")) {
		content = content[3:]
	}
	if filepath.Ext(name) == ".toml" {
		return parseTOML(name, content)
	}
	return parseJSONC(name, content)
}

func parseJSONC(name string, content []byte) (*value, error) {
	if line := tooDeep(content); line > 0 {
		return nil, &Error{[]Problem{{File: name, Line: line, Text: "it nests too deeply"}}}
	}
	tree, err := hujson.Parse(content)
	if err != nil {
		line, text := 1, err.Error()
		// hujson: line 3, column 5: …
		var column int
		if n, _ := fmt.Sscanf(text, "hujson: line %d, column %d:", &line, &column); n == 2 {
			text = text[len(fmt.Sprintf("hujson: line %d, column %d: ", line, column)):]
		}
		return nil, &Error{[]Problem{{File: name, Line: line, Text: text}}}
	}
	lines := newlines(content)
	return jsonValue(&tree, lines, name)
}

// tooDeep is the line where brackets nest deeper than they may, or 0. Strings
// and comments are counted as anything else, up to a depth that nobody writes.
func tooDeep(content []byte) int {
	depth := 0
	for i, c := range content {
		switch c {
		case '[', '{':
			if depth++; depth > 16*maxDepth {
				return 1 + bytes.Count(content[:i], []byte("\n"))
			}
		case ']', '}':
			depth--
		}
	}
	return 0
}

// newlines are the offsets of the ends of lines.
func newlines(content []byte) []int {
	var list []int
	for i, c := range content {
		if c == '\n' {
			list = append(list, i)
		}
	}
	return list
}

func jsonValue(v *hujson.Value, lines []int, name string) (*value, error) {
	at := func(v *hujson.Value) int { return 1 + sort.SearchInts(lines, v.StartOffset) }
	out := &value{line: at(v)}
	switch x := v.Value.(type) {
	case hujson.Literal:
		switch x.Kind() {
		case 'n':
		case 't', 'f':
			out.data = x.Bool()
		case '"':
			out.data = x.String()
		default:
			out.data = x.Float()
		}
	case *hujson.Object:
		o := &object{}
		seen := map[string]bool{}
		for i := range x.Members {
			key := x.Members[i].Name.Value.(hujson.Literal).String()
			line := at(&x.Members[i].Name)
			if seen[key] {
				return nil, &Error{[]Problem{{File: name, Line: line, Field: key, Text: "it is given twice"}}}
			}
			seen[key] = true
			item, err := jsonValue(&x.Members[i].Value, lines, name)
			if err != nil {
				return nil, err
			}
			o.members = append(o.members, member{key, line, item})
		}
		out.data = o
	case *hujson.Array:
		list := make([]*value, len(x.Elements))
		for i := range x.Elements {
			item, err := jsonValue(&x.Elements[i], lines, name)
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		out.data = list
	}
	return out, nil
}

func parseTOML(name string, content []byte) (*value, error) {
	if line := tooDeep(content); line > 0 {
		return nil, &Error{[]Problem{{File: name, Line: line, Text: "it nests too deeply"}}}
	}
	tree := map[string]any{}
	if _, err := toml.Decode(string(content), &tree); err != nil {
		if wrong := (toml.ParseError{}); errors.As(err, &wrong) {
			return nil, &Error{[]Problem{{File: name, Line: wrong.Position.Line, Text: wrong.Message}}}
		}
		return nil, &Error{[]Problem{{File: name, Text: err.Error()}}}
	}
	return tomlValue(tree, nil, locate(string(content)), 1), nil
}

// tomlValue gives values the lines at which places found them; what it did not
// find is where what it lies in is.
func tomlValue(v any, path []string, places map[string]int, line int) *value {
	if at := places[pathKey(path)]; at > 0 {
		line = at
	}
	out := &value{line: line}
	switch x := v.(type) {
	case string, bool, float64:
		out.data = x
	case int64:
		out.data = float64(x)
		if math.Abs(float64(x)) > 1<<53 {
			out.data = strconv.FormatInt(x, 10) // a number would be another one
		}
	case time.Time:
		out.data = x.Format(time.RFC3339Nano)
		switch x.Location().String() { // TOML has dates and times without a zone
		case "date-local":
			out.data = x.Format(time.DateOnly)
		case "datetime-local":
			out.data = x.Format("2006-01-02T15:04:05.999999999")
		case "time-local":
			out.data = x.Format("15:04:05.999999999")
		}
	case map[string]any:
		o := &object{}
		for name, item := range x {
			child := tomlValue(item, append(path[:len(path):len(path)], name), places, line)
			o.members = append(o.members, member{name, child.line, child})
		}
		sort.Slice(o.members, func(i, j int) bool {
			a, b := o.members[i], o.members[j]
			return a.line < b.line || a.line == b.line && a.name < b.name
		})
		out.data = o
	case []map[string]any:
		list := make([]*value, len(x))
		for i, item := range x {
			list[i] = tomlValue(item, append(path[:len(path):len(path)], strconv.Itoa(i)), places, line)
		}
		out.data = list
	case []any:
		list := make([]*value, len(x))
		for i, item := range x {
			list[i] = tomlValue(item, append(path[:len(path):len(path)], strconv.Itoa(i)), places, line)
		}
		out.data = list
	}
	return out
}
