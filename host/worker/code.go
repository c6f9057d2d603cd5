package worker

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"mayfly/host/op"
)

// Code is what a worker is made of: its modules, and how they are to be read.
// It does not change once it is in use, and may be shared by any number of
// workers.
type Code struct {
	// MainModule is the module whose exports are the worker's entrypoints. One
	// whose name ends with .py makes a Python worker.
	MainModule string `json:"main_module"`
	// Modules are by the names by which they import each other.
	Modules map[string]Module `json:"modules"`
	// CompatibilityDate is a day as 2026-01-31, not in the future.
	CompatibilityDate  string   `json:"compatibility_date"`
	CompatibilityFlags []string `json:"compatibility_flags,omitempty"`

	prepare sync.Once
	digest  Digest
	byPath  map[string]string // names by their cleaned path, of those that differ from it
}

// A Module is one of the modules of a worker.
type Module struct {
	Kind    Kind   `json:"kind"`
	Content []byte `json:"content"`
}

// A Kind says what a module is, and so what importing it gives. Its numbers are
// those of the operation loader_provide.
type Kind uint8

// The kinds of modules. The default export of a text is a string, of data an
// ArrayBuffer, of JSON its value, of CommonJS its exports and of Wasm a
// WebAssembly.Module.
const (
	JS Kind = iota + 1
	CommonJS
	Text
	Data
	JSON
	Python
	Wasm
)

var kindNames = [...]string{JS: "js", CommonJS: "cjs", Text: "text", Data: "data", JSON: "json", Python: "py", Wasm: "wasm"}

// String is the kind's name in the Worker Loader's API.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// MarshalText implements [encoding.TextMarshaler].
func (k Kind) MarshalText() ([]byte, error) {
	if k == 0 || int(k) >= len(kindNames) {
		return nil, fmt.Errorf("there is no kind of module %d", uint8(k))
	}
	return []byte(kindNames[k]), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[1:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is no kind of module: expected one of %s", text, strings.Join(kindNames[1:], ", "))
	}
	*k = Kind(i + 1)
	return nil
}

// Bounds of a worker's code, as the Workers documentation has them where it
// does.
const (
	MaxCode        = 64 << 20 // bytes of all modules
	MaxEnvironment = 1 << 20  // bytes of the env of a dynamic worker
	maxModules     = 10_000
	maxModuleName  = 1024 // bytes
	maxFlags       = 500
)

// A Digest names code by its content: what evaluating it makes of an isolate is
// the same for the same digest.
type Digest [sha256.Size]byte

// Digest is the code's own. Env, limits and policy don't count: they are not
// there when modules are evaluated.
func (c *Code) Digest() Digest {
	c.index()
	return c.digest
}

// Size is the number of bytes of all modules.
func (c *Code) Size() int64 {
	n := int64(0)
	for _, m := range c.Modules {
		n += int64(len(m.Content))
	}
	return n
}

// Python says whether the worker runs in the Python guest.
func (c *Code) Python() bool { return strings.HasSuffix(c.MainModule, ".py") }

// StartupEval says whether code may be made of strings while the modules are
// evaluated (the flag allow_eval_during_startup). Afterwards it never may.
func (c *Code) StartupEval() bool {
	if slices.Contains(c.CompatibilityFlags, "disallow_eval_during_startup") {
		return false
	}
	return c.CompatibilityDate >= "2025-06-01" || slices.Contains(c.CompatibilityFlags, "allow_eval_during_startup")
}

// names are those of the modules in order.
func (c *Code) names() []string {
	names := make([]string, 0, len(c.Modules))
	for name := range c.Modules {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *Code) index() {
	c.prepare.Do(func() {
		h := sha256.New()
		var buffer []byte
		field := func(s string) {
			buffer = binary.LittleEndian.AppendUint64(buffer[:0], uint64(len(s)))
			buffer = append(buffer, s...)
			h.Write(buffer)
		}
		field("mayfly worker 1")
		field(c.MainModule)
		field(fmt.Sprint(c.StartupEval()))
		for _, name := range c.names() {
			m := c.Modules[name]
			field(name)
			buffer = append(buffer[:0], byte(m.Kind))
			buffer = binary.LittleEndian.AppendUint64(buffer, uint64(len(m.Content)))
			h.Write(buffer)
			h.Write(m.Content)
			if p, ok := modulePath("", name); ok && p != name {
				if c.byPath == nil {
					c.byPath = map[string]string{}
				}
				if _, taken := c.byPath[p]; !taken {
					c.byPath[p] = name
				}
			}
		}
		h.Sum(c.digest[:0])
	})
}

// reserved begin the names of modules that the host has.
var reserved = []string{"node:", "cloudflare:", "mayfly:", "workerd:"}

func typeError(format string, a ...any) error {
	return &op.ErrorRecord{Name: "TypeError", Message: fmt.Sprintf(format, a...)}
}

func plainError(format string, a ...any) error {
	return &op.ErrorRecord{Name: "Error", Message: fmt.Sprintf(format, a...)}
}

// Validate finds what is wrong with the code at a time, without looking into
// the modules.
//
// # Errors
//
// An [*op.ErrorRecord] in the words of the Workers API.
func (c *Code) Validate(now time.Time) error {
	if len(c.Modules) == 0 {
		return typeError("Dynamic Worker code must contain at least one module.")
	}
	if len(c.Modules) > maxModules {
		return typeError("Dynamic Worker code has %d modules, at most %d are allowed.", len(c.Modules), maxModules)
	}
	python := c.Python()
	size := int64(0)
	for _, name := range c.names() {
		m := c.Modules[name]
		if err := checkModuleName(name); err != nil {
			return err
		}
		if m.Kind == 0 || int(m.Kind) >= len(kindNames) {
			return typeError("Module %q is of no known kind.", name)
		}
		if m.Kind == Python && !python {
			return typeError("Module %q is a Python module, but the main module isn't a Python module.", name)
		}
		size += int64(len(m.Content))
	}
	if size > MaxCode {
		return plainError("Dynamic Worker code size (%d bytes) exceeds the maximum allowed size of %d bytes.", size, int64(MaxCode))
	}
	if err := checkCompatibility(c.CompatibilityDate, c.CompatibilityFlags, now); err != nil {
		return err
	}
	switch m, ok := c.Modules[c.MainModule]; {
	case !ok:
		return typeError("Main module name is not present in bundle.")
	case python && m.Kind != Python:
		return typeError("Main module %q is not a Python module.", c.MainModule)
	case !python && m.Kind != JS && m.Kind != CommonJS:
		return typeError("Main module %q is neither an ES module nor a CommonJS module.", c.MainModule)
	}
	return nil
}

func checkModuleName(name string) error {
	switch {
	case name == "":
		return typeError("A module's name is empty.")
	case len(name) > maxModuleName:
		return typeError("A module's name is longer than %d bytes: %.40q…", maxModuleName, name)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return typeError("A module's name is not a valid string: %.40q", name)
	}
	for _, prefix := range reserved {
		if strings.HasPrefix(name, prefix) {
			return typeError("A module can't be named %q: names that begin with %q are those of built-in modules.", name, prefix)
		}
	}
	return nil
}

// ModuleNameError is the mistake of giving a module by a string alone under a
// name that doesn't say what it is.
func ModuleNameError(name string) error {
	const text = "Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: %s"
	for _, extension := range []string{".ts", ".tsx", ".jsx"} {
		if strings.HasSuffix(name, extension) {
			return typeError(text+". If you're trying to load TypeScript, bundle it first with '@cloudflare/worker-bundler' and pass the generated JavaScript modules.", name)
		}
	}
	return typeError(text, name)
}
