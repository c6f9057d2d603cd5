package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"mayfly/runtime/isolate"
)

// handler is the trivial handler of the targets on isolates: prepared once, its
// module evaluated, and invoked in a fresh isolate each time. expression is a
// program that is parsed and run from its source in each.
const (
	handler    = `export default () => new Response("hi")`
	expression = `1+2*3`
)

// isolate measures the processor time of one run in a fresh isolate and of the
// reset after it: all of this process, the garbage collector included.
func (b *bench) isolate(ctx context.Context) ([]result, error) {
	program, err := b.javascript(ctx)
	if err != nil {
		return nil, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r, err := isolate.New(isolate.Config{Processors: 1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	prepared, err := prepare(ctx, r, program, handler)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	const batch = 1000
	jobs := [2]isolate.Job{invocation(prepared), script(program, expression)}
	var rounds [2][]float64
	var guest [2][]time.Duration
	for i := range pick(b.quick, 6, 41) {
		for k, job := range jobs {
			before := processCPU()
			for range batch {
				_, usage, err := runJob(ctx, r, job)
				if err != nil {
					return nil, err
				}
				guest[k] = append(guest[k], usage.CPU)
			}
			took := processCPU() - before
			if i == 0 { // slots and caches were cold
				guest[k] = guest[k][:0]
				continue
			}
			rounds[k] = append(rounds[k], float64(took)/float64(time.Microsecond)/batch)
		}
	}
	return []result{{
		target:   target{what: "fresh isolate, trivial handler + reset, CPU p50", must: 50, aim: 15, unit: " µs"},
		measured: median(rounds[0]), rounds: rounds[0],
		detail: fmt.Sprintf("%s, prepared, invoked in a clone each; process CPU per run, median of batches of %d on one core; the guest's turn alone: p50 %v, p99 %v; %s parsed and run from source in each: %.1f µs, p50 %v",
			handler, batch, quantile(guest[0], 0.5), quantile(guest[0], 0.99), expression, median(rounds[1]), quantile(guest[1], 0.5)),
	}}, nil
}

// rate measures how many fresh isolates a second run on one core and on two.
func (b *bench) rate(ctx context.Context) ([]result, error) {
	program, err := b.javascript(ctx)
	if err != nil {
		return nil, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	length := pick(b.quick, 500*time.Millisecond, 2*time.Second)
	// By processor time the numbers are those of a machine without neighbours.
	var one, two, ratio, oneCPU, ratioCPU []float64
	for i := range pick(b.quick, 4, 10) {
		single, singleCPU, err := isolatesPerSecond(ctx, program, 1, length)
		if err != nil {
			return nil, err
		}
		double, doubleCPU, err := isolatesPerSecond(ctx, program, 2, length)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			one, two, ratio = append(one, single), append(two, double), append(ratio, double/single)
			oneCPU, ratioCPU = append(oneCPU, singleCPU), append(ratioCPU, 2*doubleCPU/singleCPU)
		}
	}
	rounds := fmt.Sprintf("%s; medians of %d rounds of %v", handler, len(one), length)
	results := []result{{
		target:   target{what: "fresh isolates a second without HTTP, one core", must: 40_000, aim: 60_000, atLeast: true, unit: "/s"},
		measured: median(one), rounds: one, detail: fmt.Sprintf("%s; %s in a second of processor time", rounds, number(median(oneCPU))),
	}}
	if runtime.NumCPU() >= 2 {
		results = append(results, result{
			target:   target{what: "the same on two cores against one", must: 1.7, aim: 1.95, atLeast: true, unit: "×"},
			measured: median(ratio), rounds: ratio, detail: fmt.Sprintf("%s; two cores: %s/s; by processor time %.2f×", rounds, number(median(two)), median(ratioCPU)),
		})
	}
	return results, nil
}

// isolatesPerSecond runs the trivial handler on so many cores for a while:
// runs in a second, and in a second of processor time.
func isolatesPerSecond(ctx context.Context, p *isolate.Program, cores int, length time.Duration) (wall, cpu float64, err error) {
	runtime.GOMAXPROCS(cores)
	r, err := isolate.New(isolate.Config{Processors: cores})
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	prepared, err := prepare(ctx, r, p, handler)
	if err != nil {
		return 0, 0, err
	}
	defer prepared.Close()
	runs := make([]int, cores)
	errs := make([]error, cores)
	var wg sync.WaitGroup
	start, used := time.Now(), processCPU()
	for i := range cores {
		wg.Go(func() {
			job := invocation(prepared)
			n := 0
			for errs[i] == nil && time.Since(start) < length {
				_, _, errs[i] = runJob(ctx, r, job)
				n++
			}
			runs[i] = n
		})
	}
	wg.Wait()
	took, spent := time.Since(start).Seconds(), (processCPU() - used).Seconds()
	total := 0
	for i := range cores {
		if errs[i] != nil {
			return 0, 0, errs[i]
		}
		total += runs[i]
	}
	return float64(total) / took, float64(total) / spent, nil
}
