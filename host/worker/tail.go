package worker

import (
	"context"
	"encoding/json"

	"mayfly/host/rpc"
)

// A Tailer is a target that takes traces.
type Tailer interface {
	rpc.Target
	Tail(ctx context.Context, items []byte, scripts []TailTraceItem) error
}

// tail gives a trace to the worker's tails.
func (w *Worker) tail(t *Trace) {
	items, err := json.Marshal([]*Trace{t})
	if err != nil {
		w.service.log.Error("a trace can't be written", "worker", w.def.Name, "err", err)
		return
	}
	for _, target := range w.def.Tails {
		tailer, ok := target.(Tailer)
		if !ok {
			continue
		}
		if err := tailer.Tail(context.Background(), items, []TailTraceItem{{t.Script}}); err != nil {
			w.service.log.Debug("a tail failed", "worker", w.def.Name, "err", err)
		}
	}
}
