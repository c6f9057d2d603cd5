// Package fs keeps objects in a folder: contents in files under opaque names,
// small contents and all descriptions in a SQLite database.
//
// An object is written to a temporary file, synced, renamed into place and
// its folder synced, before the row that makes it visible is committed. A
// file without a row is therefore an orphan, and a row without its file is
// damage; both are found when the store is opened (see [Store.Recovery]).
package fs

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// applicationID marks the database: "MFob".
const applicationID = 0x4d466f62

//go:embed migrations/*.sql
var migrations embed.FS

// Options configure a store. The zero value is usable.
type Options struct {
	// InlineLimit is the size in bytes up to which contents are kept in the
	// database. 0: DefaultInlineLimit; negative: none are. At most 64 KiB.
	InlineLimit int
	// OrphanGrace is the age that a data file without a row must have before
	// it is removed; it protects files while a database is restored from a
	// backup. 0: 1 h; negative: none.
	OrphanGrace time.Duration
	// UploadExpiry is how long an unfinished upload is kept. 0: 7 days.
	UploadExpiry time.Duration
	// Now is the clock. nil: time.Now.
	Now func() time.Time

	// wrap lets tests put failures between the store and its files.
	wrap func(fileSystem) fileSystem
	// maxPages lets tests fill the database.
	maxPages int
}

// DefaultInlineLimit is in bytes.
const DefaultInlineLimit = 16 << 10

// A Store is an open folder of buckets. It is safe for concurrent use; only
// one process at a time can open a folder.
type Store struct {
	options Options
	root    *os.Root
	lock    *folderLock
	db      *sqlite.DB
	data    *dataFiles
	query   statements

	mu      sync.Mutex
	buckets map[bucketName]*bucketState

	closed  atomic.Bool
	stop    context.CancelFunc
	scanned chan struct{}
	report  Report
	scanErr error
}

// Open opens the store in a folder, which is made if there is none.
//
// # Errors
//
// An [*storage.Error] that wraps ErrLocked, ErrCorrupt, ErrNewerSchema,
// ErrReadOnly or ErrNoSpace, or what the system said.
func Open(ctx context.Context, folder string, options Options) (*Store, error) {
	options = options.withDefaults()
	s := &Store{options: options, buckets: map[bucketName]*bucketState{}, scanned: make(chan struct{})}
	if err := s.open(ctx, folder); err != nil {
		s.release()
		var known *storage.Error
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, &storage.Error{Op: "open", Key: folder, Err: sqlite.Classify(err)}
	}
	scan, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.scanned)
		s.report, s.scanErr = s.scan(scan)
	}()
	return s, nil
}

