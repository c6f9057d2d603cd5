package fs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// A Bucket is one bucket of a [Store].
type Bucket struct {
	store  *Store
	id     int64
	state  *bucketState
	name   string
	closed atomic.Bool
}

var _ storage.Objects = (*Bucket)(nil)

// Name is the bucket's name.
func (b *Bucket) Name() string { return b.name }

// Close closes the handle, not the store.
func (b *Bucket) Close() error {
	b.closed.Store(true)
	return nil
}

// fail puts an error into its final form.
func (b *Bucket) fail(op, key string, err error) error {
	err = sqlite.Classify(err)
	e := &storage.Error{Op: op, Bucket: b.name, Key: key, Err: err}
	switch {
	case errors.Is(err, storage.ErrNoSpace):
		e.Hint = "free some space on the disk of the store"
	case errors.Is(err, storage.ErrReadOnly):
		e.Hint = "make the folder of the store writable"
	}
	return e
}

// ready is what every operation demands first.
func (b *Bucket) ready(ctx context.Context) error {
	if b.closed.Load() || b.store.closed.Load() {
		return storage.ErrClosed
	}
	if b.state.gone.Load() {
		return storage.ErrNoSuchBucket
	}
	return ctx.Err()
}

func (b *Bucket) begin(ctx context.Context, key string) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	return storage.ValidateKey(key)
}

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
	if options.Conditions != (storage.WriteConditions{}) {
		// Spares reading the body; the judgement that counts comes with the
		// write.
		if err := b.foresee(key, options.Conditions); err != nil {
			return o, err
		}
	}
	s, err := b.store.data.stage(ctx, body, b.store.options.InlineLimit, expectation{options.Size, options.MaxSize, options.Digests})
	if err != nil {
		return o, err
	}
	return b.commit(ctx, key, s, options, nil)
}

func (b *Bucket) foresee(key string, conditions storage.WriteConditions) error {
	r, err := b.find(key)
	if errors.Is(err, storage.ErrNotFound) {
		return conditions.Check(nil)
	}
	if err != nil {
		return err
	}
	o, err := r.object()
	if err != nil {
		return err
	}
	return conditions.Check(&o)
}

// commit makes staged contents visible. Also runs in the transaction first;
// the data files that it returns are removed after the commit.
func (b *Bucket) commit(ctx context.Context, key string, s staged, options storage.PutOptions, also func(*sqlite.Tx) ([]string, error)) (storage.Object, error) {
	now := b.store.now()
	r, err := newRow(b.id, key, s, options, now)
	if err != nil {
		b.store.data.discard(s.name)
		return storage.Object{}, err
	}
	var obsolete []string
	var refused error
	err = b.store.db.Update(ctx, func(tx *sqlite.Tx) (err error) {
		obsolete, refused = nil, nil
		if b.state.gone.Load() {
			refused = storage.ErrNoSuchBucket
			return refused
		}
		if also != nil {
			if obsolete, refused = also(tx); refused != nil {
				return refused
			}
		}
		old, err := replaceRow(tx, r, s.inline, options.Conditions, now)
		obsolete = append(obsolete, old)
		return err
	})
	if err != nil {
		if refused != nil || removable(err) {
			b.store.data.discard(s.name)
		} else {
			// After a failed sync nobody knows whether the row is on the
			// disk. The file stays, until a scan finds that it has no row.
			b.store.data.release(s.name)
		}
		return storage.Object{}, err
	}
	b.store.data.release(s.name)
	b.store.data.remove(obsolete...)
	return r.object()
}

// removable says that the row is certainly not in the database.
func removable(err error) bool {
	for _, sure := range []error{storage.ErrPreconditionFailed, storage.ErrNoSpace, storage.ErrReadOnly, storage.ErrLocked, storage.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, sure) {
			return true
		}
	}
	return false
}

// find reads the row of a key that has not expired.
func (b *Bucket) find(key string) (row, error) {
	var r row
	// Not the caller's context: a lookup takes microseconds, and watching the
	// context costs the driver a goroutine.
	err := b.store.query.describe.QueryRowContext(context.Background(), b.id, []byte(key)).Scan(r.fields()...)
	return r, b.judge(&r, err)
}

func (b *Bucket) judge(r *row, err error) error {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return storage.ErrNotFound
	case err != nil:
		return err
	}
	if err := r.verify(); err != nil {
		return err
	}
	if r.expired(b.store.now()) {
		return storage.ErrNotFound
	}
	return nil
}

// Head implements [storage.Objects].
func (b *Bucket) Head(ctx context.Context, key string) (storage.Object, error) {
	o, err := func() (o storage.Object, err error) {
		if err := b.begin(ctx, key); err != nil {
			return o, err
		}
		r, err := b.find(key)
		if err != nil {
			return o, err
		}
		return r.object()
	}()
	if err != nil {
		return storage.Object{}, b.fail("head", key, err)
	}
	return o, nil
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
	r, inline, f, err := b.openContents(ctx, key)
	if err != nil {
		return nil, err
	}
	c, err := b.content(r, inline, f, options)
	if err != nil && f != nil {
		f.Close() // nothing was read
	}
	return c, err
}

