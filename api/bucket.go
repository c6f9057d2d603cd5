package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"mayfly/storage"
	"mayfly/storage/catalog"
)

// Buckets finds, makes and removes a tenant's buckets; *catalog.Catalog is
// one. See there for what each method does and fails with. It is used from
// many goroutines.
type Buckets interface {
	List(ctx context.Context, tenant string) ([]catalog.Bucket, error)
	Get(ctx context.Context, tenant, name string) (catalog.Bucket, error)
	Create(ctx context.Context, tenant, name string) error
	Delete(ctx context.Context, tenant, name string) error
}

var _ Buckets = (*catalog.Catalog)(nil)

// withBuckets reads whose buckets are meant, and answers the errors of a
// handler that are a client's.
func (s *Server) withBuckets(handler func(c echo.Context, tenant string) error) func(echo.Context, principal) error {
	return func(c echo.Context, who principal) error {
		if s.options.Buckets == nil {
			return newProblem(notFound, "This server keeps no buckets.")
		}
		q, problem := query(c, who, "tenant")
		if problem != nil {
			return problem
		}
		err := handler(c, q.tenant)
		if problem := bucketProblem(err); problem != nil {
			return problem
		}
		return err
	}
}

// bucketProblem makes a problem of an error of a bucket, or nil if it is none
// that a client can do something about.
func bucketProblem(err error) *Problem {
	var e *storage.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch {
	case errors.Is(err, storage.ErrNoSuchBucket):
		return newProblem(notFound, "There is no such bucket.")
	case errors.Is(err, storage.ErrInvalidBucket):
		return invalid([]FieldError{{Pointer: "name", Detail: e.Err.Error()}})
	case errors.Is(err, storage.ErrBucketNotEmpty):
		return newProblem(bucketNotEmpty, "It has objects or unfinished uploads; remove them first.")
	case errors.Is(err, storage.ErrConfigured):
		return newProblem(bucketConfigured, "It comes from the server's configuration.")
	case errors.Is(err, storage.ErrTooManyBuckets):
		return newProblem(tooManyBuckets, "%s.", upper(e.Err.Error()))
	}
	return nil
}

// listBuckets is GET /v1/buckets.
func (s *Server) listBuckets(c echo.Context, tenant string) error {
	list, err := s.options.Buckets.List(c.Request().Context(), tenant)
	if err != nil {
		return err
	}
	b := append([]byte(nil), `{"buckets":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendBucket(b, &list[i])
	}
	return writeJSON(c.Response(), http.StatusOK, append(b, "]}"...))
}

// getBucket is GET /v1/buckets/{name}.
func (s *Server) getBucket(c echo.Context, tenant string) error {
	return s.bucket(c, tenant, http.StatusOK)
}

// putBucket is PUT /v1/buckets/{name}. It can be repeated.
func (s *Server) putBucket(c echo.Context, tenant string) error {
	err := s.options.Buckets.Create(c.Request().Context(), tenant, c.Param("name"))
	switch {
	case errors.Is(err, storage.ErrBucketExists):
		return s.bucket(c, tenant, http.StatusOK)
	case err != nil:
		return err
	}
	return s.bucket(c, tenant, http.StatusCreated)
}

func (s *Server) bucket(c echo.Context, tenant string, status int) error {
	b, err := s.options.Buckets.Get(c.Request().Context(), tenant, c.Param("name"))
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), status, appendBucket(nil, &b))
}

// deleteBucket is DELETE /v1/buckets/{name}.
func (s *Server) deleteBucket(c echo.Context, tenant string) error {
	if err := s.options.Buckets.Delete(c.Request().Context(), tenant, c.Param("name")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func appendBucket(b []byte, bucket *catalog.Bucket) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, bucket.Name)
	b = append(b, `,"backend":`...)
	b = appendString(b, bucket.Backend)
	b = append(b, `,"read_only":`...)
	b = strconv.AppendBool(b, bucket.ReadOnly)
	if !bucket.Created.IsZero() {
		b = append(b, `,"created_at":`...)
		b = appendTime(b, bucket.Created)
	}
	return append(b, '}')
}
