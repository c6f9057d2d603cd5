package s3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mayfly/storage"
)

func sum(content string) string {
	s := sha256.Sum256([]byte(content))
	return hex.EncodeToString(s[:])
}

// signed is a request that the AWS signer has signed.
func (e *endpoint) signed(t *testing.T, c Credential, method, path, content, payload string, header http.Header, at time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.URL+path, strings.NewReader(content))
	check(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("X-Amz-Content-Sha256", payload)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	check(t, signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: c.ID, SecretAccessKey: c.Secret}, r, payload, "s3", "us-east-1", at))
	return r
}

// code sends a request and answers the code of its error, or its status.
func (e *endpoint) code(t *testing.T, r *http.Request) string {
	t.Helper()
	response, err := e.Client().Transport.RoundTrip(r)
	check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	if _, rest, ok := strings.Cut(string(body), "<Code>"); ok {
		code, _, _ := strings.Cut(rest, "<")
		return code
	}
	return fmt.Sprint(response.StatusCode)
}

func (e *endpoint) bucket(t *testing.T) storage.Objects {
	t.Helper()
	check(t, e.catalog.Create(t.Context(), "ann", "box"))
	o, err := e.catalog.Open(t.Context(), "ann", "box")
	check(t, err)
	return o
}

// Whatever is changed of a signed request, it is refused, and nothing is
// stored.
func TestSignatures(t *testing.T) {
	e := newEndpoint(t, nil)
	box := e.bucket(t)
	now := time.Now()
	put := func(change func(*http.Request)) *http.Request {
		r := e.signed(t, e.ann, "PUT", "/box/key?a=1&b=%20%2F", "content", sum("content"), http.Header{"X-Amz-Meta-A": {"1"}, "Content-Type": {"text/plain"}}, now)
		change(r)
		return r
	}
	authorization := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			value := strings.Replace(r.Header.Get("Authorization"), old, new, 1)
			if value == r.Header.Get("Authorization") {
				t.Fatalf("%s is not in %s", old, value)
			}
			r.Header.Set("Authorization", value)
		}
	}
	for _, x := range []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"method", func(r *http.Request) { r.Method = "DELETE"; r.Body, r.ContentLength = nil, 0 }, "SignatureDoesNotMatch"},
		{"path", func(r *http.Request) { r.URL.Path = "/box/other" }, "SignatureDoesNotMatch"},
		{"query", func(r *http.Request) { r.URL.RawQuery = "a=2&b=%20%2F" }, "SignatureDoesNotMatch"},
		{"another parameter", func(r *http.Request) { r.URL.RawQuery += "&uploads" }, "SignatureDoesNotMatch"},
		{"header", func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "2") }, "SignatureDoesNotMatch"},
		{"a header twice", func(r *http.Request) { r.Header.Add("X-Amz-Meta-A", "2") }, "SignatureDoesNotMatch"},
		{"another header", func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "box/x") }, "AccessDenied"},
		{"host", func(r *http.Request) { r.Host = "box.localhost" }, "SignatureDoesNotMatch"},
		{"body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("CONTENT")) }, "XAmzContentSHA256Mismatch"},
		{"payload", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", unsigned) }, "SignatureDoesNotMatch"},
		{"no payload", func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, "InvalidRequest"},
		{"no authorization", func(r *http.Request) { r.Header.Del("Authorization") }, "AccessDenied"},
		{"day", authorization(now.UTC().Format(dayFormat), "20200101"), "AccessDenied"},
		{"region", authorization("us-east-1", "eu-west-1"), "SignatureDoesNotMatch"},
		{"service", authorization("/s3/", "/ec2/"), "AuthorizationHeaderMalformed"},
		{"version 2", func(r *http.Request) { r.Header.Set("Authorization", "AWS "+e.ann.ID+":c2ln") }, "InvalidRequest"},
		{"version 2, presigned", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "AWSAccessKeyId=" + e.ann.ID + "&Signature=c2ln&Expires=9999999999"
		}, "InvalidRequest"},
		{"algorithm", authorization(algorithm, "AWS4-HMAC-SHA1"), "AuthorizationHeaderMalformed"},
		{"host is not signed", authorization(";host", ""), "AuthorizationHeaderMalformed"},
		{"order", authorization("content-length;content-type", "content-type;content-length"), "AuthorizationHeaderMalformed"},
		{"no signature", authorization(", Signature=", ", Sig="), "AuthorizationHeaderMalformed"},
		{"empty signature", func(r *http.Request) {
			value, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", value+"Signature=")
		}, "SignatureDoesNotMatch"},
		{"unknown key", authorization(e.ann.ID, "MFAAAAAAAAAAAAAAAAAA"), "InvalidAccessKeyId"},
		{"a secret's name", authorization(e.ann.ID, "../"+e.ann.ID), "InvalidAccessKeyId"},
		{"another's key", authorization(e.ann.ID, e.bob.ID), "SignatureDoesNotMatch"},
		{"no date", func(r *http.Request) { r.Header.Set("X-Amz-Date", "yesterday") }, "AccessDenied"},
		{"token", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, "AccessDenied"},
	} {
		if got := e.code(t, put(x.change)); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
	wrong := e.ann
	wrong.Secret += "x"
	for _, x := range []struct {
		r    *http.Request
		want string
	}{
		{e.signed(t, wrong, "PUT", "/box/key", "", sum(""), nil, now), "SignatureDoesNotMatch"},
		{e.signed(t, e.ann, "PUT", "/box/key", "", sum(""), nil, now.Add(-16*time.Minute)), "RequestTimeTooSkewed"},
		{e.signed(t, e.ann, "PUT", "/box/key", "", sum(""), nil, now.Add(16*time.Minute)), "RequestTimeTooSkewed"},
		{e.signed(t, e.ann, "PUT", "/box/key", "content", sum("other"), nil, now), "XAmzContentSHA256Mismatch"},
		{e.signed(t, e.ann, "PUT", "/box/key", "content", "abc", nil, now), "InvalidArgument"},
	} {
		if got := e.code(t, x.r); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
	if _, err := box.Head(t.Context(), "key"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("something was stored: %v", err)
	}
	if got := e.code(t, put(func(*http.Request) {})); got != "200" {
		t.Errorf("unchanged: %s", got)
	}
	if got := e.code(t, put(func(r *http.Request) { r.Header.Set("X-Other", "1") })); got != "200" {
		t.Errorf("with a header that means nothing: %s", got)
	}
	if _, err := box.Head(t.Context(), "key"); err != nil {
		t.Error(err)
	}
}

func TestPresigned(t *testing.T) {
	clock := time.Now()
	e := newEndpoint(t, func(o *Options) { o.Now = func() time.Time { return clock } })
	box := e.bucket(t)
	c := s3.NewPresignClient(e.client(t, e.ann, nil))
	get := func(expires time.Duration) *http.Request {
		t.Helper()
		p, err := c.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("a b/ü+")}, s3.WithPresignExpires(expires))
		check(t, err)
		r, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, nil)
		check(t, err)
		return r
	}
	put, err := c.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("box"), Key: aws.String("a b/ü+")}, s3.WithPresignExpires(time.Hour))
	check(t, err)
	r, err := http.NewRequestWithContext(t.Context(), "PUT", put.URL, strings.NewReader("content"))
	check(t, err)
	if got := e.code(t, r); got != "200" {
		t.Fatalf("put: %s", got)
	}
	for _, x := range []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"nothing", func(*http.Request) {}, "200"},
		{"method", func(r *http.Request) { r.Method = "DELETE" }, "SignatureDoesNotMatch"},
		{"path", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/box/b", "" }, "SignatureDoesNotMatch"},
		{"expiry", func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Expires=60", "X-Amz-Expires=600", 1)
		}, "SignatureDoesNotMatch"},
		{"expiry twice", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Expires=600" }, "AuthorizationQueryParametersError"},
		{"expiry in front", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Expires=600&" + r.URL.RawQuery }, "AuthorizationQueryParametersError"},
		{"a header", func(r *http.Request) { r.Header.Set("X-Amz-Checksum-Mode", "ENABLED") }, "AccessDenied"},
		{"an answer's header", func(r *http.Request) { r.URL.RawQuery += "&response-content-type=text/html" }, "SignatureDoesNotMatch"},
	} {
		r := get(time.Minute)
		x.change(r)
		if got := e.code(t, r); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
	if got := e.code(t, get(8*24*time.Hour)); got != "AuthorizationQueryParametersError" {
		t.Errorf("for longer than a week: %s", got)
	}
	late := get(time.Minute)
	clock = clock.Add(2 * time.Minute)
	if got := e.code(t, late); got != "AccessDenied" {
		t.Errorf("too late: %s", got)
	}
	clock = clock.Add(-time.Hour)
	if got := e.code(t, get(time.Minute)); got != "AccessDenied" {
		t.Errorf("too early: %s", got)
	}
	if _, err := box.Head(t.Context(), "a b/ü+"); err != nil {
		t.Error(err)
	}
}

// chunkedBody is content in signed chunks.
func chunkedBody(key []byte, seed, at, scope string, parts []string, trailer string) string {
	var b strings.Builder
	last := seed
	for _, part := range append(parts, "") {
		last = sign(key, "AWS4-HMAC-SHA256-PAYLOAD\n"+at+"\n"+scope+"\n"+last+"\n"+emptySum+"\n"+sum(part))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(part), last, part)
		if part != "" {
			b.WriteString("\r\n")
		}
	}
	if trailer != "" {
		last = sign(key, "AWS4-HMAC-SHA256-TRAILER\n"+at+"\n"+scope+"\n"+last+"\n"+sum(trailer+"\n"))
		b.WriteString(trailer + "\r\nx-amz-trailer-signature:" + last + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// What is wrong with a chunked body is found before it is stored.
func TestChunkedBodies(t *testing.T) {
	e := newEndpoint(t, nil)
	box := e.bucket(t)
	now := time.Now().UTC()
	at, day := now.Format(timeFormat), now.Format(dayFormat)
	scope := day + "/us-east-1/s3/aws4_request"
	key := signingKey(e.ann.Secret, day, "us-east-1")
	parts := []string{strings.Repeat("a", 70_000), "bc"}
	content := strings.Join(parts, "")
	crc := func(s string) string { return base64CRC(crc32.ChecksumIEEE([]byte(s))) }
	send := func(payload, trailer string, length int, body func(seed string) string) string {
		t.Helper()
		h := http.Header{"X-Amz-Decoded-Content-Length": {fmt.Sprint(length)}, "Content-Encoding": {"aws-chunked,gzip"}}
		if trailer != "" {
			h.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		}
		r := e.signed(t, e.ann, "PUT", "/box/key", "", payload, h, now)
		_, seed, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		text := body(seed)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		return e.code(t, r)
	}
	good := func(seed string) string { return chunkedBody(key, seed, at, scope, parts, "") }
	trailing := func(value string) func(string) string {
		return func(seed string) string {
			return chunkedBody(key, seed, at, scope, parts, "x-amz-checksum-crc32:"+value)
		}
	}
	replaced := func(body func(string) string, old, new string) func(string) string {
		return func(seed string) string {
			text := body(seed)
			if !strings.Contains(text, old) {
				t.Fatalf("%q is not in the body", old)
			}
			return strings.Replace(text, old, new, 1)
		}
	}
	open := func(string) string {
		return "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + crc("hello") + "\r\n\r\n"
	}
	for _, x := range []struct {
		name, payload, trailer string
		length                 int
		body                   func(string) string
		want                   string
	}{
		{"a byte changed", signedChunks, "", len(content), replaced(good, "bc", "bd"), "SignatureDoesNotMatch"},
		{"a signature changed", signedChunks, "", len(content), replaced(good, "\r\nbc\r\n0;chunk-signature=", "\r\nbc\r\n0;chunk-signature=0"), "SignatureDoesNotMatch"},
		{"no signature", signedChunks, "", len(content), func(string) string { return "5\r\nhello\r\n0\r\n\r\n" }, "InvalidRequest"},
		{"no last chunk", signedChunks, "", len(content), func(seed string) string { text, _, _ := strings.Cut(good(seed), "0;chunk"); return text }, "IncompleteBody"},
		{"cut in a chunk", signedChunks, "", len(content), func(seed string) string { return good(seed)[:1000] }, "IncompleteBody"},
		{"more than announced", signedChunks, "", len(content) - 1, good, "IncompleteBody"},
		{"less than announced", signedChunks, "", len(content) + 1, good, "IncompleteBody"},
		{"something behind", signedChunks, "", len(content), func(seed string) string { return good(seed) + "x" }, "InvalidRequest"},
		{"a size that lies", signedChunks, "", len(content), replaced(good, "2;", "3;"), "SignatureDoesNotMatch"},
		{"a huge size", signedChunks, "", len(content), replaced(good, "2;", "7fffffffffffffff;"), "InvalidRequest"},
		{"a negative size", signedChunks, "", len(content), replaced(good, "2;", "-2;"), "InvalidRequest"},
		{"a long line", signedChunks, "", len(content), func(string) string { return strings.Repeat("0", 5000) }, "InvalidRequest"},
		{"a wrong checksum", signedTrailer, "crc32", len(content), trailing(crc("x")), "BadDigest"},
		{"no checksum", signedTrailer, "crc32", len(content), trailing("x"), "InvalidRequest"},
		{"another trailer", signedTrailer, "crc32", len(content), replaced(trailing(crc(content)), "x-amz-checksum-crc32", "x-amz-checksum-crc64"), "InvalidRequest"},
		{"a changed trailer", signedTrailer, "crc32", len(content), replaced(trailing(crc(content)), "crc32:"+crc(content), "crc32:"+crc("x")), "SignatureDoesNotMatch"},
		{"no trailer's signature", signedTrailer, "crc32", len(content), replaced(trailing(crc(content)), "x-amz-trailer-signature:", "x-amz-trailer-signature:0"), "SignatureDoesNotMatch"},
		{"an open one, wrong", openTrailer, "crc32", 5, replaced(open, "hello", "hullo"), "BadDigest"},
		{"an open one without", openTrailer, "crc32", 5, func(string) string { return "5\r\nhello\r\n0\r\n\r\n" }, "InvalidRequest"},
	} {
		if got := send(x.payload, x.trailer, x.length, x.body); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
		if _, err := box.Head(t.Context(), "key"); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("%s: something was stored: %v", x.name, err)
		}
	}
	for _, x := range []struct {
		name, payload, trailer, want string
		body                         func(string) string
	}{
		{"signed", signedChunks, "", content, good},
		{"signed, with a trailer", signedTrailer, "crc32", content, trailing(crc(content))},
		{"open", openTrailer, "crc32", "hello", open},
		{"open, without a trailer", openTrailer, "", "hello", func(string) string { return "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" }},
	} {
		if got := send(x.payload, x.trailer, len(x.want), x.body); got != "200" {
			t.Errorf("%s: %s", x.name, got)
			continue
		}
		stored, err := box.Get(t.Context(), "key", storage.GetOptions{})
		check(t, err)
		got, err := io.ReadAll(stored.Body)
		stored.Body.Close()
		if string(got) != x.want || err != nil || stored.Headers.ContentEncoding != "gzip" {
			t.Errorf("%s: %d bytes of %d, %v, %+v", x.name, len(got), len(x.want), err, stored.Headers)
		}
	}
}

func base64CRC(v uint32) string {
	b, _ := hex.DecodeString(fmt.Sprintf("%08x", v))
	return base64.StdEncoding.EncodeToString(b)
}

// Any bytes in chunks are read to an end, and are no more than there were.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), false)
	f.Add([]byte("5;chunk-signature=0\r\nhello\r\n0;chunk-signature=1\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:2\r\n\r\n"), true)
	f.Add([]byte(chunkedBody([]byte("key"), "seed", "at", "scope", []string{"hello", "world"}, "")), true)
	f.Fuzz(func(t *testing.T, input []byte, signed bool) {
		c := &chunks{source: bufio.NewReaderSize(bytes.NewReader(input), 4<<10)}
		if signed {
			c.signer = &chunkSigner{key: []byte("key"), last: "seed", context: "at\nscope"}
		} else {
			c.trailer = &trailer{name: "x-amz-checksum-crc32"}
		}
		got, err := io.ReadAll(c)
		if len(got) > len(input) {
			t.Fatalf("%d bytes of %d", len(got), len(input))
		}
		if _, again := c.Read(make([]byte, 1)); err == nil && again != io.EOF || err != nil && again == nil {
			t.Fatalf("%v, then %v", err, again)
		}
	})
}

func FuzzResource(f *testing.F) {
	f.Add("/box/a%2fb?x=%20", "localhost:9000", "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
	s, err := New(Options{Catalog: noCatalog{}, Credentials: noCredentials{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target, host, authorization string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		w := &discard{header: http.Header{}}
		s.ServeHTTP(w, &http.Request{Method: "GET", URL: u, Host: host, Header: http.Header{"Authorization": {authorization}, "X-Amz-Content-Sha256": {unsigned}}, Body: http.NoBody})
		if w.status < 400 || w.status >= 500 {
			t.Fatalf("status %d for a request that nobody can have signed", w.status)
		}
	})
}

type noCatalog struct{ Catalog }

type noCredentials struct{}

func (noCredentials) Credential(context.Context, string) (Credential, error) {
	return Credential{}, ErrNoCredential
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
