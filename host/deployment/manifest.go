// Package deployment keeps deployed workers: takes them in, by name and version,
// finds them by host name, and has the current ones run.
package deployment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mayfly/host/bundle"
	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/host/schedule"
	"mayfly/host/worker"
)

// A Manifest is what is deployed: code, bindings, policy. It is stored as it is.
type Manifest struct {
	MainModule         string                     `json:"main_module"`
	Modules            map[string]Module          `json:"modules"`
	SourceMaps         map[string]string          `json:"source_maps,omitempty"`
	CompatibilityDate  string                     `json:"compatibility_date"`
	CompatibilityFlags []string                   `json:"compatibility_flags,omitempty"`
	Bindings           map[string]json.RawMessage `json:"bindings,omitempty"`
	Limits             Limits                     `json:"limits,omitzero"`
	Isolation          string                     `json:"isolation,omitempty"` // warm or request; empty: warm
	Crons              []string                   `json:"crons,omitempty"`
	TailConsumers      []string                   `json:"tail_consumers,omitempty"`
	Domains            []string                   `json:"domains,omitempty"` // host names that lead to it
	Routes             []string                   `json:"routes,omitempty"`  // as wrangler has them: only host/* counts
	Network            *execution.Network         `json:"network,omitempty"` // nil: the public internet
	Assets             *Assets                    `json:"assets,omitempty"`
	KeepVars           bool                       `json:"keep_vars,omitempty"` // bindings of the type var that the version before has stay
	Message            string                     `json:"message,omitempty"`
}

// A Module is one module: exactly one field is set.
type Module struct {
	JS     *string         `json:"js,omitempty"`
	CJS    *string         `json:"cjs,omitempty"`
	Text   *string         `json:"text,omitempty"`
	Data   []byte          `json:"data,omitempty"` // base64 in JSON
	JSON   json.RawMessage `json:"json,omitempty"`
	Python *string         `json:"py,omitempty"`
	Wasm   []byte          `json:"wasm,omitempty"` // base64 in JSON
}

// Limits are those of a worker, as manifests have them. Zero: the server's.
type Limits struct {
	CPUMs       float64 `json:"cpu_ms,omitempty"`
	WallMs      float64 `json:"wall_ms,omitempty"`
	MemoryMB    float64 `json:"memory_mb,omitempty"`
	Subrequests int     `json:"subrequests,omitempty"`
}

// A Binding is a binding of a type that only workers have.
type Binding struct {
	Type       string          `json:"type"` // service or worker_loader
	Service    string          `json:"service,omitempty"`
	Entrypoint string          `json:"entrypoint,omitempty"`
	Props      json.RawMessage `json:"props,omitempty"`
}

// A FieldError says what is wrong with a field of a manifest, by its JSON
// pointer.
type FieldError struct{ Field, Problem string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Bounds of manifests.
const (
	MaxManifest = 96 << 20 // bytes of JSON
	maxName     = 63
	maxDomains  = 20
	maxCrons    = 20
	maxTails    = 20
	maxMessage  = 1000
)

// CheckName says whether a worker may be called so: it is a label of host names.
func CheckName(name string) error {
	ok := name != "" && len(name) <= maxName && name[0] != '-' && name[len(name)-1] != '-' && !strings.HasPrefix(name, "a-")
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return ErrName
	}
	return nil
}

// ErrName says what a worker's name is.
var ErrName = fmt.Errorf("a worker's name has 1 to %d characters of a-z, 0-9 and - inside, and does not begin with a-", maxName)

// ParseManifest reads a manifest.
//
// # Errors
//
// A [*FieldError] for JSON that is none, or has what a manifest has not.
func ParseManifest(b []byte) (*Manifest, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	m := &Manifest{}
	err := d.Decode(m)
	if err == nil && d.More() {
		err = errors.New("text after the JSON value")
	}
	if err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) {
			return nil, &FieldError{"/" + strings.ReplaceAll(typ.Field, ".", "/"), fmt.Sprintf("is a JSON %s: expected %s", typ.Value, expected(typ.Type.String()))}
		}
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, &FieldError{"", "has an unknown member " + name}
		}
		return nil, &FieldError{"", err.Error()}
	}
	return m, nil
}

// expected names a type of Go as JSON does.
func expected(typ string) string {
	switch {
	case strings.HasPrefix(typ, "[]uint8"):
		return "a string of base64"
	case strings.HasPrefix(typ, "[]"):
		return "an array"
	case strings.HasPrefix(typ, "map"), strings.Contains(typ, "."):
		return "an object"
	case strings.HasPrefix(typ, "int"), strings.HasPrefix(typ, "float"):
		return "a number"
	}
	return "a " + typ
}

// code makes the manifest's code.
func (m *Manifest) code() (*worker.Code, error) {
	c := &worker.Code{MainModule: m.MainModule, Modules: map[string]worker.Module{}, CompatibilityDate: m.CompatibilityDate, CompatibilityFlags: m.CompatibilityFlags}
	for name, module := range m.Modules {
		kind, content, n := worker.Kind(0), []byte(nil), 0
		text := func(k worker.Kind, s *string) {
			if s != nil {
				kind, content = k, []byte(*s)
				n++
			}
		}
		text(worker.JS, module.JS)
		text(worker.CommonJS, module.CJS)
		text(worker.Text, module.Text)
		text(worker.Python, module.Python)
		if module.Data != nil {
			kind, content = worker.Data, module.Data
			n++
		}
		if module.Wasm != nil {
			kind, content = worker.Wasm, module.Wasm
			n++
		}
		if module.JSON != nil {
			kind, content = worker.JSON, module.JSON
			n++
		}
		if n != 1 {
			return nil, &FieldError{"/modules/" + escape(name), fmt.Sprintf("has %d members: expected exactly one of js, cjs, text, data, json, py and wasm", n)}
		}
		c.Modules[name] = worker.Module{Kind: kind, Content: content}
	}
	if err := c.Validate(time.Now()); err != nil {
		field := "/modules"
		switch {
		case strings.Contains(err.Error(), "ompatibility date"):
			field = "/compatibility_date"
		case strings.Contains(err.Error(), "ompatibility flag"):
			field = "/compatibility_flags"
		case strings.Contains(err.Error(), "ain module"):
			field = "/main_module"
		}
		problem := err.Error()
		var record *op.ErrorRecord
		if errors.As(err, &record) {
			problem = record.Message
		}
		return nil, &FieldError{field, problem}
	}
	return c, nil
}

