package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"mayfly/host/egress"
)

// A Conn is a connection over TCP that a guest has asked for. Its bytes count as
// those of bodies do, and have their bounds; it is open as long as the session.
// One goroutine may read while another writes.
type Conn struct {
	session *Session
	host    string // as the guest named it, with the port
	name    string // of a certificate, unless another is expected
	raw     net.Conn
	conn    net.Conn // raw, or TLS on it
	once    sync.Once
	forget  func() bool
}

// Dial connects to a host and port, if the policy has a rule for that, with TLS if
// secure. A nil policy is the session's own. It counts as a subrequest, and as a
// fetch that is open until Close.
//
// # Errors
//
// An [*op.ErrorRecord] for the guest, as all errors of a connection but io.EOF and
// [os.ErrDeadlineExceeded].
func (s *Session) Dial(ctx context.Context, policy *egress.Policy, address string, secure bool) (*Conn, error) {
	if policy == nil {
		policy = s.options.Policy
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return nil, connectError(typeError("connect failed: %q is no host and port", address))
	}
	u, err := egress.ParseURL("https://"+address+"/", nil)
	if err != nil || u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return nil, connectError(typeError("connect failed: %q is no host and port", address))
	}
	if port = u.Port(); port == "" {
		port = "443" // which a URL leaves away
	}
	host := net.JoinHostPort(u.Hostname(), port)
	if err := policy.CheckConnection(u); err != nil {
		return nil, connectError(explain(ctx, host, err))
	}
	if err := s.spend(0); err != nil {
		return nil, connectError(err)
	}
	s.mu.Lock()
	s.begin()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, connectError(errAborted)
	case s.open >= s.options.Limits.Open:
		s.mu.Unlock()
		return nil, connectError(typeError("connect failed: %d fetches and sockets are open already", s.options.Limits.Open))
	}
	s.open++
	life := s.ctx
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	conn, err := s.client.dial(ctx, "tcp", host)
	if err != nil {
		s.release()
		return nil, connectError(explain(ctx, host, err))
	}
	c := &Conn{session: s, host: host, name: u.Hostname(), raw: conn, conn: conn}
	c.forget = context.AfterFunc(life, func() { conn.Close() })
	if secure {
		if err := c.StartTLS(ctx, ""); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// begin makes what operations need. The lock is held.
func (s *Session) begin() {
	if s.ctx != nil {
		return
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.pool = s.client.pool(s.options.Tenant)
	s.pending = map[uint32]func(){}
	s.uploads = map[uint32]*upload{}
	s.bodies = map[uint32]*body{}
}

// connectError is an error of a connection for the guest.
func connectError(err error) error { return errorRecord(err, "connect failed: ") }

// StartTLS has the connection go on with TLS, for which nobody may be reading or
// writing. The certificate has to be for name, or for the host if that is empty.
//
// # Errors
//
// As of Dial; the connection is of no use then.
func (c *Conn) StartTLS(ctx context.Context, name string) error {
	client := c.session.client
	config := client.config.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName = c.name
	if name != "" {
		config.ServerName = name
	}
	config.NextProtos = nil
	_ = c.raw.SetReadDeadline(time.Time{}) // a connection that is closed says so below
	secure := tls.Client(c.conn, config)
	ctx, cancel := context.WithTimeout(ctx, client.config.TLSTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return connectError(explain(context.Background(), c.host, err))
	}
	c.conn = secure
	return nil
}

// Remote is the other end's host as it was asked for, with the port: guests don't
// learn what names lead to.
func (c *Conn) Remote() string { return c.host }

// Read implements io.Reader.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.conn.Read(p)
	n, limit := c.session.receive(n)
	switch {
	case limit != nil:
		err = connectError(limit)
	case err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded):
		err = connectError(explain(context.Background(), c.host, err))
	}
	return n, err
}

// Write implements io.Writer.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.session.accept(len(p)); err != nil {
		return 0, connectError(err)
	}
	n, err := c.conn.Write(p)
	c.session.countEgress(n)
	if err != nil {
		err = connectError(explain(context.Background(), c.host, err))
	}
	return n, err
}

// CloseWrite tells the other end that no more comes. What it sends can still be
// read.
func (c *Conn) CloseWrite() error {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// StopRead has a read that waits fail with [os.ErrDeadlineExceeded], and all after
// it until StartTLS.
func (c *Conn) StopRead() { _ = c.raw.SetReadDeadline(time.Unix(1, 0)) }

// Close closes the connection: at once, without a last word of TLS.
func (c *Conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.forget()
		c.session.release()
		err = c.raw.Close()
	})
	return err
}
