package binding

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"mayfly/host/op"
)

// Bounds of one session.
const (
	// MaxMessage bounds the message of an operation; larger bodies are streamed.
	MaxMessage = 2 << 20
	// inlineSize is the largest body that comes with its answer.
	inlineSize = 64 << 10
	// chunkSize is the most that one body_read answers with, and that is kept of
	// a body_write before the next one waits.
	chunkSize = 128 << 10
	// maxActive is how many operations are performed at once; more wait.
	maxActive = 32
	// maxBodies is how many bodies of answers may be open.
	maxBodies = 128
	// closeWait is how long Close waits for operations that don't heed their end.
	closeWait = 2 * time.Second
)

// bodyBit marks the handles of bodies that are a binding's: those of fetch have
// it clear.
const bodyBit = 1 << 31

// Options configure a session.
type Options struct {
	Bindings []Entry
	// Settle completes an operation that Start began, as fetch.Options.Settle
	// does: once for each, not after Close, never for one that was cancelled.
	Settle func(id uint32, ok bool, message []byte)
	// Bodies is the last handle of a body that the guest may still know of, from
	// sessions before this one.
	Bodies uint32
	Log    *slog.Logger // nil: slog.Default()
}

// A Session answers the binding operations of one execution. It is safe for
// concurrent use.
type Session struct {
	options Options
	bound   []*bound // by handle, from 1
	active  chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	closed   bool
	pending  map[uint32]*operation
	bodies   map[uint32]*body
	handles  uint32
	usage    Usage
	running  sync.WaitGroup
	settling sync.WaitGroup
}

// bound is a binding in a session.
type bound struct {
	Entry
	opening sync.Mutex
	binding Binding
	usage   Usage // under the session's lock
}

// An operation is under way. Its upload is nil unless its body is streamed.
type operation struct {
	cancel context.CancelFunc
	upload *upload
}

