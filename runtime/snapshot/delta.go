package snapshot

import (
	"errors"
	"slices"
	"sync/atomic"
)

// A Delta is what a clone changed: pages over those of its image, and the
// values of its mutable globals. Its pages are outside of Go's heap; those that
// did not change since the delta that the clone started from are shared with
// that. It holds no reference to the image. It must not be changed and may be
// used by many goroutines.
type Delta struct {
	// Globals are the clone's mutable globals.
	Globals []Global

	guest   Digest
	base    *Image   // the image it was taken from, if that was in this process
	origin  Digest   // the image's digest; only set if base is nil
	size    int64    // declared bytes of the memory it was taken from
	extents []extent // whole pages, in order
	patches patches

	refs atomic.Int32
}

// patches are pages that differ from the image in little, see appendPatch.
type patches struct {
	segment *segment // nil if there are none
	at      int64    // in the segment
	bytes   int64
	pages   int64
}

// read is the patches' contents, in buf if they fit.
func (p *patches) read(buf []byte) ([]byte, error) {
	if p.bytes == 0 {
		return nil, nil
	}
	buf = slices.Grow(buf[:0], int(p.bytes))[:p.bytes]
	return buf, p.segment.read([][]byte{buf}, p.at)
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

// Len is how many bytes of memory, in whole pages, differ from the image.
func (d *Delta) Len() int64 { return (extentPages(d.extents) + d.patches.pages) * PageSize }

// Stored is how many bytes it takes to keep the delta: those that are shared
// with other deltas count in each.
func (d *Delta) Stored() int64 { return extentPages(d.extents)*PageSize + d.patches.bytes }

// Fits says if the delta applies to clones of an image. It is quick for the
// image that the delta was taken from.
//
// # Errors
//
// ErrMismatch if it doesn't.
func (d *Delta) Fits(img *Image) error { return fail("fit delta", d.fits(img)) }

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

// Retain adds a holder, who has to call Close, too. It reports whether the
// delta had one left.
func (d *Delta) Retain() bool {
	for {
		n := d.refs.Load()
		if n == 0 {
			return false
		}
		if d.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Close gives one hold up. With the last the delta's memory goes, as far as no
// other delta shares it.
func (d *Delta) Close() error {
	switch n := d.refs.Add(-1); {
	case n > 0:
		return nil
	case n < 0:
		d.refs.Add(1)
		return fail("close delta", ErrClosed)
	}
	var errs []error
	for s := range d.segments() {
		errs = append(errs, s.release())
	}
	return fail("close delta", errors.Join(errs...))
}

// segments are the delta's segments. It holds each once.
func (d *Delta) segments() map[*segment]struct{} {
	set := map[*segment]struct{}{}
	for i := range d.extents {
		set[d.extents[i].segment] = struct{}{}
	}
	if d.patches.segment != nil {
		set[d.patches.segment] = struct{}{}
	}
	return set
}

// runs are the runs of the delta's whole pages.
func (d *Delta) runs() (runs []run) {
	for _, e := range d.extents {
		runs = appendRun(runs, e.start, e.count)
	}
	return runs
}

func extentPages(list []extent) (n int64) {
	for i := range list {
		n += int64(list[i].count)
	}
	return n
}

// pieces are all pages of the delta, those with patches made from the image.
func (d *Delta) pieces(img *Image) (ps []piece, err error) {
	for _, e := range d.extents {
		for p := e.start; p < e.end(); p++ {
			part := e.part(run{p, 1})
			data := make([]byte, PageSize)
			if err := part.segment.read([][]byte{data}, part.at); err != nil {
				return nil, err
			}
			ps = append(ps, piece{p, data})
		}
	}
	list, err := d.patches.read(nil)
	if err != nil {
		return nil, err
	}
	eachPatch(list, func(page uint32, pieces []byte) {
		data := slices.Clone(img.page(int64(page) * PageSize))
		applyPieces(data, pieces)
		ps = append(ps, piece{page, data})
	})
	return ps, nil
}

func newDelta(img *Image, size int64, globals []Global) *Delta {
	d := &Delta{Globals: slices.Clone(globals), guest: img.guest, base: img, size: size}
	d.refs.Store(1)
	return d
}
