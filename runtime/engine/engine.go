// Package engine compiles and runs wasm modules. It is the only package that
// knows which engine does so (wazero), and it knows nothing of guests, images
// or limits: memory is handed to it, host functions are handed to it.
package engine

import (
	"context"
	"errors"
	"fmt"
)

// WindowSize is the address space, in bytes, that a [Memory] has to own for a
// trusted module to run without bounds checks: a 32-bit address plus a 32-bit
// static offset plus the widest access, rounded up to a wasm page.
const WindowSize = 8<<30 + 64<<10

// PageSize is the size of a wasm page in bytes (WebAssembly Core 2.0, 4.2.8).
const PageSize = 64 << 10

// An Engine compiles modules. It is safe for concurrent use.
type Engine interface {
	// Compile compiles a module and links its imports. Compiled code is kept
	// in the cache directory, keyed by the module's bytes. A start function is
	// refused: nothing runs before the first call.
	Compile(ctx context.Context, wasm []byte, options CompileOptions) (Module, error)
	// Info says which engine this is.
	Info() Info
	// Close releases all that was compiled. No instance may be running.
	Close() error
}

// Info describes an engine.
type Info struct {
	Name    string // "wazero"
	Version string // of the engine's module, "v1.12.0"
	Tuned   bool   // built with the edits of runtime/engine/tune
}

// CompileOptions say how a module is compiled.
type CompileOptions struct {
	// Trusted marks a module that went through our own passes: its memory
	// never grows or moves, so the tuned engine leaves out bounds checks.
	// Every instance of it must then be given a memory with a window; where
	// the system has no windows to give, compile without Trusted. Never set for
	// a module that a user brought: those are also compiled on the goroutine
	// that calls Compile, so that a panic of the compiler is an error. The
	// stock engine keeps all checks.
	Trusted bool
	// Missing, if not nil, is called when the code is not in the cache, which
	// is looked up once more afterwards: a caller may take its turn there
	// with other processes that compile the same. Its error is that of Compile.
	Missing func() error
	// Imports are the host functions that the module may import. An import
	// that is missing here is an error of Compile, and so is one that isn't a
	// function.
	Imports []Import
}

// A ValueType is the type of a parameter or result of an import.
type ValueType byte

// The value types that cross the host boundary (WebAssembly Core 2.0, 5.3.1).
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
	F64 ValueType = 0x7c
)

// An Import is one host function.
type Import struct {
	Module, Name    string
	Params, Results []ValueType
	Func            HostFunc
}

// A HostFunc is called by the guest on the goroutine that called the guest.
// Parameters are read from stack, results are written to it from index 0; the
// upper half of an i32 is zero in parameters and ignored in results. A panic
// unwinds the guest: [Function.Call] returns a [Stop] as it is, and another
// value, which is a bug of the host, in a [*HostPanic].
type HostFunc func(in Instance, stack []uint64)

// A Module is compiled code. It is safe for concurrent use.
type Module interface {
	// Instantiate makes an instance on the given memory, whose contents are
	// left alone: the module has no data segments and no start function.
	// Memory may be nil if the module declares none.
	Instantiate(ctx context.Context, memory Memory) (Instance, error)
	// Close releases the code. All instances must have been closed.
	Close() error
}

// A Memory backs the linear memory of one instance.
type Memory interface {
	// Bytes is the linear memory at its full declared size. It never moves.
	Bytes() []byte
	// Windowed says that the WindowSize bytes from the first on are
	// readable, writable, and belong to this memory alone.
	Windowed() bool
}

// An Instance is an instantiated module: not safe for concurrent use.
type Instance interface {
	// Function is an exported function. Keep the result: a lookup costs more
	// than a call.
	Function(name string) (Function, error)
	// Global is an exported global.
	Global(name string) (Global, error)
	// Memory is the linear memory; nil if there is none.
	Memory() []byte
	// SetData attaches a value, which host functions find by Data.
	SetData(data any)
	Data() any
	// StackBytes is the memory that the engine holds for the stacks of the
	// functions that were looked up: it grows with the depth of the guest's
	// recursion and is kept until Close.
	StackBytes() int
	// Close must not be called while the guest runs.
	Close() error
}

// A Function is an exported function of one instance.
type Function interface {
	// Call calls the function: parameters from stack, results to it, from
	// index 0. The stack has to hold the larger of both. The upper half of an
	// i32 is ignored in parameters and zero in results. After an error the
	// instance's globals and memory are as the guest left them. The function
	// must not be called again by a host function that it is calling.
	//
	// # Errors
	//
	// A [*Trap] if the guest trapped, the [Stop] that a host function panicked
	// with, or a [*HostPanic] if it panicked with anything else.
	Call(stack []uint64) error
}

// A Global is an exported, mutable global of one instance, as raw bits.
type Global interface {
	Get() uint64
	Set(bits uint64)
}

// Stop is what a host function panics with to end the guest's call. Call
// returns it.
type Stop struct{ Cause error }

func (s Stop) Error() string { return "guest stopped: " + s.Cause.Error() }
func (s Stop) Unwrap() error { return s.Cause }

// A TrapCode names a trap of WebAssembly Core 2.0 (4.2.10).
type TrapCode string

// The traps that are told apart.
const (
	TrapUnreachable   TrapCode = "unreachable"
	TrapOutOfBounds   TrapCode = "out of bounds memory access"
	TrapStackOverflow TrapCode = "stack overflow"
	TrapOther         TrapCode = "other"
)

// A Trap is the guest's own fault, or a bug in it; the instance must be
// discarded, or its memory and mutable globals restored.
type Trap struct {
	Code  TrapCode
	Cause error // the engine's error, with the wasm stack
}

func (t *Trap) Error() string { return fmt.Sprintf("trap: %s: %v", t.Code, t.Cause) }
func (t *Trap) Unwrap() error { return t.Cause }

// ErrNoWindow is returned by Instantiate when a trusted module of the tuned
// engine is given a memory without a window.
var ErrNoWindow = errors.New("a module without bounds checks needs a memory with a window")
