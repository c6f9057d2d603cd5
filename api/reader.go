package api

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON may nest in a request. A deeper one would only
// exhaust the stack of whoever parses it next.
const maxDepth = 256

// A syntaxError is a text that is not JSON (RFC 8259).
type syntaxError struct {
	offset  int
	message string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("offset %d: %s", e.offset, e.message) }

// A reader takes a JSON text apart in one pass and without reflection. The
// first syntax error sticks, and every method does nothing after it.
//
// Every value method consumes exactly one value. Those that want a certain
// type report false, and skip the value, when it is of another type.
type reader struct {
	data  []byte
	pos   int
	depth int
	err   error
}

// fail keeps the first syntax error.
func (r *reader) fail(message string) {
	if r.err == nil {
		r.err = &syntaxError{r.pos, message}
	}
}

// peek skips white space and returns the next byte, or 0 at the end.
func (r *reader) peek() byte {
	if r.err != nil {
		return 0
	}
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\n', '\r', '\t':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// end reports an error if anything but white space follows.
func (r *reader) end() {
	if r.peek() != 0 || r.err == nil && r.pos < len(r.data) {
		r.fail("text after the JSON value")
	}
}

// kind names the type of the next value as JSON Schema does.
func (r *reader) kind() string {
	switch c := r.peek(); {
	case c == '{':
		return "object"
	case c == '[':
		return "array"
	case c == '"':
		return "string"
	case c == 't' || c == 'f':
		return "boolean"
	case c == 'n':
		return "null"
	case c == '-' || c >= '0' && c <= '9':
		return "number"
	default:
		return "nothing"
	}
}

// object calls field with the raw name of each member; field must consume the
// member's value. The name is valid until field reads.
func (r *reader) object(field func(name []byte)) bool {
	if r.peek() != '{' {
		r.skip()
		return false
	}
	r.pos++
	if !r.enter() {
		return false
	}
	defer r.leave()
	if r.peek() == '}' {
		r.pos++
		return true
	}
	for r.err == nil {
		if r.peek() != '"' {
			r.fail("expected a member's name")
			return false
		}
		name, ok := r.text()
		if !ok && r.err == nil {
			r.fail("a member's name holds an unpaired surrogate")
		}
		if r.peek() != ':' {
			r.fail("expected ':' after a member's name")
			return false
		}
		r.pos++
		field(name)
		switch r.peek() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return r.err == nil
		default:
			r.fail("expected ',' or '}'")
		}
	}
	return false
}

// array calls element with each index; element must consume the value.
func (r *reader) array(element func(i int)) bool {
	if r.peek() != '[' {
		r.skip()
		return false
	}
	r.pos++
	if !r.enter() {
		return false
	}
	defer r.leave()
	if r.peek() == ']' {
		r.pos++
		return true
	}
	for i := 0; r.err == nil; i++ {
		element(i)
		switch r.peek() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return r.err == nil
		default:
			r.fail("expected ',' or ']'")
		}
	}
	return false
}

func (r *reader) enter() bool {
	r.depth++
	if r.depth > maxDepth {
		r.fail(fmt.Sprintf("nested deeper than %d levels", maxDepth))
		return false
	}
	return true
}

func (r *reader) leave() { r.depth-- }

// string returns a string's value. ok is false if the value is no string, or
// one with an unpaired surrogate, which no UTF-8 text can hold.
func (r *reader) string() (s string, ok bool) {
	if r.peek() != '"' {
		r.skip()
		return "", false
	}
	b, ok := r.text()
	return string(b), ok
}

