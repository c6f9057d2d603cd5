package s3

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// The metadata that are this package's.
const (
	metaPrefix  = "x-amz-meta-"
	ownPrefix   = "mayfly-"
	ownVersion  = ownPrefix + "version"  // random, of each put
	ownExpires  = ownPrefix + "expires"  // ms since 1970
	ownSHA256   = ownPrefix + "sha256"   // of the contents, hexadecimal
	ownDigests  = ownPrefix + "digests"  // JSON: those that were announced
	ownMetadata = ownPrefix + "metadata" // base64 of JSON: what has no form as a header
)

// classes are the names that storage has for those of S3.
var classes = map[string]string{storage.Standard: "STANDARD", storage.InfrequentAccess: "STANDARD_IA"}

func toClass(name string) string {
	if class := classes[name]; class != "" {
		return class
	}
	return name
}

func fromClass(class string) string {
	for name, c := range classes {
		if c == class {
			return name
		}
	}
	if class == "" {
		return storage.Standard
	}
	return class
}

// A description is what goes with an object in headers.
type description struct {
	version string
	sha256  string // empty: not known yet
	options storage.PutOptions
}

// userMetadata are the x-amz-meta fields, with that prefix.
func (d *description) userMetadata() map[string]string {
	m := map[string]string{metaPrefix + ownVersion: d.version}
	if !d.options.Expires.IsZero() {
		m[metaPrefix+ownExpires] = strconv.FormatInt(d.options.Expires.UnixMilli(), 10)
	}
	if d.sha256 != "" {
		m[metaPrefix+ownSHA256] = d.sha256
	}
	if digests := d.options.Digests; digests != (storage.Digests{}) {
		text, _ := json.Marshal(digests) // strings
		m[metaPrefix+ownDigests] = string(text)
	}
	rest := map[string]string{}
	for name, value := range d.options.Metadata {
		if fieldName.MatchString(name) && plainValue(value) && !strings.HasPrefix(name, ownPrefix) {
			m[metaPrefix+name] = encodeValue(value)
		} else {
			rest[name] = value
		}
	}
	if len(rest) > 0 {
		text, _ := json.Marshal(rest)
		m[metaPrefix+ownMetadata] = base64.StdEncoding.EncodeToString(text)
	}
	return m
}

