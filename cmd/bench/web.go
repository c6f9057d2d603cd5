package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// webCases are the cases of testdata/bench/web/throughput.mjs that have a
// target, in the order of the report; the others are only told.
var webCases = []string{
	"URL", "URLSearchParams", "TextEncoder", "TextEncoder ASCII", "TextDecoder", "JSON.parse", "JSON.stringify", "SHA-256 1 KB", "SHA-256 1 MB", "gzip 64 KB", "Response.json",
}

// webTime is what one case took, and what came out.
type webTime struct {
	Nanoseconds float64 `json:"ns"`
	Value       float64 `json:"value"`
}

// web measures the throughput of the web's classes against node's. The two
// alternate, and must give the same results.
func (b *bench) web(ctx context.Context) ([]result, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node is needed to compare with")
	}
	version, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(inputs, "web", "throughput.mjs")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("run bench at the top of the source tree: %w", err)
	}
	ratios := map[string][]float64{}
	times := map[string][2][]float64{}
	rounds := pick(b.quick, 2, 7)
	for i := range rounds {
		var took [2]map[string]webTime
		for k := range 2 {
			k = (k + i) % 2
			command := exec.CommandContext(ctx, node, program)
			if k == 1 {
				command = exec.CommandContext(ctx, b.mayfly, "run", "--languages=javascript", "--limit=cpu=60s", "--limit=wall=120s", program)
			}
			if took[k], err = runWeb(command); err != nil {
				return nil, err
			}
		}
		for _, name := range webCases {
			peer, own := took[0][name], took[1][name]
			if peer.Value != own.Value || own.Nanoseconds <= 0 {
				return nil, fmt.Errorf("%s: the guest's result is %v, node's is %v", name, own.Value, peer.Value)
			}
			ratios[name] = append(ratios[name], peer.Nanoseconds/own.Nanoseconds)
			t := times[name]
			times[name] = [2][]float64{append(t[0], peer.Nanoseconds), append(t[1], own.Nanoseconds)}
		}
	}
	var results []result
	for _, name := range webCases {
		results = append(results, result{
			target:   target{what: name + ": throughput against node's", must: 0.2, aim: 0.5, atLeast: true, unit: "×"},
			measured: median(ratios[name]), rounds: ratios[name],
			detail: fmt.Sprintf("%s µs a round, node %s takes %s µs; medians of %d rounds", number(median(times[name][1])/1000), strings.TrimSpace(string(version)), number(median(times[name][0])/1000), rounds),
		})
	}
	return results, nil
}

// runWeb runs the program once.
func runWeb(command *exec.Cmd) (map[string]webTime, error) {
	var out, failure bytes.Buffer
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(command.Path), err, failure.String())
	}
	times := map[string]webTime{}
	if err := json.Unmarshal(out.Bytes(), &times); err != nil {
		return nil, fmt.Errorf("%s printed %.200q: %w", filepath.Base(command.Path), out.String(), err)
	}
	return times, nil
}
