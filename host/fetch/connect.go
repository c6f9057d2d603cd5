package fetch

import (
	"context"
	"net"
	"strconv"
	"strings"

	"mayfly/host/egress"
	"mayfly/host/op"
)

// maxConnects is how many connections a session may make ready, for each
// subrequest that it may send.
const maxConnects = 4

type connectMessage struct {
	secure bool
	host   string
	port   uint32
}

func decodeConnect(in []byte) (m connectMessage, err error) {
	r := op.NewReader(in)
	m = connectMessage{r.U8() != 0, r.Str(), r.U32()}
	if err := r.Done(); err != nil {
		return connectMessage{}, malformed(err)
	}
	if m.port == 0 || m.port > 65535 {
		return connectMessage{}, typeError("%d is not a port", m.port)
	}
	return m, nil
}

// startConnect begins to make a connection ready, if the policy has a rule for
// where it leads. The request that follows is judged by itself.
func (s *Session) startConnect(id uint32, in []byte) error {
	m, err := decodeConnect(in)
	if err != nil {
		return err
	}
	scheme := "http://"
	if m.secure {
		scheme = "https://"
	}
	u, err := egress.ParseURL(scheme+net.JoinHostPort(strings.Trim(m.host, "[]"), strconv.Itoa(int(m.port)))+"/", nil)
	if err != nil {
		return typeError("%s", err.Error())
	}
	host := net.JoinHostPort(u.Hostname(), strconv.Itoa(int(m.port)))
	if err := s.options.Policy.CheckHost(u); err != nil {
		return explain(context.Background(), host, err)
	}
	s.mu.Lock()
	if s.connects >= maxConnects*s.options.Limits.Subrequests {
		s.mu.Unlock()
		return typeError("fetch failed: too many connections (limit %d)", maxConnects*s.options.Limits.Subrequests)
	}
	s.connects++
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.pending[id] = func() { cancel(errAborted) }
	s.mu.Unlock()
	if !s.goRun(func() {
		defer cancel(nil)
		if err := s.pool.connect(ctx, origin{m.secure, host}); err != nil {
			s.fail(id, explain(ctx, host, err))
			return
		}
		s.settle(id, true, nil)
	}) {
		cancel(nil)
	}
	return nil
}
