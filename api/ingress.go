package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
)

// An Ingress finds the workers that requests are for.
type Ingress interface {
	// Host is the worker of a host name, in lower case and without a port; nil if
	// there is none.
	Host(ctx context.Context, name string) (rpc.Target, error)
	// Named is the worker of a name; nil if there is none.
	Named(ctx context.Context, name string) (rpc.Target, error)
}

// workerPath is what paths begin with that name a worker.
const workerPath = "/w/"

// sandboxed is the policy of worker's pages that the API's own host serves: they
// have no origin, so that they can't act in the name of who is there.
const sandboxed = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"

// serveWorker answers a request that is a worker's, and reports whether it is.
func (s *Server) serveWorker(w http.ResponseWriter, r *http.Request) bool {
	var target rpc.Target
	var err error
	path := r.URL.EscapedPath()
	named := false
	switch {
	case !s.hosts.names[hostName(r.Host)]:
		target, err = s.options.Workers.Host(r.Context(), hostName(r.Host))
	case strings.HasPrefix(path, workerPath):
		name, rest, slash := strings.Cut(path[len(workerPath):], "/")
		if target, err = s.options.Workers.Named(r.Context(), name); err == nil && target == nil {
			s.refuse(w, r, newProblem(notFound, "There is no worker %q.", name))
			return true
		}
		if err == nil && !slash && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			// Relative links lead to the worker only from below its path.
			location := path + "/"
			if r.URL.RawQuery != "" {
				location += "?" + r.URL.RawQuery
			}
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusPermanentRedirect)
			return true
		}
		path, named = "/"+rest, true
	}
	if err != nil {
		s.refuse(w, r, s.incident(r, "find a worker", err))
		return true
	}
	if target == nil {
		return false
	}
	h := w.Header()
	clear(h)
	if named {
		h.Set("Content-Security-Policy", sandboxed)
	}
	prefix := ""
	if named {
		prefix = strings.TrimSuffix(r.URL.EscapedPath(), path)
	}
	status := s.forward(w, r, target, path, prefix)
	s.metrics.answered(status)
	return true
}

// forward has a worker answer, and says with which status. A prefix is what the
// worker's paths have before them here.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, target rpc.Target, path, prefix string) int {
	// A body and its answer may take as long as they do.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		panic(http.ErrAbortHandler)
	}
	request := s.workerRequest(r, path)
	response, err := target.Fetch(r.Context(), request)
	if err != nil {
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // nobody waits any more
		}
		return s.workerFailed(w, r, err)
	}
	if response.Socket != nil {
		s.upgrade(w, r, response)
		return http.StatusSwitchingProtocols
	}
	h := w.Header()
	for _, p := range response.Header {
		if prefix != "" && strings.EqualFold(p.Name, "Content-Security-Policy") {
			h.Add("Content-Security-Policy", p.Value) // both hold
			continue
		}
		if prefix != "" && strings.EqualFold(p.Name, "Location") && strings.HasPrefix(p.Value, "/") && !strings.HasPrefix(p.Value, "//") {
			h.Set("Location", prefix+latin1(p.Value)) // the worker knows of no prefix
			continue
		}
		switch strings.ToLower(p.Name) {
		case "connection", "keep-alive", "transfer-encoding", "upgrade", "content-length":
			continue // the connection's own
		}
		h.Add(p.Name, latin1(p.Value))
	}
	if _, given := h["Content-Type"]; !given {
		h["Content-Type"] = nil // nothing is guessed
	}
	if response.Status < 200 || response.Status > 599 {
		response.Body.Discard()
		return s.workerFailed(w, r, &op.ErrorRecord{Name: "RangeError", Message: "the Worker answered with the status " + strconv.Itoa(response.Status)})
	}
	if response.Body.Stream == nil {
		if r.Method != http.MethodHead || len(response.Body.Bytes) > 0 {
			h.Set("Content-Length", strconv.Itoa(len(response.Body.Bytes)))
		}
		if response.Status == http.StatusNoContent || response.Status == http.StatusNotModified {
			h.Del("Content-Length")
		}
		w.WriteHeader(response.Status)
		w.Write(response.Body.Bytes)
		return response.Status
	}
	if n := response.Body.Stream.Length(); n >= 0 {
		h.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	w.WriteHeader(response.Status)
	if r.Method == http.MethodHead {
		response.Body.Discard()
		return response.Status
	}
	copyStream(w, r, response.Body.Stream)
	return response.Status
}

