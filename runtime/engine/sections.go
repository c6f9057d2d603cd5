package engine

import (
	"encoding/binary"
	"fmt"
)

// Sections of a module that matter here (WebAssembly Core 2.0, 5.5).
const (
	sectionImport = 2
	sectionStart  = 8
)

// checkSections refuses what Compile can't serve: a start function, and
// imports that aren't functions. A malformed module passes: the engine's own
// decoder says better what is wrong with it.
func checkSections(wasm []byte) error {
	r := sectionReader{rest: wasm}
	r.bytes(8) // magic and version
	for len(r.rest) > 0 {
		id := r.byte()
		content := sectionReader{rest: r.bytes(r.number())}
		switch id {
		case sectionStart:
			return fmt.Errorf("%w: it has a start function", ErrInvalidModule)
		case sectionImport:
			for range content.number() {
				module, name := content.bytes(content.number()), content.bytes(content.number())
				if kind := content.byte(); content.failed {
					return nil
				} else if kind != 0 {
					return fmt.Errorf("%w: %s.%s isn't a function", ErrMissingImport, module, name)
				}
				content.number() // the index of the type
			}
		}
	}
	return nil
}

// sectionReader reads a module's bytes. After a failure it has nothing left
// and returns zeros.
type sectionReader struct {
	rest   []byte
	failed bool
}

func (r *sectionReader) byte() byte {
	b := r.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *sectionReader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.rest)) {
		r.rest, r.failed = nil, true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// number reads an unsigned LEB128 of 32 bits.
func (r *sectionReader) number() uint32 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > 1<<32-1 {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[n:]
	return uint32(v)
}
