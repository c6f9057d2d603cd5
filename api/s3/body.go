package s3

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mayfly/storage"
)

// A body is a request's, as it is after its transfer: its errors are those of
// what the client announced and signed, and come instead of its end, so that
// nothing is stored of a body that is not what it should be.
type body struct {
	request *request
	source  io.Reader
	size    int64 // bytes; -1: not known
	read    int64
	hash    hash.Hash // of what is read; nil: not wanted
	want    []byte    // its sum
	trailer *trailer  // nil: there is none
	chunks  *chunks   // nil: it is not in chunks
	ended   bool
	fed     time.Time // when its deadline was set
}

// newBody is the body that a signature speaks of.
func (r *request) newBody(g *signature, key []byte) (*body, error) {
	b := &body{request: r, source: r.Body, size: r.ContentLength}
	switch g.payload {
	case unsigned:
	case signedChunks, signedTrailer, openTrailer:
		length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || length < 0 {
			return nil, errMissingLength
		}
		b.size = length
		b.chunks = &chunks{source: bufio.NewReaderSize(r.Body, 4<<10)}
		if g.payload != openTrailer {
			b.chunks.signer = &chunkSigner{key: key, last: g.given, context: g.time.Format(timeFormat) + "\n" + g.scope}
		}
		if g.payload != signedChunks {
			if b.trailer, err = newTrailer(r.Header.Get("X-Amz-Trailer")); err != nil {
				return nil, err
			}
			b.chunks.trailer = b.trailer
		}
		b.source = b.chunks
	default:
		sum, err := hex.DecodeString(g.payload)
		if err != nil || len(sum) != sha256.Size {
			return nil, invalidArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-…, or a digest in hexadecimal")
		}
		b.hash, b.want = sha256.New(), sum
	}
	return b, nil
}

// Read reads the body, and refuses its end if it is not as announced.
func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	if now := time.Now(); now.Sub(b.fed) > time.Second {
		// Not offered by each kind of connection; those have their own bounds.
		_ = http.NewResponseController(b.request.w).SetReadDeadline(now.Add(b.request.server.options.IdleTimeout))
		b.fed = now
	}
	n, err := b.source.Read(p)
	b.read += int64(n)
	if b.hash != nil {
		b.hash.Write(p[:n])
	}
	if b.trailer != nil && b.trailer.hash != nil {
		b.trailer.hash.Write(p[:n])
	}
	if err == io.EOF {
		if err := b.end(); err != nil {
			return n, err
		}
		b.ended = true
	}
	return n, err
}

func (b *body) end() error {
	switch {
	case b.size >= 0 && b.read != b.size:
		return errIncomplete
	case b.hash != nil && !hmac.Equal(b.hash.Sum(nil), b.want):
		return errPayloadHash
	case b.trailer != nil:
		return b.trailer.check()
	}
	return nil
}

// all reads a body of at most so many bytes.
func (b *body) all(most int64) ([]byte, error) {
	if b.size > most {
		return nil, errTooLargeXML
	}
	content, err := io.ReadAll(io.LimitReader(b, most+1))
	if err == nil && int64(len(content)) > most {
		err = errTooLargeXML
	}
	return content, err
}

// maxChunkLine bounds a chunk's head, and a trailer's line.
const maxChunkLine = 512

// chunks takes the aws-chunked encoding apart (AWS: "Transferring Payload in
// Multiple Chunks").
type chunks struct {
	source  *bufio.Reader
	signer  *chunkSigner // nil: chunks are not signed
	trailer *trailer     // nil: there is none
	left    int64        // of the chunk that is being read
	given   string       // its signature
	inside  bool
	err     error
}