// openContents reads the row and opens its data file, which may be removed in
// between by a put or delete: then the row has changed, too.
func (b *Bucket) openContents(ctx context.Context, key string) (r row, inline []byte, f file, err error) {
	missing := ""
	for {
		var fresh row
		err := b.store.query.content.QueryRowContext(context.Background(), b.id, []byte(key)).Scan(append(fresh.fields(), &inline)...)
		if err := b.judge(&fresh, err); err != nil {
			return row{}, nil, nil, err
		}
		if fresh.file == nil {
			if int64(len(inline)) != fresh.size || sha256.Sum256(inline) != [sha256.Size]byte(fresh.sum) {
				return row{}, nil, nil, fmt.Errorf("%w: the contents fail their checksum", storage.ErrCorrupt)
			}
			return fresh, inline, nil, nil
		}
		f, err := b.store.data.open(*fresh.file, fresh.size)
		switch {
		case err == nil:
			return fresh, nil, f, nil
		case !errors.Is(err, fs.ErrNotExist):
			return row{}, nil, nil, err
		case missing == *fresh.file:
			return row{}, nil, nil, fmt.Errorf("%w: the data file %s is missing", storage.ErrCorrupt, dataPath(missing))
		}
		missing = *fresh.file
		if err := ctx.Err(); err != nil {
			return row{}, nil, nil, err
		}
	}
}

// content applies conditions and range.
func (b *Bucket) content(r row, inline []byte, f file, options storage.GetOptions) (*storage.Content, error) {
	o, err := r.object()
	if err != nil {
		return nil, err
	}
	c := &storage.Content{Object: o}
	if err := options.Conditions.Check(o); err != nil {
		if errors.Is(err, storage.ErrNotModified) {
			if f != nil {
				f.Close() // nothing was read
			}
			return c, err
		}
		return nil, err
	}
	if c.Offset, c.Length, err = options.Range.Resolve(o.Size); err != nil {
		return nil, err
	}
	if f == nil {
		c.Body = io.NopCloser(bytes.NewReader(inline[c.Offset : c.Offset+c.Length]))
		return c, nil
	}
	if c.Offset > 0 {
		if _, err := f.Seek(c.Offset, io.SeekStart); err != nil {
			return nil, err
		}
	}
	body := &fileBody{bucket: b, key: o.Key, f: f, left: c.Length}
	if c.Length == o.Size {
		body.verify = newVerifier(r.sum)
	}
	c.Body = body
	return c, nil
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
	for len(keys) > 0 {
		n := min(len(keys), sweepBatch)
		if err := b.delete(ctx, keys[:n]); err != nil {
			return b.fail("delete", keys[0], err)
		}
		keys = keys[n:]
	}
	return nil
}

func (b *Bucket) delete(ctx context.Context, keys []string) error {
	var files []string
	err := b.store.db.Update(ctx, func(tx *sqlite.Tx) error {
		files = files[:0]
		for _, key := range keys {
			var id int64
			var file *string
			// Not findRow: also what is damaged can be deleted.
			err := tx.QueryRow("SELECT id, file FROM objects WHERE bucket = ? AND key = ?", []any{b.id, []byte(key)}, &id, &file)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			if err := removeRow(tx, id); err != nil {
				return err
			}
			if file != nil && len(*file) == 32 {
				files = append(files, *file)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.store.data.remove(files...)
	return nil
}

// Copy implements [storage.Objects]. A data file gets a second name: contents
// are not copied.
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
	r, inline, f, err := b.openContents(ctx, source)
	if err != nil {
		return o, err
	}
	if f != nil {
		defer f.Close() // only read from
	}
	from, err := r.object()
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
	s, err := b.duplicate(ctx, r, inline, f, from, expectation{put.Size, put.MaxSize, put.Digests})
	if err != nil {
		return o, err
	}
	put.Digests = put.Digests.With(from.Digests)
	return b.commit(ctx, destination, s, put, nil)
}

// duplicate gives the contents to a second object: those of a data file by a
// link, or, where that can't be, by copying them. They are read only if
// digests are wanted that are not known.
func (b *Bucket) duplicate(ctx context.Context, r row, inline []byte, f file, from storage.Object, want expectation) (staged, error) {
	s := staged{size: r.size, sum: [sha256.Size]byte(r.sum), tag: r.tag, inline: inline}
	if r.parts != nil {
		s.parts = *r.parts
	}
	known := from.Digests
	known.SHA256 = from.SHA256
	switch {
	case want.maxSize > 0 && r.size > want.maxSize:
		return s, fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, want.maxSize)
	case want.size > 0 && r.size != want.size:
		return s, want.check(s, nil)
	}
	if err := known.Match(want.digests); err != nil {
		return s, err
	}
	if !known.Covers(want.digests) {
		var body io.Reader = bytes.NewReader(inline)
		if f != nil {
			body = f
		}
		return b.store.data.stage(ctx, body, b.store.options.InlineLimit, want)
	}
	if f == nil {
		return s, nil
	}
	name, err := b.store.data.link(*r.file)
	if err == nil {
		s.name = name
		return s, nil
	}
	return b.store.data.stage(ctx, f, 0, expectation{size: r.size})
}
