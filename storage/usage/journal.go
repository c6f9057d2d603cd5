package usage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A journal has the entries that are not in the tables yet, in files that are
// written in order. What was written is the kernel's: it outlives the process,
// however that ends, though not the machine.
type journal struct {
	folder string

	mu      sync.Mutex
	file    *os.File // the segment that is written
	number  int64    // its number
	size    int64
	buf     []byte
	broken  error // why the last entry could not be written
	lost    int64
	written int64 // entries
}

const segmentSuffix = ".journal"

// maxSegment is the size in bytes past which a segment is to be folded.
const maxSegment = 4 << 20

func (j *journal) path(number int64) string {
	return filepath.Join(j.folder, fmt.Sprintf("%016d%s", number, segmentSuffix))
}

// segments are the numbers of the segments that there are, ascending.
func (j *journal) segments() ([]int64, error) {
	files, err := os.ReadDir(j.folder)
	if err != nil {
		return nil, err
	}
	var list []int64
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), segmentSuffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(name, 10, 64); err == nil && n > 0 {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

// begin starts the segment of a number.
func (j *journal) begin(number int64) error {
	f, err := os.OpenFile(j.path(number), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	j.file, j.number, j.size = f, number, 0
	return nil
}

// add writes an entry. full says that the segment should be folded.
func (j *journal) add(e *Entry) (full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		j.lost++
		return false
	}
	j.buf = e.appendTo(j.buf[:0])
	n, err := j.file.Write(j.buf)
	if err != nil {
		if n > 0 {
			// A part of an entry would hide all that follow it.
			err = errors.Join(err, j.file.Truncate(j.size))
		}
		j.broken = err
		j.lost++
		return false
	}
	j.broken = nil
	j.size += int64(n)
	j.written++
	return j.size >= maxSegment && j.size-int64(n) < maxSegment
}

// rotate ends the segment that is written and begins another; it does nothing if
// there are no entries in it.
func (j *journal) rotate() error {
	j.mu.Lock()
	if j.file == nil || j.size == 0 {
		j.mu.Unlock()
		return nil
	}
	old := j.file
	err := j.begin(j.number + 1)
	j.mu.Unlock()
	if err != nil {
		return err // the one there was goes on
	}
	return old.Close()
}

// close ends the journal.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	if j.size == 0 {
		err = errors.Join(err, os.Remove(j.path(j.number)))
	}
	j.file = nil
	return err
}
