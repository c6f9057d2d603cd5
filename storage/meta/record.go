package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"mayfly/storage"
)

// A record is an execution in the form in which it is kept. Fields follow
// each other without names, numbers as varints, texts after their length; at
// the end comes the CRC-32C of all before. A change of the form gets a new
// version byte, and the old one stays readable.

const (
	recordVersion = 2
	bareVersion   = 1 // artifacts have no exports
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeRecord encodes everything but the events.
func encodeRecord(id identity, e *Execution) []byte {
	size := 160 + len(e.Tenant) + len(e.Outcome) + len(e.Request) + len(e.Result)
	for i := range e.Artifacts {
		a := &e.Artifacts[i]
		size += 48 + len(a.Name) + len(a.Path) + len(a.ContentType) + len(a.SHA256) + len(a.ObjectKey) + len(a.Export.Bucket) + len(a.Export.Key) + len(a.Export.Error)
	}
	b := begin(make([]byte, 0, size), id)
	b = append(b, statusCode(e.Status))
	b = appendText(b, e.Tenant)
	b = appendText(b, e.Outcome)
	b = binary.AppendVarint(b, milliseconds(e.CreatedAt))
	b = binary.AppendVarint(b, milliseconds(e.EndedAt))
	b = binary.AppendVarint(b, milliseconds(e.ExpiresAt))
	b = binary.AppendVarint(b, e.Usage.CPU.Microseconds())
	b = binary.AppendVarint(b, e.Usage.Wall.Microseconds())
	b = binary.AppendVarint(b, e.Usage.PeakMemory)
	b = binary.AppendVarint(b, e.Usage.EgressBytes)
	b = binary.AppendVarint(b, e.Usage.IngressBytes)
	b = binary.AppendVarint(b, e.Usage.Subrequests)
	b = appendText(b, e.Request)
	b = appendText(b, e.Result)
	b = binary.AppendUvarint(b, uint64(len(e.Artifacts)))
	for i := range e.Artifacts {
		a := &e.Artifacts[i]
		b = appendText(b, a.Name)
		b = appendText(b, a.Path)
		b = binary.AppendVarint(b, a.Size)
		b = appendText(b, a.ContentType)
		b = appendText(b, a.SHA256)
		b = appendText(b, a.ObjectKey)
		b = appendText(b, a.Export.Bucket)
		b = appendText(b, a.Export.Key)
		b = appendText(b, a.Export.Error)
	}
	// Records from before there were bindings end here, and so do those of
	// executions without any.
	if u := e.Usage; u.BindingOperations != 0 || u.BindingReadBytes != 0 || u.BindingWriteBytes != 0 {
		b = binary.AppendVarint(b, u.BindingOperations)
		b = binary.AppendVarint(b, u.BindingReadBytes)
		b = binary.AppendVarint(b, u.BindingWriteBytes)
	}
	return finish(b)
}

// decodeRecord is the inverse. Byte slices of the result point into b.
func decodeRecord(id identity, b []byte) (Execution, error) {
	d, err := open(id, b)
	if err != nil {
		return Execution{}, err
	}
	e := Execution{ID: id.String()}
	e.Status = d.status()
	e.Tenant = string(d.text())
	e.Outcome = string(d.text())
	e.CreatedAt = fromMilliseconds(d.varint())
	e.EndedAt = fromMilliseconds(d.varint())
	e.ExpiresAt = fromMilliseconds(d.varint())
	e.Usage.CPU = time.Duration(d.varint()) * time.Microsecond
	e.Usage.Wall = time.Duration(d.varint()) * time.Microsecond
	e.Usage.PeakMemory = d.varint()
	e.Usage.EgressBytes = d.varint()
	e.Usage.IngressBytes = d.varint()
	e.Usage.Subrequests = d.varint()
	e.Request = d.text()
	e.Result = d.text()
	const smallest = 6 // bytes of an artifact
	for range d.count(smallest) {
		a := Artifact{
			Name:        string(d.text()),
			Path:        string(d.text()),
			Size:        d.varint(),
			ContentType: string(d.text()),
			SHA256:      string(d.text()),
			ObjectKey:   string(d.text()),
		}
		if d.version != bareVersion {
			a.Export = Export{string(d.text()), string(d.text()), string(d.text())}
		}
		e.Artifacts = append(e.Artifacts, a)
	}
	if len(d.rest) > 0 {
		e.Usage.BindingOperations = d.varint()
		e.Usage.BindingReadBytes = d.varint()
		e.Usage.BindingWriteBytes = d.varint()
	}
	return e, d.end()
}

// encodeEvents encodes the events; nil if there are none.
func encodeEvents(id identity, events []Event) []byte {
	if len(events) == 0 {
		return nil
	}
	size := 64
	for i := range events {
		size += 16 + len(events[i].Type) + len(events[i].Data)
	}
	b := begin(make([]byte, 0, size), id)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for i := range events {
		b = binary.AppendVarint(b, events[i].Seq)
		b = appendText(b, events[i].Type)
		b = appendText(b, events[i].Data)
	}
	return finish(b)
}

func decodeEvents(id identity, b []byte) ([]Event, error) {
	if b == nil {
		return nil, nil
	}
	d, err := open(id, b)
	if err != nil {
		return nil, err
	}
	var events []Event
	const smallest = 3 // bytes of an event
	for range d.count(smallest) {
		events = append(events, Event{Seq: d.varint(), Type: string(d.text()), Data: d.text()})
	}
	return events, d.end()
}

func begin(b []byte, id identity) []byte {
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, id.seq)
	return binary.BigEndian.AppendUint64(b, id.secret)
}

