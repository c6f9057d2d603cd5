package quickjs

import (
	"fmt"

	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

var _ isolate.Nester = (*machine)(nil)

// A nestedCall is the export by which the guest is entered while it waits for
// an operation. Each depth has one of its own: a function can't be called while
// it runs.
type nestedCall struct {
	function engine.Function
	stack    [2]uint64
}

// Memory is the guest's linear memory.
func (m *machine) Memory() []byte { return m.memory }

// Nested enters the guest that waits for a synchronous operation (c/wasm.h).
// Message and answer are in the mailbox: whatever the operation had there it
// must have read.
func (m *machine) Nested(function uint32, message []byte) ([]byte, error) {
	if !m.running {
		return nil, fmt.Errorf("%w: nothing waits for an operation", ErrProtocol)
	}
	if len(message) > mailboxSize {
		return nil, fmt.Errorf("%w: a nested message of %d bytes", ErrProtocol, len(message))
	}
	if m.depth == len(m.nested) {
		f, err := m.instance.Function("nested")
		if err != nil {
			return nil, err
		}
		m.nested = append(m.nested, &nestedCall{function: f})
	}
	call := m.nested[m.depth]
	copy(m.memory[m.mailbox:], message)
	call.stack = [2]uint64{uint64(function), uint64(len(message))}
	m.depth++
	err := call.function.Call(call.stack[:])
	m.depth--
	if err != nil {
		return nil, err
	}
	n := uint32(call.stack[0])
	if n > mailboxSize {
		return nil, fmt.Errorf("%w: a nested answer of %d bytes", ErrProtocol, n)
	}
	return m.memory[m.mailbox : m.mailbox+n], nil
}
