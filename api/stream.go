package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/storage/meta"
)

// A stream writes events in one of the formats.
type stream struct {
	server *Server
	w      http.ResponseWriter
	flush  func() error
	form   format
	id     string
	buf    []byte
	seq    int64 // of the last event that was written
}

// newStream begins an answer that is a stream.
func (s *Server) newStream(c echo.Context, id string, form format, after int64) *stream {
	h := c.Response().Header()
	h.Set("Content-Type", formatTypes[form])
	h.Set("Content-Location", "/v1/executions/"+id+"/events")
	// Proxies that gather an answer would keep the events back.
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	return &stream{
		server: s, w: c.Response(), flush: http.NewResponseController(c.Response()).Flush,
		form: form, id: id, seq: after,
	}
}

// frame appends an event; encode appends its object.
func (t *stream) frame(seq int64, kind string, encode func(b []byte) []byte) {
	t.seq = seq
	if t.form == formatNDJSON {
		t.buf = append(encode(t.buf), '\n')
		return
	}
	t.buf = append(t.buf, "id: "...)
	t.buf = strconv.AppendInt(t.buf, seq, 10)
	t.buf = append(t.buf, "\nevent: "...)
	t.buf = append(t.buf, kind...)
	t.buf = append(t.buf, "\ndata: "...)
	t.buf = append(encode(t.buf), "\n\n"...)
}

// send writes what was appended.
func (t *stream) send() error {
	if len(t.buf) == 0 {
		return t.flush()
	}
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	if err != nil {
		return err
	}
	return t.flush()
}

// events appends events of a run.
func (t *stream) events(events []execution.Event, link func(*artifact)) {
	for i := range events {
		e := &events[i]
		t.frame(e.Seq, eventType(e), func(b []byte) []byte { return appendEvent(b, t.id, e, link) })
	}
}

// follow sends the events of a run until it ends or the client goes away.
func (t *stream) follow(ctx context.Context, x *run) {
	s := t.server
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	x.mu.Lock()
	x.followers++
	x.mu.Unlock()
	defer s.unfollow(x)
	link := s.linker(x.id, x.expiresAt)
	heartbeat := time.NewTicker(s.options.Heartbeat)
	defer heartbeat.Stop()
	done := ctx.Done()
	for {
		events, ended, changed := x.after(t.seq)
		t.events(events, link)
		if t.send() != nil || ended {
			return
		}
		select {
		case <-changed:
		case <-done:
			if s.life.Err() == nil {
				return
			}
			// The server ends, and with it the run: its end is told too.
			done = nil
		case <-heartbeat.C:
			if t.form == formatSSE {
				t.buf = append(t.buf, ":\n\n"...)
			}
		}
	}
}

// unfollow takes note that a reader is gone. A run that was begun for its
// reader is canceled when none comes back.
func (s *Server) unfollow(x *run) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.followers--
	if x.followers > 0 || x.ended || !x.attended {
		return
	}
	if s.options.ResumeWindow < 0 {
		x.cancel(errDisconnected)
		return
	}
	time.AfterFunc(s.options.ResumeWindow, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.followers == 0 && !x.ended {
			x.cancel(errDisconnected)
		}
	})
}

// runStream answers with the events of the execution as they happen.
func (s *Server) runStream(c echo.Context, id string, request *call, once *idempotent, form format) error {
	x, ctx, err := s.beginBackground(id, request)
	if err != nil {
		return err
	}
	x.attended = true
	s.work.Go(func() {
		defer func() { <-s.async }()
		result, err := s.execute(ctx, x, request)
		x.cancel(nil)
		if err != nil {
			s.abandon(x, err)
			return
		}
		s.settle(x, result)
		s.keep(x, nil)
	})
	// Nothing is answered before the first event, so that what is not admitted
	// is answered with a problem.
	gone := c.Request().Context().Done()
	for {
		events, ended, changed := x.after(0)
		if len(events) > 0 || ended {
			break
		}
		select {
		case <-changed:
		case <-gone:
			x.cancel(errDisconnected)
			gone = nil // wait for the end
		}
	}
	x.mu.Lock()
	err = x.err
	x.mu.Unlock()
	if err != nil {
		return err
	}
	if err := once.complete(http.StatusOK, nil); err != nil {
		x.cancel(errDisconnected)
		return s.incident(c.Request(), "idempotency", err)
	}
	s.newStream(c, id, form, 0).follow(c.Request().Context(), x)
	return nil
}

// getEvents is GET /v1/executions/{id}/events.
func (s *Server) getEvents(c echo.Context, who principal) error {
	return s.streamEvents(c, who.tenant, c.Param("id"))
}

// streamEvents answers with the events of an execution, those that are still
// to come included; in the form of JSON, with those that there are.
func (s *Server) streamEvents(c echo.Context, tenant, id string) error {
	r := c.Request()
	form, problem := negotiate(r)
	if problem != nil {
		return problem
	}
	after, problem := resumeAfter(r)
	if problem != nil {
		return problem
	}
	// A run that has ended is still the better source than the store: its
	// events have the times at which they happened.
	if x := s.runs.get(tenant, id); x != nil && form != formatJSON && r.Method != http.MethodHead {
		x.mu.Lock()
		x.replayed = true
		lost := x.err != nil && x.final.ID == ""
		x.mu.Unlock()
		if !lost {
			s.newStream(c, id, form, after).follow(r.Context(), x)
			return nil
		}
	}
	x, stored, err := s.find(r.Context(), tenant, id)
	if err != nil {
		return err
	}
	if x != nil {
		events, _, _ := x.after(after)
		return s.writeEvents(c, id, encodeEvents(id, events), after, false, s.linker(id, x.expiresAt), form)
	}
	events, err := eventsOf(stored)
	if err != nil {
		return err
	}
	return s.writeEvents(c, id, events, after, stored.Status == meta.Done, s.linker(id, stored.ExpiresAt), form)
}

// writeEvents answers with events that are all there are.
func (s *Server) writeEvents(c echo.Context, id string, events []meta.Event, after int64, done bool, link func(*artifact), form format) error {
	for len(events) > 0 && events[0].Seq <= after {
		events = events[1:]
	}
	if form == formatJSON {
		b := append([]byte(nil), `{"events":[`...)
		for i := range events {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendStoredEvent(b, id, &events[i], link); err != nil {
				return err
			}
		}
		b = append(b, `],"done":`...)
		b = strconv.AppendBool(b, done)
		return writeJSON(c.Response(), http.StatusOK, append(b, '}'))
	}
	t := s.newStream(c, id, form, after)
	for i := range events {
		e := &events[i]
		var err error
		t.frame(e.Seq, e.Type, func(b []byte) []byte {
			b, err = appendStoredEvent(b, id, e, link)
			return b
		})
		if err != nil {
			return err
		}
	}
	t.send() // an error here is the client's going away
	return nil
}

// resumeAfter is the number of the last event that the client has: of
// Last-Event-ID (WHATWG HTML, section 9.2.3), or of the parameter after.
func resumeAfter(r *http.Request) (int64, *Problem) {
	name, value := "Last-Event-ID", r.Header.Get("Last-Event-ID")
	if value == "" && r.URL.RawQuery != "" {
		name, value = "after", r.URL.Query().Get("after")
	}
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return 0, invalid([]FieldError{{Pointer: name, Detail: "must be the number of an event"}})
	}
	return n, nil
}
