package execution

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"sync/atomic"
	"time"

	"mayfly/host/bundle"
	"mayfly/host/egress"
	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/webassembly"
	"mayfly/runtime/isolate"
	"mayfly/storage"
	"mayfly/storage/kv"
)

// Config configures a Service. Runtime and Objects are required.
type Config struct {
	Runtime   *isolate.Runtime
	Objects   Objects       // where artifacts are kept
	Defaults  Limits        // zero fields: DefaultLimits
	Caps      Limits        // zero fields: DefaultCaps
	Egress    egress.Config // what the server's owner says of addresses
	AllowEval bool          // eval and new Function work
	// Transformer is the command line of a process that calls bundle.Work.
	// Empty: TypeScript is transformed in this process, which a hostile
	// source can then stall or end.
	Transformer []string
	Keep        time.Duration // how long artifacts are kept; 0: for ever
	Artifacts   ArtifactLimits
	// Buckets, KV and Secrets are behind bindings of their types, and Secrets
	// are what rules of the network inject; nil: requests may not ask for those.
	Buckets Buckets
	KV      kv.Store
	Secrets Secrets
	Log     *slog.Logger // nil: slog.Default()
}

// Objects is what a service needs of an object store; storage.Objects is one.
type Objects interface {
	Put(ctx context.Context, key string, body io.Reader, options storage.PutOptions) (storage.Object, error)
	Get(ctx context.Context, key string, options storage.GetOptions) (*storage.Content, error)
}

// Secrets keeps the secrets of tenants; *secret.Store is one.
type Secrets interface {
	// Value opens a secret; [secret.ErrNotFound] if there is none.
	Value(ctx context.Context, tenant, name string) (string, error)
}

// A Language is what executions can be written in.
type Language struct {
	Names   []string // of requests: javascript, typescript
	Version string   // of the interpreter
	Image   string   // the warm image's name
	// Builtin says whether the guest has a module of that name, as node:fs.
	Builtin func(name string) bool
	Dialect *Dialect // nil: JavaScript
	// Defaults hold where the server's own are silent; zero fields:
	// DefaultLimits.
	Defaults Limits
}

// A Service runs executions. It is safe for concurrent use.
type Service struct {
	config      Config
	transformer *bundle.Transformer
	guard       *egress.Guard
	client      *fetch.Client
	languages   []*language
	webassembly webassembly.Compiler
}

// language is a Language, and what was installed for it, once that is.
type language struct {
	Language
	installed atomic.Pointer[installation]
	packages  atomic.Pointer[languagePackages] // nil: requests may ask for none
}

// installation is what a language runs on.
type installation struct {
	program *isolate.Program
	base    *vfs.Layer
}

// program is the language's program; nil until it is installed.
func (l *language) program() *isolate.Program {
	if p := l.installed.Load(); p != nil {
		return p.program
	}
	return nil
}

