package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// F32, V128, FuncRef and ExternRef are the value types that only modules of
// users take across the host boundary. A reference is a number of which only
// null, 0, means anything to the host; a vector takes two places in a stack.
const (
	F32       ValueType = 0x7d
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

// A Space is where modules that users brought are compiled, and linked with
// each other: they may import and export functions, memories, tables and
// globals. All checks are compiled in, in the tuned engine too. Code may be
// instantiated any number of times, also by several goroutines at once.
//
// References to functions are addresses inside of the engine. It is up to the
// caller that none is made up, and that a part is not closed while anything of
// it can still be reached: by a reference, or by a part that imports from it.
type Space struct {
	runtime wazero.Runtime
	config  wazero.ModuleConfig
}

// NewSpace returns an empty space.
func NewSpace() *Space {
	return &Space{
		runtime: wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfig().
			WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false)),
		// As instanceConfig: nothing has a name, and nothing is random.
		config: wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader),
	}
}

// Close releases all that is in the space. Nothing of it may be running.
func (s *Space) Close() error { return s.runtime.Close(context.Background()) }

// Code is a compiled module of a space.
type Code struct{ compiled wazero.CompiledModule }

// Close releases the code, as soon as no part is made of it any more.
func (c *Code) Close() error { return c.compiled.Close(context.Background()) }

// Compile compiles a module on the calling goroutine. Once begun it can't be
// interrupted.
//
// # Errors
//
// ErrInvalidModule; a [*HostPanic] if the engine's compiler failed.
func (s *Space) Compile(wasm []byte) (*Code, error) {
	ctx := experimental.WithCompilationWorkers(context.Background(), 1)
	compiled, err := compileRecovering(ctx, s.runtime, wasm)
	var bug *HostPanic
	if errors.As(err, &bug) {
		return nil, &Error{Op: "compile", Err: err}
	}
	if err != nil {
		return nil, &Error{Op: "compile", Err: fmt.Errorf("%w: %w", ErrInvalidModule, err)}
	}
	return &Code{compiled}, nil
}

// A SpaceFunc is a host function of a space. The thread is that of the call
// into the space which it is part of.
type SpaceFunc struct {
	Name            string
	Params, Results []ValueType
	Func            func(t *Thread, stack []uint64)
}

// Host makes a part that exports host functions.
func (s *Space) Host(functions []SpaceFunc) (*Part, error) {
	b := s.runtime.NewHostModuleBuilder("host")
	for _, f := range functions {
		h := &spaceFunction{f.Func, i32Slots(f.Params), i32Slots(f.Results)}
		if slices.Contains(f.Params, V128) || slices.Contains(f.Results, V128) {
			return nil, &Error{Op: "link", Name: f.Name, Err: errors.New("host functions take no vectors")}
		}
		b.NewFunctionBuilder().WithGoFunction(h, wazeroTypes(f.Params), wazeroTypes(f.Results)).Export(f.Name)
	}
	compiled, err := b.Compile(context.Background())
	if err != nil {
		return nil, &Error{Op: "link", Err: err}
	}
	p, err := s.Instantiate(nil, &Code{compiled}, nil, nil)
	if err != nil {
		return nil, errors.Join(err, compiled.Close(context.Background()))
	}
	p.code = compiled
	return p, nil
}

// Resize is called for a memory's bytes: with its first size, and whenever it
// is to grow. Bytes that were there before are to be the same, others zero. An
// answer of nil refuses. It runs on the goroutine that runs the guest, and may
// unwind it with a [Stop].
type Resize func(size uint64) []byte

// Instantiate makes an instance, on a thread, whose imports come from the parts that parts
// names. Memory is for the memory that the module declares itself, if any. The
// module has no active segments and no start function, or they are not the
// user's: nothing of the user's runs.
//
// # Errors
//
// ErrMissingImport if an import is not there or of another type; ErrMemorySize
// if the memory is refused.
func (s *Space) Instantiate(t *Thread, code *Code, parts func(module string) *Part, memory Resize) (part *Part, err error) {
	ctx := experimental.WithImportResolver(context.Background(), func(name string) api.Module {
		if parts != nil {
			if p := parts(name); p != nil {
				return p.module
			}
		}
		return nil
	})
	m := &spaceMemory{thread: t, resize: memory}
	if memory != nil {
		ctx = experimental.WithMemoryAllocator(ctx, m)
	}
	defer func() {
		if r := recover(); r != nil {
			err = &Error{Op: "instantiate", Err: t.recovered(r)}
		}
	}()
	module, err := s.runtime.InstantiateModule(ctx, code.compiled, s.config)
	if err != nil {
		return nil, &Error{Op: "instantiate", Err: fmt.Errorf("%w: %w", ErrMissingImport, err)}
	}
	return &Part{module: module}, nil
}

// spaceMemory lets the caller give a memory its bytes.
type spaceMemory struct {
	thread *Thread
	resize Resize
	made   bool
}

func (m *spaceMemory) Allocate(_, _ uint64) experimental.LinearMemory { return m }
func (m *spaceMemory) Free()                                          {}

func (m *spaceMemory) Reallocate(size uint64) []byte {
	defer m.thread.unwind() // whoever asks is inside of wazero
	b := m.resize(size)
	if b != nil && uint64(len(b)) != size {
		panic(fmt.Sprintf("a memory of %d bytes where %d were asked for", len(b), size))
	}
	if b == nil && !m.made {
		panic(memoryRefusal{fmt.Errorf("%w: %d bytes are not to be had", ErrMemorySize, size)})
	}
	m.made = true
	return b
}

