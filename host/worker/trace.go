package worker

import (
	"encoding/json"
	"time"

	"mayfly/runtime/isolate"
)

// A Trace is what is known of an event that has ended: an item of tail events,
// of live logs and of the accounts. The JSON is that of a TraceItem in Workers.
type Trace struct {
	Event      any              `json:"event"` // a FetchTrace, CallTrace, ConnectTrace, ScheduledTrace or TailTrace
	Timestamp  int64            `json:"eventTimestamp"`
	Logs       []TraceLog       `json:"logs"`
	Exceptions []TraceException `json:"exceptions"`
	Script     string           `json:"scriptName"`
	Version    *TraceVersion    `json:"scriptVersion,omitempty"`
	Entrypoint string           `json:"entrypoint,omitempty"`
	Outcome    isolate.Outcome  `json:"outcome"`
	CPUTime    float64          `json:"cpuTime"`  // milliseconds
	WallTime   float64          `json:"wallTime"` // milliseconds
	Truncated  bool             `json:"truncated"`

	// What follows is for the accounts.
	Tenant  string        `json:"-"`
	Parent  string        `json:"-"`
	ID      string        `json:"-"` // of a dynamic worker
	Dynamic bool          `json:"-"`
	First   bool          `json:"-"` // the first of a dynamic worker
	CPU     time.Duration `json:"-"`
	// Start is the processor time of evaluating the worker's modules, of the first
	// event that ends after that; it counts for accounts, not for limits.
	Start       time.Duration `json:"-"`
	Wall        time.Duration `json:"-"`
	Subrequests int           `json:"-"`
}

// A TraceVersion names a deployed version.
type TraceVersion struct {
	ID string `json:"id"`
}

// A TraceLog is a message of console.
type TraceLog struct {
	Timestamp int64           `json:"timestamp"` // unix milliseconds
	Level     string          `json:"level"`
	Message   json.RawMessage `json:"message"` // the array of the arguments
	Text      string          `json:"-"`       // as a terminal shows it
}

// A TraceException is an error that nobody caught.
type TraceException struct {
	Timestamp int64  `json:"timestamp"`
	Name      string `json:"name"`
	Message   string `json:"message"`
	Stack     string `json:"stack,omitempty"`
}

// A FetchTrace tells of a request.
type FetchTrace struct {
	Request  FetchTraceRequest   `json:"request"`
	Response *FetchTraceResponse `json:"response,omitempty"`

	answer FetchTraceResponse // what Response points to
}

// A FetchTraceRequest is a request without its body.
type FetchTraceRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	CF      json.RawMessage   `json:"cf,omitempty"`
}

// A FetchTraceResponse is an answer's status.
type FetchTraceResponse struct {
	Status int `json:"status"`
}

// A ConnectTrace tells of a connection.
type ConnectTrace struct {
	Address string `json:"address"` // host and port that were asked for
}

// A CallTrace tells of a call.
type CallTrace struct {
	Method string `json:"rpcMethod"`
}

// A ScheduledTrace tells of a time.
type ScheduledTrace struct {
	Time int64  `json:"scheduledTime"`
	Cron string `json:"cron"`
}

// A TailTrace tells of traces that were handled.
type TailTrace struct {
	Consumed []TailTraceItem `json:"consumedEvents"`
}

// A TailTraceItem names where a trace came from.
type TailTraceItem struct {
	Script string `json:"scriptName"`
}

// Bounds of one trace.
const (
	maxLogs     = 256
	maxLogBytes = 128 << 10
)

// levels are those of the operation log.
var levels = [...]string{"debug", "log", "info", "warn", "error"}

// log notes a message, as long as there is room.
func (t *Trace) log(l TraceLog, used *int) {
	*used += len(l.Message) + len(l.Text)
	if len(t.Logs) >= maxLogs || *used > maxLogBytes {
		t.Truncated = true
		return
	}
	t.Logs = append(t.Logs, l)
}