// maps are the manifest's source maps, of those modules that there are.
func (m *Manifest) maps() (map[string]*bundle.Map, error) {
	list := map[string]*bundle.Map{}
	for name, text := range m.SourceMaps {
		if _, ok := m.Modules[name]; !ok {
			return nil, &FieldError{"/source_maps/" + escape(name), "there is no module of that name"}
		}
		parsed, err := bundle.ParseMap([]byte(text))
		if err != nil {
			return nil, &FieldError{"/source_maps/" + escape(name), "is no source map: " + err.Error()}
		}
		list[name] = parsed
	}
	return list, nil
}

// bindings takes the manifest's bindings apart: those that executions have, too,
// and those of workers, by name.
func (m *Manifest) bindings() (shared []execution.Binding, own map[string]Binding, err error) {
	own = map[string]Binding{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(m.Bindings)) {
		field := "/bindings/" + escape(name)
		var head struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(m.Bindings[name], &head); err != nil {
			errs = append(errs, &FieldError{field, "expected an object with type"})
			continue
		}
		var into any
		var b execution.Binding
		var w Binding
		switch head.Type {
		case worker.KindService, worker.KindLoader:
			into = &w
		default:
			into = &b
		}
		d := json.NewDecoder(bytes.NewReader(m.Bindings[name]))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			errs = append(errs, &FieldError{field, strings.TrimPrefix(err.Error(), "json: ")})
			continue
		}
		if into == &w {
			if head.Type == worker.KindService && CheckName(w.Service) != nil {
				errs = append(errs, &FieldError{field + "/service", ErrName.Error()})
			}
			own[name] = w
			continue
		}
		b.Name = name
		shared = append(shared, b)
	}
	return shared, own, errors.Join(errs...)
}

// check names what is wrong with the rest.
func (m *Manifest) check() error {
	var errs []error
	wrong := func(field, format string, a ...any) {
		errs = append(errs, &FieldError{field, fmt.Sprintf(format, a...)})
	}
	for _, l := range []struct {
		field string
		value float64
		most  float64
	}{{"cpu_ms", m.Limits.CPUMs, 300_000}, {"wall_ms", m.Limits.WallMs, 86_400_000}, {"memory_mb", m.Limits.MemoryMB, 384}, {"subrequests", float64(m.Limits.Subrequests), 100_000}} {
		if !(l.value >= 0 && l.value <= l.most) {
			wrong("/limits/"+l.field, "is not between 0 and %v", l.most)
		}
	}
	switch m.Isolation {
	case "", "warm", "request":
	default:
		wrong("/isolation", "%q is neither warm nor request", m.Isolation)
	}
	if len(m.Crons) > maxCrons {
		wrong("/crons", "has %d members, at most %d are allowed", len(m.Crons), maxCrons)
	}
	for i, cron := range m.Crons {
		if _, err := schedule.Parse(cron); err != nil {
			wrong(fmt.Sprintf("/crons/%d", i), "%s", err)
		}
	}
	if len(m.TailConsumers) > maxTails {
		wrong("/tail_consumers", "has %d members, at most %d are allowed", len(m.TailConsumers), maxTails)
	}
	for i, name := range m.TailConsumers {
		if CheckName(name) != nil {
			wrong(fmt.Sprintf("/tail_consumers/%d", i), "%s", ErrName)
		}
	}
	if len(m.Domains)+len(m.Routes) > maxDomains {
		wrong("/domains", "has %d members, at most %d are allowed", len(m.Domains)+len(m.Routes), maxDomains)
	}
	for i, domain := range m.Domains {
		if !isDomain(domain) {
			wrong(fmt.Sprintf("/domains/%d", i), "%q is no host name in lower case", domain)
		}
	}
	if len(m.Message) > maxMessage {
		wrong("/message", "is longer than %d bytes", maxMessage)
	}
	return errors.Join(errs...)
}

// domains are the host names that lead to the worker.
func (m *Manifest) domains() []string {
	list := slices.Clone(m.Domains)
	for _, route := range m.Routes {
		if host, ok := strings.CutSuffix(route, "/*"); ok && isDomain(host) && !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

func isDomain(s string) bool {
	if s == "" || len(s) > 253 || !strings.Contains(s, ".") || strings.HasSuffix(s, ".localhost") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}

// escape escapes a name for a JSON pointer (RFC 6901 section 3).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// A ModuleInfo describes a module.
type ModuleInfo struct {
	Name, Kind string
	Size       int
}

// Inventory lists the manifest's modules by name.
func (m *Manifest) Inventory() []ModuleInfo {
	c, err := m.code()
	if err != nil {
		return nil // there are only assets: the rest was accepted once
	}
	var list []ModuleInfo
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		module := c.Modules[name]
		list = append(list, ModuleInfo{name, module.Kind.String(), len(module.Content)})
	}
	return list
}
