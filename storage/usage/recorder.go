// Package usage keeps what workers and executions used: every event is counted
// once, and stays counted when the process is killed.
//
// An entry goes to a journal by one write to a file, without waiting for a disk.
// The journal's segments are folded into tables, one by one: the transaction that
// adds a segment's entries also notes its number, so that none counts twice.
package usage

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// applicationID marks the database: "MFus".
const applicationID = 0x4d467573

//go:embed migrations/*.sql
var migrations embed.FS

// Options configure a Recorder. The zero value is usable.
type Options struct {
	// FoldEvery is how often the journal is folded into the tables; what is
	// asked for is folded before. 0: 10 s. So much, and what the kernel has
	// not written yet, is lost if the machine dies.
	FoldEvery time.Duration
	// KeepHours and KeepDynamics are how long usage by hour and that of single
	// dynamic workers is kept. 0: 400 and 35 days.
	KeepHours, KeepDynamics time.Duration
	Log                     *slog.Logger     // nil: slog.Default()
	Now                     func() time.Time // nil: time.Now
}

// A Recorder keeps usage. It is safe for concurrent use.
type Recorder struct {
	options Options
	db      *sqlite.DB
	journal journal

	folding sync.Mutex    // one fold at a time
	full    chan struct{} // a segment is
	stop    chan struct{}
	done    chan struct{}
	pruned  int64 // the day for which old rows were removed last

	mu     sync.Mutex
	totals map[totalKey]*Total
	unique int64 // dynamic workers

	closeOnce sync.Once
	closeErr  error
}

type totalKey struct {
	kind    Kind
	outcome string
}

// A Total is what was used since the process began, of a kind and outcome.
type Total struct {
	Kind        Kind
	Outcome     string
	Events      int64
	Subrequests int64
	CPU, Wall   time.Duration
}

// maxOutcomes bounds the outcomes that totals tell apart.
const maxOutcomes = 32

// Open opens the usage in a folder, which is made if there is none, and folds
// what a process that was killed left in the journal. One process at a time may
// have it open.
func Open(ctx context.Context, folder string, options Options) (*Recorder, error) {
	if options.FoldEvery == 0 {
		options.FoldEvery = 10 * time.Second
	}
	if options.KeepHours == 0 {
		options.KeepHours = 400 * 24 * time.Hour
	}
	if options.KeepDynamics == 0 {
		options.KeepDynamics = 35 * 24 * time.Hour
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, filepath.Join(folder, "usage.db"), sqlite.Options{ApplicationID: applicationID, Migrations: sub})
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		options: options, db: db, journal: journal{folder: folder},
		full: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), totals: map[totalKey]*Total{},
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(r.fail("open", err), r.journal.close(), db.Close())
	}
	go r.loop()
	return r, nil
}

func (r *Recorder) start(ctx context.Context) error {
	var last int64
	if err := r.db.Reader().QueryRowContext(ctx, "SELECT segment FROM folded").Scan(&last); err != nil {
		return err
	}
	list, err := r.journal.segments()
	if err != nil {
		return err
	}
	if n := len(list); n > 0 {
		last = max(last, list[n-1])
	}
	if err := r.journal.begin(last + 1); err != nil {
		return err
	}
	return r.fold(ctx)
}

func (r *Recorder) fail(op string, err error) error {
	var known *storage.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &storage.Error{Op: op, Key: "usage", Err: sqlite.Classify(err)}
}

// Record counts an entry. It costs one write to a file that is not waited for,
// and may be called from any goroutine. An entry that can't be written, because
// the disk is full, is counted in Stats.Lost and nowhere else.
func (r *Recorder) Record(e Entry) {
	if e.Time.IsZero() {
		e.Time = r.options.Now()
	}
	if r.journal.add(&e) {
		select {
		case r.full <- struct{}{}:
		default:
		}
	}
	k := totalKey{e.Kind, e.Outcome}
	r.mu.Lock()
	t := r.totals[k]
	if t == nil {
		if len(r.totals) >= maxOutcomes*len(kinds) {
			k.outcome = "other"
			t = r.totals[k]
		}
		if t == nil {
			t = &Total{Kind: k.kind, Outcome: k.outcome}
			r.totals[k] = t
		}
	}
	t.Events++
	t.Subrequests += int64(e.Subrequests)
	t.CPU += e.CPU
	t.Wall += e.Wall
	r.mu.Unlock()
}

