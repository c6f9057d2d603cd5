package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// passBytes is the size of the body that is passed through.
const passBytes = 100_000_000

// passProgram streams what one server gives to another.
const passProgram = `const source = await fetch(input.from);
const answer = await fetch(input.to, { method: "POST", body: source.body, duplex: "half" });
await answer.text();`

// passthrough measures a body on its way from one server through a fetch of a
// program and its next fetch to another server, against a plain proxy in Go that
// does the same; both in processes of their own, the ends in this one.
func (b *bench) passthrough(ctx context.Context) ([]result, error) {
	ends, stop, err := startEnds()
	if err != nil {
		return nil, err
	}
	defer stop()
	proxy, err := startProxy(ctx)
	if err != nil {
		return nil, err
	}
	mayfly, err := b.startWarm(ctx, "MAYFLY_ALLOW_PRIVATE=127.0.0.0/8")
	if err != nil {
		return nil, errors.Join(err, proxy.stop())
	}
	results, err := b.passed(ctx, ends, proxy, mayfly)
	return results, errors.Join(err, proxy.stop(), mayfly.stop())
}

func (b *bench) passed(ctx context.Context, ends string, proxy, mayfly *server) ([]result, error) {
	host, port, err := net.SplitHostPort(ends)
	if err != nil {
		return nil, err
	}
	number, _ := strconv.Atoi(port)
	input := map[string]string{"from": "http://" + ends + "/source", "to": "http://" + ends + "/sink"}
	byProxy := toJSON(input)
	byMayfly := toJSON(map[string]any{
		"language": "javascript", "code": passProgram, "input": input,
		"network": map[string]any{"allow": []any{map[string]any{"host": host, "ports": []int{number}}}},
	})
	var ratios, ours, theirs, growth []float64
	for round := range pick(b.quick, 3, 9) + 1 {
		t, _, err := pass(ctx, proxy, "/", byProxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		m, grown, err := pass(ctx, mayfly, "/v1/executions", byMayfly)
		if err != nil {
			return nil, fmt.Errorf("mayfly: %w", err)
		}
		if round == 0 {
			continue // connections, pools and pages are there now
		}
		rate := func(d time.Duration) float64 { return passBytes / 1e6 / d.Seconds() }
		theirs, ours = append(theirs, rate(t)), append(ours, rate(m))
		ratios, growth = append(ratios, t.Seconds()/m.Seconds()), append(growth, grown)
	}
	detail := fmt.Sprintf("mayfly %s MB/s, proxy %s MB/s", number3(ours), number3(theirs))
	return []result{
		{
			target:   target{what: "fetch pass-through of 100 MB, throughput against a plain Go proxy", must: 0.5, aim: 0.9, atLeast: true, unit: "×"},
			measured: median(ratios), rounds: ratios, detail: detail,
		},
		{
			target:   target{what: "fetch pass-through of 100 MB, memory above the baseline", must: 32, aim: 8, unit: " MB"},
			measured: median(growth), rounds: growth, detail: "the most that was resident meanwhile, less what was before",
		},
	}, nil
}

func number3(values []float64) string { return number(median(values)) }

// pass has the body passed through once. It answers how long that took, and by
// how many megabytes the server's resident memory grew meanwhile.
func pass(ctx context.Context, s *server, path, body string) (took time.Duration, grown float64, err error) {
	before := s.resident()
	most := before
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, s.resident())
			}
		}
	})
	defer func() {
		close(done)
		watching.Wait()
		grown = (most - before) / 1e6
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	took = time.Since(begin)
	if err == nil && !bytes.Contains(answer, []byte(strconv.Itoa(passBytes))) {
		err = fmt.Errorf("status %d: %s", response.StatusCode, answer)
	}
	return took, 0, err
}

// resident is the server's resident memory in bytes; 0 where the system does not
// tell (proc_pid_statm(5)).
func (s *server) resident() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}

// startEnds serves a source of bytes, and a sink that counts them.
func startEnds() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	chunk := make([]byte, 64<<10)
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sink" {
			n, _ := io.CopyBuffer(io.Discard, struct{ io.Reader }{r.Body}, make([]byte, 64<<10))
			fmt.Fprint(w, n)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(passBytes))
		for left := passBytes; left > 0; {
			n, err := w.Write(chunk[:min(left, len(chunk))])
			if err != nil {
				return
			}
			left -= n
		}
	})}
	go func() { _ = h.Serve(l) }()
	return l.Addr().String(), func() { h.Close() }, nil
}

// startProxy starts the plain proxy: this program in another mode.
func startProxy(ctx context.Context) (*server, error) {
	return startSelf(ctx, "proxy", modeProxy)
}

// serveProxy is the process of startProxy.
func serveProxy(ctx context.Context) error { return serveSelf(ctx, http.HandlerFunc(proxy)) }

// proxy streams the body of one URL to another, with its length.
func proxy(w http.ResponseWriter, r *http.Request) {
	var input struct{ From, To string }
	err := json.NewDecoder(r.Body).Decode(&input)
	if err == nil {
		err = relay(w, input.From, input.To)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

func relay(w io.Writer, from, to string) error {
	source, err := http.Get(from)
	if err != nil {
		return err
	}
	defer source.Body.Close()
	request, err := http.NewRequest(http.MethodPost, to, source.Body)
	if err != nil {
		return err
	}
	request.ContentLength = source.ContentLength
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(w, answer.Body)
	return err
}
