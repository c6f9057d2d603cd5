package quickjs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/runtime/wasm"
)

// Errors of a machine's methods, besides those of engine.Function.Call.
var (
	// ErrMemory: the guest has no memory for the message. It is an
	// [isolate.ErrMemory].
	ErrMemory = fmt.Errorf("quickjs: %w", isolate.ErrMemory)
	// ErrProtocol: the guest broke the rules of its ABI, or was handed
	// something that does. What it did is a bug in it, or an attack.
	ErrProtocol = errors.New("quickjs: protocol error")
	// ErrBusy: a machine was entered while it runs.
	ErrBusy = errors.New("quickjs: the guest is already running")
)

// mailboxSize is the size in bytes of the guest's mailbox (c/host.h). The word
// behind it is the guest's to be interrupted by.
const mailboxSize = 64 << 10

// What the exports event and settle answer (c/events.h).
const (
	statusDone = iota
	statusPending
	statusNoMemory
	statusMalformed
)

// A machine is the guest in one instance.
type machine struct {
	instance engine.Instance
	memory   []byte
	fuel     engine.Global
	mailbox  uint32
	running  bool
	box      *box
	stack    [4]uint64 // parameters and results; no call nests

	begin, event, settle, alloc, heapTop engine.Function

	nested []*nestedCall // by depth
	depth  int           // of nested calls under way
}

var (
	_ isolate.Machine     = (*machine)(nil)
	_ isolate.Interrupter = (*machine)(nil)
)

func newMachine(in engine.Instance) (*machine, error) {
	m := &machine{instance: in, memory: in.Memory()}
	for _, export := range []struct {
		name string
		f    *engine.Function
	}{
		{"begin", &m.begin}, {"event", &m.event}, {"settle", &m.settle}, {"alloc", &m.alloc}, {"heap_top", &m.heapTop},
	} {
		f, err := in.Function(export.name)
		if err != nil {
			return nil, err
		}
		*export.f = f
	}
	mailbox, err := in.Function("mailbox")
	if err != nil {
		return nil, err
	}
	if err := m.call(mailbox); err != nil {
		return nil, err
	}
	m.mailbox = uint32(m.stack[0])
	if !inside(m.memory, m.mailbox, mailboxSize+4) {
		return nil, fmt.Errorf("%w: the mailbox is outside of memory", ErrProtocol)
	}
	m.box = addBox(m)
	// A module that was not metered has no fuel: Fuel is then nil.
	m.fuel, _ = in.Global(wasm.GlobalFuel)
	return m, nil
}

// call calls an export with the parameters that are in the stack.
func (m *machine) call(f engine.Function) error {
	if m.running {
		return ErrBusy
	}
	m.running = true
	err := f.Call(m.stack[:])
	m.running = false
	return err
}

// Begin prepares a clone for its one life.
func (m *machine) Begin(life isolate.Life) error {
	m.box.answer = nil // of a life that ended before it took it
	m.depth = 0
	m.stack = [4]uint64{life.Seed & 0xffffffff, life.Seed >> 32, uint64(life.MemoryBytes)}
	return m.call(m.begin)
}

// Event delivers an event.
func (m *machine) Event(kind uint32, message []byte) (isolate.Status, error) {
	at, err := m.place(message)
	if err != nil {
		return isolate.Done, err
	}
	m.stack = [4]uint64{uint64(kind), uint64(at), uint64(len(message))}
	return m.enter(m.event)
}

// Settle completes an operation.
func (m *machine) Settle(id uint32, ok bool, message []byte) (isolate.Status, error) {
	at, err := m.place(message)
	if err != nil {
		return isolate.Done, err
	}
	m.stack = [4]uint64{uint64(id), 0, uint64(at), uint64(len(message))}
	if ok {
		m.stack[1] = 1
	}
	return m.enter(m.settle)
}

// place puts a message where the guest finds it: in the mailbox, or in a block
// that it allocates and frees.
func (m *machine) place(message []byte) (uint32, error) {
	if m.running {
		return 0, ErrBusy
	}
	if len(message) <= mailboxSize {
		copy(m.memory[m.mailbox:], message)
		return m.mailbox, nil
	}
	if len(message) > len(m.memory) {
		return 0, ErrMemory
	}
	m.stack = [4]uint64{uint64(len(message))}
	if err := m.call(m.alloc); err != nil {
		return 0, err
	}
	at := uint32(m.stack[0])
	if at == 0 {
		return 0, ErrMemory
	}
	if !inside(m.memory, at, uint32(len(message))) {
		return 0, fmt.Errorf("%w: a block outside of memory", ErrProtocol)
	}
	copy(m.memory[at:], message)
	return at, nil
}

func (m *machine) enter(f engine.Function) (isolate.Status, error) {
	if err := m.call(f); err != nil {
		return isolate.Done, err
	}
	switch uint32(m.stack[0]) {
	case statusDone:
		return isolate.Done, nil
	case statusPending:
		return isolate.Pending, nil
	case statusNoMemory:
		return isolate.Done, ErrMemory
	case statusMalformed:
		return isolate.Done, fmt.Errorf("%w: the guest refused the message", ErrProtocol)
	}
	return isolate.Done, fmt.Errorf("%w: unknown status %d", ErrProtocol, uint32(m.stack[0]))
}

// Interrupt implements [isolate.Interrupter]: a cell that runs ends at its next
// poll, by an exception that can't be caught; one that waits ends when the guest
// is next entered. What it has done stays.
func (m *machine) Interrupt() error {
	binary.LittleEndian.PutUint32(m.memory[m.mailbox+mailboxSize:], 1)
	return nil
}

// Fuel is the counter of the fuel pass; nil if the module was not metered.
func (m *machine) Fuel() engine.Global { return m.fuel }

// HeapTop is the end of the heap.
func (m *machine) HeapTop() (uint32, error) {
	if err := m.call(m.heapTop); err != nil {
		return 0, err
	}
	return uint32(m.stack[0]), nil
}

// inside says that the n bytes from at on are in memory.
func inside(memory []byte, at, n uint32) bool {
	return uint64(at)+uint64(n) <= uint64(len(memory))
}
