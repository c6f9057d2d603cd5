package worker

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
)

// Kinds of dispatched events, as the event numbers them.
const (
	dispatchFetch     = 1
	dispatchCall      = 2
	dispatchScheduled = 3
	dispatchTail      = 4
	dispatchAbort     = 5
	dispatchRelease   = 6
	dispatchEnd       = 7
	dispatchConnect   = 8
)

// An event is one request, call, time or batch of traces that an instance
// serves: from its delivery to when nothing of it is left.
type event struct {
	id     uint32
	kind   uint8
	in     *instance
	caller rpc.Caller // of what it asks for itself
	limits Limits
	trace  Trace
	begun  time.Time
	// context is whose what it gets and begins is: of a call of what another event
	// gave out, that event; of others, the event itself.
	context *event

	answers chan outcome  // capacity 1: the one answer; nil where there is done
	done    func(outcome) // is called with it in place of that; nil: somebody waits

	// Under the instance's lock. Maps are made when first used.
	operations map[uint32]func()   // under way: how to stop each; nil: in the usual way
	held       map[uint32]struct{} // stubs
	handles    map[uint32]struct{} // bodies, pipes, sockets
	dynamics   map[uint32]struct{} // dynamic workers
	calls      map[*event]struct{} // events whose context it is
	uploads    []uint32            // operations whose bodies the guest writes
	answered   bool
	left       bool // nobody waits for the answer any more
	said       bool // that it is done
	holds      int  // bodies that are passed on and not yet read
	over       bool
	wall       *time.Timer
	logged     int
	spent      int           // subrequests besides those of the network
	charged    time.Duration // processor time that the host used

	network *fetch.Session
}

// An outcome answers an event: a response, a value, or why there is none.
type outcome struct {
	response *rpc.Response
	value    rpc.Value
	err      error
	// after is the isolate in whose turn it was given: what follows from it may
	// wait for the end of that.
	after *isolate.Isolate
}

// begin makes an event of an instance. Nil if that is over. Where done is not nil
// it gets the answer, and nobody waits.
func (in *instance) begin(kind uint8, caller *rpc.Caller, limits Limits, done func(outcome)) *event {
	e := &event{kind: kind, in: in, limits: limits, begun: time.Now(), done: done}
	if done == nil {
		e.answers = make(chan outcome, 1)
	}
	e.context = e
	e.caller.Tenant = in.worker.def.Tenant
	if caller != nil {
		e.caller.Depth = caller.Depth + 1
	}
	e.trace = Trace{
		Timestamp: e.begun.UnixMilli(), Logs: []TraceLog{}, Exceptions: []TraceException{}, Script: in.worker.def.Name,
		Tenant: in.worker.def.Tenant, Parent: in.worker.def.Parent, ID: in.worker.def.ID, Dynamic: in.worker.def.Parent != "",
	}
	e.trace.Version = in.worker.version
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.over {
		return nil
	}
	in.last++
	if in.last == 0 { // 0 is nobody's
		in.last++
	}
	e.id = in.last
	in.events[e.id] = e
	in.load.Add(1)
	if limits.Wall > 0 {
		e.wall = time.AfterFunc(limits.Wall, func() { e.exceed(isolate.ExceededWallTime) })
	}
	return e
}

// deliver gives the event to the guest.
func (e *event) deliver(kind uint8, message []byte) { e.deliverTo(e.context, kind, message) }

// deliverTo has the turn be another event's.
func (e *event) deliverTo(context *event, kind uint8, message []byte) {
	w := e.dispatch(kind, len(message))
	w.Raw(message)
	e.sendTo(context, nil, w)
}

// dispatch begins the message of a delivery, with room for so many bytes.
func (e *event) dispatch(kind uint8, size int) *op.Writer {
	w := op.NewWriter(make([]byte, 0, dispatchHeader+size))
	w.U32(e.id)
	w.U8(kind)
	w.U32(0)
	return w
}

// dispatchHeader is the size of what every dispatched message begins with.
const dispatchHeader = 4 + 1 + 4

// send delivers what dispatch has begun, in the turn of another isolate if one
// is given.
func (e *event) send(after *isolate.Isolate, w *op.Writer) { e.sendTo(e.context, after, w) }

func (e *event) sendTo(context *event, after *isolate.Isolate, w *op.Writer) {
	message := w.Message()
	binary.LittleEndian.PutUint32(message[dispatchHeader-4:], uint32(len(message)-dispatchHeader))
	e.in.resident.Deliver(isolate.Delivery{Event: context.id, Kind: uint32(op.EventDispatch), Message: message, CPU: context.limits.CPU, After: after})
}

// wait is the event's answer. Where nobody waits any more the guest is told, and
// goes on as long as it may.
func (e *event) wait(ctx context.Context) (outcome, error) {
	select {
	case a := <-e.answers:
		return a, a.err
	case <-ctx.Done():
	}
	e.in.mu.Lock()
	e.left = true
	e.in.mu.Unlock()
	e.abandon()
	select {
	case a := <-e.answers: // it came at the same time
		a.discard()
	default:
	}
	return outcome{}, context.Cause(ctx)
}

func (a *outcome) discard() {
	if a.response != nil {
		a.response.Body.Discard()
		if a.response.Socket != nil {
			a.response.Socket.Abort()
		}
	}
	a.value.Release()
}

// abandon says that nobody waits for the event any more.
func (e *event) abandon() {
	w := op.NewWriter(nil)
	w.Str("The client has disconnected.")
	e.deliver(dispatchAbort, w.Message())
	e.linger()
}

// linger bounds what may still be done when nobody waits.
func (e *event) linger() {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if !e.over && e.wall == nil {
		e.wall = time.AfterFunc(afterwards, func() { e.exceed(isolate.Canceled) })
	}
}

