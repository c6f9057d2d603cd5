package compression

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"

	"mayfly/host/op"
)

// A client pushes and pulls as the guest does.
type client struct {
	streams    *Streams
	parameters parameters
	handle     float64
	room       uint32
	state      progress
	unread     uint32
	out        []byte
	steps      int
}

func (c *client) message(after flush, input []byte) []byte {
	var w op.Writer
	w.F64(c.handle)
	w.U8(uint8(after))
	w.U32(c.room)
	if c.handle == 0 {
		w.U8(uint8(c.parameters.format))
		for _, flag := range []bool{c.parameters.decompress, c.parameters.members} {
			if flag {
				w.U8(1)
			} else {
				w.U8(0)
			}
		}
		w.U8(uint8(int8(c.parameters.level)))
		w.U8(uint8(c.parameters.window))
		w.Bytes(c.parameters.dictionary)
	}
	w.Bytes(input)
	return w.Message()
}

// push gives all of the input and takes all of the output.
func (c *client) push(after flush, input []byte) error {
	for {
		answer, err := c.streams.Call(op.CompressStep, c.message(after, input), nil)
		if err != nil {
			return err
		}
		c.steps++
		r := op.NewReader(answer)
		c.handle, c.state = r.F64(), progress(r.U8())
		input = input[r.U32():]
		c.unread = r.U32()
		made := r.Rest()
		if r.Err() != nil || len(made) > int(c.room) {
			return fmt.Errorf("a malformed answer: %w", op.ErrMessage)
		}
		c.out = append(c.out, made...)
		if c.state == ended || c.state == needsInput && len(input) == 0 {
			return nil
		}
	}
}

// transform runs a whole stream, its input in parts of a size.
func transform(s *Streams, p parameters, input []byte, part int) ([]byte, error) {
	c := &client{streams: s, parameters: p, room: 1000}
	for len(input) > part {
		if err := c.push(noFlush, input[:part]); err != nil {
			return c.out, err
		}
		if input = input[part:]; c.state == ended {
			return c.out, fmt.Errorf("%d bytes left", len(input))
		}
	}
	err := c.push(finish, input)
	if err == nil && (c.state != ended || c.handle != 0) {
		err = fmt.Errorf("it has not ended")
	}
	if err == nil && c.unread > 0 {
		err = fmt.Errorf("%d bytes left", c.unread)
	}
	return c.out, err
}

func text(n int) []byte {
	words := strings.Fields("the quick brown fox jumps over a lazy dog and then some, 1234567890 \x00\x01 éß")
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(' ')
		if random.IntN(50) == 0 {
			for range random.IntN(600) {
				b.WriteByte(byte(random.IntN(256)))
			}
		}
	}
	return b.Bytes()[:n]
}

func all(format Format) (list []parameters) {
	if format == Brotli {
		for _, level := range []int{0, 1, 5, 9, 11} {
			list = append(list, parameters{format: format, level: level, window: 10 + level})
		}
		return list
	}
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		list = append(list, parameters{format: format, level: level})
	}
	return list
}

