package s3

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"mayfly/storage"
)

type createdUpload struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

// createUpload is POST ?uploads.
func (r *request) createUpload(bucket storage.Objects) error {
	options, err := r.putOptions()
	if err != nil {
		return err
	}
	upload, err := bucket.CreateUpload(r.Context(), r.key, options)
	if err != nil {
		return err
	}
	for _, name := range []string{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type"} {
		if value := r.Header.Get(name); value != "" {
			r.w.Header().Set(name, value)
		}
	}
	return r.answer(http.StatusOK, &createdUpload{Bucket: r.bucket, Key: r.key, UploadID: upload})
}

func (r *request) partNumber() (int, error) {
	n, err := strconv.Atoi(r.query.get("partNumber"))
	if err != nil || n < 1 || n > storage.MaxParts {
		return 0, invalidArgument("partNumber must be an integer from 1 to %d", storage.MaxParts)
	}
	return n, nil
}

// putPart is PUT ?partNumber&uploadId.
func (r *request) putPart(bucket storage.Objects, upload string) error {
	number, err := r.partNumber()
	if err != nil {
		return err
	}
	if r.body.size < 0 {
		return errMissingLength
	}
	digests, err := r.digests()
	if err != nil {
		return err
	}
	part, err := bucket.UploadPart(r.Context(), r.key, upload, number, r.body, storage.PartOptions{Digests: digests})
	if err != nil {
		return err
	}
	r.stored(part.ETag, part.Digests)
	r.w.WriteHeader(http.StatusOK)
	return nil
}

// copyPart is PUT ?partNumber&uploadId with x-amz-copy-source.
func (r *request) copyPart(bucket storage.Objects, upload string) error {
	number, err := r.partNumber()
	if err != nil {
		return err
	}
	name, key, err := r.source()
	if err != nil {
		return err
	}
	options := storage.GetOptions{Conditions: r.readConditions("X-Amz-Copy-Source-")}
	if header := r.Header.Get("X-Amz-Copy-Source-Range"); header != "" {
		if options.Range = byteRange(header); options.Range == nil || options.Range.Suffix > 0 || options.Range.Length == 0 {
			return invalidArgument("x-amz-copy-source-range must be bytes=FIRST-LAST")
		}
	}
	content, err := r.read(name, key, options)
	if err != nil {
		return err
	}
	defer content.Body.Close()
	if options.Range != nil && content.Length != options.Range.Length {
		return storage.ErrInvalidRange
	}
	part, err := bucket.UploadPart(r.Context(), r.key, upload, number, content.Body, storage.PartOptions{Size: content.Length})
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, &copyAnswer{xml.Name{Space: namespace, Local: "CopyPartResult"}, stamp(r.server.options.Now()), quote(part.ETag)})
}

type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber        int
		ETag              string
		ChecksumCRC32     string
		ChecksumCRC32C    string
		ChecksumCRC64NVME string
		ChecksumSHA1      string
		ChecksumSHA256    string
	} `xml:"Part"`
}

type completeAnswer struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string
}

// completeUpload is POST ?uploadId.
func (r *request) completeUpload(bucket storage.Objects, upload string) error {
	content, err := r.body.all(maxXML)
	if err != nil {
		return err
	}
	var c completeRequest
	if err := xml.Unmarshal(content, &c); err != nil || len(c.Parts) == 0 {
		return errMalformedXML
	}
	parts := make([]storage.Part, len(c.Parts))
	last := 0
	for i, p := range c.Parts {
		if p.PartNumber <= last {
			return &Error{http.StatusBadRequest, "InvalidPartOrder", "The numbers of parts must ascend"}
		}
		last = p.PartNumber
		parts[i] = storage.Part{Number: p.PartNumber, ETag: unquote(p.ETag)}
		d := &parts[i].Digests
		for _, x := range []struct {
			value string
			to    *string
		}{{p.ChecksumCRC32, &d.CRC32}, {p.ChecksumCRC32C, &d.CRC32C}, {p.ChecksumCRC64NVME, &d.CRC64NVME}, {p.ChecksumSHA1, &d.SHA1}, {p.ChecksumSHA256, &d.SHA256}} {
			b, err := base64.StdEncoding.DecodeString(x.value)
			if err != nil {
				return errMalformedXML
			}
			*x.to = hex.EncodeToString(b)
		}
	}
	options := storage.CompleteOptions{Conditions: storage.WriteConditions{
		IfMatch: unquote(r.Header.Get("If-Match")), IfNoneMatch: unquote(r.Header.Get("If-None-Match")),
	}}
	if size := r.Header.Get("X-Amz-Mp-Object-Size"); size != "" {
		if options.Size, err = strconv.ParseInt(size, 10, 64); err != nil || options.Size < 0 {
			return invalidArgument("x-amz-mp-object-size must be an integer from 0")
		}
	}
	if !strings.EqualFold(r.Header.Get("X-Amz-Checksum-Type"), "composite") {
		// Of all contents; a composite one is told by a suffix, and only the
		// parts' digests are checked then.
		if options.Digests, err = r.digests(); err != nil {
			return err
		}
	}
	o, err := bucket.CompleteUpload(r.Context(), r.key, upload, parts, options)
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, &completeAnswer{Location: "/" + r.bucket + "/" + escape(r.key, true), Bucket: r.bucket, Key: r.key, ETag: quote(o.ETag)})
}

