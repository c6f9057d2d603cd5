package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mayfly/storage"
)

// serveObject answers what is asked of an object, or of an upload to it.
func (r *request) serveObject() error {
	if err := r.offered(); err != nil {
		return err
	}
	bucket, err := r.open()
	if err != nil {
		return err
	}
	upload, uploading := r.query.get("uploadId"), r.query.has("uploadId")
	copying := r.Header.Get("X-Amz-Copy-Source") != ""
	switch r.Method {
	case http.MethodGet:
		if uploading {
			return r.listParts(bucket, upload)
		}
		return r.getObject(bucket)
	case http.MethodHead:
		return r.getObject(bucket)
	case http.MethodPut:
		switch {
		case uploading && copying:
			return r.copyPart(bucket, upload)
		case uploading:
			return r.putPart(bucket, upload)
		case copying:
			return r.copyObject(bucket)
		}
		return r.putObject(bucket)
	case http.MethodPost:
		switch {
		case r.query.has("uploads"):
			return r.createUpload(bucket)
		case uploading:
			return r.completeUpload(bucket, upload)
		}
	case http.MethodDelete:
		if uploading {
			err = bucket.AbortUpload(r.Context(), r.key, upload)
		} else {
			err = bucket.Delete(r.Context(), r.key)
		}
		if err != nil {
			return err
		}
		r.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return errMethod
}

// getObject is GET and HEAD.
func (r *request) getObject(bucket storage.Objects) error {
	if n := r.query.get("partNumber"); n != "" {
		return &Error{http.StatusNotImplemented, "NotImplemented", "Objects can't be read by their parts: ask for a range"}
	}
	options := storage.GetOptions{Range: byteRange(r.Header.Get("Range"))}
	options.Conditions = r.readConditions("")
	if condition := r.Header.Get("If-Range"); condition != "" && options.Range != nil {
		o, err := bucket.Head(r.Context(), r.key)
		if err != nil {
			return err
		}
		if unquote(condition) != o.ETag {
			options.Range = nil
		}
	}
	content, err := bucket.Get(r.Context(), r.key, options)
	if errors.Is(err, storage.ErrNotModified) {
		if content != nil {
			r.setObject(&content.Object)
		}
		r.w.Header().Del("Content-Type")
		r.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if err != nil {
		return err
	}
	defer content.Body.Close()
	if options.Range != nil && content.Length == 0 {
		return storage.ErrInvalidRange // an empty answer has no Content-Range
	}
	r.setObject(&content.Object)
	h := r.w.Header()
	for _, p := range r.query {
		if name, ok := overrides[p.name]; ok {
			h.Set(name, p.value)
		}
	}
	status := http.StatusOK
	if options.Range != nil {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", content.Offset, content.Offset+content.Length-1, content.Size))
	}
	h.Set("Content-Length", strconv.FormatInt(content.Length, 10))
	r.w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	n, err := io.Copy(&patientWriter{r.w, http.NewResponseController(r.w), r.server.options.IdleTimeout}, content.Body)
	if err != nil || n != content.Length {
		if r.Context().Err() == nil && !errors.Is(err, errClientGone) {
			r.server.options.Log.Error("s3 object cut short", "id", r.id, "bucket", r.bucket, "key", r.key, "error", err)
		}
		return &cutError{errors.Join(err, io.ErrUnexpectedEOF)}
	}
	return nil
}

var errClientGone = errors.New("the client takes nothing more")

// A patientWriter gives a client time for each part of an answer.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
	timeout time.Duration
}

func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.timeout))
	n, err := p.w.Write(b)
	if err != nil {
		err = errClientGone
	}
	return n, err
}

// putObject is PUT of a body.
func (r *request) putObject(bucket storage.Objects) error {
	if r.body.size < 0 {
		return errMissingLength
	}
	options, err := r.putOptions()
	if err != nil {
		return err
	}
	if options.Digests, err = r.digests(); err != nil {
		return err
	}
	o, err := bucket.Put(r.Context(), r.key, r.body, options)
	if err != nil {
		return err
	}
	r.stored(o.ETag, o.Digests)
	r.w.WriteHeader(http.StatusOK)
	return nil
}

// stored answers what identifies what was stored.
func (r *request) stored(etag string, digests storage.Digests) {
	h := r.w.Header()
	h.Set("Etag", quote(etag))
	setDigests(h, digests)
	if t := r.body.trailer; t != nil && t.name != "" {
		h.Set(t.name, t.value)
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

type copyAnswer struct {
	XMLName      xml.Name
	LastModified stamp
	ETag         string
}

// source is the object that a copy is of.
func (r *request) source() (bucket, key string, err error) {
	text, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return "", "", invalidArgument("x-amz-copy-source is not well-formed")
	}
	raw, query, _ := strings.Cut(r.Header.Get("X-Amz-Copy-Source"), "?")
	if query != "" {
		if query != "versionId=null" {
			return "", "", &Error{http.StatusNotFound, "NoSuchVersion", "There are no versions here"}
		}
		if text, err = url.PathUnescape(raw); err != nil {
			return "", "", invalidArgument("x-amz-copy-source is not well-formed")
		}
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return "", "", invalidArgument("x-amz-copy-source must be BUCKET/KEY")
	}
	return bucket, key, nil
}

// copyObject is PUT with x-amz-copy-source.
func (r *request) copyObject(to storage.Objects) error {
	name, key, err := r.source()
	if err != nil {
		return err
	}
	put, err := r.putOptions()
	if err != nil {
		return err
	}
	replace := false
	switch directive := r.Header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		replace = true
	default:
		return invalidArgument("x-amz-metadata-directive must be COPY or REPLACE")
	}
	if name == r.bucket && key == r.key && !replace && put.StorageClass == "" {
		return &Error{http.StatusBadRequest, "InvalidRequest", "A copy of an object to itself has to change its metadata or its storage class"}
	}
	conditions := r.readConditions("X-Amz-Copy-Source-")
	var o storage.Object
	if name == r.bucket {
		o, err = to.Copy(r.Context(), r.key, key, storage.CopyOptions{Replace: replace, Put: put, Conditions: conditions})
	} else {
		o, err = r.copyAcross(to, name, key, put, replace, conditions)
	}
	if err != nil {
		return err
	}
	return r.answer(http.StatusOK, &copyAnswer{xml.Name{Space: namespace, Local: "CopyObjectResult"}, stamp(o.Modified), quote(o.ETag)})
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// read opens a copy's source, whose conditions fail with PreconditionFailed.
func (r *request) read(name, key string, options storage.GetOptions) (*storage.Content, error) {
	from, err := r.server.options.Catalog.Open(r.Context(), r.tenant, name)
	if err != nil {
		return nil, err
	}
	content, err := from.Get(r.Context(), key, options)
	if errors.Is(err, storage.ErrNotModified) {
		err = storage.ErrPreconditionFailed
	}
	return content, err
}

// copyAcross copies between buckets, which may be in different stores.
func (r *request) copyAcross(to storage.Objects, name, key string, put storage.PutOptions, replace bool, conditions storage.ReadConditions) (storage.Object, error) {
	content, err := r.read(name, key, storage.GetOptions{Conditions: conditions})
	if err != nil {
		return storage.Object{}, err
	}
	defer content.Body.Close()
	if !replace {
		put.ContentType, put.Headers, put.Metadata = content.ContentType, content.Headers, content.Metadata
		if put.StorageClass == "" {
			put.StorageClass = content.StorageClass
		}
	}
	put.Size, put.Digests = content.Size, content.Digests
	return to.Put(r.Context(), r.key, content.Body, put)
}
