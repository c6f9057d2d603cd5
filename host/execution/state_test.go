package execution_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	"mayfly/host/execution"
	"mayfly/host/vfs"
)

// cell runs a cell that has to leave a state.
func cell(t testing.TB, s *execution.Service, from *execution.State, r execution.Request) (*execution.Result, *execution.State) {
	t.Helper()
	if r.Language == "" {
		r.Language = "javascript"
	}
	result, next, err := s.ExecuteCell(t.Context(), "cell", r, execution.Cell{From: from}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next == nil {
		t.Fatalf("no state: %s %v", result.Outcome, result.Error)
	}
	t.Cleanup(func() { closeState(t, next) })
	return result, next
}

func closeState(t testing.TB, st *execution.State) {
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func newState(t testing.TB, s *execution.Service, r execution.Request) *execution.State {
	t.Helper()
	r.Language = "javascript"
	st, err := s.NewState(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeState(t, st) })
	return st
}

// Any number of cells start from one state, at once and in any order: it never
// changes.
func TestStateNeverChanges(t *testing.T) {
	s := newService(t, nil)
	st := newState(t, s, execution.Request{Files: []execution.File{{Path: "f", Content: []byte("0")}}})
	_, st = cell(t, s, st, execution.Request{Code: "import fs from 'node:fs'; let n = 0"})
	rest := st.AppendRest(nil)
	done := make(chan string)
	for range 8 {
		go func() {
			r, next, err := s.ExecuteCell(context.Background(), "x", execution.Request{Language: "javascript", Code: "n++; fs.appendFileSync('f', '1'); [n, fs.readFileSync('f', 'utf8')]"}, execution.Cell{From: st}, nil)
			if err != nil || next == nil {
				done <- "failed"
				return
			}
			closeState(t, next)
			done <- string(r.Value)
		}()
	}
	for range 8 {
		if got := <-done; got != `[1,"01"]` {
			t.Errorf("got %s", got)
		}
	}
	if !bytes.Equal(rest, st.AppendRest(nil)) {
		t.Error("the state has changed")
	}
	if r, _ := cell(t, s, st, execution.Request{Code: "n"}); string(r.Value) != "0" {
		t.Errorf("n is %s", r.Value)
	}
}

// A state whose commit fails counts for nothing, and the client is told.
func TestCommit(t *testing.T) {
	s := newService(t, nil)
	st := newState(t, s, execution.Request{})
	for _, failure := range []error{nil, errors.New("the disk is full")} {
		committed, told := false, false
		c := execution.Cell{From: st, Commit: func(_ context.Context, next *execution.State) error {
			committed = next.Cells() == 1
			if told {
				t.Error("the end was told before the commit")
			}
			return failure
		}}
		r, next, err := s.ExecuteCell(t.Context(), "x", execution.Request{Language: "javascript", Code: "1"}, c, func(e execution.Event) { told = told || e.End != nil })
		if err != nil || !committed || !told {
			t.Fatalf("committed %v, told %v, %v", committed, told, err)
		}
		if failure == nil && (r.Outcome != execution.OK || next == nil) || failure != nil && (r.Outcome != execution.InternalError || next != nil) {
			t.Errorf("%v: %s, state %v", failure, r.Outcome, next)
		}
		if next != nil {
			closeState(t, next)
		}
	}
}

// What a session can't do is refused by the field that asks for it.
func TestCellRefusals(t *testing.T) {
	s := newService(t, nil)
	st := newState(t, s, execution.Request{})
	for name, r := range map[string]execution.Request{
		"language": {Language: "cobol", Code: "1"},
		"files":    {Language: "javascript", Code: "1", Limits: execution.Limits{FilesBytes: 5}},
		"no code":  {Language: "javascript"},
	} {
		var invalid *execution.InvalidError
		if _, _, err := s.ExecuteCell(t.Context(), "x", r, execution.Cell{From: st}, nil); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStateEdit(t *testing.T) {
	s := newService(t, nil)
	_, st := cell(t, s, newState(t, s, execution.Request{}), execution.Request{Code: "let n = 5"})
	edited, err := st.Edit(func(files *vfs.Tree) error { return files.MountFile("f", []byte("edited")) })
	if err != nil {
		t.Fatal(err)
	}
	defer closeState(t, edited)
	r, _ := cell(t, s, edited, execution.Request{Code: "(await import('node:fs')).readFileSync('f', 'utf8') + n"})
	if string(r.Value) != `"edited5"` {
		t.Errorf("got %s", r.Value)
	}
	if r, _ := cell(t, s, st, execution.Request{Code: "(await import('node:fs')).existsSync('f')"}); string(r.Value) != "false" {
		t.Errorf("the one before has %s", r.Value)
	}
	fresh := edited.Restart()
	defer closeState(t, fresh)
	if r, _ := cell(t, s, fresh, execution.Request{Code: "typeof n + (await import('node:fs')).readFileSync('f', 'utf8')"}); string(r.Value) != `"undefinededited"` {
		t.Errorf("after a restart: %s", r.Value)
	}
}

// What State.Save wrote is read back; nothing else is, whatever it is.
func FuzzReadState(f *testing.F) {
	s := newService(f, nil)
	_, st := cell(f, s, newState(f, s, execution.Request{Files: []execution.File{{Path: "f", Content: []byte("x")}}}), execution.Request{Code: "let n = 1"})
	var whole bytes.Buffer
	if err := st.Save(&whole); err != nil {
		f.Fatal(err)
	}
	read, err := s.ReadState(bytes.NewReader(whole.Bytes()))
	if err != nil {
		f.Fatal(err)
	}
	if !bytes.Equal(read.AppendRest(nil), st.AppendRest(nil)) {
		f.Error("another rest")
	}
	closeState(f, read)
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:100])
	f.Add([]byte("MayflySn"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The checksum of the rest is mended, so that what is behind it is seen.
		b = slices.Clone(b)
		if len(b) > 20 {
			if n := binary.LittleEndian.Uint32(b[12:]); n > 4 && uint64(n) <= uint64(len(b)-16) {
				rest := b[16 : 16+n]
				binary.LittleEndian.PutUint32(rest[n-4:], crc32.Checksum(rest[:n-4], crc32.MakeTable(crc32.Castagnoli)))
			}
		}
		st, err := s.ReadState(bytes.NewReader(b))
		if err != nil {
			var known *execution.StateError
			if !errors.As(err, &known) {
				t.Errorf("%v", err)
			}
			return
		}
		defer closeState(t, st)
		if err := st.Save(io.Discard); err != nil {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}
