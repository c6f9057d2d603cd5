//go:build unix

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/storage/meta"
)

const helloBody = `{"language":"javascript","code":"hello"}`

// newBenchServer makes a server that does not listen.
func newBenchServer(b *testing.B) *Server {
	b.Helper()
	store, objects := newTestStorage(b)
	s, err := New(Options{Executor: newFakeExecutor(objects), Store: store, Objects: objects, Keep: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s
}

// newBareEcho answers the same request with the same members, in the way that
// echo's own documentation has it: what the API is measured against.
func newBareEcho() http.Handler {
	type request struct {
		Language string          `json:"language"`
		Code     string          `json:"code"`
		Input    json.RawMessage `json:"input"`
	}
	type usage struct {
		CPU         float64 `json:"cpu_ms"`
		Wall        float64 `json:"wall_ms"`
		Queue       float64 `json:"queue_ms"`
		Startup     int64   `json:"startup_us"`
		PeakMemory  int64   `json:"peak_memory_bytes"`
		Egress      int64   `json:"egress_bytes"`
		Ingress     int64   `json:"ingress_bytes"`
		Subrequests int64   `json:"subrequests"`
	}
	type answer struct {
		ID         string            `json:"id"`
		Status     string            `json:"status"`
		Outcome    string            `json:"outcome"`
		CreatedAt  time.Time         `json:"created_at"`
		Runtime    map[string]string `json:"runtime"`
		Metadata   map[string]string `json:"metadata"`
		Result     any               `json:"result"`
		ResultType string            `json:"result_type"`
		Displays   []string          `json:"displays"`
		Stdout     string            `json:"stdout"`
		Stderr     string            `json:"stderr"`
		Truncated  []string          `json:"truncated"`
		ExitCode   int               `json:"exit_code"`
		Usage      usage             `json:"usage"`
		Artifacts  []string          `json:"artifacts"`
	}
	e := echo.New()
	e.POST("/v1/executions", func(c echo.Context) error {
		var r request
		if err := c.Bind(&r); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, answer{
			ID: "ex6h07s08k40001m9eupd70k4lns", Status: "done", Outcome: "ok", CreatedAt: time.Now(),
			Runtime:  map[string]string{"language": "javascript", "version": "quickjs-ng 0.17.0", "image": "quickjs", "digest": "abcd"},
			Metadata: map[string]string{}, Result: "hi", ResultType: "string", Displays: []string{}, Truncated: []string{}, Artifacts: []string{},
			Usage: usage{CPU: 1.234, Wall: 2, Startup: 17, PeakMemory: 65536},
		})
	})
	return e
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// unrecorded is a store that forgets executions.
type unrecorded struct{ Store }

func (unrecorded) Record(context.Context, meta.Execution) error { return nil }

// processorTime is what this process has used. On a busy machine it says more
// than the time that has passed.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportProcessorTime(b *testing.B, since time.Duration) {
	b.ReportMetric(float64(processorTime(b)-since)/float64(b.N), "cpu-ns/op")
}

// The handlers alone: with the record of each execution, without, and echo's.
func BenchmarkHandler(b *testing.B) {
	api, forgetful := newBenchServer(b), newBenchServer(b)
	forgetful.options.Store = unrecorded{forgetful.options.Store}
	for _, c := range []struct {
		name    string
		handler http.Handler
	}{{"api", api}, {"unrecorded", forgetful}, {"echo", newBareEcho()}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("POST", "/v1/executions", nil)
			r.Host = "127.0.0.1:8787"
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(helloBody))
			body := bytes.NewReader([]byte(helloBody))
			r.Body = io.NopCloser(body)
			w := &discard{header: http.Header{}}
			before := processorTime(b)
			for b.Loop() {
				body.Seek(0, io.SeekStart)
				clear(w.header)
				c.handler.ServeHTTP(w, r)
			}
			reportProcessorTime(b, before)
		})
	}
}

// Real servers, with 8 connections.
func BenchmarkServer(b *testing.B) {
	api := newBenchServer(b)
	if err := api.Listen(); err != nil {
		b.Fatal(err)
	}
	go api.Serve()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	bare := &http.Server{Handler: newBareEcho()}
	go bare.Serve(l)
	b.Cleanup(func() { bare.Close() })
	for _, c := range []struct{ name, address string }{{"api", api.Addr().String()}, {"echo", l.Addr().String()}} {
		b.Run(c.name, func(b *testing.B) {
			transport := &http.Transport{MaxIdleConnsPerHost: 64}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			b.SetParallelism(4)
			before := processorTime(b)
			defer func() { reportProcessorTime(b, before) }()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Post("http://"+c.address+"/v1/executions", "application/json", bytes.NewReader([]byte(helloBody)))
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != 200 {
						b.Errorf("status %d", resp.StatusCode)
					}
				}
			})
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"language":"javascript","code":"export default (input) => input.a + 1","input":{"a":[1,2,3]},"limits":{"cpu_ms":100},"metadata":{"k":"v"}}`)
	b.ReportAllocs()
	for b.Loop() {
		var d decoder
		d.decode(body)
		if d.err != nil || len(d.errors) > 0 {
			b.Fatal(d.err, d.errors)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	r := &execution.Result{Outcome: execution.OK, Value: json.RawMessage(`"hi"`), ValueType: "string", Stdout: "hello, wörld\n"}
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = appendOutput(out[:0], r)
	}
}
