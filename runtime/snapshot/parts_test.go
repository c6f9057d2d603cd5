package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

// shelf keeps parts in memory, as files.
type shelf map[string][]byte

func (s shelf) open(file string) (io.ReaderAt, error) {
	b, ok := s[file]
	if !ok {
		return nil, fmt.Errorf("no file %q", file)
	}
	return bytes.NewReader(b), nil
}

// put writes the parts of a delta that are not there yet, into one file.
func (s shelf) put(t testing.TB, d *Delta, known map[Part]Place) (places map[Part]Place, index []byte, written int64) {
	t.Helper()
	places = map[Part]Place{}
	name := fmt.Sprint(len(s), ".pages")
	var file bytes.Buffer
	for _, p := range d.Parts() {
		if place, ok := known[p]; ok {
			places[p] = place
			continue
		}
		at := int64(file.Len())
		sum, err := p.Save(&file)
		if err != nil {
			t.Fatal(err)
		}
		if int64(file.Len())-at != p.Size() {
			t.Errorf("a part of %d bytes wrote %d", p.Size(), int64(file.Len())-at)
		}
		places[p] = Place{name, at, sum}
	}
	s[name] = file.Bytes()
	var b bytes.Buffer
	if err := d.SaveIndex(&b, places); err != nil {
		t.Fatal(err)
	}
	return places, b.Bytes(), int64(file.Len())
}

func newPartsImage(t testing.TB) *Image {
	t.Helper()
	memory := make([]byte, 64*wasmPage)
	for i := 0; i < 8*wasmPage; i++ {
		memory[i] = byte(i * 7)
	}
	img, err := NewImage(Digest{1}, memory, []Global{{"g", 1}})
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

func TestParts(t *testing.T) {
	img := newPartsImage(t)
	m, err := NewMemory(img, 128*wasmPage, MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := m.Bytes()
	for i := 20 * wasmPage; i < 60*wasmPage; i++ {
		b[i] = byte(i*13 + i>>12)
	}
	b[5] ^= 1 // a patch
	s := shelf{}
	var places map[Part]Place
	var deltas []*Delta
	var small int64
	for round := range 5 {
		b[100*wasmPage+round*PageSize] = byte(round + 1)
		b[40*wasmPage+round] ^= 0x55
		d, err := m.Capture([]Global{{"g", uint64(round)}})
		if err != nil {
			t.Fatal(err)
		}
		deltas = append(deltas, d)
		want := bytes.Clone(b)
		var index []byte
		var written int64
		places, index, written = s.put(t, d, places)
		if round > 0 {
			small += written
		}
		got, found, err := ReadIndex(bytes.NewReader(index), s.open)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != len(places) || got.Globals[0] != d.Globals[0] || got.Len() != d.Len() {
			t.Errorf("round %d: %d of %d parts, %v, %d bytes", round, len(found), len(places), got.Globals, got.Len())
		}
		if err := got.Bind(img); err != nil {
			t.Fatal(err)
		}
		other, err := NewMemory(img, 128*wasmPage, MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Apply(got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(other.Bytes(), want) {
			t.Errorf("round %d: the memory differs", round)
		}
		if err := errors.Join(other.Close(), got.Close()); err != nil {
			t.Error(err)
		}
		// The next one starts from this one, as a session does.
		if _, err := m.Reset(); err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(d); err != nil {
			t.Fatal(err)
		}
	}
	if most := int64(4 * 64 * PageSize); small > most {
		t.Errorf("four small changes wrote %d bytes", small)
	}
	for _, d := range deltas {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is damaged is refused, and takes no memory.
func TestPartsDamaged(t *testing.T) {
	img := newPartsImage(t)
	d, s, index := partsCase(t, img)
	defer d.Close()
	held := Held()
	refuse := func(what string, index []byte, s shelf) {
		t.Helper()
		got, _, err := ReadIndex(bytes.NewReader(index), s.open)
		if err == nil {
			t.Errorf("%s: taken", what)
			got.Close()
		}
	}
	for n := range len(index) {
		refuse(fmt.Sprint("cut off at ", n), index[:n], s)
		changed := bytes.Clone(index)
		changed[n] ^= 0x20
		refuse(fmt.Sprint("changed at ", n), changed, s)
	}
	refuse("one byte more", append(bytes.Clone(index), 0), s)
	for name, content := range s {
		refuse("no file", index, shelf{})
		refuse("a short file", index, shelf{name: content[:len(content)-1]})
		changed := bytes.Clone(content)
		changed[len(changed)/2] ^= 1
		refuse("a changed file", index, shelf{name: changed})
	}
	if Held() != held {
		t.Errorf("%d bytes are held that were not before", Held()-held)
	}
}

func partsCase(t testing.TB, img *Image) (*Delta, shelf, []byte) {
	t.Helper()
	m, err := NewMemory(img, 128*wasmPage, MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	copy(m.Bytes()[70*wasmPage:], bytes.Repeat([]byte("parts"), 3000))
	m.Bytes()[7] ^= 1
	d, err := m.Capture([]Global{{"g", 5}})
	if err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	_, index, _ := s.put(t, d, nil)
	return d, s, index
}

func FuzzReadIndex(f *testing.F) {
	img := newPartsImage(f)
	d, s, index := partsCase(f, img)
	f.Cleanup(func() { d.Close() })
	f.Add(index[:len(index)-8])
	f.Add([]byte(indexMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Past the checksum, which no mutation gets right.
		var sum checksum
		sum.Write(b)
		got, places, err := ReadIndex(bytes.NewReader(sum.append(bytes.Clone(b))), s.open)
		if err != nil {
			return
		}
		defer got.Close()
		var again bytes.Buffer
		if err := got.SaveIndex(&again, places); err != nil {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}
