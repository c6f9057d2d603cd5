package snapshot

// A copySlot is the portable slot: a copy of the image in ordinary memory,
// compared with it page by page.
type copySlot struct {
	image  *Image
	memory []byte
	last   int64 // resident, by the last look
}

func newCopySlot(image *Image, size int64) (slot, []byte, error) {
	memory, err := allocate(size)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range image.runs {
		from, to := r.bytes()
		copy(memory[from:to], image.backing.data[from:to])
	}
	return &copySlot{image: image, memory: memory, last: image.Stored()}, memory, nil
}

func (s *copySlot) windowed() bool { return false }

// visit looks at every page.
func (s *copySlot) visit(f func(r run) error) error {
	var open run
	for at := int64(0); at < int64(len(s.memory)); at += PageSize {
		if s.image.samePage(s.memory[at:at+PageSize], at) {
			continue
		}
		p := uint32(at / PageSize)
		if open.count > 0 && open.end() == p {
			open.count++
			continue
		}
		if open.count > 0 {
			if err := f(open); err != nil {
				return err
			}
		}
		open = run{p, 1}
	}
	if open.count > 0 {
		return f(open)
	}
	return nil
}

func (s *copySlot) changed() (n int64, err error) {
	beyond := int64(0)
	err = s.visit(func(r run) error {
		from, to := r.bytes()
		n += to - from
		beyond += max(0, to-max(from, s.image.Len()))
		return nil
	})
	s.last = s.image.Stored() + beyond
	return n, err
}

func (s *copySlot) reset() (n int64, err error) {
	err = s.visit(func(r run) error {
		from, to := r.bytes()
		n += to - from
		restore(s.image, s.memory, from, to)
		return nil
	})
	return n, err
}

func (s *copySlot) resident() int64 { return s.last }

func (s *copySlot) close() error { return free(s.memory) }

// restore makes bytes of memory equal to the image.
func restore(image *Image, memory []byte, from, to int64) {
	n := image.Len()
	if from < n {
		copy(memory[from:min(to, n)], image.backing.data[from:])
		from = min(to, n)
	}
	clear(memory[from:to])
}
