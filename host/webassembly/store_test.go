package webassembly

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/engine"
)

// A bench is a guest for tests: it answers what is nested by itself.
type bench struct {
	memory   []byte
	sizes    []uint32 // of memories, by id; their blocks lie a MiB apart
	answer   func(id float64, args []uint64) []uint64
	imported int
}

const blockBytes = 1 << 20

func newBench() *bench { return &bench{memory: make([]byte, 64<<20)} }

func (b *bench) Memory() []byte     { return b.memory }
func (b *bench) Yield()             {}
func (b *bench) Aside(work func())  { work() }
func (b *bench) CPU() time.Duration { return 0 }

func (b *bench) Nested(function uint32, message []byte) []byte {
	switch function {
	case nestedMemory:
		id, size := binary.LittleEndian.Uint32(message), binary.LittleEndian.Uint32(message[4:])
		if id == newMemory {
			id = uint32(len(b.sizes))
			b.sizes = append(b.sizes, 0)
		}
		at := uint32(0)
		if int(id+2)*blockBytes <= len(b.memory) && size <= blockBytes {
			at = (id + 1) * blockBytes
			b.sizes[id] = size
		}
		out := binary.LittleEndian.AppendUint32(nil, id)
		return binary.LittleEndian.AppendUint32(out, at)
	case nestedImport:
		b.imported++
		id := math.Float64frombits(binary.LittleEndian.Uint64(message))
		var args []uint64
		for rest := message[8:]; len(rest) > 0; rest = rest[8:] {
			args = append(args, binary.LittleEndian.Uint64(rest))
		}
		out := make([]byte, 8)
		if b.answer == nil {
			out[0] = 1
			return out
		}
		for _, v := range b.answer(id, args) {
			out = binary.LittleEndian.AppendUint64(out, v)
		}
		return out
	}
	panic("unknown function")
}

func newStore(t testing.TB, b *bench) *Store {
	compiler := &Compiler{}
	s := NewStore(b, Options{Compiler: compiler})
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), compiler.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// addModule exports add, of two i32, and a memory of a page: it calls the
// import a.f with the first parameter before.
var addModule = []byte{
	0, 'a', 's', 'm', 1, 0, 0, 0,
	1, 11, 2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 0,
	2, 7, 1, 1, 'a', 1, 'f', 0, 1,
	3, 2, 1, 0,
	5, 3, 1, 0, 1,
	7, 11, 2, 3, 'a', 'd', 'd', 0, 1, 1, 'm', 2, 0,
	10, 13, 1, 11, 0, 0x20, 0, 0x10, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b,
}

func perform(t testing.TB, s *Store, o op.Op, write func(w *op.Writer)) *op.Reader {
	t.Helper()
	w := op.NewWriter(nil)
	write(w)
	answer, err := s.Call(o, w.Message(), make([]byte, 4096))
	if err != nil {
		t.Fatal(err)
	}
	return op.NewReader(append([]byte(nil), answer...))
}

func compiledModule(t testing.TB, s *Store, module []byte) float64 {
	return perform(t, s, op.WasmCompile, func(w *op.Writer) { w.Bytes(module) }).F64()
}

func TestStore(t *testing.T) {
	b := newBench()
	s := newStore(t, b)
	m := compiledModule(t, s, addModule)
	r := perform(t, s, op.WasmInstantiate, func(w *op.Writer) {
		w.F64(m)
		w.U32(1)
		w.U8(importFunction)
		w.F64(7)
	})
	instance := r.F64()
	if n := r.U32(); n != 2 {
		t.Fatalf("%d exports", n)
	}
	add := r.F64()
	r.U32()
	memory, id := r.F64(), r.U32()
	call := func() ([]byte, error) {
		w := op.NewWriter(nil)
		w.F64(add)
		w.Raw([]byte{40, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0, 0, 0}) // rubbish in an upper half
		return s.Call(op.WasmCall, w.Message(), make([]byte, 100))
	}
	var record *op.ErrorRecord
	if _, err := call(); !errors.As(err, &record) || b.imported != 1 {
		t.Errorf("an import that throws: %v", err)
	}
	b.answer = func(id float64, args []uint64) []uint64 {
		if id != 7 || len(args) != 1 || args[0] != 40 {
			t.Errorf("the import %v was called with %d", id, args)
		}
		return nil
	}
	if answer, err := call(); err != nil || len(answer) != 8 || binary.LittleEndian.Uint64(answer) != 42 {
		t.Errorf("40 + 2 = %d, %v", answer, err)
	}
	if b.sizes[id] != engine.PageSize {
		t.Errorf("a memory of %d bytes", b.sizes[id])
	}
	perform(t, s, op.WasmObject, func(w *op.Writer) {
		w.U8(actionMemoryGrow)
		w.F64(memory)
		w.U32(2)
	})
	if b.sizes[id] != 3*engine.PageSize {
		t.Errorf("a memory of %d bytes after it has grown", b.sizes[id])
	}
	perform(t, s, op.WasmObject, func(w *op.Writer) {
		w.U8(actionRelease)
		w.F64(instance)
	})
	if _, err := call(); !errors.As(err, &record) || record.Name != typeError {
		t.Errorf("a call after the release: %v", err)
	}
	if s.hostSize != 0 {
		t.Errorf("%d bytes are still charged", s.hostSize)
	}
	// The handles of one isolate mean nothing in another.
	other := newStore(t, newBench())
	w := op.NewWriter(nil)
	w.F64(add)
	w.Raw(make([]byte, 16))
	if _, err := other.Call(op.WasmCall, w.Message(), nil); !errors.As(err, &record) || record.Name != runtimeError {
		t.Errorf("another isolate's handle: %v", err)
	}
}

