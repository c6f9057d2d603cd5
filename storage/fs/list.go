package fs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"mayfly/storage"
)

// A position is where a listing goes on: at the first key that is not less.
// It need not be UTF-8.
type position []byte

// after is the position behind one key.
func after(key string) position { return append([]byte(key), 0) }

// beyond is the position behind all keys with a prefix: the next string of
// the same length. Keys are UTF-8, so no byte of one is 0xff.
func beyond(prefix string) position {
	p := []byte(prefix)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			p[i]++
			return p[:i+1]
		}
	}
	return position{0xff}
}

const (
	cursorVersion = 1
	maxCursor     = storage.MaxKeyLength + 1
)

// encode makes a cursor. The checksum tells a mangled one from a good one; it
// is no secret, for a cursor gives no more than StartAfter does.
func (p position) encode() string {
	b := append([]byte{cursorVersion}, p...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodePosition(cursor string) (position, error) {
	if len(cursor) > base64.RawURLEncoding.EncodedLen(maxCursor+5) {
		return nil, fmt.Errorf("%w: it is too long", storage.ErrInvalidCursor)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 5 || b[0] != cursorVersion {
		return nil, storage.ErrInvalidCursor
	}
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if binary.LittleEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
		return nil, fmt.Errorf("%w: its checksum is wrong", storage.ErrInvalidCursor)
	}
	return body[1:], nil
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
	case limit == 0 || limit > storage.MaxListLimit:
		limit = storage.MaxListLimit
	case len(options.Prefix) > storage.MaxKeyLength || len(options.StartAfter) > storage.MaxKeyLength || len(options.Delimiter) > storage.MaxKeyLength:
		return l, fmt.Errorf("%w: longer than a key", storage.ErrInvalidOption)
	}
	next := position(options.Prefix)
	if options.StartAfter != "" {
		next = later(next, after(options.StartAfter))
	}
	if options.Cursor != "" {
		p, err := decodePosition(options.Cursor)
		if err != nil {
			return l, err
		}
		next = later(next, p)
	}
	scan := &lister{bucket: b, options: options, limit: limit, next: next, end: beyond(options.Prefix)}
	for !scan.done {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		if err := scan.step(); err != nil {
			return l, err
		}
	}
	return scan.listing, nil
}

func later(a, b position) position {
	if bytes.Compare(a, b) < 0 {
		return b
	}
	return a
}

// A lister walks over rows, and jumps over groups.
type lister struct {
	bucket  *Bucket
	options storage.ListOptions
	limit   int
	next    position
	end     position
	listing storage.Listing
	done    bool
}

const listQuery = "SELECT " + rowColumns + " FROM objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"

// step reads rows from next on. One more than is wanted shows whether there
// is another page.
func (s *lister) step() (err error) {
	have := len(s.listing.Objects) + len(s.listing.Prefixes)
	want := s.limit - have + 1
	rows, err := s.bucket.store.db.Reader().QueryContext(context.Background(), listQuery, s.bucket.id, []byte(s.next), []byte(s.end), want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	now := s.bucket.store.now()
	n := 0
	for rows.Next() {
		n++
		var r row
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		if bytes.Compare(r.key, s.next) < 0 {
			continue // in a group that has been jumped over
		}
		if err := r.verify(); err != nil {
			return fmt.Errorf("%q: %w", r.key, err)
		}
		if r.expired(now) {
			s.next = after(string(r.key))
			continue
		}
		o, err := r.object()
		if err != nil {
			return err
		}
		if s.add(o); s.done {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	s.done = n < want
	return nil
}

// add takes an object into the listing, by itself or by its group.
func (s *lister) add(o storage.Object) {
	if len(s.listing.Objects)+len(s.listing.Prefixes) == s.limit {
		s.listing.Cursor = s.next.encode()
		s.done = true
		return
	}
	if d := s.options.Delimiter; d != "" {
		if i := strings.Index(o.Key[len(s.options.Prefix):], d); i >= 0 {
			group := o.Key[:len(s.options.Prefix)+i+len(d)]
			s.listing.Prefixes = append(s.listing.Prefixes, group)
			s.next = beyond(group)
			return
		}
	}
	s.listing.Objects = append(s.listing.Objects, o)
	s.next = after(o.Key)
}
