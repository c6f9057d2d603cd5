package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Version is the version of the wazero module that go.mod pins and that the
// edits of runtime/engine/tune are made for. A test holds the three together.
const Version = "v1.12.0"

// Config configures an engine. The zero value works: no cache, and compiling
// on all processors.
type Config struct {
	// CacheDir keeps compiled code between processes; it is made if need be.
	// Several processes may share it. Empty: nothing is kept.
	CacheDir string
	// Workers is how many goroutines compile a trusted module. 0: GOMAXPROCS.
	// Other modules are compiled by the goroutine that calls Compile.
	Workers int
}

// Sentinels of this package, found by errors.Is in what its calls return.
var (
	// ErrClosed: the engine or the module has been closed.
	ErrClosed = errors.New("closed")
	// ErrMissingImport: the module imports what CompileOptions.Imports lacks,
	// or has it with another type.
	ErrMissingImport = errors.New("missing import")
	// ErrInvalidModule: the bytes aren't a valid module of WebAssembly Core
	// 2.0, or one that the engine can't compile.
	ErrInvalidModule = errors.New("invalid module")
	// ErrMemorySize: the memory given to Instantiate isn't a whole number of
	// pages, is smaller than the module declares, or is larger than the engine
	// can keep a guest in: 2 GiB, or 4 GiB less a page in the tuned engine.
	ErrMemorySize = errors.New("memory does not fit the module")
	// ErrNoExport: the module has no such export, or it is of another kind.
	ErrNoExport = errors.New("no such export")
)

// An Error says which call of this package failed, and on what.
type Error struct {
	Op   string // "compile", "instantiate", "function", "global"
	Name string // the import or export, if the error is about one
	Err  error
}

func (e *Error) Error() string {
	if e.Name == "" {
		return "engine: " + e.Op + ": " + e.Err.Error()
	}
	return "engine: " + e.Op + " " + e.Name + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns the wazero engine.
//
// # Errors
//
// The cache directory can't be made.
func New(config Config) (Engine, error) {
	e := &wazeroEngine{config: config, modules: map[*wazeroModule]struct{}{}}
	if e.config.Workers <= 0 {
		e.config.Workers = runtime.GOMAXPROCS(0)
	}
	if config.CacheDir != "" {
		if err := os.MkdirAll(config.CacheDir, 0o700); err != nil {
			return nil, &Error{Op: "cache", Err: err}
		}
		e.cache = &codeCache{dir: config.CacheDir}
		e.cache.sweep()
	}
	return e, nil
}

type wazeroEngine struct {
	config Config
	cache  *codeCache // nil: none

	mu      sync.Mutex
	modules map[*wazeroModule]struct{} // nil after Close
}

func (e *wazeroEngine) Info() Info {
	return Info{Name: "wazero", Version: Version, Tuned: tuned}
}

// Compile gives every module its own wazero runtime. wazero finds imports by
// module name within a runtime, so two modules with different host functions
// under the name "env" can't share one; and the entry of the cache that is
// verified for a module is the only one that its runtime can read.
func (e *wazeroEngine) Compile(ctx context.Context, wasm []byte, options CompileOptions) (Module, error) {
	e.mu.Lock()
	closed := e.modules == nil
	e.mu.Unlock()
	if closed {
		return nil, &Error{Op: "compile", Err: ErrClosed}
	}
	if err := checkSections(wasm); err != nil {
		return nil, &Error{Op: "compile", Err: err}
	}
	unchecked := tuned && options.Trusted
	workers := 1 // a panic of the compiler on a hostile module stays on this goroutine, where it is recovered
	if options.Trusted {
		workers = e.config.Workers
	}
	ctx = experimental.WithCompilationWorkers(ctx, workers)
	if unchecked {
		ctx = withUncheckedMemory(ctx)
	}
	m, err := e.compileCached(ctx, wasm, unchecked, options.Missing)
	if err != nil {
		return nil, &Error{Op: "compile", Err: err}
	}
	m.engine, m.unchecked = e, unchecked
	if err := m.link(ctx, options.Imports); err != nil {
		return nil, errors.Join(err, m.release())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.modules == nil {
		return nil, errors.Join(&Error{Op: "compile", Err: ErrClosed}, m.release())
	}
	e.modules[m] = struct{}{}
	return m, nil
}

// compileCached compiles with the code cache, if there is one.
func (e *wazeroEngine) compileCached(ctx context.Context, wasm []byte, unchecked bool, missing func() error) (*wazeroModule, error) {
	if e.cache == nil {
		return compile(ctx, wasm, "")
	}
	key := cacheKey(wasm, unchecked)
	ctx = withModuleDigest(ctx, key)
	if m := e.cached(ctx, wasm, key); m != nil {
		return m, nil
	}
	if missing != nil {
		if err := missing(); err != nil {
			return nil, err
		}
		if m := e.cached(ctx, wasm, key); m != nil {
			return m, nil
		}
	}
	entry, err := e.cache.create(key)
	if err != nil {
		return nil, err
	}
	m, err := compile(ctx, wasm, entry.dir)
	if err != nil {
		entry.remove()
		return nil, err
	}
	if err := entry.commit(); err != nil {
		return nil, errors.Join(err, m.release())
	}
	return m, nil
}

// cached is the module from its entry in the cache; nil if there is none that
// is whole.
func (e *wazeroEngine) cached(ctx context.Context, wasm []byte, key string) *wazeroModule {
	entry := e.cache.lookup(key)
	if entry == nil {
		return nil
	}
	m, err := compile(ctx, wasm, entry.dir)
	if err != nil {
		entry.remove()
		return nil
	}
	// wazero adds to the entry when the processor's features differ from those
	// that the code was compiled for.
	entry.update()
	return m
}

// compile compiles in a runtime of its own, with compiled code kept below dir.
func compile(ctx context.Context, wasm []byte, dir string) (*wazeroModule, error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithDebugInfoEnabled(false) // the passes drop DWARF; a hostile one needn't be parsed
	m := &wazeroModule{}
	if dir != "" {
		var err error
		if m.cache, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
			return nil, err
		}
		config = config.WithCompilationCache(m.cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	var err error
	if m.compiled, err = compileRecovering(ctx, m.runtime, wasm); err != nil {
		if ctx.Err() == nil && !isFileError(err) {
			err = fmt.Errorf("%w: %w", ErrInvalidModule, err)
		}
		return nil, errors.Join(err, m.release())
	}
	return m, nil
}

// compileRecovering makes a panic of the compiler an error.
func compileRecovering(ctx context.Context, r wazero.Runtime, wasm []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &HostPanic{Value: p, Stack: debug.Stack()}
		}
	}()
	return r.CompileModule(ctx, wasm)
}

// isFileError tells a failure to keep compiled code from a fault of the module.
func isFileError(err error) bool {
	var path *os.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link)
}

func (e *wazeroEngine) Close() error {
	e.mu.Lock()
	modules := e.modules
	e.modules = nil
	e.mu.Unlock()
	var errs []error
	for m := range modules {
		errs = append(errs, m.release())
	}
	return errors.Join(errs...)
}

// forget is called when a module is closed before its engine.
func (e *wazeroEngine) forget(m *wazeroModule) {
	e.mu.Lock()
	delete(e.modules, m) // a no-op on nil
	e.mu.Unlock()
}
