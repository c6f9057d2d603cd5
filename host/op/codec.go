package op

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits of the decoder.
const (
	// MaxErrorDepth is how many causes of causes an error record may have.
	MaxErrorDepth = 16
	// MaxListItems bounds the items of a list; the bytes of the message do so
	// too, as every item has some.
	MaxListItems = 1 << 20
)

// ErrMessage is wrapped by every error of a Reader.
var ErrMessage = errors.New("malformed message")

// A Writer builds a message. The zero value is ready to use.
type Writer struct{ buffer []byte }

// NewWriter starts a message in the space of buffer, from index 0.
func NewWriter(buffer []byte) *Writer { return &Writer{buffer[:0]} }

// Message is the message so far. It shares the writer's buffer.
func (w *Writer) Message() []byte { return w.buffer }

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.buffer = append(w.buffer, v) }

// U32 appends an unsigned 32-bit number.
func (w *Writer) U32(v uint32) { w.buffer = binary.LittleEndian.AppendUint32(w.buffer, v) }

// F64 appends a 64-bit floating point number.
func (w *Writer) F64(v float64) {
	w.buffer = binary.LittleEndian.AppendUint64(w.buffer, math.Float64bits(v))
}

// Str appends a length and the string's bytes, which ought to be UTF-8.
func (w *Writer) Str(s string) {
	w.U32(uint32(len(s)))
	w.buffer = append(w.buffer, s...)
}

// Bytes appends a length and the bytes.
func (w *Writer) Bytes(b []byte) {
	w.U32(uint32(len(b)))
	w.buffer = append(w.buffer, b...)
}

// Raw appends bytes without a length.
func (w *Writer) Raw(b []byte) { w.buffer = append(w.buffer, b...) }

// Pairs appends a list of name and value.
func (w *Writer) Pairs(list []Pair) {
	w.U32(uint32(len(list)))
	for _, p := range list {
		w.Str(p.Name)
		w.Str(p.Value)
	}
}

// Strs appends a list of strings.
func (w *Writer) Strs(list []string) {
	w.U32(uint32(len(list)))
	for _, s := range list {
		w.Str(s)
	}
}

// Error appends an error record. Causes below MaxErrorDepth are left out.
func (w *Writer) Error(e *ErrorRecord) {
	for depth := 1; ; depth++ {
		w.Str(e.Name)
		w.Str(e.Code)
		w.Str(e.Message)
		w.Str(e.Stack)
		if e.Cause == nil || depth >= MaxErrorDepth {
			w.U8(0)
			return
		}
		w.U8(1)
		e = e.Cause
	}
}

// A Pair is a name with its value, as of a header or an environment variable.
type Pair struct{ Name, Value string }

// An ErrorRecord is an error as it crosses the host boundary. Code is a stable
// word such as "ENOENT", or empty.
type ErrorRecord struct {
	Name, Code, Message, Stack string
	Cause                      *ErrorRecord
}

func (e *ErrorRecord) Error() string {
	if e.Name == "" {
		return e.Message
	}
	return e.Name + ": " + e.Message
}

// EncodeError is the message that an operation which failed answers with.
func EncodeError(e *ErrorRecord) []byte {
	var w Writer
	w.Error(e)
	return w.Message()
}

// A Reader takes a message apart. Its first error sticks: what is read after
// it is zero, so that one check of Err, or of Done, at the end is enough.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads message, which is not copied.
func NewReader(message []byte) *Reader { return &Reader{rest: message} }

// Err is the first error: the message was shorter than what was asked of it,
// or over a limit.
func (r *Reader) Err() error { return r.err }

// Done is Err, or an error if bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes are left over", len(r.rest))
	}
	return r.err
}

// Rest is what has not been read. It shares the message.
func (r *Reader) Rest() []byte {
	rest := r.rest
	r.rest = nil
	return rest
}

func (r *Reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, args...))
	}
	r.rest = nil
}

