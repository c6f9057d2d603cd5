package worker

import (
	"encoding/json"
	"time"

	"mayfly/host/binding"
	"mayfly/host/op"
)

// Kinds of bindings that only workers have.
const (
	KindService = "service"
	KindLoader  = "worker_loader"
)

// provide gives the instance what its env has, under handles that are the same
// in every instance of the worker: the base may know them.
func (in *instance) provide() {
	def := &in.worker.def
	if def.Env == nil {
		in.bound = append(in.bound, def.Bindings.Entries...)
		for _, l := range def.Loaders {
			in.bound = append(in.bound, binding.Entry{Name: l.Name, Kind: KindLoader})
		}
		in.named = len(in.bound)
		for i, s := range def.Services {
			in.stubs[uint32(i+1)] = &stub{target: s.Target}
		}
		return
	}
	for i, c := range def.Env.Caps {
		if c.Target != nil {
			in.stubs[uint32(i+1)] = &stub{target: c.Target}
		} else if c.Binding != nil {
			in.bound = append(in.bound, *c.Binding)
		}
	}
}

// describe is the answer to the operation bindings.
func (in *instance) describe(w *op.Writer) {
	def := &in.worker.def
	in.mu.Lock()
	bound := in.bound
	in.mu.Unlock()
	count := len(bound)
	if def.Env == nil {
		count += len(def.Services)
	}
	w.U32(uint32(count))
	for i, b := range bound {
		name := b.Name
		if i >= in.named { // it was passed on: it has a handle, not a name
			name = ""
		}
		w.Str(name)
		w.Str(b.Kind)
		w.U32(uint32(i + 1))
		w.Bytes(b.Value)
	}
	if def.Env != nil {
		return
	}
	for i, s := range def.Services {
		w.Str(s.Name)
		w.Str(KindService)
		w.U32(uint32(i + 1))
		w.Bytes(nil)
	}
}

// environment is the operation of that name: the env of a dynamic worker, whose
// capabilities get the same handles in every instance.
func (in *instance) environment(w *op.Writer) error {
	env := in.worker.def.Env
	if env == nil {
		w.U8(0)
		w.Bytes(nil)
		w.U32(0)
		return nil
	}
	w.U8(1)
	w.Bytes(env.Message)
	w.U32(uint32(len(env.Caps)))
	bound := uint32(0)
	for i, c := range env.Caps {
		switch {
		case c.Target != nil:
			w.U8(capTarget)
			w.U32(uint32(i + 1))
		case c.Binding != nil:
			bound++
			w.U8(capBinding)
			w.U32(bound)
		default:
			return &op.ErrorRecord{Name: "DataCloneError", Message: "The env of a dynamic worker can't have streams."}
		}
	}
	return nil
}

// boundSession is the session with the bindings, made when first used.
func (in *instance) boundSession() *binding.Session {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.bindings == nil {
		in.bindings = binding.NewSession(binding.Options{Bindings: in.bound, Settle: in.Settle, Log: in.service.log})
	}
	return in.bindings
}

// startBinding begins the operation of a binding.
func (in *instance) startBinding(e *event, id uint32, message []byte) {
	r := op.NewReader(message)
	handle := r.U32()
	policy, isFetcher := in.worker.def.Bindings.Policies[handle]
	if !isFetcher || in.worker.def.Env != nil {
		in.boundSession().Start(op.Binding, id, message)
		return
	}
	_ = r.U8() // there is one method
	request := r.Bytes()
	if r.Err() != nil || r.U8() != 0 || len(r.Bytes()) != 0 || r.Done() != nil {
		in.fail1(id, op.ErrMessage)
		return
	}
	if err := in.boundSession().Spend(handle); err != nil {
		in.fail1(id, err)
		return
	}
	e.net().StartVia(policy, id, request)
}

// log is the operation of that name.
func (in *instance) log(r *op.Reader) error {
	level, text, message := r.U8(), r.Str(), r.Bytes()
	if err := r.Done(); err != nil {
		return err
	}
	if int(level) >= len(levels) {
		return op.ErrMessage
	}
	in.note(TraceLog{Timestamp: time.Now().UnixMilli(), Level: levels[level], Message: append([]byte(nil), message...), Text: text})
	return nil
}

// write is output that did not come by the console.
func (in *instance) write(fd uint8, text []byte) {
	level := "log"
	if fd == 2 {
		level = "error"
	}
	in.note(TraceLog{Timestamp: time.Now().UnixMilli(), Level: level, Message: stringArray(string(text)), Text: string(text)})
}

// note adds a message to the event of the turn; while modules are evaluated it
// is nobody's.
func (in *instance) note(l TraceLog) {
	if logged := in.service.config.Logged; logged != nil {
		logged(in.worker, &l)
	}
	e := in.turn()
	if e == nil {
		in.service.log.Debug("a worker says while it starts", "worker", in.worker.def.Name, "level", l.Level, "text", l.Text)
		return
	}
	e.trace.log(l, &e.logged)
}

// passThrough is added to the origin of a failure where the event has called
// ctx.passThroughOnException().
const passThrough = 128

// A PassThroughError is an error that a fetch handler threw after it had called
// ctx.passThroughOnException(): what is behind the worker may answer in its
// place. Where nothing is, it is an error as any other.
type PassThroughError struct{ Record *op.ErrorRecord }

func (e *PassThroughError) Error() string { return e.Record.Error() }

// Unwrap makes it the handler's own error.
func (e *PassThroughError) Unwrap() error { return e.Record }

// interrupted is the code of the failure of an event that was interrupted.
const interrupted = "ERR_INTERRUPTED"

// failed is the operation event_fail.
func (in *instance) failed(r *op.Reader) error {
	id, origin := r.U32(), r.U8()
	passes := origin&passThrough != 0
	origin &^= passThrough
	record, err := op.ReadError(r)
	if err == nil {
		err = r.Done()
	}
	if err != nil {
		return err
	}
	if record.Code == interrupted && origin == 0 {
		return nil // Exceeded says why
	}
	if id == 0 {
		id = in.iso.Turn()
	}
	in.mu.Lock()
	e := in.events[id]
	in.mu.Unlock()
	if e == nil {
		return nil
	}
	shown := *record
	shown.Stack = in.worker.mapStack(record.Stack)
	if len(e.trace.Exceptions) < maxLogs {
		e.trace.Exceptions = append(e.trace.Exceptions, TraceException{Timestamp: time.Now().UnixMilli(), Name: shown.Name, Message: shown.Message, Stack: shown.Stack})
	}
	switch {
	case origin == 0 && passes && e.kind == dispatchFetch:
		e.give(outcome{err: &PassThroughError{&shown}})
	case origin == 0:
		e.give(outcome{err: &shown})
	}
	return nil
}

func stringArray(text string) json.RawMessage {
	b, _ := json.Marshal([]string{text}) // strings can always be written
	return b
}
