package rpc

import "sync"

// Kinds of messages of a Socket, as the WebSocket operations number them.
const (
	SocketClosed = 0 // the last: Code and Clean count, Data is the reason
	SocketText   = 1
	SocketBinary = 2
)

// A SocketMessage is a message of a WebSocket, or its end.
type SocketMessage struct {
	Kind  uint8
	Data  []byte
	Code  uint32 // of an end: RFC 6455 7.4; 1005 none, 1006 broken
	Clean bool
}

// A Socket is one end of a WebSocket between an isolate and whoever is at the
// other end: another isolate, or a connection. It is safe for concurrent use.
type Socket struct {
	in, out *socketQueue
}

// socketCapacity is how many bytes of messages wait for their receiver before
// the sender does.
const socketCapacity = 1 << 20

// socketOverhead is what a waiting message counts for besides its bytes.
const socketOverhead = 64

type socketQueue struct {
	mu       sync.Mutex
	messages []SocketMessage
	size     int
	closed   bool
	ready    []func(error)
	receiver func(SocketMessage)
}

// NewSocket makes both ends of a WebSocket.
func NewSocket() (*Socket, *Socket) {
	a, b := &socketQueue{}, &socketQueue{}
	return &Socket{a, b}, &Socket{b, a}
}

// Send sends a message. done is called when there is room for the next one; it
// has no error: what a closed end is sent is lost. It may be nil.
func (s *Socket) Send(m SocketMessage, done func(error)) {
	q := s.out
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		if done != nil {
			done(nil)
		}
		return
	}
	q.closed = m.Kind == SocketClosed
	if r := q.receiver; r != nil {
		q.receiver = nil
		q.mu.Unlock()
		r(m)
		if done != nil {
			done(nil)
		}
		return
	}
	q.messages = append(q.messages, m)
	q.size += len(m.Data) + socketOverhead
	if done != nil && q.size >= socketCapacity {
		q.ready = append(q.ready, done)
		done = nil
	}
	q.mu.Unlock()
	if done != nil {
		done(nil)
	}
}

// Receive asks for the next message. After the end there is none.
func (s *Socket) Receive(done func(SocketMessage)) {
	q := s.in
	q.mu.Lock()
	if len(q.messages) == 0 {
		q.receiver = done
		q.mu.Unlock()
		return
	}
	m := q.messages[0]
	q.messages = q.messages[1:]
	q.size -= len(m.Data) + socketOverhead
	var ready []func(error)
	if q.size < socketCapacity {
		ready, q.ready = q.ready, nil
	}
	q.mu.Unlock()
	for _, f := range ready {
		f(nil)
	}
	done(m)
}

// Forget takes a Receive back.
func (s *Socket) Forget() {
	s.in.mu.Lock()
	s.in.receiver = nil
	s.in.mu.Unlock()
}

// Abort ends both ways as a connection does that breaks.
func (s *Socket) Abort() {
	s.Send(SocketMessage{Kind: SocketClosed, Code: 1006}, nil)
	s.in.mu.Lock()
	r := s.in.receiver
	closed := s.in.closed
	s.in.receiver, s.in.closed = nil, true
	if r == nil && !closed {
		s.in.messages = append(s.in.messages, SocketMessage{Kind: SocketClosed, Code: 1006})
	}
	s.in.mu.Unlock()
	if r != nil {
		r(SocketMessage{Kind: SocketClosed, Code: 1006})
	}
}
