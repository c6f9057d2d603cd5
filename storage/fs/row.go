package fs

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
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
	tag         []byte // MD5 of the contents or of the parts' MD5s; nil in rows of schema 1
	parts       *int64 // nil: it was put whole
	version     []byte // nil in rows of schema 1
	properties  []byte // JSON, or nil
}

const rowColumns = "objects.id, bucket, key, size, modified, expires, sha256, file, content_type, metadata, crc, tag, parts, version, properties"

func (r *row) fields() []any {
	return []any{&r.id, &r.bucket, &r.key, &r.size, &r.modified, &r.expires, &r.sum, &r.file, &r.contentType, &r.metadata, &r.crc, &r.tag, &r.parts, &r.version, &r.properties}
}

// properties are what few objects have, as the column has them.
type properties struct {
	Headers      storage.Headers `json:",omitzero"`
	StorageClass string          `json:",omitzero"`
	Digests      storage.Digests `json:",omitzero"` // without those of the next field and the tag
	SHA256       bool            `json:",omitzero"` // was announced
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers all columns but the id, each with its length. Rows of
// schema 1 have the checksum that they had.
func (r *row) checksum() int64 {
	b := make([]byte, 0, 512)
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
	if r.version != nil || r.tag != nil || r.parts != nil || r.properties != nil {
		text(r.tag)
		if r.parts != nil {
			b = binary.AppendVarint(append(b, 1), *r.parts)
		}
		text(r.version)
		text(r.properties)
	}
	return int64(crc32.Checksum(b, castagnoli))
}

// verify finds damage that left the database's structure whole.
func (r *row) verify() error {
	if r.crc != r.checksum() || len(r.sum) != sha256.Size || r.size < 0 || r.file != nil && len(*r.file) != 32 || r.tag != nil && len(r.tag) != md5.Size {
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

// etag is that of S3: the MD5 of what was put whole, or the MD5 of the parts'
// MD5s and their number. Rows of schema 1 keep the one that they had.
func (r *row) etag() string {
	switch {
	case r.tag == nil:
		return hex.EncodeToString(r.sum[:md5.Size])
	case r.parts != nil:
		return hex.EncodeToString(r.tag) + "-" + strconv.FormatInt(*r.parts, 10)
	}
	return hex.EncodeToString(r.tag)
}

// versionText is random, or, for rows of schema 1, what does not change
// between two reads of one put.
func (r *row) versionText() string {
	if r.version != nil {
		return hex.EncodeToString(r.version)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %x", r.id, r.modified, r.sum))
	return hex.EncodeToString(sum[:16])
}

func (r *row) object() (storage.Object, error) {
	o := storage.Object{
		Key:          string(r.key),
		Version:      r.versionText(),
		Size:         r.size,
		ETag:         r.etag(),
		SHA256:       hex.EncodeToString(r.sum),
		ContentType:  r.contentType,
		StorageClass: storage.Standard,
		Modified:     time.UnixMilli(r.modified).UTC(),
	}
	if r.expires != nil {
		o.Expires = time.UnixMilli(*r.expires).UTC()
	}
	if r.metadata != nil {
		if err := json.Unmarshal(r.metadata, &o.Metadata); err != nil {
			return o, fmt.Errorf("%w: metadata: %w", storage.ErrCorrupt, err)
		}
	}
	if r.properties != nil {
		var p properties
		if err := json.Unmarshal(r.properties, &p); err != nil {
			return o, fmt.Errorf("%w: properties: %w", storage.ErrCorrupt, err)
		}
		o.Headers, o.Digests = p.Headers, p.Digests
		if p.StorageClass != "" {
			o.StorageClass = p.StorageClass
		}
		if p.SHA256 {
			o.Digests.SHA256 = o.SHA256
		}
	}
	if r.tag != nil && r.parts == nil {
		o.Digests.MD5 = o.ETag
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
		tag:         s.tag,
		version:     make([]byte, 16),
	}
	rand.Read(r.version) // never fails
	if s.parts > 0 {
		r.parts = &s.parts
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
	if p := newProperties(s, options); p != (properties{}) {
		encoded, err := json.Marshal(p)
		if err != nil {
			return r, err
		}
		r.properties = encoded
	}
	r.crc = r.checksum()
	return r, nil
}

func newProperties(s staged, options storage.PutOptions) properties {
	p := properties{Headers: options.Headers, Digests: options.Digests, SHA256: options.Digests.SHA256 != ""}
	p.Digests.SHA256 = ""
	if s.parts == 0 && s.tag != nil {
		p.Digests.MD5 = "" // the tag
	}
	if !p.Headers.CacheExpiry.IsZero() {
		p.Headers.CacheExpiry = p.Headers.CacheExpiry.Truncate(time.Second).UTC()
	}
	if options.StorageClass != storage.Standard {
		p.StorageClass = options.StorageClass
	}
	return p
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
	result, err := tx.Exec("INSERT INTO objects (bucket, key, size, modified, expires, sha256, file, content_type, metadata, crc, tag, parts, version, properties) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.bucket, r.key, r.size, r.modified, r.expires, r.sum, r.file, r.contentType, r.metadata, r.crc, r.tag, r.parts, r.version, r.properties)
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
