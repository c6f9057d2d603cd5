package fs

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// CreateUpload implements [storage.Objects].
func (b *Bucket) CreateUpload(ctx context.Context, key string, options storage.PutOptions) (string, error) {
	id, err := b.createUpload(ctx, key, options)
	if err != nil {
		return "", b.fail("create upload", key, err)
	}
	return id, nil
}

func (b *Bucket) createUpload(ctx context.Context, key string, options storage.PutOptions) (string, error) {
	if err := b.begin(ctx, key); err != nil {
		return "", err
	}
	if err := options.Validate(); err != nil {
		return "", err
	}
	encoded, err := json.Marshal(options)
	if err != nil {
		return "", err
	}
	id := randomName()
	return id, b.store.db.Update(ctx, func(tx *sqlite.Tx) error {
		if b.state.gone.Load() {
			return storage.ErrNoSuchBucket
		}
		_, err := tx.Exec("INSERT INTO uploads (id, bucket, key, created, options) VALUES (?, ?, ?, ?, ?)", id, b.id, []byte(key), b.store.now(), encoded)
		return err
	})
}

// uploadOptions reads what CreateUpload was given.
func (b *Bucket) uploadOptions(ctx context.Context, key, upload string) (o storage.PutOptions, err error) {
	var encoded []byte
	err = b.store.db.Reader().QueryRowContext(ctx, "SELECT options FROM uploads WHERE id = ? AND bucket = ? AND key = ?", upload, b.id, []byte(key)).Scan(&encoded)
	if errors.Is(err, sql.ErrNoRows) {
		return o, storage.ErrNoSuchUpload
	}
	if err != nil {
		return o, err
	}
	var stored struct {
		storage.PutOptions
		SHA256 string // as schema 1 had it
	}
	if err := json.Unmarshal(encoded, &stored); err != nil {
		return o, fmt.Errorf("%w: options of the upload: %w", storage.ErrCorrupt, err)
	}
	o = stored.PutOptions
	o.Digests = o.Digests.With(storage.Digests{SHA256: stored.SHA256})
	return o, nil
}

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
	if _, err := b.uploadOptions(ctx, key, upload); err != nil {
		return p, err
	}
	s, err := b.store.data.stage(ctx, body, -1, expectation{size: options.Size, digests: options.Digests})
	if err != nil {
		return p, err
	}
	stored := storedPart{number: number, size: s.size, sum: s.sum[:], md5: s.tag, file: s.name, modified: b.store.now()}
	if stored.digests, err = encodeDigests(options.Digests); err != nil {
		b.store.data.discard(s.name)
		return p, err
	}
	var old string
	var refused bool
	err = b.store.db.Update(ctx, func(tx *sqlite.Tx) error {
		old, refused = "", false
		if err := findUpload(tx, b.id, key, upload); err != nil {
			refused = true
			return err
		}
		err := tx.QueryRow("SELECT file FROM parts WHERE upload = ? AND number = ?", []any{upload, number}, &old)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.Exec("INSERT OR REPLACE INTO parts (upload, number, size, sha256, file, md5, digests, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			upload, number, s.size, stored.sum, s.name, stored.md5, stored.digests, stored.modified)
		return err
	})
	if err != nil {
		if refused || removable(err) {
			b.store.data.discard(s.name)
		} else {
			b.store.data.release(s.name)
		}
		return p, err
	}
	b.store.data.release(s.name)
	b.store.data.remove(old)
	return stored.part()
}

// encodeDigests is nil if there are none.
func encodeDigests(d storage.Digests) ([]byte, error) {
	if d == (storage.Digests{}) {
		return nil, nil
	}
	return json.Marshal(d)
}

func findUpload(tx *sqlite.Tx, bucket int64, key, upload string) error {
	var one int
	err := tx.QueryRow("SELECT 1 FROM uploads WHERE id = ? AND bucket = ? AND key = ?", []any{upload, bucket, []byte(key)}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.ErrNoSuchUpload
	}
	return err
}

// A storedPart is a part as the database has it.
type storedPart struct {
	number   int
	size     int64
	sum      []byte
	file     string
	md5      []byte // nil in rows of schema 1
	digests  []byte // JSON, or nil
	modified int64  // ms; 0 in rows of schema 1
}

// tag is what stands for the part in the object's ETag, and is its own.
func (s *storedPart) tag() []byte {
	if s.md5 == nil {
		return s.sum[:md5.Size]
	}
	return s.md5
}

func (s *storedPart) etag() string { return hex.EncodeToString(s.tag()) }

func (s *storedPart) part() (storage.Part, error) {
	p := storage.Part{Number: s.number, ETag: s.etag(), Size: s.size, SHA256: hex.EncodeToString(s.sum)}
	if s.digests != nil {
		if err := json.Unmarshal(s.digests, &p.Digests); err != nil {
			return p, fmt.Errorf("%w: digests of part %d: %w", storage.ErrCorrupt, s.number, err)
		}
	}
	if s.md5 != nil {
		p.Digests.MD5 = p.ETag
	}
	if s.modified != 0 {
		p.Modified = time.UnixMilli(s.modified).UTC()
	}
	return p, nil
}

