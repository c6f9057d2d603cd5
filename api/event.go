package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mayfly/host/binding"
	"mayfly/host/execution"
	"mayfly/storage/meta"
)

// eventType names the type of an event: the field that is set.
func eventType(e *execution.Event) string {
	switch {
	case e.End != nil:
		return "end"
	case e.Usage != nil:
		return "usage"
	case e.Artifact != nil:
		return "artifact"
	case e.Error != nil:
		return "error"
	case e.Result != nil:
		return "result"
	case e.Display != nil:
		return "display"
	case e.Stderr != "":
		return "stderr"
	default:
		return "stdout"
	}
}

// storyRank is the place of an event in a story.
func storyRank(e *execution.Event) int {
	return slices.Index(storyOrder, eventType(e))
}

var storyOrder = []string{"stdout", "stderr", "display", "result", "error", "artifact", "usage", "end"}

// appendEvent appends an event of an execution as an object. link completes an
// artifact with its URL; nil leaves it without one, as it is stored.
func appendEvent(b []byte, id string, e *execution.Event, link func(*artifact)) []byte {
	kind := eventType(e)
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, e.Seq, 10)
	b = append(b, `,"type":"`...)
	b = append(b, kind...)
	b = append(b, `","time":`...)
	b = appendTime(b, e.Time)
	switch kind {
	case "stdout":
		b = append(b, `,"text":`...)
		b = appendString(b, e.Stdout)
	case "stderr":
		b = append(b, `,"text":`...)
		b = appendString(b, e.Stderr)
	case "display":
		b = append(b, `,"display":`...)
		b = appendDisplay(b, e.Display)
	case "result":
		b = append(b, ',')
		b = appendResultValue(b, e.Result)
	case "error":
		b = append(b, `,"error":`...)
		b = appendError(b, e.Error)
	case "artifact":
		a := artifact{Artifact: *e.Artifact}
		if link != nil {
			link(&a)
		}
		b = append(b, `,"artifact":`...)
		b = appendArtifact(b, &a)
	case "usage":
		b = append(b, `,"usage":`...)
		b = appendUsage(b, e.Usage)
	case "end":
		b = append(b, `,"id":`...)
		b = appendString(b, id)
		b = append(b, `,"status":"done","outcome":`...)
		b = appendString(b, string(e.End.Outcome))
		b = append(b, `,"exit_code":`...)
		b = strconv.AppendInt(b, int64(e.End.ExitCode), 10)
		b = append(b, `,"truncated":`...)
		b = appendStrings(b, e.End.Truncated)
	}
	return append(b, '}')
}

// story is the events of an execution whose own were not kept because the
// result says the same: at most one of each kind but displays and artifacts,
// in this order.
func story(r *execution.Result, at time.Time) []execution.Event {
	var events []execution.Event
	add := func(e execution.Event) {
		e.Seq, e.Time = int64(len(events)+1), at
		events = append(events, e)
	}
	if r.Stdout != "" {
		add(execution.Event{Stdout: r.Stdout})
	}
	if r.Stderr != "" {
		add(execution.Event{Stderr: r.Stderr})
	}
	for i := range r.Displays {
		add(execution.Event{Display: &r.Displays[i]})
	}
	if r.ValueType != "" {
		add(execution.Event{Result: r})
	}
	if r.Error != nil {
		add(execution.Event{Error: r.Error})
	}
	for i := range r.Artifacts {
		add(execution.Event{Artifact: &r.Artifacts[i]})
	}
	add(execution.Event{Usage: &r.Usage})
	add(execution.Event{End: r})
	return events
}

// encodeEvents encodes events for the store, in one piece of memory.
func encodeEvents(id string, events []execution.Event) []meta.Event {
	size := 0
	for i := range events {
		size += 160 + len(events[i].Stdout) + len(events[i].Stderr)
		if r := events[i].Result; r != nil {
			size += len(r.Value) + len(r.Text)
		}
		if d := events[i].Display; d != nil {
			size += displaysSize([]execution.Display{*d})
		}
	}
	all := make([]byte, 0, size)
	list := make([]meta.Event, len(events))
	for i := range events {
		start := len(all)
		all = appendEvent(all, id, &events[i], nil)
		list[i] = meta.Event{Seq: events[i].Seq, Type: eventType(&events[i]), Data: all[start:len(all):len(all)]}
	}
	return list
}

