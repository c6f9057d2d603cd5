package meta

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// typical is an execution of the size that most have.
func typical(s *Store, now time.Time) Execution {
	return Execution{
		ID: s.NewID(), Tenant: "key_0123456789abcdef", Status: Done, Outcome: "ok",
		CreatedAt: now, EndedAt: now.Add(time.Millisecond), ExpiresAt: now.Add(24 * time.Hour),
		Request: []byte(`{"language":"javascript","code_bytes":120}`),
		Result:  []byte(`{"result":42,"result_type":"number","stdout":"` + strings.Repeat("x", 150) + `","runtime":{"language":"javascript","version":"0.17"}}`),
		Usage:   Usage{CPU: 300 * time.Microsecond, Wall: time.Millisecond, PeakMemory: 1 << 20},
	}
}

func cpuTime(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRecord reports the processor time of the whole process for each
// record, from Record to the disk.
func BenchmarkRecord(b *testing.B) {
	for _, pace := range []struct {
		name   string
		second int // records a second; 0: as fast as it goes
	}{{"Full", 0}, {"10000PerSecond", 10_000}, {"1000PerSecond", 1000}} {
		b.Run(pace.name, func(b *testing.B) {
			ctx := context.Background()
			s, err := Open(ctx, filepath.Join(b.TempDir(), "records.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before, start := cpuTime(b), time.Now()
			for i := range b.N {
				if pace.second > 0 && i%50 == 0 {
					time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(pace.second))))
				}
				if err := s.Record(ctx, typical(s, start)); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(s.Stats().Committed)/float64(s.Stats().Batches), "records/batch")
			b.StopTimer()
			if err := s.Close(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkExecution(b *testing.B) {
	ctx := context.Background()
	s := newStore(b, Options{})
	var ids []string
	for range 10_000 {
		e := typical(s, time.Now())
		ids = append(ids, e.ID)
		record(b, s, e)
	}
	if err := s.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := s.Execution(ctx, "", ids[i*7919%len(ids)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	ctx := context.Background()
	for name, cache := range map[string]time.Duration{"Cached": 0, "Uncached": -1} {
		b.Run(name, func(b *testing.B) {
			s := newStore(b, Options{KeyCache: cache})
			_, token, err := s.CreateKey(ctx, "k", "acme", time.Time{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := s.Authenticate(ctx, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClaim(b *testing.B) {
	ctx := context.Background()
	s := newStore(b, Options{})
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.ClaimKey(ctx, "acme", s.NewID(), [32]byte{}, ""); err != nil {
				b.Error(err)
			}
		}
	})
}
