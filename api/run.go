package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"mayfly/host/execution"
	"mayfly/storage/meta"
	"mayfly/storage/usage"
)

// errDisconnected cancels an execution whose client went away, errRequested
// one that POST …/cancel names.
var (
	errDisconnected = errors.New("the client went away")
	errRequested    = errors.New("cancel was requested")
)

// A run is an execution from its acceptance until its record is with the
// store.
type run struct {
	id        string
	tenant    string
	createdAt time.Time
	asked     []byte // see appendAsked
	expiresAt time.Time
	replayed  bool // somebody may come back for its events
	cancel    context.CancelCauseFunc

	mu        sync.Mutex
	running   bool
	events    []execution.Event
	changed   chan struct{} // closed at the next change; nil if nobody waits
	followers int
	attended  bool        // it was begun for a reader, and ends without one
	recorded  meta.Status // what the store has of it before its end
	ended     bool
	err       error          // why it was not run at all
	final     meta.Execution // once ended without err
}

// emit takes an event of the executor.
func (x *run) emit(e execution.Event) {
	x.mu.Lock()
	x.events = append(x.events, e)
	x.notify()
	x.mu.Unlock()
}

// notify wakes who waits. The caller holds x.mu.
func (x *run) notify() {
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}

// after returns the events after seq, whether there will be more, and a
// channel that is closed when there are.
func (x *run) after(seq int64) (events []execution.Event, ended bool, changed <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := len(x.events); i > 0 && x.events[i-1].Seq > seq; i-- {
		events = x.events[i-1:]
	}
	if x.ended {
		return events, true, nil
	}
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return events, false, x.changed
}

func (x *run) status() meta.Status {
	if x.running {
		return meta.Running
	}
	return meta.Queued
}

// runs are the executions under way, by id.
type runs struct {
	shards [16]struct {
		mu sync.Mutex
		m  map[string]*run
		_  [40]byte // one cache line each
	}
}

func (rs *runs) shard(id string) int { return int(id[len(id)-1]) % len(rs.shards) }

func (rs *runs) add(x *run) {
	s := &rs.shards[rs.shard(x.id)]
	s.mu.Lock()
	if s.m == nil {
		s.m = map[string]*run{}
	}
	s.m[x.id] = x
	s.mu.Unlock()
}

func (rs *runs) remove(id string) {
	s := &rs.shards[rs.shard(id)]
	s.mu.Lock()
	delete(s.m, id)
	s.mu.Unlock()
}

// get finds a run that the tenant may see; an empty tenant sees all.
func (rs *runs) get(tenant, id string) *run {
	if id == "" {
		return nil
	}
	s := &rs.shards[rs.shard(id)]
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.m[id]
	if x == nil || tenant != "" && x.tenant != tenant {
		return nil
	}
	return x
}

// each calls f with every run.
func (rs *runs) each(f func(*run)) {
	for i := range rs.shards {
		s := &rs.shards[i]
		s.mu.Lock()
		list := make([]*run, 0, len(s.m))
		for _, x := range s.m {
			list = append(list, x)
		}
		s.mu.Unlock()
		for _, x := range list {
			f(x)
		}
	}
}

// begin registers a run of a request. The caller must end it by settle.
func (s *Server) begin(id string, request *call, replayed bool, cancel context.CancelCauseFunc) *run {
	now := s.options.Now().UTC().Truncate(time.Millisecond)
	x := &run{id: id, tenant: request.Tenant, createdAt: now, replayed: replayed, cancel: cancel,
		events: make([]execution.Event, 0, 4)} // most have a result, usage and end
	x.asked = appendAsked(make([]byte, 0, 256), s.runtimeOf(request.Language), request.Metadata, request.session)
	if s.options.Keep > 0 {
		x.expiresAt = now.Add(s.options.Keep)
	}
	s.runs.add(x)
	return x
}

