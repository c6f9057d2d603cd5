// Package objectstest is the conformance suite of [storage.Objects]: every
// backend runs it.
package objectstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
)

// A Factory makes an empty bucket. What has to be undone after the test it
// leaves to t.Cleanup.
type Factory func(t *testing.T) storage.Objects

// Exceptions are what a backend can't do, and why. The zero value is none.
type Exceptions struct {
	Reasons []string
	// Key says whether the backend takes a key; nil: all of them.
	Key func(key string) bool
	// Exclusive says that other can't be there while key is; nil: all can.
	Exclusive func(key, other string) bool
	// Foreign says of a listed key that the server made it; nil: of none.
	Foreign func(key string) bool
	// StartInGroup: a group in whose middle StartAfter lies may be left out.
	StartInGroup bool
	// PutTime: Modified is in seconds, and that of what a write returns
	// approximate.
	PutTime bool
	// ListExpiry: listings without details show what has expired.
	ListExpiry bool
	// S3: the backend is a client of S3. Digests of uploads' whole contents
	// are ErrUnsupported, as are dates as conditions of writes; digests of
	// parts are not told.
	S3 bool
}

// Run runs the whole suite.
func Run(t *testing.T, open Factory) { RunWith(t, Exceptions{}, open) }

// RunWith runs the suite but for the exceptions.
func RunWith(t *testing.T, exceptions Exceptions, open Factory) {
	for _, reason := range exceptions.Reasons {
		t.Log("exception:", reason)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, storage.Objects)
	}{
		{"PutGetHead", putGetHead},
		{"Replace", replace},
		{"Metadata", metadata},
		{"Headers", headers},
		{"ETags", etags},
		{"Versions", versions},
		{"KeptDigests", keptDigests},
		{"Keys", keys},
		{"InvalidKeys", invalidKeys},
		{"InvalidOptions", invalidOptions},
		{"Digests", digests},
		{"WriteConditions", writeConditions},
		{"ReadConditions", readConditions},
		{"Ranges", ranges},
		{"Delete", deleteObjects},
		{"Expiry", expiry},
		{"Copy", copyObjects},
		{"ListOrder", listOrder},
		{"ListDelimiter", listDelimiter},
		{"ListCursors", listCursors},
		{"ListMany", listMany},
		{"ReadersOfTheOld", readersOfTheOld},
		{"BrokenBodies", brokenBodies},
		{"Cancellation", cancellation},
		{"LargeStream", largeStream},
		{"Upload", upload},
		{"UploadErrors", uploadErrors},
		{"UploadsResumed", uploadsResumed},
		{"UploadConditions", uploadConditions},
		{"RacingCreators", racingCreators},
		{"RacingUpdates", racingUpdates},
		{"ReadersDuringOverwrite", readersDuringOverwrite},
		{"Closed", closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &subject{open(t), exceptions}
			defer o.Close()
			test.run(t, o)
		})
	}
}

// A subject is what is tested, with its exceptions.
type subject struct {
	storage.Objects
	exceptions Exceptions
}

func exceptionsOf(o storage.Objects) *Exceptions { return &o.(*subject).exceptions }

// possible are those of all that can be there together.
func possible(o storage.Objects, all []string) (keys []string) {
	x := exceptionsOf(o)
next:
	for _, key := range all {
		if x.Key != nil && !x.Key(key) {
			continue
		}
		for _, other := range keys {
			if x.Exclusive != nil && (x.Exclusive(key, other) || x.Exclusive(other, key)) {
				continue next
			}
		}
		keys = append(keys, key)
	}
	return keys
}

// wantSame compares two descriptions of one object; made is of the write.
func wantSame(t testing.TB, o storage.Objects, made, read storage.Object) {
	t.Helper()
	if exceptionsOf(o).PutTime {
		if d := made.Modified.Sub(read.Modified).Abs(); d > time.Minute {
			t.Fatalf("modified %v and %v", made.Modified, read.Modified)
		}
		made.Modified = read.Modified
	}
	if d := cmp.Diff(made, read); d != "" {
		t.Fatalf("descriptions differ: %s", d)
	}
}

// sizes lie around the bounds at which backends change their ways.
var sizes = []int{0, 1, 4095, 4096, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64 << 10, 128<<10 - 1, 128 << 10, 128<<10 + 1, 1<<20 + 7}

