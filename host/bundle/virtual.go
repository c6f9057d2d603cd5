package bundle

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"
)

// Bounds of what is read of installed packages.
const (
	maxPackageFile  = 16 << 20  // bytes of a file
	maxPackageBytes = 128 << 20 // of all that are read for one bundle
	maxPackageJSON  = 1 << 20
)

// virtual is the file system that a run-time bundle is made of: files that were
// given, over the packages in a folder. Names are relative, and nothing outside
// can be named. It is safe for concurrent use.
type virtual struct {
	files  map[string]string
	folder *os.Root // has node_modules; nil: there are none
	paths  map[string][]string

	mu       sync.Mutex
	packages map[string]*virtualPackage // by folder; nil: none
	left     int64                      // bytes of packages that may be read
}

func newVirtual(files map[string]string, folder *os.Root) *virtual {
	v := &virtual{files: make(map[string]string, len(files)), folder: folder, packages: map[string]*virtualPackage{}, left: maxPackageBytes}
	for name, text := range files {
		v.files[cleanName(name)] = text
	}
	return v
}

// cleanName is a name without what does not change it.
func cleanName(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func installed(name string) bool {
	return strings.HasPrefix(name, "node_modules/") && fs.ValidPath(name)
}

func (v *virtual) exists(name string) bool {
	if _, ok := v.files[name]; ok {
		return true
	}
	if v.folder == nil || !installed(name) {
		return false
	}
	info, err := v.folder.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (v *virtual) read(name string) (string, error) {
	if text, ok := v.files[name]; ok {
		return text, nil
	}
	if v.folder == nil || !installed(name) {
		return "", fs.ErrNotExist
	}
	f, err := v.folder.Open(name)
	if err != nil {
		return "", fs.ErrNotExist // without the path of the folder
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPackageFile+1))
	if err != nil {
		return "", fs.ErrNotExist
	}
	v.mu.Lock()
	v.left -= int64(len(text))
	over := v.left < 0
	v.mu.Unlock()
	if len(text) > maxPackageFile || over {
		return "", fmt.Errorf("%s: the packages are too large", name)
	}
	return string(text), nil
}

// A virtualPackage is a package.json, with what only bundlers look at
// (https://github.com/defunctzombie/package-browser-field-spec, and webpack's
// sideEffects).
type virtualPackage struct {
	dir string
	Package
	Browser     json.RawMessage `json:"browser"`
	SideEffects json.RawMessage `json:"sideEffects"`

	browserMain string
	browser     map[string]any // a string, or false
	pure        bool           // no file has side effects,
	impure      []string       // but those
}

func (v *virtual) packageAt(dir string) *virtualPackage {
	v.mu.Lock()
	p, known := v.packages[dir]
	v.mu.Unlock()
	if known {
		return p
	}
	if text, err := v.read(path.Join(dir, "package.json")); err == nil && len(text) <= maxPackageJSON {
		p = &virtualPackage{dir: dir}
		if json.Unmarshal([]byte(text), p) != nil {
			p = nil
		} else {
			p.interpret()
		}
	}
	v.mu.Lock()
	v.packages[dir] = p
	v.mu.Unlock()
	return p
}

func (p *virtualPackage) interpret() {
	if json.Unmarshal(p.Browser, &p.browserMain) != nil {
		_ = json.Unmarshal(p.Browser, &p.browser) // anything else has no meaning
	}
	var none bool
	switch {
	case json.Unmarshal(p.SideEffects, &none) == nil && len(p.SideEffects) > 0:
		p.pure = !none
	case json.Unmarshal(p.SideEffects, &p.impure) == nil && p.impure != nil:
		p.pure = true
	}
}

// sideEffects says whether a file does anything when it is only imported.
func (p *virtualPackage) sideEffects(file string) bool {
	if p == nil || !p.pure {
		return true
	}
	name := strings.TrimPrefix(file, p.dir+"/")
	for _, pattern := range p.impure {
		if pattern = strings.TrimPrefix(pattern, "./"); !strings.Contains(pattern, "/") {
			pattern = "**/" + pattern
		}
		if match, err := doublestar.Match(pattern, name); err == nil && match {
			return true
		}
	}
	return false
}

// packageOf is the nearest package around a file.
func (v *virtual) packageOf(file string) *virtualPackage {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if p := v.packageAt(dir); p != nil {
			return p
		}
		if dir == "." || path.Base(dir) == "node_modules" {
			return nil
		}
	}
}

// A found is what an import leads to.
type found struct {
	file  string
	empty bool // the package has nothing in its place here
}

// virtualExtensions are tried for imports that name no file.
var virtualExtensions = []string{".ts", ".tsx", ".js", ".jsx", ".mts", ".mjs", ".cjs", ".json"}

// resolve finds what a specifier means in a file; ok is false if it leads
// nowhere. more are conditions besides those of workers.
func (v *virtual) resolve(importer, specifier string, require bool, more []string) (f found, ok bool) {
	holds := append(slices.Clip(append([]string{"module", "default"}, conditions...)), more...)
	if require {
		holds = append(holds, "require")
	} else {
		holds = append(holds, "import")
	}
	return v.resolveAs(importer, specifier, holds, 0)
}

