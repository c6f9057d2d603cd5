// Package kv says what Mayfly asks of a store of small values by key: the
// semantics are those of Workers KV on one machine, where every read sees the
// last write. Each backend is a package of its own below this one, and passes
// the conformance suite of storage/kvtest.
package kv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"mayfly/storage"
)

// A Store has the namespaces of all tenants. It is safe for concurrent use.
type Store interface {
	// Open opens a tenant's namespace, which is made by the first put. Two
	// tenants never share one, whatever its name.
	//
	// # Errors
	//
	// storage.ErrInvalidBucket, storage.ErrClosed.
	Open(ctx context.Context, tenant, name string) (Namespace, error)

	// Sweep removes values that have expired and returns how many went.
	Sweep(ctx context.Context) (int, error)

	// Close releases what the backend holds. Later calls fail with
	// storage.ErrClosed.
	Close() error
}

// A Namespace is one set of keys with their values. Implementations are safe
// for concurrent use. A put or a delete is durable when its call returns
// without an error. A value past its expiration is not found, whether or not it
// has been swept.
//
// # Errors
//
// Every error is an [*storage.Error], which wraps a sentinel of this package or
// of storage, or the context's error, or what the system said.
type Namespace interface {
	// Get reads values, all of one moment: one entry for each key, in their
	// order; Found is false where there is none. It reads at most limit bytes of
	// values, if limit is not 0.
	//
	// # Errors
	//
	// ErrInvalidKey, ErrTooLarge (the values are past the limit),
	// storage.ErrCorrupt.
	Get(ctx context.Context, limit int64, keys ...string) ([]Entry, error)

	// Put stores a value, replacing what was there with its metadata and
	// expiration.
	//
	// # Errors
	//
	// ErrInvalidKey, ErrTooLarge, ErrInvalidMetadata, storage.ErrNoSpace,
	// storage.ErrReadOnly.
	Put(ctx context.Context, key string, value []byte, options PutOptions) error

	// Delete removes a key. One that is not there is no error.
	//
	// # Errors
	//
	// ErrInvalidKey, storage.ErrReadOnly.
	Delete(ctx context.Context, key string) error

	// List lists keys in the order of their bytes (UTF-8).
	//
	// # Errors
	//
	// storage.ErrInvalidCursor, ErrInvalidKey (a prefix that is longer than a
	// key).
	List(ctx context.Context, options ListOptions) (Listing, error)
}

// What can go wrong, besides the errors of package storage. Test with errors.Is.
var (
	ErrInvalidKey      = errors.New("invalid key")
	ErrTooLarge        = errors.New("value too large")
	ErrInvalidMetadata = errors.New("invalid metadata")
)

// Limits of every backend: those of Workers KV.
const (
	MaxKeyLength = 512      // bytes of UTF-8
	MaxValue     = 25 << 20 // bytes
	MaxMetadata  = 1024     // bytes
	MaxListLimit = 1000     // keys of one listing
	MaxName      = 100      // bytes of a namespace's name
)

// An Entry is what there is under a key.
type Entry struct {
	Found      bool
	Value      []byte
	Metadata   []byte    // as it was put; nil if there is none
	Expiration time.Time // in whole seconds; zero: never
}

// PutOptions say how a value is stored.
type PutOptions struct {
	Metadata   []byte    // at most MaxMetadata bytes; JSON by convention
	Expiration time.Time // cut to whole seconds; zero: never
}

// ListOptions say what to list. The zero value lists the first MaxListLimit
// keys.
type ListOptions struct {
	Prefix string
	Cursor string // Listing.Cursor of the listing before; empty: from the start
	Limit  int    // 0 or more than MaxListLimit: MaxListLimit
}

// A Listing is one page of a list.
type Listing struct {
	Keys   []Key
	Cursor string // of the next page; empty: this was the last one
}

// A Key describes what there is under a key, without the value.
type Key struct {
	Name       string
	Metadata   []byte
	Expiration time.Time
}

// ValidateKey accepts 1 to MaxKeyLength bytes of UTF-8 but "." and "..".
// Nothing else in a key has a meaning.
func ValidateKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidKey)
	case key == "." || key == "..":
		return fmt.Errorf("%w: %q is not allowed", ErrInvalidKey, key)
	case len(key) > MaxKeyLength:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalidKey, len(key), MaxKeyLength)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: it is not UTF-8", ErrInvalidKey)
	}
	return nil
}

// ValidateName accepts the names of namespaces: 1 to MaxName characters A-Z a-z
// 0-9 . _ and hyphen.
func ValidateName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%w: it has %d characters, 1 to %d are allowed", storage.ErrInvalidBucket, len(name), MaxName)
	}
	if i := strings.IndexFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}); i >= 0 {
		return fmt.Errorf("%w: only A-Z a-z 0-9 . _ - are allowed", storage.ErrInvalidBucket)
	}
	return nil
}

// Validate checks a value and its options.
func (o PutOptions) Validate(value []byte) error {
	switch {
	case len(value) > MaxValue:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrTooLarge, len(value), MaxValue)
	case len(o.Metadata) > MaxMetadata:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalidMetadata, len(o.Metadata), MaxMetadata)
	}
	return nil
}
