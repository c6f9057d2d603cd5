// Package assets is the binding assets: static files over a fetch, with content
// types, entity tags, ranges, index pages and a page for what is not there.
//
// Its one method takes str method, str path (of a URL, as it is there),
// list<str name, str value> headers (names in lower case), and answers u32
// status, list<str, str> headers, and the body.
package assets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/storage"
)

// MethodFetch is the binding's one method.
const MethodFetch = 1

// A File is what there is under a name.
type File struct {
	Size        int64
	ETag        string // without quotes
	ContentType string // empty: told by the name
	// Open reads a part of the file.
	Open func(ctx context.Context, offset, length int64) (io.ReadCloser, error)
}

// A Source has files by names that are relative and clean.
type Source interface {
	// Find answers nil if there is no such file.
	Find(ctx context.Context, name string) (*File, error)
}

// An Assets serves a source's files. It is a [binding.Binding].
type Assets struct {
	source  Source
	options Options
}

// New makes the binding, with index pages and a page for what is not there.
func New(source Source) binding.Binding { return NewWith(source, Options{}) }

// A Response is what a request comes to.
type Response struct {
	Status int
	Header []op.Pair
	Body   io.ReadCloser // nil: none
	Size   int64         // of Body, bytes
}

func (r *Response) set(name, value string) {
	r.Header = append(r.Header, op.Pair{Name: name, Value: value})
}

// Do implements [binding.Binding].
func (a *Assets) Do(ctx context.Context, c *binding.Call) (binding.Reply, error) {
	r := op.NewReader(c.Arguments)
	method, name, pairs := r.Str(), r.Str(), r.Pairs()
	err := r.Done()
	if err == nil && c.Method != MethodFetch {
		err = fmt.Errorf("%d is not a method of assets", c.Method)
	}
	if err != nil {
		return binding.Reply{}, &op.ErrorRecord{Name: "TypeError", Message: err.Error()}
	}
	header := map[string]string{}
	for _, p := range pairs {
		header[p.Name] = p.Value
	}
	answer, err := a.Serve(ctx, method, name, header)
	if err != nil {
		return binding.Reply{}, err
	}
	w := op.NewWriter(nil)
	w.U32(uint32(answer.Status))
	w.Pairs(answer.Header)
	return binding.Reply{Answer: w.Message(), Body: answer.Body, Size: answer.Size}, nil
}

func text(status int, message string) *Response {
	r := &Response{Status: status, Body: io.NopCloser(strings.NewReader(message)), Size: int64(len(message))}
	r.set("content-type", "text/plain; charset=utf-8")
	return r
}

// Serve answers a request for a path of a URL; header has names in lower case.
// What is not there is answered as the options say.
func (a *Assets) Serve(ctx context.Context, method, asked string, header map[string]string) (*Response, error) {
	if method != http.MethodGet && method != http.MethodHead {
		r := text(http.StatusMethodNotAllowed, "Method Not Allowed")
		r.set("allow", "GET, HEAD")
		return r, nil
	}
	r, err := a.Find(ctx, method, asked, header)
	if r != nil || err != nil {
		return r, err
	}
	return a.NotFound(ctx, method, asked, header)
}

// Find answers a request for what there is, or leads elsewhere; nil if there is
// nothing.
func (a *Assets) Find(ctx context.Context, method, asked string, header map[string]string) (r *Response, err error) {
	r, path := a.options.Rules.follow(asked)
	if r == nil {
		r, err = a.there(ctx, method, path, header)
	}
	a.options.Rules.apply(asked, r)
	return r, err
}

func (a *Assets) there(ctx context.Context, method, asked string, header map[string]string) (*Response, error) {
	name, file, redirect, err := a.find(ctx, asked)
	switch {
	case err != nil:
		return nil, err
	case redirect != "":
		r := &Response{Status: http.StatusTemporaryRedirect}
		r.set("location", redirect)
		return r, nil
	case file == nil:
		return nil, nil
	}
	return file.respond(ctx, http.StatusOK, method, name, header)
}

// NotFound answers a request for what is not there.
func (a *Assets) NotFound(ctx context.Context, method, asked string, header map[string]string) (*Response, error) {
	r, err := a.missing(ctx, method, asked, header)
	a.options.Rules.apply(asked, r)
	return r, err
}

