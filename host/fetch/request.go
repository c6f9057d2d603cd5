package fetch

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"mayfly/host/egress"
)

// UserAgent is what requests are sent with that name none.
const UserAgent = "mayfly"

// maxRequestHead is the size of a request's header list in bytes, names and
// values, beyond which it is refused.
const maxRequestHead = 64 << 10

// A redirect mode, as the fetch operation numbers them.
const (
	redirectFollow = 0
	redirectManual = 1
	redirectError  = 2
)

// Kinds of bodies, as the fetch operation numbers them.
const (
	bodyNone   = 0
	bodyBytes  = 1
	bodyStream = 2
	bodyPassed = 3
)

// A request is a fetch operation's message, checked.
type request struct {
	method   string
	url      *url.URL
	header   http.Header
	redirect byte
	body     byte
	bytes    []byte // of a body of bytes, or the handle of one that is passed on; the request's own

	socket    bool     // it asks for a WebSocket
	protocols []string // that it offers
}

// transportHeaders belong to the connection or to whoever makes it: the guest's
// are dropped, as the Fetch standard drops forbidden request-headers (2.2.2).
var transportHeaders = map[string]bool{
	"Accept-Encoding": true, "Connection": true, "Content-Length": true, "Expect": true, "Host": true, "Http2-Settings": true,
	"Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Via": true,
}

func isTransportHeader(canonical string) bool {
	return transportHeaders[canonical] || strings.HasPrefix(canonical, "Proxy-") || strings.HasPrefix(canonical, "Sec-Websocket-")
}

// newRequest checks the fields of a message.
func newRequest(m fetchMessage) (*request, error) {
	r := &request{redirect: m.redirect, body: m.body, header: make(http.Header, len(m.header)+1)}
	var err error
	if r.method, err = normalizeMethod(m.method); err != nil {
		return nil, err
	}
	if r.url, err = egress.ParseURL(m.url, nil); err != nil {
		return nil, typeError("%s", err.Error())
	}
	if r.redirect > redirectError || r.body > bodyPassed {
		return nil, typeError("malformed fetch message")
	}
	if r.body != bodyNone && (r.method == http.MethodGet || r.method == http.MethodHead) {
		return nil, typeError("a request with method %s can't have a body", r.method)
	}
	size := 0
	for _, h := range m.header {
		size += len(h.Name) + len(h.Value)
		if size > maxRequestHead {
			return nil, typeError("the request's headers are larger than %d bytes", maxRequestHead)
		}
		if !httpguts.ValidHeaderFieldName(h.Name) {
			return nil, typeError("%q is not a header name", h.Name)
		}
		value, ok := byteString(strings.Trim(h.Value, " \t\r\n"))
		if !ok || !httpguts.ValidHeaderFieldValue(value) {
			return nil, typeError("the value of header %q has a character that no header may have", h.Name)
		}
		name := http.CanonicalHeaderKey(h.Name)
		if !isTransportHeader(name) {
			r.header.Add(name, value)
		}
	}
	if r.header.Get("User-Agent") == "" {
		r.header.Set("User-Agent", UserAgent)
	}
	if _, ok := r.header["Accept"]; !ok {
		r.header.Set("Accept", "*/*") // Fetch 4.1, step 13
	}
	if r.body == bodyBytes || r.body == bodyPassed {
		r.bytes = bytes.Clone(m.bytes)
	}
	return r, nil
}

// normalizeMethod checks a method and writes the usual ones in upper case
// (Fetch 2.2.1).
func normalizeMethod(method string) (string, error) {
	if !httpguts.ValidHeaderFieldName(method) { // both are tokens
		return "", typeError("%q is not a method", method)
	}
	switch upper := strings.ToUpper(method); upper {
	case "CONNECT", "TRACE", "TRACK":
		return "", typeError("the method %s is not allowed", upper)
	case "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT":
		return upper, nil
	}
	return method, nil
}

// byteString turns a string whose code points are bytes into those bytes
// (Web IDL, ByteString).
func byteString(s string) (string, bool) {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// isomorphic turns bytes into a string with those code points (Infra 4.6).
func isomorphic(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			runes := make([]rune, len(s))
			for i := range len(s) {
				runes[i] = rune(s[i])
			}
			return string(runes)
		}
	}
	return s
}

// size is about what the head takes on the wire in HTTP/1.1.
func (r *request) size() int64 {
	return int64(len(r.method)+len(r.url.RequestURI())+len(r.url.Host)) + 20 + headerSize(r.header)
}

func headerSize(h http.Header) (n int64) {
	for name, values := range h {
		for _, value := range values {
			n += int64(len(name) + len(value) + 4)
		}
	}
	return n
}

// sameOrigin compares scheme, host and port, which ParseURL made comparable.
func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// follow changes the request to go to a redirect's target (Fetch 4.5,
// HTTP-redirect fetch).
func (r *request) follow(status int, location string) error {
	target, err := egress.ParseURL(location, r.url)
	if err != nil {
		return typeError("fetch failed: a redirect leads to an %s", err.Error())
	}
	if target.Fragment == "" {
		target.Fragment, target.RawFragment = r.url.Fragment, r.url.RawFragment
	}
	if status != http.StatusSeeOther && (r.body == bodyStream || r.body == bodyPassed) {
		return typeError("fetch failed: a request with a streamed body can't be redirected")
	}
	post := (status == http.StatusMovedPermanently || status == http.StatusFound) && r.method == http.MethodPost
	other := status == http.StatusSeeOther && r.method != http.MethodGet && r.method != http.MethodHead
	if post || other {
		r.method, r.body, r.bytes = http.MethodGet, bodyNone, nil
		for _, name := range []string{"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"} {
			r.header.Del(name)
		}
	}
	if !sameOrigin(r.url, target) {
		r.header.Del("Authorization")
		r.header.Del("Cookie")
	}
	r.url = target
	return nil
}
