package r2

import (
	"encoding/hex"
	"math"
	"strings"
	"time"

	"mayfly/host/op"
	"mayfly/storage"
)

// What an object tells besides what it always does, as flags.
const (
	includeHTTP   = 1
	includeCustom = 2
	includeRange  = 4
	everything    = includeHTTP | includeCustom
)

// part is which bytes of an object are answered.
type part struct{ offset, length int64 }

// digests of objects, by their names in messages.
var digests = []struct {
	name, title string
	size        int
	of          func(*storage.Digests) *string
}{
	{"md5", "MD5", 16, func(d *storage.Digests) *string { return &d.MD5 }},
	{"sha1", "SHA-1", 20, func(d *storage.Digests) *string { return &d.SHA1 }},
	{"sha256", "SHA-256", 32, func(d *storage.Digests) *string { return &d.SHA256 }},
	{"sha384", "SHA-384", 48, func(d *storage.Digests) *string { return &d.SHA384 }},
	{"sha512", "SHA-512", 64, func(d *storage.Digests) *string { return &d.SHA512 }},
}

// announced is the digest that a put expects.
func announced(name string, digest []byte) (d storage.Digests, err error) {
	if name == "" {
		return d, nil
	}
	for _, known := range digests {
		if known.name == name {
			if len(digest) != known.size {
				return d, typeError("%s is %d bytes, not %d", known.title, known.size, len(digest))
			}
			*known.of(&d) = hex.EncodeToString(digest)
			return d, nil
		}
	}
	return d, typeError("%q is not a digest", name)
}

// writeObject tells an object with what is included.
func (b *bucket) writeObject(w *op.Writer, o *storage.Object, include uint8, got *part) {
	w.Str(strings.TrimPrefix(o.Key, b.options.Prefix))
	version := o.Version
	if version == "" {
		version = o.ETag
	}
	w.Str(version)
	w.F64(float64(o.Size))
	w.Str(o.ETag)
	w.F64(milliseconds(o.Modified))
	class := o.StorageClass
	if class == "" {
		class = storage.Standard
	}
	w.Str(class)
	if got != nil {
		include |= includeRange
	}
	w.U8(include)
	h := metadata{}
	if include&includeHTTP != 0 {
		h.http = o.Headers
		// What was not said when the object was put is not told either.
		if o.ContentType != storage.DefaultMIMEType {
			h.contentType = o.ContentType
		}
	}
	h.write(w)
	var custom []op.Pair
	if include&includeCustom != 0 {
		for name, value := range o.Metadata {
			custom = append(custom, op.Pair{Name: name, Value: value})
		}
	}
	sortPairs(custom)
	w.Pairs(custom)
	if got != nil {
		w.F64(float64(got.offset))
		w.F64(float64(got.length))
	} else {
		w.F64(math.NaN())
		w.F64(math.NaN())
	}
	var known []op.Pair
	for _, d := range digests {
		if value := *d.of(&o.Digests); value != "" {
			if raw, err := hex.DecodeString(value); err == nil {
				known = append(known, op.Pair{Name: d.name, Value: string(raw)})
			}
		}
	}
	w.Pairs(known)
}

// metadata is what a put says of its object.
type metadata struct {
	contentType string
	http        storage.Headers
	custom      []op.Pair
	class       string
}

func readMetadata(r *op.Reader) metadata {
	var m metadata
	m.contentType = r.Str()
	m.http.ContentLanguage = r.Str()
	m.http.ContentDisposition = r.Str()
	m.http.ContentEncoding = r.Str()
	m.http.CacheControl = r.Str()
	m.http.CacheExpiry = timeOf(r.F64()).Truncate(time.Second)
	m.custom = r.Pairs()
	return m
}

func (m *metadata) write(w *op.Writer) {
	w.Str(m.contentType)
	w.Str(m.http.ContentLanguage)
	w.Str(m.http.ContentDisposition)
	w.Str(m.http.ContentEncoding)
	w.Str(m.http.CacheControl)
	w.F64(milliseconds(m.http.CacheExpiry))
}

// options checks what is said, so that no line break gets into a header of
// whoever reads the object over HTTP.
func (m *metadata) options() (storage.PutOptions, error) {
	for _, field := range []struct{ name, value string }{
		{"contentType", m.contentType}, {"contentLanguage", m.http.ContentLanguage}, {"contentDisposition", m.http.ContentDisposition},
		{"contentEncoding", m.http.ContentEncoding}, {"cacheControl", m.http.CacheControl}, {"storageClass", m.class},
	} {
		if strings.IndexFunc(field.value, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
			return storage.PutOptions{}, typeError("%s has a character that no header can have", field.name)
		}
		if len(field.value) > storage.MaxContentType {
			return storage.PutOptions{}, codeError(10012, "Your metadata headers exceed the maximum allowed metadata size.")
		}
	}
	switch m.class {
	case "", storage.Standard, storage.InfrequentAccess:
	default:
		return storage.PutOptions{}, codeError(10062, "The storage class %q is not valid.", m.class)
	}
	o := storage.PutOptions{ContentType: m.contentType, Headers: m.http, StorageClass: m.class}
	size := 0
	for _, p := range m.custom {
		for _, s := range []string{p.Name, p.Value} {
			if strings.ContainsAny(s, "\r\n\x00") {
				return o, typeError("customMetadata has a line break or NUL in %q", p.Name)
			}
		}
		if p.Name == "" {
			return o, typeError("customMetadata has an empty name")
		}
		size += len(p.Name) + len(p.Value)
		if o.Metadata == nil {
			o.Metadata = map[string]string{}
		}
		o.Metadata[p.Name] = p.Value
	}
	if size > storage.MaxMetadata {
		return o, codeError(10012, "Your metadata headers exceed the maximum allowed metadata size.")
	}
	return o, nil
}
