package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/storage/meta"
)

// maxIdempotencyKey bounds the length of an Idempotency-Key.
const maxIdempotencyKey = 255

// claimTimeout bounds how long a claim is settled after its request is gone.
const claimTimeout = 10 * time.Second

// pendingClaims are the idempotency keys whose first request is being
// answered by this process.
type pendingClaims struct {
	mu sync.Mutex
	m  map[pendingClaim]bool
}

type pendingClaim struct{ tenant, key string }

func (p *pendingClaims) add(c pendingClaim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m[c] {
		return false
	}
	if p.m == nil {
		p.m = map[pendingClaim]bool{}
	}
	p.m[c] = true
	return true
}

func (p *pendingClaims) remove(c pendingClaim) {
	p.mu.Lock()
	delete(p.m, c)
	p.mu.Unlock()
}

// An idempotent is the right to do the work of an idempotency key. Nil is a
// request without a key.
type idempotent struct {
	server *Server
	pendingClaim
}

// claim asks for the right to do the work of a request's idempotency key.
// done says that the request has been answered: it was a repetition.
func (s *Server) claim(c echo.Context, request *call, id string, body []byte) (once *idempotent, done bool, err error) {
	r, tenant := c.Request(), request.Tenant
	values := r.Header["Idempotency-Key"]
	if len(values) == 0 {
		return nil, false, nil
	}
	key := values[0]
	if key == "" || len(key) > maxIdempotencyKey || len(values) > 1 {
		return nil, false, invalid([]FieldError{{Pointer: "Idempotency-Key", Detail: fmt.Sprintf("must be one key of 1 to %d characters", maxIdempotencyKey)}})
	}
	inUse := newProblem(idempotencyInUse, "The first request with this key has not been answered yet.").after(time.Second)
	pending := pendingClaim{tenant, key}
	if !s.claims.add(pending) {
		return nil, false, inUse
	}
	once = &idempotent{s, pending}
	hash := sha256.Sum256(body)
	if request.session != "" { // the same body in another session is another request
		hash = sha256.Sum256(append(hash[:], request.session...))
	}
	for range 2 {
		found, err := s.options.Store.ClaimKey(r.Context(), tenant, key, hash, id)
		if err != nil {
			s.claims.remove(pending)
			return nil, false, err
		}
		switch found.State {
		case meta.Claimed:
			return once, false, nil
		case meta.Mismatch:
			s.claims.remove(pending)
			return nil, false, newProblem(idempotencyReused, "This key was used with another body.")
		case meta.Replay:
			s.claims.remove(pending)
			return nil, true, s.replay(c, tenant, &found)
		}
		// In flight, but not here: the process died while it worked on it.
		// What is recorded is the answer; else nothing has been promised, and
		// the work is done again.
		if _, stored, err := s.find(r.Context(), tenant, found.Execution); err == nil && stored != nil && stored.Status == meta.Done {
			s.claims.remove(pending)
			c.Response().Header().Set("Idempotency-Replayed", "true")
			return nil, true, s.writeExecution(c, http.StatusOK, nil, stored)
		}
		if err := s.options.Store.ReleaseClaim(r.Context(), tenant, key); err != nil {
			s.claims.remove(pending)
			return nil, false, err
		}
	}
	s.claims.remove(pending)
	return nil, false, inUse
}

// complete keeps the answer for repetitions. An answer that is a stream has
// no body: a repetition follows the execution's events.
func (o *idempotent) complete(status int, body []byte) error {
	if o == nil {
		return nil
	}
	defer o.server.claims.remove(o.pendingClaim)
	ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
	defer cancel()
	kept := append(strconv.AppendInt(make([]byte, 0, 4+len(body)), int64(status), 10), '\n')
	return o.server.options.Store.CompleteClaim(ctx, o.tenant, o.key, append(kept, body...))
}

// release frees the key, because nothing has run.
func (o *idempotent) release(ctx context.Context) {
	if o == nil {
		return
	}
	defer o.server.claims.remove(o.pendingClaim)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	if err := o.server.options.Store.ReleaseClaim(ctx, o.tenant, o.key); err != nil {
		o.server.options.Log.Warn("idempotency key not released", "error", err)
	}
}

// replay answers as the first request was answered.
func (s *Server) replay(c echo.Context, tenant string, found *meta.Claim) error {
	c.Response().Header().Set("Idempotency-Replayed", "true")
	code, body, _ := bytes.Cut(found.Response, []byte("\n"))
	status, err := strconv.Atoi(string(code))
	if err != nil {
		return fmt.Errorf("stored answer of an idempotency key: %w", err)
	}
	if len(body) == 0 {
		return s.streamEvents(c, tenant, found.Execution)
	}
	if status == http.StatusAccepted {
		c.Response().Header().Set("Location", "/v1/executions/"+found.Execution)
		c.Response().Header().Set("Preference-Applied", "respond-async")
	}
	return writeJSON(c.Response(), status, body)
}
