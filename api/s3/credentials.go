package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"time"

	"mayfly/host/secret"
)

// A Credential is what requests are signed with.
type Credential struct {
	ID      string // the access key
	Secret  string // the secret key; empty in lists
	Name    string // what it is for
	Tenant  string // whose buckets it opens
	Created time.Time
}

// ErrNoCredential is an access key that there is not.
var ErrNoCredential = errors.New("there is no such access key")

// Credentials finds credentials; *[Keyring] is one.
type Credentials interface {
	// Credential finds one by its access key. ErrNoCredential if there is none.
	Credential(ctx context.Context, id string) (Credential, error)
}

// A Keyring keeps credentials among the sealed secrets: a server has to know
// secret keys to check signatures.
type Keyring struct{ Secrets *secret.Store }

// keyringTenant is not the name of a tenant.
const keyringTenant = "\x00s3"

const idPrefix = "MF"

// Create makes a credential for a tenant.
func (k Keyring) Create(ctx context.Context, name, tenant string) (Credential, error) {
	return k.put(ctx, idPrefix+rand.Text()[:18], name, tenant)
}

func (k Keyring) put(ctx context.Context, id, name, tenant string) (Credential, error) {
	var random [30]byte
	rand.Read(random[:])
	c := Credential{ID: id, Secret: base64.RawURLEncoding.EncodeToString(random[:]), Name: name, Tenant: tenant}
	info, err := k.Secrets.Put(ctx, keyringTenant, c.ID, c.Secret+"\n"+c.Tenant+"\n"+c.Name)
	c.Created = info.Created
	return c, err
}

// Credential implements [Credentials].
func (k Keyring) Credential(ctx context.Context, id string) (Credential, error) {
	value, err := k.Secrets.Value(ctx, keyringTenant, id)
	if errors.Is(err, secret.ErrNotFound) {
		return Credential{}, ErrNoCredential
	}
	if err != nil {
		return Credential{}, err
	}
	parts := strings.SplitN(value, "\n", 3)
	if len(parts) != 3 {
		return Credential{}, ErrNoCredential
	}
	return Credential{ID: id, Secret: parts[0], Tenant: parts[1], Name: parts[2]}, nil
}

// List lists all credentials, without their secret keys.
func (k Keyring) List(ctx context.Context) ([]Credential, error) {
	infos, err := k.Secrets.List(ctx, keyringTenant)
	if err != nil {
		return nil, err
	}
	var list []Credential
	for _, info := range infos {
		c, err := k.Credential(ctx, info.Name)
		if errors.Is(err, ErrNoCredential) { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		c.Secret, c.Created = "", info.Created
		list = append(list, c)
	}
	return list, nil
}

// Delete ends a credential. ErrNoCredential if there is none.
func (k Keyring) Delete(ctx context.Context, id string) error {
	err := k.Secrets.Delete(ctx, keyringTenant, id)
	if errors.Is(err, secret.ErrNotFound) {
		return ErrNoCredential
	}
	return err
}

// keyCache remembers credentials for a moment: requests come in thousands.
type keyCache struct {
	mu      sync.Mutex
	found   map[[sha256.Size]byte]cachedKey
	derived map[derivation][]byte
}

// A derivation is what a signing key is made of.
type derivation struct{ secret, day, region string }

// signingKey is the key of a day and a region, which many requests share.
func (c *keyCache) signingKey(secret, day, region string) []byte {
	if len(region) > maxRegion {
		return signingKey(secret, day, region)
	}
	d := derivation{secret, day, region}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := c.derived[d]
	if key == nil {
		if len(c.derived) >= maxKeys || c.derived == nil {
			c.derived = map[derivation][]byte{}
		}
		key = signingKey(secret, day, region)
		c.derived[d] = key
	}
	return key
}

type cachedKey struct {
	credential Credential
	until      time.Time
}

const (
	keyFor    = time.Second
	maxKeys   = 1024
	maxRegion = 64 // bytes of one whose keys are remembered
)

// credential finds a credential, as it was a second ago at the latest.
func (s *Server) credential(ctx context.Context, id string) (Credential, error) {
	if len(id) > secret.MaxName {
		return Credential{}, errUnknownKey
	}
	name, now := sha256.Sum256([]byte(id)), time.Now()
	s.keys.mu.Lock()
	c, ok := s.keys.found[name]
	s.keys.mu.Unlock()
	if ok && now.Before(c.until) {
		return c.credential, nil
	}
	found, err := s.options.Credentials.Credential(ctx, id)
	if errors.Is(err, ErrNoCredential) {
		return Credential{}, errUnknownKey
	}
	if err != nil {
		return Credential{}, err
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if len(s.keys.found) >= maxKeys || s.keys.found == nil {
		s.keys.found = map[[sha256.Size]byte]cachedKey{}
	}
	s.keys.found[name] = cachedKey{found, now.Add(keyFor)}
	return found, nil
}
