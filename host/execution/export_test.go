package execution_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/host/execution"
	"mayfly/runtime/isolate"
	"mayfly/storage"
	"mayfly/storage/catalog"
	"mayfly/storage/fs"
)

// failingBuckets has one bucket, which takes nothing.
type failingBuckets struct{ execution.Buckets }

type failingBucket struct{ storage.Objects }

func (f failingBuckets) Open(ctx context.Context, tenant, name string) (storage.Objects, error) {
	if name == "failing" {
		return failingBucket{}, nil
	}
	return f.Buckets.Open(ctx, tenant, name)
}

func (failingBucket) Put(context.Context, string, io.Reader, storage.PutOptions) (storage.Object, error) {
	return storage.Object{}, &storage.Error{Op: "put", Err: storage.ErrUnavailable, Hint: "at the secret address 10.0.0.1"}
}

func (failingBucket) Close() error { return nil }

func TestExport(t *testing.T) {
	store, err := fs.Open(t.Context(), filepath.Join(t.TempDir(), "objects"), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	buckets, err := catalog.New(catalog.Options{Embedded: store})
	if err != nil {
		t.Fatal(err)
	}
	if err := buckets.Create(t.Context(), "ann", "reports"); err != nil {
		t.Fatal(err)
	}
	kept := &memoryObjects{}
	s := newService(t, func(c *execution.Config, _ *isolate.Config) {
		c.Objects, c.Buckets = kept, failingBuckets{buckets}
	})
	request := func(bucket, prefix string) execution.Request {
		return execution.Request{
			Code:   `import * as fs from "node:fs"; fs.writeFileSync("/artifacts/a ü.svg", "<svg/>"); fs.mkdirSync("/artifacts/d"); fs.writeFileSync("/artifacts/d/b.csv", "1,2")`,
			Tenant: "ann", Export: &execution.Export{Bucket: bucket, Prefix: prefix},
		}
	}
	r := execute(t, s, request("reports", "daily/{id}/"))
	if r.Outcome != execution.OK || len(r.Artifacts) != 2 {
		t.Fatal(show(r))
	}
	reports, err := buckets.Open(t.Context(), "ann", "reports")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ key, content, contentType string }{{"daily/test/a ü.svg", "<svg/>", "image/svg+xml"}, {"daily/test/d/b.csv", "1,2", "text/csv; charset=utf-8"}} {
		if got := r.Artifacts[i].Export; got == nil || *got != (execution.Exported{Bucket: "reports", Key: want.key}) {
			t.Errorf("artifact %d went to %+v", i, got)
		}
		c, err := reports.Get(t.Context(), want.key, storage.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(c.Body)
		c.Body.Close()
		if string(content) != want.content || err != nil || c.ContentType != want.contentType {
			t.Errorf("%s: %q %s %v", want.key, content, c.ContentType, err)
		}
	}
	// A store that fails takes nothing from the execution, and says what a
	// client may know.
	r = execute(t, s, request("failing", ""))
	if r.Outcome != execution.OK || len(r.Artifacts) != 2 || r.Artifacts[0].Export == nil || r.Artifacts[0].Export.Error != storage.ErrUnavailable.Error() {
		t.Error(show(r), r.Artifacts)
	}
	if len(kept.content) != 2 {
		t.Errorf("%d artifacts were kept", len(kept.content))
	}
	for _, c := range []struct{ tenant, bucket, prefix, field string }{
		{"ann", "missing", "", "/artifacts/export/bucket"}, {"bob", "reports", "", "/artifacts/export/bucket"}, {"ann", "../reports", "", "/artifacts/export/bucket"},
		{"ann", "reports", "\xff", "/artifacts/export/prefix"}, {"ann", "reports", strings.Repeat("x", 513), "/artifacts/export/prefix"},
	} {
		r := request(c.bucket, c.prefix)
		r.Tenant, r.Language = c.tenant, "javascript"
		var invalid *execution.InvalidError
		if err := s.Validate(&r); !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
