package snapshot

import (
	"errors"
	"slices"
)

// shareAtLeast is the part of a segment, in percent, that a delta has to use
// for sharing it: of what is used less the delta takes a copy, so that a chain
// of deltas can't hold more than a few times what its last one needs.
const shareAtLeast = 50

// A capture gathers a delta.
type capture struct {
	memory  *Memory
	fresh   []run    // pages to copy, in order
	shared  []extent // pages that are as in a segment still
	patches []byte
	patched int64

	remember bool  // found and differ are wanted
	found    []run // pages that may have changed
	differ   []run // those that have
}

// take looks at pages that may have changed.
func (c *capture) take(r run) {
	image, memory := c.memory.image, c.memory.memory
	inside := uint32(image.Len() / PageSize)
	if c.remember {
		c.found = append(c.found, r)
	}
	for p := r.start; p < r.end(); p++ {
		at := int64(p) * PageSize
		page := memory[at : at+PageSize]
		if image.samePage(page, at) {
			continue
		}
		if c.remember {
			c.differ = appendRun(c.differ, p, 1)
		}
		if p < inside {
			var ok bool
			if c.patches, ok = appendPatch(c.patches, p, page, image.page(at)); ok {
				c.patched++
				continue
			}
		}
		c.fresh = appendRun(c.fresh, p, 1)
	}
}

// share takes over what was mapped and has not been stored into. Segments of
// which little is left are copied.
func (c *capture) share(mapped []extent, touched []run) {
	var kept []extent
	left := map[*segment]int64{}
	for i := range mapped {
		e := &mapped[i]
		for _, r := range subtract([]run{e.run}, touched) {
			kept = append(kept, e.part(r))
			left[e.segment] += int64(r.count) * PageSize
		}
	}
	var copied []run
	for _, e := range kept {
		if left[e.segment]*100 < e.segment.size*shareAtLeast {
			copied = appendRun(copied, e.start, e.count)
		} else {
			c.shared = append(c.shared, e)
		}
	}
	c.fresh = merge(c.fresh, copied)
}

// delta makes the delta.
func (c *capture) delta(globals []Global) (*Delta, error) {
	m := c.memory
	d := newDelta(m.image, int64(len(m.memory)), globals)
	var own *segment
	var fresh []extent
	pages := pagesOf(c.fresh) * PageSize
	if n := pages + int64(len(c.patches)); n > 0 {
		var err error
		if own, err = newSegment(n); err != nil {
			return nil, err
		}
		fresh = place(c.fresh, own)
		err = writeExtents(m.memory, fresh)
		if err == nil && len(c.patches) > 0 {
			d.patches = patches{own, pages, int64(len(c.patches)), c.patched}
			err = own.write([][]byte{c.patches}, pages)
		}
		if err != nil {
			return nil, errors.Join(err, own.release())
		}
	}
	for shared := c.shared; len(fresh) > 0 || len(shared) > 0; {
		next := &fresh
		if len(fresh) == 0 || len(shared) > 0 && shared[0].start < fresh[0].start {
			next = &shared
		}
		d.extents = appendExtent(d.extents, (*next)[0])
		*next = (*next)[1:]
	}
	d.extents = slices.Clip(d.extents)
	for s := range d.segments() {
		if s != own {
			s.retain()
		}
	}
	return d, nil
}

// place are extents for runs, one after the other in a segment.
func place(runs []run, s *segment) []extent {
	list := make([]extent, len(runs))
	at := int64(0)
	for i, r := range runs {
		list[i] = extent{r, s, at}
		at += int64(r.count) * PageSize
	}
	return list
}