// give is the event's one answer.
func (e *event) give(a outcome) bool {
	e.in.mu.Lock()
	if e.answered {
		e.in.mu.Unlock()
		return false
	}
	e.answered = true
	left := e.left
	if e.done == nil && !left {
		e.answers <- a // with the lock: who leaves meanwhile finds it
	}
	e.in.mu.Unlock()
	switch {
	case e.done != nil:
		e.done(a)
	case left:
		a.discard()
	}
	return true
}

// exceed ends the event by a limit; the isolate goes on.
func (e *event) exceed(o isolate.Outcome) {
	e.finish(o, &OutcomeError{Outcome: o})
	e.deliver(dispatchEnd, nil)
}

// ended ends the event with the isolate's own end.
func (e *event) ended(report isolate.Report) {
	e.finish(report.Outcome, e.in.endError(report))
}

// done is what the guest says of an event that has nothing left to do.
func (in *instance) done(id uint32) {
	in.mu.Lock()
	e := in.events[id]
	if e == nil {
		in.mu.Unlock()
		return
	}
	e.said = true
	waits := e.holds > 0
	answered := e.answered
	in.mu.Unlock()
	if !answered {
		e.end(isolate.Canceled, &op.ErrorRecord{Name: "Error", Message: "The Worker's event ended without an answer."}, true)
	} else if !waits {
		e.end("", nil, true)
	}
}

// hold keeps the event from ending until release is called: a body of its
// network is being read.
func (e *event) hold() (release func()) {
	e.in.mu.Lock()
	e.holds++
	e.in.mu.Unlock()
	return e.unhold
}

func (e *event) unhold() {
	e.in.mu.Lock()
	e.holds--
	over := e.said && e.holds == 0
	e.in.mu.Unlock()
	if over {
		e.finish("", nil)
	}
}

// finish ends the event. An empty outcome is what the event itself came to; err
// answers whoever still waits.
func (e *event) finish(o isolate.Outcome, err error) { e.end(o, err, false) }

// end is finish; inTurn says that the guest waits for it.
func (e *event) end(o isolate.Outcome, err error, inTurn bool) {
	in := e.in
	in.mu.Lock()
	if e.over {
		in.mu.Unlock()
		return
	}
	e.over = true
	delete(in.events, e.id)
	if e.wall != nil {
		e.wall.Stop()
	}
	operations := e.operations
	for id := range operations {
		delete(in.owners, id)
	}
	e.operations = nil
	for _, id := range e.uploads {
		if p := in.uploads[id]; p != nil {
			delete(in.uploads, id)
			defer p.End(errEventOver)
		}
	}
	var targets []rpc.Target
	for h := range e.held {
		if s := in.stubs[h]; s != nil {
			targets = append(targets, s.target)
			delete(in.stubs, h)
		}
	}
	var bodies []bodyHandle
	for h := range e.handles {
		bodies = append(bodies, in.bodies[h])
		delete(in.bodies, h)
	}
	for id, x := range in.exports {
		if x.event == e {
			delete(in.exports, id)
		}
	}
	var dynamics []*dynamicHandle
	for h := range e.dynamics {
		dynamics = append(dynamics, in.dynamics[h])
		delete(in.dynamics, h)
	}
	delete(e.context.calls, e)
	calls := e.calls
	e.calls = nil
	bindings := in.bindings
	network := e.network
	in.mu.Unlock()

	for id, stop := range operations {
		in.iso.Forget(id)
		if stop != nil {
			stop()
		}
		in.drop(e, bindings, id)
	}
	if err != nil {
		e.give(outcome{err: err})
	}
	for c := range calls {
		c.finish(isolate.Canceled, cmp.Or(err, error(errDestination)))
		c.deliverTo(c, dispatchEnd, nil)
	}
	for _, b := range bodies {
		b.abort()
	}
	for _, t := range targets {
		t.Release()
	}
	in.endDynamics(dynamics)
	if network != nil {
		usage := network.Usage()
		e.trace.Subrequests += usage.Subrequests
		if o == "" && network.LimitHit() && len(e.trace.Exceptions) > 0 {
			o = isolate.ExceededSubrequests
		}
		go network.Close() // it waits for what is under way
	}
	e.trace.Subrequests += e.spent
	usage := in.resident.Finish(e.id, inTurn)
	in.mu.Lock()
	usage.CPU += e.charged
	in.mu.Unlock()
	if o == "" {
		o = isolate.OK
		if len(e.trace.Exceptions) > 0 {
			o = isolate.Exception
		}
	}
	e.trace.Outcome = o
	e.trace.CPU, e.trace.Wall = usage.CPU, time.Since(e.begun)
	e.trace.Start = time.Duration(in.worker.evaluated.Swap(0))
	e.trace.CPUTime, e.trace.WallTime = milliseconds(usage.CPU), milliseconds(e.trace.Wall)
	in.load.Add(-1)
	in.service.traced(in.worker, &e.trace)
	in.worker.settled(in)
}

// milliseconds are those of a duration, in whole tenths.
func milliseconds(d time.Duration) float64 {
	return float64(d/(100*time.Microsecond)) / 10
}

func (b bodyHandle) abort() {
	switch {
	case b.readable != nil:
		b.readable.Cancel(nil)
	case b.writable != nil:
		b.writable.End(errEventOver)
	case b.socket != nil:
		b.socket.Abort()
	}
}

// errDestination is what callers are told of a call whose context has ended.
var errDestination = &op.ErrorRecord{Name: "Error", Message: "The destination execution context for this RPC was canceled while the call was still running."}

var errEventOver = errors.New("the Worker's event ended before its body did")
