package usage

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"time"

	"crypto/sha256"
)

// A Kind says what was used.
type Kind uint8

// The kinds of entries.
const (
	Fetch     Kind = 1 // a request that a worker answered
	Call      Kind = 2 // a call of a worker's method
	Scheduled Kind = 3 // a time of a worker's crons
	Tail      Kind = 4 // traces that a worker handled
	Execution Kind = 5 // a program that was run
)

var kinds = [...]string{Fetch: "fetch", Call: "call", Scheduled: "scheduled", Tail: "tail", Execution: "execution"}

// String is the kind's name in answers and metrics.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kinds) {
		return "unknown"
	}
	return kinds[k]
}

// Request says whether entries of the kind count as requests: handling traces
// does not.
func (k Kind) Request() bool { return k != Tail }

// An Entry is what one event, or one execution, used.
type Entry struct {
	Time    time.Time // of its end; zero: now
	Tenant  string
	Parent  string // of a dynamic worker: the deployed one that it comes from
	Worker  string // name of a deployed worker, or id of a dynamic one; empty: it has none
	Dynamic bool
	// Code tells apart the codes of one id; at most 32 bytes.
	Code []byte
	// First says that it is the first event of a dynamic worker without an id,
	// which then counts as one.
	First       bool
	Kind        Kind
	Outcome     string
	CPU, Wall   time.Duration
	Subrequests int
}

const (
	flagDynamic = 1 << iota
	flagFirst
)

// Bounds of an entry's texts in bytes. Longer ones are cut, and end with a digest
// of the whole.
const (
	maxText = 1024
	maxCode = 32
	maxBody = 4*(maxText+3) + maxCode + 64
)

// headerSize is that of an entry in the journal: its length and checksum.
const headerSize = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendTo appends the entry as the journal has it.
func (e *Entry) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, headerSize)...)
	flags := byte(0)
	if e.Dynamic {
		flags |= flagDynamic
	}
	if e.First {
		flags |= flagFirst
	}
	b = append(b, byte(e.Kind), flags)
	b = binary.AppendUvarint(b, uint64(max(0, e.Time.Unix())))
	for _, text := range [...]string{e.Tenant, e.Parent, e.Worker, e.Outcome} {
		text = bounded(text)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	code := e.Code[:min(len(e.Code), maxCode)]
	b = append(b, byte(len(code)))
	b = append(b, code...)
	b = binary.AppendUvarint(b, uint64(max(0, e.CPU)))
	b = binary.AppendUvarint(b, uint64(max(0, e.Wall)))
	b = binary.AppendUvarint(b, uint64(max(0, e.Subrequests)))
	body := b[start+headerSize:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return text[:maxText-33] + "#" + hex.EncodeToString(sum[:16])
}

// errTorn says that an entry is not whole: whoever wrote it died meanwhile.
var errTorn = errors.New("an entry of the journal is not whole")

// readEntry takes the first entry of a journal's bytes.
func readEntry(b []byte) (e Entry, rest []byte, err error) {
	if len(b) < headerSize {
		return e, nil, errTorn
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxBody || int(n) > len(b)-headerSize {
		return e, nil, errTorn
	}
	body, rest := b[headerSize:headerSize+n], b[headerSize+n:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) || len(body) < 2 {
		return e, nil, errTorn
	}
	r := reader{body[2:], false}
	e.Kind, e.Dynamic, e.First = Kind(body[0]), body[1]&flagDynamic != 0, body[1]&flagFirst != 0
	seconds := r.number()
	if seconds > 1<<40 {
		return e, nil, errTorn
	}
	e.Time = time.Unix(int64(seconds), 0)
	for _, text := range [...]*string{&e.Tenant, &e.Parent, &e.Worker, &e.Outcome} {
		*text = string(r.bytes(r.number(), maxText))
	}
	e.Code = r.bytes(r.number(), maxCode)
	e.CPU, e.Wall, e.Subrequests = time.Duration(r.number()), time.Duration(r.number()), int(r.number())
	if r.failed || len(r.b) > 0 || e.Kind == 0 || int(e.Kind) >= len(kinds) || e.CPU < 0 || e.Wall < 0 || e.Subrequests < 0 {
		return e, nil, errTorn
	}
	return e, rest, nil
}

// A reader reads an entry's fields.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.failed = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64, most int) []byte {
	if n > uint64(most) || n > uint64(len(r.b)) {
		r.b, r.failed = nil, true
		return nil
	}
	text := r.b[:n]
	r.b = r.b[n:]
	return text
}