// NewSession makes a session.
func NewSession(options Options) *Session {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	s := &Session{options: options, handles: options.Bodies, active: make(chan struct{}, maxActive), pending: map[uint32]*operation{}, bodies: map[uint32]*body{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, e := range options.Bindings {
		s.bound = append(s.bound, &bound{Entry: e})
	}
	return s
}

// Add gives the session one more binding: its handle is the next.
func (s *Session) Add(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound = append(s.bound, &bound{Entry: e})
}

// lookup is the binding of a handle; nil if there is none.
func (s *Session) lookup(handle uint32) *bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	if handle == 0 || handle > uint32(len(s.bound)) {
		return nil
	}
	return s.bound[handle-1]
}

// Describe is the answer to the operation bindings.
func (s *Session) Describe(w *op.Writer) {
	w.U32(uint32(len(s.bound)))
	for i, b := range s.bound {
		w.Str(b.Name)
		w.Str(b.Kind)
		w.U32(uint32(i + 1))
		w.Bytes(b.Value)
	}
}

// OwnsBody says whether a body's handle is of a binding.
func OwnsBody(handle uint32) bool { return handle&bodyBit != 0 }

// OwnsUpload says whether an operation with a streamed body is one of the
// session's.
func (s *Session) OwnsUpload(id uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.pending[id]
	return o != nil && o.upload != nil
}

// Start begins an asynchronous operation: binding, body_read or body_write. The
// message is read before it returns. An id that is under way is ignored.
func (s *Session) Start(o op.Op, id uint32, in []byte) {
	s.mu.Lock()
	if _, ok := s.pending[id]; ok || s.closed {
		s.mu.Unlock()
		return
	}
	s.pending[id] = &operation{}
	s.mu.Unlock()
	var err error
	switch o {
	case op.Binding:
		err = s.startOperation(id, in)
	case op.BodyRead:
		err = s.startRead(id, in)
	case op.BodyWrite:
		err = s.startWrite(id, in)
	default:
		err = typeError("%s is not an operation of bindings", o)
	}
	if err != nil {
		s.fail(id, err)
	}
}

// Bodies of an operation, as the wire has them.
const (
	bodyNone = iota
	bodyBytes
	bodyStream
)

// A request is the message of an operation.
type request struct {
	handle    uint32
	method    uint8
	arguments []byte
	body      uint8
	content   []byte
}

func decodeRequest(in []byte) (m request, err error) {
	if len(in) > MaxMessage {
		return m, typeError("the message of a binding's operation has %d bytes, at most %d are allowed", len(in), MaxMessage)
	}
	r := op.NewReader(bytes.Clone(in))
	m = request{r.U32(), r.U8(), r.Bytes(), r.U8(), r.Bytes()}
	if err := r.Done(); err != nil {
		return request{}, typeError("%s", err)
	}
	if m.body > bodyStream || m.body != bodyBytes && len(m.content) > 0 {
		return request{}, typeError("%d is not a kind of body", m.body)
	}
	return m, nil
}

func (s *Session) startOperation(id uint32, in []byte) error {
	m, err := decodeRequest(in)
	if err != nil {
		return err
	}
	b := s.lookup(m.handle)
	if b == nil || b.Open == nil {
		return typeError("there is no such binding")
	}
	if err := s.spend(b); err != nil {
		return err
	}
	c := &Call{Method: m.method, Arguments: m.arguments}
	ctx, cancel := context.WithCancel(s.ctx)
	o := &operation{cancel: cancel}
	switch m.body {
	case bodyBytes:
		if err := s.accept(b, len(m.content)); err != nil {
			cancel()
			return err
		}
		c.Body, c.Size = bytes.NewReader(m.content), int64(len(m.content))
	case bodyStream:
		o.upload = &upload{session: s, bound: b, ctx: ctx, wake: make(chan struct{}, 1)}
		c.Body, c.Size = o.upload, -1
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel()
		return errAborted
	}
	s.pending[id] = o
	s.mu.Unlock()
	if b.Direct {
		s.perform(ctx, id, o, b, c)
		return nil
	}
	s.goRun(func() {
		select {
		case s.active <- struct{}{}:
			defer func() { <-s.active }()
			s.perform(ctx, id, o, b, c)
		case <-ctx.Done():
			cancel()
		}
	})
	return nil
}

// open makes the binding, unless it is made. One that could not be made is
// tried again by the next operation.
func (b *bound) open(ctx context.Context) (Binding, error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	if b.binding != nil {
		return b.binding, nil
	}
	var err error
	b.binding, err = b.Open(ctx)
	return b.binding, err
}

// perform does one operation and settles it. A mistake of ours in it is the
// operation's failure, and nobody else's.
func (s *Session) perform(ctx context.Context, id uint32, o *operation, b *bound, c *Call) {
	defer o.cancel()
	reply, err := s.do(ctx, b, c)
	if o.upload != nil {
		o.upload.close()
	}
	if err != nil {
		s.fail(id, err)
		return
	}
	s.answer(id, b, reply)
}

// do calls the binding.
func (s *Session) do(ctx context.Context, b *bound, c *Call) (reply Reply, err error) {
	defer func() {
		if r := recover(); r != nil {
			reference := rand.Text()[:12]
			s.options.Log.Error("a binding panicked", "id", reference, "binding", b.Name, "kind", b.Kind, "err", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = internal(b, reference)
		}
	}()
	binding, err := b.open(ctx)
	if err == nil {
		reply, err = binding.Do(ctx, c)
	}
	var told *op.ErrorRecord
	switch {
	case err == nil, errors.As(err, &told):
		return reply, err
	case ctx.Err() != nil:
		return reply, errAborted
	}
	reference := rand.Text()[:12]
	s.options.Log.Error("an operation of a binding failed", "id", reference, "binding", b.Name, "kind", b.Kind, "err", err)
	return reply, internal(b, reference)
}

// internal is what the guest is told of a failure that is not its doing.
func internal(b *bound, reference string) error {
	return &op.ErrorRecord{Name: "Error", Code: CodeInternal, Message: fmt.Sprintf("%s: internal error; reference = %s", b.Name, reference)}
}

// CodeInternal is the code of errors whose reason is in the server's log.
const CodeInternal = "ERR_BINDING_INTERNAL"

// answer settles an operation with its reply. A small body comes with it.
func (s *Session) answer(id uint32, b *bound, reply Reply) {
	kind, content, handle := byte(bodyNone), []byte(nil), uint32(0)
	if reply.Body != nil {
		kind = bodyBytes
		var whole bool
		var err error
		if content, whole, err = begin(reply); err == nil {
			err = s.give(b, len(content))
		}
		switch {
		case err != nil:
			reply.Body.Close()
			s.fail(id, bodyError(err))
			return
		case whole:
			reply.Body.Close()
		default:
			kind = bodyStream
			if handle, err = s.keep(b, reply.Body, content); err != nil {
				reply.Body.Close()
				s.fail(id, err)
				return
			}
			content = nil
		}
	}
	w := op.NewWriter(make([]byte, 0, 16+len(reply.Answer)+len(content)))
	w.Bytes(reply.Answer)
	w.U8(kind)
	w.Bytes(content)
	w.U32(handle)
	if !s.settle(id, true, w.Message()) && handle != 0 {
		s.CancelBody(handle)
	}
}

// begin reads the first part of a body, and says whether that is all of it.
func begin(reply Reply) (content []byte, whole bool, err error) {
	size := inlineSize + 1
	if reply.Size >= 0 && reply.Size <= inlineSize {
		size = int(reply.Size) + 1
	}
	content = make([]byte, size)
	n, err := io.ReadFull(reply.Body, content)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return content[:n], true, nil
	}
	return content[:n], false, err
}

// Cancel drops an operation: it will not settle.
func (s *Session) Cancel(id uint32) {
	s.mu.Lock()
	o := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if o != nil && o.cancel != nil {
		o.cancel()
	}
}

// Bodies is the last handle that was given to a body.
func (s *Session) Bodies() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handles
}

