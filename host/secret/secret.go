// Package secret keeps the values that programs may use and not see: sealed at
// rest, given to the egress of a tenant's own executions, and to no reader.
package secret

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mayfly/storage/meta"
)

// Limits of secrets.
const (
	MaxName   = 100      // bytes
	MaxValue  = 32 << 10 // bytes
	MaxTenant = 1000     // secrets of one tenant
)

// What can go wrong. An [*Error] wraps these, or an error of the records.
var (
	ErrNotFound = errors.New("there is no such secret")
	ErrName     = fmt.Errorf("a secret's name has up to %d characters of A-Z a-z 0-9 _ and begins with none of 0-9", MaxName)
	ErrValue    = fmt.Errorf("a secret's value has 1 to %d bytes", MaxValue)
	ErrTooMany  = fmt.Errorf("there are %d secrets already", MaxTenant)
	ErrKey      = errors.New("the secret was sealed with another key")
)

// An Error is what failed on which secret. It never holds a value.
type Error struct {
	Op   string // put, value, list, delete, open
	Name string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s secret %q: %v", e.Op, e.Name, e.Err) }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// An Info describes a secret. There is no way to read its value from outside.
type Info struct {
	Name    string
	Created time.Time
	Updated time.Time
}

// KeySize is the size of the key that seals, in bytes.
const KeySize = 32

// A Store keeps secrets. It is safe for concurrent use, also by processes that
// share records and key.
type Store struct {
	records meta.Secrets
	aead    cipher.AEAD
}

// New makes a store of records whose values are sealed with a key of [KeySize]
// bytes.
func New(records meta.Secrets, key []byte) (*Store, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("secret: the key has %d bytes, expected %d", len(key), KeySize)
	}
	// The file's key is for this purpose alone.
	derived, err := hkdf.Key(sha256.New, key, nil, "mayfly secrets 1", KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Store{records: records, aead: aead}, nil
}

// CheckName says what is wrong with a name: [ErrName] or nothing.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || name[0] >= '0' && name[0] <= '9' {
		return ErrName
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return ErrName
		}
	}
	return nil
}

// sealed values begin with this byte.
const sealedVersion = 1

// bound is what a sealed value belongs to: it opens nowhere else.
func bound(tenant, name string) []byte { return []byte(tenant + "\x00" + name) }

// Put keeps a value under a name, in place of the one before. It is durable
// when the call returns.
//
// # Errors
//
// An [*Error] that wraps ErrName, ErrValue, ErrTooMany, or an error of the
// records.
func (s *Store) Put(ctx context.Context, tenant, name, value string) (Info, error) {
	err := CheckName(name)
	if err == nil && (value == "" || len(value) > MaxValue) {
		err = ErrValue
	}
	var r meta.Secret
	if err == nil {
		sealed := s.aead.Seal([]byte{sealedVersion}, nil, []byte(value), bound(tenant, name))
		r, err = s.records.PutSecret(ctx, tenant, name, sealed, MaxTenant)
	}
	if errors.Is(err, meta.ErrTooMany) {
		err = ErrTooMany
	}
	if err != nil {
		return Info{}, &Error{"put", name, err}
	}
	return info(r), nil
}

// Value opens a secret. It is for the host's own use; what a guest may see of it
// is for the caller to decide.
//
// # Errors
//
// An [*Error] that wraps ErrNotFound, ErrKey, or an error of the records.
func (s *Store) Value(ctx context.Context, tenant, name string) (string, error) {
	if CheckName(name) != nil {
		return "", &Error{"value", name, ErrNotFound}
	}
	r, err := s.records.Secret(ctx, tenant, name)
	if err != nil {
		return "", &Error{"value", name, known(err)}
	}
	if len(r.Sealed) == 0 || r.Sealed[0] != sealedVersion {
		return "", &Error{"value", name, ErrKey}
	}
	value, err := s.aead.Open(nil, nil, r.Sealed[1:], bound(tenant, name))
	if err != nil {
		return "", &Error{"value", name, ErrKey}
	}
	return string(value), nil
}

// Get describes a secret. Its errors are those of Value but ErrKey.
func (s *Store) Get(ctx context.Context, tenant, name string) (Info, error) {
	r, err := s.records.Secret(ctx, tenant, name)
	if err != nil {
		return Info{}, &Error{"get", name, known(err)}
	}
	return info(r), nil
}

// List describes a tenant's secrets, by name.
func (s *Store) List(ctx context.Context, tenant string) ([]Info, error) {
	records, err := s.records.Secrets(ctx, tenant)
	if err != nil {
		return nil, &Error{"list", "", err}
	}
	list := make([]Info, len(records))
	for i, r := range records {
		list[i] = info(r)
	}
	return list, nil
}

// Delete removes a secret. ErrNotFound if there is none.
func (s *Store) Delete(ctx context.Context, tenant, name string) error {
	if err := s.records.DeleteSecret(ctx, tenant, name); err != nil {
		return &Error{"delete", name, known(err)}
	}
	return nil
}

func known(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return ErrNotFound
	}
	return err
}

func info(r meta.Secret) Info { return Info{Name: r.Name, Created: r.Created, Updated: r.Updated} }

// LoadKey reads the key of a file, which is made, for its owner alone, if there
// is none.
func LoadKey(path string) ([]byte, error) {
	for {
		key, err := os.ReadFile(path)
		if err == nil && len(key) != KeySize {
			return nil, fmt.Errorf("secret: %s has %d bytes, expected a key of %d", path, len(key), KeySize)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return key, err
		}
		if err := makeKey(path); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
}

// makeKey makes a key's file, whole or not at all. Of racing processes one does,
// the others get os.ErrExist.
func makeKey(path string) (err error) {
	key := make([]byte, KeySize)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // for its owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
