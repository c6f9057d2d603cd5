package isolate

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A scripted guest: its module calls back into the test, which plays the
// program on the guest's memory. What it does between the import and the
// export is what a guest of any language does.

// scriptWasm has, of type () → (): the imports env.script and env.yield; the
// exports script, which calls the import, and spin, which loops for ever. It
// exports its memory and a mutable i32.
var scriptWasm = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x04\x01\x60\x00\x00" + // type 0
	"\x02\x1a\x02" + "\x03env\x06script\x00\x00" + "\x03env\x05yield\x00\x00" +
	"\x03\x03\x02\x00\x00" + // functions 2 and 3
	"\x05\x03\x01\x00\x01" + // a memory of a page at least
	"\x06\x06\x01\x7f\x01\x41\x07\x0b" + // global 0: 7
	"\x07\x22\x04" + "\x06script\x00\x02" + "\x04spin\x00\x03" + "\x06memory\x02\x00" + "\x05state\x03\x00" +
	"\x0a\x0e\x02" + "\x04\x00\x10\x00\x0b" + "\x07\x00\x03\x40\x0c\x00\x0b\x0b")

const (
	scriptPages      = 2048 // of 64 KiB: 128 MiB
	scriptImageBytes = 4 << 20
	interruptFlag    = 8  // where the machine notes an interrupt
	seedAt           = 16 // where it notes the seed
	counterAt        = 24 // where it notes how many turns its global has counted, and 7
)

// scripted is a guest; name and boot tell images apart.
type scripted struct {
	name string
	boot byte
	deaf bool // its machine is no Interrupter
}

func (g scripted) Name() string { return g.name }
func (g scripted) Wasm(context.Context, string, Progress) ([]byte, error) {
	return scriptWasm, nil
}
func (g scripted) Passes() wasm.Options { return wasm.Options{Fuel: 10_000, MemoryPages: scriptPages} }
func (g scripted) BootInputs() []byte   { return []byte{g.boot} }

func (g scripted) Imports() []engine.Import {
	return []engine.Import{
		{Module: "env", Name: "script", Func: func(in engine.Instance, _ []uint64) {
			port := in.Data().(Port)
			port.Host().(scriptPlayer).play(port, in.Memory())
		}},
		{Module: "env", Name: "yield", Func: func(in engine.Instance, _ []uint64) { in.Data().(Port).Yield() }},
	}
}

// Boot leaves some of each sort of pages: zero, and not.
func (g scripted) Boot(_ context.Context, m Machine, _ string, _ Progress) error {
	memory := m.(interface{ bytes() []byte }).bytes()
	for at := 0; at < scriptImageBytes; at += 4096 {
		if at%(3*4096) != 0 {
			memory[at+100], memory[at+2000] = byte(at>>12)|1, g.boot
		}
	}
	memory[scriptImageBytes-1] = 1
	return nil
}

func (g scripted) Machine(in engine.Instance) (Machine, error) {
	m := &scriptMachine{in: in}
	var err error
	if m.run, err = in.Function("script"); err != nil {
		return nil, err
	}
	if m.spin, err = in.Function("spin"); err != nil {
		return nil, err
	}
	if m.fuel, err = in.Global(wasm.GlobalFuel); err != nil {
		return nil, err
	}
	if m.counter, err = in.Global("state"); err != nil {
		return nil, err
	}
	if g.deaf {
		return deaf{m}, nil
	}
	return m, nil
}

type scriptMachine struct {
	in            engine.Instance
	run, spin     engine.Function
	fuel, counter engine.Global
}

// deaf is a machine that can't be told of interrupts.
type deaf struct{ Machine }

func (d deaf) bytes() []byte { return d.Machine.(*scriptMachine).bytes() }

// Kinds of events.
const (
	eventScript = iota // calls the host's script
	eventSpin          // loops for ever
	eventRest          // calls the script, and then rests until that says done
)

func (m *scriptMachine) bytes() []byte { return m.in.Memory() }

func (m *scriptMachine) Begin(life Life) error {
	memory := m.in.Memory()
	memory[interruptFlag] = 0
	for i := range 8 {
		memory[seedAt+i] = byte(life.Seed >> (8 * i))
	}
	return nil
}

func (m *scriptMachine) Event(kind uint32, _ []byte) (Status, error) {
	m.counter.Set(m.counter.Get() + 1)
	m.in.Memory()[counterAt] = byte(m.counter.Get())
	if kind == eventSpin {
		return Done, m.spin.Call(nil)
	}
	if err := m.run.Call(nil); err != nil {
		return Done, err
	}
	return m.status(), nil
}

func (m *scriptMachine) status() Status {
	if m.in.Memory()[0] == restMark {
		return Pending
	}
	return Done
}

// restMark in byte 0 says that the script waits for an operation.
const restMark = 0xee

func (m *scriptMachine) Settle(id uint32, ok bool, message []byte) (Status, error) {
	return m.Event(eventRest, message)
}

func (m *scriptMachine) Interrupt() error {
	m.in.Memory()[interruptFlag]++
	return nil
}

func (m *scriptMachine) Fuel() engine.Global      { return m.fuel }
func (m *scriptMachine) HeapTop() (uint32, error) { return scriptImageBytes, nil }
func (m *scriptMachine) Close() error             { return nil }

// scriptHost plays the program of one isolate.
type scriptHost struct {
	script func(port Port, memory []byte)
	start  func(iso *Isolate, id uint32)
	settle func(id uint32)
}

func (h *scriptHost) Call(*Isolate, uint32, []byte, []byte) ([]byte, bool) { return nil, true }
func (h *scriptHost) Start(iso *Isolate, op, id uint32, in []byte) {
	if h.start != nil {
		h.start(iso, id)
	}
}
func (h *scriptHost) Settled(id uint32) {
	if h.settle != nil {
		h.settle(id)
	}
}
func (h *scriptHost) Flush()            {}
func (h *scriptHost) Refuse(int) []byte { return nil }

// prepareScripted makes a program; the caller's runtime has to be closed first.
func prepareScripted(t testing.TB, g scripted) *Program {
	t.Helper()
	if g.name == "" {
		g.name = "scripted"
	}
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Prepare(t.Context(), e, g, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), e.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func newRuntime(t testing.TB, c Config) *Runtime {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// play runs a script in an isolate.
func play(t testing.TB, r *Runtime, job Job, script func(port Port, memory []byte)) Report {
	t.Helper()
	job.Host = &scriptHost{script: script}
	report, err := r.Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// closeState closes a state, which has to be open.
func closeState(t testing.TB, s *State) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// residentHost is the host of a resident that a script plays.
type residentHost struct {
	scriptHost
	refused  func(event uint32, err error)
	exceeded func(event uint32)
	rested   func(pending bool)
	evict    func() bool
	ended    func(Report)
}

func (h *residentHost) Refused(event uint32, err error) {
	if h.refused != nil {
		h.refused(event, err)
	}
}

func (h *residentHost) Exceeded(event uint32) {
	if h.exceeded != nil {
		h.exceeded(event)
	}
}

func (h *residentHost) Blocked() {}

func (h *residentHost) Rested(pending bool) {
	if h.rested != nil {
		h.rested(pending)
	}
}

func (h *residentHost) Evict() bool { return h.evict != nil && h.evict() }

func (h *residentHost) Ended(r Report) {
	if h.ended != nil {
		h.ended(r)
	}
}

// A scriptPlayer is a host that plays a script.
type scriptPlayer interface {
	play(port Port, memory []byte)
}

func (h *scriptHost) play(port Port, memory []byte) { h.script(port, memory) }
