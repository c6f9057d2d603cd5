package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// runSteps sends a case's requests one after the other.
func (a *arena) runSteps(t *testing.T, s *attackServer, c *attackCase) {
	variables := a.variables(s)
	for i := range c.Steps {
		step := &c.Steps[i]
		for range max(step.Repeat, 1) {
			if err := a.runStep(s, step, variables); err != nil {
				t.Errorf("step %d %s: %v", i+1, step.Name, err)
				break
			}
		}
	}
}

func (a *arena) runStep(s *attackServer, step *attackStep, variables map[string]string) error {
	r, err := a.sendStep(s, step, variables)
	status := step.Status
	if status == nil {
		status = []int{http.StatusOK}
	}
	if err != nil {
		if slices.Contains(status, 0) {
			return nil // it was cut off, as it may be
		}
		return err
	}
	switch {
	case !slices.Contains(status, r.status):
		return fmt.Errorf("status %d, want one of %v: %s", r.status, status, short(string(r.body)))
	case !matches(vary(step.Match, variables), string(r.body)):
		return fmt.Errorf("%s does not match %s", short(string(r.body)), step.Match)
	case step.Absent != "" && matches(vary(step.Absent, variables), string(r.body)):
		return fmt.Errorf("%s matches %s", short(string(r.body)), step.Absent)
	}
	for name, pattern := range step.Answer {
		got := strings.Join(r.header[http.CanonicalHeaderKey(name)], ", ")
		if !matches("^(?:"+pattern+")$", got) {
			return fmt.Errorf("header %s is %q, which does not match %s", name, got, pattern)
		}
	}
	if r.Outcome == "internalError" {
		return fmt.Errorf("an internal error: %s", short(string(r.body)))
	}
	for name, path := range step.Save {
		v, err := lookUp(r.body, path)
		if err != nil {
			return err
		}
		variables[name] = v
	}
	return nil
}

func (a *arena) sendStep(s *attackServer, step *attackStep, variables map[string]string) (*answer, error) {
	if step.Raw != "" {
		return s.sendRaw(vary(step.Raw, variables))
	}
	body := []byte(vary(step.Body, variables))
	header := http.Header{}
	if step.JSON != nil {
		body = []byte(vary(string(marshal(step.JSON)), variables))
	}
	if f := step.Fill; f != nil {
		body = []byte(f.Before + strings.Repeat(f.Text, f.Count) + f.After)
	}
	if len(body) > 0 {
		header.Set("Content-Type", "application/json")
	}
	method := step.Method
	switch {
	case method != "":
	case len(body) > 0:
		method = "POST"
	default:
		method = "GET"
	}
	for name, v := range step.Headers {
		header.Set(name, vary(v, variables))
	}
	target := vary(step.Path, variables)
	if target == "" {
		target = "/v1/executions"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.sendContext(ctx, method, target, s.withKey(header, step.Key), body)
}

// sendRaw writes bytes to a connection of its own and reads the answer.
func (s *attackServer) sendRaw(request string) (*answer, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	go func() { _, _ = io.WriteString(conn, request) }() // the answer may come first
	raw, err := io.ReadAll(conn)
	if len(raw) == 0 {
		return nil, fmt.Errorf("no answer: %w", closedOr(err))
	}
	line, rest, _ := bytes.Cut(raw, []byte("\r\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 2 {
		return nil, fmt.Errorf("the answer is %s", short(string(raw)))
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil {
		return nil, fmt.Errorf("the answer is %s", short(string(raw)))
	}
	return &answer{status: status, header: http.Header{}, body: rest}, nil
}

// closedOr is err, or what it means that there is none.
func closedOr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// lookUp finds a string or number in JSON by a path, as artifacts.0.url.
func lookUp(body []byte, path string) (string, error) {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "", fmt.Errorf("%w in %s", err, short(string(body)))
	}
	for _, name := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(x) {
				return "", fmt.Errorf("nothing at %s in %s", path, short(string(body)))
			}
			v = x[i]
		}
	}
	switch x := v.(type) {
	case string:
		return x, nil
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), nil
	}
	return "", fmt.Errorf("nothing at %s in %s", path, short(string(body)))
}
