// Package bundle turns what users write (TypeScript, JSX) into what a guest
// runs. It is the only package that knows the tool that does so (esbuild).
package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"strings"
)

// A Syntax is the language of a source file.
type Syntax int

// The syntaxes that are told apart.
const (
	JavaScript Syntax = iota // runs as it is
	JSX
	TypeScript
	TSX
)

// SyntaxOf tells a file's syntax by its name; ok is false if it is no code.
func SyntaxOf(name string) (s Syntax, ok bool) {
	switch strings.ToLower(path.Ext(name)) {
	case ".js", ".mjs", ".cjs":
		return JavaScript, true
	case ".jsx":
		return JSX, true
	case ".ts", ".mts":
		return TypeScript, true
	case ".tsx":
		return TSX, true
	}
	return JavaScript, false
}

// An Error is a mistake in the user's source.
type Error struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in bytes
	Length  int // of what is wrong, in bytes; 0: not known
	Text    string
	Excerpt string   // the line
	Notes   []string // more that helps
}

func (e *Error) Error() string {
	if e.File == "" {
		return e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Code is a file made ready to run.
type Code struct {
	JavaScript string
	Map        *Map // where the code comes from; nil if it is the source itself
}

// A Transformer transforms files one by one and remembers those it has seen.
// It is safe for concurrent use.
type Transformer struct {
	workers *workers
	code    *recent[*Code]
}

// NewTransformer makes a transformer that remembers up to so many bytes of
// source and code.
func NewTransformer(most int) *Transformer { return &Transformer{code: newRecent[*Code](most)} }

// Transform makes one file ready. tsconfig is the text of a tsconfig.json whose
// JSX options count, or empty; nothing else of it is looked at.
//
// # Errors
//
// An [*Error] for a mistake in the source, and for one that is too much work;
// [ErrBusy].
func (t *Transformer) Transform(name, source string, syntax Syntax, tsconfig string) (*Code, error) {
	if syntax == JavaScript {
		return &Code{JavaScript: source}, nil
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q ", syntax, name, tsconfig)
	h.Write([]byte(source))
	key := [32]byte(h.Sum(nil))
	if code, known := t.code.get(key); known {
		return code, nil
	}
	job := transformJob{Name: name, Source: source, TSConfig: tsconfig, Syntax: syntax}
	r := &transformAnswer{}
	if t.workers == nil {
		r = transform(job)
	} else {
		switch err := t.workers.do(context.Background(), workerJob{Transform: &job}, r, workerTimeout); {
		case errors.Is(err, errWorker):
			return nil, &Error{File: name, Line: 1, Column: 1, Text: "The source nests too deeply, or takes too long to transform"}
		case err != nil:
			return nil, err
		}
	}
	if r.Error != nil {
		return nil, r.Error
	}
	m, err := newMap(name, r.Map)
	if err != nil {
		return nil, fmt.Errorf("bundle: source map of %s: %w", name, err)
	}
	code := &Code{JavaScript: string(r.Code), Map: m}
	t.code.put(key, code, len(source)+len(r.Code)+len(r.Map))
	return code, nil
}
