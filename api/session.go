package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/host/session"
	"mayfly/host/vfs"
	"mayfly/storage"
)

// Sessions keeps sessions; *session.Service is one. See there for what each
// method does and fails with. It is used from many goroutines.
type Sessions interface {
	Create(ctx context.Context, o session.Options) (session.Info, error)
	Get(tenant, id string) (session.Info, error)
	List(tenant, cursor string, limit int) (page []session.Info, next string)
	Delete(ctx context.Context, tenant, id string) error
	Complete(tenant, id string, r *execution.Request) error
	Execute(ctx context.Context, tenant, id, executionID string, r execution.Request, emit func(execution.Event)) (*execution.Result, error)
	Interrupt(tenant, id string) (running bool, err error)
	Restart(ctx context.Context, tenant, id string) (session.Info, error)
	Fork(ctx context.Context, tenant, id string, metadata map[string]string) (session.Info, error)

	ReadFile(ctx context.Context, tenant, id, name string) ([]byte, vfs.Info, error)
	ListFiles(ctx context.Context, tenant, id, name string) ([]session.File, error)
	WriteFile(ctx context.Context, tenant, id, name string, content []byte) error
	MakeDirectory(ctx context.Context, tenant, id, name string) error
	RemoveFile(ctx context.Context, tenant, id, name string) error

	Snapshot(ctx context.Context, tenant, id, name string) (session.Snapshot, error)
	GetSnapshot(ctx context.Context, tenant, id string) (session.Snapshot, error)
	ListSnapshots(ctx context.Context, tenant, cursor string, limit int) (page []session.Snapshot, next string, err error)
	DeleteSnapshot(ctx context.Context, tenant, id string) error
}

var _ Sessions = (*session.Service)(nil)

type sessionRoute struct {
	method, path string
	handler      func(echo.Context, principal) error
}

func (s *Server) sessionRoutes() []sessionRoute {
	return []sessionRoute{
		{http.MethodPost, "/v1/sessions", s.postSession},
		{http.MethodGet, "/v1/sessions", s.listSessions},
		{http.MethodGet, "/v1/sessions/:id", s.getSession},
		{http.MethodDelete, "/v1/sessions/:id", s.deleteSession},
		{http.MethodPost, "/v1/sessions/:id/executions", s.postCell},
		{http.MethodPost, "/v1/sessions/:id/interrupt", s.interruptSession},
		{http.MethodPost, "/v1/sessions/:id/restart", s.restartSession},
		{http.MethodPost, "/v1/sessions/:id/fork", s.forkSession},
		{http.MethodPost, "/v1/sessions/:id/snapshots", s.postSnapshot},
		{http.MethodGet, "/v1/sessions/:id/files", s.listFiles},
		{http.MethodGet, "/v1/sessions/:id/files/*", s.getFile},
		{http.MethodPut, "/v1/sessions/:id/files/*", s.putFile},
		{http.MethodDelete, "/v1/sessions/:id/files/*", s.deleteFile},
		{http.MethodGet, "/v1/snapshots", s.listSnapshots},
		{http.MethodGet, "/v1/snapshots/:id", s.getSnapshot},
		{http.MethodDelete, "/v1/snapshots/:id", s.deleteSnapshot},
	}
}

// withSessions answers the errors of a handler that are a client's, and those
// of a server without sessions.
func (s *Server) withSessions(handler func(echo.Context, principal) error) func(echo.Context, principal) error {
	return func(c echo.Context, who principal) error {
		if s.options.Sessions == nil {
			return newProblem(notFound, "This server keeps no sessions.")
		}
		err := handler(c, who)
		if problem := new(Problem); err == nil || errors.As(err, &problem) {
			return err
		}
		if problem := executorProblem(err); problem != nil {
			return problem
		}
		if problem := s.sessionProblem(err); problem != nil {
			return problem
		}
		return err
	}
}

// sessionProblem makes a problem of an error of a session, or nil if it is none
// that a client can do something about.
func (s *Server) sessionProblem(err error) *Problem {
	var many *session.LimitError
	var state *execution.StateError
	var file *vfs.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrNotFound):
		return newProblem(notFound, "There is no such session or snapshot.")
	case errors.Is(err, session.ErrRestarted):
		return newProblem(restarted, "The session was restarted before this request had its turn.")
	case errors.Is(err, session.ErrClosed):
		return newProblem(shuttingDown, "The server is shutting down.").after(time.Second)
	case errors.As(err, &many):
		kind := overloaded
		if many.Tenant {
			kind = tooManyRequests
		}
		return newProblem(kind, "%s.", upper(many.Error())).after(time.Minute)
	case errors.As(err, &state) && errors.Is(err, execution.ErrForeignState):
		return newProblem(unusableState, "%s. It needs the guest that it was made with; a restart of the session keeps its files.", upper(state.Err.Error()))
	case errors.As(err, &state) && errors.Is(err, execution.ErrCorruptState):
		return newProblem(unusableState, "%s. A restart of the session keeps what can be kept.", upper(state.Err.Error()))
	case errors.As(err, &file):
		if file.Code == vfs.ENOENT {
			return newProblem(notFound, "%s.", upper(file.Error()))
		}
		if file.Code == vfs.ENOSPC {
			return newProblem(tooLarge, "%s: the session's limits.files_bytes is reached.", upper(file.Error()))
		}
		return invalid([]FieldError{{Pointer: "path", Detail: file.Error()}})
	}
	return nil
}

