package snapshot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"mayfly/runtime/engine"
)

// kind is one way to make a memory; every test of a memory runs on all.
type kind struct {
	name    string
	options MemoryOptions
}

func kinds() []kind {
	all := []kind{{"copy", MemoryOptions{Strategy: Copy}}}
	if runtime.GOOS == "linux" {
		all = append(all,
			kind{"discard", MemoryOptions{Strategy: Discard}},
			kind{"discard without window", MemoryOptions{Strategy: Discard, NoWindow: true}})
		if hasScan() {
			all = append(all,
				kind{"scan", MemoryOptions{Strategy: Scan}},
				kind{"scan without window", MemoryOptions{Strategy: Scan, NoWindow: true}})
		}
		if hasTrack() {
			all = append(all,
				kind{"track", MemoryOptions{Strategy: Track}},
				kind{"track without window", MemoryOptions{Strategy: Track, NoWindow: true}})
		}
	}
	return all
}

// share is n, or a tenth of it for a kind whose every look takes milliseconds.
func (k kind) share(n int) int {
	if k.options.Strategy == Discard && !k.options.NoWindow {
		return n / 10
	}
	return n
}

func each(t *testing.T, f func(t *testing.T, k kind)) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

const (
	testImageBytes  = 5 * wasmPage
	testMemoryBytes = 40 * wasmPage
)

// testContents has pages of all sorts: random ones, sparse ones, zero ones.
func testContents(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < n; at += PageSize {
		switch r.IntN(3) {
		case 0:
			for i := range PageSize {
				b[at+i] = byte(r.Uint32())
			}
		case 1:
			b[at+r.IntN(PageSize)] = 1 + byte(r.IntN(255))
		}
	}
	b[n-1] = 7 // else the image would be shorter
	return b
}

func testImage(t testing.TB) *Image {
	t.Helper()
	img, err := NewImage(Digest{1}, testContents(testImageBytes), []Global{{"g0", 3}, {"g1", 1 << 63}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	})
	return img
}

func newTestMemory(t testing.TB, img *Image, k kind) *Memory {
	t.Helper()
	m, err := NewMemory(img, testMemoryBytes, k.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// reach is all that a guest can store to: the window, or the declared memory.
func reach(m *Memory) []byte {
	if w, ok := m.slot.(interface{ reach() []byte }); ok {
		return w.reach()
	}
	return m.memory
}

// requirePristine checks the declared memory to the byte.
func requirePristine(t testing.TB, m *Memory) {
	t.Helper()
	want := make([]byte, len(m.Bytes()))
	copy(want, testContents(testImageBytes))
	if !bytes.Equal(m.Bytes(), want) {
		for i := range want {
			if m.Bytes()[i] != want[i] {
				t.Fatalf("byte %#x is %#x, want %#x", i, m.Bytes()[i], want[i])
			}
		}
	}
}

func requireReset(t testing.TB, m *Memory, wantPages int64) {
	t.Helper()
	n, err := m.Changed()
	if err != nil || n != wantPages*PageSize {
		t.Fatalf("Changed() = %d pages, %v; want %d", n/PageSize, err, wantPages)
	}
	n, err = m.Reset()
	if err != nil || n != wantPages*PageSize {
		t.Fatalf("Reset() = %d pages, %v; want %d", n/PageSize, err, wantPages)
	}
	if n, err = m.Changed(); err != nil || n != 0 {
		t.Fatalf("Changed() = %d after Reset, %v", n, err)
	}
}

func TestWindow(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		want := k.options.Strategy != Copy && !k.options.NoWindow
		if m.Windowed() != want {
			t.Errorf("Windowed() = %t, want %t", m.Windowed(), want)
		}
		if want && int64(len(reach(m))) != engine.WindowSize {
			t.Errorf("window of %d bytes, want %d", len(reach(m)), int64(engine.WindowSize))
		}
		if len(m.Bytes()) != testMemoryBytes || cap(m.Bytes()) != testMemoryBytes {
			t.Errorf("%d bytes, capacity %d, want %d", len(m.Bytes()), cap(m.Bytes()), testMemoryBytes)
		}
		requirePristine(t, m)
		requireReset(t, m, 0)
	})
}

