package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// MaxUnsizedPart is how many bytes a part may have whose size was not given:
// it is read into memory, for S3 wants to know the size first.
const MaxUnsizedPart = 32 << 20

// An uploadID is the server's. What is to be judged when the upload is
// completed, and has no place with the server, is put around it.
type uploadID struct {
	ID         string                  `json:"i"`
	Conditions storage.WriteConditions `json:"c,omitzero"`
	Size       int64                   `json:"s,omitzero"`
	MaxSize    int64                   `json:"m,omitzero"`
}

const wrapped = "mayfly."

func (u uploadID) encode() string {
	if u == (uploadID{ID: u.ID}) && !strings.HasPrefix(u.ID, wrapped) {
		return u.ID
	}
	text, _ := json.Marshal(u) // strings and numbers
	return wrapped + base64.RawURLEncoding.EncodeToString(text)
}

func decodeUpload(text string) (u uploadID, err error) {
	rest, ok := strings.CutPrefix(text, wrapped)
	if !ok {
		return uploadID{ID: text}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if err == nil {
		err = json.Unmarshal(b, &u)
	}
	if err != nil || u.ID == "" {
		return u, storage.ErrNoSuchUpload
	}
	return u, nil
}

// CreateUpload implements [storage.Objects].
func (b *Bucket) CreateUpload(ctx context.Context, key string, options storage.PutOptions) (string, error) {
	id, err := func() (string, error) {
		if err := b.begin(ctx, key); err != nil {
			return "", err
		}
		if err := options.Validate(); err != nil {
			return "", err
		}
		if options.Digests != (storage.Digests{}) {
			return "", errUploadDigests
		}
		var id string
		d := &description{version: randomName(), options: options}
		// A second upload that nobody knows of is the lifecycle's to remove.
		err := b.retry(ctx, func(int) (err error) {
			id, err = b.core.NewMultipartUpload(ctx, b.config.Bucket, key, d.putOptions())
			return err
		})
		return uploadID{id, options.Conditions, options.Size, options.MaxSize}.encode(), err
	}()
	if err != nil {
		return "", b.fail("create upload", key, err)
	}
	return id, nil
}

var errUploadDigests = fmt.Errorf("%w: S3 can't check digests of an upload's whole contents", storage.ErrUnsupported)

// UploadPart implements [storage.Objects].
func (b *Bucket) UploadPart(ctx context.Context, key, upload string, number int, body io.Reader, options storage.PartOptions) (storage.Part, error) {
	p, err := b.uploadPart(ctx, key, upload, number, body, options)
	if err != nil {
		return storage.Part{}, b.fail("upload part", key, err)
	}
	return p, nil
}

func (b *Bucket) uploadPart(ctx context.Context, key, upload string, number int, body io.Reader, options storage.PartOptions) (p storage.Part, err error) {
	if err := b.begin(ctx, key); err != nil {
		return p, err
	}
	if number < 1 || number > storage.MaxParts {
		return p, fmt.Errorf("%w: number %d, 1 to %d are allowed", storage.ErrInvalidPart, number, storage.MaxParts)
	}
	if err := options.Validate(); err != nil {
		return p, err
	}
	id, err := decodeUpload(upload)
	if err != nil {
		return p, err
	}
	in := newIntake(ctx, body, storage.PutOptions{Digests: options.Digests, Size: options.Size})
	if options.Size > smallPart {
		return b.streamPart(ctx, key, id.ID, number, in)
	}
	// One byte more than there may be shows that there is more.
	buffer := make([]byte, 0, smallPart)
	for {
		grown := buffer[len(buffer):cap(buffer)]
		n, err := in.fill(grown)
		buffer = buffer[:len(buffer)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return p, err
		}
		if len(buffer) > MaxUnsizedPart {
			return p, fmt.Errorf("%w: a part of more than %d bytes needs its size given", storage.ErrUnsupported, MaxUnsizedPart)
		}
		buffer = append(make([]byte, 0, min(2*cap(buffer), MaxUnsizedPart+1)), buffer...)
	}
	if err := in.check(); err != nil {
		return p, err
	}
	var part minio.ObjectPart
	d := storage.NewDigester(storage.Digests{MD5: "wanted", SHA256: "wanted"})
	d.Write(buffer)
	sum := d.Sum()
	err = b.retry(ctx, func(int) (err error) {
		part, err = b.core.PutObjectPart(ctx, b.config.Bucket, key, id.ID, number, bytes.NewReader(buffer), int64(len(buffer)),
			minio.PutObjectPartOptions{Md5Base64: toBase64(sum.MD5), Sha256Hex: sum.SHA256, DisableContentSha256: true})
		return err
	})
	return storage.Part{Number: number, ETag: part.ETag, Size: int64(len(buffer))}, err
}

// streamPart sends a part of known size as it comes. It can't be sent again.
func (b *Bucket) streamPart(ctx context.Context, key, upload string, number int, in *intake) (p storage.Part, err error) {
	body := &checkedBody{in: in}
	part, err := b.core.PutObjectPart(ctx, b.config.Bucket, key, upload, number, body, in.options.Size, minio.PutObjectPartOptions{})
	if body.err != nil {
		err = body.err // what the client makes of it says less
	}
	if err != nil {
		return p, err
	}
	return storage.Part{Number: number, ETag: part.ETag, Size: in.options.Size}, nil
}

// A checkedBody ends with an error instead of its last bytes if the contents
// are not those that were announced: the server then gets no whole part.
type checkedBody struct {
	in    *intake
	whole bool
	err   error
}

func (c *checkedBody) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.whole {
		return 0, io.EOF
	}
	n, err := c.in.fill(p)
	switch {
	case err == io.EOF:
		err = c.in.check()
		c.whole = err == nil
	case err == nil && c.in.total >= c.in.options.Size:
		// The client reads no more than the size that it was told.
		var more [1]byte
		if k, end := c.in.fill(more[:]); k > 0 || end == nil {
			err = fmt.Errorf("%w: more bytes came than the %d announced", storage.ErrChecksum, c.in.options.Size)
		} else if end != io.EOF {
			err = end
		} else {
			err = c.in.check()
			c.whole = err == nil
		}
	}
	if err != nil {
		c.err = err
		return 0, err
	}
	return n, nil
}

