package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"mayfly/storage"
)

// Contents of unknown size are read into buffers. What does not fit into the
// first becomes parts, two of which are under way while the next is read; late
// parts are larger, so that 10,000 of them are enough for MaxPutSize. So a put
// uses 24 MiB, and 64 MiB from 8 GB on.
const (
	smallPart  = 8 << 20
	largePart  = 32 << 20
	smallParts = 1000
	underWay   = 2
)

// MaxPutSize is in bytes.
const MaxPutSize = smallParts*smallPart + (storage.MaxParts-smallParts)*largePart

var smallBuffers = sync.Pool{New: func() any { return new([smallPart]byte) }}

// Put implements [storage.Objects].
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, options storage.PutOptions) (storage.Object, error) {
	o, err := b.put(ctx, key, body, options)
	if err != nil {
		return storage.Object{}, b.fail("put", key, err)
	}
	return o, nil
}

func (b *Bucket) put(ctx context.Context, key string, body io.Reader, options storage.PutOptions) (o storage.Object, err error) {
	if err := b.begin(ctx, key); err != nil {
		return o, err
	}
	if err := options.Validate(); err != nil {
		return o, err
	}
	in := newIntake(ctx, body, options)
	buffer := smallBuffers.Get().(*[smallPart]byte)
	defer smallBuffers.Put(buffer)
	n, err := in.fill(buffer[:])
	if err != nil && err != io.EOF {
		return o, err
	}
	if err == nil {
		return b.putParts(ctx, key, in, buffer[:], options)
	}
	if err := in.check(); err != nil {
		return o, err
	}
	err = b.conditionally(ctx, byPut, key, options.Conditions, func(c storage.WriteConditions) (err error) {
		o, err = b.putWhole(ctx, key, buffer[:n], options, c)
		return err
	})
	return o, err
}

// putWhole puts contents that are in memory. They can be sent again; whether
// an earlier attempt, of which no answer came, was the one that succeeded is
// told by the object's version.
func (b *Bucket) putWhole(ctx context.Context, key string, content []byte, options storage.PutOptions, conditions storage.WriteConditions) (o storage.Object, err error) {
	sum, tag := sha256.Sum256(content), md5.Sum(content)
	d := &description{version: randomName(), sha256: hex.EncodeToString(sum[:]), options: options}
	request := d.putOptions()
	request.DisableContentSha256 = true // of each chunk: it is that of the whole
	setConditions(&request, conditions)
	var info minio.UploadInfo
	doubt := false
	err = b.retry(ctx, func(int) error {
		body := newLease(content)
		defer body.end()
		var err error
		info, err = b.core.PutObject(ctx, b.config.Bucket, key, body, int64(len(content)),
			base64.StdEncoding.EncodeToString(tag[:]), d.sha256, request)
		if err = refused(classify(err), conditions); err == nil {
			return nil
		}
		if doubt && errors.Is(err, storage.ErrPreconditionFailed) {
			if there, headErr := b.head(ctx, key); headErr == nil && there.Version == d.version {
				info.ETag = there.ETag
				return nil
			}
		}
		doubt = doubt || temporary(err)
		return err
	})
	if err != nil {
		return o, err
	}
	if info.ETag == hex.EncodeToString(tag[:]) {
		return d.object(key, info.ETag, int64(len(content)), time.Now()), nil
	}
	// Encryption makes other ETags. An answer that was for something else
	// does, too: ask once more.
	if o, err = b.head(ctx, key); err != nil {
		return o, err
	}
	if o.Version != d.version {
		return o, fmt.Errorf("%w: the server acknowledged the put, and has another object", storage.ErrUnavailable)
	}
	return o, nil
}

// putParts puts what in yields after the first part, which is in memory.
func (b *Bucket) putParts(ctx context.Context, key string, in *intake, first []byte, options storage.PutOptions) (o storage.Object, err error) {
	d := &description{version: randomName(), options: options}
	upload, err := b.newUpload(ctx, key, d)
	if err != nil {
		return o, err
	}
	done := false
	defer func() {
		if !done {
			b.abandon(ctx, key, upload)
		}
	}()
	// The parts end with this call, however it ends: they use its buffers.
	parts, cancel := context.WithCancel(ctx)
	p := &partsPut{bucket: b, ctx: parts, cancel: cancel, key: key, upload: upload, slots: make(chan struct{}, underWay)}
	err = p.run(in, first)
	cancel()
	p.work.Wait()
	if failure := p.failure(); failure != nil {
		err = failure
	}
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return o, ended
		}
		return o, err
	}
	if err := in.check(); err != nil {
		return o, err
	}
	var etag string
	err = b.conditionally(ctx, byComplete, key, options.Conditions, func(c storage.WriteConditions) (err error) {
		etag, err = b.complete(ctx, key, upload, p.done, in.crc64(), c, d.version)
		return err
	})
	if err != nil {
		return o, err
	}
	done = true
	return d.object(key, etag, in.total, time.Now()), nil
}