func (a *Assets) missing(ctx context.Context, method, asked string, header map[string]string) (*Response, error) {
	switch a.options.NotFound {
	case NotFoundSPA:
		if file, err := a.source.Find(ctx, "index.html"); file != nil || err != nil {
			if err != nil {
				return nil, err
			}
			return file.respond(ctx, http.StatusOK, method, "index.html", header)
		}
	case NotFoundPage:
		// The nearest page above the path.
		for dir := path.Dir(path.Clean("/" + asked)); ; dir = path.Dir(dir) {
			name := strings.TrimPrefix(path.Join(dir, "404.html"), "/")
			file, err := a.source.Find(ctx, name)
			if err != nil {
				return nil, err
			}
			if file != nil {
				return file.respond(ctx, http.StatusNotFound, method, name, header)
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	r := text(http.StatusNotFound, "Not Found")
	if method == http.MethodHead {
		r.Body = nil
	}
	return r, nil
}

// respond is the response with a file (RFC 9110, sections 13 and 14).
func (f *File) respond(ctx context.Context, status int, method, name string, header map[string]string) (*Response, error) {
	r := &Response{Status: status}
	etag := `"` + f.ETag + `"`
	r.set("etag", etag)
	if match, ok := header["if-none-match"]; ok && status == http.StatusOK && listed(match, etag) {
		r.Status = http.StatusNotModified
		return r, nil
	}
	kind := f.ContentType
	if kind == "" || kind == storage.DefaultMIMEType {
		kind = contentType(name)
	}
	r.set("content-type", kind)
	r.set("cache-control", "public, max-age=0, must-revalidate")
	r.set("accept-ranges", "bytes")
	offset, length := int64(0), f.Size
	if asked := header["range"]; asked != "" && status == http.StatusOK && (header["if-range"] == "" || header["if-range"] == etag) {
		part, ok := parseRange(asked)
		if ok {
			var err error
			if offset, length, err = part.Resolve(f.Size); err != nil {
				r.Status = http.StatusRequestedRangeNotSatisfiable
				r.set("content-range", fmt.Sprintf("bytes */%d", f.Size))
				return r, nil
			}
			r.Status = http.StatusPartialContent
			r.set("content-range", fmt.Sprintf("bytes %d-%d/%d", offset, offset+length-1, f.Size))
		}
	}
	r.set("content-length", strconv.FormatInt(length, 10))
	if method == http.MethodHead {
		return r, nil
	}
	var err error
	r.Body, err = f.Open(ctx, offset, length)
	r.Size = length
	return r, err
}

// listed says whether a list of entity tags has one, by weak comparison.
func listed(list, etag string) bool {
	for e := range strings.SplitSeq(list, ",") {
		if e = strings.TrimSpace(e); e == "*" || strings.TrimPrefix(e, "W/") == etag {
			return true
		}
	}
	return false
}

// parseRange reads a header of one range; others mean everything.
func parseRange(header string) (*storage.Range, bool) {
	spec, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || len(first) > 15 || len(last) > 15 {
		return nil, false
	}
	from, err := strconv.ParseUint(first, 10, 63)
	to, err2 := strconv.ParseUint(last, 10, 63)
	switch {
	case first == "" && err2 == nil && to > 0:
		return &storage.Range{Suffix: int64(to)}, true
	case err == nil && last == "":
		return &storage.Range{Offset: int64(from)}, true
	case err == nil && err2 == nil && from <= to:
		return &storage.Range{Offset: int64(from), Length: int64(to-from) + 1}, true
	}
	return nil, false
}

// contentTypes are those that a machine's own table may lack or have otherwise.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".xml": "application/xml", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".avif": "image/avif", ".ico": "image/x-icon", ".woff": "font/woff", ".woff2": "font/woff2", ".wasm": "application/wasm", ".pdf": "application/pdf",
	".webmanifest": "application/manifest+json", ".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg",
}

func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t := contentTypes[ext]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return storage.DefaultMIMEType
}

// A bucketSource has the objects of a bucket.
type bucketSource struct {
	objects storage.Objects
	prefix  string
}

// NewBucket is the source of a bucket's objects whose keys have a prefix.
func NewBucket(objects storage.Objects, prefix string) Source { return &bucketSource{objects, prefix} }

// Find implements [Source].
func (b *bucketSource) Find(ctx context.Context, name string) (*File, error) {
	key := b.prefix + name
	if storage.ValidateKey(key) != nil {
		return nil, nil
	}
	o, err := b.objects.Head(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &File{Size: o.Size, ETag: o.ETag, ContentType: o.ContentType, Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		// The tag makes sure that it is still what the headers tell of.
		options := storage.GetOptions{Conditions: storage.ReadConditions{IfMatch: o.ETag}}
		if length < o.Size {
			options.Range = &storage.Range{Offset: offset, Length: length}
		}
		content, err := b.objects.Get(ctx, key, options)
		if err != nil {
			return nil, err
		}
		return content.Body, nil
	}}, nil
}
