package worker

import (
	"bytes"
	"crypto/sha256"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"weak"
)

// codes has the code of dynamic workers that is in use, so that those of the same
// code share it.
type codes struct {
	mu    sync.Mutex
	known map[codeKey]weak.Pointer[Code]
	texts map[uint64]codeText
}

// A codeText is the part of a message that a code was read from, and shares: the
// same text need not be read, validated and digested again.
type codeText struct {
	text []byte
	code weak.Pointer[Code]
}

var textSeed = maphash.MakeSeed()

// decode is DecodeProvided of code of which some may be known.
func (s *codes) decode(message []byte, now time.Time) (*Provided, error) {
	text, rest := splitProvided(message)
	sum := maphash.Bytes(textSeed, text)
	s.mu.Lock()
	t := s.texts[sum]
	s.mu.Unlock()
	if code := t.code.Value(); code != nil && bytes.Equal(t.text, text) {
		return decodeProvided(nil, code, rest, now)
	}
	text = slices.Clone(text)
	p, err := decodeProvided(text, nil, rest, now)
	if err != nil {
		return nil, err
	}
	read := p.Code
	if p.Code = s.intern(read); p.Code != read {
		return p, nil // its text is another
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = map[uint64]codeText{}
	}
	s.texts[sum] = codeText{text, weak.Make(read)}
	runtime.AddCleanup(read, s.forgetText, sum)
	return p, nil
}

// forgetText drops a text whose code nobody has any more.
func (s *codes) forgetText(sum uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts[sum].code.Value() == nil {
		delete(s.texts, sum)
	}
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
