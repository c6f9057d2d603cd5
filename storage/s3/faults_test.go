package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/minio/minio-go/v7"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"mayfly/storage"
)

// throughProxy is a bucket behind a proxy that does harm, and the same one
// without.
func throughProxy(t *testing.T) (behind, direct *Bucket, proxy *toxiproxy.Proxy) {
	t.Helper()
	config := testConfig(t)
	direct = openTest(t, config)
	control := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy = toxiproxy.NewProxy(control, t.Name(), "127.0.0.1:0", strings.TrimPrefix(server.URL, "http://"))
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	config.Endpoint, config.Timeout, config.Attempts = "http://"+proxy.Listen, time.Second, 6
	return openTest(t, config), direct, proxy
}

// toxic puts one into the proxy until the function that it returns is called.
func toxic(t *testing.T, proxy *toxiproxy.Proxy, kind, stream string, toxicity float64, attributes map[string]any) (remove func()) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"name": kind, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := proxy.Toxics.RemoveToxic(context.Background(), kind); err != nil {
			t.Error(err)
		}
	}
}

func randomContent(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

// TestFaults: whatever the network does, an object is what it was before or
// what was put, whole; and what was acknowledged is there.
func TestFaults(t *testing.T) {
	for _, fault := range []struct {
		name, kind, stream string
		toxicity           float64
		attributes         map[string]any
	}{
		{"Latency", "latency", "downstream", 1, map[string]any{"latency": 30, "jitter": 30}},
		{"SlicedUp", "slicer", "upstream", 1, map[string]any{"average_size": 20_000, "size_variation": 10_000, "delay": 10}},
		{"SlicedDown", "slicer", "downstream", 1, map[string]any{"average_size": 20_000, "size_variation": 10_000, "delay": 10}},
		{"CutUp", "limit_data", "upstream", 0.5, map[string]any{"bytes": 100_000}},
		{"CutDown", "limit_data", "downstream", 0.5, map[string]any{"bytes": 100_000}},
		{"CutAnswers", "limit_data", "downstream", 0.5, map[string]any{"bytes": 20}},
		{"ResetUp", "reset_peer", "upstream", 0.4, map[string]any{"timeout": 5}},
		{"ResetDown", "reset_peer", "downstream", 0.4, map[string]any{"timeout": 5}},
		{"Silence", "timeout", "downstream", 0.3, map[string]any{"timeout": 0}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			behind, direct, proxy := throughProxy(t)
			remove := toxic(t, proxy, fault.kind, fault.stream, fault.toxicity, fault.attributes)
			acknowledged := 0
			for i, size := range []int{10, 60_000, 300_000, smallPart + 100_000} {
				acknowledged += faultRound(t, behind, direct, fmt.Sprint("key", i), size)
			}
			remove()
			t.Logf("%d writes acknowledged", acknowledged)
			// It heals.
			content := randomContent(1000)
			if _, err := behind.Put(t.Context(), "after", bytes.NewReader(content), storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, behind, "after"), content) {
				t.Fatal("other contents")
			}
		})
	}
}

