package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A nodePackage is what counts of a package.json (Node.js, "Modules:
// Packages").
type nodePackage struct {
	folder  string
	Name    string      `json:"name"`
	Type    string      `json:"type"`
	Main    string      `json:"main"`
	Module  string      `json:"module"`
	Exports *nodeTarget `json:"exports"`
	Imports *nodeTarget `json:"imports"`
}

// A nodeTarget is what an entry of exports or imports leads to: a path, nothing,
// alternatives, or by name, in the order of the file.
type nodeTarget struct {
	path   string
	names  []string
	values []*nodeTarget // of the names, or if there are none the alternatives
	isPath bool
	isNull bool
}

// UnmarshalJSON keeps the order of objects: the first condition that holds
// counts.
func (t *nodeTarget) UnmarshalJSON(b []byte) error { return t.decode(b, 0) }

// maxTargetDepth is how deep conditions may lie in each other.
const maxTargetDepth = 32

var errTarget = errors.New("a target of exports or imports is malformed")

func (t *nodeTarget) decode(b []byte, depth int) error {
	if depth > maxTargetDepth {
		return errTarget
	}
	switch b = bytes.TrimSpace(b); {
	case bytes.Equal(b, []byte("null")), bytes.Equal(b, []byte("false")):
		t.isNull = true
		return nil
	case b[0] == '"':
		t.isPath = true
		return json.Unmarshal(b, &t.path)
	case b[0] == '[':
		var items []json.RawMessage
		if err := json.Unmarshal(b, &items); err != nil {
			return err
		}
		for _, item := range items {
			value := &nodeTarget{}
			if err := value.decode(item, depth+1); err != nil {
				return err
			}
			t.values = append(t.values, value)
		}
		return nil
	case b[0] != '{':
		return errTarget
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		value := &nodeTarget{}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := value.decode(raw, depth+1); err != nil {
			return err
		}
		t.names = append(t.names, name.(string))
		t.values = append(t.values, value)
	}
	return nil
}

// conditions of exports that hold: those of bundles for Workers, and the kind
// of import.
func nodeConditions(require bool) []string {
	if require {
		return []string{"workerd", "worker", "browser", "require", "module-sync", "default"}
	}
	return []string{"workerd", "worker", "browser", "import", "module-sync", "default"}
}

// pick is the path that a target leads to under conditions; found is false if
// it leads nowhere. star replaces the asterisks of patterns.
func (t *nodeTarget) pick(conditions []string, star string) (p string, found bool) {
	switch {
	case t == nil || t.isNull:
		return "", false
	case t.isPath:
		return strings.ReplaceAll(t.path, "*", star), true
	case len(t.names) == 0:
		for _, v := range t.values {
			if p, found = v.pick(conditions, star); found {
				return p, true
			}
		}
		return "", false
	}
	for i, name := range t.names {
		if !slices.Contains(conditions, name) {
			continue
		}
		if p, found = t.values[i].pick(conditions, star); found || t.values[i].isNull {
			return p, found
		}
	}
	return "", false
}

// match finds the entry for a subpath (".", "./x", "#x"), by its name or by the
// pattern with the longest text before its asterisk.
func (t *nodeTarget) match(subpath string, conditions []string) (p string, found bool) {
	best, star := -1, ""
	for i, name := range t.names {
		if name == subpath {
			return t.values[i].pick(conditions, "")
		}
		before, after, pattern := strings.Cut(name, "*")
		if !pattern || len(subpath) < len(before)+len(after) || !strings.HasPrefix(subpath, before) || !strings.HasSuffix(subpath, after) {
			continue
		}
		if best < 0 || len(before) > strings.Index(t.names[best], "*") {
			best, star = i, subpath[len(before):len(subpath)-len(after)]
		}
	}
	if best < 0 {
		return "", false
	}
	return t.values[best].pick(conditions, star)
}

// export is the file that a package offers for a subpath.
func (p *nodePackage) export(subpath string, require bool) (string, bool) {
	conditions := nodeConditions(require)
	t := p.Exports
	if len(t.names) > 0 && strings.HasPrefix(t.names[0], ".") {
		return t.match(subpath, conditions)
	}
	if subpath != "." {
		return "", false
	}
	return t.pick(conditions, "")
}

const (
	maxPackageJSON  = 1 << 20 // bytes that are looked at
	maxNodePackages = 10_000  // folders that are remembered
)

// packageAt is the package whose package.json lies in a folder, nil if there is
// none, or none that can be read.
func (m *modules) packageAt(folder string) *nodePackage {
	if p, known := m.nodePackages[folder]; known {
		return p
	}
	var p *nodePackage
	if text, err := m.read(path.Join(folder, "package.json")); err == nil && len(text) <= maxPackageJSON {
		p = &nodePackage{folder: folder}
		if json.Unmarshal(text, p) != nil {
			p = nil
		}
	}
	if m.nodePackages == nil {
		m.nodePackages = map[string]*nodePackage{}
	}
	if len(m.nodePackages) < maxNodePackages {
		m.nodePackages[folder] = p
	}
	return p
}

// packageOf is the nearest package around a file, nil if there is none.
func (m *modules) packageOf(file string) *nodePackage {
	for folder := path.Dir(m.absolute(file)); ; folder = path.Dir(folder) {
		if p := m.packageAt(folder); p != nil {
			return p
		}
		if folder == "/" || path.Base(folder) == "node_modules" {
			return nil
		}
	}
}

// resolvePackage finds a bare specifier as Node.js does: in the importing
// package's own imports and exports, then in the node_modules folders from the
// referrer upwards. found is false if there is no such package.
func (m *modules) resolvePackage(referrer, specifier string, require bool) (file string, found bool, err error) {
	missing := func(p *nodePackage, subpath string) error {
		return &errModule{fmt.Sprintf("Package subpath '%s' is not defined by \"exports\" in %s/package.json imported from %s", subpath, p.folder, referrer), "ERR_PACKAGE_PATH_NOT_EXPORTED"}
	}
	if strings.HasPrefix(specifier, "#") {
		p := m.packageOf(referrer)
		if p == nil || p.Imports == nil {
			return "", false, nil
		}
		target, ok := p.Imports.match(specifier, nodeConditions(require))
		switch {
		case !ok:
			return "", false, nil
		case strings.HasPrefix(target, "./"):
			return m.packageFile(path.Join(p.folder, target), require)
		case strings.HasPrefix(target, "#"):
			return "", false, nil
		}
		file, err = m.resolveFor(p.folder+"/package.json", target, require)
		return file, err == nil, err
	}
	parts := strings.SplitN(specifier, "/", 2)
	if strings.HasPrefix(specifier, "@") {
		if parts = strings.SplitN(specifier, "/", 3); len(parts) < 2 {
			return "", false, nil
		}
		parts = append([]string{parts[0] + "/" + parts[1]}, parts[2:]...)
	}
	name, subpath := parts[0], "."
	if len(parts) == 2 {
		subpath = "./" + parts[1]
	}
	if p := m.packageOf(referrer); p != nil && p.Name == name && p.Exports != nil {
		if target, ok := p.export(subpath, require); ok {
			return m.packageFile(path.Join(p.folder, target), require)
		}
		return "", false, missing(p, subpath)
	}
	for folder := path.Dir(m.absolute(referrer)); ; folder = path.Dir(folder) {
		if path.Base(folder) != "node_modules" {
			root := path.Join(folder, "node_modules", name)
			p := m.packageAt(root)
			if p != nil && p.Exports != nil && !p.Exports.isNull {
				if target, ok := p.export(subpath, require); ok {
					return m.packageFile(path.Join(root, target), require)
				}
				return "", false, missing(p, subpath)
			}
			if file, found, err = m.packageFile(path.Join(root, subpath), require); found || err != nil {
				return file, found, err
			}
		}
		if folder == "/" {
			return "", false, nil
		}
	}
}

// packageExtensions are tried in packages, where sources may lie beside what
// was made of them.
var packageExtensions = []string{"", ".js", ".json", ".mjs", ".cjs", ".ts"}

// packageFile is a file of a package, or the main file of a folder.
func (m *modules) packageFile(target string, require bool) (string, bool, error) {
	if file, ok := m.withExtension(target); ok {
		return m.relative(file), true, nil
	}
	if p := m.packageAt(target); p != nil {
		mains := []string{p.Module, p.Main}
		if require {
			mains = []string{p.Main}
		}
		for _, main := range mains {
			if main == "" {
				continue
			}
			for _, at := range []string{path.Join(target, main), path.Join(target, main, "index")} {
				if file, ok := m.withExtension(at); ok {
					return m.relative(file), true, nil
				}
			}
		}
	}
	if file, ok := m.withExtension(path.Join(target, "index")); ok {
		return m.relative(file), true, nil
	}
	return "", false, nil
}

func (m *modules) withExtension(target string) (string, bool) {
	for _, extension := range packageExtensions {
		if m.exists(target + extension) {
			return target + extension, true
		}
	}
	return "", false
}

// scriptKind tells whether a JavaScript file is an ES module or CommonJS: by
// its extension, by the type that its package says, or by what is in it. Where
// that leaves it open, the guest tries.
func (m *modules) scriptKind(name, source string) byte {
	switch path.Ext(name) {
	case ".mjs":
		return kindSource
	case ".cjs":
		return kindCommonJS
	case ".js":
	default:
		return kindSource
	}
	if p := m.packageOf(name); p != nil && p.Type == "module" {
		return kindSource
	} else if p != nil && p.Type == "commonjs" {
		return kindCommonJS
	}
	if !strings.Contains(source, "require") && !strings.Contains(source, "exports") && !strings.Contains(source, "module") {
		return kindSource
	}
	if !strings.Contains(source, "import") && !strings.Contains(source, "export ") && !strings.Contains(source, "export{") {
		return kindCommonJS
	}
	return kindEither
}
