package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"mayfly/host/secret"
)

// workerSecretProblem makes problems of a secret's errors that are a client's.
func workerSecretProblem(err error, name string) error {
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return newProblem(notFound, "The worker has no secret %q.", name)
	case errors.Is(err, secret.ErrName), errors.Is(err, secret.ErrTooMany):
		return invalid([]FieldError{{Pointer: "secret", Detail: err.Error()}})
	case errors.Is(err, secret.ErrValue):
		return invalid([]FieldError{{Pointer: "/value", Detail: secret.ErrValue.Error()}})
	}
	return err
}

// listWorkerSecrets is GET /v1/workers/{name}/secrets.
func (s *Server) listWorkerSecrets(c echo.Context, tenant string) error {
	list, err := s.options.Workers.Secrets(c.Request().Context(), tenant, c.Param("name"))
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

// putWorkerSecret is PUT /v1/workers/{name}/secrets/{secret}.
func (s *Server) putWorkerSecret(c echo.Context, tenant string) error {
	body, problem := s.readBody(c.Request())
	if problem != nil {
		return problem
	}
	defer func() {
		clear(body.b) // its buffer is used again
		body.release()
	}()
	var asked struct {
		Value *string `json:"value"`
	}
	if err := json.Unmarshal(body.b, &asked); err != nil || asked.Value == nil {
		return invalid([]FieldError{{Pointer: "/value", Detail: "required: the secret's value"}})
	}
	i, err := s.options.Workers.PutSecret(c.Request().Context(), tenant, c.Param("name"), c.Param("secret"), *asked.Value)
	if err != nil {
		return workerSecretProblem(err, c.Param("secret"))
	}
	return writeJSON(c.Response(), http.StatusOK, appendSecret(nil, &i))
}

// deleteWorkerSecret is DELETE /v1/workers/{name}/secrets/{secret}.
func (s *Server) deleteWorkerSecret(c echo.Context, tenant string) error {
	if err := s.options.Workers.DeleteSecret(c.Request().Context(), tenant, c.Param("name"), c.Param("secret")); err != nil {
		return workerSecretProblem(err, c.Param("secret"))
	}
	return c.NoContent(http.StatusNoContent)
}
