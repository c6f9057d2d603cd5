package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"mayfly/storage"
)

// A Tx is the transaction of an update. Statements are prepared once and
// kept, so queries should be constants.
type Tx struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	wrote bool // since the update began
}

// background has no Done channel: the driver would start a goroutine for each
// statement otherwise.
var background = context.Background()

func (tx *Tx) stmt(query string) (*sql.Stmt, error) {
	if s := tx.stmts[query]; s != nil {
		return s, nil
	}
	s, err := tx.conn.PrepareContext(background, query)
	if err != nil {
		return nil, err
	}
	tx.stmts[query] = s
	return s, nil
}

// Exec runs a statement that changes something.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	tx.wrote = true
	s, err := tx.stmt(query)
	if err != nil {
		return nil, Classify(err)
	}
	r, err := s.ExecContext(background, args...)
	return r, Classify(err)
}

// Query reads rows, as the transaction sees them.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	s, err := tx.stmt(query)
	if err != nil {
		return nil, Classify(err)
	}
	rows, err := s.QueryContext(background, args...)
	return rows, Classify(err)
}

// QueryRow reads one row into dest; sql.ErrNoRows if there is none.
func (tx *Tx) QueryRow(query string, args []any, dest ...any) error {
	s, err := tx.stmt(query)
	if err != nil {
		return Classify(err)
	}
	return Classify(s.QueryRowContext(background, args...).Scan(dest...))
}

// A job is an update that waits.
type job struct {
	run   func(*Tx) error
	state atomic.Int32
	done  chan error
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobAbandoned
)

// A writer owns the one connection that writes.
type writer struct {
	tx       Tx
	jobs     chan *job
	maxBatch int
	done     chan struct{}

	mu     sync.RWMutex // held for reading while sending to jobs
	closed bool
}

func newWriter(conn *sql.Conn, maxBatch int) *writer {
	w := &writer{
		tx:       Tx{conn: conn, stmts: map[string]*sql.Stmt{}},
		jobs:     make(chan *job, maxBatch),
		maxBatch: maxBatch,
		done:     make(chan struct{}),
	}
	go w.loop()
	return w
}

func (w *writer) update(ctx context.Context, f func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{run: f, done: make(chan error, 1)}
	if err := w.send(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobAbandoned) {
			return ctx.Err()
		}
		return <-j.done
	}
}

func (w *writer) send(ctx context.Context, j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return storage.ErrClosed
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.done
}

// loop commits what waits, as one transaction: while one commit is on its way
// to the disk, the next batch gathers.
func (w *writer) loop() {
	defer close(w.done)
	defer func() {
		for _, s := range w.tx.stmts {
			s.Close() // of a connection that is closed next
		}
		w.tx.conn.Close() // gives it back to the pool
	}()
	batch := make([]*job, 0, w.maxBatch)
	for first := range w.jobs {
		batch = w.gather(batch[:0], first)
		w.commit(batch)
		clear(batch)
	}
}

func (w *writer) gather(batch []*job, first *job) []*job {
	j, more := first, true
	for {
		if j != nil && j.state.CompareAndSwap(jobWaiting, jobTaken) {
			batch = append(batch, j)
		}
		if !more || len(batch) == w.maxBatch {
			return batch
		}
		select {
		case j, more = <-w.jobs:
		default:
			return batch
		}
	}
}

// commit runs a batch. If something fails that can't be undone alone, the
// whole is rolled back and each job runs in a transaction of its own.
func (w *writer) commit(batch []*job) {
	if len(batch) == 0 {
		return
	}
	results, err := w.attempt(batch)
	if err == nil {
		for i, j := range batch {
			j.done <- results[i]
		}
		return
	}
	if len(batch) == 1 {
		batch[0].done <- err
		return
	}
	for i := range batch {
		results, err := w.attempt(batch[i : i+1])
		if err == nil {
			err = results[0]
		}
		batch[i].done <- err
	}
}

// attempt runs jobs in one transaction. Its error means that nothing was
// changed; the results are those of jobs that failed before they changed
// anything.
func (w *writer) attempt(batch []*job) (results []error, err error) {
	if err := w.begin(); err != nil {
		return nil, err
	}
	results = make([]error, len(batch))
	wrote := false
	for i, j := range batch {
		w.tx.wrote = false
		err := w.run(j)
		if err != nil && w.tx.wrote {
			w.rollback()
			return nil, err
		}
		results[i] = err
		wrote = wrote || w.tx.wrote
	}
	if !wrote {
		w.rollback()
		return results, nil
	}
	if err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return nil, err
	}
	return results, nil
}

// run turns a panic of an update into its error: the writer serves all.
func (w *writer) run(j *job) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.tx.wrote = true
			err = fmt.Errorf("update panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return j.run(&w.tx)
}

func (w *writer) exec(query string) error {
	s, err := w.tx.stmt(query)
	if err != nil {
		return Classify(err)
	}
	_, err = s.ExecContext(background)
	return Classify(err)
}

// begin begins a transaction, and ends one first that could not be rolled
// back when it failed.
func (w *writer) begin() error {
	err := w.exec("BEGIN IMMEDIATE")
	if err == nil || errors.Is(err, storage.ErrLocked) {
		return err
	}
	w.rollback()
	return w.exec("BEGIN IMMEDIATE")
}

// rollback undoes the transaction. Its error says nothing: SQLite may have
// rolled back already, and if it could not, begin tries again.
func (w *writer) rollback() { _ = w.exec("ROLLBACK") }
