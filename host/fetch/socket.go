package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"mayfly/host/op"
)

// Bounds of sockets.
const (
	// MaxSocketMessage is the size of a message in bytes, either way, beyond
	// which a socket fails (1009).
	MaxSocketMessage = 16 << 20
	// maxSocketBytes is how many bytes of messages one session's sockets may
	// hold in the host, received and not yet taken, or on their way out.
	maxSocketBytes = 64 << 20
	// readAhead is how many bytes of messages wait for the guest before no
	// more is read: the peer then feels it.
	readAhead = 256 << 10
	// messageOverhead is what a waiting message counts for besides its bytes.
	messageOverhead = 64
	// closeTime bounds the closing handshake.
	closeTime = 10 * time.Second
)

// Kinds of messages, as the operations number them.
const (
	socketClosed = 0
	socketText   = 1
	socketBinary = 2
)

// A socketEnd is how a socket ended: RFC 6455 7.1.5 to 7.1.7.
type socketEnd struct {
	code   uint32
	clean  bool
	reason string
}

// brokenEnd is that of a connection that ended without a close frame.
var brokenEnd = socketEnd{code: 1006}

type socketMessage struct {
	kind byte
	data []byte
}

// A wire is the connection of a socket. Closing it ends whatever waits for it.
// It remembers the end of what came: who closes first is told of the peer's close
// frame that it came, with that code, but not its reason.
type wire struct {
	io.ReadWriteCloser
	once sync.Once
	err  error

	mu   sync.Mutex
	tail []byte // the last bytes that came
}

// maxCloseFrame is the size of the longest close frame of a server (RFC 6455 5.5).
const maxCloseFrame = 2 + 125

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.ReadWriteCloser.Read(p)
	if n > 0 {
		w.mu.Lock()
		w.tail = append(w.tail, p[max(0, n-maxCloseFrame):n]...)
		w.tail = w.tail[max(0, len(w.tail)-maxCloseFrame):]
		w.mu.Unlock()
	}
	return n, err
}

// reason is that of the close frame that came last, if it has the code.
func (w *wire) reason(code uint32) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for size := 2; size+2 <= len(w.tail); size++ {
		frame := w.tail[len(w.tail)-size-2:]
		if frame[0] == 0x88 && int(frame[1]) == size && uint32(binary.BigEndian.Uint16(frame[2:])) == code && utf8.Valid(frame[4:]) {
			return string(frame[4:])
		}
	}
	return ""
}

func (w *wire) Close() error {
	w.once.Do(func() { w.err = w.ReadWriteCloser.Close() })
	return w.err
}

// A socket is the client's end of a WebSocket connection (RFC 6455): a goroutine
// reads messages ahead of the guest until enough are waiting.
type socket struct {
	exchange *exchange
	handle   uint32
	conn     *websocket.Conn
	wire     *wire

	space  chan struct{} // tells the pump that messages were taken
	closer chan struct{} // closed when our own closing is over

	mu      sync.Mutex
	queue   []socketMessage // received, and not yet taken
	queued  int             // bytes of them, with overhead
	waiting bool            // a websocket_receive is under way
	reader  uint32          // its id
	sending bool            // a websocket_send is under way
	closing bool            // the guest closes: what comes is discarded
	ended   bool
	end     socketEnd // if ended, or if closer is closed
}

// openSocket makes the session's socket of an accepted handshake and settles the
// fetch that asked for it.
func (x *exchange) openSocket(conn *websocket.Conn, w *wire, response []byte) {
	s := x.session
	conn.SetReadLimit(MaxSocketMessage)
	k := &socket{exchange: x, conn: conn, wire: w, space: make(chan struct{}, 1), closer: make(chan struct{})}
	s.mu.Lock()
	k.handle = s.newHandle()
	if s.sockets == nil {
		s.sockets = map[uint32]*socket{}
	}
	s.sockets[k.handle] = k
	s.mu.Unlock()
	context.AfterFunc(x.ctx, func() { w.Close() })
	if !s.goRun(k.pump) {
		w.Close()
		return
	}
	if !s.settle(x.id, true, withHandle(response, k.handle)) {
		x.cancel(errAborted)
	}
}

// hold counts bytes that the session's sockets hold, if there is room for them.
func (s *Session) hold(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.held+n > maxSocketBytes {
		return false
	}
	s.held += n
	return true
}

// pump reads messages until the connection ends.
func (k *socket) pump() {
	s := k.exchange.session
	var err error
	for err == nil && k.room() {
		err = k.readMessage()
	}
	end := brokenEnd
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		end = socketEnd{uint32(closed.Code), true, closed.Reason}
	case k.isClosing():
		<-k.closer
		k.mu.Lock()
		end = k.end
		k.mu.Unlock()
	}
	_ = k.conn.CloseNow()
	k.wire.Close()
	k.exchange.cancel(errAborted)
	s.release()
	k.mu.Lock()
	k.ended, k.end = true, end
	k.deliver()
}

