package api

import (
	"context"
	"path/filepath"
	"testing"

	"mayfly/storage"
	"mayfly/storage/fs"
	"mayfly/storage/meta"
)

// newTestStorage opens the real stores in a folder of the test's own.
func newTestStorage(t testing.TB) (*meta.Store, storage.Objects) {
	t.Helper()
	folder := t.TempDir()
	store, err := meta.Open(t.Context(), filepath.Join(folder, "meta.db"), meta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	files, err := fs.Open(t.Context(), filepath.Join(folder, "objects"), fs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	objects, err := files.Bucket(t.Context(), "artifacts")
	if err != nil {
		t.Fatal(err)
	}
	return store, objects
}