// newUpload begins an upload. Its parts are to be covered by one checksum, if
// the server can: S3's own of a multipart object covers only the parts' ETags.
func (b *Bucket) newUpload(ctx context.Context, key string, d *description) (upload string, err error) {
	err = b.retry(ctx, func(int) error {
		request := d.putOptions()
		if !b.plain.Load() {
			request.UserMetadata["x-amz-checksum-algorithm"] = "CRC64NVME"
			request.UserMetadata["x-amz-checksum-type"] = "FULL_OBJECT"
		}
		upload, err = b.core.NewMultipartUpload(ctx, b.config.Bucket, key, request)
		if err := classify(err); err != nil && !b.plain.Load() && (errors.Is(err, storage.ErrUnsupported) || errors.Is(err, storage.ErrInvalidOption)) {
			b.plain.Store(true)
			upload, err = b.core.NewMultipartUpload(ctx, b.config.Bucket, key, d.putOptions())
			return err
		}
		return err
	})
	return upload, err
}

// abandon drops an upload; what resists is left to the bucket's lifecycle.
func (b *Bucket) abandon(ctx context.Context, key, upload string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.config.Timeout)
	defer cancel()
	_ = b.retry(ctx, func(int) error {
		err := b.core.AbortMultipartUpload(ctx, b.config.Bucket, key, upload)
		if errors.Is(classify(err), storage.ErrNoSuchUpload) {
			return nil
		}
		return err
	})
}

// A partsPut sends parts.
type partsPut struct {
	bucket *Bucket
	ctx    context.Context
	cancel context.CancelFunc
	key    string
	upload string
	slots  chan struct{}
	work   sync.WaitGroup

	mu   sync.Mutex
	done []minio.CompletePart // by number
	err  error
}

func (p *partsPut) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// run sends the first part, and what in yields.
func (p *partsPut) run(in *intake, first []byte) error {
	buffer, free := first, func() {}
	n, ended := len(first), false
	var spare spareBuffers
	defer spare.release()
	for number := 1; ; number++ {
		if number > storage.MaxParts {
			free()
			return fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, int64(MaxPutSize))
		}
		most := underWay
		if len(buffer) == largePart {
			most = 1
		}
		if err := p.send(number, buffer[:n], most, free); err != nil {
			return err
		}
		if ended {
			p.work.Wait()
			return nil
		}
		buffer, free = spare.next(number + 1)
		var err error
		n, err = in.fill(buffer)
		if err != nil && err != io.EOF {
			free()
			return err
		}
		if ended = err == io.EOF; ended && n == 0 {
			free()
			p.work.Wait()
			return nil
		}
	}
}

// spareBuffers are the buffers of one put: as many as are in use at once, however
// often they are.
type spareBuffers struct {
	mu   sync.Mutex
	free []*[smallPart]byte
}

// next is a buffer for a part, and a function that gives it back.
func (s *spareBuffers) next(number int) (buffer []byte, free func()) {
	if number > smallParts {
		return make([]byte, largePart), func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b *[smallPart]byte
	if last := len(s.free) - 1; last >= 0 {
		b, s.free = s.free[last], s.free[:last]
	} else {
		b = smallBuffers.Get().(*[smallPart]byte)
	}
	return b[:], func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = append(s.free, b)
	}
}

// release gives what is free to other puts.
func (s *spareBuffers) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.free {
		smallBuffers.Put(b)
	}
	s.free = nil
}

// send waits until fewer than most parts are under way, and sends one more.
func (p *partsPut) send(number int, content []byte, most int, free func()) error {
	for taken := 0; ; taken++ {
		select {
		case p.slots <- struct{}{}:
		case <-p.ctx.Done():
			free()
			return p.ctx.Err()
		}
		if taken == underWay-most {
			break
		}
	}
	p.mu.Lock()
	p.done = append(p.done, minio.CompletePart{PartNumber: number})
	p.mu.Unlock()
	p.work.Go(func() {
		defer func() {
			free()
			for range underWay - most + 1 {
				<-p.slots
			}
		}()
		part, err := p.bucket.sendPart(p.ctx, p.key, p.upload, number, content)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done[number-1] = part
		if err != nil && p.err == nil {
			p.err = err
			p.cancel()
		}
	})
	return nil
}