func reference(t *testing.T, format Format, compressed []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	switch b := bytes.NewReader(compressed); format {
	case DeflateRaw:
		r = flate.NewReader(b)
	case Deflate:
		r, err = zlib.NewReader(b)
	case Gzip:
		r, err = gzip.NewReader(b)
	case Brotli:
		r = brotli.NewReader(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrips(t *testing.T) {
	s := New(Options{})
	for format := range formats {
		for _, p := range all(format) {
			for _, n := range []int{0, 1, 300, 70000, 300000} {
				if n > 70000 && p.level != 6 && p.level != 9 {
					continue
				}
				data := text(n)
				for _, part := range []int{7, 4096, 1 << 20} {
					if part == 7 && n > 300 {
						continue
					}
					name := fmt.Sprint("format ", format, " level ", p.level, " of ", n, " by ", part)
					compressed, err := transform(s, p, data, part)
					if err != nil {
						t.Fatal(name, err)
					}
					if got := reference(t, format, compressed); !bytes.Equal(got, data) {
						t.Fatal(name, "compressed wrongly")
					}
					d := parameters{format: format, decompress: true}
					got, err := transform(s, d, compressed, part)
					if err != nil || !bytes.Equal(got, data) {
						t.Fatal(name, "decompressed wrongly:", len(got), err)
					}
				}
			}
		}
	}
	if len(s.open) != 0 || s.memory != 0 {
		t.Errorf("%d streams are left open, of %d bytes", len(s.open), s.memory)
	}
}

// Data that is cut off anywhere is an error, and so is what follows its end.
func TestTruncatedAndTrailing(t *testing.T) {
	data := text(2000)
	for format := range formats {
		s := New(Options{})
		p := parameters{format: format, level: 6, window: 16}
		compressed, err := transform(s, p, data, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		p = parameters{format: format, decompress: true}
		for n := range compressed {
			got, err := transform(s, p, compressed[:n], 1<<20)
			if !errors.Is(err, ErrTruncated) || !bytes.HasPrefix(data, got) {
				t.Fatalf("format %d cut off at %d of %d: %v", format, n, len(compressed), err)
			}
		}
		for _, part := range []int{3, len(compressed), 1 << 20} {
			if _, err := transform(s, p, append(bytes.Clone(compressed), 0), part); err == nil || !strings.Contains(err.Error(), "bytes left") {
				t.Errorf("format %d with a byte behind it, by %d: %v", format, part, err)
			}
		}
		if len(s.open) != 0 || s.memory != 0 {
			t.Errorf("format %d: %d streams are left open, of %d bytes", format, len(s.open), s.memory)
		}
	}
}

func TestWrongData(t *testing.T) {
	zipped := func(change func(b []byte) []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte("hello, hello, hello"))
		w.Close()
		return change(b.Bytes())
	}
	xor := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte {
			b[(at+len(b))%len(b)] ^= v
			return b
		}
	}
	for _, c := range []struct {
		name   string
		format Format
		data   []byte
		want   string
	}{
		{"no gzip", Gzip, []byte("hello"), "incorrect header check"},
		{"gzip method", Gzip, zipped(xor(2, 1)), "unknown compression method"},
		{"gzip flags", Gzip, zipped(xor(3, 0x80)), "unknown header flags set"},
		{"gzip sum", Gzip, zipped(xor(-8, 1)), "incorrect data check"},
		{"gzip length", Gzip, zipped(xor(-1, 1)), "incorrect length check"},
		{"zlib header", Deflate, []byte{0x78, 0x9D}, "incorrect header check"},
		{"zlib method", Deflate, []byte{0x79, 0x18}, "unknown compression method"},
		{"zlib window", Deflate, []byte{0x88, 0x1C}, "invalid window size"},
		{"zlib dictionary", Deflate, []byte{0x78, 0xBB, 1, 2, 3, 4}, "Missing dictionary"},
		{"zlib sum", Deflate, []byte{0x78, 0x9C, 3, 0, 0, 0, 0, 2}, "incorrect data check"},
		{"block type", DeflateRaw, []byte{7}, "invalid block type"},
		{"stored lengths", DeflateRaw, []byte{1, 1, 0, 0, 0}, "invalid stored block lengths"},
		{"too far back", DeflateRaw, []byte{0x4B, 0x04, 0x12, 0x00}, "invalid distance too far back"},
		{"too many symbols", DeflateRaw, []byte{0xFC, 0x00, 0x00}, "too many length or distance symbols"},
		{"code lengths", DeflateRaw, []byte{0x04, 0x00, 0xFE, 0xFF}, "invalid code lengths set"},
		{"repeat of nothing", DeflateRaw, []byte{0x04, 0x00, 0x24, 0x49}, "invalid bit length repeat"},
		{"brotli", Brotli, []byte{0xFF, 0xFF, 0xFF, 0xFF}, "Decompression failed"},
	} {
		_, err := transform(New(Options{}), parameters{format: c.format, decompress: true}, c.data, 1)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Message != c.want {
			t.Errorf("%s: %v, not %q", c.name, err, c.want)
		}
		var record *op.ErrorRecord
		if !errors.As(err, &record) || record.Name != "TypeError" || record.Code == "" {
			t.Errorf("%s: as a record it is %+v", c.name, record)
		}
	}
}

func TestGzipHeader(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name, w.Comment, w.Extra = "a name", "a comment", bytes.Repeat([]byte("x"), 300)
	w.Write([]byte("hello"))
	w.Close()
	plain := b.Bytes()
	one := parameters{format: Gzip, decompress: true}
	many := parameters{format: Gzip, decompress: true, members: true}
	s := New(Options{})
	for _, part := range []int{1, 10, 1 << 10} {
		if got, err := transform(s, one, plain, part); err != nil || string(got) != "hello" {
			t.Errorf("by %d: %q, %v", part, got, err)
		}
		if got, err := transform(s, one, append(bytes.Clone(plain), plain...), part); err == nil {
			t.Errorf("two members as one, by %d: %q", part, got)
		}
	}
	if got, err := transform(s, many, append(bytes.Clone(plain), plain...), 1<<10); err != nil || string(got) != "hellohello" {
		t.Errorf("two members: %q, %v", got, err)
	}
}

func TestDictionaries(t *testing.T) {
	dictionary := text(40000)
	data := append(bytes.Clone(dictionary[39000:]), text(500)...)
	s := New(Options{})
	for _, format := range []Format{DeflateRaw, Deflate} {
		compressed, err := transform(s, parameters{format: format, level: 6, dictionary: dictionary}, data, 1<<20)
		if err != nil || len(compressed) > len(data)*3/4 {
			t.Fatal(len(compressed), err)
		}
		got, err := transform(s, parameters{format: format, decompress: true, dictionary: dictionary}, compressed, 100)
		if err != nil || !bytes.Equal(got, data) {
			t.Error("format", format, err)
		}
		if _, err = transform(s, parameters{format: format, decompress: true, dictionary: dictionary[1:]}, compressed, 100); err == nil && format == Deflate {
			t.Error("another dictionary will do")
		}
	}
	if _, err := transform(s, parameters{format: Gzip, level: 6, dictionary: dictionary}, data, 100); err != ErrParameters {
		t.Error("gzip has a dictionary:", err)
	}
}

// What was flushed can be decoded before more comes.
func TestFlush(t *testing.T) {
	for format := range formats {
		s := New(Options{})
		c := &client{streams: s, room: 1000, parameters: parameters{format: format, level: 5, window: 16}}
		d := &client{streams: s, room: 1000, parameters: parameters{format: format, decompress: true}}
		for i := range 5 {
			data := text(300 + i)
			if err := c.push(syncFlush, data); err != nil {
				t.Fatal(err)
			}
			if err := d.push(noFlush, c.out); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(d.out, data) {
				t.Errorf("format %d, part %d: %d of %d bytes came through", format, i, len(d.out), len(data))
			}
			c.out, d.out = nil, nil
		}
		s.Close()
		if s.memory != 0 {
			t.Error(s.memory, "bytes are left")
		}
	}
}

// A bomb gives no more than it is asked for, and no more than its tables stay.
func TestBomb(t *testing.T) {
	for format := range formats {
		s := New(Options{})
		bomb, err := transform(s, parameters{format: format, level: 9, window: 22}, make([]byte, 64<<20), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		d := &client{streams: s, room: 4096, parameters: parameters{format: format, decompress: true}}
		message := d.message(noFlush, bomb)
		var before int64
		pauses := 0
		s.options.Pause = func() { pauses++ }
		for range 50 {
			answer, err := s.Call(op.CompressStep, message, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := op.NewReader(answer)
			d.handle = r.F64()
			r.U8()
			bomb = bomb[r.U32():]
			if len(answer) > 17+4096 {
				t.Fatalf("%d bytes at once", len(answer))
			}
			if before == 0 {
				before = s.memory
			}
			message = d.message(noFlush, bomb)
		}
		if s.memory > before+1<<20 || s.memory > MaxMemory {
			t.Errorf("format %d holds %d bytes", format, s.memory)
		}
	}
}

func TestLimits(t *testing.T) {
	s := New(Options{})
	opened := 0
	for {
		c := &client{streams: s, room: 100, parameters: parameters{format: Gzip, level: 6}}
		if err := c.push(noFlush, []byte("x")); err == ErrMemory {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if opened++; opened > 1000 {
			t.Fatal("there is no limit")
		}
	}
	if opened < 16 {
		t.Errorf("only %d streams", opened)
	}
	if s.memory > MaxMemory {
		t.Errorf("%d bytes", s.memory)
	}
	for handle := range s.open {
		var w op.Writer
		w.F64(float64(handle))
		if _, err := s.Call(op.CompressClose, w.Message(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if s.memory != 0 || len(s.open) != 0 {
		t.Errorf("%d streams of %d bytes are left", len(s.open), s.memory)
	}
	for _, p := range []parameters{{format: formats}, {level: 10}, {level: -3}, {format: Brotli, level: 12, window: 20}, {format: Brotli, window: 9}, {format: Brotli, window: 25}} {
		if _, err := transform(s, p, nil, 1); err != ErrParameters {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// A stream of an earlier life is not mistaken for one of this.
func TestGone(t *testing.T) {
	old := &client{streams: New(Options{}), room: 100, parameters: parameters{format: Gzip, level: 6}}
	if err := old.push(noFlush, []byte("x")); err != nil {
		t.Fatal(err)
	}
	s := New(Options{})
	for range 20 {
		c := &client{streams: s, room: 100, parameters: parameters{format: Gzip, level: 6}}
		if err := c.push(noFlush, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	old.streams = s
	if err := old.push(finish, []byte("y")); err != ErrGone {
		t.Error(err)
	}
}

// Writers that are used again write what new ones do, whoever had them before.
func TestPooledWriters(t *testing.T) {
	var group sync.WaitGroup
	data := text(100000)
	want, err := transform(New(Options{}), parameters{format: Gzip, level: 6}, data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		group.Go(func() {
			s := New(Options{})
			for i := range 20 {
				transform(s, parameters{format: Deflate, level: 6}, text(1000*i), 999)
				if got, err := transform(s, parameters{format: Gzip, level: 6}, data, 1<<20); err != nil || !bytes.Equal(got, want) {
					t.Error("it depends on the past:", err)
				}
				c := &client{streams: s, room: 10, parameters: parameters{format: Gzip, level: 6}}
				c.push(noFlush, data[:50000])
				s.Close() // in mid-stream
			}
		})
	}
	group.Wait()
}

func TestChecksum(t *testing.T) {
	var w op.Writer
	w.U32(0)
	w.Bytes([]byte("123456789"))
	answer, err := Checksum(w.Message(), nil, func() {})
	if r := op.NewReader(answer); err != nil || r.U32() != 0xCBF43926 {
		t.Error(answer, err)
	}
}

func FuzzInflate(f *testing.F) {
	for _, n := range []int{0, 10, 5000} {
		for _, p := range all(DeflateRaw) {
			compressed, err := transform(New(Options{}), p, text(n), 1<<20)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(compressed, 3)
		}
	}
	f.Add([]byte{0x4B, 0x04, 0x12, 0x00}, 1)
	f.Fuzz(func(t *testing.T, data []byte, part int) {
		if part < 1 || part > 1<<20 || len(data) > 1<<16 {
			return
		}
		reader := bytes.NewReader(data)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(reader), 1<<20))
		if len(want) == 1<<20 {
			return
		}
		if wantErr == nil {
			data = data[:len(data)-reader.Len()]
		}
		got, err := transform(New(Options{}), parameters{format: DeflateRaw, decompress: true}, data, part)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, the library's is %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, not the %d of the library", len(got), len(want))
		}
	})
}

func FuzzStep(f *testing.F) {
	c := &client{room: 100, parameters: parameters{format: Gzip, decompress: true}}
	f.Add(c.message(finish, []byte{0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0}))
	c.parameters.format = Brotli
	f.Add(c.message(noFlush, []byte{0x0B, 2, 0x80, 'h', 'e', 'l', 'l', 'o', 3}))
	c.parameters = parameters{format: Deflate, level: 3}
	f.Add(c.message(syncFlush, []byte("hello")))
	f.Fuzz(func(t *testing.T, message []byte) {
		s := New(Options{})
		for range 3 {
			answer, err := s.Call(op.CompressStep, message, nil)
			if err == nil && (len(answer) < 17 || len(answer) > 17+MaxRoom) {
				t.Fatalf("an answer of %d bytes", len(answer))
			}
			if s.memory < 0 || s.memory > MaxMemory+64<<20 {
				t.Fatal(s.memory)
			}
		}
		s.Close()
		if s.memory != 0 {
			t.Fatal(s.memory)
		}
	})
}
