package fetch

import (
	"encoding/binary"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"golang.org/x/net/http/httpguts"

	"mayfly/host/egress"
)

// startSocket checks a request for a WebSocket and sends it on its way: as a
// fetch, with a handshake for its round trip.
func (s *Session) startSocket(id uint32, in []byte) error {
	m, err := decodeFetch(in)
	if err != nil {
		return err
	}
	r, err := newRequest(m)
	if err != nil {
		return err
	}
	if r.method != http.MethodGet || r.body != bodyNone {
		return typeError("a request for a WebSocket has the method GET and no body")
	}
	if r.protocols, err = subprotocols(m); err != nil {
		return err
	}
	r.socket = true
	return s.send(id, r, s.options.Policy)
}

// subprotocols are those that the header sec-websocket-protocol lists.
func subprotocols(m fetchMessage) ([]string, error) {
	var list []string
	for _, h := range m.header {
		if !strings.EqualFold(h.Name, "Sec-WebSocket-Protocol") {
			continue
		}
		for _, name := range strings.Split(h.Value, ",") {
			if name = strings.Trim(name, " \t"); !httpguts.ValidHeaderFieldName(name) { // both are tokens
				return nil, typeError("%q is not a WebSocket subprotocol", name)
			}
			list = append(list, name)
		}
	}
	return list, nil
}

// A handshaker is the round trip of a handshake. What is no acceptance keeps its
// body, which the handshake would cut.
type handshaker struct {
	exchange *exchange
	inject   []egress.Injection
	wire     *wire
	body     io.ReadCloser
}

func (h *handshaker) RoundTrip(request *http.Request) (*http.Response, error) {
	s := h.exchange.session
	hidden, err := s.inject(h.exchange.ctx, request, h.inject)
	if err != nil {
		return nil, err
	}
	response, err := s.pool.sockets.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	hide(response, hidden)
	if rwc, ok := response.Body.(io.ReadWriteCloser); ok && response.StatusCode == http.StatusSwitchingProtocols {
		h.wire = &wire{ReadWriteCloser: rwc}
		response.Body = h.wire
	} else {
		h.body, response.Body = response.Body, http.NoBody
	}
	return response, nil
}

// shakeHands asks for a WebSocket. It answers the response alone if the server
// answered with something else.
func (x *exchange) shakeHands() (*websocket.Conn, *wire, *http.Response, error) {
	s, r := x.session, x.request
	inject, err := x.policy.Admit(r.method, r.url)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := s.spend(r.size()); err != nil {
		return nil, nil, nil, err
	}
	x.watchdog.arm(s.client.config.HeaderTimeout, "the response")
	defer x.watchdog.disarm()
	h := &handshaker{exchange: x, inject: inject}
	target := *r.url
	target.Fragment, target.RawFragment = "", ""
	conn, response, err := websocket.Dial(x.ctx, target.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: h, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader: r.header, Subprotocols: r.protocols,
	})
	if response != nil {
		s.countIngress(headerSize(response.Header) + int64(len(response.Status)) + 15)
	}
	switch {
	case err == nil:
		return conn, h.wire, response, nil
	case h.body == nil && response != nil:
		return nil, nil, nil, typeError("fetch failed: the server's acceptance of the WebSocket is not valid (%s)", r.url.Host)
	case h.body == nil:
		return nil, nil, nil, err
	case isRedirect(response.StatusCode):
		h.body.Close()
		return nil, nil, nil, typeError("fetch failed: a request for a WebSocket can't be redirected")
	}
	response.Body = h.body
	return nil, nil, response, nil
}

// runSocket is run for a request for a WebSocket.
func (x *exchange) runSocket() error {
	conn, w, response, err := x.shakeHands()
	if err != nil {
		return err
	}
	if conn == nil {
		x.answer(response, false)
		return nil
	}
	x.openSocket(conn, w, encodeResponse(response, x.request, false, bodyNone, nil, 0))
	return nil
}

// withHandle is an answer whose last part, the handle, is another.
func withHandle(answer []byte, handle uint32) []byte {
	binary.LittleEndian.PutUint32(answer[len(answer)-4:], handle)
	return answer
}
