package storage

import (
	"errors"
	"strconv"
	"strings"
)

// What can go wrong. Test with errors.Is: an [*Error] wraps them.
var (
	ErrNotFound           = errors.New("no such object")
	ErrPreconditionFailed = errors.New("precondition failed")
	ErrNotModified        = errors.New("not modified")
	ErrInvalidKey         = errors.New("invalid key")
	ErrInvalidBucket      = errors.New("invalid bucket name")
	ErrInvalidRange       = errors.New("range not satisfiable")
	ErrInvalidCursor      = errors.New("invalid cursor")
	ErrInvalidOption      = errors.New("invalid option")
	ErrInvalidPart        = errors.New("invalid part")
	ErrPartTooSmall       = errors.New("part too small")
	ErrNoSuchUpload       = errors.New("no such upload")
	ErrTooLarge           = errors.New("object too large")
	ErrChecksum           = errors.New("checksum mismatch")
	ErrNoSpace            = errors.New("no space left in the store")
	ErrReadOnly           = errors.New("store is read-only")
	ErrCorrupt            = errors.New("store is corrupt")
	ErrNewerSchema        = errors.New("store was written by a newer version")
	ErrLocked             = errors.New("store is in use by another process")
	ErrClosed             = errors.New("store is closed")
	ErrNoSuchBucket       = errors.New("no such bucket")
	ErrBucketExists       = errors.New("bucket exists already")
	ErrBucketNotEmpty     = errors.New("bucket is not empty")
	ErrTooManyBuckets     = errors.New("too many buckets")
	ErrConfigured         = errors.New("bucket comes from the configuration")
	ErrUnsupported        = errors.New("not supported by this store")
	ErrUnavailable        = errors.New("store can't be reached, or fails") // it may come back
	ErrSlowDown           = errors.New("store is asked too often")
	ErrAccessDenied       = errors.New("access denied by the store")
)

// An Error says which operation failed, on what, why, and what may help.
type Error struct {
	Op     string // "put", "get", "list", ...
	Bucket string // may be empty
	Key    string // may be empty
	Err    error  // a sentinel of this package, or wraps one, or the system's error
	Hint   string // what an operator can do; may be empty
}

// Error is the message in one line. Keys are quoted: they are the user's.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("storage: ")
	b.WriteString(e.Op)
	if e.Bucket != "" {
		b.WriteByte(' ')
		b.WriteString(e.Bucket)
	}
	if e.Key != "" {
		b.WriteByte(' ')
		b.WriteString(strconv.Quote(e.Key))
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }
