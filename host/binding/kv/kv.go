// Package kv is the binding kv_namespace: the operations of Workers KV on a
// namespace of storage/kv.
//
// The messages of its methods, in the words of host/op/ops.json:
//
//	get     list<str key>, u8 flags (1 with metadata, 2 many)
//	        one key: u8 found, str metadata (JSON, or empty), and the value as the body
//	        many: list<u8 found, str metadata, bytes value>
//	put     str key, f64 expiration, f64 expirationTtl (seconds; NaN: none), str metadata (JSON, or empty), and the value as the body
//	        nothing
//	delete  str key
//	        nothing
//	list    f64 limit (NaN: none), str prefix, str cursor
//	        list<str name, f64 expiration (NaN: never), str metadata>, u8 complete, str cursor
package kv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/storage"
	"mayfly/storage/kv"
)

// The methods of the binding.
const (
	MethodGet    = 1
	MethodPut    = 2
	MethodDelete = 3
	MethodList   = 4
)

// Limits of Workers KV that storage does not know of.
const (
	MinTTL  = 60  // seconds that a value lives at least
	MaxKeys = 100 // of one get of many
)

// smallValue is what values may have together that don't count in [Memory]:
// so many bytes an operation holds anyway.
const smallValue = 256 << 10

// Flags of get.
const (
	getMetadata = 1
	getMany     = 2
)

// Options say what a program may do with the namespace.
type Options struct {
	Prefix   string // of all keys; the program doesn't see it
	ReadOnly bool
	Memory   *Memory          // nil: no bound
	Now      func() time.Time // nil: time.Now
}

// A namespace implements [binding.Binding].
type namespace struct {
	kv.Namespace
	options Options
}

// New makes the binding.
func New(n kv.Namespace, options Options) binding.Binding {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &namespace{n, options}
}

// Do implements [binding.Binding].
func (n *namespace) Do(ctx context.Context, c *binding.Call) (binding.Reply, error) {
	r := op.NewReader(c.Arguments)
	switch c.Method {
	case MethodGet:
		return n.get(ctx, r)
	case MethodPut:
		return binding.Reply{}, n.put(ctx, r, c)
	case MethodDelete:
		key := r.Str()
		if err := n.may("DELETE", r, key); err != nil {
			return binding.Reply{}, err
		}
		return binding.Reply{}, failed("DELETE", n.Delete(ctx, n.options.Prefix+key))
	case MethodList:
		return n.list(ctx, r)
	}
	return binding.Reply{}, &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf("%d is not a method of a KV namespace", c.Method)}
}

// failure is an error as Workers KV words it: with the status that its HTTP
// interface has.
func failure(method string, status int, format string, a ...any) error {
	return &op.ErrorRecord{Name: "Error", Code: strconv.Itoa(status), Message: fmt.Sprintf("KV %s failed: %d %s", method, status, fmt.Sprintf(format, a...))}
}

// failed words an error of the store.
func failed(method string, err error) error {
	var told *op.ErrorRecord
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return told
	case errors.Is(err, kv.ErrInvalidKey):
		return failure(method, http.StatusBadRequest, "The key is not valid.")
	case errors.Is(err, kv.ErrTooLarge):
		return failure(method, http.StatusRequestEntityTooLarge, "Value length exceeds limit of %d.", kv.MaxValue)
	case errors.Is(err, storage.ErrInvalidCursor):
		return failure(method, http.StatusBadRequest, "The cursor is not valid.")
	case errors.Is(err, storage.ErrNoSpace):
		return failure(method, http.StatusInsufficientStorage, "The store is full.")
	case errors.Is(err, storage.ErrReadOnly):
		return failure(method, http.StatusServiceUnavailable, "The store can't be written to.")
	}
	return err
}

// may checks a message to its end, a key, and that the program may write.
func (n *namespace) may(method string, r *op.Reader, key string) error {
	if err := r.Done(); err != nil {
		return &op.ErrorRecord{Name: "TypeError", Message: err.Error()}
	}
	if method != "GET" && n.options.ReadOnly {
		return failure(method, http.StatusForbidden, "The binding is read-only.")
	}
	return n.checkKey(method, key)
}

