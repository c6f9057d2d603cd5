// Package logs passes the traces of workers' events to whoever watches them
// live.
package logs

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"mayfly/host/worker"
	"mayfly/runtime/isolate"
)

// Bounds of watching.
const (
	maxWatchers = 10      // of one worker
	maxMessages = 1000    // that wait for one watcher
	maxBytes    = 4 << 20 // of these together
)

// ErrTooMany says that a worker has as many watchers as it may.
var ErrTooMany = errors.New("the worker's logs are watched by as many as may: 10")

// A Hub has those who watch workers. The zero value is usable; it is safe for
// concurrent use.
type Hub struct {
	any atomic.Int32 // watchers

	mu       sync.RWMutex
	watchers map[key][]*Watcher
}

type key struct{ tenant, worker string }

// keyOf is the deployed worker that a trace belongs to: those of dynamic workers
// are seen where their parent's are.
func keyOf(tenant, script string) key {
	name, _, _ := strings.Cut(script, ":")
	return key{tenant, name}
}

// A Filter selects traces. The zero value selects all.
type Filter struct {
	// Outcomes are outcomes by name, or ok, error (all that are neither ok nor
	// canceled) and canceled; empty: all.
	Outcomes []string
	Methods  []string // of requests, in upper case; empty: all events
	Search   string   // in what was logged and thrown
	Header   string   // "name" or "name:value" of a request's headers
	Sampling float64  // the share that is wanted, above 0 and up to 1; 0: all
	Static   bool     // none of dynamic workers
}

// Watch begins to watch a worker, which need not be there yet.
func (h *Hub) Watch(tenant, name string, filter Filter) (*Watcher, error) {
	w := &Watcher{hub: h, key: key{tenant, name}, filter: filter, ready: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers[w.key]) >= maxWatchers {
		return nil, ErrTooMany
	}
	if h.watchers == nil {
		h.watchers = map[key][]*Watcher{}
	}
	// A new list: Publish reads the old one without the lock.
	h.watchers[w.key] = append(slices.Clip(h.watchers[w.key]), w)
	h.any.Add(1)
	return w, nil
}

// Watched says whether anybody watches a worker, by its name in traces. It costs
// nothing where nobody watches any.
func (h *Hub) Watched(tenant, script string) bool { return len(h.of(tenant, script)) > 0 }

func (h *Hub) of(tenant, script string) []*Watcher {
	if h.any.Load() == 0 {
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.watchers[keyOf(tenant, script)]
}

// Publish gives a trace to those who watch its worker. It does not block: who
// is too slow loses it, and is told how many were lost.
func (h *Hub) Publish(t *worker.Trace) {
	var message []byte
	for _, w := range h.of(t.Tenant, t.Script) {
		if !w.filter.matches(t) {
			continue
		}
		if message == nil {
			var err error
			if message, err = json.Marshal(redacted(t)); err != nil {
				return // messages of guests are JSON already: one that isn't is dropped
			}
		}
		w.add(message)
	}
}

// redacted is the trace without what would let its reader act as the client.
func redacted(t *worker.Trace) *worker.Trace {
	e, ok := t.Event.(*worker.FetchTrace)
	if !ok || len(e.Request.Headers) == 0 {
		return t
	}
	copied, event := *t, *e
	event.Request.Headers = make(map[string]string, len(e.Request.Headers))
	for name, value := range e.Request.Headers {
		if private(name) {
			value = "REDACTED"
		}
		event.Request.Headers[name] = value
	}
	copied.Event = &event
	return &copied
}

// private says whether a header is one that Workers hides in traces.
func private(name string) bool {
	name = strings.ToLower(name)
	if name == "cookie" || name == "set-cookie" {
		return true
	}
	for _, part := range [...]string{"auth", "key", "secret", "token"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func (f *Filter) matches(t *worker.Trace) bool {
	if f.Static && t.Dynamic || f.Sampling > 0 && f.Sampling < 1 && rand.Float64() >= f.Sampling {
		return false
	}
	if len(f.Outcomes) > 0 && !slices.ContainsFunc(f.Outcomes, func(o string) bool {
		if o == "error" {
			return t.Outcome != isolate.OK && t.Outcome != isolate.Canceled
		}
		return o == string(t.Outcome)
	}) {
		return false
	}
	if len(f.Methods) > 0 || f.Header != "" {
		e, ok := t.Event.(*worker.FetchTrace)
		if !ok || len(f.Methods) > 0 && !slices.Contains(f.Methods, e.Request.Method) || f.Header != "" && !hasHeader(e.Request.Headers, f.Header) {
			return false
		}
	}
	if f.Search == "" {
		return true
	}
	for i := range t.Logs {
		if strings.Contains(t.Logs[i].Text, f.Search) || strings.Contains(string(t.Logs[i].Message), f.Search) {
			return true
		}
	}
	for i := range t.Exceptions {
		if strings.Contains(t.Exceptions[i].Name+": "+t.Exceptions[i].Message, f.Search) {
			return true
		}
	}
	return false
}

func hasHeader(headers map[string]string, wanted string) bool {
	name, value, exact := strings.Cut(wanted, ":")
	for n, v := range headers {
		if strings.EqualFold(n, strings.TrimSpace(name)) {
			return !exact || strings.Contains(v, strings.TrimSpace(value))
		}
	}
	return false
}

// A Watcher gets the traces of one worker. It must be closed.
type Watcher struct {
	hub    *Hub
	key    key
	filter Filter
	ready  chan struct{} // holds one if there is something

	mu       sync.Mutex
	messages [][]byte
	bytes    int
	dropped  int64
}

func (w *Watcher) add(message []byte) {
	w.mu.Lock()
	if len(w.messages) >= maxMessages || w.bytes+len(message) > maxBytes {
		w.dropped++
	} else {
		w.messages = append(w.messages, message)
		w.bytes += len(message)
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Ready has something when Take has.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Take takes what has come: traces as JSON, the earliest first, and how many were
// lost after these because too many waited.
func (w *Watcher) Take() (messages [][]byte, dropped int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	messages, dropped = w.messages, w.dropped
	w.messages, w.bytes, w.dropped = nil, 0, 0
	return messages, dropped
}

// Close ends the watching.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	list := w.hub.watchers[w.key]
	i := slices.Index(list, w)
	if i < 0 {
		return
	}
	w.hub.any.Add(-1)
	if len(list) == 1 {
		delete(w.hub.watchers, w.key)
		return
	}
	w.hub.watchers[w.key] = slices.Delete(slices.Clone(list), i, i+1)
}
