package pipe

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

type chunkOf struct {
	bytes []byte
	err   error
}

func read(p *Pipe) chan chunkOf {
	c := make(chan chunkOf, 1)
	p.Read(func(b []byte, err error) { c <- chunkOf{b, err} })
	return c
}

func write(p *Pipe, s string) chan error {
	c := make(chan error, 1)
	p.Write([]byte(s), func(err error) { c <- err })
	return c
}

func settled[T any](t *testing.T, c chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	default:
		t.Fatal("it waits")
		panic("unreachable")
	}
}

func waits[T any](t *testing.T, c chan T) {
	t.Helper()
	select {
	case v := <-c:
		t.Fatalf("it does not wait: %v", v)
	default:
	}
}

func TestOrder(t *testing.T) {
	p := New()
	first := read(p)
	waits(t, first)
	if err := settled(t, write(p, "a")); err != nil {
		t.Fatal(err)
	}
	if c := settled(t, first); string(c.bytes) != "a" || c.err != nil {
		t.Fatalf("%q %v", c.bytes, c.err)
	}
	write(p, "b")
	write(p, "")
	write(p, "c")
	p.End(nil)
	p.End(errors.New("too late"))
	for _, want := range []string{"b", "c"} {
		if c := settled(t, read(p)); string(c.bytes) != want {
			t.Fatalf("%q, not %q", c.bytes, want)
		}
	}
	for range 2 {
		if c := settled(t, read(p)); c.err != io.EOF {
			t.Fatal(c.err)
		}
	}
	if err := settled(t, write(p, "d")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a write after the end: %v", err)
	}
}

func TestBackPressure(t *testing.T) {
	p := New()
	settled(t, write(p, strings.Repeat("x", capacity-1)))
	second := write(p, strings.Repeat("y", capacity))
	waits(t, second)
	settled(t, read(p))
	waits(t, second) // as much as the capacity is there still
	settled(t, read(p))
	if err := settled(t, second); err != nil {
		t.Error(err)
	}
}

func TestEnds(t *testing.T) {
	why := errors.New("why")
	t.Run("of the writer", func(t *testing.T) {
		p := New()
		r := read(p)
		p.End(why)
		if c := settled(t, r); c.err != why {
			t.Error(c.err)
		}
		if c := settled(t, read(p)); c.err != why {
			t.Error(c.err)
		}
	})
	t.Run("of the reader", func(t *testing.T) {
		p := New()
		var told error
		p.OnCancel(func(err error) { told = err })
		settled(t, write(p, strings.Repeat("x", capacity-1)))
		w := write(p, "yy")
		waits(t, w)
		p.Cancel(why)
		p.Cancel(errors.New("again"))
		if err := settled(t, w); err != why {
			t.Error(err)
		}
		if err := settled(t, write(p, "z")); err != why || told != why {
			t.Error(err, told)
		}
		if c := settled(t, read(p)); c.err != why {
			t.Error(c.err)
		}
	})
	t.Run("a read is taken back", func(t *testing.T) {
		p := New()
		c := make(chan chunkOf, 1)
		forget := p.Read(func(b []byte, err error) { c <- chunkOf{b, err} })
		if !forget() || forget() {
			t.Error("it was not taken back once")
		}
		write(p, "a")
		waits(t, c)
		if c := settled(t, read(p)); string(c.bytes) != "a" {
			t.Errorf("%q", c.bytes)
		}
	})
}

func TestBlocking(t *testing.T) {
	content := make([]byte, 5*capacity+17)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	source := &closed{Reader: bytes.NewReader(content)}
	p := From(source, int64(len(content)))
	if p.Length() != int64(len(content)) {
		t.Error(p.Length())
	}
	r := p.Reader()
	if err := iotest.TestReader(r, content); err != nil {
		t.Error(err)
	}
	if source.times != 1 {
		t.Errorf("the source was closed %d times", source.times)
	}
	never := &closed{Reader: strings.NewReader("unread")}
	From(never, -1).Cancel(nil)
	if never.times != 1 {
		t.Error("a source that nobody reads is not closed")
	}
	broken := From(io.NopCloser(iotest.ErrReader(errors.New("broken"))), -1)
	if _, err := io.ReadAll(broken.Reader()); err == nil || err.Error() != "broken" {
		t.Error(err)
	}
}

type closed struct {
	io.Reader
	mu    sync.Mutex
	times int
}

func (c *closed) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times++
	return nil
}

// Writers and readers that end at any moment leave nobody waiting.
func TestHammer(t *testing.T) {
	var group sync.WaitGroup
	for i := range 400 {
		group.Go(func() {
			p := New()
			var both sync.WaitGroup
			both.Go(func() {
				for n := 0; ; n++ {
					done := make(chan error, 1)
					p.Write(make([]byte, 1+n*1000), func(err error) { done <- err })
					if <-done != nil {
						return
					}
					if n == i%20 {
						p.End(nil)
						return
					}
				}
			})
			both.Go(func() {
				for n := 0; ; n++ {
					c := <-read(p)
					if c.err != nil {
						return
					}
					if n == i%7 {
						p.Cancel(nil)
						return
					}
				}
			})
			both.Wait()
		})
	}
	group.Wait()
}

// TestStepwise: a write is done when the reader asks for what comes after it.
func TestStepwise(t *testing.T) {
	p := NewStepwise()
	if err := settled(t, write(p, "")); err != nil {
		t.Fatal(err)
	}
	first := write(p, "a")
	waits(t, first)
	if c := settled(t, read(p)); string(c.bytes) != "a" {
		t.Fatalf("%q %v", c.bytes, c.err)
	}
	waits(t, first) // it has been taken, and is being used
	next := read(p)
	if err := settled(t, first); err != nil {
		t.Fatal(err)
	}
	if err := settled(t, write(p, "")); err != nil {
		t.Fatal(err)
	}
	second := write(p, "b")
	if c := settled(t, next); string(c.bytes) != "b" {
		t.Fatalf("%q %v", c.bytes, c.err)
	}
	waits(t, second)
	p.End(nil)
	if err := settled(t, second); err != nil {
		t.Fatal(err)
	}
	if c := settled(t, read(p)); c.err != io.EOF {
		t.Fatalf("%q %v", c.bytes, c.err)
	}
	for name, end := range map[string]func(*Pipe){"cancelled": func(p *Pipe) { p.Cancel(errBroken) }, "while it waits": func(p *Pipe) { read(p); p.Cancel(errBroken) }} {
		p := NewStepwise()
		w := write(p, "a")
		settled(t, read(p))
		end(p)
		if err := settled(t, w); name == "cancelled" && !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var errBroken = errors.New("broken")
