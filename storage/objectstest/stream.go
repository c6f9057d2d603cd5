package objectstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"mayfly/storage"
)

func readersOfTheOld(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	for _, size := range []int{100, 1 << 20} {
		old, fresh := noise(1, size), noise(2, size)
		put(t, o, "key", old, storage.PutOptions{})
		var open []*storage.Content
		for range 2 {
			c, err := o.Get(ctx, "key", storage.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		start := make([]byte, 10)
		if _, err := io.ReadFull(open[0].Body, start); err != nil {
			t.Fatal(err)
		}
		put(t, o, "key", fresh, storage.PutOptions{})
		if err := o.Delete(ctx, "key"); err != nil {
			t.Fatal(err)
		}
		for i, c := range open {
			rest, err := io.ReadAll(c.Body)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				rest = append(start, rest...)
			}
			if !bytes.Equal(rest, old) {
				t.Fatal("an open object changed")
			}
			if err := c.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A failing body yields some bytes and then an error.
type failing struct {
	left int
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	n := min(len(p), f.left, 1000)
	f.left -= n
	return n, nil
}

func brokenBodies(t *testing.T, o storage.Objects) {
	put(t, o, "key", []byte("old"), storage.PutOptions{})
	broken := errors.New("connection reset")
	for _, size := range sizes {
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			for _, key := range []string{"key", "fresh"} {
				_, err := o.Put(t.Context(), key, &failing{size, cause}, storage.PutOptions{})
				wantError(t, err, cause)
			}
		}
	}
	wantContent(t, o, "key", []byte("old"))
	wantAbsent(t, o, "fresh")
}

// A stalled body gives its content and then waits for the context.
type stalled struct {
	ctx     context.Context
	content io.Reader
	reached chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.content.Read(p)
	if err != io.EOF {
		return n, err
	}
	close(s.reached)
	<-s.ctx.Done()
	return n, s.ctx.Err()
}

func cancellation(t *testing.T, o storage.Objects) {
	put(t, o, "key", []byte("old"), storage.PutOptions{})
	for _, size := range []int{0, 1000, 1 << 20} {
		for _, key := range []string{"key", "fresh"} {
			ctx, cancel := context.WithCancel(t.Context())
			body := &stalled{ctx, bytes.NewReader(noise(1, size)), make(chan struct{})}
			done := make(chan error, 1)
			go func() {
				_, err := o.Put(ctx, key, body, storage.PutOptions{})
				done <- err
			}()
			<-body.reached
			cancel()
			select {
			case err := <-done:
				wantError(t, err, context.Canceled)
			case <-time.After(30 * time.Second):
				t.Fatal("put goes on after its context ended")
			}
			_, err := o.Put(ctx, key, strings.NewReader("x"), storage.PutOptions{})
			wantError(t, err, context.Canceled)
			_, err = o.List(ctx, storage.ListOptions{})
			wantError(t, err, context.Canceled)
		}
	}
	wantContent(t, o, "key", []byte("old"))
	wantAbsent(t, o, "fresh")
}

// A generator yields size bytes that are not kept anywhere.
type generator struct {
	left int64
	next byte
	peak uint64
}

func (g *generator) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), g.left))
	for i := range n {
		p[i] = g.next
		g.next = g.next*5 + 3
	}
	g.left -= int64(n)
	if g.left%(8<<20) < int64(n) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		g.peak = max(g.peak, m.HeapAlloc)
	}
	return n, nil
}

func largeStream(t *testing.T, o storage.Objects) {
	size := int64(96 << 20)
	if testing.Short() && !exceptionsOf(o).S3 { // its parts take memory, however small the whole
		size = 32 << 20
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	g := &generator{left: size}
	made, err := o.Put(t.Context(), "large", g, storage.PutOptions{})
	if err != nil || made.Size != size {
		t.Fatal(made, err)
	}
	if grown := int64(g.peak) - int64(before.HeapAlloc); grown > size/2 {
		t.Fatalf("the heap grew by %d MiB while %d MiB went through", grown>>20, size>>20)
	}
	want := sha256.New()
	if _, err := io.Copy(want, &generator{left: size}); err != nil {
		t.Fatal(err)
	}
	if made.SHA256 != "" && made.SHA256 != hex.EncodeToString(want.Sum(nil)) {
		t.Fatal("the digest differs")
	}
	c, err := o.Get(t.Context(), "large", storage.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := sha256.New()
	if _, err := io.Copy(got, c.Body); err != nil {
		t.Fatal(err)
	}
	if err := c.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Fatal("the contents differ")
	}
}
