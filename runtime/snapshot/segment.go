package snapshot

import "sync/atomic"

// A segment is memory outside of Go's heap that holds pages of deltas, one
// after the other. Deltas that came from each other share segments: it goes
// with the last that refers to it. What was never written is zero and takes no
// memory. Once its first delta is made it no longer changes.
type segment struct {
	size int64
	refs atomic.Int32
	room // where the bytes are
}

// held counts the bytes of all segments.
var held atomic.Int64

// Held is how many bytes of memory the deltas of this process take, all
// together. They are not part of any Memory, nor of Go's heap.
func Held() int64 { return held.Load() }

func newSegment(size int64) (*segment, error) {
	s := &segment{size: size}
	if err := s.room.reserve(size); err != nil {
		return nil, err
	}
	s.refs.Store(1)
	held.Add(size)
	return s, nil
}

func (s *segment) retain() { s.refs.Add(1) }

func (s *segment) release() error {
	if s.refs.Add(-1) > 0 {
		return nil
	}
	held.Add(-s.size)
	return s.room.free(s.size)
}

// An extent is a run of pages of a memory, and where their contents are.
type extent struct {
	run
	segment *segment
	at      int64 // of the first page in the segment, in bytes
}

// part is some pages of the extent.
func (e *extent) part(r run) extent {
	return extent{r, e.segment, e.at + int64(r.start-e.start)*PageSize}
}

// appendExtent adds an extent that follows the others, joining it to the last
// where it goes on in memory and in the segment.
func appendExtent(list []extent, e extent) []extent {
	if n := len(list); n > 0 {
		last := &list[n-1]
		if last.end() == e.start && last.segment == e.segment && last.at+int64(last.count)*PageSize == e.at {
			last.count += e.count
			return list
		}
	}
	return append(list, e)
}

// readExtents reads the pages of extents to where they belong in memory.
func readExtents(memory []byte, list []extent) error {
	return transfer(memory, list, (*segment).read)
}

// writeExtents writes the pages of extents from where they are in memory.
func writeExtents(memory []byte, list []extent) error {
	return transfer(memory, list, (*segment).write)
}

// transfer passes the memory of extents on, as many at once as follow each
// other in their segment.
func transfer(memory []byte, list []extent, f func(s *segment, parts [][]byte, at int64) error) error {
	const most = 1024 // IOV_MAX of Linux
	parts := make([][]byte, 0, min(len(list), most))
	for i := 0; i < len(list); {
		first := &list[i]
		parts = parts[:0]
		for next := first.at; i < len(list) && len(parts) < most; i++ {
			e := &list[i]
			if e.segment != first.segment || e.at != next {
				break
			}
			from, to := e.bytes()
			parts = append(parts, memory[from:to])
			next += to - from
		}
		if err := f(first.segment, parts, first.at); err != nil {
			return err
		}
	}
	return nil
}
