//go:build !linux

package snapshot

func newSlot(image *Image, size int64, o MemoryOptions) (slot, []byte, error) {
	if o.Strategy != Best && o.Strategy != Copy {
		return nil, nil, ErrUnavailable
	}
	return newCopySlot(image, size)
}
