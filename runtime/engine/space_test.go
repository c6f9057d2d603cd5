package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"mayfly/runtime/engine"
	"mayfly/runtime/wasm"
)

func newSpace(t *testing.T) *engine.Space {
	t.Helper()
	s := engine.NewSpace()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A memory that two parts share is the same for both, wherever it moves to.
func TestSpaceSharesMemory(t *testing.T) {
	s := newSpace(t)
	thread := &engine.Thread{}
	var blocks [][]byte
	resize := func(size uint64) []byte {
		b := bytes.Repeat([]byte{0xee}, int(size)+64)
		clear(b[:size])
		if n := len(blocks); n > 0 {
			copy(b, blocks[n-1])
		}
		blocks = append(blocks, b[:size:size])
		return b[:size:size]
	}
	code, err := s.Compile(wasm.MemoryModule(1, 4, true))
	if err != nil {
		t.Fatal(err)
	}
	owner, err := s.Instantiate(thread, code, nil, resize)
	if err != nil {
		t.Fatal(err)
	}
	// (import "m" "m0" (memory 1)) and "peek" of an address.
	peek := []byte{0, 'a', 's', 'm', 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, 2, 9, 1, 1, 'm', 2, 'm', '0', 2, 0, 1, 3, 2, 1, 0,
		7, 8, 1, 4, 'p', 'e', 'e', 'k', 0, 0, 10, 9, 1, 7, 0, 0x20, 0, 0x2d, 0, 0, 0x0b}
	user, err := s.Compile(peek)
	if err != nil {
		t.Fatal(err)
	}
	var parts []*engine.Part
	for range 2 {
		p, err := s.Instantiate(thread, user, func(string) *engine.Part { return owner }, nil)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	try := func(p *engine.Part, at uint64) (uint64, error) {
		stack := []uint64{at}
		err := p.Function("peek").Call(thread, stack)
		return stack[0], err
	}
	for pages := range uint64(4) {
		end := (pages + 1) * engine.PageSize
		last := blocks[len(blocks)-1]
		last[end-1] = byte(pages + 10)
		for _, p := range parts {
			if v, err := try(p, end-1); err != nil || v != pages+10 {
				t.Errorf("the last byte of %d pages is %d, %v", pages+1, v, err)
			}
			var trap *engine.Trap
			for _, at := range []uint64{end, end + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
				if v, err := try(p, at); !errors.As(err, &trap) || trap.Code != engine.TrapOutOfBounds {
					t.Errorf("byte %d past %d pages: %d, %v", at, pages+1, v, err)
				}
			}
		}
		if previous, ok, err := owner.GrowMemory(thread, "m0", 1); err != nil || ok != (pages < 3) || ok && uint64(previous) != pages+1 {
			t.Errorf("grown from %d, %v, %v", previous, ok, err)
		}
	}
}

// What a memory's owner does while it grows ends the call, as it says.
func TestSpaceGrowthThatEnds(t *testing.T) {
	s := newSpace(t)
	thread := &engine.Thread{}
	code, err := s.Compile(wasm.MemoryModule(1, 0, false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Instantiate(thread, code, nil, func(uint64) []byte { return nil }); !errors.Is(err, engine.ErrMemorySize) {
		t.Errorf("a memory that was refused: %v", err)
	}
	end := engine.Stop{Cause: errors.New("over")}
	if _, err := s.Instantiate(thread, code, nil, func(uint64) []byte { panic(end) }); !errors.Is(err, end.Cause) {
		t.Errorf("a memory that ended the guest: %v", err)
	}
	fail := false
	part, err := s.Instantiate(thread, code, nil, func(size uint64) []byte {
		if fail {
			panic(end)
		}
		return make([]byte, size)
	})
	if err != nil {
		t.Fatal(err)
	}
	fail = true
	var stop engine.Stop
	if _, _, err := part.GrowMemory(thread, "m0", 1); !errors.As(err, &stop) || stop.Cause != end.Cause {
		t.Errorf("growth that ended the guest: %v", err)
	}
	// In the middle of a module's own call, too.
	grow := []byte{0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 8, 1, 4, 'g', 'r', 'o', 'w', 0, 0,
		10, 8, 1, 6, 0, 0x41, 1, 0x40, 0, 0x0b}
	if code, err = s.Compile(grow); err != nil {
		t.Fatal(err)
	}
	fail = false
	if part, err = s.Instantiate(thread, code, nil, func(size uint64) []byte {
		if fail {
			panic(end)
		}
		return make([]byte, size)
	}); err != nil {
		t.Fatal(err)
	}
	fail = true
	if err := part.Function("grow").Call(thread, make([]uint64, 1)); !errors.As(err, &stop) || stop.Cause != end.Cause {
		t.Errorf("memory.grow that ended the guest: %v", err)
	}
}
