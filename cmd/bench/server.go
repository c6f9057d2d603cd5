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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mayfly/api/echopeer"
)

// A server is a server in a child process, listening on loopback.
type server struct {
	name    string
	address string
	command *exec.Cmd
	release func()        // removes what it leaves, after its end
	warm    chan struct{} // of Mayfly: closed when all guests are loaded
}

// stop asks the server to end and waits until it has.
func (s *server) stop() error {
	defer s.release()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.command.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
			return nil // it left the signal to the system, as workerd does
		}
		return err
	case <-time.After(30 * time.Second):
		return errors.Join(fmt.Errorf("%s did not end", s.name), s.command.Process.Kill(), <-ended)
	}
}

// cpu is the processor time that the server has used, to 10 ms; 0 where the
// system does not tell (proc_pid_stat(5), fields 14 and 15).
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	// The name, the second field, may contain anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of 1/100 s
}

// startWarm starts the program and waits until all guests are loaded: that takes
// seconds of a processor, which are nobody's request.
func (b *bench) startWarm(ctx context.Context, environment ...string) (*server, error) {
	s, _, err := b.startMayfly(ctx, environment...)
	if err != nil {
		return nil, err
	}
	select {
	case <-s.warm:
		return s, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.stop())
	}
}

// startMayfly starts the program and waits until it is ready for JavaScript.
// The time that took is measured from before the process existed.
func (b *bench) startMayfly(ctx context.Context, environment ...string) (s *server, ready time.Duration, err error) {
	data, remove, err := scratch()
	if err != nil {
		return nil, 0, err
	}
	command := exec.CommandContext(ctx, b.mayfly, "serve", "--listen", "127.0.0.1:0", "--data", data, "--log-level", "warn")
	command.Env = append(append(os.Environ(), "MAYFLY_CACHE="+b.cache), environment...)
	stderr, err := command.StderrPipe()
	if err != nil {
		remove()
		return nil, 0, err
	}
	begin := time.Now()
	if err := command.Start(); err != nil {
		remove()
		return nil, 0, fmt.Errorf("starting %s: %w (make build makes it)", b.mayfly, err)
	}
	s = &server{name: "mayfly", command: command, release: remove}
	said := bufio.NewReader(stderr)
	var story strings.Builder
	for s.address == "" {
		line, err := said.ReadString('\n')
		story.WriteString(line)
		if err != nil {
			return nil, 0, errors.Join(fmt.Errorf("%s ended: %s", b.mayfly, story.String()), command.Wait())
		}
		if _, rest, ok := strings.Cut(line, "listens on http://"); ok {
			s.address, _, _ = strings.Cut(rest, " ")
		}
	}
	s.warm = make(chan struct{})
	go func() {
		for {
			line, err := said.ReadString('\n')
			if strings.HasPrefix(line, "ready after ") {
				close(s.warm)
				break
			}
			if err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, said)
	}()
	for {
		health, err := http.Get("http://" + s.address + "/health")
		if err == nil {
			health.Body.Close()
			if health.StatusCode == http.StatusOK {
				return s, time.Since(begin), nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, 0, errors.Join(ctx.Err(), s.stop())
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(begin) > 10*time.Minute {
			return nil, 0, errors.Join(errors.New("mayfly did not become ready within 10 minutes"), s.stop())
		}
	}
}

// startEcho starts the bare echo handler: this program in another mode.
func startEcho(ctx context.Context) (*server, error) {
	return startSelf(ctx, "echo", modeEcho)
}

// startSelf starts this program in another mode.
func startSelf(ctx context.Context, name, mode string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startInherited(ctx, name, func() *exec.Cmd { return exec.CommandContext(ctx, self, mode) })
}

// startInherited starts a server that is given its listening socket as file
// descriptor 3.
func startInherited(ctx context.Context, name string, command func() *exec.Cmd) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	c := command()
	c.ExtraFiles = []*os.File{socket}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return &server{name: name, address: l.Addr().String(), command: c, release: func() {}}, nil
}

// hello is the result of the program that the REST targets post.
const hello = "hello from the isolate"

// serveEcho is the process of startEcho.
func serveEcho(ctx context.Context) error { return serveSelf(ctx, echopeer.New(hello)) }

// serveSelf serves in a process of startSelf, on the socket that it was given.
func serveSelf(ctx context.Context, handler http.Handler) error {
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	h := http.Server{Handler: handler}
	context.AfterFunc(ctx, func() { h.Close() })
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// workerd is the path of the peer, installed by npm into the cache.
func (b *bench) workerd(ctx context.Context) (string, error) {
	platform, ok := map[string]string{"linux/amd64": "linux-64", "linux/arm64": "linux-arm64"}[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return "", errors.New("workerd is a peer on Linux only")
	}
	lock, err := os.ReadFile(filepath.Join(inputs, "peers", "package-lock.json"))
	if err != nil {
		return "", err
	}
	folder := filepath.Join(b.cache, "bench", "peers-"+digestOf(lock))
	program := filepath.Join(folder, "node_modules", "@cloudflare", "workerd-"+platform, "bin", "workerd")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	b.say("  npm ci of the peers")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join(inputs, "peers", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), content, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir = folder
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, out)
	}
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("npm ci did not bring workerd: %w", err)
	}
	return program, nil
}

// startWorkerd starts the peer with the worker of testdata/bench/peers.
func startWorkerd(ctx context.Context, program string) (*server, error) {
	config := filepath.Join(inputs, "peers", "config.capnp")
	return startInherited(ctx, "workerd", func() *exec.Cmd {
		return exec.CommandContext(ctx, program, "serve", config, "config", "--experimental", "--socket-fd=http=3")
	})
}

// toJSON is v as JSON text.
func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // never: only maps of strings and numbers are passed
	}
	return string(b)
}
