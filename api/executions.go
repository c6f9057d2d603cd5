package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/storage/meta"
)

// postExecution runs a program: POST /v1/executions.
func (s *Server) postExecution(c echo.Context, who principal) error {
	return s.run(c, who, "")
}

// A call is a request, and the session that it runs in; empty: none.
type call struct {
	execution.Request
	session string
}

// run runs what is posted, in a session if one is named.
func (s *Server) run(c echo.Context, who principal, session string) error {
	r := c.Request()
	if s.draining.Load() {
		return newProblem(shuttingDown, "The server takes no new executions.").after(time.Second)
	}
	form, problem := negotiate(r)
	if problem != nil {
		return problem
	}
	body, problem := s.readBody(r)
	if problem != nil {
		return problem
	}
	defer body.release()
	request, problem := s.decodeRequest(r.Context(), body.b, who, session)
	if problem != nil {
		return problem
	}
	id := s.options.Store.NewID()
	once, done, err := s.claim(c, request, id, body.b)
	if done || err != nil {
		return err
	}
	switch {
	case prefersAsync(r):
		err = s.runAsync(c, id, request, once)
	case form == formatJSON:
		err = s.runSync(c, id, request, once)
	default:
		err = s.runStream(c, id, request, once, form)
	}
	if problem := s.refusal(err); problem != nil {
		once.release(r.Context())
		return problem
	}
	return err
}

// refusal makes a problem of the error of an execution that did not run, and
// counts it.
func (s *Server) refusal(err error) *Problem {
	if err == nil {
		return nil
	}
	var problem *Problem
	if !errors.As(err, &problem) {
		problem = executorProblem(err)
		if problem == nil {
			problem = s.sessionProblem(err)
		}
	}
	if problem != nil {
		s.metrics.refused.WithLabelValues(problem.Type[len(problemTypePrefix):]).Inc()
	}
	return problem
}

// decodeRequest makes a request of a body, in the name of who asks.
func (s *Server) decodeRequest(ctx context.Context, body []byte, who principal, session string) (*call, *Problem) {
	d := &decoder{}
	d.request.session = session
	d.decode(body)
	if problem := s.checkDecoded(ctx, d, who); problem != nil {
		return nil, problem
	}
	if session != "" {
		if err := s.options.Sessions.Complete(who.tenant, session, &d.request.Request); err != nil {
			return nil, s.sessionProblem(err)
		}
	}
	return &d.request, nil
}

// checkDecoded finishes a request that was decoded, in the name of who asks,
// and says what is wrong with it.
func (s *Server) checkDecoded(ctx context.Context, d *decoder, who principal) *Problem {
	if d.err != nil {
		return d.syntaxProblem()
	}
	request := &d.request
	switch {
	case who.tenant == "" && request.Tenant == "":
		request.Tenant = anonymousTenant
	case who.tenant == "":
	case request.Tenant == "" || request.Tenant == who.tenant:
		request.Tenant = who.tenant
	default:
		d.failAt("/tenant", "is that of the API key; leave it out")
	}
	for _, i := range d.refs {
		ref := request.Files[i].Artifact
		found, err := s.hasArtifact(ctx, who.tenant, ref)
		if err != nil {
			return newProblem(internalFault, "The artifact of file %d could not be looked up.", i)
		}
		if !found && ref.Execution != "" && ref.Name != "" {
			d.failAt(fmt.Sprintf("/files/%d/artifact", i), "there is no such artifact")
		}
	}
	if len(d.errors) > 0 {
		return invalid(d.errors)
	}
	return nil
}

// runSync answers with the ended execution.
func (s *Server) runSync(c echo.Context, id string, request *call, once *idempotent) error {
	// The end of the connection cancels, and so does the server's.
	ctx, cancel := context.WithCancelCause(c.Request().Context())
	defer cancel(nil)
	x := s.begin(id, request, false, cancel)
	result, err := s.execute(ctx, x, request)
	if err != nil {
		s.abandon(x, err)
		return err
	}
	settled := s.settle(x, result)
	// The record never delays the answer: that is sent before any wait.
	defer s.keep(x, func() { http.NewResponseController(c.Response()).Flush() })
	out := buffers.Get().(*buffer)
	defer out.release()
	out.b = appendExecution(out.b, &settled)
	if err := once.complete(http.StatusOK, out.b); err != nil {
		return s.incident(c.Request(), "idempotency", err)
	}
	return writeJSON(c.Response(), http.StatusOK, out.b)
}