// appendStoredEvent appends an event as it is in the store, completed by link.
func appendStoredEvent(b []byte, id string, e *meta.Event, link func(*artifact)) ([]byte, error) {
	if e.Type != "artifact" {
		return append(b, e.Data...), nil
	}
	var stored struct {
		Time     time.Time
		Artifact struct {
			Name, Path  string
			Size        int64
			ContentType string `json:"content_type"`
			SHA256      string
			Export      *execution.Exported
		}
	}
	if err := json.Unmarshal(e.Data, &stored); err != nil {
		return b, fmt.Errorf("stored event %d of %s: %w", e.Seq, id, err)
	}
	a := stored.Artifact
	return appendEvent(b, id, &execution.Event{Seq: e.Seq, Time: stored.Time, Artifact: &execution.Artifact{
		Name: a.Name, Path: a.Path, Size: a.Size, ContentType: a.ContentType, SHA256: a.SHA256, Export: a.Export}}, link), nil
}

// eventsOf are the events of an ended execution: those that were kept, or else
// its story.
func eventsOf(x *meta.Execution) ([]meta.Event, error) {
	if len(x.Events) > 0 {
		return x.Events, nil
	}
	result, err := resultOf(x)
	if err != nil {
		return nil, err
	}
	return encodeEvents(x.ID, story(result, x.EndedAt)), nil
}

// resultOf decodes the result of an ended execution.
func resultOf(x *meta.Execution) (*execution.Result, error) {
	var stored struct {
		Result     json.RawMessage
		ResultType *string `json:"result_type"`
		Displays   []execution.Display
		Stdout     string
		Stderr     string
		Truncated  []string
		Error      *execution.Error
		ExitCode   int `json:"exit_code"`
		Usage      struct {
			CPU         float64 `json:"cpu_ms"`
			Wall        float64 `json:"wall_ms"`
			Queue       float64 `json:"queue_ms"`
			Startup     int64   `json:"startup_us"`
			PeakMemory  int64   `json:"peak_memory_bytes"`
			Egress      int64   `json:"egress_bytes"`
			Ingress     int64   `json:"ingress_bytes"`
			Subrequests int
			BindingOps  int   `json:"binding_operations"`
			BindingRead int64 `json:"binding_read_bytes"`
			BindingPut  int64 `json:"binding_write_bytes"`
		}
	}
	if err := json.Unmarshal(x.Result, &stored); err != nil {
		return nil, fmt.Errorf("stored result of %s: %w", x.ID, err)
	}
	millis := func(ms float64) time.Duration {
		return time.Duration(ms*1000+0.5) * time.Microsecond
	}
	r := &execution.Result{
		Outcome: execution.Outcome(x.Outcome), Value: stored.Result,
		Displays: stored.Displays, Stdout: stored.Stdout, Stderr: stored.Stderr, Truncated: stored.Truncated,
		Error: stored.Error, ExitCode: stored.ExitCode,
		Usage: execution.Usage{
			CPU: millis(stored.Usage.CPU), Wall: millis(stored.Usage.Wall), Queue: millis(stored.Usage.Queue),
			Startup:    time.Duration(stored.Usage.Startup) * time.Microsecond,
			PeakMemory: stored.Usage.PeakMemory, EgressBytes: stored.Usage.Egress,
			IngressBytes: stored.Usage.Ingress, Subrequests: stored.Usage.Subrequests,
			Bindings: binding.Usage{Operations: stored.Usage.BindingOps, ReadBytes: stored.Usage.BindingRead, WriteBytes: stored.Usage.BindingPut},
		},
	}
	if stored.ResultType != nil {
		r.ValueType = *stored.ResultType
	}
	for _, a := range x.Artifacts {
		r.Artifacts = append(r.Artifacts, execution.Artifact{
			Name: a.Name, Path: a.Path, Size: a.Size, ContentType: a.ContentType, SHA256: a.SHA256, Export: exported(&a.Export)})
	}
	return r, nil
}
