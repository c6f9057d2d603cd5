package rpc

import (
	"encoding/binary"
	"math"
	"math/big"
	"unicode/utf8"
)

// Decode makes the value of a message, as the types of [Encode] have it: numbers
// are float64, arrays []any, objects *Object. An empty message is that of an
// absent value: Undefined. Objects that the message has several times are the
// same in Go, cycles too; a []byte then shares its memory.
//
// # Errors
//
// [ErrMalformed].
func Decode(message []byte) (any, error) {
	if len(message) == 0 {
		return Undefined{}, nil
	}
	if len(message) > MaxValue {
		return nil, ErrMalformed
	}
	d := decoder{in: message}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if len(d.in) != 0 {
		return nil, ErrMalformed
	}
	return v, nil
}

type decoder struct {
	in      []byte
	objects []any // by number; building{} until there is something to refer to
	owed    uint64
}

type building struct{}

func (d *decoder) head() (major byte, info byte, n uint64, err error) {
	if len(d.in) == 0 {
		return 0, 0, 0, ErrMalformed
	}
	first := d.in[0]
	d.in = d.in[1:]
	major, info = first&0xE0, first&31
	if info < 24 {
		return major, info, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, 0, ErrMalformed
	}
	size := 1 << (info - 24)
	if len(d.in) < size {
		return 0, 0, 0, ErrMalformed
	}
	var b [8]byte
	copy(b[8-size:], d.in[:size])
	d.in = d.in[size:]
	return major, info, binary.BigEndian.Uint64(b[:]), nil
}

func (d *decoder) expect(want byte) (uint64, error) {
	major, _, n, err := d.head()
	if err != nil || major != want {
		return 0, ErrMalformed
	}
	return n, nil
}

func (d *decoder) raw(n uint64) ([]byte, error) {
	if n > uint64(len(d.in)) {
		return nil, ErrMalformed
	}
	b := d.in[:n:n]
	d.in = d.in[n:]
	return b, nil
}

func (d *decoder) number(v any) int {
	d.objects = append(d.objects, v)
	return len(d.objects) - 1
}

// open begins something that has n items: each takes a byte at least, those
// that are still to come in what is open already too.
func (d *decoder) open(n uint64) error {
	left := uint64(len(d.in))
	if d.owed > left || n > left-d.owed {
		return ErrMalformed
	}
	d.owed += n
	return nil
}

func (d *decoder) item(depth int) (any, error) {
	d.owed--
	return d.value(depth + 1)
}

func (d *decoder) value(depth int) (any, error) {
	major, info, n, err := d.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case majorUint, majorNegative:
		if n > maxSafe || major == majorNegative && n == maxSafe {
			return nil, ErrMalformed
		}
		if major == majorNegative {
			return -1 - float64(n), nil
		}
		return float64(n), nil
	case majorText:
		return d.text(n)
	case majorSimple:
		return simple(info, n)
	case majorBytes:
		b, err := d.raw(n)
		if err != nil {
			return nil, err
		}
		b = append([]byte{}, b...)
		d.number(b)
		return b, nil
	}
	if depth >= MaxNesting {
		return nil, ErrMalformed
	}
	switch major {
	case majorArray:
		if err := d.open(n); err != nil {
			return nil, err
		}
		list := make([]any, n)
		d.number(list)
		return list, d.items(list, depth)
	case majorMap:
		o := &Object{}
		d.number(o)
		o.Fields, err = d.fields(n, depth)
		return o, err
	default:
		return d.tag(n, depth)
	}
}

func (d *decoder) items(list []any, depth int) error {
	for i := range list {
		v, err := d.item(depth)
		if err != nil {
			return err
		}
		list[i] = v
	}
	return nil
}

func (d *decoder) text(n uint64) (any, error) {
	b, err := d.raw(n)
	if err != nil || !utf8.Valid(b) {
		return nil, ErrMalformed
	}
	return string(b), nil
}

func (d *decoder) surrogates() (any, error) {
	n, err := d.expect(majorBytes)
	if err != nil {
		return nil, err
	}
	b, err := d.raw(n)
	return string(b), err
}

