package python

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// cacheDir is where the guest is prepared for tests: the same place as for the
// program, so that it is prepared once.
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

// prepared is what all tests share: the guest, made ready once.
type prepared struct {
	runtime *isolate.Runtime
	program *isolate.Program
	layer   *vfs.Layer
}

var prepare = sync.OnceValues(func() (*prepared, error) {
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		cache = filepath.Join(dir, "mayfly")
	}
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cache, "code")})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	last := time.Now()
	progress := func(step string, done float64) {
		if os.Getenv("MAYFLY_TEST_PROGRESS") != "" {
			fmt.Fprintf(os.Stderr, "%8.3fs %s %.2f\n", time.Since(last).Seconds(), step, done)
		}
	}
	p := &prepared{}
	if p.program, err = isolate.Prepare(ctx, e, Guest{}, cache, progress); err != nil {
		return nil, err
	}
	if p.layer, err = Layer(ctx, cache, progress); err != nil {
		return nil, err
	}
	p.runtime, err = isolate.New(isolate.Config{})
	return p, err
})

func ready(t testing.TB) *prepared {
	t.Helper()
	p, err := prepare()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A program is what a test runs.
type program struct {
	source string
	stdin  string
	args   []string
	env    []op.Pair
	files  map[string]string
	limits isolate.Limits
	event  op.Event // EventRun if zero
	input  string   // JSON
	onCall func(*isolate.Isolate, op.Op)
}

// A platform is the host of one life: it notes what the guest says.
type platform struct {
	system         *wasi.System
	tree           *vfs.Tree
	stdin          []byte
	stdout, stderr strings.Builder
	kind           byte // of the result
	typ, result    string
	failed         *op.ErrorRecord
	code           int
	displays       [][]byte // messages
	onCall         func(*isolate.Isolate, op.Op)

	timers map[uint32]*time.Timer

	report isolate.Report
}

// run runs a program to its end.
func run(t testing.TB, p program) *platform {
	t.Helper()
	shared := ready(t)
	h := &platform{timers: map[uint32]*time.Timer{}, stdin: []byte(p.stdin), onCall: p.onCall}
	h.tree = vfs.New(vfs.Options{Base: shared.layer})
	for name, content := range p.files {
		if err := h.tree.MountFile(name, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	var iso *isolate.Isolate
	h.system = wasi.New(wasi.Options{
		Tree: h.tree, Stdin: h.stdin, Args: append([]string{"main.py"}, p.args...),
		Write: func(fd int, b []byte) { h.write(fd, b) },
		Exit: func(code uint32) {
			h.code = int(code)
			iso.Unwind(isolate.OK, "exit")
		},
	})
	message := op.RunMessage{Name: "main.py", Source: p.source, Args: p.args, Env: p.env, Dir: h.tree.Cwd(), Input: []byte(p.input)}
	if p.event == 0 {
		p.event = op.EventRun
	}
	if p.limits.Wall == 0 {
		p.limits.Wall = time.Minute
	}
	if p.limits.Memory == 0 {
		p.limits.Memory = 256 << 20
	}
	var err error
	h.report, err = shared.runtime.Run(context.Background(), isolate.Job{
		Started: func(i *isolate.Isolate) { iso = i },
		Program: shared.program, Host: h, Tenant: "test", Limits: p.limits, Event: uint32(p.event), Message: message.Encode(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *platform) write(fd int, b []byte) {
	if fd == 1 {
		h.stdout.Write(b)
	} else {
		h.stderr.Write(b)
	}
}

// WASI implements wasi.Host.
func (h *platform) WASI() *wasi.System { return h.system }

// Call implements isolate.Host.
func (h *platform) Call(iso *isolate.Isolate, number uint32, in, out []byte) ([]byte, bool) {
	if h.onCall != nil {
		h.onCall(iso, op.Op(number))
	}
	r := op.NewReader(in)
	switch op.Op(number) {
	case op.Write:
		h.write(int(r.U8()), r.Bytes())
	case op.Result:
		h.kind, h.typ, h.result = r.U8(), r.Str(), string(r.Bytes())
	case op.Fail:
		r.U8()
		if e, err := op.ReadError(r); err == nil && h.failed == nil {
			h.failed = e
		}
	case op.Exit:
		h.code = int(int32(r.U32()))
		iso.Unwind(isolate.OK, "exit")
	case op.Random:
		b := make([]byte, r.U32())
		rand.Read(b)
		return append(out[:0], b...), true
	case op.Clock:
		w := op.NewWriter(out)
		w.F64(float64(time.Now().UnixMilli()))
		w.F64(float64(iso.Elapsed().Milliseconds()))
		return w.Message(), true
	case op.Stdin:
		return h.stdin, true
	case op.Display:
		h.displays = append(h.displays, append([]byte(nil), in...))
	case op.Cancel:
		id := r.U32()
		iso.Forget(id)
	default:
		answer, err := h.tree.Call(op.Op(number), in, out)
		if err != nil {
			return op.EncodeError(&op.ErrorRecord{Name: "Error", Message: err.Error()}), false
		}
		return answer, true
	}
	return nil, true
}

// Start implements isolate.Host.
func (h *platform) Start(iso *isolate.Isolate, number, id uint32, in []byte) {
	if op.Op(number) == op.Sleep {
		d := time.Duration(op.NewReader(in).F64() * float64(time.Millisecond))
		time.AfterFunc(d, func() { iso.Settle(id, true, nil) })
		return
	}
	iso.Settle(id, false, op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: "unknown operation"}))
}

// Settled implements isolate.Host.
func (h *platform) Settled(uint32) {}

// Flush implements isolate.Host.
func (h *platform) Flush() {}

// Refuse implements isolate.Host.
func (h *platform) Refuse(limit int) []byte {
	return op.EncodeError(&op.ErrorRecord{Name: "Error", Code: "ERR_TOO_MANY_OPERATIONS", Message: "too many"})
}

// ok fails the test unless the program ended well with this output.
func (h *platform) ok(t testing.TB, stdout string) {
	t.Helper()
	if h.report.Outcome != isolate.OK || h.failed != nil {
		t.Fatalf("%s: %v\n%s\nfailed: %+v", h.report.Outcome, h.report.Err, h.stderr.String(), h.failed)
	}
	if got := h.stdout.String(); got != stdout {
		t.Fatalf("printed %q, expected %q\n%s", got, stdout, h.stderr.String())
	}
}

func TestHello(t *testing.T) {
	run(t, program{source: "print('hello', 1 + 1)"}).ok(t, "hello 2\n")
}
