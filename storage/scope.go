package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// WithPrefix is the part of a store below a prefix: its keys are those of o
// that begin so, without the beginning. Keys can be that much shorter. Closing
// it closes o. It is a [Presigner] if o is one.
func WithPrefix(o Objects, prefix string) Objects {
	if prefix == "" {
		return o
	}
	p := &prefixed{o, prefix}
	if signer, ok := o.(Presigner); ok {
		return &prefixedPresigner{p, signer}
	}
	return p
}

type prefixed struct {
	objects Objects
	prefix  string
}

type prefixedPresigner struct {
	*prefixed
	signer Presigner
}

func (p *prefixedPresigner) Presign(ctx context.Context, method, key string, expires time.Duration) (string, error) {
	full, err := p.full("presign", key)
	if err != nil {
		return "", err
	}
	url, err := p.signer.Presign(ctx, method, full, expires)
	return url, p.error(err)
}

// full is the key in the whole store.
func (p *prefixed) full(op, key string) (string, error) {
	if err := ValidateKey(key); err != nil {
		return "", &Error{Op: op, Key: key, Err: err}
	}
	if len(p.prefix)+len(key) > MaxKeyLength {
		return "", &Error{Op: op, Key: key, Err: fmt.Errorf("%w: it has %d bytes, at most %d are allowed here", ErrInvalidKey, len(key), MaxKeyLength-len(p.prefix))}
	}
	return p.prefix + key, nil
}

// error says nothing of the prefix, which is not the caller's.
func (p *prefixed) error(err error) error {
	var e *Error
	if errors.As(err, &e) {
		own := *e
		own.Key = strings.TrimPrefix(own.Key, p.prefix)
		return &own
	}
	return err
}

func (p *prefixed) object(o Object, err error) (Object, error) {
	o.Key = strings.TrimPrefix(o.Key, p.prefix)
	return o, p.error(err)
}

func (p *prefixed) Put(ctx context.Context, key string, body io.Reader, options PutOptions) (Object, error) {
	full, err := p.full("put", key)
	if err != nil {
		return Object{}, err
	}
	return p.object(p.objects.Put(ctx, full, body, options))
}

func (p *prefixed) Get(ctx context.Context, key string, options GetOptions) (*Content, error) {
	full, err := p.full("get", key)
	if err != nil {
		return nil, err
	}
	c, err := p.objects.Get(ctx, full, options)
	if c != nil {
		c.Key = key
	}
	return c, p.error(err)
}

func (p *prefixed) Head(ctx context.Context, key string) (Object, error) {
	full, err := p.full("head", key)
	if err != nil {
		return Object{}, err
	}
	return p.object(p.objects.Head(ctx, full))
}

func (p *prefixed) Delete(ctx context.Context, keys ...string) error {
	all := make([]string, len(keys))
	for i, key := range keys {
		full, err := p.full("delete", key)
		if err != nil {
			return err
		}
		all[i] = full
	}
	return p.error(p.objects.Delete(ctx, all...))
}

func (p *prefixed) List(ctx context.Context, options ListOptions) (Listing, error) {
	options.Prefix = p.prefix + options.Prefix
	if options.StartAfter != "" {
		options.StartAfter = p.prefix + options.StartAfter
	}
	l, err := p.objects.List(ctx, options)
	for i := range l.Objects {
		l.Objects[i].Key = strings.TrimPrefix(l.Objects[i].Key, p.prefix)
	}
	for i := range l.Prefixes {
		l.Prefixes[i] = strings.TrimPrefix(l.Prefixes[i], p.prefix)
	}
	return l, p.error(err)
}

func (p *prefixed) Copy(ctx context.Context, destination, source string, options CopyOptions) (Object, error) {
	to, err := p.full("copy", destination)
	if err != nil {
		return Object{}, err
	}
	from, err := p.full("copy", source)
	if err != nil {
		return Object{}, err
	}
	return p.object(p.objects.Copy(ctx, to, from, options))
}

func (p *prefixed) CreateUpload(ctx context.Context, key string, options PutOptions) (string, error) {
	full, err := p.full("create upload", key)
	if err != nil {
		return "", err
	}
	upload, err := p.objects.CreateUpload(ctx, full, options)
	return upload, p.error(err)
}

func (p *prefixed) UploadPart(ctx context.Context, key, upload string, number int, body io.Reader, options PartOptions) (Part, error) {
	full, err := p.full("upload part", key)
	if err != nil {
		return Part{}, err
	}
	part, err := p.objects.UploadPart(ctx, full, upload, number, body, options)
	return part, p.error(err)
}

func (p *prefixed) CompleteUpload(ctx context.Context, key, upload string, parts []Part, options CompleteOptions) (Object, error) {
	full, err := p.full("complete upload", key)
	if err != nil {
		return Object{}, err
	}
	return p.object(p.objects.CompleteUpload(ctx, full, upload, parts, options))
}

func (p *prefixed) AbortUpload(ctx context.Context, key, upload string) error {
	full, err := p.full("abort upload", key)
	if err != nil {
		return err
	}
	return p.error(p.objects.AbortUpload(ctx, full, upload))
}

func (p *prefixed) ListParts(ctx context.Context, key, upload string) ([]Part, error) {
	full, err := p.full("list parts", key)
	if err != nil {
		return nil, err
	}
	parts, err := p.objects.ListParts(ctx, full, upload)
	return parts, p.error(err)
}

func (p *prefixed) ListUploads(ctx context.Context, prefix string) ([]Upload, error) {
	uploads, err := p.objects.ListUploads(ctx, p.prefix+prefix)
	for i := range uploads {
		uploads[i].Key = strings.TrimPrefix(uploads[i].Key, p.prefix)
	}
	return uploads, p.error(err)
}

func (p *prefixed) Close() error { return p.objects.Close() }

// ReadOnly is a store of which nothing can be changed: what would fails with
// ErrReadOnly. Closing it closes o. It presigns URLs for reading if o does.
func ReadOnly(o Objects) Objects {
	r := &readOnly{o}
	if signer, ok := o.(Presigner); ok {
		return &readOnlyPresigner{r, signer}
	}
	return r
}

type readOnly struct{ Objects }

type readOnlyPresigner struct {
	*readOnly
	signer Presigner
}

func refuse(op, key string) error { return &Error{Op: op, Key: key, Err: ErrReadOnly} }

func (r *readOnlyPresigner) Presign(ctx context.Context, method, key string, expires time.Duration) (string, error) {
	if method != "GET" && method != "HEAD" {
		return "", refuse("presign", key)
	}
	return r.signer.Presign(ctx, method, key, expires)
}

func (r *readOnly) Put(_ context.Context, key string, _ io.Reader, _ PutOptions) (Object, error) {
	return Object{}, refuse("put", key)
}

func (r *readOnly) Delete(_ context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	return refuse("delete", keys[0])
}

func (r *readOnly) Copy(_ context.Context, destination, _ string, _ CopyOptions) (Object, error) {
	return Object{}, refuse("copy", destination)
}

func (r *readOnly) CreateUpload(_ context.Context, key string, _ PutOptions) (string, error) {
	return "", refuse("create upload", key)
}

func (r *readOnly) UploadPart(_ context.Context, key, _ string, _ int, _ io.Reader, _ PartOptions) (Part, error) {
	return Part{}, refuse("upload part", key)
}

func (r *readOnly) CompleteUpload(_ context.Context, key, _ string, _ []Part, _ CompleteOptions) (Object, error) {
	return Object{}, refuse("complete upload", key)
}

func (r *readOnly) AbortUpload(_ context.Context, key, _ string) error {
	return refuse("abort upload", key)
}
