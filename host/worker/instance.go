package worker

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/host/binding"
	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/pipe"
	"mayfly/host/platform"
	"mayfly/host/rpc"
	"mayfly/host/system"
	"mayfly/host/timer"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// An instance is an isolate of a worker, and what it can reach: the isolate's
// Host. Events come to it, from any goroutine; their turns run one at a time.
type instance struct {
	service  *Service
	worker   *Worker
	resident *isolate.Resident
	iso      *isolate.Isolate
	platform *platform.Platform
	timers   timer.Timers
	base     *base // nil: it evaluates
	hot      *hot
	// evaluating: the modules are evaluated, without anything of the outside.
	evaluating bool
	asked      bool // env, while evaluating

	mu       sync.Mutex
	events   map[uint32]*event
	last     uint32            // the last event's number
	owners   map[uint32]*event // of operations under way
	stubs    map[uint32]*stub
	stubbed  uint32 // the last handle of a stub
	exports  map[uint32]*export
	bodies   map[uint32]bodyHandle
	handle   uint32                // the last of a body or socket of the network
	piped    uint32                // the last of a pipe
	uploads  map[uint32]*pipe.Pipe // bodies of requests to stubs, by operation
	bindings *binding.Session
	bound    []binding.Entry
	named    int // how many of these env has by their names
	dynamics map[uint32]*dynamicHandle
	loaded   uint32 // the last handle of a dynamic worker
	over     bool
	fault    error // of the end, if over
	startErr *op.ErrorRecord
	started  chan struct{} // closed when the evaluation is over

	load   atomic.Int32 // events under way
	files  *vfs.Tree    // made when first used, in a turn
	system *wasi.System // made when first used, in a turn
	used   time.Time    // of the last event's begin; under the worker's lock
}

// A bodyHandle says whose a body, pipe or socket is: exactly one of the first four
// is set.
type bodyHandle struct {
	session    *fetch.Session
	readable   *pipe.Pipe
	writable   *pipe.Pipe
	socket     *rpc.Socket
	event      *event
	given      bool            // a pipe of the guest's that it has passed on, or never may
	connection *rpc.Connection // of which readable is a part
}

// pipeBits mark the handles of pipes and sockets between isolates: those of
// bindings' bodies have only the highest bit set, those of the network neither.
const pipeBits = 0xC0000000

func isPipe(handle uint32) bool { return handle >= pipeBits }

// newInstance makes an instance that has not begun.
func newInstance(w *Worker) *instance {
	in := &instance{
		service: w.service, worker: w,
		events: map[uint32]*event{}, owners: map[uint32]*event{}, stubs: map[uint32]*stub{}, exports: map[uint32]*export{}, bodies: map[uint32]bodyHandle{},
		stubbed: permanentStubs, piped: pipeBits,
	}
	in.platform = platform.New(platform.Options{
		System: system.Options{}, Files: in.tree, Compiler: w.service.config.Executions.Compiler(), CPU: w.limits.CPU,
	})
	in.provide()
	return in
}

// tree is the isolate's files.
func (in *instance) tree() *vfs.Tree {
	if in.files == nil {
		python := in.worker.def.Code.Python()
		room := int64(filesBytes)
		if python {
			room += in.worker.def.Code.Size()
		}
		in.files = vfs.New(vfs.Options{Base: in.worker.layer, Limits: vfs.Limits{Bytes: room}})
		if python {
			in.mountModules(in.files)
		}
	}
	return in.files
}

// filesBytes is what the files of one instance may hold: /tmp, in memory.
const filesBytes = 64 << 20

// errGlobalScope is what programs are told that do at their start what needs an
// event.
var errGlobalScope = &op.ErrorRecord{Name: "Error", Message: "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, and generating random values are not allowed within global scope. To fix this error, perform this operation within a handler."}

// turn is the event of the turn under way; nil if it is nobody's.
func (in *instance) turn() *event {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.events[in.iso.Turn()]
}

