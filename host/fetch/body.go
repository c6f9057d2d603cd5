package fetch

import (
	"io"
	"sync"
)

// chunkSize is the most that one body_read answers with, and that is read ahead
// of the guest.
const chunkSize = 64 << 10

// readSize is how much is asked of the network at once.
const readSize = 32 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// A body is a response's body: a goroutine reads ahead by one chunk, and waits
// for the guest to take it.
type body struct {
	exchange *exchange
	handle   uint32
	source   io.ReadCloser
	length   int64 // bytes, or -1

	space chan struct{} // tells the pump that the chunk was taken
	ended chan struct{} // closed when the pump is done
	full  chan struct{} // closed when the first chunk is full

	mu      sync.Mutex
	chunk   []byte // read and not yet taken
	done    bool
	err     error  // why it ended early
	waiting bool   // a body_read is under way
	reader  uint32 // its id
	sawFull bool
	taken   bool // the guest had some of it
	passed  bool // it is a request's now: the pump steps back
}

func (b *body) cancel(cause error) { b.exchange.cancel(cause) }

// dropBody forgets a body that is over or given up.
func (s *Session) dropBody(b *body) {
	s.mu.Lock()
	_, ok := s.bodies[b.handle]
	if ok {
		delete(s.bodies, b.handle)
		s.open--
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	b.mu.Lock()
	waiting, reader := b.waiting, b.reader
	b.waiting = false
	b.mu.Unlock()
	if waiting {
		s.fail(reader, typeError("the body was cancelled"))
	}
}

// pump reads the body until it ends.
func (b *body) pump() {
	x := b.exchange
	buffer := readBuffers.Get().(*[readSize]byte)
	for b.room() {
		n, err := b.read(buffer[:])
		b.add(buffer[:n], err)
		if err != nil {
			break
		}
	}
	readBuffers.Put(buffer)
	b.mu.Lock()
	goesOn := b.passed && !b.done
	b.mu.Unlock()
	if !goesOn {
		b.source.Close()
		x.cancel(errAborted)
	}
	close(b.ended)
}

// read reads from the network, and explains what goes wrong.
func (b *body) read(p []byte) (int, error) {
	x := b.exchange
	x.watchdog.arm(x.session.client.config.IdleTimeout, "the next part of the response's body")
	n, err := b.source.Read(p)
	x.watchdog.disarm()
	n, limit := x.session.receive(n)
	switch {
	case limit != nil:
		err = limit
	case err != nil && err != io.EOF:
		err = x.explain(err)
	}
	return n, err
}

// room waits until there is room for a read. It is false if the body was given up,
// or passed on.
func (b *body) room() bool {
	for {
		b.mu.Lock()
		room := len(b.chunk) <= chunkSize-readSize
		if !room && !b.sawFull {
			b.sawFull = true
			close(b.full)
		}
		passed := b.passed
		b.mu.Unlock()
		if passed {
			return false
		}
		if room {
			return true
		}
		select {
		case <-b.space:
		case <-b.exchange.ctx.Done():
			b.add(nil, b.exchange.explain(b.exchange.ctx.Err()))
			return false
		}
	}
}

// add appends what was read, and ends the body if err is not nil.
func (b *body) add(data []byte, err error) {
	b.mu.Lock()
	b.chunk = append(b.chunk, data...)
	if err != nil {
		b.done = true
		if err != io.EOF {
			b.err = err
		}
	}
	b.deliver()
}

// deliver answers a waiting body_read if there is an answer. It unlocks b.mu.
func (b *body) deliver() {
	s, id := b.exchange.session, b.reader
	if !b.waiting || len(b.chunk) == 0 && !b.done {
		b.mu.Unlock()
		return
	}
	b.waiting, b.taken = false, true
	chunk, err := b.chunk, b.err
	b.chunk = nil
	b.mu.Unlock()
	switch {
	case len(chunk) > 0:
		select {
		case b.space <- struct{}{}:
		default:
		}
		s.settle(id, true, encodeChunk(false, chunk))
	case err != nil:
		s.dropBody(b)
		s.fail(id, err)
	default:
		s.dropBody(b)
		s.settle(id, true, encodeChunk(true, nil))
	}
}

// takeWhole takes the body if it has ended well and is one chunk at most.
func (b *body) takeWhole() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done || b.err != nil || b.sawFull {
		return nil, false
	}
	return b.chunk, true
}

// startRead begins a body_read.
func (s *Session) startRead(id uint32, in []byte) error {
	handle, err := decodeRead(in)
	if err != nil {
		return err
	}
	s.mu.Lock()
	b := s.bodies[handle]
	if b != nil {
		s.pending[id] = func() { b.forget(id) }
	}
	s.mu.Unlock()
	if b == nil {
		return typeError("the body was read to its end, cancelled, or never there")
	}
	b.mu.Lock()
	if b.waiting {
		b.mu.Unlock()
		return typeError("the body is being read already")
	}
	b.waiting, b.reader = true, id
	b.deliver()
	return nil
}

// forget drops a body_read; what it would have got goes to the next.
func (b *body) forget(id uint32) {
	b.mu.Lock()
	if b.reader == id {
		b.waiting = false
	}
	b.mu.Unlock()
}
