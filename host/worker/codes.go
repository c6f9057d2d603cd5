package worker

import (
	"crypto/sha256"
	"runtime"
	"strings"
	"sync"
	"weak"
)

// codes has the code of dynamic workers that is in use, so that those of the same
// code share it.
type codes struct {
	mu    sync.Mutex
	known map[codeKey]weak.Pointer[Code]
}

// A codeKey names all of a code: its digest is of what is evaluated only.
type codeKey struct {
	digest Digest
	rest   [sha256.Size]byte
}

// intern is the code itself, or one in use that is the same.
func (s *codes) intern(c *Code) *Code {
	key := codeKey{c.Digest(), sha256.Sum256([]byte(c.CompatibilityDate + "\x00" + strings.Join(c.CompatibilityFlags, "\x00")))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[key].Value(); known != nil {
		return known
	}
	if s.known == nil {
		s.known = map[codeKey]weak.Pointer[Code]{}
	}
	s.known[key] = weak.Make(c)
	runtime.AddCleanup(c, s.forget, key)
	return c
}

// forget drops a key whose code nobody has any more.
func (s *codes) forget(key codeKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[key].Value() == nil {
		delete(s.known, key)
	}
}
