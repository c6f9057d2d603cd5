package s3

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mayfly/storage"
)

const (
	metadataPrefix = "X-Amz-Meta-"
	checksumPrefix = "x-amz-checksum-"
)

// checksums are the algorithms that clients announce bodies with.
var checksums = []struct {
	name string // after checksumPrefix
	of   func(*storage.Digests) *string
	make func() hash.Hash
}{
	{"crc32", func(d *storage.Digests) *string { return &d.CRC32 }, func() hash.Hash { return crc32.NewIEEE() }},
	{"crc32c", func(d *storage.Digests) *string { return &d.CRC32C }, func() hash.Hash { return crc32.New(castagnoli) }},
	{"crc64nvme", func(d *storage.Digests) *string { return &d.CRC64NVME }, func() hash.Hash { return crc64.New(nvme) }},
	{"sha1", func(d *storage.Digests) *string { return &d.SHA1 }, sha1.New},
	{"sha256", func(d *storage.Digests) *string { return &d.SHA256 }, sha256.New},
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// checksumHash is the hash of a checksum's header, or nil.
func checksumHash(header string) hash.Hash {
	for _, c := range checksums {
		if header == checksumPrefix+c.name {
			return c.make()
		}
	}
	return nil
}

// digests are those that a request announces of its body.
func (r *request) digests() (d storage.Digests, err error) {
	if d.MD5, err = hexDigest("Content-MD5", r.Header.Get("Content-Md5"), md5.Size); err != nil {
		return d, err
	}
	for _, c := range checksums {
		value := r.Header.Get(checksumPrefix + c.name)
		if *c.of(&d), err = hexDigest(checksumPrefix+c.name, value, c.make().Size()); err != nil {
			return d, err
		}
	}
	return d, nil
}

// hexDigest turns a digest in base64 into hexadecimal.
func hexDigest(name, value string, size int) (string, error) {
	if value == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(b) != size {
		return "", &Error{http.StatusBadRequest, "InvalidDigest", "The value of " + name + " is not one of its digests in base64"}
	}
	return hex.EncodeToString(b), nil
}

// setDigests answers an object's digests.
func setDigests(h http.Header, d storage.Digests) {
	any := false
	for _, c := range checksums {
		if b, err := hex.DecodeString(*c.of(&d)); err == nil && len(b) > 0 {
			h.Set(checksumPrefix+c.name, base64.StdEncoding.EncodeToString(b))
			any = true
		}
	}
	if any {
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

// Storage classes by S3's names, and those of stores.
var classes = []struct{ s3, store string }{{"STANDARD", storage.Standard}, {"STANDARD_IA", storage.InfrequentAccess}}

func storeClass(name string) string {
	for _, c := range classes {
		if c.s3 == name {
			return c.store
		}
	}
	return name
}

func className(class string) string {
	for _, c := range classes {
		if c.store == class {
			return c.s3
		}
	}
	return class
}

// putOptions are how a request wants an object stored, but for its body's
// digests.
func (r *request) putOptions() (o storage.PutOptions, err error) {
	h := r.Header
	o.ContentType = h.Get("Content-Type")
	o.StorageClass = storeClass(h.Get("X-Amz-Storage-Class"))
	o.Headers = storage.Headers{
		CacheControl: h.Get("Cache-Control"), ContentDisposition: h.Get("Content-Disposition"),
		ContentLanguage: h.Get("Content-Language"), ContentEncoding: contentEncoding(h.Get("Content-Encoding")),
	}
	if expires := h.Get("Expires"); expires != "" {
		if o.Headers.CacheExpiry, err = http.ParseTime(expires); err != nil {
			return o, invalidArgument("The header Expires is not a date of HTTP")
		}
	}
	for name, values := range h {
		if key, ok := strings.CutPrefix(name, metadataPrefix); ok {
			if o.Metadata == nil {
				o.Metadata = map[string]string{}
			}
			o.Metadata[strings.ToLower(key)] = strings.Join(values, ",")
		}
	}
	o.Conditions = storage.WriteConditions{IfMatch: unquote(h.Get("If-Match")), IfNoneMatch: unquote(h.Get("If-None-Match"))}
	return o, nil
}

// contentEncoding is an encoding without that of the transfer.
func contentEncoding(value string) string {
	var kept []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" && !strings.EqualFold(part, "aws-chunked") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}

func unquote(etag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
}

func quote(etag string) string { return `"` + etag + `"` }

// readConditions are a request's, or those on the source of a copy.
func (r *request) readConditions(prefix string) (c storage.ReadConditions) {
	h := r.Header
	c.IfMatch, c.IfNoneMatch = unquote(h.Get(prefix+"If-Match")), unquote(h.Get(prefix+"If-None-Match"))
	for name, to := range map[string]*time.Time{"If-Modified-Since": &c.IfModifiedSince, "If-Unmodified-Since": &c.IfUnmodifiedSince} {
		if value := h.Get(prefix + name); value != "" {
			// A date that is none is ignored (RFC 9110, 13.1.3).
			if t, err := http.ParseTime(value); err == nil {
				*to = t.Add(time.Second - time.Millisecond) // dates are cut to seconds
			}
		}
	}
	return c
}

// byteRange is the range that a request asks for, or nil for all. Several
// ranges, and what is no range of bytes, mean all (RFC 9110, 14.2).
func byteRange(header string) *storage.Range {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return nil
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return nil
		}
		if n == 0 {
			return &storage.Range{Offset: storage.MaxObjectSize} // of no byte: not satisfiable
		}
		return &storage.Range{Suffix: n}
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return nil
	}
	if last == "" {
		return &storage.Range{Offset: from}
	}
	to, err := strconv.ParseInt(last, 10, 64)
	if err != nil || to < from {
		return nil
	}
	return &storage.Range{Offset: from, Length: to - from + 1}
}

// setObject answers what describes an object.
func (r *request) setObject(o *storage.Object) {
	h := r.w.Header()
	h.Set("Content-Type", o.ContentType)
	h.Set("Etag", quote(o.ETag))
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("Cache-Control", o.Headers.CacheControl)
	set("Content-Disposition", o.Headers.ContentDisposition)
	set("Content-Encoding", o.Headers.ContentEncoding)
	set("Content-Language", o.Headers.ContentLanguage)
	if !o.Headers.CacheExpiry.IsZero() {
		h.Set("Expires", o.Headers.CacheExpiry.UTC().Format(http.TimeFormat))
	}
	if o.StorageClass != storage.Standard {
		h.Set("X-Amz-Storage-Class", className(o.StorageClass))
	}
	for key, value := range o.Metadata {
		// As they were written: clients compare them as they are.
		h[metadataPrefix+key] = []string{value}
	}
	if strings.EqualFold(r.Header.Get("X-Amz-Checksum-Mode"), "enabled") && r.Header.Get("Range") == "" {
		setDigests(h, o.Digests)
	}
}

// overrides are headers that a signed request may have answered otherwise.
var overrides = map[string]string{
	"response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition", "response-content-encoding": "Content-Encoding",
	"response-content-language": "Content-Language", "response-content-type": "Content-Type", "response-expires": "Expires",
}
