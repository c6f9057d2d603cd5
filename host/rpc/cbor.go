package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"sort"
	"time"
	"unicode/utf8"
)

// ErrMalformed is of a message that is none.
var ErrMalformed = errors.New("rpc: the message of a value is malformed")

// ErrUnencodable is of a Go value that has no message.
var ErrUnencodable = errors.New("rpc: a value of this type can't be passed on")

// ErrTooLarge is of a value whose message would be over [MaxValue].
var ErrTooLarge = errors.New("rpc: a value is limited to 32 MiB")

// Undefined is JavaScript's undefined; null is nil.
type Undefined struct{}

// A Field is a property of an object.
type Field struct {
	Key   string
	Value any
}

// An Object is a plain object. A sparse array is one of class Sparse.
type Object struct {
	Fields []Field
	Length uint32 // of a sparse array
	Sparse bool
}

// Get is the value of a property, nil if there is none.
func (o *Object) Get(key string) any {
	for _, f := range o.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return nil
}

// A Set and a Map have their members in order; a Map's Fields are pairs.
type (
	Set struct{ Members []any }
	Map struct{ Pairs [][2]any }
)

// A Failure is an error as a value: see the tag of errors.
type Failure struct {
	Class  string // Error, TypeError …
	Fields []Field
}

// A Tagged is any other value with a tag of its own: a stub (its content is an
// index of the capabilities, an int64), a view, a Date (milliseconds), a Response.
type Tagged struct {
	Tag     uint64
	Content any
}

// Encode makes the message of a value. Besides the types above it takes what
// encoding/json makes of JSON, integers, *big.Int, []byte (an ArrayBuffer) and
// time.Time (a Date). What a pointer is met twice for becomes one object.
//
// # Errors
//
// [ErrUnencodable], [ErrTooLarge]; and for values nested more than [MaxNesting]
// deep.
func Encode(v any) ([]byte, error) {
	e := encoder{}
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	if len(e.out) > MaxValue {
		return nil, ErrTooLarge
	}
	return e.out, nil
}

type encoder struct {
	out      []byte
	numbered uint64
	seen     map[any]uint64
}

const (
	majorUint     = 0 << 5
	majorNegative = 1 << 5
	majorBytes    = 2 << 5
	majorText     = 3 << 5
	majorArray    = 4 << 5
	majorMap      = 5 << 5
	majorTag      = 6 << 5
	majorSimple   = 7 << 5
)

func (e *encoder) head(major byte, n uint64) {
	switch {
	case n < 24:
		e.out = append(e.out, major|byte(n))
	case n <= math.MaxUint8:
		e.out = append(e.out, major|24, byte(n))
	case n <= math.MaxUint16:
		e.out = binary.BigEndian.AppendUint16(append(e.out, major|25), uint16(n))
	case n <= math.MaxUint32:
		e.out = binary.BigEndian.AppendUint32(append(e.out, major|26), uint32(n))
	default:
		e.out = binary.BigEndian.AppendUint64(append(e.out, major|27), n)
	}
}

// object is the head of something that has a number.
func (e *encoder) object(major byte, n uint64) {
	e.head(major, n)
	e.numbered++
}

func (e *encoder) integer(n int64) {
	if n < 0 {
		e.head(majorNegative, uint64(-1-n))
	} else {
		e.head(majorUint, uint64(n))
	}
}

const maxSafe = 1<<53 - 1

func (e *encoder) number(f float64) {
	if f >= -maxSafe && f <= maxSafe && f == math.Trunc(f) && !(f == 0 && math.Signbit(f)) {
		e.integer(int64(f))
		return
	}
	bits := uint64(0x7FF8 << 48)
	if f == f {
		bits = math.Float64bits(f)
	}
	e.out = binary.BigEndian.AppendUint64(append(e.out, majorSimple|27), bits)
}

func (e *encoder) text(s string) {
	if utf8.ValidString(s) {
		e.head(majorText, uint64(len(s)))
	} else {
		e.head(majorTag, TagSurrogates)
		e.head(majorBytes, uint64(len(s)))
	}
	e.out = append(e.out, s...)
}

func (e *encoder) bigint(n *big.Int) {
	tag := uint64(TagBigInt)
	if n.Sign() < 0 {
		tag = TagNegativeBigInt
		n = new(big.Int).Not(n)
	}
	e.head(majorTag, tag)
	b := n.Bytes()
	e.head(majorBytes, uint64(len(b)))
	e.out = append(e.out, b...)
}

// again writes a reference to what was written before, if it was.
func (e *encoder) again(p any) bool {
	if n, ok := e.seen[p]; ok {
		e.head(majorTag, TagReference)
		e.head(majorUint, n)
		return true
	}
	if e.seen == nil {
		e.seen = map[any]uint64{}
	}
	e.seen[p] = e.numbered
	return false
}

func (e *encoder) value(v any, depth int) error {
	if depth > MaxNesting {
		return fmt.Errorf("rpc: a value is nested more than %d deep", MaxNesting)
	}
	if len(e.out) > MaxValue { // slices may be in themselves: each time is another
		return ErrTooLarge
	}
	switch v := v.(type) {
	case nil:
		e.out = append(e.out, majorSimple|22)
	case Undefined:
		e.out = append(e.out, majorSimple|23)
	case bool:
		if v {
			e.out = append(e.out, majorSimple|21)
		} else {
			e.out = append(e.out, majorSimple|20)
		}
	case float64:
		e.number(v)
	case int:
		e.number(float64(v))
	case int64:
		e.number(float64(v))
	case uint32:
		e.integer(int64(v))
	case string:
		e.text(v)
	case *big.Int:
		e.bigint(v)
	case []byte:
		e.object(majorBytes, uint64(len(v)))
		e.out = append(e.out, v...)
	case time.Time:
		e.object(majorTag, TagDate)
		e.number(float64(v.UnixMilli()))
	case []any:
		e.object(majorArray, uint64(len(v)))
		return e.values(v, depth)
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		fields := make([]Field, len(keys))
		for i, k := range keys {
			fields[i] = Field{k, v[k]}
		}
		return e.fields(fields, depth)
	case *Object:
		if e.again(v) {
			return nil
		}
		if v.Sparse {
			e.object(majorTag, TagSparse)
			e.object(majorArray, 2)
			e.head(majorUint, uint64(v.Length))
		}
		return e.fields(v.Fields, depth)
	case *Set:
		if e.again(v) {
			return nil
		}
		e.object(majorTag, TagSet)
		e.object(majorArray, uint64(len(v.Members)))
		return e.values(v.Members, depth)
	case *Map:
		if e.again(v) {
			return nil
		}
		e.object(majorTag, TagMap)
		e.object(majorMap, uint64(len(v.Pairs)))
		for _, p := range v.Pairs {
			if err := e.values(p[:], depth); err != nil {
				return err
			}
		}
	case *Failure:
		if e.again(v) {
			return nil
		}
		e.object(majorTag, TagError)
		e.object(majorArray, 2)
		e.text(v.Class)
		return e.fields(v.Fields, depth)
	case *Tagged:
		if e.again(v) {
			return nil
		}
		e.object(majorTag, v.Tag)
		return e.value(v.Content, depth+1)
	default:
		return fmt.Errorf("%w: %T", ErrUnencodable, v)
	}
	return nil
}

func (e *encoder) values(list []any, depth int) error {
	for _, v := range list {
		if err := e.value(v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) fields(fields []Field, depth int) error {
	e.object(majorMap, uint64(len(fields)))
	for _, f := range fields {
		e.text(f.Key)
		if err := e.value(f.Value, depth+1); err != nil {
			return err
		}
	}
	return nil
}
