package r2

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/storage"
	"mayfly/storage/fs"
)

func openBucket(t testing.TB) storage.Objects {
	t.Helper()
	store, err := fs.Open(context.Background(), t.TempDir(), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Bucket(context.Background(), "bucket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// FuzzDo gives the methods any arguments: what they do stays below the prefix,
// and their errors are the guest's to see.
func FuzzDo(f *testing.F) {
	w := op.NewWriter(nil)
	w.Str("key")
	f.Add(uint8(MethodHead), append([]byte(nil), w.Message()...), "", false)
	w.U8(7)
	w.Strs([]string{`"a"`})
	w.Strs([]string{`W/"a"`, "*"})
	w.F64(1e12)
	w.F64(math.NaN())
	get := op.NewWriter(append([]byte(nil), w.Message()...))
	get.Raw(w.Message())
	for range 3 {
		get.F64(1)
	}
	get.Str("bytes=1-")
	f.Add(uint8(MethodGet), append([]byte(nil), get.Message()...), "", false)
	for range 5 {
		w.Str("text/plain")
	}
	w.F64(math.Inf(1))
	w.Pairs([]op.Pair{{Name: "n", Value: "v"}})
	w.Str("md5")
	w.Bytes(make([]byte, 16))
	w.Str("Standard")
	f.Add(uint8(MethodPut), w.Message(), "body", false)
	f.Add(uint8(MethodComplete), []byte("\x01\x00\x00\x00k\x01\x00\x00\x00u\xff\xff\xff\xff"), "", true)
	objects := openBucket(f)
	if _, err := objects.Put(context.Background(), "outside", strings.NewReader("x"), storage.PutOptions{}); err != nil {
		f.Fatal(err)
	}
	b := New(objects, Options{Prefix: "p/"})
	readOnly := New(objects, Options{Prefix: "p/", ReadOnly: true})
	f.Fuzz(func(t *testing.T, method uint8, arguments []byte, body string, reads bool) {
		used := b
		if reads {
			used = readOnly
		}
		reply, err := used.Do(t.Context(), &binding.Call{Method: method, Arguments: arguments, Body: strings.NewReader(body), Size: int64(len(body))})
		var told *op.ErrorRecord
		if err != nil && !errors.As(err, &told) {
			t.Fatalf("method %d: %v", method, err)
		}
		if reply.Body != nil {
			if _, err := io.Copy(io.Discard, reply.Body); err != nil {
				t.Error(err)
			}
			reply.Body.Close()
		}
		l, err := objects.List(t.Context(), storage.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		outside := false
		for _, o := range l.Objects {
			outside = outside || o.Key == "outside"
			if o.Key != "outside" && !strings.HasPrefix(o.Key, "p/") {
				t.Fatalf("method %d wrote %q", method, o.Key)
			}
		}
		if !outside {
			t.Fatalf("method %d removed what is outside of its prefix", method)
		}
	})
}

// Conditions, judged on an object and by the store at a write, come to the same.
func TestConditionsAgree(t *testing.T) {
	objects := openBucket(t)
	b := &bucket{objects: objects}
	o, err := objects.Put(t.Context(), "k", strings.NewReader("x"), storage.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tag, other := `"`+o.ETag+`"`, `"other"`
	at := float64(o.Modified.UnixMilli())
	times := []float64{math.NaN(), at - 1, at, at + 1, at - 1000, at + 1000, 0}
	lists := [][]string{nil, {tag}, {other}, {"*"}, {other, tag}, {"W/" + tag}, {other, `"x"`}}
	for _, matches := range lists {
		for _, not := range lists {
			for _, before := range times {
				for _, after := range times {
					for _, seconds := range []bool{false, true} {
						c := condition{matches != nil, not != nil, seconds, matches, not, before, after}
						w, err := b.writeConditions(t.Context(), "k", c)
						if err == nil {
							err = w.Check(&o)
						}
						if holds := c.holds(&o); holds != (err == nil) {
							t.Fatalf("%+v on an object of %v holds: %v; at a write: %v (%+v)", c, o.Modified.Format(time.RFC3339Nano), holds, err, w)
						}
						// Where there is nothing, only what demands nothing of it holds.
						w, err = b.writeConditions(t.Context(), "missing", c)
						if err == nil {
							err = w.Check(nil)
						}
						if holds := matches == nil && math.IsNaN(after); holds != (err == nil) {
							t.Fatalf("%+v on nothing holds: %v; at a write: %v", c, holds, err)
						}
					}
				}
			}
		}
	}
}