// upper is a clause as the beginning of a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// postSession is POST /v1/sessions.
func (s *Server) postSession(c echo.Context, who principal) error {
	if s.draining.Load() {
		return newProblem(shuttingDown, "The server takes no new sessions.").after(time.Second)
	}
	body, problem := s.readBody(c.Request())
	if problem != nil {
		return problem
	}
	defer body.release()
	d := &sessionDecoder{}
	d.decode(body.b)
	if problem := s.checkDecoded(c.Request().Context(), &d.decoder, who); problem != nil {
		return problem
	}
	r := &d.request
	info, err := s.options.Sessions.Create(c.Request().Context(), session.Options{
		Tenant: r.Tenant, Language: r.Language, Snapshot: d.snapshot, Files: r.Files, Env: r.Env, Limits: r.Limits, Network: r.Network, Bindings: r.Bindings, Packages: r.Packages,
		Metadata: r.Metadata, IdleTimeout: d.idle, DeleteIdle: d.deleteIdle,
	})
	if err != nil {
		return err
	}
	return s.created(c, &info)
}

func (s *Server) created(c echo.Context, info *session.Info) error {
	c.Response().Header().Set("Location", "/v1/sessions/"+info.ID)
	return writeJSON(c.Response(), http.StatusCreated, appendSession(nil, info))
}

// getSession is GET /v1/sessions/{id}.
func (s *Server) getSession(c echo.Context, who principal) error {
	info, err := s.options.Sessions.Get(who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, appendSession(nil, &info))
}

// A listQuery is what lists are asked with.
type listQuery struct {
	tenant, cursor, path string
	limit                int
}

// query reads the parameters of a list, of those that are named.
func query(c echo.Context, who principal, known ...string) (q listQuery, problem *Problem) {
	q = listQuery{tenant: who.tenant, limit: defaultPage}
	var wrong []FieldError
	fail := func(name, format string, args ...any) {
		wrong = append(wrong, FieldError{Pointer: name, Detail: fmt.Sprintf(format, args...)})
	}
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		fail("", "the query is not valid: %v", err)
	}
	for name, given := range values {
		value := given[0]
		found := false
		for _, k := range known {
			found = found || k == name
		}
		switch {
		case !found:
			fail(name, "unknown parameter; known are %s", strings.Join(known, ", "))
		case name == "cursor":
			q.cursor = value
		case name == "path":
			q.path = value
		case name == "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > maxPage {
				fail(name, "must be an integer from 1 to %d", maxPage)
			}
			q.limit = n
		case name == "tenant":
			if who.tenant != "" && value != who.tenant {
				fail(name, "is that of the API key; leave it out")
			} else if !validTenant(value) {
				fail(name, "is not the name of a tenant")
			}
			q.tenant = value
		}
		if len(given) > 1 {
			fail(name, "is given twice")
		}
	}
	if len(wrong) > 0 {
		return q, invalid(wrong)
	}
	return q, nil
}

// listSessions is GET /v1/sessions.
func (s *Server) listSessions(c echo.Context, who principal) error {
	q, problem := query(c, who, "cursor", "limit", "tenant")
	if problem != nil {
		return problem
	}
	page, next := s.options.Sessions.List(q.tenant, q.cursor, q.limit)
	b := append([]byte(nil), `{"sessions":[`...)
	for i := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSession(b, &page[i])
	}
	return writeJSON(c.Response(), http.StatusOK, appendNext(b, next))
}

