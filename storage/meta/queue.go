package meta

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// An entry is a record on its way to the disk.
type entry struct {
	id      identity
	tenant  string
	status  byte
	outcome string
	ended   int64
	expires int64
	usage   Usage
	record  []byte
	events  []byte
}

func (e *entry) size() int64 { return int64(len(e.record) + len(e.events)) }

// Stats is what the queue of records has done.
type Stats struct {
	Queued    int   // records that are not durable yet
	Committed int64 // records that are
	Batches   int64 // transactions that wrote them
	Failures  int64 // transactions that failed and are tried again
	Refused   int64 // records that were not accepted, because the queue was full
	Err       error // of the last transaction; nil if it went well
}

// A queue gathers records and writes them in batches, in order. One goroutine
// writes; a record stays findable until it is in the database.
type queue struct {
	store *Store
	wake  chan struct{} // there is something to do
	done  chan struct{} // the goroutine has ended

	mu      sync.Mutex
	waiting []*entry             // in order
	latest  map[uint64]*entry    // by seq: waiting or being written
	bytes   int64                // of waiting and being written
	count   int                  // likewise
	touched map[string]time.Time // keys that were used, by id
	flushes []chan error         // of callers that wait for the next batch
	room    chan struct{}        // closed, and replaced, when there is room again
	closing bool
	limit   int // records of the next batch
	numbers Stats
}

func newQueue(s *Store) *queue {
	q := &queue{
		store:   s,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		latest:  map[uint64]*entry{},
		touched: map[string]time.Time{},
		room:    make(chan struct{}),
		limit:   maxBatch,
	}
	go q.loop()
	return q
}

// add takes an entry, or waits for room.
func (q *queue) add(ctx context.Context, e *entry) error {
	for {
		q.mu.Lock()
		if q.closing {
			q.mu.Unlock()
			return storage.ErrClosed
		}
		// A single entry larger than the whole queue may go when it is alone.
		if q.count == 0 || q.count < q.store.options.QueueLength && q.bytes+e.size() <= q.store.options.QueueBytes {
			q.waiting = append(q.waiting, e)
			// What is done stays done, as in the database.
			if before := q.latest[e.id.seq]; before == nil || before.status < doneCode {
				q.latest[e.id.seq] = e
			}
			q.count++
			q.bytes += e.size()
			q.mu.Unlock()
			q.poke()
			return nil
		}
		room := q.room
		q.mu.Unlock()
		q.poke()
		select {
		case <-room:
		case <-ctx.Done():
			q.mu.Lock()
			q.numbers.Refused++
			cause := q.numbers.Err
			q.mu.Unlock()
			if cause != nil {
				return fmt.Errorf("%w: %w", ErrQueueFull, cause)
			}
			return ErrQueueFull
		}
	}
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// find returns the latest entry that is not in the database yet.
func (q *queue) find(id identity) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.latest[id.seq]; e != nil && e.id == id {
		return e
	}
	return nil
}

// touch notes that a key was used.
func (q *queue) touch(key string, now time.Time) {
	q.mu.Lock()
	if !q.closing {
		q.touched[key] = now
	}
	q.mu.Unlock()
	q.poke()
}

func (q *queue) flush(ctx context.Context) error {
	q.mu.Lock()
	if q.count == 0 && len(q.touched) == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.closing {
		q.mu.Unlock()
		<-q.done
		return nil
	}
	done := make(chan error, 1)
	q.flushes = append(q.flushes, done)
	q.mu.Unlock()
	q.poke()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.numbers
	s.Queued = q.count
	return s
}

// close writes what waits and ends the goroutine.
func (q *queue) close(ctx context.Context) error {
	err := q.flush(ctx)
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	q.poke()
	<-q.done
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		return nil
	}
	lost := fmt.Errorf("%d records could not be written", q.count)
	q.waiting, q.latest, q.count, q.bytes = nil, nil, 0, 0
	return errors.Join(lost, err)
}

// loop waits for the first record, a while for more, and writes them.
func (q *queue) loop() {
	defer close(q.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for range q.wake {
		if q.pause(timer, q.store.options.BatchDelay) {
			return
		}
		for {
			more, err := q.commit()
			if err == nil && !more {
				break
			}
			delay := q.store.options.BatchDelay
			if err != nil {
				delay = q.store.options.RetryDelay
			}
			if q.pause(timer, delay) {
				return
			}
		}
		q.mu.Lock()
		ended := q.closing
		q.mu.Unlock()
		if ended {
			return
		}
	}
}

// pause waits, but not if somebody waits for the batch or it is large. It
// says whether the queue is closing with nothing that can still be written.
func (q *queue) pause(timer *time.Timer, delay time.Duration) (end bool) {
	timer.Reset(delay)
	for {
		q.mu.Lock()
		urgent := q.closing || len(q.flushes) > 0 || len(q.waiting) >= maxBatch
		end := q.closing && q.numbers.Err != nil
		retrying := q.numbers.Err != nil && len(q.flushes) == 0
		q.mu.Unlock()
		if end {
			return true
		}
		if urgent && !retrying {
			return false
		}
		select {
		case <-q.wake:
		case <-timer.C:
			return false
		}
	}
}

// maxBatch bounds a transaction, so that others get their turn.
const maxBatch = 1024

// commit writes one batch and says whether more waits.
func (q *queue) commit() (more bool, err error) {
	q.mu.Lock()
	n := min(len(q.waiting), q.limit)
	batch := q.waiting[:n:n]
	flushes := q.flushes
	if n < len(q.waiting) {
		flushes = nil // they wait for the last one
	} else {
		q.flushes = nil
	}
	touched := q.touched
	q.touched = map[string]time.Time{}
	q.mu.Unlock()

	if n > 0 || len(touched) > 0 {
		err = q.store.db.Update(context.Background(), func(tx *sqlite.Tx) error {
			return writeBatch(tx, batch, touched)
		})
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	q.numbers.Err = err
	if err != nil {
		q.numbers.Failures++
		// On a disk that is nearly full a smaller batch may fit.
		q.limit = max(1, n/2)
		if flushes == nil {
			flushes, q.flushes = q.flushes, nil
		}
	} else {
		q.retire(batch)
		q.limit = min(maxBatch, 2*q.limit)
	}
	for _, f := range flushes {
		f <- err
	}
	return len(q.waiting) > 0 || len(q.flushes) > 0, err
}

// retire forgets entries that are in the database.
func (q *queue) retire(batch []*entry) {
	if len(batch) == 0 {
		return
	}
	for _, e := range batch {
		if q.latest[e.id.seq] == e {
			delete(q.latest, e.id.seq)
		}
		q.bytes -= e.size()
	}
	q.count -= len(batch)
	q.numbers.Committed += int64(len(batch))
	q.numbers.Batches++
	q.waiting = q.waiting[len(batch):]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	close(q.room)
	q.room = make(chan struct{})
}
