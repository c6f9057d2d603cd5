package objectstest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"mayfly/storage"
)

func writeConditions(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	try := func(content string, c storage.WriteConditions, ok bool) storage.Object {
		t.Helper()
		made, err := o.Put(ctx, "key", strings.NewReader(content), storage.PutOptions{Conditions: c})
		if ok && err != nil {
			t.Fatal(err)
		}
		if !ok {
			wantError(t, err, storage.ErrPreconditionFailed)
		}
		return made
	}
	try("a", storage.WriteConditions{IfMatch: "*"}, false)
	try("a", storage.WriteConditions{IfMatch: "etag"}, false)
	wantAbsent(t, o, "key")
	first := try("a", storage.WriteConditions{IfNoneMatch: "*"}, true)
	try("b", storage.WriteConditions{IfNoneMatch: "*"}, false)
	try("b", storage.WriteConditions{IfNoneMatch: first.ETag}, false)
	try("b", storage.WriteConditions{IfMatch: "other"}, false)
	wantContent(t, o, "key", []byte("a"))
	second := try("b", storage.WriteConditions{IfMatch: first.ETag}, true)
	try("c", storage.WriteConditions{IfMatch: first.ETag}, false)
	try("c", storage.WriteConditions{IfMatch: "*", IfNoneMatch: first.ETag}, true)
	try("d", storage.WriteConditions{IfMatch: second.ETag}, false)
	wantContent(t, o, "key", []byte("c"))
	if err := o.Delete(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	made := try("d", storage.WriteConditions{IfNoneMatch: "*"}, true)
	before, after := made.Modified.Add(-time.Second), made.Modified.Add(time.Second)
	if exceptionsOf(o).S3 {
		_, err := o.Put(ctx, "key", strings.NewReader("x"), storage.PutOptions{Conditions: storage.WriteConditions{IfModifiedSince: before}})
		wantError(t, err, storage.ErrUnsupported)
		wantContent(t, o, "key", []byte("d"))
		return
	}
	try("e", storage.WriteConditions{IfModifiedSince: after}, false)
	try("e", storage.WriteConditions{IfUnmodifiedSince: before}, false)
	wantContent(t, o, "key", []byte("d"))
	try("e", storage.WriteConditions{IfModifiedSince: before}, true)
	try("f", storage.WriteConditions{IfUnmodifiedSince: time.Now().Add(time.Hour)}, true)
	if err := o.Delete(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	try("g", storage.WriteConditions{IfModifiedSince: before}, false)
	try("g", storage.WriteConditions{IfUnmodifiedSince: before}, true)
}

func readConditions(t *testing.T, o storage.Objects) {
	for _, size := range []int{10, 100 << 10} {
		content := noise(1, size)
		made := put(t, o, "key", content, storage.PutOptions{})
		past, future := made.Modified.Add(-time.Hour), made.Modified.Add(time.Hour)
		for _, test := range []struct {
			c    storage.ReadConditions
			want error
		}{
			{storage.ReadConditions{IfMatch: made.ETag}, nil},
			{storage.ReadConditions{IfMatch: "*"}, nil},
			{storage.ReadConditions{IfMatch: "other"}, storage.ErrPreconditionFailed},
			{storage.ReadConditions{IfNoneMatch: "other"}, nil},
			{storage.ReadConditions{IfNoneMatch: made.ETag}, storage.ErrNotModified},
			{storage.ReadConditions{IfNoneMatch: "*"}, storage.ErrNotModified},
			{storage.ReadConditions{IfModifiedSince: past}, nil},
			{storage.ReadConditions{IfModifiedSince: future}, storage.ErrNotModified},
			{storage.ReadConditions{IfUnmodifiedSince: past}, storage.ErrPreconditionFailed},
			{storage.ReadConditions{IfUnmodifiedSince: future}, nil},
			{storage.ReadConditions{IfMatch: made.ETag, IfUnmodifiedSince: past}, nil},
			{storage.ReadConditions{IfNoneMatch: "other", IfModifiedSince: future}, nil},
			{storage.ReadConditions{IfMatch: "other", IfNoneMatch: made.ETag}, storage.ErrPreconditionFailed},
		} {
			c, err := o.Get(t.Context(), "key", storage.GetOptions{Conditions: test.c})
			if test.want == nil {
				if err != nil {
					t.Fatalf("%+v: %v", test.c, err)
				}
				c.Body.Close()
				continue
			}
			wantError(t, err, test.want)
			if errors.Is(err, storage.ErrNotModified) && (c == nil || c.Body != nil || c.ETag != made.ETag) {
				t.Fatalf("%+v: content %+v", test.c, c)
			}
		}
	}
}

func ranges(t *testing.T, o storage.Objects) {
	for _, size := range sizes {
		content := noise(7, size)
		put(t, o, "key", content, storage.PutOptions{})
		n := int64(size)
		for _, test := range []struct {
			r          storage.Range
			start, end int64 // start -1: not satisfiable
		}{
			{storage.Range{}, 0, n},
			{storage.Range{Length: 1}, 0, min(1, n)},
			{storage.Range{Offset: 1}, 1, n},
			{storage.Range{Offset: n / 2, Length: 100}, n / 2, min(n, n/2+100)},
			{storage.Range{Offset: n - 1}, n - 1, n},
			{storage.Range{Offset: n - 1, Length: 100}, n - 1, n},
			{storage.Range{Length: 1<<63 - 1}, 0, n},
			{storage.Range{Suffix: 1}, n - 1, n},
			{storage.Range{Suffix: n + 1}, 0, n},
			{storage.Range{Offset: n, Length: 1}, -1, 0},
			{storage.Range{Offset: 1<<63 - 1, Length: 1<<63 - 1}, -1, 0},
			{storage.Range{Offset: -1}, -1, 0},
			{storage.Range{Length: -1}, -1, 0},
			{storage.Range{Suffix: -1}, -1, 0},
			{storage.Range{Suffix: 1, Offset: 1}, -1, 0},
		} {
			satisfiable := test.start >= 0 && (n > 0 && test.start < n || test.r == storage.Range{})
			if !satisfiable {
				_, err := o.Get(t.Context(), "key", storage.GetOptions{Range: &test.r})
				wantError(t, err, storage.ErrInvalidRange)
				continue
			}
			object, got := get(t, o, "key", storage.GetOptions{Range: &test.r})
			if !bytes.Equal(got, content[test.start:test.end]) || object.Size != n {
				t.Fatalf("%d bytes, %+v: %d bytes that differ from [%d:%d]", size, test.r, len(got), test.start, test.end)
			}
		}
	}
}

func copyObjects(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	for i, size := range []int{0, 100, 200 << 10} {
		content := noise(uint64(i), size)
		options := storage.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"a": "b"}}
		from := put(t, o, "from", content, options)

		made, err := o.Copy(ctx, "to", "from", storage.CopyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if made.Key != "to" || made.ContentType != "text/plain" || made.Metadata["a"] != "b" || made.Size != from.Size {
			t.Fatalf("%+v", made)
		}
		if err := o.Delete(ctx, "from"); err != nil {
			t.Fatal(err)
		}
		wantContent(t, o, "to", content)

		// Onto itself: other metadata, the same contents.
		made, err = o.Copy(ctx, "to", "to", storage.CopyOptions{Replace: true, Put: storage.PutOptions{ContentType: "text/csv"}})
		if err != nil || made.ContentType != "text/csv" || made.Metadata != nil {
			t.Fatal(made, err)
		}
		wantContent(t, o, "to", content)

		put(t, o, "other", []byte("other"), storage.PutOptions{})
		for _, refused := range []storage.CopyOptions{
			{Conditions: storage.ReadConditions{IfMatch: "no"}},
			{Conditions: storage.ReadConditions{IfNoneMatch: made.ETag}},
			{Put: storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}}},
			{Put: storage.PutOptions{Conditions: storage.WriteConditions{IfMatch: "no"}}},
		} {
			_, err = o.Copy(ctx, "other", "to", refused)
			wantError(t, err, storage.ErrPreconditionFailed)
		}
		_, err = o.Copy(ctx, "other", "to", storage.CopyOptions{Put: storage.PutOptions{Digests: storage.Digests{SHA256: digest([]byte("no"))}}})
		wantError(t, err, storage.ErrChecksum)
		wantContent(t, o, "other", []byte("other"))
	}
	_, err := o.Copy(ctx, "x", "absent", storage.CopyOptions{})
	wantError(t, err, storage.ErrNotFound)
	wantAbsent(t, o, "x")
}
