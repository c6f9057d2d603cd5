package system

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"mayfly/host/op"
)

func digestMessage(algorithm string, data []byte) []byte {
	w := op.NewWriter(nil)
	w.Str(algorithm)
	w.Bytes(data)
	return w.Message()
}

// Digests of "abc": FIPS 180-4 examples and RFC 1321 A.5.
func TestDigest(t *testing.T) {
	for algorithm, want := range map[string]string{
		"MD5":     "900150983cd24fb0d6963f7d28e17f72",
		"SHA-1":   "a9993e364706816aba3e25717850c26c9cd0d89d",
		"sha-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"SHA-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		"SHA-512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	} {
		got, err := New(Options{}).Call(op.Digest, digestMessage(algorithm, []byte("abc")), make([]byte, 0, 16))
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, %v", algorithm, got, err)
		}
	}
	if _, err := New(Options{}).Call(op.Digest, digestMessage("CRC-32", nil), nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("got %v", err)
	}
}

func TestLongDigestsPause(t *testing.T) {
	pauses := 0
	s := New(Options{Pause: func() { pauses++ }})
	got, err := s.Call(op.Digest, digestMessage("SHA-1", bytes.Repeat([]byte("a"), 1_000_000)), nil)
	if err != nil || hex.EncodeToString(got) != "34aa973cd4c4daa4f61eeb2bdbad27316534016f" { // FIPS 180-4, a million times a
		t.Errorf("%x, %v", got, err)
	}
	if pauses == 0 {
		t.Error("no pause")
	}
}

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
	for _, o := range []op.Op{op.Random, op.Clock, op.Digest, op.FSRead} {
		if _, err := New(Options{}).Call(o, []byte{1}, nil); !errors.Is(err, op.ErrMessage) {
			t.Errorf("%s: %v", o, err)
		}
	}
}

func FuzzCall(f *testing.F) {
	f.Add(uint32(op.Random), []byte{255, 255, 255, 255})
	f.Add(uint32(op.Digest), digestMessage("SHA-256", []byte("x")))
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

func BenchmarkDigest(b *testing.B) {
	b.ReportAllocs()
	s, in, out := New(Options{}), digestMessage("SHA-256", make([]byte, 1024)), make([]byte, 64)
	for b.Loop() {
		_, _ = s.Call(op.Digest, in, out)
	}
}
