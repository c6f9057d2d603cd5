package meta

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

func TestSecrets(t *testing.T) {
	now := time.UnixMilli(1_000_000).UTC()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	put := func(tenant, name, sealed string) Secret {
		t.Helper()
		secret, err := s.PutSecret(t.Context(), tenant, name, []byte(sealed), 2)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	first := put("a", "ONE", "x")
	put("a", "TWO", "y")
	put("b", "ONE", "z")
	if _, err := s.PutSecret(t.Context(), "a", "THREE", nil, 2); !errors.Is(err, ErrTooMany) {
		t.Errorf("a third of two: %v", err)
	}
	now = now.Add(time.Hour)
	replaced := put("a", "ONE", "again")
	if want := (Secret{Tenant: "a", Name: "ONE", Sealed: []byte("again"), Created: first.Created, Updated: now}); !cmp.Equal(want, replaced) {
		t.Error(cmp.Diff(want, replaced))
	}
	got, err := s.Secret(t.Context(), "a", "ONE")
	if err != nil || !cmp.Equal(replaced, got) {
		t.Error(err, cmp.Diff(replaced, got))
	}
	if _, err := s.Secret(t.Context(), "b", "TWO"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's secret: %v", err)
	}
	list, err := s.Secrets(t.Context(), "a")
	if err != nil || len(list) != 2 || list[0].Name != "ONE" || list[0].Sealed != nil || list[1].Name != "TWO" {
		t.Errorf("list: %v %v", list, err)
	}
	if err := s.DeleteSecret(t.Context(), "a", "ONE"); err != nil {
		t.Error(err)
	}
	if err := s.DeleteSecret(t.Context(), "a", "ONE"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := s.Secret(t.Context(), "b", "ONE"); err != nil {
		t.Errorf("the other tenant's went too: %v", err)
	}
	if err := s.db.Update(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE secrets SET sealed = 'other' WHERE tenant = 'b'")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Secret(t.Context(), "b", "ONE"); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
}
