package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mayfly/storage"
	"mayfly/storage/fs"
)

func newCatalog(t *testing.T, external ...External) (*Catalog, *fs.Store) {
	t.Helper()
	store, err := fs.Open(t.Context(), t.TempDir(), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Embedded: store, External: external, MaxBuckets: 5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return c, store
}

func names(t *testing.T, c *Catalog, tenant string) []string {
	t.Helper()
	list, err := c.List(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, b := range list {
		out = append(out, b.Name+" "+b.Backend)
	}
	return out
}

func put(t *testing.T, c *Catalog, tenant, bucket, key, content string) error {
	t.Helper()
	o, err := c.Open(t.Context(), tenant, bucket)
	if err != nil {
		return err
	}
	_, err = o.Put(t.Context(), key, strings.NewReader(content), storage.PutOptions{})
	return err
}

func want(t *testing.T, err, want error) {
	t.Helper()
	var e *storage.Error
	if !errors.Is(err, want) || !errors.As(err, &e) {
		t.Fatalf("%v, want %v", err, want)
	}
}

func TestTenants(t *testing.T) {
	ctx := t.Context()
	c, store := newCatalog(t)
	system, err := store.Bucket(ctx, "artifacts")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := system.Put(ctx, "secret", strings.NewReader("x"), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"", "ann", "bob"} {
		_, err := c.Open(ctx, tenant, "artifacts") // the program's own is nobody's
		want(t, err, storage.ErrNoSuchBucket)
		if err := c.Create(ctx, tenant, "artifacts"); err != nil {
			t.Fatal(err)
		}
		want(t, c.Create(ctx, tenant, "artifacts"), storage.ErrBucketExists)
		if err := put(t, c, tenant, "artifacts", "key", "of "+tenant); err != nil {
			t.Fatal(err)
		}
		want(t, c.Delete(ctx, tenant, "artifacts"), storage.ErrBucketNotEmpty)
	}
	for _, tenant := range []string{"", Anonymous, "ann", "bob"} {
		o, err := c.Open(ctx, tenant, "artifacts")
		if err != nil {
			t.Fatal(err)
		}
		l, err := o.List(ctx, storage.ListOptions{})
		if err != nil || len(l.Objects) != 1 {
			t.Fatalf("%+v, %v", l, err)
		}
		content, err := o.Get(ctx, "key", storage.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content.Body)
		content.Body.Close()
		if own := strings.TrimSuffix("of "+tenant, Anonymous); err != nil || string(got) != own {
			t.Fatalf("%q, %v", got, err)
		}
	}
	for _, bad := range []string{"", "ab", "../ann", "tenant:ann", "A", "a\x00b"} {
		want(t, c.Create(ctx, "bob", bad), storage.ErrInvalidBucket)
		_, err := c.Open(ctx, "bob", bad)
		want(t, err, storage.ErrInvalidBucket)
	}
	for i := range 4 {
		if err := c.Create(ctx, "ann", fmt.Sprint("more", i)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, c.Create(ctx, "ann", "one-more"), storage.ErrTooManyBuckets)
	if got := len(names(t, c, "ann")); got != 5 {
		t.Fatal(got)
	}
	if got := names(t, c, "bob"); !cmp.Equal(got, []string{"artifacts embedded"}) {
		t.Fatal(got)
	}
}

func TestDelete(t *testing.T) {
	ctx := t.Context()
	c, _ := newCatalog(t)
	o, err := c.OpenOrCreate(ctx, "ann", "files")
	if err != nil {
		t.Fatal(err)
	}
	upload, err := o.CreateUpload(ctx, "u", storage.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, c.Delete(ctx, "ann", "files"), storage.ErrBucketNotEmpty)
	if err := o.AbortUpload(ctx, "u", upload); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(ctx, "gone", strings.NewReader(strings.Repeat("x", 100<<10)), storage.PutOptions{Expires: time.Now().Add(-time.Second)}); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, "ann", "files"); err != nil {
		t.Fatal(err)
	}
	want(t, c.Delete(ctx, "ann", "files"), storage.ErrNoSuchBucket)
	if err := c.Create(ctx, "bob", "files"); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(ctx, "ann", "files"); err != nil {
		t.Fatal(err)
	}
	// The old handle reaches none of them.
	_, err = o.Put(ctx, "key", strings.NewReader("x"), storage.PutOptions{})
	want(t, err, storage.ErrNoSuchBucket)
	_, err = o.Head(ctx, "key")
	want(t, err, storage.ErrNoSuchBucket)
	_, err = o.CreateUpload(ctx, "key", storage.PutOptions{})
	want(t, err, storage.ErrNoSuchBucket)
	for _, tenant := range []string{"ann", "bob"} {
		fresh, err := c.Open(ctx, tenant, "files")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := fresh.List(ctx, storage.ListOptions{}); err != nil || len(l.Objects) != 0 {
			t.Fatal(l, err)
		}
	}
}

func TestExternal(t *testing.T) {
	ctx := t.Context()
	_, elsewhere := newCatalog(t)
	bucket := func(name string) storage.Objects {
		b, err := elsewhere.Bucket(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c, _ := newCatalog(t,
		External{Name: "mine", Backend: "s3", Objects: bucket("mine")},
		External{Name: "anns", Backend: "s3", Tenants: []string{"ann"}, Objects: bucket("anns")},
		External{Name: "all", Backend: "s3", Tenants: []string{Everybody}, ReadOnly: true, Objects: bucket("all")})
	for tenant, list := range map[string][]string{
		"": {"all s3", "mine s3"}, "ann": {"all s3", "anns s3"}, "bob": {"all s3"},
	} {
		if d := cmp.Diff(list, names(t, c, tenant), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s: %s", tenant, d)
		}
	}
	want(t, put(t, c, "bob", "anns", "key", "x"), storage.ErrNoSuchBucket)
	want(t, put(t, c, "ann", "all", "key", "x"), storage.ErrReadOnly)
	want(t, c.Delete(ctx, "ann", "anns"), storage.ErrConfigured)
	want(t, c.Create(ctx, "ann", "anns"), storage.ErrBucketExists)
	if err := put(t, c, "ann", "anns", "key", "x"); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(ctx, "bob", "anns"); err != nil { // a name that bob sees nothing behind
		t.Fatal(err)
	}
	o, err := c.Open(ctx, "ann", "anns")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := put(t, c, "ann", "anns", "key", "x"); err != nil {
		t.Fatalf("one user closed it for all: %v", err)
	}
	for _, bad := range [][]External{{{Name: "A"}}, {{Name: "twice", Objects: o}, {Name: "twice", Objects: o}}} {
		if _, err := New(Options{External: bad}); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// TestHammer creates, uses and deletes one bucket from many sides: whatever is
// acknowledged is in the bucket that was meant.
func TestHammer(t *testing.T) {
	c, _ := newCatalog(t)
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			tenant := fmt.Sprint("t", w%2)
			for i := range 40 {
				o, err := c.OpenOrCreate(context.Background(), tenant, "files")
				if errors.Is(err, storage.ErrNoSuchBucket) {
					continue // deleted three times in between
				}
				if err != nil {
					t.Error(err)
					return
				}
				key := fmt.Sprint(tenant, "/", w, "/", i)
				_, err = o.Put(context.Background(), key, strings.NewReader("x"), storage.PutOptions{})
				if errors.Is(err, storage.ErrNoSuchBucket) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := o.Head(context.Background(), key); err != nil {
					t.Errorf("it was put, and the bucket can't be deleted: %v", err)
				}
				l, err := o.List(context.Background(), storage.ListOptions{})
				if err != nil {
					t.Error(err)
				}
				for _, object := range l.Objects {
					if !strings.HasPrefix(object.Key, tenant+"/") {
						t.Errorf("%s sees %s", tenant, object.Key)
					}
				}
				if err := o.Delete(context.Background(), key); err != nil {
					t.Error(err)
				}
				if err := c.Delete(context.Background(), tenant, "files"); err != nil && !errors.Is(err, storage.ErrBucketNotEmpty) && !errors.Is(err, storage.ErrNoSuchBucket) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
