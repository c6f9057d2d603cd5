// Package echopeer is the plainest server that takes a request for an
// execution and answers as if it had run: what echo and encoding/json cost by
// themselves. The bench compares Mayfly with it.
package echopeer

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// A request is what POST /v1/executions takes, as far as the bench sends it.
type request struct {
	Language string            `json:"language"`
	Code     string            `json:"code"`
	Input    json.RawMessage   `json:"input"`
	Tenant   string            `json:"tenant"`
	Metadata map[string]string `json:"metadata"`
}

// answer has the members of an execution in the order of Mayfly's answers.
type answer struct {
	ID         string            `json:"id"`
	Status     string            `json:"status"`
	Outcome    string            `json:"outcome"`
	CreatedAt  time.Time         `json:"created_at"`
	Runtime    runtime           `json:"runtime"`
	Metadata   map[string]string `json:"metadata"`
	Result     any               `json:"result"`
	ResultType string            `json:"result_type"`
	Displays   []string          `json:"displays"`
	Stdout     string            `json:"stdout"`
	Stderr     string            `json:"stderr"`
	Truncated  []string          `json:"truncated"`
	ExitCode   int               `json:"exit_code"`
	Usage      usage             `json:"usage"`
	Artifacts  []string          `json:"artifacts"`
}

type runtime struct {
	Language string `json:"language"`
	Version  string `json:"version"`
	Image    string `json:"image"`
	Digest   string `json:"digest"`
}

type usage struct {
	CPU         float64 `json:"cpu_ms"`
	Wall        float64 `json:"wall_ms"`
	Queue       float64 `json:"queue_ms"`
	Startup     int     `json:"startup_us"`
	PeakMemory  int     `json:"peak_memory_bytes"`
	Egress      int     `json:"egress_bytes"`
	Ingress     int     `json:"ingress_bytes"`
	Subrequests int     `json:"subrequests"`
}

// New makes a handler that answers POST /v1/executions with result as the
// result of every program.
func New(result any) http.Handler {
	e := echo.New()
	e.POST("/v1/executions", func(c echo.Context) error {
		var r request
		if err := c.Bind(&r); err != nil {
			return err
		}
		if r.Language == "" || r.Code == "" {
			return echo.NewHTTPError(http.StatusUnprocessableEntity, "language and code are required")
		}
		return c.JSON(http.StatusOK, answer{
			ID: "01K000000000000000000000AA", Status: "done", Outcome: "ok", CreatedAt: time.Now().UTC(),
			Runtime: runtime{
				Language: r.Language, Version: "quickjs-ng 0.17.0.2", Image: "quickjs",
				Digest: "0000000000000000000000000000000000000000000000000000000000000000",
			},
			Metadata: r.Metadata, Result: result, ResultType: "string", Displays: []string{}, Truncated: []string{}, Artifacts: []string{},
			Usage: usage{CPU: 0.025, Wall: 0.031, Startup: 9, PeakMemory: 131072},
		})
	})
	return e
}
