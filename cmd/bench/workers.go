package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mayfly/host/bundle"
)

// A workersPeer is a server that runs the worker of testdata/bench/workers.
type workersPeer struct {
	name  string
	base  string // of paths
	start func(context.Context) (*server, error)
}

// workers measures dynamic workers against workerd's, with the same code.
func (b *bench) workers(ctx context.Context) ([]result, error) {
	program, err := b.workerd(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := b.javascript(ctx); err != nil { // the cache is warm then
		return nil, err
	}
	folder, remove, err := scratch()
	if err != nil {
		return nil, err
	}
	defer remove()
	manifest, err := b.workersCode(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(program))))), folder)
	if err != nil {
		return nil, err
	}
	mayfly := &workersPeer{"mayfly", "/w/bench", func(ctx context.Context) (*server, error) { return b.startWorkers(ctx, manifest) }}
	workerd := &workersPeer{"workerd", "", func(ctx context.Context) (*server, error) {
		return startInherited(ctx, "workerd", func() *exec.Cmd {
			return exec.CommandContext(ctx, program, "serve", filepath.Join(folder, "config.capnp"), "config", "--experimental", "--socket-fd=http=3")
		})
	}}
	var results []result
	for _, m := range []struct {
		what        string
		path        string
		expect      string
		connections int
		must, aim   float64
	}{
		{"workers: get warm, tiny, 8 connections", "/get?id=7", "worker 7", 8, 2, 5},
		{"workers: get warm, tiny, 64 connections", "/get?id=7", "worker 7", 64, 2, 5},
		{"workers: load fresh, tiny, seen before", "/load", "worker 1", 8, 60, 120},
		{"workers: load fresh, Hono, seen before", "/load-hono", "item 7", 8, 20, 60},
		{"workers: load fresh, Hono, never seen", "/load-new", "item 7", 8, 1, 2},
		{"workers: Hono, 20 routes, JSON, warm", "/hono", "item 7", 8, 0.25, 0.6},
	} {
		r, err := b.compareWorkers(ctx, mayfly, workerd, m.path, m.expect, m.connections)
		if err != nil {
			return results, fmt.Errorf("%s: %w", m.what, err)
		}
		r.target = target{what: m.what + ", against workerd", must: m.must, aim: m.aim, atLeast: true, unit: "×"}
		results = append(results, r)
	}
	for _, measure := range []func(context.Context, *workersPeer, *workersPeer) ([]result, error){b.workersSpawn, b.workersRandom, b.workersCall} {
		r, err := measure(ctx, mayfly, workerd)
		if err != nil {
			return results, err
		}
		results = append(results, r...)
	}
	return results, nil
}

// workersCode makes ready in a folder what workerd is to serve, and the manifest
// of the same for Mayfly. packages is where npm has put its packages.
func (b *bench) workersCode(packages, folder string) (manifest string, err error) {
	source := filepath.Join(inputs, "workers")
	for _, name := range []string{"parent.js", "hono-app.js", "hono-api.js", "config.capnp"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), content, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	if err := os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		return "", err
	}
	modules := map[string]any{}
	for _, name := range []string{"hono-app", "hono-api"} {
		source, err := bundleOf(folder, name+".js")
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name+".txt"), source, 0o644)
		}
		if err != nil {
			return "", err
		}
		b.say("  %s is a bundle of %d KB", name, len(source)>>10)
		modules[name+".txt"] = map[string]string{"text": string(source)}
	}
	parent, err := os.ReadFile(filepath.Join(folder, "parent.js"))
	if err != nil {
		return "", err
	}
	modules["parent.js"] = map[string]string{"js": string(parent)}
	return toJSON(map[string]any{
		"main_module": "parent.js", "compatibility_date": "2026-08-01",
		"modules":  modules,
		"bindings": map[string]any{"LOADER": map[string]string{"type": "worker_loader"}},
		"limits":   map[string]int{"subrequests": 100_000, "cpu_ms": 300_000},
	}), nil
}

