package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An attackServer is mayfly serve as a child process.
type attackServer struct {
	command *exec.Cmd
	address string
	data    string
	client  *http.Client
	keys    map[string]string // tokens by tenant
	exited  chan struct{}     // closed when the process has ended
	state   error             // how it ended

	mu  sync.Mutex
	log bytes.Buffer // what it wrote to standard error
	old int          // bytes of log that faults has looked at
}

// childCommand is a command line of mayfly as a process of its own. What the
// environment says of mayfly, but for its cache, does not reach it.
func childCommand(ctx context.Context, environment []string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MAYFLY_") || strings.HasPrefix(v, "MAYFLY_CACHE=") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(append(c.Env, environment...), childVariable+"=1")
	return c
}

// startServer starts a server and waits until it is ready. It is stopped at
// the end of the test at the latest.
func startServer(t testing.TB, data string, environment []string, args ...string) *attackServer {
	t.Helper()
	s, err := tryServer(t, data, environment, args...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryServer(t testing.TB, data string, environment []string, args ...string) (*attackServer, error) {
	s := &attackServer{data: data, keys: map[string]string{}, exited: make(chan struct{})}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)
	s.command = childCommand(context.Background(), environment, args...)
	stderr, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	go func() {
		defer close(s.exited)
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			s.mu.Lock()
			s.log.WriteString(line)
			s.mu.Unlock()
			if _, rest, ok := strings.Cut(line, "listens on http://"); ok {
				a, _, _ := strings.Cut(rest, " ")
				address <- a
			}
			if err != nil {
				break
			}
		}
		s.state = s.command.Wait()
	}()
	t.Cleanup(s.kill)
	select {
	case s.address = <-address:
	case <-s.exited:
		return nil, fmt.Errorf("the server ended: %v\n%s", s.state, s.logText())
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("the server does not listen:\n%s", s.logText())
	}
	dialer := net.Dialer{}
	s.client = &http.Client{Transport: &http.Transport{
		Proxy: nil, MaxIdleConnsPerHost: 64, DisableCompression: true,
		// Artifacts are at names below localhost, which are this machine's.
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, s.address)
		},
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// Building a guest from nothing takes minutes, loading one a moment.
	for deadline := time.Now().Add(8 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if a, err := s.send("GET", "/health", nil, nil); err == nil && a.status == 200 {
			return s, nil
		}
		select {
		case <-s.exited:
			return nil, fmt.Errorf("the server ended: %v\n%s", s.state, s.logText())
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the server is not ready:\n%s", s.logText())
		}
	}
}

// kill ends the process at once.
func (s *attackServer) kill() {
	_ = s.command.Process.Kill()
	<-s.exited
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
}

// stop asks the process to end, as an operator would.
func (s *attackServer) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.exited:
		return s.state
	case <-time.After(30 * time.Second):
		s.kill()
		return errors.New("the server did not stop within 30 s")
	}
}

func (s *attackServer) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

func (s *attackServer) logText() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// faultPattern is what a healthy server never logs.
var faultPattern = regexp.MustCompile(`(?m)^.*(level=ERROR|panic|goroutine \d+ \[|fatal error|runtime error|DATA RACE|internalError|SIGSEGV).*$`)

// faults are lines of the log since the last call that tell of a fault.
func (s *attackServer) faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.log.Bytes()[s.old:]
	s.old = s.log.Len()
	var found []string
	for _, line := range faultPattern.FindAll(text, 5) {
		found = append(found, string(line))
	}
	return found
}

// variables are what cases name of a server.
func (s *attackServer) variables() map[string]string {
	_, port, _ := net.SplitHostPort(s.address)
	return map[string]string{"SERVER": s.address, "SERVER_PORT": port}
}

// createKey makes an API key with the command line, for a tenant of that name.
func (s *attackServer) createKey(t testing.TB, tenant string) {
	t.Helper()
	c := childCommand(t.Context(), nil, "keys", "create", tenant, "--data", s.data, "--json")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("keys create: %v", err)
	}
	var key struct{ Token string }
	if err := json.Unmarshal(out, &key); err != nil || key.Token == "" {
		t.Fatalf("keys create printed %q", out)
	}
	s.keys[tenant] = key.Token
}

// An answer is that of the API, and of an execution if it is one.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration

	ID       string            `json:"id"`
	Status   string            `json:"-"`
	Outcome  string            `json:"outcome"`
	Result   json.RawMessage   `json:"result"`
	Stdout   string            `json:"stdout"`
	Stderr   string            `json:"stderr"`
	Metadata map[string]string `json:"metadata"`
	Error    *answerError      `json:"error"`

	Artifacts []struct {
		Name   string
		Size   int64
		SHA256 string `json:"sha256"`
		URL    string
	} `json:"artifacts"`
	Usage struct {
		CPUMS      float64 `json:"cpu_ms"`
		WallMS     float64 `json:"wall_ms"`
		PeakMemory int64   `json:"peak_memory_bytes"`
	} `json:"usage"`
}

type answerError struct {
	Name, Message, Stack string
	Cause                *answerError
}

