package webassembly

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// Bounds of one isolate.
const (
	maxObjects   = 1 << 20  // handles are numbers below it
	maxHostBytes = 64 << 20 // what instances take on the host, about
	maxElements  = 4 << 20  // of all tables; 8 bytes each
	maxModules   = 64 << 20 // bytes of modules in use
	maxDepth     = 200      // of calls into a space, through the guest
	maxStacks    = 64 << 20 // bytes of stacks in use when another call begins
	keepFuncs    = 256      // functions whose stacks are kept for the next call
	keepStack    = 64 << 10 // bytes of a stack that is kept
)

// A Guest is the isolate that a store belongs to.
type Guest interface {
	// Nested enters the guest in the middle of an operation.
	Nested(function uint32, message []byte) []byte
	// Memory is the guest's linear memory.
	Memory() []byte
	// Yield checks limits, and may unwind the guest.
	Yield()
	// Aside does long work on another goroutine.
	Aside(work func())
	// CPU is the processor time that the event has used so far.
	CPU() time.Duration
}

// Functions of the guest that Nested calls (guests/quickjs/c/wasm.h).
const (
	nestedImport = 1 // f64 import id, 8 bytes for each argument → u64 thrown, 8 bytes for each result
	nestedMemory = 2 // u32 id or newMemory, u32 bytes → u32 id, u32 address (0: no)
	newMemory    = math.MaxUint32
	noMemory     = math.MaxUint32 // as a size: the guest may free it
)

// Options configure a Store.
type Options struct {
	Compiler *Compiler
	// CPU is the processor time that the isolate may use in all; 0: no limit.
	CPU time.Duration
	// Exceeded ends the isolate for want of processor time. It does not return.
	Exceeded func()
}

// A Store has what one isolate has of WebAssembly. It is not safe for
// concurrent use.
type Store struct {
	options Options
	guest   Guest
	space   *space // acquired with the first operation
	thread  engine.Thread
	epoch   uint32 // in every handle

	objects  []object
	free     []uint32 // places in objects
	hostSize int
	elements int // of all tables
	modules  int // bytes

	references map[uint64]*function // by what the engine calls them
	fresh      []*instance          // whose references aren't there yet
	active     []*engine.PartFunc   // calls under way
	kept       int                  // functions that keep one
}

// object is what a handle means.
type object interface{ close(s *Store) error }

// NewStore makes an empty store.
func NewStore(guest Guest, options Options) *Store {
	s := &Store{options: options, guest: guest}
	s.thread.Data = s
	return s
}

// open acquires what a store needs when it is first used.
func (s *Store) open() error {
	if s.space != nil {
		return nil
	}
	space, err := s.options.Compiler.acquire()
	if err != nil {
		return err
	}
	var epoch [4]byte
	rand.Read(epoch[:]) // never fails
	s.space, s.epoch = space, binary.LittleEndian.Uint32(epoch[:])|1
	return nil
}

// Close lets go of everything. The isolate has ended.
func (s *Store) Close() error {
	if s.space == nil {
		return nil
	}
	var errs []error
	for _, o := range s.objects {
		if o != nil {
			errs = append(errs, o.close(s))
		}
	}
	errs = append(errs, s.options.Compiler.release(s.space))
	s.objects, s.space = nil, nil
	return errors.Join(errs...)
}

// Instantiated says whether there is anything but modules, which can be compiled
// again from their bytes.
func (s *Store) Instantiated() bool {
	for _, o := range s.objects {
		if _, module := o.(*module); o != nil && !module {
			return true
		}
	}
	return false
}

// add gives an object its handle.
func (s *Store) add(o object) (handle, error) {
	var x uint32
	switch n := len(s.free); {
	case n > 0:
		x = s.free[n-1]
		s.free = s.free[:n-1]
		s.objects[x] = o
	case len(s.objects) >= maxObjects:
		return 0, refuse(rangeError, "too many WebAssembly objects")
	default:
		x = uint32(len(s.objects))
		s.objects = append(s.objects, o)
	}
	return handle(uint64(s.epoch)<<20 | uint64(x)), nil
}

// A handle is an object's place and the store's epoch. In messages it is a
// float, so that JavaScript can hold it; among a call's values an integer.
type handle uint64

func (h handle) float() float64 { return float64(h) }

// errGone is thrown for what belongs to an event that has ended.
var errGone = refuse(runtimeError, "this WebAssembly object ended with the event that made it (an earlier cell, or the program's preparation): instances, tables and globals are not kept, make them again")

// frameName is what a trap's message calls a function: as the engine does, but
// for the module's own name, which is empty.
func frameName(name string) string {
	if name = strings.TrimPrefix(name, "."); strings.HasPrefix(name, "$") {
		return "function " + name[1:]
	}
	return name
}

