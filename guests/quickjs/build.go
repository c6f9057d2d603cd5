package quickjs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"mayfly/guests/registry"
	"mayfly/runtime/isolate"
)

// ErrNotWasm: the toolchain made something that is no module.
var ErrNotWasm = errors.New("quickjs: the build's output is no wasm module")

// Flags of the compiler and the linker. Their text is part of the module's
// key. EMSCRIPTEN only selects QuickJS's switch dispatch, which is what is
// fast in wasm, and leaves out threads and atomics.
var (
	targetFlags = []string{"--target=wasm32-wasi", "-O3", "-DNDEBUG"}
	cFlags      = []string{"-std=gnu11", "-D_GNU_SOURCE", "-DEMSCRIPTEN"}
	cxxFlags    = []string{"-std=c++20", "-fno-exceptions", "-fno-rtti"}
	linkFlags   = []string{"-mexec-model=reactor", "-Wl,-z,stack-size=524288", "-Wl,--export=__stack_pointer",
		fmt.Sprintf("-Wl,--initial-memory=%d", memoryPages<<16), fmt.Sprintf("-Wl,--max-memory=%d", memoryPages<<16)}
)

// Wasm is the guest's module, from the cache or built into it.
//
// # Errors
//
// A [*registry.ToolError] if pip or the compiler is missing or fails; [ErrPlatform],
// [registry.ErrDigest]; errors of the file system.
func (Guest) Wasm(ctx context.Context, cache string, progress isolate.Progress) ([]byte, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	key := moduleKey()
	path := filepath.Join(cache, "quickjs", "guest-"+key+".wasm")
	if module, err := registry.Load(path); err == nil {
		return module, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	unlock, err := isolate.LockFile(ctx, filepath.Join(cache, "quickjs", "build.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if module, err := registry.Load(path); err == nil {
		return module, nil // another process was faster
	}
	module, err := build(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	return module, registry.Store(path, module)
}

// moduleKey names what the module depends on: packages, sources and flags, but
// not the machine that builds it.
func moduleKey() string {
	digest := sha256.New()
	fmt.Fprintln(digest, "build 2", targetFlags, cFlags, cxxFlags, linkFlags)
	digest.Write(lockText)
	registry.DigestTree(digest, sources, "c")
	return hex.EncodeToString(digest.Sum(nil))[:32]
}

// A toolchain runs the compiler in one work folder.
type toolchain struct {
	zig         string
	environment []string
	work        string
}

// build fetches the packages and compiles the module.
func build(ctx context.Context, cache string, progress isolate.Progress) ([]byte, error) {
	l, err := parseLock()
	if err != nil {
		return nil, err
	}
	wheel, err := hostToolchain(l)
	if err != nil {
		return nil, err
	}
	interpreter, err := l.source("quickjs-ng").Fetch(ctx, packages(cache), wantedSource("upstream-quickjs/"), progress)
	if err != nil {
		return nil, err
	}
	parser, err := l.source("ada-url").Fetch(ctx, packages(cache), wantedSource("ada_url/"), progress)
	if err != nil {
		return nil, err
	}
	compiler, err := wheel.Fetch(ctx, packages(cache), wantedTool, progress)
	if err != nil {
		return nil, err
	}

	work, err := os.MkdirTemp(filepath.Join(cache, "quickjs"), "build-*.tmp")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(work, sources); err != nil {
		return nil, err
	}
	t := &toolchain{zig: filepath.Join(compiler, "ziglang", "zig"), work: work}
	if runtime.GOOS == "windows" {
		t.zig += ".exe"
	} else if err := os.Chmod(t.zig, 0o755); err != nil { // wheels don't keep the bit
		return nil, err
	}
	objects := filepath.Join(cache, "quickjs", "zig")
	t.environment = append(os.Environ(), "ZIG_GLOBAL_CACHE_DIR="+filepath.Join(objects, "global"), "ZIG_LOCAL_CACHE_DIR="+filepath.Join(objects, "local"))

	c, ada := filepath.Join(interpreter, "upstream-quickjs"), filepath.Join(parser, "ada_url")
	// Paths of this machine in __FILE__ would make the module depend on it.
	maps := []string{"-ffile-prefix-map=" + work + "=", "-ffile-prefix-map=" + interpreter + "=", "-ffile-prefix-map=" + parser + "=", "-ffile-prefix-map=" + compiler + "="}
	units := []unit{
		{"cc", filepath.Join(work, "c", "shim.c"), append([]string{"-I" + filepath.Join(work, "c"), "-I" + c, "-I" + ada}, cFlags...)},
		{"c++", filepath.Join(work, "c", "urlparser.cpp"), append([]string{"-I" + ada}, cxxFlags...)},
		{"cc", filepath.Join(c, "libregexp.c"), cFlags},
		{"cc", filepath.Join(c, "libunicode.c"), cFlags},
		{"cc", filepath.Join(c, "dtoa.c"), cFlags},
	}
	// Linking nothing makes the C library, while the rest compiles.
	empty := filepath.Join(work, "empty.c")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, err
	}
	steps := []func(context.Context) error{func(ctx context.Context) error {
		return t.run(ctx, append(append([]string{"cc", empty, "-o", filepath.Join(work, "empty.wasm")}, targetFlags...), linkFlags...))
	}}
	var outputs []string
	for _, u := range units {
		output := filepath.Join(work, filepath.Base(u.source)+".o")
		outputs = append(outputs, output)
		steps = append(steps, func(ctx context.Context) error {
			args := append([]string{u.language, "-c", u.source, "-o", output}, targetFlags...)
			return t.run(ctx, append(append(args, u.flags...), maps...))
		})
	}
	steps[0], steps[1] = steps[1], steps[0] // the longest first
	if err := inParallel(ctx, steps, func(done float64) { progress("compiling QuickJS", done) }); err != nil {
		return nil, err
	}
	progress("linking QuickJS", -1)
	output := filepath.Join(work, "guest.wasm")
	args := append(append([]string{"cc"}, outputs...), "-o", output)
	if err := t.run(ctx, append(append(args, targetFlags...), linkFlags...)); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(module, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, ErrNotWasm
	}
	return dropDebug(module)
}

// dropDebug leaves out the debug sections, which hold paths of this machine.
// The linker can only strip them together with the names of functions, and
// the passes find functions by name.
func dropDebug(module []byte) ([]byte, error) {
	const header = 8
	out := append([]byte(nil), module[:header]...)
	for rest := module[header:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, fmt.Errorf("%w: a section is cut short", ErrNotWasm)
		}
		section := rest[:1+n+int(size)]
		rest = rest[len(section):]
		if content := section[1+n:]; section[0] == 0 { // custom: a name comes first
			length, m := binary.Uvarint(content)
			if m <= 0 || length > uint64(len(content)-m) {
				return nil, fmt.Errorf("%w: a custom section has no name", ErrNotWasm)
			}
			if name := content[m : m+int(length)]; string(name) != "name" {
				continue
			}
		}
		out = append(out, section...)
	}
	return out, nil
}

// A unit is one source file with the flags of its own.
type unit struct {
	language, source string
	flags            []string
}

func (t *toolchain) run(ctx context.Context, args []string) error {
	command := exec.CommandContext(ctx, t.zig, args...)
	command.Dir = t.work
	command.Env = t.environment
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &registry.ToolError{Tool: "zig " + strings.Join(args, " "), Hint: "the guest did not compile", Output: output.String(), Err: err}
	}
	return nil
}

