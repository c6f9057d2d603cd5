package deployment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"mayfly/host/binding"
	"mayfly/host/binding/assets"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/rpc"
	"mayfly/host/worker"
	"mayfly/storage"
)

// Assets are a worker's static files, by path. Their contents were stored
// before, by digest.
type Assets struct {
	Files            map[string]Asset `json:"files"` // by path, as /index.html
	Binding          string           `json:"binding,omitempty"`
	HTMLHandling     string           `json:"html_handling,omitempty"`
	NotFoundHandling string           `json:"not_found_handling,omitempty"`
	RunWorkerFirst   any              `json:"run_worker_first,omitempty"` // true, or patterns of paths; with ! before them exceptions
	// Headers and Redirects are the files of these names.
	Headers   string `json:"_headers,omitempty"`
	Redirects string `json:"_redirects,omitempty"`

	parse sync.Once
	rules *assets.Rules
}

// An Asset is one of them.
type Asset struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Type   string `json:"type,omitempty"`
}

// Bounds of assets.
const (
	maxAssets = 20_000
	// MaxAsset is the size of one asset in bytes.
	MaxAsset = 25 << 20
)

// ErrDigest says that content is not what its digest says.
var ErrDigest = errors.New("the content has another digest")

// A MissingAssets names contents that a manifest needs and that were not stored.
type MissingAssets struct{ Digests []string }

func (e *MissingAssets) Error() string {
	return fmt.Sprintf("%d assets are not stored: PUT /v1/assets/{sha256} stores one", len(e.Digests))
}

// IsDigest says whether a text is a SHA-256 in lower-case hexadecimal.
func IsDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && s == strings.ToLower(s)
}

func assetKey(tenant, digest string) string { return tenant + "/" + digest }

// HasAsset says whether content of a digest is stored.
func (s *Service) HasAsset(ctx context.Context, tenant, digest string) (bool, error) {
	_, err := s.config.Assets.Head(ctx, assetKey(tenant, digest))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PutAsset stores content by its digest.
//
// # Errors
//
// ErrDigest if it has another.
func (s *Service) PutAsset(ctx context.Context, tenant, digest string, content []byte) error {
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != digest {
		return ErrDigest
	}
	_, err := s.config.Assets.Put(ctx, assetKey(tenant, digest), strings.NewReader(string(content)), storage.PutOptions{})
	return err
}

// check names what is wrong with assets.
func (a *Assets) check() error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{"/assets" + field, fmt.Sprintf(format, args...)})
	}
	if len(a.Files) > maxAssets {
		wrong("/files", "has %d members, at most %d are allowed", len(a.Files), maxAssets)
	}
	for name, file := range a.Files {
		field := "/files/" + escape(name)
		if !strings.HasPrefix(name, "/") || path.Clean(name) != name {
			wrong(field, "is no clean path from / on")
		}
		if !IsDigest(file.SHA256) {
			wrong(field+"/sha256", "is no SHA-256 in hexadecimal")
		}
		if file.Size < 0 || file.Size > MaxAsset {
			wrong(field+"/size", "is not between 0 and %d", MaxAsset)
		}
	}
	if len(a.Headers) > assets.MaxRules {
		wrong("/_headers", "has %d bytes, at most %d are allowed", len(a.Headers), assets.MaxRules)
	}
	if len(a.Redirects) > assets.MaxRules {
		wrong("/_redirects", "has %d bytes, at most %d are allowed", len(a.Redirects), assets.MaxRules)
	}
	if !slices.Contains([]string{"", assets.HTMLAuto, assets.HTMLForce, assets.HTMLDrop, assets.HTMLNone}, a.HTMLHandling) {
		wrong("/html_handling", "%q is none of auto-trailing-slash, force-trailing-slash, drop-trailing-slash and none", a.HTMLHandling)
	}
	if !slices.Contains([]string{"", assets.NotFoundNone, assets.NotFoundPage, assets.NotFoundSPA}, a.NotFoundHandling) {
		wrong("/not_found_handling", "%q is none of none, 404-page and single-page-application", a.NotFoundHandling)
	}
	if _, err := a.first(); err != nil {
		wrong("/run_worker_first", "%s", err)
	}
	return errors.Join(errs...)
}

// first says for which paths the worker runs before its assets are looked at.
func (a *Assets) first() (func(path string) bool, error) {
	switch v := a.RunWorkerFirst.(type) {
	case nil:
		return func(string) bool { return false }, nil
	case bool:
		return func(string) bool { return v }, nil
	case []any:
		var with, without []string
		for _, each := range v {
			pattern, ok := each.(string)
			if !ok {
				return nil, errors.New("expected true, or an array of patterns")
			}
			if rest, not := strings.CutPrefix(pattern, "!"); not {
				without = append(without, rest)
			} else {
				with = append(with, pattern)
			}
		}
		matches := func(patterns []string, path string) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { return glob(p, path) })
		}
		return func(path string) bool { return matches(with, path) && !matches(without, path) }, nil
	}
	return nil, errors.New("expected true, or an array of patterns")
}

// glob matches a path with a pattern, where * stands for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}

// stored says which contents are missing.
func (s *Service) stored(ctx context.Context, tenant string, a *Assets) error {
	missing := map[string]struct{}{}
	seen := map[string]struct{}{}
	for _, file := range a.Files {
		if _, again := seen[file.SHA256]; again {
			continue
		}
		seen[file.SHA256] = struct{}{}
		there, err := s.HasAsset(ctx, tenant, file.SHA256)
		if err != nil {
			return err
		}
		if !there {
			missing[file.SHA256] = struct{}{}
		}
	}
	if len(missing) > 0 {
		return &MissingAssets{slices.Sorted(maps.Keys(missing))}
	}
	return nil
}

