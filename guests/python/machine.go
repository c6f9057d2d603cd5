package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/runtime/wasm"
)

// Errors of a machine's methods, besides those of engine.Function.Call.
var (
	// ErrMemory: the guest has no memory left. It is an [isolate.ErrMemory].
	ErrMemory = fmt.Errorf("python: %w", isolate.ErrMemory)
	// ErrProtocol: the guest broke the rules of its ABI: a bug in it, or an
	// attack.
	ErrProtocol = errors.New("python: protocol error")
	// ErrUncaught: a wasm exception came out of the guest, as C++ code lets
	// one when the interpreter itself goes wrong.
	ErrUncaught = errors.New("python: an exception came out of the interpreter")
	// ErrBusy: a machine was entered while it runs.
	ErrBusy = errors.New("python: the guest is already running")
)

// turnText is what every turn evaluates: the bootstrap's name for the function
// that fetches the event and answers it.
const turnText = "__agent__.go()"

// A machine is the guest in one instance.
type machine struct {
	instance   engine.Instance
	memory     []byte
	fuel       engine.Global
	pages      engine.Global // what the guest's memory has grown to
	pagesLimit engine.Global
	pending    engine.Global // the exception under way; nil if the module has none
	running    bool
	stack      [2]uint64 // parameters and results of alloc and turn; they don't nest in themselves
	allocStack [1]uint64

	turn, alloc engine.Function

	// Of the life.
	kind    uint32
	message []byte
	fetched bool                // the guest has the event
	serving bool                // it serves: what settles is another turn
	started map[uint32]struct{} // operations that are not waited for yet
	scratch []byte              // for answers

	interrupts  []span // of the life: what Interrupt sets
	interrupted bool
	adopted     bool   // the guest has said where its words are
	resumed     bool   // generators go on where they were
	spans       []span // scratch of adopt
	probe       *probe // while the image is booted
}

var _ isolate.Machine = (*machine)(nil)

// machines finds the machine of an instance that calls the host.
var machines sync.Map // engine.Instance → *machine

func newMachine(in engine.Instance) (*machine, error) {
	m := &machine{instance: in, memory: in.Memory(), scratch: make([]byte, 4096)}
	var err error
	if m.turn, err = in.Function("turn"); err != nil {
		return nil, err
	}
	if m.alloc, err = in.Function("host_alloc"); err != nil {
		return nil, err
	}
	for _, g := range []struct {
		name string
		to   *engine.Global
	}{
		{wasm.GlobalFuel, &m.fuel}, {wasm.GlobalPages, &m.pages}, {wasm.GlobalPagesLimit, &m.pagesLimit}, {wasm.GlobalException, &m.pending},
	} {
		if *g.to, err = in.Global(g.name); err != nil {
			return nil, err
		}
	}
	machines.Store(in, m)
	return m, nil
}

// Close forgets the instance, which would otherwise be kept with all it holds.
func (m *machine) Close() error {
	machines.CompareAndDelete(m.instance, m)
	return nil
}

// Begin prepares a clone for its life. Its generators get new states when the
// guest fetches its event, unless it goes on from a state of its own.
func (m *machine) Begin(life isolate.Life) error {
	m.kind, m.message, m.fetched = 0, nil, false
	m.interrupts, m.interrupted = m.interrupts[:0], false
	m.adopted, m.resumed = false, life.Resumed
	m.serving = true // unless its first event is a program
	clear(m.started)
	// A sixteenth is left for what changes in the image: the guest hears of
	// the limit by a MemoryError before it is stopped at it.
	limit := m.pages.Get() + uint64(life.MemoryBytes-life.MemoryBytes/16)/engine.PageSize
	m.pagesLimit.Set(min(limit, uint64(len(m.memory))/engine.PageSize))
	return nil
}

// Event delivers an event. A program is one turn: the guest waits inside of it
// for what it starts. One that serves rests between turns, and waits inside of
// one only where its code blocks.
func (m *machine) Event(kind uint32, message []byte) (isolate.Status, error) {
	m.serving = op.Event(kind) == op.EventServe || op.Event(kind) == op.EventDispatch
	return m.deliver(kind, message)
}

