package fs

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mayfly/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bucket(ctx, "artifacts")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 300 << 10} {
		want := strings.Repeat("x", size)
		if _, err := b.Put(ctx, "../a b", strings.NewReader(want), storage.PutOptions{Metadata: map[string]string{"a": "b"}}); err != nil {
			t.Fatal(err)
		}
		c, err := b.Get(ctx, "../a b", storage.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c.Body)
		c.Body.Close()
		if err != nil || !bytes.Equal(got, []byte(want)) {
			t.Fatal(size, len(got), err)
		}
	}
	l, err := b.List(ctx, storage.ListOptions{Delimiter: "/"})
	t.Log(l, err)
	if r, err := s.Recovery(ctx); err != nil || r.Orphans != 0 {
		t.Fatal(r, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
