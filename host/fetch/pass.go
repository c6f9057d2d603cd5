package fetch

import (
	"encoding/binary"
	"io"
	"sync"
)

// A passage is a response's body that has become a request's: the transport of
// the one reads what that of the other has, and the guest sees nothing of it.
type passage struct {
	exchange *exchange // of the request
	body     *body
	length   int64 // bytes, or -1
	once     sync.Once
}

// pass takes a body from the guest that nobody is reading.
func (s *Session) pass(x *exchange, in []byte) error {
	if len(in) != 4 {
		return typeError("malformed fetch message")
	}
	handle := binary.LittleEndian.Uint32(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bodies[handle]
	if b == nil {
		return typeError("the body was read to its end, cancelled, or never there")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting {
		return typeError("the body is being read already")
	}
	b.passed = true
	select {
	case b.space <- struct{}{}: // so that the pump looks
	default:
	}
	delete(s.bodies, handle)
	if s.passed == nil {
		s.passed = map[uint32]*body{}
	}
	s.passed[handle] = b
	x.passage = &passage{exchange: x, body: b, length: -1}
	if b.length > 0 && !b.taken {
		x.passage.length = b.length
	}
	return nil
}

// Read is the transport's.
func (p *passage) Read(buffer []byte) (int, error) {
	x, b := p.exchange, p.body
	x.watchdog.pause() // what takes time now is the other server
	defer x.watchdog.feed()
	select {
	case <-b.ended: // the pump is done, or has stepped back
	case <-x.ctx.Done():
		return 0, x.ctx.Err()
	}
	n, err := p.next(buffer)
	if n > 0 {
		if limit := x.session.accept(n); limit != nil {
			return 0, limit
		}
		x.session.countEgress(n)
	}
	return n, err
}

// next is what the pump had read, and then what the source has.
func (p *passage) next(buffer []byte) (int, error) {
	b := p.body
	b.mu.Lock()
	if len(b.chunk) > 0 {
		n := copy(buffer, b.chunk)
		b.chunk = b.chunk[n:]
		b.mu.Unlock()
		return n, nil
	}
	done, err := b.done, b.err
	b.chunk = nil
	b.mu.Unlock()
	if done {
		if err == nil {
			err = io.EOF
		}
		return 0, err
	}
	n, err := b.read(buffer)
	if err != nil {
		b.mu.Lock()
		b.done = true
		if err != io.EOF {
			b.err = err
		}
		b.mu.Unlock()
	}
	return n, err
}

// Close is the transport's: it wants no more.
func (p *passage) Close() error {
	p.once.Do(func() {
		s, b := p.exchange.session, p.body
		b.exchange.cancel(errAborted)
		<-b.ended
		b.source.Close()
		s.mu.Lock()
		delete(s.passed, b.handle)
		s.open--
		s.mu.Unlock()
	})
	return nil
}

// Take takes a response's body that nobody is reading out of the session: it is
// the caller's to read and close. The exchange goes on as long as the session is
// open.
//
// # Errors
//
// One for the guest, as operations have, if there is no such body.
func (s *Session) Take(handle uint32) (source io.ReadCloser, length int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bodies[handle]
	if b == nil {
		return nil, 0, typeError("the body was read to its end, cancelled, or never there")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting {
		return nil, 0, typeError("the body is being read already")
	}
	b.passed = true
	select {
	case b.space <- struct{}{}: // so that the pump looks
	default:
	}
	delete(s.bodies, handle)
	length = -1
	if b.length > 0 && !b.taken {
		length = b.length
	}
	return &taken{session: s, passage: passage{body: b}}, length, nil
}

// taken is a body that somebody else reads than the guest or a request.
type taken struct {
	session *Session
	passage passage
	once    sync.Once
}

// Read implements io.Reader.
func (t *taken) Read(buffer []byte) (int, error) {
	b := t.passage.body
	select {
	case <-b.ended:
	case <-b.exchange.ctx.Done():
		return 0, b.exchange.explain(b.exchange.ctx.Err())
	}
	return t.passage.next(buffer)
}

// Close implements io.Closer.
func (t *taken) Close() error {
	t.once.Do(func() {
		b := t.passage.body
		b.exchange.cancel(errAborted)
		<-b.ended
		b.source.Close()
		t.session.mu.Lock()
		t.session.open--
		t.session.mu.Unlock()
	})
	return nil
}
