package snapshot

import (
	"os"
	"slices"
)

const (
	// A page copied back costs 0.1 to 1.1 µs, one given back 2.6 to 3.6 µs
	// with the fault of the next life. So only size speaks for giving back:
	// largeRun is the number of adjacent changed pages that are.
	largeRun = 256
	// keepPages bounds the pages that a slot keeps resident between lives.
	keepPages = 512
	// When for idleLives lives more than half of the kept pages were not
	// changed, the slot keeps more than it needs, and starts anew; after
	// idleLives<<mostPatience at most, where that has not helped.
	idleLives    = 16
	mostPatience = 8
	// hintBytes is how much of a page is compared first.
	hintBytes = 16
)

// A scanSlot puts changed pages back in place, so that they stay resident and
// the next life does not fault them in again. Those are its kept pages; a
// kept page is compared, to tell whether a life changed it.
type scanSlot struct {
	*mapping
	args     scanArgs
	regions  [256]scanRegion // what one call of the kernel fills
	kept     []run           // resident after the last reset, equal to the image
	spare    []run           // becomes kept
	idle     int             // lives in a row with mostly unchanged kept pages
	given    int64           // pages given back for that, the last time
	patience uint            // how often idleLives is doubled
	held     int64           // resident bytes, by the last walk

	// hints are where pages, by their last digits, were last found to differ.
	hints [512]uint8

	declared uint32 // pages of the declared memory; none beyond are kept
	adaptive bool   // stores are tracked where lives turn out to store
	lives    int    // since it was last looked at where they do

	_ [64]byte // no other slot in this one's last cache line
}

func newScanSlot(m *mapping, size int64, strategy Strategy) *scanSlot {
	return &scanSlot{
		mapping: m, declared: uint32(size / PageSize),
		adaptive: strategy == Track && m.image.backing.huge && os.Getpagesize() == PageSize,
	}
}

func (s *scanSlot) resident() int64 { return s.held }

func (s *scanSlot) changed() (int64, error) { return s.walk(false) }

func (s *scanSlot) reset() (int64, error) { return s.walk(true) }

// walk counts the pages changed in this life, and puts them back if restoring is
// set.
func (s *scanSlot) walk(restoring bool) (int64, error) {
	w := walker{scanSlot: s, restoring: restoring, before: s.kept}
	s.spare = s.spare[:0]
	for from := int64(0); from < int64(len(s.all)); {
		found, next, err := s.scan(from)
		if err != nil {
			return w.changed * PageSize, err
		}
		for i := range found {
			if err := w.take(s.run(&found[i])); err != nil {
				return w.changed * PageSize, err
			}
		}
		from = next
	}
	return w.end()
}

// resetSeen implements seer.
func (s *scanSlot) resetSeen(found, differ []run) (int64, error) {
	w := walker{scanSlot: s, restoring: true, before: s.kept, seen: true, differ: differ}
	s.spare = s.spare[:0]
	for _, r := range found {
		if err := w.take(r); err != nil {
			return w.changed * PageSize, err
		}
	}
	return w.end()
}

// A walker goes over what a life may have changed, in order.
type walker struct {
	*scanSlot
	restoring bool
	before    []run // kept by the life before, from where the walk is
	seen      bool  // which pages differ is known: those of differ
	differ    []run

	changed, present, unchanged, keeping int64 // pages
}

// differs says whether a page that was kept has changed.
func (w *walker) differs(page uint32) bool {
	if !w.seen {
		return !w.same(page)
	}
	for len(w.differ) > 0 && w.differ[0].end() <= page {
		w.differ = w.differ[1:]
	}
	return len(w.differ) > 0 && w.differ[0].start <= page
}

func (w *walker) take(r run) error {
	n := int64(r.count)
	w.present += n
	giveBack := n >= largeRun || w.keeping+n > keepPages || r.end() > w.declared
	for p := r.start; p < r.end(); {
		for len(w.before) > 0 && w.before[0].end() <= p {
			w.before = w.before[1:]
		}
		if len(w.before) > 0 && w.before[0].start <= p {
			if w.differs(p) {
				w.changed++
				if w.restoring && !giveBack {
					w.restore(p, 1)
				}
			} else {
				w.unchanged++
			}
			p++
			continue
		}
		stop := r.end()
		if len(w.before) > 0 {
			stop = min(stop, w.before[0].start)
		}
		w.changed += int64(stop - p)
		if w.restoring && !giveBack {
			w.restore(p, stop-p)
		}
		p = stop
	}
	switch {
	case !w.restoring:
	case giveBack:
		return w.discard(r.bytes())
	default:
		w.keeping += n
		w.spare = appendRun(w.spare, r.start, r.count)
	}
	return nil
}

