package engine

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// wazeroInstance is an instance. It is also the context of every call into
// wazero, which hands it to the host functions: a type assertion finds the
// instance there, where a value of a context or a map would cost a search.
// And it is the allocator of its own memory, which is the caller's.
type wazeroInstance struct {
	module api.Module
	given  []byte // what Instantiate was given
	memory []byte // given, once the module has taken it
	data   any
	panic  error           // why a host function is unwinding the guest
	stacks []reflect.Value // of the functions that were looked up
}

var (
	_ Instance                     = (*wazeroInstance)(nil)
	_ context.Context              = (*wazeroInstance)(nil)
	_ experimental.MemoryAllocator = (*wazeroInstance)(nil)
	_ experimental.LinearMemory    = (*wazeroInstance)(nil)
)

func (in *wazeroInstance) Memory() []byte   { return in.memory }
func (in *wazeroInstance) SetData(data any) { in.data = data }
func (in *wazeroInstance) Data() any        { return in.data }

func (in *wazeroInstance) Close() error {
	in.stacks = nil // they may be large, and whoever still has the instance needs them no more
	return in.module.Close(context.Background())
}

func (in *wazeroInstance) Function(name string) (Function, error) {
	f := in.module.ExportedFunction(name)
	if f == nil {
		return nil, &Error{Op: "function", Name: name, Err: ErrNoExport}
	}
	if stack, ok := stackOf(f); ok {
		in.stacks = append(in.stacks, stack)
	}
	return &wazeroFunction{in: in, call: f, results: i32Slots(f.Definition().ResultTypes())}, nil
}

// stackOf is the slice in which wazero's call engine keeps its stack; it has
// no accessor. A test holds this to the pinned version.
func stackOf(f api.Function) (stack reflect.Value, ok bool) {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return stack, false
	}
	stack = v.Elem().FieldByName("stack")
	return stack, stack.IsValid() && stack.Kind() == reflect.Slice
}

func (in *wazeroInstance) StackBytes() int {
	n := 0
	for _, stack := range in.stacks {
		n += stack.Len()
	}
	return n
}

func (in *wazeroInstance) Global(name string) (Global, error) {
	g, ok := in.module.ExportedGlobal(name).(api.MutableGlobal)
	if !ok {
		return nil, &Error{Op: "global", Name: name, Err: ErrNoExport}
	}
	return g, nil
}

// Deadline, Done, Err and Value make a context without deadline or values.
// Guests are stopped by their own metering, never by a context.
func (in *wazeroInstance) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (in *wazeroInstance) Done() <-chan struct{}                   { return nil }
func (in *wazeroInstance) Err() error                              { return nil }
func (in *wazeroInstance) Value(any) any                           { return nil }

// memoryRefusal is what Reallocate panics with when a memory doesn't fit.
type memoryRefusal struct{ error }

// Allocate hands out the memory that Instantiate was given.
func (in *wazeroInstance) Allocate(_, _ uint64) experimental.LinearMemory { return in }

// Reallocate is first called with the size that the module declares, and
// later by memory.grow, which fails: a memory is at its full size from the
// first, and compiled code may keep its base.
func (in *wazeroInstance) Reallocate(size uint64) []byte {
	if in.memory != nil {
		return nil
	}
	if uint64(len(in.given)) < size {
		panic(memoryRefusal{fmt.Errorf("%w: it declares %d bytes and was given %d", ErrMemorySize, size, len(in.given))})
	}
	in.memory = in.given
	return in.memory
}

// Free leaves the memory to its owner.
func (in *wazeroInstance) Free() {}

// wazeroFunction is an exported function.
type wazeroFunction struct {
	in      *wazeroInstance
	call    api.Function
	results []int // which of them are i32
}

func (f *wazeroFunction) Call(stack []uint64) error {
	if err := f.call.CallWithStack(f.in, stack); err != nil {
		return f.in.fault(err)
	}
	zeroExtend(stack, f.results)
	return nil
}
