package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// fail puts an error into its final form.
func (b *Bucket) fail(op, key string, err error) error {
	err = classify(err)
	e := &storage.Error{Op: op, Bucket: b.config.Bucket, Key: key, Err: err}
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		e.Hint = "name the server's certificate authority in ca_file"
	case errors.Is(err, storage.ErrNoSuchBucket):
		e.Hint = "check bucket, endpoint and path_style of the configuration"
	case errors.Is(err, storage.ErrAccessDenied):
		e.Hint = "check the keys, the region and what the keys may do"
	case errors.Is(err, storage.ErrUnavailable):
		e.Hint = "check the endpoint; it was tried several times where that is safe"
	}
	return e
}

// codes are those of the S3 API (AmazonS3/latest/API/ErrorResponses).
var codes = map[string]error{
	"NoSuchKey":                    storage.ErrNotFound,
	"NoSuchVersion":                storage.ErrNotFound,
	"NotFound":                     storage.ErrNotFound,
	"NoSuchBucket":                 storage.ErrNoSuchBucket,
	"NoSuchUpload":                 storage.ErrNoSuchUpload,
	"PreconditionFailed":           storage.ErrPreconditionFailed,
	"InvalidRange":                 storage.ErrInvalidRange,
	"EntityTooLarge":               storage.ErrTooLarge,
	"MaxMessageLengthExceeded":     storage.ErrTooLarge,
	"EntityTooSmall":               storage.ErrPartTooSmall,
	"InvalidPart":                  storage.ErrInvalidPart,
	"InvalidPartOrder":             storage.ErrInvalidPart,
	"InvalidPartNumber":            storage.ErrInvalidPart,
	"BadDigest":                    storage.ErrChecksum,
	"XAmzContentSHA256Mismatch":    storage.ErrChecksum,
	"XAmzContentChecksumMismatch":  storage.ErrChecksum,
	"KeyTooLongError":              storage.ErrInvalidKey,
	"KeyTooLong":                   storage.ErrInvalidKey,
	"InvalidURI":                   storage.ErrInvalidKey,
	"XMinioInvalidObjectName":      storage.ErrInvalidKey,
	"MetadataTooLarge":             storage.ErrInvalidOption,
	"InvalidStorageClass":          storage.ErrInvalidOption,
	"AccessDenied":                 storage.ErrAccessDenied,
	"AllAccessDisabled":            storage.ErrAccessDenied,
	"InvalidAccessKeyId":           storage.ErrAccessDenied,
	"SignatureDoesNotMatch":        storage.ErrAccessDenied,
	"ExpiredToken":                 storage.ErrAccessDenied,
	"InvalidToken":                 storage.ErrAccessDenied,
	"TokenRefreshRequired":         storage.ErrAccessDenied,
	"RequestTimeTooSkewed":         storage.ErrAccessDenied,
	"AuthorizationHeaderMalformed": storage.ErrAccessDenied,
	"InvalidRegion":                storage.ErrAccessDenied,
	"PermanentRedirect":            storage.ErrAccessDenied,
	"SlowDown":                     storage.ErrSlowDown,
	"SlowDownRead":                 storage.ErrSlowDown,
	"SlowDownWrite":                storage.ErrSlowDown,
	"Throttling":                   storage.ErrSlowDown,
	"ThrottlingException":          storage.ErrSlowDown,
	"RequestLimitExceeded":         storage.ErrSlowDown,
	"TooManyRequests":              storage.ErrSlowDown,
	"NotImplemented":               storage.ErrUnsupported,
	"APINotSupported":              storage.ErrUnsupported,
	"QuotaExceeded":                storage.ErrNoSpace,
	"XMinioStorageFull":            storage.ErrNoSpace,
	"InsufficientStorage":          storage.ErrNoSpace,
	"ConditionalRequestConflict":   errConflict,
	"OperationAborted":             errConflict,
	"RequestTimeout":               storage.ErrUnavailable,
	"IncompleteBody":               storage.ErrUnavailable,
	"InternalError":                storage.ErrUnavailable,
	"ServiceUnavailable":           storage.ErrUnavailable,
	"XMinioServerNotInitialized":   storage.ErrUnavailable,
	"XMinioReadQuorumError":        storage.ErrUnavailable,
	"XMinioWriteQuorumError":       storage.ErrUnavailable,
	"InvalidObjectState":           storage.ErrAccessDenied, // archived
}

// errConflict is two writes of one key at once; one of them can be repeated.
var errConflict = fmt.Errorf("%w: another write of the key is under way", storage.ErrUnavailable)

// sentinels are what an error may wrap already.
var sentinels = []error{
	storage.ErrNotFound, storage.ErrPreconditionFailed, storage.ErrNotModified, storage.ErrInvalidKey, storage.ErrInvalidRange,
	storage.ErrInvalidCursor, storage.ErrInvalidOption, storage.ErrInvalidPart, storage.ErrPartTooSmall, storage.ErrNoSuchUpload,
	storage.ErrTooLarge, storage.ErrChecksum, storage.ErrNoSpace, storage.ErrCorrupt, storage.ErrClosed, storage.ErrNoSuchBucket,
	storage.ErrUnsupported, storage.ErrUnavailable, storage.ErrSlowDown, storage.ErrAccessDenied, context.Canceled,
}

// classify makes an error of the client wrap one of storage's.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var theirs foreign
	if errors.As(err, &theirs) {
		return theirs.error
	}
	for _, known := range sentinels {
		if errors.Is(err, known) {
			return err
		}
	}
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return fmt.Errorf("%w: %s", sentinelOf(answer), describe(answer))
	}
	var u *url.Error
	var n net.Error
	switch {
	case errors.As(err, &u):
		err = u.Err // the URL says no more than endpoint and key do
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	case errors.As(err, &n), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return err
}

func sentinelOf(answer minio.ErrorResponse) error {
	if err := codes[answer.Code]; err != nil {
		return err
	}
	switch status := answer.StatusCode; {
	case status == 304:
		return storage.ErrNotModified
	case status == 401, status == 403:
		return storage.ErrAccessDenied
	case status == 404:
		return storage.ErrNotFound
	case status == 405, status == 501:
		return storage.ErrUnsupported
	case status == 409:
		return errConflict
	case status == 412:
		return storage.ErrPreconditionFailed
	case status == 413:
		return storage.ErrTooLarge
	case status == 414:
		return storage.ErrInvalidKey
	case status == 416:
		return storage.ErrInvalidRange
	case status == 429, status == 503:
		return storage.ErrSlowDown
	case status == 507:
		return storage.ErrNoSpace
	case status >= 500, status == 408, status == 499, status == 0:
		return storage.ErrUnavailable
	}
	return storage.ErrInvalidOption
}

func describe(answer minio.ErrorResponse) string {
	text := strings.TrimSpace(answer.Message)
	if text == "" {
		text = "no reason given"
	}
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return fmt.Sprintf("the server answers %d %s: %q", answer.StatusCode, answer.Code, text)
}

// temporary says that the same request may have more luck.
func temporary(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrSlowDown)
}

// foreign is an error of somebody else's doing, which must not be taken for
// one of the connection's.
type foreign struct{ error }

func (f foreign) Unwrap() error { return f.error }
