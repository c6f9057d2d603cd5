package secret

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mayfly/storage/meta"
)

const canary = "canary-5c0a1b7e-value"

func open(t *testing.T) (s *Store, folder string) {
	t.Helper()
	folder = t.TempDir()
	records, err := meta.Open(t.Context(), filepath.Join(folder, "meta.db"), meta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close(t.Context()) })
	key, err := LoadKey(filepath.Join(folder, "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = New(records, key); err != nil {
		t.Fatal(err)
	}
	return s, folder
}

func TestStore(t *testing.T) {
	s, _ := open(t)
	if _, err := s.Put(t.Context(), "a", "TOKEN", canary); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Value(t.Context(), "a", "TOKEN"); v != canary || err != nil {
		t.Errorf("Value: %q, %v", v, err)
	}
	for _, other := range [][2]string{{"b", "TOKEN"}, {"a", "OTHER"}, {"", "TOKEN"}, {"a", ""}} {
		if v, err := s.Value(t.Context(), other[0], other[1]); v != "" || !errors.Is(err, ErrNotFound) {
			t.Errorf("Value of %q: %q, %v", other, v, err)
		}
	}
	list, err := s.List(t.Context(), "a")
	if err != nil || len(list) != 1 || list[0].Name != "TOKEN" || list[0].Created.IsZero() {
		t.Errorf("List: %v, %v", list, err)
	}
	if err := s.Delete(t.Context(), "a", "TOKEN"); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), "a", "TOKEN"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestPutRefuses(t *testing.T) {
	s, _ := open(t)
	for _, test := range []struct {
		name, value string
		want        error
	}{
		{"", "v", ErrName}, {"1A", "v", ErrName}, {"A-B", "v", ErrName}, {"A/../B", "v", ErrName}, {"Ä", "v", ErrName},
		{strings.Repeat("A", MaxName+1), "v", ErrName}, {"A", "", ErrValue}, {"A", strings.Repeat("v", MaxValue+1), ErrValue},
	} {
		if _, err := s.Put(t.Context(), "a", test.name, test.value); !errors.Is(err, test.want) {
			t.Errorf("Put(%.20q, %.20q): %v, want %v", test.name, test.value, err, test.want)
		}
	}
	if _, err := s.Put(t.Context(), "a", strings.Repeat("A", MaxName), strings.Repeat("v", MaxValue)); err != nil {
		t.Error(err)
	}
}

// A sealed value opens only as the secret that it was put as, and only with its
// key.
func TestSealedValuesAreBound(t *testing.T) {
	s, _ := open(t)
	if _, err := s.Put(t.Context(), "a", "ONE", canary); err != nil {
		t.Fatal(err)
	}
	r, err := s.records.Secret(t.Context(), "a", "ONE")
	if err != nil {
		t.Fatal(err)
	}
	for _, as := range [][2]string{{"b", "ONE"}, {"a", "TWO"}} {
		if _, err := s.records.PutSecret(t.Context(), as[0], as[1], r.Sealed, MaxTenant); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Value(t.Context(), as[0], as[1]); v != "" || !errors.Is(err, ErrKey) {
			t.Errorf("moved to %q: %q, %v", as, v, err)
		}
	}
	for i := range r.Sealed {
		damaged := bytes.Clone(r.Sealed)
		damaged[i] ^= 1
		if _, err := s.records.PutSecret(t.Context(), "a", "ONE", damaged, MaxTenant); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Value(t.Context(), "a", "ONE"); v != "" || !errors.Is(err, ErrKey) {
			t.Fatalf("byte %d changed: %q, %v", i, v, err)
		}
	}
	other, err := New(s.records, make([]byte, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Put(t.Context(), "a", "ONE", canary); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Value(t.Context(), "a", "ONE"); v != "" || !errors.Is(err, ErrKey) {
		t.Errorf("another key: %q, %v", v, err)
	}
}

// Nothing of a value is in any file, nor in an error.
func TestValuesAreSealedAtRest(t *testing.T) {
	s, folder := open(t)
	if _, err := s.Put(t.Context(), "a", "TOKEN", canary); err != nil {
		t.Fatal(err)
	}
	_, err := s.Put(t.Context(), "a", "not a name", canary)
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("the error: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("%s holds the value", filepath.Base(name))
		}
	}
}

func TestLoadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	keys := make([][]byte, 16)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = LoadKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if len(key) != KeySize || !bytes.Equal(key, keys[0]) {
			t.Fatal("racing processes got different keys")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil {
		t.Error("a short key was taken")
	}
}