// text reads the string at r.pos. The result may share r.data.
func (r *reader) text() (b []byte, ok bool) {
	start := r.pos + 1
	i := start
	ascii := true
	for i < len(r.data) {
		switch c := r.data[i]; {
		case c == '"':
			b = r.data[start:i]
			if !ascii && !utf8.Valid(b) {
				r.fail("a string is not valid UTF-8")
				return nil, false
			}
			r.pos = i + 1
			return b, true
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			r.pos = i
			r.fail("a control character in a string")
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
		i++
	}
	r.fail("a string without an end")
	return nil, false
}

// escaped reads on in a string that starts at start, from its first escape.
func (r *reader) escaped(start, i int) (b []byte, ok bool) {
	// The closing quote bounds the result, so one allocation is enough.
	end := i
	for end < len(r.data) && r.data[end] != '"' {
		if r.data[end] == '\\' {
			end++
		}
		end++
	}
	b = make([]byte, 0, min(end, len(r.data))-start)
	b = append(b, r.data[start:i]...)
	ok = true
	for i < len(r.data) {
		c := r.data[i]
		switch {
		case c == '"':
			r.pos = i + 1
			if !utf8.Valid(b) {
				r.fail("a string is not valid UTF-8")
				return nil, false
			}
			return b, ok
		case c < ' ':
			r.pos = i
			r.fail("a control character in a string")
			return nil, false
		case c != '\\':
			b = append(b, c)
			i++
			continue
		}
		if i+1 >= len(r.data) {
			break
		}
		switch e := r.data[i+1]; e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			u, good := hex4(r.data, i+2)
			if !good {
				r.pos = i
				r.fail("a bad \\u escape")
				return nil, false
			}
			i += 4
			if utf16.IsSurrogate(u) {
				low, good := rune(0), false
				if i+3 < len(r.data) && r.data[i+2] == '\\' && r.data[i+3] == 'u' {
					low, good = hex4(r.data, i+4)
				}
				pair := utf16.DecodeRune(u, low)
				if good && pair != utf8.RuneError {
					u = pair
					i += 6
				} else {
					ok = false
				}
			}
			b = utf8.AppendRune(b, u)
		default:
			r.pos = i
			r.fail("an unknown escape in a string")
			return nil, false
		}
		i += 2
	}
	r.fail("a string without an end")
	return nil, false
}

// hex4 decodes the four hexadecimal digits at data[i:].
func hex4(data []byte, i int) (rune, bool) {
	if i+4 > len(data) {
		return 0, false
	}
	var u rune
	for _, c := range data[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		u = u<<4 | rune(c)
	}
	return u, true
}

// integer returns a number that has no fraction and fits an int64.
func (r *reader) integer() (n int64, ok bool) {
	if k := r.kind(); k != "number" {
		r.skip()
		return 0, false
	}
	start := r.pos
	r.number()
	if r.err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(r.data[start:r.pos]), 10, 64)
	return n, err == nil
}

// raw returns the text of any value. It shares r.data.
func (r *reader) raw() []byte {
	r.peek()
	start := r.pos
	r.skip()
	return r.data[start:r.pos]
}

// skip consumes any value, and checks its syntax.
func (r *reader) skip() {
	switch c := r.peek(); {
	case r.err != nil:
	case c == '{':
		r.object(func([]byte) { r.skip() })
	case c == '[':
		r.array(func(int) { r.skip() })
	case c == '"':
		r.text()
	case c == '-' || c >= '0' && c <= '9':
		r.number()
	case r.literal("true"), r.literal("false"), r.literal("null"):
	case r.pos >= len(r.data):
		r.fail("the text ends where a value is expected")
	default:
		r.fail("expected a value")
	}
}

func (r *reader) literal(word string) bool {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(word)) {
		return false
	}
	r.pos += len(word)
	return true
}

// number consumes a number (RFC 8259 section 6).
func (r *reader) number() {
	digits := func() bool {
		start := r.pos
		for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
			r.pos++
		}
		return r.pos > start
	}
	at := func(c byte) bool { return r.pos < len(r.data) && r.data[r.pos] == c }
	if at('-') {
		r.pos++
	}
	if at('0') {
		r.pos++
	} else if !digits() {
		r.fail("a bad number")
		return
	}
	if at('.') {
		r.pos++
		if !digits() {
			r.fail("a bad number")
			return
		}
	}
	if at('e') || at('E') {
		r.pos++
		if at('+') || at('-') {
			r.pos++
		}
		if !digits() {
			r.fail("a bad number")
		}
	}
}

// syntaxProblem is the answer to a body that is not JSON.
func (r *reader) syntaxProblem() *Problem {
	line, column, message := r.place()
	p := newProblem(invalidJSON, "Line %d, column %d: %s.", line, column, message)
	p.Errors = []FieldError{{Detail: message}}
	return p
}

// place turns a syntax error's offset into a line and a column, from 1.
func (r *reader) place() (line, column int, message string) {
	var bad *syntaxError
	if !errors.As(r.err, &bad) {
		return 0, 0, ""
	}
	before := r.data[:min(bad.offset, len(r.data))]
	line = bytes.Count(before, []byte("\n")) + 1
	column = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return line, column, bad.message
}
