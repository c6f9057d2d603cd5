package snapshot

import (
	"fmt"

	"mayfly/runtime/engine"
)

// A Strategy is a way to find and to put back changed pages.
type Strategy int

const (
	// Best is the best of those that work on this system.
	Best Strategy = iota
	// Track does as Scan, but has the kernel note the first store into each
	// page of the image (userfaultfd's asynchronous write protection, Linux
	// 6.7), so that it finds changes without a look at all that was loaded.
	Track
	// Scan asks the kernel for the changed pages (PAGEMAP_SCAN, Linux 6.7) and
	// copies them back in place: the next clone finds its usual pages present.
	Scan
	// Discard gives all changed pages back to the kernel (MADV_DONTNEED), so
	// that the next clone has to fault its pages in again. Any Linux; Best
	// takes it without a window.
	Discard
	// Copy compares the memory with the image, page by page. Any system; no
	// window.
	Copy
)

func (s Strategy) String() string {
	switch s {
	case Best:
		return "best"
	case Track:
		return "track"
	case Scan:
		return "scan"
	case Discard:
		return "discard"
	case Copy:
		return "copy"
	}
	return fmt.Sprintf("strategy(%d)", int(s))
}

// MemoryOptions say how a [Memory] is made. The zero value takes what works
// best on this system.
type MemoryOptions struct {
	// Strategy forces a strategy; ErrUnavailable if the system lacks it.
	Strategy Strategy
	// NoWindow reserves the declared bytes only.
	NoWindow bool
}

// A Memory is the linear memory of one slot, an [engine.Memory]. It is not
// safe for concurrent use; the guest must not run during its methods, but for
// Changed and Resident called by the guest's own goroutine.
type Memory struct {
	image  *Image
	memory []byte   // the declared memory
	slot   slot     // how changes are found and put back
	mapped []extent // of the delta that was applied, in order
	closed bool
}

var _ engine.Memory = (*Memory)(nil)

// A slot is an implementation of Memory for one strategy.
type slot interface {
	windowed() bool
	// changed counts the bytes of pages changed since the last reset.
	changed() (int64, error)
	// reset puts all back, and counts as changed does.
	reset() (int64, error)
	// visit calls f with the runs of pages, in order, that may differ from the
	// image. It stops at the first error.
	visit(f func(r run) error) error
	// resident is how many bytes are held for the slot alone, as of the last
	// call of the methods above.
	resident() int64
	close() error
}

// An overlayer is a slot into which pages of a delta can be mapped, in place of
// being copied. They are a part of the slot's private memory as those of the
// image are; but only lift puts them back.
type overlayer interface {
	// overlay maps some extents and returns those that are left to be copied.
	overlay(list []extent) (mapped, rest []extent)
	// lift takes away what was mapped, and makes these pages as they were when
	// the slot was new; and possibly others.
	lift() error
}

// A seer is a slot that can put back what visit has told already.
type seer interface {
	// resetSeen is reset right after a visit, which told of the runs found; the
	// pages of differ are those of them that differ from the image.
	resetSeen(found, differ []run) (int64, error)
}

// NewMemory makes a memory of size bytes, a multiple of engine.PageSize and
// not less than the image, that holds the image. The image may be closed
// before the memory is.
func NewMemory(image *Image, size int64, options MemoryOptions) (*Memory, error) {
	const op = "new memory"
	if size <= 0 || size%engine.PageSize != 0 || size > MaxBytes || size < image.Len() || int64(int(size)) != size {
		return nil, fail(op, mismatch("a memory of %d bytes for an image of %d", size, image.Len()))
	}
	if !image.retain() {
		return nil, fail(op, ErrClosed)
	}
	m := &Memory{image: image}
	var err error
	if m.slot, m.memory, err = newSlot(image, size, options); err != nil {
		image.release()
		return nil, fail(op, err)
	}
	return m, nil
}

// Bytes is the linear memory at its full declared size. It never moves. It
// must not be used after Close.
func (m *Memory) Bytes() []byte { return m.memory }

// Windowed says that the engine.WindowSize bytes from the first on are
// readable, writable, and belong to this memory alone.
func (m *Memory) Windowed() bool { return !m.closed && m.slot.windowed() }

// Image is the image that the memory is a clone of.
func (m *Memory) Image() *Image { return m.image }

// Changed counts the bytes, in whole pages, that were changed since the memory
// was made or last reset, anywhere in its window. A page counts when it was
// written, except that one which an earlier life left resident counts when its
// contents differ from the image.
func (m *Memory) Changed() (int64, error) {
	if m.closed {
		return 0, fail("count changes", ErrClosed)
	}
	n, err := m.changed()
	if err != nil {
		return 0, fail("count changes", err)
	}
	return n, nil
}

