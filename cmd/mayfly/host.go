package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"mayfly/guests/python"
	"mayfly/guests/quickjs"
	"mayfly/host/bundle"
	"mayfly/host/egress"
	"mayfly/host/execution"
	"mayfly/host/packages"
	"mayfly/host/vfs"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// guests are the guests of this program, with the language that each is for, in
// the order in which a server makes them ready.
var guests = []guest{
	{"javascript", quickjs.Guest{}, execution.Language{
		Names: []string{"javascript", "typescript"}, Version: quickjs.Version(), Image: "quickjs", Builtin: quickjs.Builtin,
		Dialect: execution.JavaScript,
	}, nil, nil},
	{"python", python.Guest{}, execution.Language{
		Names: []string{"python"}, Version: python.Version(), Image: "python", Dialect: execution.Python,
		// What a program changes of the image counts too: with the packages
		// that are in it, that is more than a script's own data.
		Defaults: execution.Limits{MemoryBytes: 256 << 20},
	}, python.Layer, python.Provided},
}

// A guest is one of guests.
type guest struct {
	name     string
	guest    isolate.Guest
	language execution.Language
	// layer is the guest's own part of the file system; nil if it has none.
	layer func(ctx context.Context, cache string, progress isolate.Progress) (*vfs.Layer, error)
	// provided are the packages in the layer; nil if none can be added.
	provided func(layer *vfs.Layer) (map[string]string, error)
}

// guestOf is the guest for a language, by any of its names.
func guestOf(language string) (guest, bool) {
	for _, g := range guests {
		if slices.Contains(g.language.Names, language) {
			return g, true
		}
	}
	return guest{}, false
}

// host is all that runs executions.
type host struct {
	engine  engine.Engine
	runtime *isolate.Runtime
	service *execution.Service
	cache   string
	log     *slog.Logger
	guests  []guest
	// packages says that requests may ask for packages.
	packages bool

	programs []*isolate.Program
}

// executable is this program's file, which is run again as the process that
// transforms sources. Tests have none, and transform in their own.
var executable string

// transformCommand is mayfly transform, which only mayfly itself runs.
type transformCommand struct{}

// Run transforms what it is sent until there is no more.
func (transformCommand) Run() error { return bundle.Work(os.Stdin, os.Stdout) }

// newHost makes a host for some guests, without programs: see prepare.
func newHost(s *engineSettings, guests []guest, objects execution.Objects, config execution.Config, log *slog.Logger) (*host, error) {
	allowed, err := s.prefixes()
	if err != nil {
		return nil, err
	}
	h := &host{cache: s.Cache, log: log, guests: guests, packages: s.Packages}
	if h.engine, err = engine.New(engine.Config{CacheDir: filepath.Join(s.Cache, "code")}); err != nil {
		return nil, fmt.Errorf("%w: --cache names the directory", err)
	}
	h.runtime, err = isolate.New(isolate.Config{Processors: s.Processors, MemoryBudget: int64(s.MemoryBudget)})
	if err != nil {
		return nil, errors.Join(usageError{err}, h.engine.Close())
	}
	config.Runtime, config.Objects, config.Log = h.runtime, objects, log
	// The machine's own addresses are closed even where they are public.
	local, err := egress.LocalAddresses()
	if err != nil {
		return nil, errors.Join(err, h.runtime.Close(), h.engine.Close())
	}
	config.Egress = egress.Config{AllowPrivate: allowed, Refuse: local}
	config.AllowEval = s.AllowEval
	if executable != "" {
		config.Transformer = []string{executable, "transform"}
	}
	var languages []execution.Language
	for _, g := range guests {
		languages = append(languages, g.language)
	}
	if h.service, err = execution.New(config, languages...); err != nil {
		return nil, errors.Join(usageError{withLimitHint(err)}, h.runtime.Close(), h.engine.Close())
	}
	return h, nil
}

// prepare makes the host's guests ready, one after the other: each serves as
// soon as it is, and the preparation of several at once would need the memory
// of all.
func (h *host) prepare(ctx context.Context, progress isolate.Progress) error {
	if !h.engine.Info().Tuned {
		h.log.Info("this build uses the stock engine, which is correct but about half as fast; make build makes the tuned one")
	}
	for _, g := range h.guests {
		start := time.Now()
		p, err := isolate.Prepare(ctx, h.engine, g.guest, h.cache, progress)
		if err != nil {
			return err
		}
		h.programs = append(h.programs, p)
		var layer *vfs.Layer
		if g.layer != nil {
			if layer, err = g.layer(ctx, h.cache, progress); err != nil {
				return err
			}
		}
		if err := h.service.Install(g.name, p, layer); err != nil {
			return err
		}
		if h.packages && g.provided != nil {
			if err := h.addPackages(g, layer); err != nil {
				return err
			}
		}
		// What preparation took is garbage now, and can be a gigabyte.
		debug.FreeOSMemory()
		h.log.Debug("guest ready", "guest", p.Name(), "took", time.Since(start).Round(time.Millisecond), "image", p.Digest()[:12])
	}
	return nil
}

// addPackages lets requests for a guest ask for packages.
func (h *host) addPackages(g guest, layer *vfs.Layer) error {
	provided, err := g.provided(layer)
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(g.language.Version, "CPython ")
	store, err := packages.New(packages.Config{Folder: filepath.Join(h.cache, g.name, "packages"), Version: version, Provided: provided})
	if err != nil {
		return err
	}
	return h.service.AddPackages(g.name, store)
}

// close releases everything; no execution may be running.
func (h *host) close() error {
	h.service.Close()
	errs := []error{h.runtime.Close()}
	for _, p := range h.programs {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, h.engine.Close())...)
}
