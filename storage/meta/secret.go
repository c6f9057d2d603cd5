package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// A Secret is the record of a secret: its value is sealed by the caller.
type Secret struct {
	Tenant, Name string
	Sealed       []byte // empty in lists
	Created      time.Time
	Updated      time.Time
}

// Secrets is what a keeper of secrets needs of a [Store].
type Secrets interface {
	// PutSecret inserts a secret, or replaces what is sealed in the one of that
	// tenant and name. It is durable when the call returns. A new one that
	// would be more than most of the tenant's is ErrTooMany.
	PutSecret(ctx context.Context, tenant, name string, sealed []byte, most int) (Secret, error)
	// Secret finds a secret. ErrNotFound if there is none.
	Secret(ctx context.Context, tenant, name string) (Secret, error)
	// Secrets lists a tenant's secrets by name, without what is sealed.
	Secrets(ctx context.Context, tenant string) ([]Secret, error)
	// DeleteSecret removes a secret. ErrNotFound if there is none.
	DeleteSecret(ctx context.Context, tenant, name string) error
}

var _ Secrets = (*Store)(nil)

// ErrTooMany is a record more than there may be.
var ErrTooMany = errors.New("too many records")

type secretRow struct {
	sealed           []byte
	created, updated int64
	crc              int64
}

func (r *secretRow) checksum(tenant, name string) int64 {
	return checksum(tenant, name, r.sealed, r.created, r.updated)
}

func (r *secretRow) secret(tenant, name string) (Secret, error) {
	if r.crc != r.checksum(tenant, name) {
		return Secret{}, fmt.Errorf("%w: a secret fails its checksum", storage.ErrCorrupt)
	}
	return Secret{Tenant: tenant, Name: name, Sealed: r.sealed, Created: fromMilliseconds(r.created), Updated: fromMilliseconds(r.updated)}, nil
}

// PutSecret implements [Secrets].
func (s *Store) PutSecret(ctx context.Context, tenant, name string, sealed []byte, most int) (secret Secret, err error) {
	err = s.db.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.options.Now().UnixMilli()
		r := secretRow{sealed: sealed, created: now, updated: now}
		err := tx.QueryRow("SELECT created FROM secrets WHERE tenant = ? AND name = ?", []any{tenant, name}, &r.created)
		if errors.Is(err, sql.ErrNoRows) {
			var count int
			if err := tx.QueryRow("SELECT count(*) FROM secrets WHERE tenant = ?", []any{tenant}, &count); err != nil {
				return err
			}
			if count >= most {
				return ErrTooMany
			}
		} else if err != nil {
			return err
		}
		r.crc = r.checksum(tenant, name)
		if secret, err = r.secret(tenant, name); err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO secrets (tenant, name, sealed, created, updated, crc) VALUES (?, ?, ?, ?, ?, ?) "+
			"ON CONFLICT (tenant, name) DO UPDATE SET sealed = excluded.sealed, updated = excluded.updated, crc = excluded.crc",
			tenant, name, r.sealed, r.created, r.updated, r.crc)
		return err
	})
	if err != nil {
		return Secret{}, s.fail("put secret", name, err)
	}
	return secret, nil
}

// Secret implements [Secrets].
func (s *Store) Secret(ctx context.Context, tenant, name string) (Secret, error) {
	var r secretRow
	err := s.db.Reader().QueryRowContext(ctx, "SELECT sealed, created, updated, crc FROM secrets WHERE tenant = ? AND name = ?", tenant, name).
		Scan(&r.sealed, &r.created, &r.updated, &r.crc)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	var secret Secret
	if err == nil {
		secret, err = r.secret(tenant, name)
	}
	if err != nil {
		return Secret{}, s.fail("get secret", name, err)
	}
	return secret, nil
}

// Secrets implements [Secrets].
func (s *Store) Secrets(ctx context.Context, tenant string) ([]Secret, error) {
	list, err := s.listSecrets(ctx, tenant)
	if err != nil {
		return nil, s.fail("list secrets", "", err)
	}
	return list, nil
}

func (s *Store) listSecrets(ctx context.Context, tenant string) ([]Secret, error) {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT name, sealed, created, updated, crc FROM secrets WHERE tenant = ? ORDER BY name", tenant)
	if err != nil {
		return nil, err
	}
	var list []Secret
	for rows.Next() {
		var r secretRow
		var name string
		if err := rows.Scan(&name, &r.sealed, &r.created, &r.updated, &r.crc); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		secret, err := r.secret(tenant, name)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		secret.Sealed = nil
		list = append(list, secret)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

// DeleteSecret implements [Secrets].
func (s *Store) DeleteSecret(ctx context.Context, tenant, name string) error {
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		var one int
		err := tx.QueryRow("SELECT 1 FROM secrets WHERE tenant = ? AND name = ?", []any{tenant, name}, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM secrets WHERE tenant = ? AND name = ?", tenant, name)
		return err
	})
	if err != nil {
		return s.fail("delete secret", name, err)
	}
	return nil
}
