package binding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mayfly/host/op"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Methods of the binding of these tests.
const (
	methodEcho  = 1 // answers its arguments, and its body as the body
	methodWait  = 2 // until its context ends
	methodPanic = 3
	methodFail  = 4
	methodGive  = 5 // a body of as many bytes as the arguments are long, times 100,000
)

type echo struct{}

func (echo) Do(ctx context.Context, c *Call) (Reply, error) {
	switch c.Method {
	case methodEcho:
		reply := Reply{Answer: bytes.Clone(c.Arguments)}
		if c.Body != nil {
			b, err := io.ReadAll(c.Body)
			if err != nil {
				return reply, err
			}
			reply.Body, reply.Size = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		}
		return reply, nil
	case methodWait:
		<-ctx.Done()
		return Reply{}, ctx.Err()
	case methodPanic:
		panic("on purpose")
	case methodGive:
		return Reply{Body: io.NopCloser(strings.NewReader(strings.Repeat("g", 100_000*len(c.Arguments)))), Size: -1}, nil
	}
	return Reply{}, errors.New("canary")
}

// A settlement is how an operation ended.
type settlement struct {
	ok      bool
	message []byte
}

func (s settlement) errorText(t testing.TB) string {
	t.Helper()
	if s.ok {
		t.Fatalf("it went well: %q", s.message)
	}
	e, err := op.ReadError(op.NewReader(s.message))
	if err != nil {
		t.Fatal(err)
	}
	return e.Message
}

// A guest is what a session of these tests has for one.
type guest struct {
	t testing.TB
	*Session
	mu      sync.Mutex
	last    uint32
	waiting map[uint32]chan settlement
}

