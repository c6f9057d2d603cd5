// Package s3 keeps objects in a bucket of any server that speaks the S3 API.
//
// What S3 has no place for is kept in the object's metadata under names that
// begin with "mayfly-": its version, expiry, digests, and what of the user's
// metadata no header can carry. Objects of other programs are read as they
// are.
//
// # What S3 can't do
//
// Expired objects are not found, but a listing without Details shows them, and
// nothing removes them: a lifecycle rule of the bucket can; an ETag of one
// still holds as IfMatch. Dates can't be conditions of writes (ErrUnsupported).
// Conditions of writes are judged by the server, and tried out once with an
// object of a random name: a server that ignores them gets none
// (ErrUnsupported). Digests of an upload's whole
// contents can't be checked (ErrUnsupported), and a part without a known size
// can have MaxUnsizedPart bytes. Modified is in seconds.
package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mayfly/storage"
)

// Config says where a bucket is. Endpoint and Bucket are required.
type Config struct {
	Endpoint     string // URL: https://s3.eu-central-1.amazonaws.com, http://127.0.0.1:9000, ...
	Region       string // empty: us-east-1
	Bucket       string
	Prefix       string // of all keys; it is not part of them
	PathStyle    bool   // the bucket is in the path; else it is in the host name
	AccessKey    string // empty: requests are not signed
	SecretKey    string
	SessionToken string
	CAFile       string // certificates to trust besides the system's, PEM

	// Attempts is how often a request is made that may be repeated; 0: 5.
	Attempts int
	// Timeout is how long a server may be silent, or take no bytes, before the
	// connection is given up; 0: 60 s.
	Timeout time.Duration
}

// DefaultRegion is what servers other than AWS usually expect.
const DefaultRegion = "us-east-1"

func (c Config) withDefaults() (Config, *url.URL, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return c, nil, fmt.Errorf("%w: endpoint %q is not of the form https://host[:port]", storage.ErrInvalidOption, c.Endpoint)
	}
	if c.Bucket == "" {
		return c, nil, fmt.Errorf("%w: a bucket is needed", storage.ErrInvalidOption)
	}
	if (c.AccessKey == "") != (c.SecretKey == "") {
		return c, nil, fmt.Errorf("%w: access key and secret key go together", storage.ErrInvalidOption)
	}
	if len(c.Prefix) >= storage.MaxKeyLength {
		return c, nil, fmt.Errorf("%w: the prefix leaves no room for keys", storage.ErrInvalidOption)
	}
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	if c.Attempts <= 0 {
		c.Attempts = 5
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Minute
	}
	return c, u, nil
}

// A Bucket is a bucket of a server. It is safe for concurrent use.
type Bucket struct {
	config    Config
	core      *minio.Core
	transport *http.Transport
	closed    atomic.Bool

	mu       sync.Mutex
	supports map[condition]bool // which conditions of writes the server heeds, as far as tried
	plain    atomic.Bool        // the server refuses checksums of multipart uploads
}

var (
	_ storage.Objects   = (*Bucket)(nil)
	_ storage.Presigner = (*Bucket)(nil)
)

// Open makes a client. It does not talk to the server yet. With a Prefix it
// gives that part of the bucket.
//
// # Errors
//
// An [*storage.Error] that wraps ErrInvalidOption, or what reading CAFile gave.
func Open(config Config) (storage.Objects, error) {
	b, err := open(config)
	if err != nil {
		return nil, &storage.Error{Op: "open bucket", Bucket: config.Bucket, Err: err}
	}
	return storage.WithPrefix(b, config.Prefix), nil
}

func open(config Config) (*Bucket, error) {
	config, endpoint, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bucket{config: config, supports: map[condition]bool{}}
	if b.transport, err = newTransport(config); err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if config.PathStyle {
		lookup = minio.BucketLookupPath
	}
	b.core, err = minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(config.AccessKey, config.SecretKey, config.SessionToken),
		Secure:       endpoint.Scheme == "https",
		Transport:    b.transport,
		Region:       config.Region,
		BucketLookup: lookup,
		MaxRetries:   1, // retries are this package's: it knows what may be repeated
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrInvalidOption, err)
	}
	return b, nil
}

func newTransport(config Config) (*http.Transport, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if config.CAFile != "" {
		pem, err := os.ReadFile(config.CAFile)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: %s holds no certificate", storage.ErrInvalidOption, config.CAFile)
		}
	}
	dialer := &net.Dialer{Timeout: min(10*time.Second, config.Timeout)}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &patientConn{c, config.Timeout}, nil
		},
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: min(10*time.Second, config.Timeout),
		// Joining the parts of a large upload takes servers a while.
		ResponseHeaderTimeout:  config.Timeout,
		MaxResponseHeaderBytes: 1 << 20,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true, // contents are given as they are stored
	}, nil
}

// A patientConn gives up when nothing moves for so long.
type patientConn struct {
	net.Conn
	patience time.Duration
}

func (c *patientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements [storage.Objects]. Contents that are open stay readable.
func (b *Bucket) Close() error {
	b.closed.Store(true)
	b.transport.CloseIdleConnections()
	return nil
}

// Presign implements [storage.Presigner]. S3 allows seven days at most.
func (b *Bucket) Presign(ctx context.Context, method, key string, expires time.Duration) (string, error) {
	u, err := func() (*url.URL, error) {
		if err := b.begin(ctx, key); err != nil {
			return nil, err
		}
		if method != http.MethodGet && method != http.MethodHead && method != http.MethodPut {
			return nil, fmt.Errorf("%w: method %q", storage.ErrInvalidOption, method)
		}
		if expires < time.Second || expires > 7*24*time.Hour {
			return nil, fmt.Errorf("%w: URLs are good for 1 s to 7 days", storage.ErrInvalidOption)
		}
		return b.core.Presign(ctx, method, b.config.Bucket, key, expires, nil)
	}()
	if err != nil {
		return "", b.fail("presign", key, err)
	}
	return u.String(), nil
}

func (b *Bucket) ready(ctx context.Context) error {
	if b.closed.Load() {
		return storage.ErrClosed
	}
	return ctx.Err()
}

func (b *Bucket) begin(ctx context.Context, key string) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if err := storage.ValidateKey(key); err != nil {
		return err
	}
	if strings.TrimSpace(key) == "" {
		return fmt.Errorf("%w: the client takes none of only spaces", storage.ErrInvalidKey)
	}
	return nil
}
