package isolate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"mayfly/runtime/snapshot"
)

// heldBefore fails the test if states hold more memory at its end than now.
func heldBefore(t *testing.T) {
	t.Helper()
	before := snapshot.Held()
	t.Cleanup(func() {
		if n := snapshot.Held() - before; n != 0 {
			t.Errorf("%d bytes are still held", n)
		}
	})
}

// noise fills memory.
func noise(b []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
}

const (
	heapAt    = scriptImageBytes + 64<<10
	heapBytes = 2 << 20
)

// keep runs a script from a state and keeps what it leaves.
func keep(t testing.TB, r *Runtime, p *Program, from *State, script func(memory []byte)) *State {
	t.Helper()
	report := play(t, r, Job{Program: p, From: from, Keep: true}, func(_ Port, memory []byte) { script(memory) })
	if report.Outcome != OK || report.State == nil {
		t.Fatalf("%+v", report)
	}
	return report.State
}

// look runs a script from a state and keeps nothing.
func look(t testing.TB, r *Runtime, p *Program, from *State, script func(memory []byte)) {
	t.Helper()
	report := play(t, r, Job{Program: p, From: from}, func(_ Port, memory []byte) { script(memory) })
	if report.Outcome != OK || report.State != nil {
		t.Fatalf("%+v", report)
	}
}

func TestState(t *testing.T) {
	heldBefore(t)
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	want := make([]byte, heapBytes)
	noise(want, 3)
	s := keep(t, r, p, nil, func(memory []byte) {
		copy(memory[heapAt:], want)
		memory[5000] = 99
	})
	if s.Program() != p.Digest() || s.Guest() != "scripted" || s.Size() < heapBytes || s.Size() > heapBytes+3*snapshot.PageSize {
		t.Errorf("%s of %s, %d bytes", s.Program(), s.Guest(), s.Size())
	}
	look(t, r, p, nil, func(memory []byte) {
		if bytes.Contains(memory, want[:16]) || memory[5000] == 99 || memory[counterAt] != 8 {
			t.Error("a fresh isolate has something of the state")
		}
	})
	for range 3 { // resumed, and then forked twice
		look(t, r, p, s, func(memory []byte) {
			if !bytes.Equal(memory[heapAt:][:heapBytes], want) || memory[5000] != 99 {
				t.Error("the state differs")
			}
			if n := memory[counterAt]; n != 9 { // 7, its first event, and this
				t.Errorf("the global counted %d", n)
			}
			clear(memory[heapAt:][:heapBytes]) // the others don't see it
		})
	}
	closeState(t, s)
	if _, err := r.Run(t.Context(), Job{Program: p, Host: &scriptHost{}, From: s}); !errors.Is(err, ErrStateClosed) {
		t.Errorf("a job from a closed state: %v", err)
	}
	if s.Retain() != nil || !errors.Is(s.Close(), ErrStateClosed) || !errors.Is(s.Save(new(bytes.Buffer)), ErrStateClosed) {
		t.Error("a closed state is of use")
	}
}

