package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mayfly/runtime/isolate"
)

// A workload is a program that runs alike everywhere, with the ratios of its
// processor time measured so far.
type workload struct {
	name, path, source string
	against            []float64 // guest against native QuickJS
	metering           []float64 // guest against the guest without metering
	// Milliseconds.
	native, guest, unmetered []float64
}

func workloads() ([]*workload, error) {
	paths, err := filepath.Glob(filepath.Join(inputs, "compute", "*.js"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("no programs in " + inputs + "/compute: run bench at the top of the source tree")
	}
	var list []*workload
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list = append(list, &workload{name: strings.TrimSuffix(filepath.Base(path), ".js"), path: path, source: string(source)})
	}
	return list, nil
}

// compute measures JavaScript against native QuickJS, and what metering costs.
// The three alternate program by program, and must give the same results.
func (b *bench) compute(ctx context.Context) ([]result, error) {
	list, err := workloads()
	if err != nil {
		return nil, err
	}
	native, compiler, err := b.nativeInterpreter(ctx)
	if err != nil {
		return nil, err
	}
	metered, err := b.javascript(ctx)
	if err != nil {
		return nil, err
	}
	unmetered, err := b.javascriptUnmetered(ctx)
	if err != nil {
		return nil, err
	}
	r, err := isolate.New(isolate.Config{Processors: 1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	rounds := pick(b.quick, 3, 11)
	for i := range rounds {
		for _, w := range list {
			if err := w.round(ctx, r, native, metered, unmetered, i); err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	var against, metering, bestAgainst, bestMetering []float64
	var each []string
	for _, w := range list {
		against = append(against, median(w.against))
		metering = append(metering, median(w.metering))
		best := slices.Min(w.guest)
		bestAgainst, bestMetering = append(bestAgainst, best/slices.Min(w.native)), append(bestMetering, best/slices.Min(w.unmetered))
		each = append(each, fmt.Sprintf("%s %.2f", w.name, median(w.against)))
		b.say("  %-12s native %6.1f ms, guest %6.1f ms, %.2f×; metering %+.1f %%", w.name, median(w.native), median(w.guest), median(w.against), 100*(median(w.metering)-1))
	}
	return []result{{
		target:   target{what: "JS compute against native QuickJS, all passes on, geometric mean", must: 2.6, aim: 2, unit: "×"},
		measured: geometricMean(against), rounds: against,
		detail: fmt.Sprintf("processor time of %d programs, medians of %d rounds, native by %s (best rounds only: %.2f×): %s", len(list), rounds, compiler, geometricMean(bestAgainst), strings.Join(each, ", ")),
	}, {
		target:   target{what: "cost of metering on the same programs, geometric mean", must: 8, aim: 4, unit: " %"},
		measured: 100 * (geometricMean(metering) - 1), rounds: metering,
		detail: fmt.Sprintf("with the fuel pass against without it (best rounds only: %.1f %%)", 100*(geometricMean(bestMetering)-1)),
	}}, nil
}

// round runs the program everywhere once. The first round only warms caches;
// the order of the guests changes from round to round.
func (w *workload) round(ctx context.Context, r *isolate.Runtime, native string, metered, unmetered *isolate.Program, i int) error {
	want, nativeCPU, err := runNative(ctx, native, w.path)
	if err != nil {
		return err
	}
	var used [2]time.Duration
	for k := range 2 {
		k = (k + i) % 2
		got, usage, err := runJob(ctx, r, script([]*isolate.Program{metered, unmetered}[k], w.source))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("the guest's result is %.200s, native it is %.200s", got, want)
		}
		used[k] = usage.CPU
	}
	if i > 0 {
		w.native = append(w.native, nativeCPU.Seconds()*1000)
		w.guest = append(w.guest, used[0].Seconds()*1000)
		w.unmetered = append(w.unmetered, used[1].Seconds()*1000)
		w.against = append(w.against, float64(used[0])/float64(nativeCPU))
		w.metering = append(w.metering, float64(used[0])/float64(used[1]))
	}
	return nil
}
