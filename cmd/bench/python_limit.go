package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mayfly/host/execution"
)

// pythonLimit is the limit that the programs of testdata/bench/python/limit run
// into.
const pythonLimit = 100 * time.Millisecond

// pythonCPULimit measures how far beyond their limit of processor time programs
// get that spend it in the interpreter's own code or in libraries.
func (b *bench) pythonCPULimit(ctx context.Context) ([]result, error) {
	list, err := pythonPrograms("limit")
	if err != nil {
		return nil, err
	}
	g, err := b.python(ctx)
	if err != nil {
		return nil, err
	}
	defer g.close()
	var failed []error
	for _, w := range list {
		worst := 0.0
		for range pick(b.quick, 2, 6) {
			r, err := g.execute(ctx, w.source, pythonLimit)
			if err != nil {
				return nil, err
			}
			if r.Outcome != execution.ExceededCPU {
				failed = append(failed, fmt.Errorf("%s ended with %s: %v", w.name, r.Outcome, r.Error))
				break
			}
			worst = max(worst, (r.Usage.CPU-pythonLimit).Seconds()*1000)
		}
		w.guest = []float64{worst}
	}
	slices.SortFunc(list, func(x, y *workload) int { return int(1000 * (y.guest[0] - x.guest[0])) })
	var worst []string
	var pasts []float64
	for i, w := range list {
		pasts = append(pasts, w.guest[0])
		if i < 6 {
			worst = append(worst, fmt.Sprintf("%s %.1f", w.name, w.guest[0]))
		}
	}
	return []result{{
		target:   target{what: "Python's CPU limit of 100 ms, the worst overshoot", must: 50, aim: 10, unit: " ms"},
		measured: pasts[0], rounds: pasts,
		detail: fmt.Sprintf("%d programs; most past the limit: %s", len(list), strings.Join(worst, ", ")),
	}}, errors.Join(failed...)
}
