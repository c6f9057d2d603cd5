package execution

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"mayfly/host/binding"
	"mayfly/host/binding/assets"
	"mayfly/host/binding/kv"
	"mayfly/host/binding/r2"
	"mayfly/host/egress"
	"mayfly/host/op"
	"mayfly/host/secret"
	"mayfly/host/vfs"
	"mayfly/storage"
	kvstore "mayfly/storage/kv"
)

// A Binding is a capability that a program is given under a name: it finds it
// as env.NAME.
type Binding struct {
	Name string `json:"name"` // an identifier of JavaScript
	// Type is one of r2_bucket, kv_namespace, var, secret, fetcher and assets.
	// Which of the other fields count is said with each.
	Type      string          `json:"type"`
	Bucket    string          `json:"bucket,omitempty"`    // r2_bucket; assets, unless Files is set
	Namespace string          `json:"namespace,omitempty"` // kv_namespace
	Prefix    string          `json:"prefix,omitempty"`    // r2_bucket, kv_namespace, assets: of all keys, which the program doesn't see
	ReadOnly  bool            `json:"read_only,omitempty"` // r2_bucket, kv_namespace
	Value     json.RawMessage `json:"value,omitempty"`     // var: any JSON
	Secret    string          `json:"secret,omitempty"`    // secret: its name in the server's store
	Network   Network         `json:"network,omitzero"`    // fetcher: where it may go, whatever the execution itself may
	BaseURL   string          `json:"base_url,omitempty"`  // fetcher: what relative URLs are relative to
	Files     string          `json:"files,omitempty"`     // assets: a directory of the execution's own files
	Limits    binding.Limits  `json:"limits,omitzero"`     // all but var and secret
}

// Buckets opens tenants' buckets by name.
type Buckets interface {
	// Open opens a bucket. Closing it closes only the handle.
	//
	// # Errors
	//
	// One that wraps storage.ErrNoSuchBucket or storage.ErrInvalidBucket if the
	// tenant has none of that name.
	Open(ctx context.Context, tenant, name string) (storage.Objects, error)
}

// Bounds on the bindings of one request.
const (
	maxBindings    = 100
	maxBindingName = 100      // bytes
	maxEnvironment = 1 << 20  // bytes of all values, as in Workers
	kvMemory       = 64 << 20 // bytes of large values on their way, of one execution
	kvWait         = 30 * time.Second
)

// identifier says whether a name is one in JavaScript and Python alike.
func identifier(name string) bool {
	if name == "" || len(name) > maxBindingName || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$')
	})
}

