package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mayfly/guests/quickjs"
	"mayfly/host/execution"
	"mayfly/runtime/isolate"
	"mayfly/storage"
)

// smallLimit is the limit that the programs of testdata/bench/limit run into.
const smallLimit = 50 * time.Millisecond

// cpuLimit measures how far beyond their limit of processor time programs get
// that never end.
func (b *bench) cpuLimit(ctx context.Context) ([]result, error) {
	paths, err := filepath.Glob(filepath.Join(inputs, "limit", "*.js"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("no programs in " + inputs + "/limit: run bench at the top of the source tree")
	}
	program, err := b.javascript(ctx)
	if err != nil {
		return nil, err
	}
	r, err := isolate.New(isolate.Config{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	service, err := execution.New(execution.Config{Runtime: r, Objects: noObjects{}},
		execution.Language{Names: []string{"javascript"}, Version: quickjs.Version(), Image: "quickjs", Builtin: quickjs.Builtin})
	if err != nil {
		return nil, err
	}
	defer service.Close()
	if err := service.Install("javascript", program, nil); err != nil {
		return nil, err
	}
	type overshoot struct {
		name string
		past float64 // the worst, ms
	}
	var all []overshoot
	var failed []error
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		o := overshoot{name: strings.TrimSuffix(filepath.Base(path), ".js")}
		for range pick(b.quick, 2, 8) {
			result, err := service.Execute(ctx, "bench", execution.Request{
				Language: "javascript", Code: string(source),
				Limits: execution.Limits{CPU: smallLimit, Wall: time.Minute, MemoryBytes: 256 << 20},
			}, nil)
			if err != nil {
				return nil, err
			}
			if result.Outcome != execution.ExceededCPU {
				failed = append(failed, fmt.Errorf("%s ended with %s: %v", o.name, result.Outcome, result.Error))
				break
			}
			o.past = max(o.past, (result.Usage.CPU-smallLimit).Seconds()*1000)
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(x, y overshoot) int { return int(1000 * (y.past - x.past)) })
	var worst []string
	var pasts []float64
	for i, o := range all {
		pasts = append(pasts, o.past)
		if i < 6 {
			worst = append(worst, fmt.Sprintf("%s %.1f", o.name, o.past))
		}
	}
	return []result{{
		target:   target{what: "CPU limit of 50 ms, the worst overshoot", must: 50, aim: 10, unit: " ms"},
		measured: all[0].past, rounds: pasts,
		detail: fmt.Sprintf("%d programs; most past the limit: %s", len(all), strings.Join(worst, ", ")),
	}}, errors.Join(failed...)
}

// noObjects is an object store for programs that keep nothing.
type noObjects struct{}

var errNoObjects = errors.New("nothing is kept here")

func (noObjects) Put(context.Context, string, io.Reader, storage.PutOptions) (storage.Object, error) {
	return storage.Object{}, errNoObjects
}

func (noObjects) Get(context.Context, string, storage.GetOptions) (*storage.Content, error) {
	return nil, errNoObjects
}