// noise is the same for the same seed.
func noise(seed uint64, size int) []byte {
	b := make([]byte, size+8)
	r := rand.NewPCG(seed, 0)
	for i := 0; i < size; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			b[i+k] = byte(v >> (8 * k))
		}
	}
	return b[:size:size]
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func put(t testing.TB, o storage.Objects, key string, content []byte, options storage.PutOptions) storage.Object {
	t.Helper()
	// Hides the reader's other methods, and ends with the error at once.
	made, err := o.Put(context.Background(), key, iotest.DataErrReader(bytes.NewReader(content)), options)
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return made
}

func get(t testing.TB, o storage.Objects, key string, options storage.GetOptions) (storage.Object, []byte) {
	t.Helper()
	c, err := o.Get(context.Background(), key, options)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	got, err := io.ReadAll(c.Body)
	if err != nil {
		t.Fatalf("reading %q: %v", key, err)
	}
	if err := c.Body.Close(); err != nil {
		t.Fatalf("closing %q: %v", key, err)
	}
	if int64(len(got)) != c.Length {
		t.Fatalf("%q: %d bytes came, Length is %d", key, len(got), c.Length)
	}
	return c.Object, got
}

func wantContent(t testing.TB, o storage.Objects, key string, want []byte) {
	t.Helper()
	if _, got := get(t, o, key, storage.GetOptions{}); !bytes.Equal(got, want) {
		t.Fatalf("%q: %d bytes that differ from the %d expected", key, len(got), len(want))
	}
}

// wantError demands the sentinel, inside a *storage.Error.
func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	var e *storage.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not a *storage.Error", err)
	}
	if e.Op == "" {
		t.Fatalf("%v does not name its operation", err)
	}
}

func wantAbsent(t testing.TB, o storage.Objects, key string) {
	t.Helper()
	_, err := o.Head(context.Background(), key)
	wantError(t, err, storage.ErrNotFound)
	_, err = o.Get(context.Background(), key, storage.GetOptions{})
	wantError(t, err, storage.ErrNotFound)
}

func listAll(t testing.TB, o storage.Objects, options storage.ListOptions) (keys, prefixes []string) {
	t.Helper()
	for range 100_000 {
		l, err := o.List(context.Background(), options)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if options.Limit > 0 && len(l.Objects)+len(l.Prefixes) > options.Limit {
			t.Fatalf("%d entries, limit %d", len(l.Objects)+len(l.Prefixes), options.Limit)
		}
		for _, object := range l.Objects {
			keys = append(keys, object.Key)
		}
		prefixes = append(prefixes, l.Prefixes...)
		if l.Cursor == "" {
			return keys, prefixes
		}
		if len(l.Objects)+len(l.Prefixes) == 0 {
			t.Fatal("an empty page with a cursor")
		}
		options.Cursor = l.Cursor
	}
	t.Fatal("the list does not end")
	return nil, nil
}

func putGetHead(t *testing.T, o storage.Objects) {
	for i, size := range sizes {
		key := strings.Repeat("k", i+1)
		want := noise(uint64(i), size)
		before := time.Now().Add(-time.Minute)
		made := put(t, o, key, want, storage.PutOptions{})
		read, got := get(t, o, key, storage.GetOptions{})
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: contents differ", size)
		}
		head, err := o.Head(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, o, made, read)
		wantSame(t, o, made, head)
		if made.Key != key || made.Size != int64(size) || made.ETag == "" || made.ContentType != storage.DefaultMIMEType || made.Metadata != nil || !made.Expires.IsZero() {
			t.Fatalf("%+v", made)
		}
		if made.SHA256 != "" && made.SHA256 != digest(want) {
			t.Fatalf("SHA256 is %s, want %s", made.SHA256, digest(want))
		}
		if made.Modified.Before(before) || made.Modified.After(time.Now().Add(time.Minute)) || made.Modified.Location() != time.UTC {
			t.Fatalf("modified %v", made.Modified)
		}
	}
	wantAbsent(t, o, "absent")
}

func replace(t *testing.T, o storage.Objects) {
	var last storage.Object
	for i, size := range append(sizes, sizes...) {
		content := noise(uint64(i), size)
		made := put(t, o, "key", content, storage.PutOptions{ContentType: "text/plain"})
		wantContent(t, o, "key", content)
		if size > 0 && made.ETag == last.ETag {
			t.Fatal("other contents have the same ETag")
		}
		last = made
	}
	last = put(t, o, "key", nil, storage.PutOptions{})
	if last.ContentType != storage.DefaultMIMEType {
		t.Fatalf("content type %q is of the object before", last.ContentType)
	}
}

