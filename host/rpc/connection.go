package rpc

import (
	"context"

	"mayfly/host/op"
	"mayfly/host/pipe"
)

// ErrNoConnections is what is said where a connection is asked of a target that
// takes none.
var ErrNoConnections error = &op.ErrorRecord{Name: "TypeError", Message: "Incoming CONNECT on a worker not supported"}

// A Connector is a [Target] that connections can be made to, as sockets of
// https://developers.cloudflare.com/workers/runtime-apis/tcp-sockets/ are.
type Connector interface {
	Target
	// Connect makes a connection, whose ends are the caller's. The context's end
	// means that nobody waits for it any more, and nothing to a connection that
	// was made. The error is what the caller is told.
	Connect(ctx context.Context, c *Connect) (*Connection, error)
}

// A Connect asks for a connection.
type Connect struct {
	Address string    // host and port
	Secure  Transport // what the caller has asked for
	Caller  *Caller
}

// A Transport says what TLS has to do with a connection, as the operation socket
// numbers it.
type Transport uint8

// Transports.
const (
	Plain    Transport = iota
	TLS                // from the start
	StartTLS           // from when the caller asks for it
)

// A Connection is one end of a connection: two streams of bytes.
type Connection struct {
	Readable *pipe.Pipe // what comes from the other end
	Writable *pipe.Pipe // what goes to it
	Remote   string     // host and port of the other end
	// Upgrade goes on with TLS: the streams end, and those of the answer take
	// their place. name is what the certificate has to be for; empty: the host.
	// Nil: there is no TLS.
	Upgrade func(ctx context.Context, name string) (*Connection, error)
}

// Abort gives the connection up.
func (c *Connection) Abort() {
	c.Readable.Cancel(nil)
	c.Writable.End(pipe.ErrAborted)
}

// ConnectTo makes a connection to a target, if that is a [Connector].
func ConnectTo(ctx context.Context, t Target, c *Connect) (*Connection, error) {
	connector, ok := t.(Connector)
	if !ok {
		return nil, ErrNoConnections
	}
	return connector.Connect(ctx, c)
}