// New makes a service for the given languages. They serve once Install has
// given them their programs.
func New(config Config, languages ...Language) (*Service, error) {
	config.Caps = config.Caps.Or(DefaultCaps)
	config.Artifacts = config.Artifacts.withDefaults()
	if err := config.Defaults.Or(DefaultLimits).check(config.Caps); err != nil {
		return nil, fmt.Errorf("execution: the default limits: %w", err)
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	s := &Service{config: config, transformer: bundle.NewTransformer(64 << 20), guard: egress.NewGuard(config.Egress)}
	if len(config.Transformer) > 0 {
		s.transformer.UseWorkers(config.Transformer)
	}
	s.client = fetch.NewClient(fetch.Config{Guard: s.guard})
	for _, l := range languages {
		if l.Dialect == nil {
			l.Dialect = JavaScript
		}
		s.languages = append(s.languages, &language{Language: l})
	}
	return s, nil
}

// Close closes connections that are kept, and ends transformers. No execution
// may be running.
func (s *Service) Close() {
	s.transformer.Close()
	s.client.Close()
	if err := s.webassembly.Close(); err != nil {
		s.config.Log.Error("compiled modules could not be released", "err", err)
	}
}

// Install makes a language ready: program runs what is written in it. base is
// the guest's own part of the file system, or nil.
func (s *Service) Install(name string, program *isolate.Program, base *vfs.Layer) error {
	l := s.language(name)
	if l == nil {
		return fmt.Errorf("execution: no language %q", name)
	}
	l.installed.Store(&installation{program, base})
	return nil
}

// Ready says whether all languages are.
func (s *Service) Ready() bool {
	for _, l := range s.languages {
		if l.program() == nil {
			return false
		}
	}
	return true
}

// Runtimes lists the languages.
func (s *Service) Runtimes() []Runtime {
	var list []Runtime
	for _, l := range s.languages {
		p := l.program()
		for _, name := range l.Names {
			r := Runtime{Language: name, Version: l.Version, Image: l.Image, Ready: p != nil}
			if p != nil {
				r.Digest = p.Digest()
			}
			list = append(list, r)
		}
	}
	return list
}

func (s *Service) language(name string) *language {
	for _, l := range s.languages {
		for _, n := range l.Names {
			if n == name {
				return l
			}
		}
	}
	return nil
}

// Execute runs a request to its end. emit, if not nil, is called with every
// event in order, from one goroutine at a time; it must not block, as the
// guest's turn waits for it. The end of ctx cancels the execution.
//
// # Errors
//
// One or more [*InvalidError] for a bad request, an [*OverloadError] for one
// that was not admitted. A failure of the user's program is a Result.
func (s *Service) Execute(ctx context.Context, id string, r Request, emit func(Event)) (*Result, error) {
	result, _, err := s.execute(ctx, id, &r, nil, emit)
	return result, err
}

// execute runs a request, in a fresh isolate or as a cell of a session. Of a
// cell that left a state, that is returned too.
func (s *Service) execute(ctx context.Context, id string, r *Request, c *Cell, emit func(Event)) (*Result, *State, error) {
	if err := s.Validate(r); err != nil {
		return nil, nil, err
	}
	l := s.language(r.Language)
	program := l.program()
	if program == nil {
		return nil, nil, l.unprepared()
	}
	limits := s.limits(l, r.Limits)
	layer, err := s.packageLayer(ctx, l, r, limits, c)
	if err != nil {
		return nil, nil, err
	}
	b := newSandbox(s, l, r, limits, c, l.baseWith(layer), emit)
	defer b.close()
	if b.policy, err = s.policy(r); err != nil {
		return nil, nil, err
	}
	if b.env, err = s.Bind(ctx, r.Tenant, r.Bindings, b.files); err != nil {
		return nil, nil, err
	}
	if err := b.mount(ctx); err != nil {
		return nil, nil, err
	}
	if c != nil && layer != nil {
		if err := b.mountPackages(layer); err != nil {
			return nil, nil, err
		}
	}
	message, ok := b.program()
	if !ok { // a mistake in the source: nothing runs
		return b.settle(ctx, id, isolate.Report{Outcome: OK}), nil, nil
	}
	job := isolate.Job{
		Program: program,
		Host:    b,
		Tenant:  r.Tenant,
		Limits:  isolate.Limits{CPU: limits.CPU, Wall: limits.Wall, Memory: limits.MemoryBytes, Operations: limits.Operations},
		Event:   uint32(op.EventRun),
		Message: message,
		Started: b.started,
	}
	if c != nil {
		c.begin(&job)
	}
	report, err := s.config.Runtime.Run(ctx, job)
	if err != nil {
		var o *isolate.OverloadError
		if errors.As(err, &o) {
			return nil, nil, &OverloadError{RetryAfter: o.RetryAfter, Tenant: o.Tenant, Reason: o.Reason}
		}
		return nil, nil, err
	}
	state := b.keep(ctx, &report)
	return b.settle(ctx, id, report), state, nil
}

// limits are a request's, or the defaults of the server and of its language.
func (s *Service) limits(l *language, asked Limits) Limits {
	return asked.Or(s.config.Defaults.Or(l.Defaults).Or(DefaultLimits).within(s.config.Caps))
}

// policy compiles a request's network rules; nil refuses everything.
func (s *Service) policy(r *Request) (*egress.Policy, error) {
	return s.compile(&r.Network, "/network")
}

// compile compiles network rules; field is where they are in the request.
func (s *Service) compile(n *Network, field string) (*egress.Policy, error) {
	if len(n.Allow) == 0 {
		return nil, nil
	}
	rules := make([]egress.Rule, len(n.Allow))
	for i, a := range n.Allow {
		rules[i] = egress.Rule{Host: a.Host, Ports: a.Ports, AnyPort: a.AnyPort, Methods: a.Methods, Inject: a.Inject, AllowHTTP: a.AllowHTTP}
	}
	p, err := s.guard.Compile(rules)
	var wrong *egress.RuleError
	if errors.As(err, &wrong) {
		return nil, &InvalidError{fmt.Sprintf("%s/allow/%d/%s", field, wrong.Index, wrong.Field), wrong.Err.Error()}
	}
	return p, err
}

// Validate checks a request against what this server offers, and names each
// field that is wrong.
func (s *Service) Validate(r *Request) error {
	var errs []error
	invalid := func(field, format string, a ...any) {
		errs = append(errs, &InvalidError{field, fmt.Sprintf(format, a...)})
	}
	if l := s.language(r.Language); l != nil {
		if err := l.checkPackages(r); err != nil {
			errs = append(errs, err)
		}
	} else {
		invalid("/language", "%q is not one of the languages of this server: %s", r.Language, s.languageNames())
	}
	switch {
	case r.Code != "" && r.Entrypoint != "":
		invalid("/entrypoint", "give either code or an entrypoint among files, not both")
	case r.Code == "" && r.Entrypoint == "":
		invalid("/code", "expected the program, or files and an entrypoint")
	case r.Entrypoint != "":
		if l := s.language(r.Language); l != nil && !l.Dialect.runs(r.Entrypoint) {
			invalid("/entrypoint", "%q is not the name of a program: expected %s", r.Entrypoint, l.Dialect.names())
		}
	}
	found := r.Entrypoint == ""
	for i, f := range r.Files {
		field := fmt.Sprintf("/files/%d/path", i)
		switch {
		case f.Path == "":
			invalid(field, "expected a path")
		case len(f.Path) > 4096:
			invalid(field, "longer than 4096 bytes")
		}
		found = found || path.Join(vfs.DefaultCwd, r.Entrypoint) == absolutePath(f.Path) || r.Entrypoint == absolutePath(f.Path)
	}
	if !found {
		invalid("/entrypoint", "%q is not among files", r.Entrypoint)
	}
	if _, err := s.policy(r); err != nil {
		errs = append(errs, err)
	} else if err := s.checkSecrets(r); err != nil {
		errs = append(errs, err)
	}
	if err := s.CheckBindings(r.Bindings); err != nil {
		errs = append(errs, err)
	}
	if err := s.checkExport(r); err != nil {
		errs = append(errs, err)
	}
	for i, glob := range r.Artifacts {
		if err := checkGlob(glob); err != nil {
			invalid(fmt.Sprintf("/artifacts/paths/%d", i), "%v", err)
		}
	}
	if err := r.Limits.check(s.config.Caps); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Service) languageNames() string {
	names := ""
	for _, l := range s.languages {
		for _, n := range l.Names {
			if names != "" {
				names += ", "
			}
			names += n
		}
	}
	return names
}

func absolutePath(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(vfs.DefaultCwd, p)
}
