package op

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/host/op/gen/table"
)

func TestRoundTrip(t *testing.T) {
	w := NewWriter(make([]byte, 0, 8))
	w.U8(7)
	w.U32(1 << 31)
	w.F64(-0.5)
	w.Str("h\u00e9")
	w.Bytes([]byte{0, 255})
	w.Pairs([]Pair{{"a", "1"}, {"", ""}})
	w.Strs([]string{"x", ""})
	record := &ErrorRecord{Name: "Error", Code: "ENOENT", Message: "m", Stack: "s", Cause: &ErrorRecord{Message: "c"}}
	w.Error(record)
	w.Raw([]byte("rest"))

	r := NewReader(w.Message())
	if got := r.U8(); got != 7 {
		t.Errorf("U8 %d", got)
	}
	if got := r.U32(); got != 1<<31 {
		t.Errorf("U32 %d", got)
	}
	if got := r.F64(); got != -0.5 {
		t.Errorf("F64 %v", got)
	}
	if got := r.Str(); got != "h\u00e9" {
		t.Errorf("Str %q", got)
	}
	if got := r.Bytes(); !bytes.Equal(got, []byte{0, 255}) {
		t.Errorf("Bytes %v", got)
	}
	if diff := cmp.Diff([]Pair{{"a", "1"}, {"", ""}}, r.Pairs()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x", ""}, r.Strs()); diff != "" {
		t.Error(diff)
	}
	got, err := ReadError(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record, got); diff != "" {
		t.Error(diff)
	}
	if string(r.Rest()) != "rest" || r.Done() != nil {
		t.Error("rest")
	}
}

func TestShortMessages(t *testing.T) {
	for _, read := range []func(*Reader){
		func(r *Reader) { r.U8() }, func(r *Reader) { r.U32() }, func(r *Reader) { r.F64() }, func(r *Reader) { r.Bytes() },
		func(r *Reader) { r.Str() }, func(r *Reader) { r.Pairs() }, func(r *Reader) { r.Strs() }, func(r *Reader) { ReadError(r) },
	} {
		for _, message := range [][]byte{nil, {255, 255, 255, 255}, {1, 0, 0}} {
			r := NewReader(message)
			if read(r); len(message) == 3 {
				read(r)
				read(r)
				read(r)
			}
			if err := r.Err(); err != nil && !errors.Is(err, ErrMessage) {
				t.Errorf("error %v", err)
			} else if err == nil && len(message) != 4 && len(message) != 3 {
				t.Errorf("no error for %v", message)
			}
		}
	}
	r := NewReader([]byte{1, 2})
	r.U8()
	if !errors.Is(r.Done(), ErrMessage) {
		t.Error("left over bytes are no error")
	}
	if r.U8(); r.Err() == nil {
		t.Error("the error did not stick")
	}
}

func TestErrorDepth(t *testing.T) {
	loop := &ErrorRecord{Message: "loop"}
	loop.Cause = loop
	record, err := ReadError(NewReader(EncodeError(loop)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; record != nil; record = record.Cause {
		n++
	}
	if n != MaxErrorDepth {
		t.Errorf("%d records", n)
	}
	var w Writer
	for range MaxErrorDepth + 1 {
		w.Raw(make([]byte, 16))
		w.U8(1)
	}
	w.Raw(make([]byte, 17))
	if _, err := ReadError(NewReader(w.Message())); !errors.Is(err, ErrMessage) {
		t.Errorf("too deep: %v", err)
	}
}

func TestNames(t *testing.T) {
	if FSRead.String() != "fs_read" || Op(63).String() != "op 63" || EventRun.String() != "run" || Event(9).String() != "event 9" {
		t.Error("names")
	}
	if FSRead.Async() || !Fetch.Async() {
		t.Error("kinds")
	}
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	source, err := os.ReadFile("ops.json")
	if err != nil {
		t.Fatal(err)
	}
	operations, err := table.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	files, err := operations.Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file.Path)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, file.Content) {
			t.Errorf("%s is not what host/op/ops.json says: run go generate ./host/op", file.Path)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, source := range []string{
		`{`, `{"unknown": 1}`,
		`{"sync": [{"number": 1, "name": "a"}, {"number": 1, "name": "b"}]}`,
		`{"sync": [{"number": 1, "name": "a"}, {"number": 2, "name": "a"}]}`,
		`{"sync": [{"number": 0, "name": "a"}]}`,
		`{"sync": [{"number": 64, "name": "a"}]}`,
		`{"async": [{"number": 63, "name": "a"}]}`,
		`{"sync": [{"number": 1, "name": "A b"}]}`,
	} {
		if _, err := table.Parse([]byte(source)); err == nil {
			t.Errorf("accepted %s", source)
		}
	}
}

// FuzzReader reads messages by scripts: whatever they are, nothing panics, and
// what is read is no longer than the message.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6}, EncodeError(&ErrorRecord{Name: "n", Cause: &ErrorRecord{}}))
	f.Add([]byte{6, 6}, []byte(strings.Repeat("\x00", 40)))
	f.Fuzz(func(t *testing.T, script, message []byte) {
		r := NewReader(message)
		read := 0
		for _, step := range script {
			switch step % 8 {
			case 0:
				r.U8()
			case 1:
				r.U32()
			case 2:
				r.F64()
			case 3:
				read += len(r.Bytes())
			case 4:
				read += len(r.Str())
			case 5:
				for _, p := range r.Pairs() {
					read += len(p.Name) + len(p.Value)
				}
			case 6:
				for _, s := range r.Strs() {
					read += len(s)
				}
			case 7:
				if e, err := ReadError(r); err == nil && e == nil {
					t.Error("neither record nor error")
				}
			}
		}
		if read > len(message) {
			t.Errorf("%d bytes were read of %d", read, len(message))
		}
	})
}

// FuzzErrorRecord checks that what was decoded is encoded to the same bytes.
func FuzzErrorRecord(f *testing.F) {
	f.Add(EncodeError(&ErrorRecord{Name: "n", Code: "c", Message: "m", Stack: "s", Cause: &ErrorRecord{}}))
	f.Fuzz(func(t *testing.T, message []byte) {
		r := NewReader(message)
		record, err := ReadError(r)
		if err != nil || r.Done() != nil {
			return
		}
		if got := EncodeError(record); !bytes.Equal(got, message) {
			t.Errorf("%x became %x", message, got)
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	buffer := make([]byte, 0, 256)
	for b.Loop() {
		w := NewWriter(buffer)
		w.U8(1)
		w.F64(math.Pi)
		w.Str("text/plain")
		if len(w.Message()) == 0 {
			b.Fatal("empty")
		}
	}
}
