package api

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"mayfly/host/execution"
)

// A Problem is an error answer (RFC 9457, application/problem+json). Code and
// Message repeat Status and Detail for clients that look there.
type Problem struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail"`
	Instance string       `json:"instance"`
	Code     int          `json:"code"`
	Message  string       `json:"message"`
	Errors   []FieldError `json:"errors,omitempty"`

	retryAfter time.Duration // of the Retry-After field; zero: none
	allow      string        // of the Allow field
	challenge  bool          // WWW-Authenticate
}

// A FieldError says what was expected of a part of the request.
type FieldError struct {
	// Pointer is a JSON pointer (RFC 6901) into the body; empty means the
	// body as a whole. For a query parameter or a header it is its name.
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// A problemKind is a kind of problem: the last part of its type.
type problemKind string

// The kinds of problems. The specification lists the same ones.
const (
	invalidRequest     problemKind = "invalid-request"
	invalidJSON        problemKind = "invalid-json"
	unauthenticated    problemKind = "unauthenticated"
	forbiddenHost      problemKind = "forbidden-host"
	forbiddenOrigin    problemKind = "forbidden-origin"
	notFound           problemKind = "not-found"
	methodNotAllowed   problemKind = "method-not-allowed"
	notAcceptable      problemKind = "not-acceptable"
	idempotencyInUse   problemKind = "idempotency-key-in-use"
	unusableState      problemKind = "unusable-state"
	restarted          problemKind = "session-restarted"
	bucketNotEmpty     problemKind = "bucket-not-empty"
	bucketConfigured   problemKind = "bucket-configured"
	tooManyBuckets     problemKind = "too-many-buckets"
	tooLarge           problemKind = "too-large"
	bodyTimeout        problemKind = "body-timeout"
	unsupportedMedia   problemKind = "unsupported-media-type"
	idempotencyReused  problemKind = "idempotency-key-reused"
	tooManyRequests    problemKind = "too-many-requests"
	tooManyFailures    problemKind = "too-many-failed-keys"
	internalFault      problemKind = "internal-error"
	overloaded         problemKind = "overloaded"
	shuttingDown       problemKind = "shutting-down"
	workerFailed       problemKind = "worker-failed"
	workerStart        problemKind = "worker-start-failed"
	assetsMissing      problemKind = "assets-missing"
	problemTypePrefix              = "urn:mayfly:problem:"
	problemContentType             = "application/problem+json"
)

var problemKinds = map[problemKind]struct {
	status int
	title  string
}{
	assetsMissing:     {http.StatusUnprocessableEntity, "Assets are missing"},
	workerStart:       {http.StatusUnprocessableEntity, "The worker's modules can't be evaluated"},
	workerFailed:      {http.StatusInternalServerError, "The worker failed"},
	invalidRequest:    {http.StatusBadRequest, "The request is not valid"},
	invalidJSON:       {http.StatusBadRequest, "The body is not valid JSON"},
	unauthenticated:   {http.StatusUnauthorized, "A valid API key is needed"},
	forbiddenHost:     {http.StatusForbidden, "This host name is not served"},
	forbiddenOrigin:   {http.StatusForbidden, "Requests from this origin are refused"},
	notFound:          {http.StatusNotFound, "Not found"},
	methodNotAllowed:  {http.StatusMethodNotAllowed, "The method is not allowed here"},
	notAcceptable:     {http.StatusNotAcceptable, "None of the accepted media types can be produced"},
	bodyTimeout:       {http.StatusRequestTimeout, "The body came too slowly"},
	idempotencyInUse:  {http.StatusConflict, "A request with this idempotency key is in flight"},
	unusableState:     {http.StatusConflict, "The stored state can't be used here"},
	restarted:         {http.StatusConflict, "The session was restarted"},
	bucketNotEmpty:    {http.StatusConflict, "The bucket is not empty"},
	bucketConfigured:  {http.StatusConflict, "The bucket is not the API's to delete"},
	tooManyBuckets:    {http.StatusConflict, "There are too many buckets"},
	tooLarge:          {http.StatusRequestEntityTooLarge, "The body is too large"},
	unsupportedMedia:  {http.StatusUnsupportedMediaType, "The body's media type is not supported"},
	idempotencyReused: {http.StatusUnprocessableEntity, "The idempotency key was used for another request"},
	tooManyRequests:   {http.StatusTooManyRequests, "Too many requests"},
	tooManyFailures:   {http.StatusTooManyRequests, "Too many failed attempts to authenticate"},
	internalFault:     {http.StatusInternalServerError, "Internal error"},
	overloaded:        {http.StatusServiceUnavailable, "The server is too busy"},
	shuttingDown:      {http.StatusServiceUnavailable, "The server is shutting down"},
}

// newProblem makes a problem; detail is one sentence.
func newProblem(kind problemKind, format string, args ...any) *Problem {
	k := problemKinds[kind]
	detail := format
	if len(args) > 0 {
		detail = fmt.Sprintf(format, args...)
	}
	return &Problem{
		Type: problemTypePrefix + string(kind), Title: k.title, Status: k.status,
		Detail: detail, Code: k.status, Message: detail,
	}
}

// after sets when to try again.
func (p *Problem) after(d time.Duration) *Problem {
	p.retryAfter = max(d, time.Second)
	return p
}

// invalid makes a problem of what is wrong with fields.
func invalid(fields []FieldError) *Problem {
	first := fields[0]
	detail := first.Detail
	if first.Pointer != "" {
		detail = first.Pointer + ": " + detail
	}
	if n := len(fields) - 1; n > 0 {
		detail += fmt.Sprintf(" (and %d more)", n)
	}
	p := newProblem(invalidRequest, "%s", detail)
	p.Errors = fields
	return p
}

// executorProblem makes a problem of an error of the executor, or nil if it
// is none that a client can do something about.
func executorProblem(err error) *Problem {
	if fields := invalidFields(nil, err); len(fields) > 0 {
		return invalid(fields)
	}
	var load *execution.OverloadError
	if !errors.As(err, &load) {
		return nil
	}
	kind := overloaded
	if load.Tenant {
		kind = tooManyRequests
	}
	return newProblem(kind, "Not admitted: %s.", load.Reason).after(load.RetryAfter)
}

// invalidFields collects every InvalidError of a tree of errors.
func invalidFields(fields []FieldError, err error) []FieldError {
	switch e := err.(type) {
	case nil:
	case *execution.InvalidError:
		fields = append(fields, FieldError{Pointer: e.Field, Detail: e.Message})
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			fields = invalidFields(fields, one)
		}
	case interface{ Unwrap() error }:
		fields = invalidFields(fields, e.Unwrap())
	}
	return fields
}

// write answers with the problem.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	if p.Instance == "" {
		p.Instance = r.URL.EscapedPath()
	}
	h := w.Header()
	h["Content-Type"] = headerProblem
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.retryAfter.Seconds())), 10))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.challenge {
		h.Set("WWW-Authenticate", `Bearer realm="mayfly"`)
	}
	body := appendProblem(nil, p)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		w.Write(body) // an error here is the client's going away
	}
}
