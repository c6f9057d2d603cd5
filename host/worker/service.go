package worker

import (
	"container/list"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"mayfly/host/bundle"
	"mayfly/host/execution"
	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// Config configures a Service. Executions is required: workers are given what
// executions are given.
type Config struct {
	Executions *execution.Service
	Defaults   Limits // zero fields: DefaultLimits
	Caps       Limits // the highest that a worker may have; zero fields: none
	// Warm is how many isolates keep their place while they rest; the others are
	// parked as what they have changed. 0: 256.
	Warm int
	// Bases is how many bytes the states of evaluated code may take that no
	// worker uses. 0: 512 MiB.
	Bases int64
	// Bundler is what createWorker of @cloudflare/worker-bundler uses; nil: it is
	// not offered.
	Bundler Bundler
	// Logged, if not nil, is called with each message as it comes, in the turn of
	// the worker that waits for it.
	Logged func(w *Worker, l *TraceLog)
	// Traced, if not nil, is called with the trace of each event that has ended.
	// It must not block, and not keep the trace's maps.
	Traced func(w *Worker, t *Trace)
	// Watched says whether anybody looks at a worker's traces: else they tell no
	// headers. Nil: never.
	Watched func(w *Worker) bool
}

// startLimit is the processor time that evaluating a worker's modules may take.
// Workers allows one second.
const startLimit = time.Second

// A Service runs workers. It is safe for concurrent use.
type Service struct {
	config     Config
	log        *slog.Logger
	processors int
	bases      *bases
	unwatch    func() // ends the watch over memory

	mu      sync.Mutex
	resting *list.List // of *instance that may hold a slot, the one used last at the front
	places  map[*instance]*list.Element

	codes codes
}

// New makes a service.
func New(config Config) *Service {
	config.Defaults = config.Defaults.or(DefaultLimits)
	if config.Warm == 0 {
		config.Warm = 256
	}
	if config.Bases == 0 {
		config.Bases = 512 << 20
	}
	s := &Service{
		config: config, log: config.Executions.Log(), processors: runtime.GOMAXPROCS(0),
		bases:   &bases{budget: config.Bases, byKey: map[baseKey]*base{}, private: map[baseKey]struct{}{}},
		resting: list.New(), places: map[*instance]*list.Element{},
	}
	s.unwatch = config.Executions.Runtime().OnPressure(s.bases.relieve)
	return s
}

// Close gives up the states of evaluated code. No event may be under way.
func (s *Service) Close() {
	s.unwatch()
	s.bases.close()
}

// touch notes that an instance is used, and parks those that were not used for
// longest where too many keep their place.
func (s *Service) touch(in *instance) {
	var last *instance
	s.mu.Lock()
	if place := s.places[in]; place != nil {
		s.resting.MoveToFront(place)
	} else {
		s.places[in] = s.resting.PushFront(in)
	}
	if s.resting.Len() > s.config.Warm {
		for place := s.resting.Back(); place != nil; place = place.Prev() {
			x := place.Value.(*instance)
			if x.load.Load() == 0 && x != in {
				last = x
				s.resting.Remove(place)
				delete(s.places, x)
				break
			}
		}
	}
	s.mu.Unlock()
	if last != nil {
		// This may be the turn of another isolate, which must not wait for a
		// processor: all of them may be in such turns.
		last.resident.ParkSoon(func(err error) {
			if err != nil && !errors.Is(err, isolate.ErrStateClosed) {
				s.log.Debug("an isolate could not be parked", "worker", last.worker.def.Name, "err", err)
			}
		})
	}
}

// forget drops an instance that is over.
func (s *Service) forget(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if place := s.places[in]; place != nil {
		s.resting.Remove(place)
		delete(s.places, in)
	}
}

// prepare finds the program that the worker's language needs.
func (w *Worker) prepare() error {
	if w.program != nil {
		return nil
	}
	language := w.language()
	program, layer := w.service.config.Executions.Program(language)
	if program == nil {
		return &execution.OverloadError{RetryAfter: time.Second, Reason: "the image of " + language + " is still being prepared"}
	}
	w.program, w.layer = program, layer
	return nil
}

func (w *Worker) language() string {
	if w.def.Code.Python() {
		return "python"
	}
	return "javascript"
}

func (w *Worker) builtin(name string) bool {
	return w.service.config.Executions.Builtin(w.language(), name)
}

// mapStack shows the places of a stack in the user's own sources.
func (w *Worker) mapStack(stack string) string {
	if len(w.def.Maps) == 0 {
		return stack
	}
	return bundle.MapStack(stack, w.def.Maps)
}

// watched says whether a worker's traces are looked at.
func (s *Service) watched(w *Worker) bool {
	return len(w.def.Tails) > 0 || s.config.Watched != nil && s.config.Watched(w)
}

// traced passes an ended event's trace on.
func (s *Service) traced(w *Worker, t *Trace) {
	t.First = t.Dynamic && !w.traced.Swap(true)
	if s.config.Traced != nil {
		s.config.Traced(w, t)
	}
	if len(w.def.Tails) > 0 {
		go w.tail(t)
	}
}

// internal notes an error of ours, and is what the user is told of it.
func (s *Service) internal(w *Worker, report isolate.Report) error {
	var trap *engine.Trap
	if errors.As(report.Err, &trap) {
		s.log.Warn("a worker ended its interpreter by a trap", "worker", w.def.Name, "err", report.Err)
		return &op.ErrorRecord{Name: "Error", Message: "the Worker broke its interpreter: " + string(trap.Code)}
	}
	id := rand.Text()[:12]
	log := s.log.With("id", id, "worker", w.def.Name)
	var bug *engine.HostPanic
	if errors.As(report.Err, &bug) {
		log = log.With("stack", string(bug.Stack))
	}
	log.Error("internal error of a worker", "err", report.Err)
	return &InternalError{id}
}

// An InternalError is the server's own fault, which its log has by an id.
type InternalError struct{ ID string }

func (e *InternalError) Error() string {
	return fmt.Sprintf("Error: internal error; reference = %s", e.ID)
}

// Unwrap makes it an error of the guest that asked.
func (e *InternalError) Unwrap() error {
	return &op.ErrorRecord{Name: "Error", Message: fmt.Sprintf("internal error; reference = %s", e.ID)}
}
