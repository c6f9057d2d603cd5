package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/storage"
	"mayfly/storage/meta"
)

// An artifact is an artifact with the URL at which it opens.
type artifact struct {
	execution.Artifact
	url       string
	expiresAt time.Time // of the URL; zero: never
}

// artifactPolicy keeps a hostile page or image harmless: it can load nothing,
// run nothing, send nothing and be part of nothing, and its origin is opaque
// even where it is served beside the API.
const artifactPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; media-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// linkDuration is how long the URL of an artifact works that is kept for ever.
const linkDuration = 24 * time.Hour

// An artifactBase makes the URLs of artifacts.
type artifactBase struct {
	value atomic.Pointer[struct{ before, after string }]
}

// set decides where artifacts are served: on a host for each execution if a
// domain has such, else below the API.
func (b *artifactBase) set(o *Options, listen string) {
	scheme, port := "http", ""
	if _, p, err := net.SplitHostPort(listen); err == nil {
		port = ":" + p
	}
	base := ""
	if o.PublicURL != "" {
		base = o.PublicURL
		u, _ := url.Parse(o.PublicURL) // checked by withDefaults
		scheme, port = u.Scheme, ""
		if u.Port() != "" {
			port = ":" + u.Port()
		}
	}
	v := &struct{ before, after string }{base + "/v1/executions/", "/artifacts/"}
	if domain := artifactDomain(o); domain != "" {
		v.before, v.after = scheme+"://"+artifactHostPrefix, "."+domain+port+"/"
	}
	b.value.Store(v)
}

func (b *artifactBase) url(id, name string) string {
	v := b.value.Load()
	return v.before + id + v.after + (&url.URL{Path: name}).EscapedPath()
}

// linker completes artifacts of an execution with their URLs.
func (s *Server) linker(id string, expires time.Time) func(*artifact) {
	return func(a *artifact) {
		a.url, a.expiresAt = s.base.url(id, a.Name), expires
		if !s.options.RequireKeys {
			return
		}
		if a.expiresAt.IsZero() {
			a.expiresAt = s.options.Now().Add(linkDuration).Truncate(time.Hour)
		}
		a.url += "?token=" + s.artifactToken(id, a.Name, a.expiresAt.Unix())
	}
}

// artifactToken is a capability for one artifact until a time: whoever has it
// needs no key.
func (s *Server) artifactToken(id, name string, expires int64) string {
	until := strconv.FormatInt(expires, 36)
	mac := hmac.New(sha256.New, s.options.Secret)
	fmt.Fprintf(mac, "mayfly artifact\x00%s\x00%s\x00%s", id, name, until)
	return until + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// validToken says whether a token opens an artifact now.
func (s *Server) validToken(token, id, name string) bool {
	until, _, _ := strings.Cut(token, ".")
	expires, err := strconv.ParseInt(until, 36, 64)
	if err != nil || s.options.Now().Unix() >= expires {
		return false
	}
	return hmac.Equal([]byte(token), []byte(s.artifactToken(id, name, expires)))
}

// storedExport and exported are where an artifact was put, for the record and
// of it.
func storedExport(x *execution.Exported) meta.Export {
	if x == nil {
		return meta.Export{}
	}
	return meta.Export(*x)
}

func exported(x *meta.Export) *execution.Exported {
	if x.Bucket == "" {
		return nil
	}
	return (*execution.Exported)(x)
}

// artifactsOf lists the artifacts of an execution with their URLs.
func (s *Server) artifactsOf(x *meta.Execution) []artifact {
	link := s.linker(x.ID, x.ExpiresAt)
	list := make([]artifact, len(x.Artifacts))
	for i, a := range x.Artifacts {
		list[i].Artifact = execution.Artifact{Name: a.Name, Path: a.Path, Size: a.Size, ContentType: a.ContentType, SHA256: a.SHA256, Export: exported(&a.Export)}
		link(&list[i])
	}
	return list
}

// listArtifacts is GET /v1/executions/{id}/artifacts.
func (s *Server) listArtifacts(c echo.Context, who principal) error {
	_, stored, err := s.find(c.Request().Context(), who.tenant, c.Param("id"))
	if err != nil {
		return err
	}
	var list []artifact
	if stored != nil {
		list = s.artifactsOf(stored)
	}
	b := append([]byte(nil), `{"artifacts":`...)
	b = appendArtifacts(b, list)
	return writeJSON(c.Response(), http.StatusOK, append(b, '}'))
}

// hasArtifact says whether an artifact exists that the tenant may read.
func (s *Server) hasArtifact(ctx context.Context, tenant string, ref *execution.ArtifactRef) (bool, error) {
	_, stored, err := s.find(ctx, tenant, ref.Execution)
	var problem *Problem
	if errors.As(err, &problem) || err == nil && stored == nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return artifactNamed(stored, ref.Name) != nil, nil
}

func artifactNamed(x *meta.Execution, name string) *meta.Artifact {
	for i := range x.Artifacts {
		if x.Artifacts[i].Name == name {
			return &x.Artifacts[i]
		}
	}
	return nil
}

// getArtifact is GET /v1/executions/{id}/artifacts/{name}.
func (s *Server) getArtifact(c echo.Context) error {
	id := c.Param("id")
	// The router's wildcard is not unescaped; the URL's path is.
	_, name, _ := strings.Cut(strings.TrimPrefix(c.Request().URL.Path, "/v1/executions/"), "/artifacts/")
	return s.serveArtifact(c.Response(), c.Request(), id, name)
}

// serveArtifactHost answers on the host that an execution's artifacts have to
// themselves. Nothing else is there.
func (s *Server) serveArtifactHost(w http.ResponseWriter, r *http.Request, id string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p := newProblem(methodNotAllowed, "%s is not possible here, only GET and HEAD.", r.Method)
		p.allow = "GET, HEAD"
		s.refuse(w, r, p)
		return
	}
	err := s.serveArtifact(w, r, id, strings.TrimPrefix(r.URL.Path, "/"))
	if err == nil {
		s.metrics.answered(http.StatusOK)
		return
	}
	var problem *Problem
	if !errors.As(err, &problem) {
		problem = s.incident(r, "artifact", err)
	}
	if errors.As(err, new(*cutError)) {
		panic(http.ErrAbortHandler)
	}
	s.refuse(w, r, problem)
}

