// Package r2 is the binding r2_bucket: the operations of the R2 Workers API on
// a bucket of objects.
//
// The messages of its methods, in the words of host/op/ops.json. Times are
// milliseconds of Unix time; numbers and times that are not given are NaN,
// texts that are not given are empty.
//
//	http       str contentType, str contentLanguage, str contentDisposition, str contentEncoding, str cacheControl, f64 cacheExpiry
//	condition  u8 flags (1 matches, 2 does not match, 4 seconds only), list<str etag> matches, list<str etag> doesNotMatch, f64 before, f64 after
//	           an etag is one of "…", W/"…" and *
//	object     str key, str version, f64 size, str etag, f64 uploaded, str storageClass, u8 flags (1 http, 2 custom, 4 range),
//	           http, list<str name, str value> custom, f64 offset, f64 length, list<str algorithm, bytes digest>
//
//	head       str key → u8 found, object
//	get        str key, condition, f64 offset, f64 length, f64 suffix, str range (a header) → u8 state (0 missing, 1 with its body, 2 the condition does not hold), object
//	put        str key, condition, http, list<str, str> custom, str algorithm, bytes digest, str storageClass, and the body → u8 stored, object
//	delete     list<str key> → nothing
//	list       f64 limit, str prefix, str cursor, str delimiter, str startAfter, u8 include (1 http, 2 custom) → str cursor, list<object>, list<str> prefixes
//	create     str key, http, list<str, str> custom, str storageClass → str upload
//	part       str key, str upload, u32 number, and the body → str etag
//	complete   str key, str upload, list<u32 number, str etag> → object
//	abort      str key, str upload → nothing
package r2

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/storage"
)

// The methods of the binding.
const (
	MethodHead = 1 + iota
	MethodGet
	MethodPut
	MethodDelete
	MethodList
	MethodCreate
	MethodPart
	MethodComplete
	MethodAbort
)

// MaxDelete is how many keys one delete takes.
const MaxDelete = 1000

// Options say what a program may do with the bucket.
type Options struct {
	Prefix   string // of all keys; the program doesn't see it
	ReadOnly bool
}

// A bucket implements [binding.Binding].
type bucket struct {
	objects storage.Objects
	options Options
}

// New makes the binding.
func New(objects storage.Objects, options Options) binding.Binding {
	return &bucket{objects, options}
}

// Do implements [binding.Binding].
func (b *bucket) Do(ctx context.Context, c *binding.Call) (binding.Reply, error) {
	method, ok := methods[c.Method]
	if !ok {
		return binding.Reply{}, typeError("%d is not a method of an R2 bucket", c.Method)
	}
	if method.writes && b.options.ReadOnly {
		return binding.Reply{}, codeError(10003, "Access denied: the binding is read-only.")
	}
	r := op.NewReader(c.Arguments)
	reply, err := method.do(b, ctx, r, c)
	return reply, failed(err)
}

var methods = map[uint8]struct {
	writes bool
	do     func(*bucket, context.Context, *op.Reader, *binding.Call) (binding.Reply, error)
}{
	MethodHead:     {false, (*bucket).head},
	MethodGet:      {false, (*bucket).get},
	MethodPut:      {true, (*bucket).put},
	MethodDelete:   {true, (*bucket).delete},
	MethodList:     {false, (*bucket).list},
	MethodCreate:   {true, (*bucket).create},
	MethodPart:     {true, (*bucket).part},
	MethodComplete: {true, (*bucket).complete},
	MethodAbort:    {true, (*bucket).abort},
}

// key is a program's key with the prefix.
func (b *bucket) key(key string) (string, error) {
	if key == "" || len(b.options.Prefix)+len(key) > storage.MaxKeyLength {
		return "", codeError(10020, "The specified object name is not valid.")
	}
	return b.options.Prefix + key, nil
}

// begin ends the reading of a message, and makes the whole key.
func (b *bucket) begin(r *op.Reader, key string) (string, error) {
	if err := r.Done(); err != nil {
		return "", typeError("%s", err)
	}
	return b.key(key)
}