func (k *socket) isClosing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closing
}

// errFailed ends a socket whose peer does what it must not, after it was told.
var errFailed = errors.New("the socket failed")

// readMessage reads one message and queues it.
func (k *socket) readMessage() error {
	s := k.exchange.session
	typ, r, err := k.conn.Reader(context.Background())
	if err != nil {
		return err
	}
	data := make([]byte, 0, 512)
	held := messageOverhead
	if !s.hold(held) {
		return k.fail(websocket.StatusMessageTooBig)
	}
	defer func() { s.hold(-held) }() // what is queued is counted on its own
	for {
		if len(data) == cap(data) {
			grown := cap(data)
			if !s.hold(grown) {
				return k.fail(websocket.StatusMessageTooBig)
			}
			held += grown
			data = append(data, make([]byte, grown)...)[:len(data)]
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if n, limit := s.receive(n); limit != nil || n < 0 {
			return k.fail(websocket.StatusMessageTooBig)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	m := socketMessage{socketBinary, data}
	if typ == websocket.MessageText {
		m.kind = socketText
		if !utf8.Valid(data) {
			return k.fail(websocket.StatusInvalidFramePayloadData)
		}
	}
	s.hold(len(data) + messageOverhead)
	k.mu.Lock()
	if k.closing {
		k.mu.Unlock()
		s.hold(-len(data) - messageOverhead)
		return nil
	}
	k.queue = append(k.queue, m)
	k.queued += len(data) + messageOverhead
	k.deliver()
	return nil
}

// fail tells the peer why the socket fails.
func (k *socket) fail(code websocket.StatusCode) error {
	timer := time.AfterFunc(time.Second, func() { k.wire.Close() })
	defer timer.Stop()
	_ = k.conn.Close(code, "")
	return errFailed
}

// room waits until there is room for a message. It is false if the socket was
// given up.
func (k *socket) room() bool {
	for {
		k.mu.Lock()
		room := k.queued < readAhead || k.closing
		k.mu.Unlock()
		if room {
			return k.exchange.ctx.Err() == nil
		}
		select {
		case <-k.space:
		case <-k.exchange.ctx.Done():
			return false
		}
	}
}

// deliver answers a waiting websocket_receive if there is an answer. It unlocks
// k.mu.
func (k *socket) deliver() {
	s, id := k.exchange.session, k.reader
	if !k.waiting || len(k.queue) == 0 && !k.ended {
		k.mu.Unlock()
		return
	}
	k.waiting = false
	if len(k.queue) == 0 {
		end := k.end
		k.mu.Unlock()
		s.mu.Lock()
		delete(s.sockets, k.handle)
		s.mu.Unlock()
		s.settle(id, true, encodeEvent(socketClosed, end.code, end.clean, []byte(end.reason)))
		return
	}
	m := k.queue[0]
	k.queue[0] = socketMessage{}
	k.queue = k.queue[1:]
	if len(k.queue) == 0 {
		k.queue = nil
	}
	size := len(m.data) + messageOverhead
	k.queued -= size
	k.mu.Unlock()
	s.hold(-size)
	k.signal()
	s.settle(id, true, encodeEvent(m.kind, 0, false, m.data))
}

func (k *socket) signal() {
	select {
	case k.space <- struct{}{}:
	default:
	}
}

// encodeEvent is websocket_receive's answer.
func encodeEvent(kind byte, code uint32, clean bool, data []byte) []byte {
	w := op.NewWriter(make([]byte, 0, 10+len(data)))
	w.U8(kind)
	w.U32(code)
	if clean {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Bytes(data)
	return w.Message()
}

// socket finds one that an operation names, and makes the operation stoppable.
func (s *Session) socket(id, handle uint32, stop func(*socket)) (*socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.sockets[handle]
	if k == nil {
		return nil, typeError("the WebSocket is closed, or was never there")
	}
	if _, ok := s.pending[id]; ok && stop != nil {
		s.pending[id] = func() { stop(k) }
	}
	return k, nil
}

// startReceive begins a websocket_receive.
func (s *Session) startReceive(id uint32, in []byte) error {
	handle, err := decodeRead(in)
	if err != nil {
		return err
	}
	k, err := s.socket(id, handle, func(k *socket) {
		k.mu.Lock()
		if k.reader == id {
			k.waiting = false
		}
		k.mu.Unlock()
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	if k.waiting {
		k.mu.Unlock()
		return typeError("the WebSocket's next message is awaited already")
	}
	k.waiting, k.reader = true, id
	k.deliver()
	return nil
}

// startSend begins a websocket_send.
func (s *Session) startSend(id uint32, in []byte) error {
	handle, messages, size, err := decodeSend(in)
	if err != nil {
		return err
	}
	k, err := s.socket(id, handle, nil)
	if err != nil {
		return err
	}
	k.mu.Lock()
	refused := k.sending || k.closing
	k.sending = true
	k.mu.Unlock()
	if refused {
		return typeError("the WebSocket is closing, or messages are being sent already")
	}
	done := func() {
		k.mu.Lock()
		k.sending = false
		k.mu.Unlock()
	}
	if !s.hold(size) {
		done()
		return typeError("the session's WebSockets hold more than %d bytes", maxSocketBytes)
	}
	if err := s.accept(size); err != nil {
		s.hold(-size)
		done()
		return err
	}
	s.goRun(func() {
		err := k.write(messages)
		s.hold(-size)
		done()
		if err != nil {
			s.fail(id, k.exchange.explain(err))
			return
		}
		s.settle(id, true, nil)
	})
	return nil
}

func (k *socket) write(messages []socketMessage) error {
	for _, m := range messages {
		typ := websocket.MessageBinary
		if m.kind == socketText {
			typ = websocket.MessageText
		}
		if err := k.conn.Write(context.Background(), typ, m.data); err != nil {
			return err
		}
		k.exchange.session.countEgress(len(m.data))
	}
	return nil
}

// decodeSend reads a websocket_send's message; what it answers is its own.
func decodeSend(in []byte) (handle uint32, messages []socketMessage, size int, err error) {
	r := op.NewReader(in)
	handle = r.U32()
	for n := r.U32(); n > 0 && r.Err() == nil; n-- {
		kind, data := r.U8(), r.Bytes()
		switch {
		case r.Err() != nil:
		case kind != socketText && kind != socketBinary:
			return 0, nil, 0, typeError("%d is not a kind of message", kind)
		case kind == socketText && !utf8.Valid(data):
			return 0, nil, 0, typeError("a text message is not valid UTF-8")
		case len(data) > MaxSocketMessage:
			return 0, nil, 0, typeError("a WebSocket message of %d bytes is larger than the limit of %d bytes", len(data), MaxSocketMessage)
		default:
			messages = append(messages, socketMessage{kind, append([]byte(nil), data...)})
			size += len(data) + messageOverhead
		}
	}
	if err := r.Done(); err != nil {
		return 0, nil, 0, malformed(err)
	}
	return handle, messages, size, nil
}

// startClose begins a websocket_close.
func (s *Session) startClose(id uint32, in []byte) error {
	r := op.NewReader(in)
	handle, code, reason := r.U32(), r.U32(), r.Str()
	if err := r.Done(); err != nil {
		return malformed(err)
	}
	if !validCloseCode(code) {
		return typeError("%d is not a code that a WebSocket can be closed with", code)
	}
	if len(reason) > 123 || code == 0 && reason != "" || !utf8.ValidString(reason) {
		return typeError("the reason to close a WebSocket has to be valid UTF-8 of at most 123 bytes, with a code")
	}
	k, err := s.socket(id, handle, nil)
	if err != nil {
		return err
	}
	k.mu.Lock()
	again := k.closing
	dropped := k.queued
	k.closing = true
	k.queue, k.queued = nil, 0 // the guest wants no more of them
	k.mu.Unlock()
	if again {
		return typeError("the WebSocket is closing already")
	}
	s.hold(-dropped)
	k.signal()
	if !s.goRun(func() {
		k.close(code, reason)
		s.settle(id, true, nil)
	}) {
		close(k.closer)
	}
	return nil
}

// close performs the closing handshake, if the peer goes along.
func (k *socket) close(code uint32, reason string) {
	timer := time.AfterFunc(closeTime, func() { k.wire.Close() })
	defer timer.Stop()
	sent := websocket.StatusCode(code)
	if code == 0 {
		sent = websocket.StatusNoStatusRcvd // no status in the frame
	}
	err := k.conn.Close(sent, reason)
	end := brokenEnd
	var closed websocket.CloseError
	switch {
	case err == nil:
		end = socketEnd{uint32(sent), true, k.wire.reason(code)}
	case errors.As(err, &closed):
		end = socketEnd{uint32(closed.Code), true, closed.Reason}
	case errors.Is(err, net.ErrClosed):
		// The pump knows how it ended.
	}
	k.mu.Lock()
	if !k.ended {
		k.end = end
	}
	k.mu.Unlock()
	close(k.closer)
}

// validCloseCode tells codes that may be sent (RFC 6455 7.4); 0 is none.
func validCloseCode(code uint32) bool {
	switch {
	case code == 0:
		return true
	case code == 1004, code == 1005, code == 1006, code == 1015:
		return false
	}
	return 1000 <= code && code <= 1014 || 3000 <= code && code <= 4999
}
