package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// Record implements [Recorder].
func (s *Store) Record(ctx context.Context, e Execution) error {
	id, err := parseID(e.ID)
	if err != nil {
		return s.fail("record", e.ID, err)
	}
	n := &entry{
		id:      id,
		tenant:  e.Tenant,
		status:  statusCode(e.Status),
		outcome: e.Outcome,
		ended:   milliseconds(e.EndedAt),
		expires: milliseconds(e.ExpiresAt),
		usage:   e.Usage,
		record:  encodeRecord(id, &e),
		events:  encodeEvents(id, e.Events),
	}
	if n.size() > s.options.MaxRecordBytes {
		return s.fail("record", e.ID, fmt.Errorf("%w: %d bytes, at most %d are kept", ErrTooLarge, n.size(), s.options.MaxRecordBytes))
	}
	if err := s.queue.add(ctx, n); err != nil {
		return s.fail("record", e.ID, err)
	}
	return nil
}

// Execution implements [Recorder].
func (s *Store) Execution(ctx context.Context, tenant, id string) (Execution, error) {
	e, err := s.execution(ctx, tenant, id)
	if err != nil {
		return Execution{}, s.fail("get execution", id, err)
	}
	return e, nil
}

func (s *Store) execution(ctx context.Context, tenant, text string) (Execution, error) {
	if err := ctx.Err(); err != nil {
		return Execution{}, err
	}
	id, err := parseID(text)
	if err != nil {
		return Execution{}, ErrNotFound
	}
	record, events, err := s.load(id)
	if err != nil {
		return Execution{}, err
	}
	e, err := decodeRecord(id, record)
	if err != nil {
		return Execution{}, err
	}
	if tenant != "" && tenant != e.Tenant || !e.ExpiresAt.IsZero() && !s.options.Now().Before(e.ExpiresAt) {
		return Execution{}, ErrNotFound
	}
	e.Events, err = decodeEvents(id, events)
	return e, err
}

// load looks in the queue first: what leaves it is in the database by then.
func (s *Store) load(id identity) (record, events []byte, err error) {
	if e := s.queue.find(id); e != nil {
		return e.record, e.events, nil
	}
	var secret int64
	// Not the caller's context: a lookup takes microseconds, and watching the
	// context costs the driver a goroutine.
	err = s.findExecution.QueryRowContext(context.Background(), int64(id.seq)).Scan(&secret, &record, &events)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, ErrNotFound
	}
	if err == nil && uint64(secret) != id.secret {
		// A guess, unless the column itself is damaged.
		if _, err := open(identity{id.seq, uint64(secret)}, record); err != nil {
			return nil, nil, err
		}
		return nil, nil, ErrNotFound
	}
	return record, events, err
}

