package execution

import (
	"strings"
	"time"
	"unicode/utf8"
)

// An output gathers what a program prints, under a limit for both streams and
// the result together, and passes it on in larger pieces.
type output struct {
	limit    int64
	used     int64
	streams  [2]strings.Builder // stdout, stderr
	cut      [2]bool
	last     int // stream that was written last
	switches int // how often that changed

	pass   func(fd int, text string) // nil: nobody listens
	fd     int                       // stream of what is held back
	held   []byte
	passed time.Time
}

// Output is passed on when this much is held back, or when this long after the
// last piece more is printed.
const (
	passBytes = 8 << 10
	passAfter = 10 * time.Millisecond
)

// Each change of the stream makes an event, which is kept with the execution.
// Past freeSwitches of them each counts as switchBytes of the limit, so that
// single bytes to and fro do not hold a hundred times their size.
const (
	freeSwitches = 1000
	switchBytes  = 256
)

// truncationMark ends a stream that was cut.
const truncationMark = "\n[output truncated]\n"

// write adds text to a stream (0 stdout, 1 stderr); false if the limit is hit:
// what fits was added, and the mark.
func (o *output) write(fd int, b []byte) bool {
	if o.cut[0] || o.cut[1] {
		return false
	}
	if fd != o.last {
		o.last = fd
		if o.switches++; o.switches > freeSwitches {
			o.used += switchBytes
		}
	}
	ok := true
	if room := o.limit - o.used; int64(len(b)) > room {
		b, ok = wholeRunes(b[:max(room, 0)]), false
		o.cut[fd] = true
	}
	o.used += int64(len(b))
	o.add(fd, b)
	if !ok {
		o.add(fd, []byte(truncationMark))
	}
	return ok
}

func (o *output) add(fd int, b []byte) {
	o.streams[fd].Write(b)
	if o.pass == nil {
		return
	}
	if fd != o.fd {
		o.flush()
		o.fd = fd
	}
	o.held = append(o.held, b...)
	if len(o.held) >= passBytes || time.Since(o.passed) > passAfter {
		o.flush()
	}
}

// flush passes on what is held back, up to the last whole character.
func (o *output) flush() {
	if o.pass == nil || len(o.held) == 0 {
		return
	}
	whole := wholeRunes(o.held)
	if len(whole) == 0 && len(o.held) < utf8.UTFMax {
		return
	}
	if len(whole) == 0 {
		whole = o.held
	}
	o.pass(o.fd, strings.ToValidUTF8(string(whole), "\uFFFD"))
	o.held = append(o.held[:0], o.held[len(whole):]...)
	o.passed = time.Now()
}

// finish passes on all that is left.
func (o *output) finish() {
	o.flush()
	if o.pass != nil && len(o.held) > 0 {
		o.pass(o.fd, strings.ToValidUTF8(string(o.held), "\uFFFD"))
		o.held = nil
	}
}

// text is all that was printed to a stream.
func (o *output) text(fd int) string {
	return strings.ToValidUTF8(o.streams[fd].String(), "\uFFFD")
}

// wholeRunes is b without an unfinished character at its end.
func wholeRunes(b []byte) []byte {
	for i := 1; i <= min(len(b), utf8.UTFMax-1); i++ {
		c := b[len(b)-i]
		if utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
