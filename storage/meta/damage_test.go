package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
)

// TestFlippedBytes damages the file in many places: what is read is right, or
// an error that says that the store is corrupt.
func TestFlippedBytes(t *testing.T) {
	ctx, c := t.Context(), newClock()
	path := filepath.Join(t.TempDir(), "records.db")
	s := openStore(t, path, Options{Now: c.Now})
	want := map[string]Execution{}
	for range 100 {
		e := sample(s, c, "acme")
		e.Result = []byte(strings.Repeat("result ", 40))
		record(t, s, e)
		want[e.ID] = e
	}
	_, token, err := s.CreateKey(ctx, "k", "acme", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 60
	if testing.Short() {
		rounds = 25
	}
	r := rand.New(rand.NewPCG(1, 2))
	refused, found := 0, 0
	for round := range rounds {
		bad := append([]byte{}, good...)
		at := r.IntN(len(bad))
		if round < 20 {
			at = r.IntN(100) // the header
		}
		for i := range 1 + r.IntN(4) {
			bad[min(at+i, len(bad)-1)] ^= byte(1 + r.IntN(255))
		}
		damaged := filepath.Join(t.TempDir(), "records.db")
		if err := os.WriteFile(damaged, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		// Opening checks all of a small file; larger ones are checked while
		// they are read, which every other round shows.
		s, err := openUnchecked(damaged, c, round%2 == 0)
		if err != nil {
			if !isDamage(err) {
				t.Fatalf("byte %d: opening: %v", at, err)
			}
			refused++
			continue
		}
		bad2 := false
		for id, e := range want {
			got, err := s.Execution(ctx, "acme", id)
			switch {
			case err == nil:
				if d := cmp.Diff(e, got); d != "" {
					t.Fatalf("byte %d: silently wrong: %s", at, d)
				}
			case isDamage(err), errors.Is(err, ErrNotFound) && round%2 == 1:
				bad2 = true
			default:
				t.Fatalf("byte %d: %v", at, err)
			}
		}
		p, err := s.Executions(ctx, Filter{Tenant: "acme", Limit: 1000})
		if err != nil && !isDamage(err) {
			t.Fatalf("byte %d: list: %v", at, err)
		}
		for _, got := range p.Executions {
			e := want[got.ID]
			e.Events = nil
			if d := cmp.Diff(e, got); d != "" {
				t.Fatalf("byte %d: silently wrong in the list: %s", at, d)
			}
		}
		if _, err := s.Authenticate(ctx, token); err != nil {
			if !isDamage(err) && !(errors.Is(err, ErrUnauthorized) && round%2 == 1) {
				t.Fatalf("byte %d: authenticate: %v", at, err)
			}
			bad2 = true
		}
		if bad2 {
			found++
		}
		s.Close(ctx) // may fail: the file is damaged
	}
	if refused == 0 || found == 0 {
		t.Fatalf("%d refused, %d found while reading: the test shows nothing", refused, found)
	}
	t.Logf("of %d damaged files %d were refused, %d found while reading", rounds, refused, found)
}

func openUnchecked(path string, c *clock, check bool) (*Store, error) {
	o := Options{Now: c.Now}
	if !check {
		o.checkBytes = -1
	}
	return Open(context.Background(), path, o)
}

// isDamage accepts what tells the operator that the file is not as it was
// written.
func isDamage(err error) bool {
	return errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNewerSchema)
}

func TestNoDatabase(t *testing.T) {
	for name, content := range map[string]string{"text": strings.Repeat("hello ", 100), "short": "SQLite"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), path, Options{})
		var e *storage.Error
		if !errors.Is(err, storage.ErrCorrupt) || !errors.As(err, &e) || !strings.Contains(e.Hint, path) {
			t.Fatalf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != content {
			t.Fatalf("%s: the file was changed", name)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := openStore(t, path, Options{})
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO schema_migrations VALUES (99, 'future', 0); PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, Options{})
	if !errors.Is(err, storage.ErrNewerSchema) || !strings.Contains(err.Error(), "schema 99") {
		t.Fatal(err)
	}
}

// TestFullDisk fills the database: recording fails, reading goes on, and once
// there is room everything that was queued is written.
func TestFullDisk(t *testing.T) {
	ctx, c := t.Context(), newClock()
	path := filepath.Join(t.TempDir(), "records.db")
	s, err := Open(ctx, path, Options{Now: c.Now, maxPages: 60, QueueLength: 50, BatchDelay: time.Millisecond, RetryDelay: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	refused := 0
	for range 200 {
		e := sample(s, c, "acme")
		e.Result = make([]byte, 4000)
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		err := s.Record(short, e)
		cancel()
		if err == nil {
			ids = append(ids, e.ID)
			continue
		}
		if !errors.Is(err, ErrQueueFull) || !errors.Is(err, storage.ErrNoSpace) {
			t.Fatal(err)
		}
		if refused++; refused == 5 {
			break
		}
	}
	if refused == 0 || len(ids) < 20 {
		t.Fatalf("%d refused, %d accepted", refused, len(ids))
	}
	if err := s.Flush(ctx); !errors.Is(err, storage.ErrNoSpace) {
		t.Fatalf("flush: %v", err)
	}
	var claimed error
	for i := 0; claimed == nil && i < 100; i++ {
		_, claimed = s.ClaimKey(ctx, "acme", fmt.Sprint(i), [32]byte{}, strings.Repeat("x", 8000))
	}
	if !errors.Is(claimed, storage.ErrNoSpace) {
		t.Fatalf("claim: %v", claimed)
	}
	for _, id := range ids {
		if _, err := s.Execution(ctx, "acme", id); err != nil {
			t.Fatalf("reading with a full disk: %v", err)
		}
	}
	if p, err := s.Executions(ctx, Filter{}); err != nil || len(p.Executions) == 0 {
		t.Fatalf("listing with a full disk: %v", err)
	}
	if err := s.db.SetMaxPages(ctx, 100_000); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for s.Stats().Queued > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if n := s.Stats(); n.Queued > 0 || n.Err != nil || n.Committed != int64(len(ids)) {
		t.Fatalf("%+v", n)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestRecordHammer records, reads and lists at once.
func TestRecordHammer(t *testing.T) {
	ctx := t.Context()
	s := newStore(t, Options{QueueLength: 64, BatchDelay: time.Millisecond})
	c := &clock{now: time.Now()}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			tenant := fmt.Sprint("t", w%3)
			for i := range 100 {
				e := sample(s, c, tenant)
				e.Status = Running
				for range 2 {
					if err := s.Record(ctx, e); err != nil {
						t.Error(err)
						return
					}
					got, err := s.Execution(ctx, tenant, e.ID)
					if err != nil || got.Status != e.Status {
						t.Errorf("own write: %s, want %s, %v", got.Status, e.Status, err)
						return
					}
					e.Status = Done
				}
				if i%20 == 0 {
					if _, err := s.Executions(ctx, Filter{Tenant: tenant, Limit: 5}); err != nil {
						t.Error(err)
					}
					if err := s.Flush(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	days, err := s.UsageByDay(ctx, "", c.Now().Add(-24*time.Hour), c.Now().Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, d := range days {
		n += d.Executions
	}
	if n != 800 {
		t.Fatalf("%d executions in the totals", n)
	}
}

func TestIDsAscendWhenTheClockGoesBack(t *testing.T) {
	c := newClock()
	s := newStore(t, Options{Now: c.Now})
	last := ""
	for i := range 1000 {
		if i%10 == 5 {
			c.move(-time.Hour)
		}
		id := s.NewID()
		if id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func FuzzDecodeRecord(f *testing.F) {
	id := identity{1, 2}
	e := Execution{Tenant: "t", Status: Done, Outcome: "ok", Events: []Event{{1, "a", []byte("b")}}, Artifacts: []Artifact{{Name: "n"}}}
	f.Add(encodeRecord(id, &e))
	f.Add(encodeEvents(id, e.Events))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Past the checksum, which no mutation gets right.
		if len(b) > 4 {
			b = finish(b[: len(b)-4 : len(b)-4])
		}
		if e, err := decodeRecord(id, b); err == nil {
			again, err := decodeRecord(id, encodeRecord(id, &e))
			if err != nil || !cmp.Equal(e, again) {
				t.Fatalf("%+v became %+v, %v", e, again, err)
			}
		}
		if events, err := decodeEvents(id, b); err == nil {
			again, err := decodeEvents(id, encodeEvents(id, events))
			if err != nil || !cmp.Equal(events, again) {
				t.Fatalf("%+v became %+v, %v", events, again, err)
			}
		}
	})
}

func FuzzID(f *testing.F) {
	f.Add(identity{1 << 60, 1<<64 - 1}.String())
	f.Add(encodeCursor(77))
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := parseID(s); err == nil && id.String() != s {
			t.Fatalf("%q is accepted for %q", s, id)
		}
		if seq, err := decodeCursor(s); err == nil && encodeCursor(seq) != s {
			t.Fatalf("%q is accepted for cursor %d", s, seq)
		}
	})
}
