package s3

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mayfly/storage"
)

// maxXML bounds documents in requests; 1,000 keys of 1,024 bytes, escaped, fit.
const maxXML = 8 << 20

// A stamp is a time as it is in answers.
type stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s stamp) MarshalText() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

type owner struct {
	ID          string
	DisplayName string
}

type bucketEntry struct {
	Name         string
	CreationDate stamp
	BucketRegion string
}

type listBuckets struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner   owner
	Buckets []bucketEntry `xml:"Buckets>Bucket"`
}

type locationConstraint struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Region  string   `xml:",chardata"`
}

type versioning struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
}

// serveBucket answers what is asked of a bucket.
func (r *request) serveBucket() error {
	switch r.Method {
	case http.MethodPut:
		if r.query.has("versioning") {
			return errNotImplemented
		}
		if err := r.offered(); err != nil {
			return err
		}
		if _, err := r.body.all(maxXML); err != nil { // where it should lie, which it can't
			return err
		}
		if err := r.server.options.Catalog.Create(r.Context(), r.tenant, r.bucket); err != nil {
			return err
		}
		r.w.Header().Set("Location", "/"+r.bucket)
		r.w.WriteHeader(http.StatusOK)
		return nil
	case http.MethodDelete:
		if err := r.offered(); err != nil {
			return err
		}
		if err := r.server.options.Catalog.Delete(r.Context(), r.tenant, r.bucket); err != nil {
			return err
		}
		r.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if _, err := r.server.options.Catalog.Get(r.Context(), r.tenant, r.bucket); err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodHead:
		r.w.Header().Set("X-Amz-Bucket-Region", r.server.options.Region)
		r.w.WriteHeader(http.StatusOK)
		return nil
	case r.Method == http.MethodPost && r.query.has("delete"):
		return r.deleteObjects()
	case r.Method != http.MethodGet:
		return errMethod
	case r.query.has("location"):
		region := r.server.options.Region
		if region == "us-east-1" { // which has no name here, for historical reasons
			region = ""
		}
		return r.answer(http.StatusOK, &locationConstraint{Region: region})
	case r.query.has("versioning"):
		return r.answer(http.StatusOK, &versioning{})
	case r.query.has("uploads"):
		return r.listUploads()
	}
	if err := r.offered(); err != nil {
		return err
	}
	return r.listObjects()
}

type objectEntry struct {
	Key          string
	LastModified stamp
	ETag         string
	Size         int64
	StorageClass string
	Owner        *owner `xml:",omitempty"`
}

type prefixEntry struct{ Prefix string }

type listObjects struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Marker                *string `xml:",omitempty"` // of version 1
	NextMarker            string  `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"` // of version 2
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []objectEntry
	CommonPrefixes        []prefixEntry
}

// encoder encodes keys as a list was asked to: XML can't hold every character.
func (r *request) encoder() (encode func(string) string, kind string, err error) {
	switch kind := r.query.get("encoding-type"); kind {
	case "":
		return func(s string) string { return s }, "", nil
	case "url":
		return func(s string) string { return escape(s, true) }, kind, nil
	}
	return nil, "", invalidArgument("encoding-type must be url")
}

func (r *request) count(name string, most int) (int, error) {
	text := r.query.get(name)
	if text == "" {
		return most, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, invalidArgument("%s must be an integer from 0", name)
	}
	return min(n, most), nil
}

