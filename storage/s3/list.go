package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// A cursor is the server's, with a checksum: not all servers notice mangled
// ones.
func encodeCursor(token string) string {
	b := append([]byte{1}, token...)
	return base64.RawURLEncoding.EncodeToString(binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// maxCursor is in bytes.
const maxCursor = 16 << 10

func decodeCursor(cursor string) (string, error) {
	if len(cursor) > maxCursor {
		return "", fmt.Errorf("%w: it is too long", storage.ErrInvalidCursor)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 6 || b[0] != 1 {
		return "", storage.ErrInvalidCursor
	}
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if binary.LittleEndian.Uint32(sum) != crc32.ChecksumIEEE(body) {
		return "", fmt.Errorf("%w: its checksum is wrong", storage.ErrInvalidCursor)
	}
	return string(body[1:]), nil
}

// List implements [storage.Objects].
func (b *Bucket) List(ctx context.Context, options storage.ListOptions) (storage.Listing, error) {
	l, err := b.list(ctx, options)
	if err != nil {
		return storage.Listing{}, b.fail("list", options.Prefix, err)
	}
	return l, nil
}

func (b *Bucket) list(ctx context.Context, options storage.ListOptions) (l storage.Listing, err error) {
	if err := b.ready(ctx); err != nil {
		return l, err
	}
	limit := options.Limit
	switch {
	case limit < 0:
		return l, fmt.Errorf("%w: a limit below zero", storage.ErrInvalidOption)
	case len(options.Prefix) > storage.MaxKeyLength || len(options.StartAfter) > storage.MaxKeyLength || len(options.Delimiter) > storage.MaxKeyLength:
		return l, fmt.Errorf("%w: longer than a key", storage.ErrInvalidOption)
	case limit == 0 || limit > storage.MaxListLimit:
		limit = storage.MaxListLimit
	}
	token := ""
	if options.Cursor != "" {
		if token, err = decodeCursor(options.Cursor); err != nil {
			return l, err
		}
	}
	for {
		page, err := b.page(ctx, options, token, limit)
		if err != nil {
			return l, err
		}
		for _, info := range page.Contents {
			l.Objects = append(l.Objects, fromListing(info))
		}
		for _, p := range page.CommonPrefixes {
			l.Prefixes = append(l.Prefixes, p.Prefix)
		}
		if options.Details {
			if l.Objects, err = b.details(ctx, l.Objects); err != nil {
				return l, err
			}
		}
		l.Cursor = ""
		if page.IsTruncated {
			if page.NextContinuationToken == "" || page.NextContinuationToken == token {
				return l, fmt.Errorf("%w: the server's listing does not go on", storage.ErrUnavailable)
			}
			token = page.NextContinuationToken
			l.Cursor = encodeCursor(token)
		}
		if l.Cursor == "" || len(l.Objects)+len(l.Prefixes) > 0 {
			return l, nil
		}
	}
}

// page makes one request. The client has no context for it: one that is given
// up ends by the connection's timeout.
func (b *Bucket) page(ctx context.Context, options storage.ListOptions, token string, limit int) (page minio.ListBucketV2Result, err error) {
	err = b.retry(ctx, func(int) error {
		type answer struct {
			page minio.ListBucketV2Result
			err  error
		}
		done := make(chan answer, 1)
		go func() {
			page, err := b.core.ListObjectsV2(b.config.Bucket, options.Prefix, options.StartAfter, token, options.Delimiter, limit)
			done <- answer{page, err}
		}()
		select {
		case a := <-done:
			page = a.page
			return a.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if token != "" && errors.Is(err, storage.ErrInvalidOption) {
		err = fmt.Errorf("%w: %w", storage.ErrInvalidCursor, err)
	}
	return page, err
}

func fromListing(info minio.ObjectInfo) storage.Object {
	o := storage.Object{
		Key: info.Key, Size: info.Size, ETag: strings.Trim(info.ETag, `"`), ContentType: storage.DefaultMIMEType,
		StorageClass: fromClass(info.StorageClass), Modified: info.LastModified.UTC(),
	}
	return o
}

// details asks for each object of a listing, and leaves out those that have
// expired or gone.
func (b *Bucket) details(ctx context.Context, objects []storage.Object) ([]storage.Object, error) {
	const workers = 16
	errs := make([]error, len(objects))
	slots := make(chan struct{}, workers)
	var work sync.WaitGroup
	for i := range objects {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			objects[i], errs[i] = b.head(ctx, objects[i].Key)
		})
	}
	work.Wait()
	kept := objects[:0]
	for i, err := range errs {
		switch {
		case err == nil:
			kept = append(kept, objects[i])
		case !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
	}
	return kept, nil
}

// Delete implements [storage.Objects].
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	if err := b.ready(ctx); err != nil {
		return b.fail("delete", "", err)
	}
	for _, key := range keys {
		if err := storage.ValidateKey(key); err != nil {
			return b.fail("delete", key, err)
		}
	}
	if len(keys) == 1 {
		if err := b.deleteOne(ctx, keys[0]); err != nil {
			return b.fail("delete", keys[0], err)
		}
		return nil
	}
	for len(keys) > 0 {
		n := min(len(keys), storage.MaxListLimit)
		if key, err := b.deleteMany(ctx, keys[:n]); err != nil {
			return b.fail("delete", key, err)
		}
		keys = keys[n:]
	}
	return nil
}

func (b *Bucket) deleteOne(ctx context.Context, key string) error {
	return b.retry(ctx, func(int) error {
		err := b.core.RemoveObject(ctx, b.config.Bucket, key, minio.RemoveObjectOptions{})
		if errors.Is(classify(err), storage.ErrNotFound) {
			return nil
		}
		return err
	})
}

// deleteMany deletes up to 1,000 objects by one request. What fails is tried
// again by itself.
func (b *Bucket) deleteMany(ctx context.Context, keys []string) (failed string, err error) {
	left := map[string]bool{}
	for _, key := range keys {
		left[key] = true
	}
	objects := make(chan minio.ObjectInfo, len(left))
	for key := range left {
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	for result := range b.core.RemoveObjectsWithResult(ctx, b.config.Bucket, objects, minio.RemoveObjectsOptions{}) {
		if result.Err == nil {
			delete(left, result.ObjectName)
		}
	}
	for _, key := range keys {
		if !left[key] {
			continue
		}
		if err := b.deleteOne(ctx, key); err != nil {
			return key, err
		}
	}
	return "", nil
}
