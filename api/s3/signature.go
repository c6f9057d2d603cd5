package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature Version 4 (AWS: "Authenticating Requests", header and query forms).
const (
	algorithm     = "AWS4-HMAC-SHA256"
	terminator    = "aws4_request"
	timeFormat    = "20060102T150405Z"
	dayFormat     = "20060102"
	maxSkew       = 15 * time.Minute
	maxPresigned  = 7 * 24 * time.Hour
	unsigned      = "UNSIGNED-PAYLOAD"
	signedChunks  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	openTrailer   = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// A query is a request's query, in its order.
type query []parameter

type parameter struct{ name, value string }

func parseQuery(raw string) (query, error) {
	var q query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, invalidArgument("The query is not well-formed")
		}
		q = append(q, parameter{name, value})
	}
	return q, nil
}

func (q query) get(name string) string {
	for _, p := range q {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

func (q query) has(name string) bool {
	return slices.ContainsFunc(q, func(p parameter) bool { return p.name == name })
}

// canonical is the query as it is signed, without one parameter.
func (q query) canonical(without string) string {
	parts := make([]string, 0, len(q))
	for _, p := range q {
		if p.name != without {
			parts = append(parts, escape(p.name, false)+"="+escape(p.value, false))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// escape is the encoding that signatures want: everything but unreserved
// characters (RFC 3986), and slashes in paths.
func escape(s string, path bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' || path && c == '/' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// A signature is what a request carries of one.
type signature struct {
	key     string // access key id
	scope   string // day/region/service/terminator
	day     string
	region  string
	signed  []string // names of headers, lower case
	given   string
	time    time.Time
	expires time.Duration // of a presigned request
	query   bool
	payload string
}

// parseCredential splits key/day/region/service/terminator.
func (g *signature) parseCredential(text string) bool {
	parts := strings.Split(text, "/")
	if len(parts) < 5 {
		return false
	}
	n := len(parts) - 4 // a key may hold slashes
	g.key = strings.Join(parts[:n], "/")
	g.scope = strings.Join(parts[n:], "/")
	g.day, g.region = parts[n], parts[n+1]
	return parts[n+2] == "s3" && parts[n+3] == terminator && g.key != ""
}

func (g *signature) parseSigned(text string) bool {
	g.signed = strings.Split(text, ";")
	for i, name := range g.signed {
		if name == "" || name != strings.ToLower(name) || i > 0 && g.signed[i-1] >= name {
			return false
		}
	}
	return slices.Contains(g.signed, "host")
}

// signatureOf reads the signature of a request.
func (r *request) signatureOf() (g *signature, err error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return r.headerSignature(header)
	}
	if r.query.has("X-Amz-Signature") {
		return r.querySignature()
	}
	if r.query.has("AWSAccessKeyId") {
		return nil, errVersion2
	}
	return nil, denied("The request is not signed")
}

func (r *request) headerSignature(header string) (*signature, error) {
	g := &signature{}
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if strings.HasPrefix(header, "AWS ") {
		return nil, errVersion2
	}
	if !ok {
		return nil, errMalformedAuth
	}
	seen := 0
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		ok := true
		switch name {
		case "Credential":
			ok = g.parseCredential(value)
			seen |= 1
		case "SignedHeaders":
			ok = g.parseSigned(value)
			seen |= 2
		case "Signature":
			g.given = value
			seen |= 4
		}
		if !ok {
			return nil, errMalformedAuth
		}
	}
	if seen != 7 {
		return nil, errMalformedAuth
	}
	var err error
	if date := r.Header.Get("X-Amz-Date"); date != "" {
		g.time, err = time.Parse(timeFormat, date)
	} else {
		g.time, err = http.ParseTime(r.Header.Get("Date"))
	}
	if err != nil {
		return nil, denied("The request has no valid date")
	}
	if g.payload = r.Header.Get("X-Amz-Content-Sha256"); g.payload == "" {
		return nil, &Error{http.StatusBadRequest, "InvalidRequest", "The header x-amz-content-sha256 is missing"}
	}
	now := r.server.options.Now()
	if d := now.Sub(g.time); d > maxSkew || d < -maxSkew {
		return nil, errSkewed
	}
	return g, nil
}

func (r *request) querySignature() (*signature, error) {
	g := &signature{query: true, payload: unsigned, given: r.query.get("X-Amz-Signature")}
	seconds, err := strconv.Atoi(r.query.get("X-Amz-Expires"))
	if r.query.get("X-Amz-Algorithm") != algorithm || !g.parseCredential(r.query.get("X-Amz-Credential")) ||
		!g.parseSigned(r.query.get("X-Amz-SignedHeaders")) || err != nil || seconds < 1 {
		return nil, errMalformedQuery
	}
	if seconds > int(maxPresigned/time.Second) {
		return nil, &Error{http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds): 604800"}
	}
	g.expires = time.Duration(seconds) * time.Second
	if g.time, err = time.Parse(timeFormat, r.query.get("X-Amz-Date")); err != nil {
		return nil, errMalformedQuery
	}
	for i, p := range r.query { // each once: what is checked is what is signed
		if strings.HasPrefix(p.name, "X-Amz-") && slices.ContainsFunc(r.query[:i], func(q parameter) bool { return q.name == p.name }) {
			return nil, errMalformedQuery
		}
	}
	if given := r.query.get("X-Amz-Content-Sha256"); given != "" {
		g.payload = given
	} else if given := r.Header.Get("X-Amz-Content-Sha256"); given != "" && slices.Contains(g.signed, "x-amz-content-sha256") {
		g.payload = given
	}
	now := r.server.options.Now()
	if now.Before(g.time.Add(-maxSkew)) {
		return nil, denied("The request is not valid yet")
	}
	if now.After(g.time.Add(g.expires)) {
		return nil, denied("Request has expired")
	}
	return g, nil
}

// authenticate finds out whose request it is, and what its body must be.
func (r *request) authenticate() error {
	g, err := r.signatureOf()
	if err != nil {
		return err
	}
	if g.time.Format(dayFormat) != g.day {
		return denied("The credential's day is not that of the request")
	}
	// Whatever else changes the meaning of a request has to be signed too.
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(g.signed, lower) && !(g.query && lower == "x-amz-content-sha256") {
			return denied("There were headers present in the request which were not signed: %s", lower)
		}
	}
	credential, err := r.server.credential(r.Context(), g.key)
	if err != nil {
		return err
	}
	key := r.server.keys.signingKey(credential.Secret, g.day, g.region)
	want := sign(key, g.stringToSign(r.canonical(g)))
	if !hmac.Equal([]byte(want), []byte(g.given)) {
		return errSignature
	}
	if r.query.has("X-Amz-Security-Token") || r.Header.Get("X-Amz-Security-Token") != "" {
		return &Error{http.StatusForbidden, "InvalidToken", "Session tokens are not given out here"}
	}
	r.tenant = credential.Tenant
	r.body, err = r.newBody(g, key)
	return err
}

// canonical is the canonical request.
func (r *request) canonical(g *signature) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(escape(r.URL.Path, true))
	b.WriteByte('\n')
	without := ""
	if g.query {
		without = "X-Amz-Signature"
	}
	b.WriteString(r.query.canonical(without))
	b.WriteByte('\n')
	for _, name := range g.signed {
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(r.signedValue(name))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(g.signed, ";"))
	b.WriteByte('\n')
	b.WriteString(g.payload)
	return b.String()
}

func (r *request) signedValue(name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 {
			return strconv.FormatInt(r.ContentLength, 10)
		}
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := r.Header.Values(name)
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
}

func (g *signature) stringToSign(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return algorithm + "\n" + g.time.Format(timeFormat) + "\n" + g.scope + "\n" + hex.EncodeToString(sum[:])
}

func signingKey(secret, day, region string) []byte {
	key := hmacSHA256([]byte("AWS4"+secret), day)
	key = hmacSHA256(key, region)
	key = hmacSHA256(key, "s3")
	return hmacSHA256(key, terminator)
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sign(key []byte, text string) string { return hex.EncodeToString(hmacSHA256(key, text)) }