// bundleOf is a bundle of one of the folder's files.
func bundleOf(folder, main string) ([]byte, error) {
	builder, err := bundle.NewBuilder(bundle.Project{Dir: folder, Main: main, Minify: true})
	if err != nil {
		return nil, err
	}
	defer builder.Close()
	out, err := builder.Build(context.Background())
	if err != nil {
		return nil, err
	}
	return out.Modules[out.Main].Content, nil
}

// startWorkers starts Mayfly and deploys the worker.
func (b *bench) startWorkers(ctx context.Context, manifest string) (*server, error) {
	s, err := b.startWarm(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+s.address+"/v1/workers/bench", strings.NewReader(manifest))
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return nil, errors.Join(fmt.Errorf("deploying: status %d: %s", answer.StatusCode, text), s.stop())
	}
	return s, nil
}

// compareWorkers has both servers answer the same request, one after the other
// in each round.
func (b *bench) compareWorkers(ctx context.Context, mayfly, workerd *workersPeer, path, expect string, connections int) (r result, err error) {
	length := pick(b.quick, time.Second, 4*time.Second)
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for range pick(b.quick, 2, 3) {
		for _, p := range []*workersPeer{mayfly, workerd} {
			s, err := p.start(ctx)
			if err != nil {
				return r, err
			}
			before := s.cpu()
			report, err := generate(ctx, load{Address: s.address, Path: p.base + path, Body: "{}", Expect: expect, Connections: connections, WarmUp: time.Second, Duration: length})
			used := s.cpu() - before
			if err := errors.Join(err, s.stop()); err != nil {
				return r, fmt.Errorf("%s: %w", p.name, err)
			}
			rates[p.name] = append(rates[p.name], report.rate())
			costs[p.name] = append(costs[p.name], float64(used.Microseconds())/float64(report.Total))
		}
	}
	for i := range rates["mayfly"] {
		r.rounds = append(r.rounds, rates["mayfly"][i]/rates["workerd"][i])
	}
	r.measured = median(r.rounds)
	r.detail = fmt.Sprintf("rounds of %v: mayfly %s/s and %.0f µs CPU a request, workerd %s/s and %.0f µs", length,
		number(median(rates["mayfly"])), median(costs["mayfly"]), number(median(rates["workerd"])), median(costs["workerd"]))
	return r, nil
}

