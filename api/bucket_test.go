package api

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mayfly/storage"
	"mayfly/storage/catalog"
	"mayfly/storage/fs"
)

// newTestBuckets is a real catalog, with one bucket that is configured.
func newTestBuckets(t *testing.T) *catalog.Catalog {
	t.Helper()
	files, err := fs.Open(t.Context(), t.TempDir(), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := files.Bucket(t.Context(), "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.New(catalog.Options{Embedded: files, MaxBuckets: 3, External: []catalog.External{
		{Name: "shared", Backend: "s3", Tenants: []string{catalog.Everybody}, ReadOnly: true, Objects: elsewhere},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), files.Close()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestBuckets(t *testing.T) {
	buckets := newTestBuckets(t)
	s := newTestServer(t, func(o *Options) { o.Buckets = buckets })
	expect := func(method, path string, status int, parts ...string) {
		t.Helper()
		a := s.do(method, path, "")
		if a.status != status {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		for _, part := range parts {
			if !strings.Contains(string(a.body), part) {
				t.Fatalf("%s %s: %s lacks %s", method, path, a.body, part)
			}
		}
	}
	expect("GET", "/v1/buckets", 200, `{"buckets":[{"name":"shared","backend":"s3","read_only":true}]}`)
	expect("PUT", "/v1/buckets/files", 201, `{"name":"files","backend":"embedded","read_only":false,"created_at":"`)
	expect("PUT", "/v1/buckets/files", 200, `"name":"files"`)
	expect("GET", "/v1/buckets/files", 200, `"name":"files"`)
	expect("PUT", "/v1/buckets/shared", 200, `"backend":"s3"`)
	expect("GET", "/v1/buckets", 200, `[{"name":"files",`, `{"name":"shared",`)
	expect("GET", "/v1/buckets/none", 404, "not-found")
	expect("DELETE", "/v1/buckets/none", 404)
	expect("PUT", "/v1/buckets/Bad_Name", 400, `"pointer":"name"`)
	expect("DELETE", "/v1/buckets/shared", 409, "bucket-configured")
	expect("GET", "/v1/buckets?tenant=ann", 200, `[{"name":"shared",`)
	expect("GET", "/v1/buckets?limit=1", 400)

	o, err := buckets.Open(t.Context(), "", "files")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(context.Background(), "key", strings.NewReader("x"), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("DELETE", "/v1/buckets/files", 409, "bucket-not-empty")
	if err := o.Delete(context.Background(), "key"); err != nil {
		t.Fatal(err)
	}
	expect("DELETE", "/v1/buckets/files", 204)
	expect("GET", "/v1/buckets/files", 404)
	for _, name := range []string{"one", "two", "three"} {
		expect("PUT", "/v1/buckets/"+name, 201)
	}
	expect("PUT", "/v1/buckets/four", 409, "too-many-buckets")

	if a := newTestServer(t, nil).do("GET", "/v1/buckets", ""); a.status != 404 {
		t.Fatalf("without a catalog: %d %s", a.status, a.body)
	}
}

// A key reaches its tenant's buckets, whatever it asks for.
func TestBucketsOfTenants(t *testing.T) {
	buckets := newTestBuckets(t)
	s, tokens := newKeyedServer(t, func(o *Options) { o.Buckets = buckets }, "ann", "bob")
	ann, bob := "Bearer "+tokens[0], "Bearer "+tokens[1]
	for path, want := range map[string]int{"/v1/buckets/files": 201, "/v1/buckets/files?tenant=bob": 400} {
		if a := s.do("PUT", path, "", "Authorization", ann); a.status != want {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
	}
	for path, want := range map[string]int{"/v1/buckets/files": 404, "/v1/buckets/shared": 200, "/v1/buckets/files?tenant=ann": 400} {
		if a := s.do("GET", path, "", "Authorization", bob); a.status != want {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do("DELETE", "/v1/buckets/files", "", "Authorization", bob); a.status != 404 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.do("GET", "/v1/buckets", ""); a.status != 401 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}
