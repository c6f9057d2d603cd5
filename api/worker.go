package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/deployment"
	"mayfly/host/execution"
	"mayfly/host/secret"
)

// Workers keeps deployed workers; *deployment.Service is one. See there for what
// each method does and fails with.
type Workers interface {
	Ingress
	Deploy(ctx context.Context, tenant, name string, m *deployment.Manifest) (deployment.Info, bool, error)
	Get(ctx context.Context, tenant, name string) (deployment.Info, error)
	List(ctx context.Context, tenant, after string, limit int) ([]deployment.Info, error)
	Delete(ctx context.Context, tenant, name string) error
	Versions(ctx context.Context, tenant, name string) ([]deployment.Version, error)
	Version(ctx context.Context, tenant, name, version string) (deployment.Info, error)
	RollBack(ctx context.Context, tenant, name, version string) (deployment.Info, error)
	Secrets(ctx context.Context, tenant, name string) ([]secret.Info, error)
	PutSecret(ctx context.Context, tenant, name, called, value string) (secret.Info, error)
	DeleteSecret(ctx context.Context, tenant, name, called string) error
	HasAsset(ctx context.Context, tenant, digest string) (bool, error)
	PutAsset(ctx context.Context, tenant, digest string, content []byte) error
}

var _ Workers = (*deployment.Service)(nil)

type workerRoute struct {
	method, path string
	handler      func(c echo.Context, tenant string) error
	known        []string // parameters besides tenant, cursor and limit
}

func (s *Server) workerRoutes() []workerRoute {
	return []workerRoute{
		{http.MethodGet, "/v1/workers", s.listWorkers, nil},
		{http.MethodGet, "/v1/workers/:name", s.getWorker, nil},
		{http.MethodPut, "/v1/workers/:name", s.putWorker, nil},
		{http.MethodDelete, "/v1/workers/:name", s.deleteWorker, nil},
		{http.MethodGet, "/v1/workers/:name/versions", s.listVersions, nil},
		{http.MethodGet, "/v1/workers/:name/versions/:version", s.getVersion, nil},
		{http.MethodPost, "/v1/workers/:name/rollback", s.rollBack, nil},
		{http.MethodGet, "/v1/workers/:name/secrets", s.listWorkerSecrets, nil},
		{http.MethodPut, "/v1/workers/:name/secrets/:secret", s.putWorkerSecret, nil},
		{http.MethodDelete, "/v1/workers/:name/secrets/:secret", s.deleteWorkerSecret, nil},
		{http.MethodGet, "/v1/workers/:name/logs", s.watchLogs, logParameters},
		{http.MethodHead, "/v1/assets/:sha256", s.headAsset, nil},
		{http.MethodPut, "/v1/assets/:sha256", s.putAsset, nil},
	}
}

// withWorkers finds out whose workers are meant, and answers the errors of a
// handler that are a client's.
func (s *Server) withWorkers(route workerRoute) func(echo.Context, principal) error {
	known := append([]string{"tenant", "cursor", "limit"}, route.known...)
	return func(c echo.Context, who principal) error {
		if s.options.Workers == nil {
			return newProblem(notFound, "This server keeps no workers.")
		}
		q, problem := query(c, who, known...)
		if problem != nil {
			return problem
		}
		if q.tenant == "" {
			q.tenant = anonymousTenant
		}
		c.Set(queryKey, q)
		return workerProblem(route.handler(c, q.tenant), c.Param("name"))
	}
}

// queryKey is where a handler finds its parameters.
const queryKey = "query"

// workerProblem makes problems of errors that are a client's.
func workerProblem(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, deployment.ErrNotFound):
		return newProblem(notFound, "There is no worker %q.", name)
	case errors.Is(err, deployment.ErrVersion):
		return invalid([]FieldError{{Pointer: "/version", Detail: "the worker has no such version"}})
	case errors.Is(err, deployment.ErrName):
		return invalid([]FieldError{{Pointer: "name", Detail: err.Error()}})
	case errors.Is(err, deployment.ErrTooMany):
		return invalid([]FieldError{{Pointer: "name", Detail: err.Error()}})
	case errors.Is(err, deployment.ErrTaken):
		return invalid([]FieldError{{Pointer: "/domains", Detail: err.Error()}})
	}
	if errors.As(err, new(*deployment.StartError)) {
		return newProblem(workerStart, "%s", err.Error())
	}
	var missing *deployment.MissingAssets
	if errors.As(err, &missing) {
		p := newProblem(assetsMissing, "%s.", missing.Error())
		for _, digest := range missing.Digests {
			p.Errors = append(p.Errors, FieldError{Pointer: "/assets/files", Detail: digest})
		}
		return p
	}
	if fields := fieldErrors(err); len(fields) > 0 {
		return invalid(fields)
	}
	return err
}