// execute runs a request. Its error is one that the client can do something
// about, or a *Problem; what else goes wrong is an internalError.
func (s *Server) execute(ctx context.Context, x *run, request *call) (result *execution.Result, err error) {
	language := s.knownLanguage(request.Language)
	x.mu.Lock()
	x.running = true
	x.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			result, err = s.failure(x, fmt.Errorf("panic: %v\n%s", v, debug.Stack())), nil
		}
		if err == nil {
			s.metrics.ended(language, result)
		}
	}()
	s.metrics.running.Inc()
	defer s.metrics.running.Dec()
	if request.session != "" {
		result, err = s.options.Sessions.Execute(ctx, x.tenant, request.session, x.id, request.Request, x.emit)
	} else {
		result, err = s.options.Executor.Execute(ctx, x.id, request.Request, x.emit)
	}
	switch {
	case err == nil:
		return result, nil
	case executorProblem(err) != nil || request.session != "" && s.sessionProblem(err) != nil:
		return nil, err
	case ctx.Err() != nil:
		return &execution.Result{Outcome: execution.Canceled, ExitCode: 1,
			Error: &execution.Error{Name: "Canceled", Message: context.Cause(ctx).Error()}}, nil
	default:
		return s.failure(x, err), nil
	}
}

// failure logs a fault of the server and makes a result of it.
func (s *Server) failure(x *run, err error) *execution.Result {
	incident := s.options.Store.NewID()
	s.options.Log.Error("execution failed", "incident", incident, "execution", x.id, "error", err)
	return &execution.Result{Outcome: execution.InternalError, ExitCode: 1, InternalID: incident}
}

// settle ends a run: its record goes to the store, and after that the store
// alone knows it. The encoded record is returned for the answer.
func (s *Server) settle(x *run, result *execution.Result) record {
	if result.Outcome == execution.InternalError && result.Error == nil {
		result.Error = &execution.Error{Name: "InternalError", Message: "the server failed; its log has the reason under " + result.InternalID}
	}
	now := s.options.Now()
	output := appendOutput(make([]byte, 0, 512+len(result.Stdout)+len(result.Stderr)+len(result.Value)+displaysSize(result.Displays)), result)
	final := meta.Execution{
		ID: x.id, Tenant: x.tenant, Status: meta.Done, Outcome: string(result.Outcome),
		CreatedAt: x.createdAt, EndedAt: now, ExpiresAt: x.expiresAt,
		Request: x.asked, Result: output,
		Usage: meta.Usage{
			CPU: result.Usage.CPU, Wall: result.Usage.Wall, PeakMemory: result.Usage.PeakMemory,
			EgressBytes: result.Usage.EgressBytes, IngressBytes: result.Usage.IngressBytes,
			Subrequests:       int64(result.Usage.Subrequests),
			BindingOperations: int64(result.Usage.Bindings.Operations),
			BindingReadBytes:  result.Usage.Bindings.ReadBytes, BindingWriteBytes: result.Usage.Bindings.WriteBytes,
		},
	}
	for _, a := range result.Artifacts {
		final.Artifacts = append(final.Artifacts, meta.Artifact{
			Name: a.Name, Path: a.Path, Size: a.Size, ContentType: a.ContentType, SHA256: a.SHA256,
			ObjectKey: execution.ArtifactKey(x.id, a.Name), Export: storedExport(a.Export),
		})
	}
	if s.options.Usage != nil {
		s.options.Usage.Record(usage.Entry{
			Time: now, Tenant: x.tenant, Kind: usage.Execution, Outcome: string(result.Outcome),
			CPU: result.Usage.CPU, Wall: result.Usage.Wall, Subrequests: result.Usage.Subrequests,
		})
	}
	x.mu.Lock()
	x.completeStory(result, now)
	if x.replayed || !retold(x.events, result) {
		final.Events = encodeEvents(x.id, x.events)
	}
	x.final, x.ended = final, true
	x.notify()
	x.mu.Unlock()
	return s.recordOf(&final)
}

// completeStory makes sure that the story ends, whatever the executor did.
// The caller holds x.mu.
func (x *run) completeStory(result *execution.Result, now time.Time) {
	n := len(x.events)
	if n > 0 && x.events[n-1].End != nil {
		return
	}
	if n == 0 {
		x.events = story(result, now)
		return
	}
	seq := x.events[n-1].Seq
	if result.Error != nil {
		seq++
		x.events = append(x.events, execution.Event{Seq: seq, Time: now, Error: result.Error})
	}
	x.events = append(x.events,
		execution.Event{Seq: seq + 1, Time: now, Usage: &result.Usage},
		execution.Event{Seq: seq + 2, Time: now, End: result})
}

