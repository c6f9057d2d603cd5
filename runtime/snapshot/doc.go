// Package snapshot keeps the memory of booted guests and makes clones of it.
//
// An [Image] is the sealed memory of a booted guest. A [Memory] is the linear
// memory of one slot: it begins as a private, copy-on-write mapping of an
// image, and [Memory.Reset] makes it equal to the image again by putting back
// the pages that were changed. A [Delta] is the list of those pages: a session
// at rest, a worker's evaluated code, a fork.
//
// On Linux a slot costs nothing but the pages that it changed. Elsewhere, and
// where the kernel refuses, a portable implementation copies and compares; all
// of them pass the same tests.
package snapshot

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// PageSize is the granularity, in bytes, in which changes are kept, counted
// and stored. It is not that of wasm (64 KiB), nor always that of the machine.
const PageSize = 4096

// wasmPage is the granularity of a linear memory (WebAssembly Core 2.0, 4.2.8)
// and a multiple of every page size that Linux uses.
const wasmPage = 64 << 10

// MaxBytes is the largest linear memory: 65,536 wasm pages.
const MaxBytes = 4 << 30

var (
	// ErrCorrupt says that stored contents are not what was written: cut off,
	// changed, or never an image or delta of this format version.
	ErrCorrupt = errors.New("corrupt")
	// ErrMismatch says that contents are sound but belong to another guest,
	// image or memory size.
	ErrMismatch = errors.New("mismatch")
	// ErrStray says that the guest stored into its window beyond its declared
	// memory, where a checked engine would have trapped.
	ErrStray = errors.New("store beyond the declared memory")
	// ErrUnavailable says that a strategy or a window that was asked for cannot
	// be had on this system.
	ErrUnavailable = errors.New("not available on this system")
	// ErrClosed says that the memory or image was closed.
	ErrClosed = errors.New("closed")
)

// An Error is what every function of this package returns: the operation that
// failed and why. Unwrap leads to one of the sentinel errors or to the error
// of the system.
type Error struct {
	Op  string
	Err error
}

func (e *Error) Error() string { return "snapshot: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

func corrupt(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

func mismatch(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrMismatch, fmt.Sprintf(format, a...))
}

// A Digest is a SHA-256 digest.
type Digest [32]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// A Global is the value of a mutable global as raw bits, by the name under
// which the module exports it.
type Global struct {
	Name string
	Bits uint64
}
