package execution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"mayfly/storage"
)

// maxExportPrefix is in bytes: half of a key.
const maxExportPrefix = storage.MaxKeyLength / 2

// idPlace is where a prefix has the execution's id.
const idPlace = "{id}"

// checkExport names what is wrong with a request's export.
func (s *Service) checkExport(r *Request) error {
	if r.Export == nil {
		return nil
	}
	const field = "/artifacts/export"
	if s.config.Buckets == nil {
		return &InvalidError{field, "this server has no buckets"}
	}
	if r.Export.Prefix != "" {
		if err := storage.ValidateKey(r.Export.Prefix); err != nil || len(r.Export.Prefix) > maxExportPrefix {
			return &InvalidError{field + "/prefix", fmt.Sprintf("expected at most %d bytes of UTF-8 without NUL", maxExportPrefix)}
		}
	}
	bucket, err := s.config.Buckets.Open(context.Background(), r.Tenant, r.Export.Bucket)
	switch {
	case errors.Is(err, storage.ErrInvalidBucket):
		return &InvalidError{field + "/bucket", fmt.Sprintf("%q is not a name for a bucket", r.Export.Bucket)}
	case errors.Is(err, storage.ErrNoSuchBucket):
		return &InvalidError{field + "/bucket", fmt.Sprintf("there is no bucket %q: PUT /v1/buckets/%[1]s makes one, and so does mayfly buckets create", r.Export.Bucket)}
	case err != nil:
		return err
	}
	return bucket.Close()
}

// An exporter puts artifacts where the request wants them besides. Its failure
// is told with the artifact, which is kept here all the same.
type exporter struct {
	sandbox *sandbox
	bucket  storage.Objects
	err     error
	prefix  string
}

// exporter is nil if there is nothing to export.
func (b *sandbox) exporter(ctx context.Context, id string) *exporter {
	x := b.request.Export
	if x == nil {
		return nil
	}
	e := &exporter{sandbox: b, prefix: strings.ReplaceAll(x.Prefix, idPlace, id)}
	e.bucket, e.err = b.service.config.Buckets.Open(ctx, b.request.Tenant, x.Bucket)
	return e
}

func (e *exporter) put(ctx context.Context, a *Artifact, content []byte) *Exported {
	if e == nil {
		return nil
	}
	x := &Exported{Bucket: e.sandbox.request.Export.Bucket, Key: e.prefix + a.Name}
	err := e.err
	if err == nil {
		_, err = e.bucket.Put(ctx, x.Key, bytes.NewReader(content), storage.PutOptions{ContentType: a.ContentType, Digests: storage.Digests{SHA256: a.SHA256}, Size: a.Size})
	}
	if err != nil {
		e.sandbox.service.config.Log.Warn("an artifact could not be exported", "bucket", x.Bucket, "key", x.Key, "err", err)
		x.Error = exportReason(err)
	}
	return x
}

// exportReason is what a client may know of a store's failure.
func exportReason(err error) string {
	for _, known := range []error{
		storage.ErrNoSuchBucket, storage.ErrInvalidKey, storage.ErrReadOnly, storage.ErrNoSpace, storage.ErrTooLarge, storage.ErrAccessDenied,
		storage.ErrUnavailable, storage.ErrSlowDown, storage.ErrUnsupported, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the store failed"
}