func (b *Bucket) storedParts(ctx context.Context, upload string) ([]storedPart, error) {
	rows, err := b.store.db.Reader().QueryContext(ctx, "SELECT number, size, sha256, file, md5, digests, modified FROM parts WHERE upload = ? ORDER BY number", upload)
	if err != nil {
		return nil, err
	}
	var out []storedPart
	for rows.Next() {
		var p storedPart
		if err := rows.Scan(&p.number, &p.size, &p.sum, &p.file, &p.md5, &p.digests, &p.modified); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if len(p.sum) != sha256.Size || len(p.file) != 32 || p.md5 != nil && len(p.md5) != md5.Size {
			return nil, errors.Join(fmt.Errorf("%w: part %d", storage.ErrCorrupt, p.number), rows.Close())
		}
		out = append(out, p)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// CompleteUpload implements [storage.Objects].
func (b *Bucket) CompleteUpload(ctx context.Context, key, upload string, parts []storage.Part, options storage.CompleteOptions) (storage.Object, error) {
	o, err := b.completeUpload(ctx, key, upload, parts, options)
	if err != nil {
		return storage.Object{}, b.fail("complete upload", key, err)
	}
	return o, nil
}

func (b *Bucket) completeUpload(ctx context.Context, key, upload string, parts []storage.Part, also storage.CompleteOptions) (o storage.Object, err error) {
	if err := b.begin(ctx, key); err != nil {
		return o, err
	}
	if err := also.Validate(); err != nil {
		return o, err
	}
	options, err := b.uploadOptions(ctx, key, upload)
	if err != nil {
		return o, err
	}
	if err := also.Digests.Match(options.Digests); err != nil {
		return o, err
	}
	options.Digests = options.Digests.With(also.Digests)
	stored, err := b.storedParts(ctx, upload)
	if err != nil {
		return o, err
	}
	chosen, err := choose(stored, parts)
	if err != nil {
		return o, err
	}
	for _, conditions := range []storage.WriteConditions{options.Conditions, also.Conditions} {
		if conditions == (storage.WriteConditions{}) {
			continue
		}
		if err := b.foresee(key, conditions); err != nil {
			return o, err
		}
	}
	body := &partsBody{data: b.store.data, parts: chosen}
	s, err := b.store.data.stage(ctx, body, b.store.options.InlineLimit, expectation{options.Size, options.MaxSize, options.Digests})
	if err == nil && also.Size > 0 {
		err = expectation{size: also.Size}.check(s, nil)
	}
	if err = errors.Join(err, body.Close()); err != nil {
		b.store.data.discard(s.name)
		return o, err
	}
	s.tag, s.parts = tagOf(chosen), int64(len(chosen))
	return b.commit(ctx, key, s, options, func(tx *sqlite.Tx) ([]string, error) {
		if err := findUpload(tx, b.id, key, upload); err != nil {
			return nil, err
		}
		if err := b.judgeWrite(tx, key, also.Conditions); err != nil {
			return nil, err
		}
		for _, p := range chosen {
			var file string
			err := tx.QueryRow("SELECT file FROM parts WHERE upload = ? AND number = ?", []any{upload, p.number}, &file)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			if file != p.file {
				return nil, fmt.Errorf("%w: part %d was replaced meanwhile", storage.ErrInvalidPart, p.number)
			}
		}
		return removeUpload(tx, upload)
	})
}

// tagOf is the MD5 of the parts' MD5s, as S3 makes ETags of them.
func tagOf(parts []storedPart) []byte {
	h := md5.New()
	for i := range parts {
		h.Write(parts[i].tag())
	}
	return h.Sum(nil)
}

// judgeWrite judges conditions as the transaction sees the key.
func (b *Bucket) judgeWrite(tx *sqlite.Tx, key string, conditions storage.WriteConditions) error {
	if conditions == (storage.WriteConditions{}) {
		return nil
	}
	r, found, err := findRow(tx, b.id, []byte(key))
	if err != nil {
		return err
	}
	if !found || r.expired(b.store.now()) {
		return conditions.Check(nil)
	}
	o, err := r.object()
	if err != nil {
		return err
	}
	return conditions.Check(&o)
}

// choose picks the parts that the caller names.
func choose(stored []storedPart, parts []storage.Part) ([]storedPart, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("%w: no parts", storage.ErrInvalidPart)
	}
	byNumber := make(map[int]storedPart, len(stored))
	for _, p := range stored {
		byNumber[p.number] = p
	}
	chosen := make([]storedPart, 0, len(parts))
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return nil, fmt.Errorf("%w: part %d comes after part %d", storage.ErrInvalidPart, p.Number, parts[i-1].Number)
		}
		s, ok := byNumber[p.Number]
		if !ok || s.etag() != p.ETag || p.SHA256 != "" && hex.EncodeToString(s.sum) != p.SHA256 {
			return nil, fmt.Errorf("%w: part %d was not uploaded with this ETag", storage.ErrInvalidPart, p.Number)
		}
		if p.Digests != (storage.Digests{}) {
			whole, err := s.part()
			if err != nil {
				return nil, err
			}
			whole.Digests.SHA256 = whole.SHA256
			if whole.Digests.Match(p.Digests) != nil || !whole.Digests.Covers(p.Digests) {
				return nil, fmt.Errorf("%w: part %d was not uploaded with this digest", storage.ErrInvalidPart, p.Number)
			}
		}
		chosen = append(chosen, s)
	}
	for _, p := range chosen[:len(chosen)-1] {
		if p.size < storage.MinPartSize {
			return nil, fmt.Errorf("%w: part %d has %d bytes, all but the last need %d", storage.ErrPartTooSmall, p.number, p.size, storage.MinPartSize)
		}
	}
	return chosen, nil
}