func newGuest(t testing.TB, limits Limits) *guest {
	g := &guest{t: t, waiting: map[uint32]chan settlement{}}
	g.Session = NewSession(Options{
		Bindings: []Entry{{Name: "E", Kind: "echo", Limits: limits, Open: func(context.Context) (Binding, error) { return echo{}, nil }}, {Name: "V", Kind: KindVar, Value: []byte("1")}},
		Settle: func(id uint32, ok bool, message []byte) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.waiting[id] <- settlement{ok, message} // panics if it settles twice
			delete(g.waiting, id)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(g.Close)
	return g
}

func (g *guest) begin(o op.Op, message []byte) (uint32, chan settlement) {
	g.mu.Lock()
	g.last++
	id, c := g.last, make(chan settlement, 1)
	g.waiting[id] = c
	g.mu.Unlock()
	g.Start(o, id, message)
	return id, c
}

func (g *guest) wait(c chan settlement) settlement {
	g.t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(20 * time.Second):
		g.t.Fatal("the operation does not settle")
		return settlement{}
	}
}

func (g *guest) do(o op.Op, message []byte) settlement {
	g.t.Helper()
	_, c := g.begin(o, message)
	return g.wait(c)
}

func message(handle uint32, method uint8, arguments string, kind uint8, body string) []byte {
	w := op.NewWriter(nil)
	w.U32(handle)
	w.U8(method)
	w.Str(arguments)
	w.U8(kind)
	w.Str(body)
	return w.Message()
}

func handleMessage(handle uint32) []byte {
	w := op.NewWriter(nil)
	w.U32(handle)
	return w.Message()
}

func writeMessage(id uint32, end uint8, data []byte) []byte {
	w := op.NewWriter(nil)
	w.U32(id)
	w.U8(end)
	w.Bytes(data)
	return w.Message()
}

// answer takes an answer apart, and reads its body to the end.
func (g *guest) answer(s settlement) (answer string, body []byte) {
	g.t.Helper()
	if !s.ok {
		g.t.Fatal(s.errorText(g.t))
	}
	r := op.NewReader(s.message)
	answer = r.Str()
	kind := r.U8()
	body = bytes.Clone(r.Bytes())
	handle := r.U32()
	if err := r.Done(); err != nil {
		g.t.Fatal(err)
	}
	for kind == bodyStream {
		if !OwnsBody(handle) {
			g.t.Fatalf("the handle %#x has not the bit of bindings", handle)
		}
		s := g.do(op.BodyRead, handleMessage(handle))
		if !s.ok {
			g.t.Fatal(s.errorText(g.t))
		}
		r := op.NewReader(s.message)
		end := r.U8()
		body = append(body, r.Bytes()...)
		if end == 1 {
			break
		}
	}
	return answer, body
}

func TestBodies(t *testing.T) {
	g := newGuest(t, Limits{})
	for _, size := range []int{0, 1, inlineSize - 1, inlineSize, inlineSize + 1, chunkSize, chunkSize + 1, 3 * chunkSize, 1 << 20} {
		want := strings.Repeat("b", size)
		if answer, body := g.answer(g.do(op.Binding, message(1, methodEcho, "args", bodyBytes, want))); answer != "args" || string(body) != want {
			t.Errorf("%d bytes: %q and %d bytes", size, answer, len(body))
		}
		id, c := g.begin(op.Binding, message(1, methodEcho, "", bodyStream, ""))
		if !g.OwnsUpload(id) {
			t.Error("the upload is not the session's")
		}
		for at := 0; at < size; at += 100_000 {
			if s := g.do(op.BodyWrite, writeMessage(id, 0, []byte(want[at:min(size, at+100_000)]))); !s.ok {
				t.Fatal(s.errorText(t))
			}
		}
		if s := g.do(op.BodyWrite, writeMessage(id, writeLast, nil)); !s.ok {
			t.Fatal(s.errorText(t))
		}
		if _, body := g.answer(g.wait(c)); string(body) != want {
			t.Errorf("%d bytes come back as %d", size, len(body))
		}
	}
	if u := g.Usage(); u.Operations != 18 || u.ReadBytes != u.WriteBytes || u.WriteBytes == 0 {
		t.Errorf("usage is %+v", u)
	}
}

// An upload that the guest breaks off fails its operation.
func TestBrokenUpload(t *testing.T) {
	g := newGuest(t, Limits{})
	id, c := g.begin(op.Binding, message(1, methodEcho, "", bodyStream, ""))
	g.do(op.BodyWrite, writeMessage(id, 0, []byte("part")))
	g.do(op.BodyWrite, writeMessage(id, writeAbort, nil))
	if text := g.wait(c).errorText(t); text != "The operation was aborted" {
		t.Error(text)
	}
	if text := g.do(op.BodyWrite, writeMessage(id, 0, []byte("more"))).errorText(t); text != "the body is no longer wanted" {
		t.Error(text)
	}
}

// Whatever is forged is an error for who forged it.
func TestForged(t *testing.T) {
	g := newGuest(t, Limits{})
	for name, m := range map[string][]byte{
		"handle 0": message(0, 1, "", 0, ""), "unknown handle": message(3, 1, "", 0, ""), "large handle": message(1<<31, 1, "", 0, ""), "a var": message(2, 1, "", 0, ""),
		"kind": message(1, 1, "", 3, ""), "body without its kind": message(1, 1, "", 0, "x"), "cut": message(1, 1, "", 0, "")[:7], "longer": append(message(1, 1, "", 0, ""), 0),
		"empty": nil, "lying length": {1, 0, 0, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0, 0}, "too large": message(1, 1, strings.Repeat("x", MaxMessage), 0, ""),
	} {
		if s := g.do(op.Binding, m); s.ok {
			t.Errorf("%s: %q", name, s.message)
		}
	}
	for _, m := range [][]byte{handleMessage(0), handleMessage(1), handleMessage(1 << 31), handleMessage(1<<31 | 1), nil} {
		if s := g.do(op.BodyRead, m); s.ok {
			t.Errorf("body_read of %v: %q", m, s.message)
		}
		if s := g.do(op.BodyWrite, m); s.ok {
			t.Errorf("body_write of %v: %q", m, s.message)
		}
	}
	g.CancelBody(7)
	g.Cancel(1 << 30)
	if err := g.Spend(3); err == nil {
		t.Error("a binding that is not there was used")
	}
	// The handle of one session's body means nothing in another.
	r := op.NewReader(g.do(op.Binding, message(1, methodGive, "ab", 0, "")).message)
	r.Bytes()
	r.U8()
	r.Bytes()
	if s := newGuest(t, Limits{}).do(op.BodyRead, handleMessage(r.U32())); s.ok {
		t.Error("another session reads the body")
	}
}

func TestContained(t *testing.T) {
	g := newGuest(t, Limits{})
	for _, method := range []uint8{methodPanic, methodFail} {
		text := g.do(op.Binding, message(1, method, "", 0, "")).errorText(t)
		if !strings.HasPrefix(text, "E: internal error; reference = ") || strings.Contains(text, "canary") {
			t.Error(text)
		}
	}
	if answer, _ := g.answer(g.do(op.Binding, message(1, methodEcho, "still here", 0, ""))); answer != "still here" {
		t.Error(answer)
	}
}

func TestLimits(t *testing.T) {
	g := newGuest(t, Limits{Operations: 4, ReadBytes: 150_000, WriteBytes: 10})
	limit := func(s settlement) {
		t.Helper()
		e, err := op.ReadError(op.NewReader(s.message))
		if s.ok || err != nil || e.Code != CodeLimit {
			t.Errorf("%v %q", s.ok, s.message)
		}
	}
	g.answer(g.do(op.Binding, message(1, methodEcho, "", bodyBytes, "1234567890")))
	limit(g.do(op.Binding, message(1, methodEcho, "", bodyBytes, "1")))
	r := op.NewReader(g.do(op.Binding, message(1, methodGive, "aa", 0, "")).message)
	r.Bytes()
	r.U8()
	r.Bytes()
	handle := r.U32()
	for range 2 { // the first part is within the limit
		if s := g.do(op.BodyRead, handleMessage(handle)); !s.ok {
			limit(s)
		}
	}
	id, c := g.begin(op.Binding, message(1, methodEcho, "", bodyStream, ""))
	limit(g.do(op.BodyWrite, writeMessage(id, 0, []byte("x"))))
	limit(g.wait(c))
	limit(g.do(op.Binding, message(1, methodEcho, "", 0, "")))
	if u := g.Usage(); u.Operations != 4 || u.WriteBytes != 10 || u.ReadBytes > 150_000 {
		t.Errorf("usage is %+v", u)
	}
}

// More bodies than there may be open are refused, until one is given up.
func TestOpenBodies(t *testing.T) {
	g := newGuest(t, Limits{})
	var handles []uint32
	for range maxBodies {
		r := op.NewReader(g.do(op.Binding, message(1, methodGive, "a", 0, "")).message)
		r.Bytes()
		r.U8()
		r.Bytes()
		handles = append(handles, r.U32())
	}
	if s := g.do(op.Binding, message(1, methodGive, "a", 0, "")); s.ok {
		t.Error("one more body was opened")
	}
	g.CancelBody(handles[0])
	if s := g.do(op.Binding, message(1, methodGive, "a", 0, "")); !s.ok {
		t.Error(s.errorText(t))
	}
}

// hammer uses one session from many goroutines, with cancelations and a close in
// the middle: nothing settles twice, and nothing after the close.
func TestHammer(t *testing.T) {
	g := newGuest(t, Limits{})
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 50 {
				switch i % 4 {
				case 0:
					id, _ := g.begin(op.Binding, message(1, methodWait, "", 0, ""))
					g.Cancel(id)
				case 1:
					id, _ := g.begin(op.Binding, message(1, methodEcho, "", bodyStream, ""))
					g.begin(op.BodyWrite, writeMessage(id, 0, make([]byte, 1000)))
					g.begin(op.BodyWrite, writeMessage(id, writeLast, nil))
				case 2:
					g.begin(op.Binding, message(1, methodGive, "ab", 0, ""))
					g.begin(op.BodyRead, handleMessage(1<<31|uint32(i)))
					g.CancelBody(1<<31 | uint32(w*i))
				default:
					g.begin(op.Binding, message(1, methodEcho, fmt.Sprint(w, i), bodyBytes, "x"))
				}
				g.Usage()
				g.Bodies()
			}
		})
	}
	time.Sleep(time.Millisecond)
	g.Close()
	g.mu.Lock()
	before := len(g.waiting)
	g.mu.Unlock()
	all.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) < before {
		t.Error("something settled after the close")
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(uint8(0), message(1, methodEcho, "a", bodyBytes, "b"))
	f.Add(uint8(1), handleMessage(1<<31|1))
	f.Add(uint8(2), writeMessage(1, 0, []byte("x")))
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		g := newGuest(t, Limits{})
		o := [...]op.Op{op.Binding, op.BodyRead, op.BodyWrite}[which%3]
		// What waits for ever is closed by the cleanup.
		if m, err := decodeRequest(in); o == op.Binding && err == nil && (m.method == methodWait || m.body == bodyStream) {
			g.begin(o, in)
			return
		}
		if s := g.do(o, in); !s.ok {
			s.errorText(t)
		}
	})
}
