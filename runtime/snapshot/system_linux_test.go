package snapshot

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"mayfly/runtime/engine"
)

func hasScan() bool  { return scanWorks() }
func hasTrack() bool { return trackWorks() }

func (m *mapping) reach() []byte { return m.all }

// TestNoHugePages looks at the kernel's flags of the mappings: with huge pages
// one stored byte would cost and count 2 MiB wherever they are always on.
func TestNoHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no huge pages")
	}
	m := newTestMemory(t, testImage(t), kind{})
	beyond := &m.Bytes()[testImageBytes]
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	start := fmt.Sprintf("%x-", uintptr(unsafe.Pointer(beyond)))
	_, found, ok := strings.Cut(string(smaps), "\n"+start)
	if !ok {
		t.Fatalf("no mapping starts at %s", start)
	}
	_, flags, _ := strings.Cut(found, "VmFlags:")
	flags, _, _ = strings.Cut(flags, "\n")
	for _, want := range []string{"nh", "dd", "nr"} { // no huge pages, no dump, no reserve
		if !strings.Contains(flags+" ", " "+want+" ") {
			t.Errorf("flags%s lack %s", flags, want)
		}
	}
}

// TestIdlePages has a slot forget pages that its lives don't change any more.
func TestIdlePages(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		if s := k.options.Strategy; s == Scan || s == Track {
			testIdlePages(t, k)
		}
	})
}

func testIdlePages(t *testing.T, k kind) {
	m := newTestMemory(t, testImage(t), k)
	for p := range 300 { // separate runs
		m.Bytes()[p*2*PageSize]++
	}
	requireReset(t, m, 300)
	if got := m.Resident(); got != 300*PageSize {
		t.Errorf("%d pages kept", got/PageSize)
	}
	for range idleLives {
		m.Bytes()[0]++
		requireReset(t, m, 1)
	}
	if got := m.Resident(); got > PageSize {
		t.Errorf("%d pages kept for lives of one", got/PageSize)
	}
	requirePristine(t, m)
	// What was given back is found again.
	for p := range 300 {
		m.Bytes()[p*2*PageSize]++
	}
	requireReset(t, m, 300)
	requirePristine(t, m)
}

// TestSameStores has lives that store to pages what is there already: to give
// them back each time would cost a fault for each in the next life.
func TestSameStores(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		if s := k.options.Strategy; s != Scan && s != Track {
			return // the others keep nothing
		}
		m := newTestMemory(t, testImage(t), k)
		life := func() {
			for p := range 40 {
				at := p * 2 * PageSize
				m.Bytes()[at]++
				m.Bytes()[at]--
			}
			m.Bytes()[0]++
		}
		givenBack := 0
		for range 40 * idleLives {
			life()
			if _, err := m.Reset(); err != nil {
				t.Fatal(err)
			}
			if m.Resident() == 0 {
				givenBack++
			}
		}
		if givenBack > 4 {
			t.Errorf("the pages were given back %d times", givenBack)
		}
		requirePristine(t, m)
	})
}

// TestGuards lets the kernel read next to windows.
func TestGuards(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		if !m.Windowed() {
			return
		}
		start := unsafe.Pointer(unsafe.SliceData(m.Bytes()))
		for _, at := range []int{-windowGuard, -1, engine.WindowSize, engine.WindowSize + windowGuard - 1} {
			if _, err := unix.Write(pipe[1], unsafe.Slice((*byte)(unsafe.Add(start, at)), 1)); err != unix.EFAULT {
				t.Errorf("byte %#x of the window can be read: %v", at, err)
			}
		}
		for _, at := range []int{0, engine.WindowSize - 1} {
			if _, err := unix.Write(pipe[1], reach(m)[at:at+1]); err != nil {
				t.Errorf("byte %#x of the window: %v", at, err)
			}
		}
	})
}

// TestKernelStores has the kernel store into pages that were never touched,
// only loaded, and stored into before.
func TestKernelStores(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		zero, err := os.Open("/dev/zero")
		if err != nil {
			t.Fatal(err)
		}
		defer zero.Close()
		for range 2 {
			loaded := m.Bytes()[2*PageSize+1]
			m.Bytes()[4*PageSize]++
			m.Bytes()[0], m.Bytes()[5*PageSize] = 1, 1
			n, err := zero.Read(m.Bytes()[:6*PageSize])
			if err != nil || n != 6*PageSize {
				t.Fatal(n, err)
			}
			if !isZero(m.Bytes()[2*PageSize : 3*PageSize]) {
				t.Fatalf("page 2 (was %#x) is not zero", loaded)
			}
			want := int64(0) // of zero pages, none is a change to what was kept
			for p := range int64(6) {
				at := p * PageSize
				if !m.image.samePage(m.Bytes()[at:at+PageSize], at) {
					want++
				}
			}
			got, err := m.Reset()
			if err != nil || got < want*PageSize || got > 6*PageSize {
				t.Errorf("Reset() = %d pages, %v; want %d to 6", got/PageSize, err, want)
			}
			requirePristine(t, m)
		}
	})
}

// TestOneDescriptor has many slots share the process's one userfaultfd.
func TestOneDescriptor(t *testing.T) {
	if !hasTrack() {
		t.Skip("this kernel can't track stores")
	}
	img := testImage(t)
	for range 20 {
		newTestMemory(t, img, kind{options: MemoryOptions{Strategy: Track}})
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.Contains(to, "userfaultfd") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d userfaultfds, want 1", n)
	}
}

// TestMappings has a slot map deltas many times: its address space must not
// fall into ever more pieces.
func TestMappings(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		if k.options.Strategy == Copy {
			return
		}
		m := newTestMemory(t, testImage(t), k)
		count := func() int {
			maps, err := os.ReadFile("/proc/self/maps")
			if err != nil {
				t.Fatal(err)
			}
			start := uintptr(unsafe.Pointer(unsafe.SliceData(m.Bytes())))
			n := 0
			for line := range strings.Lines(string(maps)) {
				var from, to uintptr
				if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
					t.Fatal(err)
				}
				if from >= start && from < start+testMemoryBytes {
					n++
				}
			}
			return n
		}
		before := count()
		for page := 5; page < testMemoryBytes/PageSize-20; page += 40 {
			fill(m, page, 20, rand.New(rand.NewPCG(1, 2)))
		}
		d := captureOf(t, m)
		defer d.Close()
		reset(t, m)
		for range 3 {
			others := overlays.Load()
			apply(t, m, d)
			if n := count(); n < before+5 {
				t.Errorf("%d mappings with a delta, %d without", n, before)
			}
			if n := overlays.Load() - others; n != int64(len(m.mapped)) {
				t.Errorf("%d overlays are counted, %d mapped", n, len(m.mapped))
			}
			reset(t, m)
			if n := count(); n != before {
				t.Errorf("%d mappings after a reset, %d before", n, before)
			}
			// Past what a process may map, deltas are copied.
			overlays.Add(allOverlays)
			apply(t, m, d)
			overlays.Add(-allOverlays)
			if len(m.mapped) > 0 {
				t.Errorf("%d runs were mapped", len(m.mapped))
			}
			again := captureOf(t, m)
			if again.Len() != d.Len() {
				t.Errorf("%d bytes, not %d", again.Len(), d.Len())
			}
			closeDelta(t, again)
			reset(t, m)
			if n := overlays.Load(); n != others {
				t.Errorf("%d overlays are counted in the end", n-others)
			}
		}
	})
}
