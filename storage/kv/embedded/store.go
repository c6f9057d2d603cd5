// Package embedded keeps values by key in one SQLite database.
package embedded

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/storage"
	"mayfly/storage/kv"
	"mayfly/storage/sqlite"
)

// applicationID marks the database: "MFkv".
const applicationID = 0x4d466b76

//go:embed migrations/*.sql
var migrations embed.FS

// Options configure a store. The zero value is usable.
type Options struct {
	// Now is the clock. nil: time.Now.
	Now func() time.Time

	// maxPages lets tests fill the database.
	maxPages int
}

// A Store is an open database. It is safe for concurrent use.
type Store struct {
	options Options
	db      *sqlite.DB
	closed  atomic.Bool

	mu         sync.Mutex
	namespaces map[owner]int64 // those that exist, as far as they were used
}

// owner is whose namespace it is, and its name.
type owner struct{ tenant, name string }

var _ kv.Store = (*Store)(nil)

// Open opens the database at path, which is made with its folder if there is
// none.
//
// # Errors
//
// An [*storage.Error] that wraps ErrCorrupt, ErrNewerSchema, ErrReadOnly or
// ErrNoSpace, or what the system said.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, &storage.Error{Op: "open", Key: path, Err: sqlite.Classify(err)}
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{
		ApplicationID: applicationID,
		Migrations:    sub,
		MaxPages:      options.maxPages,
		// A batch holds its values in memory until it is committed.
		MaxBatch: 64,
	})
	if err != nil {
		return nil, err
	}
	return &Store{options: options, db: db, namespaces: map[owner]int64{}}, nil
}

// Open implements [kv.Store].
func (s *Store) Open(_ context.Context, tenant, name string) (kv.Namespace, error) {
	err := kv.ValidateName(name)
	if s.closed.Load() {
		err = storage.ErrClosed
	}
	if err != nil {
		return nil, &storage.Error{Op: "open namespace", Bucket: name, Err: err}
	}
	return &namespace{store: s, owner: owner{tenant, name}}, nil
}

// known is the number of a namespace that exists, or 0.
func (s *Store) known(o owner) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.namespaces[o]
}

// knows remembers the number of a namespace. Namespaces are never removed.
func (s *Store) knows(o owner, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.namespaces) >= maxKnown {
		clear(s.namespaces)
	}
	s.namespaces[o] = id
}

// maxKnown bounds the memory that numbers of namespaces take.
const maxKnown = 10_000

// sweepBatch bounds how long a sweep keeps other writers waiting.
const sweepBatch = 128

// Sweep implements [kv.Store].
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	for {
		var n int64
		err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
			r, err := tx.Exec("DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires <= ? LIMIT ?)", s.now(), sweepBatch)
			if err != nil {
				return err
			}
			n, err = r.RowsAffected()
			return err
		})
		removed += int(n)
		if err != nil {
			return removed, &storage.Error{Op: "sweep", Err: sqlite.Classify(err)}
		}
		if n < sweepBatch {
			return removed, nil
		}
	}
}

// Check reads the whole database and finds damage to its structure.
func (s *Store) Check(ctx context.Context) error {
	if err := s.db.Check(ctx); err != nil {
		return &storage.Error{Op: "check", Key: s.db.Path(), Err: err}
	}
	return nil
}

// Close waits for writes that were begun.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.db.Close()
}

// now is the clock in seconds of Unix time.
func (s *Store) now() int64 { return s.options.Now().Unix() }

var errNoRows = errors.New("no such namespace")
