package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// S3 copies at most 5 GB by one request; larger ones go in parts.
const (
	maxCopy     = 5 << 30
	copyPart    = 1 << 30
	copyWorkers = 4
)

// Copy implements [storage.Objects]. The contents stay with the server, unless
// digests are wanted that only reading them can tell.
func (b *Bucket) Copy(ctx context.Context, destination, source string, options storage.CopyOptions) (storage.Object, error) {
	o, err := b.copy(ctx, destination, source, options)
	if err != nil {
		return storage.Object{}, b.fail("copy", source, err)
	}
	return o, nil
}

func (b *Bucket) copy(ctx context.Context, destination, source string, options storage.CopyOptions) (o storage.Object, err error) {
	if err := b.begin(ctx, source); err != nil {
		return o, err
	}
	if err := storage.ValidateKey(destination); err != nil {
		return o, err
	}
	if err := options.Put.Validate(); err != nil {
		return o, err
	}
	from, err := b.head(ctx, source)
	if err != nil {
		return o, err
	}
	if err := options.Conditions.Check(from); err != nil {
		return o, storage.ErrPreconditionFailed
	}
	put := options.Put
	if !options.Replace {
		put.ContentType, put.Headers, put.Metadata, put.Expires = from.ContentType, from.Headers, from.Metadata, from.Expires
	}
	if put.StorageClass == "" {
		put.StorageClass = from.StorageClass
	}
	switch {
	case put.MaxSize > 0 && from.Size > put.MaxSize:
		return o, fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, put.MaxSize)
	case put.Size > 0 && from.Size != put.Size:
		return o, fmt.Errorf("%w: it has %d bytes, %d were announced", storage.ErrChecksum, from.Size, put.Size)
	}
	known := from.Digests.With(storage.Digests{SHA256: from.SHA256})
	if err := known.Match(put.Digests); err != nil {
		return o, err
	}
	if !known.Covers(put.Digests) {
		content, err := b.open(ctx, source, nil, from.ETag)
		if err != nil {
			return o, err
		}
		defer content.Body.Close()
		return b.put(ctx, destination, content.Body, put)
	}
	put.Digests = put.Digests.With(from.Digests)
	put.Digests.MD5 = "" // that of the copy, which may have come in parts, is in its ETag
	d := &description{version: randomName(), sha256: from.SHA256, options: put}
	if from.Size > maxCopy {
		return b.copyParts(ctx, destination, from, d)
	}
	err = b.conditionally(ctx, byCopy, destination, put.Conditions, func(c storage.WriteConditions) (err error) {
		o, err = b.copyWhole(ctx, destination, from, d, c)
		return err
	})
	if errors.Is(err, storage.ErrUnsupported) && put.Conditions != (storage.WriteConditions{}) {
		// Servers judge more where uploads end.
		if from.Size == 0 {
			return b.put(ctx, destination, strings.NewReader(""), put)
		}
		return b.copyParts(ctx, destination, from, d)
	}
	return o, err
}

// copyWhole copies by one request, which can be repeated: see putWhole.
func (b *Bucket) copyWhole(ctx context.Context, destination string, from storage.Object, d *description, conditions storage.WriteConditions) (o storage.Object, err error) {
	request := d.putOptions()
	setConditions(&request, conditions)
	headers := map[string]string{
		"x-amz-metadata-directive":   "REPLACE",
		"x-amz-copy-source-if-match": `"` + from.ETag + `"`,
	}
	for name, values := range request.Header() {
		headers[name] = values[0]
	}
	var etag string
	doubt := false
	err = b.retry(ctx, func(int) error {
		info, err := b.core.CopyObject(ctx, b.config.Bucket, from.Key, b.config.Bucket, destination, headers, minio.CopySrcOptions{}, minio.PutObjectOptions{})
		if err = classify(err); err == nil {
			etag = info.ETag
			return nil
		}
		if doubt && errors.Is(err, storage.ErrPreconditionFailed) {
			if there, headErr := b.head(ctx, destination); headErr == nil && there.Version == d.version {
				etag = there.ETag
				return nil
			}
		}
		doubt = doubt || temporary(err)
		return err
	})
	if err != nil {
		return o, err
	}
	if etag == "" {
		return o, fmt.Errorf("%w: the server gives the copy no ETag", storage.ErrUnavailable)
	}
	return b.head(ctx, destination)
}

// copyParts copies in parts, some at a time.
func (b *Bucket) copyParts(ctx context.Context, destination string, from storage.Object, d *description) (o storage.Object, err error) {
	var upload string
	err = b.retry(ctx, func(int) (err error) {
		upload, err = b.core.NewMultipartUpload(ctx, b.config.Bucket, destination, d.putOptions())
		return err
	})
	if err != nil {
		return o, err
	}
	size := max(int64(copyPart), (from.Size+storage.MaxParts-1)/storage.MaxParts)
	parts := make([]minio.CompletePart, (from.Size+size-1)/size)
	errs := make([]error, len(parts))
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, copyWorkers)
	var group sync.WaitGroup
	match := map[string]string{"x-amz-copy-source-if-match": `"` + from.ETag + `"`}
	for i := range parts {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			start := int64(i) * size
			errs[i] = b.retry(work, func(int) (err error) {
				parts[i], err = b.core.CopyObjectPart(work, b.config.Bucket, from.Key, b.config.Bucket, destination, upload, i+1, start, min(size, from.Size-start), match)
				return err
			})
			if errs[i] != nil {
				cancel()
			}
		})
	}
	group.Wait()
	for _, e := range errs {
		if e != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = e
		}
	}
	if err == nil {
		err = b.conditionally(ctx, byComplete, destination, d.options.Conditions, func(c storage.WriteConditions) error {
			_, err := b.complete(ctx, destination, upload, parts, "", c, d.version)
			return err
		})
	}
	if err != nil {
		b.abandon(ctx, destination, upload)
		return o, err
	}
	return b.head(ctx, destination)
}
