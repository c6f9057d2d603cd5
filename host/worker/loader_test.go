package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"mayfly/host/op"
	"mayfly/host/rpc"
)

func parentWorker(name string) *Worker {
	return &Worker{service: &Service{}, def: Definition{Name: name, Tenant: "t-" + name}}
}

func TestLoaderKnowsWorkersByID(t *testing.T) {
	l := parentWorker("parent").loader("LOADER")
	d, fresh, err := l.find("a")
	if err != nil || !fresh {
		t.Fatalf("the first: fresh %v, %v", fresh, err)
	}
	again, fresh, _ := l.find("a")
	if again != d || fresh {
		t.Error("the second asks for the code although the first does")
	}
	if other, fresh, _ := l.find("b"); other == d || !fresh {
		t.Error("two ids lead to one worker")
	}
	if x, y := l.anonymous(), l.anonymous(); x == y || x == d {
		t.Error("a worker without an id was seen before")
	}
}

// The same id of another parent, tenant or loader is another worker.
func TestLoadersDoNotShare(t *testing.T) {
	parent := parentWorker("parent")
	d, _, _ := parent.loader("LOADER").find("a")
	d.settle(valid(), nil, nil, nil)
	for name, l := range map[string]*loader{
		"another parent": parentWorker("parent").loader("LOADER"), "another loader": parent.loader("OTHER"), "a child with the parent's loader": d.make().loader("LOADER"),
	} {
		if x, fresh, _ := l.find("a"); x == d || !fresh {
			t.Errorf("%s meets the worker", name)
		}
	}
}

func TestWorkerIsMadeWhenAsked(t *testing.T) {
	parent := parentWorker("parent")
	parent.limits = Limits{CPU: time.Second, Subrequests: 5}
	parent.def.Depth = 2
	d, _, _ := parent.loader("LOADER").find("a")
	ready := make(chan *Worker)
	for range 3 {
		go func() {
			w, err := d.ready(context.Background())
			if err != nil {
				t.Error(err)
			}
			ready <- w
		}()
	}
	if !d.settle(valid(), nil, &dynamicPolicy{blocked: true, limits: Limits{CPU: 2 * time.Second, MemoryBytes: 1, Subrequests: -1}}, nil) {
		t.Fatal("the code was there before")
	}
	if d.settle(valid(), nil, nil, nil) {
		t.Error("the code was given twice")
	}
	w := <-ready
	for range 2 {
		if w != <-ready {
			t.Error("there are two workers")
		}
	}
	if w.def.Name != "parent:a" || w.def.Parent != "parent" || w.def.ID != "a" || w.def.Tenant != "t-parent" || w.def.Depth != 3 || !w.def.Blocked || w.def.Env == nil {
		t.Errorf("%+v", w.def)
	}
	if got, want := w.def.Limits, (Limits{CPU: time.Second, MemoryBytes: 1, Subrequests: -1}); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
}

