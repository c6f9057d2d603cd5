package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// pythonCompute measures Python against the machine's own.
func (b *bench) pythonCompute(ctx context.Context) ([]result, error) {
	list, err := pythonPrograms("compute")
	if err != nil {
		return nil, err
	}
	native, err := fastestPython(ctx, filepath.Join(inputs, "python", "compute", "richards.py"))
	if err != nil {
		return nil, err
	}
	g, err := b.python(ctx)
	if err != nil {
		return nil, err
	}
	defer g.close()
	ratios, best, each, err := b.comparePython(ctx, g, native, list)
	if err != nil {
		return nil, err
	}
	return []result{{
		target:   target{what: "Python compute against native CPython, all passes on, geometric mean", must: 4.5, aim: 2.5, unit: "×"},
		measured: geometricMean(ratios), rounds: ratios,
		detail: fmt.Sprintf("processor time of %d programs, against %s, Python %s (best rounds only: %.2f×): %s", len(list), native.path, native.version, geometricMean(best), each),
	}}, nil
}

// pythonNumPy measures NumPy and pandas against their native wheels.
func (b *bench) pythonNumPy(ctx context.Context) ([]result, error) {
	list, err := pythonPrograms("numpy")
	if err != nil {
		return nil, err
	}
	plain, err := fastestPython(ctx, filepath.Join(inputs, "python", "compute", "richards.py"))
	if err != nil {
		return nil, err
	}
	native, versions, err := plain.withPackages(ctx, b, "numpy", "pandas")
	if err != nil {
		return nil, err
	}
	g, err := b.python(ctx)
	if err != nil {
		return nil, err
	}
	defer g.close()
	ratios, best, each, err := b.comparePython(ctx, g, native, list)
	if err != nil {
		return nil, err
	}
	return []result{{
		target:   target{what: "NumPy and pandas against native wheels, geometric mean", must: 4, aim: 2.5, unit: "×"},
		measured: geometricMean(ratios), rounds: ratios,
		detail: fmt.Sprintf("processor time of %d programs, against Python %s with %s on one thread (best rounds only: %.2f×): %s", len(list), native.version, versions, geometricMean(best), each),
	}}, nil
}
