package objectstest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
)

// everyDigest is all that there are of a content.
func everyDigest(content []byte) storage.Digests {
	d := storage.NewDigester(storage.Digests{MD5: "x", SHA1: "x", SHA256: "x", SHA384: "x", SHA512: "x", CRC32: "x", CRC32C: "x", CRC64NVME: "x"})
	d.Write(content)
	return d.Sum()
}

// onlyDigests takes a set apart.
func onlyDigests(d storage.Digests) []storage.Digests {
	return []storage.Digests{
		{MD5: d.MD5}, {SHA1: d.SHA1}, {SHA256: d.SHA256}, {SHA384: d.SHA384}, {SHA512: d.SHA512}, {CRC32: d.CRC32}, {CRC32C: d.CRC32C}, {CRC64NVME: d.CRC64NVME},
	}
}

// wantDescribed demands the same description from every side.
func wantDescribed(t *testing.T, o storage.Objects, made storage.Object) {
	t.Helper()
	read, _ := get(t, o, made.Key, storage.GetOptions{})
	head, err := o.Head(t.Context(), made.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := o.List(t.Context(), storage.ListOptions{Prefix: made.Key, Limit: 1, Details: true})
	if err != nil || len(l.Objects) != 1 {
		t.Fatal(l, err)
	}
	for _, seen := range []storage.Object{read, head, l.Objects[0]} {
		wantSame(t, o, made, seen)
	}
}

func headers(t *testing.T, o storage.Objects) {
	options := storage.PutOptions{
		ContentType: "text/css",
		Headers: storage.Headers{
			CacheControl: "public, max-age=60", ContentDisposition: `attachment; filename="a b.css"`, ContentEncoding: "gzip",
			ContentLanguage: "de, en", CacheExpiry: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC),
		},
		Metadata: map[string]string{"k": "v"},
	}
	for _, size := range []int{0, 10, 100 << 10} {
		options.Headers.CacheExpiry = options.Headers.CacheExpiry.Add(time.Second)
		made := put(t, o, "key", noise(1, size), options)
		if d := cmp.Diff(options.Headers, made.Headers); d != "" || made.StorageClass != storage.Standard {
			t.Fatal(d, made.StorageClass)
		}
		wantDescribed(t, o, made)
		kept, err := o.Copy(t.Context(), "copy", "key", storage.CopyOptions{})
		if err != nil || kept.Headers != made.Headers || kept.ContentType != "text/css" || kept.Metadata["k"] != "v" {
			t.Fatalf("%+v, %v", kept, err)
		}
		wantDescribed(t, o, kept)
		other := storage.Headers{CacheControl: "no-store"}
		replaced, err := o.Copy(t.Context(), "copy", "key", storage.CopyOptions{Replace: true, Put: storage.PutOptions{Headers: other}})
		if err != nil || replaced.Headers != other || replaced.ContentType != storage.DefaultMIMEType || replaced.Metadata != nil {
			t.Fatalf("%+v, %v", replaced, err)
		}
		wantDescribed(t, o, replaced)
	}
	id := begin(t, o, "upload", options)
	made, err := o.CompleteUpload(t.Context(), "upload", id, []storage.Part{part(t, o, "upload", id, 1, []byte("x"))}, storage.CompleteOptions{})
	if err != nil || made.Headers != options.Headers {
		t.Fatalf("%+v, %v", made, err)
	}
	wantDescribed(t, o, made)
	for _, bad := range []storage.PutOptions{
		{Headers: storage.Headers{CacheControl: "a\r\nX-Evil: 1"}}, {Headers: storage.Headers{ContentDisposition: "ä"}},
		{Headers: storage.Headers{ContentLanguage: strings.Repeat("x", storage.MaxContentType+1)}},
		{StorageClass: "a\nb"}, {StorageClass: strings.Repeat("x", 100)}, {Digests: storage.Digests{CRC32: "xyz"}},
	} {
		_, err := o.Put(t.Context(), "bad", strings.NewReader("x"), bad)
		wantError(t, err, storage.ErrInvalidOption)
	}
	wantAbsent(t, o, "bad")
	if exceptionsOf(o).S3 {
		return // what classes there are is the server's
	}
	for _, class := range []string{storage.InfrequentAccess, "GLACIER_IR", storage.Standard} {
		made := put(t, o, "class", []byte("x"), storage.PutOptions{StorageClass: class})
		if made.StorageClass != class {
			t.Fatalf("%s became %s", class, made.StorageClass)
		}
		wantDescribed(t, o, made)
		copied, err := o.Copy(t.Context(), "class2", "class", storage.CopyOptions{})
		if err != nil || copied.StorageClass != class {
			t.Fatal(copied, err)
		}
		if copied, err = o.Copy(t.Context(), "class2", "class", storage.CopyOptions{Put: storage.PutOptions{StorageClass: "OTHER"}}); err != nil || copied.StorageClass != "OTHER" {
			t.Fatal(copied, err)
		}
	}
}

