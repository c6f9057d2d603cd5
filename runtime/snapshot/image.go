package snapshot

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// An Image is the memory of a booted guest and its mutable globals. It never
// changes: on Linux it is a sealed memfd, of which only the pages that hold
// anything take memory. It is safe for concurrent use.
type Image struct {
	guest   Digest
	globals []Global
	runs    []run // pages that are not zero
	backing *backing

	hash   sync.Once
	digest Digest // set by hash

	captured atomic.Bool // deltas may ask for the digest after the end

	mu   sync.Mutex
	refs int // the owner's and one of each Memory
}

// NewImage makes an image of a guest's linear memory, which is copied; zero
// pages at its end are left out. Guest is the digest of the module that the
// memory belongs to.
func NewImage(guest Digest, memory []byte, globals []Global) (*Image, error) {
	if int64(len(memory)) > MaxBytes {
		return nil, fail("new image", mismatch("%d bytes of memory", len(memory)))
	}
	img, err := assemble(guest, globals, pieces(memory, nonZero(memory)))
	return img, fail("new image", err)
}

// assemble makes an image of pieces, which are in order.
func assemble(guest Digest, globals []Global, ps []piece) (*Image, error) {
	var runs []run
	for _, p := range ps {
		runs = appendRun(runs, p.page, uint32((len(p.data)+PageSize-1)/PageSize))
	}
	return newImage(guest, globals, runs, func(b *builder) error {
		for _, p := range ps {
			if err := b.write(p.data, int64(p.page)*PageSize); err != nil {
				return err
			}
		}
		return nil
	})
}

// newImage builds an image from runs of pages that fill writes.
func newImage(guest Digest, globals []Global, runs []run, fill func(*builder) error) (*Image, error) {
	var size int64
	if n := len(runs); n > 0 {
		_, size = runs[n-1].bytes()
	}
	b, err := newBuilder(roundUp(size, wasmPage))
	if err != nil {
		return nil, err
	}
	if err := fill(b); err != nil {
		b.discard()
		return nil, err
	}
	backing, err := b.seal()
	if err != nil {
		return nil, err
	}
	return &Image{guest: guest, globals: slices.Clone(globals), runs: runs, backing: backing, refs: 1}, nil
}

// With makes the image that a clone of img has become: delta's pages over
// those of img. Globals are delta's.
//
// # Errors
//
// ErrMismatch if the delta was taken from another image.
func (img *Image) With(delta *Delta) (*Image, error) {
	const op = "derive image"
	if err := delta.fits(img); err != nil {
		return nil, fail(op, err)
	}
	if !img.retain() {
		return nil, fail(op, ErrClosed)
	}
	defer img.release()
	changed, err := delta.pieces(img)
	if err != nil {
		return nil, fail(op, err)
	}
	slices.SortFunc(changed, func(a, b piece) int { return cmp.Compare(a.page, b.page) })
	var replaced []run
	for _, p := range changed {
		replaced = appendRun(replaced, p.page, 1)
	}
	ps := pieces(img.backing.data, subtract(img.runs, replaced))
	for _, p := range changed {
		if !isZero(p.data) {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b piece) int { return cmp.Compare(a.page, b.page) })
	derived, err := assemble(img.guest, delta.Globals, ps)
	return derived, fail(op, err)
}

// Guest is the digest of the module whose memory this is.
func (img *Image) Guest() Digest { return img.guest }

// Globals are the mutable globals. They must not be changed.
func (img *Image) Globals() []Global { return img.globals }

// Len is the image's length in bytes; memory beyond it is zero.
func (img *Image) Len() int64 { return int64(len(img.backing.data)) }

// Stored is how many bytes of the image are in pages that hold anything.
func (img *Image) Stored() int64 { return pagesOf(img.runs) * PageSize }

// Digest identifies guest, memory and globals: the checksum at the end of a
// saved image. It is computed at the first call, which has to come before the
// end of the image; after that it is zero.
func (img *Image) Digest() Digest {
	if img.retain() {
		defer img.release()
	}
	img.hash.Do(img.computeDigest)
	return img.digest
}

// Close gives the image up. Its memory goes when the last [Memory] of it is
// closed, too.
func (img *Image) Close() error {
	return fail("close image", img.release())
}

// page is what the image has at an offset.
func (img *Image) page(at int64) []byte {
	if at >= img.Len() {
		return zeroPage[:]
	}
	return img.backing.data[at : at+PageSize]
}

// samePage says if a page at an offset holds what the image has there.
func (img *Image) samePage(page []byte, at int64) bool {
	return bytes.Equal(page, img.page(at))
}

// retain takes a reference; it reports whether there was one left.
func (img *Image) retain() bool {
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.refs == 0 {
		return false
	}
	img.refs++
	return true
}

func (img *Image) release() error {
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.refs == 0 {
		return ErrClosed
	}
	if img.refs--; img.refs > 0 {
		return nil
	}
	if img.captured.Load() {
		img.hash.Do(img.computeDigest)
	}
	return img.backing.close()
}