func TestFailedCodeIsAskedForAgain(t *testing.T) {
	l := parentWorker("parent").loader("LOADER")
	d, _, _ := l.find("a")
	failed := make(chan error)
	go func() {
		_, err := d.ready(context.Background())
		failed <- err
	}()
	mine := &op.ErrorRecord{Name: "RangeError", Message: "mine"}
	d.settle(nil, nil, nil, mine)
	if err := <-failed; err != mine {
		t.Errorf("who waited is told %v", err)
	}
	if _, err := d.ready(context.Background()); err != mine {
		t.Errorf("who comes late is told %v", err)
	}
	again, fresh, _ := l.find("a")
	if again == d || !fresh {
		t.Error("the failure is remembered")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := again.ready(ctx); err != gone {
		t.Errorf("who goes away is told %v", err)
	}
}

// A target that counts its holds.
type counted struct {
	mu    sync.Mutex
	holds int
}

func (c *counted) Retain()  { c.add(1) }
func (c *counted) Release() { c.add(-1) }
func (c *counted) add(n int) {
	c.mu.Lock()
	c.holds += n
	c.mu.Unlock()
}
func (*counted) Fetch(context.Context, *rpc.Request) (*rpc.Response, error) { return nil, nil }
func (*counted) Call(context.Context, *rpc.Call) (rpc.Value, error)         { return rpc.Value{}, nil }

func TestAnonymousWorkerEndsWithItsLastHold(t *testing.T) {
	l := parentWorker("parent").loader("LOADER")
	env, outbound, props := &counted{holds: 1}, &counted{holds: 1}, &counted{holds: 1}
	for _, asked := range []bool{false, true} {
		d := l.anonymous()
		env.holds, outbound.holds, props.holds = 1, 1, 1
		d.settle(valid(), &rpc.Value{Caps: []rpc.Capability{{Target: env}}}, &dynamicPolicy{outbound: outbound}, nil)
		stub := d.entrypoint("", rpc.Value{Caps: []rpc.Capability{{Target: props}}}, Limits{})
		stub.Retain()
		if asked {
			if _, err := stub.ready(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		d.release()
		stub.Release()
		if d.gone || env.holds != 1 {
			t.Fatal("the worker ended while a stub of it is held")
		}
		stub.Release()
		if !d.gone || env.holds != 0 || outbound.holds != 0 || props.holds != 0 {
			t.Errorf("asked %v: gone %v, holds of env %d, outbound %d, props %d", asked, d.gone, env.holds, outbound.holds, props.holds)
		}
		if _, err := d.ready(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("the worker still answers: %v", err)
		}
	}
}

func TestInheritedOutboundIsHeld(t *testing.T) {
	parent := parentWorker("parent")
	outbound := &counted{holds: 1}
	parent.def.Outbound = outbound
	d := parent.loader("LOADER").anonymous()
	d.settle(valid(), nil, nil, nil)
	w, _ := d.ready(context.Background())
	if w.def.Outbound != rpc.Target(outbound) || outbound.holds != 2 {
		t.Errorf("outbound %v with %d holds", w.def.Outbound, outbound.holds)
	}
	d.release()
	if outbound.holds != 1 {
		t.Errorf("%d holds are left", outbound.holds)
	}
}

// A loader forgets those that were used longest ago, but none that is in use.
func TestLoaderForgets(t *testing.T) {
	l := parentWorker("parent").loader("LOADER")
	held, _, _ := l.find("held")
	for i := range maxLoaded {
		d, fresh, err := l.find(strconv.Itoa(i))
		if err != nil || !fresh {
			t.Fatalf("%d: %v, %v", i, fresh, err)
		}
		d.settle(valid(), nil, nil, nil)
		d.release()
		if i == 10 { // 0 is used again
			first, fresh, _ := l.find("0")
			if fresh {
				t.Fatal("0 was forgotten")
			}
			first.release()
		}
	}
	if len(l.byID) != maxLoaded {
		t.Errorf("%d are remembered", len(l.byID))
	}
	for id, remembered := range map[string]bool{"held": true, "0": true, "2": true, "1": false, strconv.Itoa(maxLoaded - 1): true} {
		if _, known := l.byID[id]; known != remembered {
			t.Errorf("%s: remembered %v", id, known)
		}
	}
	if held.gone {
		t.Error("one in use was ended")
	}
	for i := range maxLoaded + 1 {
		if _, _, err := l.find(strconv.Itoa(i)); err != nil {
			if want := "Error: Too many dynamic Workers are in use: 100000."; err.Error() != want || i < maxLoaded-1 {
				t.Errorf("at %d: %v", i, err)
			}
			return
		}
	}
	t.Error("any number may be in use")
}

// A worker that nobody asks anything is small, and its code is shared.
func TestRegisteredWorkersAreSmall(t *testing.T) {
	parent := parentWorker("parent")
	l := parent.loader("LOADER")
	const n = 50_000
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range n {
		d, _, err := l.find("worker-" + strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		code := valid()
		code.Modules["data"] = Module{Data, make([]byte, 1000)}
		d.settle(parent.service.codes.intern(code), nil, nil, nil)
		d.release()
	}
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	if each > 400 {
		t.Errorf("%d bytes each", each)
	}
	if len(parent.service.codes.known) != 1 {
		t.Errorf("%d codes", len(parent.service.codes.known))
	}
	runtime.KeepAlive(l)
}

func TestCodesAreForgotten(t *testing.T) {
	var s codes
	a := s.intern(valid())
	if b := s.intern(valid()); a != b {
		t.Error("the same code is kept twice")
	}
	other := valid()
	other.CompatibilityFlags = []string{"nodejs_compat"}
	if s.intern(other) == a {
		t.Error("other flags are the same code")
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(other)
	a, other = nil, nil
	for range 100 {
		runtime.GC()
		s.mu.Lock()
		n := len(s.known)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("code that nobody has is still known")
}

func TestLoaderHammer(t *testing.T) {
	parent := parentWorker("parent")
	l := parent.loader("LOADER")
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 2000 {
				id := strconv.Itoa(r.IntN(20))
				d, fresh, err := l.find(id)
				if err != nil {
					t.Error(err)
					return
				}
				if r.IntN(4) == 0 {
					if fresh {
						d.settle(nil, nil, nil, errors.New(id))
					}
					d.release()
					d = l.anonymous()
					fresh = true
				}
				stub := d.entrypoint("", rpc.Value{}, Limits{})
				if fresh {
					var err error
					if r.IntN(3) == 0 {
						err = errors.New(id)
					}
					go d.settle(parent.service.codes.intern(valid()), &rpc.Value{}, nil, err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				if e, err := stub.ready(ctx); err == nil && d.id != "" && e.worker.def.ID != d.id || err != nil && d.id != "" && err.Error() != d.id {
					t.Errorf("%s: %v, %v", d.id, e, err)
				}
				cancel()
				if r.IntN(50) == 0 {
					l.mu.Lock()
					_ = l.drop()
					l.mu.Unlock()
				}
				stub.Release()
				d.release()
			}
		}()
	}
	wait.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for d := l.recent.next; d != &l.recent; d = d.next {
		n++
		if d.holds != 0 || l.byID[d.id] != d {
			t.Errorf("%s has %d holds", d.id, d.holds)
		}
	}
	if n != len(l.byID) {
		t.Error(fmt.Sprint(n, " are in the ring, ", len(l.byID), " have an id"))
	}
}

// TestForgottenStubs makes more stubs in one turn than an event may hold: each is
// given up with its last use, and needs no turn of its own for that.
func TestForgottenStubs(t *testing.T) {
	def := script(`
const code = () => ({compatibilityDate: "2026-01-01", mainModule: "m.js", modules: {"m.js": "export default {fetch() { return new Response('found') }}"}});
export default {async fetch(request, env) {
	let last;
	for (let i = 0; i < 12_000; i++) last = env.LOADER.get("one", code).getEntrypoint();
	return last.fetch(request);
}}`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	if _, body := get(t, entry(newService(t, nil), def), "http://a.test/"); body != "found" {
		t.Errorf("got %q", body)
	}
}

// TestParkingFromTurns has turns on all processors find that an isolate is to be
// parked, which takes a processor.
func TestParkingFromTurns(t *testing.T) {
	s := newService(t, func(c *Config) { c.Warm = 2 })
	def := script(`
const code = () => ({compatibilityDate: "2026-01-01", mainModule: "m.js", modules: {"m.js": "export default {fetch() { return new Response('found') }}"}});
export default {fetch(request, env) {
	return env.LOADER.get(new URL(request.url).pathname, code).getEntrypoint().fetch(request);
}}`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	target := entry(s, def)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 100 {
				response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: fmt.Sprintf("http://a.test/%d", (i*31+n*17)%40)})
				if err != nil || string(response.Body.Bytes) != "found" {
					t.Errorf("%+v, %v", response, err)
					return
				}
			}
		})
	}
	group.Wait()
}
