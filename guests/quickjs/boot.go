package quickjs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// bootEntry is the module that the bootstrap begins with.
const bootEntry = "mayfly:main"

// A bootModule is one of our own modules: its name as it is imported, and its
// source.
type bootModule struct{ name, source string }

// bootModules are the modules of the bootstrap: js/x.js is "mayfly:x",
// js/node/x.js is "node:x", and "mayfly:npm/…" is a file below node_modules.
func bootModules(ctx context.Context, cache string, progress isolate.Progress) ([]bootModule, error) {
	modules, err := embeddedModules(sources)
	if err != nil {
		return nil, err
	}
	names := npmImports(modules)
	if len(names) == 0 {
		return modules, nil
	}
	folder, err := installPackages(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	for len(names) > 0 {
		var added []bootModule
		for _, name := range names {
			source, err := os.ReadFile(npmFile(folder, name))
			if err != nil {
				return nil, fmt.Errorf("quickjs: a package lacks what the bootstrap imports: %w", err)
			}
			added = append(added, bootModule{name, string(source)})
		}
		modules = append(modules, added...)
		names = slices.DeleteFunc(append(npmImports(added), relativeImports(folder, added)...), func(name string) bool {
			return slices.ContainsFunc(modules, func(m bootModule) bool { return m.name == name })
		})
		slices.Sort(names)
		names = slices.Compact(names)
	}
	return modules, nil
}

func embeddedModules(files fs.FS) ([]bootModule, error) {
	var modules []bootModule
	err := fs.WalkDir(files, "js", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".js") {
			return err
		}
		source, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "js/"), ".js")
		if builtin, ok := strings.CutPrefix(name, "node/"); ok {
			name = "node:" + builtin
		} else {
			name = "mayfly:" + name
		}
		modules = append(modules, bootModule{name, string(source)})
		return nil
	})
	return modules, err
}

const npmPrefix = "mayfly:npm/"

var npmImport = regexp.MustCompile(`["'](mayfly:npm/[^"']+)["']`)

// npmImports are the files of packages that modules import, without repeats.
func npmImports(modules []bootModule) []string {
	var names []string
	for _, m := range modules {
		for _, match := range npmImport.FindAllStringSubmatch(m.source, -1) {
			if name := match[1]; !slices.Contains(names, name) && fs.ValidPath(strings.TrimPrefix(name, npmPrefix)) {
				names = append(names, name)
			}
		}
	}
	return names
}

var relativeImport = regexp.MustCompile(`(?:\brequire\(\s*|\bfrom\s*|\bimport\s*)["'](\.\.?/[^"']+)["']`)

// relativeImports are the files that files of packages import or require from
// beside them. What isn't there may be in a comment.
func relativeImports(folder string, modules []bootModule) []string {
	var names []string
	for _, m := range modules {
		for _, match := range relativeImport.FindAllStringSubmatch(m.source, -1) {
			target := path.Join(path.Dir(m.name), match[1])
			if !strings.HasPrefix(target, npmPrefix) {
				continue
			}
			for _, suffix := range []string{"", ".js", "/index.js"} {
				if info, err := os.Stat(npmFile(folder, target+suffix)); err == nil && info.Mode().IsRegular() {
					names = append(names, target+suffix)
					break
				}
			}
		}
	}
	return names
}

// npmFile is where a file of a package lies.
func npmFile(folder, name string) string {
	return filepath.Join(folder, "node_modules", filepath.FromSlash(strings.TrimPrefix(name, npmPrefix)))
}

// A BootError is an error of the bootstrap's own JavaScript.
type BootError struct {
	Name, Message, Stack string
}

func (e *BootError) Error() string {
	return fmt.Sprintf("quickjs: the bootstrap failed: %s: %s\n%s", e.Name, e.Message, e.Stack)
}

// boot runs the guest from its stage-0 image to the point where the image for
// all lives is taken. Nothing of time, randomness or a system gets into it.
func (m *machine) boot(modules []bootModule, entry string) error {
	port := &bootPort{}
	data := m.instance.Data()
	m.instance.SetData(isolate.Port(port))
	defer m.instance.SetData(data)
	if err := m.bootRun(modules, entry); err != nil {
		if port.failure != nil {
			return port.failure
		}
		return err
	}
	return nil
}

func (m *machine) bootRun(modules []bootModule, entry string) error {
	if _, err := m.invoke("_initialize"); err != nil {
		return err
	}
	if err := m.invokeZero("init"); err != nil {
		return err
	}
	for _, module := range modules {
		name, err := m.placeText(module.name)
		if err != nil {
			return err
		}
		source, err := m.placeText(module.source)
		if err != nil {
			return err
		}
		if err := m.invokeZero("boot_module", uint64(name), uint64(source), uint64(len(module.source))); err != nil {
			return err
		}
	}
	name, err := m.placeText(entry)
	if err != nil {
		return err
	}
	if err := m.invokeZero("boot_run", uint64(name)); err != nil {
		return err
	}
	_, err = m.invoke("seal")
	return err
}

// placeText copies a text into a block of the guest, with a NUL behind it.
func (m *machine) placeText(text string) (uint32, error) {
	at, err := m.invoke("alloc", uint64(len(text))+1)
	if err != nil {
		return 0, err
	}
	if at == 0 || !inside(m.memory, uint32(at), uint32(len(text))+1) {
		return 0, ErrMemory
	}
	m.memory[at+uint64(copy(m.memory[at:], text))] = 0
	return uint32(at), nil
}

// invoke calls an export by name.
func (m *machine) invoke(name string, params ...uint64) (uint64, error) {
	f, err := m.instance.Function(name)
	if err != nil {
		return 0, err
	}
	m.stack = [4]uint64{}
	copy(m.stack[:], params)
	err = m.call(f)
	return m.stack[0], err
}

// invokeZero calls an export that answers 0 when all is well.
func (m *machine) invokeZero(name string, params ...uint64) error {
	result, err := m.invoke(name, params...)
	if err == nil && int32(result) != 0 {
		err = fmt.Errorf("%w: %s failed", ErrProtocol, name)
	}
	return err
}

// bootPort is what the guest can reach while it boots: clocks that stand
// still, and a way to say what went wrong.
type bootPort struct {
	isolate.BootPort
	failure error
}

var errBootOperation = errors.New("quickjs: the bootstrap asked the host for something")

func (p *bootPort) Call(number uint32, in, out []byte) ([]byte, bool) {
	switch op.Op(number) {
	case op.Clock:
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(out[:0], 0), 0), true
	case op.Fail:
		if p.failure == nil {
			p.failure = bootFailure(in)
		}
		return nil, true
	}
	panic(engine.Stop{Cause: fmt.Errorf("%w: %v", errBootOperation, op.Op(number))})
}

func (p *bootPort) Start(number, id uint32, in []byte) {
	panic(engine.Stop{Cause: fmt.Errorf("%w: %v", errBootOperation, op.Op(number))})
}

func bootFailure(message []byte) error {
	r := op.NewReader(message)
	r.U8()
	record, err := op.ReadError(r)
	if err != nil {
		return fmt.Errorf("quickjs: the bootstrap failed: %w", err)
	}
	return &BootError{Name: record.Name, Message: record.Message, Stack: record.Stack}
}
