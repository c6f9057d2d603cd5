package snapshot

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// heldBefore fails the test if deltas hold more memory at its end than now.
func heldBefore(t *testing.T) {
	t.Helper()
	before := Held()
	t.Cleanup(func() {
		if n := Held() - before; n != 0 {
			t.Errorf("%d bytes are still held", n)
		}
	})
}

func captureOf(t testing.TB, m *Memory, globals ...Global) *Delta {
	t.Helper()
	d, err := m.Capture(globals)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func apply(t testing.TB, m *Memory, d *Delta) {
	t.Helper()
	if err := m.Apply(d); err != nil {
		t.Fatal(err)
	}
}

func reset(t testing.TB, m *Memory) {
	t.Helper()
	if _, err := m.Reset(); err != nil {
		t.Fatal(err)
	}
}

func closeDelta(t testing.TB, d *Delta) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// fill writes n pages of noise from a page on.
func fill(m *Memory, page, n int, r *rand.Rand) {
	b := m.Bytes()[page*PageSize:][:n*PageSize]
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

const testImagePages = testImageBytes / PageSize

// TestSharedPages has a session change little of a large heap: what it did not
// change is held once.
func TestSharedPages(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		heldBefore(t)
		m := newTestMemory(t, testImage(t), k)
		r := rand.New(rand.NewPCG(1, 1))
		const heap = 400
		fill(m, testImagePages+10, heap, r)
		fill(m, 20, 40, r) // the image's own heap
		last := captureOf(t, m)
		before := Held()
		for cell := range 20 {
			reset(t, m)
			requirePristine(t, m)
			apply(t, m, last)
			m.Bytes()[(testImagePages+10+cell*7)*PageSize+cell]++
			m.Bytes()[cell]++
			want := slices.Clone(m.Bytes())
			next := captureOf(t, m)
			reset(t, m)
			apply(t, m, next)
			if !bytes.Equal(m.Bytes(), want) {
				t.Fatalf("cell %d: the memory differs", cell)
			}
			closeDelta(t, last)
			last = next
		}
		if grown := Held() - before; grown > heap*PageSize {
			t.Errorf("20 cells that changed a page each hold %d bytes more", grown)
		}
		if k.options.Strategy != Copy && len(m.mapped) == 0 {
			t.Error("nothing was mapped")
		}
		if n, err := m.Changed(); err != nil || n != last.Len() {
			t.Errorf("Changed() = %d, %v; the delta has %d", n, err, last.Len())
		}
		if n, err := m.Reset(); err != nil || n != last.Len() {
			t.Errorf("Reset() = %d, %v; the delta has %d", n, err, last.Len())
		}
		closeDelta(t, last)
		requirePristine(t, m)
		requireReset(t, m, 0)
	})
}

// TestForks starts two lives from one delta, on two memories at once, and lets
// them differ.
func TestForks(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		heldBefore(t)
		img := testImage(t)
		a, b := newTestMemory(t, img, k), newTestMemory(t, img, k)
		fill(a, testImagePages+3, 100, rand.New(rand.NewPCG(2, 2)))
		parent := captureOf(t, a)
		common := slices.Clone(a.Bytes())
		reset(t, a)
		apply(t, a, parent)
		apply(t, b, parent)
		for i, m := range []*Memory{a, b} {
			for p := range 50 {
				m.Bytes()[(testImagePages+3+2*p)*PageSize+i] ^= byte(0xa0 + i)
			}
		}
		left, right := slices.Clone(a.Bytes()), slices.Clone(b.Bytes())
		da, db := captureOf(t, a), captureOf(t, b)
		closeDelta(t, parent) // the children have their own hold
		for _, m := range []*Memory{a, b} {
			reset(t, m)
			requirePristine(t, m)
		}
		apply(t, a, db)
		apply(t, b, da)
		if !bytes.Equal(a.Bytes(), right) || !bytes.Equal(b.Bytes(), left) {
			t.Error("a fork differs from what was kept of it")
		}
		if bytes.Equal(left, common) || bytes.Equal(left, right) {
			t.Error("the forks did not differ")
		}
		for _, m := range []*Memory{a, b} {
			reset(t, m)
			requirePristine(t, m)
		}
		closeDelta(t, da)
		closeDelta(t, db)
	})
}

// TestStates lives random lives, each from a random one of the states that
// were kept before, and compares with copies.
func TestStates(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		heldBefore(t)
		m := newTestMemory(t, testImage(t), k)
		r := rand.New(rand.NewPCG(8, 9))
		type kept struct {
			delta *Delta
			want  []byte
		}
		var states []kept
		for range k.share(80) {
			if len(states) > 0 && r.IntN(4) > 0 {
				s := states[r.IntN(len(states))]
				apply(t, m, s.delta)
				if !bytes.Equal(m.Bytes(), s.want) {
					t.Fatal("a state differs from what it was")
				}
			}
			for range r.IntN(30) {
				at, n := r.IntN(len(m.Bytes())), 1+r.IntN(2*PageSize)
				switch r.IntN(12) {
				case 0:
					n = 200 * PageSize
				case 1, 2, 3, 4:
					n = 1 + r.IntN(8)
				}
				part := m.Bytes()[at:min(at+n, len(m.Bytes()))]
				if r.IntN(4) == 0 {
					clear(part)
					continue
				}
				stamp := byte(r.Uint32())
				for i := range part {
					part[i] ^= stamp + byte(i)
				}
			}
			if r.IntN(3) > 0 {
				states = append(states, kept{captureOf(t, m), slices.Clone(m.Bytes())})
			}
			if len(states) > 5 {
				i := r.IntN(len(states))
				closeDelta(t, states[i].delta)
				states = slices.Delete(states, i, i+1)
			}
			reset(t, m)
			requirePristine(t, m)
		}
		for _, s := range states {
			file := saved(t, func(b *bytes.Buffer) error { return s.delta.Save(b) })
			read, err := ReadDelta(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			apply(t, m, read)
			if !bytes.Equal(m.Bytes(), s.want) {
				t.Error("a state that was read differs")
			}
			reset(t, m)
			closeDelta(t, read)
			closeDelta(t, s.delta)
		}
	})
}

