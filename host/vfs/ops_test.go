package vfs

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mayfly/host/op"
)

func message(parts ...any) []byte {
	w := op.NewWriter(nil)
	for _, part := range parts {
		switch v := part.(type) {
		case string:
			w.Str(v)
		case []byte:
			w.Bytes(v)
		case int:
			w.U8(uint8(v))
		case float64:
			w.F64(v)
		}
	}
	return w.Message()
}

func TestCall(t *testing.T) {
	tree := New(Options{Now: stepClock()})
	scratch := make([]byte, 0, 64)
	call := func(o op.Op, parts ...any) *op.Reader {
		t.Helper()
		in := message(parts...)
		answer, err := tree.Call(o, in, scratch)
		clear(in) // the guest's memory: nothing may keep it
		if err != nil {
			t.Fatalf("%s: %v", o, err)
		}
		return op.NewReader(answer)
	}
	call(op.FSMkdir, "a/b", 1)
	if first := call(op.FSMkdir, "c", 0).Str(); first != "/workspace/c" {
		t.Errorf("mkdir made %q", first)
	}
	call(op.FSWrite, "a/f", 0, []byte("one"))
	call(op.FSWrite, "a/f", 1, []byte(" two"))
	call(op.FSCopy, "a/f", "c/g", 2)
	call(op.FSTruncate, "c/g", 3.0)
	call(op.FSRename, "c", "a/c")
	if got := string(call(op.FSRead, "a/f").Rest()); got != "one two" {
		t.Errorf("read %q", got)
	}
	if got := string(call(op.FSRead, "a/c/g").Rest()); got != "one" {
		t.Errorf("read %q", got)
	}
	list := call(op.FSReaddir, "a")
	var names []string
	for n := list.U32(); n > 0; n-- {
		names = append(names, list.Str()+" "+string('0'+rune(list.U8())))
	}
	if err := list.Done(); err != nil || !slices.Equal(names, []string{"b 2", "c 2", "f 1"}) {
		t.Errorf("readdir %q %v", names, err)
	}
	stat := call(op.FSStat, "a/f")
	kind, size, mtime, ctime, birth, ino, mode := stat.U8(), stat.F64(), stat.F64(), stat.F64(), stat.F64(), stat.F64(), stat.U32()
	if err := stat.Done(); err != nil || kind != 1 || size != 7 || mtime <= birth || ctime != mtime || birth < 1.7e12 || ino == 0 || mode != 0o100644 {
		t.Errorf("stat %v %v %v %v %v %v %o %v", kind, size, mtime, ctime, birth, ino, mode, err)
	}
	if stat := call(op.FSStat, "a"); stat.U8() != 2 {
		t.Error("a is no directory")
	}
	call(op.FSRm, "a", 1)
	call(op.FSRm, "a", 2)
	if got := tree.Usage(); got != (Usage{}) {
		t.Errorf("usage %v", got)
	}
}

func TestCallErrors(t *testing.T) {
	tree := New(Options{})
	check(t, tree.Write("f", Truncate, nil), "")
	_, err := tree.Call(op.FSRead, message("none"), nil)
	var typed *Error
	if !errors.As(err, &typed) {
		t.Fatal(err)
	}
	if r := typed.Record(); r.Name != "Error" || r.Code != "ENOENT" || !strings.HasPrefix(r.Message, "ENOENT: no such file or directory, open 'none'") {
		t.Errorf("%+v", r)
	}
	for _, size := range []float64{-1, 0.5, math.NaN(), math.Inf(-1)} {
		_, err := tree.Call(op.FSTruncate, message("f", size), nil)
		check(t, err, EINVAL)
	}
	for _, size := range []float64{1e9, 1e300, math.Inf(1)} {
		_, err := tree.Call(op.FSTruncate, message("f", size), nil)
		check(t, err, ENOSPC)
	}
	for _, c := range []struct {
		o  op.Op
		in []byte
	}{{op.FSRead, nil}, {op.FSRead, []byte{255, 255, 255, 255}}, {op.FSRead, append(message("f"), 0)}, {op.FSWrite, message("f", 0)}, {op.Fetch, message("f")}, {0, nil}} {
		if answer, err := tree.Call(c.o, c.in, nil); !errors.Is(err, op.ErrMessage) {
			t.Errorf("%s %q: got %q, %v", c.o, c.in, answer, err)
		}
	}
}

// No message makes the tree panic, or hold or answer more than the limits and
// the message allow.
func FuzzCall(f *testing.F) {
	f.Add(uint32(op.FSWrite), message("a", 0, []byte("content")))
	f.Add(uint32(op.FSRead), message("dir/file"))
	f.Add(uint32(op.FSRename), message("dir", "dir/x"))
	f.Add(uint32(op.FSCopy), message("dir/file", "/tmp/x", 0))
	f.Add(uint32(op.FSMkdir), message("../../x/./y/", 1))
	f.Add(uint32(op.FSRm), message("..", 3))
	f.Add(uint32(op.FSTruncate), message("dir/file", 1e18))
	f.Add(uint32(op.FSReaddir), message("."))
	f.Add(uint32(op.FSStat), []byte{255, 255, 255, 127, 'a'})
	f.Fuzz(func(t *testing.T, o uint32, in []byte) {
		limits := Limits{Bytes: 1000, Inodes: 10}
		tree := New(Options{Limits: limits})
		if err := tree.MountFile("dir/file", []byte("content")); err != nil {
			t.Fatal(err)
		}
		answer, err := tree.Call(op.Op(o), in, nil)
		var typed *Error
		if err != nil && !errors.As(err, &typed) && !errors.Is(err, op.ErrMessage) {
			t.Fatalf("%T: %v", err, err)
		}
		if len(answer) > 4096+len(in) {
			t.Fatalf("an answer of %d bytes to %d", len(answer), len(in))
		}
		if u := tree.Usage(); u.Bytes > limits.Bytes || u.Inodes > limits.Inodes || u.Bytes < 0 || u.Inodes < 0 {
			t.Fatalf("usage %+v", u)
		}
		list(t, tree)
	})
}
