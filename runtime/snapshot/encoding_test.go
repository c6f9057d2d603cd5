package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func saved(t testing.TB, save func(b *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testDelta(t testing.TB) *Delta {
	t.Helper()
	m := newTestMemory(t, testImage(t), kind{})
	m.Bytes()[0]++
	m.Bytes()[testImageBytes+7]++
	clear(m.Bytes()[testImageBytes-PageSize : testImageBytes])
	d, err := m.Capture([]Global{{"a", 1}, {"", 2}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestImageRoundTrip(t *testing.T) {
	img := testImage(t)
	file := saved(t, func(b *bytes.Buffer) error { return img.Save(b) })
	got, err := ReadImage(bytes.NewReader(file), img.Guest())
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Digest() != img.Digest() || !slices.Equal(got.Globals(), img.Globals()) || got.Len() != img.Len() {
		t.Error("the image read differs")
	}
	if sum := sha256.Sum256(file[:len(file)-40]); Digest(sum) != img.Digest() || Digest(file[len(file)-40:len(file)-8]) != img.Digest() {
		t.Error("the digest is not that of what is saved")
	}
	if want := testContents(testImageBytes); !bytes.Equal(got.backing.data, want) {
		t.Error("the contents differ")
	}
	if int64(len(file)) > img.Stored()+4096 || img.Stored() >= img.Len() {
		t.Errorf("%d bytes in the file, %d stored of %d", len(file), img.Stored(), img.Len())
	}
	m := newTestMemory(t, got, kind{})
	requirePristine(t, m)
	if _, err := ReadImage(bytes.NewReader(file), Digest{2}); !errors.Is(err, ErrMismatch) {
		t.Errorf("an image of another guest: %v", err)
	}
}

// TestEmptyImage has nothing in it, or nothing but globals.
func TestEmptyImage(t *testing.T) {
	for _, memory := range [][]byte{nil, make([]byte, 3*wasmPage)} {
		img, err := NewImage(Digest{}, memory, []Global{{"g", 1}})
		if err != nil {
			t.Fatal(err)
		}
		if img.Len() != 0 {
			t.Errorf("length %d", img.Len())
		}
		got, err := ReadImage(bytes.NewReader(saved(t, func(b *bytes.Buffer) error { return img.Save(b) })), Digest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds() {
			m, err := NewMemory(got, testMemoryBytes, k.options)
			if err != nil {
				t.Fatal(err)
			}
			m.Bytes()[0] = 1
			requireReset(t, m, 1)
			if m.Bytes()[0] != 0 {
				t.Errorf("%s: a store outlived Reset", k.name)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(img.Close(), got.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestShortPage has a memory whose last page is not whole.
func TestShortPage(t *testing.T) {
	img, err := NewImage(Digest{}, []byte("abc"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if img.Len() != wasmPage || string(img.backing.data[:4]) != "abc\x00" {
		t.Errorf("%d bytes, %q", img.Len(), img.backing.data[:4])
	}
	whole, err := NewImage(Digest{}, append([]byte("abc"), make([]byte, 2*PageSize)...), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	got, err := ReadImage(bytes.NewReader(saved(t, func(b *bytes.Buffer) error { return img.Save(b) })), Digest{})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if img.Digest() != whole.Digest() || img.Digest() != got.Digest() {
		t.Error("the same memory has several digests")
	}
}

// TestCorrupt cuts files off everywhere and flips every bit of their heads.
func TestCorrupt(t *testing.T) {
	img := testImage(t)
	files := map[string][]byte{
		"image": saved(t, func(b *bytes.Buffer) error { return img.Save(b) }),
		"delta": saved(t, func(b *bytes.Buffer) error { return testDelta(t).Save(b) }),
	}
	read := map[string]func(b []byte) error{
		"image": func(b []byte) error { _, err := ReadImage(bytes.NewReader(b), Digest{1}); return err },
		"delta": func(b []byte) error { _, err := ReadDelta(bytes.NewReader(b)); return err },
	}
	for name, file := range files {
		if err := read[name](file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, n := range []int{0, 1, 7, 8, 11, 12, 60, 80, 90, 120, len(file) / 2, len(file) - 40, len(file) - 33, len(file) - 8, len(file) - 1} {
			if err := read[name](file[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		if err := read[name](append(slices.Clone(file), 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s with a byte more: %v", name, err)
		}
		spots := []int{len(file) / 2, len(file) - 40, len(file) - 1}
		for i := range 180 {
			spots = append(spots, i)
		}
		for _, at := range spots {
			b := slices.Clone(file)
			b[at] ^= 1 << (at % 8)
			err := read[name](b)
			if !errors.Is(err, ErrCorrupt) && !(name == "image" && errors.Is(err, ErrMismatch)) {
				t.Errorf("%s with byte %d changed: %v", name, at, err)
			}
		}
		other := map[string]string{"image": "delta", "delta": "image"}[name]
		if err := read[other](file); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s read as %s: %v", name, other, err)
		}
	}
}

// TestDeltaMismatch applies deltas to what they don't belong to.
func TestDeltaMismatch(t *testing.T) {
	d := testDelta(t)
	read, err := ReadDelta(bytes.NewReader(saved(t, func(b *bytes.Buffer) error { return d.Save(b) })))
	if err != nil {
		t.Fatal(err)
	}
	if read.Image() != d.Image() || read.Guest() != d.Guest() || read.Len() != d.Len() || !slices.Equal(read.Globals, d.Globals) {
		t.Error("the delta read differs")
	}
	foreign, err := NewImage(Digest{9}, testContents(testImageBytes), []Global{{"g0", 3}, {"g1", 1 << 63}})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	other, err := NewImage(Digest{1}, []byte("other"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, img := range []*Image{foreign, other} {
		for _, delta := range []*Delta{d, read} {
			m := newTestMemory(t, img, kind{})
			if err := m.Apply(delta); !errors.Is(err, ErrMismatch) {
				t.Errorf("Apply: %v", err)
			}
			if _, err := img.With(delta); !errors.Is(err, ErrMismatch) {
				t.Errorf("With: %v", err)
			}
			if n, err := m.Changed(); err != nil || n != 0 {
				t.Errorf("%d bytes changed by a delta that was refused, %v", n, err)
			}
		}
	}
	small, err := NewMemory(d.base, testImageBytes, MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if err := small.Apply(read); !errors.Is(err, ErrMismatch) {
		t.Errorf("a delta beyond the memory: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	img := testImage(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "image")
	for range 2 { // the second replaces the first
		if err := img.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(path, img.Guest())
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Digest() != img.Digest() {
		t.Error("the image loaded differs")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if _, err := Load(filepath.Join(folder, "none"), img.Guest()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := img.WriteFile(filepath.Join(folder, "none", "image")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, img.Guest()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a file cut off: %v", err)
	}
}

// seal gives a file whose checksum a fuzzer spoilt a right one, so that the
// decoder is reached behind it.
func seal(b []byte) []byte {
	if len(b) < 8 {
		return b
	}
	var sum checksum
	sum.Write(b[:len(b)-8])
	return sum.append(slices.Clone(b[:len(b)-8]))
}

func fuzzSeeds(f *testing.F) {
	h := header{magic: deltaMagic, size: 2 * wasmPage, globals: []Global{{"g", 5}}, runs: []run{{1, 1}, {5, 2}}}
	for _, magic := range []string{imageMagic, deltaMagic} {
		h.magic = magic
		f.Add(append(h.append(nil), make([]byte, 3*PageSize+32+8)...))
	}
	list, _ := appendPatch(nil, 3, append(make([]byte, PageSize-1), 9), zeroPage[:])
	b := append(h.append(nil), make([]byte, 3*PageSize)...)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(list))), list...)
	f.Add(append(b, make([]byte, 8)...))
	huge := h
	huge.runs = []run{{0, 1}}
	b = huge.append(nil)
	binary.LittleEndian.PutUint32(b[len(b)-12:], 1<<31) // a lying count
	f.Add(append(b, make([]byte, 64)...))
}

// FuzzReadDelta: a delta is refused, or is saved as the same bytes.
func FuzzReadDelta(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = seal(b)
		d, err := ReadDelta(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		defer d.Close()
		if got := saved(t, func(w *bytes.Buffer) error { return d.Save(w) }); !bytes.Equal(got, b) {
			t.Fatalf("saved as %d other bytes", len(got))
		}
	})
}

// FuzzReadImage: an image is refused, or holds what its file says.
func FuzzReadImage(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = seal(b)
		img, err := ReadImage(bytes.NewReader(b), Digest{})
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMismatch) {
				t.Fatal(err)
			}
			return
		}
		defer img.Close()
		if got := saved(t, func(w *bytes.Buffer) error { return img.Save(w) }); !bytes.Equal(got, b) {
			t.Fatalf("saved as %d other bytes", len(got))
		}
	})
}