// serveArtifact answers with an artifact to who has its token, a key of its
// tenant, or needs neither.
func (s *Server) serveArtifact(w http.ResponseWriter, r *http.Request, id, name string) error {
	tenant := ""
	if token := r.URL.Query().Get("token"); token == "" || !s.validToken(token, id, name) {
		who, problem := s.authenticate(r)
		if problem != nil {
			return problem
		}
		tenant = who.tenant
	}
	_, stored, err := s.find(r.Context(), tenant, id)
	if err != nil {
		return err
	}
	var a *meta.Artifact
	if stored != nil {
		a = artifactNamed(stored, name)
	}
	if a == nil {
		return newProblem(notFound, "Execution %s has no artifact %q.", id, name)
	}
	content := &objectReader{ctx: r.Context(), objects: s.options.Objects, key: a.ObjectKey, size: a.Size}
	defer content.Close()
	// Opened now, so that an object that is gone is a 404 and not a cut
	// answer.
	if err := content.open(); err != nil {
		if errors.Is(err, storage.ErrNotFound) {
			return newProblem(notFound, "Artifact %q of execution %s is gone.", name, id)
		}
		return err
	}
	h := w.Header()
	h.Set("Content-Type", artifactType(a.ContentType))
	h.Set("Content-Disposition", disposition(name))
	h.Set("Content-Security-Policy", artifactPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h["Referrer-Policy"] = headerNoReferrer
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", `"`+a.SHA256+`"`)
	http.ServeContent(w, r, "", stored.EndedAt, content)
	if content.failed != nil && r.Context().Err() == nil {
		return &cutError{content.failed}
	}
	return nil
}

// A cutError is why the content of an answer that has begun is not whole.
// There is no other way to tell the client than to cut the connection.
type cutError struct{ error }

func (e *cutError) Unwrap() error { return e.error }

// artifactType is a content type that is fit for a header field; text without
// a charset is UTF-8.
func artifactType(given string) string {
	kind, parameters, err := mime.ParseMediaType(given)
	if err != nil {
		return storage.DefaultMIMEType
	}
	if strings.HasPrefix(kind, "text/") && parameters["charset"] == "" {
		parameters["charset"] = "utf-8"
	}
	return mime.FormatMediaType(kind, parameters)
}

// disposition shows an artifact in place, and gives it its name when it is
// saved (RFC 6266).
func disposition(name string) string {
	name = path.Base(name)
	ascii := []byte(name)
	for i, c := range ascii {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' {
			ascii[i] = '_'
		}
	}
	field := `inline; filename="` + string(ascii) + `"`
	if string(ascii) != name {
		field += "; filename*=UTF-8''" + url.PathEscape(name)
	}
	return field
}

// An objectReader is an io.ReadSeeker over an object, which is what ranges
// want. Reading goes on in one get until a seek.
type objectReader struct {
	ctx     context.Context
	objects storage.Objects
	key     string
	size    int64
	offset  int64
	body    io.ReadCloser
	failed  error // of a read; what it read is withheld
}

func (o *objectReader) open() error {
	if o.offset >= o.size {
		return nil
	}
	options := storage.GetOptions{}
	if o.offset > 0 {
		options.Range = &storage.Range{Offset: o.offset}
	}
	content, err := o.objects.Get(o.ctx, o.key, options)
	if err != nil {
		return err
	}
	o.body = content.Body
	return nil
}

func (o *objectReader) Read(b []byte) (int, error) {
	if o.offset >= o.size {
		return 0, io.EOF
	}
	if o.body == nil {
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(b)
	if err != nil && err != io.EOF {
		// The store tells by an error with the last bytes that the content is
		// damaged. Without them the answer is short, which clients notice.
		o.failed = err
		return 0, err
	}
	o.offset += int64(n)
	return n, err
}

func (o *objectReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	if offset != o.offset {
		o.Close()
		o.offset = offset
	}
	return offset, nil
}

func (o *objectReader) Close() error {
	if o.body == nil {
		return nil
	}
	body := o.body
	o.body = nil
	return body.Close()
}
