package deployment

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/host/worker"
	"mayfly/runtime/isolate"
	"mayfly/storage"
	"mayfly/storage/meta"
)

// Config configures a Service. Records, Workers and Executions are required.
type Config struct {
	Records    meta.Workers
	Workers    *worker.Service
	Executions *execution.Service
	Assets     storage.Objects // contents of static files
	// Secrets keeps the workers' own; nil: they have none.
	Secrets Secrets
	// Domains are those of which each subdomain is a worker: NAME.DOMAIN is that
	// of the default tenant, NAME.TENANT.DOMAIN another's.
	Domains []string
	// PerTenant is how many workers a tenant may have deployed; 0: 10,000. Keep
	// is how many versions of each are kept; 0: 100.
	PerTenant, Keep int
	Log             *slog.Logger // nil: slog.Default()
}

// DefaultTenant is who needs no key.
const DefaultTenant = "default"

// What can go wrong.
var (
	ErrNotFound = errors.New("there is no such worker")
	ErrVersion  = errors.New("the worker has no such version")
	ErrTooMany  = errors.New("the tenant has as many workers as it may")
	ErrTaken    = errors.New("the host name leads to another worker")
)

// A Service keeps deployed workers. It is safe for concurrent use.
type Service struct {
	config Config

	deploying sync.Mutex // one deployment at a time: what is current follows the records

	mu      sync.RWMutex
	current map[key]*deployed
	domains map[string]key
	crons   map[key][]string
}

type key struct{ tenant, name string }

// deployed is a worker's current version, running or not.
type deployed struct {
	record    meta.Worker
	evaluated time.Duration // CPU of the evaluation at its deployment
	once      sync.Mutex
	target    *worker.Worker // nil: not loaded yet
	front     *front         // before it; nil: it has no assets
	closed    bool
}

