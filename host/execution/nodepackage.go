package execution

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"mayfly/host/bundle"
)

// A nodePackage is a package, and where it is.
type nodePackage struct {
	folder string
	bundle.Package
}

// nodeConditions are the conditions of exports that hold: those of bundles for Workers, and the kind
// of import.
func nodeConditions(require bool) []string {
	if require {
		return []string{"workerd", "worker", "browser", "require", "module-sync", "default"}
	}
	return []string{"workerd", "worker", "browser", "import", "module-sync", "default"}
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
		target, ok := p.Imports.Match(specifier, nodeConditions(require))
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
		if target, ok := p.Export(subpath, nodeConditions(require)); ok {
			return m.packageFile(path.Join(p.folder, target), require)
		}
		return "", false, missing(p, subpath)
	}
	for folder := path.Dir(m.absolute(referrer)); ; folder = path.Dir(folder) {
		if path.Base(folder) != "node_modules" {
			root := path.Join(folder, "node_modules", name)
			p := m.packageAt(root)
			if p != nil && p.Exports != nil && !p.Exports.Closed() {
				if target, ok := p.Export(subpath, nodeConditions(require)); ok {
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