func metadata(t *testing.T, o storage.Objects) {
	options := storage.PutOptions{
		ContentType: "text/html; charset=utf-8",
		Metadata:    map[string]string{"author": "Zoë", "empty": "", "n": strings.Repeat("x", 200), "Ключ": " a  b ", "Case": "=?UTF-8?B?eA==?=", "line": "a\r\nX: b"},
		Expires:     time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC(),
	}
	made := put(t, o, "key", []byte("hi"), options)
	read, _ := get(t, o, "key", storage.GetOptions{})
	l, err := o.List(t.Context(), storage.ListOptions{Details: true})
	if err != nil || len(l.Objects) != 1 {
		t.Fatal(l, err)
	}
	for _, got := range []storage.Object{made, read, l.Objects[0]} {
		if d := cmp.Diff(options.Metadata, got.Metadata); d != "" {
			t.Fatal(d)
		}
		if got.ContentType != options.ContentType || !got.Expires.Equal(options.Expires) {
			t.Fatalf("%+v", got)
		}
	}
	if l.Objects[0].Size != 2 || l.Objects[0].ETag != made.ETag {
		t.Fatalf("%+v", l.Objects[0])
	}
}

// oddKeys have no meaning to a store.
var oddKeys = []string{
	"a", "a/b", "a/b/c", "a/", "a//b", "/", "/a", "//", ".", "..", "../a", "../../etc/passwd", "./a", "a/..", "a/./b", "...",
	" ", " a", "a ", "a b", "a\tb", "a\nb", "A", "B/b", "b/B", "ä", "a\u0308", "日本語/キー", "😀", "\U0010ffff", "%2e%2e", "%00", "a%b", "+", "a+b", "?x=1", "#", "&<>\"'",
	"C:\\windows", "\\\\host\\share", "con", "aux.txt", "a:b", "*", "~", "$HOME", "`id`", "';--", "\x7f",
	strings.Repeat("x", storage.MaxKeyLength), strings.Repeat("d/", storage.MaxKeyLength/2), strings.Repeat("ö", storage.MaxKeyLength/2),
}

func keys(t *testing.T, o storage.Objects) {
	oddKeys := possible(o, oddKeys)
	for i, key := range oddKeys {
		put(t, o, key, noise(uint64(i), 100+i*1000), storage.PutOptions{})
	}
	for i, key := range oddKeys {
		wantContent(t, o, key, noise(uint64(i), 100+i*1000))
	}
	found, _ := listAll(t, o, storage.ListOptions{Limit: 7})
	if d := cmp.Diff(sorted(oddKeys), found); d != "" {
		t.Fatal(d)
	}
	for i, key := range oddKeys {
		if err := o.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		wantAbsent(t, o, key)
		if i+1 < len(oddKeys) {
			wantContent(t, o, oddKeys[i+1], noise(uint64(i+1), 100+(i+1)*1000))
		}
	}
}

func invalidKeys(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	put(t, o, "good", []byte("x"), storage.PutOptions{})
	for _, key := range []string{"", strings.Repeat("x", storage.MaxKeyLength+1), "a\xffb", "\xed\xa0\x80"} {
		_, err := o.Put(ctx, key, strings.NewReader("x"), storage.PutOptions{})
		wantError(t, err, storage.ErrInvalidKey)
		_, err = o.Get(ctx, key, storage.GetOptions{})
		wantError(t, err, storage.ErrInvalidKey)
		_, err = o.Head(ctx, key)
		wantError(t, err, storage.ErrInvalidKey)
		wantError(t, o.Delete(ctx, "good", key), storage.ErrInvalidKey)
		_, err = o.Copy(ctx, key, "good", storage.CopyOptions{})
		wantError(t, err, storage.ErrInvalidKey)
		_, err = o.Copy(ctx, "copy", key, storage.CopyOptions{})
		wantError(t, err, storage.ErrInvalidKey)
		_, err = o.CreateUpload(ctx, key, storage.PutOptions{})
		wantError(t, err, storage.ErrInvalidKey)
	}
	wantContent(t, o, "good", []byte("x"))
}

func invalidOptions(t *testing.T, o storage.Objects) {
	for _, options := range []storage.PutOptions{
		{ContentType: "a\r\nSet-Cookie: x"},
		{ContentType: strings.Repeat("x", storage.MaxContentType+1)},
		{Metadata: map[string]string{"k": strings.Repeat("x", storage.MaxMetadata)}},
		{Metadata: map[string]string{"": "v"}},
		{Metadata: map[string]string{"k": "\xff"}},
		{Digests: storage.Digests{SHA256: "abc"}},
		{Digests: storage.Digests{SHA256: strings.ToUpper(digest([]byte("ab")))}},
		{Size: -1},
		{MaxSize: -1},
	} {
		_, err := o.Put(t.Context(), "key", strings.NewReader("x"), options)
		wantError(t, err, storage.ErrInvalidOption)
	}
	wantAbsent(t, o, "key")
}

