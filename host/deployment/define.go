package deployment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mayfly/host/binding"
	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/host/worker"
)

// open is what a worker may reach where its manifest is silent: the public
// internet, as in Workers.
var open = execution.Network{Allow: []execution.NetworkRule{{Host: "*", AnyPort: true}}}

// define makes what the worker service runs of a manifest.
func (s *Service) define(ctx context.Context, tenant, name, version string, m *Manifest) (*worker.Definition, error) {
	var code *worker.Code
	var codeErr, assetsErr error
	switch {
	case m.Assets != nil:
		assetsErr = m.Assets.check()
		if m.MainModule == "" && len(m.Modules) == 0 {
			break // there are only assets
		}
		fallthrough
	default:
		code, codeErr = m.code()
	}
	sourceMaps, mapsErr := m.maps()
	shared, own, bindingsErr := m.bindings()
	if err := errors.Join(codeErr, assetsErr, mapsErr, bindingsErr, m.check(), s.config.Executions.CheckBindings(shared)); err != nil {
		return nil, err
	}
	def := &worker.Definition{
		Name: name, Tenant: tenant, Version: version, Code: code, Maps: sourceMaps, Request: m.Isolation == "request",
		Limits: worker.Limits{
			CPU: milliseconds(m.Limits.CPUMs), Wall: milliseconds(m.Limits.WallMs),
			MemoryBytes: int64(m.Limits.MemoryMB * (1 << 20)), Subrequests: m.Limits.Subrequests,
		},
	}
	secrets, err := s.secretsOf(ctx, key{tenant, name})
	if err != nil {
		return nil, err
	}
	// A secret is the worker's own, or else the tenant's.
	var others []execution.Binding
	for _, b := range shared {
		if value, found := secrets[b.Secret]; b.Type == binding.KindSecret && found {
			def.Bindings.Entries = append(def.Bindings.Entries, binding.Entry{Name: b.Name, Kind: binding.KindSecret, Value: []byte(value)})
		} else {
			others = append(others, b)
		}
	}
	for _, called := range slices.Sorted(maps.Keys(secrets)) {
		if _, taken := m.Bindings[called]; !taken {
			def.Bindings.Entries = append(def.Bindings.Entries, binding.Entry{Name: called, Kind: binding.KindSecret, Value: []byte(secrets[called])})
		}
	}
	ownSecrets := def.Bindings.Entries
	if def.Bindings, err = s.config.Executions.Bind(ctx, tenant, others, nil); err != nil {
		return nil, err
	}
	def.Bindings.Entries = append(def.Bindings.Entries, ownSecrets...)
	if m.Assets != nil && m.Assets.Binding != "" {
		def.Bindings.Entries = append(def.Bindings.Entries, s.assetsEntry(tenant, m.Assets))
	}
	def.Variables = map[string]string{}
	for _, e := range def.Bindings.Entries {
		switch e.Kind {
		case "secret":
			def.Variables[e.Name] = string(e.Value)
		case "var":
			var text string
			if json.Unmarshal(e.Value, &text) == nil {
				def.Variables[e.Name] = text
			}
		}
	}
	for _, bound := range slices.Sorted(maps.Keys(own)) {
		b := own[bound]
		if b.Type == worker.KindLoader {
			def.Loaders = append(def.Loaders, worker.LoaderBinding{Name: bound})
			continue
		}
		props, err := propsOf(b.Props)
		if err != nil {
			return nil, &FieldError{"/bindings/" + escape(bound) + "/props", err.Error()}
		}
		def.Services = append(def.Services, worker.ServiceBinding{Name: bound, Target: &service{s, key{tenant, b.Service}, b.Entrypoint, props}})
	}
	for _, consumer := range m.TailConsumers {
		def.Tails = append(def.Tails, &service{s, key{tenant, consumer}, "", rpc.Value{}})
	}
	network := &open
	if m.Network != nil {
		network = m.Network
	}
	if def.Policy, err = s.config.Executions.Policy(network, "/network"); err != nil {
		return nil, err
	}
	return def, nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// propsOf is JSON as a value.
func propsOf(raw json.RawMessage) (rpc.Value, error) {
	if len(raw) == 0 {
		return rpc.Value{}, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return rpc.Value{}, err
	}
	message, err := rpc.Encode(v)
	return rpc.Value{Message: message}, err
}

// A service is another deployed worker's entrypoint, looked up for each use: a
// target.
type service struct {
	deployments *Service
	key         key
	entrypoint  string
	props       rpc.Value
}

var (
	_ worker.Tailer = (*service)(nil)
	_ worker.Direct = (*service)(nil)
)

// Retain implements rpc.Target.
func (*service) Retain() {}

// Release implements rpc.Target.
func (*service) Release() {}

func (t *service) find(ctx context.Context) (*worker.Entrypoint, error) {
	w, _, err := t.deployments.load(ctx, t.key)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, &op.ErrorRecord{Name: "Error", Message: fmt.Sprintf("There is no worker %q, to which a service binding leads.", t.key.name)}
	}
	return w.Entrypoint(strings.TrimSpace(t.entrypoint), t.props, worker.Limits{}), nil
}

// Now implements worker.Direct.
func (t *service) Now() *worker.Entrypoint {
	s := t.deployments
	s.mu.RLock()
	d := s.current[t.key]
	s.mu.RUnlock()
	if d == nil || !d.once.TryLock() {
		return nil
	}
	defer d.once.Unlock()
	if d.target == nil || d.closed {
		return nil
	}
	return d.target.Entrypoint(t.entrypoint, t.props, worker.Limits{})
}

// Fetch implements rpc.Target.
func (t *service) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	e, err := t.find(ctx)
	if err != nil {
		r.Body.Discard()
		return nil, err
	}
	return e.Fetch(ctx, r)
}

// Call implements rpc.Target.
func (t *service) Call(ctx context.Context, c *rpc.Call) (rpc.Value, error) {
	e, err := t.find(ctx)
	if err != nil {
		c.Arguments.Release()
		return rpc.Value{}, err
	}
	return e.Call(ctx, c)
}

// Connect implements rpc.Connector.
func (t *service) Connect(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
	e, err := t.find(ctx)
	if err != nil {
		return nil, err
	}
	return e.Connect(ctx, c)
}

// Tail implements worker.Tailer.
func (t *service) Tail(ctx context.Context, items []byte, scripts []worker.TailTraceItem) error {
	e, err := t.find(ctx)
	if err != nil {
		return err
	}
	return e.Tail(ctx, items, scripts)
}

// Scheduled has a worker handle a time of its crons.
func (s *Service) Scheduled(ctx context.Context, tenant, name string, at time.Time, cron string) error {
	w, _, err := s.load(ctx, key{tenant, name})
	if err != nil {
		return err
	}
	if w == nil {
		return ErrNotFound
	}
	return w.Entrypoint("", rpc.Value{}, worker.Limits{}).Scheduled(ctx, at, cron)
}