// CompleteUpload implements [storage.Objects].
func (b *Bucket) CompleteUpload(ctx context.Context, key, upload string, parts []storage.Part, options storage.CompleteOptions) (storage.Object, error) {
	o, err := b.completeUpload(ctx, key, upload, parts, options)
	if err != nil {
		return storage.Object{}, b.fail("complete upload", key, err)
	}
	return o, nil
}

func (b *Bucket) completeUpload(ctx context.Context, key, upload string, parts []storage.Part, options storage.CompleteOptions) (o storage.Object, err error) {
	if err := b.begin(ctx, key); err != nil {
		return o, err
	}
	if err := options.Validate(); err != nil {
		return o, err
	}
	if options.Digests != (storage.Digests{}) {
		return o, errUploadDigests
	}
	id, err := decodeUpload(upload)
	if err != nil {
		return o, err
	}
	conditions, err := both(id.Conditions, options.Conditions)
	if err != nil {
		return o, err
	}
	stored, err := b.listParts(ctx, key, id.ID)
	if err != nil {
		return o, err
	}
	chosen, err := choose(stored, parts)
	if err != nil {
		return o, err
	}
	total := int64(0)
	for _, p := range chosen {
		total += p.Size
	}
	for _, want := range []int64{id.Size, options.Size} {
		if want > 0 && want != total {
			return o, fmt.Errorf("%w: the parts have %d bytes, %d were announced", storage.ErrChecksum, total, want)
		}
	}
	if id.MaxSize > 0 && total > id.MaxSize {
		return o, fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, id.MaxSize)
	}
	list := make([]minio.CompletePart, len(chosen))
	for i, p := range chosen {
		list[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.ETag}
	}
	err = b.conditionally(ctx, byComplete, key, conditions, func(c storage.WriteConditions) error {
		_, err := b.complete(ctx, key, id.ID, list, "", c, "")
		return err
	})
	if err != nil {
		return o, err
	}
	return b.head(ctx, key)
}

// both are the conditions of the upload's begin and end.
func both(a, b storage.WriteConditions) (storage.WriteConditions, error) {
	if a == (storage.WriteConditions{}) || a == b {
		return b, nil
	}
	if b == (storage.WriteConditions{}) {
		return a, nil
	}
	return a, fmt.Errorf("%w: conditions both at the begin and at the end of an upload", storage.ErrUnsupported)
}

