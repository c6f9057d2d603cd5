// Package catalog finds a tenant's buckets by name: those of the embedded
// store, which tenants make and delete, and those of other stores, which the
// operator configures.
package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mayfly/storage"
	"mayfly/storage/fs"
)

// Anonymous is the tenant of whoever needs no key: the empty name means it
// too, as it does where programs are run.
const Anonymous = "default"

// Everybody, as one of [External].Tenants, stands for all tenants.
const Everybody = "*"

// DefaultMaxBuckets is how many buckets a tenant can make.
const DefaultMaxBuckets = 1000

// Options configure a catalog. Embedded is required.
type Options struct {
	Embedded   *fs.Store
	External   []External
	MaxBuckets int // of a tenant, in the embedded store; 0: DefaultMaxBuckets
}

// An External bucket is in another store.
type External struct {
	Name     string
	Backend  string   // "s3", ...
	Tenants  []string // who may use it; empty: only Anonymous
	ReadOnly bool
	Objects  storage.Objects // the catalog closes it
}

// A Bucket describes one to the tenant who may use it.
type Bucket struct {
	Name     string
	Backend  string    // "embedded", or as the configuration says
	Created  time.Time // zero where that is not known
	ReadOnly bool
}

// Embedded is the backend of buckets in the embedded store.
const Embedded = "embedded"

// A Catalog is safe for concurrent use.
type Catalog struct {
	options  Options
	external map[string]*External
}

// New checks the external buckets and makes a catalog of them and the embedded
// store.
//
// # Errors
//
// ErrInvalidBucket for a bad name, ErrBucketExists for one that is there twice.
func New(options Options) (*Catalog, error) {
	if options.MaxBuckets == 0 {
		options.MaxBuckets = DefaultMaxBuckets
	}
	c := &Catalog{options: options, external: map[string]*External{}}
	for _, e := range options.External {
		if err := storage.ValidateBucket(e.Name); err != nil {
			return nil, &storage.Error{Op: "configure bucket", Bucket: e.Name, Err: err}
		}
		if c.external[e.Name] != nil {
			return nil, &storage.Error{Op: "configure bucket", Bucket: e.Name, Err: storage.ErrBucketExists}
		}
		if e.ReadOnly {
			e.Objects = storage.ReadOnly(e.Objects)
		}
		c.external[e.Name] = &e
	}
	return c, nil
}

func canonical(tenant string) string {
	if tenant == "" {
		return Anonymous
	}
	return tenant
}

func (e *External) allows(tenant string) bool {
	if len(e.Tenants) == 0 {
		return tenant == Anonymous
	}
	for _, t := range e.Tenants {
		if t == Everybody || canonical(t) == tenant {
			return true
		}
	}
	return false
}

// configured is the external bucket of that name that the tenant may use.
func (c *Catalog) configured(tenant, name string) *External {
	if e := c.external[name]; e != nil && e.allows(canonical(tenant)) {
		return e
	}
	return nil
}

// embedded is the tenant's own namespace.
func (c *Catalog) embedded(tenant string) *fs.Namespace {
	return c.options.Embedded.Namespace("tenant:" + canonical(tenant))
}

// Open opens a tenant's bucket. The caller need not close it.
//
// # Errors
//
// ErrNoSuchBucket, also for a bucket of other tenants; ErrInvalidBucket.
func (c *Catalog) Open(ctx context.Context, tenant, name string) (storage.Objects, error) {
	if e := c.configured(tenant, name); e != nil {
		return shared{e.Objects}.objects(), nil
	}
	return c.embedded(tenant).Open(ctx, name)
}

// OpenOrCreate opens a tenant's bucket, and makes it in the embedded store if
// there is none.
//
// # Errors
//
// Those of Open and Create, but for ErrNoSuchBucket and ErrBucketExists.
func (c *Catalog) OpenOrCreate(ctx context.Context, tenant, name string) (storage.Objects, error) {
	for range 3 { // it may be deleted in between
		o, err := c.Open(ctx, tenant, name)
		if !errors.Is(err, storage.ErrNoSuchBucket) {
			return o, err
		}
		if err := c.Create(ctx, tenant, name); err != nil && !errors.Is(err, storage.ErrBucketExists) {
			return nil, err
		}
	}
	return c.Open(ctx, tenant, name)
}

// Create makes a bucket in the embedded store.
//
// # Errors
//
// ErrBucketExists, ErrInvalidBucket, ErrTooManyBuckets, ErrNoSpace,
// ErrReadOnly.
func (c *Catalog) Create(ctx context.Context, tenant, name string) error {
	if c.configured(tenant, name) != nil {
		return &storage.Error{Op: "create bucket", Bucket: name, Err: storage.ErrBucketExists}
	}
	return c.embedded(tenant).Create(ctx, name, c.options.MaxBuckets)
}

// Delete removes a bucket of the embedded store, if it is empty.
//
// # Errors
//
// ErrNoSuchBucket, ErrBucketNotEmpty, ErrConfigured for one of another store.
func (c *Catalog) Delete(ctx context.Context, tenant, name string) error {
	if c.configured(tenant, name) != nil {
		return &storage.Error{Op: "delete bucket", Bucket: name, Err: storage.ErrConfigured, Hint: "take it out of the configuration"}
	}
	return c.embedded(tenant).Delete(ctx, name)
}

// Get describes one bucket.
//
// # Errors
//
// ErrNoSuchBucket, ErrInvalidBucket.
func (c *Catalog) Get(ctx context.Context, tenant, name string) (Bucket, error) {
	if e := c.configured(tenant, name); e != nil {
		return e.bucket(), nil
	}
	info, err := c.embedded(tenant).Get(ctx, name)
	return Bucket{Name: info.Name, Backend: Embedded, Created: info.Created}, err
}

// List lists the buckets that a tenant may use, by name.
func (c *Catalog) List(ctx context.Context, tenant string) ([]Bucket, error) {
	own, err := c.embedded(tenant).List(ctx)
	if err != nil {
		return nil, err
	}
	list := []Bucket{}
	for _, info := range own {
		if c.configured(tenant, info.Name) == nil { // else it is hidden
			list = append(list, Bucket{Name: info.Name, Backend: Embedded, Created: info.Created})
		}
	}
	for name, e := range c.external {
		if c.configured(tenant, name) != nil {
			list = append(list, e.bucket())
		}
	}
	slices.SortFunc(list, func(a, b Bucket) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (e *External) bucket() Bucket {
	return Bucket{Name: e.Name, Backend: e.Backend, ReadOnly: e.ReadOnly}
}

// Close closes the external buckets; the embedded store is its opener's.
func (c *Catalog) Close() error {
	var errs []error
	for name, e := range c.external {
		if err := e.Objects.Close(); err != nil {
			errs = append(errs, fmt.Errorf("bucket %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// shared is an external bucket that one of its users can't close for all.
type shared struct{ storage.Objects }

func (shared) Close() error { return nil }

type sharedPresigner struct {
	shared
	storage.Presigner
}

func (s shared) objects() storage.Objects {
	if signer, ok := s.Objects.(storage.Presigner); ok {
		return sharedPresigner{s, signer}
	}
	return s
}
