package embedded

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"mayfly/storage"
	"mayfly/storage/kv"
	"mayfly/storage/sqlite"
)

// A namespace implements [kv.Namespace].
type namespace struct {
	store *Store
	owner owner
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An entry is a row without its value.
type entry struct {
	key      []byte
	expires  *int64
	metadata []byte
	valueCRC int64
	crc      int64
}

const entryColumns = "key, expires, metadata, value_crc, crc"

func (e *entry) fields() []any { return []any{&e.key, &e.expires, &e.metadata, &e.valueCRC, &e.crc} }

// checksum covers the columns but crc itself, each with its length.
func (e *entry) checksum(namespace int64) int64 {
	b := make([]byte, 0, 256)
	b = binary.AppendVarint(b, namespace)
	b = append(binary.AppendUvarint(b, uint64(len(e.key))), e.key...)
	if e.expires != nil {
		b = binary.AppendVarint(append(b, 1), *e.expires)
	}
	if e.metadata != nil {
		b = append(binary.AppendUvarint(append(b, 2), uint64(len(e.metadata))), e.metadata...)
	}
	b = binary.AppendVarint(b, e.valueCRC)
	return int64(crc32.Checksum(b, castagnoli))
}

func (e *entry) verify(namespace int64) error {
	if e.crc != e.checksum(namespace) {
		return fmt.Errorf("%w: the description of %q fails its checksum", storage.ErrCorrupt, e.key)
	}
	return nil
}

func (e *entry) expired(now int64) bool { return e.expires != nil && *e.expires <= now }

func (e *entry) expiration() time.Time {
	if e.expires == nil {
		return time.Time{}
	}
	return time.Unix(*e.expires, 0).UTC()
}

// fail puts an error into its final form.
func (n *namespace) fail(op, key string, err error) error {
	var known *storage.Error
	if errors.As(err, &known) {
		return err
	}
	return &storage.Error{Op: op, Bucket: n.owner.name, Key: key, Err: sqlite.Classify(err)}
}

// ready checks that the store can be used, and the keys.
func (n *namespace) ready(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.store.closed.Load() {
		return storage.ErrClosed
	}
	for _, key := range keys {
		if err := kv.ValidateKey(key); err != nil {
			return err
		}
	}
	return nil
}

// id is the namespace's number; errNoRows if nothing was ever put into it.
func (n *namespace) id(ctx context.Context) (int64, error) {
	if id := n.store.known(n.owner); id != 0 {
		return id, nil
	}
	var id int64
	err := n.store.db.Reader().QueryRowContext(ctx, "SELECT id FROM namespaces WHERE tenant = ? AND name = ?", n.owner.tenant, n.owner.name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errNoRows
	}
	if err == nil {
		n.store.knows(n.owner, id)
	}
	return id, err
}

// Get implements [kv.Namespace].
func (n *namespace) Get(ctx context.Context, limit int64, keys ...string) ([]kv.Entry, error) {
	list, err := n.get(ctx, limit, keys)
	if err != nil {
		key := ""
		if len(keys) == 1 {
			key = keys[0]
		}
		return nil, n.fail("get", key, err)
	}
	return list, nil
}

func (n *namespace) get(ctx context.Context, limit int64, keys []string) ([]kv.Entry, error) {
	if err := n.ready(ctx, keys...); err != nil {
		return nil, err
	}
	list := make([]kv.Entry, len(keys))
	id, err := n.id(ctx)
	if errors.Is(err, errNoRows) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	tx, err := n.store.db.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // nothing was written
	now := n.store.now()
	var total int64
	for i, key := range keys {
		var e entry
		var size int64
		err := tx.QueryRowContext(ctx, "SELECT "+entryColumns+", length(value) FROM entries WHERE namespace = ? AND key = ?", id, []byte(key)).Scan(append(e.fields(), &size)...)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := e.verify(id); err != nil {
			return nil, err
		}
		if e.expired(now) {
			continue
		}
		if total += size; limit > 0 && total > limit {
			return nil, fmt.Errorf("%w: the values have more than %d bytes", kv.ErrTooLarge, limit)
		}
		value := make([]byte, 0, size)
		if err := tx.QueryRowContext(ctx, "SELECT value FROM entries WHERE namespace = ? AND key = ?", id, []byte(key)).Scan(&value); err != nil {
			return nil, err
		}
		if int64(crc32.Checksum(value, castagnoli)) != e.valueCRC {
			return nil, fmt.Errorf("%w: the value of %q fails its checksum", storage.ErrCorrupt, key)
		}
		if value == nil {
			value = []byte{}
		}
		list[i] = kv.Entry{Found: true, Value: value, Metadata: e.metadata, Expiration: e.expiration()}
	}
	return list, nil
}

// Put implements [kv.Namespace].
func (n *namespace) Put(ctx context.Context, key string, value []byte, options kv.PutOptions) error {
	if err := n.put(ctx, key, value, options); err != nil {
		return n.fail("put", key, err)
	}
	return nil
}

func (n *namespace) put(ctx context.Context, key string, value []byte, options kv.PutOptions) error {
	if err := n.ready(ctx, key); err != nil {
		return err
	}
	if err := options.Validate(value); err != nil {
		return err
	}
	if value == nil {
		value = []byte{}
	}
	e := entry{key: []byte(key), metadata: options.Metadata, valueCRC: int64(crc32.Checksum(value, castagnoli))}
	if !options.Expiration.IsZero() {
		at := options.Expiration.Unix()
		e.expires = &at
	}
	id := n.store.known(n.owner)
	made := int64(0)
	err := n.store.db.Update(ctx, func(tx *sqlite.Tx) error {
		id := id
		if id == 0 {
			if _, err := tx.Exec("INSERT OR IGNORE INTO namespaces (tenant, name) VALUES (?, ?)", n.owner.tenant, n.owner.name); err != nil {
				return err
			}
			if err := tx.QueryRow("SELECT id FROM namespaces WHERE tenant = ? AND name = ?", []any{n.owner.tenant, n.owner.name}, &id); err != nil {
				return err
			}
		}
		made = id
		_, err := tx.Exec("INSERT OR REPLACE INTO entries (namespace, "+entryColumns+", value) VALUES (?, ?, ?, ?, ?, ?, ?)",
			id, e.key, e.expires, e.metadata, e.valueCRC, e.checksum(id), value)
		return err
	})
	if err == nil && id == 0 {
		n.store.knows(n.owner, made)
	}
	return err
}

// Delete implements [kv.Namespace].
func (n *namespace) Delete(ctx context.Context, key string) error {
	err := n.ready(ctx, key)
	var id int64
	if err == nil {
		id, err = n.id(ctx)
	}
	switch {
	case errors.Is(err, errNoRows):
		return nil
	case err == nil:
		err = n.store.db.Update(ctx, func(tx *sqlite.Tx) error {
			_, err := tx.Exec("DELETE FROM entries WHERE namespace = ? AND key = ?", id, []byte(key))
			return err
		})
	}
	if err != nil {
		return n.fail("delete", key, err)
	}
	return nil
}

// List implements [kv.Namespace].
func (n *namespace) List(ctx context.Context, options kv.ListOptions) (kv.Listing, error) {
	l, err := n.list(ctx, options)
	if err != nil {
		return kv.Listing{}, n.fail("list", options.Prefix, err)
	}
	return l, nil
}

func (n *namespace) list(ctx context.Context, options kv.ListOptions) (l kv.Listing, err error) {
	if err := n.ready(ctx); err != nil {
		return l, err
	}
	if len(options.Prefix) > kv.MaxKeyLength {
		return l, fmt.Errorf("%w: the prefix has %d bytes, at most %d are allowed", kv.ErrInvalidKey, len(options.Prefix), kv.MaxKeyLength)
	}
	limit := options.Limit
	if limit <= 0 || limit > kv.MaxListLimit {
		limit = kv.MaxListLimit
	}
	from := []byte(options.Prefix)
	if options.Cursor != "" {
		if from, err = decodeCursor(options.Cursor, options.Prefix); err != nil {
			return l, err
		}
	}
	id, err := n.id(ctx)
	if errors.Is(err, errNoRows) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	// One more than is wanted shows whether there is another page.
	rows, err := n.store.db.Reader().QueryContext(ctx, "SELECT "+entryColumns+" FROM entries WHERE namespace = ? AND key >= ? AND key < ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?",
		id, from, beyond(options.Prefix), n.store.now(), limit+1)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e entry
		if err := rows.Scan(e.fields()...); err != nil {
			return l, err
		}
		if err := e.verify(id); err != nil {
			return l, err
		}
		if len(l.Keys) == limit {
			l.Cursor = encodeCursor(l.Keys[limit-1].Name)
			break
		}
		l.Keys = append(l.Keys, kv.Key{Name: string(e.key), Metadata: e.metadata, Expiration: e.expiration()})
	}
	return l, rows.Err()
}

// beyond is behind all keys with a prefix. Keys are UTF-8, so no byte of one
// is 0xff.
func beyond(prefix string) []byte {
	p := []byte(prefix)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			p[i]++
			return p[:i+1]
		}
	}
	return []byte{0xff}
}

const cursorVersion = 1

// encodeCursor names the last key of a page. Its checksum tells a mangled one
// from a good one; it is no secret, for it opens nothing that the prefix doesn't.
func encodeCursor(last string) string {
	b := append([]byte{cursorVersion}, last...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor is where the list with the prefix goes on: never before the
// prefix.
func decodeCursor(cursor, prefix string) ([]byte, error) {
	if len(cursor) > base64.RawURLEncoding.EncodedLen(kv.MaxKeyLength+5) {
		return nil, fmt.Errorf("%w: it is too long", storage.ErrInvalidCursor)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 5 || b[0] != cursorVersion {
		return nil, storage.ErrInvalidCursor
	}
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if binary.LittleEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
		return nil, fmt.Errorf("%w: its checksum is wrong", storage.ErrInvalidCursor)
	}
	return []byte(max(string(body[1:])+"\x00", prefix)), nil
}
