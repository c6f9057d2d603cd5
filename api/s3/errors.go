package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"mayfly/storage"
)

// An Error is one as S3 clients know it (API reference, "Error responses").
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func invalidArgument(format string, a ...any) error {
	return &Error{http.StatusBadRequest, "InvalidArgument", fmt.Sprintf(format, a...)}
}

func denied(format string, a ...any) error {
	return &Error{http.StatusForbidden, "AccessDenied", fmt.Sprintf(format, a...)}
}

// Errors of requests.
var (
	errMethod          = &Error{http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed on this resource"}
	errNotImplemented  = &Error{http.StatusNotImplemented, "NotImplemented", "This is not offered here"}
	errMalformedXML    = &Error{http.StatusBadRequest, "MalformedXML", "The XML of the request is not well-formed or not what is expected"}
	errTooLargeXML     = &Error{http.StatusBadRequest, "MaxMessageLengthExceeded", "The request is too large"}
	errInternal        = &Error{http.StatusInternalServerError, "InternalError", "The server failed; its log says why"}
	errMissingLength   = &Error{http.StatusLengthRequired, "MissingContentLength", "The request has to tell its length"}
	errIncomplete      = &Error{http.StatusBadRequest, "IncompleteBody", "The body has fewer bytes than were announced"}
	errSlow            = &Error{http.StatusBadRequest, "RequestTimeout", "The body came too slowly"}
	errBadDigest       = &Error{http.StatusBadRequest, "BadDigest", "The body is not what its digest announced"}
	errPayloadHash     = &Error{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The body is not what x-amz-content-sha256 announced"}
	errSignature       = &Error{http.StatusForbidden, "SignatureDoesNotMatch", "The signature is not that of the request: check the secret key and what is signed"}
	errUnknownKey      = &Error{http.StatusForbidden, "InvalidAccessKeyId", "There is no such access key"}
	errSkewed          = &Error{http.StatusForbidden, "RequestTimeTooSkewed", "The request's time is too far from the server's"}
	errVersion2        = &Error{http.StatusBadRequest, "InvalidRequest", "Requests are signed by Signature Version 4 here (AWS4-HMAC-SHA256), not by version 2: set the client's signature version to s3v4"}
	errMalformedAuth   = &Error{http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization is not of Signature Version 4"}
	errMalformedQuery  = &Error{http.StatusBadRequest, "AuthorizationQueryParametersError", "The query's authorization is not of Signature Version 4"}
	errMalformedChunks = &Error{http.StatusBadRequest, "InvalidRequest", "The body is not of the aws-chunked form that was announced"}
)

// storageErrors are the sentinels of stores as clients know them.
var storageErrors = []struct {
	is    error
	error Error
}{
	{storage.ErrNotFound, Error{http.StatusNotFound, "NoSuchKey", "There is no such object"}},
	{storage.ErrNoSuchBucket, Error{http.StatusNotFound, "NoSuchBucket", "There is no such bucket"}},
	{storage.ErrInvalidBucket, Error{http.StatusBadRequest, "InvalidBucketName", "That is no name for a bucket"}},
	{storage.ErrBucketExists, Error{http.StatusConflict, "BucketAlreadyOwnedByYou", "The bucket is there already"}},
	{storage.ErrBucketNotEmpty, Error{http.StatusConflict, "BucketNotEmpty", "The bucket is not empty"}},
	{storage.ErrTooManyBuckets, Error{http.StatusBadRequest, "TooManyBuckets", "There are as many buckets as there may be"}},
	{storage.ErrConfigured, Error{http.StatusForbidden, "AccessDenied", "The bucket comes from the server's configuration"}},
	{storage.ErrPreconditionFailed, Error{http.StatusPreconditionFailed, "PreconditionFailed", "A condition of the request does not hold"}},
	{storage.ErrInvalidRange, Error{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range is not within the object"}},
	{storage.ErrInvalidCursor, Error{http.StatusBadRequest, "InvalidArgument", "The continuation token is not one that was given out"}},
	{storage.ErrInvalidPart, Error{http.StatusBadRequest, "InvalidPart", "A part is not there, or its ETag is another"}},
	{storage.ErrPartTooSmall, Error{http.StatusBadRequest, "EntityTooSmall", "Every part but the last has at least 5 MiB"}},
	{storage.ErrNoSuchUpload, Error{http.StatusNotFound, "NoSuchUpload", "There is no such upload"}},
	{storage.ErrTooLarge, Error{http.StatusBadRequest, "EntityTooLarge", "The object is larger than one may be"}},
	{storage.ErrChecksum, *errBadDigest},
	{storage.ErrNoSpace, Error{http.StatusInsufficientStorage, "XMinioStorageFull", "The store is full"}},
	{storage.ErrReadOnly, Error{http.StatusForbidden, "AccessDenied", "The bucket is read-only"}},
	{storage.ErrAccessDenied, Error{http.StatusForbidden, "AccessDenied", "The store behind the bucket refuses"}},
	{storage.ErrUnsupported, Error{http.StatusNotImplemented, "NotImplemented", "The store behind the bucket does not offer this"}},
	{storage.ErrSlowDown, Error{http.StatusServiceUnavailable, "SlowDown", "The store is asked too often"}},
	{storage.ErrUnavailable, Error{http.StatusServiceUnavailable, "ServiceUnavailable", "The store behind the bucket can't be reached"}},
	{storage.ErrClosed, Error{http.StatusServiceUnavailable, "ServiceUnavailable", "The server is shutting down"}},
}

// known is an error as clients know it, or nil if it is the server's own fault.
func known(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	for _, s := range storageErrors {
		if errors.Is(err, s.is) {
			return &s.error
		}
	}
	switch {
	case errors.Is(err, storage.ErrInvalidKey):
		return &Error{http.StatusBadRequest, "InvalidArgument", err.Error()}
	case errors.Is(err, storage.ErrInvalidOption):
		return &Error{http.StatusBadRequest, "InvalidArgument", err.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errIncomplete
	}
	return nil
}

type errorAnswer struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Bucket    string `xml:"BucketName,omitempty"`
	Key       string `xml:",omitempty"`
	Resource  string
	RequestID string `xml:"RequestId"`
}

// fail answers with an error, unless an answer was begun, which it then cuts.
func (r *request) fail(err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to read it
	}
	e := known(err)
	if e == nil {
		e = errInternal
		r.server.options.Log.Error("s3 request failed", "id", r.id, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	var cut *cutError
	if errors.As(err, &cut) {
		panic(http.ErrAbortHandler)
	}
	h := r.w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range", "Etag", "Last-Modified", "Cache-Control", "Expires"} {
		h.Del(name)
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if e.Status == http.StatusRequestedRangeNotSatisfiable {
		h.Set("Accept-Ranges", "bytes")
	}
	if r.body != nil && !r.body.ended {
		h.Set("Connection", "close") // what is left of the body is not read
	}
	if r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		r.w.WriteHeader(e.Status)
		return
	}
	_ = r.answer(e.Status, &errorAnswer{Code: e.Code, Message: e.Message, Bucket: r.bucket, Key: r.key, Resource: r.URL.Path, RequestID: r.id})
}

// A cutError is one that came after the head of the answer.
type cutError struct{ error }

func (e *cutError) Unwrap() error { return e.error }

// answer writes an answer in XML.
func (r *request) answer(status int, v any) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", fmt.Sprint(b.Len()))
	r.w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = r.w.Write(b.Bytes()) // an error here is the client's going away
	}
	return nil
}