// runAsync answers at once, and leaves the execution to the background.
func (s *Server) runAsync(c echo.Context, id string, request *call, once *idempotent) error {
	if err := s.options.Executor.Validate(&request.Request); err != nil {
		return err
	}
	x, ctx, err := s.beginBackground(id, request)
	if err != nil {
		return err
	}
	// The record comes first: who is told an id must find it.
	if err := s.recordUnderWay(c.Request().Context(), x); err != nil {
		<-s.async
		s.abandon(x, err)
		return newProblem(overloaded, "The execution could not be recorded.").after(time.Second)
	}
	shown := s.record(x)
	body := appendExecution(nil, &shown)
	if err := once.complete(http.StatusAccepted, body); err != nil {
		<-s.async
		s.abandon(x, err)
		return s.incident(c.Request(), "idempotency", err)
	}
	s.work.Go(func() {
		defer func() { <-s.async }()
		result, err := s.execute(ctx, x, request)
		x.cancel(nil)
		if err != nil {
			s.refusal(err)
			result = notAdmitted(err)
		}
		s.settle(x, result)
		s.keep(x, nil)
	})
	h := c.Response().Header()
	h.Set("Location", "/v1/executions/"+id)
	h.Set("Preference-Applied", "respond-async")
	return writeJSON(c.Response(), http.StatusAccepted, body)
}

// beginBackground registers a run that has a goroutine of its own, and takes
// one of the places for such.
func (s *Server) beginBackground(id string, request *call) (*run, context.Context, error) {
	select {
	case s.async <- struct{}{}:
	default:
		return nil, nil, newProblem(tooManyRequests, "There are %d executions in the background already.", cap(s.async)).after(time.Second)
	}
	ctx, cancel := context.WithCancelCause(s.life)
	return s.begin(id, request, true, cancel), ctx, nil
}

// find finds an execution that the tenant may see: under way, or recorded.
// Exactly one of the first two results is set without an error.
func (s *Server) find(ctx context.Context, tenant, id string) (*run, *meta.Execution, error) {
	if x := s.runs.get(tenant, id); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.final.ID != "" {
			return nil, &x.final, nil
		}
		if !x.ended {
			return x, nil, nil
		}
	}
	found, err := s.options.Store.Execution(ctx, tenant, id)
	switch {
	case errors.Is(err, meta.ErrNotFound), errors.Is(err, meta.ErrInvalidID):
		return nil, nil, newProblem(notFound, "There is no execution %q.", id)
	case err != nil:
		return nil, nil, err
	}
	return nil, &found, nil
}

// record is a run that has not ended, as an encoder wants it.
func (s *Server) record(x *run) record {
	x.mu.Lock()
	defer x.mu.Unlock()
	return record{id: x.id, status: string(x.status()), createdAt: x.createdAt, asked: x.asked}
}

// recordOf is a stored execution as an encoder wants it.
func (s *Server) recordOf(x *meta.Execution) record {
	r := record{id: x.ID, status: string(x.Status), outcome: x.Outcome, createdAt: x.CreatedAt, asked: x.Request, output: x.Result}
	if len(x.Artifacts) > 0 {
		r.artifacts = s.artifactsOf(x)
	}
	return r
}

