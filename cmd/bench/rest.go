package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The program that is posted: to Mayfly as a script whose last expression is
// the result, to workerd as a worker.
const (
	helloScript = `"` + hello + `"`
	helloWorker = `export default { async fetch() { return new Response("` + hello + `"); } };`
)

// A peer is a server that the REST targets are about.
type peer struct {
	name, path, body string
	start            func(context.Context) (*server, error)
	rates            []float64 // answers a second
	costs            []float64 // the server's processor time for one, µs
	last             *loadReport
}

// rest measures the answers a second of Mayfly and its peers: the same
// generator, one server after the other in each round.
func (b *bench) rest(ctx context.Context) ([]result, error) {
	workerd, err := b.workerd(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := b.javascript(ctx); err != nil { // the cache is warm then
		return nil, err
	}
	post := toJSON(map[string]string{"language": "javascript", "code": helloScript})
	postWorker := toJSON(map[string]string{"language": "javascript", "code": helloWorker})
	startPeer := func(ctx context.Context) (*server, error) { return startWorkerd(ctx, workerd) }
	mayfly := &peer{name: "mayfly", path: "/v1/executions", body: post, start: func(ctx context.Context) (*server, error) {
		s, err := b.startWarm(ctx)
		return s, err
	}}
	loader := &peer{name: "workerd LOADER.load", path: "/load", body: postWorker, start: startPeer}
	getter := &peer{name: "workerd LOADER.get", path: "/get", body: postWorker, start: startPeer}
	echo := &peer{name: "bare echo", path: "/v1/executions", body: post, start: startEcho}
	peers := []*peer{mayfly, loader, getter, echo}

	length := pick(b.quick, time.Second, 4*time.Second)
	for range pick(b.quick, 2, 5) {
		for _, p := range peers {
			if err := p.measure(ctx, length); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	for _, p := range peers {
		b.say("  %-20s %s/s, %.0f µs CPU a request (generator %v); last round: p50 %v, p99 %v", p.name, number(median(p.rates)), median(p.costs),
			(p.last.CPU / time.Duration(p.last.Total)).Round(time.Microsecond), p.last.P50.Round(time.Microsecond), p.last.P99.Round(time.Microsecond))
	}
	against := func(other *peer, must, aim float64) result {
		var ratios []float64
		for i := range mayfly.rates {
			ratios = append(ratios, mayfly.rates[i]/other.rates[i])
		}
		return result{
			target:   target{what: "REST, JS hello by POST, against " + other.name, must: must, aim: aim, atLeast: true, unit: "×"},
			measured: median(ratios), rounds: ratios,
			detail: fmt.Sprintf("8 connections, rounds of %v: mayfly %s/s and %.0f µs CPU a request, %s %s/s and %.0f µs", length,
				number(median(mayfly.rates)), median(mayfly.costs), other.name, number(median(other.rates)), median(other.costs)),
		}
	}
	return []result{against(loader, 50, 90), against(getter, 1.5, 4), against(echo, 0.4, 0.7)}, nil
}

// measure starts the peer, loads it, and stops it.
func (p *peer) measure(ctx context.Context, length time.Duration) error {
	s, err := p.start(ctx)
	if err != nil {
		return err
	}
	before := s.cpu()
	p.last, err = generate(ctx, load{
		Address: s.address, Path: p.path, Body: p.body, Expect: hello,
		Connections: 8, WarmUp: time.Second, Duration: length,
	})
	used := s.cpu() - before
	if err := errors.Join(err, s.stop()); err != nil {
		return err
	}
	p.rates = append(p.rates, p.last.rate())
	p.costs = append(p.costs, float64(used.Microseconds())/float64(p.last.Total))
	return nil
}
