package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// A condition of a write is a kind of write and a kind of header.
type condition struct {
	write  writeKind
	header headerKind
}

type writeKind string

const (
	byPut      writeKind = "put"
	byComplete writeKind = "complete"
	byCopy     writeKind = "copy"
)

type headerKind string

const (
	ifMatch     headerKind = "If-Match"         // with an ETag
	ifNoneMatch headerKind = "If-None-Match: *" // S3 has no other
)

// conditionally does a write of key under conditions. Those that S3 has go
// with the request. The others are judged on what is there, and the request
// then demands that this is still there.
//
// # Errors
//
// ErrPreconditionFailed, ErrUnsupported, and those of write.
func (b *Bucket) conditionally(ctx context.Context, kind writeKind, key string, c storage.WriteConditions, write func(storage.WriteConditions) error) error {
	if c == (storage.WriteConditions{}) {
		return write(c)
	}
	if !c.IfModifiedSince.IsZero() || !c.IfUnmodifiedSince.IsZero() {
		return fmt.Errorf("%w: S3 has no dates as conditions of writes", storage.ErrUnsupported)
	}
	direct := c.IfMatch != "" && c.IfMatch != "*" && c.IfNoneMatch == "" || c.IfMatch == "" && c.IfNoneMatch == "*"
	for range maxRounds {
		now := c
		if !direct {
			there, err := b.stat(ctx, key)
			var current *storage.Object
			switch {
			case err == nil:
				now = storage.WriteConditions{IfMatch: there.ETag}
				if !expired(there) {
					current = &there
				}
			case errors.Is(err, storage.ErrNotFound):
				now = storage.WriteConditions{IfNoneMatch: "*"}
			default:
				return err
			}
			if err := c.Check(current); err != nil {
				return err
			}
		}
		if err := b.heed(ctx, kind, now); err != nil {
			return err
		}
		if err := write(now); !errors.Is(err, storage.ErrPreconditionFailed) {
			return err
		}
		direct = false // perhaps what is there has expired
	}
	return fmt.Errorf("%w: others write the key all the time", storage.ErrUnavailable)
}

// maxRounds bounds how often a write is begun anew because others were faster.
const maxRounds = 100

// heed makes sure that the server judges a condition. One that does not know
// it would overwrite what it protects.
//
// # Errors
//
// ErrUnsupported.
func (b *Bucket) heed(ctx context.Context, write writeKind, conditions storage.WriteConditions) error {
	c := condition{write, ifMatch}
	if conditions.IfNoneMatch != "" {
		c.header = ifNoneMatch
	}
	b.mu.Lock()
	supported, known := b.supports[c]
	b.mu.Unlock()
	if !known {
		var err error
		if supported, err = b.tryOut(ctx, c); err != nil {
			return fmt.Errorf("trying out what the server supports: %w", err)
		}
		b.mu.Lock()
		b.supports[c] = supported
		b.mu.Unlock()
	}
	if !supported {
		return fmt.Errorf("%w: the server does not judge %s when it does a %s", storage.ErrUnsupported, c.header, write)
	}
	return nil
}

// tryOut does a write, of an object with a random name, whose condition does
// not hold: a server that supports it refuses.
func (b *Bucket) tryOut(ctx context.Context, c condition) (supported bool, err error) {
	key := ".mayfly-" + randomName()
	remove := func() {
		_ = b.core.RemoveObject(context.WithoutCancel(ctx), b.config.Bucket, key, minio.RemoveObjectOptions{})
	}
	defer remove()
	put := func(key string, set func(*minio.PutObjectOptions)) error {
		var o minio.PutObjectOptions
		set(&o)
		return b.retry(ctx, func(int) error {
			_, err := b.core.PutObject(ctx, b.config.Bucket, key, bytes.NewReader([]byte("x")), 1, "", "", o)
			return err
		})
	}
	if c.header == ifNoneMatch {
		if err := put(key, func(*minio.PutObjectOptions) {}); err != nil {
			return false, err
		}
	}
	set := func(o *minio.PutObjectOptions) {
		switch c.header {
		case ifMatch:
			o.SetMatchETag("00000000000000000000000000000000")
		case ifNoneMatch:
			o.SetMatchETagExcept("*")
		}
	}
	switch c.write {
	case byPut:
		err = put(key, set)
	case byComplete:
		err = b.tryComplete(ctx, key, set)
	case byCopy:
		source := key + "-source"
		if err := put(source, func(*minio.PutObjectOptions) {}); err != nil {
			return false, err
		}
		defer func() {
			_ = b.core.RemoveObject(context.WithoutCancel(ctx), b.config.Bucket, source, minio.RemoveObjectOptions{})
		}()
		var o minio.PutObjectOptions
		set(&o)
		headers := map[string]string{"x-amz-metadata-directive": "REPLACE"}
		for _, name := range []string{"If-Match", "If-None-Match"} {
			if value := o.Header().Get(name); value != "" {
				headers[name] = value
			}
		}
		err = b.retry(ctx, func(int) error {
			_, err := b.core.CopyObject(ctx, b.config.Bucket, source, b.config.Bucket, key, headers, minio.CopySrcOptions{}, minio.PutObjectOptions{})
			return err
		})
	}
	switch {
	case err == nil, errors.Is(err, storage.ErrUnsupported), errors.Is(err, storage.ErrInvalidOption):
		return false, nil
	case errors.Is(err, storage.ErrPreconditionFailed), errors.Is(err, storage.ErrNotFound):
		return true, nil
	}
	return false, err
}

func (b *Bucket) tryComplete(ctx context.Context, key string, set func(*minio.PutObjectOptions)) error {
	return b.retry(ctx, func(int) error {
		upload, err := b.core.NewMultipartUpload(ctx, b.config.Bucket, key, minio.PutObjectOptions{})
		if err != nil {
			return err
		}
		defer func() {
			_ = b.core.AbortMultipartUpload(context.WithoutCancel(ctx), b.config.Bucket, key, upload)
		}()
		p, err := b.core.PutObjectPart(ctx, b.config.Bucket, key, upload, 1, bytes.NewReader([]byte("y")), 1, minio.PutObjectPartOptions{})
		if err != nil {
			return err
		}
		var o minio.PutObjectOptions
		set(&o)
		_, err = b.core.CompleteMultipartUpload(ctx, b.config.Bucket, key, upload, []minio.CompletePart{{PartNumber: 1, ETag: p.ETag}}, o)
		return err
	})
}

// setConditions puts conditions into the request.
func setConditions(o *minio.PutObjectOptions, c storage.WriteConditions) {
	if c.IfMatch != "" {
		o.SetMatchETag(c.IfMatch)
	}
	if c.IfNoneMatch != "" {
		o.SetMatchETagExcept(c.IfNoneMatch)
	}
}

// refused gives the error of a write whose condition did not hold: some
// servers say that there is no object, where If-Match wants one.
func refused(err error, c storage.WriteConditions) error {
	if err != nil && c.IfMatch != "" && errors.Is(err, storage.ErrNotFound) {
		return storage.ErrPreconditionFailed
	}
	return err
}

func randomName() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