// Call implements isolate.Host.
func (in *instance) Call(iso *isolate.Isolate, number uint32, message, out []byte) ([]byte, bool) {
	r := op.NewReader(message)
	w := op.NewWriter(out)
	var err error
	switch o := op.Op(number); o {
	case op.Respond:
		err = in.respond(r, w)
	case op.Answer:
		err = in.answer(r)
	case op.EventFail:
		err = in.failed(r)
	case op.EventDone:
		id := r.U32()
		if err = r.Done(); err == nil {
			in.done(id)
		}
	case op.Log:
		err = in.log(r)
	case op.Write: // what does not come by the console: process.stdout
		fd, text := r.U8(), r.Bytes()
		if err = r.Done(); err == nil {
			in.write(fd, text)
		}
	case op.Fail:
		origin := r.U8()
		var e *op.ErrorRecord
		if e, err = op.ReadError(r); err == nil {
			in.fail(origin, e)
		}
	case op.Exit:
		iso.Unwind(isolate.Exception, "the program called process.exit()")
	case op.Result, op.Display:
	case op.Resolve, op.RequireResolve:
		referrer, specifier := r.Str(), r.Str()
		if err = r.Done(); err == nil {
			var name string
			if name, err = in.worker.def.Code.Resolve(referrer, specifier, in.worker.builtin); err == nil {
				w.Str(name)
			}
		}
	case op.Load:
		name, attribute := r.Str(), r.Str()
		if err = r.Done(); err == nil {
			var kind byte
			var source []byte
			if kind, source, err = in.worker.def.Code.Load(name, attribute); err == nil {
				w.U8(kind)
				w.Bytes(source)
			}
		}
	case op.Stdin:
	case op.Cancel:
		in.cancel(r.U32())
	case op.BodyCancel:
		in.cancelBody(r.U32())
	case op.Bindings:
		in.asked = true
		in.describe(w)
	case op.Environment:
		in.asked = true
		err = in.environment(w)
	case op.StubRelease:
		in.releaseStub(r.U32())
	case op.PipeOpen:
		err = in.openPipe(w)
	case op.Loopback:
		err = in.loopback(r, w)
	case op.LoaderGet, op.LoaderProvide, op.LoaderEntrypoint:
		err = in.callLoader(o, r, w)
	case op.Clock:
		if in.evaluating {
			w.F64(0)
			w.F64(0)
			break
		}
		fallthrough
	default:
		if o == op.Random && in.evaluating {
			err = errGlobalScope
			break
		}
		var answer []byte
		if answer, err = in.platform.Call(iso, o, message, out); err == nil {
			return answer, true
		}
	}
	if err != nil {
		return op.EncodeError(errorRecord(err)), false
	}
	return w.Message(), true
}

// errorRecord is an error of an operation as the guest gets it.
func errorRecord(err error) *op.ErrorRecord {
	var record *op.ErrorRecord
	var file *vfs.Error
	switch {
	case errors.As(err, &record):
		return record
	case errors.As(err, &file):
		return file.Record()
	}
	return &op.ErrorRecord{Name: "TypeError", Message: err.Error()}
}

// Start implements isolate.Host.
func (in *instance) Start(iso *isolate.Isolate, number, id uint32, message []byte) {
	if in.evaluating {
		if op.Op(number) == op.Sleep {
			// A timer's failure is nobody's to catch.
			in.fail(0, errGlobalScope)
		}
		iso.Settle(id, false, op.EncodeError(errGlobalScope))
		return
	}
	in.mu.Lock()
	e := in.events[iso.Turn()]
	if e == nil {
		in.mu.Unlock()
		iso.Settle(id, false, op.EncodeError(&op.ErrorRecord{Name: "Error", Message: "The event that this belongs to is over: what it began can't go on."}))
		return
	}
	in.owners[id] = e
	if e.operations == nil {
		e.operations = map[uint32]func(){}
	}
	e.operations[id] = nil
	in.mu.Unlock()
	switch o := op.Op(number); o {
	case op.Sleep:
		in.timers.Start(in, id, timer.Delay(op.NewReader(message).F64()))
	case op.Fetch, op.Websocket:
		e.fetch(o, id, message)
	case op.Connect:
		e.connect(id, message)
	case op.BodyRead, op.BodyWrite, op.WebsocketSend, op.WebsocketReceive, op.WebsocketClose:
		in.startBody(e, o, id, message)
	case op.Binding:
		in.startBinding(e, id, message)
	case op.Socket:
		e.socket(id, message)
	case op.SocketTls:
		e.startTLS(id, message)
	case op.StubCall:
		e.callStub(id, message)
	case op.StubFetch:
		e.fetchStub(id, message)
	case op.LoaderWait:
		e.loaderWait(id, message)
	case op.Bundle:
		e.bundle(id, message)
	default:
		in.fail1(id, &op.ErrorRecord{Name: "TypeError", Message: "unknown operation " + o.String()})
	}
}

// Settle completes an operation, unless it was dropped meanwhile.
func (in *instance) Settle(id uint32, ok bool, message []byte) { in.settleAfter(nil, id, ok, message) }

// settleAfter is Settle in the turn of another isolate, if one is given.
func (in *instance) settleAfter(after *isolate.Isolate, id uint32, ok bool, message []byte) {
	in.mu.Lock()
	e := in.owners[id]
	if e != nil {
		delete(in.owners, id)
		delete(e.operations, id)
	}
	in.mu.Unlock()
	if e != nil {
		in.iso.SettleAfter(after, id, ok, message)
	}
}

func (in *instance) fail1(id uint32, err error) {
	in.Settle(id, false, op.EncodeError(errorRecord(err)))
}

// stopper notes how an operation is stopped that is under way; false if it was
// dropped already.
func (in *instance) stopper(id uint32, stop func()) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	e := in.owners[id]
	if e == nil {
		return false
	}
	e.operations[id] = stop
	return true
}

