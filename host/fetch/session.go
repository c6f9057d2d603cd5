package fetch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mayfly/host/egress"
	"mayfly/host/op"
)

// Limits bound one session. A zero field takes its default.
type Limits struct {
	Subrequests   int           // requests sent, redirects included; default 50; one more fails; below zero: none
	RequestBytes  int64         // bodies of all requests; default 1 GiB; past it the fetch fails
	ResponseBytes int64         // bodies of all responses, decompressed; default 1 GiB; past it the body fails
	Open          int           // fetches without an answer, and answers whose body is not read to its end; default 64; one more fails
	Total         time.Duration // of one fetch, its body included; 0: none but the session's end
}

// Options configure a session.
type Options struct {
	Tenant string         // whose connections are used
	Policy *egress.Policy // nil refuses everything
	Limits Limits
	// Settle completes an operation that Start began: with its answer, or with
	// an error record if ok is false. It is called once for each, in Start or
	// later on any goroutine, and not after Close; never for an operation that
	// was cancelled. It may call back into the session but Close. It may keep
	// message.
	Settle func(id uint32, ok bool, message []byte)
	// Bodies is the last handle of a body that the guest may still know of, from
	// sessions before this one.
	Bodies uint32
	// Handle answers the next handle of a body or socket, where sessions share
	// their numbers; it is called with the session locked. Nil: they count on
	// from Bodies.
	Handle func() uint32
	// Secret answers the value of a secret that the policy adds to requests;
	// nil: there are none. Its errors are for the guest to see.
	Secret func(ctx context.Context, name string) (string, error)
}

// Usage is what a session used so far.
type Usage struct {
	Subrequests  int
	EgressBytes  int64 // heads (about) and bodies of requests
	IngressBytes int64 // heads (about) and bodies of responses, decompressed
}

// A Session answers the fetch operations of one execution: fetch, body_read,
// body_write, body_cancel and cancel. It costs next to nothing until the first.
// It is safe for concurrent use.
type Session struct {
	client  *Client
	options Options

	mu       sync.Mutex
	closed   bool
	ctx      context.Context
	cancel   context.CancelFunc
	pool     *pool
	pending  map[uint32]func() // operations under way: how to stop each; may be nil
	uploads  map[uint32]*upload
	bodies   map[uint32]*body
	passed   map[uint32]*body // bodies that are requests' now
	sockets  map[uint32]*socket
	held     int // bytes that sockets hold
	handles  uint32
	open     int
	sent     int64 // bytes of request bodies accepted
	received int64 // bytes of response bodies
	connects int
	usage    Usage
	limitHit bool
	running  sync.WaitGroup
}

// NewSession makes a session.
func (c *Client) NewSession(options Options) *Session {
	l := &options.Limits
	if l.Subrequests == 0 {
		l.Subrequests = 50
	}
	if l.RequestBytes == 0 {
		l.RequestBytes = 1 << 30
	}
	if l.ResponseBytes == 0 {
		l.ResponseBytes = 1 << 30
	}
	if l.Open == 0 {
		l.Open = 64
	}
	return &Session{client: c, options: options, handles: options.Bodies}
}

// Start begins an asynchronous operation: fetch, body_read, body_write, connect or
// one of a WebSocket. The message is read before it returns. An id that is under way is ignored.
func (s *Session) Start(o op.Op, id uint32, in []byte) { s.start(o, id, in, s.options.Policy) }

// StartVia begins a fetch as Start does, under a policy of its own.
func (s *Session) StartVia(policy *egress.Policy, id uint32, in []byte) {
	s.start(op.Fetch, id, in, policy)
}

func (s *Session) start(o op.Op, id uint32, in []byte, policy *egress.Policy) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.begin()
	if _, ok := s.pending[id]; ok {
		s.mu.Unlock()
		return
	}
	s.pending[id] = nil
	s.mu.Unlock()

	var err error
	switch o {
	case op.Fetch:
		err = s.startFetch(id, in, policy)
	case op.BodyRead:
		err = s.startRead(id, in)
	case op.BodyWrite:
		err = s.startWrite(id, in)
	case op.Connect:
		err = s.startConnect(id, in)
	case op.Websocket:
		err = s.startSocket(id, in)
	case op.WebsocketSend:
		err = s.startSend(id, in)
	case op.WebsocketReceive:
		err = s.startReceive(id, in)
	case op.WebsocketClose:
		err = s.startClose(id, in)
	default:
		err = typeError("%s is not an operation of fetch", o)
	}
	if err != nil {
		s.fail(id, err)
	}
}

