package meta

import (
	"context"
	"encoding/json"
	"errors"

	"mayfly/storage/sqlite"
)

// WorkerCrons implements [Workers].
func (s *Store) WorkerCrons(ctx context.Context, f func(tenant, name string, crons []string)) error {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT tenant, name, crons FROM worker_crons ORDER BY tenant, name")
	if err != nil {
		return s.fail("list crons", "", err)
	}
	for rows.Next() {
		var tenant, name string
		var text []byte
		var crons []string
		err := rows.Scan(&tenant, &name, &text)
		if err == nil {
			err = json.Unmarshal(text, &crons)
		}
		if err != nil {
			return s.fail("list crons", name, errors.Join(err, rows.Close()))
		}
		f(tenant, name, crons)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return s.fail("list crons", "", err)
	}
	return nil
}

// putCrons writes the crons of a worker's current version.
func putCrons(tx *sqlite.Tx, tenant, name string, crons []string) error {
	if len(crons) == 0 {
		_, err := tx.Exec("DELETE FROM worker_crons WHERE tenant = ? AND name = ?", tenant, name)
		return err
	}
	text, err := json.Marshal(crons)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT OR REPLACE INTO worker_crons (tenant, name, crons) VALUES (?, ?, ?)", tenant, name, string(text))
	return err
}

// ClaimMinute takes the right to fire the crons of a minute (from 1970): it is
// given once, and for no minute before one that was claimed. It is durable when
// the call returns.
func (s *Store) ClaimMinute(ctx context.Context, minute int64) (claimed bool, err error) {
	err = s.db.Update(ctx, func(tx *sqlite.Tx) error {
		result, err := tx.Exec("INSERT INTO cron_minute (one, minute) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET minute = excluded.minute WHERE minute < excluded.minute", minute)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		claimed = n > 0
		return err
	})
	if err != nil {
		return false, s.fail("claim minute", "", err)
	}
	return claimed, nil
}