func (b *bucket) head(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	key, err := b.begin(r, r.Str())
	if err != nil {
		return reply, err
	}
	o, err := b.objects.Head(ctx, key)
	w := op.NewWriter(nil)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		w.U8(0)
	case err != nil:
		return reply, err
	default:
		w.U8(1)
		b.writeObject(w, &o, everything, nil)
	}
	return binding.Reply{Answer: w.Message()}, nil
}

// States of the answer to get.
const (
	getMissing = iota
	getBody
	getFailed
)

func (b *bucket) get(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	name := r.Str()
	cond := readCondition(r)
	asked := askedRange{r.F64(), r.F64(), r.F64(), r.Str()}
	key, err := b.begin(r, name)
	if err != nil {
		return reply, err
	}
	if err := cond.check(); err != nil {
		return reply, err
	}
	options := storage.GetOptions{}
	if options.Range, err = asked.storage(); err != nil {
		return reply, err
	}
	content, err := b.objects.Get(ctx, key, options)
	if errors.Is(err, storage.ErrInvalidRange) && asked.header != "" {
		// A header that can't be met means nothing, as in R2.
		options.Range = nil
		content, err = b.objects.Get(ctx, key, options)
	}
	w := op.NewWriter(nil)
	if errors.Is(err, storage.ErrNotFound) {
		w.U8(getMissing)
		return binding.Reply{Answer: w.Message()}, nil
	}
	if err != nil {
		return reply, err
	}
	if !cond.holds(&content.Object) {
		w.U8(getFailed)
		b.writeObject(w, &content.Object, everything, nil)
		return binding.Reply{Answer: w.Message()}, content.Body.Close()
	}
	w.U8(getBody)
	var got *part
	if options.Range != nil {
		got = &part{content.Offset, content.Length}
	}
	b.writeObject(w, &content.Object, everything, got)
	return binding.Reply{Answer: w.Message(), Body: content.Body, Size: content.Length}, nil
}

func (b *bucket) put(ctx context.Context, r *op.Reader, c *binding.Call) (reply binding.Reply, err error) {
	name := r.Str()
	cond := readCondition(r)
	meta := readMetadata(r)
	algorithm, digest := r.Str(), r.Bytes()
	meta.class = r.Str()
	key, err := b.begin(r, name)
	if err != nil {
		return reply, err
	}
	if err := cond.check(); err != nil {
		return reply, err
	}
	options, err := meta.options()
	if err != nil {
		return reply, err
	}
	if options.Digests, err = announced(algorithm, digest); err != nil {
		return reply, err
	}
	if c.Size > 0 {
		options.Size = c.Size
	}
	w := op.NewWriter(nil)
	o, err := b.store(ctx, key, c, options, cond)
	switch {
	case errors.Is(err, storage.ErrPreconditionFailed):
		w.U8(0)
	case err != nil:
		return reply, err
	default:
		w.U8(1)
		b.writeObject(w, &o, everything, nil)
	}
	return binding.Reply{Answer: w.Message()}, nil
}

// store puts a body under a condition.
func (b *bucket) store(ctx context.Context, key string, c *binding.Call, options storage.PutOptions, cond condition) (storage.Object, error) {
	var err error
	if options.Conditions, err = b.writeConditions(ctx, key, cond); err != nil {
		return storage.Object{}, err
	}
	body := c.Body
	if body == nil {
		body = strings.NewReader("")
	}
	return b.objects.Put(ctx, key, body, options)
}

func (b *bucket) delete(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	keys := r.Strs()
	if err := r.Done(); err != nil {
		return reply, typeError("%s", err)
	}
	if len(keys) > MaxDelete {
		return reply, codeError(10029, "At most %d keys can be deleted at once.", MaxDelete)
	}
	for i, key := range keys {
		if keys[i], err = b.key(key); err != nil {
			return reply, err
		}
	}
	if len(keys) == 0 {
		return reply, nil
	}
	return reply, b.objects.Delete(ctx, keys...)
}