// settle flushes before a query over many rows. A disk that is full or
// read-only must not stop reads: then the answer lacks what is queued.
func (s *Store) settle(ctx context.Context) error {
	err := s.queue.flush(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	return nil
}

const (
	defaultPage = 50
	maxPage     = 1000
	// maxLook bounds the rows that one page looks at.
	maxLook = 20_000
)

// Executions implements [Recorder].
func (s *Store) Executions(ctx context.Context, filter Filter) (Page, error) {
	p, err := s.executions(ctx, filter)
	if err != nil {
		return Page{}, s.fail("list executions", "", err)
	}
	return p, nil
}

func (s *Store) executions(ctx context.Context, filter Filter) (p Page, err error) {
	limit := filter.Limit
	switch {
	case limit <= 0:
		limit = defaultPage
	case limit > maxPage:
		limit = maxPage
	}
	before := int64(1<<63 - 1)
	if filter.Cursor != "" {
		seq, err := decodeCursor(filter.Cursor)
		if err != nil {
			return p, err
		}
		before = int64(seq)
	}
	if err := s.settle(ctx); err != nil {
		return p, err
	}
	rows, err := s.queryPage(ctx, filter, before)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var last uint64
	looked := 0
	for rows.Next() {
		var seq, secret int64
		var record []byte // nil if the row does not match
		if err := rows.Scan(&seq, &secret, &record); err != nil {
			return Page{}, err
		}
		if len(p.Executions) == limit {
			p.Cursor = encodeCursor(last)
			return p, nil
		}
		looked++
		last = uint64(seq)
		if record == nil {
			continue
		}
		e, err := decodeRecord(identity{uint64(seq), uint64(secret)}, record)
		if err != nil {
			return Page{}, err
		}
		if matches(&e, filter) {
			p.Executions = append(p.Executions, e)
		}
	}
	if looked == maxLook {
		p.Cursor = encodeCursor(last)
	}
	return p, rows.Err()
}

// matches repeats the filter on the names: the columns have hashes only.
func matches(e *Execution, f Filter) bool {
	return (f.Tenant == "" || e.Tenant == f.Tenant) && (f.Status == "" || e.Status == f.Status) && (f.Outcome == "" || e.Outcome == f.Outcome)
}

func (s *Store) queryPage(ctx context.Context, filter Filter, before int64) (*sql.Rows, error) {
	match := "(expires IS NULL OR expires > ?)"
	args := []any{s.options.Now().UnixMilli()}
	if filter.Status != "" {
		match += " AND status = ?"
		args = append(args, int64(statusCode(filter.Status)))
	}
	if filter.Outcome != "" {
		match += " AND outcome = ?"
		args = append(args, outcomeHash(filter.Outcome))
	}
	where := "seq < ?"
	args = append(args, before)
	if filter.Tenant != "" {
		where += " AND tenant = ?"
		args = append(args, tenantHash(filter.Tenant))
	}
	args = append(args, maxLook)
	return s.db.Reader().QueryContext(ctx, "SELECT seq, secret, CASE WHEN "+match+" THEN record END FROM executions WHERE "+where+" ORDER BY seq DESC LIMIT ?", args...)
}

// sweepBatch bounds how long a sweep keeps other writers waiting.
const sweepBatch = 128

// A victim is an execution that is to be changed or removed.
type victim struct {
	id     identity
	record []byte
}

func (s *Store) victims(ctx context.Context, where string, arg any) ([]victim, error) {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT seq, secret, record FROM executions WHERE "+where+" LIMIT ?", arg, sweepBatch)
	if err != nil {
		return nil, err
	}
	var out []victim
	for rows.Next() {
		var seq, secret int64
		var v victim
		if err := rows.Scan(&seq, &secret, &v.record); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		v.id = identity{uint64(seq), uint64(secret)}
		out = append(out, v)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// EndUnfinished implements [Maintenance]. It also frees the idempotency keys
// that the dead process held.
func (s *Store) EndUnfinished(ctx context.Context, outcome string, result []byte) (int, error) {
	n, err := s.endUnfinished(ctx, outcome, result)
	if err != nil {
		return n, s.fail("end unfinished", "", err)
	}
	return n, nil
}

func (s *Store) endUnfinished(ctx context.Context, outcome string, result []byte) (ended int, err error) {
	err = s.db.Update(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("DELETE FROM claims WHERE response IS NULL")
		return err
	})
	if err != nil {
		return 0, err
	}
	for {
		found, err := s.victims(ctx, "status < ?", doneCode)
		if err != nil || len(found) == 0 {
			return ended, err
		}
		for _, v := range found {
			e, err := decodeRecord(v.id, v.record)
			if err != nil {
				return ended, err
			}
			e.Status, e.Outcome, e.Result, e.EndedAt = Done, outcome, result, s.options.Now()
			if err := s.Record(ctx, e); err != nil {
				return ended, err
			}
			ended++
		}
		if err := s.queue.flush(ctx); err != nil {
			return ended, err
		}
	}
}

// Sweep implements [Maintenance].
func (s *Store) Sweep(ctx context.Context, deleteObjects DeleteObjects) (int, error) {
	n, err := s.sweep(ctx, deleteObjects)
	if err == nil {
		err = s.sweepClaims(ctx)
	}
	if err != nil {
		return n, s.fail("sweep", "", err)
	}
	return n, nil
}

// sweep removes damaged records too, and says so at the end.
func (s *Store) sweep(ctx context.Context, deleteObjects DeleteObjects) (swept int, err error) {
	var damage error
	for {
		found, err := s.victims(ctx, "expires <= ?", s.options.Now().UnixMilli())
		if err != nil || len(found) == 0 {
			return swept, errors.Join(err, damage)
		}
		var objects []string
		for _, v := range found {
			e, err := decodeRecord(v.id, v.record)
			if err != nil {
				damage = err // one is enough to say
				continue
			}
			for _, a := range e.Artifacts {
				objects = append(objects, a.ObjectKey)
			}
		}
		if len(objects) > 0 && deleteObjects != nil {
			if err := deleteObjects(ctx, objects); err != nil {
				return swept, err
			}
		}
		err = s.db.Update(ctx, func(tx *sqlite.Tx) error {
			for _, v := range found {
				if _, err := tx.Exec("DELETE FROM executions WHERE seq = ?", int64(v.id.seq)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return swept, err
		}
		swept += len(found)
	}
}
