package worker

import (
	"mayfly/host/op"
)

// loopback is the operation of that name: an entrypoint of the worker itself.
func (in *instance) loopback(r *op.Reader, w *op.Writer) error {
	e := in.turn()
	if e == nil {
		return errGlobalScope
	}
	name := r.Str()
	props, err := in.readValue(e, r)
	if err == nil {
		err = r.Done()
	}
	if err != nil {
		return err
	}
	if len(props.Message) == 0 {
		e = nil // it is the same for all events
	}
	handle, err := in.addStub(in.worker.Entrypoint(name, props, Limits{}), e)
	if err == nil {
		w.U32(handle)
	}
	return err
}