func (v *virtual) resolveAs(importer, specifier string, holds []string, depth int) (f found, ok bool) {
	if depth > 8 { // packages that rename in circles
		return found{}, false
	}
	own := v.packageOf(importer)
	switch {
	case specifier == "." || specifier == ".." || strings.HasPrefix(specifier, "./") || strings.HasPrefix(specifier, "../"):
		target := path.Join(path.Dir(importer), specifier)
		if target == ".." || strings.HasPrefix(target, "../") {
			return found{}, false
		}
		return v.within(target)
	case strings.HasPrefix(specifier, "/"):
		return v.within(cleanName(specifier))
	case strings.HasPrefix(specifier, "#"):
		if own == nil || own.Imports == nil {
			return found{}, false
		}
		target, ok := own.Imports.Match(specifier, holds)
		switch {
		case !ok || strings.HasPrefix(target, "#"):
			return found{}, false
		case strings.HasPrefix(target, "./"):
			return v.within(path.Join(own.dir, target))
		}
		return v.resolveAs(path.Join(own.dir, "package.json"), target, holds, depth+1)
	}
	if own != nil {
		if to, renamed := own.browser[specifier]; renamed {
			if to, ok := to.(string); ok && to != specifier {
				return v.resolveAs(path.Join(own.dir, "package.json"), to, holds, depth+1)
			}
			return found{empty: true}, true
		}
	}
	for _, target := range v.mapped(specifier) {
		if f, ok = v.within(target); ok {
			return f, true
		}
	}
	name, subpath := splitPackage(specifier)
	if name == "" {
		return found{}, false
	}
	if own != nil && own.Name == name && own.Exports != nil && !own.Exports.Closed() {
		if target, ok := own.Export(subpath, holds); ok {
			return v.within(path.Join(own.dir, target))
		}
	}
	for dir := path.Dir(importer); ; dir = path.Dir(dir) {
		if path.Base(dir) != "node_modules" {
			root := path.Join(dir, "node_modules", name)
			p := v.packageAt(root)
			if p != nil && p.Exports != nil && !p.Exports.Closed() {
				target, ok := p.Export(subpath, holds)
				if !ok {
					return found{}, false
				}
				return v.within(path.Join(root, target))
			}
			if f, ok = v.within(path.Join(root, subpath)); ok {
				return f, true
			}
		}
		if dir == "." {
			return found{}, false
		}
	}
}

// splitPackage parts the name of a package from what is asked of it.
func splitPackage(specifier string) (name, subpath string) {
	parts := strings.SplitN(specifier, "/", 3)
	n := 1
	if strings.HasPrefix(specifier, "@") {
		n = 2
	}
	if len(parts) < n || slices.Contains(parts[:n], "") || slices.Contains(parts[:n], "..") || slices.Contains(parts[:n], ".") {
		return "", ""
	}
	name = strings.Join(parts[:n], "/")
	if rest := strings.TrimPrefix(specifier[len(name):], "/"); rest != "" {
		return name, "./" + rest
	}
	return name, "."
}

// mapped are the files that the paths of tsconfig.json give for a specifier.
func (v *virtual) mapped(specifier string) (targets []string) {
	best := -1
	for pattern, to := range v.paths {
		before, after, star := strings.Cut(pattern, "*")
		match := ""
		switch {
		case !star && pattern == specifier:
		case star && len(specifier) >= len(before)+len(after) && strings.HasPrefix(specifier, before) && strings.HasSuffix(specifier, after):
			match = specifier[len(before) : len(specifier)-len(after)]
		default:
			continue
		}
		if len(before) <= best {
			continue
		}
		best, targets = len(before), nil
		for _, t := range to {
			targets = append(targets, cleanName(strings.Replace(t, "*", match, 1)))
		}
	}
	return targets
}

// within finds a file by a name without its extension, or that of a folder.
func (v *virtual) within(target string) (found, bool) {
	file, ok := v.file(target)
	if !ok {
		return found{}, false
	}
	if p := v.packageOf(file); p != nil && p.browser != nil {
		name := "./" + strings.TrimPrefix(file, p.dir+"/")
		if p.dir == "." {
			name = "./" + file
		}
		for _, key := range []string{name, strings.TrimSuffix(name, path.Ext(name)), strings.TrimPrefix(name, "./")} {
			to, renamed := p.browser[key]
			if !renamed {
				continue
			}
			if to, ok := to.(string); ok {
				if f, ok := v.file(path.Join(p.dir, to)); ok {
					return found{file: f}, true
				}
				return found{}, false
			}
			return found{empty: true}, true
		}
	}
	return found{file: file}, true
}

func (v *virtual) file(target string) (string, bool) {
	if file, ok := v.withExtension(target); ok {
		return file, true
	}
	if p := v.packageAt(target); p != nil {
		for _, main := range []string{p.browserMain, p.Module, p.Main} {
			if main == "" {
				continue
			}
			at := path.Join(target, main)
			if file, ok := v.withExtension(at); ok {
				return file, true
			}
			if file, ok := v.withExtension(path.Join(at, "index")); ok {
				return file, true
			}
		}
	}
	return v.withExtension(path.Join(target, "index"))
}

func (v *virtual) withExtension(target string) (string, bool) {
	if v.exists(target) {
		return target, true
	}
	for _, extension := range virtualExtensions {
		if v.exists(target + extension) {
			return target + extension, true
		}
	}
	// TypeScript's way: './a.js' means './a.ts' where only that is there.
	for from, to := range map[string][]string{".js": {".ts", ".tsx"}, ".mjs": {".mts"}, ".jsx": {".tsx"}} {
		if base, ok := strings.CutSuffix(target, from); ok {
			for _, extension := range to {
				if v.exists(base + extension) {
					return base + extension, true
				}
			}
		}
	}
	return "", false
}