// Usage says what was used so far.
func (s *Session) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage
}

// Close aborts whatever is under way. No operation settles afterwards. What
// does not heed the end of its context is not waited for long.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	var open []*body
	for _, b := range s.bodies {
		open = append(open, b)
	}
	clear(s.bodies)
	s.mu.Unlock()
	s.cancel()
	s.settling.Wait()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.options.Log.Warn("an operation of a binding goes on after its execution's end")
	}
	for _, b := range open {
		b.close()
	}
}

// settle completes an operation, and reports whether it was still wanted.
func (s *Session) settle(id uint32, ok bool, message []byte) bool {
	s.mu.Lock()
	_, wanted := s.pending[id]
	delete(s.pending, id)
	wanted = wanted && !s.closed
	if wanted {
		s.settling.Add(1) // Close waits for the call
		defer s.settling.Done()
	}
	s.mu.Unlock()
	if wanted {
		s.options.Settle(id, ok, message)
	}
	return wanted
}

func (s *Session) fail(id uint32, err error) {
	record := &op.ErrorRecord{Name: "Error", Code: CodeInternal, Message: "internal error"}
	errors.As(err, &record)
	s.settle(id, false, op.EncodeError(record))
}

// goRun runs f, unless the session is closed.
func (s *Session) goRun(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(f)
	}
}

// Spend counts an operation that is done elsewhere, as fetches are.
func (s *Session) Spend(handle uint32) error {
	if handle == 0 || handle > uint32(len(s.bound)) {
		return typeError("there is no such binding")
	}
	return s.spend(s.bound[handle-1])
}

// spend counts an operation, if there may be one more.
func (s *Session) spend(b *bound) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := b.Limits.Operations; most > 0 && b.usage.Operations >= most {
		return limitError(b.Name, "it may be used for %d operations, and has been", most)
	}
	b.usage.Operations++
	s.usage.Operations++
	return nil
}

// accept counts bytes that the guest hands over.
func (s *Session) accept(b *bound, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := b.Limits.WriteBytes; most > 0 && b.usage.WriteBytes+int64(n) > most {
		return limitError(b.Name, "it may be given %d bytes, and that is more", most)
	}
	b.usage.WriteBytes += int64(n)
	s.usage.WriteBytes += int64(n)
	return nil
}

// give counts bytes that the guest gets.
func (s *Session) give(b *bound, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := b.Limits.ReadBytes; most > 0 && b.usage.ReadBytes+int64(n) > most {
		return limitError(b.Name, "%d bytes may be read of it, and that is more", most)
	}
	b.usage.ReadBytes += int64(n)
	s.usage.ReadBytes += int64(n)
	return nil
}
