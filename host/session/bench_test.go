package session_test

import (
	"context"
	"fmt"
	"testing"

	"mayfly/host/execution"
	"mayfly/host/session"
)

// What a cell takes that changes little, by how much the session holds: all of
// it durable.
func BenchmarkCell(b *testing.B) {
	for _, mib := range []int{0, 50} {
		b.Run(fmt.Sprintf("holding-%dMiB", mib), func(b *testing.B) {
			s, id := benchSession(b, mib, 0)
			for b.Loop() {
				benchCell(b, s, id, "n++")
			}
		})
	}
}

// What a cell takes in a session that is on disk only.
func BenchmarkResume(b *testing.B) {
	for _, mib := range []int{0, 50} {
		b.Run(fmt.Sprintf("holding-%dMiB", mib), func(b *testing.B) {
			s, id := benchSession(b, mib, 1)
			for b.Loop() {
				benchCell(b, s, id, "n++")
			}
		})
	}
}

func BenchmarkFork(b *testing.B) {
	s, id := benchSession(b, 50, 0)
	for b.Loop() {
		fork, err := s.Fork(b.Context(), "t", id, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Delete(b.Context(), "t", fork.ID); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func benchSession(b *testing.B, mib int, budget int64) (*server, string) {
	s := open(b, b.TempDir(), func(c *session.Config) {
		if budget > 0 {
			c.MemoryBudget = budget
		}
	})
	id := s.create(session.Options{Limits: execution.Limits{MemoryBytes: 128 << 20}})
	benchCell(b, s, id, fmt.Sprintf("let n = 0; const held = new Uint8Array(%d); for (let i = 0; i < held.length; i += 64) held[i] = i * 7", mib<<20))
	return s, id
}

func benchCell(b *testing.B, s *server, id, code string) {
	r, err := s.Execute(context.Background(), "t", id, "bench", execution.Request{Code: code}, nil)
	if err != nil || r.Outcome != execution.OK {
		b.Fatal(err, r)
	}
}