func (a *answer) errorText() string {
	text := ""
	for e := a.Error; e != nil; e = e.Cause {
		if text != "" {
			text += " < "
		}
		text += e.Name + ": " + e.Message
	}
	return text
}

// send sends one request to the server. target is a path, or a URL whose host
// is kept as the Host field.
func (s *attackServer) send(method, target string, header http.Header, body []byte) (*answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return s.sendContext(ctx, method, target, header, body)
}

func (s *attackServer) sendContext(ctx context.Context, method, target string, header http.Header, body []byte) (*answer, error) {
	if strings.HasPrefix(target, "/") {
		target = "http://" + s.address + target
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	start := time.Now()
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	a := &answer{status: response.StatusCode, header: response.Header}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	a.took = time.Since(start)
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(a.body, a); err != nil && a.body[0] == '{' && bytes.Contains(a.body, []byte(`"outcome"`)) {
			return nil, fmt.Errorf("the answer is no execution: %w: %s", err, short(string(a.body)))
		}
	}
	return a, nil
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// post runs a program. key names the API key that is sent; empty: none.
func (s *attackServer) post(ctx context.Context, key string, request map[string]any) (*answer, error) {
	return s.sendContext(ctx, "POST", "/v1/executions", s.withKey(jsonHeader, key), marshal(request))
}

func (s *attackServer) withKey(header http.Header, key string) http.Header {
	if key == "" {
		return header
	}
	header = header.Clone()
	token, ok := s.keys[key]
	if !ok {
		token = key
	}
	header.Set("Authorization", "Bearer "+token)
	return header
}

// anyKey is a key's name, where the server requires one.
func (s *attackServer) anyKey() string {
	for name := range s.keys {
		return name
	}
	return ""
}

// record is an execution as the server has it on record.
func (s *attackServer) record(id, key string) (*answer, error) {
	return s.send("GET", "/v1/executions/"+id, s.withKey(http.Header{}, key), nil)
}

// hello runs a neighbour's program and says what is wrong with its answer.
func (s *attackServer) hello(n int) (time.Duration, error) {
	request := map[string]any{"language": "javascript", "code": "export default ({n}) => `hello ${n * 2}`", "input": map[string]int{"n": n}}
	key := ""
	if len(s.keys) == 0 {
		request["tenant"] = "neighbour"
	} else {
		key = s.anyKey()
	}
	a, err := s.post(context.Background(), key, request)
	if err != nil {
		return 0, err
	}
	if want := strconv.Quote(fmt.Sprintf("hello %d", n*2)); a.status != 200 || a.Outcome != "ok" || string(a.Result) != want {
		return a.took, fmt.Errorf("the neighbour wants %s and gets %d %s", want, a.status, short(string(a.body)))
	}
	return a.took, nil
}

// A load is what a server holds.
type load struct{ resident, descriptors, goroutines, heap, unused float64 }

var metricLine = regexp.MustCompile(`(?m)^(mayfly_memory_resident_bytes|process_open_fds|go_goroutines|go_memstats_heap_inuse_bytes|go_memstats_heap_idle_bytes|go_memstats_heap_released_bytes) (\S+)$`)

func (s *attackServer) load() (load, error) {
	var l load
	a, err := s.send("GET", "/metrics", s.withKey(http.Header{}, s.anyKey()), nil)
	if err != nil {
		return l, err
	}
	var released float64
	fields := map[string]*float64{"mayfly_memory_resident_bytes": &l.resident, "process_open_fds": &l.descriptors, "go_goroutines": &l.goroutines,
		"go_memstats_heap_inuse_bytes": &l.heap, "go_memstats_heap_idle_bytes": &l.unused, "go_memstats_heap_released_bytes": &released}
	for _, m := range metricLine.FindAllSubmatch(a.body, -1) {
		if *fields[string(m[1])], err = strconv.ParseFloat(string(m[2]), 64); err != nil {
			return l, err
		}
	}
	l.unused -= released
	if l.resident == 0 || l.descriptors == 0 || l.goroutines == 0 {
		return l, fmt.Errorf("measurements are missing: %+v", l)
	}
	return l, nil
}

// settled waits until the server holds no more than it may, and says what is
// too much.
func (s *attackServer) settled(most load, wait time.Duration) (l load, err error) {
	for deadline := time.Now().Add(wait); ; time.Sleep(200 * time.Millisecond) {
		if l, err = s.load(); err != nil {
			return l, err
		}
		if l.resident <= most.resident && l.descriptors <= most.descriptors && l.goroutines <= most.goroutines {
			return l, nil
		}
		if time.Now().After(deadline) {
			return l, fmt.Errorf("the server holds %.0f MiB (%.0f of them Go's heap, %.0f free in it), %.0f descriptors and %.0f goroutines; at most %.0f, %.0f and %.0f were expected",
				l.resident/(1<<20), l.heap/(1<<20), l.unused/(1<<20), l.descriptors, l.goroutines, most.resident/(1<<20), most.descriptors, most.goroutines)
		}
	}
}

// cacheFolder is the cache that servers of these tests use.
func cacheFolder() string {
	if dir := os.Getenv("MAYFLY_CACHE"); dir != "" {
		return dir
	}
	return filepath.Clean(defaultCache())
}
