package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mayfly/host/execution"
	"mayfly/storage"
	"mayfly/storage/meta"
	"mayfly/storage/usage"
)

// An Executor runs programs; *execution.Service is one. It is used from many
// goroutines.
type Executor interface {
	// Execute runs a request to its end. emit is called in order, by one
	// goroutine at a time, with every event, and does not block. When ctx
	// ends the execution is canceled.
	//
	// # Errors
	//
	// *execution.InvalidError for bad input, *execution.OverloadError if it
	// was not admitted. A failure of the user's program is a Result.
	Execute(ctx context.Context, id string, r execution.Request, emit func(execution.Event)) (*execution.Result, error)
	// Validate says what is wrong with a request, as Execute would.
	Validate(r *execution.Request) error
	// Runtimes lists the languages.
	Runtimes() []execution.Runtime
	// Ready says whether executions of every language can be admitted.
	Ready() bool
}

// A Store keeps records, keys and idempotency keys; *meta.Store is one.
type Store interface {
	meta.Recorder
	meta.Claims
	// Authenticate finds the key of a token, or meta.ErrUnauthorized.
	Authenticate(ctx context.Context, token string) (meta.Key, error)
}

// Options configure a [Server]. Executor, Store and Objects are required; the
// zero value of everything else works.
type Options struct {
	Executor Executor
	Store    Store
	Objects  storage.Objects // where artifacts are
	Sessions Sessions        // nil: there are none
	Secrets  Secrets         // nil: there are none
	// Presign makes URLs at which a tenant's object can be had or put without a
	// key. nil: there are none.
	Presign func(ctx context.Context, tenant, method, bucket, key string, expires time.Duration) (string, error)
	Buckets Buckets // nil: there are none
	Workers Workers // nil: there are none
	Logs    Logs    // of workers; nil: there are none
	Usage   Usage   // nil: nothing is counted
	// Prices are what usage costs; nil: answers tell no costs.
	Prices *usage.Prices
	// WorkerDomains are those of which each subdomain is a worker; empty:
	// workers are reached below /w/ alone.
	WorkerDomains []string
	// ErrorPage answers a request whose worker failed, if it wants to, and says
	// whether it did. Nil: clients get a problem.
	ErrorPage func(w http.ResponseWriter, r *http.Request, err error) bool

	// Listen is the address to bind, host:port; empty means 127.0.0.1:8787,
	// port 0 a free one. An address that is not loopback needs RequireKeys.
	Listen string
	// RequireKeys refuses requests without an API key. Without it, a request
	// that has none acts for the whole server: it sees every tenant.
	RequireKeys bool
	// Hosts are further names under which the server is reached, besides
	// loopback names, the address of Listen and that of PublicURL. Requests
	// for other names are refused (DNS rebinding). With RequireKeys, no
	// Hosts and no PublicURL, every name is served: a browser has no key to
	// give away.
	Hosts []string
	// Origins are web origins ("https://app.example.com") whose pages may
	// call this server (CORS). None means none.
	Origins []string
	// PublicURL is how clients reach the server, if not by Listen.
	PublicURL string
	// ArtifactDomain is a domain of which every subdomain reaches this
	// server, so that the artifacts of each execution have an origin of their
	// own. Empty means "localhost" if Listen is 127.0.0.1, ::1 or localhost
	// and PublicURL is empty, since browsers resolve its subdomains there;
	// else artifacts are served beside the API.
	ArtifactDomain string
	// Secret signs the URLs of artifacts where keys are required; at least 32
	// bytes. Empty means a random one: URLs then end with the process.
	Secret []byte

	// Keep is how long records and artifacts are kept; 0 means for ever.
	Keep time.Duration
	// MaxBody is how many bytes a request's body may have; beyond it, 413. 0
	// means 16 MiB.
	MaxBody int64
	// MaxHeader is how many bytes a request's header may have; beyond it,
	// 431. 0 means 32 KiB.
	MaxHeader int
	// MaxConnections bounds open connections; further ones wait to be
	// accepted. 0 means 10,000, a negative number no bound.
	MaxConnections int
	// MaxAsync bounds executions that nobody waits for, queued ones included;
	// beyond it, 429. 0 means 1,000.
	MaxAsync int
	// HeaderTimeout, BodyTimeout and IdleTimeout bound how long a client may
	// take for a header, for header and body, and between two requests. The
	// connection is closed past them. 0 means 10 s, 60 s and 120 s.
	HeaderTimeout, BodyTimeout, IdleTimeout time.Duration
	// WriteTimeout bounds how long a client may take nothing of an answer. 0
	// means 30 s.
	WriteTimeout time.Duration
	// Heartbeat is how long a stream of server-sent events may be silent
	// before a comment is sent. 0 means 15 s.
	Heartbeat time.Duration
	// ResumeWindow is how long a streamed execution goes on without a reader
	// before it is canceled. 0 means 10 s, a negative duration not at all.
	ResumeWindow time.Duration
	// KeyFailures is how many failed attempts to authenticate an address has
	// in KeyFailureWindow; beyond it, 429. 0 means 20 in a minute.
	KeyFailures      int
	KeyFailureWindow time.Duration

	Registry *prometheus.Registry // served at /metrics; nil: one of its own
	Log      *slog.Logger         // nil: slog.Default()
	Now      func() time.Time     // nil: time.Now
	Version  string               // of the server, as /health tells it
}

// DefaultListen is where a server listens if it is not told.
const DefaultListen = "127.0.0.1:8787"

// anonymousTenant is who runs a program on loopback without a key.
const anonymousTenant = "default"

// withDefaults checks o and fills in what is not set.
func (o Options) withDefaults() (Options, error) {
	if o.Executor == nil || o.Store == nil || o.Objects == nil {
		return o, errors.New("api: Executor, Store and Objects are required")
	}
	setDefault(&o.Listen, DefaultListen)
	setDefault(&o.MaxBody, 16<<20)
	setDefault(&o.MaxHeader, 32<<10)
	setDefault(&o.MaxConnections, 10_000)
	setDefault(&o.MaxAsync, 1000)
	setDefault(&o.HeaderTimeout, 10*time.Second)
	setDefault(&o.BodyTimeout, time.Minute)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.Heartbeat, 15*time.Second)
	setDefault(&o.ResumeWindow, 10*time.Second)
	setDefault(&o.KeyFailures, 20)
	setDefault(&o.KeyFailureWindow, time.Minute)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return o, fmt.Errorf("api: Listen: %w", err)
	}
	if !isLoopback(host) && !o.RequireKeys {
		return o, fmt.Errorf("api: %s is not a loopback address: listening there needs RequireKeys (--require-keys; mayfly keys create makes a key)", o.Listen)
	}
	switch {
	case len(o.Secret) == 0:
		o.Secret = make([]byte, 32)
		rand.Read(o.Secret)
	case len(o.Secret) < 32:
		return o, errors.New("api: Secret must have at least 32 bytes")
	}
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return o, fmt.Errorf("api: PublicURL %q is not an http or https URL without query", o.PublicURL)
		}
		o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return o, fmt.Errorf("api: origin %q is not of the form scheme://host[:port]", origin)
		}
	}
	for _, name := range o.Hosts {
		if name == "" || strings.ContainsAny(name, "/ ") {
			return o, fmt.Errorf("api: host %q is not a host name", name)
		}
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// isLoopback says whether only this machine can connect to host.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
