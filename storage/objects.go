// Package storage says what Mayfly asks of a store of objects. Each backend is
// a package of its own below this one, and passes the conformance suite of
// storage/objectstest; records of executions, keys and usage are in
// storage/meta.
package storage

import (
	"context"
	"io"
	"time"
)

// Objects is one bucket of objects. It is shaped after the S3 API, so that a
// backend can be a thin client of it. Implementations are safe for concurrent
// use.
//
// A write is durable when its call returns without an error, and until then
// readers see what was there before. A get that has begun is not disturbed by
// a later put or delete. An object past its expiry is not found, whether or
// not it has been swept.
//
// # Errors
//
// Every error is an [*Error], which wraps one of this package's sentinels, or
// the context's error, or what the system said.
type Objects interface {
	// Put stores what body yields to its end under key, replacing any object
	// there. It uses a bounded amount of memory whatever the size. An error of
	// body, or the end of ctx, leaves nothing behind.
	//
	// # Errors
	//
	// ErrInvalidKey, ErrPreconditionFailed, ErrChecksum, ErrTooLarge,
	// ErrNoSpace, ErrReadOnly, ErrInvalidOption.
	Put(ctx context.Context, key string, body io.Reader, options PutOptions) (Object, error)

	// Get opens an object, or a range of it. The caller closes Content.Body.
	// A whole object is checked against its digest while it is read: the last
	// read then fails with ErrChecksum instead of io.EOF.
	//
	// # Errors
	//
	// ErrNotFound, ErrInvalidKey, ErrInvalidRange, ErrPreconditionFailed,
	// ErrCorrupt. ErrNotModified comes with a Content that has no Body.
	Get(ctx context.Context, key string, options GetOptions) (*Content, error)

	// Head describes an object.
	//
	// # Errors
	//
	// ErrNotFound, ErrInvalidKey.
	Head(ctx context.Context, key string) (Object, error)

	// Delete removes objects. A key without an object is no error. It is
	// atomic for each key, not for all of them.
	//
	// # Errors
	//
	// ErrInvalidKey (then nothing is removed), ErrReadOnly.
	Delete(ctx context.Context, keys ...string) error

	// List lists objects in the order of the bytes of their keys (UTF-8).
	//
	// # Errors
	//
	// ErrInvalidCursor, ErrInvalidOption.
	List(ctx context.Context, options ListOptions) (Listing, error)

	// Copy copies an object within the bucket, onto itself too (which is how
	// its metadata are changed).
	//
	// # Errors
	//
	// ErrNotFound if there is no source, and those of Put.
	Copy(ctx context.Context, destination, source string, options CopyOptions) (Object, error)

	Multipart

	// Close releases what the backend holds. Contents that are open stay
	// readable. Later calls fail with ErrClosed.
	Close() error
}

// Multipart uploads an object in parts, which may arrive in any order and
// concurrently.
type Multipart interface {
	// CreateUpload begins an upload and names it. Conditions of options are
	// judged when the upload is completed.
	CreateUpload(ctx context.Context, key string, options PutOptions) (upload string, err error)

	// UploadPart stores part number (1 to MaxParts); a part of that number is
	// replaced.
	//
	// # Errors
	//
	// ErrNoSuchUpload, ErrInvalidPart, and those of Put.
	UploadPart(ctx context.Context, key, upload string, number int, body io.Reader, options PartOptions) (Part, error)

	// CompleteUpload joins parts into the object. Numbers must ascend, ETags
	// (and digests, where set) must be those that UploadPart returned, and
	// every part but the last must have MinPartSize bytes. Parts that are not
	// named are dropped. After an error the upload is as it was.
	//
	// # Errors
	//
	// ErrNoSuchUpload, ErrInvalidPart, ErrPartTooSmall, and those of Put.
	CompleteUpload(ctx context.Context, key, upload string, parts []Part, options CompleteOptions) (Object, error)

	// AbortUpload drops an upload and its parts. An unknown upload is
	// ErrNoSuchUpload.
	AbortUpload(ctx context.Context, key, upload string) error

	// ListParts lists the parts of an upload by number.
	ListParts(ctx context.Context, key, upload string) ([]Part, error)

	// ListUploads lists unfinished uploads whose key has the prefix, by key
	// and then by name.
	ListUploads(ctx context.Context, prefix string) ([]Upload, error)
}

// Presigner is implemented by backends that can hand out URLs which need no
// credentials.
type Presigner interface {
	// Presign makes a URL at which method (GET, HEAD or PUT) can be done on
	// key until expires from now.
	Presign(ctx context.Context, method, key string, expires time.Duration) (string, error)
}

// Limits of every backend: those of S3, and R2.
const (
	MaxKeyLength    = 1024    // bytes of UTF-8
	MaxMetadata     = 8 << 10 // bytes of all keys and values of the user's metadata
	MaxParts        = 10_000  // of one upload
	MinPartSize     = 5 << 20 // bytes, of all but the last part
	MaxListLimit    = 1000    // entries of one listing
	MaxObjectSize   = 5 << 40 // bytes
	MaxContentType  = 1 << 10 // bytes
	DefaultMIMEType = "application/octet-stream"
)

// Storage classes that every backend knows, by R2's names. A backend may know
// more; the embedded one keeps any, and treats all alike.
const (
	Standard         = "Standard"
	InfrequentAccess = "InfrequentAccess"
)