// checkKey holds the program's own part of a key to the rules too: with a
// prefix, "." would pass.
func (n *namespace) checkKey(method, key string) error {
	typeError := func(format string, a ...any) error {
		return &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf(format, a...)}
	}
	switch whole := n.options.Prefix + key; {
	case key == "":
		return typeError("Key name cannot be empty.")
	case key == "." || key == "..":
		return typeError("%q is not allowed as a key name.", key)
	case len(whole) > kv.MaxKeyLength:
		return failure(method, http.StatusRequestURITooLong, "UTF-8 encoded length of %d exceeds key length limit of %d.", len(whole), kv.MaxKeyLength)
	}
	return nil
}

func (n *namespace) get(ctx context.Context, r *op.Reader) (binding.Reply, error) {
	keys := r.Strs()
	flags := r.U8()
	if err := r.Done(); err != nil {
		return binding.Reply{}, &op.ErrorRecord{Name: "TypeError", Message: err.Error()}
	}
	method := "GET"
	switch many := flags&getMany != 0; {
	case many && len(keys) > MaxKeys:
		return binding.Reply{}, failure("GET_BULK", http.StatusBadRequest, "You can request a maximum of %d keys", MaxKeys)
	case many:
		method = "GET_BULK"
	case len(keys) != 1:
		return binding.Reply{}, failure(method, http.StatusBadRequest, "Expected one key.")
	}
	whole := make([]string, len(keys))
	for i, key := range keys {
		if err := n.checkKey(method, key); err != nil {
			return binding.Reply{}, err
		}
		whole[i] = n.options.Prefix + key
	}
	release := func(int) {}
	list, err := n.Get(ctx, smallValue, whole...)
	if errors.Is(err, kv.ErrTooLarge) {
		if release, err = n.options.Memory.acquire(ctx, kv.MaxValue); err != nil {
			return binding.Reply{}, err
		}
		list, err = n.Get(ctx, kv.MaxValue, whole...)
	}
	if err != nil {
		release(0)
		return binding.Reply{}, failed(method, err)
	}
	if flags&getMany == 0 {
		e := list[0]
		release(len(e.Value))
		w := op.NewWriter(nil)
		w.U8(flag(e.Found))
		w.Bytes(e.Metadata)
		reply := binding.Reply{Answer: w.Message()}
		if e.Found {
			reply.Body, reply.Size = &value{Reader: bytes.NewReader(e.Value), release: release}, int64(len(e.Value))
		} else {
			release(0)
		}
		return reply, nil
	}
	defer release(0)
	w := op.NewWriter(nil)
	w.U32(uint32(len(list)))
	for _, e := range list {
		w.U8(flag(e.Found))
		w.Bytes(e.Metadata)
		w.Bytes(e.Value)
	}
	return binding.Reply{Answer: w.Message()}, nil
}

// A value is a body that gives its memory back when it is closed.
type value struct {
	*bytes.Reader
	release func(int)
}