// fieldErrors are the fields that an error names, or several that were joined.
func fieldErrors(err error) []FieldError {
	switch e := err.(type) {
	case *deployment.FieldError:
		return []FieldError{{Pointer: e.Field, Detail: e.Problem}}
	case *execution.InvalidError:
		return []FieldError{{Pointer: e.Field, Detail: e.Message}}
	case interface{ Unwrap() []error }:
		var fields []FieldError
		for _, each := range e.Unwrap() {
			found := fieldErrors(each)
			if found == nil {
				return nil // something is no client's mistake
			}
			fields = append(fields, found...)
		}
		return fields
	}
	return nil
}

// putWorker is PUT /v1/workers/{name}.
func (s *Server) putWorker(c echo.Context, tenant string) error {
	r := c.Request()
	if problem := checkBodyType(r); problem != nil {
		return problem
	}
	var source io.Reader = r.Body
	if encoding := r.Header.Get("Content-Encoding"); strings.EqualFold(encoding, "gzip") {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return newProblem(invalidRequest, "The body is not in the encoding gzip.")
		}
		source = z
	} else if encoding != "" {
		return newProblem(unsupportedMedia, "The body may be in the encoding gzip, not %q.", encoding)
	}
	body, err := io.ReadAll(io.LimitReader(source, deployment.MaxManifest+1))
	switch {
	case err != nil:
		return newProblem(invalidRequest, "The body could not be read to its end.")
	case len(body) > deployment.MaxManifest:
		return newProblem(tooLarge, "The body must not exceed %d bytes.", deployment.MaxManifest)
	}
	m, err := deployment.ParseManifest(body)
	if err != nil {
		return err
	}
	info, created, err := s.options.Workers.Deploy(r.Context(), tenant, c.Param("name"), m)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return s.writeWorker(c, status, &info)
}

// workerAnswer is a worker as it is answered.
type workerAnswer struct {
	Name               string                     `json:"name"`
	Version            string                     `json:"version"`
	URL                string                     `json:"url"`
	Created            time.Time                  `json:"created_at"`
	Updated            time.Time                  `json:"updated_at"`
	MainModule         string                     `json:"main_module,omitempty"`
	Modules            []moduleAnswer             `json:"modules,omitempty"`
	CompatibilityDate  string                     `json:"compatibility_date,omitempty"`
	CompatibilityFlags []string                   `json:"compatibility_flags,omitempty"`
	Bindings           map[string]json.RawMessage `json:"bindings,omitempty"`
	Limits             *deployment.Limits         `json:"limits,omitempty"`
	Isolation          string                     `json:"isolation,omitempty"`
	Crons              []string                   `json:"crons,omitempty"`
	TailConsumers      []string                   `json:"tail_consumers,omitempty"`
	Domains            []string                   `json:"domains,omitempty"`
	Message            string                     `json:"message,omitempty"`
}

type moduleAnswer struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Size int    `json:"size"`
}

func (s *Server) workerAnswer(c echo.Context, i *deployment.Info) *workerAnswer {
	a := &workerAnswer{Name: i.Name, Version: i.Version, URL: s.workerURL(c.Request(), i.Name), Created: i.Created.UTC(), Updated: i.Updated.UTC()}
	if m := i.Manifest; m != nil {
		a.MainModule, a.CompatibilityDate, a.CompatibilityFlags = m.MainModule, m.CompatibilityDate, m.CompatibilityFlags
		a.Bindings, a.Limits, a.Isolation, a.Crons, a.TailConsumers, a.Domains, a.Message = m.Bindings, &m.Limits, m.Isolation, m.Crons, m.TailConsumers, m.Domains, m.Message
		for _, module := range m.Inventory() {
			a.Modules = append(a.Modules, moduleAnswer{module.Name, module.Kind, module.Size})
		}
	}
	return a
}

// workerURL is where a worker is reached.
func (s *Server) workerURL(r *http.Request, name string) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	_, port, found := strings.Cut(r.Host, ":")
	if found {
		port = ":" + port
	}
	if len(s.options.WorkerDomains) == 0 {
		return scheme + r.Host + workerPath + name + "/"
	}
	return scheme + name + "." + s.options.WorkerDomains[0] + port + "/"
}

func (s *Server) writeWorker(c echo.Context, status int, i *deployment.Info) error {
	b, err := json.Marshal(s.workerAnswer(c, i))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), status, b)
}

