package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// remoteSettings say which server is meant.
type remoteSettings struct {
	Server string `help:"URL of the server." placeholder:"URL" default:"http://127.0.0.1:8787" env:"MAYFLY_SERVER"`
	Key    string `help:"API key for the server." env:"MAYFLY_API_KEY"`
}

// open makes the client.
func (s *remoteSettings) open() (*remoteServer, error) {
	u, err := url.Parse(s.Server)
	if err != nil || u.Host == "" {
		return nil, usageError{fmt.Errorf("--server %q is not a URL", s.Server)}
	}
	return &remoteServer{base: strings.TrimSuffix(s.Server, "/"), key: s.Key}, nil
}

// A remoteServer is asked over its REST endpoint.
type remoteServer struct{ base, key string }

// remoteTimeout bounds one request.
const remoteTimeout = 2 * time.Minute

// A remoteProblem is what a server answers that refuses (RFC 9457).
type remoteProblem struct {
	Status int    `json:"-"`
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

func (p *remoteProblem) Error() string {
	if p.Title == "" {
		return "the server answers " + http.StatusText(p.Status)
	}
	text := p.Title + ": " + p.Detail
	if len(p.Errors) > 0 && strings.Contains(p.Detail, p.Errors[0].Detail) {
		if len(p.Errors) == 1 {
			return text
		}
		text = p.Title + ":" // each has its line
	}
	for _, e := range p.Errors {
		text += "\n  " + e.Pointer + ": " + e.Detail
	}
	return text
}

// ask sends a request, and reads a JSON answer into it unless that is nil.
//
// # Errors
//
// A [*remoteProblem] for a status from 400 on; the client's.
func (r *remoteServer) ask(ctx context.Context, method, path string, header http.Header, body []byte, answer any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if r.key != "" {
		request.Header.Set("Authorization", "Bearer "+r.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%w: is a server running there? mayfly serve starts one", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, err
	}
	if response.StatusCode >= 400 {
		p := &remoteProblem{}
		_ = json.Unmarshal(text, p) // something else may have answered
		p.Status = response.StatusCode
		return response.StatusCode, p
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			return response.StatusCode, fmt.Errorf("the server's answer: %w", err)
		}
	}
	return response.StatusCode, nil
}
