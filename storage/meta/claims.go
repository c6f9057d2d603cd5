package meta

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// maxClaimKey bounds an idempotency key, in bytes.
const maxClaimKey = 255

// A claimRow is a row of the table claims.
type claimRow struct {
	id                     int64
	tenant, key, execution string
	bodyHash, response     []byte
	created                int64
	crc                    int64
}

const claimColumns = "id, tenant, key, body_hash, execution, created, response, crc"

func (r *claimRow) fields() []any {
	return []any{&r.id, &r.tenant, &r.key, &r.bodyHash, &r.execution, &r.created, &r.response, &r.crc}
}

func (r *claimRow) checksum() int64 {
	return checksum(r.tenant, r.key, r.bodyHash, r.execution, r.created, r.response)
}

func findClaim(tx *sqlite.Tx, tenant, key string) (r claimRow, found bool, err error) {
	err = tx.QueryRow("SELECT "+claimColumns+" FROM claims WHERE tenant = ? AND key = ?", []any{tenant, key}, r.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err == nil && r.crc != r.checksum() {
		err = fmt.Errorf("%w: an idempotency key fails its checksum", storage.ErrCorrupt)
	}
	return r, err == nil, err
}

// ClaimKey implements [Claims].
func (s *Store) ClaimKey(ctx context.Context, tenant, key string, bodyHash [32]byte, execution string) (Claim, error) {
	if key == "" || len(key) > maxClaimKey {
		return Claim{}, s.fail("claim", key, fmt.Errorf("%w: an idempotency key has 1 to %d bytes", ErrInvalidID, maxClaimKey))
	}
	var c Claim
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.options.Now().UnixMilli()
		r, found, err := findClaim(tx, tenant, key)
		if err != nil {
			return err
		}
		if found && now-r.created < ClaimLifetime.Milliseconds() {
			c = answer(r, bodyHash)
			return nil
		}
		if found {
			if _, err := tx.Exec("DELETE FROM claims WHERE id = ?", r.id); err != nil {
				return err
			}
		}
		c = Claim{State: Claimed, Execution: execution}
		n := claimRow{tenant: tenant, key: key, bodyHash: bodyHash[:], execution: execution, created: now}
		_, err = tx.Exec("INSERT INTO claims (tenant, key, body_hash, execution, created, response, crc) VALUES (?, ?, ?, ?, ?, NULL, ?)",
			n.tenant, n.key, n.bodyHash, n.execution, n.created, n.checksum())
		return err
	})
	if err != nil {
		return Claim{}, s.fail("claim", key, err)
	}
	return c, nil
}

// answer tells a request what the first one with its key did.
func answer(r claimRow, bodyHash [32]byte) Claim {
	switch {
	case !bytes.Equal(r.bodyHash, bodyHash[:]):
		return Claim{State: Mismatch, Execution: r.execution}
	case r.response == nil:
		return Claim{State: InFlight, Execution: r.execution}
	}
	return Claim{State: Replay, Execution: r.execution, Response: r.response[1:]}
}

// CompleteClaim implements [Claims].
func (s *Store) CompleteClaim(ctx context.Context, tenant, key string, response []byte) error {
	if int64(len(response)) > s.options.MaxRecordBytes {
		return s.fail("complete claim", key, fmt.Errorf("%w: %d bytes, at most %d are kept", ErrTooLarge, len(response), s.options.MaxRecordBytes))
	}
	// The byte in front keeps an empty response apart from null.
	kept := append([]byte{1}, response...)
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		r, found, err := findClaim(tx, tenant, key)
		if err != nil {
			return err
		}
		if !found || r.response != nil {
			return ErrNotFound
		}
		r.response = kept
		_, err = tx.Exec("UPDATE claims SET response = ?, crc = ? WHERE id = ?", kept, r.checksum(), r.id)
		return err
	})
	if err != nil {
		return s.fail("complete claim", key, err)
	}
	return nil
}

// ReleaseClaim implements [Claims]. One that is complete, or unknown, stays
// as it is.
func (s *Store) ReleaseClaim(ctx context.Context, tenant, key string) error {
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("DELETE FROM claims WHERE tenant = ? AND key = ? AND response IS NULL", tenant, key)
		return err
	})
	if err != nil {
		return s.fail("release claim", key, err)
	}
	return nil
}

// sweepClaims removes claims past their lifetime. Their ids ascend with time,
// so the oldest come first, and no index on the time is needed.
func (s *Store) sweepClaims(ctx context.Context) error {
	for {
		limit := s.options.Now().Add(-ClaimLifetime).UnixMilli()
		var removed int64
		err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
			result, err := tx.Exec("DELETE FROM claims WHERE id IN (SELECT id FROM claims ORDER BY id LIMIT ?) AND created <= ?", sweepBatch, limit)
			if err != nil {
				return err
			}
			removed, err = result.RowsAffected()
			return err
		})
		if err != nil || removed == 0 {
			return err
		}
	}
}
