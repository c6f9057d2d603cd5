package fetch

import (
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mayfly/host/egress"
	"mayfly/host/op"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settled is an operation's answer, decoded as the guest would.
type settled struct {
	ok       bool
	message  []byte
	response *answer // of a fetch
}

type answer struct {
	status     uint32
	statusText string
	url        string
	redirected bool
	header     []op.Pair
	body       byte
	bytes      []byte
	handle     uint32
}

func (a *answer) get(name string) (values []string) {
	for _, h := range a.header {
		if h.Name == name {
			values = append(values, h.Value)
		}
	}
	return values
}

// errorText is an error record as "Name: message [code of the cause]".
func (s settled) errorText(t testing.TB) string {
	t.Helper()
	if s.ok {
		t.Fatalf("no error: %q", s.message)
	}
	record, err := op.ReadError(op.NewReader(s.message))
	if err != nil {
		t.Fatalf("the error record is malformed: %q", s.message)
	}
	text := record.Error()
	if record.Cause != nil {
		text += " [" + record.Cause.Code + "]"
	}
	return text
}

// guest drives a session as a guest does.
type guest struct {
	testing.TB
	*Session
	mu      sync.Mutex
	answers map[uint32]settled
	came    chan struct{}
	id      uint32
}

func newGuest(t testing.TB, client *Client, options Options) *guest {
	g := &guest{TB: t, answers: map[uint32]settled{}, came: make(chan struct{}, 1), id: 100}
	options.Settle = func(id uint32, ok bool, message []byte) {
		g.mu.Lock()
		if _, twice := g.answers[id]; twice {
			t.Errorf("operation %d settled twice", id)
		}
		g.answers[id] = settled{ok: ok, message: message}
		g.mu.Unlock()
		select {
		case g.came <- struct{}{}:
		default:
		}
	}
	g.Session = client.NewSession(options)
	t.Cleanup(g.Close)
	return g
}

func (g *guest) start(o op.Op, in []byte) uint32 {
	g.id++
	g.Start(o, g.id, in)
	clear(in) // the message is the guest's memory: nothing may keep it
	return g.id
}

// peek is an operation's answer, if it came.
func (g *guest) peek(id uint32) (settled, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.answers[id]
	return s, ok
}

func (g *guest) wait(id uint32) settled {
	g.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if s, ok := g.peek(id); ok {
			return s
		}
		select {
		case <-g.came:
		case <-deadline:
			g.Fatalf("operation %d never settled", id)
		}
	}
}

func (g *guest) fetch(m fetchMessage) settled {
	g.Helper()
	return g.waitFetch(g.start(op.Fetch, encodeFetch(m)))
}

func (g *guest) waitFetch(id uint32) settled {
	g.Helper()
	s := g.wait(id)
	if s.ok {
		s.response = decodeAnswer(g, s.message)
	}
	return s
}

func (g *guest) get(u string) settled {
	g.Helper()
	return g.fetch(fetchMessage{method: "GET", url: u})
}

// mustGet fetches what has to work.
func (g *guest) mustGet(u string) *answer {
	g.Helper()
	s := g.get(u)
	if !s.ok {
		g.Fatal(s.errorText(g))
	}
	return s.response
}

func (g *guest) read(handle uint32) settled {
	g.Helper()
	return g.wait(g.start(op.BodyRead, binary.LittleEndian.AppendUint32(nil, handle)))
}

func (g *guest) write(fetch uint32, end byte, data []byte) uint32 {
	w := op.NewWriter(nil)
	w.U32(fetch)
	w.U8(end)
	w.Bytes(data)
	return g.start(op.BodyWrite, w.Message())
}

// all reads a body to its end.
func (g *guest) all(a *answer) ([]byte, string) {
	g.Helper()
	if a.body != bodyStream {
		return a.bytes, ""
	}
	var whole []byte
	for {
		s := g.read(a.handle)
		if !s.ok {
			return whole, s.errorText(g)
		}
		r := op.NewReader(s.message)
		end, chunk := r.U8(), r.Bytes()
		if r.Done() != nil || len(chunk) > chunkSize {
			g.Fatalf("a malformed or too large chunk of %d bytes", len(s.message))
		}
		if end == 1 {
			return whole, ""
		}
		whole = append(whole, chunk...)
	}
}

func encodeFetch(m fetchMessage) []byte {
	w := op.NewWriter(nil)
	w.Str(m.method)
	w.Str(m.url)
	w.Pairs(m.header)
	w.U8(m.redirect)
	w.U8(m.body)
	w.Bytes(m.bytes)
	return w.Message()
}

func decodeAnswer(t testing.TB, in []byte) *answer {
	t.Helper()
	r := op.NewReader(in)
	a := &answer{r.U32(), r.Str(), r.Str(), r.U8() == 1, r.Pairs(), r.U8(), r.Bytes(), r.U32()}
	if err := r.Done(); err != nil {
		t.Fatalf("the answer is malformed: %v: %q", err, in)
	}
	return a
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// world is a server and a client that may reach it.
type world struct {
	*httptest.Server
	guard  *egress.Guard
	client *Client
}

func newWorld(t testing.TB, handler http.Handler, adjust func(*Config)) *world {
	server := httptest.NewServer(handler)
	return finishWorld(t, server, adjust)
}

func finishWorld(t testing.TB, server *httptest.Server, adjust func(*Config)) *world {
	w := &world{Server: server, guard: egress.NewGuard(egress.Config{AllowPrivate: loopback})}
	// A slow machine must not turn a small body into a stream.
	config := Config{Guard: w.guard, smallBodyWait: 10 * time.Second}
	if adjust != nil {
		adjust(&config)
	}
	w.guard = config.Guard
	w.client = NewClient(config)
	t.Cleanup(func() {
		w.client.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return w
}

// policy opens the server and what else is named.
func (w *world) policy(t testing.TB, more ...egress.Rule) *egress.Policy {
	t.Helper()
	policy, err := w.guard.Compile(append([]egress.Rule{{Host: "127.0.0.1", Ports: []int{port(t, w.URL)}}}, more...))
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func (w *world) guest(t testing.TB, limits Limits) *guest {
	return newGuest(t, w.client, Options{Policy: w.policy(t), Limits: limits})
}

func port(t testing.TB, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// rawServer answers every connection with f.
func rawServer(t testing.TB, f func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer conn.Close(); f(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); running.Wait() })
	return "http://" + listener.Addr().String()
}

func contains(t testing.TB, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got %q, want something with %q", got, want)
	}
}

func headers(namesAndValues ...string) (list []op.Pair) {
	for i := 0; i < len(namesAndValues); i += 2 {
		list = append(list, op.Pair{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return list
}

// ruleFor opens the host of a URL.
func ruleFor(t testing.TB, raw string) egress.Rule {
	t.Helper()
	return egress.Rule{Host: "127.0.0.1", Ports: []int{port(t, raw)}}
}

// deafPort is a port of 127.0.0.1 that refuses connections for the length of
// the test: it is bound, so that no other server gets it, but nobody listens.
func deafPort(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return address.(*syscall.SockaddrInet4).Port
}