// CheckBindings names each field of a binding that is wrong, with an
// [*InvalidError] for each.
func (s *Service) CheckBindings(bindings []Binding) error {
	var errs []error
	seen := map[string]bool{}
	size := 0
	if len(bindings) > maxBindings {
		return &InvalidError{"/bindings", fmt.Sprintf("has %d members, at most %d are allowed", len(bindings), maxBindings)}
	}
	for i := range bindings {
		b := &bindings[i]
		field := "/bindings/" + b.Name
		invalid := func(member, format string, a ...any) {
			errs = append(errs, &InvalidError{field + member, fmt.Sprintf(format, a...)})
		}
		if !identifier(b.Name) || b.Name == "__proto__" {
			invalid("", "is not a name: expected up to %d characters of A-Z a-z 0-9 _ $, the first no digit", maxBindingName)
			continue
		}
		if seen[b.Name] {
			invalid("", "is there twice")
		}
		seen[b.Name] = true
		size += len(b.Value)
		for _, l := range []struct {
			name  string
			value int64
		}{{"operations", int64(b.Limits.Operations)}, {"read_bytes", b.Limits.ReadBytes}, {"write_bytes", b.Limits.WriteBytes}} {
			if l.value < 0 {
				invalid("/limits/"+l.name, "is less than zero")
			}
		}
		offered := true
		switch b.Type {
		case binding.KindR2:
			if offered = s.config.Buckets != nil; offered {
				checkBucket(invalid, b)
			}
		case binding.KindKV:
			if offered = s.config.KV != nil; !offered {
				break
			}
			if err := kvstore.ValidateName(b.Namespace); err != nil {
				invalid("/namespace", "expected 1 to %d characters A-Z a-z 0-9 . _ -", kvstore.MaxName)
			}
			if len(b.Prefix) >= kvstore.MaxKeyLength {
				invalid("/prefix", "leaves no room for a key of %d bytes", kvstore.MaxKeyLength)
			}
		case binding.KindVar:
			if !json.Valid(b.Value) {
				invalid("/value", "expected a value")
			}
		case binding.KindSecret:
			if offered = s.config.Secrets != nil; offered && secret.CheckName(b.Secret) != nil {
				invalid("/secret", "expected the name of a secret")
			}
		case binding.KindFetcher:
			if _, err := s.compile(&b.Network, field+"/network"); err != nil {
				errs = append(errs, err)
			}
			if b.BaseURL != "" {
				if u, err := url.Parse(b.BaseURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
					invalid("/base_url", "expected an absolute URL of http or https")
				}
			}
		case binding.KindAssets:
			switch {
			case (b.Files == "") == (b.Bucket == ""):
				invalid("/files", "expected either files or bucket")
			case b.Files != "" && len(b.Files) > 4096:
				invalid("/files", "longer than 4096 bytes")
			case b.Bucket != "":
				if offered = s.config.Buckets != nil; offered {
					checkBucket(invalid, b)
				}
			}
		case "":
			invalid("/type", "required: one of %s", bindingTypes)
		default:
			invalid("/type", "%q is not one of %s", b.Type, bindingTypes)
		}
		if !offered {
			invalid("/type", "%s is not offered by this server", b.Type)
		}
	}
	if size > maxEnvironment {
		errs = append(errs, &InvalidError{"/bindings", fmt.Sprintf("has values of %d bytes, at most %d are allowed", size, maxEnvironment)})
	}
	return errors.Join(errs...)
}

// anonymous is the tenant of whoever needs no key, as storage/catalog names it:
// the empty name means it too.
const anonymous = "default"

const bindingTypes = "r2_bucket, kv_namespace, var, secret, fetcher, assets"

func checkBucket(invalid func(member, format string, a ...any), b *Binding) {
	if storage.ValidateBucket(b.Bucket) != nil {
		invalid("/bucket", "expected 3 to 63 characters a-z, 0-9 and hyphens inside")
	}
	if len(b.Prefix) >= storage.MaxKeyLength {
		invalid("/prefix", "leaves no room for a key of %d bytes", storage.MaxKeyLength)
	}
}

// Bound are bindings that are ready to be used.
type Bound struct {
	Entries []binding.Entry // in the order of their handles, which begin with 1
	// Policies are those of fetchers, by handle: their operations are not the
	// entry's.
	Policies map[uint32]*egress.Policy
}

