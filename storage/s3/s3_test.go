package s3

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mayfly/storage"
	"mayfly/storage/objectstest"
	"mayfly/storage/s3/versity"
)

// server is the real one that all tests of this package use.
var server *versity.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "s3-test-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		if server, err = versity.Start(context.Background(), versity.Options{Folder: folder, Log: os.Stderr}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer server.Stop()
		code := m.Run()
		err = goleak.Find(
			goleak.IgnoreAnyFunction("mayfly/storage/s3/versity.start.func1"), // waits for the server, which still runs
			// The faulty proxy loses some of what it cuts.
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		)
		if code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}())
}

var buckets atomic.Int64

// testConfig is of a new, empty bucket.
func testConfig(t testing.TB) Config {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", buckets.Add(1))
	if err := server.Bucket(name); err != nil {
		t.Fatal(err)
	}
	return Config{
		Endpoint: server.URL, Region: versity.Region, Bucket: name, PathStyle: true,
		AccessKey: versity.AccessKey, SecretKey: versity.SecretKey, Timeout: 20 * time.Second,
	}
}

func openTest(t testing.TB, config Config) *Bucket {
	t.Helper()
	b, err := open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// exceptions are what versitygw can't: its objects are files, whose names are
// the keys.
var exceptions = objectstest.Exceptions{
	Reasons: []string{
		"a key is a path of the file system: no empty, . and .. segments, none of more than 255 bytes, no key that is another's folder",
		"S3 tells the time of a put in seconds, and not with the answer to it",
		"S3 lists no expiry",
		"the client takes no key of spaces only",
		"a listing that starts within a group leaves the group out",
		"a listing shows files that are being written",
	},
	Key: func(key string) bool {
		for segment := range strings.SplitSeq(key, "/") {
			if strings.TrimSpace(segment) == "" || segment == "." || segment == ".." || len(segment) > 255 {
				return false
			}
		}
		return !strings.ContainsAny(key, "\x00")
	},
	Exclusive:    func(key, other string) bool { return strings.HasPrefix(other, key+"/") },
	Foreign:      func(key string) bool { return strings.Contains(key, ".sgwtmp") },
	StartInGroup: true,
	PutTime:      true,
	ListExpiry:   true,
	S3:           true,
}

func TestConformance(t *testing.T) {
	objectstest.RunWith(t, exceptions, func(t *testing.T) storage.Objects { return openTest(t, testConfig(t)) })
}

func read(t testing.TB, o storage.Objects, key string) []byte {
	t.Helper()
	c, err := o.Get(t.Context(), key, storage.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Body.Close()
	b, err := io.ReadAll(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTryOut finds out what versitygw judges: conditions of puts and of the end
// of uploads, not of copies. It leaves nothing behind.
func TestTryOut(t *testing.T) {
	b := openTest(t, testConfig(t))
	for write, want := range map[writeKind]bool{byPut: true, byComplete: true, byCopy: false} {
		for _, header := range []headerKind{ifMatch, ifNoneMatch} {
			if got, err := b.tryOut(t.Context(), condition{write, header}); err != nil || got != want {
				t.Errorf("%s, %s: %v, %v", write, header, got, err)
			}
		}
	}
	l, err := b.List(t.Context(), storage.ListOptions{})
	if err != nil || len(l.Objects) > 0 {
		t.Errorf("%+v, %v", l, err)
	}
	if uploads, err := b.ListUploads(t.Context(), ""); err != nil || len(uploads) > 0 {
		t.Errorf("%+v, %v", uploads, err)
	}
}
