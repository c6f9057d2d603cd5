package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// Save writes the image. Two images with the same guest, memory and globals
// are saved as the same bytes.
func (img *Image) Save(w io.Writer) error {
	if !img.retain() {
		return fail("save image", ErrClosed)
	}
	defer img.release()
	digest := img.Digest()
	h := img.header()
	return fail("save image", h.encode(w, func(w io.Writer) error {
		if err := img.writePages(w); err != nil {
			return err
		}
		_, err := w.Write(digest[:])
		return err
	}))
}

func (img *Image) header() header {
	return header{magic: imageMagic, guest: img.guest, size: img.Len(), globals: img.globals, runs: img.runs}
}

func (img *Image) writePages(w io.Writer) error {
	for _, p := range pieces(img.backing.data, img.runs) {
		if _, err := w.Write(p.data); err != nil {
			return err
		}
	}
	return nil
}

// computeDigest sets the digest, once.
func (img *Image) computeDigest() {
	if img.backing.data == nil && len(img.runs) > 0 {
		return // closed
	}
	hash := sha256.New()
	h := img.header()
	hash.Write(h.append(nil))
	_ = img.writePages(hash) // a hash takes everything
	hash.Sum(img.digest[:0])
}

// ReadImage reads what [Image.Save] wrote.
//
// # Errors
//
// ErrCorrupt if it was not, or not wholly; ErrMismatch if the image belongs to
// another guest.
func ReadImage(r io.Reader, guest Digest) (*Image, error) {
	img, err := readImage(newDecoder(r), guest)
	return img, fail("read image", err)
}

func readImage(d *decoder, guest Digest) (*Image, error) {
	h, err := d.header(imageMagic)
	if err != nil {
		return nil, err
	}
	length := int64(0)
	if n := len(h.runs); n > 0 {
		_, length = h.runs[n-1].bytes()
	}
	if h.origin != (Digest{}) || h.size != roundUp(length, wasmPage) {
		return nil, corrupt("%d bytes declared, %d stored", h.size, length)
	}
	if h.guest != guest {
		return nil, mismatch("the image belongs to guest %v, not to %v", h.guest, guest)
	}
	var digest Digest
	img, err := newImage(h.guest, h.globals, h.runs, func(b *builder) error {
		if err := d.pages(h.runs, func(at int64, data []byte) error { return b.write(data, at) }); err != nil {
			return err
		}
		if err := d.read(digest[:]); err != nil {
			return err
		}
		return d.end()
	})
	if err != nil {
		return nil, err
	}
	img.hash.Do(func() { img.digest = digest })
	return img, nil
}

// Save writes the delta, with the digests of guest and image.
func (d *Delta) Save(w io.Writer) error {
	return fail("save delta", d.save(w))
}

func (d *Delta) save(w io.Writer) error {
	list, err := d.patches.read(nil)
	if err != nil {
		return err
	}
	h := header{magic: deltaMagic, guest: d.guest, origin: d.Image(), size: d.size, globals: d.Globals, runs: d.runs()}
	return h.encode(w, func(w io.Writer) error {
		buf := make([]byte, 64*PageSize)
		for i := range d.extents {
			e := &d.extents[i]
			for at, left := e.at, int64(e.count)*PageSize; left > 0; {
				part := buf[:min(left, int64(len(buf)))]
				if err := e.segment.read([][]byte{part}, at); err != nil {
					return err
				}
				if _, err := w.Write(part); err != nil {
					return err
				}
				at, left = at+int64(len(part)), left-int64(len(part))
			}
		}
		if _, err := w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(list)))); err != nil {
			return err
		}
		_, err := w.Write(list)
		return err
	})
}

// ReadDelta reads what [Delta.Save] wrote. Fits, Apply and With check that it
// fits.
//
// # Errors
//
// ErrCorrupt if it was not written by Save, or not wholly.
func ReadDelta(r io.Reader) (*Delta, error) {
	d, err := readDelta(newDecoder(r))
	return d, fail("read delta", err)
}

func readDelta(dec *decoder) (_ *Delta, err error) {
	h, err := dec.header(deltaMagic)
	if err != nil {
		return nil, err
	}
	d := &Delta{Globals: h.globals, guest: h.guest, origin: h.origin, size: h.size}
	d.refs.Store(1)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if n := pagesOf(h.runs) * PageSize; n > 0 {
		s, err := newSegment(n)
		if err != nil {
			return nil, err
		}
		d.extents = place(h.runs, s)
		at := int64(0)
		if err := dec.pages(h.runs, func(_ int64, data []byte) error {
			err := s.write([][]byte{data}, at)
			at += int64(len(data))
			return err
		}); err != nil {
			return nil, err
		}
	}
	list, err := dec.patches(h.size)
	if err != nil {
		return nil, err
	}
	count, err := checkPatches(list, h.runs, uint32(h.size/PageSize))
	if err != nil {
		return nil, err
	}
	if err := dec.end(); err != nil {
		return nil, err
	}
	if len(list) > 0 {
		s, err := newSegment(int64(len(list)))
		if err != nil {
			return nil, err
		}
		d.patches = patches{s, 0, int64(len(list)), count}
		if err := s.write([][]byte{list}, 0); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// patches reads the patches of a delta of size bytes of memory.
func (d *decoder) patches(size int64) (list []byte, err error) {
	n, err := d.u32()
	if err != nil {
		return nil, err
	}
	if int64(n) > size { // each takes less than its page
		return nil, corrupt("%d bytes of patches", n)
	}
	for len(list) < int(n) {
		part := make([]byte, min(int(n)-len(list), 64<<10))
		if err := d.read(part); err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	return list, nil
}