// cancel drops a pending operation, which may have settled meanwhile.
func (in *instance) cancel(id uint32) {
	in.iso.Forget(id)
	in.mu.Lock()
	e := in.owners[id]
	var stop func()
	if e != nil {
		stop = e.operations[id]
		delete(in.owners, id)
		delete(e.operations, id)
	}
	bindings := in.bindings
	in.mu.Unlock()
	if e == nil {
		// A fetch may have been answered, and the answer not been seen.
		if e := in.turn(); e != nil && e.network != nil {
			e.network.Cancel(id)
		}
		return
	}
	if stop != nil {
		stop()
	}
	in.drop(e, bindings, id)
}

// drop stops what an operation has under way outside of the instance.
func (in *instance) drop(e *event, bindings *binding.Session, id uint32) {
	if in.timers.Stop(id) {
		return
	}
	if e.network != nil {
		e.network.Cancel(id)
	}
	if bindings != nil {
		bindings.Cancel(id)
	}
}

// Settled implements isolate.Host.
func (in *instance) Settled(uint32) {}

// Flush implements isolate.Host.
func (in *instance) Flush() {}

// Refuse implements isolate.Host.
func (in *instance) Refuse(limit int) []byte {
	return op.EncodeError(&op.ErrorRecord{Name: "Error", Code: "ERR_TOO_MANY_OPERATIONS", Message: fmt.Sprintf("Too many pending operations (limit %d): await some of them", limit)})
}

// Refused implements isolate.ResidentHost: an event was not admitted.
func (in *instance) Refused(id uint32, err error) {
	in.mu.Lock()
	e := in.events[id]
	in.mu.Unlock()
	if e != nil {
		e.finish(isolate.LoadShed, err)
	} else if in.evaluating {
		in.evaluated(err)
	}
}

// Exceeded implements isolate.ResidentHost: an event has used up its processor
// time.
func (in *instance) Exceeded(id uint32) {
	if in.evaluating {
		in.evaluated(&OutcomeError{Outcome: isolate.ExceededCPU})
		return
	}
	in.mu.Lock()
	e := in.events[id]
	in.mu.Unlock()
	if e != nil {
		e.exceed(isolate.ExceededCPU)
	}
}

// Rested implements isolate.ResidentHost.
func (in *instance) Rested(pending bool) {
	if in.evaluating && !pending {
		in.evaluated(nil)
	}
}

// Evict implements isolate.ResidentHost. As in Workers, what module scope remembers
// may be lost between events; but not while somebody holds a stub of it.
func (in *instance) Evict() bool {
	in.mu.Lock()
	idle := !in.over && !in.evaluating && in.load.Load() == 0 && len(in.exports) == 0
	if idle {
		in.over = true // an event that comes now begins in another
	}
	in.mu.Unlock()
	if idle {
		in.resident.Close(isolate.OK, "")
	}
	return idle
}

// Ended implements isolate.ResidentHost: the isolate is over, and with it all
// its events.
func (in *instance) Ended(report isolate.Report) {
	in.worker.retire(in)
	in.mu.Lock()
	in.over = true
	var events []*event
	for _, e := range in.events {
		events = append(events, e)
	}
	bindings := in.bindings
	in.mu.Unlock()
	turn := in.iso.Turn()
	for _, e := range events {
		if e.id == turn || len(events) == 1 {
			e.ended(report)
		} else {
			e.finish(isolate.Canceled, &op.ErrorRecord{Name: "Error", Message: "The isolate was ended by another request that it served: " + outcomeMessage(report.Outcome)})
		}
	}
	if in.evaluating {
		in.evaluated(in.endError(report))
	}
	in.timers.Close()
	if bindings != nil {
		bindings.Close()
	}
	if in.base != nil {
		in.base.stop(in.hot)
	}
	if err := in.platform.Close(); err != nil {
		in.service.log.Error("modules of a worker could not be closed", "worker", in.worker.def.Name, "err", err)
	}
}

// outcomeMessage is what whoever asked is told of a limit, in the words of
// Workers.
func outcomeMessage(o isolate.Outcome) string {
	switch o {
	case isolate.ExceededCPU:
		return "Worker exceeded CPU time limit."
	case isolate.ExceededMemory:
		return "Worker exceeded memory limit."
	case isolate.ExceededWallTime:
		return "Worker exceeded its wall time limit."
	case isolate.LoadShed:
		return "The server has no room for this Worker now."
	case isolate.Canceled:
		return "The Worker's event was canceled."
	}
	return "internal error"
}

// reportError is a report's end as an error for whoever asked.
func reportError(report isolate.Report) error {
	if report.Outcome == isolate.OK {
		return nil
	}
	return &OutcomeError{Outcome: report.Outcome, Reason: report.Reason()}
}

// endError is the isolate's end as an error for whoever asked.
func (in *instance) endError(report isolate.Report) error {
	if report.Outcome == isolate.InternalError {
		return in.service.internal(in.worker, report)
	}
	return reportError(report)
}

// An OutcomeError says that an event was ended by a limit.
type OutcomeError struct {
	Outcome isolate.Outcome
	Reason  string
}

func (e *OutcomeError) Error() string { return outcomeMessage(e.Outcome) }

// Unwrap makes it an error of the guest that asked.
func (e *OutcomeError) Unwrap() error { return &op.ErrorRecord{Name: "Error", Message: e.Error()} }
