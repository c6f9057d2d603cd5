package logs

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"mayfly/host/worker"
	"mayfly/runtime/isolate"
)

func trace(edit func(*worker.Trace)) *worker.Trace {
	t := &worker.Trace{
		Tenant: "a", Script: "shop", Outcome: isolate.OK, Exceptions: []worker.TraceException{},
		Logs: []worker.TraceLog{{Level: "log", Text: "hello", Message: json.RawMessage(`["hello"]`)}},
		Event: &worker.FetchTrace{Request: worker.FetchTraceRequest{Method: "GET", URL: "http://shop/", Headers: map[string]string{
			"authorization": "Bearer x", "cookie": "a=b", "x-api-key": "k", "user-agent": "test/1.0"}}},
	}
	if edit != nil {
		edit(t)
	}
	return t
}

func watch(t *testing.T, h *Hub, name string, f Filter) *Watcher {
	t.Helper()
	w, err := h.Watch("a", name, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestHub(t *testing.T) {
	var h Hub
	if h.Watched("a", "shop") {
		t.Error("nobody watches")
	}
	h.Publish(trace(nil))
	w := watch(t, &h, "shop", Filter{})
	if !h.Watched("a", "shop") || !h.Watched("a", "shop:worker:x") || h.Watched("b", "shop") || h.Watched("a", "shop2") {
		t.Error("who is watched")
	}
	published := trace(nil)
	h.Publish(published)
	h.Publish(trace(func(t *worker.Trace) { t.Script, t.Dynamic = "shop:w1", true }))
	h.Publish(trace(func(t *worker.Trace) { t.Tenant = "b" }))
	<-w.Ready()
	messages, dropped := w.Take()
	if len(messages) != 2 || dropped != 0 {
		t.Fatalf("%d messages, %d lost", len(messages), dropped)
	}
	var got struct {
		ScriptName string
		Logs       []struct{ Message []string }
		Event      struct {
			Request struct{ Headers map[string]string }
		}
	}
	if err := json.Unmarshal(messages[0], &got); err != nil {
		t.Fatal(err)
	}
	if headers := got.Event.Request.Headers; headers["authorization"] != "REDACTED" || headers["cookie"] != "REDACTED" || headers["x-api-key"] != "REDACTED" || headers["user-agent"] != "test/1.0" {
		t.Errorf("headers %v", headers)
	}
	if got.ScriptName != "shop" || got.Logs[0].Message[0] != "hello" {
		t.Errorf("%s", messages[0])
	}
	if published.Event.(*worker.FetchTrace).Request.Headers["cookie"] != "a=b" {
		t.Error("the trace itself was changed")
	}
	w.Close()
	w.Close()
	if h.Watched("a", "shop") || h.any.Load() != 0 {
		t.Error("still watched")
	}
}

func TestSlowWatcher(t *testing.T) {
	var h Hub
	w := watch(t, &h, "shop", Filter{})
	for range maxMessages + 7 {
		h.Publish(trace(nil))
	}
	if messages, dropped := w.Take(); len(messages) != maxMessages || dropped != 7 {
		t.Errorf("%d messages, %d lost", len(messages), dropped)
	}
	large := trace(func(t *worker.Trace) {
		t.Logs[0].Message = json.RawMessage(`["` + strings.Repeat("x", maxBytes/3) + `"]`)
	})
	for range 4 {
		h.Publish(large)
	}
	if messages, dropped := w.Take(); len(messages) != 2 || dropped != 2 {
		t.Errorf("%d large messages, %d lost", len(messages), dropped)
	}
}

func TestTooManyWatchers(t *testing.T) {
	var h Hub
	for range maxWatchers {
		watch(t, &h, "shop", Filter{})
	}
	if _, err := h.Watch("a", "shop", Filter{}); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	watch(t, &h, "other", Filter{})
}

func TestFilter(t *testing.T) {
	failed := func(t *worker.Trace) {
		t.Outcome = isolate.Exception
		t.Exceptions = []worker.TraceException{{Name: "TypeError", Message: "x is no function"}}
	}
	for _, c := range []struct {
		name   string
		filter Filter
		edit   func(*worker.Trace)
		want   bool
	}{
		{"all", Filter{}, nil, true},
		{"ok", Filter{Outcomes: []string{"ok"}}, nil, true},
		{"not ok", Filter{Outcomes: []string{"ok"}}, failed, false},
		{"error", Filter{Outcomes: []string{"error"}}, failed, true},
		{"one of two", Filter{Outcomes: []string{"canceled", "exception"}}, failed, true},
		{"canceled is no error", Filter{Outcomes: []string{"error"}}, func(t *worker.Trace) { t.Outcome = isolate.Canceled }, false},
		{"method", Filter{Methods: []string{"GET"}}, nil, true},
		{"other method", Filter{Methods: []string{"POST"}}, nil, false},
		{"method of a call", Filter{Methods: []string{"GET"}}, func(t *worker.Trace) { t.Event = &worker.CallTrace{Method: "x"} }, false},
		{"header", Filter{Header: "User-Agent"}, nil, true},
		{"header with value", Filter{Header: "user-agent: test"}, nil, true},
		{"header with another value", Filter{Header: "user-agent:curl"}, nil, false},
		{"no header", Filter{Header: "x-none"}, nil, false},
		{"search", Filter{Search: "hell"}, nil, true},
		{"search in errors", Filter{Search: "TypeError: x is"}, failed, true},
		{"search for nothing", Filter{Search: "goodbye"}, failed, false},
		{"dynamic", Filter{Static: true}, func(t *worker.Trace) { t.Dynamic = true }, false},
	} {
		if got := c.filter.matches(trace(c.edit)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	n := 0
	f := Filter{Sampling: 0.5}
	for range 1000 {
		if f.matches(trace(nil)) {
			n++
		}
	}
	if n < 350 || n > 650 {
		t.Errorf("%d of 1000 at a half", n)
	}
}

func TestHubHammer(t *testing.T) {
	var h Hub
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				h.Publish(trace(nil))
			}
		})
		wg.Go(func() {
			for range 200 {
				w, err := h.Watch("a", "shop", Filter{})
				if err != nil {
					t.Error(err)
					return
				}
				h.Watched("a", "shop")
				w.Take()
				w.Close()
			}
		})
	}
	wg.Wait()
	if len(h.watchers) != 0 || h.any.Load() != 0 {
		t.Errorf("left: %v", h.watchers)
	}
}
