package worker

import (
	"context"
	"io"
	"sync"

	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
)

// Fetch implements rpc.Target: the request goes to the network under the
// policy, as one of a guest does.
func (n *network) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	x := &outgoing{answers: map[uint32]chan settled{}}
	x.session = n.service.config.Executions.NewSession(fetch.Options{
		Tenant: n.tenant, Policy: n.policy, Settle: x.settle,
		Secret: func(ctx context.Context, name string) (string, error) {
			return n.service.config.Executions.Secret(ctx, n.tenant, name)
		},
	})
	w := op.NewWriter(nil)
	w.Str(r.Method)
	w.Str(r.URL)
	w.Pairs(r.Header)
	w.U8(redirectManual)
	switch {
	case r.Body.Stream != nil:
		w.U8(bodyStream)
		w.Bytes(nil)
	case r.Body.Bytes != nil:
		w.U8(bodyBytes)
		w.Bytes(r.Body.Bytes)
	default:
		w.U8(bodyNull)
		w.Bytes(nil)
	}
	answered := x.start(op.Fetch, w.Message())
	if r.Body.Stream != nil {
		go x.upload(answered.id, r.Body.Stream)
	}
	var s settled
	select {
	case s = <-answered.settled:
	case <-ctx.Done():
		x.session.Close()
		return nil, context.Cause(ctx)
	}
	if !s.ok {
		x.session.Close()
		return nil, recordOf(s.message)
	}
	in := op.NewReader(s.message)
	response := &rpc.Response{Status: int(in.U32()), StatusText: in.Str()}
	in.Str()
	in.U8()
	response.Header = in.Pairs()
	kind, content, handle := in.U8(), in.Bytes(), in.U32()
	if kind != bodyStream {
		if kind == bodyBytes {
			response.Body.Bytes = content
		}
		x.session.Close()
		return response, nil
	}
	source, length, err := x.session.Take(handle)
	if err != nil {
		x.session.Close()
		return nil, err
	}
	response.Body.Stream = pipe.From(&heldBody{source, x.session.Close}, length)
	return response, nil
}

// outgoing is one request to the network that no guest makes itself.
type outgoing struct {
	session *fetch.Session

	mu      sync.Mutex
	last    uint32
	answers map[uint32]chan settled
}

type settled struct {
	ok      bool
	message []byte
}

type operation struct {
	id      uint32
	settled chan settled
}

func (x *outgoing) start(o op.Op, message []byte) operation {
	x.mu.Lock()
	x.last++
	started := operation{x.last, make(chan settled, 1)}
	x.answers[started.id] = started.settled
	x.mu.Unlock()
	x.session.Start(o, started.id, message)
	return started
}

func (x *outgoing) settle(id uint32, ok bool, message []byte) {
	x.mu.Lock()
	answer := x.answers[id]
	delete(x.answers, id)
	x.mu.Unlock()
	if answer != nil {
		answer <- settled{ok, message}
	}
}

// upload writes a request's body.
func (x *outgoing) upload(id uint32, p *pipe.Pipe) {
	source := p.Reader()
	defer source.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := source.Read(buffer)
		w := op.NewWriter(nil)
		w.U32(id)
		switch {
		case err == io.EOF:
			w.U8(writeLast)
		case err != nil:
			w.U8(writeAbort)
		default:
			w.U8(0)
		}
		w.Bytes(buffer[:n])
		if s := <-x.start(op.BodyWrite, w.Message()).settled; !s.ok || err != nil {
			return
		}
	}
}

// recordOf is the error that an operation was settled with.
func recordOf(message []byte) error {
	r := op.NewReader(message)
	e, err := op.ReadError(r)
	if err != nil {
		return err
	}
	return e
}
