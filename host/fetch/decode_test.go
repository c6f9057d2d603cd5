package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
)

func coded(t testing.TB, coding string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		z = gzip.NewWriter(&b)
	case "deflate":
		z = zlib.NewWriter(&b)
	case "raw":
		z, _ = flate.NewWriter(&b, flate.BestCompression)
	case "br":
		z = brotli.NewWriter(&b)
	}
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCodings(t *testing.T) {
	text := []byte(strings.Repeat("What was sent is what is read. ", 5000))
	var header http.Header
	var body []byte
	var accepted string
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		accepted = r.Header.Get("Accept-Encoding")
		for name, values := range header {
			rw.Header()[name] = values
		}
		_, _ = rw.Write(body)
	}), nil)
	g := w.guest(t, Limits{Subrequests: 100})
	for name, c := range map[string]struct {
		codings []string
		body    []byte
		want    []byte // nil: as it was sent, its header too
	}{
		"gzip":               {[]string{"gzip"}, coded(t, "gzip", text), text},
		"old name":           {[]string{"X-GZip"}, coded(t, "gzip", text), text},
		"two members":        {[]string{"gzip"}, append(coded(t, "gzip", text[:9]), coded(t, "gzip", text[9:])...), text},
		"deflate":            {[]string{"deflate"}, coded(t, "deflate", text), text},
		"bare deflate":       {[]string{"deflate"}, coded(t, "raw", text), text},
		"brotli":             {[]string{"br"}, coded(t, "br", text), text},
		"two codings":        {[]string{"deflate, br"}, coded(t, "br", coded(t, "deflate", text)), text},
		"two fields":         {[]string{"br", "identity, gzip"}, coded(t, "gzip", coded(t, "br", text)), text},
		"nothing":            {[]string{"gzip"}, []byte{}, nil},
		"unknown":            {[]string{"zstd"}, text, nil},
		"unknown among some": {[]string{"gzip, x"}, text, nil},
		"too many":           {[]string{"gzip, gzip, gzip"}, text, nil},
	} {
		header, body = http.Header{"Content-Encoding": c.codings, "Content-Type": {"text/plain"}}, c.body
		a := g.mustGet(w.URL)
		got, failure := g.all(a)
		if failure != "" {
			t.Errorf("%s: %s", name, failure)
			continue
		}
		said := strings.Join(a.get("content-encoding"), ", ") + strings.Join(a.get("content-length"), ", ")
		switch {
		case c.want == nil && (!bytes.Equal(got, c.body) || !strings.Contains(said, c.codings[0])):
			t.Errorf("%s: %d bytes, %q", name, len(got), said)
		case c.want != nil && (!bytes.Equal(got, c.want) || said != ""):
			t.Errorf("%s: %d bytes of %d, %q", name, len(got), len(c.want), said)
		}
		if accepted != acceptEncoding {
			t.Errorf("accept-encoding %q", accepted)
		}
	}
	// A part of a body can't be decoded, and the guest's own wish is not sent.
	g.fetch(fetchMessage{method: "GET", url: w.URL, header: headers("range", "bytes=0-1", "accept-encoding", "br")})
	if accepted != "" {
		t.Errorf("accept-encoding %q with a range", accepted)
	}
}

func TestBrokenCodings(t *testing.T) {
	whole := coded(t, "gzip", []byte(strings.Repeat("x y", 1000)))
	for name, c := range map[string]struct {
		coding string
		body   []byte
		want   string
	}{
		"no gzip":           {"gzip", []byte("plain text"), "not valid gzip"},
		"no deflate":        {"deflate", []byte("\xff\xff\xff"), "not valid deflate"},
		"no brotli":         {"br", []byte("plain text, no brotli"), "not valid br"},
		"cut":               {"gzip", whole[:len(whole)-20], "closed before the end"},
		"another checksum":  {"gzip", append(append([]byte{}, whole[:len(whole)-8]...), 0, 0, 0, 0, 0, 0, 0, 0), "not valid gzip"},
		"something behind":  {"gzip", append(append([]byte{}, whole...), "behind"...), "closed before the end"},
		"a cut first field": {"gzip", whole[:5], "closed before the end"},
	} {
		w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Encoding", c.coding)
			_, _ = rw.Write(c.body)
		}), nil)
		g := w.guest(t, Limits{})
		s := g.get(w.URL)
		text := ""
		if s.ok {
			_, text = g.all(s.response)
		} else {
			text = s.errorText(t)
		}
		contains(t, name+": "+text, c.want)
	}
}

// A bomb is read no further than its bounds, whatever its coding.
func TestCompressedBombs(t *testing.T) {
	zeros := make([]byte, 32<<20)
	bombs := map[string][]byte{"gzip": coded(t, "gzip", zeros), "br": coded(t, "br", zeros)}
	bombs["gzip, gzip"] = coded(t, "gzip", bombs["gzip"])
	zeros = nil
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		coding := r.URL.Query().Get("coding")
		rw.Header().Set("Content-Encoding", coding)
		_, _ = rw.Write(bombs[coding])
	}), nil)
	g := w.guest(t, Limits{})
	for coding := range bombs {
		a := g.mustGet(w.URL + "/?coding=" + strings.ReplaceAll(coding, ", ", ",%20"))
		got, failure := g.all(a)
		contains(t, failure, "too large when it is decompressed")
		if n := len(got); n < freeDecoded-chunkSize || n > freeDecoded+1<<20+maxRatio*len(bombs[coding]) {
			t.Errorf("%s: %d bytes of it came", coding, n)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add("gzip", coded(f, "gzip", []byte("text")))
	f.Add("deflate", coded(f, "raw", []byte("text")))
	f.Add("br, gzip", coded(f, "gzip", coded(f, "br", []byte("text"))))
	f.Fuzz(func(t *testing.T, codings string, body []byte) {
		response := &http.Response{Header: http.Header{"Content-Encoding": {codings}}, Body: io.NopCloser(bytes.NewReader(body))}
		decode(response)
		n, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
		if response.Header.Get("Content-Encoding") != "" && (err != nil || n != int64(len(body))) {
			t.Errorf("a body that is not decoded changed: %d of %d bytes, %v", n, len(body), err)
		}
	})
}

// Bytes behind the end of a response are never the next response. net/http gives
// a connection back before it looks for such bytes, and closes it when it finds
// them: what a request gets that is faster than this look can't be promised. So
// the next request here waits until the connection is closed. It is a matter of
// one tenant and one server, whose word on its own next response it is anyway.
func TestBytesBeyondTheLengthAreNotTheNextResponse(t *testing.T) {
	closed := make(chan int, 10)
	count := make(chan int, 10)
	var n atomic.Int32 // connections
	u := rawServer(t, func(conn net.Conn) {
		id := int(n.Add(1))
		count <- id
		buffer := make([]byte, 4096)
		if _, err := conn.Read(buffer); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Read(buffer); err != io.EOF {
			t.Errorf("connection %d: %v, not closed", id, err)
		}
		closed <- id
	})
	w := newWorld(t, http.NotFoundHandler(), nil)
	g := newGuest(t, w.client, Options{Policy: mustCompile(t, w.guard, ruleFor(t, u))})
	for want := 1; want <= 3; want++ {
		if got, failure := g.all(g.mustGet(u)); string(got) != "ok" || failure != "" {
			t.Errorf("got %q %s", got, failure)
		}
		if id := <-count; id != want {
			t.Errorf("request %d went over connection %d", want, id)
		}
		<-closed
	}
}
