package objectstest

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
)

func begin(t *testing.T, o storage.Objects, key string, options storage.PutOptions) string {
	t.Helper()
	id, err := o.CreateUpload(t.Context(), key, options)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func part(t *testing.T, o storage.Objects, key, upload string, number int, content []byte) storage.Part {
	t.Helper()
	p, err := o.UploadPart(context.Background(), key, upload, number, bytes.NewReader(content), storage.PartOptions{Digests: storage.Digests{SHA256: digest(content)}, Size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	if p.Number != number || p.Size != int64(len(content)) || p.ETag == "" {
		t.Fatalf("%+v", p)
	}
	return p
}

func upload(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	a, b, c := noise(1, storage.MinPartSize), noise(2, storage.MinPartSize+3), noise(3, 10)
	options := storage.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}}
	put(t, o, "key", []byte("old"), storage.PutOptions{})
	id := begin(t, o, "key", options)
	parts := make([]storage.Part, 3)
	part(t, o, "key", id, 2, []byte("to be replaced"))
	part(t, o, "key", id, 9, []byte("to be dropped"))
	var wg sync.WaitGroup
	for i, content := range [][]byte{c, b, a} { // the last comes first
		wg.Go(func() { parts[2-i] = part(t, o, "key", id, 3-i, content) })
	}
	wg.Wait()
	wantContent(t, o, "key", []byte("old"))
	listed, err := o.ListParts(ctx, "key", id)
	if err != nil || len(listed) != 4 {
		t.Fatal(listed, err)
	}
	for i, p := range parts {
		if l := listed[i]; l.Number != p.Number || l.ETag != p.ETag || l.Size != p.Size || !exceptionsOf(o).S3 && (l.SHA256 != p.SHA256 || l.Digests != p.Digests) {
			t.Fatal(cmp.Diff(p, l))
		}
	}
	uploads, err := o.ListUploads(ctx, "k")
	if err != nil || len(uploads) != 1 || uploads[0].Key != "key" || uploads[0].ID != id {
		t.Fatal(uploads, err)
	}
	made, err := o.CompleteUpload(ctx, "key", id, parts, storage.CompleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.Join([][]byte{a, b, c}, nil)
	wantContent(t, o, "key", whole)
	if made.ContentType != "text/plain" || made.Metadata["k"] != "v" || made.Size != int64(len(whole)) || made.SHA256 != "" && made.SHA256 != digest(whole) {
		t.Fatalf("%+v", made)
	}
	_, err = o.CompleteUpload(ctx, "key", id, parts, storage.CompleteOptions{})
	wantError(t, err, storage.ErrNoSuchUpload)
	if uploads, err = o.ListUploads(ctx, ""); err != nil || len(uploads) != 0 {
		t.Fatal(uploads, err)
	}

	// A single small part is an upload too.
	id = begin(t, o, "small", storage.PutOptions{})
	if _, err := o.CompleteUpload(ctx, "small", id, []storage.Part{part(t, o, "small", id, 5, c)}, storage.CompleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, o, "small", c)
}

func uploadErrors(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	_, err := o.UploadPart(ctx, "key", "absent", 1, strings.NewReader("x"), storage.PartOptions{})
	wantError(t, err, storage.ErrNoSuchUpload)
	wantError(t, o.AbortUpload(ctx, "key", "absent"), storage.ErrNoSuchUpload)
	_, err = o.ListParts(ctx, "key", "absent")
	wantError(t, err, storage.ErrNoSuchUpload)

	id := begin(t, o, "key", storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}})
	_, err = o.UploadPart(ctx, "other", id, 1, strings.NewReader("x"), storage.PartOptions{})
	wantError(t, err, storage.ErrNoSuchUpload)
	for _, number := range []int{0, -1, storage.MaxParts + 1} {
		_, err = o.UploadPart(ctx, "key", id, number, strings.NewReader("x"), storage.PartOptions{})
		wantError(t, err, storage.ErrInvalidPart)
	}
	_, err = o.UploadPart(ctx, "key", id, 1, strings.NewReader("x"), storage.PartOptions{Digests: storage.Digests{SHA256: digest([]byte("y"))}})
	wantError(t, err, storage.ErrChecksum)
	if listed, err := o.ListParts(ctx, "key", id); err != nil || len(listed) != 0 {
		t.Fatal(listed, err)
	}
	one, two := part(t, o, "key", id, 1, []byte("one")), part(t, o, "key", id, 2, []byte("two"))
	forged := two
	forged.ETag = one.ETag
	for _, test := range []struct {
		parts []storage.Part
		want  error
	}{
		{nil, storage.ErrInvalidPart},
		{[]storage.Part{two, one}, storage.ErrInvalidPart},
		{[]storage.Part{one, one}, storage.ErrInvalidPart},
		{[]storage.Part{forged}, storage.ErrInvalidPart},
		{[]storage.Part{{Number: 7, ETag: one.ETag}}, storage.ErrInvalidPart},
		{[]storage.Part{one, two}, storage.ErrPartTooSmall},
	} {
		_, err = o.CompleteUpload(ctx, "key", id, test.parts, storage.CompleteOptions{})
		wantError(t, err, test.want)
	}
	wantAbsent(t, o, "key")

	// Somebody else was first.
	put(t, o, "key", []byte("first"), storage.PutOptions{})
	_, err = o.CompleteUpload(ctx, "key", id, []storage.Part{two}, storage.CompleteOptions{})
	wantError(t, err, storage.ErrPreconditionFailed)
	wantContent(t, o, "key", []byte("first"))
	if err := o.Delete(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.CompleteUpload(ctx, "key", id, []storage.Part{two}, storage.CompleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, o, "key", []byte("two"))

	id = begin(t, o, "key", storage.PutOptions{})
	last := part(t, o, "key", id, 1, []byte("x"))
	if err := o.AbortUpload(ctx, "key", id); err != nil {
		t.Fatal(err)
	}
	_, err = o.CompleteUpload(ctx, "key", id, []storage.Part{last}, storage.CompleteOptions{})
	wantError(t, err, storage.ErrNoSuchUpload)
	wantContent(t, o, "key", []byte("two"))
}