// fields reads n properties; the last one of a name counts, in the first one's
// place.
func (d *decoder) fields(n uint64, depth int) ([]Field, error) {
	if n > MaxValue {
		return nil, ErrMalformed
	}
	if err := d.open(2 * n); err != nil {
		return nil, err
	}
	fields := make([]Field, 0, n)
	var places map[string]int
	if n > 8 {
		places = make(map[string]int, n)
	}
	for range n {
		d.owed--
		major, _, length, err := d.head()
		if err != nil {
			return nil, err
		}
		var key any
		switch {
		case major == majorText:
			key, err = d.text(length)
		case major == majorTag && length == TagSurrogates:
			key, err = d.surrogates()
		default:
			err = ErrMalformed
		}
		if err != nil {
			return nil, err
		}
		v, err := d.item(depth)
		if err != nil {
			return nil, err
		}
		name := key.(string)
		place := -1
		if places != nil {
			if at, ok := places[name]; ok {
				place = at
			} else {
				places[name] = len(fields)
			}
		} else {
			for i := range fields {
				if fields[i].Key == name {
					place = i
				}
			}
		}
		if place >= 0 {
			fields[place].Value = v
		} else {
			fields = append(fields, Field{name, v})
		}
	}
	return fields, nil
}

func (d *decoder) tag(tag uint64, depth int) (any, error) {
	switch tag {
	case TagBigInt, TagNegativeBigInt:
		n, err := d.expect(majorBytes)
		if err != nil {
			return nil, err
		}
		b, err := d.raw(n)
		if err != nil {
			return nil, err
		}
		v := new(big.Int).SetBytes(b)
		if tag == TagNegativeBigInt {
			v.Not(v)
		}
		return v, nil
	case TagSurrogates:
		return d.surrogates()
	case TagReference:
		n, err := d.expect(majorUint)
		if err != nil || n >= uint64(len(d.objects)) {
			return nil, ErrMalformed
		}
		if _, ok := d.objects[n].(building); ok {
			return nil, ErrMalformed
		}
		return d.objects[n], nil
	}
	number := d.number(building{})
	switch tag {
	case TagSet:
		n, err := d.expect(majorArray)
		if err != nil {
			return nil, err
		}
		if err := d.open(n); err != nil {
			return nil, err
		}
		s := &Set{Members: make([]any, n)}
		d.objects[number] = s
		d.number(building{})
		return s, d.items(s.Members, depth)
	case TagMap:
		n, err := d.expect(majorMap)
		if err != nil || n > MaxValue {
			return nil, ErrMalformed
		}
		if err := d.open(2 * n); err != nil {
			return nil, err
		}
		m := &Map{Pairs: make([][2]any, n)}
		d.objects[number] = m
		d.number(building{})
		for i := range m.Pairs {
			if err := d.items(m.Pairs[i][:], depth); err != nil {
				return nil, err
			}
		}
		return m, nil
	case TagSparse, TagError:
		return d.fieldsOf(tag, number, depth)
	}
	if err := d.open(1); err != nil {
		return nil, err
	}
	content, err := d.item(depth)
	if err != nil {
		return nil, err
	}
	t := &Tagged{Tag: tag, Content: content}
	d.objects[number] = t
	return t, nil
}

// fieldsOf reads [length, map] and [class, map].
func (d *decoder) fieldsOf(tag uint64, number, depth int) (any, error) {
	if n, err := d.expect(majorArray); err != nil || n != 2 {
		return nil, ErrMalformed
	}
	d.number(building{})
	var made any
	var to *[]Field
	if tag == TagSparse {
		length, err := d.expect(majorUint)
		if err != nil || length > math.MaxUint32 {
			return nil, ErrMalformed
		}
		o := &Object{Sparse: true, Length: uint32(length)}
		made, to = o, &o.Fields
	} else {
		n, err := d.expect(majorText)
		if err != nil {
			return nil, err
		}
		class, err := d.text(n)
		if err != nil {
			return nil, err
		}
		f := &Failure{Class: class.(string)}
		made, to = f, &f.Fields
	}
	n, err := d.expect(majorMap)
	if err != nil {
		return nil, err
	}
	d.objects[number] = made
	d.number(building{})
	*to, err = d.fields(n, depth)
	return made, err
}

func simple(info byte, n uint64) (any, error) {
	switch info {
	case 20, 21:
		return info == 21, nil
	case 22:
		return nil, nil
	case 23:
		return Undefined{}, nil
	case 25:
		return half(uint16(n)), nil
	case 26:
		return float64(math.Float32frombits(uint32(n))), nil
	case 27:
		return math.Float64frombits(n), nil
	}
	return nil, ErrMalformed
}

// half is a number of 16 bits (IEEE 754 binary16).
func half(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&0x3FF)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 31:
		f = math.Inf(1)
		if fraction != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(fraction+1024, exponent-25)
	}
	if h&0x8000 != 0 {
		f = -f
	}
	return f
}