// TestDeltaHammer starts lives from one delta on several memories at once,
// while the deltas that come of them are closed elsewhere.
func TestDeltaHammer(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		heldBefore(t)
		img := testImage(t)
		first := newTestMemory(t, img, k)
		fill(first, testImagePages, 64, rand.New(rand.NewPCG(4, 4)))
		root := captureOf(t, first)
		want := slices.Clone(first.Bytes())
		var wg sync.WaitGroup
		closing := make(chan *Delta, 4)
		var closer sync.WaitGroup
		closer.Go(func() {
			for d := range closing {
				closeDelta(t, d)
			}
		})
		for g := range 4 {
			wg.Go(func() {
				m, err := NewMemory(img, testMemoryBytes, k.options)
				if err != nil {
					t.Error(err)
					return
				}
				defer m.Close()
				for i := range k.share(20) {
					if !root.Retain() {
						t.Error("the delta is gone")
						return
					}
					if err := m.Apply(root); err != nil {
						t.Error(err)
					}
					if !bytes.Equal(m.Bytes(), want) {
						t.Error("the memory differs")
					}
					m.Bytes()[(testImagePages+i)*PageSize] = byte(g)
					d, err := m.Capture(nil)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := m.Reset(); err != nil {
						t.Error(err)
					}
					closing <- d
					closing <- root
				}
			})
		}
		wg.Wait()
		close(closing)
		closer.Wait()
		closeDelta(t, root)
		if root.Retain() {
			t.Error("a closed delta can be held")
		}
		if err := root.Close(); err == nil {
			t.Error("a delta was closed twice")
		}
	})
}

// FuzzPatch: a patch makes of the image's page the one that it was taken of.
func FuzzPatch(f *testing.F) {
	f.Add([]byte{1}, uint16(0), []byte{2, 3}, uint16(4090))
	f.Add(bytes.Repeat([]byte{7, 0, 0, 0, 0, 0, 0, 0, 0}, 60), uint16(3), []byte(nil), uint16(0))
	f.Fuzz(func(t *testing.T, a []byte, at uint16, b []byte, bt uint16) {
		image := testContents(PageSize)
		page := slices.Clone(image)
		copy(page[at%PageSize:], a)
		copy(page[bt%PageSize:], b)
		before := []byte{1, 2, 3}
		out, ok := appendPatch(before, 5, page, image)
		if !bytes.Equal(out[:3], before) || !ok && len(out) != 3 || len(out) > 3+mostPatch {
			t.Fatalf("%d bytes, %t", len(out), ok)
		}
		if !ok || bytes.Equal(page, image) {
			return
		}
		if n, err := checkPatches(out[3:], nil, 6); err != nil || n != 1 {
			t.Fatalf("%d patches, %v", n, err)
		}
		eachPatch(out[3:], func(number uint32, pieces []byte) {
			if number != 5 {
				t.Errorf("page %d", number)
			}
			applyPieces(image, pieces)
		})
		if !bytes.Equal(image, page) {
			t.Error("the page differs")
		}
	})
}

// TestCaptureReset has lives kept in one go, among others that are only reset or
// that go on from what was kept.
func TestCaptureReset(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		m := newTestMemory(t, testImage(t), k)
		r := rand.New(rand.NewPCG(5, 6))
		for range k.share(60) {
			for range r.IntN(30) {
				at, n := r.IntN(len(m.Bytes())), 1+r.IntN(3*PageSize)
				if r.IntN(20) == 0 {
					n = 300 * PageSize
				}
				for i := range m.Bytes()[at:min(at+n, len(m.Bytes()))] {
					m.Bytes()[at+i] ^= byte(1 + r.IntN(2))
				}
			}
			if r.IntN(3) == 0 {
				if _, err := m.Reset(); err != nil {
					t.Fatal(err)
				}
				requirePristine(t, m)
				continue
			}
			want := slices.Clone(m.Bytes())
			delta, n, err := m.CaptureReset(nil)
			if err != nil || n < delta.Len() {
				t.Fatalf("CaptureReset() = %d, %v; the delta has %d", n, err, delta.Len())
			}
			requirePristine(t, m)
			if err := m.Apply(delta); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(m.Bytes(), want) {
				t.Fatal("memory differs after Apply")
			}
			if r.IntN(2) == 0 {
				again, n, err := m.CaptureReset(nil)
				if err != nil || n != delta.Len() || again.Len() != n {
					t.Fatalf("CaptureReset() after Apply = %d, %v; the deltas have %d and %d", n, err, delta.Len(), again.Len())
				}
				if err := again.Close(); err != nil {
					t.Error(err)
				}
			} else if _, err := m.Reset(); err != nil {
				t.Fatal(err)
			}
			requirePristine(t, m)
			if err := delta.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
