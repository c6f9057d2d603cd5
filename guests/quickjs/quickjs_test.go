package quickjs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// cacheDir is where the guest is built for tests: the same place as for the
// program, so that it is built once.
func cacheDir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MAYFLY_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "mayfly")
}

// A plainMemory is linear memory on Go's heap.
type plainMemory []byte

func (m plainMemory) Bytes() []byte  { return m }
func (m plainMemory) Windowed() bool { return false }

// An image is a booted guest: what each life of the tests starts from.
type image struct {
	module  engine.Module
	memory  []byte
	globals map[string]uint64
}

var (
	bootOnce  sync.Once
	bootImage *image
	bootErr   error
)

func bootedImage(t testing.TB) *image {
	t.Helper()
	bootOnce.Do(func() { bootImage, bootErr = makeImage(cacheDir(t)) })
	if bootErr != nil {
		t.Fatal(bootErr)
	}
	return bootImage
}

func makeImage(cache string) (*image, error) {
	ctx := context.Background()
	progress := func(step string, done float64) {}
	built, err := Guest{}.Wasm(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		return nil, err
	}
	module, err := e.Compile(ctx, built, engine.CompileOptions{Imports: Guest{}.Imports()})
	if err != nil {
		return nil, err
	}
	memory := make(plainMemory, memoryPages<<16)
	in, err := module.Instantiate(ctx, memory)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	m, err := newMachine(in)
	if err != nil {
		return nil, err
	}
	if err := (Guest{}).Boot(ctx, m, cache, progress); err != nil {
		return nil, err
	}
	top, err := m.HeapTop()
	if err != nil {
		return nil, err
	}
	stack, err := in.Global("__stack_pointer")
	if err != nil {
		return nil, err
	}
	return &image{
		module:  module,
		memory:  append([]byte(nil), memory[:top]...),
		globals: map[string]uint64{"__stack_pointer": stack.Get()},
	}, nil
}

// A clone is an instance that is put back to the image before each life.
type clone struct {
	image   *image
	in      engine.Instance
	memory  plainMemory
	machine *machine
}

var clones = sync.Pool{}

// newClone is a clean clone, put back when the test ends.
func newClone(t testing.TB) *clone {
	t.Helper()
	img := bootedImage(t)
	c, _ := clones.Get().(*clone)
	if c == nil {
		c = img.clone(t)
	} else if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clones.Put(c) })
	return c
}

// clone is a new clone of the image.
func (img *image) clone(t testing.TB) *clone {
	t.Helper()
	c := &clone{image: img, memory: make(plainMemory, memoryPages<<16)}
	in, err := img.module.Instantiate(context.Background(), c.memory)
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	copy(c.memory, img.memory)
	for name, bits := range img.globals {
		g, err := in.Global(name)
		if err != nil {
			t.Fatal(err)
		}
		g.Set(bits)
	}
	if c.machine, err = newMachine(in); err != nil {
		t.Fatal(err)
	}
	return c
}

// reset puts memory and globals back as they are in the image.
func (c *clone) reset() error {
	end, err := c.machine.HeapTop()
	if err != nil {
		return err
	}
	n := copy(c.memory, c.image.memory)
	clear(c.memory[n:min(int(end)+1<<20, len(c.memory))])
	for name, bits := range c.image.globals {
		g, err := c.in.Global(name)
		if err != nil {
			return err
		}
		g.Set(bits)
	}
	return nil
}

// A host is a Port that remembers what the guest did.
type host struct {
	isolate.BootPort
	t        testing.TB
	files    map[string]string // modules by name
	stdout   strings.Builder
	stderr   strings.Builder
	results  []result
	failures []failure
	pending  []started
	canceled []uint32
	yields   int
	yield    func(n int)
	now      float64
	exit     *uint32
	cell     bool // exit comes back
}

type result struct {
	kind  uint8
	typ   string
	value string
}

type failure struct {
	origin uint8
	*op.ErrorRecord
}

type started struct {
	op op.Op
	id uint32
	in []byte
}

func (h *host) Yield() {
	h.yields++
	if h.yield != nil {
		h.yield(h.yields)
	}
}

var errExit = errors.New("exit")

func (h *host) Call(number uint32, in, out []byte) ([]byte, bool) {
	r := op.NewReader(in)
	fail := func(name, code, message string) ([]byte, bool) {
		return op.EncodeError(&op.ErrorRecord{Name: name, Code: code, Message: message}), false
	}
	switch op.Op(number) {
	case op.Write:
		if fd := r.U8(); fd == 1 {
			h.stdout.Write(r.Bytes())
		} else {
			h.stderr.Write(r.Bytes())
		}
	case op.Result:
		h.results = append(h.results, result{r.U8(), r.Str(), string(r.Bytes())})
	case op.Fail:
		origin := r.U8()
		record, err := op.ReadError(r)
		if err != nil {
			h.t.Errorf("fail: %v", err)
			return nil, true
		}
		h.failures = append(h.failures, failure{origin, record})
	case op.Exit:
		code := r.U32()
		h.exit = &code
		if !h.cell {
			panic(engine.Stop{Cause: errExit})
		}
	case op.Resolve:
		referrer, specifier := r.Str(), r.Str()
		_ = referrer
		name := strings.TrimPrefix(specifier, "./")
		if _, ok := h.files[name]; !ok && !strings.HasPrefix(name, "node:") && !strings.HasPrefix(name, "mayfly:") {
			return fail("Error", "ERR_MODULE_NOT_FOUND", "Cannot find module '"+specifier+"'")
		}
		w := op.NewWriter(out)
		w.Str(name)
		return w.Message(), true
	case op.Load:
		name, kind := r.Str(), r.Str()
		w := op.NewWriter(out)
		letter := map[string]byte{"": 'm', "json": 'j', "text": 't', "bytes": 'd'}[kind]
		if kind == "" && strings.HasSuffix(name, ".data") {
			letter = 'b'
		}
		w.U8(letter)
		w.Str(h.files[name])
		return w.Message(), true
	case op.Random:
		return append(out[:0], make([]byte, r.U32())...), true
	case op.Clock:
		w := op.NewWriter(out)
		w.F64(1.7e12 + h.now)
		w.F64(h.now)
		return w.Message(), true
	case op.Cancel:
		id := r.U32()
		h.canceled = append(h.canceled, id)
		for i, s := range h.pending {
			if s.id == id {
				h.pending = append(h.pending[:i], h.pending[i+1:]...)
				break
			}
		}
	case op.Bindings:
		return append(out[:0], 0, 0, 0, 0), true // there are none
	case op.CryptoHash:
		return append(out[:0], strings.Repeat("d", 200_000)...), true // longer than the mailbox
	default:
		return fail("Error", "ENOSYS", fmt.Sprintf("%v is not implemented here", op.Op(number)))
	}
	if err := r.Done(); err != nil && op.Op(number) != op.Clock {
		h.t.Errorf("%v: %v", op.Op(number), err)
	}
	return out[:0], true
}

