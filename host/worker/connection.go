package worker

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"mayfly/host/egress"
	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
)

// Ways of a connection, as the operation socket numbers them.
const (
	viaOutbound = 0 // as fetch goes
	viaStub     = 1
	viaBinding  = 2
)

// socket is the operation of that name.
func (e *event) socket(id uint32, message []byte) {
	in := e.in
	r := op.NewReader(message)
	via, handle, secure, address := r.U8(), r.U32(), rpc.Transport(r.U8()), r.Str()
	if r.Done() != nil || via > viaBinding || secure > rpc.StartTLS {
		in.fail1(id, op.ErrMessage)
		return
	}
	connect, release, err := e.way(via, handle)
	if err != nil {
		in.fail1(id, err)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if !in.stopper(id, func() { cancel(errAborted) }) {
		cancel(nil)
		release()
		return
	}
	caller := e.asking()
	go func() {
		defer cancel(nil)
		defer release()
		c, err := connect(ctx, &rpc.Connect{Address: address, Secure: secure, Caller: &caller})
		if err != nil {
			in.fail1(id, streamError(err))
			return
		}
		in.connected(e, id, c)
	}()
}

// way is what makes a connection. release is to be called after it.
func (e *event) way(via uint8, handle uint32) (connect func(context.Context, *rpc.Connect) (*rpc.Connection, error), release func(), err error) {
	in := e.in
	def := &in.worker.def
	var target rpc.Target
	var policy *egress.Policy
	switch via {
	case viaStub:
		if target, err = in.stub(handle); err != nil {
			return nil, nil, err
		}
	case viaBinding:
		var ok bool
		if policy, ok = def.Bindings.Policies[handle]; !ok || def.Env != nil {
			return nil, nil, rpc.ErrNoConnections
		}
		if err := in.boundSession().Spend(handle); err != nil {
			return nil, nil, err
		}
	default:
		if def.Blocked {
			return nil, nil, ErrOutboundBlocked
		}
		target = def.Outbound
	}
	if target == nil {
		session := e.net()
		return func(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
			return dial(ctx, session, policy, c, nil)
		}, func() {}, nil
	}
	connector, ok := target.(rpc.Connector)
	if !ok {
		return nil, nil, rpc.ErrNoConnections
	}
	if err := e.spend(); err != nil {
		return nil, nil, err
	}
	target.Retain()
	return connector.Connect, target.Release, nil
}

// connected settles an operation with a connection.
func (in *instance) connected(e *event, id uint32, c *rpc.Connection) {
	readable, err := in.addBody(e, bodyHandle{readable: c.Readable, connection: c})
	if err != nil {
		c.Abort()
		in.fail1(id, err)
		return
	}
	writable, err := in.addBody(e, bodyHandle{writable: c.Writable})
	if err != nil {
		in.dropBody(readable)
		c.Abort()
		in.fail1(id, err)
		return
	}
	w := op.NewWriter(make([]byte, 0, 16+len(c.Remote)))
	w.U32(readable)
	w.U32(writable)
	w.Str(c.Remote)
	in.Settle(id, true, w.Message())
}

// startTLS is the operation socket_tls.
func (e *event) startTLS(id uint32, message []byte) {
	in := e.in
	r := op.NewReader(message)
	handle, name := r.U32(), r.Str()
	if r.Done() != nil {
		in.fail1(id, op.ErrMessage)
		return
	}
	b := in.body(handle)
	switch {
	case b.connection == nil:
		in.fail1(id, wireError("The connection was closed before startTls could be started."))
		return
	case b.connection.Upgrade == nil:
		in.fail1(id, wireError("startTls can't be used here: the other end of the connection is a worker."))
		return
	}
	in.dropBody(handle)
	ctx, cancel := context.WithCancelCause(context.Background())
	if !in.stopper(id, func() { cancel(errAborted) }) {
		cancel(nil)
		b.connection.Abort()
		return
	}
	go func() {
		defer cancel(nil)
		c, err := b.connection.Upgrade(ctx, name)
		if err != nil {
			in.fail1(id, streamError(err))
			return
		}
		in.connected(e, id, c)
	}()
}

// ---- to the network

// dial connects to the network. over is called when the connection has ended; it
// may be nil.
func dial(ctx context.Context, s *fetch.Session, policy *egress.Policy, c *rpc.Connect, over func()) (*rpc.Connection, error) {
	conn, err := s.Dial(ctx, policy, c.Address, c.Secure == rpc.TLS)
	if err != nil {
		return nil, err
	}
	t := &transport{conn: conn, over: over}
	connection := t.begin()
	if c.Secure == rpc.StartTLS {
		connection.Upgrade = t.upgrade
	}
	return connection, nil
}

// A transport carries the bytes between a connection to the network and the two
// pipes of a guest. It closes the connection when both ways have ended.
type transport struct {
	conn *fetch.Conn
	over func()

	readable, writable *pipe.Pipe

	mu        sync.Mutex
	upgrading bool
	left      int            // ways that have not ended
	ways      sync.WaitGroup // the goroutines of both
}

// begin carries both ways.
func (t *transport) begin() *rpc.Connection {
	in, out := pipe.New(), pipe.NewStepwise() // what was written has gone to the network
	t.left, t.readable, t.writable = 2, in, out
	in.OnCancel(func(error) { t.conn.StopRead() })
	t.ways.Go(func() { t.receive(in) })
	t.ways.Go(func() { t.send(out, in) })
	return &rpc.Connection{Readable: in, Writable: out, Remote: t.conn.Remote()}
}

// end ends one way.
func (t *transport) end() {
	t.mu.Lock()
	t.left--
	last := t.left == 0 && !t.upgrading
	t.mu.Unlock()
	if last {
		t.close()
	}
}

func (t *transport) close() {
	t.conn.Close()
	if t.over != nil {
		t.over()
	}
}

// readSize is how much is read of a connection at once.
const readSize = 32 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// receive carries what comes.
func (t *transport) receive(in *pipe.Pipe) {
	defer t.end()
	buffer := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(buffer)
	room := make(chan error, 1)
	for {
		n, err := t.conn.Read(buffer[:])
		if n > 0 {
			in.Write(append([]byte(nil), buffer[:n]...), func(err error) { room <- err })
			if <-room != nil {
				return // the guest wants no more
			}
		}
		switch {
		case err == nil:
		case err == io.EOF, errors.Is(err, os.ErrDeadlineExceeded):
			in.End(nil)
			return
		default:
			in.End(err)
			return
		}
	}
}

// send carries what goes. A guest that breaks its stream off breaks the connection;
// a write that fails breaks what comes, too.
func (t *transport) send(out, in *pipe.Pipe) {
	defer t.end()
	source := out.Reader()
	defer source.Close()
	buffer := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(buffer)
	for {
		n, err := source.Read(buffer[:])
		if n > 0 {
			if _, err := t.conn.Write(buffer[:n]); err != nil {
				out.Cancel(err)
				in.End(err)
				t.conn.StopRead()
				return
			}
		}
		switch {
		case err == nil:
		case err == io.EOF:
			t.mu.Lock()
			upgrading := t.upgrading
			t.mu.Unlock()
			if !upgrading {
				_ = t.conn.CloseWrite() // what was sent is sent; the way back goes on
			}
			return
		default:
			t.conn.StopRead()
			return
		}
	}
}

// upgrade implements the Upgrade of a connection.
func (t *transport) upgrade(ctx context.Context, name string) (*rpc.Connection, error) {
	t.mu.Lock()
	over := t.left < 2
	t.upgrading = !over
	t.mu.Unlock()
	if over {
		t.writable.End(pipe.ErrAborted)
		return nil, wireError("The connection was closed before startTls could be started.")
	}
	// What the guest has not read by now nobody reads: it is not of the other end's
	// TLS (RFC 3207 6).
	t.readable.Cancel(nil)
	t.writable.End(nil)
	t.conn.StopRead()
	t.ways.Wait()
	t.mu.Lock()
	t.upgrading = false
	t.mu.Unlock()
	if err := t.conn.StartTLS(ctx, name); err != nil {
		t.close()
		return nil, err
	}
	return t.begin(), nil
}

// Connect implements rpc.Connector: to the network, under the policy.
func (n *network) Connect(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
	session := n.service.config.Executions.NewSession(fetch.Options{Tenant: n.tenant, Policy: n.policy, Settle: func(uint32, bool, []byte) {}})
	connection, err := dial(ctx, session, nil, c, session.Close)
	if err != nil {
		session.Close()
	}
	return connection, err
}

// ---- to entrypoints

// Connect implements rpc.Connector: the entrypoint's handler connect has the other
// end.
func (t *Entrypoint) Connect(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
	if t.worker.def.Code.Python() {
		return nil, rpc.ErrNoConnections
	}
	e, err := t.begin(ctx, dispatchConnect, c.Caller)
	if err != nil {
		return nil, err
	}
	e.trace.Event = &ConnectTrace{c.Address}
	to, from := pipe.New(), pipe.New()
	near := &rpc.Connection{Readable: from, Writable: to, Remote: c.Address}
	readable, err := e.in.addBody(e, bodyHandle{readable: to})
	var writable uint32
	if err == nil {
		writable, err = e.in.addBody(e, bodyHandle{writable: from})
	}
	w := e.dispatch(dispatchConnect, 256)
	if err == nil {
		err = t.writeTo(e, w)
	}
	if err != nil {
		near.Abort()
		e.finish("", err)
		return nil, err
	}
	w.Str(c.Address)
	w.U8(uint8(c.Secure))
	w.U32(readable)
	w.U32(writable)
	e.send(nil, w)
	if _, err := e.wait(ctx); err != nil {
		near.Abort()
		return nil, err
	}
	return near, nil
}

// Connect implements rpc.Connector.
func (t *dynamicEntrypoint) Connect(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
	target, err := t.ready(ctx)
	if err != nil {
		return nil, err
	}
	connection, err := target.Connect(ctx, c)
	return connection, startFailure(err)
}