// sendPart sends a part that is in memory.
func (b *Bucket) sendPart(ctx context.Context, key, upload string, number int, content []byte) (minio.CompletePart, error) {
	sum, tag := sha256.Sum256(content), md5.Sum(content)
	options := minio.PutObjectPartOptions{Md5Base64: base64.StdEncoding.EncodeToString(tag[:]), Sha256Hex: hex.EncodeToString(sum[:]), DisableContentSha256: true}
	c := minio.CompletePart{PartNumber: number}
	if !b.plain.Load() {
		c.ChecksumCRC64NVME = crc64Of(content)
		options.CustomHeader = http.Header{"X-Amz-Checksum-Crc64nvme": {c.ChecksumCRC64NVME}}
	}
	err := b.retry(ctx, func(int) error {
		body := newLease(content)
		defer body.end()
		part, err := b.core.PutObjectPart(ctx, b.config.Bucket, key, upload, number, body, int64(len(content)), options)
		c.ETag = part.ETag
		return err
	})
	return c, err
}

func crc64Of(content []byte) string {
	d := storage.NewDigester(storage.Digests{CRC64NVME: "wanted"})
	d.Write(content)
	return toBase64(d.Sum().CRC64NVME)
}

func toBase64(digest string) string {
	b, err := hex.DecodeString(digest)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}

// complete joins parts. If it is not known whether an earlier attempt did, the
// object's version tells.
func (b *Bucket) complete(ctx context.Context, key, upload string, parts []minio.CompletePart, crc64 string, conditions storage.WriteConditions, version string) (etag string, err error) {
	doubt := false
	err = b.retry(ctx, func(int) error {
		var request minio.PutObjectOptions
		setConditions(&request, conditions)
		if crc64 != "" && !b.plain.Load() {
			request.UserMetadata = map[string]string{"x-amz-checksum-crc64nvme": crc64, "x-amz-checksum-type": "FULL_OBJECT"}
		}
		info, err := b.core.CompleteMultipartUpload(ctx, b.config.Bucket, key, upload, parts, request)
		if err = refused(classify(err), conditions); err == nil {
			etag = info.ETag
			return nil
		}
		if doubt && (errors.Is(err, storage.ErrNoSuchUpload) || errors.Is(err, storage.ErrPreconditionFailed)) {
			if there, headErr := b.head(ctx, key); headErr == nil && version != "" && there.Version == version {
				etag = there.ETag
				return nil
			}
		}
		doubt = doubt || temporary(err)
		return err
	})
	return etag, err
}

// An intake reads a body under its limits, and digests it.
type intake struct {
	ctx     context.Context
	body    io.Reader
	options storage.PutOptions
	limit   int64
	total   int64
	digest  *storage.Digester
}

func newIntake(ctx context.Context, body io.Reader, options storage.PutOptions) *intake {
	in := &intake{ctx: ctx, body: body, options: options, limit: MaxPutSize}
	if options.MaxSize > 0 {
		in.limit = min(in.limit, options.MaxSize)
	}
	wanted := options.Digests
	wanted.CRC64NVME = "wanted"
	in.digest = storage.NewDigester(wanted)
	return in
}

// fill reads until buffer is full or the body ends, which is io.EOF.
func (in *intake) fill(buffer []byte) (n int, err error) {
	for idle := 0; n < len(buffer) && err == nil; {
		if err := in.ctx.Err(); err != nil {
			return n, err
		}
		var k int
		k, err = in.body.Read(buffer[n:])
		n += k
		in.total += int64(k)
		if in.total > in.limit {
			return n, fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, in.limit)
		}
		if k > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			err = io.ErrNoProgress
		}
	}
	in.digest.Write(buffer[:n])
	if err == nil || err == io.EOF {
		return n, err
	}
	if ended := in.ctx.Err(); ended != nil {
		return n, ended
	}
	return n, foreign{err}
}

func (in *intake) check() error {
	if in.options.Size > 0 && in.options.Size != in.total {
		return fmt.Errorf("%w: %d bytes came, %d were announced", storage.ErrChecksum, in.total, in.options.Size)
	}
	return in.digest.Sum().Match(in.options.Digests)
}

func (in *intake) crc64() string { return toBase64(in.digest.Sum().CRC64NVME) }
