package fetch

import (
	"io"
	"sync"
)

// Ends of a body_write, as the operation numbers them.
const (
	writeMore  = 0
	writeLast  = 1
	writeAbort = 2
)

// An upload is a streamed request body: what the guest writes waits in a buffer
// for the transport. A write settles when the buffer has at most one chunk.
type upload struct {
	exchange *exchange
	wake     chan struct{} // tells Read that there is more

	mu      sync.Mutex
	buffer  []byte
	ended   bool
	closed  bool // the transport wants no more
	err     error
	waiting bool
	writer  uint32 // the body_write that waits
}

// startWrite begins a body_write.
func (s *Session) startWrite(id uint32, in []byte) error {
	m, err := decodeWrite(in)
	if err != nil {
		return err
	}
	s.mu.Lock()
	u := s.uploads[m.fetch]
	s.mu.Unlock()
	if u == nil {
		return typeError("the request body is no longer wanted")
	}
	return u.write(id, m)
}

func (u *upload) write(id uint32, m writeMessage) error {
	s := u.exchange.session
	u.mu.Lock()
	switch {
	case u.closed:
		u.mu.Unlock()
		return typeError("the request body is no longer wanted")
	case u.ended || u.waiting:
		u.mu.Unlock()
		return typeError("the request body was ended, or is being written already")
	}
	if m.end == writeAbort {
		u.ended, u.err = true, errAborted
		u.mu.Unlock()
		u.signal()
		s.settle(id, true, nil)
		return nil
	}
	if err := s.accept(len(m.bytes)); err != nil {
		u.ended, u.err = true, err
		u.mu.Unlock()
		u.signal()
		return err
	}
	u.buffer = append(u.buffer, m.bytes...)
	u.ended = m.end == writeLast
	if len(u.buffer) > chunkSize {
		u.waiting, u.writer = true, id
	}
	waiting := u.waiting
	u.mu.Unlock()
	u.signal()
	if !waiting {
		s.settle(id, true, nil)
	}
	return nil
}

func (u *upload) signal() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Read is the transport's. While the guest has nothing to send, the watchdog
// sleeps: that is not the server's delay.
func (u *upload) Read(p []byte) (int, error) {
	x := u.exchange
	for {
		u.mu.Lock()
		if len(u.buffer) > 0 {
			n := copy(p, u.buffer)
			u.buffer = u.buffer[n:]
			if len(u.buffer) == 0 {
				u.buffer = nil
			}
			settle := u.waiting && len(u.buffer) <= chunkSize
			writer := u.writer
			if settle {
				u.waiting = false
			}
			u.mu.Unlock()
			x.session.countEgress(n)
			x.watchdog.feed()
			if settle {
				x.session.settle(writer, true, nil)
			}
			return n, nil
		}
		err := u.err
		if err == nil && (u.ended || u.closed) {
			err = io.EOF
		}
		u.mu.Unlock()
		if err != nil {
			return 0, err
		}
		x.watchdog.pause()
		select {
		case <-u.wake:
			x.watchdog.feed()
		case <-x.ctx.Done():
			return 0, x.ctx.Err()
		}
	}
}

// Close is the transport's: it wants no more of the body.
func (u *upload) Close() error {
	s := u.exchange.session
	s.mu.Lock()
	delete(s.uploads, u.exchange.id)
	s.mu.Unlock()
	u.mu.Lock()
	waiting, writer := u.waiting, u.writer
	u.closed, u.waiting, u.buffer = true, false, nil
	u.mu.Unlock()
	if waiting {
		s.fail(writer, typeError("the request body is no longer wanted"))
	}
	return nil
}
