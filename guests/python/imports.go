package python

import (
	"encoding/binary"
	"errors"
	"fmt"

	"mayfly/host/op"
	"mayfly/host/wasi"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// errNoPort: the guest asked for something while nobody answers.
var errNoPort = errors.New("python: the instance has no port")

// Imports are the host functions of the guest: the one door of the package,
// host.call, by which _host.call of Python comes; the yield of the fuel pass;
// and WASI. They find the isolate by the instance's data, which has to be an
// [isolate.Port].
func (Guest) Imports() []engine.Import {
	i32 := []engine.ValueType{engine.I32, engine.I32, engine.I32, engine.I32}
	return append([]engine.Import{
		{Module: "env", Name: "yield", Func: importYield},
		{Module: "host", Name: "call", Params: i32, Results: i32[:1], Func: importCall},
	}, wasi.Imports()...)
}

func importYield(in engine.Instance, _ []uint64) { portOf(in).Yield() }

// What host.call answers.
const (
	doorOK    = 0
	doorFault = -2 // no answer: _host.call raises
)

// importCall is host.call(ptr, len, out_ptr, out_len): the request's bytes, and
// where the address and the length of the answer go, which is put into a block
// that the guest allocates and frees. Programs reach it by import _host, with
// any bytes: a request that is none gets an error, not the guest's end. Only
// numbers that no bytes object can have end it.
func importCall(in engine.Instance, stack []uint64) {
	at, n, outAt, outLength := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	m := machineOf(in)
	if !inside(m.memory, at, n) || !inside(m.memory, outAt, 4) || !inside(m.memory, outLength, 4) {
		stop("%d bytes at %#x are not in memory", n, at)
	}
	head, body := m.answer(portOf(in), m.memory[at:uint64(at)+uint64(n):uint64(at)+uint64(n)])
	length := len(head) + len(body)
	block, err := m.allocate(length)
	if errors.Is(err, isolate.ErrMemory) {
		fault := int32(doorFault)
		stack[0] = uint64(uint32(fault))
		return
	}
	if err != nil {
		unwind(err)
	}
	copy(m.memory[block:], head)
	copy(m.memory[uint64(block)+uint64(len(head)):], body)
	binary.LittleEndian.PutUint32(m.memory[outAt:], block)
	binary.LittleEndian.PutUint32(m.memory[outLength:], uint32(length))
	stack[0] = doorOK
}

// Statuses that begin an answer.
const (
	statusOK    = 0
	statusError = 1 // an error record follows
)

// answer does what a request asks, and gives the answer in two parts, which
// are valid until the next one.
func (m *machine) answer(port isolate.Port, request []byte) (head, body []byte) {
	f, err := parseFrame(request)
	if err != nil {
		return m.refuse(err.Error())
	}
	ok := []byte{statusOK}
	switch f.verb {
	case verbCall:
		if op.Op(f.op).Async() {
			return m.refuse("an asynchronous operation was called")
		}
		if op.Op(f.op) == op.Cancel {
			if id := op.NewReader(f.payload).U32(); m.started != nil {
				delete(m.started, id)
			}
		}
		answer, good := port.Call(f.op, f.payload, m.scratch)
		if !good {
			ok[0] = statusError
		}
		return ok, answer
	case verbStart:
		if !op.Op(f.op).Async() {
			return m.refuse("a synchronous operation was started")
		}
		if _, twice := m.started[f.id]; twice {
			return m.refuse("an operation with this id is pending")
		}
		if m.started == nil {
			m.started = map[uint32]struct{}{}
		}
		m.started[f.id] = struct{}{}
		port.Start(f.op, f.id, f.payload)
		return ok, nil
	case verbWait:
		s, more := port.Wait(f.wait)
		if !more {
			return append(ok, 0), nil
		}
		delete(m.started, s.ID)
		head := binary.LittleEndian.AppendUint32(append(ok, 1), s.ID)
		if s.OK {
			return append(head, 1), s.Message
		}
		return append(head, 0), s.Message
	case verbPass:
		if p, serves := port.(passer); serves {
			p.Pass(f.id)
		}
		return ok, nil
	case verbProbe:
		if m.probe != nil {
			if answer, good := m.probe.answer(m.memory[:m.pages.Get()*engine.PageSize], f.payload); good {
				return ok, answer
			}
		}
		return m.refuse("there is nothing to be probed")
	default: // verbEvent
		if m.fetched || m.kind == 0 {
			return m.refuse("the event was fetched already")
		}
		m.fetched = true
		m.adopt(f.payload, port)
		message := m.message
		m.message = nil
		return binary.LittleEndian.AppendUint32(ok, m.kind), message
	}
}

// A passer is the port of a guest that serves several events.
type passer interface{ Pass(event uint32) }

func (m *machine) refuse(why string) (head, body []byte) {
	return []byte{statusError}, op.EncodeError(&op.ErrorRecord{Name: "ValueError", Code: "ERR_PROTOCOL", Message: why})
}

func portOf(in engine.Instance) isolate.Port {
	port, ok := in.Data().(isolate.Port)
	if !ok {
		panic(engine.Stop{Cause: errNoPort})
	}
	return port
}

func machineOf(in engine.Instance) *machine {
	if m, ok := machines.Load(in); ok {
		return m.(*machine)
	}
	panic(engine.Stop{Cause: fmt.Errorf("%w: the instance has no machine", ErrProtocol)})
}

// unwind ends the guest with an error that a nested call of it gave.
func unwind(err error) {
	var s engine.Stop
	if errors.As(err, &s) {
		panic(s)
	}
	panic(engine.Stop{Cause: err})
}

func stop(format string, args ...any) {
	panic(engine.Stop{Cause: fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))})
}
