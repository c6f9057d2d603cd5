package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// childVariable makes the test binary a process that records until it is killed.
const childVariable = "MAYFLY_TEST_USAGE"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childVariable); folder != "" {
		recordUntilKilled(folder)
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func openRecorder(t testing.TB, folder string, now time.Time) *Recorder {
	t.Helper()
	r, err := Open(context.Background(), folder, Options{FoldEvery: time.Hour, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func ask(t testing.TB, r *Recorder, q Query) []Row {
	t.Helper()
	rows, err := r.Usage(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestUsage(t *testing.T) {
	folder := t.TempDir()
	r := openRecorder(t, folder, noon)
	at := func(d time.Duration, e Entry) {
		e.Time = noon.Add(d)
		r.Record(e)
	}
	ms := time.Millisecond
	at(0, Entry{Tenant: "a", Worker: "shop", Kind: Fetch, Outcome: "ok", CPU: ms, Wall: 2 * ms, Subrequests: 3})
	at(0, Entry{Tenant: "a", Worker: "shop", Kind: Fetch, Outcome: "exception", CPU: ms, Wall: 2 * ms})
	at(time.Hour, Entry{Tenant: "a", Worker: "shop", Kind: Tail, Outcome: "ok", CPU: ms})
	one := Entry{Tenant: "a", Parent: "shop", Worker: "w1", Dynamic: true, Code: []byte{1}, Kind: Fetch, Outcome: "ok", CPU: ms}
	at(0, one)
	at(time.Hour, one)
	other := one
	other.Code = []byte{2} // the same id, another code: another worker
	at(time.Hour, other)
	at(13*time.Hour, one) // the next day, and month
	at(0, Entry{Tenant: "a", Parent: "shop", Dynamic: true, First: true, Kind: Call, Outcome: "ok"})
	at(0, Entry{Tenant: "a", Parent: "shop", Dynamic: true, First: true, Kind: Call, Outcome: "exceededCpu"})
	at(0, Entry{Tenant: "a", Parent: "shop", Dynamic: true, Kind: Call, Outcome: "ok"})
	at(0, Entry{Tenant: "b", Kind: Execution, Outcome: "ok", CPU: 5 * ms})

	from, to := noon.Truncate(24*time.Hour), noon.Add(24*time.Hour)
	check := func(r *Recorder) {
		t.Helper()
		march, april := from, from.Add(24*time.Hour)
		want := []Row{
			{Start: march, Tenant: "a", Parent: "", Worker: "shop", Amounts: Amounts{Requests: 2, Events: 3, Errors: 1, Subrequests: 3, CPU: 3 * ms, Wall: 4 * ms},
				Kinds: map[string]int64{"fetch": 2, "tail": 1}, Outcomes: map[string]int64{"ok": 2, "exception": 1}},
			{Start: march, Tenant: "a", Parent: "shop", Amounts: Amounts{Requests: 6, Events: 6, Errors: 1, CPU: 3 * ms, Dynamics: 4},
				Kinds: map[string]int64{"fetch": 3, "call": 3}, Outcomes: map[string]int64{"ok": 5, "exceededCpu": 1}},
			{Start: march, Tenant: "b", Amounts: Amounts{Requests: 1, Events: 1, CPU: 5 * ms}, Kinds: map[string]int64{"execution": 1}, Outcomes: map[string]int64{"ok": 1}},
			{Start: april, Tenant: "a", Parent: "shop", Amounts: Amounts{Requests: 1, Events: 1, CPU: ms, Dynamics: 1}, Kinds: map[string]int64{"fetch": 1}, Outcomes: map[string]int64{"ok": 1}},
		}
		got := ask(t, r, Query{From: from, To: to, Step: Day, By: []string{ByTenant, ByParent, ByWorker}})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	check(r)
	check(r) // asking folds, and changes nothing
	if s := r.Stats(); s.Dynamics != 5 || s.Lost != 0 || s.Err != nil {
		t.Errorf("stats %+v", s)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openRecorder(t, folder, noon)
	check(r)

	hours := ask(t, r, Query{Tenant: "a", Parent: "shop", From: noon, To: noon.Add(time.Hour), Step: Hour})
	if len(hours) != 1 || hours[0].Events != 4 || hours[0].Dynamics != 3 {
		t.Errorf("an hour: %+v", hours)
	}
	all := ask(t, r, Query{From: from, To: to})
	if len(all) != 1 || all[0].Events != 11 || all[0].Requests != 10 || all[0].Dynamics != 5 || all[0].CPU != 12*ms || !all[0].Start.Equal(from) {
		t.Errorf("all: %+v", all)
	}
	if _, err := r.Usage(t.Context(), Query{From: from, To: to, Step: Day, By: []string{ByTenant}, Limit: 1}); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}

	days, err := r.Dynamics(t.Context(), "a", "shop", noon, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []Dynamic{
		{Parent: "shop", Workers: 2, Amounts: Amounts{Requests: 3, Events: 3, Errors: 1, Dynamics: 2}},
		{Parent: "shop", ID: "w1", Code: "01", Workers: 1, Amounts: Amounts{Requests: 2, Events: 2, CPU: 2 * ms, Dynamics: 1}},
		{Parent: "shop", ID: "w1", Code: "02", Workers: 1, Amounts: Amounts{Requests: 1, Events: 1, CPU: ms, Dynamics: 1}},
	}
	if diff := cmp.Diff(want, days); diff != "" {
		t.Error(diff)
	}
	if days, err = r.Dynamics(t.Context(), "a", "shop", noon, "w1", 10); err != nil || len(days) != 0 {
		t.Errorf("%v, %v", days, err)
	}

	prices := Prices{Requests: 2e6, CPU: 1e6, DynamicWorkers: 10, Included: Included{Requests: 1, CPUMs: 2, DynamicWorkers: 1}}
	cost, err := r.Cost(t.Context(), Query{From: from, To: to}, &prices)
	// March of a: 8 requests, 6 ms, 4 dynamic ones; of b: 1, 5 ms; April of a: 1, 1 ms, 1.
	if err != nil || cost != (Cost{Requests: 14, CPU: 7, DynamicWorkers: 30}) || cost.Total() != 51 {
		t.Errorf("%+v, %v", cost, err)
	}
	if prices.CPU = -1; prices.Check() == nil {
		t.Error("a negative price")
	}
}

// A hundred thousand ids on a day are counted one by one, however often they
// come and whatever is folded in between.
func TestManyDynamics(t *testing.T) {
	r := openRecorder(t, t.TempDir(), noon)
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	dynamic := func(i int) {
		r.Record(Entry{Tenant: "a", Parent: "p", Worker: "worker-" + strconv.Itoa(i), Dynamic: true, Kind: Fetch, Outcome: "ok"})
	}
	for i := range n {
		dynamic(i)
	}
	if err := r.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		dynamic(n - 500 + i) // half of them are known
	}
	rows := ask(t, r, Query{From: noon, To: noon.Add(time.Hour)})
	if len(rows) != 1 || rows[0].Events != int64(n+1000) || rows[0].Dynamics != int64(n+500) {
		t.Fatalf("%+v", rows)
	}
}

func TestRecorderHammer(t *testing.T) {
	folder := t.TempDir()
	r := openRecorder(t, folder, noon)
	const workers, each = 8, 500
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				r.Record(Entry{Tenant: "t" + strconv.Itoa(w%3), Parent: "p", Worker: strconv.Itoa(i % 50), Dynamic: true, Kind: Call, Outcome: "ok", CPU: 1})
				if i%100 == 99 {
					if _, err := r.Usage(context.Background(), Query{From: noon, To: noon.Add(1)}); err != nil {
						t.Error(err)
					}
					r.Stats()
				}
			}
		})
	}
	wg.Wait()
	rows := ask(t, r, Query{From: noon, To: noon.Add(1)})
	if len(rows) != 1 || rows[0].Events != workers*each || rows[0].CPU != workers*each || rows[0].Dynamics != 150 {
		t.Fatalf("%+v", rows)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	r.Record(Entry{Kind: Fetch, Outcome: "ok"})
	if r.Stats().Lost != 1 {
		t.Error("an entry after the end is not said to be lost")
	}
	if files, _ := filepath.Glob(filepath.Join(folder, "*"+segmentSuffix)); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// recordUntilKilled records, and says of each entry that it was.
func recordUntilKilled(folder string) {
	r, err := Open(context.Background(), folder, Options{FoldEvery: 3 * time.Millisecond, Now: func() time.Time { return noon }})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				r.Record(Entry{Tenant: "a", Parent: "p", Worker: strconv.Itoa(w) + "-" + strconv.Itoa(i%1000), Dynamic: true, Kind: Fetch, Outcome: "ok", CPU: time.Millisecond})
				mu.Lock()
				os.Stdout.WriteString(".")
				mu.Unlock()
			}
		}()
	}
	select {}
}

// Processes are killed while they record and fold: what was recorded counts,
// once.
func TestKill(t *testing.T) {
	folder := t.TempDir()
	acknowledged, processes := 0, 8
	if testing.Short() {
		processes = 2
	}
	for round := range processes {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+folder)
		c.Stderr = os.Stderr
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 5000+rand.IntN(10_000)) // it lives that long
		if _, err := io.ReadFull(stdout, out); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(stdout)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		if s := string(out) + string(rest); strings.Trim(s, ".") != "" {
			t.Fatal(s)
		}
		acknowledged += len(out) + len(rest)
		r := openRecorder(t, folder, noon)
		rows := ask(t, r, Query{From: noon, To: noon.Add(1)})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		// Those that were under way, at most four a process, may count or not.
		events := rows[0].Events
		if events < int64(acknowledged) || events > int64(acknowledged+4*(round+1)) || rows[0].CPU != time.Duration(events)*time.Millisecond {
			t.Fatalf("round %d: %d entries were recorded, %d count", round, acknowledged, events)
		}
	}
}