func faultRound(t *testing.T, behind, direct *Bucket, key string, size int) (acknowledged int) {
	t.Helper()
	ctx := t.Context()
	allowed := [][]byte{nil} // nil: no object
	for n := range 3 {
		content := randomContent(size)
		options := storage.PutOptions{}
		if n == 2 {
			options.Conditions.IfNoneMatch = "*" // refused if one of the others is there
		}
		_, err := behind.Put(ctx, key, bytes.NewReader(content), options)
		switch {
		case err == nil:
			allowed = [][]byte{content}
			acknowledged++
		case errors.Is(err, storage.ErrPreconditionFailed) && n == 2:
		case errors.Is(err, storage.ErrUnavailable):
			allowed = append(allowed, content)
		default:
			t.Fatalf("put: %v", err)
		}
		c, err := direct.Get(ctx, key, storage.GetOptions{})
		var got []byte
		if err == nil {
			got, err = io.ReadAll(c.Body)
			c.Body.Close()
		} else if errors.Is(err, storage.ErrNotFound) {
			err = nil
		}
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, a := range allowed {
			found = found || (a == nil) == (got == nil) && bytes.Equal(a, got)
		}
		if !found {
			t.Fatalf("%d bytes are none of the %d contents that may be there", len(got), len(allowed))
		}
		if got == nil {
			continue
		}
		// Reading through the fault gives all, or an error.
		c, err = behind.Get(ctx, key, storage.GetOptions{})
		if err != nil {
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("get: %v", err)
			}
			continue
		}
		through, err := io.ReadAll(c.Body)
		c.Body.Close()
		if err == nil && !bytes.Equal(through, got) {
			t.Fatalf("%d bytes are read without an error, %d are there", len(through), len(got))
		}
		if err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("reading: %v", err)
		}
	}
	return acknowledged
}

// A liar stands between client and server and changes answers.
type liar struct {
	proxy *httputil.ReverseProxy
	mu    sync.Mutex
	lie   func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) bool // true: it answered
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	lie := l.lie
	l.mu.Unlock()
	pass := func(w http.ResponseWriter) { l.proxy.ServeHTTP(w, r) }
	if lie == nil || !lie(w, r, pass) {
		pass(w)
	}
}

func (l *liar) set(lie func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

func throughLiar(t *testing.T) (behind, direct *Bucket, l *liar) {
	t.Helper()
	config := testConfig(t)
	direct = openTest(t, config)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	l = &liar{proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host stays: it is signed
	}, ErrorLog: nil}}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	config.Endpoint, config.Timeout, config.Attempts = s.URL, 2*time.Second, 4
	return openTest(t, config), direct, l
}

// TestServerErrors: 5xx are tried again, a bounded number of times, and then
// told apart from what is the caller's fault.
func TestServerErrors(t *testing.T) {
	behind, _, l := throughLiar(t)
	content := randomContent(1000)
	for status, want := range map[int]error{500: storage.ErrUnavailable, 502: storage.ErrUnavailable, 503: storage.ErrSlowDown, 429: storage.ErrSlowDown,
		403: storage.ErrAccessDenied, 507: storage.ErrNoSpace, 501: storage.ErrUnsupported} {
		var asked atomic.Int32
		l.set(func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
			asked.Add(1)
			w.WriteHeader(status)
			return true
		})
		_, err := behind.Put(t.Context(), "key", bytes.NewReader(content), storage.PutOptions{})
		var e *storage.Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Op != "put" || e.Key != "key" {
			t.Errorf("%d: %v, want %v", status, err, want)
		}
		attempts := int32(4)
		if !temporary(want) {
			attempts = 1
		}
		if asked.Load() != attempts {
			t.Errorf("%d: asked %d times, want %d", status, asked.Load(), attempts)
		}
		// Twice, and then it works.
		asked.Store(0)
		l.set(func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
			if asked.Add(1) > 2 {
				return false
			}
			w.WriteHeader(500)
			return true
		})
		if _, err := behind.Put(t.Context(), "key", bytes.NewReader(content), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
		if got := read(t, behind, "key"); !bytes.Equal(got, content) {
			t.Fatal("other contents")
		}
	}
}

