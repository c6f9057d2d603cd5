package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mayfly/storage"
	"mayfly/storage/kv"
	"mayfly/storage/kvtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string, options Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, clock *kvtest.Clock) kv.Store {
		return open(t, filepath.Join(t.TempDir(), "kv", "kv.db"), Options{Now: clock.Now})
	})
}

func namespaceOf(t testing.TB, s *Store) kv.Namespace {
	t.Helper()
	n, err := s.Open(t.Context(), "tenant", "n")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What was acknowledged is there after the process has gone, in whatever way.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	n := namespaceOf(t, open(t, path, Options{}))
	if err := n.Put(t.Context(), "k", []byte("v"), kv.PutOptions{Metadata: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	// Not closed: a second process finds it all the same.
	list, err := namespaceOf(t, open(t, path, Options{})).Get(t.Context(), 0, "k")
	if err != nil || string(list[0].Value) != "v" || string(list[0].Metadata) != "1" {
		t.Errorf("%v, %v", list, err)
	}
}

// Damage that leaves SQLite's structure whole is found.
func TestDamage(t *testing.T) {
	for column, value := range map[string]any{"value": []byte("w"), "metadata": []byte("2"), "expires": nil, "value_crc": 5} {
		t.Run(column, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kv.db")
			clock := kvtest.NewClock()
			s := open(t, path, Options{Now: clock.Now})
			n := namespaceOf(t, s)
			if err := n.Put(t.Context(), "k", []byte("v"), kv.PutOptions{Metadata: []byte("1"), Expiration: clock.Now().Add(3600e9)}); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("UPDATE entries SET "+column+" = ?", value); err != nil {
				t.Fatal(err)
			}
			if _, err := n.Get(t.Context(), 0, "k"); !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("get says %v", err)
			}
			if _, err := n.List(t.Context(), kv.ListOptions{}); column != "value" && !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("list says %v", err)
			}
			// A new value mends it.
			if err := n.Put(t.Context(), "k", []byte("new"), kv.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if list, err := n.Get(t.Context(), 0, "k"); err != nil || string(list[0].Value) != "new" {
				t.Errorf("%v, %v", list, err)
			}
		})
	}
}

// A full disk fails writes; reads and deletes go on, and so do writes when
// there is room again.
func TestFull(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "kv.db"), Options{maxPages: 64})
	n := namespaceOf(t, s)
	value := []byte(strings.Repeat("full", 8192))
	var err error
	kept := 0
	for ; err == nil && kept < 1000; kept++ {
		err = n.Put(t.Context(), fmt.Sprint("k", kept), value, kv.PutOptions{})
	}
	if !errors.Is(err, storage.ErrNoSpace) {
		t.Fatalf("after %d values: %v", kept, err)
	}
	if list, err := n.Get(t.Context(), 0, "k0"); err != nil || len(list[0].Value) != len(value) {
		t.Errorf("reading from a full store: %v", err)
	}
	if err := n.Delete(t.Context(), "k0"); err != nil {
		t.Fatal(err)
	}
	if err := n.Put(t.Context(), "again", value, kv.PutOptions{}); err != nil {
		t.Errorf("after making room: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor("key"), "")
	f.Add(encodeCursor("a/b"), "z")
	f.Add("AQ", "p")
	f.Fuzz(func(t *testing.T, cursor, prefix string) {
		from, err := decodeCursor(cursor, prefix)
		if err == nil && string(from) < prefix {
			t.Errorf("a cursor leads to %q, before the prefix %q", from, prefix)
		}
		if err != nil && !errors.Is(err, storage.ErrInvalidCursor) {
			t.Error(err)
		}
	})
}

// FuzzKeys holds any key to one of two fates: refused everywhere, or kept as it is.
func FuzzKeys(f *testing.F) {
	f.Add("key", "value")
	f.Add("..", "")
	f.Add("\xff", "\xff")
	s, err := Open(context.Background(), filepath.Join(f.TempDir(), "kv.db"), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	n := namespaceOf(f, s)
	f.Fuzz(func(t *testing.T, key, value string) {
		valid := kv.ValidateKey(key) == nil
		err := n.Put(t.Context(), key, []byte(value), kv.PutOptions{})
		if valid != (err == nil) || err != nil && !errors.Is(err, kv.ErrInvalidKey) {
			t.Fatalf("%q is valid: %v; put says %v", key, valid, err)
		}
		if !valid {
			return
		}
		list, err := n.Get(t.Context(), 0, key)
		if err != nil || string(list[0].Value) != value {
			t.Fatalf("%q: %v, %v", key, list, err)
		}
		l, err := n.List(t.Context(), kv.ListOptions{Prefix: key, Limit: 1})
		if err != nil || len(l.Keys) != 1 || l.Keys[0].Name != key {
			t.Fatalf("%q is listed as %v, %v", key, l, err)
		}
	})
}