func digests(t *testing.T, o storage.Objects) {
	for i, size := range sizes {
		content := noise(uint64(i), size)
		put(t, o, "good", content, storage.PutOptions{Digests: storage.Digests{SHA256: digest(content)}, Size: int64(size)})
		_, err := o.Put(t.Context(), "bad", bytes.NewReader(content), storage.PutOptions{Digests: storage.Digests{SHA256: digest([]byte("other"))}})
		wantError(t, err, storage.ErrChecksum)
		_, err = o.Put(t.Context(), "bad", bytes.NewReader(content), storage.PutOptions{Size: int64(size) + 1})
		wantError(t, err, storage.ErrChecksum)
		if size > 1 {
			_, err = o.Put(t.Context(), "bad", bytes.NewReader(content), storage.PutOptions{Size: int64(size) - 1})
			wantError(t, err, storage.ErrChecksum)
			_, err = o.Put(t.Context(), "bad", bytes.NewReader(content), storage.PutOptions{MaxSize: int64(size) - 1})
			wantError(t, err, storage.ErrTooLarge)
			put(t, o, "good", content, storage.PutOptions{MaxSize: int64(size)})
		}
		wantAbsent(t, o, "bad")
		wantContent(t, o, "good", content)
	}
}

func deleteObjects(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	var all []string
	for i, size := range sizes {
		key := strings.Repeat("d", i+1)
		put(t, o, key, noise(0, size), storage.PutOptions{})
		all = append(all, key)
	}
	if err := o.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if err := o.Delete(ctx, append(all[1:], "absent", all[1])...); err != nil {
		t.Fatal(err)
	}
	for _, key := range all[1:] {
		wantAbsent(t, o, key)
	}
	wantContent(t, o, all[0], nil)
	for range 2 {
		if err := o.Delete(ctx, all[0]); err != nil {
			t.Fatal(err)
		}
	}
	if found, _ := listAll(t, o, storage.ListOptions{}); found != nil {
		t.Fatal(found)
	}
}

func expiry(t *testing.T, o storage.Objects) {
	soon := time.Now().Add(300 * time.Millisecond)
	put(t, o, "soon", []byte("x"), storage.PutOptions{Expires: soon})
	put(t, o, "soon2", noise(1, 100<<10), storage.PutOptions{Expires: soon})
	put(t, o, "later", []byte("x"), storage.PutOptions{Expires: time.Now().Add(time.Hour)})
	wantContent(t, o, "later", []byte("x"))
	time.Sleep(time.Until(soon) + 2*time.Millisecond)
	wantAbsent(t, o, "soon")
	wantAbsent(t, o, "soon2")
	for _, details := range []bool{true, exceptionsOf(o).ListExpiry} {
		if found, _ := listAll(t, o, storage.ListOptions{Limit: 1, Details: details}); len(found) != 1 || found[0] != "later" {
			t.Fatal(found)
		}
	}
	_, err := o.Copy(t.Context(), "copy", "soon", storage.CopyOptions{})
	wantError(t, err, storage.ErrNotFound)
	// An expired object is no obstacle to a creator, and no base for an update.
	_, err = o.Put(t.Context(), "soon2", strings.NewReader("y"), storage.PutOptions{Conditions: storage.WriteConditions{IfMatch: "*"}})
	wantError(t, err, storage.ErrPreconditionFailed)
	put(t, o, "soon", []byte("y"), storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}})
	wantContent(t, o, "soon", []byte("y"))
}

func closed(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	put(t, o, "key", noise(1, 300<<10), storage.PutOptions{})
	c, err := o.Get(ctx, "key", storage.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := io.ReadAll(c.Body); err != nil || !bytes.Equal(got, noise(1, 300<<10)) {
		t.Fatalf("an open object broke: %v", err)
	}
	if err := c.Body.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = o.Get(ctx, "key", storage.GetOptions{})
	wantError(t, err, storage.ErrClosed)
	_, err = o.Put(ctx, "key", strings.NewReader("x"), storage.PutOptions{})
	wantError(t, err, storage.ErrClosed)
	_, err = o.List(ctx, storage.ListOptions{})
	wantError(t, err, storage.ErrClosed)
	wantError(t, o.Delete(ctx, "key"), storage.ErrClosed)
}
