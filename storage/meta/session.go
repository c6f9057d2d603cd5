package meta

import (
	"context"
	"errors"

	"mayfly/storage/sqlite"
)

// A Session is the record of a session: what it is, and where its state lies.
type Session struct {
	ID     string // made by [Store.NewID]
	Tenant string
	Record []byte // in the caller's encoding; never empty
}

// Sessions is what sessions need of a [Store].
type Sessions interface {
	// NewID makes a session's id, as that of an execution.
	NewID() string
	// PutSession inserts or replaces a session's record. It is durable when
	// the call returns.
	PutSession(ctx context.Context, session Session) error
	// DeleteSession removes a session's record. One that isn't there is no
	// error.
	DeleteSession(ctx context.Context, id string) error
	// Sessions lists all sessions in the order of their ids, which is that of
	// their creation. A record that fails its checksum is left out, and
	// returned in damaged by its id.
	Sessions(ctx context.Context) (sessions []Session, damaged []string, err error)
}

var _ Sessions = (*Store)(nil)

// PutSession implements [Sessions].
func (s *Store) PutSession(ctx context.Context, session Session) error {
	crc := checksum(session.ID, session.Tenant, session.Record)
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("INSERT INTO sessions (id, tenant, record, crc) VALUES (?, ?, ?, ?) "+
			"ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, record = excluded.record, crc = excluded.crc",
			session.ID, session.Tenant, session.Record, crc)
		return err
	})
	if err != nil {
		return s.fail("put session", session.ID, err)
	}
	return nil
}

// DeleteSession implements [Sessions].
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("DELETE FROM sessions WHERE id = ?", id)
		return err
	})
	if err != nil {
		return s.fail("delete session", id, err)
	}
	return nil
}

// Sessions implements [Sessions].
func (s *Store) Sessions(ctx context.Context) (sessions []Session, damaged []string, err error) {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT id, tenant, record, crc FROM sessions ORDER BY id")
	if err != nil {
		return nil, nil, s.fail("list sessions", "", err)
	}
	for rows.Next() {
		var x Session
		var crc int64
		if err := rows.Scan(&x.ID, &x.Tenant, &x.Record, &crc); err != nil {
			return nil, nil, s.fail("list sessions", "", errors.Join(err, rows.Close()))
		}
		if crc != checksum(x.ID, x.Tenant, x.Record) {
			damaged = append(damaged, x.ID)
			continue
		}
		sessions = append(sessions, x)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, nil, s.fail("list sessions", "", err)
	}
	return sessions, damaged, nil
}