func (b *bucket) list(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	limit := r.F64()
	options := storage.ListOptions{Prefix: b.options.Prefix + r.Str(), Cursor: r.Str(), Delimiter: r.Str(), StartAfter: r.Str()}
	include := r.U8() & everything
	if err := r.Done(); err != nil {
		return reply, typeError("%s", err)
	}
	if !math.IsNaN(limit) {
		if limit < 1 || limit > storage.MaxListLimit || limit != math.Trunc(limit) {
			return reply, codeError(10022, "MaxKeys params must be positive integer <= %d.", storage.MaxListLimit)
		}
		options.Limit = int(limit)
	}
	if options.StartAfter != "" {
		options.StartAfter = b.options.Prefix + options.StartAfter
	}
	options.Details = include != 0
	l, err := b.objects.List(ctx, options)
	if err != nil {
		return reply, err
	}
	// A backend that answered with more than was asked for is not believed.
	l.Objects = slices.DeleteFunc(l.Objects, func(o storage.Object) bool { return !strings.HasPrefix(o.Key, b.options.Prefix) })
	l.Prefixes = slices.DeleteFunc(l.Prefixes, func(p string) bool { return !strings.HasPrefix(p, b.options.Prefix) })
	w := op.NewWriter(make([]byte, 0, 256*len(l.Objects)))
	w.Str(l.Cursor)
	w.U32(uint32(len(l.Objects)))
	for i := range l.Objects {
		b.writeObject(w, &l.Objects[i], include, nil)
	}
	w.U32(uint32(len(l.Prefixes)))
	for _, p := range l.Prefixes {
		w.Str(strings.TrimPrefix(p, b.options.Prefix))
	}
	return binding.Reply{Answer: w.Message()}, nil
}

func (b *bucket) create(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	name := r.Str()
	meta := readMetadata(r)
	meta.class = r.Str()
	key, err := b.begin(r, name)
	if err != nil {
		return reply, err
	}
	options, err := meta.options()
	if err != nil {
		return reply, err
	}
	upload, err := b.objects.CreateUpload(ctx, key, options)
	if err != nil {
		return reply, err
	}
	w := op.NewWriter(nil)
	w.Str(upload)
	return binding.Reply{Answer: w.Message()}, nil
}

func (b *bucket) part(ctx context.Context, r *op.Reader, c *binding.Call) (reply binding.Reply, err error) {
	name, upload, number := r.Str(), r.Str(), r.U32()
	key, err := b.begin(r, name)
	if err != nil {
		return reply, err
	}
	if number < 1 || number > storage.MaxParts {
		return reply, typeError("Part number must be between 1 and %d (inclusive). Actual value was: %d", storage.MaxParts, number)
	}
	options := storage.PartOptions{}
	if c.Size > 0 {
		options.Size = c.Size
	}
	body := c.Body
	if body == nil {
		body = strings.NewReader("")
	}
	p, err := b.objects.UploadPart(ctx, key, upload, int(number), body, options)
	if err != nil {
		return reply, err
	}
	w := op.NewWriter(nil)
	w.Str(p.ETag)
	return binding.Reply{Answer: w.Message()}, nil
}

func (b *bucket) complete(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	name, upload, n := r.Str(), r.Str(), r.U32()
	var parts []storage.Part
	for i := uint32(0); i < n && r.Err() == nil; i++ {
		if i >= storage.MaxParts {
			return reply, codeError(10025, "One or more of the specified parts could not be found.")
		}
		parts = append(parts, storage.Part{Number: int(r.U32()), ETag: r.Str()})
	}
	key, err := b.begin(r, name)
	if err != nil {
		return reply, err
	}
	slices.SortStableFunc(parts, func(a, b storage.Part) int { return a.Number - b.Number })
	o, err := b.objects.CompleteUpload(ctx, key, upload, parts, storage.CompleteOptions{})
	if err != nil {
		return reply, err
	}
	w := op.NewWriter(nil)
	b.writeObject(w, &o, everything, nil)
	return binding.Reply{Answer: w.Message()}, nil
}

func (b *bucket) abort(ctx context.Context, r *op.Reader, _ *binding.Call) (reply binding.Reply, err error) {
	name, upload := r.Str(), r.Str()
	key, err := b.begin(r, name)
	if err != nil {
		return reply, err
	}
	return reply, b.objects.AbortUpload(ctx, key, upload)
}

func typeError(format string, a ...any) error {
	return &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf(format, a...)}
}

// milliseconds is a time as the messages have it.
func milliseconds(t time.Time) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixMilli())
}

// timeOf is the inverse; zero for what is no time.
func timeOf(ms float64) time.Time {
	if !(math.Abs(ms) <= 8.64e15) { // ECMAScript, time values
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}
