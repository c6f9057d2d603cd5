// Package fetch answers the guests' fetch operations: one HTTP client for the
// process, one [Session] for each execution.
//
// Requests follow the Fetch standard where a server-side runtime can (there is
// no origin, so no CORS, no cookies, no cache). Whether a request may leave is
// the egress package's to say, for every hop.
package fetch

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"mayfly/host/egress"
)

// Config configures a client. The zero value of every field but Guard is usable.
type Config struct {
	Guard *egress.Guard // judges every address; needed
	TLS   *tls.Config   // roots and so on; default the system's

	TLSTimeout    time.Duration // for the handshake; default 10 s
	HeaderTimeout time.Duration // from the last byte of the request, with the connection's making, to the response's head; default 60 s
	IdleTimeout   time.Duration // between bytes of a response's body that is being read; default 60 s
	KeepAlive     time.Duration // how long an unused connection is kept; default 30 s

	HeaderBytes int64 // of a response's head; past it the fetch fails; default 64 KiB
	Tenants     int   // whose unused connections are kept, the latest ones; default 256

	smallBodyWait time.Duration // see answer; for tests
}

// A Client sends requests. Connections are shared by the executions of one
// tenant and by nobody else: neither what a policy opened nor a connection that
// a server left in disorder reaches another tenant. It is safe for concurrent
// use.
type Client struct {
	config Config
	ctx    context.Context // ends with the client: no dialling beyond
	cancel context.CancelFunc

	mu     sync.Mutex
	pools  map[string]*list.Element // of *pool
	recent *list.List               // latest first
}

type pool struct {
	client    *Client
	tenant    string
	transport *http.Transport
	sockets   *http.Transport // of WebSockets: HTTP/1.1, and no connection twice
	ready     ready
}

// NewClient makes a client.
func NewClient(config Config) *Client {
	withDefault := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	withDefault(&config.TLSTimeout, 10*time.Second)
	withDefault(&config.HeaderTimeout, 60*time.Second)
	withDefault(&config.IdleTimeout, 60*time.Second)
	withDefault(&config.KeepAlive, 30*time.Second)
	withDefault(&config.smallBodyWait, smallBodyWait)
	if config.HeaderBytes <= 0 {
		config.HeaderBytes = 64 << 10
	}
	if config.Tenants <= 0 {
		config.Tenants = 256
	}
	c := &Client{config: config, pools: map[string]*list.Element{}, recent: list.New()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close gives up connections that are unused or being made. Sessions should
// have been closed.
func (c *Client) Close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.pools {
		e.Value.(*pool).close()
	}
}

// close gives up connections that are unused.
func (p *pool) close() {
	p.ready.close()
	p.transport.CloseIdleConnections()
}

// pool is the tenant's own.
func (c *Client) pool(tenant string) *pool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.pools[tenant]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*pool)
	}
	p := &pool{client: c, tenant: tenant}
	p.transport = c.newTransport(p)
	p.sockets = c.newSocketTransport(p)
	c.pools[tenant] = c.recent.PushFront(p)
	if c.recent.Len() > c.config.Tenants {
		// Connections that are in use outlive this, and then time out unused.
		oldest := c.recent.Remove(c.recent.Back()).(*pool)
		delete(c.pools, oldest.tenant)
		oldest.close()
	}
	return p
}

func (c *Client) newTransport(p *pool) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // never from the environment
		DialContext:            p.dial,
		DialTLSContext:         p.dialTLS,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // decode does it
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    8,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        c.config.KeepAlive,
		MaxResponseHeaderBytes: c.config.HeaderBytes,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func (c *Client) newSocketTransport(p *pool) *http.Transport {
	return &http.Transport{
		DialContext:            p.dial,
		DialTLSContext:         p.dialSocketTLS,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxConnsPerHost:        256,
		MaxResponseHeaderBytes: c.config.HeaderBytes,
	}
}

// dial connects through the guard. The transport goes on dialling when the
// request that wanted the connection is gone; the client's end stops that.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	return c.config.Guard.DialContext(ctx, network, address)
}