// TestLostAnswers: the server does what it is asked, and the answer is lost.
// What is tried again notices that it was done.
func TestLostAnswers(t *testing.T) {
	behind, direct, l := throughLiar(t)
	var lost atomic.Int32
	losing := func(match func(r *http.Request) bool) {
		lost.Store(0)
		l.set(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) bool {
			if !match(r) || lost.Add(1) > 1 {
				return false
			}
			pass(httptest.NewRecorder())
			panic(http.ErrAbortHandler)
		})
	}
	small, large := randomContent(1000), randomContent(smallPart+10)
	for name, content := range map[string][]byte{"small": small, "large": large} {
		if _, err := behind.Put(t.Context(), name+"-warm", bytes.NewReader(content), storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}}); err != nil {
			t.Fatal(err)
		}
		losing(func(r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/"+name) && (r.Method == "PUT" && name == "small" || r.Method == "POST" && r.URL.Query().Has("uploadId"))
		})
		made, err := behind.Put(t.Context(), name, bytes.NewReader(content), storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}})
		if err != nil || lost.Load() < 2 {
			t.Fatalf("%s: %v, %d requests", name, err, lost.Load())
		}
		if head, err := direct.Head(t.Context(), name); err != nil || head.Version != made.Version || head.ETag != made.ETag {
			t.Fatalf("%+v, %+v, %v", made, head, err)
		}
		if !bytes.Equal(read(t, direct, name), content) {
			t.Fatal("other contents")
		}
		// But not of another's put.
		_, err = behind.Put(t.Context(), name, bytes.NewReader(content), storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}})
		if !errors.Is(err, storage.ErrPreconditionFailed) {
			t.Fatal(err)
		}
	}
}

// TestLies: lengths, ETags, ranges and contents that are not right are errors,
// or are found out.
func TestLies(t *testing.T) {
	behind, direct, l := throughLiar(t)
	content := randomContent(50_000)
	for _, key := range []string{"key", "large"} {
		body := content
		if key == "large" {
			body = bytes.Repeat(content, 300)
		}
		if _, err := direct.Put(t.Context(), key, bytes.NewReader(body), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	lies := map[string]func(http.Header, []byte) []byte{
		"FlippedBit": func(_ http.Header, b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"TooShort":   func(h http.Header, b []byte) []byte { return b[:len(b)-10] },
		"ShorterWhole": func(h http.Header, b []byte) []byte {
			h.Set("Content-Length", fmt.Sprint(len(b)-10))
			return b[:len(b)-10]
		},
		"Longer": func(h http.Header, b []byte) []byte {
			h.Set("Content-Length", fmt.Sprint(len(b)+3))
			return append(b, "abc"...)
		},
	}
	for name, lie := range lies {
		for _, key := range []string{"key", "large"} {
			l.set(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) bool {
				if r.Method != "GET" {
					return false
				}
				rec := httptest.NewRecorder()
				pass(rec)
				for k, v := range rec.Header() {
					w.Header()[k] = v
				}
				if rec.Body.Len() < 100 {
					w.WriteHeader(rec.Code)
					w.Write(rec.Body.Bytes())
					return true
				}
				b := lie(w.Header(), rec.Body.Bytes())
				w.WriteHeader(rec.Code)
				w.Write(b)
				return true
			})
			c, err := behind.Get(t.Context(), key, storage.GetOptions{})
			if err == nil {
				_, err = io.ReadAll(c.Body)
				c.Body.Close()
			}
			if name == "TooShort" && err == nil {
				continue // cut each time, and got in pieces: all is there
			}
			if !errors.Is(err, storage.ErrChecksum) && !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("%s of %s: %v", name, key, err)
			}
		}
	}

	// The server acknowledges what it did not do.
	l.set(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) bool {
		if r.Method != "PUT" {
			return false
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		return true
	})
	if _, err := behind.Put(t.Context(), "key", strings.NewReader("new"), storage.PutOptions{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a put that was not done: %v", err)
	}
	// It ignores ranges.
	l.set(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) bool {
		r.Header.Del("Range")
		return false
	})
	if c, err := behind.Get(t.Context(), "key", storage.GetOptions{Range: &storage.Range{Offset: 10, Length: 5}}); err == nil {
		c.Body.Close()
		t.Error("bytes of another range were taken")
	}
	// Listings that go round in circles, or are no XML.
	for _, page := range []string{"<html>", "", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"} {
		l.set(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) bool {
			io.WriteString(w, page)
			return true
		})
		if list, err := behind.List(t.Context(), storage.ListOptions{}); err == nil {
			t.Errorf("%q is taken for a listing: %+v", page, list)
		}
	}
}

