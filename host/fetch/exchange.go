package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"mayfly/host/egress"
)

// maxRedirects is how many redirects one fetch follows (Fetch 4.5).
const maxRedirects = 20

// An exchange is one fetch: its request, the redirects, the response's head.
type exchange struct {
	session  *Session
	id       uint32
	request  *request
	policy   *egress.Policy
	upload   *upload  // of a streamed request body
	passage  *passage // of a response's body that is the request's
	ctx      context.Context
	cancel   context.CancelCauseFunc
	watchdog watchdog
}

// startFetch checks a fetch and sends it on its way.
func (s *Session) startFetch(id uint32, in []byte, policy *egress.Policy) error {
	m, err := decodeFetch(in)
	if err != nil {
		return err
	}
	r, err := newRequest(m)
	if err != nil {
		return err
	}
	if err := s.accept(len(r.bytes)); err != nil {
		return err
	}
	return s.send(id, r, policy)
}

// send begins the exchange of a request.
func (s *Session) send(id uint32, r *request, policy *egress.Policy) error {
	x := &exchange{session: s, id: id, request: r, policy: policy}
	if r.body == bodyPassed {
		if err := s.pass(x, r.bytes); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.closed || s.open >= s.options.Limits.Open {
		closed := s.closed
		x.ctx, x.cancel = context.WithCancelCause(s.ctx)
		x.watchdog.cancel = x.cancel
		s.mu.Unlock()
		x.cancel(errAborted)
		if x.passage != nil {
			x.passage.Close()
		}
		if closed {
			return errAborted
		}
		return typeError("fetch failed: %d fetches are open already (read or cancel the bodies of responses)", s.options.Limits.Open)
	}
	s.open++
	x.ctx, x.cancel = context.WithCancelCause(s.ctx)
	x.watchdog.cancel = x.cancel
	if total := s.options.Limits.Total; total > 0 {
		timer := time.AfterFunc(total, func() { x.cancel(&timeoutError{"the fetch", total}) })
		context.AfterFunc(x.ctx, func() { timer.Stop() })
	}
	if r.body == bodyStream {
		x.upload = &upload{exchange: x, wake: make(chan struct{}, 1)}
		s.uploads[id] = x.upload
	}
	s.pending[id] = func() { x.cancel(errAborted) }
	s.running.Go(x.run)
	s.mu.Unlock()
	return nil
}

func (x *exchange) run() {
	err := x.fetch()
	if err != nil {
		err = x.explain(err)
		x.watchdog.disarm()
		x.cancel(errAborted)
		if x.upload != nil {
			x.upload.Close()
		}
		if x.passage != nil {
			x.passage.Close()
		}
		x.session.release()
		x.session.fail(x.id, err)
	}
}

// fetch gets the response and answers with it.
func (x *exchange) fetch() error {
	if x.request.socket {
		return x.runSocket()
	}
	response, redirected, err := x.roundTrips()
	if err == nil {
		x.answer(response, redirected)
	}
	return err
}

// release ends a fetch's share of Limits.Open.
func (s *Session) release() {
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
}

// roundTrips sends the request, and again as long as it is redirected.
func (x *exchange) roundTrips() (_ *http.Response, redirected bool, err error) {
	s, r := x.session, x.request
	for hops := 0; ; hops++ {
		inject, err := x.policy.Admit(r.method, r.url)
		if err != nil {
			return nil, false, err
		}
		if err := s.spend(r.size()); err != nil {
			return nil, false, err
		}
		x.watchdog.arm(s.client.config.HeaderTimeout, "the response")
		h := x.httpRequest()
		hidden, err := s.inject(x.ctx, h, inject)
		if err != nil {
			return nil, false, err
		}
		response, err := s.pool.transport.RoundTrip(h)
		if err != nil {
			return nil, false, err
		}
		decode(response)
		hide(response, hidden)
		x.watchdog.disarm()
		s.countIngress(headerSize(response.Header) + int64(len(response.Status)) + 15)

		location := response.Header.Get("Location")
		if !isRedirect(response.StatusCode) || r.redirect == redirectManual {
			return response, hops > 0, nil
		}
		if r.redirect == redirectError {
			response.Body.Close()
			return nil, false, typeError("fetch failed: the response is a redirect, and the request's redirect mode is error")
		}
		if location == "" {
			return response, hops > 0, nil
		}
		if n := response.ContentLength; 0 <= n && n <= 2048 {
			// Read to its end, so that the connection can be used again.
			x.watchdog.arm(s.client.config.IdleTimeout, "the body of a redirect")
			_, _ = io.CopyN(io.Discard, response.Body, n+1)
			x.watchdog.disarm()
		}
		response.Body.Close()
		if hops == maxRedirects {
			return nil, false, typeError("fetch failed: more than %d redirects", maxRedirects)
		}
		if err := r.follow(response.StatusCode, isomorphic(location)); err != nil {
			return nil, false, err
		}
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// httpRequest is the request for the next hop.
func (x *exchange) httpRequest() *http.Request {
	r := x.request
	h := &http.Request{
		Method: r.method, URL: r.url, Host: r.url.Host, Header: r.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	switch {
	case r.body == bodyBytes && len(r.bytes) > 0:
		h.ContentLength = int64(len(r.bytes))
		h.GetBody = func() (io.ReadCloser, error) {
			return &countedBytes{bytes.NewReader(r.bytes), x}, nil
		}
		h.Body, _ = h.GetBody()
	case r.body == bodyStream:
		h.ContentLength = -1
		h.Body = x.upload
	case r.body == bodyPassed:
		h.ContentLength = x.passage.length
		h.Body = x.passage
	}
	askForCodings(h)
	return h.WithContext(x.ctx)
}

// countedBytes is a request body of bytes: progress feeds the watchdog.
type countedBytes struct {
	*bytes.Reader
	x *exchange
}

func (c *countedBytes) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.x.session.countEgress(n)
	c.x.watchdog.feed()
	return n, err
}

// WriteTo is hidden, for it would send the whole body unseen.
func (c *countedBytes) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{c})
}

func (c *countedBytes) Close() error { return nil }

// How long the head of a response waits for its body, so that both can be
// answered at once: when the body is known to be small, and when its length is
// not known.
const (
	smallBodyWait   = 50 * time.Millisecond
	unknownBodyWait = 3 * time.Millisecond
)

// answer settles the fetch with the response's head, and with the body if it is
// small and soon there.
func (x *exchange) answer(response *http.Response, redirected bool) {
	s := x.session
	if x.request.method == http.MethodHead || isNullBody(response.StatusCode) {
		response.Body.Close()
		x.cancel(errAborted)
		s.release()
		s.settle(x.id, true, encodeResponse(response, x.request, redirected, bodyNone, nil, 0))
		return
	}
	b := &body{exchange: x, source: response.Body, length: response.ContentLength, space: make(chan struct{}, 1), ended: make(chan struct{}), full: make(chan struct{})}
	s.mu.Lock()
	b.handle = s.newHandle()
	s.bodies[b.handle] = b
	s.mu.Unlock()
	if !s.goRun(b.pump) {
		response.Body.Close()
		return
	}

	wait := unknownBodyWait
	switch {
	case response.ContentLength > chunkSize, strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream"):
		wait = 0
	case response.ContentLength >= 0:
		wait = s.client.config.smallBodyWait
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-b.ended:
	case <-b.full:
	case <-timer.C:
	}
	kind, content, handle := byte(bodyStream), []byte(nil), b.handle
	if whole, ok := b.takeWhole(); ok {
		kind, content, handle = bodyBytes, whole, 0
		s.dropBody(b)
	}
	if !s.settle(x.id, true, encodeResponse(response, x.request, redirected, kind, content, handle)) {
		x.cancel(errAborted)
		s.dropBody(b)
	}
}

// isNullBody tells the statuses whose responses have no body (Fetch 2.2.3).
func isNullBody(status int) bool {
	switch status {
	case http.StatusSwitchingProtocols, http.StatusEarlyHints, http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return true
	}
	return false
}

// A watchdog cancels an exchange that makes no progress.
type watchdog struct {
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	timer  *time.Timer // nil unless armed
	limit  time.Duration
}

// arm starts to wait for something.
func (w *watchdog) arm(limit time.Duration, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.limit = limit
	w.timer = time.AfterFunc(limit, func() { w.cancel(&timeoutError{what, limit}) })
}

// feed tells of progress, and ends a pause.
func (w *watchdog) feed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
}

// pause stops waiting until it is fed.
func (w *watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// disarm stops waiting.
func (w *watchdog) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// A timeoutError is the cause with which a watchdog cancels.
type timeoutError struct {
	what  string
	limit time.Duration
}

func (e *timeoutError) Error() string { return fmt.Sprintf("%s took longer than %v", e.what, e.limit) }
