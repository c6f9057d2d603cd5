// Package sqlite opens SQLite databases the way Mayfly's stores need them:
// migrated, checked, durable at each commit, with one writer that commits
// waiting transactions together, and with errors in the words of package
// storage.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	driver "modernc.org/sqlite"

	"mayfly/storage"
)

// Options describe a database.
type Options struct {
	// ApplicationID marks the file as this kind of database (SQLite's
	// application_id); a file with another one is refused.
	ApplicationID int32
	// Migrations holds NNNN_name.sql files, numbered from 0001 without gaps.
	// Each runs once, in a transaction. One that was released never changes.
	Migrations fs.FS
	// Readers is the number of connections for reading. 0: 4.
	Readers int
	// CheckBytes: a file up to this size is checked wholly when it is opened,
	// which takes about 10 ms per MiB; larger ones by Check. 0: 8 MiB;
	// negative: never.
	CheckBytes int64
	// BusyTimeout is how long a statement waits for another process that
	// writes. 0: 5 s.
	BusyTimeout time.Duration
	// MaxBatch is how many updates are committed together at most. 0: 256.
	MaxBatch int
	// MaxPages bounds the file, in pages of 4 KiB; beyond it writes fail with
	// ErrNoSpace. 0: SQLite's own bound.
	MaxPages int
}

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	path   string
	read   *sql.DB
	write  *sql.DB
	writer *writer

	closeOnce sync.Once
	closeErr  error
}

// Open opens the database at path, which is created if there is none, and
// brings its schema up to date.
//
// # Errors
//
// An [*storage.Error] that wraps ErrCorrupt, ErrNewerSchema, ErrReadOnly or
// ErrNoSpace, or what the system said.
func Open(ctx context.Context, path string, options Options) (*DB, error) {
	if options.Readers == 0 {
		options.Readers = 4
	}
	if options.CheckBytes == 0 {
		options.CheckBytes = 8 << 20
	}
	if options.BusyTimeout == 0 {
		options.BusyTimeout = 5 * time.Second
	}
	if options.MaxBatch == 0 {
		options.MaxBatch = 256
	}
	db := &DB{path: path}
	if err := db.open(ctx, options); err != nil {
		db.closePools()
		return nil, openError(path, err)
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, options Options) error {
	migrations, err := readMigrations(options.Migrations)
	if err != nil {
		return err
	}
	if err := checkFile(db.path); err != nil {
		return err
	}
	if db.write, err = pool(db.path, options.BusyTimeout, false, 1); err != nil {
		return err
	}
	conn, err := connect(ctx, db.write, options.BusyTimeout)
	if err != nil {
		return err
	}
	// A connection that was lent is given back by closing it; the writer
	// keeps this one until the end.
	if err := db.prepare(ctx, conn, migrations, options); err != nil {
		return errors.Join(err, conn.Close())
	}
	if db.read, err = pool(db.path, options.BusyTimeout, true, options.Readers); err != nil {
		return errors.Join(err, conn.Close())
	}
	db.writer = newWriter(conn, options.MaxBatch)
	return nil
}

// prepare checks and migrates the database.
func (db *DB) prepare(ctx context.Context, conn *sql.Conn, migrations []migration, options Options) error {
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	if info.Size() > 0 && info.Size() <= options.CheckBytes {
		if err := integrity(ctx, conn); err != nil {
			return err
		}
	}
	if err := migrate(ctx, conn, migrations, options.ApplicationID); err != nil {
		return err
	}
	if options.MaxPages > 0 {
		var now int
		if err := conn.QueryRowContext(ctx, maxPages(options.MaxPages)).Scan(&now); err != nil {
			return err
		}
	}
	// The file's name has to survive a power cut as its contents do.
	return syncFolder(filepath.Dir(db.path))
}

// pool opens connections to the file, which all get the same settings.
func pool(path string, busy time.Duration, readOnly bool, size int) (*sql.DB, error) {
	query := url.Values{
		"_busy_timeout": {fmt.Sprint(busy.Milliseconds())},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
		"_pragma":       {"trusted_schema(0)", "cell_size_check(1)", "journal_size_limit(67108864)"},
	}
	if readOnly {
		query.Set("_query_only", "1")
	}
	dsn := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: query.Encode()}
	connector, err := driver.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// connect opens a pool's first connection, and tries again for as long as busy
// says: to make a new file one with a log takes a lock that SQLite gives up at
// once if another process is doing the same.
func connect(ctx context.Context, pool *sql.DB, busy time.Duration) (*sql.Conn, error) {
	end := time.Now().Add(busy)
	for {
		conn, err := pool.Conn(ctx)
		if err == nil || !errors.Is(Classify(err), storage.ErrLocked) || time.Now().After(end) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond + rand.N(10*time.Millisecond)):
		}
	}
}

// Reader is a pool of connections that only read. Each statement sees what
// was committed when it began.
func (db *DB) Reader() *sql.DB { return db.read }

// Update runs f in a transaction and returns when its effect is durable.
// Updates that wait at the same time are committed together.
//
// f may run more than once, and must not keep its Tx. If f returns an error
// its effect is undone and Update returns that error as it is; else Update
// returns what went wrong with the commit, classified. If ctx ends before f
// was begun, f is not run and ctx's error is returned; afterwards ctx has no
// influence.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error {
	return db.writer.update(ctx, f)
}

// Check reads the whole database and finds damage to its structure. Readers
// and writers are not blocked.
//
// # Errors
//
// ErrCorrupt, or ctx's error.
func (db *DB) Check(ctx context.Context) error {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return Classify(err)
	}
	return errors.Join(integrity(ctx, conn), conn.Close())
}

// SetMaxPages changes Options.MaxPages.
func (db *DB) SetMaxPages(ctx context.Context, pages int) error {
	return db.Update(ctx, func(tx *Tx) error {
		var now int
		return tx.QueryRow(maxPages(pages), nil, &now)
	})
}

func maxPages(pages int) string { return fmt.Sprintf("PRAGMA max_page_count = %d", pages) }

// Path is the path of the database's file.
func (db *DB) Path() string { return db.path }

// Close waits for updates that were begun, and closes the file. Later calls
// of Update fail with ErrClosed.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		db.writer.close()
		db.closeErr = db.closePools()
	})
	return db.closeErr
}

func (db *DB) closePools() error {
	var errs []error
	// The writer goes last: the last connection that can write also folds the
	// log back into the file.
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	if db.write != nil {
		errs = append(errs, db.write.Close())
	}
	return errors.Join(errs...)
}

// integrity runs SQLite's own check, which compares indexes too.
func integrity(ctx context.Context, conn *sql.Conn) error {
	var result string
	if err := conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result); err != nil {
		return Classify(err)
	}
	if result != "ok" {
		return fmt.Errorf("%w: %s", storage.ErrCorrupt, result)
	}
	return nil
}

// headerMagic begins every SQLite file (sqlite.org/fileformat2.html, 1.3.1).
const headerMagic = "SQLite format 3\x00"

// checkFile refuses a file that is no database before SQLite sees it: an
// empty or half-written one could otherwise be taken for a new one.
func checkFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		// Made by a process that died before its first commit.
		return nil
	}
	header := make([]byte, 100)
	if n, err := f.ReadAt(header, 0); err != nil {
		return fmt.Errorf("%w: the file has only %d bytes", storage.ErrCorrupt, n)
	}
	if string(header[:len(headerMagic)]) != headerMagic {
		return fmt.Errorf("%w: the file does not begin as a SQLite database does", storage.ErrCorrupt)
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(ignoreUnsupported(d.Sync()), d.Close())
}
