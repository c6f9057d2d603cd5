package kv

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/storage/kv"
	"mayfly/storage/kv/embedded"
)

// FuzzDo gives the methods any arguments: what they do stays below the prefix,
// and their errors are the guest's to see.
func FuzzDo(f *testing.F) {
	w := op.NewWriter(nil)
	w.Strs([]string{"a", "b"})
	w.U8(3)
	f.Add(uint8(MethodGet), w.Message(), "")
	w = op.NewWriter(nil)
	w.Str("key")
	f.Add(uint8(MethodDelete), append([]byte(nil), w.Message()...), "")
	w.F64(math.NaN())
	w.F64(math.Inf(1))
	w.Str(`{"a":1}`)
	f.Add(uint8(MethodPut), w.Message(), "value")
	w = op.NewWriter(nil)
	w.F64(1e300)
	w.Str("p")
	w.Str("AQ")
	f.Add(uint8(MethodList), w.Message(), "")
	store, err := embedded.Open(context.Background(), filepath.Join(f.TempDir(), "kv.db"), embedded.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	n, err := store.Open(context.Background(), "t", "n")
	if err != nil {
		f.Fatal(err)
	}
	if err := n.Put(context.Background(), "outside", []byte("x"), kv.PutOptions{}); err != nil {
		f.Fatal(err)
	}
	b := New(n, Options{Prefix: "p/"})
	f.Fuzz(func(t *testing.T, method uint8, arguments []byte, body string) {
		reply, err := b.Do(t.Context(), &binding.Call{Method: method, Arguments: arguments, Body: strings.NewReader(body), Size: int64(len(body))})
		var told *op.ErrorRecord
		if err != nil && !errors.As(err, &told) {
			t.Fatalf("method %d: %v", method, err)
		}
		if reply.Body != nil {
			reply.Body.Close()
		}
		l, err := n.List(t.Context(), kv.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		outside := false
		for _, k := range l.Keys {
			outside = outside || k.Name == "outside"
			if k.Name != "outside" && !strings.HasPrefix(k.Name, "p/") {
				t.Fatalf("method %d wrote %q", method, k.Name)
			}
		}
		if !outside {
			t.Fatalf("method %d removed what is outside of its prefix", method)
		}
	})
}

func TestMemory(t *testing.T) {
	m := NewMemory(10, time.Minute)
	ctx := t.Context()
	release, err := m.acquire(ctx, 6)
	if err != nil {
		t.Fatal(err)
	}
	// Who comes first is served first, even if a later one would fit.
	got := make(chan int64, 2)
	second, cancel := context.WithCancel(ctx)
	go func() {
		if _, err := m.acquire(second, 5); err != nil {
			got <- -5
			return
		}
		got <- 5
	}()
	for {
		m.mu.Lock()
		waiting := len(m.queue)
		m.mu.Unlock()
		if waiting == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	go func() {
		release, err := m.acquire(ctx, 4)
		if err != nil {
			t.Error(err)
		} else {
			release(0)
		}
		got <- 4
	}()
	time.Sleep(10 * time.Millisecond)
	select {
	case n := <-got:
		t.Errorf("%d came first", n)
	default:
	}
	cancel() // who gives up lets the next one pass
	if a, b := <-got, <-got; a+b != -1 {
		t.Errorf("%d, %d", a, b)
	}
	release(2)
	if whole, err := m.acquire(ctx, 8); err != nil {
		t.Error(err)
	} else {
		whole(0)
		whole(0)
	}
	release(0)
	short := NewMemory(1, time.Millisecond)
	if _, err := short.acquire(ctx, 2); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("waiting for what there never is: %v", err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				release, err := m.acquire(ctx, 7)
				if err != nil {
					t.Error(err)
					return
				}
				release(3)
				release(0)
			}
		})
	}
	all.Wait()
	if m.free != 10 || len(m.queue) != 0 {
		t.Errorf("%d free, %d waiting", m.free, len(m.queue))
	}
}
