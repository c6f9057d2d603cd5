package wasm

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed says that a module's bytes break the binary format
	// (WebAssembly Core 2.0, chapter 5).
	ErrMalformed = errors.New("malformed module")
	// ErrUnsupported says that a module is well-formed, but uses what the
	// passes cannot handle.
	ErrUnsupported = errors.New("unsupported module")
)

// An Error is what the functions of this package return. Unwrap leads to
// ErrMalformed or ErrUnsupported.
type Error struct {
	Kind   error
	Where  string // a section or function
	Detail string
}

func (e *Error) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("wasm: %v: %s", e.Kind, e.Detail)
	}
	return fmt.Sprintf("wasm: %v: %s: %s", e.Kind, e.Where, e.Detail)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// malformed and unsupported end decoding: they panic with an *Error, which
// catch turns into the result of the package's functions.
func malformed(format string, a ...any) {
	panic(&Error{Kind: ErrMalformed, Detail: fmt.Sprintf(format, a...)})
}

func unsupported(format string, a ...any) {
	panic(&Error{Kind: ErrUnsupported, Detail: fmt.Sprintf(format, a...)})
}

// catch recovers what malformed and unsupported panicked with. Other panics go
// on: they are bugs.
func catch(err *error, where func() string) {
	switch x := recover().(type) {
	case nil:
	case *Error:
		if x.Where == "" && where != nil {
			x.Where = where()
		}
		*err = x
	default:
		panic(x)
	}
}

// A reader walks encoded bytes.
type reader struct {
	b []byte
	p int
}

func (r *reader) done() bool { return r.p >= len(r.b) }

func (r *reader) byte() byte {
	if r.p >= len(r.b) {
		malformed("cut off at byte %d", r.p)
	}
	c := r.b[r.p]
	r.p++
	return c
}

// bytes are the next n bytes, not copied.
func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)-r.p) {
		malformed("%d bytes wanted at byte %d of %d", n, r.p, len(r.b))
	}
	s := r.b[r.p : r.p+int(n) : r.p+int(n)]
	r.p += int(n)
	return s
}

// u32 reads an unsigned LEB128 number (5.2.2).
func (r *reader) u32() uint32 {
	c := r.byte()
	if c < 0x80 {
		return uint32(c)
	}
	v := uint32(c & 0x7f)
	for shift := 7; ; shift += 7 {
		c = r.byte()
		if shift == 28 && c > 0x0f {
			malformed("number too large at byte %d", r.p)
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

// signed reads a signed LEB128 number of at most the given bits.
func (r *reader) signed(bits int) (v int64) {
	for shift := 0; ; shift += 7 {
		if shift >= bits {
			malformed("number too long at byte %d", r.p)
		}
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			if shift+7 < 64 && c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			break
		}
	}
	if least := int64(-1) << (bits - 1); v < least || v > ^least {
		malformed("number too large at byte %d", r.p)
	}
	return v
}

// count reads the length of a vector whose elements take a byte or more each,
// so that a lying count is found before anything is allocated for it.
func (r *reader) count() uint32 {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)-r.p) {
		malformed("%d elements in %d bytes", n, len(r.b)-r.p)
	}
	return n
}

func (r *reader) name() string { return string(r.bytes(r.u32())) }

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }
