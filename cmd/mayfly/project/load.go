package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Files are the names of configuration files, the first that is there counts.
var Files = []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"}

// ErrNoConfig: there is no configuration file.
var ErrNoConfig = errors.New("there is no wrangler.jsonc, wrangler.json or wrangler.toml here, nor in a directory above; mayfly init makes a project")

// Find is the path of the configuration file of a directory: in it, or in one
// above it.
//
// # Errors
//
// ErrNoConfig, errors of the file system.
func Find(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		for _, name := range Files {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, nil
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ErrNoConfig
		}
		dir = parent
	}
}

// Load reads a configuration file for an environment; empty is the top level.
// The problems are warnings: keys that are unknown or without effect.
//
// # Errors
//
// An [*Error] for what is wrong in the file, errors of the file system.
func Load(path, env string) (*Config, []Problem, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	c, warnings, err := Read(filepath.Base(path), content, env)
	if err != nil {
		return nil, warnings, err
	}
	c.File, c.Dir = path, filepath.Dir(path)
	return c, warnings, nil
}

// Read is Load of a file's content. Whether the paths in it lead somewhere is
// not looked at.
func Read(name string, content []byte, env string) (*Config, []Problem, error) {
	tree, err := parse(name, content)
	if err != nil {
		return nil, nil, err
	}
	top, ok := tree.data.(*object)
	if !ok {
		return nil, nil, &Error{[]Problem{{File: name, Line: tree.line, Text: "expected a table, but it is " + tree.kind()}}}
	}
	r := &reader{file: name, names: map[string]string{}, config: &Config{Env: env, KeepNames: true, SourceMaps: true}}
	section, err := r.section(top, env)
	if err != nil {
		return nil, nil, err
	}
	r.read(top, section, env)
	byLine := func(a, b Problem) int { return a.Line - b.Line }
	slices.SortStableFunc(r.errors, byLine)
	slices.SortStableFunc(r.warnings, byLine)
	if len(r.errors) > 0 {
		return nil, r.warnings, &Error{r.errors}
	}
	return r.config, r.warnings, nil
}

// section is the part of the file for an environment, nil for the top level.
func (r *reader) section(top *object, env string) (*object, error) {
	var names []string
	sections := &object{}
	if v := top.get("env"); v != nil {
		sections = r.table(v, "env")
	}
	for _, m := range sections.members {
		names = append(names, m.name)
	}
	if len(r.errors) > 0 || env == "" {
		return nil, nil
	}
	v := sections.get(env)
	if v == nil {
		text := fmt.Sprintf("there is no environment %q", env)
		if len(names) > 0 {
			text += "; there are " + strings.Join(names, ", ")
		}
		return nil, &Error{[]Problem{{File: r.file, Text: text}}}
	}
	return r.table(v, "env."+env), nil
}

// read reads the keys of the top level and of an environment's section.
func (r *reader) read(top, section *object, env string) {
	var known []string
	for _, k := range keys {
		known = append(known, k.name)
	}
	prefix := "env." + env
	if section != nil {
		for _, m := range section.members {
			if k := findKey(m.name); k == nil {
				r.unknown(m, prefix, known)
			} else if k.topLevel {
				r.warn(m.line, prefix+"."+m.name, "it counts at the top level of the file only")
			}
		}
	}
	for _, m := range top.members {
		if findKey(m.name) == nil {
			r.unknown(m, "", known)
		}
	}
	named := false
	for i := range keys {
		k := &keys[i]
		v, field := top.get(k.name), k.name
		line := lineOf(top, k.name)
		if section != nil && !k.topLevel {
			own := section.get(k.name)
			switch {
			case own != nil:
				v, field, line = own, prefix+"."+k.name, lineOf(section, k.name)
				named = named || k.name == "name"
			case v != nil && !k.inherited && k.read != nil && !empty(v):
				r.warn(line, k.name, "environments don't inherit it: write it into %s too, or leave it out there by an empty one", prefix)
				continue
			case !k.inherited:
				continue
			}
		}
		switch {
		case v == nil:
		case k.unsupported != "":
			r.warn(line, field, "%s", k.unsupported)
		case k.read != nil:
			k.read(r, v, field)
		}
	}
	c := r.config
	if section != nil && !named && c.Name != "" {
		if c.Name += "-" + strings.ReplaceAll(env, "_", "-"); !ValidName(c.Name) {
			r.fail(lineOf(top, "env"), prefix, "%q is no name of a worker: give the environment a name", c.Name)
		}
	}
	if !r.additive {
		c.FindAdditionalModules = c.NoBundle
	}
	c.addDefaultRules()
	if c.Main == "" && c.Assets == nil && len(r.errors) == 0 {
		r.fail(0, "main", "expected the file of the entry point, as src/index.ts, or assets")
	}
}

func empty(v *value) bool {
	switch d := v.data.(type) {
	case []*value:
		return len(d) == 0
	case *object:
		return len(d.members) == 0
	}
	return false
}

func lineOf(o *object, name string) int {
	if i := slices.IndexFunc(o.members, func(m member) bool { return m.name == name }); i >= 0 {
		return o.members[i].line
	}
	return 0
}

func validGlob(pattern string) bool { return doublestar.ValidatePattern(pattern) }

// NameRule says what names workers may have.
const NameRule = "1 to 63 of a-z, 0-9 and - inside, not beginning with a-"

// ValidName says whether a worker may have that name.
func ValidName(name string) bool {
	return workerName.MatchString(name) && !strings.HasPrefix(name, "a-")
}
