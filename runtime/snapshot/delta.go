package snapshot

import "slices"

// A Delta is what a clone changed: pages over those of its image, and the
// values of its mutable globals. It holds no reference to the image. It must
// not be changed and may be used by many goroutines.
type Delta struct {
	// Globals are the clone's mutable globals.
	Globals []Global

	guest  Digest
	base   *Image // the image it was taken from, if that was in this process
	origin Digest // the image's digest; only set if base is nil
	size   int64  // declared bytes of the memory it was taken from
	runs   []run
	data   []byte // the runs' pages, one after the other
}

// Guest is the digest of the module whose memory this is.
func (d *Delta) Guest() Digest { return d.guest }

// Image is the digest of the image that the delta applies to.
func (d *Delta) Image() Digest {
	if d.base != nil {
		return d.base.Digest()
	}
	return d.origin
}

// Len is how many bytes of pages the delta holds.
func (d *Delta) Len() int64 { return int64(len(d.data)) }

// fits says if the delta applies to an image.
func (d *Delta) fits(img *Image) error {
	switch {
	case d.guest != img.guest:
		return mismatch("the delta belongs to guest %v, the image to %v", d.guest, img.guest)
	case d.base == img:
		return nil
	case d.Image() != img.Digest():
		return mismatch("the delta was taken from image %v, this is %v", d.Image(), img.Digest())
	}
	return nil
}

// add appends the pages from start on that differ from the image.
func (d *Delta) add(img *Image, memory []byte, start, count uint32) {
	for p := start; p < start+count; p++ {
		at := int64(p) * PageSize
		page := memory[at : at+PageSize]
		if img.samePage(page, at) {
			continue
		}
		d.runs = appendRun(d.runs, p, 1)
		d.data = append(d.data, page...)
	}
}

func newDelta(img *Image, size int64, globals []Global) *Delta {
	return &Delta{Globals: slices.Clone(globals), guest: img.guest, base: img, size: size}
}

// Fits says if the delta applies to clones of an image. It is quick for the
// image that the delta was taken from.
//
// # Errors
//
// ErrMismatch if it doesn't.
func (d *Delta) Fits(img *Image) error { return fail("fit delta", d.fits(img)) }

// Bind ties a delta that was read to the image it applies to, so that Fits is
// quick. No other goroutine may use the delta meanwhile.
//
// # Errors
//
// ErrMismatch if the delta was taken from another image or guest.
func (d *Delta) Bind(img *Image) error {
	if err := d.fits(img); err != nil {
		return fail("bind delta", err)
	}
	d.base = img
	return nil
}

// Close lets go of the delta's memory. It must not be used any more.
func (d *Delta) Close() error {
	d.runs, d.data = nil, nil
	return nil
}
