//go:build mayfly_tuned

package worker

import (
	"context"
	"mayfly/host/rpc"
	"mayfly/runtime/isolate"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// pythonTraces gathers what workers say of their events.
type pythonTraces struct {
	mu   sync.Mutex
	list []Trace
}

func (x *pythonTraces) add(_ *Worker, t *Trace) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = append(x.list, *t)
}

// wait waits for so many traces.
func (x *pythonTraces) wait(t *testing.T, n int) []Trace {
	t.Helper()
	for range 1000 {
		x.mu.Lock()
		list := append([]Trace(nil), x.list...)
		x.mu.Unlock()
		if len(list) >= n {
			return list
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %d traces", n)
	return nil
}

func logsOf(t Trace) string {
	var texts []string
	for _, l := range t.Logs {
		texts = append(texts, l.Level+":"+l.Text)
	}
	return strings.Join(texts, "|")
}

// Events of one isolate interleave where they wait, and what they say is theirs.
func TestPythonEvents(t *testing.T) {
	s := newPythonService(t)
	seen := &pythonTraces{}
	s.config.Traced = seen.add
	s.processors = 1
	def := pythonScript(`
from workers import *
from js import console
import asyncio, time, logging
n = 0
waiting = None
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        global n, waiting
        n += 1
        path = request.url.rpartition("/")[2]
        print("begin", path)
        if path == "pair":
            if waiting is None:
                waiting = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_later(10, lambda: None)
                await waiting
            else:
                waiting.set_result(1)
                waiting = None
        elif path == "slow":
            await asyncio.sleep(0.01)
            console.warn("slow", {"a": 1})
        elif path == "after":
            async def after():
                await asyncio.sleep(0.01)
                print("after")
            self.ctx.waitUntil(after())
        elif path == "left":
            async def left():
                try:
                    await asyncio.sleep(60)
                finally:
                    print("left")
            asyncio.create_task(left())
            await asyncio.sleep(0)
        elif path == "fails":
            async def fails():
                raise ValueError("in waitUntil")
            waitUntil(fails())
        elif path == "n":
            return Response(str(n))
        elif path == "loop":
            while True: pass
        print("end", path)
        return Response(path)
    async def scheduled(self, controller, env, ctx):
        print(controller.cron, controller.scheduledTime, env is self.env, ctx is self.ctx)
    async def tail(self, items):
        print(len(items), items[0].scriptName, items[0]["logs"])
`)
	w := s.Worker(def)
	target := w.Entrypoint("", rpc.Value{}, Limits{})
	events := 0
	last := func() Trace {
		events++
		return seen.wait(t, events)[events-1]
	}
	check := func(path, logs string) {
		t.Helper()
		if _, body := get(t, target, "http://x/"+path); body != path {
			t.Errorf("%s answered %q", path, body)
		}
		if got := logsOf(last()); got != logs {
			t.Errorf("%s logged %q, want %q", path, got, logs)
		}
	}
	check("plain", "log:begin plain|log:end plain")
	check("slow", `log:begin slow|warn:slow {'a': 1}|log:end slow`)
	check("after", "log:begin after|log:end after|log:after")
	check("left", "log:begin left|log:end left|log:left")
	get(t, target, "http://x/fails")
	if e := last().Exceptions; len(e) != 1 || e[0].Name != "ValueError" || e[0].Message != "in waitUntil" {
		t.Errorf("waitUntil failed with %+v", e)
	}

	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, body := get(t, target, "http://x/pair"); body != "pair" {
				t.Errorf("a pair is %q", body)
			}
		})
	}
	group.Wait()
	last()
	last()
	if _, n := get(t, target, "http://x/n"); n != "8" {
		t.Errorf("%s events, of one instance", n)
	}
	last()

	if err := target.Scheduled(t.Context(), time.UnixMilli(1700000000000), "* * * * *"); err != nil {
		t.Error(err)
	}
	if got := logsOf(last()); got != "log:* * * * * 1700000000000.0 True True" {
		t.Errorf("scheduled logged %q", got)
	}
	if err := target.Tail(t.Context(), []byte(`[{"scriptName":"a","logs":[]}]`), nil); err != nil {
		t.Error(err)
	}
	if got := logsOf(last()); got != "log:1 a []" {
		t.Errorf("tail logged %q", got)
	}

	// A limit ends the event, and nothing but it.
	limited := w.Entrypoint("", rpc.Value{}, Limits{CPU: 50 * time.Millisecond})
	if _, err := limited.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://x/loop"}); err == nil || err.Error() != "Worker exceeded CPU time limit." {
		t.Errorf("a loop ended with %v", err)
	}
	if got := last().Outcome; got != isolate.ExceededCPU {
		t.Errorf("its outcome is %s", got)
	}
	if _, n := get(t, target, "http://x/n"); n != "10" {
		t.Errorf("%s events: the isolate should have lived on", n)
	}
	last()

	// Nobody waits for an answer any more.
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://x/pair"})
		answered <- err
	}()
	for n, begun := "10", false; !begun; {
		before, _ := strconv.Atoi(n)
		_, n = get(t, target, "http://x/n")
		last()
		begun = n == strconv.Itoa(before+2) // this event and the other
	}
	cancel()
	if err := <-answered; err == nil {
		t.Error("an answer came")
	}
	if got := logsOf(last()); got != "log:begin pair" {
		t.Errorf("an event that was given up logged %q", got)
	}
}

// A worker that damages what serves it harms itself: its events fail, none waits
// for ever.
func TestPythonSabotage(t *testing.T) {
	for _, damage := range []string{
		"import _mayfly.entry as e; e.go.__code__ = (lambda: 1 / 0).__code__",
		"import _mayfly.worker as w; w.dispatch = None",
		"import _mayfly.worker as w; w.HANDLERS.clear()",
		"import _mayfly.host as h; h.call = None",
		`import _host; _host.call(b"\x05\xff\xff\xff\xff"); _host.call(b"\x05"); raise KeyError(1)`,
		`import _host; _host.call(b"\x02" + bytes(8)); _host.call(b"\x03"); raise KeyError(1)`,
	} {
		t.Run(damage, func(t *testing.T) {
			s := newPythonService(t)
			target := entry(s, pythonScript(strings.ReplaceAll("from workers import *\nclass Default(WorkerEntrypoint):\n    async def fetch(self, request):\n        DAMAGE\n        return Response('done')\n", "DAMAGE", damage)))
			failed := false
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				_, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://x/"})
				failed = failed || err != nil
				if ctx.Err() != nil {
					t.Error("nobody answered")
				}
				cancel()
			}
			if !failed {
				t.Error("it did no damage")
			}
		})
	}
}