// Open finds the workers that were deployed.
func Open(ctx context.Context, config Config) (*Service, error) {
	if config.PerTenant == 0 {
		config.PerTenant = 10_000
	}
	if config.Keep == 0 {
		config.Keep = 100
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	s := &Service{config: config, current: map[key]*deployed{}, domains: map[string]key{}, crons: map[key][]string{}}
	err := config.Records.AllWorkers(ctx, func(w meta.Worker) error {
		s.current[key{w.Tenant, w.Name}] = &deployed{record: w}
		return nil
	})
	if err != nil {
		return nil, err
	}
	domains, err := config.Records.WorkerDomains(ctx)
	if err != nil {
		return nil, err
	}
	for domain, w := range domains {
		s.domains[domain] = key{w.Tenant, w.Name}
	}
	err = config.Records.WorkerCrons(ctx, func(tenant, name string, crons []string) { s.crons[key{tenant, name}] = crons })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends what runs.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.current {
		d.close()
	}
	clear(s.current)
}

func (d *deployed) close() {
	d.once.Lock()
	defer d.once.Unlock()
	d.closed = true
	if d.target != nil {
		d.target.Close()
	}
}

// A Version is a deployment of a worker.
type Version struct {
	ID      string
	Number  int
	Created time.Time
	Current bool
}

// An Info describes a worker.
type Info struct {
	Name     string
	Version  string
	Created  time.Time
	Updated  time.Time
	Manifest *Manifest // nil in lists
}

// Deploy makes a manifest the current version of a worker, or a worker of it: all
// of it, or nothing. Its modules are evaluated first. Requests under way end on
// the version before.
//
// # Errors
//
// [ErrName], [*FieldError]s, [*execution.InvalidError]s of bindings, ErrTooMany,
// ErrTaken, a [*StartError].
func (s *Service) Deploy(ctx context.Context, tenant, name string, m *Manifest) (Info, bool, error) {
	if err := CheckName(name); err != nil {
		return Info{}, false, err
	}
	if m.KeepVars {
		if err := s.keepVars(ctx, tenant, name, m); err != nil {
			return Info{}, false, err
		}
	}
	version := strings.ToLower(rand.Text()[:20])
	def, err := s.define(ctx, tenant, name, version, m)
	if err != nil {
		return Info{}, false, err
	}
	if m.Assets != nil {
		if err := s.stored(ctx, tenant, m.Assets); err != nil {
			return Info{}, false, err
		}
	}
	// Without the lock: programs take as long as they may.
	evaluated, err := s.evaluate(ctx, def)
	if err != nil {
		return Info{}, false, err
	}
	s.deploying.Lock()
	defer s.deploying.Unlock()
	stored, err := encode(m)
	if err != nil {
		return Info{}, false, err
	}
	record, created, err := s.config.Records.DeployWorker(ctx, tenant, name, version, stored, m.triggers(), s.config.PerTenant, s.config.Keep)
	switch {
	case errors.Is(err, meta.ErrTooMany):
		return Info{}, false, ErrTooMany
	case errors.Is(err, meta.ErrTaken):
		return Info{}, false, fmt.Errorf("%w: %w", ErrTaken, err)
	case err != nil:
		return Info{}, false, err
	}
	s.replace(&deployed{record: record, evaluated: evaluated}, m.triggers())
	return infoOf(record, m), created, nil
}

// A StartError says that a worker's modules could not be evaluated: by an error
// that they threw, or a limit.
type StartError struct{ Err error }

func (e *StartError) Error() string {
	var record *op.ErrorRecord
	if !errors.As(e.Err, &record) {
		return e.Err.Error()
	}
	text := "Uncaught " + record.Error()
	if record.Stack != "" {
		text += "\n" + strings.TrimRight(record.Stack, "\n")
	}
	return text
}

func (e *StartError) Unwrap() error { return e.Err }

// evaluate evaluates a worker's modules, and answers the CPU time that it took. If
// their guest is not ready, or there is no room, the first request does it. What
// they left is kept as other code is that nobody uses: a worker that nobody asks
// takes no memory.
func (s *Service) evaluate(ctx context.Context, def *worker.Definition) (time.Duration, error) {
	if def.Code == nil {
		return 0, nil // there are only assets
	}
	w := s.config.Workers.Worker(*def)
	defer w.Close()
	cpu, err := w.Evaluate(ctx)
	var ended *worker.OutcomeError
	switch {
	case err == nil:
		return cpu, nil
	case errors.As(err, new(*execution.OverloadError)), errors.As(err, &ended) && ended.Outcome == isolate.LoadShed:
		return 0, nil
	case errors.As(err, new(*worker.InternalError)):
		return 0, err
	case errors.As(err, new(*op.ErrorRecord)):
		return 0, &StartError{err}
	}
	return 0, err
}

func infoOf(w meta.Worker, m *Manifest) Info {
	return Info{Name: w.Name, Version: w.Version, Created: w.Created, Updated: w.Updated, Manifest: m}
}

// keepVars adds the variables of the version before.
func (s *Service) keepVars(ctx context.Context, tenant, name string, m *Manifest) error {
	before, err := s.Get(ctx, tenant, name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for name, b := range before.Manifest.Bindings {
		var head struct {
			Type string `json:"type"`
		}
		if _, given := m.Bindings[name]; given || json.Unmarshal(b, &head) != nil || head.Type != "var" {
			continue
		}
		if m.Bindings == nil {
			m.Bindings = map[string]json.RawMessage{}
		}
		m.Bindings[name] = b
	}
	return nil
}

// replace makes a record the current one. What ran before ends when it has
// nothing left to do.
func (s *Service) replace(d *deployed, triggers meta.Triggers) {
	k := key{d.record.Tenant, d.record.Name}
	s.mu.Lock()
	old := s.current[k]
	s.current[k] = d
	maps.DeleteFunc(s.domains, func(_ string, of key) bool { return of == k })
	for _, domain := range triggers.Domains {
		s.domains[domain] = k
	}
	s.setCrons(k, triggers.Crons)
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// Get describes a worker.
func (s *Service) Get(ctx context.Context, tenant, name string) (Info, error) {
	record, err := s.config.Records.Worker(ctx, tenant, name)
	if errors.Is(err, meta.ErrNotFound) {
		return Info{}, ErrNotFound
	}
	if err != nil {
		return Info{}, err
	}
	m, err := s.manifest(ctx, tenant, name, record.Version)
	return infoOf(record, m), err
}

func (s *Service) manifest(ctx context.Context, tenant, name, version string) (*Manifest, error) {
	v, err := s.config.Records.WorkerVersion(ctx, tenant, name, version)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, ErrVersion
	}
	if err != nil {
		return nil, err
	}
	return decode(v.Deployment)
}

// List lists a tenant's workers by name: at most limit after a name.
func (s *Service) List(ctx context.Context, tenant, after string, limit int) ([]Info, error) {
	records, err := s.config.Records.Workers(ctx, tenant, after, limit)
	list := make([]Info, len(records))
	for i, w := range records {
		list[i] = infoOf(w, nil)
	}
	return list, err
}

// Versions lists a worker's versions, the newest first.
func (s *Service) Versions(ctx context.Context, tenant, name string) ([]Version, error) {
	record, err := s.config.Records.Worker(ctx, tenant, name)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	versions, err := s.config.Records.WorkerVersions(ctx, tenant, name)
	list := make([]Version, len(versions))
	for i, v := range versions {
		list[i] = Version{ID: v.Version, Number: v.Number, Created: v.Created, Current: v.Version == record.Version}
	}
	return list, err
}

// Version describes one version of a worker: what it was deployed with.
func (s *Service) Version(ctx context.Context, tenant, name, version string) (Info, error) {
	record, err := s.config.Records.Worker(ctx, tenant, name)
	if errors.Is(err, meta.ErrNotFound) {
		return Info{}, ErrNotFound
	}
	if err != nil {
		return Info{}, err
	}
	v, err := s.config.Records.WorkerVersion(ctx, tenant, name, version)
	if errors.Is(err, meta.ErrNotFound) {
		return Info{}, ErrVersion
	}
	if err != nil {
		return Info{}, err
	}
	m, err := decode(v.Deployment)
	return Info{Name: name, Version: version, Created: record.Created, Updated: v.Created, Manifest: m}, err
}

// RollBack makes an earlier version the current one again.
func (s *Service) RollBack(ctx context.Context, tenant, name, version string) (Info, error) {
	s.deploying.Lock()
	defer s.deploying.Unlock()
	m, err := s.manifest(ctx, tenant, name, version)
	if err != nil {
		if _, unknown := s.config.Records.Worker(ctx, tenant, name); errors.Is(unknown, meta.ErrNotFound) {
			err = ErrNotFound
		}
		return Info{}, err
	}
	record, err := s.config.Records.RollBackWorker(ctx, tenant, name, version, m.triggers())
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return Info{}, ErrNotFound
	case errors.Is(err, meta.ErrTaken):
		return Info{}, fmt.Errorf("%w: %w", ErrTaken, err)
	case err != nil:
		return Info{}, err
	}
	s.replace(&deployed{record: record}, m.triggers())
	return infoOf(record, m), nil
}

// Delete removes a worker with all versions.
func (s *Service) Delete(ctx context.Context, tenant, name string) error {
	s.deploying.Lock()
	defer s.deploying.Unlock()
	err := s.config.Records.DeleteWorker(ctx, tenant, name)
	if errors.Is(err, meta.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	k := key{tenant, name}
	s.mu.Lock()
	old := s.current[k]
	delete(s.current, k)
	delete(s.crons, k)
	maps.DeleteFunc(s.domains, func(_ string, of key) bool { return of == k })
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
	s.deleteSecrets(ctx, k)
	return nil
}

// Each calls f with every deployed worker.
func (s *Service) Each(f func(tenant, name, version string)) {
	s.mu.RLock()
	keys := slices.Collect(maps.Values(s.current))
	s.mu.RUnlock()
	for _, d := range keys {
		f(d.record.Tenant, d.record.Name, d.record.Version)
	}
}

// encode makes a manifest ready to be stored.
func encode(m *Manifest) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(m); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func decode(stored []byte) (*Manifest, error) {
	z, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(z, MaxManifest+1))
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	return m, json.Unmarshal(b, m)
}

// Named is the worker of a name of the default tenant; nil if there is none.
func (s *Service) Named(ctx context.Context, name string) (rpc.Target, error) {
	return s.find(ctx, key{DefaultTenant, name})
}

// Host is the worker that a host name leads to; nil if there is none.
func (s *Service) Host(ctx context.Context, host string) (rpc.Target, error) {
	s.mu.RLock()
	k, found := s.domains[host]
	s.mu.RUnlock()
	if !found {
		for _, domain := range s.config.Domains {
			labels, ok := strings.CutSuffix(host, "."+domain)
			if !ok {
				continue
			}
			name, tenant, other := strings.Cut(labels, ".")
			if !other {
				tenant = DefaultTenant
			}
			k, found = key{tenant, name}, true
			break
		}
	}
	if !found {
		return nil, nil
	}
	return s.find(ctx, k)
}

// find is the default entrypoint of a worker.
func (s *Service) find(ctx context.Context, k key) (rpc.Target, error) {
	w, front, err := s.load(ctx, k)
	if w == nil || err != nil {
		return nil, err
	}
	if front != nil {
		return front, nil
	}
	return w.Entrypoint("", rpc.Value{}, worker.Limits{}), nil
}

// load is a worker's current version, made at its first use; nil if there is
// none.
func (s *Service) load(ctx context.Context, k key) (*worker.Worker, *front, error) {
	for {
		s.mu.RLock()
		d := s.current[k]
		s.mu.RUnlock()
		if d == nil {
			return nil, nil, nil
		}
		d.once.Lock()
		if d.closed { // replaced meanwhile
			d.once.Unlock()
			continue
		}
		defer d.once.Unlock()
		if d.target != nil {
			return d.target, d.front, nil
		}
		m, err := s.manifest(ctx, k.tenant, k.name, d.record.Version)
		if err != nil {
			return nil, nil, err
		}
		def, err := s.define(ctx, k.tenant, k.name, d.record.Version, m)
		if err != nil {
			return nil, nil, err
		}
		d.target = s.config.Workers.Worker(*def)
		d.target.Charge(d.evaluated)
		if a := m.Assets; a != nil {
			first, _ := a.first() // it was checked
			d.front = &front{assets: s.assetsOf(k.tenant, a), handling: a.NotFoundHandling, first: first}
			if m.MainModule != "" {
				d.front.Target = d.target.Entrypoint("", rpc.Value{}, worker.Limits{})
			}
		}
		return d.target, d.front, nil
	}
}
