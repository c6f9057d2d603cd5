package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// How long a connection that was made ready waits for its request, and how many
// of one tenant do.
const (
	readyTime = 5 * time.Second
	maxReady  = 16
	maxSeen   = 1024
)

// An origin is where a connection leads.
type origin struct {
	secure  bool
	address string // host and port
}

// ready holds connections that were made before their request (the operation
// connect), and remembers where connections could be made of late.
type ready struct {
	mu     sync.Mutex
	closed bool
	conns  map[origin]*readyConn
	seen   map[origin]time.Time
}

type readyConn struct {
	net.Conn
	timer *time.Timer
}

// has reports whether there is no need to make a connection ready: one is, or
// one was made since then.
func (r *ready) has(o origin, since time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conns[o] != nil || r.seen[o].After(since)
}

// keep takes a connection, and closes it if nobody takes it soon.
func (r *ready) keep(o origin, conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.conns[o] != nil || len(r.conns) >= maxReady {
		conn.Close()
		return
	}
	c := &readyConn{Conn: conn}
	c.timer = time.AfterFunc(readyTime, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.conns[o] == c {
			delete(r.conns, o)
			conn.Close()
		}
	})
	if r.conns == nil {
		r.conns = map[origin]*readyConn{}
	}
	r.conns[o] = c
}

// take answers a connection that was made ready, or nil.
func (r *ready) take(o origin) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.conns[o]
	if c == nil {
		return nil
	}
	delete(r.conns, o)
	c.timer.Stop()
	return c.Conn
}

// saw remembers that a connection could be made.
func (r *ready) saw(o origin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || len(r.seen) >= maxSeen {
		r.seen = map[origin]time.Time{}
	}
	r.seen[o] = time.Now()
}

// close closes what is ready, now and later.
func (r *ready) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for o, c := range r.conns {
		delete(r.conns, o)
		c.timer.Stop()
		c.Conn.Close()
	}
}

// connect makes a connection ready.
func (p *pool) connect(ctx context.Context, o origin) error {
	if p.ready.has(o, time.Now().Add(-p.client.config.KeepAlive)) {
		return nil
	}
	conn, err := p.make(ctx, o)
	if err != nil {
		return err
	}
	p.ready.keep(o, conn)
	return nil
}

// dial and dialTLS are the transport's: what was made ready is taken first.
func (p *pool) dial(ctx context.Context, _, address string) (net.Conn, error) {
	return p.takeOrMake(ctx, origin{false, address})
}

func (p *pool) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	return p.takeOrMake(ctx, origin{true, address})
}

func (p *pool) takeOrMake(ctx context.Context, o origin) (net.Conn, error) {
	if conn := p.ready.take(o); conn != nil {
		return conn, nil
	}
	return p.make(ctx, o)
}

// make makes a connection, with its TLS handshake.
func (p *pool) make(ctx context.Context, o origin) (net.Conn, error) {
	if !o.secure {
		conn, err := p.client.dial(ctx, "tcp", o.address)
		if err == nil {
			p.ready.saw(o)
		}
		return conn, err
	}
	conn, err := p.makeTLS(ctx, o.address, "h2", "http/1.1")
	if err == nil {
		p.ready.saw(o)
	}
	return conn, err
}

// dialSocketTLS is for WebSockets, which are not spoken over HTTP/2 here.
func (p *pool) dialSocketTLS(ctx context.Context, _, address string) (net.Conn, error) {
	return p.makeTLS(ctx, address, "http/1.1")
}

// makeTLS makes a connection, and the handshake for one of the protocols.
func (p *pool) makeTLS(ctx context.Context, address string, protocols ...string) (net.Conn, error) {
	plain, err := p.takeOrMake(ctx, origin{false, address})
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		plain.Close()
		return nil, err
	}
	config := p.client.config.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName = host
	config.NextProtos = protocols
	conn := tls.Client(plain, config)
	ctx, cancel := context.WithTimeout(ctx, p.client.config.TLSTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, err
	}
	return conn, nil
}
