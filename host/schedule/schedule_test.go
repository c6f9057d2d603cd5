package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within lists the minutes of a time that are due.
func within(t *testing.T, cron string, from time.Time, d time.Duration) (list []string) {
	t.Helper()
	x, err := Parse(cron)
	if err != nil {
		t.Fatal(err)
	}
	for at := from; at.Before(from.Add(d)); at = at.Add(time.Minute) {
		if x.Match(at) {
			list = append(list, at.Format("Mon 2 15:04"))
		}
	}
	return list
}

func TestExpressions(t *testing.T) {
	november := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) // a Sunday
	const day, month = 24 * time.Hour, 30 * 24 * time.Hour
	for _, c := range []struct {
		cron string
		span time.Duration
		want string
	}{
		{"*/20 10 * * *", day, "Sun 1 10:00, Sun 1 10:20, Sun 1 10:40"},
		{"5/25 1 * * *", day, "Sun 1 01:05, Sun 1 01:30, Sun 1 01:55"},
		{"0 1-5/2,23 * * *", day, "Sun 1 01:00, Sun 1 03:00, Sun 1 05:00, Sun 1 23:00"},
		{"0 17 * * sun", month, "Sun 1 17:00, Sun 8 17:00, Sun 15 17:00, Sun 22 17:00, Sun 29 17:00"},
		{"0 17 ? * 1", 8 * day, "Sun 1 17:00, Sun 8 17:00"},
		{"10 7 * * mon-fri", 8 * day, "Mon 2 07:10, Tue 3 07:10, Wed 4 07:10, Thu 5 07:10, Fri 6 07:10"},
		{"10 7 * * 2-6", 8 * day, "Mon 2 07:10, Tue 3 07:10, Wed 4 07:10, Thu 5 07:10, Fri 6 07:10"},
		{"0 0 * * FRI-MON", 7 * day, "Sun 1 00:00, Mon 2 00:00, Fri 6 00:00, Sat 7 00:00"},
		{"0 15 1 * *", month, "Sun 1 15:00"},
		{"0 18 * * 6L", month, "Fri 27 18:00"},
		{"0 18 * * friL", month, "Fri 27 18:00"},
		{"0 18 * * 2#3", month, "Mon 16 18:00"},
		{"0 18 * * SUN#5", month, "Sun 29 18:00"},
		{"0 0 * * L", month, "Sat 7 00:00, Sat 14 00:00, Sat 21 00:00, Sat 28 00:00"},
		{"59 23 L * *", month, "Mon 30 23:59"},
		{"59 23 L-2 * *", month, "Sat 28 23:59"},
		{"0 6 LW * *", month, "Mon 30 06:00"},
		{"0 6 1W * *", month, "Mon 2 06:00"},                   // not in the month before
		{"0 6 7W,22W * *", month, "Fri 6 06:00, Mon 23 06:00"}, // Saturday, Sunday
		{"0 6 31W * *", month, ""},
		{"0 0 13 * FRI", month, "Fri 6 00:00, Fri 13 00:00, Fri 20 00:00, Fri 27 00:00"}, // either
		{"0 0 2 * mon", 14 * day, "Mon 2 00:00, Mon 9 00:00"},
		{"0 0 2 jan,Dec *", month, ""},
		{"0 0 29 2 *", month, ""},
	} {
		if got := strings.Join(within(t, c.cron, november, c.span), ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.cron, got, c.want)
		}
	}
	if got := within(t, "0 6 LW * *", time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), 31*day); !slices.Equal(got, []string{"Fri 29 06:00"}) { // the 31st is a Sunday
		t.Error(got)
	}
	if got := within(t, "0 0 29 2 *", time.Date(2028, 2, 1, 0, 0, 0, 0, time.UTC), 40*day); !slices.Equal(got, []string{"Tue 29 00:00"}) {
		t.Error(got)
	}
}

