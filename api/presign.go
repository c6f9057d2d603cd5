package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/storage"
)

var presignFields = []string{"key", "method", "expires_s"}

const (
	maxPresign     = 7 * 24 * time.Hour
	defaultPresign = time.Hour
)

// presign is POST /v1/buckets/{name}/presign.
func (s *Server) presign(c echo.Context, tenant string) error {
	if s.options.Presign == nil {
		return newProblem(notFound, "This server makes no URLs for objects.")
	}
	body, problem := s.readBody(c.Request())
	if problem != nil {
		return problem
	}
	defer body.release()
	d := &decoder{reader: reader{data: body.b}}
	key, method, seconds := "", http.MethodGet, int64(defaultPresign/time.Second)
	seen := uint32(0)
	object := d.fields("an object with key, method and expires_s", func(name []byte) {
		mark := d.enterMember(name)
		switch string(name) {
		case "key":
			if d.first(&seen, 1) {
				d.text(&key)
			}
		case "method":
			d.text(&method)
		case "expires_s":
			if n, ok := d.positive(int64(maxPresign / time.Second)); ok {
				seconds = n
			}
		default:
			d.unknown(name, presignFields)
		}
		d.pointer = d.pointer[:mark]
	})
	d.end()
	if d.err != nil {
		return d.syntaxProblem()
	}
	if err := storage.ValidateKey(key); object && err != nil {
		d.failAt("/key", err.Error())
	}
	if method != http.MethodGet && method != http.MethodHead && method != http.MethodPut {
		d.failAt("/method", "must be GET, HEAD or PUT")
	}
	if len(d.errors) > 0 {
		return invalid(d.errors)
	}
	if tenant == "" {
		tenant = anonymousTenant
	}
	expires := time.Duration(seconds) * time.Second
	until := s.options.Now().Add(expires)
	link, err := s.options.Presign(c.Request().Context(), tenant, method, c.Param("name"), key, expires)
	if errors.Is(err, storage.ErrUnsupported) {
		return newProblem(notFound, "The bucket's store makes no URLs: the server has to serve it by S3 (--s3).")
	}
	if err != nil {
		return err
	}
	b := appendString([]byte(`{"url":`), link)
	b = appendString(append(b, `,"method":`...), method)
	b = appendTime(append(b, `,"expires_at":`...), until)
	return writeJSON(c.Response(), http.StatusOK, append(b, '}'))
}
