package quickjs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// A fakeInstance is memory and data without any code.
type fakeInstance struct {
	engine.Instance
	memory []byte
	data   any
}

func (f *fakeInstance) Memory() []byte   { return f.memory }
func (f *fakeInstance) Data() any        { return f.data }
func (f *fakeInstance) SetData(data any) { f.data = data }

// An echo answers with what it was asked, repeated.
type echo struct {
	isolate.BootPort
	times int
}

func (e echo) Yield() {}
func (e echo) Call(number uint32, in, out []byte) ([]byte, bool) {
	return append(out[:0], bytes.Repeat(in, e.times)...), number%2 == 0
}
func (e echo) Start(number, id uint32, in []byte) {
	for range in { // reads what it was given
	}
}

// caught runs f and answers the Stop that it panicked with.
func caught(f func()) (stop *engine.Stop) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case engine.Stop:
			stop = &p
		default:
			panic(p)
		}
	}()
	f()
	return nil
}

func newFake(t testing.TB) (*fakeInstance, *machine) {
	in := &fakeInstance{memory: make([]byte, 2*engine.PageSize), data: isolate.Port(echo{times: 2})}
	m := &machine{instance: in}
	m.box = addBox(m)
	return in, m
}

// FuzzImports calls the host functions with any numbers: nothing but a Stop
// comes of it, and nothing outside of the room for an answer is written.
func FuzzImports(f *testing.F) {
	f.Add(uint8(1), uint32(6), uint32(0), uint32(100), uint32(200), uint32(50))
	f.Add(uint8(1), uint32(6), uint32(0), uint32(100), uint32(50), uint32(500))
	f.Add(uint8(1), uint32(6), uint32(0xffffffff), uint32(0xffffffff), uint32(1), uint32(1))
	f.Add(uint8(1), uint32(70), uint32(0), uint32(0), uint32(0), uint32(0))
	f.Add(uint8(2), uint32(2*engine.PageSize-1), uint32(2), uint32(0), uint32(0), uint32(0))
	f.Add(uint8(3), uint32(64), uint32(1), uint32(2*engine.PageSize), uint32(0), uint32(0))
	f.Add(uint8(3), uint32(64), uint32(1), uint32(2*engine.PageSize), uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, which uint8, a, b, c, d, e uint32) {
		in, m := newFake(t)
		for i := range in.memory {
			in.memory[i] = byte(i * 7)
		}
		before := bytes.Clone(in.memory)
		imports := Guest{}.Imports()
		stack := []uint64{uint64(a), uint64(b), uint64(c), uint64(d), uint64(e)}
		stop := caught(func() { imports[which%4].Func(in, stack) })
		if stop != nil && !errors.Is(stop, ErrProtocol) {
			t.Errorf("stopped with %v", stop)
		}
		if which%4 == 1 && stop == nil {
			out, room := int(d), int(e)
			if !bytes.Equal(in.memory[:out], before[:out]) || !bytes.Equal(in.memory[out+room:], before[out+room:]) {
				t.Error("written outside of the room")
			}
			n := int32(stack[0])
			if n < 0 {
				n = ^n
			}
			if n != int32(2*c) {
				t.Errorf("length %d of %d", n, 2*c)
			}
			if int(n) <= room && !bytes.Equal(in.memory[out:out+int(n)], bytes.Repeat(before[b:b+c], 2)) {
				t.Error("another answer")
			}
		} else if !bytes.Equal(in.memory, before) {
			t.Error("memory was written")
		}
		runtime.KeepAlive(m)
	})
}

func TestTake(t *testing.T) {
	in, m := newFake(t)
	copy(in.memory, "abcdefgh")
	stack := []uint64{uint64(op.CryptoHash), 0, 8, 100, 10}
	importCall(in, stack)
	if int32(stack[0]) != 16 {
		t.Fatalf("length %d", int32(stack[0]))
	}
	stack[0] = 200
	importTake(in, stack)
	if got := string(in.memory[200:216]); got != "abcdefghabcdefgh" {
		t.Fatalf("took %q", got)
	}
	if stop := caught(func() { importTake(in, stack) }); stop == nil || !errors.Is(stop, ErrProtocol) {
		t.Fatalf("a second take: %v", stop)
	}
	// An answer is not taken outside of memory.
	stack = []uint64{uint64(op.CryptoHash), 0, 8, 100, 10}
	importCall(in, stack)
	stack[0] = uint64(len(in.memory) - 15)
	if stop := caught(func() { importTake(in, stack) }); stop == nil || !errors.Is(stop, ErrProtocol) {
		t.Fatalf("a take outside: %v", stop)
	}
	in.SetData(nil)
	if stop := caught(func() { importYield(in, nil) }); stop == nil || !errors.Is(stop, errNoPort) {
		t.Fatalf("no port: %v", stop)
	}
	runtime.KeepAlive(m)
}

// What is kept of an instance goes with its machine.
func TestBoxesGo(t *testing.T) {
	in := &fakeInstance{}
	m := &machine{instance: in}
	m.box = addBox(m)
	if boxOf(in) != m.box {
		t.Fatal("the box is not found")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := boxes.Load(in); ok {
		t.Error("the box of a machine that was closed is still there")
	}
}

// FuzzMessages delivers any bytes as an event and as a settlement.
func FuzzMessages(f *testing.F) {
	f.Add((&op.RunMessage{Source: "1", Name: "a.js", Args: []string{"x"}, Env: []op.Pair{{Name: "a", Value: "b"}}}).Encode(), []byte{})
	f.Add([]byte{0, 0, 255, 255, 255, 255}, op.EncodeError(&op.ErrorRecord{Name: "x"}))
	f.Fuzz(func(t *testing.T, event, settlement []byte) {
		c := newClone(t)
		h := &host{t: t, yield: func(n int) {
			if n > 100 {
				panic(engine.Stop{Cause: errEnough})
			}
		}}
		c.in.SetData(isolate.Port(h))
		if err := c.machine.Begin(isolate.Life{MemoryBytes: 16 << 20}); err != nil {
			t.Fatal(err)
		}
		status, err := c.machine.Event(uint32(op.EventRun), event)
		for range 3 {
			if err != nil || status != isolate.Pending || len(h.pending) == 0 {
				break
			}
			status, err = c.machine.Settle(h.pending[0].id, len(settlement)%2 == 0, settlement)
			h.pending = h.pending[1:]
		}
		var trap *engine.Trap
		if errors.As(err, &trap) {
			t.Error(err)
		}
	})
}

func BenchmarkLife(b *testing.B) {
	for _, test := range []struct{ name, source string }{
		{"arithmetic", "1+2*3"},
		{"module", "export default () => ({ hello: 'world' })"},
		{"await", "for (let i = 0; i < 10; i++) await null; 1"},
	} {
		b.Run(test.name, func(b *testing.B) {
			c := newClone(b)
			c.in.SetData(isolate.Port(silent{}))
			message := (&op.RunMessage{Name: "main.js", Source: test.source}).Encode()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				if err := c.reset(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if err := c.machine.Begin(isolate.Life{Seed: 1, MemoryBytes: 64 << 20}); err != nil {
					b.Fatal(err)
				}
				if _, err := c.machine.Event(uint32(op.EventRun), message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A silent port takes everything and answers nothing.
type silent struct{ isolate.BootPort }

func (silent) Yield() {}
func (silent) Call(number uint32, in, out []byte) ([]byte, bool) {
	if op.Op(number) == op.Clock {
		return binary.LittleEndian.AppendUint64(out[:0], 0), true
	}
	return out[:0], true
}
func (silent) Start(number, id uint32, in []byte) {}