// TestCacheIsBounded: what nobody uses is given up beyond a limit, and what is
// the same is compiled once.
func TestCacheIsBounded(t *testing.T) {
	compiler := &Compiler{}
	defer compiler.Close()
	for range 3 {
		s := NewStore(newBench(), Options{Compiler: compiler})
		compiledModule(t, s, addModule)
		compiledModule(t, s, addModule)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := compiler.space.modules; n != 1 {
		t.Errorf("the same module was compiled %d times", n)
	}
	// A custom section makes a module large, and costs no time.
	s := NewStore(newBench(), Options{Compiler: compiler})
	defer s.Close()
	const size = 8 << 20
	for i := range 10 {
		large := append([]byte(nil), addModule...)
		content := make([]byte, size)
		content[0], content[1] = 1, byte('a'+i)
		large = append(binary.AppendUvarint(append(large, 0), size), content...)
		h := compiledModule(t, s, large)
		perform(t, s, op.WasmObject, func(w *op.Writer) {
			w.U8(actionRelease)
			w.F64(h)
		})
		if compiler.space.bytes > cacheBytes {
			t.Fatalf("the cache holds %d bytes", compiler.space.bytes)
		}
	}
	if n := len(compiler.space.cached); n > cacheBytes/size+1 {
		t.Errorf("%d modules are kept", n)
	}
}

// FuzzStore: whatever a guest says, the answer is one or an error of its own.
func FuzzStore(f *testing.F) {
	f.Add(uint8(1), []byte{0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(2), make([]byte, 24))
	for action := range uint8(actionRelease + 1) {
		f.Add(uint8(3), append([]byte{action}, make([]byte, 20)...))
	}
	f.Add(uint8(0), append(binary.LittleEndian.AppendUint32(nil, uint32(len(addModule))), addModule...))
	f.Fuzz(func(t *testing.T, number uint8, message []byte) {
		b := newBench()
		b.answer = func(float64, []uint64) []uint64 { return nil }
		s := newStore(t, b)
		m := compiledModule(t, s, addModule)
		r := perform(t, s, op.WasmInstantiate, func(w *op.Writer) {
			w.F64(m)
			w.U32(1)
			w.U8(importFunction)
			w.F64(7)
		})
		r.F64()
		// Handles of this store, where the message has zeros: else none would
		// ever be hit.
		o := []op.Op{op.WasmCompile, op.WasmInstantiate, op.WasmCall, op.WasmObject}[number%4]
		in := append([]byte(nil), message...)
		at := 0
		if o == op.WasmObject {
			at = 1
		}
		if len(in) >= at+8 && len(s.objects) > 0 {
			x := uint64(in[at]) % uint64(len(s.objects))
			binary.LittleEndian.PutUint64(in[at:], math.Float64bits(float64(uint64(s.epoch)<<20|x)))
		}
		if _, err := s.Call(o, in, make([]byte, 64)); err != nil {
			var record *op.ErrorRecord
			if !errors.As(err, &record) && !errors.Is(err, op.ErrMessage) {
				t.Fatal(err)
			}
		}
		if s.hostSize < 0 || s.elements < 0 || s.modules < 0 {
			t.Fatalf("accounts below zero: %d, %d, %d", s.hostSize, s.elements, s.modules)
		}
	})
}