// TestForksDiverge forks a state twice and goes on with both for some events,
// in turns and at once, while others start fresh.
func TestForksDiverge(t *testing.T) {
	heldBefore(t)
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 2})
	root := keep(t, r, p, nil, func(memory []byte) { noise(memory[heapAt:][:heapBytes], 1) })
	var wg sync.WaitGroup
	for fork := range 4 {
		canary := []byte{0xca, 0xfe, byte(fork), 0x77, byte(fork), 0x12, 0x34, 0x56}
		wg.Go(func() {
			s := root.Retain()
			seeds := map[uint64]bool{}
			for event := range 12 {
				next := keep(t, r, p, s, func(memory []byte) {
					if n := bytes.Count(memory, canary); n != event {
						t.Errorf("fork %d, event %d: %d of its own marks", fork, event, n)
					}
					for other := range 4 {
						if mark := []byte{0xca, 0xfe, byte(other), 0x77}; other != fork && bytes.Contains(memory, mark) {
							t.Errorf("fork %d has a mark of %d", fork, other)
						}
					}
					seeds[binary.LittleEndian.Uint64(memory[seedAt:])] = true
					copy(memory[heapAt+event*100_000:], canary)
				})
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				s = next
				look(t, r, p, nil, func(memory []byte) {
					if bytes.Contains(memory, []byte{0xca, 0xfe}) {
						t.Error("a fresh isolate has a mark")
					}
				})
			}
			if len(seeds) != 12 {
				t.Errorf("%d seeds in 12 events", len(seeds))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := root.Resident(); n < heapBytes || n > heapBytes+64<<10 {
		t.Errorf("the root has %d bytes", n)
	}
	closeState(t, root)
}

// TestNoState has events end otherwise than by themselves.
func TestNoState(t *testing.T) {
	heldBefore(t)
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	old := keep(t, r, p, nil, func(memory []byte) { memory[heapAt] = 5 })
	for name, script := range map[string]func(port Port, memory []byte){
		"unwound": func(port Port, _ []byte) { port.(*Isolate).Unwind(Canceled, "test") },
		"ended":   func(port Port, _ []byte) { port.(*Isolate).End(ExceededOutput, "test") },
		"host":    func(Port, []byte) { panic("a bug of the host") },
	} {
		report := play(t, r, Job{Program: p, From: old, Keep: true}, func(port Port, memory []byte) {
			memory[heapAt] = 6
			script(port, memory)
		})
		if report.Outcome == OK || report.State != nil {
			t.Errorf("%s: %+v", name, report)
		}
		look(t, r, p, old, func(memory []byte) {
			if memory[heapAt] != 5 {
				t.Errorf("%s: the old state has changed", name)
			}
		})
	}
	report, err := r.Run(t.Context(), Job{Program: p, Host: &scriptHost{}, From: old, Keep: true, Event: eventSpin, Limits: Limits{CPU: 5e6}})
	if err != nil || report.Outcome != ExceededCPU || report.State != nil {
		t.Errorf("%+v, %v", report, err)
	}
	closeState(t, old)
}

// TestStateMemoryLimit counts what a state holds towards the limit of the jobs
// that start from it.
func TestStateMemoryLimit(t *testing.T) {
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	s := keep(t, r, p, nil, func(memory []byte) { noise(memory[heapAt:][:8<<20], 1) })
	defer s.Close()
	report := play(t, r, Job{Program: p, From: s}, func(_ Port, memory []byte) {})
	if report.Usage.Memory < 8<<20 {
		t.Errorf("a resumed state of 8 MiB counts as %d bytes", report.Usage.Memory)
	}
	iso := &Isolate{rt: r, job: &Job{Program: p, From: s, Limits: Limits{Memory: 16 << 20}}}
	if room := iso.room(); room < 7<<20 || room > 8<<20 {
		t.Errorf("room for %d bytes", room)
	}
	iso.job.Limits.Memory = 4 << 20
	if room := iso.room(); room != leastRoom {
		t.Errorf("room for %d bytes", room)
	}
}

func TestStoredState(t *testing.T) {
	heldBefore(t)
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	s := keep(t, r, p, nil, func(memory []byte) {
		noise(memory[heapAt:][:heapBytes], 9)
		memory[300]++
	})
	defer closeState(t, s)
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, heapBytes)
	noise(want, 9)
	check := func(s *State) {
		t.Helper()
		for range 2 {
			look(t, r, p, s, func(memory []byte) {
				if !bytes.Equal(memory[heapAt:][:heapBytes], want) || memory[300] != 1 {
					t.Error("the state differs")
				}
			})
		}
	}
	read, err := p.ReadState(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if read.Size() != s.Size() || read.Program() != s.Program() || read.Guest() != s.Guest() {
		t.Error("the state that was read differs")
	}
	check(read)
	closeState(t, read)

	folder := t.TempDir()
	path := filepath.Join(folder, "state")
	if err := s.Spill(path); err != nil {
		t.Fatal(err)
	}
	if n := s.Resident(); n != 0 {
		t.Errorf("%d bytes after it was spilled", n)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, file.Bytes()) {
		t.Errorf("the file differs from what Save writes, %v", err)
	}
	check(s)
	if n := s.Resident(); n < heapBytes {
		t.Errorf("%d bytes after it was resumed", n)
	}
	before, _ := os.Stat(path)
	if err := s.Spill(path); err != nil || s.Resident() != 0 {
		t.Errorf("spilled again: %v, %d bytes", err, s.Resident())
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Error("the file was written again")
	}
	opened, err := p.OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Resident() != 0 || opened.Size() != s.Size() {
		t.Errorf("%d bytes resident, size %d", opened.Resident(), opened.Size())
	}
	check(opened)
	// One that is used when its memory is given up keeps it for that long.
	play(t, r, Job{Program: p, From: opened}, func(_ Port, memory []byte) {
		if err := opened.Spill(path); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(memory[heapAt:][:heapBytes], want) {
			t.Error("the state differs")
		}
	})
	closeState(t, opened)
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}

	if err := s.Spill(filepath.Join(folder, "none", "state")); err == nil {
		t.Error("a state was written to a folder that is not there")
	}
	check(s) // it is as it was
	if err := s.Spill(path); err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(file.Bytes())
	damaged[len(damaged)/2] ^= 4
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context(), Job{Program: p, Host: &scriptHost{}, From: s}); !errors.Is(err, ErrCorruptState) {
		t.Errorf("a job from a state whose file is damaged: %v", err)
	}
	if _, err := p.OpenState(path); !errors.Is(err, ErrCorruptState) {
		t.Errorf("a damaged file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := p.OpenState(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestForeignState offers states to programs that they don't belong to, and
// damaged ones to theirs.
func TestForeignState(t *testing.T) {
	heldBefore(t)
	p := prepareScripted(t, scripted{})
	r := newRuntime(t, Config{Processors: 1})
	s := keep(t, r, p, nil, func(memory []byte) { memory[heapAt] = 1; memory[9]++ })
	defer closeState(t, s)
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]scripted{"name": {name: "other"}, "image": {boot: 1}} {
		other := prepareScripted(t, g)
		if _, err := other.ReadState(bytes.NewReader(file.Bytes())); !errors.Is(err, ErrForeignState) {
			t.Errorf("another %s: %v", name, err)
		}
		report, err := r.Run(t.Context(), Job{Program: other, Host: &scriptHost{}, From: s, Keep: true})
		var typed *StateError
		if !errors.Is(err, ErrForeignState) || !errors.As(err, &typed) || report.Outcome != InternalError || report.State != nil {
			t.Errorf("another %s: %v, %+v", name, err, report)
		}
	}
	// The same guest, prepared elsewhere, has the same image.
	same := prepareScripted(t, scripted{})
	read, err := same.ReadState(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*State{read, s} {
		look(t, r, same, s, func(memory []byte) {
			if memory[heapAt] != 1 {
				t.Error("the state differs")
			}
		})
	}
	closeState(t, read)

	stored := file.Bytes()
	for n := 0; n < len(stored); n += 1 + n/40 {
		if _, err := p.ReadState(bytes.NewReader(stored[:n])); !errors.Is(err, ErrCorruptState) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	for at := 0; at < len(stored); at += 1 + at/200 {
		b := slices.Clone(stored)
		b[at] ^= 1 << (at % 8)
		if _, err := p.ReadState(bytes.NewReader(b)); !errors.Is(err, ErrCorruptState) && !errors.Is(err, ErrForeignState) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	if _, err := p.ReadState(bytes.NewReader(append(slices.Clone(stored), 0))); !errors.Is(err, ErrCorruptState) {
		t.Errorf("a byte more: %v", err)
	}
}

// FuzzReadState: a state is refused by a typed error, or saved as it was read.
func FuzzReadState(f *testing.F) {
	p := prepareScripted(f, scripted{})
	r := newRuntime(f, Config{Processors: 1})
	s := keep(f, r, p, nil, func(memory []byte) { memory[heapAt] = 1; memory[9]++ })
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		f.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := p.ReadState(bytes.NewReader(b))
		if err != nil {
			var typed *StateError
			if !errors.As(err, &typed) || !errors.Is(err, ErrForeignState) && !errors.Is(err, ErrCorruptState) {
				t.Fatal(err)
			}
			return
		}
		defer s.Close()
		var again bytes.Buffer
		if err := s.Save(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("saved as %d other bytes, %v", again.Len(), err)
		}
	})
}
