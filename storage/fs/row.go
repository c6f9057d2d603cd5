package fs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// A row is an object as the database has it.
type row struct {
	id          int64
	bucket      int64
	key         []byte
	size        int64
	modified    int64 // ms
	expires     *int64
	sum         []byte
	file        *string // nil: the contents are in the database
	contentType string
	metadata    []byte // JSON, or nil
	crc         int64
}

const rowColumns = "objects.id, bucket, key, size, modified, expires, sha256, file, content_type, metadata, crc"

func (r *row) fields() []any {
	return []any{&r.id, &r.bucket, &r.key, &r.size, &r.modified, &r.expires, &r.sum, &r.file, &r.contentType, &r.metadata, &r.crc}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers all columns but the id, each with its length.
func (r *row) checksum() int64 {
	b := make([]byte, 0, 256)
	text := func(s []byte) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, r.bucket)
	text(r.key)
	b = binary.AppendVarint(b, r.size)
	b = binary.AppendVarint(b, r.modified)
	if r.expires != nil {
		b = binary.AppendVarint(append(b, 1), *r.expires)
	}
	text(r.sum)
	if r.file != nil {
		text([]byte(*r.file))
	}
	text([]byte(r.contentType))
	text(r.metadata)
	return int64(crc32.Checksum(b, castagnoli))
}

// verify finds damage that left the database's structure whole.
func (r *row) verify() error {
	if r.crc != r.checksum() || len(r.sum) != sha256.Size || r.size < 0 || r.file != nil && len(*r.file) != 32 {
		return fmt.Errorf("%w: the description of the object fails its checksum", storage.ErrCorrupt)
	}
	return nil
}

func (r *row) expired(now int64) bool { return r.expires != nil && *r.expires <= now }

func (r *row) fileName() string {
	if r.file == nil {
		return ""
	}
	return *r.file
}

func etag(sum []byte) string { return hex.EncodeToString(sum[:16]) }

func (r *row) object() (storage.Object, error) {
	o := storage.Object{
		Key:         string(r.key),
		Size:        r.size,
		ETag:        etag(r.sum),
		SHA256:      hex.EncodeToString(r.sum),
		ContentType: r.contentType,
		Modified:    time.UnixMilli(r.modified).UTC(),
	}
	if r.expires != nil {
		o.Expires = time.UnixMilli(*r.expires).UTC()
	}
	if r.metadata != nil {
		if err := json.Unmarshal(r.metadata, &o.Metadata); err != nil {
			return o, fmt.Errorf("%w: metadata: %w", storage.ErrCorrupt, err)
		}
	}
	return o, nil
}

// newRow describes contents that were staged.
func newRow(bucket int64, key string, s staged, options storage.PutOptions, now int64) (row, error) {
	r := row{
		bucket:      bucket,
		key:         []byte(key),
		size:        s.size,
		modified:    now,
		sum:         s.sum[:],
		contentType: options.ContentType,
	}
	if s.name != "" {
		r.file = &s.name
	}
	if r.contentType == "" {
		r.contentType = storage.DefaultMIMEType
	}
	if !options.Expires.IsZero() {
		ms := options.Expires.UnixMilli()
		r.expires = &ms
	}
	if len(options.Metadata) > 0 {
		metadata, err := json.Marshal(options.Metadata)
		if err != nil {
			return r, err
		}
		r.metadata = metadata
	}
	r.crc = r.checksum()
	return r, nil
}

// findRow reads the row of a key, whether or not it has expired.
func findRow(tx *sqlite.Tx, bucket int64, key []byte) (r row, found bool, err error) {
	err = tx.QueryRow("SELECT "+rowColumns+" FROM objects WHERE bucket = ? AND key = ?", []any{bucket, key}, r.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err == nil {
		err = r.verify()
	}
	return r, err == nil, err
}

// replaceRow makes r the object of its key, if the conditions hold on what is
// there, and returns the data file that is no longer needed.
func replaceRow(tx *sqlite.Tx, r row, inline []byte, conditions storage.WriteConditions, now int64) (old string, err error) {
	current, found, err := findRow(tx, r.bucket, r.key)
	if err != nil {
		return "", err
	}
	var existing *storage.Object
	if found && !current.expired(now) {
		o, err := current.object()
		if err != nil {
			return "", err
		}
		existing = &o
	}
	if err := conditions.Check(existing); err != nil {
		return "", err
	}
	if found {
		if err := removeRow(tx, current.id); err != nil {
			return "", err
		}
		old = current.fileName()
	}
	result, err := tx.Exec("INSERT INTO objects (bucket, key, size, modified, expires, sha256, file, content_type, metadata, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.bucket, r.key, r.size, r.modified, r.expires, r.sum, r.file, r.contentType, r.metadata, r.crc)
	if err != nil || r.file != nil {
		return old, err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return "", err
	}
	if inline == nil {
		inline = []byte{} // nil would be null
	}
	_, err = tx.Exec("INSERT INTO contents (object, data) VALUES (?, ?)", id, inline)
	return old, err
}

func removeRow(tx *sqlite.Tx, id int64) error {
	if _, err := tx.Exec("DELETE FROM objects WHERE id = ?", id); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM contents WHERE object = ?", id)
	return err
}

// statements are those that read one object.
type statements struct {
	describe *sql.Stmt // row of (bucket, key)
	content  *sql.Stmt // row and inline contents of (bucket, key)
}

func (q *statements) prepare(ctx context.Context, db *sql.DB) (err error) {
	if q.describe, err = db.PrepareContext(ctx, "SELECT "+rowColumns+" FROM objects WHERE bucket = ? AND key = ?"); err != nil {
		return err
	}
	q.content, err = db.PrepareContext(ctx, "SELECT "+rowColumns+", data FROM objects LEFT JOIN contents ON file IS NULL AND object = objects.id WHERE bucket = ? AND key = ?")
	return err
}

func (q *statements) close() {
	for _, s := range []*sql.Stmt{q.describe, q.content} {
		if s != nil {
			s.Close() // of connections that are closed next
		}
	}
}

func scanStrings(rows *sql.Rows) ([]string, error) {
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, s)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