// A Part is an instance in a space: not safe for concurrent use.
type Part struct {
	module api.Module
	code   wazero.CompiledModule // if it is the part's alone
}

// Close lets go of the part.
func (p *Part) Close() error {
	err := p.module.Close(context.Background())
	if p.code != nil {
		err = errors.Join(err, p.code.Close(context.Background()))
	}
	return err
}

// A PartFunc is an exported function of a part, with a stack of its own.
type PartFunc struct {
	call            api.Function
	stack           reflect.Value
	stacked         bool
	params, results []int // which are i32
	Slots           int   // of the stack that Call needs
}

// Function is an exported function that the module defines; nil if there is
// none of that name. Each result can be in one call at a time.
func (p *Part) Function(name string) *PartFunc {
	f := p.module.ExportedFunction(name)
	if f == nil {
		return nil
	}
	d := f.Definition()
	out := &PartFunc{call: f, params: i32Slots(d.ParamTypes()), results: i32Slots(d.ResultTypes())}
	slots := func(types []api.ValueType) (n int) {
		for _, t := range types {
			if n++; ValueType(t) == V128 {
				n++
			}
		}
		return n
	}
	out.Slots = max(slots(d.ParamTypes()), slots(d.ResultTypes()))
	out.stack, out.stacked = stackOf(f)
	return out
}

// StackBytes is the memory that the engine holds for the function's stack.
func (f *PartFunc) StackBytes() int {
	if !f.stacked {
		return 0
	}
	return f.stack.Len()
}

// Call calls the function, as [Function.Call]. Numbers of 32 bits have a zero
// upper half, in parameters and results. The stack has to be Slots long.
//
// # Errors
//
// As Function.Call. After a trap the part is as the module left it, and can be
// called again.
func (f *PartFunc) Call(t *Thread, stack []uint64) error {
	err := f.call.CallWithStack(t, stack)
	if err == nil {
		zeroExtend(stack, f.results)
		return nil
	}
	return t.fault(err)
}

// Global is an exported global; nil if there is none. One that is not mutable
// can't be set.
func (p *Part) Global(name string) Global {
	g := p.module.ExportedGlobal(name)
	if g == nil {
		return nil
	}
	if mutable, ok := g.(api.MutableGlobal); ok {
		return mutable
	}
	return constantGlobal{g}
}

type constantGlobal struct{ api.Global }

func (constantGlobal) Set(uint64) { panic("a constant global was set") }

// GrowMemory grows the memory that is exported under a name by delta pages, as
// memory.grow does. ok is false if it can't.
//
// # Errors
//
// What [Resize] panicked with.
func (p *Part) GrowMemory(t *Thread, name string, delta uint32) (previous uint32, ok bool, err error) {
	m := p.module.ExportedMemory(name)
	if m == nil {
		return 0, false, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = t.recovered(r)
		}
	}()
	previous, ok = m.Grow(delta)
	return previous, ok, nil
}

// MemorySize is the size in bytes of the memory that is exported under a name.
func (p *Part) MemorySize(name string) uint64 {
	m := p.module.ExportedMemory(name)
	if m == nil {
		return 0
	}
	return uint64(m.Size())
}

// A Thread is what calls into a space are made on: one for each isolate. Data
// is the caller's.
type Thread struct {
	Data  any
	panic error // why a host function is unwinding the call
}

var _ context.Context = (*Thread)(nil)

// Deadline, Done, Err and Value make a context without deadline or values.
func (t *Thread) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done is nil.
func (t *Thread) Done() <-chan struct{} { return nil }

// Err is nil.
func (t *Thread) Err() error { return nil }

// Value is nil.
func (t *Thread) Value(any) any { return nil }

type spaceFunction struct {
	call            func(t *Thread, stack []uint64)
	params, results []int
}

// Call implements api.GoFunction.
func (f *spaceFunction) Call(ctx context.Context, stack []uint64) {
	t := ctx.(*Thread)
	defer t.unwind()
	zeroExtend(stack, f.params)
	f.call(t, stack)
	zeroExtend(stack, f.results)
}

// unwind keeps the value of a host function's panic, and panics on.
func (t *Thread) unwind() {
	r := recover()
	if r == nil {
		return
	}
	if refusal, ok := r.(memoryRefusal); ok {
		panic(refusal)
	}
	t.panic = panicError(r)
	panic(unwinding)
}

// recovered is the error of a panic that came out of wazero.
func (t *Thread) recovered(r any) error {
	if refusal, ok := r.(memoryRefusal); ok {
		return refusal.error
	}
	if t != nil && t.panic != nil {
		err := t.panic
		t.panic = nil
		return err
	}
	return panicError(r)
}

// fault maps the error of a call.
func (t *Thread) fault(err error) error {
	if p := t.panic; p != nil {
		t.panic = nil
		return p
	}
	return trapOf(err)
}

// Frames are the functions of a trap's wasm stack, innermost first, as the
// engine names them.
func (t *Trap) Frames() []string {
	_, trace, ok := strings.Cut(t.Cause.Error(), "wasm stack trace:\n")
	if !ok {
		return nil
	}
	var frames []string
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if name, _, ok := strings.Cut(line, "("); ok && name != "" {
			frames = append(frames, name)
		}
	}
	return frames
}

// Reason is the engine's own word for the trap.
func (t *Trap) Reason() string { return rootCause(t.Cause).Error() }