type partEntry struct {
	PartNumber   int
	LastModified stamp
	ETag         string
	Size         int64
}

type listParts struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	Initiator, Owner     owner
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int `xml:",omitempty"`
	MaxParts             int
	IsTruncated          bool
	Parts                []partEntry `xml:"Part"`
}

// listParts is GET ?uploadId.
func (r *request) listParts(bucket storage.Objects, upload string) error {
	limit, err := r.count("max-parts", 1000)
	if err != nil {
		return err
	}
	after, err := r.count("part-number-marker", storage.MaxParts)
	if err != nil {
		return err
	}
	if r.query.get("part-number-marker") == "" {
		after = 0
	}
	parts, err := bucket.ListParts(r.Context(), r.key, upload)
	if err != nil {
		return err
	}
	a := &listParts{Bucket: r.bucket, Key: r.key, UploadID: upload, Initiator: r.owner(), Owner: r.owner(), StorageClass: className(storage.Standard), PartNumberMarker: after, MaxParts: limit}
	for _, p := range parts {
		if p.Number <= after {
			continue
		}
		if len(a.Parts) == limit {
			a.IsTruncated = true
			break
		}
		a.Parts = append(a.Parts, partEntry{p.Number, stamp(p.Modified), quote(p.ETag), p.Size})
		a.NextPartNumberMarker = p.Number
	}
	return r.answer(http.StatusOK, a)
}

type uploadEntry struct {
	Key              string
	UploadID         string `xml:"UploadId"`
	Initiator, Owner owner
	StorageClass     string
	Initiated        stamp
}

type listUploads struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	Prefix             string
	MaxUploads         int
	IsTruncated        bool
	Uploads            []uploadEntry `xml:"Upload"`
	CommonPrefixes     []prefixEntry
}

// listUploads is GET /{bucket}?uploads.
func (r *request) listUploads() error {
	encode, encoding, err := r.encoder()
	if err != nil {
		return err
	}
	limit, err := r.count("max-uploads", 1000)
	if err != nil {
		return err
	}
	bucket, err := r.open()
	if err != nil {
		return err
	}
	prefix, delimiter := r.query.get("prefix"), r.query.get("delimiter")
	key, id := r.query.get("key-marker"), r.query.get("upload-id-marker")
	uploads, err := bucket.ListUploads(r.Context(), prefix)
	if err != nil {
		return err
	}
	a := &listUploads{
		Bucket: r.bucket, Prefix: encode(prefix), Delimiter: encode(delimiter), EncodingType: encoding,
		KeyMarker: encode(key), UploadIDMarker: id, MaxUploads: limit,
	}
	group := ""
	for _, u := range uploads {
		if u.Key < key || u.Key == key && (id == "" || u.ID <= id) {
			continue
		}
		common := ""
		if delimiter != "" {
			if i := strings.Index(u.Key[len(prefix):], delimiter); i >= 0 {
				common = u.Key[:len(prefix)+i+len(delimiter)]
			}
		}
		if common != "" && (common == group || strings.HasPrefix(key, common)) {
			continue
		}
		if len(a.Uploads)+len(a.CommonPrefixes) == limit {
			a.IsTruncated = true
			break
		}
		if common != "" {
			group = common
			a.CommonPrefixes = append(a.CommonPrefixes, prefixEntry{encode(common)})
			a.NextKeyMarker, a.NextUploadIDMarker = encode(common), ""
			continue
		}
		a.Uploads = append(a.Uploads, uploadEntry{encode(u.Key), u.ID, r.owner(), r.owner(), className(storage.Standard), stamp(u.Created)})
		a.NextKeyMarker, a.NextUploadIDMarker = encode(u.Key), u.ID
	}
	if !a.IsTruncated {
		a.NextKeyMarker, a.NextUploadIDMarker = "", ""
	}
	return r.answer(http.StatusOK, a)
}