func (r *Reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail("%d bytes where %d are asked for", len(r.rest), n)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// U32 reads an unsigned 32-bit number.
func (r *Reader) U32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// F64 reads a 64-bit floating point number; any, NaN included.
func (r *Reader) F64() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Bytes reads a length and that many bytes. They share the message.
func (r *Reader) Bytes() []byte { return r.take(uint64(r.U32())) }

// Str reads a length and a string. Whether it is UTF-8 is not checked.
func (r *Reader) Str() string { return string(r.Bytes()) }

// count reads the length of a list whose items take at least min bytes each.
func (r *Reader) count(min uint64) int {
	n := uint64(r.U32())
	if n > MaxListItems || n*min > uint64(len(r.rest)) {
		r.fail("a list of %d items in %d bytes", n, len(r.rest))
		return 0
	}
	return int(n)
}

// Pairs reads a list of name and value; nil if it is empty.
func (r *Reader) Pairs() []Pair {
	n := r.count(8)
	if n == 0 {
		return nil
	}
	start := r.rest
	for i := 0; i < 2*n && r.err == nil; i++ {
		r.Bytes()
	}
	if r.err != nil {
		return nil
	}
	// One string has all of them: a message may have many short ones.
	all := string(start[:len(start)-len(r.rest)])
	at := 0
	next := func() string {
		end := at + 4 + int(binary.LittleEndian.Uint32(start[at:]))
		s := all[at+4 : end]
		at = end
		return s
	}
	list := make([]Pair, n)
	for i := range list {
		list[i].Name = next()
		list[i].Value = next()
	}
	return list
}

// Strs reads a list of strings; nil if it is empty.
func (r *Reader) Strs() []string {
	n := r.count(4)
	if n == 0 {
		return nil
	}
	list := make([]string, 0, min(n, 256))
	for i := 0; i < n && r.err == nil; i++ {
		list = append(list, r.Str())
	}
	if r.err != nil {
		return nil
	}
	return list
}

// ReadError reads an error record. More causes than MaxErrorDepth are an error.
func ReadError(r *Reader) (*ErrorRecord, error) {
	first := &ErrorRecord{}
	e := first
	for depth := 1; ; depth++ {
		e.Name, e.Code, e.Message, e.Stack = r.Str(), r.Str(), r.Str(), r.Str()
		more := r.U8()
		switch {
		case more > 1:
			r.fail("a flag is %d", more)
		case more == 1 && depth >= MaxErrorDepth:
			r.fail("an error has more than %d causes", depth-1)
		}
		if r.err != nil {
			return nil, r.err
		}
		if more == 0 {
			return first, nil
		}
		e.Cause = &ErrorRecord{}
		e = e.Cause
	}
}

// A RunMessage is the message of the events run and prepare.
type RunMessage struct {
	AllowEval bool
	Kind      RunKind
	Name      string // of the file, in stack traces and for relative imports
	Source    string
	Input     []byte // JSON; empty is undefined
	Args      []string
	Env       []Pair
	Dir       string // the working directory
}

// A RunKind says what a source is.
type RunKind uint8

// The kinds of a source.
const (
	RunDetect RunKind = iota // a module if it has import or export, else a script
	RunScript
	RunModule
)

// Encode is the message.
func (run *RunMessage) Encode() []byte {
	n := 64 + len(run.Name) + len(run.Source) + len(run.Input) + len(run.Dir)
	w := NewWriter(make([]byte, 0, n))
	var flags uint8
	if run.AllowEval {
		flags |= 1
	}
	w.U8(flags)
	w.U8(uint8(run.Kind))
	w.Str(run.Name)
	w.Str(run.Source)
	w.Bytes(run.Input)
	w.Strs(run.Args)
	w.Pairs(run.Env)
	w.Str(run.Dir)
	return w.Message()
}

// An InvokeMessage is the message of the invoke event.
type InvokeMessage struct {
	Input []byte // JSON; empty is undefined
	Env   []Pair // added to what the program was prepared with
}

// Encode is the message.
func (invoke *InvokeMessage) Encode() []byte {
	w := NewWriter(make([]byte, 0, 8+len(invoke.Input)))
	w.Bytes(invoke.Input)
	w.Pairs(invoke.Env)
	return w.Message()
}
