package worker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"mayfly/host/bundle"
	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// A Bundler makes a worker's modules of source files: see
// [bundle.Creator.CreateWorker].
type Bundler interface {
	CreateWorker(ctx context.Context, o bundle.Options) (*bundle.Result, error)
}

var errNoBundler = &op.ErrorRecord{Name: "Error", Message: "createWorker() is not offered by this server: its operator may allow it (mayfly serve --bundler, or --npm for packages too)."}

// bundle is the operation of that name.
func (e *event) bundle(id uint32, message []byte) {
	in := e.in
	bundler := in.service.config.Bundler
	if bundler == nil {
		in.fail1(id, errNoBundler)
		return
	}
	r := op.NewReader(message)
	text := r.Bytes()
	err := r.Done()
	var options bundle.Options
	if err == nil {
		if err = json.Unmarshal(text, &options); err != nil {
			err = typeError("The options of createWorker are not as expected: %v", err)
		}
	}
	if err == nil {
		err = e.spend()
	}
	if err != nil {
		in.fail1(id, err)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if !in.stopper(id, func() { cancel(errAborted) }) {
		cancel(nil)
		return
	}
	go func() {
		defer cancel(nil)
		result, err := bundler.CreateWorker(ctx, options)
		var text []byte
		if err == nil {
			e.charge(result.CPU)
			text, err = json.Marshal(result)
		}
		if err != nil {
			in.fail1(id, in.bundleError(ctx, err))
			return
		}
		w := op.NewWriter(make([]byte, 0, 4+len(text)))
		w.Bytes(text)
		in.Settle(id, true, w.Message())
	}()
}

// charge counts processor time that the host used for the event, which may end it.
func (e *event) charge(cpu time.Duration) {
	e.in.mu.Lock()
	e.charged += cpu
	over := e.limits.CPU > 0 && e.charged > e.limits.CPU
	e.in.mu.Unlock()
	if over {
		e.exceed(isolate.ExceededCPU)
	}
}

// bundleError is what the program is told: what is no mistake of its own is
// noted.
func (in *instance) bundleError(ctx context.Context, err error) error {
	var mistake *bundle.CreateError
	switch {
	case errors.As(err, &mistake), errors.Is(err, bundle.ErrBusy):
		return &op.ErrorRecord{Name: "Error", Message: err.Error()}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	in.service.log.Error("a bundle could not be made", "worker", in.worker.def.Name, "err", err)
	return &op.ErrorRecord{Name: "Error", Message: "The bundle could not be made, by no fault of the sources."}
}