func finish(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func appendText[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// A decoder reads fields; after the first mistake it only yields zeros.
type decoder struct {
	version byte
	rest    []byte
	err     error
}

var errMalformed = errors.New("malformed")

// open checks version, checksum and owner.
func open(id identity, b []byte) (*decoder, error) {
	const head, sum = 17, 4
	if len(b) < head+sum {
		return nil, corrupt(id, errors.New("too short"))
	}
	body := b[:len(b)-sum]
	if binary.LittleEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return nil, corrupt(id, errors.New("it fails its checksum"))
	}
	if body[0] != recordVersion && body[0] != bareVersion {
		return nil, corrupt(id, fmt.Errorf("version %d is unknown", body[0]))
	}
	if (identity{binary.BigEndian.Uint64(body[1:]), binary.BigEndian.Uint64(body[9:])}) != id {
		return nil, corrupt(id, errors.New("it belongs to another id"))
	}
	return &decoder{version: body[0], rest: body[head:]}, nil
}

func corrupt(id identity, err error) error {
	return fmt.Errorf("%w: record of %s: %w", storage.ErrCorrupt, id, err)
}

func (d *decoder) fail() { d.rest, d.err = nil, errMalformed }

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// text returns nil for an empty one.
func (d *decoder) text() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
	}
	if n == 0 || d.err != nil {
		return nil
	}
	s := d.rest[:n:n]
	d.rest = d.rest[n:]
	return s
}

// count reads how many items follow, which can't be more than their bytes
// allow.
func (d *decoder) count(smallest int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/smallest) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) status() Status {
	if len(d.rest) == 0 || int(d.rest[0]) >= len(statuses) {
		d.fail()
		return ""
	}
	s := statuses[d.rest[0]]
	d.rest = d.rest[1:]
	return s
}

func (d *decoder) end() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail()
	}
	if d.err != nil {
		return fmt.Errorf("%w: record: %w", storage.ErrCorrupt, d.err)
	}
	return nil
}

// statuses by their code; those before Done are unfinished.
var statuses = [...]Status{Queued, Running, Done}

const doneCode = 2

func statusCode(s Status) byte {
	for i, known := range statuses {
		if s == known {
			return byte(i)
		}
	}
	return doneCode
}

// milliseconds since 1970; the zero time is 0.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilliseconds(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// checksum is the CRC-32C of the columns of a small row.
func checksum(columns ...any) int64 {
	b := make([]byte, 0, 256)
	for _, c := range columns {
		switch c := c.(type) {
		case string:
			b = appendText(b, c)
		case []byte:
			if c != nil {
				b = append(b, 1) // tells an empty one from null
			}
			b = appendText(b, c)
		case int64:
			b = binary.AppendVarint(b, c)
		default:
			panic(fmt.Sprintf("checksum of %T", c))
		}
	}
	return int64(crc32.Checksum(b, castagnoli))
}