// getWorker is GET /v1/workers/{name}.
func (s *Server) getWorker(c echo.Context, tenant string) error {
	i, err := s.options.Workers.Get(c.Request().Context(), tenant, c.Param("name"))
	if err != nil {
		return err
	}
	return s.writeWorker(c, http.StatusOK, &i)
}

// listWorkers is GET /v1/workers.
func (s *Server) listWorkers(c echo.Context, tenant string) error {
	q := c.Get(queryKey).(listQuery)
	list, err := s.options.Workers.List(c.Request().Context(), tenant, q.cursor, q.limit+1)
	if err != nil {
		return err
	}
	answer := struct {
		Workers []*workerAnswer `json:"workers"`
		Next    string          `json:"next_cursor,omitempty"`
	}{Workers: []*workerAnswer{}}
	for i := range list {
		if i == q.limit {
			answer.Next = list[i-1].Name
			break
		}
		answer.Workers = append(answer.Workers, s.workerAnswer(c, &list[i]))
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, b)
}

// deleteWorker is DELETE /v1/workers/{name}.
func (s *Server) deleteWorker(c echo.Context, tenant string) error {
	if err := s.options.Workers.Delete(c.Request().Context(), tenant, c.Param("name")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// listVersions is GET /v1/workers/{name}/versions.
func (s *Server) listVersions(c echo.Context, tenant string) error {
	list, err := s.options.Workers.Versions(c.Request().Context(), tenant, c.Param("name"))
	if err != nil {
		return err
	}
	type version struct {
		ID      string    `json:"id"`
		Number  int       `json:"number"`
		Created time.Time `json:"created_at"`
		Current bool      `json:"current"`
	}
	answer := struct {
		Versions []version `json:"versions"`
	}{[]version{}}
	for _, v := range list {
		answer.Versions = append(answer.Versions, version{v.ID, v.Number, v.Created.UTC(), v.Current})
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, b)
}

// getVersion is GET /v1/workers/{name}/versions/{version}.
func (s *Server) getVersion(c echo.Context, tenant string) error {
	i, err := s.options.Workers.Version(c.Request().Context(), tenant, c.Param("name"), c.Param("version"))
	if errors.Is(err, deployment.ErrVersion) {
		return newProblem(notFound, "The worker %q has no version %q.", c.Param("name"), c.Param("version"))
	}
	if err != nil {
		return err
	}
	return s.writeWorker(c, http.StatusOK, &i)
}

// rollBack is POST /v1/workers/{name}/rollback.
func (s *Server) rollBack(c echo.Context, tenant string) error {
	body, problem := s.readBody(c.Request())
	if problem != nil {
		return problem
	}
	defer body.release()
	var asked struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(body.b, &asked); err != nil || asked.Version == "" {
		return invalid([]FieldError{{Pointer: "/version", Detail: "required: the id of the version to go back to"}})
	}
	i, err := s.options.Workers.RollBack(c.Request().Context(), tenant, c.Param("name"), asked.Version)
	if err != nil {
		return err
	}
	return s.writeWorker(c, http.StatusOK, &i)
}

// headAsset is HEAD /v1/assets/{sha256}.
func (s *Server) headAsset(c echo.Context, tenant string) error {
	there, err := s.options.Workers.HasAsset(c.Request().Context(), tenant, c.Param("sha256"))
	if err != nil {
		return err
	}
	if !there {
		return newProblem(notFound, "There is no such asset.")
	}
	return c.NoContent(http.StatusOK)
}

// putAsset is PUT /v1/assets/{sha256}: the body is the asset.
func (s *Server) putAsset(c echo.Context, tenant string) error {
	digest := c.Param("sha256")
	if !deployment.IsDigest(digest) {
		return invalid([]FieldError{{Pointer: "sha256", Detail: "expected a SHA-256 in lower-case hexadecimal"}})
	}
	content, err := io.ReadAll(io.LimitReader(c.Request().Body, deployment.MaxAsset+1))
	switch {
	case err != nil:
		return newProblem(invalidRequest, "The body could not be read to its end.")
	case len(content) > deployment.MaxAsset:
		return newProblem(tooLarge, "The body must not exceed %d bytes.", deployment.MaxAsset)
	}
	there, err := s.options.Workers.HasAsset(c.Request().Context(), tenant, digest)
	if err != nil {
		return err
	}
	err = s.options.Workers.PutAsset(c.Request().Context(), tenant, digest, content)
	if errors.Is(err, deployment.ErrDigest) {
		return invalid([]FieldError{{Pointer: "sha256", Detail: "the body has another digest"}})
	}
	if err != nil {
		return err
	}
	if there {
		return c.NoContent(http.StatusOK)
	}
	return c.NoContent(http.StatusCreated)
}
