package meta

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"sync"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// applicationID marks the database: "MFme".
const applicationID = 0x4d466d65

//go:embed migrations/*.sql
var migrations embed.FS

// Options configure a store. The zero value is usable.
type Options struct {
	// BatchDelay is how long a record waits for others before they are
	// written together: what is lost at most if the machine dies. 0: 50 ms.
	BatchDelay time.Duration
	// QueueLength and QueueBytes bound what waits to be written; then Record
	// waits. 0: 8,192 records, 64 MiB.
	QueueLength int
	QueueBytes  int64
	// MaxRecordBytes bounds one record with its events, and one response of
	// an idempotency key. 0: 32 MiB.
	MaxRecordBytes int64
	// RetryDelay is how long the writer waits after a failure, such as a full
	// disk, before it tries the same records again. 0: 1 s.
	RetryDelay time.Duration
	// KeyCache is how long an authenticated key is believed without looking,
	// which is how late this process learns of a revocation by another. 0:
	// 1 s; negative: not at all.
	KeyCache time.Duration
	// Now is the clock. nil: time.Now.
	Now func() time.Time

	// maxPages lets tests fill the database.
	maxPages int
	// checkBytes lets tests leave out the check at opening.
	checkBytes int64
}

// ClaimLifetime is how long an idempotency key is remembered.
const ClaimLifetime = 24 * time.Hour

// A Store is the open database of records. It is safe for concurrent use.
// Another process (the command line) may open the same file meanwhile.
type Store struct {
	options Options
	db      *sqlite.DB
	ids     identities
	queue   *queue
	keys    keyCache

	findExecution *sql.Stmt
	findKey       *sql.Stmt

	closeOnce sync.Once
	closeErr  error
}

var (
	_ Recorder    = (*Store)(nil)
	_ Keys        = (*Store)(nil)
	_ Claims      = (*Store)(nil)
	_ Totals      = (*Store)(nil)
	_ Maintenance = (*Store)(nil)
)

// Open opens the database at path, which is made if there is none; its folder
// must be there.
//
// # Errors
//
// An [*storage.Error] that wraps ErrCorrupt, ErrNewerSchema, ErrReadOnly or
// ErrNoSpace, or what the system said.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	options = options.withDefaults()
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{ApplicationID: applicationID, Migrations: sub, MaxPages: options.maxPages, CheckBytes: options.checkBytes})
	if err != nil {
		return nil, err
	}
	s := &Store{options: options, db: db}
	s.keys.init(options.KeyCache)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(s.fail("open", path, err), db.Close())
	}
	s.queue = newQueue(s)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.BatchDelay == 0 {
		o.BatchDelay = 50 * time.Millisecond
	}
	if o.QueueLength == 0 {
		o.QueueLength = 8192
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 64 << 20
	}
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = 32 << 20
	}
	if o.RetryDelay == 0 {
		o.RetryDelay = time.Second
	}
	if o.KeyCache == 0 {
		o.KeyCache = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (s *Store) prepare(ctx context.Context) (err error) {
	var last sql.NullInt64
	if err := s.db.Reader().QueryRowContext(ctx, "SELECT max(seq) FROM executions").Scan(&last); err != nil {
		return err
	}
	s.ids.last.Store(uint64(last.Int64))
	if s.findExecution, err = s.db.Reader().PrepareContext(ctx, "SELECT secret, record, events FROM executions WHERE seq = ?"); err != nil {
		return err
	}
	s.findKey, err = s.db.Reader().PrepareContext(ctx, "SELECT "+keyColumns+" FROM keys WHERE hash = ?")
	return err
}

// fail puts an error into its final form.
func (s *Store) fail(op, key string, err error) error {
	var known *storage.Error
	if errors.As(err, &known) {
		return err
	}
	return &storage.Error{Op: op, Key: key, Err: sqlite.Classify(err)}
}

// NewID implements [Recorder].
func (s *Store) NewID() string { return s.ids.next(s.options.Now()).String() }

// Flush implements [Maintenance].
func (s *Store) Flush(ctx context.Context) error {
	if err := s.queue.flush(ctx); err != nil {
		return s.fail("flush", "", err)
	}
	return nil
}

// Stats is what the queue of records has done.
func (s *Store) Stats() Stats { return s.queue.stats() }

// Check reads the whole database and finds damage to its structure.
func (s *Store) Check(ctx context.Context) error {
	if err := s.db.Check(ctx); err != nil {
		return s.fail("check", s.db.Path(), err)
	}
	return nil
}

// Close implements [Maintenance]. If ctx ends first, or the disk stays full,
// what could not be written is lost, and Close says so; the database is
// closed all the same.
func (s *Store) Close(ctx context.Context) error {
	s.closeOnce.Do(func() {
		err := s.queue.close(ctx)
		s.findExecution.Close() // of connections that are closed next
		s.findKey.Close()
		if err = errors.Join(err, s.db.Close()); err != nil {
			s.closeErr = s.fail("close", s.db.Path(), err)
		}
	})
	return s.closeErr
}