// find is the object of a handle.
func find[T object](s *Store, h handle) (o T, err error) {
	if uint32(h>>20) != s.epoch {
		return o, errGone
	}
	x := uint64(h) & (maxObjects - 1)
	if x < uint64(len(s.objects)) {
		if o, ok := s.objects[x].(T); ok {
			return o, nil
		}
	}
	return o, refuse(typeError, "no such WebAssembly object")
}

func findFloat[T object](s *Store, f float64) (o T, err error) {
	if !(f >= 0 && f < 1<<52) {
		return o, refuse(typeError, "no such WebAssembly object")
	}
	return find[T](s, handle(f))
}

// charge accounts for what an object takes on the host.
func (s *Store) charge(bytes int) error {
	if s.hostSize+bytes > maxHostBytes {
		return refuse(rangeError, "WebAssembly instances take more than %d MiB on the host", maxHostBytes>>20)
	}
	s.hostSize += bytes
	return nil
}

// Call answers a synchronous operation, as isolate.Host does. An error is an
// [*op.ErrorRecord], or a bug of the host.
func (s *Store) Call(o op.Op, in, out []byte) ([]byte, error) {
	err := s.open()
	if err != nil {
		return nil, err
	}
	w := op.NewWriter(out)
	switch o {
	case op.WasmCompile:
		err = s.compile(op.NewReader(in), w)
	case op.WasmInstantiate:
		err = s.instantiate(op.NewReader(in), w)
	case op.WasmCall:
		var answer []byte
		if answer, err = s.call(in, out); err == nil {
			return answer, nil
		}
	case op.WasmObject:
		err = s.object(op.NewReader(in), w)
	default:
		err = op.ErrMessage
	}
	if err == nil {
		return w.Message(), nil
	}
	var r *refusal
	if errors.As(err, &r) {
		return nil, &op.ErrorRecord{Name: r.name, Code: r.code, Message: r.message}
	}
	return nil, err
}

// result makes the error of a call into a space the program's own, or unwinds
// the guest.
func (s *Store) result(err error) error {
	if err == nil {
		return nil
	}
	var stop engine.Stop
	if errors.As(err, &stop) {
		var thrown *refusal
		if errors.As(stop.Cause, &thrown) {
			return thrown
		}
		panic(stop)
	}
	var trap *engine.Trap
	if errors.As(err, &trap) {
		return s.trapped(trap)
	}
	var bug *engine.HostPanic
	if errors.As(err, &bug) {
		panic(bug)
	}
	return err
}

// trapped is a trap as JavaScript gets it.
func (s *Store) trapped(trap *engine.Trap) error {
	if trap.Code == engine.TrapStackOverflow {
		return refuse(rangeError, "Maximum call stack size exceeded")
	}
	message := trap.Reason()
	if known, ok := trapMessages[message]; ok {
		message = known
	}
	if frames := trap.Frames(); len(frames) > 0 {
		for i, f := range frames {
			if i == maxFrames {
				break
			}
			if i == 0 {
				message += " (in "
			} else {
				message += ", called by "
			}
			message += frameName(f)
		}
		message += ")"
	}
	return refuse(runtimeError, "%s", message)
}

// maxFrames is how many functions a trap's message names.
const maxFrames = 4

// trapMessages are the engine's words in those that others use.
var trapMessages = map[string]string{
	"out of bounds memory access":   "memory access out of bounds",
	"integer divide by zero":        "divide by zero",
	"integer overflow":              "integer overflow",
	"invalid conversion to integer": "float unrepresentable in integer range",
	"invalid table access":          "table index is out of bounds, or the element is null",
	"indirect call type mismatch":   "null function or function signature mismatch",
	"unreachable":                   "unreachable",
}

// meterFunctions are what every metered module imports.
var meterFunctions = []engine.SpaceFunc{
	{Name: wasm.MeterYield, Func: func(t *engine.Thread, _ []uint64) { t.Data.(*Store).guest.Yield() }},
	{Name: wasm.MeterTable, Params: []engine.ValueType{engine.I32, engine.I32}, Results: []engine.ValueType{engine.I32},
		Func: func(t *engine.Thread, stack []uint64) {
			s, n, done := t.Data.(*Store), uint32(stack[0]), stack[1] != 0
			if done {
				s.elements += int(n)
			} else if !s.room(n) {
				stack[0] = math.MaxUint32
			}
		}},
}

// room says whether tables may have n elements more.
func (s *Store) room(n uint32) bool { return int64(s.elements)+int64(n) <= maxElements }
