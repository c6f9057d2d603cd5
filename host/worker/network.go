package worker

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"mayfly/host/egress"
	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
)

// net is the event's way to the network, made when first used.
func (e *event) net() *fetch.Session {
	in := e.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if e.network == nil {
		tenant := in.worker.def.Tenant
		var session *fetch.Session
		session = in.service.config.Executions.NewSession(fetch.Options{
			Tenant: tenant,
			Policy: in.worker.def.Policy,
			Limits: fetch.Limits{Subrequests: e.limits.Subrequests, Open: maxOperations},
			Settle: in.Settle,
			Secret: func(ctx context.Context, name string) (string, error) {
				return in.service.config.Executions.Secret(ctx, tenant, name)
			},
			Handle: func() uint32 { return in.networkBody(e, session) },
		})
		e.network = session
	}
	return e.network
}

// networkBody gives a body or socket of the network its handle.
func (in *instance) networkBody(e *event, session *fetch.Session) uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		in.handle = (in.handle + 1) &^ (1 << 31)
		if _, taken := in.bodies[in.handle]; in.handle != 0 && !taken {
			break
		}
	}
	if !e.over {
		in.bodies[in.handle] = bodyHandle{session: session, event: e}
		e.handle(in.handle)
	}
	return in.handle
}

// fetch is the operations fetch and websocket.
func (e *event) fetch(o op.Op, id uint32, message []byte) {
	def := &e.in.worker.def
	switch {
	case def.Blocked:
		e.in.fail1(id, ErrOutboundBlocked)
	case def.Outbound != nil:
		def.Outbound.Retain()
		e.fetchTarget(id, message, def.Outbound, o == op.Websocket)
	default:
		e.net().Start(o, id, message)
	}
}

// connect is the operation of that name: a guest makes a connection ready for a
// fetch that follows.
func (e *event) connect(id uint32, message []byte) {
	def := &e.in.worker.def
	switch {
	case def.Blocked:
		e.in.fail1(id, ErrOutboundBlocked)
	case def.Outbound != nil: // the fetch is what is judged
		e.in.Settle(id, true, nil)
	default:
		e.net().Start(op.Connect, id, message)
	}
}

// fetchStub is the operation stub_fetch.
func (e *event) fetchStub(id uint32, message []byte) {
	if len(message) < 4 {
		e.in.fail1(id, op.ErrMessage)
		return
	}
	target, err := e.in.stub(op.NewReader(message).U32())
	if err != nil {
		e.in.fail1(id, err)
		return
	}
	target.Retain()
	e.fetchTarget(id, message[4:], target, true)
}

// Kinds of redirects, as fetch has them.
const (
	redirectFollow = 0
	redirectManual = 1
	redirectError  = 2
)

// maxRedirects is how many redirects are followed (Fetch, HTTP-redirect fetch).
const maxRedirects = 20

