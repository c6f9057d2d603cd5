package snapshot

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// processCPU is the processor time of this process in nanoseconds: wall time
// is that of a machine with neighbours.
func processCPU() float64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLargeImage lives on an image as large as that of an interpreter with
// its packages: lives load from some thousand pages and change 250, in some of
// the image's parts.
func BenchmarkLargeImage(b *testing.B) {
	const pages = 56 << 10
	contents := make([]byte, pages*PageSize)
	for p := range pages {
		contents[p*PageSize+p%100] = 1
	}
	img, err := NewImage(Digest{}, contents, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer img.Close()
	r := rand.New(rand.NewPCG(1, 1))
	var loads, stores []int
	for range 40 {
		block := r.IntN(pages/512) * 512
		for range 6 {
			stores = append(stores, block+r.IntN(512))
		}
		for range 40 {
			loads = append(loads, block+r.IntN(512))
		}
	}
	for range 400 {
		loads = append(loads, r.IntN(pages))
	}
	life := func(m *Memory, i int) {
		sum := byte(0)
		all := m.Bytes()
		for _, p := range loads {
			sum += all[p*PageSize]
		}
		for _, p := range stores {
			all[p*PageSize+8] = sum + byte(i)
		}
		for p := range 10 {
			all[(pages+p)*PageSize] = byte(i) + 1
		}
		if _, err := m.Reset(); err != nil {
			b.Fatal(err)
		}
	}
	for _, k := range kinds() {
		if k.options.Strategy == Copy || k.options.NoWindow || k.options.Strategy == Discard {
			continue
		}
		b.Run(fmt.Sprintf("%s/life", k.name), func(b *testing.B) {
			m, err := NewMemory(img, 16384*wasmPage, k.options)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			life(m, 0)
			before := processCPU()
			for i := 0; b.Loop(); i++ {
				life(m, i)
			}
			b.ReportMetric((processCPU()-before)/float64(b.N), "cpu-ns/op")
		})
		b.Run(fmt.Sprintf("%s/first", k.name), func(b *testing.B) {
			before := processCPU()
			for b.Loop() {
				m, err := NewMemory(img, 16384*wasmPage, k.options)
				if err != nil {
					b.Fatal(err)
				}
				life(m, 0)
				m.Close()
			}
			b.ReportMetric((processCPU()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkLoadLarge makes an image of 128 MiB.
func BenchmarkLoadLarge(b *testing.B) {
	contents := make([]byte, 128<<20)
	for p := 0; p < len(contents); p += PageSize {
		contents[p+p%100] = 1
	}
	before := processCPU()
	for b.Loop() {
		img, err := NewImage(Digest{}, contents, nil)
		if err != nil {
			b.Fatal(err)
		}
		img.Close()
	}
	b.ReportMetric((processCPU()-before)/float64(b.N), "cpu-ns/op")
}

// TestHugePages lives on an image of huge pages, with holes: slots store into
// it, have deltas mapped over it, and are put back.
func TestHugePages(t *testing.T) {
	contents := make([]byte, 36<<20+wasmPage)
	for at := 0; at < len(contents); at += PageSize {
		if at/hugePage != 5 { // a huge page of which there is nothing
			contents[at+at/PageSize%100] = byte(at>>12) | 1
		}
	}
	img, err := NewImage(Digest{}, contents, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	t.Logf("huge pages: %t", img.backing.huge)
	for _, strategy := range []Strategy{Best, Scan, Track, Discard} {
		m, err := NewMemory(img, 1024*wasmPage, MemoryOptions{Strategy: strategy})
		if err != nil {
			if strategy == Best {
				t.Error(err)
			}
			continue
		}
		pristine := func() {
			t.Helper()
			if !bytes.Equal(m.Bytes()[:len(contents)], contents) {
				t.Errorf("%v: the memory differs from the image", strategy)
			}
			if i := slices.IndexFunc(m.Bytes()[len(contents):], func(b byte) bool { return b != 0 }); i >= 0 {
				t.Errorf("%v: byte %#x is not zero", strategy, len(contents)+i)
			}
		}
		r := rand.New(rand.NewPCG(1, 1))
		for range 3 {
			pristine()
			for range 300 {
				m.Bytes()[r.IntN(len(contents)+hugePage)]++
			}
			fill(m, 1000+r.IntN(100), 600, r)
			want := slices.Clone(m.Bytes())
			d := captureOf(t, m)
			reset(t, m)
			pristine()
			apply(t, m, d)
			if !bytes.Equal(m.Bytes(), want) {
				t.Errorf("%v: the memory differs from what was kept", strategy)
			}
			reset(t, m)
			closeDelta(t, d)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
