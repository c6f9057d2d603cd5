package s3

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"mayfly/storage"
	"mayfly/storage/objectstest"
	client "mayfly/storage/s3"
)

// The embedded store behind this endpoint is as good a store of objects, by a
// client of S3, as it is itself; but for what S3 has no words for.
func TestConformance(t *testing.T) {
	e := newEndpoint(t, nil)
	var buckets atomic.Int64
	exceptions := objectstest.Exceptions{
		Reasons: []string{
			"S3 tells the time of a put in seconds, and not with the answer to it",
			"S3 lists no expiry",
			"the client takes no key of spaces only",
		},
		Key:        func(key string) bool { return strings.TrimSpace(key) != "" },
		PutTime:    true,
		ListExpiry: true,
		S3:         true,
	}
	objectstest.RunWith(t, exceptions, func(t *testing.T) storage.Objects {
		name := fmt.Sprintf("bucket-%d", buckets.Add(1))
		check(t, e.catalog.Create(t.Context(), "ann", name))
		o, err := client.Open(client.Config{Endpoint: e.URL, Bucket: name, PathStyle: true, AccessKey: e.ann.ID, SecretKey: e.ann.Secret})
		check(t, err)
		t.Cleanup(func() { o.Close() })
		return o
	})
}
