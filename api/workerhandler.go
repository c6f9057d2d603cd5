package api

import (
	"context"
	"net/http"

	"mayfly/host/rpc"
)

// A WorkerHandler answers all requests by one worker, as a [Server] does those
// for a worker's host name.
type WorkerHandler struct {
	server *Server
	target func(ctx context.Context) (rpc.Target, error)
}

// NewWorkerHandler makes a handler. target is asked for every request; errorPage
// answers one that failed, if it wants to, and says whether it did. WebSockets
// end with life.
func NewWorkerHandler(life context.Context, target func(ctx context.Context) (rpc.Target, error), errorPage func(w http.ResponseWriter, r *http.Request, err error) bool) *WorkerHandler {
	return &WorkerHandler{&Server{options: Options{ErrorPage: errorPage}, life: life}, target}
}

// ServeHTTP answers one request.
func (h *WorkerHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, err := h.target(r.Context())
	if err != nil {
		h.server.workerFailed(w, r, err)
		return
	}
	h.server.forward(w, r, target, r.URL.EscapedPath(), "")
}