// ask makes one request and checks its answer.
func (p *workersPeer) ask(s *server, path, expect string) error {
	answer, err := http.Get("http://" + s.address + p.base + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || string(text) != expect {
		return fmt.Errorf("%s: status %d: %.500s, not %q", path, answer.StatusCode, text, expect)
	}
	return nil
}

// workersSpawn makes many workers by their ids, with one request each.
func (b *bench) workersSpawn(ctx context.Context, mayfly, workerd *workersPeer) ([]result, error) {
	const batch = 500
	n := pick(b.quick, 2000, 10_000)
	spawn := func(p *workersPeer, n int) (took time.Duration, grown float64, err error) {
		s, err := p.start(ctx)
		if err != nil {
			return 0, 0, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		if err := p.ask(s, "/spawn?from=1000000&n=10", "right 10"); err != nil {
			return 0, 0, err
		}
		before := s.resident()
		begin := time.Now()
		for from := 0; from < n; from += batch {
			if err := p.ask(s, fmt.Sprintf("/spawn?from=%d&n=%d", from, batch), fmt.Sprintf("right %d", batch)); err != nil {
				return 0, 0, err
			}
		}
		took = time.Since(begin)
		if err := p.ask(s, fmt.Sprintf("/get?id=%d", min(1156, n-1)), fmt.Sprintf("worker %d", min(1156, n-1))); err != nil {
			return 0, 0, err
		}
		return took, float64(s.resident()-before) / 1e9, nil
	}
	took, grown, err := spawn(mayfly, n)
	if err != nil {
		return nil, fmt.Errorf("spawn: %w", err)
	}
	few := n / 10
	theirs, theirGrown, err := spawn(workerd, few)
	if err != nil {
		return nil, fmt.Errorf("spawn on workerd: %w", err)
	}
	scale := 10_000 / float64(n)
	detail := fmt.Sprintf("%d workers, one request each, %d at once; workerd made %d in %v and %.2f GB", n, 64, few, theirs.Round(time.Millisecond), theirGrown)
	return []result{
		{target: target{what: "workers: 10,000 by id, one request each", must: 6, aim: 2, unit: " s"}, measured: took.Seconds() * scale, detail: detail},
		{target: target{what: "workers: memory of those 10,000", must: 2, aim: 0.8, unit: " GB"}, measured: grown * scale, detail: detail},
	}, nil
}

// workersRandom registers many workers and talks to some of them at random.
func (b *bench) workersRandom(ctx context.Context, mayfly, _ *workersPeer) ([]result, error) {
	registered, touched := pick(b.quick, 20_000, 100_000), pick(b.quick, 2000, 10_000)
	s, err := mayfly.start(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := mayfly.ask(s, "/spawn?from=1000000&n=10", "right 10"); err != nil {
		return nil, err
	}
	start := s.resident()
	for from := 0; from < registered; from += 10_000 {
		if err := mayfly.ask(s, fmt.Sprintf("/register?from=%d&n=10000", from), "registered"); err != nil {
			return nil, err
		}
	}
	known := s.resident()
	const connections = 8
	latencies := make([][]time.Duration, connections)
	errs := make([]error, connections)
	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			c, err := dial(s.address)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.close()
			for range touched / connections {
				id := random.IntN(registered)
				sent := time.Now()
				status, body, err := c.exchange(encodeRequest("POST", s.address, fmt.Sprintf("%s/get?id=%d", mayfly.base, id), []byte("{}")))
				if err == nil && (status != 200 || string(body) != fmt.Sprintf("worker %d", id)) {
					err = fmt.Errorf("status %d: %.200s", status, body)
				}
				if err != nil {
					errs[i] = err
					return
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("random: %w", err)
	}
	var all []time.Duration
	for _, l := range latencies {
		all = append(all, l...)
	}
	detail := fmt.Sprintf("%d registered took %.0f bytes each; %d touched by %d connections took %.0f KB each; p50 %v", registered,
		float64(known-start)/float64(registered), touched, connections, float64(s.resident()-known)/float64(touched)/1e3, quantile(all, 0.5).Round(10*time.Microsecond))
	return []result{{
		target:   target{what: fmt.Sprintf("workers: %d registered, %d touched at random, p99", registered, touched), must: 50, aim: 10, unit: " ms"},
		measured: float64(quantile(all, 0.99).Microseconds()) / 1e3, detail: detail,
	}}, nil
}

// workersCall measures what a call from one isolate to another takes.
func (b *bench) workersCall(ctx context.Context, mayfly, workerd *workersPeer) ([]result, error) {
	const calls = 5000
	cost := map[string][]float64{}
	for range pick(b.quick, 1, 3) {
		for _, p := range []*workersPeer{mayfly, workerd} {
			s, err := p.start(ctx)
			if err != nil {
				return nil, err
			}
			err = p.ask(s, "/call?n=500", "sum 500")
			before := s.cpu()
			for range 4 {
				err = errors.Join(err, p.ask(s, fmt.Sprintf("/call?n=%d", calls), fmt.Sprintf("sum %d", calls)))
			}
			cost[p.name] = append(cost[p.name], float64((s.cpu()-before).Microseconds())/(4*calls))
			if err := errors.Join(err, s.stop()); err != nil {
				return nil, fmt.Errorf("calls on %s: %w", p.name, err)
			}
		}
	}
	return []result{{
		target:   target{what: "workers: RPC call between two isolates, CPU", must: 60, aim: 20, unit: " µs"},
		measured: median(cost["mayfly"]), rounds: cost["mayfly"],
		detail: fmt.Sprintf("the server's whole processor time; workerd %.0f µs", median(cost["workerd"])),
	}}, nil
}
