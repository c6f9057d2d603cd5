package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// Head implements [storage.Objects].
func (b *Bucket) Head(ctx context.Context, key string) (storage.Object, error) {
	o, err := func() (o storage.Object, err error) {
		if err := b.begin(ctx, key); err != nil {
			return o, err
		}
		return b.head(ctx, key)
	}()
	if err != nil {
		return storage.Object{}, b.fail("head", key, err)
	}
	return o, nil
}

// head describes an object that has not expired.
func (b *Bucket) head(ctx context.Context, key string) (o storage.Object, err error) {
	o, err = b.stat(ctx, key)
	if err == nil && expired(o) {
		err = storage.ErrNotFound
	}
	return o, err
}

// stat describes what is there.
func (b *Bucket) stat(ctx context.Context, key string) (o storage.Object, err error) {
	err = b.retry(ctx, func(int) error {
		info, err := b.core.StatObject(ctx, b.config.Bucket, key, minio.StatObjectOptions{Checksum: true})
		if err == nil {
			o = fromInfo(key, info)
		}
		return err
	})
	return o, err
}

// Get implements [storage.Objects].
func (b *Bucket) Get(ctx context.Context, key string, options storage.GetOptions) (*storage.Content, error) {
	c, err := b.get(ctx, key, options)
	if err != nil {
		return c, b.fail("get", key, err)
	}
	return c, nil
}

func (b *Bucket) get(ctx context.Context, key string, options storage.GetOptions) (*storage.Content, error) {
	if err := b.begin(ctx, key); err != nil {
		return nil, err
	}
	if r := options.Range; r != nil && (r.Offset < 0 || r.Length < 0 || r.Suffix < 0 || r.Suffix > 0 && (r.Offset != 0 || r.Length != 0)) {
		return nil, storage.ErrInvalidRange
	}
	conditions := options.Conditions
	if conditions == (storage.ReadConditions{}) {
		return b.open(ctx, key, options.Range, "")
	}
	if conditions.IfMatch != "" && conditions.IfMatch != "*" && conditions.IfNoneMatch == "" && conditions.IfModifiedSince.IsZero() {
		return b.open(ctx, key, options.Range, conditions.IfMatch)
	}
	// Servers differ in what they make of several conditions. Judged here, and
	// then read if the object is still that one.
	for attempt := 0; ; attempt++ {
		o, err := b.head(ctx, key)
		if err != nil {
			return nil, err
		}
		if err := conditions.Check(o); err != nil {
			if errors.Is(err, storage.ErrNotModified) {
				return &storage.Content{Object: o}, err
			}
			return nil, err
		}
		c, err := b.open(ctx, key, options.Range, o.ETag)
		if err == nil || attempt+1 >= b.config.Attempts || !errors.Is(err, storage.ErrPreconditionFailed) {
			return c, err
		}
	}
}

// open makes the request of a get. etag, if not empty, is what the object must
// have.
func (b *Bucket) open(ctx context.Context, key string, r *storage.Range, etag string) (*storage.Content, error) {
	var request minio.GetObjectOptions
	request.Checksum = r == nil
	if text := rangeHeader(r); text != "" {
		request.Set("Range", text)
	}
	if etag != "" {
		request.Set("If-Match", `"`+etag+`"`)
	}
	var body io.ReadCloser
	var info minio.ObjectInfo
	err := b.retry(ctx, func(int) (err error) {
		body, info, _, err = b.core.GetObject(ctx, b.config.Bucket, key, request)
		return err
	})
	if err != nil {
		if etag != "" && errors.Is(err, storage.ErrPreconditionFailed) {
			if o, headErr := b.head(ctx, key); headErr != nil {
				return nil, headErr // it has expired
			} else if o.ETag == etag {
				return nil, fmt.Errorf("%w: the object changed twice", storage.ErrUnavailable)
			}
		}
		return nil, err
	}
	c := &storage.Content{Object: fromInfo(key, info), Length: info.Size}
	fail := func(err error) (*storage.Content, error) {
		body.Close() // nothing was read
		return nil, err
	}
	if info.Size < 0 {
		return fail(fmt.Errorf("%w: the server does not tell the length", storage.ErrUnavailable))
	}
	if text := info.Headers.Get("Content-Range"); text != "" {
		if c.Offset, c.Size, err = contentRange(text, c.Length); err != nil {
			return fail(err)
		}
	}
	if expired(c.Object) {
		return fail(storage.ErrNotFound)
	}
	offset, length, err := r.Resolve(c.Size)
	if err != nil {
		return fail(err)
	}
	if offset != c.Offset || length != c.Length {
		return fail(fmt.Errorf("%w: the server gives bytes %d to %d of %d, not those from %d to %d",
			storage.ErrUnavailable, c.Offset, c.Offset+c.Length, c.Size, offset, offset+length))
	}
	in := &objectBody{bucket: b, ctx: ctx, key: key, etag: c.ETag, body: body, next: c.Offset, left: c.Length}
	if c.Length == c.Size {
		if d := trusted(c.Object, info); d != (storage.Digests{}) {
			in.verify = storage.NewDigester(d)
		}
	}
	c.Body = in
	return c, nil
}

