// Package quickjs is the JavaScript guest: QuickJS, built from its source with
// a C shim of ours (c), and with a bootstrap in JavaScript (js) evaluated into
// its image. It implements [isolate.Guest].
package quickjs

import (
	"context"
	"crypto/sha256"
	"embed"

	"mayfly/guests/registry"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/runtime/wasm"
)

// memoryPages is the linear memory that the module declares: 512 MiB, which
// no life can exceed. Address space only; a life's own limit is Life's.
const memoryPages = 8192

// fuelPeriod is how many loop headers and calls lie between two yields: about
// a millisecond of plain interpreter work.
const fuelPeriod = 100_000

//go:embed c js package.json package-lock.json
var sources embed.FS

// Guest is the QuickJS guest. The zero value is ready to use.
type Guest struct{}

var _ isolate.Guest = Guest{}

// Name is "quickjs".
func (Guest) Name() string { return "quickjs" }

// Passes asks for metering and for the whole memory to be declared. The
// interpreter's dispatch loop polls by itself: every jump of a JavaScript loop
// and every call counts towards QuickJS's interrupt handler, which yields.
func (Guest) Passes() wasm.Options {
	return wasm.Options{Fuel: fuelPeriod, MemoryPages: memoryPages, Polling: []string{"JS_CallInternal"}}
}

// BootInputs are the bootstrap's scripts and the lock of the packages that
// they use.
func (Guest) BootInputs() []byte {
	digest := sha256.New()
	for _, name := range []string{"js", "package.json", "package-lock.json"} {
		registry.DigestTree(digest, sources, name)
	}
	return digest.Sum(nil)
}

// Boot initialises the interpreter, evaluates the bootstrap, collects garbage
// and seals the heap.
func (Guest) Boot(ctx context.Context, m isolate.Machine, cache string, progress isolate.Progress) error {
	modules, err := bootModules(ctx, cache, progress)
	if err != nil {
		return err
	}
	progress("evaluating the bootstrap", -1)
	return m.(*machine).boot(modules, bootEntry)
}

// Machine binds to an instance.
func (Guest) Machine(in engine.Instance) (isolate.Machine, error) { return newMachine(in) }
