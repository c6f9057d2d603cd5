package isolate

import "slices"

// A shelf holds clean slots, last in first out: those at its bottom are the ones
// that nobody needs.
type shelf struct {
	slots []*slot
	low   int // the fewest that there were since unused was called
}

// take is the slot that was put last, or nil.
func (h *shelf) take() *slot {
	n := len(h.slots) - 1
	if n < 0 {
		return nil
	}
	s := h.slots[n]
	h.slots[n] = nil
	h.slots = h.slots[:n]
	h.low = min(h.low, n)
	return s
}

func (h *shelf) put(s *slot) { h.slots = append(h.slots, s) }

// unused takes the slots that nobody has needed since it was called last.
func (h *shelf) unused() []*slot {
	s := slices.Clone(h.slots[:h.low])
	h.slots = slices.Delete(h.slots, 0, h.low)
	h.low = len(h.slots)
	return s
}

// all takes all slots.
func (h *shelf) all() []*slot {
	s := h.slots
	*h = shelf{}
	return s
}
