package main

import (
	"encoding/json"
	"time"

	"mayfly/host/execution"
)

// runResult is the JSON form of a result, with the names of the REST
// endpoint's.
type runResult struct {
	Outcome    execution.Outcome   `json:"outcome"`
	Result     json.RawMessage     `json:"result"`
	ResultType string              `json:"result_type,omitempty"`
	ResultText string              `json:"result_text,omitempty"`
	Displays   []execution.Display `json:"displays"`
	Stdout     string              `json:"stdout"`
	Stderr     string              `json:"stderr"`
	Truncated  []string            `json:"truncated"`
	Error      *execution.Error    `json:"error,omitempty"`
	ExitCode   int                 `json:"exit_code"`
	Artifacts  []runArtifact       `json:"artifacts"`
	Usage      runUsage            `json:"usage"`
}

type runArtifact struct {
	Name        string `json:"name"`
	Path        string `json:"path"`
	Size        int64  `json:"size"`
	ContentType string `json:"content_type"`
	SHA256      string `json:"sha256"`
}

type runUsage struct {
	CPUMS            float64 `json:"cpu_ms"`
	WallMS           float64 `json:"wall_ms"`
	QueueMS          float64 `json:"queue_ms"`
	StartupUS        float64 `json:"startup_us"`
	PeakMemoryBytes  int64   `json:"peak_memory_bytes"`
	EgressBytes      int64   `json:"egress_bytes"`
	IngressBytes     int64   `json:"ingress_bytes"`
	SubrequestsCount int     `json:"subrequests"`

	BindingOperations int   `json:"binding_operations,omitempty"`
	BindingReadBytes  int64 `json:"binding_read_bytes,omitempty"`
	BindingWriteBytes int64 `json:"binding_write_bytes,omitempty"`
}

func newRunResult(r *execution.Result) runResult {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	out := runResult{
		Outcome: r.Outcome, Result: r.Value, ResultType: r.ValueType, ResultText: r.Text,
		Displays: append([]execution.Display{}, r.Displays...), Stdout: r.Stdout, Stderr: r.Stderr,
		Truncated: append([]string{}, r.Truncated...), Error: r.Error, ExitCode: r.ExitCode, Artifacts: []runArtifact{},
		Usage: runUsage{ms(r.Usage.CPU), ms(r.Usage.Wall), ms(r.Usage.Queue), float64(r.Usage.Startup.Microseconds()), r.Usage.PeakMemory,
			r.Usage.EgressBytes, r.Usage.IngressBytes, r.Usage.Subrequests,
			r.Usage.Bindings.Operations, r.Usage.Bindings.ReadBytes, r.Usage.Bindings.WriteBytes},
	}
	for _, a := range r.Artifacts {
		out.Artifacts = append(out.Artifacts, runArtifact{a.Name, a.Path, a.Size, a.ContentType, a.SHA256})
	}
	return out
}
