package project

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A reader fills a Config, and collects what it finds wrong.
type reader struct {
	file     string
	config   *Config
	errors   []Problem
	warnings []Problem
	names    map[string]string // of bindings: where the first is
	additive bool              // find_additional_modules is given
}

func (r *reader) fail(line int, field, format string, args ...any) {
	r.errors = append(r.errors, Problem{r.file, line, field, fmt.Sprintf(format, args...)})
}

func (r *reader) warn(line int, field, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{r.file, line, field, fmt.Sprintf(format, args...)})
}

// expected reports a value of another type.
func (r *reader) expected(v *value, field, what string) {
	r.fail(v.line, field, "expected %s, but it is %s", what, v.kind())
}

func (r *reader) text(v *value, field string, into *string) bool {
	s, ok := v.data.(string)
	if !ok {
		r.expected(v, field, "a string")
		return false
	}
	if strings.ContainsRune(s, 0) {
		r.fail(v.line, field, "it has a zero character")
		return false
	}
	*into = s
	return true
}

func (r *reader) flag(v *value, field string, into *bool) {
	b, ok := v.data.(bool)
	if !ok {
		r.expected(v, field, "true or false")
		return
	}
	*into = b
}

// count reads a whole number from 1 up.
func (r *reader) count(v *value, field string, into *int64) {
	n, ok := v.data.(float64)
	if !ok {
		r.expected(v, field, "a number")
		return
	}
	if n < 1 || n != math.Trunc(n) || n > 1<<53 {
		r.fail(v.line, field, "expected a whole number from 1 up, but it is %v", n)
		return
	}
	*into = int64(n)
}

func (r *reader) list(v *value, field string) []*value {
	items, ok := v.data.([]*value)
	if !ok {
		r.expected(v, field, "a list")
	}
	return items
}

func (r *reader) texts(v *value, field string) []string {
	var list []string
	for i, item := range r.list(v, field) {
		var s string
		if r.text(item, fmt.Sprintf("%s[%d]", field, i), &s) {
			list = append(list, s)
		}
	}
	return list
}

func (r *reader) table(v *value, field string) *object {
	o, ok := v.data.(*object)
	if !ok {
		r.expected(v, field, "a table")
		return &object{}
	}
	return o
}

func (r *reader) textsByName(v *value, field string) map[string]string {
	m := map[string]string{}
	for _, member := range r.table(v, field).members {
		var s string
		if r.text(member.value, field+"."+member.name, &s) {
			m[member.name] = s
		}
	}
	return m
}

// A readers maps the members of a table to what reads them; nil: it is known,
// and changes nothing here.
type readers map[string]func(v *value, field string)

// members reads the members of a table, and warns of those that it does not
// know. It says which of the required ones are missing.
func (r *reader) members(v *value, field string, known readers, required ...string) bool {
	o, ok := v.data.(*object)
	if !ok {
		r.expected(v, field, "a table")
		return false
	}
	for _, m := range o.members {
		read, isKnown := known[m.name]
		switch {
		case !isKnown:
			r.unknown(m, field, known.names())
		case read != nil:
			read(m.value, field+"."+m.name)
		}
	}
	for _, name := range required {
		if o.get(name) == nil {
			r.fail(v.line, field, "it needs %s", name)
			ok = false
		}
	}
	return ok
}

