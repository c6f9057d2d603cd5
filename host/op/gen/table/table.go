// Package table reads the list of operations and renders it in the languages
// that speak it.
package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"regexp"
	"strings"
)

// Operations is the content of ops.json.
type Operations struct {
	Comment string      `json:"comment"`
	Sync    []Operation `json:"sync"`
	Async   []Operation `json:"async"`
	Events  []Operation `json:"events"`
}

// An Operation is one line of the list: a synchronous operation, an
// asynchronous one, or an event.
type Operation struct {
	Number uint32 `json:"number"`
	Name   string `json:"name"`
	In     string `json:"in"`
	Out    string `json:"out"`
	Doc    string `json:"doc"`
}

// A File is rendered text; Path is relative to the module's root.
type File struct {
	Path    string
	Content []byte
}

// FirstAsync is the least number of an asynchronous operation, so that a
// number alone tells which of the two an operation is.
const FirstAsync = 64

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Parse reads ops.json and checks that names and numbers are unique and in
// range.
func Parse(source []byte) (*Operations, error) {
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.DisallowUnknownFields()
	var o Operations
	if err := decoder.Decode(&o); err != nil {
		return nil, fmt.Errorf("ops.json: %w", err)
	}
	operations := append(append([]Operation(nil), o.Sync...), o.Async...)
	for _, list := range [][]Operation{operations, o.Events} {
		names, numbers := map[string]bool{}, map[uint32]bool{}
		for _, op := range list {
			if !nameForm.MatchString(op.Name) {
				return nil, fmt.Errorf("ops.json: %q is no snake_case name", op.Name)
			}
			if op.Number == 0 || names[op.Name] || numbers[op.Number] {
				return nil, fmt.Errorf("ops.json: the name or number of %s (%d) is zero or used twice", op.Name, op.Number)
			}
			names[op.Name], numbers[op.Number] = true, true
		}
	}
	for _, op := range o.Sync {
		if op.Number >= FirstAsync {
			return nil, fmt.Errorf("ops.json: synchronous operation %s has number %d, not below %d", op.Name, op.Number, FirstAsync)
		}
	}
	for _, op := range o.Async {
		if op.Number < FirstAsync {
			return nil, fmt.Errorf("ops.json: asynchronous operation %s has number %d, below %d", op.Name, op.Number, FirstAsync)
		}
	}
	return &o, nil
}

// Render renders the list in every language.
func (o *Operations) Render() ([]File, error) {
	goFile, err := o.renderGo()
	if err != nil {
		return nil, err
	}
	return []File{
		{"host/op/op.gen.go", goFile},
		{"guests/quickjs/c/op.gen.h", o.renderC()},
		{"guests/quickjs/js/op.gen.js", o.renderJS()},
		{"guests/python/agent/_mayfly/op.py", o.renderPython()},
	}, nil
}

const notice = "Code generated from host/op/ops.json by host/op/gen; DO NOT EDIT."

func (o *Operations) renderGo() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n\npackage op\n\n", notice)
	group := func(doc, kind, prefix string, list []Operation) {
		fmt.Fprintf(&b, "// %s\nconst (\n", doc)
		for _, op := range list {
			fmt.Fprintf(&b, "\t// %s%s%s.\n\t//\n\t//\tin:  %s\n\t//\tout: %s\n\t%s%s %s = %d\n",
				prefix, goName(op.Name), docOf(op), orNothing(op.In), orNothing(op.Out), prefix, goName(op.Name), kind, op.Number)
		}
		b.WriteString(")\n\n")
	}
	group("The synchronous operations.", "Op", "", o.Sync)
	group("The asynchronous operations.", "Op", "", o.Async)
	group("The events.", "Event", "Event", o.Events)
	b.WriteString("var opNames = map[Op]string{\n")
	for _, list := range [][]Operation{o.Sync, o.Async} {
		for _, op := range list {
			fmt.Fprintf(&b, "\t%s: %q,\n", goName(op.Name), op.Name)
		}
	}
	b.WriteString("}\n\nvar eventNames = map[Event]string{\n")
	for _, op := range o.Events {
		fmt.Fprintf(&b, "\tEvent%s: %q,\n", goName(op.Name), op.Name)
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

func docOf(op Operation) string {
	if op.Doc == "" {
		return ""
	}
	return ": " + op.Doc
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// initialisms keep their capitals in Go's names.
var initialisms = map[string]string{"fs": "FS"}

func goName(name string) string {
	words := strings.Split(name, "_")
	for i, word := range words {
		if known, ok := initialisms[word]; ok {
			words[i] = known
		} else {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

func (o *Operations) renderC() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "/* %s */\n#ifndef OP_GEN_H\n#define OP_GEN_H\n\nenum {\n", notice)
	for _, list := range [][]Operation{o.Sync, o.Async} {
		for _, op := range list {
			fmt.Fprintf(&b, "    OP_%s = %d,\n", strings.ToUpper(op.Name), op.Number)
		}
	}
	b.WriteString("};\n\nenum {\n")
	for _, op := range o.Events {
		fmt.Fprintf(&b, "    EVENT_%s = %d,\n", strings.ToUpper(op.Name), op.Number)
	}
	b.WriteString("};\n\n#endif\n")
	return b.Bytes()
}

func (o *Operations) renderJS() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n\n", notice)
	for _, list := range [][]Operation{o.Sync, o.Async} {
		for _, op := range list {
			fmt.Fprintf(&b, "export const %s = %d;\n", strings.ToUpper(op.Name), op.Number)
		}
	}
	return b.Bytes()
}

func (o *Operations) renderPython() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", notice)
	for _, list := range [][]Operation{o.Sync, o.Async} {
		for _, op := range list {
			fmt.Fprintf(&b, "%s = %d\n", strings.ToUpper(op.Name), op.Number)
		}
	}
	b.WriteString("\n")
	for _, op := range o.Events {
		fmt.Fprintf(&b, "EVENT_%s = %d\n", strings.ToUpper(op.Name), op.Number)
	}
	return b.Bytes()
}