// etags are those that clients of S3 expect.
func etags(t *testing.T, o storage.Objects) {
	for i, size := range sizes {
		content := noise(uint64(i), size)
		want := everyDigest(content).MD5
		if made := put(t, o, "key", content, storage.PutOptions{}); made.ETag != want || made.Digests != (storage.Digests{MD5: want}) {
			t.Fatalf("%+v, want ETag %s", made, want)
		}
	}
	id := begin(t, o, "upload", storage.PutOptions{})
	a, b := noise(1, storage.MinPartSize), noise(2, 1000)
	parts := []storage.Part{part(t, o, "upload", id, 1, a), part(t, o, "upload", id, 5, b)}
	sumA, sumB := md5.Sum(a), md5.Sum(b)
	if parts[0].ETag != hex.EncodeToString(sumA[:]) || parts[1].ETag != hex.EncodeToString(sumB[:]) {
		t.Fatalf("%+v", parts)
	}
	made, err := o.CompleteUpload(t.Context(), "upload", id, parts, storage.CompleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x-2", md5.Sum(append(sumA[:], sumB[:]...))); made.ETag != want || made.Digests.MD5 != "" {
		t.Fatalf("%+v, want ETag %s", made, want)
	}
	wantDescribed(t, o, made)
	c, err := o.Get(t.Context(), "upload", storage.GetOptions{Conditions: storage.ReadConditions{IfMatch: made.ETag}})
	if err != nil {
		t.Fatal(err)
	}
	c.Body.Close()
}

func versions(t *testing.T, o storage.Objects) {
	seen := map[string]bool{}
	fresh := func(made storage.Object, err error) {
		t.Helper()
		if err != nil || made.Version == "" || seen[made.Version] {
			t.Fatalf("%+v, %v", made, err)
		}
		seen[made.Version] = true
		wantDescribed(t, o, made)
	}
	for _, size := range []int{0, 0, 10, 10, 100 << 10} {
		fresh(put(t, o, "key", noise(1, size), storage.PutOptions{}), nil)
	}
	fresh(o.Copy(t.Context(), "copy", "key", storage.CopyOptions{}))
	fresh(o.Copy(t.Context(), "key", "key", storage.CopyOptions{}))
	id := begin(t, o, "key", storage.PutOptions{})
	fresh(o.CompleteUpload(t.Context(), "key", id, []storage.Part{part(t, o, "key", id, 1, []byte("x"))}, storage.CompleteOptions{}))
}

