package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mayfly/storage/meta"
)

// A principal is who asks.
type principal struct {
	// tenant is whose executions are seen; empty means everybody's, which
	// only a request on loopback without a key gets.
	tenant string
}

// authenticate finds out who asks. A key that is given must be valid even
// where none is needed.
func (s *Server) authenticate(r *http.Request) (principal, *Problem) {
	token, given := tokenOf(r)
	if !given {
		if !s.options.RequireKeys {
			return principal{}, nil
		}
		p := newProblem(unauthenticated, "Give an API key as Authorization: Bearer, or as X-API-Key.")
		p.challenge = true
		return principal{}, p
	}
	address := addressOf(r)
	if wait := s.failures.blocked(address, s.options.Now()); wait > 0 {
		return principal{}, newProblem(tooManyFailures, "Too many invalid API keys came from this address.").after(wait)
	}
	key, err := s.options.Store.Authenticate(r.Context(), token)
	switch {
	case err == nil:
		return principal{tenant: key.Tenant}, nil
	case errors.Is(err, meta.ErrUnauthorized):
		s.failures.add(address, s.options.Now())
		p := newProblem(unauthenticated, "The API key is unknown, expired or revoked.")
		p.challenge = true
		return principal{}, p
	case errors.Is(err, context.Canceled):
		return principal{}, newProblem(shuttingDown, "The request was canceled.")
	default:
		return principal{}, s.incident(r, "authenticate", err)
	}
}

// tokenOf is the API key of a request.
func tokenOf(r *http.Request) (token string, given bool) {
	if values := r.Header["Authorization"]; len(values) > 0 {
		scheme, token, _ := strings.Cut(values[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", true // another scheme is a failed attempt, not an anonymous one
		}
		return strings.TrimSpace(token), true
	}
	if values := r.Header["X-Api-Key"]; len(values) > 0 {
		return values[0], true
	}
	return "", false
}

// addressOf is who a connection comes from: an IPv4 address, or an IPv6 /64,
// which one customer usually has whole.
func addressOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if block, err := ip.Prefix(64); err == nil {
			return block.Addr()
		}
	}
	return ip
}

// A failureLimiter counts failed attempts by address in fixed windows.
type failureLimiter struct {
	most   int
	window time.Duration

	mu       sync.Mutex
	failures map[netip.Addr]failures
}

type failures struct {
	count int
	since time.Time
}

// maxFailureAddresses bounds the memory of a failureLimiter. Past it windows
// that are over go first, then all: an attacker with that many addresses is
// not stopped by counting.
const maxFailureAddresses = 100_000

// blocked is how long address has to wait; zero or less means not at all.
func (l *failureLimiter) blocked(address netip.Addr, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.failures[address]
	if !ok || f.count < l.most {
		return 0
	}
	return l.window - now.Sub(f.since)
}

func (l *failureLimiter) add(address netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.failures[address]
	if f.count == 0 || now.Sub(f.since) >= l.window {
		f = failures{since: now}
	}
	f.count++
	if len(l.failures) >= maxFailureAddresses {
		for a, old := range l.failures {
			if now.Sub(old.since) >= l.window {
				delete(l.failures, a)
			}
		}
		if len(l.failures) >= maxFailureAddresses {
			clear(l.failures)
		}
	}
	if l.failures == nil {
		l.failures = map[netip.Addr]failures{}
	}
	l.failures[address] = f
}