// Read reads the bytes of chunks.
func (c *chunks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.err == nil {
		if c.inside && c.left == 0 {
			c.err = c.endChunk()
			continue
		}
		if !c.inside {
			c.err = c.beginChunk()
			continue
		}
		if int64(len(p)) > c.left {
			p = p[:c.left]
		}
		n, err := c.source.Read(p)
		c.left -= int64(n)
		if c.signer != nil {
			c.signer.hash.Write(p[:n])
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if n > 0 {
			if err != nil {
				c.err = err
			}
			return n, nil
		}
		c.err = err
	}
	return 0, c.err
}

func (c *chunks) line() (string, error) {
	line, err := c.source.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxChunkLine:
		return "", errMalformedChunks
	case err == io.EOF && len(line) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil: // io.EOF if there is nothing
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
}

// unexpected is the error of an end that is too early.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// beginChunk reads a chunk's head: its size, and its signature.
func (c *chunks) beginChunk() error {
	line, err := c.line()
	if err != nil {
		return unexpected(err)
	}
	text, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(text, 16, 63)
	if err != nil || size > storage.MaxObjectSize {
		return errMalformedChunks
	}
	if c.signer != nil {
		given, ok := strings.CutPrefix(extension, "chunk-signature=")
		if !ok {
			return errMalformedChunks
		}
		c.given = given
		c.signer.hash = sha256.New()
	}
	c.inside, c.left = true, int64(size)
	if size > 0 {
		return nil
	}
	// The last chunk has no bytes; what follows is the trailer.
	if err := c.checkChunk(); err != nil {
		return err
	}
	if err := c.readTrailer(); err != nil {
		return err
	}
	// Whatever a client still sends is not part of the object.
	if _, err := c.source.ReadByte(); err == nil {
		return errMalformedChunks
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

func (c *chunks) checkChunk() error {
	if c.signer == nil || c.signer.verify("PAYLOAD", c.given) {
		return nil
	}
	return errSignature
}

func (c *chunks) endChunk() error {
	line, err := c.line()
	err = unexpected(err)
	if err == nil && line != "" {
		err = errMalformedChunks
	}
	if err == nil {
		err = c.checkChunk()
	}
	c.inside = false
	return err
}

// readTrailer reads what follows the last chunk, up to an empty line or the
// end.
func (c *chunks) readTrailer() error {
	var signed bytes.Buffer
	var given string
	for range 16 {
		line, err := c.line()
		if err == io.EOF || err == nil && line == "" {
			if c.trailer == nil || c.signer == nil {
				return nil
			}
			c.signer.hash = sha256.New()
			c.signer.hash.Write(signed.Bytes())
			if !c.signer.verify("TRAILER", given) {
				return errSignature
			}
			return nil
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || c.trailer == nil:
			return errMalformedChunks
		case name == "x-amz-trailer-signature":
			given = value
		case name == c.trailer.name:
			c.trailer.value = value
			signed.WriteString(name + ":" + value + "\n")
		default:
			return errMalformedChunks
		}
	}
	return errMalformedChunks
}

// A chunkSigner knows the signatures of chunks, each of which covers the one
// before.
type chunkSigner struct {
	key     []byte
	last    string
	context string // time and scope
	hash    hash.Hash
}

// emptySum is the SHA-256 of nothing.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (s *chunkSigner) verify(kind, given string) bool {
	text := "AWS4-HMAC-SHA256-" + kind + "\n" + s.context + "\n" + s.last + "\n"
	if kind == "PAYLOAD" {
		text += emptySum + "\n"
	}
	want := sign(s.key, text+hex.EncodeToString(s.hash.Sum(nil)))
	s.last = want
	return hmac.Equal([]byte(want), []byte(given))
}

// A trailer is a checksum that follows the body.
type trailer struct {
	name  string // of the header; empty: none was announced
	value string
	hash  hash.Hash // nil for an algorithm that is not known here
}

func newTrailer(name string) (*trailer, error) {
	t := &trailer{name: strings.ToLower(strings.TrimSpace(name))}
	if t.name == "" {
		return t, nil
	}
	if t.hash = checksumHash(t.name); t.hash == nil {
		return nil, &Error{http.StatusBadRequest, "InvalidRequest", "The value of x-amz-trailer is not a checksum that is known here"}
	}
	return t, nil
}

func (t *trailer) check() error {
	if t.hash == nil {
		return nil
	}
	given, err := base64.StdEncoding.DecodeString(t.value)
	if err != nil || len(given) != t.hash.Size() {
		return &Error{http.StatusBadRequest, "InvalidRequest", "The value of " + t.name + " in the trailer is not valid"}
	}
	if !hmac.Equal(given, t.hash.Sum(nil)) {
		return errBadDigest
	}
	return nil
}
