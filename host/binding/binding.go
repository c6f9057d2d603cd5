// Package binding lets a program use what its execution was given by name:
// buckets, namespaces and the like. A program knows a binding by a number that
// means something in its own execution only; it never sees what is behind it.
//
// The packages below this one are the kinds of bindings. This one numbers them,
// takes their operations from the guest and settles them, carries bodies in
// both directions with back-pressure, and holds each binding to its limits.
package binding

import (
	"context"
	"fmt"
	"io"

	"mayfly/host/op"
)

// A Binding performs the operations of one kind. It is safe for concurrent use.
type Binding interface {
	// Do performs one operation. It may block as long as ctx lives; what it
	// returns as an error is told to the guest if it is an [*op.ErrorRecord], and
	// else noted in the log.
	Do(ctx context.Context, c *Call) (Reply, error)
}

// A Call is one operation.
type Call struct {
	Method    uint8
	Arguments []byte    // the method's own; not to be kept
	Body      io.Reader // what the operation has to store; nil if nothing
	Size      int64     // of Body, bytes; -1: not known before its end
}

// A Reply is the answer to an operation.
type Reply struct {
	Answer []byte        // the method's own
	Body   io.ReadCloser // nil: none. The session closes it
	Size   int64         // of Body, bytes; -1: not known
}

// Limits bound the use of one binding by one execution. Zero means no limit of
// its own. What is past a limit fails with the code ERR_BINDING_LIMIT.
type Limits struct {
	Operations int   `json:"operations,omitempty"`
	ReadBytes  int64 `json:"read_bytes,omitempty"`  // of bodies given to the guest
	WriteBytes int64 `json:"write_bytes,omitempty"` // of bodies taken from it
}

// Usage is what an execution used of its bindings.
type Usage struct {
	Operations int
	ReadBytes  int64
	WriteBytes int64
}

// An Entry is a binding by its name.
type Entry struct {
	Name   string
	Kind   string
	Value  []byte // which the guest is told: of a var, a secret, a base URL
	Limits Limits
	// Open makes the binding when it is first used. Nil: it has no operations
	// here.
	Open func(ctx context.Context) (Binding, error)
	// Direct has operations done before the guest goes on: they don't block, and
	// need it to stand still, as those on its own files.
	Direct bool
}

// CodeLimit is the code of errors that come of a binding's own limits.
const CodeLimit = "ERR_BINDING_LIMIT"

func limitError(name, format string, a ...any) error {
	return &op.ErrorRecord{Name: "Error", Code: CodeLimit, Message: name + ": " + fmt.Sprintf(format, a...)}
}

func typeError(format string, a ...any) error {
	return &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf(format, a...)}
}

// errAborted is what an operation ends with that the guest has given up.
var errAborted error = &op.ErrorRecord{Name: "AbortError", Message: "The operation was aborted"}

// The kinds of bindings, as requests and guests name them.
const (
	KindR2      = "r2_bucket"
	KindKV      = "kv_namespace"
	KindVar     = "var"
	KindSecret  = "secret"
	KindFetcher = "fetcher"
	KindAssets  = "assets"
)