// fetchTarget has a target answer a fetch; it takes the target over.
func (e *event) fetchTarget(id uint32, message []byte, target rpc.Target, upgrade bool) {
	in := e.in
	r := op.NewReader(message)
	request := &rpc.Request{Method: r.Str(), URL: r.Str(), Header: r.Pairs(), WebSocket: upgrade}
	redirect, kind, content := r.U8(), r.U8(), r.Bytes()
	err := r.Done()
	if err == nil && (redirect > redirectError || kind > bodyOfHost) {
		err = op.ErrMessage
	}
	if err == nil {
		err = e.spend()
	}
	if err != nil {
		target.Release()
		in.fail1(id, err)
		return
	}
	caller := e.asking()
	request.Caller = &caller
	switch kind {
	case bodyBytes:
		request.Body.Bytes = append(make([]byte, 0, len(content)), content...)
	case bodyStream:
		request.Body.Stream = pipe.New()
		in.mu.Lock()
		if in.uploads == nil {
			in.uploads = map[uint32]*pipe.Pipe{}
		}
		in.uploads[id] = request.Body.Stream
		e.uploads = append(e.uploads, id)
		in.mu.Unlock()
	case bodyOfHost:
		if len(content) == 4 {
			request.Body.Stream, err = in.takeBody(op.NewReader(content).U32())
		} else {
			err = op.ErrMessage
		}
		if err != nil {
			target.Release()
			in.fail1(id, err)
			return
		}
	}
	if e.fetchNow(id, target, request, redirect) {
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := func() {
		cancel(errAborted)
		if kind == bodyStream {
			request.Body.Stream.End(errAborted)
		}
	}
	if !in.stopper(id, stop) {
		cancel(nil)
		request.Body.Discard()
		target.Release()
		return
	}
	go func() {
		defer target.Release()
		response, err := follow(ctx, target, request, redirect, nil)
		if err != nil {
			cancel(nil)
			in.fail1(id, streamError(err))
			return
		}
		// The context lives on: the target may be writing still.
		e.arrived(nil, id, request, response)
	}()
}

// endUpload forgets the body that a guest has written for an operation.
func (in *instance) endUpload(id uint32) {
	in.mu.Lock()
	delete(in.uploads, id)
	in.mu.Unlock()
}

// upload is the body that a guest writes for an operation of a stub.
func (in *instance) upload(id uint32) *pipe.Pipe {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.uploads[id]
}

// follow has a target answer, and asks again where it redirects (Fetch,
// HTTP-redirect fetch): the same target, whatever the host. first is its answer
// to the request, if that was asked already.
func follow(ctx context.Context, target rpc.Target, r *rpc.Request, redirect uint8, first *rpc.Response) (*rpc.Response, error) {
	for hops := 0; ; hops++ {
		response := first
		if first = nil; response == nil {
			var err error
			if response, err = target.Fetch(ctx, r); err != nil {
				return nil, err
			}
		}
		if redirect == redirectManual || !leadsOn(response) {
			return response, nil
		}
		location := header(response.Header, "location")
		response.Body.Discard()
		base, err := url.Parse(r.URL)
		var next *url.URL
		if err == nil {
			next, err = base.Parse(location)
		}
		switch {
		case redirect == redirectError:
			return nil, wireError("Unexpected redirect; the request's redirect mode is error.")
		case err != nil:
			return nil, wireError("The redirect leads to no URL.")
		case hops == maxRedirects:
			return nil, wireError("Too many redirects.")
		case r.Body.Stream != nil && response.Status != 303:
			return nil, wireError("A request with a one-time-use body encountered a redirect requiring the body to be retransmitted.")
		}
		again := *r
		again.URL = next.String()
		if response.Status == 303 && r.Method != http.MethodHead || response.Status <= 302 && r.Method == http.MethodPost {
			again.Method, again.Body = http.MethodGet, rpc.Body{}
			again.Header = nil
			for _, p := range r.Header {
				if !strings.HasPrefix(strings.ToLower(p.Name), "content-") {
					again.Header = append(again.Header, p)
				}
			}
		}
		again.Redirected = true
		r = &again
	}
}

// leadsOn says whether a response is a redirect.
func leadsOn(r *rpc.Response) bool {
	switch r.Status {
	case 301, 302, 303, 307, 308:
		return header(r.Header, "location") != ""
	}
	return false
}

func header(list []op.Pair, name string) string {
	for _, p := range list {
		if strings.EqualFold(p.Name, name) {
			return p.Value
		}
	}
	return ""
}

// arrived settles a fetch with its response, in the turn of another isolate if
// one is given.
func (e *event) arrived(after *isolate.Isolate, id uint32, request *rpc.Request, response *rpc.Response) {
	in := e.in
	w := op.NewWriter(make([]byte, 0, 256+len(response.Body.Bytes)))
	w.U32(uint32(response.Status))
	w.Str(response.StatusText)
	w.Str(request.URL)
	if request.Redirected {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Pairs(response.Header)
	var handle uint32
	var err error
	kind := uint8(bodyNull)
	switch {
	case response.Socket != nil:
		handle, err = in.addBody(e, bodyHandle{socket: response.Socket})
	case response.Body.Stream != nil:
		kind = bodyStream
		handle, err = in.addBody(e, bodyHandle{readable: response.Body.Stream})
	case response.Body.Bytes != nil:
		kind = bodyBytes
	}
	if err != nil {
		in.fail1(id, err)
		return
	}
	w.U8(kind)
	if kind == bodyBytes {
		w.Bytes(response.Body.Bytes)
	} else {
		w.Bytes(nil)
	}
	w.U32(handle)
	in.settleAfter(after, id, true, w.Message())
}

// A network is a way to the network as a target: a binding of the type fetcher
// that is passed on.
type network struct {
	service *Service
	tenant  string
	policy  *egress.Policy
}

func (*network) Retain()  {}
func (*network) Release() {}

// Call implements rpc.Target: there are no methods.
func (*network) Call(_ context.Context, c *rpc.Call) (rpc.Value, error) {
	c.Arguments.Release()
	return rpc.Value{}, &op.ErrorRecord{Name: "TypeError", Message: `The RPC receiver does not implement the method "` + method(c) + `".`}
}
