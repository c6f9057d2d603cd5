package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"mayfly/cmd/mayfly/project"
	"mayfly/host/binding"
	"mayfly/host/bundle"
	"mayfly/host/deployment"
	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/host/worker"
)

// moduleKinds are the kinds of modules as workers have them.
var moduleKinds = map[bundle.Kind]worker.Kind{
	bundle.KindJS: worker.JS, bundle.KindCommon: worker.CommonJS, bundle.KindText: worker.Text, bundle.KindData: worker.Data,
	bundle.KindJSON: worker.JSON, bundle.KindPython: worker.Python, bundle.KindWasm: worker.Wasm,
}

// codeOf is a built project's code.
func codeOf(c *project.Config, out *bundle.Output) *worker.Code {
	code := &worker.Code{MainModule: out.Main, Modules: map[string]worker.Module{}, CompatibilityDate: c.CompatibilityDate, CompatibilityFlags: c.CompatibilityFlags}
	for name, m := range out.Modules {
		code.Modules[name] = worker.Module{Kind: moduleKinds[m.Kind], Content: m.Content}
	}
	return code
}

// define makes the worker of a project. vars are the developer's own variables,
// which come before the configuration's.
func (d *development) define(ctx context.Context, c *project.Config, vars map[string]string, out *bundle.Output) (worker.Definition, error) {
	def := worker.Definition{Name: c.Name, Code: codeOf(c, out), Variables: map[string]string{}, Maps: map[string]*bundle.Map{}, Request: c.Isolation == "request"}
	def.Limits = worker.Limits{CPU: time.Duration(c.Limits.CPUMS) * time.Millisecond, Wall: time.Duration(c.Limits.WallMS) * time.Millisecond, MemoryBytes: c.Limits.MemoryMB << 20, Subrequests: int(c.Limits.Subrequests)}
	for name, encoded := range out.Maps {
		m, err := bundle.ParseMap(encoded)
		if err != nil {
			return def, err
		}
		if m != nil {
			def.Maps[name] = m
		}
	}
	values := map[string]json.RawMessage{}
	for name, v := range c.Vars {
		values[name] = v
	}
	for name, text := range vars {
		v, err := json.Marshal(text)
		if err != nil {
			return def, err
		}
		values[name] = v
	}
	var list []execution.Binding
	for name, v := range values {
		list = append(list, execution.Binding{Name: name, Type: binding.KindVar, Value: v})
		var text string
		if json.Unmarshal(v, &text) == nil {
			def.Variables[name] = text
		}
	}
	for _, b := range c.R2 {
		list = append(list, execution.Binding{Name: b.Binding, Type: binding.KindR2, Bucket: b.Name})
	}
	for _, n := range c.KV {
		list = append(list, execution.Binding{Name: n.Binding, Type: binding.KindKV, Namespace: n.ID})
	}
	var err error
	if def.Bindings, err = d.host.service.Bind(ctx, "", list, nil); err != nil {
		return def, err
	}
	if c.Assets != nil && c.Assets.Binding != "" {
		files := d.files
		def.Bindings.Entries = append(def.Bindings.Entries, binding.Entry{Name: c.Assets.Binding, Kind: binding.KindAssets, Open: func(context.Context) (binding.Binding, error) {
			rules, err := files.served(c.Assets)
			if err != nil {
				return nil, err
			}
			_, served, err := deployment.Front(files, rules, nil)
			return served, err
		}})
	}
	for _, s := range c.Services {
		t := &devService{development: d, name: s.Service, entrypoint: s.Entrypoint}
		if s.Props != nil {
			var props any
			if err := json.Unmarshal(s.Props, &props); err != nil {
				return def, err
			}
			if t.props.Message, err = rpc.Encode(props); err != nil {
				return def, err
			}
		}
		def.Services = append(def.Services, worker.ServiceBinding{Name: s.Binding, Target: t})
	}
	for _, name := range c.TailConsumers {
		def.Tails = append(def.Tails, &devService{development: d, name: name})
	}
	for _, name := range c.Loaders {
		def.Loaders = append(def.Loaders, worker.LoaderBinding{Name: name})
	}
	def.Policy, err = d.host.service.Policy(&execution.Network{Allow: []execution.NetworkRule{{Host: "*", AnyPort: true}}}, "network")
	return def, err
}

// A devService is a worker that another is bound to: one of the projects that
// are served together, looked up for each use.
type devService struct {
	development *development
	name        string
	entrypoint  string
	props       rpc.Value
}

func (s *devService) target(ctx context.Context) (rpc.Target, error) {
	for _, one := range s.development.all {
		w, name, err := one.ready(ctx)
		if name != s.name {
			continue
		}
		if err != nil {
			return nil, err
		}
		one.mu.Lock()
		files := one.files != nil
		one.mu.Unlock()
		if files && s.entrypoint == "" || w == nil {
			return one.target(ctx)
		}
		return w.Entrypoint(s.entrypoint, s.props, worker.Limits{}), nil
	}
	return nil, &op.ErrorRecord{Name: "Error", Message: fmt.Sprintf("There is no worker %q here: mayfly dev --with DIR serves another project beside this one", s.name)}
}

// Tail implements worker.Tailer.
func (s *devService) Tail(ctx context.Context, items []byte, scripts []worker.TailTraceItem) error {
	t, err := s.target(ctx)
	if err != nil {
		return err
	}
	if tailer, ok := t.(worker.Tailer); ok {
		return tailer.Tail(ctx, items, scripts)
	}
	return nil
}

// Fetch implements rpc.Target.
func (s *devService) Fetch(ctx context.Context, r *rpc.Request) (*rpc.Response, error) {
	t, err := s.target(ctx)
	if err != nil {
		r.Body.Discard()
		return nil, err
	}
	return t.Fetch(ctx, r)
}

// Call implements rpc.Target.
func (s *devService) Call(ctx context.Context, c *rpc.Call) (rpc.Value, error) {
	t, err := s.target(ctx)
	if err != nil {
		c.Arguments.Release()
		return rpc.Value{}, err
	}
	return t.Call(ctx, c)
}

// Connect implements rpc.Connector.
func (s *devService) Connect(ctx context.Context, c *rpc.Connect) (*rpc.Connection, error) {
	t, err := s.target(ctx)
	if err != nil {
		return nil, err
	}
	return rpc.ConnectTo(ctx, t, c)
}

// Retain implements rpc.Target.
func (s *devService) Retain() {}

// Release implements rpc.Target.
func (s *devService) Release() {}
