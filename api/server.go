package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
)

// A Server serves the API. Make one with [New], then Listen, Serve and
// Shutdown; or mount it as an http.Handler in a server of another's making,
// which then has to bound headers and times itself.
type Server struct {
	options  Options
	hosts    *hostPolicy
	echo     *echo.Echo
	http     *http.Server
	listener net.Listener
	metrics  *metrics
	failures failureLimiter
	runs     runs
	claims   pendingClaims
	runtimes atomic.Pointer[knownRuntimes]
	base     artifactBase

	// Everything under way ends when life does.
	life     context.Context
	end      context.CancelCauseFunc
	draining atomic.Bool
	work     sync.WaitGroup // runs in the background, and announce
	async    chan struct{}  // a place for each of MaxAsync
	stopping chan struct{}  // closed when a shutdown begins
}

// New checks the options and makes a server that does not listen yet.
func New(options Options) (*Server, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		options:  options,
		hosts:    newHostPolicy(&options),
		failures: failureLimiter{most: options.KeyFailures, window: options.KeyFailureWindow},
		async:    make(chan struct{}, options.MaxAsync),
		stopping: make(chan struct{}),
	}
	if s.metrics, err = newMetrics(options.Registry); err != nil {
		return nil, err
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.base.set(&options, options.Listen)
	s.routes()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: options.HeaderTimeout,
		ReadTimeout:       options.BodyTimeout,
		IdleTimeout:       options.IdleTimeout,
		MaxHeaderBytes:    options.MaxHeader,
		BaseContext:       func(net.Listener) context.Context { return s.life },
		ErrorLog:          slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		Protocols:         new(http.Protocols),
	}
	// HTTP/2 would need limits of its own against resets (CVE-2023-44487);
	// clients lose nothing on loopback, and a proxy brings it elsewhere.
	s.http.Protocols.SetHTTP1(true)
	s.work.Go(func() { s.announce(s.life) })
	return s, nil
}

// Listen binds the address of the options.
func (s *Server) Listen() error {
	l, err := net.Listen("tcp", s.options.Listen)
	if err != nil {
		return err
	}
	s.listener = newBoundedListener(l, s.options.MaxConnections, s.options.WriteTimeout)
	s.base.set(&s.options, l.Addr().String())
	return nil
}

