package fs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// maxOwner is in bytes.
const maxOwner = 255

// A bucketState is shared by the handles of one bucket.
type bucketState struct {
	id   int64
	gone atomic.Bool // deleted; set and read by updates alone, which run one at a time
}

// A Namespace is the buckets of one owner. Owners have names of their own:
// none reaches another's buckets, nor those of the empty owner, which are the
// program's.
type Namespace struct {
	store *Store
	owner string
}

// A bucketName is unique in a store.
type bucketName struct{ owner, name string }

// Info describes a bucket.
type Info struct {
	Name    string
	Created time.Time
}

// Namespace is the buckets of an owner, who is made up by the caller: 1 to 255
// bytes.
func (s *Store) Namespace(owner string) *Namespace { return &Namespace{s, owner} }

func (n *Namespace) fail(op, name string, err error) error {
	return &storage.Error{Op: op, Bucket: name, Err: sqlite.Classify(err)}
}

func (n *Namespace) check(ctx context.Context, name string) error {
	if n.store.closed.Load() {
		return storage.ErrClosed
	}
	if len(n.owner) == 0 || len(n.owner) > maxOwner {
		return fmt.Errorf("%w: an owner has 1 to %d bytes", storage.ErrInvalidBucket, maxOwner)
	}
	if err := storage.ValidateBucket(name); err != nil {
		return err
	}
	return ctx.Err()
}

// Open opens a bucket. Closing it closes only the handle.
//
// # Errors
//
// ErrNoSuchBucket, ErrInvalidBucket, ErrClosed.
func (n *Namespace) Open(ctx context.Context, name string) (*Bucket, error) {
	if err := n.check(ctx, name); err != nil {
		return nil, n.fail("open bucket", name, err)
	}
	key := bucketName{n.owner, name}
	state := n.store.known(key)
	if state == nil {
		// In an update, so that no deletion comes between.
		err := n.store.db.Update(ctx, func(tx *sqlite.Tx) error {
			var id int64
			err := tx.QueryRow("SELECT id FROM buckets WHERE owner = ? AND name = ?", []any{n.owner, name}, &id)
			if errors.Is(err, sql.ErrNoRows) {
				return storage.ErrNoSuchBucket
			}
			if err == nil {
				state = n.store.remember(key, id)
			}
			return err
		})
		if err != nil {
			return nil, n.fail("open bucket", name, err)
		}
	}
	return &Bucket{store: n.store, id: state.id, state: state, name: name}, nil
}

// Create makes a bucket, if there are fewer than most of the owner's.
//
// # Errors
//
// ErrBucketExists, ErrTooManyBuckets, ErrInvalidBucket, ErrClosed, and those
// of a write.
func (n *Namespace) Create(ctx context.Context, name string, most int) error {
	if err := n.check(ctx, name); err != nil {
		return n.fail("create bucket", name, err)
	}
	err := n.store.db.Update(ctx, func(tx *sqlite.Tx) error {
		result, err := tx.Exec("INSERT OR IGNORE INTO buckets (owner, name, created) VALUES (?, ?, ?)", n.owner, name, n.store.now())
		if err != nil {
			return err
		}
		if made, err := result.RowsAffected(); err != nil || made == 0 {
			return errors.Join(err, storage.ErrBucketExists)
		}
		var count int
		if err := tx.QueryRow("SELECT count(*) FROM buckets WHERE owner = ?", []any{n.owner}, &count); err != nil || count <= most {
			return err
		}
		return fmt.Errorf("%w: at most %d", storage.ErrTooManyBuckets, most)
	})
	if err != nil {
		return n.fail("create bucket", name, err)
	}
	return nil
}

