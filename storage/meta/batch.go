package meta

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"mayfly/storage/sqlite"
)

// rowsPerStatement: with more, statements get long and nothing is gained.
const rowsPerStatement = 32

const insertExecutions = "INSERT INTO executions (seq, secret, tenant, status, outcome, expires, record, events) VALUES "

var (
	insertMany = insertExecutions + strings.Repeat("(?,?,?,?,?,?,?,?),", rowsPerStatement-1) + "(?,?,?,?,?,?,?,?)"
	insertOne  = insertExecutions + "(?,?,?,?,?,?,?,?)"
	knownMany  = "SELECT seq, secret, status FROM executions WHERE seq IN (" + strings.Repeat("?,", rowsPerStatement-1) + "?)"
	knownOne   = "SELECT seq, secret, status FROM executions WHERE seq = ?"
)

// tenantHash is the number by which rows are filtered; the record has the
// name.
func tenantHash(tenant string) int64 {
	sum := sha256.Sum256([]byte(tenant))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func outcomeHash(outcome string) int64 {
	if outcome == "" {
		return 0
	}
	return int64(crc32.Checksum([]byte(outcome), castagnoli))
}

// writeBatch writes records, adds up the usage of those that are done for the
// first time, and notes when keys were used.
func writeBatch(tx *sqlite.Tx, batch []*entry, touched map[string]time.Time) error {
	fresh, changed, err := sortOut(tx, batch)
	if err != nil {
		return err
	}
	if err := insert(tx, fresh); err != nil {
		return err
	}
	for _, e := range changed {
		_, err := tx.Exec("UPDATE executions SET status = ?, outcome = ?, expires = ?, record = ?, events = ? WHERE seq = ? AND secret = ?",
			e.status, outcomeHash(e.outcome), expiry(e.expires), e.record, nullable(e.events), int64(e.id.seq), int64(e.id.secret))
		if err != nil {
			return err
		}
	}
	if err := addUsage(tx, fresh, changed); err != nil {
		return err
	}
	for id, at := range touched {
		if _, err := tx.Exec("UPDATE keys SET last_used = ? WHERE id = ?", at.UnixMilli(), id); err != nil {
			return err
		}
	}
	return nil
}

// sortOut finds what each row of a batch is: new, or a change of one that was
// not done yet. Of several records of an execution only the last counts, and
// after Done none does.
func sortOut(tx *sqlite.Tx, batch []*entry) (fresh, changed []*entry, err error) {
	last := make(map[uint64]*entry, len(batch))
	order := make([]*entry, 0, len(batch))
	for _, e := range batch {
		switch previous := last[e.id.seq]; {
		case previous == nil:
			order = append(order, e)
			last[e.id.seq] = e
		case previous.status < doneCode:
			last[e.id.seq] = e
		}
	}
	known := map[uint64]int64{}
	for i := 0; i < len(order); {
		n := 1
		if len(order)-i >= rowsPerStatement {
			n = rowsPerStatement
		}
		if err := lookUp(tx, order[i:i+n], known); err != nil {
			return nil, nil, err
		}
		i += n
	}
	for _, first := range order {
		e := last[first.id.seq]
		switch status, ok := known[e.id.seq]; {
		case !ok:
			fresh = append(fresh, e)
		case status < doneCode:
			changed = append(changed, e)
		}
	}
	return fresh, changed, nil
}

func lookUp(tx *sqlite.Tx, entries []*entry, known map[uint64]int64) error {
	query := knownMany
	if len(entries) == 1 {
		query = knownOne
	}
	args := make([]any, len(entries))
	secrets := make(map[uint64]uint64, len(entries))
	for i, e := range entries {
		args[i] = int64(e.id.seq)
		secrets[e.id.seq] = e.id.secret
	}
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var seq, secret, status int64
		if err := rows.Scan(&seq, &secret, &status); err != nil {
			return errors.Join(err, rows.Close())
		}
		if secrets[uint64(seq)] != uint64(secret) {
			// Only an id that another store made can do this; it must not
			// stop the records of others.
			status = doneCode
		}
		known[uint64(seq)] = status
	}
	return errors.Join(rows.Err(), rows.Close())
}

func insert(tx *sqlite.Tx, entries []*entry) error {
	args := make([]any, 0, 8*rowsPerStatement)
	for len(entries) > 0 {
		query, n := insertOne, 1
		if len(entries) >= rowsPerStatement {
			query, n = insertMany, rowsPerStatement
		}
		args = args[:0]
		for _, e := range entries[:n] {
			args = append(args, int64(e.id.seq), int64(e.id.secret), tenantHash(e.tenant), int64(e.status),
				outcomeHash(e.outcome), expiry(e.expires), e.record, nullable(e.events))
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return fmt.Errorf("inserting %d records: %w", n, err)
		}
		entries = entries[n:]
	}
	return nil
}

// expiry is null for what never expires, so that the index leaves it out.
func expiry(ms int64) any {
	if ms == 0 {
		return nil
	}
	return ms
}

func nullable(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
