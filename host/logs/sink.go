package logs

import (
	"strings"

	"mayfly/host/worker"
	"mayfly/storage/usage"
)

// A Sink takes the traces of a worker service: it counts each, and gives it to
// those who watch.
type Sink struct {
	Hub   Hub
	Usage *usage.Recorder // nil: nothing is counted
}

// Traced is for worker.Config.
func (s *Sink) Traced(w *worker.Worker, t *worker.Trace) {
	if s.Usage != nil {
		s.Usage.Record(entryOf(w, t))
	}
	s.Hub.Publish(t)
}

// Watched is for worker.Config.
func (s *Sink) Watched(w *worker.Worker) bool {
	def := w.Definition()
	return s.Hub.Watched(def.Tenant, def.Name)
}

// entryOf is a trace as usage counts it.
func entryOf(w *worker.Worker, t *worker.Trace) usage.Entry {
	e := usage.Entry{Tenant: t.Tenant, Worker: t.Script, Kind: usage.Fetch, Outcome: string(t.Outcome), CPU: t.CPU + t.Start, Wall: t.Wall, Subrequests: t.Subrequests}
	switch t.Event.(type) {
	case *worker.CallTrace:
		e.Kind = usage.Call
	case *worker.ScheduledTrace:
		e.Kind = usage.Scheduled
	case *worker.TailTrace:
		e.Kind = usage.Tail
	}
	if t.Dynamic {
		// Those that dynamic workers made count for the deployed one, too.
		e.Dynamic = true
		e.Parent, e.Worker, _ = strings.Cut(t.Script, ":")
		if t.ID == "" {
			e.Worker, e.First = "", t.First
		} else {
			digest := w.Definition().Code.Digest()
			e.Code = digest[:8]
		}
	}
	return e
}
