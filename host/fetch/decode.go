package fetch

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
)

// Bounds of what a compressed body becomes.
const (
	// maxCodings is how many codings a body may have on top of each other.
	maxCodings = 2
	// maxDecoded is how large one body may become, in bytes.
	maxDecoded = 256 << 20
	// maxRatio is how many times its size on the wire it may have, beyond the
	// first freeDecoded bytes.
	maxRatio    = 250
	freeDecoded = 16 << 20
)

// acceptEncoding is what requests are sent with whose responses are decoded.
const acceptEncoding = "gzip, deflate, br"

// askForCodings says in a request which codings will be decoded. As net/http, it
// says nothing where a part of a body is asked for, or none.
func askForCodings(h *http.Request) {
	if h.Method != http.MethodHead && h.Header.Get("Range") == "" {
		h.Header.Set("Accept-Encoding", acceptEncoding)
	}
}

// decode makes a response's body what it was before its codings (RFC 9110 8.4),
// if all of them are known; else it stays as it is. What the head says of the
// codings and the length goes with them.
func decode(response *http.Response) {
	var codings []string
	for _, value := range response.Header.Values("Content-Encoding") {
		for name := range strings.SplitSeq(value, ",") {
			switch name = strings.ToLower(strings.Trim(name, " \t")); name {
			case "gzip", "x-gzip", "deflate", "br":
				codings = append(codings, name)
			case "", "identity":
			default:
				return
			}
		}
	}
	if len(codings) == 0 || len(codings) > maxCodings || response.Body == nil || response.Body == http.NoBody {
		return
	}
	response.Header.Del("Content-Encoding")
	response.Header.Del("Content-Length")
	response.ContentLength = -1
	response.Uncompressed = true
	response.Body = &decoder{source: response.Body, codings: codings}
}

// A decoder is a body without its codings.
type decoder struct {
	source  io.ReadCloser
	codings []string // the last is the outermost
	reader  io.Reader
	in, out int64
	failed  error // of the source
}

// A wireReader is the decoder's source: it counts, and keeps its error apart from those
// of the codings.
type wireReader struct{ d *decoder }

func (w wireReader) Read(p []byte) (int, error) {
	n, err := w.d.source.Read(p)
	w.d.in += int64(n)
	if err != nil && err != io.EOF {
		w.d.failed = err
	}
	return n, err
}

func (d *decoder) Read(p []byte) (int, error) {
	if d.reader == nil {
		if err := d.open(); err != nil {
			return 0, d.explain(err)
		}
	}
	n, err := d.reader.Read(p)
	d.out += int64(n)
	if d.out > maxDecoded || d.out > freeDecoded && d.out/maxRatio > d.in {
		return 0, typeError("fetch failed: the response's body becomes too large when it is decompressed (limits: %d bytes, and %d times its size)", maxDecoded, maxRatio)
	}
	return n, d.explain(err)
}

// open begins to decode. A body without any bytes is none that is coded.
func (d *decoder) open() error {
	b := bufio.NewReader(wireReader{d})
	if _, err := b.Peek(1); err != nil {
		return err
	}
	var r io.Reader = b
	for i := len(d.codings) - 1; i >= 0; i-- {
		var err error
		switch d.codings[i] {
		case "br":
			r = brotli.NewReader(r)
		case "deflate":
			r, err = openDeflate(r)
		default:
			r, err = gzip.NewReader(r)
		}
		if err != nil {
			return err
		}
	}
	d.reader = r
	return nil
}

// openDeflate reads the zlib format, and the bare one that some servers send.
func openDeflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	if len(head) == 0 {
		return nil, err
	}
	return flate.NewReader(b), nil
}

func (d *decoder) explain(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case d.failed != nil:
		return d.failed
	case errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return typeError("fetch failed: the response's body is not valid %s", strings.Join(d.codings, ", "))
}

func (d *decoder) Close() error { return d.source.Close() }
