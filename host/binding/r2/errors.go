package r2

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mayfly/host/op"
	"mayfly/storage"
)

// codeError is an error by one of R2's codes
// (developers.cloudflare.com/r2/api/error-codes). Guests put the method's name
// before the message and the code behind it.
func codeError(code int, format string, a ...any) error {
	return &op.ErrorRecord{Name: "Error", Code: strconv.Itoa(code), Message: fmt.Sprintf(format, a...)}
}

// ErrNoBucket is what the use of a bucket says that there is none of.
var ErrNoBucket = codeError(10006, "The specified bucket does not exist.")

// failed words an error of the store.
func failed(err error) error {
	var told *op.ErrorRecord
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return told
	case errors.Is(err, storage.ErrInvalidKey):
		return codeError(10020, "The specified object name is not valid.")
	case errors.Is(err, storage.ErrNotFound):
		return codeError(10007, "The specified key does not exist.")
	case errors.Is(err, storage.ErrTooLarge):
		return codeError(100100, "Your proposed upload exceeds the maximum allowed object size.")
	case errors.Is(err, storage.ErrPartTooSmall):
		return codeError(10011, "Your proposed upload is smaller than the minimum allowed object size.")
	case errors.Is(err, storage.ErrNoSuchUpload):
		return codeError(10024, "The specified multipart upload does not exist.")
	case errors.Is(err, storage.ErrInvalidPart):
		return codeError(10025, "One or more of the specified parts could not be found.")
	case errors.Is(err, storage.ErrPreconditionFailed):
		return codeError(10031, "At least one of the pre-conditions you specified did not hold.")
	case errors.Is(err, storage.ErrChecksum):
		return codeError(10037, "The checksum you specified did not match what we received.")
	case errors.Is(err, storage.ErrInvalidRange):
		return codeError(10039, "The requested range is not satisfiable.")
	case errors.Is(err, storage.ErrInvalidCursor):
		return codeError(10029, "The cursor is not valid.")
	case errors.Is(err, storage.ErrInvalidOption):
		return codeError(10029, "An option is not valid.")
	case errors.Is(err, storage.ErrUnsupported):
		return codeError(10029, "The bucket's store can't do that.")
	case errors.Is(err, storage.ErrNoSuchBucket):
		return ErrNoBucket
	case errors.Is(err, storage.ErrUnavailable):
		return codeError(10043, "Service is temporarily unavailable.")
	case errors.Is(err, storage.ErrNoSpace):
		return codeError(10043, "The store is full.")
	case errors.Is(err, storage.ErrReadOnly):
		return codeError(10043, "The store can't be written to.")
	}
	return err
}

func sortPairs(list []op.Pair) {
	slices.SortFunc(list, func(a, b op.Pair) int { return strings.Compare(a.Name, b.Name) })
}