// keptDigests: what a put announces is checked, and told from then on.
func keptDigests(t *testing.T, o storage.Objects) {
	for i, size := range []int{0, 100, 40 << 10, 300 << 10} {
		content := noise(uint64(i), size)
		all := everyDigest(content)
		made := put(t, o, "all", content, storage.PutOptions{Digests: all})
		if made.Digests != all {
			t.Fatal(cmp.Diff(all, made.Digests))
		}
		wantDescribed(t, o, made)
		copied, err := o.Copy(t.Context(), "copy", "all", storage.CopyOptions{})
		if err != nil || copied.Digests != all {
			t.Fatal(cmp.Diff(all, copied.Digests), err)
		}
		wrong := onlyDigests(everyDigest([]byte("something else")))
		for k, one := range onlyDigests(all) {
			made := put(t, o, "one", content, storage.PutOptions{Digests: one})
			if want := one.With(storage.Digests{MD5: all.MD5}); made.Digests != want {
				t.Fatal(cmp.Diff(want, made.Digests))
			}
			_, err := o.Put(t.Context(), "bad", bytes.NewReader(content), storage.PutOptions{Digests: wrong[k]})
			wantError(t, err, storage.ErrChecksum)
			_, err = o.Copy(t.Context(), "bad", "all", storage.CopyOptions{Put: storage.PutOptions{Digests: wrong[k]}})
			wantError(t, err, storage.ErrChecksum)
			// Not known of the source, so that its contents are read.
			put(t, o, "plain", content, storage.PutOptions{})
			_, err = o.Copy(t.Context(), "bad", "plain", storage.CopyOptions{Put: storage.PutOptions{Digests: wrong[k]}})
			wantError(t, err, storage.ErrChecksum)
			copied, err := o.Copy(t.Context(), "good", "plain", storage.CopyOptions{Put: storage.PutOptions{Digests: one}})
			if want := one.With(storage.Digests{MD5: all.MD5}); err != nil || copied.Digests != want {
				t.Fatal(cmp.Diff(want, copied.Digests), err)
			}
		}
		wantAbsent(t, o, "bad")
		if size == 300<<10 {
			id := begin(t, o, "upload", storage.PutOptions{})
			for k := range wrong {
				_, err := o.UploadPart(t.Context(), "upload", id, 1, bytes.NewReader(content), storage.PartOptions{Digests: wrong[k]})
				wantError(t, err, storage.ErrChecksum)
			}
			p, err := o.UploadPart(t.Context(), "upload", id, 1, bytes.NewReader(content), storage.PartOptions{Digests: all})
			if err != nil || !exceptionsOf(o).S3 && p.Digests != all {
				t.Fatal(p, err)
			}
			if err := o.AbortUpload(t.Context(), "upload", id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// uploadsResumed: who knows key and upload can go on; several uploads of a key
// are apart.
func uploadsResumed(t *testing.T, o storage.Objects) {
	const parts = 6
	contents := make([][]byte, parts)
	for i := range contents {
		contents[i] = noise(uint64(i), storage.MinPartSize+i)
	}
	one, two := begin(t, o, "key", storage.PutOptions{}), begin(t, o, "key", storage.PutOptions{})
	if one == two {
		t.Fatal("two uploads have one name")
	}
	part(t, o, "key", two, 1, []byte("of the other"))
	var wg sync.WaitGroup
	for i := range parts / 2 {
		wg.Go(func() { part(t, o, "key", one, i*2+1, contents[i*2]) })
	}
	wg.Wait()
	// A client that comes back learns what is there, and sends the rest.
	uploads, err := o.ListUploads(t.Context(), "key")
	if err != nil || len(uploads) != 2 {
		t.Fatal(uploads, err)
	}
	listed, err := o.ListParts(t.Context(), "key", one)
	if err != nil || len(listed) != parts/2 {
		t.Fatal(listed, err)
	}
	have := map[int]storage.Part{}
	for _, p := range listed {
		have[p.Number] = p
	}
	chosen := make([]storage.Part, parts)
	for i, content := range contents {
		p, ok := have[i+1]
		if !ok {
			p = part(t, o, "key", one, i+1, content)
		}
		chosen[i] = p
	}
	made, err := o.CompleteUpload(t.Context(), "key", one, chosen, storage.CompleteOptions{})
	if err != nil || !strings.HasSuffix(made.ETag, "-6") {
		t.Fatal(made, err)
	}
	wantContent(t, o, "key", bytes.Join(contents, nil))
	if err := o.AbortUpload(t.Context(), "key", two); err != nil {
		t.Fatal(err)
	}
	wantError(t, o.AbortUpload(t.Context(), "key", two), storage.ErrNoSuchUpload)
	_, err = o.UploadPart(t.Context(), "key", two, 1, strings.NewReader("x"), storage.PartOptions{})
	wantError(t, err, storage.ErrNoSuchUpload)
	if uploads, err := o.ListUploads(t.Context(), ""); err != nil || len(uploads) != 0 {
		t.Fatal(uploads, err)
	}
	wantContent(t, o, "key", bytes.Join(contents, nil))
}

// uploadConditions come with the end of an upload.
func uploadConditions(t *testing.T, o storage.Objects) {
	first := put(t, o, "key", []byte("first"), storage.PutOptions{})
	id := begin(t, o, "key", storage.PutOptions{})
	content := []byte("second")
	parts := []storage.Part{part(t, o, "key", id, 1, content)}
	for _, c := range []storage.WriteConditions{{IfNoneMatch: "*"}, {IfMatch: "0123456789abcdef0123456789abcdef"}} {
		_, err := o.CompleteUpload(t.Context(), "key", id, parts, storage.CompleteOptions{Conditions: c})
		wantError(t, err, storage.ErrPreconditionFailed)
	}
	_, err := o.CompleteUpload(t.Context(), "key", id, parts, storage.CompleteOptions{Size: 7})
	wantError(t, err, storage.ErrChecksum)
	wrong, right := storage.CompleteOptions{Digests: everyDigest([]byte("x"))}, storage.CompleteOptions{Digests: everyDigest(content)}
	_, err = o.CompleteUpload(t.Context(), "key", id, parts, wrong)
	if exceptionsOf(o).S3 {
		wantError(t, err, storage.ErrUnsupported)
		right.Digests = storage.Digests{}
	} else {
		wantError(t, err, storage.ErrChecksum)
	}
	wantContent(t, o, "key", []byte("first"))
	right.Size, right.Conditions = int64(len(content)), storage.WriteConditions{IfMatch: first.ETag}
	if _, err := o.CompleteUpload(t.Context(), "key", id, parts, right); err != nil {
		t.Fatal(err)
	}
	wantContent(t, o, "key", content)
}
