package binding

import (
	"context"
	"io"
	"sync"

	"mayfly/host/op"
)

// Ends of a body_write, as the operation numbers them.
const (
	writeLast  = 1
	writeAbort = 2
)

// An upload is the streamed body of an operation: what the guest writes waits
// in a buffer for the binding. A write settles when the buffer has at most one
// chunk.
type upload struct {
	session *Session
	bound   *bound
	ctx     context.Context
	wake    chan struct{} // tells Read that there is more

	mu      sync.Mutex
	buffer  []byte
	ended   bool
	closed  bool // the binding wants no more
	err     error
	waiting bool
	writer  uint32 // the body_write that waits
}

func errUnwanted() error { return typeError("the body is no longer wanted") }

// startWrite begins a body_write.
func (s *Session) startWrite(id uint32, in []byte) error {
	r := op.NewReader(in)
	operation, end, content := r.U32(), r.U8(), r.Bytes()
	if err := r.Done(); err != nil {
		return typeError("%s", err)
	}
	switch {
	case end > writeAbort:
		return typeError("%d is not an end of a body_write", end)
	case len(content) > MaxMessage:
		return typeError("a body_write has %d bytes, at most %d are allowed", len(content), MaxMessage)
	}
	s.mu.Lock()
	o := s.pending[operation]
	s.mu.Unlock()
	if o == nil || o.upload == nil {
		return errUnwanted()
	}
	return o.upload.write(id, end, content)
}

func (u *upload) write(id uint32, end uint8, content []byte) error {
	u.mu.Lock()
	switch {
	case u.closed:
		u.mu.Unlock()
		return errUnwanted()
	case u.ended || u.waiting:
		u.mu.Unlock()
		return typeError("the body was ended, or is being written already")
	case end == writeAbort:
		u.ended, u.err = true, errAborted
		u.mu.Unlock()
		u.signal()
		u.session.settle(id, true, nil)
		return nil
	}
	if err := u.session.accept(u.bound, len(content)); err != nil {
		u.ended, u.err = true, err
		u.mu.Unlock()
		u.signal()
		return err
	}
	u.buffer = append(u.buffer, content...)
	u.ended = end == writeLast
	if len(u.buffer) > chunkSize && !u.ended {
		u.waiting, u.writer = true, id
	}
	waiting := u.waiting
	u.mu.Unlock()
	u.signal()
	if !waiting {
		u.session.settle(id, true, nil)
	}
	return nil
}

func (u *upload) signal() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Read is the binding's. An upload that the guest has broken off ends with an
// error, so that nothing of it is kept.
func (u *upload) Read(p []byte) (int, error) {
	for {
		u.mu.Lock()
		if len(u.buffer) > 0 && u.err == nil {
			n := copy(p, u.buffer)
			if u.buffer = u.buffer[n:]; len(u.buffer) == 0 {
				u.buffer = nil
			}
			settle := u.waiting && len(u.buffer) <= chunkSize
			if settle {
				u.waiting = false
			}
			u.mu.Unlock()
			if settle {
				u.session.settle(u.writer, true, nil)
			}
			return n, nil
		}
		err := u.err
		if err == nil && u.ended {
			err = io.EOF
		}
		u.mu.Unlock()
		if err != nil {
			return 0, err
		}
		select {
		case <-u.wake:
		case <-u.ctx.Done():
			return 0, u.ctx.Err()
		}
	}
}

// close says that the binding wants no more of the body.
func (u *upload) close() {
	u.mu.Lock()
	waiting := u.waiting
	u.closed, u.waiting, u.buffer = true, false, nil
	u.mu.Unlock()
	if waiting {
		u.session.fail(u.writer, errUnwanted())
	}
}
