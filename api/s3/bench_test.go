package s3

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mayfly/storage"
)

// BenchmarkGet is one object of 4 KB by a presigned URL, over a connection that
// is kept.
func BenchmarkGet(b *testing.B) {
	e := newEndpoint(b, nil)
	check(b, e.catalog.Create(b.Context(), "ann", "box"))
	o, err := e.catalog.Open(b.Context(), "ann", "box")
	check(b, err)
	_, err = o.Put(b.Context(), "key", strings.NewReader(strings.Repeat("x", 4096)), storage.PutOptions{})
	check(b, err)
	base, err := url.Parse(e.URL)
	check(b, err)
	link, err := (&Presigner{Keyring: e.keyring, Base: base, Now: time.Now}).Presign(b.Context(), "ann", http.MethodGet, "box", "key", time.Hour)
	check(b, err)
	client := e.Client()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			response, err := client.Get(link)
			if err != nil || response.StatusCode != http.StatusOK {
				b.Errorf("%v %v", response, err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	})
}