func (k readers) names() []string {
	var names []string
	for name := range k {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *reader) unknown(m member, field string, known []string) {
	if field != "" {
		field += "."
	}
	if s := similar(m.name, known); s != "" {
		r.warn(m.line, field+m.name, "there is no such key: is %s meant?", s)
		return
	}
	r.warn(m.line, field+m.name, "there is no such key, it has no effect")
}

// items reads each table of a list.
func (r *reader) items(v *value, field string, read func(item *value, field string)) {
	for i, item := range r.list(v, field) {
		read(item, fmt.Sprintf("%s[%d]", field, i))
	}
}

var (
	workerName  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	bindingName = regexp.MustCompile(`^[A-Za-z_$][\w$]*$`)
)

// binding reads the name of a binding, which no other may have.
func (r *reader) binding(v *value, field string, into *string) {
	if r.text(v, field, into) {
		r.claim(*into, v.line, field)
	}
}

func (r *reader) claim(name string, line int, field string) {
	if !bindingName.MatchString(name) {
		r.fail(line, field, "%q is no name of a variable", name)
		return
	}
	if other := r.names[name]; other != "" {
		r.fail(line, field, "%s is the name of another binding already: %s", name, other)
		return
	}
	r.names[name] = field
}

func (r *reader) name(v *value, field string) {
	var s string
	if !r.text(v, field, &s) {
		return
	}
	name := strings.Trim(strings.ReplaceAll(s, "_", "-"), "-")
	if !ValidName(name) {
		r.fail(v.line, field, "%q is no name of a worker: expected %s", s, NameRule)
		return
	}
	if name != s {
		r.warn(v.line, field, "the worker is called %s here: its name is a part of host names", name)
	}
	r.config.Name = name
}

func (r *reader) main(v *value, field string) {
	if r.text(v, field, &r.config.Main) && r.config.Main == "" {
		r.fail(v.line, field, "it is empty: expected the file of the entry point, as src/index.ts")
	}
}

func (r *reader) compatibilityDate(v *value, field string) {
	var s string
	if !r.text(v, field, &s) {
		return
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		r.fail(v.line, field, "%q is no date: expected one like 2026-11-01", s)
		return
	}
	r.config.CompatibilityDate = s
}

func (r *reader) vars(v *value, field string) {
	r.config.Vars = map[string]json.RawMessage{}
	for _, m := range r.table(v, field).members {
		r.claim(m.name, m.line, field+"."+m.name)
		text, err := json.Marshal(m.value.plain())
		if err != nil { // infinities of TOML
			r.fail(m.line, field+"."+m.name, "it can't be a JSON value")
			continue
		}
		r.config.Vars[m.name] = text
	}
}

func (r *reader) secrets(v *value, field string) {
	r.members(v, field, readers{"required": func(v *value, field string) {
		for i, item := range r.list(v, field) {
			var name string
			r.binding(item, fmt.Sprintf("%s[%d]", field, i), &name)
			r.config.Secrets = append(r.config.Secrets, name)
		}
	}})
}

func (r *reader) r2(v *value, field string) {
	r.items(v, field, func(item *value, field string) {
		var b Bucket
		if r.members(item, field, readers{
			"binding": func(v *value, f string) { r.binding(v, f, &b.Binding) },
			"bucket_name": func(v *value, f string) {
				if r.text(v, f, &b.Name) && !isBucketName(b.Name) {
					r.fail(v.line, f, "%q is no name of a bucket: expected 3 to 63 of a-z, 0-9 and - inside", b.Name)
				}
			},
			"preview_bucket_name": nil, "jurisdiction": nil, "remote": r.remote, "local_dev": nil,
		}, "binding") {
			if b.Name == "" {
				b.Name = bucketName(b.Binding)
			}
			r.config.R2 = append(r.config.R2, b)
		}
	})
}

// isBucketName says whether the stores take a name. They have the last word; this
// one is said with the line, before anything runs.
var isBucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`).MatchString

// bucketName makes a name of a bucket of a binding's, as wrangler does when it
// provides one.
func bucketName(binding string) string {
	name := strings.Trim(strings.ToLower(strings.NewReplacer("_", "-", "$", "-").Replace(binding)), "-")
	for len(name) < 3 {
		name += "-bucket"
	}
	return name
}

// remote warns that everything is local.
func (r *reader) remote(v *value, field string) {
	if v.data == true {
		r.warn(v.line, field, "there is no remote mode: the binding is the server's own")
	}
}

func (r *reader) kv(v *value, field string) {
	r.items(v, field, func(item *value, field string) {
		var n Namespace
		if r.members(item, field, readers{
			"binding":    func(v *value, f string) { r.binding(v, f, &n.Binding) },
			"id":         func(v *value, f string) { r.text(v, f, &n.ID) },
			"preview_id": nil, "remote": r.remote,
		}, "binding") {
			if n.ID == "" {
				n.ID = n.Binding
			}
			r.config.KV = append(r.config.KV, n)
		}
	})
}

func (r *reader) services(v *value, field string) {
	r.items(v, field, func(item *value, field string) {
		var s Service
		if r.members(item, field, readers{
			"binding":    func(v *value, f string) { r.binding(v, f, &s.Binding) },
			"service":    func(v *value, f string) { r.text(v, f, &s.Service) },
			"entrypoint": func(v *value, f string) { r.text(v, f, &s.Entrypoint) },
			"environment": func(v *value, f string) {
				r.warn(v.line, f, "it has no effect: write the environment into the worker's name, as name-environment")
			},
			"props": func(v *value, f string) {
				r.table(v, f)
				if text, err := json.Marshal(v.plain()); err != nil {
					r.fail(v.line, f, "it can't be a JSON value")
				} else {
					s.Props = text
				}
			},
			"remote": r.remote,
		}, "binding", "service") {
			r.config.Services = append(r.config.Services, s)
		}
	})
}

func (r *reader) loaders(v *value, field string) {
	r.items(v, field, func(item *value, field string) {
		var name string
		if r.members(item, field, readers{"binding": func(v *value, f string) { r.binding(v, f, &name) }}, "binding") {
			r.config.Loaders = append(r.config.Loaders, name)
		}
	})
}

func (r *reader) tails(v *value, field string) {
	r.items(v, field, func(item *value, field string) {
		var name, environment string
		if r.members(item, field, readers{
			"service":     func(v *value, f string) { r.text(v, f, &name) },
			"environment": func(v *value, f string) { r.text(v, f, &environment) },
		}, "service") {
			if environment != "" {
				name += "-" + environment
			}
			r.config.TailConsumers = append(r.config.TailConsumers, name)
		}
	})
}

func (r *reader) triggers(v *value, field string) {
	r.members(v, field, readers{
		"crons": func(v *value, f string) {
			for i, item := range r.list(v, f) {
				var s string
				field := fmt.Sprintf("%s[%d]", f, i)
				if !r.text(item, field, &s) {
					continue
				}
				if n := len(strings.Fields(s)); n != 5 {
					r.fail(item.line, field, "%q has %d parts: expected 5, as */5 * * * * (minute, hour, day, month, day of the week)", s, n)
					continue
				}
				r.config.Crons = append(r.config.Crons, s)
			}
		},
		"events": func(v *value, f string) { r.warn(v.line, f, noEffect) },
	})
}

func (r *reader) limits(v *value, field string) {
	l := &r.config.Limits
	r.members(v, field, readers{
		"cpu_ms":      func(v *value, f string) { r.count(v, f, &l.CPUMS) },
		"wall_ms":     func(v *value, f string) { r.count(v, f, &l.WallMS) },
		"memory_mb":   func(v *value, f string) { r.count(v, f, &l.MemoryMB) },
		"subrequests": func(v *value, f string) { r.count(v, f, &l.Subrequests) },
	})
}

// oneOf reads a string of a closed list.
func (r *reader) oneOf(v *value, field string, into *string, choices ...string) {
	var s string
	if !r.text(v, field, &s) {
		return
	}
	if !slices.Contains(choices, s) {
		r.fail(v.line, field, "expected %s, but it is %q", strings.Join(choices, " or "), s)
		return
	}
	*into = s
}

func (r *reader) isolation(v *value, field string) {
	r.oneOf(v, field, &r.config.Isolation, "warm", "request")
}

func (r *reader) rules(v *value, field string) {
	r.items(v, field, func(item *value, field string) {
		var rule Rule
		line := item.line
		r.members(item, field, readers{
			"type": func(v *value, f string) {
				line = v.line
				r.oneOf(v, f, &rule.Type, "ESModule", "CommonJS", "CompiledWasm", "Text", "Data", "PythonModule")
			},
			"globs": func(v *value, f string) {
				rule.Globs = r.texts(v, f)
				for _, g := range rule.Globs {
					if !validGlob(g) {
						r.fail(v.line, f, "%q is no pattern", g)
					}
				}
			},
			"fallthrough": func(v *value, f string) { r.flag(v, f, &rule.Fallthrough) },
		}, "type", "globs")
		// A rule without fallthrough is the last of its type.
		for _, before := range r.config.Rules {
			if before.Type == rule.Type && !before.Fallthrough && rule.Type != "" {
				r.warn(line, field, "an earlier rule of type %s comes before it: give that \"fallthrough\": true", rule.Type)
				return
			}
		}
		r.config.Rules = append(r.config.Rules, rule)
	})
}

// addDefaultRules adds those of types that no rule of the user closes.
func (c *Config) addDefaultRules() {
	for _, rule := range defaultRules {
		if !slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Type == rule.Type && !r.Fallthrough }) {
			c.Rules = append(c.Rules, rule)
		}
	}
}

func (r *reader) assets(v *value, field string) {
	a := &Assets{}
	r.config.Assets = a
	r.members(v, field, readers{
		"directory": func(v *value, f string) { r.text(v, f, &a.Directory) },
		"binding":   func(v *value, f string) { r.binding(v, f, &a.Binding) },
		"html_handling": func(v *value, f string) {
			r.oneOf(v, f, &a.HTMLHandling, "auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")
		},
		"not_found_handling": func(v *value, f string) {
			r.oneOf(v, f, &a.NotFoundHandling, "single-page-application", "404-page", "none")
		},
		"run_worker_first": func(v *value, f string) {
			if _, ok := v.data.([]*value); ok {
				a.WorkerFirstPatterns = r.texts(v, f)
				for i, p := range a.WorkerFirstPatterns {
					if !strings.HasPrefix(strings.TrimPrefix(p, "!"), "/") {
						r.fail(v.line, fmt.Sprintf("%s[%d]", f, i), "%q is no pattern of paths: expected one like /api/*, or !/api/docs/*", p)
					}
				}
				return
			}
			if _, ok := v.data.(bool); !ok {
				r.expected(v, f, "true, false or a list of patterns")
				return
			}
			r.flag(v, f, &a.WorkerFirst)
		},
		"base_path": func(v *value, f string) { r.warn(v.line, f, noEffect) },
		"exclude": func(v *value, f string) {
			r.warn(v.line, f, "it has no effect: write .assetsignore into the directory")
		},
	}, "directory")
}

func (r *reader) route(v *value, field string) {
	if pattern, ok := v.data.(string); ok {
		r.addRoute(v.line, field, Route{Pattern: pattern})
		return
	}
	var route Route
	if _, ok := v.data.(*object); !ok {
		r.expected(v, field, "a string or a table")
		return
	}
	if r.members(v, field, readers{
		"pattern":       func(v *value, f string) { r.text(v, f, &route.Pattern) },
		"custom_domain": func(v *value, f string) { r.flag(v, f, &route.CustomDomain) },
		"zone_id":       nil, "zone_name": nil, "enabled": nil, "previews_enabled": nil,
	}, "pattern") {
		r.addRoute(v.line, field, route)
	}
}

// addRoute adds a route, and warns of one that leads nowhere here: a worker has
// whole hosts.
func (r *reader) addRoute(line int, field string, route Route) {
	r.config.Routes = append(r.config.Routes, route)
	if host, whole := strings.CutSuffix(route.Pattern, "/*"); !route.CustomDomain && (!whole || strings.ContainsAny(host, "*/:")) {
		r.warn(line, field, "%q has no effect: expected all of a host, as shop.example.com/*, or a custom_domain", route.Pattern)
	}
}

func (r *reader) routes(v *value, field string) { r.items(v, field, r.route) }

func (r *reader) build(v *value, field string) {
	b := &r.config.Build
	r.members(v, field, readers{
		"command": func(v *value, f string) { r.text(v, f, &b.Command) },
		"cwd":     func(v *value, f string) { r.text(v, f, &b.Dir) },
		"watch_dir": func(v *value, f string) {
			if _, ok := v.data.([]*value); ok {
				b.WatchDir = r.texts(v, f)
				return
			}
			var dir string
			if r.text(v, f, &dir) {
				b.WatchDir = []string{dir}
			}
		},
	})
}

func (r *reader) findAdditionalModules(v *value, field string) {
	r.additive = true
	r.flag(v, field, &r.config.FindAdditionalModules)
}

func (r *reader) dev(v *value, field string) {
	r.members(v, field, readers{
		"ip": func(v *value, f string) { r.text(v, f, &r.config.Dev.IP) },
		"port": func(v *value, f string) {
			var port int64
			if r.count(v, f, &port); port > 65535 {
				r.fail(v.line, f, "%d is no port", port)
				return
			}
			r.config.Dev.Port = int(port)
		},
		"inspector_port": nil, "inspector_ip": nil, "local_protocol": nil, "upstream_protocol": nil, "host": nil,
		"enable_containers": nil, "container_engine": nil, "generate_types": nil,
	})
}
