package snapshot

import "bytes"

// A run is a range of pages of a linear memory, by their index.
type run struct{ start, count uint32 }

func (r run) end() uint32 { return r.start + r.count }

// bytes are the byte offsets of the run.
func (r run) bytes() (from, to int64) {
	return int64(r.start) * PageSize, (int64(r.start) + int64(r.count)) * PageSize
}

// appendRun adds pages that follow those of runs, joining them to the last run
// where they touch it.
func appendRun(runs []run, start, count uint32) []run {
	if n := len(runs); n > 0 && runs[n-1].end() == start {
		runs[n-1].count += count
		return runs
	}
	return append(runs, run{start, count})
}

func pagesOf(runs []run) (n int64) {
	for _, r := range runs {
		n += int64(r.count)
	}
	return n
}

var zeroPage [PageSize]byte

func isZero(page []byte) bool { return bytes.Equal(page, zeroPage[:len(page)]) }

// nonZero finds the pages of memory that hold anything. The last page may be
// short.
func nonZero(memory []byte) (runs []run) {
	for i := 0; i < len(memory); i += PageSize {
		if !isZero(memory[i:min(i+PageSize, len(memory))]) {
			runs = appendRun(runs, uint32(i/PageSize), 1)
		}
	}
	return runs
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// subtract is the pages of a that are not in b. Both are in order.
func subtract(a, b []run) (rest []run) {
	for _, r := range a {
		for len(b) > 0 && b[0].end() <= r.start {
			b = b[1:]
		}
		at := r.start
		for _, cut := range b {
			if cut.start >= r.end() {
				break
			}
			if cut.start > at {
				rest = appendRun(rest, at, cut.start-at)
			}
			at = min(cut.end(), r.end())
		}
		if at < r.end() {
			rest = appendRun(rest, at, r.end()-at)
		}
	}
	return rest
}

// merge is the pages of a and of b, which have none in common. Both are in
// order.
func merge(a, b []run) []run {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	var all []run
	for len(a) > 0 || len(b) > 0 {
		next := &a
		if len(a) == 0 || len(b) > 0 && b[0].start < a[0].start {
			next = &b
		}
		all = appendRun(all, (*next)[0].start, (*next)[0].count)
		*next = (*next)[1:]
	}
	return all
}

// A piece is the contents of pages: whole ones, but for the last page of a
// memory.
type piece struct {
	page uint32
	data []byte
}

// pieces are the given pages of memory.
func pieces(memory []byte, runs []run) (ps []piece) {
	for _, r := range runs {
		from, to := r.bytes()
		ps = append(ps, piece{r.start, memory[from:min(to, int64(len(memory)))]})
	}
	return ps
}
