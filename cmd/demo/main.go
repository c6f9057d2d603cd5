// Command demo shows Mayfly's main job on real input: it starts the server,
// posts programs to its REST endpoint, prints what comes back, and ends.
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
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// address and folder are those of make serve too, so that the URL printed here
// opens again later.
const (
	address = "127.0.0.1:8787"
	folder  = "data"
)

func run(ctx context.Context) (err error) {
	listen, data, again := address, folder, "make serve"
	if l, err := net.Listen("tcp", address); err != nil {
		// Whoever has the port may have the folder too.
		listen, data = "127.0.0.1:0", filepath.Join("out", "demo")
		fmt.Printf("%s is taken: this server gets a port and a folder of its own\n", address)
	} else {
		l.Close()
	}
	s, err := start(ctx, "bin/mayfly", "serve", "--listen", listen, "--data", data, "--log-level", "warn")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	say("1. A TypeScript report over a CSV file: POST /v1/executions")
	chart, err := s.report(ctx)
	if err != nil {
		return err
	}
	say("2. Python: Monte-Carlo pi with numpy and matplotlib")
	picture, err := s.pi(ctx)
	if err != nil {
		return err
	}
	say("3. Python: a CSV file through pandas to a chart and a workbook")
	if err := s.analysis(ctx); err != nil {
		return err
	}
	say("4. A session of five cells, forked after the third: POST /v1/sessions")
	if err := s.cells(ctx); err != nil {
		return err
	}
	say("5. A hostile loop, with a limit of 100 ms of processor time")
	if err := s.hostileLoop(ctx); err != nil {
		return err
	}
	say("6. 1,000 executions, each in a fresh isolate")
	if err := s.many(ctx, 1000, 8); err != nil {
		return err
	}
	say("Try next")
	if data != folder {
		again = fmt.Sprintf("bin/mayfly serve --listen %s --data %s", s.address, data)
	}
	fmt.Println(`  bin/mayfly run testdata/demo/report.ts --file testdata/demo/sales.csv --file testdata/demo/chart.ts --input '{"title":"Revenue"}' --artifacts out`)
	fmt.Println("  bin/mayfly run testdata/demo/pi.py --artifacts out   # leaves out/pi.png")
	fmt.Printf("  %s   # then open %s, %s and http://%s/docs\n", again, chart, picture, s.address)
	fmt.Printf("  curl -s http://%s/v1/executions -H 'content-type: application/json' -d '{\"language\":\"javascript\",\"code\":\"6 * 7\"}'   # while it serves\n", s.address)
	return nil
}

func say(title string) { fmt.Printf("\n== %s\n", title) }

// server is the server as a child process.
type server struct {
	command *exec.Cmd
	address string
	client  *http.Client
}

// start starts the server and waits until it is ready.
func start(ctx context.Context, name string, args ...string) (*server, error) {
	command := exec.Command(name, args...)
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w (make build makes it)", name, err)
	}
	s := &server{command: command}
	lines := bufio.NewScanner(stderr)
	for s.address == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "listens on http://"); ok {
			s.address, _, _ = strings.Cut(rest, " ")
		} else {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
	if s.address == "" {
		return nil, fmt.Errorf("%s ended: %w", name, command.Wait())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	// Artifacts are at names below localhost, which are this machine's.
	dialer := net.Dialer{}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, s.address)
	}}}
	deadline := time.Now().Add(5 * time.Minute)
	for {
		var health struct {
			Status string
		}
		if err := s.call(ctx, "GET", "/health", nil, &health); err == nil && health.Status == "ok" {
			return s, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("the server did not become ready"), s.stop())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *server) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.command.Wait()
}

// execution is what this program reads of an answer.
type execution struct {
	ID        string
	Outcome   string
	Result    json.RawMessage
	Stdout    string
	Error     *struct{ Name, Message, Stack string }
	Artifacts []artifact
	Usage     struct {
		CPUMS     float64 `json:"cpu_ms"`
		WallMS    float64 `json:"wall_ms"`
		StartupUS float64 `json:"startup_us"`
	}
}

type artifact struct {
	Name string
	Size int
	URL  string
}

func (s *server) execute(ctx context.Context, request map[string]any) (*execution, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var e execution
	return &e, s.call(ctx, "POST", "/v1/executions", body, &e)
}

func (s *server) call(ctx context.Context, method, path string, body []byte, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// report runs testdata/demo/report.ts and gives the chart's URL.
func (s *server) report(ctx context.Context) (url string, err error) {
	var files []map[string]any
	for _, name := range []string{"report.ts", "chart.ts", "sales.csv"} {
		content, err := os.ReadFile("testdata/demo/" + name)
		if err != nil {
			return "", err
		}
		files = append(files, map[string]any{"path": name, "content": string(content)})
	}
	e, err := s.execute(ctx, map[string]any{
		"language": "typescript", "entrypoint": "report.ts", "files": files, "input": map[string]string{"title": "Revenue by month"},
	})
	if err != nil {
		return "", err
	}
	if e.Outcome != "ok" || len(e.Artifacts) != 1 {
		return "", fmt.Errorf("the report ended with %s: %+v", e.Outcome, e.Error)
	}
	fmt.Print(e.Stdout)
	fmt.Printf("result   %s\n", e.Result)
	fmt.Printf("usage    %.1f ms CPU, %.1f ms wall, isolate ready in %.0f µs\n", e.Usage.CPUMS, e.Usage.WallMS, e.Usage.StartupUS)
	svg, err := s.fetch(ctx, e.Artifacts[0])
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(svg, []byte("<svg")) {
		return "", fmt.Errorf("%s is no SVG", e.Artifacts[0].URL)
	}
	return e.Artifacts[0].URL, nil
}

// fetch opens an artifact at its URL, and says so.
func (s *server) fetch(ctx context.Context, a artifact) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", a.URL, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || len(content) != a.Size {
		return nil, fmt.Errorf("%s answers %s with %d bytes, %d were stored", a.URL, response.Status, len(content), a.Size)
	}
	fmt.Printf("file     %s (%s, %d bytes, fetched)\n", a.URL, response.Header.Get("Content-Type"), len(content))
	return content, nil
}

func (s *server) hostileLoop(ctx context.Context) error {
	e, err := s.execute(ctx, map[string]any{"language": "javascript", "code": "while (true) {}", "limits": map[string]int{"cpu_ms": 100}})
	if err != nil {
		return err
	}
	if e.Outcome != "exceededCpu" {
		return fmt.Errorf("the loop ended with %s", e.Outcome)
	}
	fmt.Printf("outcome  %s after %.1f ms CPU: %s\n", e.Outcome, e.Usage.CPUMS, e.Error.Message)
	return nil
}

// many posts n small programs over so many connections, and checks each
// answer.
func (s *server) many(ctx context.Context, n, connections int) error {
	var next, wrong atomic.Int64
	var firstError atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	for range connections {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				e, err := s.execute(ctx, map[string]any{"language": "javascript", "code": fmt.Sprintf("globalThis.seen = (globalThis.seen ?? 0) + 1; seen * %d", i)})
				if err != nil {
					firstError.CompareAndSwap(nil, &err)
					return
				}
				if string(e.Result) != fmt.Sprint(i) {
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if err := firstError.Load(); err != nil {
		return *err
	}
	if wrong.Load() > 0 {
		return fmt.Errorf("%d of %d answers were wrong", wrong.Load(), n)
	}
	fmt.Printf("rate     %.0f executions a second, all answers right\n", float64(n)/took.Seconds())
	return nil
}