// rangeHeader is empty for all of an object.
func rangeHeader(r *storage.Range) string {
	switch {
	case r == nil || *r == storage.Range{}:
		return ""
	case r.Suffix > 0:
		return fmt.Sprintf("bytes=-%d", r.Suffix)
	case r.Length == 0 || r.Length > 1<<62 || r.Offset > 1<<62:
		return fmt.Sprintf("bytes=%d-", r.Offset)
	}
	return fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1)
}

// contentRange reads "bytes 2-5/10" (RFC 9110, section 14.4).
func contentRange(text string, length int64) (offset, size int64, err error) {
	bad := fmt.Errorf("%w: the server's Content-Range is %q", storage.ErrUnavailable, text)
	rest, ok := strings.CutPrefix(text, "bytes ")
	span, total, ok2 := strings.Cut(rest, "/")
	from, to, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, bad
	}
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	if errors.Join(err1, err2, err3) != nil || first < 0 || last < first || last >= size || last-first+1 != length {
		return 0, 0, bad
	}
	return first, size, nil
}

// An objectBody reads an object, goes on where the connection was cut, and
// checks the digest if it is the whole.
type objectBody struct {
	bucket *Bucket
	ctx    context.Context
	key    string
	etag   string
	body   io.ReadCloser
	next   int64 // of the object, the byte that comes next
	left   int64
	verify *storage.Digester // nil: not the whole, or not known
	again  int               // how often it was resumed since a byte came
	err    error             // of an earlier read
}

func (o *objectBody) Read(p []byte) (n int, err error) {
	if o.err != nil {
		return 0, o.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for n == 0 && o.left > 0 {
		n, err = o.body.Read(p[:min(int64(len(p)), o.left)])
		if n > 0 {
			o.next += int64(n)
			o.left -= int64(n)
			o.again = 0
			if o.verify != nil {
				o.verify.Write(p[:n])
			}
			break // an error comes again
		}
		if err == nil {
			continue
		}
		if err := o.resume(err); err != nil {
			o.err = o.bucket.fail("get", o.key, err)
			return 0, o.err
		}
	}
	if o.left > 0 {
		return n, nil
	}
	o.err = io.EOF
	if o.verify != nil {
		if err := o.verify.Check(); err != nil {
			o.err = o.bucket.fail("get", o.key, err)
			return n, o.err
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, io.EOF
}

// resume asks for the rest, of the same object, after the connection failed.
func (o *objectBody) resume(cause error) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if cause == io.EOF {
		cause = io.ErrUnexpectedEOF
	}
	if o.again++; o.again >= o.bucket.config.Attempts {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, cause)
	}
	o.body.Close() // it has failed
	o.body = io.NopCloser(strings.NewReader(""))
	var request minio.GetObjectOptions
	request.Set("Range", fmt.Sprintf("bytes=%d-%d", o.next, o.next+o.left-1))
	request.Set("If-Match", `"`+o.etag+`"`)
	return o.bucket.retry(o.ctx, func(int) error {
		body, info, _, err := o.bucket.core.GetObject(o.ctx, o.bucket.config.Bucket, o.key, request)
		if err != nil {
			if err := classify(err); errors.Is(err, storage.ErrPreconditionFailed) || errors.Is(err, storage.ErrNotFound) {
				return fmt.Errorf("the object was replaced while it was read, and the connection failed: %w", cause)
			}
			return err
		}
		offset, _, err := contentRange(info.Headers.Get("Content-Range"), info.Size)
		if err == nil && (offset != o.next || info.Size != o.left || info.ETag != o.etag) {
			err = fmt.Errorf("%w: the server goes on with other bytes", storage.ErrUnavailable)
		}
		if err != nil {
			body.Close() // nothing was read
			return err
		}
		o.body = body
		return nil
	})
}

func (o *objectBody) Close() error { return o.body.Close() }
