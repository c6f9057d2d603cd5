package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/logs"
)

// Logs has the traces of workers as they end; *logs.Hub is one.
type Logs interface {
	Watch(tenant, name string, filter logs.Filter) (*logs.Watcher, error)
}

var _ Logs = (*logs.Hub)(nil)

// logParameters select what is watched.
var logParameters = []string{"outcome", "method", "search", "header", "sampling", "dynamic"}

// logOutcomes are what a trace's outcome may be asked for as.
var logOutcomes = []string{"ok", "error", "canceled", "exception", "exceededCpu", "exceededMemory", "exceededWallTime", "exceededSubrequests", "loadShed", "internalError"}

// logFilter reads the parameters of GET /v1/workers/{name}/logs.
func logFilter(c echo.Context) (f logs.Filter, problem *Problem) {
	var wrong []FieldError
	fail := func(name, format string, args ...any) {
		wrong = append(wrong, FieldError{Pointer: name, Detail: fmt.Sprintf(format, args...)})
	}
	list := func(name string) []string {
		text := c.QueryParam(name)
		if text == "" {
			return nil
		}
		return strings.Split(text, ",")
	}
	for _, o := range list("outcome") {
		if !slices.Contains(logOutcomes, o) {
			fail("outcome", "%q is none of %s", o, strings.Join(logOutcomes, ", "))
		}
		f.Outcomes = append(f.Outcomes, o)
	}
	for _, m := range list("method") {
		f.Methods = append(f.Methods, strings.ToUpper(m))
	}
	f.Search, f.Header = c.QueryParam("search"), c.QueryParam("header")
	if text := c.QueryParam("sampling"); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n > 0 && n <= 1) {
			fail("sampling", "must be a number above 0 and up to 1")
		}
		f.Sampling = n
	}
	switch text := c.QueryParam("dynamic"); text {
	case "", "true":
	case "false":
		f.Static = true
	default:
		fail("dynamic", "must be true or false")
	}
	if len(wrong) > 0 {
		return f, invalid(wrong)
	}
	return f, nil
}

// watchLogs is GET /v1/workers/{name}/logs: traces as they end, until the client
// goes away.
func (s *Server) watchLogs(c echo.Context, tenant string) error {
	if s.options.Logs == nil {
		return newProblem(notFound, "This server has no logs of workers.")
	}
	r := c.Request()
	form, problem := negotiate(r)
	if problem != nil {
		return problem
	}
	if form == formatJSON {
		form = formatNDJSON
	}
	filter, problem := logFilter(c)
	if problem != nil {
		return problem
	}
	if _, err := s.options.Workers.Versions(r.Context(), tenant, c.Param("name")); err != nil {
		return err
	}
	w, err := s.options.Logs.Watch(tenant, c.Param("name"), filter)
	if errors.Is(err, logs.ErrTooMany) {
		return newProblem(tooManyRequests, "%s.", err).after(10 * time.Second)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	h := c.Response().Header()
	h.Set("Content-Type", formatTypes[form])
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	t := &stream{server: s, w: c.Response(), flush: http.NewResponseController(c.Response()).Flush, form: form}
	heartbeat := time.NewTicker(s.options.Heartbeat)
	defer heartbeat.Stop()
	for {
		if t.send() != nil {
			return nil // the client has gone away
		}
		select {
		case <-w.Ready():
			messages, dropped := w.Take()
			for _, m := range messages {
				t.frame(t.seq+1, "trace", func(b []byte) []byte { return append(b, m...) })
			}
			if dropped > 0 {
				t.frame(t.seq+1, "dropped", func(b []byte) []byte {
					return append(strconv.AppendInt(append(b, `{"dropped":`...), dropped, 10), '}')
				})
			}
		case <-r.Context().Done():
			return nil
		case <-s.stopping:
			return nil
		case <-heartbeat.C:
			if form == formatSSE {
				t.buf = append(t.buf, ":\n\n"...)
			}
		}
	}
}
