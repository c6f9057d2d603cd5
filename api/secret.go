package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"mayfly/host/secret"
)

// Secrets keeps secrets; *secret.Store is one. See there for what each method
// does and fails with. There is no way to a value from here.
type Secrets interface {
	Put(ctx context.Context, tenant, name, value string) (secret.Info, error)
	Get(ctx context.Context, tenant, name string) (secret.Info, error)
	List(ctx context.Context, tenant string) ([]secret.Info, error)
	Delete(ctx context.Context, tenant, name string) error
}

var _ Secrets = (*secret.Store)(nil)

type secretRoute struct {
	method, path string
	handler      func(c echo.Context, tenant string) error
}

func (s *Server) secretRoutes() []secretRoute {
	return []secretRoute{
		{http.MethodGet, "/v1/secrets", s.listSecrets},
		{http.MethodGet, "/v1/secrets/:name", s.getSecret},
		{http.MethodPut, "/v1/secrets/:name", s.putSecret},
		{http.MethodDelete, "/v1/secrets/:name", s.deleteSecret},
	}
}

// withSecrets finds out whose secrets are meant, and answers the errors of a
// handler that are a client's.
func (s *Server) withSecrets(handler func(c echo.Context, tenant string) error) func(echo.Context, principal) error {
	return func(c echo.Context, who principal) error {
		if s.options.Secrets == nil {
			return newProblem(notFound, "This server keeps no secrets.")
		}
		q, problem := query(c, who, "tenant")
		if problem != nil {
			return problem
		}
		if q.tenant == "" {
			q.tenant = anonymousTenant
		}
		err := handler(c, q.tenant)
		switch {
		case errors.Is(err, secret.ErrNotFound):
			return newProblem(notFound, "There is no secret %q.", c.Param("name"))
		case errors.Is(err, secret.ErrName):
			return invalid([]FieldError{{Pointer: "name", Detail: secret.ErrName.Error()}})
		case errors.Is(err, secret.ErrValue):
			return invalid([]FieldError{{Pointer: "/value", Detail: secret.ErrValue.Error()}})
		case errors.Is(err, secret.ErrTooMany):
			return invalid([]FieldError{{Pointer: "name", Detail: secret.ErrTooMany.Error()}})
		}
		return err
	}
}

// listSecrets is GET /v1/secrets.
func (s *Server) listSecrets(c echo.Context, tenant string) error {
	list, err := s.options.Secrets.List(c.Request().Context(), tenant)
	if err != nil {
		return err
	}
	b := append([]byte(nil), `{"secrets":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSecret(b, &list[i])
	}
	return writeJSON(c.Response(), http.StatusOK, append(b, `]}`...))
}

// getSecret is GET /v1/secrets/{name}.
func (s *Server) getSecret(c echo.Context, tenant string) error {
	i, err := s.options.Secrets.Get(c.Request().Context(), tenant, c.Param("name"))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, appendSecret(nil, &i))
}

// putSecret is PUT /v1/secrets/{name}.
func (s *Server) putSecret(c echo.Context, tenant string) error {
	body, problem := s.readBody(c.Request())
	if problem != nil {
		return problem
	}
	defer func() {
		clear(body.b) // its buffer is used again
		body.release()
	}()
	d := &decoder{reader: reader{data: body.b}}
	var value string
	seen := uint32(0)
	object := d.fields("an object with value", func(name []byte) {
		mark := d.enterMember(name)
		if string(name) == "value" {
			if d.first(&seen, 1) {
				d.text(&value)
			}
		} else {
			d.unknown(name, []string{"value"})
		}
		d.pointer = d.pointer[:mark]
	})
	d.end()
	switch {
	case d.err != nil:
		return d.syntaxProblem()
	case object && seen == 0:
		d.failAt("/value", "required: the secret's value")
	}
	if len(d.errors) > 0 {
		return invalid(d.errors)
	}
	i, err := s.options.Secrets.Put(c.Request().Context(), tenant, c.Param("name"), value)
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, appendSecret(nil, &i))
}

// deleteSecret is DELETE /v1/secrets/{name}.
func (s *Server) deleteSecret(c echo.Context, tenant string) error {
	if err := s.options.Secrets.Delete(c.Request().Context(), tenant, c.Param("name")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// appendSecret appends a secret as GET /v1/secrets/{name} answers it.
func appendSecret(b []byte, i *secret.Info) []byte {
	b = appendString(append(b, `{"name":`...), i.Name)
	b = appendTime(append(b, `,"created_at":`...), i.Created)
	b = appendTime(append(b, `,"updated_at":`...), i.Updated)
	return append(b, '}')
}