// deleteSession is DELETE /v1/sessions/{id}.
func (s *Server) deleteSession(c echo.Context, who principal) error {
	if err := s.options.Sessions.Delete(c.Request().Context(), who.tenant, c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// postCell is POST /v1/sessions/{id}/executions.
func (s *Server) postCell(c echo.Context, who principal) error {
	id := c.Param("id")
	if _, err := s.options.Sessions.Get(who.tenant, id); err != nil {
		return err
	}
	return s.run(c, who, id)
}

// interruptSession is POST /v1/sessions/{id}/interrupt.
func (s *Server) interruptSession(c echo.Context, who principal) error {
	running, err := s.options.Sessions.Interrupt(who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, append(strconv.AppendBool([]byte(`{"interrupted":`), running), '}'))
}

// restartSession is POST /v1/sessions/{id}/restart.
func (s *Server) restartSession(c echo.Context, who principal) error {
	info, err := s.options.Sessions.Restart(c.Request().Context(), who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, appendSession(nil, &info))
}

// forkSession is POST /v1/sessions/{id}/fork.
func (s *Server) forkSession(c echo.Context, who principal) error {
	d, problem := s.readOptions(c, "metadata")
	if problem != nil {
		return problem
	}
	info, err := s.options.Sessions.Fork(c.Request().Context(), who.tenant, c.Param("id"), d.request.Metadata)
	if err != nil {
		return err
	}
	return s.created(c, &info)
}

// postSnapshot is POST /v1/sessions/{id}/snapshots.
func (s *Server) postSnapshot(c echo.Context, who principal) error {
	d, problem := s.readOptions(c, "name")
	if problem != nil {
		return problem
	}
	p, err := s.options.Sessions.Snapshot(c.Request().Context(), who.tenant, c.Param("id"), d.name)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/v1/snapshots/"+p.ID)
	return writeJSON(c.Response(), http.StatusCreated, appendSnapshot(nil, &p))
}

// getSnapshot is GET /v1/snapshots/{id}.
func (s *Server) getSnapshot(c echo.Context, who principal) error {
	p, err := s.options.Sessions.GetSnapshot(c.Request().Context(), who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, appendSnapshot(nil, &p))
}

// listSnapshots is GET /v1/snapshots.
func (s *Server) listSnapshots(c echo.Context, who principal) error {
	q, problem := query(c, who, "cursor", "limit", "tenant")
	if problem != nil {
		return problem
	}
	page, next, err := s.options.Sessions.ListSnapshots(c.Request().Context(), q.tenant, q.cursor, q.limit)
	if errors.Is(err, storage.ErrInvalidCursor) {
		return invalid([]FieldError{{Pointer: "cursor", Detail: "is not one that this server gave out"}})
	}
	if err != nil {
		return err
	}
	b := append([]byte(nil), `{"snapshots":[`...)
	for i := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSnapshot(b, &page[i])
	}
	return writeJSON(c.Response(), http.StatusOK, appendNext(b, next))
}

// deleteSnapshot is DELETE /v1/snapshots/{id}.
func (s *Server) deleteSnapshot(c echo.Context, who principal) error {
	if err := s.options.Sessions.DeleteSnapshot(c.Request().Context(), who.tenant, c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// filePath is the path of a file in a session, and whether it is to be a
// directory.
func filePath(c echo.Context) (name string, directory bool, problem *Problem) {
	raw := c.Param("*")
	name, err := url.PathUnescape(raw)
	if err == nil {
		directory = strings.HasSuffix(name, "/")
		if message := badPath(strings.TrimSuffix(name, "/")); message != "" {
			err = errors.New(message)
		}
	}
	if err != nil {
		return "", false, invalid([]FieldError{{Pointer: "path", Detail: err.Error()}})
	}
	return path.Clean(name), directory, nil
}

// listFiles is GET /v1/sessions/{id}/files.
func (s *Server) listFiles(c echo.Context, who principal) error {
	q, problem := query(c, who, "path")
	if problem != nil {
		return problem
	}
	if q.path == "" {
		q.path = "."
	}
	files, err := s.options.Sessions.ListFiles(c.Request().Context(), who.tenant, c.Param("id"), q.path)
	if err != nil {
		return err
	}
	b := append([]byte(nil), `{"files":[`...)
	for i := range files {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFile(b, &files[i])
	}
	return writeJSON(c.Response(), http.StatusOK, append(b, `]}`...))
}

// getFile is GET /v1/sessions/{id}/files/{name}.
func (s *Server) getFile(c echo.Context, who principal) error {
	name, _, problem := filePath(c)
	if problem != nil {
		return problem
	}
	content, info, err := s.options.Sessions.ReadFile(c.Request().Context(), who.tenant, c.Param("id"), name)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	// Never shown in place: it is a program's, and this is the API's origin.
	h.Set("Content-Type", storage.DefaultMIMEType)
	h.Set("Content-Disposition", strings.Replace(disposition(name), "inline", "attachment", 1))
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Last-Modified", info.Mtime.UTC().Format(http.TimeFormat))
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method != http.MethodHead {
		c.Response().Write(content) // an error here is the client's going away
	}
	return nil
}

// putFile is PUT /v1/sessions/{id}/files/{name}.
func (s *Server) putFile(c echo.Context, who principal) error {
	name, directory, problem := filePath(c)
	if problem != nil {
		return problem
	}
	body, problem := s.readBytes(c.Request())
	if problem != nil {
		return problem
	}
	defer body.release()
	ctx, id := c.Request().Context(), c.Param("id")
	var err error
	switch {
	case directory && len(body.b) > 0:
		return invalid([]FieldError{{Pointer: "path", Detail: "ends with a slash, as a directory's, but the body is not empty"}})
	case directory:
		err = s.options.Sessions.MakeDirectory(ctx, who.tenant, id, name)
	default:
		err = s.options.Sessions.WriteFile(ctx, who.tenant, id, name, append([]byte(nil), body.b...))
	}
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// deleteFile is DELETE /v1/sessions/{id}/files/{name}.
func (s *Server) deleteFile(c echo.Context, who principal) error {
	name, _, problem := filePath(c)
	if problem != nil {
		return problem
	}
	if err := s.options.Sessions.RemoveFile(c.Request().Context(), who.tenant, c.Param("id"), name); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
