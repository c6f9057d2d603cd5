package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mayfly/host/execution"
)

// cellRequest is a cell that has to end well.
func cellRequest(source string) execution.Request {
	return execution.Request{Language: "python", Code: source, Limits: execution.Limits{CPU: time.Minute, Wall: 5 * time.Minute, MemoryBytes: 256 << 20}}
}

// cell runs a cell and answers with the state that it leaves.
func (g *pythonGuest) cell(ctx context.Context, from *execution.State, fork bool, source string) (*execution.Result, *execution.State, error) {
	r, next, err := g.service.ExecuteCell(ctx, "bench", cellRequest(source), execution.Cell{From: from, Fresh: fork}, nil)
	switch {
	case err != nil:
	case r.Outcome != execution.OK:
		err = fmt.Errorf("%q ended with %s: %+v", source, r.Outcome, r.Error)
	case next == nil:
		err = fmt.Errorf("%q left no state", source)
	}
	return r, next, err
}

// begin is the state of a new session after a first cell.
func (g *pythonGuest) begin(ctx context.Context, source string) (*execution.State, error) {
	fresh, err := g.service.NewState(ctx, cellRequest(""))
	if err != nil {
		return nil, err
	}
	_, next, err := g.cell(ctx, fresh, false, source)
	return next, errors.Join(err, fresh.Close())
}

// statusBytes is a line of this process's status in bytes, as RssAnon
// (proc_pid_status(5)); 0 where the system has none.
func statusBytes(name string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			var kib int64
			if _, err := fmt.Sscanf(value, "%d kB", &kib); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
