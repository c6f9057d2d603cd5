//go:build !linux

package snapshot

// A backing holds an image's contents in plain memory.
type backing struct {
	data []byte // a multiple of wasmPage
}

// A builder fills a backing. What is not written is zero.
type builder struct{ backing }

// newBuilder starts a backing of size bytes, a multiple of wasmPage.
func newBuilder(size int64) (*builder, error) {
	data, err := allocate(size)
	return &builder{backing{data}}, err
}

// write writes p at an offset.
func (b *builder) write(p []byte, at int64) error {
	copy(b.data[at:], p)
	return nil
}

// seal ends writing. The builder must not be used any more.
func (b *builder) seal() (*backing, error) { return &b.backing, nil }

func (b *builder) discard() { _ = b.close() }

func (b *backing) close() error {
	data := b.data
	b.data = nil
	return free(data)
}
