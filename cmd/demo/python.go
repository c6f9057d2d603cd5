package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"strings"
)

// python runs a program of testdata/demo and prints what it says.
func (s *server) python(ctx context.Context, program string, files ...string) (*execution, error) {
	request := map[string]any{"language": "python", "entrypoint": program, "limits": map[string]int{"cpu_ms": 20_000}}
	var mounted []map[string]any
	for _, name := range append(files, program) {
		content, err := os.ReadFile("testdata/demo/" + name)
		if err != nil {
			return nil, err
		}
		mounted = append(mounted, map[string]any{"path": name, "content": string(content)})
	}
	request["files"] = mounted
	e, err := s.execute(ctx, request)
	if err != nil {
		return nil, err
	}
	if e.Outcome != "ok" {
		return nil, fmt.Errorf("%s ended with %s: %+v", program, e.Outcome, e.Error)
	}
	fmt.Print(e.Stdout)
	fmt.Printf("result   %s\n", e.Result)
	fmt.Printf("usage    %.1f ms CPU, %.1f ms wall, isolate ready in %.0f µs\n", e.Usage.CPUMS, e.Usage.WallMS, e.Usage.StartupUS)
	return e, nil
}

// pi runs testdata/demo/pi.py and gives the picture's URL.
func (s *server) pi(ctx context.Context) (url string, err error) {
	e, err := s.python(ctx, "pi.py")
	if err != nil {
		return "", err
	}
	for _, a := range e.Artifacts {
		content, err := s.fetch(ctx, a)
		if err != nil {
			return "", err
		}
		switch a.Name {
		case "pi.png":
			picture, err := png.Decode(bytes.NewReader(content))
			if err != nil {
				return "", fmt.Errorf("%s: %w", a.URL, err)
			}
			if size := picture.Bounds().Size(); size.X != 1000 || size.Y != 450 {
				return "", fmt.Errorf("%s is %v", a.URL, size)
			}
			url = a.URL
		case "pi.svg":
			if !bytes.Contains(content, []byte("<svg")) {
				return "", fmt.Errorf("%s is no SVG", a.URL)
			}
		}
	}
	if url == "" {
		return "", fmt.Errorf("no picture among %+v", e.Artifacts)
	}
	return url, nil
}

// analysis runs testdata/demo/analysis.py.
func (s *server) analysis(ctx context.Context) error {
	e, err := s.python(ctx, "analysis.py", "sales.csv")
	if err != nil {
		return err
	}
	if len(e.Artifacts) != 2 || !strings.Contains(string(e.Result), `"same":true`) {
		return fmt.Errorf("result %s, artifacts %+v", e.Result, e.Artifacts)
	}
	for _, a := range e.Artifacts {
		if _, err := s.fetch(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// sessionCells are run one after the other; the session is forked before the
// one at forkAt, which the fork replaces by forkCell.
var sessionCells = [...]string{
	"import pandas as pd\nsales = pd.DataFrame({'region': ['North', 'South', 'North'], 'units': [3, 5, 4]})",
	"def total(region):\n    return int(sales[sales.region == region].units.sum())",
	"total('North')",
	"sales.loc[len(sales)] = ['North', 10]",
	"total('North')",
}

const (
	forkAt   = 3
	forkCell = "sales.units *= 2"
)

// cells keeps state from cell to cell, and goes two ways from a fork.
func (s *server) cells(ctx context.Context) error {
	var session struct{ ID string }
	if err := s.call(ctx, "POST", "/v1/sessions", []byte(`{"language":"python"}`), &session); err != nil {
		return err
	}
	var fork struct{ ID string }
	for i, code := range sessionCells {
		if i == forkAt {
			if err := s.call(ctx, "POST", "/v1/sessions/"+session.ID+"/fork", []byte(`{}`), &fork); err != nil {
				return err
			}
			fmt.Printf("fork     %s is a copy of %s from here on\n", fork.ID, session.ID)
		}
		if err := s.cell(ctx, session.ID, code); err != nil {
			return err
		}
	}
	if err := s.cell(ctx, fork.ID, forkCell); err != nil {
		return err
	}
	if err := s.cell(ctx, fork.ID, sessionCells[len(sessionCells)-1]); err != nil {
		return err
	}
	for id, want := range map[string]string{session.ID: "17", fork.ID: "14"} {
		e, err := s.runCell(ctx, id, sessionCells[len(sessionCells)-1])
		if err != nil {
			return err
		}
		if string(e.Result) != want {
			return fmt.Errorf("session %s says %s, expected %s", id, e.Result, want)
		}
		if err := s.call(ctx, "DELETE", "/v1/sessions/"+id, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) cell(ctx context.Context, session, code string) error {
	e, err := s.runCell(ctx, session, code)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(code, "\n")
	result := ""
	if len(e.Result) > 0 && string(e.Result) != "null" {
		result = " → " + string(e.Result)
	}
	fmt.Printf("%-8.8s %s%s (%.1f ms)\n", session[len(session)-8:], first, result, e.Usage.WallMS)
	return nil
}

func (s *server) runCell(ctx context.Context, session, code string) (*execution, error) {
	body, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		return nil, err
	}
	var e execution
	if err := s.call(ctx, "POST", "/v1/sessions/"+session+"/executions", body, &e); err != nil {
		return nil, err
	}
	if e.Outcome != "ok" {
		return nil, fmt.Errorf("a cell ended with %s: %+v", e.Outcome, e.Error)
	}
	return &e, nil
}
