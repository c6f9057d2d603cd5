package system

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"mayfly/host/op"
)

func TestRandom(t *testing.T) {
	count := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	s := New(Options{})
	a, err := s.Call(op.Random, count(32), make([]byte, 0, 64))
	if err != nil || len(a) != 32 {
		t.Fatal(a, err)
	}
	b, err := s.Call(op.Random, count(32), nil)
	if err != nil || len(b) != 32 || bytes.Equal(a, b) {
		t.Error(b, err)
	}
	if all, err := s.Call(op.Random, count(MaxRandom), nil); err != nil || len(all) != MaxRandom {
		t.Error(len(all), err)
	}
	for _, n := range []uint32{MaxRandom + 1, math.MaxUint32} {
		if _, err := s.Call(op.Random, count(n), nil); !errors.Is(err, ErrTooManyBytes) {
			t.Error(n, err)
		}
	}
	if got, err := New(Options{Random: strings.NewReader("fixed")}).Call(op.Random, count(5), nil); err != nil || string(got) != "fixed" {
		t.Error(got, err)
	}
	if _, err := New(Options{Random: strings.NewReader("short")}).Call(op.Random, count(6), nil); err == nil {
		t.Error("a short read is taken for random")
	}
}

func TestClock(t *testing.T) {
	now := time.Unix(1_700_000_000, 123_456_789)
	s := New(Options{Now: func() time.Time { return now }})
	now = now.Add(1_234_567 * time.Nanosecond)
	answer, err := s.Call(op.Clock, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := op.NewReader(answer)
	if unix, since := r.F64(), r.F64(); unix != 1_700_000_000_124.6 || since != 1.2 || r.Done() != nil {
		t.Errorf("%f %f", unix, since)
	}
}

func TestMalformed(t *testing.T) {
	for _, o := range []op.Op{op.Random, op.Clock, op.FSRead} {
		if _, err := New(Options{}).Call(o, []byte{1}, nil); !errors.Is(err, op.ErrMessage) {
			t.Errorf("%s: %v", o, err)
		}
	}
}

func FuzzCall(f *testing.F) {
	f.Add(uint32(op.Random), []byte{255, 255, 255, 255})
	f.Add(uint32(op.Clock), []byte(nil))
	s := New(Options{Random: zeros{}})
	f.Fuzz(func(t *testing.T, o uint32, in []byte) {
		answer, err := s.Call(op.Op(o), in, nil)
		if len(answer) > MaxRandom || err != nil && answer != nil {
			t.Fatalf("%d bytes, %v", len(answer), err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkRandom(b *testing.B) {
	b.ReportAllocs()
	s, in, out := New(Options{}), []byte{16, 0, 0, 0}, make([]byte, 64)
	for b.Loop() {
		_, _ = s.Call(op.Random, in, out)
	}
}