// fieldName is a name that every server gives back as it was.
var fieldName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// plainValue is one that a header field carries as it is, or as a word of RFC
// 2047, in which S3 itself tells what is not ASCII.
func plainValue(value string) bool {
	if value == "" || strings.TrimSpace(value) != value || strings.Contains(value, "  ") || strings.Contains(value, "=?") {
		return false
	}
	for _, r := range value {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}

// encodeValue writes one word, however long it gets: the client that reads it
// joins nothing. It decodes words by itself.
func encodeValue(value string) string {
	for i := range len(value) {
		if value[i] > '~' {
			return "=?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte(value)) + "?="
		}
	}
	return value
}

// putOptions are those of minio.
func (d *description) putOptions() minio.PutObjectOptions {
	h := d.options.Headers
	o := minio.PutObjectOptions{
		UserMetadata:       d.userMetadata(),
		ContentType:        d.contentType(),
		CacheControl:       h.CacheControl,
		ContentDisposition: h.ContentDisposition,
		ContentEncoding:    h.ContentEncoding,
		ContentLanguage:    h.ContentLanguage,
		Expires:            h.CacheExpiry,
	}
	if c := d.options.StorageClass; c != "" && c != storage.Standard {
		o.StorageClass = toClass(c)
	}
	return o
}

func (d *description) contentType() string {
	if d.options.ContentType == "" {
		return storage.DefaultMIMEType
	}
	return d.options.ContentType
}

// object is what a put with this description made.
func (d *description) object(key, etag string, size int64, now time.Time) storage.Object {
	o := storage.Object{
		Key: key, Version: d.version, Size: size, ETag: etag, SHA256: d.sha256, Digests: d.options.Digests,
		ContentType: d.contentType(), Headers: d.options.Headers, StorageClass: d.options.StorageClass,
		Modified: now.UTC().Truncate(time.Second),
	}
	if o.StorageClass == "" {
		o.StorageClass = storage.Standard
	}
	if !o.Headers.CacheExpiry.IsZero() {
		o.Headers.CacheExpiry = o.Headers.CacheExpiry.Truncate(time.Second).UTC()
	}
	if len(d.options.Metadata) > 0 {
		o.Metadata = d.options.Metadata
	}
	if !d.options.Expires.IsZero() {
		o.Expires = time.UnixMilli(d.options.Expires.UnixMilli()).UTC()
	}
	if isMD5(etag) {
		o.Digests.MD5 = etag
	}
	return o
}

var md5Form = regexp.MustCompile(`^[0-9a-f]{32}$`)

func isMD5(etag string) bool { return md5Form.MatchString(etag) }

// fromInfo describes an object by the headers of an answer.
func fromInfo(key string, info minio.ObjectInfo) storage.Object {
	o := storage.Object{
		Key: key, Size: info.Size, ETag: info.ETag, ContentType: info.ContentType,
		StorageClass: fromClass(info.Headers.Get("X-Amz-Storage-Class")), Modified: info.LastModified.UTC(),
		Headers: storage.Headers{
			CacheControl:       info.Headers.Get("Cache-Control"),
			ContentDisposition: info.Headers.Get("Content-Disposition"),
			ContentEncoding:    withoutChunks(info.Headers.Get("Content-Encoding")),
			ContentLanguage:    info.Headers.Get("Content-Language"),
		},
	}
	if !info.Expires.IsZero() {
		o.Headers.CacheExpiry = info.Expires.UTC()
	}
	if info.VersionID != "" && info.VersionID != "null" {
		o.Version = info.VersionID
	}
	metadata := map[string]string{}
	for name, value := range info.UserMetadata {
		name = strings.ToLower(name)
		switch name {
		case ownVersion:
			o.Version = value
		case ownExpires:
			if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
				o.Expires = time.UnixMilli(ms).UTC()
			}
		case ownSHA256:
			if b, err := hex.DecodeString(value); err == nil && len(b) == 32 {
				o.SHA256 = value
			}
		case ownDigests:
			var d storage.Digests
			if json.Unmarshal([]byte(value), &d) == nil && d.Validate() == nil {
				o.Digests = d
			}
		case ownMetadata:
			if text, err := base64.StdEncoding.DecodeString(value); err == nil {
				_ = json.Unmarshal(text, &metadata) // another program's: then it is left out
			}
		default:
			metadata[name] = value
		}
	}
	if len(metadata) > 0 {
		o.Metadata = metadata
	}
	if isMD5(o.ETag) && !encrypted(info.Headers) {
		o.Digests.MD5 = o.ETag
	}
	return o
}

// withoutChunks leaves out the way in which the contents came, which some
// servers keep.
func withoutChunks(encoding string) string {
	encoding = strings.TrimSuffix(encoding, "aws-chunked")
	return strings.TrimRight(encoding, ", ")
}

// encrypted says that the ETag is no MD5 (SSE-KMS, SSE-C).
func encrypted(h http.Header) bool {
	kind := h.Get("X-Amz-Server-Side-Encryption")
	return kind != "" && kind != "AES256" || h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != ""
}

// trusted are the digests by which a read of the whole object is checked: one
// of those that put kept, else one that the server tells.
func trusted(o storage.Object, info minio.ObjectInfo) storage.Digests {
	if o.SHA256 != "" {
		return storage.Digests{SHA256: o.SHA256}
	}
	if info.ChecksumMode != minio.ChecksumFullObjectMode.String() && strings.Contains(o.ETag, "-") {
		return storage.Digests{} // of parts
	}
	var d storage.Digests
	for _, c := range []struct {
		text string
		to   *string
	}{{info.ChecksumCRC64NVME, &d.CRC64NVME}, {info.ChecksumCRC32C, &d.CRC32C}, {info.ChecksumSHA256, &d.SHA256}, {info.ChecksumCRC32, &d.CRC32}} {
		if b, err := base64.StdEncoding.DecodeString(c.text); err == nil && len(b) > 0 {
			if *c.to = hex.EncodeToString(b); d.Validate() == nil {
				return d
			}
			d = storage.Digests{}
		}
	}
	return storage.Digests{MD5: o.Digests.MD5}
}

func expired(o storage.Object) bool { return !o.Expires.IsZero() && !time.Now().Before(o.Expires) }
