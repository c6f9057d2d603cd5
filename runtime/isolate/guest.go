package isolate

import (
	"context"
	"time"

	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

// A Guest is a language: it knows how its interpreter is fetched, built and
// booted, and how to speak its ABI. Nothing else knows which language runs.
// It is safe for concurrent use.
type Guest interface {
	// Name is the guest's name, as "quickjs".
	Name() string
	// Wasm is the interpreter's module as it was built, before the passes:
	// fetched and built at need into the cache directory, content-addressed.
	Wasm(ctx context.Context, cache string, progress Progress) ([]byte, error)
	// Passes are the passes that the module needs.
	Passes() wasm.Options
	// Imports are the host functions of the module. They find the isolate
	// that calls by in.Data().(Port).
	Imports() []engine.Import
	// Machine binds to an instance whose memory holds the stage-0 image or a
	// captured one. It must not touch the guest's state.
	Machine(in engine.Instance) (Machine, error)
	// Boot runs once, on the stage-0 image: it initialises the interpreter,
	// evaluates what is warm in every isolate, collects garbage. The memory
	// is captured afterwards.
	Boot(ctx context.Context, m Machine, cache string, progress Progress) error
	// BootInputs are what Boot depends on besides the module (scripts,
	// package locks): part of the image's key.
	BootInputs() []byte
}

// Progress reports a step of preparation: its name and how far it is, from 0
// to 1, or negative while that is not known.
type Progress func(step string, done float64)

// A Status is what a turn leaves behind.
type Status int

const (
	// Done: nothing is pending; the event has been answered.
	Done Status = iota
	// Pending: operations are under way, and their completion has more to run.
	Pending
)

// A Machine is a guest in one instance. It is not safe for concurrent use.
// Every method but Used is a turn or part of one: its error is what
// engine.Function.Call gave, after which the instance is discarded.
type Machine interface {
	// Begin prepares a clone for its one life, or for the next event of a state
	// that was kept: fresh randomness, limits.
	Begin(life Life) error
	// Event delivers an event (host/op lists the kinds) and runs until there
	// is nothing to do.
	Event(kind uint32, message []byte) (Status, error)
	// Settle completes operation id and runs until there is nothing to do. An
	// id that is not pending is ignored; 0 never is.
	Settle(id uint32, ok bool, message []byte) (Status, error)
	// Fuel is the counter that the fuel pass counts down. A guest has to be
	// metered.
	Fuel() engine.Global
	// HeapTop is the end of the heap in bytes from the start of memory.
	HeapTop() (uint32, error)
	// Close lets go of the instance, which is closed next.
	Close() error
}

// An Interrupter is a Machine whose guest can be told, while it runs, that it
// was interrupted, so that it may end its event by itself.
type Interrupter interface {
	// Interrupt has the guest notice as soon as it goes on. It is called in the
	// middle of a turn, by Yield, Wait and Pause of the port, which then return
	// at once; or between two turns, and is followed by Settle with the id 0,
	// that of no operation. It may be called several times in one event. What
	// it leaves in memory must not outlive the event: Begin clears it.
	Interrupt() error
}

// Life is what a clone is told at its start.
type Life struct {
	Seed        uint64 // for generators that need no strength (Math.random)
	MemoryBytes uint32 // the heap may not grow by more than this from what it is now
	Resumed     bool   // it goes on from a state that is its own: what the program has seeded stays
}

// Port is what a guest's host functions find as the instance's data.
type Port interface {
	// Yield is called when fuel has run out. It returns, or unwinds the guest.
	Yield()
	// Call answers a synchronous operation. in is valid during the call only.
	// The answer is appended to out[:0] if it fits there, else allocated; it
	// is valid until the next Call. ok is false for an error record.
	Call(op uint32, in, out []byte) (answer []byte, ok bool)
	// Start begins an asynchronous operation, to be settled under id.
	Start(op, id uint32, in []byte)
	// Wait is for a guest that can't return from its turn to wait: it blocks,
	// without holding a processor, until an operation has settled, which it
	// hands over, or d has passed. A negative d waits as long as something is
	// pending; more is false if nothing has settled, as after an interrupt. It
	// may unwind the guest.
	Wait(d time.Duration) (s Settlement, more bool)
	// Pause blocks for d without holding a processor, whatever settles. An
	// interrupt ends it.
	Pause(d time.Duration)
	// Host is what answers Call: imports that are no operations find theirs
	// by it, as those of a system interface.
	Host() any
}

// DeliveryID is the ID of a Settlement that is none, but an event that is
// delivered to a resident while its guest waits in the middle of a turn: the
// message is the event's kind, a little-endian u32, and its message. What the
// guest does from then on, until Wait hands over something else, is the event's.
const DeliveryID = 1<<32 - 1

// A Settlement is the end of an asynchronous operation: its answer, or an
// error record if OK is false.
type Settlement struct {
	ID      uint32
	OK      bool
	Message []byte
}
