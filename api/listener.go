package api

import (
	"net"
	"sync"
	"time"
)

// A boundedListener has at most so many connections open, and gives each
// write on them a time limit, so that a client that takes nothing is dropped
// while a slow but steady one is not.
type boundedListener struct {
	net.Listener
	places       chan struct{} // nil: no bound
	writeTimeout time.Duration
	closed       chan struct{}
	closeOnce    sync.Once
}

func newBoundedListener(l net.Listener, connections int, writeTimeout time.Duration) *boundedListener {
	b := &boundedListener{Listener: l, writeTimeout: writeTimeout, closed: make(chan struct{})}
	if connections > 0 {
		b.places = make(chan struct{}, connections)
	}
	return b
}

// Accept waits for a place, then for a connection.
func (l *boundedListener) Accept() (net.Conn, error) {
	if l.places != nil {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	c, err := l.Listener.Accept()
	if err != nil {
		l.free()
		return nil, err
	}
	return &boundedConn{Conn: c, listener: l}, nil
}

func (l *boundedListener) free() {
	if l.places != nil {
		<-l.places
	}
}

// Close ends Accept. Connections stay open.
func (l *boundedListener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	listener *boundedListener
	once     sync.Once
}

func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.listener.writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.listener.free)
	return err
}