// An Object describes a stored object.
type Object struct {
	Key          string
	Version      string            // opaque, of this put alone; empty where a backend has none
	Size         int64             // bytes
	ETag         string            // opaque, without quotes; by default the MD5, or that of the parts' MD5s, "-" and their count
	SHA256       string            // hexadecimal, of the whole contents; empty where a backend does not know it
	Digests      Digests           // MD5, unless it came in parts, and those that the put announced
	ContentType  string            // never empty
	Headers      Headers           // as they were given
	StorageClass string            // never empty
	Metadata     map[string]string // the user's; nil if there are none
	Modified     time.Time         // when it was put, UTC, in whole milliseconds
	Expires      time.Time         // when it ceases to exist; zero: never
}

// Headers go with an object to HTTP clients that read it, and mean nothing to
// the store. Each is printable ASCII of at most MaxContentType bytes.
type Headers struct {
	CacheControl       string    `json:",omitzero"`
	ContentDisposition string    `json:",omitzero"`
	ContentEncoding    string    `json:",omitzero"`
	ContentLanguage    string    `json:",omitzero"`
	CacheExpiry        time.Time `json:",omitzero"` // the header Expires, in whole seconds UTC; not the object's end
}

// PutOptions say how an object is stored. The zero value stores it without
// any condition.
type PutOptions struct {
	ContentType  string // empty: DefaultMIMEType
	Headers      Headers
	StorageClass string            // empty: Standard
	Metadata     map[string]string // at most MaxMetadata bytes
	Digests      Digests           // expected, and kept with the object; a difference is ErrChecksum
	Size         int64             // expected size in bytes if not 0; a difference is ErrChecksum
	MaxSize      int64             // more bytes than this are ErrTooLarge; 0: MaxObjectSize
	Expires      time.Time         // zero: never
	Conditions   WriteConditions
}

// WriteConditions are judged in the moment of the write, atomically: of
// racing puts that demand absence exactly one succeeds. What does not hold is
// ErrPreconditionFailed; what a backend can't judge atomically is
// ErrUnsupported.
type WriteConditions struct {
	IfMatch     string // "*": there is an object; else: its ETag is this one
	IfNoneMatch string // "*": there is no object; else: there is none with this ETag
	// IfModifiedSince demands an object that is younger, IfUnmodifiedSince
	// that there is none that is younger; in milliseconds. As with reads, one
	// that holds of the ETag spares its time.
	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time
}

// GetOptions say what to read. The zero value reads all.
type GetOptions struct {
	Range      *Range // nil: everything
	Conditions ReadConditions
}

// ReadConditions are those of RFC 9110, section 13; all that are set must
// hold. IfMatch and IfUnmodifiedSince fail with ErrPreconditionFailed,
// IfNoneMatch and IfModifiedSince with ErrNotModified.
type ReadConditions struct {
	IfMatch           string
	IfNoneMatch       string
	IfModifiedSince   time.Time // ignored if IfNoneMatch is set
	IfUnmodifiedSince time.Time // ignored if IfMatch is set
}

// A Range is a part of an object's bytes. One that begins past the end is
// ErrInvalidRange; one that ends past it is cut there.
type Range struct {
	Offset int64 // from the start
	Length int64 // 0: to the end
	Suffix int64 // if not 0, the last Suffix bytes; Offset and Length must be 0
}

// Content is an open object.
type Content struct {
	Object
	Offset int64 // of the first byte of Body
	Length int64 // of Body, bytes
	Body   io.ReadCloser
}

// ListOptions say what to list. The zero value lists the first MaxListLimit
// objects.
type ListOptions struct {
	Prefix     string
	Delimiter  string // keys with it after the prefix are grouped into Listing.Prefixes
	Cursor     string // Listing.Cursor of the listing before; empty: from the start
	StartAfter string // only keys after this one, and groups of them
	Limit      int    // objects and groups; 0 or more than MaxListLimit: MaxListLimit
	// Details asks for all of each object's description. Without it a backend
	// may leave out what would cost it a request for each object: Version,
	// SHA256, Digests, ContentType, Headers, Metadata and Expires.
	Details bool
}

// A Listing is one page of a list.
type Listing struct {
	Objects  []Object
	Prefixes []string // groups, in order; none is in two pages of a list
	Cursor   string   // of the next page; empty: this was the last one
}

// CopyOptions say how an object is copied.
type CopyOptions struct {
	// Replace gives the copy these options' content type, headers, metadata
	// and expiry, instead of those of the source. StorageClass is the copy's
	// in either case, where it is set.
	Replace    bool
	Put        PutOptions     // Conditions are judged on the destination, Digests and Size on the contents
	Conditions ReadConditions // judged on the source; each that fails is ErrPreconditionFailed
}

// PartOptions say how a part is stored.
type PartOptions struct {
	Digests Digests // of the part, as in PutOptions
	Size    int64   // as in PutOptions
}

// CompleteOptions come with the end of an upload, and add to what
// CreateUpload was given.
type CompleteOptions struct {
	Digests    Digests // of the whole contents, as in PutOptions
	Size       int64   // as in PutOptions
	Conditions WriteConditions
}

// A Part is a stored part of an upload.
type Part struct {
	Number   int
	ETag     string // the MD5, by default
	Size     int64
	SHA256   string    // empty where a backend does not know it
	Digests  Digests   // those that UploadPart was given, and MD5 where it is known
	Modified time.Time // when it was put; zero where that is not known
}

// An Upload is an unfinished multipart upload.
type Upload struct {
	Key     string
	ID      string
	Created time.Time
}
