package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"text/tabwriter"
	"time"
)

// workersCommand is mayfly workers.
type workersCommand struct {
	List     listWorkersCommand    `cmd:"" help:"List deployed workers."`
	Get      getWorkerCommand      `cmd:"" help:"Show a worker: its modules, bindings and limits."`
	Versions listVersionsCommand   `cmd:"" help:"List the versions of a worker, the newest first."`
	Rollback rollbackWorkerCommand `cmd:"" help:"Make an earlier version the current one again."`
	Secrets  workerSecretsCommand  `cmd:"" help:"Set, list and delete the secrets of a worker."`
	Delete   deleteWorkerCommand   `cmd:"" help:"Delete a worker with all its versions."`
}

// workerSettings are shared by the commands of workers.
type workerSettings struct {
	remoteSettings
	Tenant string `help:"Whose workers; default: those of the key, or of whoever needs none."`
	JSON   bool   `help:"Print JSON."`
}

// ask asks for what is at a path below /v1/workers.
func (s *workerSettings) ask(ctx context.Context, method, path string, parameters url.Values, body, answer any) error {
	server, err := s.open()
	if err != nil {
		return err
	}
	if parameters == nil {
		parameters = url.Values{}
	}
	if s.Tenant != "" {
		parameters.Set("tenant", s.Tenant)
	}
	target := "/v1/workers" + path
	if len(parameters) > 0 {
		target += "?" + parameters.Encode()
	}
	var header http.Header
	var b []byte
	if body != nil {
		header = http.Header{"Content-Type": {"application/json"}}
		if b, err = json.Marshal(body); err != nil {
			return err
		}
	}
	_, err = server.ask(ctx, method, target, header, b, answer)
	return err
}

