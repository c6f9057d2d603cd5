package quickjs

import (
	"errors"
	"fmt"
	"sync"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// errNoPort: the guest asked for something while nobody answers.
var errNoPort = errors.New("quickjs: the instance has no port")

// Imports are the four host functions of the guest (c/host.h). They find the
// isolate by the instance's data, which has to be an [isolate.Port]. Every
// number from the guest is checked: one that points outside of memory stops
// the guest with [ErrProtocol].
func (Guest) Imports() []engine.Import {
	i32 := func(n int) []engine.ValueType {
		types := make([]engine.ValueType, n)
		for i := range types {
			types[i] = engine.I32
		}
		return types
	}
	return []engine.Import{
		{Module: "env", Name: "yield", Func: importYield},
		{Module: "env", Name: "call", Params: i32(5), Results: i32(1), Func: importCall},
		{Module: "env", Name: "take", Params: i32(1), Func: importTake},
		{Module: "env", Name: "start", Params: i32(4), Func: importStart},
	}
}

func importYield(in engine.Instance, _ []uint64) { portOf(in).Yield() }

// importCall answers the length of the result, or its complement for an error
// record. A result that is longer than the guest's room waits for importTake.
func importCall(in engine.Instance, stack []uint64) {
	number, at, n, out, capacity := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3]), uint32(stack[4])
	if op.Op(number).Async() {
		stop("asynchronous operation %d was called", number)
	}
	message := guestBytes(in, at, n)
	room := guestBytes(in, out, capacity)
	if n > 0 && capacity > 0 && uint64(at) < uint64(out)+uint64(capacity) && uint64(out) < uint64(at)+uint64(n) {
		// An operation may write its answer while it still reads the message.
		message = append([]byte(nil), message...)
	}
	answer, ok := portOf(in).Call(number, message, room)
	if len(answer) > maxAnswer {
		stop("the answer of operation %d has %d bytes", number, len(answer))
	}
	if len(answer) > len(room) {
		boxOf(in).answer = answer
	} else if len(answer) > 0 && &answer[0] != &room[0] {
		copy(room, answer)
	}
	result := int32(len(answer))
	if !ok {
		result = ^result
	}
	stack[0] = uint64(uint32(result))
}

// maxAnswer is the longest answer in bytes that a guest can be told of.
const maxAnswer = 1<<31 - 1

// importTake copies the answer of the last call, and forgets it.
func importTake(in engine.Instance, stack []uint64) {
	box := boxOf(in)
	answer := box.answer
	box.answer = nil
	if len(answer) == 0 {
		stop("there is no answer to take")
	}
	copy(guestBytes(in, uint32(stack[0]), uint32(len(answer))), answer)
}

func importStart(in engine.Instance, stack []uint64) {
	number, id, at, n := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	if !op.Op(number).Async() {
		stop("synchronous operation %d was started", number)
	}
	portOf(in).Start(number, id, guestBytes(in, at, n))
}

func portOf(in engine.Instance) isolate.Port {
	port, ok := in.Data().(isolate.Port)
	if !ok {
		panic(engine.Stop{Cause: errNoPort})
	}
	return port
}

// guestBytes are n bytes of the guest's memory, and room for no more.
func guestBytes(in engine.Instance, at, n uint32) []byte {
	memory := in.Memory()
	if !inside(memory, at, n) {
		stop("%d bytes at %#x are not in memory", n, at)
	}
	return memory[at : uint64(at)+uint64(n) : uint64(at)+uint64(n)]
}

func stop(format string, args ...any) {
	panic(engine.Stop{Cause: fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))})
}

// A box holds the answer that one instance has yet to take. Only answers that
// are larger than the mailbox come here, so the look-up is off the hot path.
type box struct{ answer []byte }

// boxes holds the box of each instance that a machine is bound to.
var boxes sync.Map // engine.Instance → *box

func boxOf(in engine.Instance) *box {
	if b, ok := boxes.Load(in); ok {
		return b.(*box)
	}
	panic(engine.Stop{Cause: fmt.Errorf("%w: the instance has no machine", ErrProtocol)})
}

// addBox gives the machine's instance a box, until the machine is closed.
func addBox(m *machine) *box {
	b := &box{}
	boxes.Store(m.instance, b)
	return b
}

// Close forgets the instance, which would otherwise be kept with all it holds.
func (m *machine) Close() error {
	boxes.CompareAndDelete(m.instance, m.box)
	return nil
}