// Cancel drops an operation: it will not settle. A fetch is aborted, and so is
// its body if the fetch was answered already.
func (s *Session) Cancel(id uint32) {
	s.mu.Lock()
	stop, ok := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if ok {
		if stop != nil {
			stop()
		}
		return
	}
	// The fetch may have been answered, and the answer not yet have been seen.
	s.mu.Lock()
	var answered *body
	for _, b := range s.bodies {
		if b.exchange.id == id {
			answered = b
		}
	}
	for _, k := range s.sockets {
		if k.exchange.id == id {
			defer k.exchange.cancel(errAborted)
		}
	}
	s.mu.Unlock()
	if answered != nil {
		s.CancelBody(answered.handle)
	}
}

// Bodies is the last handle that was given to a body.
func (s *Session) Bodies() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handles
}

// newHandle is the next handle; the lock is held.
func (s *Session) newHandle() uint32 {
	if s.options.Handle != nil {
		return s.options.Handle()
	}
	s.handles++
	return s.handles
}

// CancelBody gives a response's body up. Unknown handles are ignored.
func (s *Session) CancelBody(handle uint32) {
	s.mu.Lock()
	b, passed := s.bodies[handle], s.passed[handle]
	s.mu.Unlock()
	if passed != nil {
		passed.cancel(errAborted) // the request that has it fails
	}
	if b != nil {
		s.dropBody(b) // first, so that who reads it learns why
		b.cancel(errAborted)
	}
}

// Usage says what was used so far.
func (s *Session) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage
}

// LimitHit reports whether the guest wanted more subrequests than it may have.
func (s *Session) LimitHit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limitHit
}

// Close aborts whatever is under way and waits until nothing runs. No operation
// settles afterwards.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	s.running.Wait()
}

// settle completes an operation, and reports whether it was still wanted.
func (s *Session) settle(id uint32, ok bool, message []byte) bool {
	s.mu.Lock()
	_, wanted := s.pending[id]
	delete(s.pending, id)
	wanted = wanted && !s.closed
	if wanted {
		s.running.Add(1) // Close waits for the call
		defer s.running.Done()
	}
	s.mu.Unlock()
	if wanted {
		s.options.Settle(id, ok, message)
	}
	return wanted
}

func (s *Session) fail(id uint32, err error) { s.settle(id, false, encodeError(err)) }

// goRun runs f, unless the session is closed.
func (s *Session) goRun(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(f)
	return true
}

// spend counts a request, if there may be one more.
func (s *Session) spend(head int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.usage.Subrequests >= s.options.Limits.Subrequests {
		s.limitHit = true
		return &guestError{name: "Error", message: fmt.Sprintf("Too many subrequests (limit %d)", max(s.options.Limits.Subrequests, 0))}
	}
	s.usage.Subrequests++
	s.usage.EgressBytes += head
	return nil
}

// accept counts bytes of a request's body that the guest hands over.
func (s *Session) accept(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent+int64(n) > s.options.Limits.RequestBytes {
		return typeError("fetch failed: request bodies are larger than the limit of %d bytes", s.options.Limits.RequestBytes)
	}
	s.sent += int64(n)
	return nil
}

// countEgress counts bytes that went to the network.
func (s *Session) countEgress(n int) {
	s.mu.Lock()
	s.usage.EgressBytes += int64(n)
	s.mu.Unlock()
}

// receive counts bytes of a response's body, and says how many of them are
// within the limit.
func (s *Session) receive(n int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room := s.options.Limits.ResponseBytes - s.received; int64(n) > room {
		s.received += room
		s.usage.IngressBytes += room
		return int(room), typeError("response bodies are larger than the limit of %d bytes", s.options.Limits.ResponseBytes)
	}
	s.received += int64(n)
	s.usage.IngressBytes += int64(n)
	return n, nil
}

func (s *Session) countIngress(n int64) {
	s.mu.Lock()
	s.usage.IngressBytes += n
	s.mu.Unlock()
}