// TestStores stores single bytes at the edges of everything.
func TestStores(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		offsets := []int64{
			0, PageSize - 1, PageSize, testImageBytes - 1, testImageBytes, testImageBytes + PageSize,
			testMemoryBytes/2 + 123, testMemoryBytes - 1,
		}
		if m.Windowed() {
			offsets = append(offsets, testMemoryBytes, 1<<31, MaxBytes-1, MaxBytes, 2*MaxBytes-1, engine.WindowSize-1)
		}
		all := reach(m)
		for _, at := range offsets {
			before := all[at]
			all[at] ^= 0x5a
			requireReset(t, m, 1)
			if all[at] != before {
				t.Fatalf("byte %#x is %#x after Reset, want %#x", at, all[at], before)
			}
			requirePristine(t, m)
		}
		pages := map[int64]bool{}
		for _, at := range offsets {
			all[at] ^= 0x5a
			pages[at/PageSize] = true
		}
		requireReset(t, m, int64(len(pages)))
		requirePristine(t, m)
	})
}

// TestLoads reads everything: that changes nothing.
func TestLoads(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		sum := byte(0)
		for at := 0; at < len(m.Bytes()); at += 512 {
			sum += m.Bytes()[at]
		}
		if m.Windowed() {
			sum += reach(m)[len(reach(m))-1]
		}
		requireReset(t, m, 0)
		_ = sum
	})
}

// TestScattered changes more separate pages than one call of the kernel
// reports, and pages in large runs.
func TestScattered(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		img := testImage(t)
		m := newTestMemory(t, img, k)
		for life := range 3 {
			n := int64(0)
			for at := life % 2 * PageSize; at < len(m.Bytes()); at += 2 * PageSize {
				m.Bytes()[at+life] ^= 0xff
				n++
			}
			requireReset(t, m, n)
			requirePristine(t, m)
		}
		for i := range m.Bytes() {
			m.Bytes()[i] ^= 0xff
		}
		requireReset(t, m, int64(len(m.Bytes())/PageSize))
		requirePristine(t, m)
	})
}

// TestLargeRuns changes many adjacent pages of the image, which are given back,
// and are loaded and changed again.
func TestLargeRuns(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		contents := testContents(40 * wasmPage)
		img, err := NewImage(Digest{2}, contents, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer img.Close()
		m := newTestMemory(t, img, k)
		for range 3 {
			const first, last = 7, 407
			for p := first; p < last; p++ {
				m.Bytes()[p*PageSize+p]++
			}
			requireReset(t, m, last-first)
			if !bytes.Equal(m.Bytes(), contents) { // loads all
				t.Fatal("memory differs from the image")
			}
			requireReset(t, m, 0)
			m.Bytes()[(first+100)*PageSize]++
			m.Bytes()[(last+100)*PageSize]++
			requireReset(t, m, 2)
			if !bytes.Equal(m.Bytes(), contents) {
				t.Fatal("memory differs from the image")
			}
		}
	})
}

// TestOneByte changes a byte here and there in pages that stay resident.
func TestOneByte(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		pages := []int{3, 515, 79, 80, 591} // some are 512 apart
		for _, p := range pages {
			m.Bytes()[p*PageSize]++
		}
		requireReset(t, m, int64(len(pages)))
		for life := range k.share(60) {
			for i, at := range []int{0, PageSize - 1, 15, 16, PageSize / 2, PageSize - 1, 0} {
				p := pages[(life+i)%len(pages)]
				m.Bytes()[p*PageSize+at] ^= 1
				requireReset(t, m, 1)
			}
			requirePristine(t, m)
		}
	})
}

