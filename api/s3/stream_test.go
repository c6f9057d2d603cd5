package s3

import (
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

// noise is a body that no store can shrink.
type noise struct {
	source *rand.ChaCha8
	left   int64
	hash   hash.Hash
}

func (n *noise) Read(p []byte) (int, error) {
	if n.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), n.left)]
	n.left -= int64(len(p))
	_, _ = n.source.Read(p)
	n.hash.Write(p)
	return len(p), nil
}

// peakHeap is the largest heap while f runs, in bytes above what it was before.
func peakHeap(f func()) int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() int64 {
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	before := read()
	var peak atomic.Int64
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			peak.Store(max(peak.Load(), read()))
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return peak.Load() - before
}

// An object of any size passes through in a bounded amount of memory.
func TestLargeObjectsStream(t *testing.T) {
	e := newEndpoint(t, nil)
	e.bucket(t)
	base, err := url.Parse(e.URL)
	check(t, err)
	p := &Presigner{Keyring: e.keyring, Base: base, Now: time.Now}
	const size, most = 128 << 20, 64 << 20
	request := func(method string, body io.Reader) *http.Response {
		t.Helper()
		link, err := p.Presign(t.Context(), "ann", method, "box", "large", time.Hour)
		check(t, err)
		r, err := http.NewRequestWithContext(t.Context(), method, link, body)
		check(t, err)
		if body != nil {
			r.ContentLength = size
		}
		response, err := e.Client().Transport.RoundTrip(r)
		check(t, err)
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", method, response.Status)
		}
		return response
	}
	body := &noise{rand.NewChaCha8([32]byte{1}), size, sha256.New()}
	if peak := peakHeap(func() { request(http.MethodPut, body).Body.Close() }); peak > most {
		t.Errorf("an upload of %d MB took %d MB of heap", size>>20, peak>>20)
	}
	got := sha256.New()
	if peak := peakHeap(func() {
		response := request(http.MethodGet, nil)
		defer response.Body.Close()
		n, err := io.Copy(got, response.Body)
		if err != nil || n != size {
			t.Errorf("%d bytes, %v", n, err)
		}
	}); peak > most {
		t.Errorf("a download of %d MB took %d MB of heap", size>>20, peak>>20)
	}
	if string(got.Sum(nil)) != string(body.hash.Sum(nil)) {
		t.Error("the object is another")
	}
}
