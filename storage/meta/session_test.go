package meta

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage/sqlite"
)

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	open := func() *Store {
		t.Helper()
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := open()
	want := []Session{{s.NewID(), "a", []byte("one")}, {s.NewID(), "b", []byte("two")}, {s.NewID(), "a", []byte("three")}}
	for _, x := range []int{2, 0, 1} {
		check(s.PutSession(t.Context(), want[x]))
	}
	want[0].Record, want[0].Tenant = []byte("again"), "c"
	check(s.PutSession(t.Context(), want[0]))
	list := func(s *Store) []Session {
		t.Helper()
		got, damaged, err := s.Sessions(t.Context())
		check(err)
		if len(damaged) > 0 {
			t.Errorf("damaged: %v", damaged)
		}
		return got
	}
	if d := cmp.Diff(want, list(s)); d != "" {
		t.Error(d)
	}
	check(s.DeleteSession(t.Context(), want[1].ID))
	check(s.DeleteSession(t.Context(), want[1].ID))
	check(s.Close(t.Context()))

	s = open()
	defer func() { check(s.Close(t.Context())) }()
	if d := cmp.Diff([]Session{want[0], want[2]}, list(s)); d != "" {
		t.Error(d)
	}
	check(s.db.Update(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE sessions SET tenant = 'd' WHERE id = ?", want[0].ID)
		return err
	}))
	got, damaged, err := s.Sessions(t.Context())
	check(err)
	if d := cmp.Diff([]string{want[0].ID}, damaged); d != "" || len(got) != 1 {
		t.Error(d, got)
	}
}
