package worker

import (
	"errors"
	"fmt"
	"io"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
)

// Bodies of messages, as the wire has them.
const (
	bodyNull   = 0
	bodyBytes  = 1
	bodyStream = 2
	bodyOfHost = 3
	bodySocket = 4
)

// Ends of a body_write, as the operation numbers them.
const (
	writeLast  = 1
	writeAbort = 2
)

// maxStreams is how many bodies, pipes and sockets an event may have open.
const maxStreams = 1000

// maxWrite is the most that one body_write may bring.
const maxWrite = 16 << 20

func wireError(format string, a ...any) error {
	return &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf(format, a...)}
}

// addBody gives a pipe or socket a handle: it becomes the event's.
func (in *instance) addBody(e *event, b bodyHandle) (uint32, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if e.over {
		b.abort()
		return 0, errEventOver
	}
	if len(e.handles) >= maxStreams {
		b.abort()
		return 0, wireError("too many streams are open (limit %d)", maxStreams)
	}
	for {
		in.piped++
		if in.piped < pipeBits {
			in.piped = pipeBits
		}
		if _, taken := in.bodies[in.piped]; !taken {
			break
		}
	}
	b.event = e
	in.bodies[in.piped] = b
	e.handle(in.piped)
	return in.piped, nil
}

// handle notes a handle that the event holds. The instance's lock is held.
func (e *event) handle(handle uint32) {
	if e.handles == nil {
		e.handles = map[uint32]struct{}{}
	}
	e.handles[handle] = struct{}{}
}

// dropBody forgets a handle.
func (in *instance) dropBody(handle uint32) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if b, ok := in.bodies[handle]; ok {
		delete(in.bodies, handle)
		if b.event != nil {
			delete(b.event.handles, handle)
		}
	}
}

func (in *instance) body(handle uint32) bodyHandle {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.bodies[handle]
}

// takeBody takes a body that the guest has not read out of its hands.
func (in *instance) takeBody(handle uint32) (*pipe.Pipe, error) {
	b := in.body(handle)
	switch {
	case b.readable != nil:
		in.dropBody(handle)
		return b.readable, nil
	case b.session != nil:
		source, length, err := b.session.Take(handle)
		if err != nil {
			return nil, err
		}
		in.dropBody(handle)
		// The event's network has to stay open until the body was read.
		return pipe.From(&heldBody{source, b.event.hold()}, length), nil
	}
	return nil, wireError("the body was read to its end, cancelled, or never there")
}

// heldBody tells when it is closed.
type heldBody struct {
	io.ReadCloser
	closed func()
}

func (h *heldBody) Close() error {
	err := h.ReadCloser.Close()
	if h.closed != nil {
		h.closed()
		h.closed = nil
	}
	return err
}

// respond is the operation of that name.
func (in *instance) respond(r *op.Reader, w *op.Writer) error {
	id := r.U32()
	response := &rpc.Response{Status: int(r.U32()), StatusText: r.Str(), Header: r.Pairs()}
	kind, content := r.U8(), r.Bytes()
	if err := r.Done(); err != nil {
		return err
	}
	in.mu.Lock()
	e := in.events[id]
	in.mu.Unlock()
	if e == nil || e.kind != dispatchFetch {
		w.U32(0)
		return nil // it was ended meanwhile
	}
	var handle uint32
	var err error
	switch kind {
	case bodyNull:
	case bodyBytes:
		response.Body.Bytes = append(make([]byte, 0, len(content)), content...)
	case bodyStream:
		p := pipe.New()
		response.Body.Stream = p
		handle, err = in.addBody(e, bodyHandle{writable: p, given: true})
	case bodyOfHost:
		if len(content) != 4 {
			return op.ErrMessage
		}
		taken := uint32(content[0]) | uint32(content[1])<<8 | uint32(content[2])<<16 | uint32(content[3])<<24
		if isBinding(taken) {
			response.Body.Stream, err = in.bindingBody(e, taken)
			break
		}
		response.Body.Stream, err = in.takeBody(taken)
	case bodySocket:
		var near *rpc.Socket
		near, response.Socket = rpc.NewSocket()
		handle, err = in.addBody(e, bodyHandle{socket: near})
	default:
		err = wireError("%d is not a kind of body", kind)
	}
	if err != nil {
		return err
	}
	if t, ok := e.trace.Event.(*FetchTrace); ok {
		t.answer.Status = response.Status
		t.Response = &t.answer
	}
	a := outcome{response: response, after: in.iso}
	if !e.give(a) {
		a.discard()
	}
	w.U32(handle)
	return nil
}

func isBinding(handle uint32) bool { return !isPipe(handle) && binding.OwnsBody(handle) }

// bindingBody takes the body of a binding's answer.
func (in *instance) bindingBody(e *event, handle uint32) (*pipe.Pipe, error) {
	source, err := in.boundSession().Take(handle)
	if err != nil {
		return nil, err
	}
	release := e.hold()
	return pipe.From(&heldBody{source, release}, -1), nil
}

