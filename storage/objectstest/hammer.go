package objectstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mayfly/storage"
)

// racingCreators: of those that demand absence exactly one succeeds, and its
// contents are there.
func racingCreators(t *testing.T, o storage.Objects) {
	for round := range 12 {
		key := fmt.Sprint("key", round)
		size := []int{10, 40 << 10}[round%2]
		var wins atomic.Int32
		var winner atomic.Uint64
		var wg sync.WaitGroup
		for i := range uint64(16) {
			wg.Go(func() {
				_, err := o.Put(t.Context(), key, bytes.NewReader(noise(i, size)), storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}})
				if err == nil {
					wins.Add(1)
					winner.Store(i)
				} else if !errors.Is(err, storage.ErrPreconditionFailed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("%d creators succeeded", wins.Load())
		}
		wantContent(t, o, key, noise(winner.Load(), size))
	}
}

// racingUpdates: counters kept by compare and swap lose no increment.
func racingUpdates(t *testing.T, o storage.Objects) {
	const workers, each = 8, 15
	put(t, o, "counter", []byte("0"), storage.PutOptions{})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				c, err := o.Get(t.Context(), "counter", storage.GetOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(c.Body)
				c.Body.Close()
				n, convErr := strconv.Atoi(string(text))
				if err != nil || convErr != nil {
					t.Error(err, convErr)
					return
				}
				_, err = o.Put(t.Context(), "counter", strings.NewReader(strconv.Itoa(n+1)), storage.PutOptions{Conditions: storage.WriteConditions{IfMatch: c.ETag}})
				if err == nil {
					done++
				} else if !errors.Is(err, storage.ErrPreconditionFailed) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantContent(t, o, "counter", []byte(strconv.Itoa(workers*each)))
}

// readersDuringOverwrite see one version or another, whole, with the
// description that belongs to it.
func readersDuringOverwrite(t *testing.T, o storage.Objects) {
	sizes := []int{5, 30 << 10, 200 << 10, 1000}
	version := func(i int) []byte { return noise(uint64(i), sizes[i%len(sizes)]) }
	digests := map[string]string{}
	for i := range 40 {
		digests[digest(version(i))] = fmt.Sprint(i)
	}
	put(t, o, "key", version(0), storage.PutOptions{Metadata: map[string]string{"v": "0"}})
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := o.Get(t.Context(), "key", storage.GetOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(c.Body)
				c.Body.Close()
				if err != nil {
					t.Error(err)
					return
				}
				if v, ok := digests[digest(got)]; !ok || c.Metadata["v"] != v || c.Size != int64(len(got)) {
					t.Errorf("%d bytes are no version, or not version %s", len(got), c.Metadata["v"])
					return
				}
				l, err := o.List(t.Context(), storage.ListOptions{})
				if foreign := exceptionsOf(o).Foreign; foreign != nil {
					l.Objects = slices.DeleteFunc(l.Objects, func(o storage.Object) bool { return foreign(o.Key) })
				}
				if err != nil || len(l.Objects) != 1 {
					t.Error(l, err)
					return
				}
			}
		})
	}
	for w := range 2 {
		writers.Go(func() {
			for i := range 40 {
				v := (i + w*20) % 40
				_, err := o.Put(t.Context(), "key", bytes.NewReader(version(v)), storage.PutOptions{Metadata: map[string]string{"v": fmt.Sprint(v)}})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}