// choose checks what servers check differently.
func choose(stored, parts []storage.Part) ([]storage.Part, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("%w: no parts", storage.ErrInvalidPart)
	}
	byNumber := make(map[int]storage.Part, len(stored))
	for _, p := range stored {
		byNumber[p.Number] = p
	}
	chosen := make([]storage.Part, 0, len(parts))
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return nil, fmt.Errorf("%w: part %d comes after part %d", storage.ErrInvalidPart, p.Number, parts[i-1].Number)
		}
		s, ok := byNumber[p.Number]
		if !ok || s.ETag != p.ETag {
			return nil, fmt.Errorf("%w: part %d was not uploaded with this ETag", storage.ErrInvalidPart, p.Number)
		}
		if p.SHA256 != "" || p.Digests.Without(storage.Digests{MD5: "known"}) != (storage.Digests{}) || p.Digests.MD5 != "" && p.Digests.MD5 != s.ETag {
			return nil, fmt.Errorf("%w: the server does not tell digests of parts", storage.ErrUnsupported)
		}
		chosen = append(chosen, s)
	}
	for _, p := range chosen[:len(chosen)-1] {
		if p.Size < storage.MinPartSize {
			return nil, fmt.Errorf("%w: part %d has %d bytes, all but the last need %d", storage.ErrPartTooSmall, p.Number, p.Size, storage.MinPartSize)
		}
	}
	return chosen, nil
}

// AbortUpload implements [storage.Objects].
func (b *Bucket) AbortUpload(ctx context.Context, key, upload string) error {
	err := b.begin(ctx, key)
	var id uploadID
	if err == nil {
		id, err = decodeUpload(upload)
	}
	if err == nil {
		doubt := false
		err = b.retry(ctx, func(int) error {
			err := classify(b.core.AbortMultipartUpload(ctx, b.config.Bucket, key, id.ID))
			if doubt && errors.Is(err, storage.ErrNoSuchUpload) {
				return nil
			}
			doubt = doubt || temporary(err)
			return err
		})
	}
	if err != nil {
		return b.fail("abort upload", key, upErr(err))
	}
	return nil
}

// upErr: what is not found where an upload is asked for, is the upload.
func upErr(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("%w: %w", storage.ErrNoSuchUpload, err)
	}
	return err
}

// ListParts implements [storage.Objects].
func (b *Bucket) ListParts(ctx context.Context, key, upload string) ([]storage.Part, error) {
	parts, err := func() ([]storage.Part, error) {
		if err := b.begin(ctx, key); err != nil {
			return nil, err
		}
		id, err := decodeUpload(upload)
		if err != nil {
			return nil, err
		}
		return b.listParts(ctx, key, id.ID)
	}()
	if err != nil {
		return nil, b.fail("list parts", key, err)
	}
	return parts, nil
}

func (b *Bucket) listParts(ctx context.Context, key, id string) (parts []storage.Part, err error) {
	for marker := 0; ; {
		var page minio.ListObjectPartsResult
		err := b.retry(ctx, func(int) (err error) {
			page, err = b.core.ListObjectParts(ctx, b.config.Bucket, key, id, marker, storage.MaxListLimit)
			return err
		})
		if err != nil {
			return nil, upErr(err)
		}
		for _, p := range page.ObjectParts {
			part := storage.Part{Number: p.PartNumber, ETag: strings.Trim(p.ETag, `"`), Size: p.Size}
			if !p.LastModified.IsZero() {
				part.Modified = p.LastModified.UTC()
			}
			parts = append(parts, part)
		}
		if !page.IsTruncated || page.NextPartNumberMarker <= marker {
			return parts, nil
		}
		marker = page.NextPartNumberMarker
	}
}

// ListUploads implements [storage.Objects].
func (b *Bucket) ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error) {
	uploads, err := b.listUploads(ctx, prefix)
	if err != nil {
		return nil, b.fail("list uploads", prefix, err)
	}
	return uploads, nil
}

func (b *Bucket) listUploads(ctx context.Context, prefix string) (uploads []storage.Upload, err error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	for key, id := "", ""; ; {
		var page minio.ListMultipartUploadsResult
		err := b.retry(ctx, func(int) (err error) {
			page, err = b.core.ListMultipartUploads(ctx, b.config.Bucket, prefix, key, id, "", storage.MaxListLimit)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			uploads = append(uploads, storage.Upload{Key: u.Key, ID: u.UploadID, Created: u.Initiated.UTC()})
		}
		if !page.IsTruncated || page.NextKeyMarker == key && page.NextUploadIDMarker == id {
			return uploads, nil
		}
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
}
