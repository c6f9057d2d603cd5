// Package s3 serves a tenant's buckets by the S3 protocol, so that its clients
// work unmodified: the REST API of version 2006-03-01, with addresses of both
// styles and Signature Version 4. What buckets here do not have (versions, ACLs,
// policies, tags, encryption by the server, locks) is refused, not ignored.
package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"mayfly/storage"
	"mayfly/storage/catalog"
)

// Catalog finds a tenant's buckets; *catalog.Catalog is one.
type Catalog interface {
	Open(ctx context.Context, tenant, name string) (storage.Objects, error)
	Create(ctx context.Context, tenant, name string) error
	Delete(ctx context.Context, tenant, name string) error
	Get(ctx context.Context, tenant, name string) (catalog.Bucket, error)
	List(ctx context.Context, tenant string) ([]catalog.Bucket, error)
}

// Options configure a [Server]. Catalog and Credentials are required.
type Options struct {
	Catalog     Catalog
	Credentials Credentials
	// Domains are names below which each bucket has one of its own
	// (virtual-hosted addresses). nil: localhost.
	Domains []string
	// Region is told to who asks. Requests may be signed for any. Empty:
	// us-east-1.
	Region string
	// IdleTimeout bounds how long a body may stand still. 0: a minute.
	IdleTimeout time.Duration
	Log         *slog.Logger     // nil: slog.Default()
	Now         func() time.Time // nil: time.Now
}

// A Server is the handler of an S3 endpoint, whose requests are all signed.
type Server struct {
	options Options
	keys    keyCache
}

// New makes a server.
func New(options Options) (*Server, error) {
	if options.Catalog == nil || options.Credentials == nil {
		return nil, errors.New("s3: Catalog and Credentials are required")
	}
	if options.Domains == nil {
		options.Domains = []string{"localhost"}
	}
	if options.Region == "" {
		options.Region = "us-east-1"
	}
	if options.IdleTimeout == 0 {
		options.IdleTimeout = time.Minute
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Server{options: options}, nil
}

// HTTPServer is a server for the handler, with bounds on headers and times.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
}

// A request is one that is being answered.
type request struct {
	*http.Request
	server *Server
	w      http.ResponseWriter
	id     string
	tenant string
	query  query
	bucket string
	key    string
	body   *body
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &request{Request: hr, server: s, w: w, id: rand.Text()[:16]}
	h := w.Header()
	h.Set("X-Amz-Request-Id", r.id)
	h.Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				s.options.Log.Error("s3 request failed", "id", r.id, "method", hr.Method, "path", hr.URL.Path, "error", fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}
	}()
	if err := r.serve(); err != nil {
		r.fail(err)
	}
}

func (r *request) serve() error {
	r.bucket, r.key = r.server.resource(r.Request)
	var err error
	if r.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return err
	}
	if err := r.authenticate(); err != nil {
		return err
	}
	switch {
	case r.bucket == "":
		return r.serveService()
	case r.key == "":
		return r.serveBucket()
	}
	return r.serveObject()
}

// resource is the bucket and the key that a request names, by its host or its
// path.
func (s *Server) resource(r *http.Request) (bucket, key string) {
	host := strings.ToLower(r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	for _, domain := range s.options.Domains {
		if name, ok := strings.CutSuffix(host, "."+domain); ok {
			return name, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// serveService answers what is asked of no bucket.
func (r *request) serveService() error {
	if r.Method != http.MethodGet {
		return errMethod
	}
	list, err := r.server.options.Catalog.List(r.Context(), r.tenant)
	if err != nil {
		return err
	}
	answer := listBuckets{Owner: r.owner()}
	for _, b := range list {
		created := b.Created
		if created.IsZero() {
			created = time.Unix(0, 0)
		}
		answer.Buckets = append(answer.Buckets, bucketEntry{b.Name, stamp(created), r.server.options.Region})
	}
	return r.answer(http.StatusOK, &answer)
}

// open opens the request's bucket.
func (r *request) open() (storage.Objects, error) {
	return r.server.options.Catalog.Open(r.Context(), r.tenant, r.bucket)
}

// unoffered are parts of a bucket that there are not, with the code that tells
// so to who reads them.
var unoffered = map[string]*Error{
	"policy":              {http.StatusNotFound, "NoSuchBucketPolicy", "The bucket has no policy"},
	"policyStatus":        {http.StatusNotFound, "NoSuchBucketPolicy", "The bucket has no policy"},
	"tagging":             {http.StatusNotFound, "NoSuchTagSet", "There are no tags"},
	"lifecycle":           {http.StatusNotFound, "NoSuchLifecycleConfiguration", "The bucket has no lifecycle configuration"},
	"cors":                {http.StatusNotFound, "NoSuchCORSConfiguration", "The bucket has no CORS configuration"},
	"encryption":          {http.StatusNotFound, "ServerSideEncryptionConfigurationNotFoundError", "The bucket has no encryption configuration"},
	"object-lock":         {http.StatusNotFound, "ObjectLockConfigurationNotFoundError", "The bucket has no object lock configuration"},
	"replication":         {http.StatusNotFound, "ReplicationConfigurationNotFoundError", "The bucket has no replication configuration"},
	"website":             {http.StatusNotFound, "NoSuchWebsiteConfiguration", "The bucket has no website configuration"},
	"publicAccessBlock":   {http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The bucket has no public access block"},
	"ownershipControls":   {http.StatusNotFound, "OwnershipControlsNotFoundError", "The bucket has no ownership controls"},
	"acl":                 errNotImplemented,
	"accelerate":          errNotImplemented,
	"analytics":           errNotImplemented,
	"attributes":          errNotImplemented,
	"intelligent-tiering": errNotImplemented,
	"inventory":           errNotImplemented,
	"legal-hold":          errNotImplemented,
	"logging":             errNotImplemented,
	"metrics":             errNotImplemented,
	"notification":        errNotImplemented,
	"requestPayment":      errNotImplemented,
	"restore":             errNotImplemented,
	"retention":           errNotImplemented,
	"select":              errNotImplemented,
	"session":             errNotImplemented,
	"torrent":             errNotImplemented,
	"versions":            errNotImplemented,
	"versionId":           errNotImplemented,
}

// offered refuses what is asked of parts that there are not.
func (r *request) offered() error {
	for _, p := range r.query {
		if e := unoffered[p.name]; e != nil {
			if p.name == "versionId" && (p.value == "null" || p.value == "") {
				continue
			}
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return e
			}
			return errNotImplemented
		}
	}
	for name := range r.Header {
		if wrong := unofferedHeader(name, r.Header.Get(name)); wrong {
			return &Error{http.StatusNotImplemented, "NotImplemented", name + " is not offered here"}
		}
	}
	return nil
}

// unofferedHeader says whether a header asks for what there is not.
func unofferedHeader(name, value string) bool {
	switch name {
	case "X-Amz-Acl":
		return value != "" && value != "private" && value != "bucket-owner-full-control"
	case "X-Amz-Tagging", "X-Amz-Website-Redirect-Location", "X-Amz-Mfa", "X-Amz-Write-Offset-Bytes":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-Server-Side-Encryption") || strings.HasPrefix(name, "X-Amz-Object-Lock-") ||
		strings.HasPrefix(name, "X-Amz-Grant-") || strings.HasPrefix(name, "X-Amz-Copy-Source-Server-Side")
}

func (r *request) owner() owner { return owner{r.tenant, r.tenant} }