func TestExpressionErrors(t *testing.T) {
	for cron, want := range map[string]string{
		"":                        "has 0 fields",
		"* * * *":                 "has 4 fields",
		"* * * * * *":             "has 6 fields",
		"60 * * * *":              "minute: \"60\" is not valid: expected *, a number from 0 to 59",
		"* 24 * * *":              "hour",
		"* * 0 * *":               "day of month",
		"* * 32W * *":             "day of month",
		"* * L-31 * *":            "day of month",
		"* * * 13 *":              "month: \"13\" is not valid: expected *, a number from 1 to 12 or JAN to DEC",
		"* * * * 0":               "day of week: \"0\"",
		"* * * * 8":               "day of week",
		"* * * * 2#6":             "day of week",
		"* * * * xL":              "day of week",
		"*/0 * * * *":             "minute",
		"5-1 * * * *":             "ends before it begins",
		"? * * * *":               "minute",
		"1,,2 * * * *":            "minute",
		"-1 * * * *":              "minute",
		"+1 * * * *":              "minute",
		"0 0 30 2 *":              "there is no such day",
		strings.Repeat("1,", 200): "more than 256",
	} {
		_, err := Parse(cron)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", cron, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, cron := range []string{"*/5 * * * *", "0 6 LW,L-3,15W jan-mar 6L,2#3", "5/25 1 ? * FRI-MON"} {
		f.Add(cron)
	}
	at := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, cron string) {
		x, err := Parse(cron)
		if err != nil {
			return
		}
		for i := range 40 {
			x.Match(at.Add(time.Duration(i) * 25 * time.Hour))
		}
	})
}

// A stage is a clock that jumps, and what is fired at its times.
type stage struct {
	mu    sync.Mutex
	now   time.Time
	jumps []time.Duration
	fired []string
	last  int64
	over  chan struct{}
}

func (s *stage) config() Config {
	return Config{
		Each: func(f func(tenant, name string, crons []string)) {
			f("a", "every", []string{"* * * * *"})
			f("a", "even", []string{"*/2 * * * *", "no expression"})
		},
		Scheduled: func(_ context.Context, tenant, name string, at time.Time, cron string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.fired = append(s.fired, fmt.Sprintf("%s/%s %s", tenant, name, at.Format("15:04:05")))
			return errors.New("it failed")
		},
		Claim: func(_ context.Context, minute int64) (bool, error) {
			if minute <= s.last {
				return false, nil
			}
			s.last = minute
			return true, nil
		},
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now
		},
		Sleep: func(ctx context.Context, until time.Time) bool {
			s.mu.Lock()
			if len(s.jumps) == 0 {
				s.mu.Unlock()
				select {
				case s.over <- struct{}{}:
				case <-ctx.Done():
				}
				<-ctx.Done()
				return true
			}
			s.now = s.now.Add(s.jumps[0])
			s.jumps = s.jumps[1:]
			s.mu.Unlock()
			return false
		},
	}
}

// run lets a scheduler see a clock that jumps.
func (s *stage) run(jumps ...time.Duration) []string {
	s.jumps, s.over, s.fired = jumps, make(chan struct{}), nil
	x := Start(s.config())
	<-s.over
	x.firing.Wait()
	x.Close()
	slices.Sort(s.fired)
	return s.fired
}

func TestScheduler(t *testing.T) {
	s := &stage{now: time.Date(2026, 11, 1, 12, 0, 30, 0, time.UTC)}
	// Not yet; 12:01; still 12:01; 12:02; back to 12:01; 12:10: what was missed is skipped.
	got := s.run(29*time.Second, time.Second, 59*time.Second, time.Second, -time.Minute, 9*time.Minute+30*time.Second)
	want := []string{"a/even 12:02:00", "a/even 12:10:00", "a/every 12:01:00", "a/every 12:02:00", "a/every 12:10:00"}
	if !slices.Equal(got, want) {
		t.Errorf("fired %q, want %q", got, want)
	}
	// Another process in the same minute, and a clock that was set back.
	s.now = s.now.Add(-2 * time.Minute)
	if got = s.run(time.Minute, time.Minute, time.Minute); !slices.Equal(got, []string{"a/every 12:11:00"}) {
		t.Errorf("fired %q", got)
	}
}