// files is the source of a manifest's assets.
type files struct {
	service *Service
	tenant  string
	assets  *Assets
}

// Find implements [assets.Source].
func (f *files) Find(_ context.Context, name string) (*assets.File, error) {
	file, ok := f.assets.Files["/"+name]
	if !ok {
		return nil, nil
	}
	return &assets.File{
		Size: file.Size, ETag: file.SHA256, ContentType: file.Type,
		Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
			options := storage.GetOptions{}
			if length < file.Size {
				options.Range = &storage.Range{Offset: offset, Length: length}
			}
			content, err := f.service.config.Assets.Get(ctx, assetKey(f.tenant, file.SHA256), options)
			if err != nil {
				return nil, err
			}
			return content.Body, nil
		},
	}, nil
}

func (s *Service) assetsOf(tenant string, a *Assets) *assets.Assets {
	return assets.NewWith(&files{s, tenant, a}, a.options())
}

func (a *Assets) options() assets.Options {
	notFound := a.NotFoundHandling
	if notFound == "" {
		notFound = assets.NotFoundNone
	}
	html := a.HTMLHandling
	if html == "" {
		html = assets.HTMLAuto
	}
	a.parse.Do(func() { a.rules, _ = assets.ParseRules(a.Redirects, a.Headers) })
	return assets.Options{HTML: html, NotFound: notFound, Rules: a.rules}
}

// Front is what answers requests for a worker with assets, files of a source,
// as deployed ones are answered; the worker is nil if there are only files. The
// binding is that of its env.
//
// # Errors
//
// [*FieldError]s.
func Front(source assets.Source, a *Assets, worker rpc.Target) (target rpc.Target, binding binding.Binding, err error) {
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	first, err := a.first()
	if err != nil {
		return nil, nil, err
	}
	served := assets.NewWith(source, a.options())
	return &front{Target: worker, assets: served, handling: a.NotFoundHandling, first: first}, served, nil
}

// assetsEntry is the binding of a worker's assets.
func (s *Service) assetsEntry(tenant string, a *Assets) binding.Entry {
	return binding.Entry{Name: a.Binding, Kind: binding.KindAssets, Open: func(context.Context) (binding.Binding, error) {
		return s.assetsOf(tenant, a), nil
	}}
}

// A front answers requests for a worker's assets before the worker is asked: a
// target.
type front struct {
	rpc.Target // the worker; nil: there are only assets
	assets     *assets.Assets
	handling   string
	first      func(path string) bool
}

// Fetch implements rpc.Target.
func (f *front) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil && f.Target == nil {
		return nil, &op.ErrorRecord{Name: "TypeError", Message: "the request has no URL"}
	}
	if err != nil || f.Target != nil && r.Method != "GET" && r.Method != "HEAD" {
		return f.Target.Fetch(ctx, r)
	}
	header := make(map[string]string, len(r.Header))
	for _, p := range r.Header {
		header[p.Name] = p.Value
	}
	if f.Target != nil && f.first(u.Path) {
		return f.passThrough(ctx, r, u, header)
	}
	var answer *assets.Response
	switch navigates := header["sec-fetch-mode"] == "navigate"; {
	case r.Method != "GET" && r.Method != "HEAD":
		answer, err = f.assets.Serve(ctx, r.Method, u.EscapedPath(), header)
	default:
		answer, err = f.assets.Find(ctx, r.Method, u.EscapedPath(), header)
		if answer != nil || err != nil {
			break
		}
		if f.Target != nil && (f.handling == assets.NotFoundNone || f.handling == "" || !navigates) {
			return f.passThrough(ctx, r, u, header)
		}
		answer, err = f.assets.NotFound(ctx, r.Method, u.EscapedPath(), header)
	}
	r.Body.Discard()
	if err != nil {
		return nil, err
	}
	return assetResponse(answer, u), nil
}

// Connect implements rpc.Connector: connections are the worker's.
func (f *front) Connect(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
	return rpc.ConnectTo(ctx, f.Target, c)
}

// passThrough asks the worker, with the assets as the origin behind it: where its
// handler fails after ctx.passThroughOnException() they answer a GET or HEAD.
// Where they have nothing, not even a page for what is not there, the failure is
// the answer: a plain 404 would hide it.
func (f *front) passThrough(ctx context.Context, r *rpc.Request, u *url.URL, header map[string]string) (*rpc.Response, error) {
	response, err := f.Target.Fetch(ctx, r)
	var failed *worker.PassThroughError
	if !errors.As(err, &failed) {
		return response, err
	}
	answer, origin := f.assets.Find(ctx, r.Method, u.EscapedPath(), header)
	if answer == nil && origin == nil && f.handling != assets.NotFoundNone && f.handling != "" {
		answer, origin = f.assets.NotFound(ctx, r.Method, u.EscapedPath(), header)
	}
	if origin != nil || answer == nil {
		return nil, errors.Join(err, origin)
	}
	return assetResponse(answer, u), nil
}

// assetResponse is an answer of assets, as workers give theirs.
func assetResponse(answer *assets.Response, u *url.URL) *rpc.Response {
	response := &rpc.Response{Status: answer.Status}
	for _, p := range answer.Header {
		if p.Name == "location" {
			p.Value = assets.WithQuery(p.Value, u.RawQuery)
		}
		if p.Name != "content-length" {
			response.Header = append(response.Header, op.Pair(p))
		}
	}
	if answer.Body != nil {
		response.Body.Stream = pipe.From(answer.Body, answer.Size)
	}
	return response
}
