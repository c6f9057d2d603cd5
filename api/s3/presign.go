package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// A Presigner makes URLs that need no credentials, of an endpoint at a URL.
type Presigner struct {
	Keyring Keyring
	Base    *url.URL // of the endpoint, without a path
	Now     func() time.Time

	mu sync.Mutex // of two that need a tenant's signer first, one makes it
}

// MaxPresigned is how long a presigned URL can work.
const MaxPresigned = maxPresigned

// Presign makes a URL at which method can be done on an object until expires
// from now, in whole seconds and at most [MaxPresigned].
func (p *Presigner) Presign(ctx context.Context, tenant, method, bucket, key string, expires time.Duration) (string, error) {
	if expires < time.Second || expires > maxPresigned {
		return "", fmt.Errorf("s3: presign for %v: expected a second to a week", expires)
	}
	p.mu.Lock()
	c, err := p.Keyring.signer(ctx, tenant)
	p.mu.Unlock()
	if err != nil {
		return "", err
	}
	now := p.Now().UTC()
	g := &signature{scope: now.Format(dayFormat) + "/auto/s3/" + terminator, time: now}
	path := "/" + escape(bucket, false) + "/" + escape(key, true)
	q := query{
		{"X-Amz-Algorithm", algorithm}, {"X-Amz-Credential", c.ID + "/" + g.scope}, {"X-Amz-Date", now.Format(timeFormat)},
		{"X-Amz-Expires", fmt.Sprint(int64(expires / time.Second))}, {"X-Amz-SignedHeaders", "host"},
	}.canonical("")
	canonical := method + "\n" + path + "\n" + q + "\nhost:" + p.Base.Host + "\n\nhost\n" + unsigned
	given := sign(signingKey(c.Secret, now.Format(dayFormat), "auto"), g.stringToSign(canonical))
	return p.Base.Scheme + "://" + p.Base.Host + path + "?" + q + "&X-Amz-Signature=" + given, nil
}

// signer is the credential that signs a tenant's presigned URLs. Whoever deletes
// it ends them all.
func (k Keyring) signer(ctx context.Context, tenant string) (Credential, error) {
	sum := sha256.Sum256([]byte(tenant))
	id := "MFSIGN" + hex.EncodeToString(sum[:12])
	c, err := k.Credential(ctx, id)
	if errors.Is(err, ErrNoCredential) {
		return k.put(ctx, id, "presigned URLs", tenant)
	}
	return c, err
}