// retold says whether story would tell these events again, but for their
// times.
func retold(events []execution.Event, result *execution.Result) bool {
	again := 2 + len(result.Artifacts) + len(result.Displays)
	for _, there := range [...]bool{result.Stdout != "", result.Stderr != "", result.ValueType != "", result.Error != nil} {
		if there {
			again++
		}
	}
	if len(events) != again {
		return false
	}
	previous := -1
	for i := range events {
		rank := storyRank(&events[i])
		if rank < previous || rank == previous && events[i].Artifact == nil && events[i].Display == nil {
			return false
		}
		previous = rank
	}
	return true
}

// abandon ends a run that was never admitted.
func (s *Server) abandon(x *run, err error) {
	x.cancel(nil)
	x.mu.Lock()
	x.err, x.ended = err, true
	recorded := x.recorded != ""
	x.notify()
	x.mu.Unlock()
	if recorded {
		// It has been seen in lists; it must not stay running there.
		s.settle(x, notAdmitted(err))
		s.keep(x, nil)
		return
	}
	s.runs.remove(x.id)
}

// notAdmitted is the result of a run that was accepted, but which the
// executor then did not admit.
func notAdmitted(err error) *execution.Result {
	result := &execution.Result{Outcome: execution.Exception, ExitCode: 1,
		Error: &execution.Error{Name: "InvalidRequest", Message: err.Error()}}
	var load *execution.OverloadError
	if errors.As(err, &load) {
		result.Outcome = execution.LoadShed
		result.Error.Name = "LoadShed"
	}
	return result
}

// ended is a context that is over: with it the store takes a record only if
// that needs no waiting.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// recordTimeout bounds how long an ended run waits for room in the store's
// queue before its record is given up.
const recordTimeout = 10 * time.Second

// keep hands the record of a settled run to the store. If the store's queue is
// full it waits, but calls answer (unless nil) before that.
func (s *Server) keep(x *run, answer func()) {
	defer s.runs.remove(x.id)
	err := s.options.Store.Record(ended, x.final)
	if errors.Is(err, meta.ErrQueueFull) || errors.Is(err, context.Canceled) {
		if answer != nil {
			answer()
		}
		ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
		defer cancel()
		err = s.options.Store.Record(ctx, x.final)
	}
	if err != nil {
		s.metrics.recordsLost.Inc()
		s.options.Log.Error("record of an execution lost", "execution", x.id, "error", err)
	}
}

// announceAfter is how old a run is when it is recorded as running, so that
// lists show it. Shorter ones, nearly all, are recorded once.
const announceAfter = 500 * time.Millisecond

// announce records runs that take long, until the server's runs are over.
func (s *Server) announce(ctx context.Context) {
	ticker := time.NewTicker(announceAfter)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			old := s.options.Now().Add(-announceAfter)
			s.runs.each(func(x *run) {
				if x.createdAt.Before(old) {
					s.recordUnderWay(ended, x)
				}
			})
		}
	}
}

// recordUnderWay records a run that has not ended, once for each status. ctx
// bounds the wait for room in the store's queue.
func (s *Server) recordUnderWay(ctx context.Context, x *run) error {
	// Under x.mu, so that the final record can't come before this one.
	x.mu.Lock()
	defer x.mu.Unlock()
	status := x.status()
	if x.ended || x.recorded == status {
		return nil
	}
	err := s.options.Store.Record(ctx, meta.Execution{
		ID: x.id, Tenant: x.tenant, Status: status, CreatedAt: x.createdAt,
		ExpiresAt: x.expiresAt, Request: x.asked,
	})
	if err == nil {
		x.recorded = status
	}
	return err
}

// Interrupted is how executions end that were under way when the process
// died: the outcome and the result for meta.Store.EndUnfinished.
func Interrupted() (outcome string, result []byte) {
	r := execution.Result{Outcome: execution.InternalError, ExitCode: 1,
		Error: &execution.Error{Name: "InternalError", Message: "the server ended while this execution was under way"}}
	return string(r.Outcome), appendOutput(nil, &r)
}