func (o Options) withDefaults() Options {
	switch {
	case o.InlineLimit == 0:
		o.InlineLimit = DefaultInlineLimit
	case o.InlineLimit > 64<<10:
		o.InlineLimit = 64 << 10
	}
	if o.OrphanGrace == 0 {
		o.OrphanGrace = time.Hour
	}
	if o.UploadExpiry == 0 {
		o.UploadExpiry = 7 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (s *Store) open(ctx context.Context, folder string) (err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if s.root, err = os.OpenRoot(folder); err != nil {
		return err
	}
	if s.lock, err = lockFolder(s.root); err != nil {
		return err
	}
	var files fileSystem = rootFiles{s.root}
	if s.options.wrap != nil {
		files = s.options.wrap(files)
	}
	if s.data, err = openDataFiles(files); err != nil {
		return err
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	s.db, err = sqlite.Open(ctx, filepath.Join(folder, "objects.db"), sqlite.Options{
		ApplicationID: applicationID,
		Migrations:    sub,
		MaxPages:      s.options.maxPages,
	})
	if err != nil {
		return err
	}
	return s.query.prepare(ctx, s.db.Reader())
}

// release gives back what Open took, in the opposite order.
func (s *Store) release() error {
	var errs []error
	if s.db != nil {
		s.query.close()
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.root != nil {
		errs = append(errs, s.root.Close())
	}
	return errors.Join(errs...)
}

// Bucket opens a bucket of the program's own, which is made if there is none.
// Closing the bucket closes only the handle. Those of others are in a
// [Namespace].
//
// # Errors
//
// ErrInvalidBucket, ErrClosed, and those of a write.
func (s *Store) Bucket(ctx context.Context, name string) (*Bucket, error) {
	fail := func(err error) (*Bucket, error) {
		return nil, &storage.Error{Op: "open bucket", Bucket: name, Err: sqlite.Classify(err)}
	}
	if err := storage.ValidateBucket(name); err != nil {
		return fail(err)
	}
	if s.closed.Load() {
		return fail(storage.ErrClosed)
	}
	key := bucketName{name: name}
	state := s.known(key)
	if state == nil {
		var id int64
		err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
			if _, err := tx.Exec("INSERT OR IGNORE INTO buckets (name, created) VALUES (?, ?)", name, s.now()); err != nil {
				return err
			}
			return tx.QueryRow("SELECT id FROM buckets WHERE owner = '' AND name = ?", []any{name}, &id)
		})
		if err != nil {
			return fail(err)
		}
		state = s.remember(key, id)
	}
	return &Bucket{store: s, id: state.id, state: state, name: name}, nil
}

// now is the clock in milliseconds since 1970, as all times in the database.
func (s *Store) now() int64 { return s.options.Now().UnixMilli() }

// Sweep removes expired objects and abandoned uploads, in small transactions,
// and returns how many objects and uploads went.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	for _, step := range []func(context.Context) (int, error){s.sweepObjects, s.sweepUploads} {
		for {
			n, err := step(ctx)
			removed += n
			if err != nil {
				return removed, &storage.Error{Op: "sweep", Err: sqlite.Classify(err)}
			}
			if n == 0 {
				break
			}
		}
	}
	return removed, nil
}

// sweepBatch bounds how long a sweep keeps other writers waiting.
const sweepBatch = 128

func (s *Store) sweepObjects(ctx context.Context) (int, error) {
	var files []string
	n := 0
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		files, n = files[:0], 0
		rows, err := tx.Query("SELECT id, file FROM objects WHERE expires <= ? LIMIT ?", s.now(), sweepBatch)
		if err != nil {
			return err
		}
		type victim struct {
			id   int64
			file *string
		}
		var victims []victim
		for rows.Next() {
			var v victim
			if err := rows.Scan(&v.id, &v.file); err != nil {
				rows.Close()
				return err
			}
			victims = append(victims, v)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, v := range victims {
			if err := removeRow(tx, v.id); err != nil {
				return err
			}
			if v.file != nil {
				files = append(files, *v.file)
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.data.remove(files...)
	return n, nil
}

func (s *Store) sweepUploads(ctx context.Context) (int, error) {
	var files []string
	n := 0
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		files, n = files[:0], 0
		rows, err := tx.Query("SELECT id FROM uploads WHERE created <= ? LIMIT ?", s.now()-s.options.UploadExpiry.Milliseconds(), 1)
		if err != nil {
			return err
		}
		ids, err := scanStrings(rows)
		if err != nil {
			return err
		}
		for _, id := range ids {
			dropped, err := removeUpload(tx, id)
			if err != nil {
				return err
			}
			files = append(files, dropped...)
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.data.remove(files...)
	return n, nil
}

// Check reads the whole database and finds damage to its structure.
func (s *Store) Check(ctx context.Context) error {
	if err := s.db.Check(ctx); err != nil {
		return &storage.Error{Op: "check", Key: s.db.Path(), Err: err}
	}
	return nil
}

// Close waits for writes that were begun, and gives the folder free. Objects
// that are open stay readable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.stop()
	<-s.scanned
	if err := s.release(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
