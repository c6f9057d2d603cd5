package fs

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"mayfly/storage"
	"mayfly/storage/objectstest"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		writeUntilKilled(folder)
		return
	}
	goleak.VerifyTestMain(m)
}

func openStore(t testing.TB, folder string, options Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), folder, options)
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

func openBucket(t testing.TB, s *Store) *Bucket {
	t.Helper()
	b, err := s.Bucket(context.Background(), "artifacts")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	for name, options := range map[string]Options{"Default": {}, "Files": {InlineLimit: 1}} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "Default" {
				t.Skip("the default options have been tested")
			}
			objectstest.Run(t, func(t *testing.T) storage.Objects {
				s := openStore(t, t.TempDir(), options)
				t.Cleanup(func() { wantTidy(t, s) })
				return openBucket(t, s)
			})
		})
	}
}
