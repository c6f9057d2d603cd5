package meta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mayfly/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

func openStore(t testing.TB, path string, options Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(t testing.TB, options Options) *Store {
	return openStore(t, filepath.Join(t.TempDir(), "records.db"), options)
}

// sample is an execution with every field set.
func sample(s *Store, c *clock, tenant string) Execution {
	now := c.Now()
	return Execution{
		ID: s.NewID(), Tenant: tenant, Status: Done, Outcome: "ok",
		CreatedAt: now, EndedAt: now.Add(time.Second), ExpiresAt: now.Add(time.Hour),
		Request: []byte(`{"language":"javascript"}`), Result: []byte(`{"result":42}`),
		Usage:     Usage{CPU: 1500 * time.Microsecond, Wall: 2 * time.Millisecond, PeakMemory: 1 << 20, EgressBytes: 10, IngressBytes: 20, Subrequests: 3},
		Events:    []Event{{1, "stdout", []byte("hi\n")}, {2, "end", nil}},
		Artifacts: []Artifact{{"chart.svg", "/artifacts/chart.svg", 123, "image/svg+xml", fmt.Sprintf("%x", sha256.Sum256(nil)), "a/b", Export{"reports", "x/chart.svg", "store is read-only"}}},
	}
}

func record(t testing.TB, s *Store, e Execution) {
	t.Helper()
	if err := s.Record(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func TestRecordIsFoundAtOnceAndAfterReopening(t *testing.T) {
	ctx, c := t.Context(), newClock()
	path := filepath.Join(t.TempDir(), "records.db")
	// The batch would wait for an hour: what is found is in the queue.
	s := openStore(t, path, Options{Now: c.Now, BatchDelay: time.Hour})
	want := sample(s, c, "acme")
	record(t, s, want)
	check := func(s *Store) {
		t.Helper()
		got, err := s.Execution(ctx, "acme", want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if _, err := s.Execution(ctx, "other", want.ID); !errors.Is(err, ErrNotFound) {
			t.Fatalf("another tenant: %v", err)
		}
	}
	if n := s.Stats(); n.Queued != 1 || n.Committed != 0 {
		t.Fatal(n)
	}
	check(s)
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats(); n.Queued != 0 || n.Committed != 1 {
		t.Fatal(n)
	}
	check(s)
	want = sample(s, c, "acme")
	record(t, s, want)
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(ctx, want); !errors.Is(err, storage.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
	s = openStore(t, path, Options{Now: c.Now})
	check(s)
	if id := s.NewID(); id <= want.ID {
		t.Fatalf("%s does not come after %s", id, want.ID)
	}
	c.move(2 * time.Hour)
	if _, err := s.Execution(ctx, "", want.ID); !errors.Is(err, ErrNotFound) {
		t.Fatalf("expired: %v", err)
	}
}

func TestRecordChangesUntilDone(t *testing.T) {
	ctx, c := t.Context(), newClock()
	for _, flush := range []bool{false, true} {
		s := newStore(t, Options{Now: c.Now, BatchDelay: time.Hour})
		e := sample(s, c, "acme")
		for _, step := range []struct{ status, want Status }{{Queued, Queued}, {Running, Running}, {Done, Done}, {Running, Done}, {Done, Done}} {
			e.Status = step.status
			record(t, s, e)
			if flush {
				if err := s.Flush(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := s.Execution(ctx, "", e.ID); err != nil || got.Status != step.want {
				t.Fatalf("after %s: %s, %v", step.status, got.Status, err)
			}
		}
		days, err := s.UsageByDay(ctx, "acme", c.Now(), c.Now().Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		want := []DayUsage{{"acme", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), e.Usage}}
		want[0].Executions = 1
		if d := cmp.Diff(want, days); d != "" {
			t.Fatal(d)
		}
	}
}

// What an execution used of its bindings is in its record.
func TestBindingUsage(t *testing.T) {
	ctx, c := t.Context(), newClock()
	s := newStore(t, Options{Now: c.Now})
	e := sample(s, c, "acme")
	e.Usage.BindingOperations, e.Usage.BindingReadBytes, e.Usage.BindingWriteBytes = 3, 1<<40, 5
	record(t, s, e)
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := s.Execution(ctx, "acme", e.ID)
	if err != nil || got.Usage != e.Usage {
		t.Errorf("%+v, %v; recorded was %+v", got.Usage, err, e.Usage)
	}
}

func TestUsageAddsUpByTenantAndDay(t *testing.T) {
	ctx, c := t.Context(), newClock()
	s := newStore(t, Options{Now: c.Now})
	start := c.Now()
	for i := range 100 {
		e := sample(s, c, []string{"a", "b"}[i%2])
		e.Usage.PeakMemory = int64(i)
		if e.Tenant == "b" { // and the other's rows are as before there were bindings
			e.Usage.BindingOperations, e.Usage.BindingReadBytes, e.Usage.BindingWriteBytes = 2, 300, int64(i)
		}
		record(t, s, e)
		if i == 49 {
			c.move(time.Hour) // past midnight
		}
		if i%10 == 0 {
			if err := s.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	days, err := s.UsageByDay(ctx, "", start, c.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range days {
		got = append(got, fmt.Sprint(d.Day.Format(time.DateOnly), " ", d.Tenant, " ", d.Executions, " ", d.CPU, " ", d.PeakMemory, " ", d.Subrequests, " ", d.BindingOperations, " ", d.BindingReadBytes, " ", d.BindingWriteBytes))
	}
	want := []string{
		"2026-03-01 a 25 37.5ms 48 75 0 0 0", "2026-03-01 b 25 37.5ms 49 75 50 7500 625",
		"2026-03-02 a 25 37.5ms 98 75 0 0 0", "2026-03-02 b 25 37.5ms 99 75 50 7500 1875",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestListPagesAndFilters(t *testing.T) {
	ctx, c := t.Context(), newClock()
	s := newStore(t, Options{Now: c.Now})
	var all []Execution
	for i := range 500 {
		e := sample(s, c, fmt.Sprint("tenant", i%3))
		e.Outcome = []string{"ok", "exception"}[i%2]
		if i%5 == 0 {
			e.Status, e.Outcome = Running, ""
		}
		if i%7 == 0 {
			e.ExpiresAt = c.Now().Add(time.Millisecond) // gone soon
		}
		record(t, s, e)
		all = append(all, e)
	}
	c.move(time.Second)
	for _, f := range []Filter{{}, {Limit: 7}, {Tenant: "tenant1", Limit: 10}, {Outcome: "ok", Limit: 13}, {Status: Running, Limit: 3}, {Tenant: "tenant2", Status: Done, Outcome: "exception", Limit: 1}, {Tenant: "nobody"}} {
		var want, got []string
		for i := len(all) - 1; i >= 0; i-- {
			if matches(&all[i], f) && c.Now().Before(all[i].ExpiresAt) {
				want = append(want, all[i].ID)
			}
		}
		for pages := 0; ; pages++ {
			p, err := s.Executions(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Executions {
				got = append(got, e.ID)
			}
			if p.Cursor == "" {
				break
			}
			if pages > len(all) {
				t.Fatal("the list does not end")
			}
			f.Cursor = p.Cursor
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%+v: %s", f, d)
		}
	}
	if _, err := s.Executions(ctx, Filter{Cursor: "nonsense"}); !errors.Is(err, ErrInvalidCursor) {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	ctx, c := t.Context(), newClock()
	s := newStore(t, Options{Now: c.Now})
	const n = 300
	for i := range n {
		e := sample(s, c, "acme")
		e.Artifacts[0].ObjectKey = fmt.Sprint("object", i)
		record(t, s, e)
	}
	kept := sample(s, c, "acme")
	kept.ExpiresAt = time.Time{}
	record(t, s, kept)
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	deleted := map[string]bool{}
	remove := func(_ context.Context, keys []string) error {
		for _, k := range keys {
			deleted[k] = true
		}
		return nil
	}
	if got, err := s.Sweep(ctx, remove); got != 0 || err != nil {
		t.Fatal(got, err)
	}
	c.move(2 * time.Hour)
	broken := errors.New("object store is away")
	if _, err := s.Sweep(ctx, func(context.Context, []string) error { return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if got, err := s.Sweep(ctx, remove); got != n || err != nil {
		t.Fatal(got, err)
	}
	if len(deleted) != n {
		t.Fatalf("%d objects deleted", len(deleted))
	}
	p, err := s.Executions(ctx, Filter{})
	if err != nil || len(p.Executions) != 1 || p.Executions[0].ID != kept.ID {
		t.Fatal(p, err)
	}
}

func TestEndUnfinished(t *testing.T) {
	ctx, c := t.Context(), newClock()
	path := filepath.Join(t.TempDir(), "records.db")
	s := openStore(t, path, Options{Now: c.Now})
	var ids []string
	for i := range 300 {
		e := sample(s, c, "acme")
		e.Status = []Status{Queued, Running, Done}[i%3]
		record(t, s, e)
		ids = append(ids, e.ID)
	}
	if _, err := s.ClaimKey(ctx, "acme", "k", [32]byte{1}, ids[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, Options{Now: c.Now})
	n, err := s.EndUnfinished(ctx, "internalError", []byte("{}"))
	if n != 200 || err != nil {
		t.Fatal(n, err)
	}
	for i, id := range ids {
		e, err := s.Execution(ctx, "", id)
		if err != nil || e.Status != Done || (e.Outcome == "internalError") != (i%3 != 2) {
			t.Fatal(i, e, err)
		}
	}
	if claim, err := s.ClaimKey(ctx, "acme", "k", [32]byte{2}, ids[1]); err != nil || claim.State != Claimed {
		t.Fatal(claim, err)
	}
}

func TestKeys(t *testing.T) {
	ctx, c := t.Context(), newClock()
	path := filepath.Join(t.TempDir(), "records.db")
	s := openStore(t, path, Options{Now: c.Now})
	k, token, err := s.CreateKey(ctx, "laptop", "acme", c.Now().Add(time.Hour))
	if err != nil || len(token) != 46 || token[:3] != "mf_" {
		t.Fatal(k, token, err)
	}
	raw, err := s.db.Reader().QueryContext(ctx, "SELECT hash FROM keys")
	if err != nil {
		t.Fatal(err)
	}
	for raw.Next() {
		var hash []byte
		if err := raw.Scan(&hash); err != nil || len(hash) != 32 || bytes.Contains(hash, []byte(token[3:20])) {
			t.Fatalf("stored hash %x, %v", hash, err)
		}
	}
	raw.Close()
	got, err := s.Authenticate(ctx, token)
	if err != nil || got.ID != k.ID || got.Tenant != "acme" {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"", "mf_", token[:45], token + "A", "xx_" + token[3:], token[:45] + "!", "mf_" + token[4:] + "A"} {
		if _, err := s.Authenticate(ctx, bad); !errors.Is(err, ErrUnauthorized) {
			t.Fatalf("%q: %v", bad, err)
		}
	}
	keys, err := s.Keys(ctx)
	if err != nil || len(keys) != 1 || !keys[0].LastUsed.Equal(c.Now()) {
		t.Fatal(keys, err)
	}

	// Another process revokes: this one learns of it when its cache is old.
	other, err := Open(ctx, path, Options{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RevokeKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Authenticate(ctx, token); !errors.Is(err, ErrUnauthorized) {
		t.Fatal(err)
	}
	if err := other.RevokeKey(ctx, "key_unknown"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if err := other.Close(ctx); err != nil {
		t.Fatal(err)
	}
	c.move(time.Second)
	if _, err := s.Authenticate(ctx, token); !errors.Is(err, ErrUnauthorized) {
		t.Fatal(err)
	}

	_, second, err := s.CreateKey(ctx, "short", "acme", c.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(ctx, second); err != nil {
		t.Fatal(err)
	}
	c.move(time.Hour)
	if _, err := s.Authenticate(ctx, second); !errors.Is(err, ErrUnauthorized) {
		t.Fatalf("expired: %v", err)
	}
}

func TestClaims(t *testing.T) {
	ctx, c := t.Context(), newClock()
	s := newStore(t, Options{Now: c.Now})
	body, other := [32]byte{1}, [32]byte{2}
	claim := func(tenant, key string, body [32]byte, want Claim) {
		t.Helper()
		got, err := s.ClaimKey(ctx, tenant, key, body, "exec-of-"+tenant)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
	mine := "exec-of-acme"
	claim("acme", "k", body, Claim{State: Claimed, Execution: mine})
	claim("acme", "k", body, Claim{State: InFlight, Execution: mine})
	claim("acme", "k", other, Claim{State: Mismatch, Execution: mine})
	claim("else", "k", other, Claim{State: Claimed, Execution: "exec-of-else"})
	if err := s.CompleteClaim(ctx, "acme", "k", []byte("answer")); err != nil {
		t.Fatal(err)
	}
	if err := s.CompleteClaim(ctx, "acme", "k", []byte("again")); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	claim("acme", "k", body, Claim{State: Replay, Execution: mine, Response: []byte("answer")})
	claim("acme", "k", other, Claim{State: Mismatch, Execution: mine})
	if err := s.ReleaseClaim(ctx, "acme", "k"); err != nil {
		t.Fatal(err)
	}
	claim("acme", "k", body, Claim{State: Replay, Execution: mine, Response: []byte("answer")})
	if err := s.ReleaseClaim(ctx, "else", "k"); err != nil {
		t.Fatal(err)
	}
	claim("else", "k", body, Claim{State: Claimed, Execution: "exec-of-else"})
	if err := s.CompleteClaim(ctx, "else", "k", nil); err != nil {
		t.Fatal(err)
	}
	claim("else", "k", body, Claim{State: Replay, Execution: "exec-of-else", Response: []byte{}})
	c.move(ClaimLifetime)
	claim("acme", "k", other, Claim{State: Claimed, Execution: mine})
	if _, err := s.Sweep(ctx, nil); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.db.Reader().QueryRow("SELECT count(*) FROM claims").Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d claims left, %v", n, err)
	}
}

func TestClaimHammer(t *testing.T) {
	ctx := t.Context()
	s := newStore(t, Options{})
	for round := range 10 {
		var wg sync.WaitGroup
		winners := make(chan int, 32)
		for i := range 32 {
			wg.Go(func() {
				c, err := s.ClaimKey(ctx, "acme", fmt.Sprint(round), [32]byte{}, "x")
				if err != nil {
					t.Error(err)
				}
				if c.State == Claimed {
					winners <- i
				}
			})
		}
		wg.Wait()
		if len(winners) != 1 {
			t.Fatalf("%d claims won", len(winners))
		}
	}
}

// Records of version 1 have artifacts without exports.
func TestOldRecords(t *testing.T) {
	s := &Store{options: Options{}.withDefaults()}
	e := sample(s, newClock(), "a")
	e.Events = nil
	e.Artifacts[0].Export = Export{}
	id, err := parseID(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	b := encodeRecord(id, &e)
	b = b[:len(b)-4-3] // without the checksum, and three empty texts
	b[0] = bareVersion
	got, err := decodeRecord(id, finish(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	b[0] = recordVersion + 1
	if _, err := decodeRecord(id, finish(b)); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a version of the future: %v", err)
	}
}
