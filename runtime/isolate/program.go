package isolate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"mayfly/runtime/engine"
	"mayfly/runtime/snapshot"
)

// A Program is a guest made ready: compiled code and a warm image, of which
// isolates are clones. It is safe for concurrent use.
type Program struct {
	guest       Guest
	module      engine.Module
	image       *snapshot.Image
	options     snapshot.MemoryOptions
	size        int64    // of the declared memory, bytes
	memoryBytes uint32   // of it that are left above the image
	globals     []string // the module's mutable globals, by export name
	fuel        int32    // between two yields
	derived     bool     // module belongs to another program
	closed      atomic.Bool
	spares      spares
}

// Prepare makes a guest ready: fetches and builds its module if need be,
// passes it through the passes, compiles it, boots it once and captures its
// image. Whatever of it the cache holds is taken from there, checked by digest.
func Prepare(ctx context.Context, e engine.Engine, guest Guest, cache string, progress Progress) (*Program, error) {
	p, err := prepare(ctx, e, guest, cache, progress)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", guest.Name(), err)
	}
	return p, nil
}

func prepare(ctx context.Context, e engine.Engine, guest Guest, cache string, progress Progress) (*Program, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	progress("loading "+guest.Name(), -1)
	built, err := guest.Wasm(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	passes := guest.Passes()
	if passes.MemoryPages == 0 {
		return nil, errors.New("the memory's size must be declared")
	}
	var lock cacheLock
	defer lock.release()
	path := rewritingPath(guest.Name(), built, passes, cache)
	rewritten, err := loadRewriting(path)
	kept := err == nil
	if !kept {
		// One process compiles, others wait for what it keeps.
		if err := lock.take(ctx, cache, guest.Name()); err != nil {
			return nil, err
		}
		rewritten, err = loadRewriting(path)
		kept = err == nil
	}
	if !kept {
		if rewritten, err = rewrite(built, passes); err != nil {
			return nil, err
		}
	}
	built = nil
	if rewritten.Start != "" {
		return nil, errors.New("the module has a start function; a guest boots by its exports")
	}
	p := &Program{guest: guest, fuel: passes.Fuel, size: int64(passes.MemoryPages) * engine.PageSize, globals: rewritten.Globals}

	// Without a window for its memory a module needs its bounds checks.
	stage0, err := snapshot.NewImage(snapshot.Digest{}, rewritten.image, nil)
	if err != nil {
		return nil, err
	}
	defer stage0.Close()
	probe, err := snapshot.NewMemory(stage0, p.size, p.options)
	if err != nil {
		return nil, err
	}
	defer probe.Close()

	progress("compiling "+guest.Name(), -1)
	p.module, err = e.Compile(ctx, rewritten.wasm, engine.CompileOptions{
		Trusted: probe.Windowed(), Imports: guest.Imports(),
		Missing: func() error { return lock.take(ctx, cache, guest.Name()) },
	})
	if err != nil {
		return nil, err
	}
	if !kept { // only now, so that whoever finds it finds the code too
		if err := rewritten.store(path); err != nil {
			return nil, errors.Join(err, p.module.Close())
		}
	}
	digest := p.digest(rewritten.Digest)
	path = filepath.Join(cache, "images", fmt.Sprintf("%s-%s.image", guest.Name(), digest))
	if p.image, err = snapshot.Load(path, digest); err == nil {
		return p.ready()
	}
	if err := lock.take(ctx, cache, guest.Name()); err != nil {
		return nil, errors.Join(err, p.module.Close())
	}
	if p.image, err = snapshot.Load(path, digest); err == nil {
		return p.ready()
	}
	progress("booting "+guest.Name(), -1)
	if p.image, err = p.boot(ctx, probe, digest, cache, progress); err != nil {
		return nil, errors.Join(err, p.module.Close())
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := p.image.WriteFile(path); err != nil {
		return nil, err
	}
	return p.ready()
}

// imageVersion is part of the key of images: it changes when the way they are
// made does.
const imageVersion = 2

// digest names what an image depends on.
func (p *Program) digest(module snapshot.Digest) snapshot.Digest {
	h := sha256.New()
	inputs := p.guest.BootInputs()
	fmt.Fprintf(h, "image %d of %s, memory %d, module %s, inputs %d\n", imageVersion, p.guest.Name(), p.size, module, len(inputs))
	h.Write(inputs)
	return snapshot.Digest(h.Sum(nil))
}

// boot runs the guest up to its warm state and captures it.
func (p *Program) boot(ctx context.Context, memory *snapshot.Memory, digest snapshot.Digest, cache string, progress Progress) (*snapshot.Image, error) {
	instance, err := p.module.Instantiate(ctx, memory)
	if err != nil {
		return nil, err
	}
	defer instance.Close()
	instance.SetData(Port(BootPort{}))
	machine, err := p.guest.Machine(instance)
	if err != nil {
		return nil, err
	}
	defer machine.Close()
	if err := p.guest.Boot(ctx, machine, cache, progress); err != nil {
		return nil, err
	}
	globals, err := p.readGlobals(instance)
	if err != nil {
		return nil, err
	}
	// All that the guest left is in the image, so that its heap begins clean.
	return snapshot.NewImage(digest, used(memory.Bytes()), globals)
}

// readGlobals are the values of an instance's globals.
func (p *Program) readGlobals(instance engine.Instance) ([]snapshot.Global, error) {
	globals := make([]snapshot.Global, len(p.globals))
	for i, name := range p.globals {
		g, err := instance.Global(name)
		if err != nil {
			return nil, err
		}
		globals[i] = snapshot.Global{Name: name, Bits: g.Get()}
	}
	return globals, nil
}

// used is memory without the zeros at its end, in whole pages.
func used(memory []byte) []byte {
	end := len(memory)
	for end > 0 && memory[end-1] == 0 {
		end--
	}
	return memory[:(end+engine.PageSize-1)/engine.PageSize*engine.PageSize]
}

func (p *Program) ready() (*Program, error) {
	p.memoryBytes = uint32(p.size - p.image.Len())
	return p, nil
}

// Digest names the warm image, in hexadecimal.
func (p *Program) Digest() string { return p.image.Digest().String() }

// ImageBytes is how many bytes of memory the warm image holds.
func (p *Program) ImageBytes() int64 { return p.image.Stored() }

// Name is the guest's name.
func (p *Program) Name() string { return p.guest.Name() }

// Close releases the image, and the code unless the program was derived. No
// isolate of it may be left. Clean slots go when their processor is next used.
func (p *Program) Close() error {
	p.closed.Store(true)
	programsClosed.Add(1)
	err := errors.Join(p.spares.close(), p.image.Close())
	if !p.derived {
		err = errors.Join(err, p.module.Close())
	}
	return err
}

// programsClosed counts the programs that were closed: a processor that has
// seen fewer looks through its clean slots.
var programsClosed atomic.Int64

// capture copies what a slot's life has changed.
func (p *Program) capture(s *slot) (*snapshot.Delta, error) {
	globals, err := p.readGlobals(s.instance)
	if err != nil {
		return nil, err
	}
	return s.memory.Capture(globals)
}

// keep makes a state of what a slot's life has left.
func (p *Program) keep(s *slot) (*State, error) {
	delta, err := p.capture(s)
	if err != nil {
		return nil, err
	}
	return newState(p, delta), nil
}

// keepReset is keep and then reset, for less than both. With an error and no state
// the slot is as before; with one it has to be closed.
func (p *Program) keepReset(s *slot) (*State, int64, error) {
	globals, err := p.readGlobals(s.instance)
	if err != nil {
		return nil, 0, err
	}
	delta, changed, err := s.memory.CaptureReset(globals)
	if delta == nil {
		return nil, 0, err
	}
	s.resetGlobals()
	return newState(p, delta), changed, err
}

// fits says if slots of the program can start from a delta.
func (p *Program) fits(d *snapshot.Delta) error {
	if err := d.Fits(p.image); err != nil {
		return err
	}
	same := func(a, b snapshot.Global) bool { return a.Name == b.Name }
	if !slices.EqualFunc(d.Globals, p.image.Globals(), same) {
		return fmt.Errorf("%w: it has other globals", ErrForeignState)
	}
	return nil
}

// derive makes a program of the state that a slot is in.
func (p *Program) derive(s *slot) (*Program, error) {
	delta, err := p.capture(s)
	if err != nil {
		return nil, err
	}
	defer delta.Close()
	return p.with(delta)
}

// Derived is a program whose isolates are clones of a state, which has to be one
// of the program's: where many start from it that is cheaper than a state that
// each applies. Close it when no isolate of it is left; it doesn't outlive the
// one that it was derived from.
func (p *Program) Derived(s *State) (*Program, error) {
	delta, done, err := s.use()
	if err == nil {
		defer done()
		err = p.fits(delta)
	}
	if err != nil {
		return nil, stateError("derive from", err)
	}
	return p.with(delta)
}

// with makes a program of the image with a delta applied.
func (p *Program) with(delta *snapshot.Delta) (*Program, error) {
	d := &Program{guest: p.guest, module: p.module, options: p.options, size: p.size, globals: p.globals, fuel: p.fuel, derived: true}
	var err error
	if d.image, err = p.image.With(delta); err != nil {
		return nil, err
	}
	return d.ready()
}

// newSlot makes a clean slot.
func (p *Program) newSlot() (*slot, error) {
	memory, err := snapshot.NewMemory(p.image, p.size, p.options)
	if err != nil {
		return nil, err
	}
	instance, err := p.module.Instantiate(context.Background(), memory)
	if err != nil {
		return nil, errors.Join(err, memory.Close())
	}
	s := &slot{memory: memory, instance: instance}
	for _, want := range p.image.Globals() {
		g, err := instance.Global(want.Name)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		g.Set(want.Bits)
		s.globals = append(s.globals, g)
		s.values = append(s.values, want.Bits)
	}
	if s.machine, err = p.guest.Machine(instance); err != nil {
		return nil, errors.Join(err, s.close())
	}
	// A clone starts with all its fuel, whatever the one before left.
	s.globals = append(s.globals, s.machine.Fuel())
	s.values = append(s.values, uint64(uint32(p.fuel)))
	return s, nil
}

// BootPort is what a guest can reach while it boots: nothing that would be in
// the image and must not be, as time and randomness. Guests embed it in a port
// of their own to answer more.
type BootPort struct{}

var _ Port = BootPort{}

// Yield does nothing.
func (BootPort) Yield() {}

// Call unwinds the guest.
func (BootPort) Call(uint32, []byte, []byte) ([]byte, bool) { panic(engine.Stop{Cause: errBooting}) }

// Start unwinds the guest.
func (BootPort) Start(uint32, uint32, []byte) { panic(engine.Stop{Cause: errBooting}) }

// Wait unwinds the guest.
func (BootPort) Wait(time.Duration) (Settlement, bool) { panic(engine.Stop{Cause: errBooting}) }

// Pause unwinds the guest.
func (BootPort) Pause(time.Duration) { panic(engine.Stop{Cause: errBooting}) }

// Host is nil.
func (BootPort) Host() any { return nil }

var errBooting = errors.New("an operation was asked for while booting")
