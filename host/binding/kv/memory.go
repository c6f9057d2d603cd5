package kv

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A Memory bounds how many bytes of values are in memory on their way to and
// from programs. It is safe for concurrent use; nil bounds nothing.
type Memory struct {
	wait time.Duration

	mu    sync.Mutex
	free  int64
	queue []*claim // first come, first served
}

type claim struct {
	size  int64
	ready chan struct{}
}

// NewMemory makes a bound. Who needs more than there is waits that long.
func NewMemory(size int64, wait time.Duration) *Memory { return &Memory{wait: wait, free: size} }

// acquire takes memory for a value. release gives all but what it is told to
// keep back; the last call tells zero, and later ones do nothing.
func (m *Memory) acquire(ctx context.Context, size int64) (release func(keep int), err error) {
	if m == nil {
		return func(int) {}, nil
	}
	c := &claim{size: size, ready: make(chan struct{})}
	m.mu.Lock()
	m.queue = append(m.queue, c)
	m.serve()
	m.mu.Unlock()
	timer := time.NewTimer(m.wait)
	defer timer.Stop()
	select {
	case <-c.ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = failure("GET", http.StatusTooManyRequests, "Too many large values are being read and written at once.")
	}
	if err != nil {
		m.forget(c)
		return nil, err
	}
	held := size
	return func(keep int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if int64(keep) < held {
			m.free += held - int64(keep)
			held = int64(keep)
			m.serve()
		}
	}, nil
}

// serve gives memory to who waits; the lock is held.
func (m *Memory) serve() {
	for len(m.queue) > 0 && m.queue[0].size <= m.free {
		m.free -= m.queue[0].size
		close(m.queue[0].ready)
		m.queue = m.queue[1:]
	}
}

// forget takes a claim back, which may have been met meanwhile.
func (m *Memory) forget(c *claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, q := range m.queue {
		if q == c {
			m.queue = append(m.queue[:i:i], m.queue[i+1:]...)
			m.serve()
			return
		}
	}
	m.free += c.size
	m.serve()
}
