// Package pipe has streams of bytes between isolates, and between an isolate
// and the network: one writer, one reader, and as much between them as the
// capacity. Both ends are used without a goroutine that waits: what can't be
// done at once is told later by a callback.
package pipe

import (
	"errors"
	"io"
	"sync"
)

// ErrAborted is what the other end is told of an end that went away without a
// reason.
var ErrAborted = errors.New("the stream was aborted")

// capacity is how many bytes wait for the reader before the writer does. One
// write may be larger.
const capacity = 128 << 10

// A Pipe is a stream of bytes. It is safe for concurrent use.
type Pipe struct {
	mu     sync.Mutex
	step   bool // see NewStepwise
	queue  [][]byte
	queued int
	ended  bool  // the writer wrote its last
	cause  error // why it ended early
	gone   error // the reader has gone: why
	ready  func(error)
	reader func([]byte, error)
	source func() // begins to fill the pipe at the first read; nil: filled by its writer
	unread func(error)
	length int64
}

// New makes a pipe.
func New() *Pipe { return &Pipe{length: -1} }

// NewStepwise makes a pipe that holds one write: it is done when the reader asks
// for what comes after it.
func NewStepwise() *Pipe { return &Pipe{length: -1, step: true} }

// Length is the number of bytes that the whole stream has, or -1.
func (p *Pipe) Length() int64 { return p.length }

// SetLength tells how many bytes there will be; only before anybody reads.
func (p *Pipe) SetLength(n int64) { p.length = n }

// OnCancel has f called, once, when the reader gives the rest up.
func (p *Pipe) OnCancel(f func(error)) {
	p.mu.Lock()
	gone := p.gone
	p.unread = f
	p.mu.Unlock()
	if gone != nil {
		f(gone)
	}
}

// Write hands bytes over, which belong to the pipe from then on. ready is
// called when there is room for more, at once or later on any goroutine; with
// an error if the reader has gone or the pipe has ended. One write at a time.
func (p *Pipe) Write(b []byte, ready func(error)) {
	p.mu.Lock()
	if p.gone != nil || p.ended {
		err := p.gone
		if err == nil {
			err = io.ErrClosedPipe
		}
		p.mu.Unlock()
		ready(err)
		return
	}
	if reader := p.reader; reader != nil && len(b) > 0 {
		p.reader = nil
		if p.step {
			p.ready, ready = ready, nil
		}
		p.mu.Unlock()
		reader(b, nil)
		if ready != nil {
			ready(nil)
		}
		return
	}
	if len(b) > 0 {
		p.queue = append(p.queue, b)
		p.queued += len(b)
	}
	if p.queued >= capacity || p.step && p.queued > 0 {
		p.ready = ready
		ready = nil
	}
	p.mu.Unlock()
	if ready != nil {
		ready(nil)
	}
}

// End is the writer's last: nil for the end of the stream, else why there is no
// more. Later calls have no effect.
func (p *Pipe) End(err error) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended, p.cause = true, err
	reader, ready := p.reader, p.ready
	p.reader, p.ready = nil, nil
	p.mu.Unlock()
	if ready != nil {
		ready(nil)
	}
	if reader != nil {
		if err == nil {
			err = io.EOF
		}
		reader(nil, err)
	}
}

// Read asks for the next bytes: done is called with some, or with io.EOF, or
// with why there are none; at once or later on any goroutine. The bytes are the
// reader's. One read at a time; forget takes it back, and reports whether done
// will not be called.
func (p *Pipe) Read(done func(chunk []byte, err error)) (forget func() bool) {
	p.mu.Lock()
	if source := p.source; source != nil {
		p.source = nil
		go source()
	}
	switch {
	case p.gone != nil:
		err := p.gone
		p.mu.Unlock()
		done(nil, err)
	case len(p.queue) > 0:
		b := p.queue[0]
		p.queue = p.queue[1:]
		p.queued -= len(b)
		var ready func(error)
		if p.queued < capacity && !p.step {
			ready, p.ready = p.ready, nil
		}
		p.mu.Unlock()
		if ready != nil {
			ready(nil)
		}
		done(b, nil)
	case p.ended:
		err := p.cause
		p.mu.Unlock()
		if err == nil {
			err = io.EOF
		}
		done(nil, err)
	default:
		p.reader = done
		var ready func(error)
		if p.step {
			ready, p.ready = p.ready, nil
		}
		p.mu.Unlock()
		if ready != nil {
			ready(nil)
		}
	}
	return p.forget
}

func (p *Pipe) forget() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.reader != nil
	p.reader = nil
	return waiting
}

// Cancel is the reader's last: it wants no more. The writer is told why.
func (p *Pipe) Cancel(err error) {
	if err == nil {
		err = ErrAborted
	}
	p.mu.Lock()
	if p.gone != nil {
		p.mu.Unlock()
		return
	}
	p.gone = err
	ready, reader, unread := p.ready, p.reader, p.unread
	ended := p.ended && len(p.queue) == 0
	p.ready, p.reader, p.queue, p.queued, p.source = nil, nil, nil, 0, nil
	p.mu.Unlock()
	if ready != nil {
		ready(err)
	}
	if reader != nil {
		reader(nil, err)
	}
	if unread != nil && !ended {
		unread(err)
	}
}
