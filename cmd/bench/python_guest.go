package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mayfly/guests/python"
	"mayfly/host/execution"
	"mayfly/host/vfs"
	"mayfly/runtime/isolate"
)

// A pythonGuest runs Python as Mayfly does.
type pythonGuest struct {
	runtime *isolate.Runtime
	program *isolate.Program
	service *execution.Service
	layer   *vfs.Layer
}

// python makes the guest ready.
func (b *bench) python(ctx context.Context) (g *pythonGuest, err error) {
	if err := b.open(); err != nil {
		return nil, err
	}
	g = &pythonGuest{}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.program, err = isolate.Prepare(ctx, b.engine, python.Guest{}, b.cache, b.preparing); err != nil {
		return nil, err
	}
	if g.layer, err = python.Layer(ctx, b.cache, b.preparing); err != nil {
		return nil, err
	}
	if g.runtime, err = isolate.New(isolate.Config{Processors: 1}); err != nil {
		return nil, err
	}
	g.service, err = execution.New(execution.Config{Runtime: g.runtime, Objects: noObjects{}},
		execution.Language{Names: []string{"python"}, Version: python.Version(), Image: "python", Dialect: execution.Python})
	if err != nil {
		return nil, err
	}
	return g, g.service.Install("python", g.program, g.layer)
}

func (g *pythonGuest) close() {
	if g.service != nil {
		g.service.Close()
	}
	if g.runtime != nil {
		g.runtime.Close()
	}
	if g.program != nil {
		g.program.Close()
	}
}

// run runs a program that has to succeed: its result as JSON, and the processor
// time of its turn.
func (g *pythonGuest) run(ctx context.Context, source string) (value string, cpu time.Duration, err error) {
	r, err := g.execute(ctx, source, time.Minute)
	if err != nil {
		return "", 0, err
	}
	if r.Outcome != execution.OK {
		return "", 0, fmt.Errorf("ended with %s: %v", r.Outcome, r.Error)
	}
	return string(r.Value), r.Usage.CPU, nil
}

func (g *pythonGuest) execute(ctx context.Context, source string, limit time.Duration) (*execution.Result, error) {
	return g.service.Execute(ctx, "bench", execution.Request{
		Language: "python", Code: source,
		Limits: execution.Limits{CPU: limit, Wall: 5 * time.Minute, MemoryBytes: 384 << 20},
	}, nil)
}

// pythonPrograms are the programs of a folder.
func pythonPrograms(folder string) ([]*workload, error) {
	paths, err := filepath.Glob(filepath.Join(inputs, "python", folder, "*.py"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("no programs in " + inputs + "/python/" + folder + ": run bench at the top of the source tree")
	}
	var list []*workload
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list = append(list, &workload{name: strings.TrimSuffix(filepath.Base(path), ".py"), path: path, source: string(source)})
	}
	return list, nil
}

// A nativePython is an interpreter of the machine.
type nativePython struct{ path, version string }

// fastestPython is the interpreter called python3 on the path that runs a
// program in the least time: some are built without optimisation.
func fastestPython(ctx context.Context, program string) (best nativePython, err error) {
	const rounds = 6
	least := time.Duration(0)
	var failed error
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		p := nativePython{path: filepath.Join(folder, "python3")}
		if _, err := os.Stat(p.path); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, p.path, "-c", "import platform; print(platform.python_version())").Output()
		if err != nil {
			failed = fmt.Errorf("%s: %w", p.path, err)
			continue
		}
		p.version = strings.TrimSpace(string(out))
		for range rounds {
			_, cpu, err := p.run(ctx, program)
			if err != nil { // too old, or a stand-in for one that isn't installed
				failed = err
				break
			}
			if best.path == "" || cpu < least {
				best, least = p, cpu
			}
		}
	}
	if best.path == "" {
		return best, errors.Join(errors.New("there is no python3 on the path to measure against"), failed)
	}
	return best, nil
}