// kindSettled is the kind of event by which the guest is told, in a turn of its
// own, that an operation has settled: u32 id, u8 ok, and the message.
const kindSettled = isolate.DeliveryID

// deliver runs a turn.
func (m *machine) deliver(kind uint32, message []byte) (isolate.Status, error) {
	m.kind, m.message, m.fetched = kind, message, false
	err := m.run(turnText)
	m.uninterrupt()
	var status *StatusError
	if errors.As(err, &status) {
		// A program has damaged the agent: its own fault, and said for it.
		w := op.NewWriter(nil)
		w.U8(0)
		w.Error(&op.ErrorRecord{Name: "SystemError", Message: "the program left the interpreter unable to report how it ended"})
		portOf(m.instance).Call(uint32(op.Fail), w.Message(), nil)
		err = nil
	}
	if m.serving && len(m.started) > 0 {
		return isolate.Pending, err
	}
	return isolate.Done, err
}

// Settle is another turn of a guest that serves. A program waits inside of its
// turn: what settles after it is ignored.
func (m *machine) Settle(id uint32, ok bool, message []byte) (isolate.Status, error) {
	if !m.serving || id == 0 {
		return isolate.Done, nil
	}
	delete(m.started, id)
	settled := binary.LittleEndian.AppendUint32(make([]byte, 0, 5+len(message)), id)
	if ok {
		settled = append(settled, 1)
	} else {
		settled = append(settled, 0)
	}
	return m.deliver(kindSettled, append(settled, message...))
}

// run enters the guest with a source text for __main__.
func (m *machine) run(text string) error {
	at, err := m.place([]byte(text))
	if err != nil {
		return err
	}
	m.stack = [2]uint64{uint64(at), uint64(len(text))}
	if err := m.call(m.turn, m.stack[:]); err != nil {
		return err
	}
	switch status := int32(m.stack[0]); {
	case status == 0:
		return nil
	case status < 0:
		return fmt.Errorf("%w: the interpreter refuses turns", ErrProtocol)
	default:
		// The agent answers every error by itself, so one that comes out of
		// it is its own, or of a program that replaced it.
		return &StatusError{Status: int(status)}
	}
}

// A StatusError is a turn that ended with an exit status.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("python: the turn ended with status %d", e.Status)
}

// place copies text into a block of the guest, which the guest frees.
func (m *machine) place(text []byte) (uint32, error) {
	at, err := m.allocate(len(text))
	if err == nil {
		copy(m.memory[at:], text)
	}
	return at, err
}

// allocate has the guest allocate n bytes.
func (m *machine) allocate(n int) (uint32, error) {
	if n > len(m.memory) {
		return 0, ErrMemory
	}
	m.allocStack[0] = uint64(n)
	if err := m.alloc.Call(m.allocStack[:]); err != nil {
		return 0, err
	}
	at := uint32(m.allocStack[0])
	if at == 0 {
		return 0, ErrMemory
	}
	if !inside(m.memory, at, uint32(n)) {
		return 0, fmt.Errorf("%w: a block outside of memory", ErrProtocol)
	}
	return at, nil
}

// call calls an export that runs Python.
func (m *machine) call(f engine.Function, stack []uint64) error {
	if m.running {
		return ErrBusy
	}
	m.running = true
	err := f.Call(stack)
	m.running = false
	if err == nil && m.pending.Get() != 0 {
		err = ErrUncaught
	}
	return err
}

// Fuel is the counter of the fuel pass.
func (m *machine) Fuel() engine.Global { return m.fuel }

// HeapTop is the end of what the guest's memory has grown to.
func (m *machine) HeapTop() (uint32, error) {
	return uint32(min(m.pages.Get()*engine.PageSize, 1<<32-1)), nil
}

// inside says that the n bytes from at on are in memory.
func inside(memory []byte, at, n uint32) bool {
	return uint64(at)+uint64(n) <= uint64(len(memory))
}
