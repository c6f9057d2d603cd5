package snapshot

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

func hasScan() bool { return scanWorks() }

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
	if !hasScan() {
		t.Skip("this kernel has no PAGEMAP_SCAN")
	}
	m := newTestMemory(t, testImage(t), kind{options: MemoryOptions{Strategy: Scan}})
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
}