// changed counts pages that were mapped from a delta as changed.
func (m *Memory) changed() (int64, error) {
	n, err := m.slot.changed()
	if err != nil || len(m.mapped) == 0 {
		return n, err
	}
	stored, rest := int64(0), m.mapped // stored: of the mapped pages, counted already
	err = m.slot.visit(func(r run) error {
		for len(rest) > 0 && rest[0].end() <= r.start {
			rest = rest[1:]
		}
		for i := 0; i < len(rest) && rest[i].start < r.end(); i++ {
			stored += int64(min(rest[i].end(), r.end()) - max(rest[i].start, r.start))
		}
		return nil
	})
	return n + (extentPages(m.mapped)-stored)*PageSize, err
}

// Reset makes the memory, and the whole window it is in, equal to the image
// again, and returns what Changed would have. After an error the memory must
// be closed.
func (m *Memory) Reset() (changedBytes int64, err error) {
	if m.closed {
		return 0, fail("reset", ErrClosed)
	}
	if len(m.mapped) == 0 {
		n, err := m.slot.reset()
		return n, fail("reset", err)
	}
	n, err := m.changed()
	if err == nil {
		m.mapped = nil
		err = m.slot.(overlayer).lift()
	}
	if err == nil {
		_, err = m.slot.reset()
	}
	return n, fail("reset", err)
}

// Resident is how many bytes of real memory the slot holds for itself, besides
// the image that it shares: as of the last Changed, Reset or Capture.
func (m *Memory) Resident() int64 {
	if m.closed {
		return 0
	}
	return m.slot.resident()
}

// Capture keeps the pages that differ from the image. Those that are as in the
// delta that was applied are shared with it, where they were mapped.
//
// # Errors
//
// ErrStray if the guest stored beyond the declared memory: such a guest relies
// on what no engine promises, and can't be kept.
func (m *Memory) Capture(globals []Global) (*Delta, error) {
	return m.capture(&capture{memory: m}, globals)
}

// CaptureReset is Capture, and Reset with what that has found out. After an error
// without a delta the memory is as before, with one it must be closed.
//
// # Errors
//
// Those of Capture and of Reset.
func (m *Memory) CaptureReset(globals []Global) (d *Delta, changedBytes int64, err error) {
	c := capture{memory: m, remember: true}
	if d, err = m.capture(&c, globals); err != nil {
		return nil, 0, err
	}
	if s, ok := m.slot.(seer); ok && len(m.mapped) == 0 {
		changedBytes, err = s.resetSeen(c.found, c.differ)
		return d, changedBytes, fail("reset", err)
	}
	changedBytes, err = m.Reset()
	return d, changedBytes, err
}

func (m *Memory) capture(c *capture, globals []Global) (*Delta, error) {
	const op = "capture"
	if m.closed {
		return nil, fail(op, ErrClosed)
	}
	m.image.captured.Store(true)
	var touched []run
	limit := uint32(len(m.memory) / PageSize)
	err := m.slot.visit(func(r run) error {
		if r.end() > limit {
			return ErrStray
		}
		c.take(r)
		if len(m.mapped) > 0 {
			touched = appendRun(touched, r.start, r.count)
		}
		return nil
	})
	if err != nil {
		return nil, fail(op, err)
	}
	c.share(m.mapped, touched)
	d, err := c.delta(globals)
	return d, fail(op, err)
}

// Apply brings a delta's pages into the memory, which must be as the image:
// new, or reset. They count as changed from then on. The delta must not be
// closed before the memory is reset or closed. After an error the memory must
// be reset or closed.
//
// # Errors
//
// ErrMismatch if the delta was taken from another image or reaches beyond the
// declared memory.
func (m *Memory) Apply(delta *Delta) error {
	const op = "apply"
	if m.closed {
		return fail(op, ErrClosed)
	}
	if err := delta.fits(m.image); err != nil {
		return fail(op, err)
	}
	if delta.size > int64(len(m.memory)) {
		return fail(op, mismatch("a delta of %d bytes of memory for one of %d", delta.size, len(m.memory)))
	}
	rest := delta.extents
	if o, ok := m.slot.(overlayer); ok {
		m.mapped, rest = o.overlay(rest)
	}
	if err := readExtents(m.memory, rest); err != nil {
		return fail(op, err)
	}
	list, err := delta.patches.read(nil)
	if err != nil {
		return fail(op, err)
	}
	eachPatch(list, func(page uint32, pieces []byte) {
		at := int64(page) * PageSize
		applyPieces(m.memory[at:at+PageSize], pieces)
	})
	return nil
}

// Close gives the memory up. The instance that it backs must have been closed.
func (m *Memory) Close() error {
	if m.closed {
		return fail("close memory", ErrClosed)
	}
	m.closed = true
	m.memory = nil
	err := m.slot.close()
	if e := m.image.release(); err == nil {
		err = e
	}
	return fail("close memory", err)
}
