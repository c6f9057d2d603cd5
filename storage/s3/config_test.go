package s3

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mayfly/storage"
	"mayfly/storage/s3/versity"
)

// TestCertificates: a server with a certificate of its own authority is
// trusted if the authority is named, and told why if not.
func TestCertificates(t *testing.T) {
	folder := t.TempDir()
	certificate, key := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	makeCertificate(t, certificate, key)
	data := filepath.Join(folder, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := versity.Start(t.Context(), versity.Options{Folder: data, CertFile: certificate, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Bucket("bucket"); err != nil {
		t.Fatal(err)
	}
	config := Config{Endpoint: s.URL, Bucket: "bucket", PathStyle: true, AccessKey: versity.AccessKey, SecretKey: versity.SecretKey, CAFile: certificate, Prefix: "below/"}
	b, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, size := range []int{100, smallPart + 1} {
		content := randomContent(size)
		if _, err := b.Put(t.Context(), "key", bytes.NewReader(content), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, b, "key"), content) {
			t.Fatal("other contents")
		}
	}
	if _, err := os.Stat(filepath.Join(data, "bucket", "below", "key")); err != nil {
		t.Fatal(err)
	}
	config.CAFile = ""
	stranger, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	var e *storage.Error
	if _, err = stranger.Head(t.Context(), "key"); !errors.Is(err, storage.ErrUnavailable) || !errors.As(err, &e) || !strings.Contains(e.Hint, "ca_file") {
		t.Fatal(err)
	}
}

func makeCertificate(t *testing.T, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAddressing: the bucket is in the host name or in the path, the region and
// the session token in the signature.
func TestAddressing(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Endpoint: "https://s3.example.net", Region: "eu-west-9"}, "https://bucket.s3.example.net/p/a%20b?"},
		{Config{Endpoint: "https://s3.example.net:9000", PathStyle: true, Region: "eu-west-9"}, "https://s3.example.net:9000/bucket/p/a%20b?"},
	} {
		test.config.Bucket, test.config.AccessKey, test.config.SecretKey, test.config.SessionToken, test.config.Prefix = "bucket", "a", "b", "token", "p/"
		o, err := Open(test.config)
		if err != nil {
			t.Fatal(err)
		}
		url, err := o.(storage.Presigner).Presign(t.Context(), "GET", "a b", time.Minute)
		if err != nil || !strings.HasPrefix(url, test.want) || !strings.Contains(url, "eu-west-9") || !strings.Contains(url, "X-Amz-Security-Token=token") {
			t.Errorf("%s, %v", url, err)
		}
	}
	for _, bad := range []Config{
		{Endpoint: "s3.example.net", Bucket: "b"}, {Endpoint: "ftp://x", Bucket: "b"}, {Endpoint: "https://x/path", Bucket: "b"}, {Endpoint: "https://x"},
		{Endpoint: "https://x", Bucket: "b", AccessKey: "only"}, {Endpoint: "https://x", Bucket: "b", CAFile: "not-there"},
		{Endpoint: "https://x", Bucket: "b", Prefix: strings.Repeat("x", storage.MaxKeyLength)},
	} {
		if _, err := Open(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// TestPresigned: a URL is good for what it was made for, without credentials.
func TestPresigned(t *testing.T) {
	b := openTest(t, testConfig(t))
	do := func(method, url, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()
	sign := func(method string) string {
		t.Helper()
		url, err := b.Presign(t.Context(), method, "ä b", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	if status, text := do("PUT", sign("PUT"), "hello"); status != 200 {
		t.Fatal(status, text)
	}
	if status, text := do("GET", sign("GET"), ""); status != 200 || text != "hello" {
		t.Fatal(status, text)
	}
	if status, _ := do("PUT", sign("GET"), "other"); status != 403 {
		t.Fatal(status)
	}
	if got := read(t, b, "ä b"); string(got) != "hello" {
		t.Fatalf("%q", got)
	}
	for method, expires := range map[string]time.Duration{"DELETE": time.Minute, "GET": 8 * 24 * time.Hour, "PUT": 0} {
		if _, err := b.Presign(t.Context(), method, "k", expires); !errors.Is(err, storage.ErrInvalidOption) {
			t.Errorf("%s for %v: %v", method, expires, err)
		}
	}
}

// A counter yields zeroes and watches the heap.
type counter struct {
	left int64
	peak uint64
}

func (c *counter) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.left))
	c.left -= int64(n)
	if c.left%(4<<20) < int64(n) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak = max(c.peak, m.HeapAlloc)
	}
	return n, nil
}

// TestMemory: a large object of unknown size passes through in 64 MiB.
func TestMemory(t *testing.T) {
	b := openTest(t, testConfig(t))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	c := &counter{left: 400 << 20}
	if testing.Short() {
		c.left = 120 << 20
	}
	size := c.left
	made, err := b.Put(t.Context(), "large", c, storage.PutOptions{})
	if err != nil || made.Size != size {
		t.Fatal(made, err)
	}
	if grown := int64(c.peak) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	content, err := b.Get(t.Context(), "large", storage.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if content.Body.(*objectBody).verify == nil {
		t.Error("nothing is there to check a large object by")
	}
	if n, err := io.Copy(io.Discard, content.Body); err != nil || n != size {
		t.Fatal(n, err)
	}
	if err := content.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStreamedParts: a part whose size is known is not held in memory, and
// what was announced is checked before the server has all of it.
func TestStreamedParts(t *testing.T) {
	b := openTest(t, testConfig(t))
	content := randomContent(smallPart + 5000)
	d := storage.NewDigester(storage.Digests{SHA256: "x", CRC32: "x"})
	d.Write(content)
	id, err := b.CreateUpload(t.Context(), "key", storage.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(content))
	for name, test := range map[string]struct {
		body    io.Reader
		options storage.PartOptions
		want    error
	}{
		"short":   {bytes.NewReader(content[:size-1]), storage.PartOptions{Size: size}, storage.ErrChecksum},
		"long":    {io.MultiReader(bytes.NewReader(content), strings.NewReader("x")), storage.PartOptions{Size: size}, storage.ErrChecksum},
		"digest":  {bytes.NewReader(content), storage.PartOptions{Size: size, Digests: storage.Digests{CRC32: "00000000"}}, storage.ErrChecksum},
		"broken":  {io.MultiReader(bytes.NewReader(content[:size/2]), failingReader{}), storage.PartOptions{Size: size}, errBroken},
		"unsized": {&counter{left: MaxUnsizedPart + 1}, storage.PartOptions{}, storage.ErrUnsupported},
	} {
		if _, err := b.UploadPart(t.Context(), "key", id, 1, test.body, test.options); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if parts, err := b.ListParts(t.Context(), "key", id); err != nil || len(parts) != 0 {
		t.Fatal(parts, err)
	}
	p, err := b.UploadPart(t.Context(), "key", id, 1, bytes.NewReader(content), storage.PartOptions{Size: size, Digests: d.Sum()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CompleteUpload(t.Context(), "key", id, []storage.Part{p}, storage.CompleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, b, "key"), content) {
		t.Fatal("other contents")
	}
}

var errBroken = errors.New("broken")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errBroken }

// TestCopyParts: what is too large for one request is copied in parts.
func TestCopyParts(t *testing.T) {
	b := openTest(t, testConfig(t))
	content := randomContent(smallPart + 5000)
	if _, err := b.Put(t.Context(), "from", bytes.NewReader(content), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	from, err := b.head(t.Context(), "from")
	if err != nil {
		t.Fatal(err)
	}
	d := &description{version: randomName(), options: storage.PutOptions{ContentType: "text/plain", Conditions: storage.WriteConditions{IfNoneMatch: "*"}}}
	made, err := b.copyParts(t.Context(), "to", from, d)
	if err != nil || made.ContentType != "text/plain" || !bytes.Equal(read(t, b, "to"), content) {
		t.Fatal(made, err)
	}
	if _, err := b.copyParts(t.Context(), "to", from, d); !errors.Is(err, storage.ErrPreconditionFailed) {
		t.Fatal(err)
	}
	if uploads, err := b.ListUploads(t.Context(), ""); err != nil || len(uploads) != 0 {
		t.Fatal(uploads, err)
	}
}

// TestForeignObjects: what other programs put is read as it is.
func TestForeignObjects(t *testing.T) {
	config := testConfig(t)
	b := openTest(t, config)
	if err := os.WriteFile(filepath.Join(server.Folder, config.Bucket, "theirs"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b, "theirs"); string(got) != "hello" {
		t.Fatalf("%q", got)
	}
	if o, err := b.Head(t.Context(), "theirs"); err != nil || o.SHA256 != "" || !o.Expires.IsZero() || o.Size != 5 {
		t.Fatal(o, err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor("token"))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := decodeCursor(s)
		if err == nil && encodeCursor(token) != s {
			t.Fatalf("%q is accepted for %q", s, token)
		}
		if u, err := decodeUpload(s); err == nil && u.ID == "" && s != "" {
			t.Fatalf("%q has no id", s)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 2-5/10", int64(4))
	f.Add("bytes 9223372036854775807-0/1", int64(1))
	f.Fuzz(func(t *testing.T, text string, length int64) {
		offset, size, err := contentRange(text, length)
		if err == nil && (offset < 0 || length < 1 || offset > size-length) {
			t.Fatalf("%q: %d of %d", text, offset, size)
		}
	})
}
