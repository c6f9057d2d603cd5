// Package rpc has what isolates say to each other: requests and responses,
// calls, and the values and capabilities that go with them. What a capability
// leads to is a [Target]: an entrypoint of a worker, an object or a function
// that an event of one gave out, or a way to the network.
//
// The semantics are those of the Workers runtime APIs (RPC, service bindings);
// https://developers.cloudflare.com/workers/runtime-apis/rpc/.
package rpc

import (
	"context"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/host/pipe"
)

// A Target answers requests and calls. It is safe for concurrent use.
type Target interface {
	// Fetch has the target answer an HTTP request. The context's end means that
	// nobody waits any more. The error is what the caller is told; an
	// [*op.ErrorRecord] keeps its name and message.
	Fetch(ctx context.Context, r *Request) (*Response, error)
	// Call calls a method, or gets a property. The target takes the
	// capabilities of the arguments over, whatever comes of the call; those of
	// the result are the caller's to release.
	Call(ctx context.Context, c *Call) (Value, error)
	// Release gives up one hold of the target; Retain adds one.
	Retain()
	Release()
}

// A Call is a call of a method of a target, or the reading of a property.
type Call struct {
	Get       bool     // of a property: there are no arguments
	Path      []string // the method's name last; empty: the target itself is called
	Arguments Value    // an array
	// Caller says on whose account the call is; nil: the server's own.
	Caller *Caller
}

// A Caller is the event that a request or a call comes from.
type Caller struct {
	Tenant string
	Depth  int // how many events led here: chains are bounded
}

// MaxDepth bounds how many events may call one another in a chain.
const MaxDepth = 32

// Bounds of values, as the Workers documentation has them.
const (
	MaxValue = 32 << 20 // bytes of a message
	MaxPath  = 64       // properties of a pipelined path
)

// A Value is a structured clone on its way: a message, which only guests and
// codecs look into, and the capabilities that it names by their place.
type Value struct {
	Message []byte
	Caps    []Capability
}

// Release gives up whatever the value holds.
func (v *Value) Release() {
	for _, c := range v.Caps {
		c.Release()
	}
	v.Caps = nil
}

// A Capability is one of these: exactly one field is set.
type Capability struct {
	Target   Target         // callable: a stub
	Readable *pipe.Pipe     // a stream of bytes: the receiver reads
	Writable *pipe.Pipe     // the receiver writes
	Binding  *binding.Entry // a binding that is passed on as it is
}

// Release gives the capability up.
func (c *Capability) Release() {
	switch {
	case c.Target != nil:
		c.Target.Release()
	case c.Readable != nil:
		c.Readable.Cancel(nil)
	case c.Writable != nil:
		c.Writable.End(pipe.ErrAborted)
	}
}

// A Request is an HTTP request to a target.
type Request struct {
	Method string
	URL    string // absolute
	Header []op.Pair
	CF     []byte // JSON of request.cf; empty: none
	Body   Body
	// WebSocket says that the answer may be one.
	WebSocket bool
	// Redirected says that the URL is not the first that was asked for.
	Redirected bool
	Caller     *Caller
}

// A Response answers a Request.
type Response struct {
	Status     int
	StatusText string
	Header     []op.Pair
	Body       Body
	Socket     *Socket // with status 101
}

// A Body is the content of a message: nothing, bytes, or a stream.
type Body struct {
	Bytes  []byte
	Stream *pipe.Pipe // nil: Bytes, or nothing if those are nil
}

// Discard gives the body up.
func (b *Body) Discard() {
	if b.Stream != nil {
		b.Stream.Cancel(nil)
	}
}