// TestLives lives many random lives on one slot and compares with a model.
func TestLives(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		r := rand.New(rand.NewPCG(3, 4))
		for range k.share(100) {
			pages := map[int]bool{}
			for range r.IntN(60) {
				at, n := r.IntN(len(m.Bytes())), 1+r.IntN(3*PageSize)
				if r.IntN(20) == 0 {
					n = 300 * PageSize
				}
				part := m.Bytes()[at:min(at+n, len(m.Bytes()))]
				for i := range part {
					part[i] ^= 0xa5
				}
				for p := at / PageSize; p <= (at+len(part)-1)/PageSize; p++ {
					pages[p] = true
				}
			}
			// A page xored twice is as it was.
			want := int64(0)
			for p := range pages {
				if !m.image.samePage(m.Bytes()[p*PageSize:(p+1)*PageSize], int64(p)*PageSize) {
					want++
				}
			}
			n, err := m.Reset()
			if err != nil || n < want*PageSize || n > int64(len(pages))*PageSize {
				t.Fatalf("Reset() = %d pages, %v; want %d to %d", n/PageSize, err, want, len(pages))
			}
			requirePristine(t, m)
		}
	})
}

func TestCapture(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		img := testImage(t)
		m := newTestMemory(t, img, k)
		offsets := []int{0, testImageBytes - 1, testImageBytes, testMemoryBytes - 1, 3*PageSize + 5}
		for _, at := range offsets {
			m.Bytes()[at] ^= 0x77
		}
		clear(m.Bytes()[4*PageSize : 5*PageSize]) // may become a zero page
		want := slices.Clone(m.Bytes())
		globals := []Global{{"g0", 99}}
		delta, err := m.Capture(globals)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := delta.Save(&file); err != nil {
			t.Fatal(err)
		}
		read, err := ReadDelta(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Reset(); err != nil {
			t.Fatal(err)
		}
		requirePristine(t, m)
		for _, d := range []*Delta{delta, read} {
			if err := m.Apply(d); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(m.Bytes(), want) {
				t.Fatal("memory differs after Apply")
			}
			again, err := m.Capture(globals)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := again.Save(&b); err != nil || !bytes.Equal(b.Bytes(), file.Bytes()) {
				t.Fatalf("a delta captured after Apply differs (%v)", err)
			}
			if n, err := m.Reset(); err != nil || n != delta.Len() {
				t.Fatalf("Reset() = %d, %v; the delta has %d", n, err, delta.Len())
			}
			derived, err := img.With(d)
			if err != nil {
				t.Fatal(err)
			}
			clone, err := NewMemory(derived, testMemoryBytes, k.options)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(clone.Bytes(), want) {
				t.Error("the derived image differs")
			}
			if !slices.Equal(derived.Globals(), globals) {
				t.Errorf("globals %v", derived.Globals())
			}
			// The derived image is another one.
			if err := clone.Apply(d); !errors.Is(err, ErrMismatch) {
				t.Errorf("Apply to a clone of another image: %v", err)
			}
			direct, err := NewImage(img.Guest(), want, globals)
			if err != nil {
				t.Fatal(err)
			}
			if direct.Digest() != derived.Digest() {
				t.Error("the derived image's digest depends on how it was made")
			}
			for _, err := range []error{clone.Close(), derived.Close(), direct.Close()} {
				if err != nil {
					t.Error(err)
				}
			}
		}
		requirePristine(t, m)
	})
}

func TestCaptureStray(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		if !m.Windowed() {
			t.Log("nothing to stray into")
			return
		}
		reach(m)[testMemoryBytes] = 1
		if _, err := m.Capture(nil); !errors.Is(err, ErrStray) {
			t.Errorf("Capture() = %v, want ErrStray", err)
		}
		requireReset(t, m, 1)
		if _, err := m.Capture(nil); err != nil {
			t.Error(err)
		}
	})
}

