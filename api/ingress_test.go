package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/rpc"
)

// failing is a target that fails.
type failing struct {
	rpc.Target
	err error
}

func (f failing) Fetch(context.Context, *rpc.Request) (*rpc.Response, error) { return nil, f.err }

func TestWorkersThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		err                      error
		status                   int
		kind, detail, retryAfter string
	}{
		"its own error": {&op.ErrorRecord{Name: "RangeError", Message: "no"}, 500, "worker-failed", "RangeError: no", ""},
		"another":       {errors.New("no"), 500, "worker-failed", "no", ""},
		"not ready":     {&execution.OverloadError{RetryAfter: time.Second, Reason: "the image of javascript is still being prepared"}, 503, "overloaded", "Not admitted: the image of javascript is still being prepared.", "1"},
	} {
		handler := NewWorkerHandler(t.Context(), func(context.Context) (rpc.Target, error) { return failing{err: test.err}, nil }, nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://worker.test/", nil))
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.kind) || !strings.Contains(w.Body.String(), test.detail) || w.Header().Get("Retry-After") != test.retryAfter {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}
