package binding

import (
	"errors"
	"io"
	"sync"

	"mayfly/host/op"
)

// A body is what an operation answered with, as far as it was not read yet. It
// is read when the guest asks for more.
type body struct {
	bound  *bound
	handle uint32

	mu     sync.Mutex
	source io.ReadCloser // nil: closed
	head   []byte        // read and counted already
	busy   bool
}

func (b *body) close() {
	b.mu.Lock()
	source := b.source
	if !b.busy { // else who reads closes it
		b.source = nil
	}
	busy := b.busy
	b.mu.Unlock()
	if source != nil && !busy {
		source.Close()
	}
}

// keep gives a body a handle.
func (s *Session) keep(b *bound, source io.ReadCloser, head []byte) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return 0, errAborted
	case len(s.bodies) >= maxBodies:
		return 0, limitError(b.Name, "%d bodies are open already: read them to their end, or cancel them", maxBodies)
	}
	s.handles = (s.handles + 1) &^ bodyBit
	handle := s.handles | bodyBit
	s.bodies[handle] = &body{bound: b, handle: handle, source: source, head: head}
	return handle, nil
}

// drop forgets a body.
func (s *Session) drop(handle uint32) *body {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bodies[handle]
	delete(s.bodies, handle)
	return b
}

// CancelBody gives a body up. Unknown handles are ignored.
func (s *Session) CancelBody(handle uint32) {
	if b := s.drop(handle); b != nil {
		b.close()
	}
}

// startRead begins a body_read.
func (s *Session) startRead(id uint32, in []byte) error {
	r := op.NewReader(in)
	handle := r.U32()
	if err := r.Done(); err != nil {
		return typeError("%s", err)
	}
	s.mu.Lock()
	b := s.bodies[handle]
	s.mu.Unlock()
	if b == nil {
		return typeError("the body was read to its end, cancelled, or never there")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy {
		return typeError("the body is being read already")
	}
	if head := b.head; len(head) > 0 {
		b.head = nil
		s.settle(id, true, encodeChunk(head, false))
		return nil
	}
	b.busy = true
	s.goRun(func() { s.read(id, b) })
	return nil
}

// read answers a body_read.
func (s *Session) read(id uint32, b *body) {
	chunk := make([]byte, chunkSize)
	n, err := io.ReadFull(b.source, chunk)
	if limit := s.give(b.bound, n); limit != nil {
		n, err = 0, limit
	}
	end := err == io.EOF
	if err == io.ErrUnexpectedEOF {
		err = nil // the next read says that it is the end
	}
	b.mu.Lock()
	b.busy = false
	b.mu.Unlock()
	if err != nil {
		s.drop(b.handle)
	}
	s.mu.Lock()
	_, open := s.bodies[b.handle]
	s.mu.Unlock()
	if !open {
		b.close()
	}
	if err != nil && !end {
		s.fail(id, bodyError(err))
		return
	}
	s.settle(id, true, encodeChunk(chunk[:n], end))
}

// bodyError is what the guest is told when a body breaks off.
func bodyError(err error) error {
	var told *op.ErrorRecord
	if errors.As(err, &told) {
		return told
	}
	return &op.ErrorRecord{Name: "Error", Code: CodeInternal, Message: "the body could not be read to its end"}
}

// encodeChunk is body_read's answer.
func encodeChunk(chunk []byte, end bool) []byte {
	w := op.NewWriter(make([]byte, 0, 5+len(chunk)))
	if end {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Bytes(chunk)
	return w.Message()
}

// Take takes a body that nobody is reading out of the session: it is the
// caller's to read and close, within the binding's limits.
//
// # Errors
//
// One for the guest if there is no such body.
func (s *Session) Take(handle uint32) (io.ReadCloser, error) {
	s.mu.Lock()
	b := s.bodies[handle]
	s.mu.Unlock()
	if b == nil {
		return nil, typeError("the body was read to its end, cancelled, or never there")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy || b.source == nil {
		return nil, typeError("the body is being read already")
	}
	t := &taken{session: s, bound: b.bound, source: b.source, head: b.head}
	b.source, b.head = nil, nil
	s.drop(handle)
	return t, nil
}

// taken is a body that somebody else reads than the guest.
type taken struct {
	session *Session
	bound   *bound
	source  io.ReadCloser
	head    []byte // read and counted already
}

// Read implements io.Reader.
func (t *taken) Read(p []byte) (int, error) {
	if len(t.head) > 0 {
		n := copy(p, t.head)
		t.head = t.head[n:]
		return n, nil
	}
	n, err := t.source.Read(p)
	if limit := t.session.give(t.bound, n); limit != nil {
		return 0, limit
	}
	return n, err
}

// Close implements io.Closer.
func (t *taken) Close() error { return t.source.Close() }
