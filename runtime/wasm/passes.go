package wasm

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Version changes when the passes' output for the same module may: whatever is
// kept of a rewritten module is keyed by it.
const Version = 3

// Options choose the passes of [Rewrite]. The zero value only lifts data
// segments and drops custom sections.
type Options struct {
	// Fuel counts the guest's work down from this number and calls the import
	// env.yield: () → () when it is used up. 0: no metering.
	Fuel int32
	// Polling names functions, by export or name section, whose own loops are
	// not counted, because the guest sees to it that none goes on for long
	// without calling env.yield or a function that is counted: an interpreter's
	// dispatch, in which each step would pay. Calls, recursion and bulk
	// operations in them are counted as anywhere. A name that the module lacks
	// is an error.
	Polling []string
	// MemoryPages declares the memory at exactly this many pages, minimum and
	// maximum, and makes memory.size and memory.grow virtual within it: they
	// work on the globals exported as GlobalPages and GlobalPagesLimit. 0:
	// the memory stays as it is.
	MemoryPages uint32
	// LowerExceptions turns exception handling into branches (exceptions.go).
	// Tags may carry one i32 or nothing; ref.is_null is refused.
	LowerExceptions bool
	// Exports lists globals to export by index, besides those of the passes.
	Exports map[string]uint32
}

// Names that the passes add and export.
const (
	GlobalFuel       = "mayfly_fuel"        // i32: what is left; yield is called at 0 or below
	GlobalPages      = "mayfly_pages"       // i32: what memory.size answers
	GlobalPagesLimit = "mayfly_pages_limit" // i32: memory.grow fails past it
	// GlobalException is, when an export has returned, the number + 1 of the
	// tag of an exception that the guest threw and did not catch, or 0. Then
	// the results are nothing, and the host has to restore the guest's state:
	// the exception went past frames that had something to clean up. i32.
	GlobalException = "mayfly_exception"
	// GlobalExceptionValue is what the last exception carried. i32.
	GlobalExceptionValue = "mayfly_exception_value"
	FunctionStart        = "mayfly_start" // what was the start function
)

// A Result is a rewritten module and what was taken out of it.
type Result struct {
	// Wasm is the module without data, start and custom sections.
	Wasm []byte
	// Image is the linear memory as instantiation would have left it, up to
	// its last byte that was given.
	Image []byte
	// MinPages and MaxPages are the limits that the memory was declared with;
	// MaxPages is 65,536 if no maximum was.
	MinPages, MaxPages uint32
	// Globals are the exports of all mutable globals that are part of the
	// guest's state: its own, GlobalPages, and those of exceptions, but neither
	// GlobalFuel nor GlobalPagesLimit, which belong to the host.
	Globals []string
	// Start is FunctionStart if the module had a start function, which the
	// host has to call; else empty.
	Start string
	// Functions are names by the function's index in Wasm, for stack traces;
	// empty where the module had none.
	Functions []string
}

// A pass changes functions. It is used by several goroutines at once.
type pass interface {
	// function appends the code of f, changed, to out. It may add locals.
	function(f *function, out []instruction) []instruction
}

// Rewrite applies the passes to a module. The result for the same module and
// options is always the same.
//
// # Errors
//
// ErrMalformed if the module can't be decoded; ErrUnsupported if it uses what
// the passes can't handle: imports other than functions, several or shared
// memories, passive data segments, legacy exceptions, garbage collection. A
// module that is decoded is not thereby valid: that is for the engine to say.
func Rewrite(wasm []byte, o Options) (*Result, error) {
	m, err := parse(wasm)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := m.rewrite(o, r); err != nil {
		return nil, err
	}
	return r, nil
}

func (m *module) rewrite(o Options, r *Result) (err error) {
	stage := ""
	defer catch(&err, func() string { return stage })
	own := len(m.bodies) // functions that are not the passes'
	var passes []pass

	stage = "data"
	m.lift(r)
	if o.LowerExceptions {
		// Before fuel: its analysis is by the numbers that functions have now,
		// and so are those of the calls that it looks up.
		stage = "exceptions"
		p, err := m.newExceptions(own)
		if err != nil {
			return err
		}
		passes = append(passes, p)
	}
	stage = "globals"
	m.exportGlobals(o.Exports, r)
	if o.MemoryPages > 0 {
		stage = "memory"
		m.checkGrowth(o.MemoryPages)
	}
	var metering *fuel
	if o.Fuel > 0 {
		// First: it changes the numbers of functions.
		stage = "fuel"
		metering = m.newFuel(o.Fuel, o.Polling, own)
		passes = append(passes, metering)
	} else if o.Fuel < 0 {
		unsupported("fuel of %d", o.Fuel)
	}
	if o.MemoryPages > 0 {
		stage = "memory"
		passes = append(passes, m.newGrowth(o.MemoryPages))
		r.Globals = append(r.Globals, GlobalPages)
	}
	stage = "code"
	if err := m.apply(passes, own); err != nil {
		return err
	}
	if metering != nil {
		metering.meterRecursion(own)
	}
	r.Functions = make([]string, len(m.imports)+len(m.functions))
	for x, name := range m.names {
		if int64(x) < int64(len(r.Functions)) {
			r.Functions[x] = name
		}
	}
	r.Wasm = m.encode()
	return nil
}

// apply runs the passes over the first n functions.
func (m *module) apply(passes []pass, n int) error {
	return inParallel(n, func() func(i int) error {
		var code, spare []instruction
		return func(i int) (err error) {
			f, err := m.decode(i, code)
			if err != nil {
				return err
			}
			defer catch(&err, func() string { return m.functionName(f.index) })
			for _, p := range passes {
				out := p.function(&f, spare[:0])
				f.code, spare = out, f.code
			}
			m.bodies[i] = f.encode()
			code = f.code
			return nil
		}
	})
}

// inParallel calls for each number below n, on all processors, a function
// that worker makes for each of them. It returns the error of the least
// number that has one.
func inParallel(n int, worker func() func(i int) error) error {
	const batch = 64
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make([]error, (n+batch-1)/batch)
	for range min(runtime.GOMAXPROCS(0), len(failed)) {
		wg.Go(func() {
			work := worker()
			for {
				end := int(next.Add(batch))
				start := end - batch
				if start >= n {
					return
				}
				for i := start; i < min(end, n); i++ {
					if err := work(i); err != nil {
						failed[start/batch] = err // the first of each batch
						break
					}
				}
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// named finds functions by export or name section.
func (m *module) named(names []string) map[uint32]bool {
	found := map[uint32]bool{}
	for _, name := range names {
		hit := false
		for _, e := range m.exports {
			if e.kind == externFunction && e.name == name {
				found[e.x], hit = true, true
			}
		}
		for x, known := range m.names {
			if known == name {
				found[x], hit = true, true
			}
		}
		if !hit {
			unsupported("no function is called %q", name)
		}
	}
	return found
}

// functionName names a function for errors.
func (m *module) functionName(x uint32) string {
	if name, ok := m.names[x]; ok {
		return fmt.Sprintf("function %d (%s)", x, name)
	}
	return fmt.Sprintf("function %d", x)
}