// startBody begins a body_read, a body_write, or an operation of a socket.
func (in *instance) startBody(e *event, o op.Op, id uint32, message []byte) {
	r := op.NewReader(message)
	handle := r.U32()
	if r.Err() != nil {
		in.fail1(id, op.ErrMessage)
		return
	}
	if !isPipe(handle) {
		if o == op.BodyWrite { // handle is an operation's id
			if in.bindings != nil && in.bindings.OwnsUpload(handle) {
				in.bindings.Start(o, id, message)
			} else if s := in.upload(handle); s != nil {
				in.writePipe(id, s, r, func() { in.endUpload(handle) })
			} else {
				e.net().Start(o, id, message)
			}
			return
		}
		if binding.OwnsBody(handle) {
			in.boundSession().Start(o, id, message)
			return
		}
		if b := in.body(handle); b.session != nil {
			b.session.Start(o, id, message)
			return
		}
		in.fail1(id, wireError("the body was read to its end, cancelled, or never there"))
		return
	}
	b := in.body(handle)
	switch {
	case o == op.BodyRead && b.readable != nil:
		in.readPipe(id, handle, b.readable)
	case o == op.BodyWrite && b.writable != nil:
		in.writePipe(id, b.writable, r, func() { in.dropBody(handle) })
	case b.socket != nil:
		in.startSocket(o, id, handle, b.socket, r)
	case o == op.BodyWrite:
		in.fail1(id, wireError("the body is no longer wanted"))
	default:
		in.fail1(id, wireError("the body was read to its end, cancelled, or never there"))
	}
}

// readPipe answers a body_read.
func (in *instance) readPipe(id, handle uint32, p *pipe.Pipe) {
	forget := p.Read(func(chunk []byte, err error) {
		switch {
		case err == io.EOF:
			in.dropBody(handle)
			in.Settle(id, true, encodeChunk(1, nil))
		case err != nil:
			in.dropBody(handle)
			in.fail1(id, streamError(err))
		default:
			in.Settle(id, true, encodeChunk(0, chunk))
		}
	})
	in.stopper(id, func() { forget() })
}

// streamError is why a stream broke off, for the guest.
func streamError(err error) error {
	var record *op.ErrorRecord
	if errors.As(err, &record) {
		return record
	}
	if errors.Is(err, pipe.ErrAborted) || errors.Is(err, errEventOver) {
		return &op.ErrorRecord{Name: "Error", Message: "Network connection lost."}
	}
	return &op.ErrorRecord{Name: "Error", Message: err.Error()}
}

func encodeChunk(end uint8, chunk []byte) []byte {
	w := op.NewWriter(make([]byte, 0, 5+len(chunk)))
	w.U8(end)
	w.Bytes(chunk)
	return w.Message()
}

// writePipe is a body_write; over is called with the last one.
func (in *instance) writePipe(id uint32, p *pipe.Pipe, r *op.Reader, over func()) {
	end, content := r.U8(), r.Bytes()
	switch {
	case r.Done() != nil:
		in.fail1(id, op.ErrMessage)
		return
	case end > writeAbort:
		in.fail1(id, wireError("%d is not an end of a body_write", end))
		return
	case len(content) > maxWrite:
		in.fail1(id, wireError("a body_write has %d bytes, at most %d are allowed", len(content), maxWrite))
		return
	case end == writeAbort:
		over()
		p.End(brokenBy(content))
		in.Settle(id, true, nil)
		return
	}
	p.Write(append([]byte(nil), content...), func(err error) {
		if err != nil {
			over()
			in.fail1(id, wireError("the body is no longer wanted"))
			return
		}
		if end == writeLast {
			over()
			p.End(nil)
		}
		in.Settle(id, true, nil)
	})
}

// brokenBy is why a writer broke its stream off: an error, or nothing.
func brokenBy(content []byte) error {
	if len(content) > 0 {
		r := op.NewReader(content)
		if record, err := op.ReadError(r); err == nil && r.Done() == nil {
			return record
		}
	}
	return &op.ErrorRecord{Name: "Error", Message: "The stream was aborted by its writer."}
}

// cancelBody is the operation body_cancel.
func (in *instance) cancelBody(handle uint32) {
	if !isPipe(handle) {
		if binding.OwnsBody(handle) {
			in.boundSession().CancelBody(handle)
		} else if b := in.body(handle); b.session != nil {
			b.session.CancelBody(handle)
			in.dropBody(handle)
		}
		return
	}
	b := in.body(handle)
	in.dropBody(handle)
	b.abort()
}

// Bounds of sockets between isolates.
const maxSocketMessage = 32 << 20

// startSocket begins an operation of a socket.
func (in *instance) startSocket(o op.Op, id, handle uint32, s *rpc.Socket, r *op.Reader) {
	switch o {
	case op.WebsocketSend:
		n := r.U32()
		for range n {
			kind, data := r.U8(), r.Bytes()
			if r.Err() != nil || kind != rpc.SocketText && kind != rpc.SocketBinary || len(data) > maxSocketMessage {
				in.fail1(id, op.ErrMessage)
				return
			}
			n--
			var done func(error)
			if n == 0 {
				done = func(error) { in.Settle(id, true, nil) }
			}
			s.Send(rpc.SocketMessage{Kind: kind, Data: append([]byte(nil), data...)}, done)
		}
		if r.Done() != nil {
			in.fail1(id, op.ErrMessage)
		}
	case op.WebsocketReceive:
		if r.Done() != nil {
			in.fail1(id, op.ErrMessage)
			return
		}
		s.Receive(func(m rpc.SocketMessage) {
			if m.Kind == rpc.SocketClosed {
				in.dropBody(handle)
			}
			w := op.NewWriter(make([]byte, 0, 10+len(m.Data)))
			w.U8(m.Kind)
			w.U32(m.Code)
			if m.Clean {
				w.U8(1)
			} else {
				w.U8(0)
			}
			w.Bytes(m.Data)
			in.Settle(id, true, w.Message())
		})
		in.stopper(id, s.Forget)
	case op.WebsocketClose:
		code, reason := r.U32(), r.Str()
		if r.Done() != nil {
			in.fail1(id, op.ErrMessage)
			return
		}
		if code == 0 {
			code = 1005
		}
		s.Send(rpc.SocketMessage{Kind: rpc.SocketClosed, Code: code, Clean: true, Data: []byte(reason)}, nil)
		in.Settle(id, true, nil)
	default:
		in.fail1(id, wireError("the handle is a socket's"))
	}
}