// listObjects answers both versions of the list.
func (r *request) listObjects() error {
	encode, encoding, err := r.encoder()
	if err != nil {
		return err
	}
	limit, err := r.count("max-keys", storage.MaxListLimit)
	if err != nil {
		return err
	}
	bucket, err := r.open()
	if err != nil {
		return err
	}
	q := r.query
	o := storage.ListOptions{Prefix: q.get("prefix"), Delimiter: q.get("delimiter"), Limit: limit}
	a := &listObjects{Name: r.bucket, Prefix: encode(o.Prefix), Delimiter: encode(o.Delimiter), EncodingType: encoding, MaxKeys: limit}
	second := q.get("list-type") == "2"
	withOwner := !second || q.get("fetch-owner") == "true"
	if second {
		o.Cursor, o.StartAfter = q.get("continuation-token"), q.get("start-after")
		a.ContinuationToken, a.StartAfter = o.Cursor, encode(o.StartAfter)
	} else {
		marker := q.get("marker")
		encoded := encode(marker)
		a.Marker = &encoded
		o.StartAfter = marker
		if o.Delimiter != "" && strings.HasSuffix(marker, o.Delimiter) {
			// A group: all that is in it comes before its end.
			const last = "\U0010FFFF"
			o.StartAfter += strings.Repeat(last, max(0, storage.MaxKeyLength-len(marker))/len(last))
		}
	}
	var listing storage.Listing
	if limit > 0 {
		if listing, err = bucket.List(r.Context(), o); err != nil {
			return err
		}
	}
	for i := range listing.Objects {
		x := &listing.Objects[i]
		entry := objectEntry{encode(x.Key), stamp(x.Modified), quote(x.ETag), x.Size, className(x.StorageClass), nil}
		if withOwner {
			owner := r.owner()
			entry.Owner = &owner
		}
		a.Contents = append(a.Contents, entry)
	}
	for _, p := range listing.Prefixes {
		a.CommonPrefixes = append(a.CommonPrefixes, prefixEntry{encode(p)})
	}
	a.IsTruncated = listing.Cursor != ""
	if second {
		count := len(listing.Objects) + len(listing.Prefixes)
		a.KeyCount, a.NextContinuationToken = &count, listing.Cursor
	} else if a.IsTruncated {
		last := ""
		if n := len(listing.Objects); n > 0 {
			last = listing.Objects[n-1].Key
		}
		if n := len(listing.Prefixes); n > 0 {
			last = max(last, listing.Prefixes[n-1])
		}
		a.NextMarker = encode(last)
	}
	return r.answer(http.StatusOK, a)
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID string `xml:"VersionId"`
	} `xml:"Object"`
}

type deletedEntry struct{ Key string }

type deleteError struct{ Key, Code, Message string }

type deleteAnswer struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deletedEntry
	Error   []deleteError
}

// deleteObjects is POST /{bucket}?delete.
func (r *request) deleteObjects() error {
	content, err := r.content()
	if err != nil {
		return err
	}
	var d deleteRequest
	if err := xml.Unmarshal(content, &d); err != nil || len(d.Objects) == 0 || len(d.Objects) > 1000 {
		return errMalformedXML
	}
	bucket, err := r.open()
	if err != nil {
		return err
	}
	a := &deleteAnswer{}
	var keys []string
	for _, o := range d.Objects {
		if o.VersionID != "" && o.VersionID != "null" {
			a.Error = append(a.Error, deleteError{o.Key, "NoSuchVersion", "There are no versions here"})
		} else if err := storage.ValidateKey(o.Key); err != nil {
			a.Error = append(a.Error, deleteError{o.Key, "InvalidArgument", err.Error()})
		} else {
			keys = append(keys, o.Key)
		}
	}
	if len(keys) > 0 {
		if err := bucket.Delete(r.Context(), keys...); err != nil {
			return err
		}
	}
	if !d.Quiet {
		for _, key := range keys {
			a.Deleted = append(a.Deleted, deletedEntry{key})
		}
	}
	return r.answer(http.StatusOK, a)
}

// content is a document in a request's body, which its digests are checked of.
func (r *request) content() ([]byte, error) {
	want, err := r.digests()
	if err != nil {
		return nil, err
	}
	content, err := r.body.all(maxXML)
	if err != nil {
		return nil, err
	}
	d := storage.NewDigester(want)
	d.Write(content)
	return content, d.Check()
}