// Addr is the address that Listen bound, or nil.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve answers requests until Shutdown, then returns nil.
func (s *Server) Serve() error {
	if s.listener == nil {
		return errors.New("api: Serve before Listen")
	}
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// errShutdown cancels what is under way when a shutdown's time is over.
var errShutdown = errors.New("the server is shutting down")

// cancelGrace is how long canceled executions have to end in a shutdown.
const cancelGrace = 5 * time.Second

// Shutdown takes no new executions, waits until those under way have ended or
// ctx is over, cancels the rest, and waits until all are recorded. Its error
// says what did not end even so.
func (s *Server) Shutdown(ctx context.Context) error {
	if !s.draining.Swap(true) {
		close(s.stopping)
	}
	err := s.http.Shutdown(ctx)
	s.drain(ctx)
	s.end(errShutdown)
	grace, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	if err != nil {
		// Whatever they wait for is canceled now, so handlers return soon.
		if err = s.http.Shutdown(grace); err != nil {
			err = errors.Join(err, s.http.Close())
		}
	}
	rest := make(chan struct{})
	go func() {
		s.work.Wait()
		close(rest)
	}()
	select {
	case <-rest:
		return err
	case <-grace.Done():
		return errors.Join(err, errors.New("api: executions did not end when they were canceled"))
	}
}

// drain waits until nothing is under way, or ctx is over.
func (s *Server) drain(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		busy := false
		s.runs.each(func(*run) { busy = true })
		if !busy {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// The fields of every answer. An answer is never a page, a script or a frame.
var (
	headerJSON       = []string{"application/json"}
	headerProblem    = []string{problemContentType}
	headerNosniff    = []string{"nosniff"}
	headerNoStore    = []string{"no-store"}
	headerSameOrigin = []string{"same-origin"}
	headerNoReferrer = []string{"no-referrer"}
	headerNoContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.contain(r)
	h := w.Header()
	h["X-Content-Type-Options"] = headerNosniff
	h["Cache-Control"] = headerNoStore
	h["Cross-Origin-Resource-Policy"] = headerSameOrigin
	h["Content-Security-Policy"] = headerNoContent
	if id := s.hosts.execution(r.Host); id != "" {
		s.serveArtifactHost(w, r, id)
		return
	}
	if s.options.Workers != nil && s.serveWorker(w, r) {
		return
	}
	if !s.hosts.allows(r.Host) {
		s.refuse(w, r, newProblem(forbiddenHost, "%q is not a name of this server; its operator can add it.", r.Host))
		return
	}
	answered, problem := s.checkOrigin(w, r)
	if problem != nil {
		s.refuse(w, r, problem)
	} else if !answered {
		s.echo.ServeHTTP(w, r)
	}
}

// refuse answers with a problem.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.write(w, r)
	s.metrics.answered(p.Status)
}

// contain logs a panic outside of the routes, and cuts the connection.
func (s *Server) contain(r *http.Request) {
	if v := recover(); v != nil {
		if v != http.ErrAbortHandler {
			s.incident(r, "serve", fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
		panic(http.ErrAbortHandler)
	}
}

// incident logs a fault of the server and makes the problem that names it.
func (s *Server) incident(r *http.Request, op string, err error) *Problem {
	incident := s.options.Store.NewID()
	s.options.Log.Error("request failed", "incident", incident, "op", op, "method", r.Method, "path", r.URL.Path, "error", err)
	return incidentProblem(incident)
}

func incidentProblem(incident string) *Problem {
	p := newProblem(internalFault, "The server failed; its log has the reason under %s.", incident)
	p.Instance = "urn:mayfly:incident:" + incident
	return p
}

// routes says what is where. openapi.yaml says the same.
func (s *Server) routes() {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.handleError
	s.echo = e

	get := func(path string, handler echo.HandlerFunc) {
		handler = s.counted(handler)
		e.GET(path, handler)
		e.HEAD(path, handler)
	}
	get("/health", s.getHealth)
	get("/metrics", s.authenticated(s.getMetrics))
	get("/openapi.json", s.getSpecification)
	get("/openapi.yaml", s.getSpecificationYAML)
	get("/docs", s.getDocs)
	get("/v1/runtimes", s.authenticated(s.getRuntimes))
	get("/v1/executions", s.authenticated(s.listExecutions))
	get("/v1/executions/:id", s.authenticated(s.getExecution))
	get("/v1/executions/:id/events", s.authenticated(s.getEvents))
	get("/v1/executions/:id/artifacts", s.authenticated(s.listArtifacts))
	get("/v1/executions/:id/artifacts/*", s.getArtifact)
	get("/v1/buckets", s.authenticated(s.withBuckets(s.listBuckets)))
	get("/v1/buckets/:name", s.authenticated(s.withBuckets(s.getBucket)))
	e.PUT("/v1/buckets/:name", s.counted(s.authenticated(s.withBuckets(s.putBucket))))
	e.POST("/v1/buckets/:name/presign", s.counted(s.authenticated(s.withBuckets(s.presign))))
	e.DELETE("/v1/buckets/:name", s.counted(s.authenticated(s.withBuckets(s.deleteBucket))))
	for _, route := range s.sessionRoutes() {
		handler := s.counted(s.authenticated(s.withSessions(route.handler)))
		e.Add(route.method, route.path, handler)
		if route.method == http.MethodGet {
			e.HEAD(route.path, handler)
		}
	}
	for _, route := range s.workerRoutes() {
		handler := s.counted(s.authenticated(s.withWorkers(route)))
		e.Add(route.method, route.path, handler)
		if route.method == http.MethodGet {
			e.HEAD(route.path, handler)
		}
	}
	for _, route := range s.secretRoutes() {
		handler := s.counted(s.authenticated(s.withSecrets(route.handler)))
		e.Add(route.method, route.path, handler)
		if route.method == http.MethodGet {
			e.HEAD(route.path, handler)
		}
	}
	get("/v1/usage", s.authenticated(s.getUsage))
	get("/v1/usage/dynamic-workers", s.authenticated(s.listDynamics))
	e.POST("/v1/executions", s.counted(s.authenticated(s.postExecution)))
	e.POST("/v1/executions/:id/cancel", s.counted(s.authenticated(s.cancelExecution)))
}

// authenticated gives handler a principal, or refuses.
func (s *Server) authenticated(handler func(echo.Context, principal) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		who, problem := s.authenticate(c.Request())
		if problem != nil {
			return problem
		}
		return handler(c, who)
	}
}

// counted answers the errors and panics of a handler and counts its answers.
func (s *Server) counted(handler echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := contained(handler, c); err != nil {
			s.handleError(err, c)
			return nil
		}
		s.metrics.answered(c.Response().Status)
		return nil
	}
}

// contained makes a panic of a handler its error.
func contained(handler echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return handler(c)
}

// handleError answers with the problem that an error is.
func (s *Server) handleError(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	if w.Committed {
		// Too late to say so. Cutting the connection tells the client that
		// the answer is not whole.
		s.incident(r, "answer", err)
		panic(http.ErrAbortHandler)
	}
	var problem *Problem
	var routing *echo.HTTPError
	switch {
	case errors.As(err, &problem):
	case errors.As(err, &routing) && routing.Code == http.StatusMethodNotAllowed:
		allow := w.Header().Get("Allow")
		problem = newProblem(methodNotAllowed, "%s is not possible here, only %s.", r.Method, allow)
		problem.allow = allow
	case errors.As(err, &routing) && routing.Code == http.StatusNotFound:
		problem = newProblem(notFound, "There is nothing at %s.", r.URL.Path)
	default:
		problem = s.incident(r, "handle", err)
	}
	s.refuse(w, r, problem)
}

// knownRuntimes is what the executor said of its languages a moment ago.
type knownRuntimes struct {
	list  []execution.Runtime
	until time.Time
}

// runtimesFor is how long the executor's list is believed.
const runtimesFor = time.Second

// knownLanguage is a language of the executor, or "unknown".
func (s *Server) knownLanguage(language string) string {
	if s.runtimeOf(language).Image == "" {
		return "unknown"
	}
	return language
}

// runtimeOf describes a language. One that the executor does not have has no
// image.
func (s *Server) runtimeOf(language string) *execution.Runtime {
	known := s.runtimes.Load()
	now := time.Now()
	if known == nil || now.After(known.until) {
		known = &knownRuntimes{s.options.Executor.Runtimes(), now.Add(runtimesFor)}
		s.runtimes.Store(known)
	}
	for i := range known.list {
		if known.list[i].Language == language {
			return &known.list[i]
		}
	}
	return &execution.Runtime{Language: language}
}