// Stats is what was recorded since the process began.
type Stats struct {
	Totals   []Total
	Dynamics int64 // dynamic workers that were seen for the first time on their day, as far as folded
	Lost     int64 // entries that could not be written
	Err      error // of the last entry; nil if it was written
}

// Stats says what was recorded.
func (r *Recorder) Stats() Stats {
	r.journal.mu.Lock()
	s := Stats{Lost: r.journal.lost, Err: r.journal.broken}
	r.journal.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Dynamics = r.unique
	for _, t := range r.totals {
		s.Totals = append(s.Totals, *t)
	}
	return s
}

func (r *Recorder) loop() {
	defer close(r.done)
	ticker := time.NewTicker(r.options.FoldEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
		case <-r.full:
		}
		if err := r.Fold(context.Background()); err != nil {
			r.options.Log.Error("usage could not be folded; it stays in the journal", "err", err)
		}
		if s := r.Stats(); s.Err != nil {
			r.options.Log.Error("usage could not be written", "err", s.Err, "lost", s.Lost)
		}
	}
}

// Fold brings all that was recorded before into the tables.
func (r *Recorder) Fold(ctx context.Context) error {
	if err := r.journal.rotate(); err != nil {
		return r.fail("fold", err)
	}
	return r.fail("fold", r.fold(ctx))
}

// fold folds the segments that are not written any more.
func (r *Recorder) fold(ctx context.Context) error {
	r.folding.Lock()
	defer r.folding.Unlock()
	list, err := r.journal.segments()
	if err != nil {
		return err
	}
	r.journal.mu.Lock()
	current := r.journal.number
	r.journal.mu.Unlock()
	for _, number := range list {
		if number >= current {
			break
		}
		if err := r.foldSegment(ctx, number); err != nil {
			return err
		}
	}
	return r.prune(ctx)
}

func (r *Recorder) foldSegment(ctx context.Context, number int64) error {
	path := r.journal.path(number)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sums, err := sumsOf(b)
	if err != nil {
		// The process died in mid-write, or the machine did.
		r.options.Log.Warn("the end of a part of the journal of usage is not whole", "segment", number, "err", err)
	}
	var unique int64
	err = r.db.Update(ctx, func(tx *sqlite.Tx) error {
		unique = 0
		result, err := tx.Exec("UPDATE folded SET segment = ? WHERE segment < ?", number, number)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err // it was folded before the process died
		}
		unique, err = sums.write(tx)
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.unique += unique
	r.mu.Unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what was folded: %w", err)
	}
	return nil
}

// prune removes what is older than it is kept, once a day.
func (r *Recorder) prune(ctx context.Context) error {
	now := r.options.Now()
	today := dayOf(now)
	if today == r.pruned {
		return nil
	}
	err := r.db.Update(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("DELETE FROM dynamics WHERE day < ?", dayOf(now.Add(-r.options.KeepDynamics))); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM hours WHERE hour < ?", hourOf(now.Add(-r.options.KeepHours)))
		return err
	})
	if err == nil {
		r.pruned = today
	}
	return err
}

// Close folds what was recorded and closes the files. Entries that are recorded
// afterwards are lost.
func (r *Recorder) Close() error {
	r.closeOnce.Do(func() {
		close(r.stop)
		<-r.done
		err := r.Fold(context.Background())
		r.closeErr = errors.Join(err, r.journal.close(), r.db.Close())
	})
	return r.closeErr
}

func hourOf(t time.Time) int64 { return floor(t.Unix(), 3600) }
func dayOf(t time.Time) int64  { return floor(t.Unix(), 86400) }

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
