// Package versity runs versitygw, a server of S3 on plain files, for tests and
// benchmarks. It is built from the module proxy, once for each version.
package versity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// The version that is run, and the keys that it takes.
const (
	Version   = "v1.8.0"
	AccessKey = "test-access-key"
	SecretKey = "test-secret-key"
	Region    = "us-east-1"
)

const command = "github.com/versity/versitygw/cmd/versitygw"

// Program is the path of the built server; it is built if need be, which takes
// minutes.
func Program(ctx context.Context) (string, error) {
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "mayfly")
	}
	folder := filepath.Join(cache, "peers", "versitygw-"+Version)
	name := "versitygw"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	program := filepath.Join(folder, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	// Built beside, and named when it is whole: others may build it too.
	beside, err := os.MkdirTemp(filepath.Dir(folder), "build-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(beside)
	install := exec.CommandContext(ctx, "go", "install", command+"@"+Version)
	install.Dir = beside // not in this module
	install.Env = append(os.Environ(), "GOBIN="+beside, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building versitygw: %w\n%s", err, out)
	}
	if err := os.Rename(beside, folder); err != nil {
		if _, there := os.Stat(program); there != nil {
			return "", err
		}
	}
	return program, nil
}

// A Server is a running one.
type Server struct {
	URL     string
	Folder  string // of its files: a folder in it is a bucket
	process *exec.Cmd
	exited  chan error
}

// Options say how to run a server. Folder is required.
type Options struct {
	Folder   string    // exists
	Log      io.Writer // of its errors; nil: none
	CertFile string    // PEM; with KeyFile the server speaks TLS
	KeyFile  string
}

// Start starts a server on a free port of 127.0.0.1 and waits until it
// answers.
func Start(ctx context.Context, options Options) (*Server, error) {
	program, err := Program(ctx)
	if err != nil {
		return nil, err
	}
	for range 5 {
		s, err := start(ctx, program, options)
		if err == nil || !errors.Is(err, errExited) {
			return s, err
		}
	}
	return nil, errExited
}

var errExited = errors.New("versitygw ended; perhaps another process took the port")

func start(ctx context.Context, program string, options Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + address, Folder: options.Folder, exited: make(chan error, 1)}
	args := []string{"--port", address, "--access", AccessKey, "--secret", SecretKey, "--region", Region, "--quiet", "--keep-alive"}
	if options.CertFile != "" {
		args = append(args, "--cert", options.CertFile, "--key", options.KeyFile)
		s.URL = "https://" + address
	}
	s.process = exec.Command(program, append(args, "posix", options.Folder)...)
	s.process.Stderr = options.Log
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() { s.exited <- s.process.Wait() }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return s, nil
		}
		select {
		case err := <-s.exited:
			return nil, fmt.Errorf("%w: %v", errExited, err)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.Stop())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("versitygw does not listen"), s.Stop())
		}
	}
}

// Stop ends the server.
func (s *Server) Stop() error {
	err := s.process.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-s.exited
	s.exited <- nil // for another Stop
	return err
}

// Bucket makes a bucket.
func (s *Server) Bucket(name string) error { return os.Mkdir(filepath.Join(s.Folder, name), 0o755) }
