package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"mayfly/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func migrations(texts ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i, text := range texts {
		m[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

const table = "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER NOT NULL)"

func open(t testing.TB, path string, options Options) *DB {
	t.Helper()
	if options.ApplicationID == 0 {
		options.ApplicationID = 42
	}
	db, err := Open(context.Background(), path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func count(t testing.TB, db *DB) (n int) {
	t.Helper()
	if err := db.Reader().QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd ?#%name.db")
	db := open(t, path, Options{Migrations: migrations(table)})
	insert := func(tx *Tx) error { _, err := tx.Exec("INSERT INTO t (v) VALUES (1)"); return err }
	if err := db.Update(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	// One that fails leaves the database as it was.
	_, err := Open(t.Context(), path, Options{ApplicationID: 42, Migrations: migrations(table, "INSERT INTO t (v) VALUES (2); nonsense")})
	if err == nil || !strings.Contains(err.Error(), "0002_step") {
		t.Fatal(err)
	}
	db = open(t, path, Options{Migrations: migrations(table, "INSERT INTO t (v) VALUES (2)")})
	if n := count(t, db); n != 2 {
		t.Fatalf("%d rows", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, Options{Migrations: migrations(table, "INSERT INTO t (v) VALUES (2)")})
	if n := count(t, db); n != 2 {
		t.Fatalf("a migration ran twice: %d rows", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := Open(t.Context(), path, Options{ApplicationID: 42, Migrations: migrations(table)}); !errors.Is(err, storage.ErrNewerSchema) {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{ApplicationID: 7, Migrations: migrations(table, "")}); !errors.Is(err, storage.ErrCorrupt) {
		t.Fatalf("another application's file: %v", err)
	}
	gap := migrations(table)
	gap["0003_gap.sql"] = &fstest.MapFile{}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "x"), Options{Migrations: gap}); err == nil {
		t.Fatal("a gap was accepted")
	}
}

// TestConcurrentMigrations: whoever opens a new file, or one that another is
// migrating, waits for the other. What goes wrong goes wrong in a few of a
// hundred rounds.
func TestConcurrentMigrations(t *testing.T) {
	steps := migrations(table, "INSERT INTO t (v) VALUES (1)", "INSERT INTO t (v) VALUES (2)")
	for round := range 100 {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", round))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				db, err := Open(t.Context(), path, Options{ApplicationID: 42, Migrations: steps})
				if err != nil {
					t.Error(err)
					return
				}
				if n := count(t, db); n != 2 {
					t.Errorf("%d rows", n)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// TestUpdateHammer mixes updates that succeed, fail before they write, fail
// after, and panic: each has its own fate.
func TestUpdateHammer(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), Options{Migrations: migrations(table), MaxBatch: 16})
	mine := errors.New("mine")
	const workers, each = 16, 40
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				kind := (w + i) % 4
				k := w*each + i
				err := db.Update(t.Context(), func(tx *Tx) error {
					if kind == 1 {
						return mine
					}
					if _, err := tx.Exec("INSERT INTO t (k, v) VALUES (?, ?)", k, kind); err != nil {
						return err
					}
					switch kind {
					case 2:
						return mine
					case 3:
						panic("mine")
					}
					return nil
				})
				switch kind {
				case 0:
					if err != nil {
						t.Error(err)
					}
					var v int
					if err := db.Reader().QueryRow("SELECT v FROM t WHERE k = ?", k).Scan(&v); err != nil {
						t.Errorf("own write: %v", err)
					}
				case 1, 2:
					if err != mine {
						t.Errorf("kind %d: %v", kind, err)
					}
				case 3:
					if err == nil || !strings.Contains(err.Error(), "panicked: mine") {
						t.Errorf("kind %d: %v", kind, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != workers*each/4 {
		t.Fatalf("%d rows", n)
	}
}

func TestUpdateCancellation(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), Options{Migrations: migrations(table)})
	entered, leave := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.Update(context.Background(), func(tx *Tx) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	ran := false
	if err := db.Update(ctx, func(*Tx) error { ran = true; return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(*Tx) error { return sql.ErrNoRows }); err != sql.ErrNoRows {
		t.Fatal(err)
	}
	if ran {
		t.Fatal("an abandoned update ran")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, storage.ErrClosed) {
		t.Fatal(err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "x.db"), Options{Migrations: migrations(table)})
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.Update(context.Background(), func(tx *Tx) error {
				_, err := tx.Exec("INSERT INTO t (v) VALUES (1)")
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