// inParallel runs steps on all processors. The first error stops the others.
func inParallel(ctx context.Context, steps []func(context.Context) error, progress func(done float64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, finished atomic.Int64
	var report sync.Mutex
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(steps)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(steps) || ctx.Err() != nil {
					return
				}
				if err := steps[i](ctx); err != nil {
					cancel(err)
					return
				}
				report.Lock()
				progress(float64(finished.Add(1)) / float64(len(steps)))
				report.Unlock()
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// wantedSource keeps the sources below one folder of a source archive.
func wantedSource(folder string) func(string) bool {
	return func(path string) bool { return strings.HasPrefix(path, folder) }
}

// wantedTool keeps what compiles for wasm: the wheel has the headers and
// libraries of every system, most of its 20,000 files.
func wantedTool(path string) bool {
	for _, other := range []string{"lib/libc/mingw/", "lib/libc/glibc/", "lib/libc/darwin/", "lib/libc/freebsd/", "lib/libc/netbsd/",
		"lib/libc/openbsd/", "lib/libtsan/", "lib/docs/", "doc/"} {
		if strings.HasPrefix(path, "ziglang/"+other) {
			return false
		}
	}
	if headers, ok := strings.CutPrefix(path, "ziglang/lib/libc/include/"); ok {
		return strings.HasPrefix(headers, "wasm-") || strings.HasPrefix(headers, "generic-")
	}
	return strings.HasPrefix(path, "ziglang/")
}