// A segment that was folded by a process that died before it removed the file
// doesn't count again.
func TestFoldedTwice(t *testing.T) {
	folder := t.TempDir()
	r := openRecorder(t, folder, noon)
	r.Record(Entry{Tenant: "a", Kind: Fetch, Outcome: "ok"})
	path := r.journal.path(r.journal.number)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r = openRecorder(t, folder, noon)
	if rows := ask(t, r, Query{From: noon, To: noon.Add(1)}); rows[0].Events != 1 {
		t.Errorf("%+v", rows)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// The part of an entry that a killed process wrote hides nothing.
func TestTornEntry(t *testing.T) {
	folder := t.TempDir()
	e := Entry{Time: noon, Tenant: "a", Kind: Fetch, Outcome: "ok"}
	whole := e.appendTo(nil)
	for cut := range len(whole) {
		if err := os.WriteFile((&journal{folder: folder}).path(int64(1000*(cut+1))), append(append([]byte(nil), whole...), whole[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		r := openRecorder(t, folder, noon)
		if rows := ask(t, r, Query{From: noon, To: noon.Add(1)}); rows[0].Events != int64(cut+1) {
			t.Fatalf("cut at %d: %+v", cut, rows)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPrune(t *testing.T) {
	folder := t.TempDir()
	r := openRecorder(t, folder, noon)
	r.Record(Entry{Tenant: "a", Parent: "p", Worker: "w", Dynamic: true, Kind: Fetch, Outcome: "ok"})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openRecorder(t, folder, noon.Add(36*24*time.Hour))
	if list, err := r.Dynamics(t.Context(), "a", "p", noon, "", 10); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if rows := ask(t, r, Query{From: noon, To: noon.Add(1)}); len(rows) != 1 || rows[0].Dynamics != 1 {
		t.Errorf("%+v", rows)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openRecorder(t, folder, noon.Add(402*24*time.Hour))
	if rows := ask(t, r, Query{From: noon, To: noon.Add(1)}); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}

func FuzzEntry(f *testing.F) {
	for _, e := range []Entry{
		{Time: noon, Tenant: "a", Worker: "w", Kind: Fetch, Outcome: "ok", CPU: time.Second, Wall: time.Minute, Subrequests: 7},
		{Time: noon, Tenant: "a", Parent: "p", Worker: strings.Repeat("x", 2000), Dynamic: true, First: true, Code: []byte("0123456789abcdef0123456789abcdefXX"), Kind: Execution, Outcome: "exceededCpu"},
	} {
		f.Add(e.appendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := readEntry(b)
		if err != nil {
			return
		}
		if len(rest) >= len(b) {
			t.Fatal("nothing was read")
		}
		again, _, err := readEntry(e.appendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := openRecorder(b, b.TempDir(), noon)
	e := Entry{Tenant: "default", Worker: "shop", Kind: Fetch, Outcome: "ok", CPU: time.Millisecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Record(e)
		}
	})
}

func BenchmarkFoldDynamics(b *testing.B) {
	r := openRecorder(b, b.TempDir(), noon)
	for b.Loop() {
		b.StopTimer()
		for i := range 10_000 {
			r.Record(Entry{Tenant: "a", Parent: "p", Worker: "worker-" + strconv.Itoa(rand.IntN(1<<30)+i), Dynamic: true, Code: make([]byte, 16), Kind: Fetch, Outcome: "ok"})
		}
		b.StartTimer()
		if err := r.Fold(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10_000, "µs/worker")
}