// run runs a program once, its imports done before.
func (p nativePython) run(ctx context.Context, program string) (value string, cpu time.Duration, err error) {
	var out, failure bytes.Buffer
	command := exec.CommandContext(ctx, p.path, filepath.Join(inputs, "python", "native.py"), program)
	// One thread, as the guest has.
	command.Env = append(os.Environ(), "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1")
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		return "", 0, fmt.Errorf("%s: %w: %s", p.path, err, failure.String())
	}
	text, value, ok := strings.Cut(strings.TrimSuffix(out.String(), "\n"), "\t")
	ns, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !ok {
		return "", 0, fmt.Errorf("%s printed %q", p.path, out.String())
	}
	return value, time.Duration(ns), nil
}

// withPackages is an environment of the interpreter's with packages from the
// registry, made once; what says which versions they are.
func (p nativePython) withPackages(ctx context.Context, b *bench, names ...string) (n nativePython, what string, err error) {
	folder := filepath.Join(b.cache, "bench", "python-"+digestOf([]byte(p.path), []byte(p.version), []byte(strings.Join(names, " "))))
	n = nativePython{filepath.Join(folder, "bin", "python3"), p.version}
	done := filepath.Join(folder, "done")
	if _, err := os.Stat(done); err != nil {
		b.say("  installing %s for %s", strings.Join(names, " and "), p.path)
		for _, args := range [][]string{
			{p.path, "-m", "venv", "--clear", folder},
			append([]string{n.path, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"}, names...),
		} {
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
				return n, "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
			}
		}
		if err := os.WriteFile(done, nil, 0o644); err != nil {
			return n, "", err
		}
	}
	script := "import importlib.metadata as m, sys; print(', '.join(n + ' ' + m.version(n) for n in sys.argv[1:]))"
	out, err := exec.CommandContext(ctx, n.path, append([]string{"-c", script}, names...)...).Output()
	return n, strings.TrimSpace(string(out)), err
}

// comparePython runs programs natively and in the guest, in turns, and wants
// the same results: the ratios of processor time, medians, by program.
func (b *bench) comparePython(ctx context.Context, g *pythonGuest, native nativePython, list []*workload) (ratios, best []float64, detail string, err error) {
	var each []string
	for i := range pick(b.quick, 3, 9) {
		for _, w := range list {
			want, nativeCPU, err := native.run(ctx, w.path)
			if err != nil {
				return nil, nil, "", err
			}
			got, cpu, err := g.run(ctx, w.source)
			if err != nil {
				return nil, nil, "", fmt.Errorf("%s: %w", w.name, err)
			}
			if !sameJSON(got, want) {
				return nil, nil, "", fmt.Errorf("%s: the guest's result is %.200s, native it is %.200s", w.name, got, want)
			}
			if i == 0 {
				continue // caches were cold
			}
			w.native, w.guest = append(w.native, nativeCPU.Seconds()*1000), append(w.guest, cpu.Seconds()*1000)
			w.against = append(w.against, float64(cpu)/float64(nativeCPU))
		}
	}
	for _, w := range list {
		ratios, best = append(ratios, median(w.against)), append(best, slices.Min(w.guest)/slices.Min(w.native))
		each = append(each, fmt.Sprintf("%s %.2f", w.name, median(w.against)))
		b.say("  %-14s native %6.1f ms, guest %6.1f ms, %.2f×", w.name, median(w.native), median(w.guest), median(w.against))
	}
	return ratios, best, strings.Join(each, ", "), nil
}

// sameJSON compares results; floats to nine digits, since the functions of
// mathematics differ in the last one.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return sameValue(x, y)
}

func sameValue(x, y any) bool {
	switch x := x.(type) {
	case float64:
		y, ok := y.(float64)
		return ok && (x == y || fmt.Sprintf("%.9g", x) == fmt.Sprintf("%.9g", y))
	case []any:
		y, ok := y.([]any)
		return ok && slices.EqualFunc(x, y, sameValue)
	}
	return x == y
}
