package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/tetratelabs/wazero/sys"
)

// A HostPanic is a panic of a host function with anything but a [Stop], or of
// the engine itself: a bug on this side of the boundary. It ends the guest's
// call; the instance must be discarded.
type HostPanic struct {
	Value any    // what was panicked with
	Stack []byte // the goroutine's stack at the panic, as debug.Stack gives it
}

func (p *HostPanic) Error() string { return fmt.Sprintf("host function panicked: %v", p.Value) }

// Unwrap returns the panic's value if it was an error.
func (p *HostPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// hostFunction is a HostFunc as wazero calls it.
type hostFunction struct {
	call            HostFunc
	params, results []int // which of them are i32
}

func newHostFunction(i Import) *hostFunction {
	return &hostFunction{i.Func, i32Slots(i.Params), i32Slots(i.Results)}
}

// i32Slots are the indices of values of type i32.
func i32Slots[T ~byte](types []T) (slots []int) {
	for n, t := range types {
		if byte(t) == byte(I32) {
			slots = append(slots, n)
		}
	}
	return slots
}

// zeroExtend clears the upper halves of i32 values. wazero writes only the
// lower half where the stack holds what was there before; and on amd64 it
// takes the upper half of a result over into a register that may become an
// address.
func zeroExtend(stack []uint64, slots []int) {
	for _, n := range slots {
		stack[n] = uint64(uint32(stack[n]))
	}
}

// Call implements api.GoFunction. The context is what wazeroFunction.Call gave.
func (f *hostFunction) Call(ctx context.Context, stack []uint64) {
	in := ctx.(*wazeroInstance)
	defer in.unwind()
	zeroExtend(stack, f.params)
	f.call(in, stack)
	zeroExtend(stack, f.results)
}

// unwinding is the panic that carries a guest's end through wazero, which
// doesn't format a trace of the wasm stack for this type. The reason waits in
// the instance.
var unwinding = sys.NewExitError(0)

// unwind keeps the value of a host function's panic, and panics on.
func (in *wazeroInstance) unwind() {
	r := recover()
	if r == nil {
		return
	}
	in.panic = panicError(r)
	panic(unwinding)
}

// panicError is the value of a host function's panic as an error.
func panicError(r any) error {
	switch r := r.(type) {
	case Stop:
		return r
	case *Stop:
		return *r
	}
	return &HostPanic{Value: r, Stack: debug.Stack()}
}

// trapCodes maps the text of wazero's errors to traps: their type is internal.
// The other traps are told apart by their text only.
var trapCodes = map[string]TrapCode{
	"unreachable":                 TrapUnreachable,
	"out of bounds memory access": TrapOutOfBounds,
	"stack overflow":              TrapStackOverflow,
}

// fault maps the error of a call.
func (in *wazeroInstance) fault(err error) error {
	if p := in.panic; p != nil {
		in.panic = nil
		return p
	}
	if in.module.IsClosed() {
		return &Error{Op: "call", Err: ErrClosed}
	}
	return trapOf(err)
}

// rootCause is what an error wraps at last.
func rootCause(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// trapOf is wazero's error of a call as one of ours.
func trapOf(err error) error {
	cause := rootCause(err)
	if _, bug := cause.(runtime.Error); bug {
		return &HostPanic{Value: cause, Stack: []byte(err.Error())} // wazero has put the Go stack into the text
	}
	code, ok := trapCodes[cause.Error()]
	if !ok {
		code = TrapOther
	}
	return &Trap{Code: code, Cause: err}
}