// Bind makes bindings of a tenant ready to be used; nothing of them is opened
// before it is. files are those that assets may be served from, or nil.
//
// # Errors
//
// An [*InvalidError] that names the binding's field.
func (s *Service) Bind(ctx context.Context, tenant string, bindings []Binding, files *vfs.Tree) (Bound, error) {
	var bound Bound
	if len(bindings) == 0 {
		return bound, nil
	}
	memory := kv.NewMemory(kvMemory, kvWait)
	list := slices.Clone(bindings)
	slices.SortFunc(list, func(x, y Binding) int { return strings.Compare(x.Name, y.Name) })
	for i := range list {
		d := &list[i]
		e := binding.Entry{Name: d.Name, Kind: d.Type, Limits: d.Limits}
		switch d.Type {
		case binding.KindR2:
			e.Open = func(ctx context.Context) (binding.Binding, error) {
				objects, err := s.openBucket(ctx, tenant, d.Bucket)
				if err != nil {
					return nil, err
				}
				return r2.New(objects, r2.Options{Prefix: d.Prefix, ReadOnly: d.ReadOnly}), nil
			}
		case binding.KindKV:
			e.Open = func(ctx context.Context) (binding.Binding, error) {
				n, err := s.config.KV.Open(ctx, cmp.Or(tenant, anonymous), d.Namespace)
				if err != nil {
					return nil, err
				}
				return kv.New(n, kv.Options{Prefix: d.Prefix, ReadOnly: d.ReadOnly, Memory: memory}), nil
			}
		case binding.KindVar:
			e.Value = d.Value
		case binding.KindSecret:
			value, err := s.config.Secrets.Value(ctx, tenant, d.Secret)
			if errors.Is(err, secret.ErrNotFound) {
				return bound, &InvalidError{"/bindings/" + d.Name + "/secret", fmt.Sprintf("there is no secret %q", d.Secret)}
			}
			if err != nil {
				return bound, err
			}
			e.Value = []byte(value)
		case binding.KindFetcher:
			e.Value = []byte(d.BaseURL)
			policy, err := s.compile(&d.Network, "/bindings/"+d.Name+"/network")
			if err != nil {
				return bound, err
			}
			if bound.Policies == nil {
				bound.Policies = map[uint32]*egress.Policy{}
			}
			bound.Policies[uint32(i+1)] = policy
		case binding.KindAssets:
			e.Direct = d.Files != ""
			e.Open = func(ctx context.Context) (binding.Binding, error) {
				if d.Files != "" {
					return assets.New(&fileSource{files, absolutePath(d.Files)}), nil
				}
				objects, err := s.openBucket(ctx, tenant, d.Bucket)
				if err != nil {
					return nil, err
				}
				return assets.New(assets.NewBucket(objects, d.Prefix)), nil
			}
		}
		bound.Entries = append(bound.Entries, e)
	}
	return bound, nil
}

func (s *Service) openBucket(ctx context.Context, tenant, name string) (storage.Objects, error) {
	objects, err := s.config.Buckets.Open(ctx, tenant, name)
	if errors.Is(err, storage.ErrNoSuchBucket) || errors.Is(err, storage.ErrInvalidBucket) {
		return nil, r2.ErrNoBucket
	}
	return objects, err
}

// bound is the session with the bindings.
func (b *sandbox) bound() *binding.Session {
	if b.bindings == nil {
		b.bindings = binding.NewSession(binding.Options{Bindings: b.env.Entries, Settle: b.iso.Settle, Bodies: b.cell.bodies(), Log: b.service.config.Log})
	}
	return b.bindings
}

// isBinding says whether a body is of a binding. Messages that can't be read are
// for the network to refuse.
func (b *sandbox) isBinding(o op.Op, in []byte) bool {
	r := op.NewReader(in)
	switch handle := r.U32(); o {
	case op.BodyRead:
		return binding.OwnsBody(handle)
	case op.BodyWrite:
		return b.bindings != nil && b.bindings.OwnsUpload(handle)
	}
	return false
}

// startBinding begins the operation of a binding.
func (b *sandbox) startBinding(id uint32, in []byte) {
	r := op.NewReader(in)
	handle := r.U32()
	policy, found := b.env.Policies[handle]
	if !found {
		b.bound().Start(op.Binding, id, in)
		return
	}
	_ = r.U8() // there is one method
	message := r.Bytes()
	if r.Err() != nil || r.U8() != 0 || len(r.Bytes()) != 0 || r.Done() != nil {
		b.iso.Settle(id, false, op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: op.ErrMessage.Error()}))
		return
	}
	if err := b.bound().Spend(handle); err != nil {
		b.iso.Settle(id, false, op.EncodeError(errorRecord(err)))
		return
	}
	b.net().StartVia(policy, id, message)
}

// fileSource has the files of an execution below a directory, as assets.
type fileSource struct {
	files *vfs.Tree
	root  string
}

// Find implements [assets.Source].
func (s *fileSource) Find(_ context.Context, name string) (*assets.File, error) {
	file := path.Join(s.root, name)
	info, err := s.files.Stat(file)
	if err != nil || info.Kind != vfs.File {
		return nil, nil
	}
	return &assets.File{
		Size: info.Size,
		ETag: fmt.Sprintf("%x-%x", info.Size, info.Mtime.UnixNano()),
		Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
			content, err := s.files.Read(file)
			if err != nil {
				return nil, err
			}
			// The program may write to the file while its old content is read.
			return io.NopCloser(bytes.NewReader(bytes.Clone(content[offset : offset+length]))), nil
		},
	}, nil
}