// workerPath is that of a worker below /v1/workers.
func workerPath(name string, rest ...string) string {
	path := "/" + url.PathEscape(name)
	for _, part := range rest {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// A workerAnswer is a worker as the API tells it.
type workerAnswer struct {
	Name              string                     `json:"name"`
	Version           string                     `json:"version"`
	URL               string                     `json:"url"`
	Created           time.Time                  `json:"created_at"`
	Updated           time.Time                  `json:"updated_at"`
	MainModule        string                     `json:"main_module"`
	Modules           []workerModule             `json:"modules"`
	CompatibilityDate string                     `json:"compatibility_date"`
	Bindings          map[string]json.RawMessage `json:"bindings"`
	Limits            map[string]float64         `json:"limits"`
	Crons             []string                   `json:"crons"`
	Domains           []string                   `json:"domains"`
	Message           string                     `json:"message"`
}

type workerModule struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Size int    `json:"size"`
}

type listWorkersCommand struct{ workerSettings }

// Run lists workers.
func (cmd *listWorkersCommand) Run(ctx context.Context, c console) error {
	list := []workerAnswer{}
	for cursor := ""; ; {
		parameters := url.Values{}
		if cursor != "" {
			parameters.Set("cursor", cursor)
		}
		var page struct {
			Workers []workerAnswer
			Next    string `json:"next_cursor"`
		}
		if err := cmd.ask(ctx, http.MethodGet, "", parameters, nil, &page); err != nil {
			return err
		}
		list = append(list, page.Workers...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if cmd.JSON {
		type entry struct {
			Name    string    `json:"name"`
			Version string    `json:"version"`
			URL     string    `json:"url"`
			Created time.Time `json:"created_at"`
			Updated time.Time `json:"updated_at"`
		}
		out := make([]entry, len(list))
		for i, w := range list {
			out[i] = entry{w.Name, w.Version, w.URL, w.Created, w.Updated}
		}
		return json.NewEncoder(c.out).Encode(map[string]any{"workers": out})
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tDEPLOYED\tURL")
	for _, one := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", one.Name, one.Version, one.Updated.Local().Format(time.DateTime), one.URL)
	}
	return w.Flush()
}

type getWorkerCommand struct {
	workerSettings
	Name string `arg:"" help:"Name of the worker."`
}

// Run shows a worker.
func (cmd *getWorkerCommand) Run(ctx context.Context, c console) error {
	var raw json.RawMessage
	if err := cmd.ask(ctx, http.MethodGet, workerPath(cmd.Name), nil, nil, &raw); err != nil {
		return err
	}
	if cmd.JSON {
		_, err := fmt.Fprintf(c.out, "%s\n", raw)
		return err
	}
	var a workerAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "name\t%s\nversion\t%s\nurl\t%s\ndeployed\t%s\ncompatibility date\t%s\n", a.Name, a.Version, a.URL, a.Updated.Local().Format(time.DateTime), a.CompatibilityDate)
	if a.Message != "" {
		fmt.Fprintf(w, "message\t%s\n", printable(a.Message))
	}
	for _, m := range a.Modules {
		main := ""
		if m.Name == a.MainModule {
			main = ", main"
		}
		fmt.Fprintf(w, "module\t%s (%s, %d bytes%s)\n", printable(m.Name), m.Kind, m.Size, main)
	}
	names := []string{}
	for name := range a.Bindings {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "binding\t%s %s\n", printable(name), printable(string(a.Bindings[name])))
	}
	for _, name := range []string{"cpu_ms", "wall_ms", "memory_mb", "subrequests"} {
		if v, ok := a.Limits[name]; ok {
			fmt.Fprintf(w, "limit\t%s %v\n", name, v)
		}
	}
	for _, cron := range a.Crons {
		fmt.Fprintf(w, "cron\t%s\n", printable(cron))
	}
	for _, domain := range a.Domains {
		fmt.Fprintf(w, "domain\t%s\n", domain)
	}
	return w.Flush()
}

type listVersionsCommand struct {
	workerSettings
	Name string `arg:"" help:"Name of the worker."`
}

// Run lists versions.
func (cmd *listVersionsCommand) Run(ctx context.Context, c console) error {
	var raw json.RawMessage
	if err := cmd.ask(ctx, http.MethodGet, workerPath(cmd.Name, "versions"), nil, nil, &raw); err != nil {
		return err
	}
	if cmd.JSON {
		_, err := fmt.Fprintf(c.out, "%s\n", raw)
		return err
	}
	var answer struct {
		Versions []struct {
			ID      string
			Number  int
			Created time.Time `json:"created_at"`
			Current bool
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tVERSION\tDEPLOYED\tCURRENT")
	for _, v := range answer.Versions {
		current := ""
		if v.Current {
			current = "current"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", v.Number, v.ID, v.Created.Local().Format(time.DateTime), current)
	}
	return w.Flush()
}

type rollbackWorkerCommand struct {
	workerSettings
	Name    string `arg:"" help:"Name of the worker."`
	Version string `arg:"" optional:"" help:"Id of a version; default: the one before the current one."`
}

// Run goes back to an earlier version.
func (cmd *rollbackWorkerCommand) Run(ctx context.Context, c console) error {
	version := cmd.Version
	if version == "" {
		var answer struct {
			Versions []struct {
				ID      string
				Current bool
			}
		}
		if err := cmd.ask(ctx, http.MethodGet, workerPath(cmd.Name, "versions"), nil, nil, &answer); err != nil {
			return err
		}
		for i, v := range answer.Versions {
			if v.Current && i+1 < len(answer.Versions) {
				version = answer.Versions[i+1].ID
			}
		}
		if version == "" {
			return errors.New("there is no version before the current one")
		}
	}
	var raw json.RawMessage
	if err := cmd.ask(ctx, http.MethodPost, workerPath(cmd.Name, "rollback"), nil, map[string]string{"version": version}, &raw); err != nil {
		return err
	}
	if cmd.JSON {
		_, err := fmt.Fprintf(c.out, "%s\n", raw)
		return err
	}
	fmt.Fprintf(c.err, "The current version of %s is %s.\n", cmd.Name, version)
	return nil
}

type deleteWorkerCommand struct {
	workerSettings
	Name string `arg:"" help:"Name of the worker."`
}

// Run deletes a worker.
func (cmd *deleteWorkerCommand) Run(ctx context.Context, c console) error {
	if err := cmd.ask(ctx, http.MethodDelete, workerPath(cmd.Name), nil, nil, nil); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "Worker %s is gone.\n", cmd.Name)
	return nil
}

// stream opens an answer that goes on until ctx ends.
//
// # Errors
//
// As ask.
func (r *remoteServer) stream(ctx context.Context, path, accept string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	if r.key != "" {
		request.Header.Set("Authorization", "Bearer "+r.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: is a server running there? mayfly serve starts one", err)
	}
	if response.StatusCode >= 400 {
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return nil, err
		}
		p := &remoteProblem{}
		_ = json.Unmarshal(text, p) // something else may have answered
		p.Status = response.StatusCode
		return nil, p
	}
	return response.Body, nil
}
