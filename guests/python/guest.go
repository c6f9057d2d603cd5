// Package python is the Python guest: CPython with the scientific packages
// linked in, as a package of the Python index carries it, taken over by an
// agent of ours in Python (agent/_mayfly) that is imported into its image. It
// implements [isolate.Guest].
package python

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"

	"mayfly/guests/registry"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/runtime/wasm"
)

// memoryPages is the linear memory that the module declares: 1 GiB, which no
// life can exceed, its image included. Address space only; a life's own limit
// is Life's.
const memoryPages = 16384

// fuelPeriod is how many loop headers and calls lie between two yields: a tenth
// of a millisecond to 4 of the interpreter's work.
const fuelPeriod = 25_000

//go:embed agent/_mayfly/*.py
var sources embed.FS

// Guest is the Python guest. The zero value is ready to use.
type Guest struct{}

var _ isolate.Guest = Guest{}

// Name is "python".
func (Guest) Name() string { return "python" }

// Passes asks for all passes. The stack pointer, which the module does not
// export, is global 0.
func (Guest) Passes() wasm.Options {
	return wasm.Options{
		LowerExceptions: true, Fuel: fuelPeriod, MemoryPages: memoryPages,
		Exports: map[string]uint32{"__stack_pointer": 0},
	}
}

// BootInputs are the agent's sources, the lock that names the standard library,
// and how it is laid out and booted.
func (Guest) BootInputs() []byte {
	digest := sha256.New()
	fmt.Fprintln(digest, libraryFormat, bootEnvironment, bootSteps)
	digest.Write(lockText)
	registry.DigestTree(digest, sources, "agent")
	return digest.Sum(nil)
}

// Machine binds to an instance.
func (Guest) Machine(in engine.Instance) (isolate.Machine, error) { return newMachine(in) }

// Boot initialises the interpreter, imports the agent and what it warms up, and
// collects garbage.
func (Guest) Boot(ctx context.Context, m isolate.Machine, cache string, progress isolate.Progress) error {
	layer, err := Layer(ctx, cache, progress)
	if err != nil {
		return err
	}
	return m.(*machine).boot(layer, progress)
}
