package meta

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// Tokens are 256 random bits, so one round of SHA-256 hides them as well as a
// slow hash would: there is nothing to guess.
const (
	tokenPrefix = "mf_"
	tokenBytes  = 32
)

var tokenLength = len(tokenPrefix) + base64.RawURLEncoding.EncodedLen(tokenBytes)

// A keyRow is a row of the table keys.
type keyRow struct {
	id                        string
	hash                      []byte
	name, tenant              string
	created, expires, revoked int64
	lastUsed                  int64
	crc                       int64
}

const keyColumns = "id, hash, name, tenant, created, expires, revoked, last_used, crc"

func (r *keyRow) fields() []any {
	return []any{&r.id, &r.hash, &r.name, &r.tenant, &r.created, &r.expires, &r.revoked, &r.lastUsed, &r.crc}
}

func (r *keyRow) checksum() int64 {
	return checksum(r.id, r.hash, r.name, r.tenant, r.created, r.expires, r.revoked)
}

func (r *keyRow) key() (Key, error) {
	if r.crc != r.checksum() {
		return Key{}, fmt.Errorf("%w: a key fails its checksum", storage.ErrCorrupt)
	}
	return Key{
		ID: r.id, Name: r.name, Tenant: r.tenant,
		CreatedAt: fromMilliseconds(r.created),
		ExpiresAt: fromMilliseconds(r.expires),
		RevokedAt: fromMilliseconds(r.revoked),
		LastUsed:  fromMilliseconds(r.lastUsed),
	}, nil
}

// A keyCache remembers keys that were found, for a short time.
type keyCache struct {
	lifetime time.Duration

	mu    sync.Mutex
	found map[[sha256.Size]byte]cachedKey
}

type cachedKey struct {
	key  Key
	hash []byte
	at   time.Time
}

// maxCached bounds the cache; there are seldom more keys.
const maxCached = 4096

func (c *keyCache) init(lifetime time.Duration) {
	c.lifetime = lifetime
	c.found = map[[sha256.Size]byte]cachedKey{}
}

func (c *keyCache) get(hash [sha256.Size]byte, now time.Time) (cachedKey, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.found[hash]
	age := now.Sub(k.at)
	return k, ok && age >= 0 && age < c.lifetime
}

func (c *keyCache) put(hash [sha256.Size]byte, k cachedKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.found) >= maxCached {
		clear(c.found)
	}
	c.found[hash] = k
}

func (c *keyCache) clear() {
	c.mu.Lock()
	clear(c.found)
	c.mu.Unlock()
}

// CreateKey implements [Keys].
func (s *Store) CreateKey(ctx context.Context, name, tenant string, expires time.Time) (Key, string, error) {
	var secret [tokenBytes]byte
	var id [8]byte
	rand.Read(secret[:]) // never fails
	rand.Read(id[:])
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	hash := sha256.Sum256([]byte(token))
	r := keyRow{
		id: "key_" + hex.EncodeToString(id[:]), hash: hash[:], name: name, tenant: tenant,
		created: s.options.Now().UnixMilli(), expires: milliseconds(expires),
	}
	r.crc = r.checksum()
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec("INSERT INTO keys ("+keyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			r.id, r.hash, r.name, r.tenant, r.created, r.expires, r.revoked, r.lastUsed, r.crc)
		return err
	})
	if err != nil {
		return Key{}, "", s.fail("create key", name, err)
	}
	k, err := r.key()
	return k, token, err
}

// Authenticate implements [Keys].
func (s *Store) Authenticate(ctx context.Context, token string) (Key, error) {
	k, err := s.authenticate(ctx, token)
	if err != nil {
		return Key{}, s.fail("authenticate", "", err)
	}
	return k, nil
}

func (s *Store) authenticate(ctx context.Context, token string) (Key, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, err
	}
	if len(token) != tokenLength || !strings.HasPrefix(token, tokenPrefix) {
		return Key{}, ErrUnauthorized
	}
	hash := sha256.Sum256([]byte(token))
	now := s.options.Now()
	c, ok := s.keys.get(hash, now)
	if !ok {
		var r keyRow
		err := s.findKey.QueryRowContext(context.Background(), hash[:]).Scan(r.fields()...)
		if errors.Is(err, sql.ErrNoRows) {
			return Key{}, ErrUnauthorized
		}
		if err != nil {
			return Key{}, err
		}
		k, err := r.key()
		if err != nil {
			return Key{}, err
		}
		c = cachedKey{k, r.hash, now}
		s.keys.put(hash, c)
	}
	// The lookup went by the hash; comparing it again in constant time makes
	// that independent of how the index compares.
	if subtle.ConstantTimeCompare(c.hash, hash[:]) != 1 {
		return Key{}, ErrUnauthorized
	}
	if !c.key.RevokedAt.IsZero() || !c.key.ExpiresAt.IsZero() && !now.Before(c.key.ExpiresAt) {
		return Key{}, ErrUnauthorized
	}
	if now.Sub(c.key.LastUsed) >= time.Minute {
		c.key.LastUsed = now
		s.keys.put(hash, c)
		s.queue.touch(c.key.ID, now)
	}
	return c.key, nil
}

// Keys implements [Keys].
func (s *Store) Keys(ctx context.Context) ([]Key, error) {
	keys, err := s.listKeys(ctx)
	if err != nil {
		return nil, s.fail("list keys", "", err)
	}
	return keys, nil
}

func (s *Store) listKeys(ctx context.Context) ([]Key, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT "+keyColumns+" FROM keys ORDER BY created, id")
	if err != nil {
		return nil, err
	}
	var out []Key
	for rows.Next() {
		var r keyRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		k, err := r.key()
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, k)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// RevokeKey implements [Keys].
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		var r keyRow
		err := tx.QueryRow("SELECT "+keyColumns+" FROM keys WHERE id = ?", []any{id}, r.fields()...)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err := r.key(); err != nil {
			return err
		}
		if r.revoked != 0 {
			return nil
		}
		r.revoked = s.options.Now().UnixMilli()
		_, err = tx.Exec("UPDATE keys SET revoked = ?, crc = ? WHERE id = ?", r.revoked, r.checksum(), id)
		return err
	})
	s.keys.clear()
	if err != nil {
		return s.fail("revoke key", id, err)
	}
	return nil
}
