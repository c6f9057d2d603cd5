package bundle

import "fmt"

// A Kind is what a module of a worker is, by the name that the Worker Loader
// and the REST endpoint give it.
type Kind string

// The kinds of modules.
const (
	KindJS     Kind = "js" // an ES module
	KindCommon Kind = "cjs"
	KindText   Kind = "text"
	KindData   Kind = "data"
	KindJSON   Kind = "json"
	KindWasm   Kind = "wasm"
	KindPython Kind = "py"
)

// A Module is a module of a worker.
type Module struct {
	Kind    Kind
	Content []byte
}

// MaxCode is the most that the modules of a worker may have together, in bytes.
const MaxCode = 64 << 20

// An Output is a worker made of a project.
type Output struct {
	Main     string            // name of the main module
	Modules  map[string]Module // by name
	Maps     map[string][]byte // source maps (ECMA-426) by module; sources are relative to the project
	Warnings []*Error
	Inputs   []string // files that went in, relative to the project
}

func (o *Output) check() error {
	size := 0
	for _, m := range o.Modules {
		size += len(m.Content)
	}
	if size > MaxCode {
		return fmt.Errorf("bundle: the modules have %d bytes together; the limit is %d", size, MaxCode)
	}
	return nil
}

// A MistakeList is what keeps a project from being bundled, in the order of
// its files.
type MistakeList []*Error

func (l MistakeList) Error() string {
	if len(l) == 1 {
		return l[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", l[0], len(l)-1)
}

// Unwrap gives the first mistake.
func (l MistakeList) Unwrap() error { return l[0] }
