package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// wazeroModule is compiled code, alone in its wazero runtime but for the host
// modules it imports from.
type wazeroModule struct {
	engine    *wazeroEngine
	runtime   wazero.Runtime
	cache     wazero.CompilationCache // nil: none
	compiled  wazero.CompiledModule
	unchecked bool // compiled without bounds checks

	closed      atomic.Bool
	releaseOnce sync.Once
	releaseErr  error
}

// instanceConfig is that of every instance. Without a source of randomness
// wazero would seed one per instance, which takes 17 % of an instantiation;
// nothing reads from it, since WASI is ours. Anonymous modules don't collide.
var instanceConfig = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)

// link makes the host modules that the module imports from.
func (m *wazeroModule) link(ctx context.Context, imports []Import) error {
	type key struct{ module, name string }
	given := make(map[key]Import, len(imports))
	for _, i := range imports {
		k := key{i.Module, i.Name}
		if _, ok := given[k]; ok {
			return &Error{Op: "compile", Name: i.Module + "." + i.Name, Err: errors.New("import given twice")}
		}
		given[k] = i
	}
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range m.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		i, ok := given[key{module, name}]
		if !ok {
			return &Error{Op: "compile", Name: module + "." + name, Err: ErrMissingImport}
		}
		params, results := wazeroTypes(i.Params), wazeroTypes(i.Results)
		if !slices.Equal(params, f.ParamTypes()) || !slices.Equal(results, f.ResultTypes()) {
			return &Error{Op: "compile", Name: module + "." + name, Err: fmt.Errorf("%w of type %v → %v", ErrMissingImport,
				typeNames(f.ParamTypes()), typeNames(f.ResultTypes()))}
		}
		b := builders[module]
		if b == nil {
			b = m.runtime.NewHostModuleBuilder(module)
			builders[module] = b
		}
		b.NewFunctionBuilder().WithGoFunction(newHostFunction(i), params, results).Export(name)
	}
	for module, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return &Error{Op: "compile", Name: module, Err: err}
		}
	}
	return nil
}

func wazeroTypes(types []ValueType) []api.ValueType {
	out := make([]api.ValueType, len(types))
	for i, t := range types {
		out[i] = api.ValueType(t)
	}
	return out
}

func typeNames(types []api.ValueType) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = api.ValueTypeName(t)
	}
	return out
}

// maxMemory is how large a memory may be, in bytes. On amd64 stock wazero 1.12
// takes a constant address for a signed number when it is used again after a
// call, having checked it as an unsigned one: in a memory past 2 GiB a guest
// would reach what lies 4 GiB before. The tuned engine corrects that; there, as
// wazero keeps the length in 32 bits, the last page of 4 GiB is out of reach.
var maxMemory = func() int {
	if tuned {
		return 4<<30 - PageSize
	}
	return 2 << 30
}()

func (m *wazeroModule) Instantiate(ctx context.Context, memory Memory) (Instance, error) {
	in := &wazeroInstance{}
	if memory != nil {
		bytes := memory.Bytes()
		if len(bytes) == 0 || len(bytes)%PageSize != 0 || len(bytes) > maxMemory {
			return nil, &Error{Op: "instantiate", Err: fmt.Errorf("%w: %d bytes", ErrMemorySize, len(bytes))}
		}
		in.given = bytes[:len(bytes):len(bytes)]
	}
	if m.unchecked && (memory == nil || !memory.Windowed()) {
		return nil, &Error{Op: "instantiate", Err: ErrNoWindow}
	}
	if m.closed.Load() {
		return nil, &Error{Op: "instantiate", Err: ErrClosed}
	}
	if err := m.instantiate(ctx, in); err != nil {
		return nil, &Error{Op: "instantiate", Err: err}
	}
	return in, nil
}

// instantiate catches the panic by which the instance, as the allocator of its
// own memory, refuses one (wazero's allocators have no other way to fail), and
// those of wazero itself.
func (m *wazeroModule) instantiate(ctx context.Context, in *wazeroInstance) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if refusal, ok := r.(memoryRefusal); ok {
				err = refusal.error
			} else {
				err = &HostPanic{Value: r, Stack: debug.Stack()}
			}
		}
	}()
	in.module, err = m.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, in), m.compiled, instanceConfig)
	return err
}

func (m *wazeroModule) Close() error {
	m.engine.forget(m)
	return m.release()
}

// release frees the code, once.
func (m *wazeroModule) release() error {
	m.closed.Store(true)
	m.releaseOnce.Do(func() {
		ctx := context.Background()
		m.releaseErr = m.runtime.Close(ctx)
		if m.cache != nil {
			m.releaseErr = errors.Join(m.releaseErr, m.cache.Close(ctx))
		}
	})
	return m.releaseErr
}