// Delete removes a bucket that has neither objects nor unfinished uploads.
// Handles of it fail with ErrNoSuchBucket from then on, also when there is a
// bucket of that name again.
//
// # Errors
//
// ErrNoSuchBucket, ErrBucketNotEmpty, ErrInvalidBucket, ErrClosed, and those
// of a write.
func (n *Namespace) Delete(ctx context.Context, name string) error {
	if err := n.check(ctx, name); err != nil {
		return n.fail("delete bucket", name, err)
	}
	key := bucketName{n.owner, name}
	var state *bucketState
	var files []string
	err := n.store.db.Update(ctx, func(tx *sqlite.Tx) (err error) {
		var id int64
		err = tx.QueryRow("SELECT id FROM buckets WHERE owner = ? AND name = ?", []any{n.owner, name}, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return storage.ErrNoSuchBucket
		}
		if err != nil {
			return err
		}
		var used bool
		err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1 AND (expires IS NULL OR expires > ?2)) OR EXISTS (SELECT 1 FROM uploads WHERE bucket = ?1)",
			[]any{id, n.store.now()}, &used)
		if err != nil {
			return err
		}
		if used {
			return storage.ErrBucketNotEmpty
		}
		if files, err = removeExpired(tx, id); err != nil {
			return err
		}
		state = n.store.remember(key, id)
		if _, err := tx.Exec("DELETE FROM buckets WHERE id = ?", id); err != nil {
			return err
		}
		state.gone.Store(true) // what is written after this finds it
		return nil
	})
	if err != nil {
		if state != nil {
			state.gone.Store(false)
		}
		return n.fail("delete bucket", name, err)
	}
	n.store.forget(key, state)
	n.store.data.remove(files...)
	return nil
}

// removeExpired removes what is left in a bucket that has nothing else.
func removeExpired(tx *sqlite.Tx, bucket int64) ([]string, error) {
	rows, err := tx.Query("SELECT coalesce(file, '') FROM objects WHERE bucket = ?", bucket)
	if err != nil {
		return nil, err
	}
	files, err := scanStrings(rows)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		if _, err := tx.Exec("DELETE FROM contents WHERE object IN (SELECT id FROM objects WHERE bucket = ?)", bucket); err != nil {
			return nil, err
		}
		if _, err := tx.Exec("DELETE FROM objects WHERE bucket = ?", bucket); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Get describes a bucket.
//
// # Errors
//
// ErrNoSuchBucket, ErrInvalidBucket, ErrClosed.
func (n *Namespace) Get(ctx context.Context, name string) (Info, error) {
	if err := n.check(ctx, name); err != nil {
		return Info{}, n.fail("get bucket", name, err)
	}
	var created int64
	err := n.store.db.Reader().QueryRowContext(ctx, "SELECT created FROM buckets WHERE owner = ? AND name = ?", n.owner, name).Scan(&created)
	if errors.Is(err, sql.ErrNoRows) {
		err = storage.ErrNoSuchBucket
	}
	if err != nil {
		return Info{}, n.fail("get bucket", name, err)
	}
	return Info{name, time.UnixMilli(created).UTC()}, nil
}

// List lists the buckets by name.
func (n *Namespace) List(ctx context.Context) ([]Info, error) {
	if n.store.closed.Load() {
		return nil, n.fail("list buckets", "", storage.ErrClosed)
	}
	rows, err := n.store.db.Reader().QueryContext(ctx, "SELECT name, created FROM buckets WHERE owner = ? ORDER BY name", n.owner)
	if err != nil {
		return nil, n.fail("list buckets", "", err)
	}
	list := []Info{}
	for rows.Next() {
		var i Info
		var created int64
		if err := rows.Scan(&i.Name, &created); err != nil {
			return nil, n.fail("list buckets", "", errors.Join(err, rows.Close()))
		}
		i.Created = time.UnixMilli(created).UTC()
		list = append(list, i)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, n.fail("list buckets", "", err)
	}
	return list, nil
}

// known is the state of a bucket that was opened before, or nil.
func (s *Store) known(key bucketName) *bucketState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.buckets[key]; state != nil && !state.gone.Load() {
		return state
	}
	return nil
}

// remember gives all handles of a bucket the same state.
func (s *Store) remember(key bucketName, id int64) *bucketState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.buckets[key]
	if state == nil || state.id != id {
		state = &bucketState{id: id}
		s.buckets[key] = state
	}
	return state
}

// forget leaves alone what came after the state.
func (s *Store) forget(key bucketName, state *bucketState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[key] == state {
		delete(s.buckets, key)
	}
}