// TestCanary fills the reach of one life with a secret and looks for it in the
// next.
func TestCanary(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		canary := []byte("canary-5f1d")
		r := rand.New(rand.NewPCG(5, 6))
		for range k.share(20) {
			var spots []int
			all := reach(m)
			for range 400 {
				at := r.IntN(len(m.Bytes()) - len(canary))
				if r.IntN(4) == 0 {
					at = r.IntN(len(all) - len(canary))
				}
				copy(all[at:], canary)
				spots = append(spots, at)
			}
			if _, err := m.Reset(); err != nil {
				t.Fatal(err)
			}
			for _, at := range spots {
				if bytes.Contains(all[at:at+len(canary)], canary[:4]) {
					t.Fatalf("canary at %#x outlived Reset", at)
				}
			}
			if bytes.Contains(m.Bytes(), canary) {
				t.Fatal("a canary outlived Reset")
			}
		}
		if bytes.Contains(m.image.backing.data, canary) {
			t.Fatal("a store reached the image")
		}
	})
}

// TestHammer lives on several slots of one image at once, while slots come and
// go.
func TestHammer(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		img := testImage(t)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 7))
				for range k.share(10) {
					m, err := NewMemory(img, testMemoryBytes, k.options)
					if err != nil {
						t.Error(err)
						return
					}
					for range k.share(20) {
						stamp := byte(g + 1)
						spots := make([]int, 50)
						for i := range spots {
							spots[i] = r.IntN(len(m.Bytes()))
							m.Bytes()[spots[i]] ^= stamp
						}
						if _, err := m.Changed(); err != nil {
							t.Error(err)
						}
						if _, err := m.Reset(); err != nil {
							t.Error(err)
						}
					}
					requirePristineIn(t, m)
					img.Digest()
					if err := m.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// requirePristineIn is requirePristine for other goroutines.
func requirePristineIn(t *testing.T, m *Memory) {
	want := make([]byte, len(m.Bytes()))
	copy(want, testContents(testImageBytes))
	if !bytes.Equal(m.Bytes(), want) {
		t.Error("memory differs from the image")
	}
}

func TestResident(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		base := m.Resident()
		for i := testImageBytes; i < testMemoryBytes; i += PageSize {
			m.Bytes()[i] = 1
		}
		n, err := m.Changed()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Resident(); got < base+n {
			t.Errorf("Resident() = %d with %d changed", got, n)
		}
		if k.options.Strategy == Copy {
			return // keeps what it has
		}
		if _, err := m.Reset(); err != nil {
			t.Fatal(err)
		}
		if got := m.Resident(); got != 0 {
			t.Errorf("Resident() = %d after a large run was reset", got)
		}
	})
}

func TestResetAllocations(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		life := func() {
			for p := range 100 {
				m.Bytes()[p*3*PageSize]++
			}
			if _, err := m.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		life()
		if n := testing.AllocsPerRun(k.share(50), life); n != 0 {
			t.Errorf("%v allocations a life", n)
		}
	})
}

func TestNewMemoryErrors(t *testing.T) {
	img := testImage(t)
	for _, size := range []int64{-wasmPage, 0, testImageBytes - wasmPage, testImageBytes + 1, MaxBytes + wasmPage} {
		if _, err := NewMemory(img, size, MemoryOptions{}); !errors.Is(err, ErrMismatch) {
			t.Errorf("a memory of %d bytes: %v", size, err)
		}
	}
	if _, err := NewMemory(img, testMemoryBytes, MemoryOptions{Strategy: 99}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("strategy 99: %v", err)
	}
}

// TestCloseOrder closes the image before its memory.
func TestCloseOrder(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		img, err := NewImage(Digest{}, testContents(testImageBytes), nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewMemory(img, testMemoryBytes, k.options)
		if err != nil {
			t.Fatal(err)
		}
		if err := img.Close(); err != nil {
			t.Fatal(err)
		}
		m.Bytes()[5]++
		delta, err := m.Capture(nil)
		if err != nil {
			t.Fatal(err)
		}
		requireReset(t, m, 1)
		requirePristine(t, m)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if delta.Image() == (Digest{}) {
			t.Error("the delta forgot its image")
		}
		if _, err := m.Reset(); !errors.Is(err, ErrClosed) {
			t.Errorf("Reset() after Close: %v", err)
		}
		if err := m.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := NewMemory(img, testMemoryBytes, k.options); !errors.Is(err, ErrClosed) {
			t.Errorf("NewMemory of a closed image: %v", err)
		}
	})
}
