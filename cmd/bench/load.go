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
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A load is what the generator does: the same request over and over, on some
// connections, for a while.
type load struct {
	Address     string        `json:"address"`
	Path        string        `json:"path"`
	Body        string        `json:"body"`
	Expect      string        `json:"expect"` // every answer contains this
	Connections int           `json:"connections"`
	WarmUp      time.Duration `json:"warm_up"` // not counted
	Duration    time.Duration `json:"duration"`
}

// loadReport is what came of a load.
type loadReport struct {
	Requests int           `json:"requests"` // answered after the warm-up
	Seconds  float64       `json:"seconds"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Total    int           `json:"total"` // answered, warm-up included
	CPU      time.Duration `json:"cpu"`   // of the generator, for all of them
}

func (r *loadReport) rate() float64 { return float64(r.Requests) / r.Seconds }

// generate runs a load in a process of its own, so that its garbage and its
// scheduler are not the measuring process's.
func generate(ctx context.Context, l load) (*loadReport, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self, modeLoad)
	command.Stdin = bytes.NewReader(in)
	var out, failure bytes.Buffer
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("load on %s%s: %w: %s", l.Address, l.Path, err, strings.TrimSpace(failure.String()))
	}
	report := &loadReport{}
	return report, json.Unmarshal(out.Bytes(), report)
}

// loadChild is the process of generate.
func loadChild(in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	var l load
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return err
	}
	report, err := l.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}

func (l *load) run() (*loadReport, error) {
	request := encodeRequest("POST", l.Address, l.Path, []byte(l.Body))
	expect := []byte(l.Expect)
	begin := time.Now().Add(l.WarmUp)
	end := begin.Add(l.Duration)
	latencies := make([][]time.Duration, l.Connections)
	answered := make([]int, l.Connections)
	errs := make([]error, l.Connections)
	var wg sync.WaitGroup
	for i := range l.Connections {
		wg.Go(func() {
			latencies[i], answered[i], errs[i] = l.connection(request, expect, begin, end)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var all []time.Duration
	total := 0
	for i, list := range latencies {
		all = append(all, list...)
		total += answered[i]
	}
	if len(all) == 0 {
		return nil, errors.New("no request was answered in time")
	}
	return &loadReport{
		Requests: len(all), Seconds: l.Duration.Seconds(),
		P50: quantile(all, 0.5), P99: quantile(all, 0.99), Total: total, CPU: processCPU(),
	}, nil
}

// connection posts until end, and gives the latencies of the requests that
// were answered between begin and end, and how many were in all.
func (l *load) connection(request, expect []byte, begin, end time.Time) (latencies []time.Duration, total int, err error) {
	c, err := dial(l.Address)
	if err != nil {
		return nil, 0, err
	}
	defer c.close()
	latencies = make([]time.Duration, 0, 1<<14)
	for {
		sent := time.Now()
		if !sent.Before(end) {
			return latencies, total, nil
		}
		status, body, err := c.exchange(request)
		if err != nil {
			return nil, 0, err
		}
		if status != 200 || !bytes.Contains(body, expect) {
			return nil, 0, fmt.Errorf("status %d: %.500s", status, body)
		}
		total++
		if got := time.Now(); got.After(begin) && got.Before(end) {
			latencies = append(latencies, got.Sub(sent))
		}
	}
}

// encodeRequest is an HTTP/1.1 request (RFC 9112) with a JSON body.
func encodeRequest(method, host, path string, body []byte) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, path, host, len(body))
	return append([]byte(head), body...)
}

// A connection is a kept connection to a server: as little of HTTP as the
// answers of the peers need, so that the generator takes little from them.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

func dial(address string) (*connection, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (c *connection) close() { c.conn.Close() }

var errAnswer = errors.New("malformed HTTP answer")

// answerTimeout is when a server counts as hung.
const answerTimeout = time.Minute

// exchange sends a request and reads the answer. body is valid until the next
// exchange.
func (c *connection) exchange(request []byte) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length, chunked := 0, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := field(line, "content-length:"); ok {
			if length, err = strconv.Atoi(v); err != nil || length < 0 {
				return 0, nil, errAnswer
			}
		} else if v, ok := field(line, "transfer-encoding:"); ok {
			chunked = strings.EqualFold(v, "chunked")
		}
	}
	c.body = c.body[:0]
	if !chunked {
		err := c.read(length)
		return status, c.body, err
	}
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return 0, nil, errAnswer
		}
		if err := c.read(int(size)); err != nil {
			return 0, nil, err
		}
		if _, err := c.in.Discard(len("\r\n")); err != nil {
			return 0, nil, err
		}
		if size == 0 {
			return status, c.body, nil
		}
	}
}

// read appends n bytes to the body.
func (c *connection) read(n int) error {
	at := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

// field is the value of a header line, if it has that name in lower case with
// its colon.
func field(line []byte, name string) (string, bool) {
	if len(line) < len(name) || line[0]|0x20 != name[0] || !strings.EqualFold(string(line[:len(name)]), name) {
		return "", false
	}
	return string(bytes.TrimSpace(line[len(name):])), true
}
