package api

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// buffers are for bodies and answers; large ones are not kept.
var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}

type buffer struct{ b []byte }

const maxPooledBuffer = 64 << 10

func (b *buffer) release() {
	if cap(b.b) <= maxPooledBuffer {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// readBody reads a JSON body into a buffer that the caller releases.
func (s *Server) readBody(r *http.Request) (*buffer, *Problem) {
	if p := checkBodyType(r); p != nil {
		return nil, p
	}
	return s.readAll(r)
}

// readAll reads a body into a buffer that the caller releases.
func (s *Server) readAll(r *http.Request) (*buffer, *Problem) {
	most := s.options.MaxBody
	if r.ContentLength > most {
		return nil, newProblem(tooLarge, "The body must not exceed %d bytes.", most)
	}
	// Memory follows what has come, not what the header promises.
	in := buffers.Get().(*buffer)
	for {
		if len(in.b) == cap(in.b) {
			in.b = append(in.b, 0)[:len(in.b)]
		}
		n, err := r.Body.Read(in.b[len(in.b):cap(in.b)])
		in.b = in.b[:len(in.b)+n]
		if int64(len(in.b)) > most {
			in.release()
			return nil, newProblem(tooLarge, "The body must not exceed %d bytes.", most)
		}
		if err == io.EOF {
			return in, nil
		}
		if err != nil {
			in.release()
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return nil, newProblem(bodyTimeout, "The body must arrive within %v.", s.options.BodyTimeout)
			}
			return nil, newProblem(invalidRequest, "The body could not be read to its end.")
		}
	}
}

// checkBodyType wants JSON in UTF-8, as it is. Refusing other types also makes
// browsers ask before they send anything from another origin.
func checkBodyType(r *http.Request) *Problem {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return newProblem(unsupportedMedia, "The body must not be encoded (Content-Encoding: %s).", encoding)
	}
	given := r.Header.Get("Content-Type")
	if given == "application/json" {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(given)
	charset := parameters["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return newProblem(unsupportedMedia, "The body must be application/json in UTF-8, not %q.", given)
	}
	return nil
}

// writeJSON answers with a JSON text.
func writeJSON(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body) // an error here is the client's going away
	return nil
}

// A format is a form in which events or an execution can be answered.
type format int

const (
	formatJSON format = iota
	formatSSE
	formatNDJSON
)

var formatTypes = [...]string{"application/json", "text/event-stream", "application/x-ndjson"}

// negotiate chooses the format that the Accept field prefers (RFC 9110,
// section 12.5.1); of equals, the first one it names.
func negotiate(r *http.Request) (format, *Problem) {
	values := r.Header["Accept"]
	if len(values) == 0 || len(values) == 1 && (values[0] == "*/*" || values[0] == "application/json") {
		return formatJSON, nil
	}
	best, quality, specific := -1, 0.0, -1
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			q := qualityOf(parameters)
			chosen, specificity := -1, 2
			switch name {
			case formatTypes[formatJSON]:
				chosen = int(formatJSON)
			case formatTypes[formatSSE]:
				chosen = int(formatSSE)
			case formatTypes[formatNDJSON], "application/ndjson", "application/jsonl":
				chosen = int(formatNDJSON)
			case "application/*":
				chosen, specificity = int(formatJSON), 1
			case "*/*":
				chosen, specificity = int(formatJSON), 0
			default:
				continue
			}
			if q > 0 && (q > quality || q == quality && specificity > specific) {
				best, quality, specific = chosen, q, specificity
			}
		}
	}
	if best < 0 {
		return 0, newProblem(notAcceptable, "Possible are %s.", strings.Join(formatTypes[:], ", "))
	}
	return format(best), nil
}

// qualityOf is the weight among the parameters of a media range.
func qualityOf(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
				return q
			}
			return 0
		}
	}
	return 1
}

// prefersAsync says whether the client prefers not to wait (RFC 7240, section
// 4.1).
func prefersAsync(r *http.Request) bool {
	for _, value := range r.Header["Prefer"] {
		for preference := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(preference, ";")
			if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}