func (v *value) Close() error {
	v.release(0)
	return nil
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func (n *namespace) put(ctx context.Context, r *op.Reader, c *binding.Call) error {
	const method = "PUT"
	key, expiration, ttl, metadata := r.Str(), r.F64(), r.F64(), r.Bytes()
	if err := n.may(method, r, key); err != nil {
		return err
	}
	options := kv.PutOptions{}
	var err error
	if options.Expiration, err = n.expiration(expiration, ttl); err != nil {
		return err
	}
	if len(metadata) > 0 {
		if len(metadata) > kv.MaxMetadata {
			return failure(method, http.StatusRequestEntityTooLarge, "Metadata length of %d exceeds limit of %d.", len(metadata), kv.MaxMetadata)
		}
		if !json.Valid(metadata) {
			return failure(method, http.StatusBadRequest, "Metadata must be JSON.")
		}
		options.Metadata = metadata
	}
	if c.Body == nil {
		return &op.ErrorRecord{Name: "TypeError", Message: "KV put() needs a value"}
	}
	size := int64(kv.MaxValue)
	if c.Size >= 0 {
		size = c.Size
	}
	if size > smallValue {
		release, err := n.options.Memory.acquire(ctx, size)
		if err != nil {
			return err
		}
		defer release(0)
	}
	content, err := io.ReadAll(io.LimitReader(c.Body, kv.MaxValue+1))
	if err != nil {
		return err
	}
	if len(content) > kv.MaxValue {
		size := fmt.Sprint("more than ", kv.MaxValue)
		if c.Size >= 0 {
			size = fmt.Sprint(c.Size)
		}
		return failure(method, http.StatusRequestEntityTooLarge, "Value length of %s exceeds limit of %d.", size, kv.MaxValue)
	}
	return failed(method, n.Put(ctx, n.options.Prefix+key, content, options))
}

// expiration is when a value ends: expirationTtl comes before expiration.
func (n *namespace) expiration(at, ttl float64) (time.Time, error) {
	const method = "PUT"
	now := n.options.Now().Unix()
	switch {
	case !math.IsNaN(ttl):
		if ttl = math.Trunc(ttl); ttl <= 0 || ttl > maxSeconds {
			return time.Time{}, failure(method, http.StatusBadRequest, "Invalid expiration_ttl of %.0f. Please specify integer greater than 0.", ttl)
		}
		if ttl < MinTTL {
			return time.Time{}, failure(method, http.StatusBadRequest, "Invalid expiration_ttl of %.0f. Expiration TTL must be at least %d.", ttl, MinTTL)
		}
		return time.Unix(now+int64(ttl), 0), nil
	case !math.IsNaN(at):
		if at = math.Trunc(at); at <= float64(now) || at > maxSeconds {
			return time.Time{}, failure(method, http.StatusBadRequest, "Invalid expiration of %.0f. Please specify integer greater than the current number of seconds since the UNIX epoch.", at)
		}
		if at < float64(now+MinTTL) {
			return time.Time{}, failure(method, http.StatusBadRequest, "Invalid expiration of %.0f. Expiration times must be at least %d seconds in the future.", at, MinTTL)
		}
		return time.Unix(int64(at), 0), nil
	}
	return time.Time{}, nil
}

// maxSeconds bounds times: the year 9999.
const maxSeconds = 253402300799

func (n *namespace) list(ctx context.Context, r *op.Reader) (binding.Reply, error) {
	const method = "GET"
	limit, prefix, cursor := r.F64(), r.Str(), r.Str()
	if err := r.Done(); err != nil {
		return binding.Reply{}, &op.ErrorRecord{Name: "TypeError", Message: err.Error()}
	}
	options := kv.ListOptions{Prefix: n.options.Prefix + prefix, Cursor: cursor}
	if !math.IsNaN(limit) {
		switch limit = math.Trunc(limit); {
		case limit < 1:
			return binding.Reply{}, failure(method, http.StatusBadRequest, "Invalid key_count_limit of %.0f. Please specify an integer greater than 0.", limit)
		case limit > kv.MaxListLimit:
			return binding.Reply{}, failure(method, http.StatusBadRequest, "Invalid key_count_limit of %.0f. Please specify an integer less than %d.", limit, kv.MaxListLimit)
		}
		options.Limit = int(limit)
	}
	if len(options.Prefix) > kv.MaxKeyLength {
		return binding.Reply{}, failure(method, http.StatusRequestURITooLong, "UTF-8 encoded length of %d exceeds key length limit of %d.", len(options.Prefix), kv.MaxKeyLength)
	}
	l, err := n.List(ctx, options)
	if err != nil {
		return binding.Reply{}, failed(method, err)
	}
	w := op.NewWriter(nil)
	w.U32(uint32(len(l.Keys)))
	for _, k := range l.Keys {
		w.Str(strings.TrimPrefix(k.Name, n.options.Prefix))
		if k.Expiration.IsZero() {
			w.F64(math.NaN())
		} else {
			w.F64(float64(k.Expiration.Unix()))
		}
		w.Bytes(k.Metadata)
	}
	w.U8(flag(l.Cursor == ""))
	w.Str(l.Cursor)
	return binding.Reply{Answer: w.Message()}, nil
}