// getExecution is GET /v1/executions/{id}.
func (s *Server) getExecution(c echo.Context, who principal) error {
	x, stored, err := s.find(c.Request().Context(), who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	return s.writeExecution(c, http.StatusOK, x, stored)
}

func (s *Server) writeExecution(c echo.Context, status int, x *run, stored *meta.Execution) error {
	var shown record
	if x != nil {
		shown = s.record(x)
	} else {
		shown = s.recordOf(stored)
	}
	return writeJSON(c.Response(), status, appendExecution(nil, &shown))
}

// cancelExecution is POST /v1/executions/{id}/cancel.
func (s *Server) cancelExecution(c echo.Context, who principal) error {
	x, stored, err := s.find(c.Request().Context(), who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	if x == nil {
		return s.writeExecution(c, http.StatusOK, nil, stored)
	}
	x.cancel(errRequested)
	return s.writeExecution(c, http.StatusAccepted, x, nil)
}

// maxPage and defaultPage bound a list.
const (
	maxPage     = 1000
	defaultPage = 50
)

// listExecutions is GET /v1/executions.
func (s *Server) listExecutions(c echo.Context, who principal) error {
	filter := meta.Filter{Tenant: who.tenant, Limit: defaultPage}
	var wrong []FieldError
	fail := func(name, format string, args ...any) {
		wrong = append(wrong, FieldError{Pointer: name, Detail: fmt.Sprintf(format, args...)})
	}
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		fail("", "the query is not valid: %v", err)
	}
	for name, values := range query {
		value := values[0]
		switch name {
		case "status":
			filter.Status = meta.Status(value)
			if value != string(meta.Queued) && value != string(meta.Running) && value != string(meta.Done) {
				fail(name, "must be queued, running or done")
			}
		case "outcome":
			filter.Outcome = value
			if !validOutcome(value) {
				fail(name, "is not an outcome")
			}
		case "cursor":
			filter.Cursor = value
		case "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > maxPage {
				fail(name, "must be an integer from 1 to %d", maxPage)
			}
			filter.Limit = n
		case "tenant":
			if who.tenant != "" && value != who.tenant {
				fail(name, "is that of the API key; leave it out")
			} else if !validTenant(value) {
				fail(name, "is not the name of a tenant")
			}
			filter.Tenant = value
		default:
			fail(name, "unknown parameter; known are cursor, limit, outcome, status, tenant")
		}
		if len(values) > 1 {
			fail(name, "is given twice")
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	page, err := s.options.Store.Executions(c.Request().Context(), filter)
	if errors.Is(err, meta.ErrInvalidCursor) {
		return invalid([]FieldError{{Pointer: "cursor", Detail: "is not one that this server gave out"}})
	}
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, appendPage(nil, &page))
}

func validOutcome(name string) bool {
	switch execution.Outcome(name) {
	case execution.OK, execution.Exception, execution.ExceededCPU, execution.ExceededWallTime, execution.ExceededMemory,
		execution.ExceededOutput, execution.ExceededSubrequests, execution.Canceled, execution.LoadShed, execution.InternalError:
		return true
	}
	return false
}

// appendPage appends a page of a list: executions without what they produced.
func appendPage(b []byte, page *meta.Page) []byte {
	b = append(b, `{"executions":[`...)
	for i := range page.Executions {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSummary(b, &page.Executions[i])
	}
	b = append(b, `],"next_cursor":`...)
	if page.Cursor == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, page.Cursor)
	}
	return append(b, '}')
}

func appendSummary(b []byte, x *meta.Execution) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, x.ID)
	b = append(b, `,"status":`...)
	b = appendString(b, string(x.Status))
	if x.Outcome != "" {
		b = append(b, `,"outcome":`...)
		b = appendString(b, x.Outcome)
	}
	b = append(b, `,"created_at":`...)
	b = appendTime(b, x.CreatedAt)
	b = appendMembers(b, x.Request)
	return append(b, '}')
}

// getRuntimes is GET /v1/runtimes.
func (s *Server) getRuntimes(c echo.Context, _ principal) error {
	b := append([]byte(nil), `{"runtimes":[`...)
	for i, r := range s.options.Executor.Runtimes() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRuntime(b, &r)
		b = append(b[:len(b)-1], `,"ready":`...)
		b = strconv.AppendBool(b, r.Ready)
		b = append(b, '}')
	}
	return writeJSON(c.Response(), http.StatusOK, append(b, `]}`...))
}

// getHealth is GET /health. It needs no key, and tells nothing but which
// languages are still being prepared: the others are served meanwhile.
func (s *Server) getHealth(c echo.Context) error {
	code, status := http.StatusOK, "ok"
	switch {
	case s.draining.Load():
		code, status = http.StatusServiceUnavailable, "draining"
	case !s.options.Executor.Ready():
		code, status = http.StatusServiceUnavailable, "starting"
	}
	b := append([]byte(nil), `{"status":`...)
	b = appendString(b, status)
	b = append(b, `,"version":`...)
	b = appendString(b, s.options.Version)
	if status == "starting" {
		b = append(b, `,"preparing":[`...)
		first := true
		for _, r := range s.options.Executor.Runtimes() {
			if r.Ready {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendString(b, r.Language)
		}
		b = append(b, ']')
	}
	return writeJSON(c.Response(), code, append(b, '}'))
}

// getMetrics is GET /metrics.
func (s *Server) getMetrics(c echo.Context, _ principal) error {
	s.metrics.handler.ServeHTTP(c.Response(), c.Request())
	return nil
}
