package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"mayfly/host/execution"
	"mayfly/runtime/snapshot"
)

// heap makes a session's heap of 50 MB: an array that was made at once, and
// objects that were made one by one.
const heap = "import numpy as np\na = np.random.rand(25 * 2**17)\nd = {i: float(i) for i in range(300_000)}"

// sessions measures how long it takes to go on with a session that was at rest,
// and to fork it, and what many sessions at rest take.
func (b *bench) sessions(ctx context.Context) ([]result, error) {
	g, err := b.python(ctx)
	if err != nil {
		return nil, err
	}
	defer g.close()
	results, err := g.resume(ctx, b.quick)
	if err != nil {
		return nil, err
	}
	held, err := g.idle(ctx, pick(b.quick, 100, 1000))
	return append(results, held), err
}

// resume measures a cell that does nothing, on a session with a large heap
// against one without: the difference is what the heap costs. The whole cell is
// measured, what it leaves kept.
func (g *pythonGuest) resume(ctx context.Context, quick bool) ([]result, error) {
	large, err := g.begin(ctx, heap)
	if err != nil {
		return nil, err
	}
	defer large.Close()
	small, err := g.begin(ctx, "import numpy as np")
	if err != nil {
		return nil, err
	}
	defer small.Close()
	var starts, resumes, forks, fresh []float64
	for i := range pick(quick, 12, 60) {
		for _, c := range []struct {
			from *execution.State
			fork bool
			to   *[]float64
		}{{large, false, &resumes}, {small, false, &fresh}, {large, true, &forks}} {
			at := time.Now()
			r, next, err := g.cell(ctx, c.from, c.fork, "1")
			if err != nil {
				return nil, err
			}
			took := time.Since(at)
			if err := next.Close(); err != nil {
				return nil, err
			}
			if i > 1 {
				*c.to = append(*c.to, milliseconds(took))
				if c.to == &resumes {
					starts = append(starts, milliseconds(r.Usage.Startup))
				}
			}
		}
	}
	detail := fmt.Sprintf("wall time of a whole cell (1) on it, from the call to its kept state; until the guest runs: %.2f ms; a cell on a session without a heap: %.2f ms", median(starts), median(fresh))
	return []result{
		{target: target{what: "resume an idle Python session with a 50 MB heap", must: 30, aim: 5, unit: " ms"}, measured: median(resumes), rounds: resumes, detail: detail},
		{target: target{what: "fork it", must: 30, aim: 5, unit: " ms"}, measured: median(forks), rounds: forks, detail: detail},
	}, nil
}

// idle measures the memory of this process with n sessions at rest, as if they
// were a thousand.
func (g *pythonGuest) idle(ctx context.Context, n int) (r result, err error) {
	const source = "import numpy, pandas, os\ndata = os.urandom(1 << 20)"
	states := make([]*execution.State, 0, n)
	defer func() {
		for _, state := range states {
			err = errors.Join(err, state.Close())
		}
	}()
	for range n {
		state, err := g.begin(ctx, source)
		if err != nil {
			return r, err
		}
		states = append(states, state)
	}
	runtime.GC()
	debug.FreeOSMemory()
	own, held := statusBytes("RssAnon"), snapshot.Held()
	if own == 0 {
		return r, errors.New("this system doesn't tell what memory a process has")
	}
	image := statusBytes("RssShmem") // mapped by several slots, it counts as often
	gigabytes := func(n int64) float64 { return float64(n) / 1e9 }
	all := held / int64(n) * 1000
	return result{
		target:   target{what: "1,000 idle Python sessions, numpy and pandas imported, 1 MB of own data", must: 3, aim: 1.5, unit: " GB"},
		measured: gigabytes(own + all + min(image, 256<<20)),
		detail:   fmt.Sprintf("all in memory, none on disk: this process's own %.2f GB, of which the guest's code is the most; %d states of %.2f MB each; and the image", gigabytes(own), n, float64(held)/1e6/float64(n)),
	}, nil
}