// copyStream writes a body as it comes: what there is goes out before the next
// part is waited for.
func copyStream(w http.ResponseWriter, r *http.Request, p *pipe.Pipe) {
	stop := context.AfterFunc(r.Context(), func() { p.Cancel(nil) })
	defer stop()
	flusher := http.NewResponseController(w)
	type part struct {
		bytes []byte
		err   error
	}
	parts := make(chan part, 1)
	for {
		p.Read(func(b []byte, err error) { parts <- part{b, err} })
		var next part
		select {
		case next = <-parts:
		default:
			if flusher.Flush() != nil {
				p.Cancel(nil)
				panic(http.ErrAbortHandler)
			}
			next = <-parts
		}
		if next.err == io.EOF {
			return
		}
		if next.err == nil {
			_, next.err = w.Write(next.bytes)
		}
		if next.err != nil {
			p.Cancel(nil)
			panic(http.ErrAbortHandler) // the client learns that it is not whole
		}
	}
}

// workerRequest is a request as workers get it.
func (s *Server) workerRequest(r *http.Request, path string) *rpc.Request {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	url := scheme + "://" + r.Host + path
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		url += "?" + r.URL.RawQuery
	}
	request := &rpc.Request{Method: r.Method, URL: url, WebSocket: r.Header.Get("Upgrade") != "", CF: cfOf(r)}
	request.Header = make([]op.Pair, 0, len(r.Header)+2)
	for name, values := range r.Header {
		name = strings.ToLower(name)
		for _, v := range values {
			request.Header = append(request.Header, op.Pair{Name: name, Value: utf8Of(v)})
		}
	}
	request.Header = append(request.Header, op.Pair{Name: "host", Value: r.Host})
	if client, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && r.Header.Get("Cf-Connecting-Ip") == "" {
		request.Header = append(request.Header, op.Pair{Name: "cf-connecting-ip", Value: client})
	}
	if r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody {
		if n := r.ContentLength; n > 0 && n <= smallBody {
			b := make([]byte, n)
			if _, err := io.ReadFull(r.Body, b); err == nil {
				request.Body.Bytes = b
				return request
			}
			request.Body.Stream = pipe.New()
			request.Body.Stream.End(errors.New("the request's body was cut off"))
			return request
		}
		request.Body.Stream = pipe.From(r.Body, r.ContentLength)
	}
	return request
}

// smallBody is the size in bytes of bodies that are read before a worker is
// asked.
const smallBody = 16 << 10

// cfOf is request.cf, with what is known of the connection.
func cfOf(r *http.Request) []byte {
	if r.TLS == nil && r.ProtoMajor == 1 && r.ProtoMinor == 1 {
		return plainCF
	}
	cf := struct {
		Protocol string `json:"httpProtocol"`
		TLS      string `json:"tlsVersion,omitempty"`
	}{Protocol: r.Proto}
	if r.TLS != nil {
		cf.TLS = tlsVersion(r.TLS.Version)
	}
	b, _ := json.Marshal(cf) // strings can always be written
	return b
}

var plainCF = []byte(`{"httpProtocol":"HTTP/1.1"}`)

func tlsVersion(v uint16) string {
	switch v {
	case 0x0304:
		return "TLSv1.3"
	case 0x0303:
		return "TLSv1.2"
	}
	return ""
}

// latin1 is a header's value as it goes out: guests have the bytes of it as
// characters.
func latin1(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			b := make([]byte, 0, len(s))
			for _, c := range s {
				if c > 0xff {
					return s
				}
				b = append(b, byte(c))
			}
			return string(b)
		}
	}
	return s
}

// utf8Of is the reverse.
func utf8Of(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			runes := make([]rune, len(s))
			for j := 0; j < len(s); j++ {
				runes[j] = rune(s[j])
			}
			return string(runes)
		}
	}
	return s
}

// workerFailed answers for a worker that did not.
func (s *Server) workerFailed(w http.ResponseWriter, r *http.Request, err error) int {
	p := newProblem(workerFailed, "%s", err.Error())
	var record *op.ErrorRecord
	switch {
	case errors.As(err, new(*execution.OverloadError)):
		p = executorProblem(err) // its guest is not ready yet
	case errors.As(err, &record):
		p.Detail = record.Name + ": " + record.Message
	}
	if page := s.options.ErrorPage; page != nil && page(w, r, err) {
		return p.Status
	}
	clear(w.Header())
	w.Header()["Cache-Control"] = headerNoStore
	p.write(w, r)
	return p.Status
}

// upgrade passes the messages of a WebSocket between a client and a worker.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, response *rpc.Response) {
	options := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled} // the worker judges origins
	for _, p := range response.Header {
		switch strings.ToLower(p.Name) {
		case "sec-websocket-protocol":
			options.Subprotocols = []string{p.Value}
		case "connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions", "content-length":
		default:
			w.Header().Add(p.Name, latin1(p.Value))
		}
	}
	conn, err := websocket.Accept(w, r, options)
	if err != nil {
		response.Socket.Abort()
		return
	}
	conn.SetReadLimit(maxSocketMessage)
	pump(s.life, conn, response.Socket)
}

// maxSocketMessage is the size of a message in bytes from a client beyond which
// its socket fails (1009).
const maxSocketMessage = 32 << 20