// TestConditionsIgnored: a server that does not know conditions is found out
// before anything is overwritten.
func TestConditionsIgnored(t *testing.T) {
	behind, direct, l := throughLiar(t)
	if _, err := direct.Put(t.Context(), "key", strings.NewReader("old"), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	l.set(func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
		if r.Header.Get("If-Match") == "" && r.Header.Get("If-None-Match") == "" {
			return false
		}
		// The fields are signed, so the write is done anew without them.
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		body, err := io.ReadAll(r.Body)
		if r.Method == "PUT" && err == nil {
			var made minio.UploadInfo
			made, err = direct.core.PutObject(r.Context(), bucket, key, bytes.NewReader(body), int64(len(body)), "", "", minio.PutObjectOptions{})
			w.Header().Set("ETag", `"`+made.ETag+`"`)
		} else if err == nil {
			var list struct{ Part []minio.CompletePart }
			if err = xml.Unmarshal(body, &list); err == nil {
				_, err = direct.core.CompleteMultipartUpload(r.Context(), bucket, key, r.URL.Query().Get("uploadId"), list.Part, minio.PutObjectOptions{})
			}
			fmt.Fprintf(w, "<CompleteMultipartUploadResult><Bucket>%s</Bucket><ETag>x-1</ETag></CompleteMultipartUploadResult>", bucket)
		}
		if err != nil {
			t.Error(err)
		}
		return true
	})
	for _, c := range []storage.WriteConditions{{IfNoneMatch: "*"}, {IfMatch: "0123456789abcdef0123456789abcdef"}} {
		for _, size := range []int{10, smallPart + 10} {
			_, err := behind.Put(t.Context(), "key", bytes.NewReader(make([]byte, size)), storage.PutOptions{Conditions: c})
			if !errors.Is(err, storage.ErrUnsupported) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
	if got := read(t, direct, "key"); string(got) != "old" {
		t.Fatalf("%d bytes", len(got))
	}
	if l, err := direct.List(t.Context(), storage.ListOptions{}); err != nil || len(l.Objects) != 1 {
		t.Fatalf("something is left over: %+v, %v", l, err)
	}
	if u, err := direct.ListUploads(t.Context(), ""); err != nil || len(u) != 0 {
		t.Fatalf("something is left over: %+v, %v", u, err)
	}
}

// TestUnreachable: no server, or one that is silent, is a clear error in
// bounded time.
func TestUnreachable(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, endpoint := range []string{"http://127.0.0.1:1", "http://" + silent.Addr().String()} {
		b := openTest(t, Config{Endpoint: endpoint, Bucket: "bucket", PathStyle: true, AccessKey: "a", SecretKey: "b", Attempts: 2, Timeout: 200 * time.Millisecond})
		for op, err := range map[string]error{
			"put": func() error {
				_, err := b.Put(t.Context(), "k", strings.NewReader("x"), storage.PutOptions{})
				return err
			}(),
			"get":  func() error { _, err := b.Get(t.Context(), "k", storage.GetOptions{}); return err }(),
			"list": func() error { _, err := b.List(t.Context(), storage.ListOptions{}); return err }(),
		} {
			var e *storage.Error
			if !errors.Is(err, storage.ErrUnavailable) || !errors.As(err, &e) || e.Op != op || e.Hint == "" {
				t.Errorf("%s: %v", endpoint, err)
			}
		}
	}
	wrong := testConfig(t)
	wrong.SecretKey = "wrong"
	if _, err := openTest(t, wrong).Head(t.Context(), "k"); !errors.Is(err, storage.ErrAccessDenied) {
		t.Error(err)
	}
	gone := testConfig(t)
	gone.Bucket = "not-there"
	if _, err := openTest(t, gone).Put(t.Context(), "k", strings.NewReader("x"), storage.PutOptions{}); !errors.Is(err, storage.ErrNoSuchBucket) {
		t.Error(err)
	}
}