func (h *host) Start(number, id uint32, in []byte) {
	h.pending = append(h.pending, started{op.Op(number), id, append([]byte(nil), in...)})
}

// A life is one run of a program in a clone.
type life struct {
	*host
	t      testing.TB
	clone  *clone
	status isolate.Status
	err    error
}

type program struct {
	source string
	kind   op.RunKind
	name   string
	input  string
	eval   bool
	files  map[string]string
	memory uint32
	yield  func(n int)
}

// start runs a program until it first waits.
func start(t testing.TB, p program) *life {
	t.Helper()
	return begin(t, newClone(t), op.EventRun, p)
}

// begin delivers the event run or prepare to a clean clone.
func begin(t testing.TB, c *clone, event op.Event, p program) *life {
	t.Helper()
	l := &life{host: &host{t: t, files: p.files, yield: p.yield, cell: event == op.EventCell}, t: t, clone: c}
	c.in.SetData(isolate.Port(l.host))
	if p.memory == 0 {
		p.memory = 128 << 20
	}
	if err := c.machine.Begin(isolate.Life{Seed: 42, MemoryBytes: p.memory}); err != nil {
		t.Fatal(err)
	}
	name := p.name
	if name == "" {
		name = "main.js"
	}
	message := (&op.RunMessage{Kind: p.kind, Name: name, Source: p.source, Input: []byte(p.input), AllowEval: p.eval,
		Args: []string{"one", "two"}, Env: []op.Pair{{Name: "KEY", Value: "value"}}, Dir: "/home"}).Encode()
	l.status, l.err = c.machine.Event(uint32(event), message)
	return l
}

// settleAll settles what the guest starts, oldest first, until it is done.
// Sleeps pass at once.
func (l *life) settleAll() {
	l.t.Helper()
	for n := 0; l.err == nil && l.status == isolate.Pending; n++ {
		if len(l.pending) == 0 {
			l.t.Fatal("the guest waits for nothing")
		}
		if n > 10000 {
			l.t.Fatal("the program does not end")
		}
		// The shortest sleep first, as a host would.
		best := 0
		for i, s := range l.pending {
			if s.op == op.Sleep && l.pending[best].op == op.Sleep && sleepOf(s) < sleepOf(l.pending[best]) {
				best = i
			}
		}
		s := l.pending[best]
		l.pending = append(l.pending[:best], l.pending[best+1:]...)
		if s.op == op.Sleep {
			for i := range l.pending {
				if l.pending[i].op == op.Sleep {
					w := op.NewWriter(nil)
					w.F64(sleepOf(l.pending[i]) - sleepOf(s))
					l.pending[i].in = w.Message()
				}
			}
		}
		l.settle(s.id, true, nil)
	}
}

func sleepOf(s started) float64 { return op.NewReader(s.in).F64() }

func (l *life) settle(id uint32, ok bool, message []byte) {
	l.status, l.err = l.clone.machine.Settle(id, ok, message)
}

// run runs a program to its end.
func run(t testing.TB, p program) *life {
	t.Helper()
	l := start(t, p)
	l.settleAll()
	return l
}

// want fails the test unless the program ended with this result and no error.
func (l *life) want(kind uint8, typ, value string) {
	l.t.Helper()
	if l.err != nil {
		l.t.Fatalf("error: %v", l.err)
	}
	for _, f := range l.failures {
		l.t.Fatalf("failed (%d): %v\n%s", f.origin, f.ErrorRecord, f.Stack)
	}
	if len(l.results) != 1 {
		l.t.Fatalf("%d results", len(l.results))
	}
	if got := l.results[0]; got != (result{kind, typ, value}) {
		l.t.Fatalf("result %+v, want %+v", got, result{kind, typ, value})
	}
}

// wantFailure fails the test unless the program ended with an error.
func (l *life) wantFailure(origin uint8, name, message string) failure {
	l.t.Helper()
	if l.err != nil {
		l.t.Fatalf("error: %v", l.err)
	}
	if len(l.failures) == 0 {
		l.t.Fatalf("no failure; results %+v", l.results)
	}
	f := l.failures[0]
	if f.origin != origin || f.Name != name || f.Message != message {
		l.t.Fatalf("failed (%d) %q: %q, want (%d) %q: %q\n%s", f.origin, f.Name, f.Message, origin, name, message, f.Stack)
	}
	return f
}