// end is the number of bytes that were changed. Where they were put back it is
// settled what stays resident.
func (w *walker) end() (int64, error) {
	s := w.scanSlot
	if !w.restoring {
		s.held = w.present * PageSize
		return w.changed * PageSize, nil
	}
	s.kept, s.spare = s.spare, s.kept
	if w.unchanged*2 <= w.keeping {
		s.idle = 0
	} else if s.idle++; s.idle >= idleLives<<s.patience {
		// A page may be stored to in every life and yet be the same in the
		// end. If giving back brought as many pages again, it isn't worth it.
		if s.given > 0 && w.keeping*4 >= s.given*3 {
			s.patience = min(s.patience+2, mostPatience)
		} else {
			s.patience = 0
		}
		s.given = w.keeping
		s.idle, w.keeping = 0, 0
		for _, r := range s.kept { // but no page of the image that was only loaded
			if err := s.discard(r.bytes()); err != nil {
				return w.changed * PageSize, err
			}
		}
		s.kept = s.kept[:0]
	}
	s.held = w.keeping * PageSize
	if s.adaptive {
		if s.lives++; s.lives >= adaptLife {
			s.lives = 0
			return w.changed * PageSize, s.adapt()
		}
	}
	return w.changed * PageSize, nil
}

const (
	// blockPages is the number of pages in a huge page, which is tracked as a
	// whole. A block that is not costs the kernel a look at each loaded page.
	blockPages = hugePage / PageSize
	// adaptLife is the number of lives after which it is looked at where they
	// store. To track costs about what two lives save by it.
	adaptLife = 4
	// leastBlocks is how many blocks have to be stored into that are not
	// tracked, for more to be.
	leastBlocks = 4
	// mostTracked is the number of tracked ranges: each is a mapping.
	mostTracked = 8
)

// adapt tracks the blocks of the image that lives have stored into, by the kept
// pages.
func (s *scanSlot) adapt() error {
	end := uint32(s.image.Len() / PageSize)
	var blocks []run
	fresh := 0
	tracked := s.tracked
	for _, r := range s.kept {
		for p := r.start &^ (blockPages - 1); p < min(r.end(), end); p += blockPages {
			for len(tracked) > 0 && tracked[0].end() <= p {
				tracked = tracked[1:]
			}
			if len(tracked) > 0 && tracked[0].start <= p || len(blocks) > 0 && blocks[len(blocks)-1].end() > p {
				continue
			}
			blocks = appendRun(blocks, p, min(blockPages, end-p))
			fresh++
		}
	}
	if fresh < leastBlocks {
		return nil
	}
	all := merge(slices.Clone(s.tracked), blocks)
	for len(all) > mostTracked { // close the smallest gap
		least := 1
		for i := 2; i < len(all); i++ {
			if all[i].start-all[i-1].end() < all[least].start-all[least-1].end() {
				least = i
			}
		}
		all[least-1].count = all[least].end() - all[least-1].start
		all = slices.Delete(all, least, least+1)
	}
	return s.trackRuns(all)
}

// run is the pages of a region.
func (s *scanSlot) run(r *scanRegion) run {
	base := uint64(uintptr(s.base))
	return run{uint32((r.start - base) / PageSize), uint32((r.end - r.start) / PageSize)}
}

// same compares a page with the image: first where it last differed, for what
// lives change is much alike.
func (s *scanSlot) same(page uint32) bool {
	at := int64(page) * PageSize
	have, want := (*[PageSize]byte)(s.all[at:]), (*[PageSize]byte)(s.image.page(at))
	hint := &s.hints[page%uint32(len(s.hints))]
	i := int(*hint) * hintBytes
	if [hintBytes]byte(have[i:]) != [hintBytes]byte(want[i:]) {
		return false
	}
	if *have == *want {
		return true
	}
	for i := 0; i < PageSize; i += hintBytes {
		if [hintBytes]byte(have[i:]) != [hintBytes]byte(want[i:]) {
			*hint = uint8(i / hintBytes)
			break
		}
	}
	return false
}

func (s *scanSlot) restore(page, count uint32) {
	from, to := run{page, count}.bytes()
	restore(s.image, s.all, from, to)
}

func (s *scanSlot) visit(f func(r run) error) error {
	present := int64(0)
	for from := int64(0); from < int64(len(s.all)); {
		found, next, err := s.scan(from)
		if err != nil {
			return err
		}
		for i := range found {
			r := s.run(&found[i])
			present += int64(r.count)
			if err := f(r); err != nil {
				return err
			}
		}
		from = next
	}
	s.held = present * PageSize
	return nil
}