// A partsBody reads parts one after the other, and checks their digests.
type partsBody struct {
	data    *dataFiles
	parts   []storedPart
	current file
	verify  *verifier
}

func (p *partsBody) Read(buffer []byte) (int, error) {
	for {
		if p.current == nil {
			if len(p.parts) == 0 {
				return 0, io.EOF
			}
			if err := p.advance(); err != nil {
				return 0, err
			}
		}
		n, err := p.current.Read(buffer)
		p.verify.hash.Write(buffer[:n])
		if err == io.EOF {
			err = errors.Join(p.verify.check(), p.Close())
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (p *partsBody) advance() error {
	next := p.parts[0]
	f, err := p.data.open(next.file, next.size)
	if err != nil {
		return fmt.Errorf("part %d: %w", next.number, err)
	}
	p.parts, p.current, p.verify = p.parts[1:], f, newVerifier(next.sum)
	return nil
}

func (p *partsBody) Close() error {
	if p.current == nil {
		return nil
	}
	err := p.current.Close()
	p.current = nil
	return err
}

// AbortUpload implements [storage.Objects].
func (b *Bucket) AbortUpload(ctx context.Context, key, upload string) error {
	err := b.begin(ctx, key)
	var files []string
	if err == nil {
		err = b.store.db.Update(ctx, func(tx *sqlite.Tx) (err error) {
			if err := findUpload(tx, b.id, key, upload); err != nil {
				return err
			}
			files, err = removeUpload(tx, upload)
			return err
		})
	}
	if err != nil {
		return b.fail("abort upload", key, err)
	}
	b.store.data.remove(files...)
	return nil
}

// removeUpload removes an upload and its parts, and returns their files.
func removeUpload(tx *sqlite.Tx, upload string) ([]string, error) {
	rows, err := tx.Query("SELECT file FROM parts WHERE upload = ?", upload)
	if err != nil {
		return nil, err
	}
	files, err := scanStrings(rows)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec("DELETE FROM parts WHERE upload = ?", upload); err != nil {
		return nil, err
	}
	_, err = tx.Exec("DELETE FROM uploads WHERE id = ?", upload)
	return files, err
}

// ListParts implements [storage.Objects].
func (b *Bucket) ListParts(ctx context.Context, key, upload string) ([]storage.Part, error) {
	parts, err := func() ([]storage.Part, error) {
		if err := b.begin(ctx, key); err != nil {
			return nil, err
		}
		if _, err := b.uploadOptions(ctx, key, upload); err != nil {
			return nil, err
		}
		stored, err := b.storedParts(ctx, upload)
		if err != nil {
			return nil, err
		}
		parts := make([]storage.Part, len(stored))
		for i := range stored {
			if parts[i], err = stored[i].part(); err != nil {
				return nil, err
			}
		}
		return parts, nil
	}()
	if err != nil {
		return nil, b.fail("list parts", key, err)
	}
	return parts, nil
}

// ListUploads implements [storage.Objects].
func (b *Bucket) ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error) {
	uploads, err := b.listUploads(ctx, prefix)
	if err != nil {
		return nil, b.fail("list uploads", prefix, err)
	}
	return uploads, nil
}

func (b *Bucket) listUploads(ctx context.Context, prefix string) ([]storage.Upload, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	rows, err := b.store.db.Reader().QueryContext(ctx, "SELECT key, id, created FROM uploads WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, id", b.id, []byte(prefix), []byte(beyond(prefix)))
	if err != nil {
		return nil, err
	}
	var out []storage.Upload
	for rows.Next() {
		var key []byte
		var u storage.Upload
		var created int64
		if err := rows.Scan(&key, &u.ID, &created); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		u.Key, u.Created = string(key), time.UnixMilli(created).UTC()
		out = append(out, u)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
