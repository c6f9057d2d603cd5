package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"mayfly/cmd/mayfly/project"
	served "mayfly/host/binding/assets"
	"mayfly/host/bundle"
)

// deployCommand is mayfly deploy.
type deployCommand struct {
	projectSettings
	remoteSettings
	DryRun   bool   `help:"Build, and print what would be deployed."`
	OutDir   string `name:"outdir" help:"Directory to write the modules to." placeholder:"DIR" type:"path"`
	KeepVars bool   `help:"Keep variables of the worker that the configuration does not have."`
	JSON     bool   `help:"Print JSON."`
}

// Run deploys a project.
func (cmd *deployCommand) Run(ctx context.Context, c console) error {
	style := newTerminalStyle(c.err)
	config, err := cmd.load(c.err, style)
	if err != nil {
		return err
	}
	if config.Name == "" {
		return usageError{fmt.Errorf("%s: name is missing: write %q: %q, or give --name", filepath.Base(config.File), "name", "my-worker")}
	}
	config.KeepVars = config.KeepVars || cmd.KeepVars
	if err := customBuild(ctx, config, c.err); err != nil {
		return err
	}
	begin := time.Now()
	out, assets, err := buildProject(ctx, config, c.err, style)
	if err != nil {
		if mistakes := (bundle.MistakeList)(nil); errors.As(err, &mistakes) {
			printMistakes(c.err, style, err)
			return exitError(exitFailure)
		}
		return err
	}
	body, err := newDeployment(config, out, assets)
	if err != nil {
		return err
	}
	if config.Assets != nil {
		if err := body.Assets.addRules(assetsDirectory(config), func(text string) { style.warning(c.err, text) }); err != nil {
			return err
		}
	}
	if cmd.OutDir != "" {
		if err := writeModules(cmd.OutDir, out); err != nil {
			return err
		}
	}
	if !cmd.JSON {
		describe(c.err, config, out, assets)
	}
	if cmd.DryRun {
		if cmd.JSON {
			return json.NewEncoder(c.out).Encode(body)
		}
		fmt.Fprintln(c.err, "Nothing was deployed (--dry-run).")
		return nil
	}
	server, err := cmd.open()
	if err != nil {
		return err
	}
	if err := uploadAssets(ctx, server, assets, c.err); err != nil {
		return err
	}
	if err := makeBuckets(ctx, server, config.R2, c.err); err != nil {
		return err
	}
	answer, err := putWorker(ctx, server, config.Name, body)
	if err != nil {
		return err
	}
	for _, w := range answer.Warnings {
		style.warning(c.err, w)
	}
	if cmd.JSON {
		return json.NewEncoder(c.out).Encode(answer)
	}
	version := ""
	if answer.Version != "" {
		version = ", version " + answer.Version
	}
	fmt.Fprintf(c.err, "Deployed %s in %v%s:\n", config.Name, time.Since(begin).Round(10*time.Millisecond), version)
	fmt.Fprintln(c.out, answer.URL)
	return nil
}

// buildProject bundles a project and finds its assets. The output has no main
// module if there is no code.
func buildProject(ctx context.Context, config *project.Config, w io.Writer, style *terminalStyle) (*bundle.Output, []asset, error) {
	out := &bundle.Output{}
	b, err := newBuilder(config, false)
	if err != nil {
		return nil, nil, err
	}
	if b != nil {
		defer b.Close()
		if out, err = b.Build(ctx); err != nil {
			return nil, nil, err
		}
		for _, m := range out.Warnings {
			style.message(w, colourYellow, "warning:", m)
		}
	}
	if config.Assets == nil {
		return out, nil, nil
	}
	assets, err := findAssets(assetsDirectory(config))
	return out, assets, err
}

// A manifest is the body of PUT /v1/workers/{name}.
type manifest struct {
	MainModule         string                     `json:"main_module,omitempty"`
	Modules            map[string]deployedModule  `json:"modules,omitempty"`
	SourceMaps         map[string]string          `json:"source_maps,omitempty"`
	CompatibilityDate  string                     `json:"compatibility_date"`
	CompatibilityFlags []string                   `json:"compatibility_flags,omitempty"`
	Bindings           map[string]deployedBinding `json:"bindings,omitempty"`
	Limits             *deployedLimits            `json:"limits,omitempty"`
	Isolation          string                     `json:"isolation,omitempty"`
	Crons              []string                   `json:"crons,omitempty"`
	TailConsumers      []string                   `json:"tail_consumers,omitempty"`
	Domains            []string                   `json:"domains,omitempty"`
	Routes             []string                   `json:"routes,omitempty"`
	KeepVars           bool                       `json:"keep_vars,omitempty"`
	Assets             *deployedAssets            `json:"assets,omitempty"`
}

// A deployedModule has exactly one member; data and wasm are in base64.
type deployedModule struct {
	JS       *string         `json:"js,omitempty"`
	CommonJS *string         `json:"cjs,omitempty"`
	Text     *string         `json:"text,omitempty"`
	Data     *[]byte         `json:"data,omitempty"`
	JSON     json.RawMessage `json:"json,omitempty"`
	Wasm     *[]byte         `json:"wasm,omitempty"`
	Python   *string         `json:"py,omitempty"`
}

type deployedBinding struct {
	Type       string          `json:"type"`
	Bucket     string          `json:"bucket,omitempty"`
	Namespace  string          `json:"namespace,omitempty"`
	Value      json.RawMessage `json:"value,omitempty"`
	Secret     string          `json:"secret,omitempty"`
	Service    string          `json:"service,omitempty"`
	Entrypoint string          `json:"entrypoint,omitempty"`
	Props      json.RawMessage `json:"props,omitempty"`
}

type deployedLimits struct {
	CPUMS       int64 `json:"cpu_ms,omitempty"`
	WallMS      int64 `json:"wall_ms,omitempty"`
	MemoryMB    int64 `json:"memory_mb,omitempty"`
	Subrequests int64 `json:"subrequests,omitempty"`
}

type deployedAssets struct {
	Files            map[string]asset `json:"files"`
	Binding          string           `json:"binding,omitempty"`
	HTMLHandling     string           `json:"html_handling,omitempty"`
	NotFoundHandling string           `json:"not_found_handling,omitempty"`
	RunWorkerFirst   any              `json:"run_worker_first,omitempty"` // true, or patterns
	Headers          string           `json:"_headers,omitempty"`
	Redirects        string           `json:"_redirects,omitempty"`
}

// addRules adds the files of rules of a directory of assets.
func (d *deployedAssets) addRules(directory string, warn func(string)) (err error) {
	if d.Headers, d.Redirects, err = readRules(os.DirFS(directory)); err != nil {
		return err
	}
	_, warnings := served.ParseRules(d.Redirects, d.Headers)
	for _, text := range warnings {
		warn("assets: " + text)
	}
	return nil
}

// assetsDirectory is where a project has its assets.
func assetsDirectory(c *project.Config) string {
	return filepath.Join(c.Dir, filepath.FromSlash(c.Assets.Directory))
}

// newDeployment says what a project is, as the server wants to know it.
func newDeployment(c *project.Config, out *bundle.Output, assets []asset) (*manifest, error) {
	d := &manifest{
		MainModule: out.Main, CompatibilityDate: c.CompatibilityDate, CompatibilityFlags: c.CompatibilityFlags,
		Isolation: c.Isolation, Crons: c.Crons, TailConsumers: c.TailConsumers, KeepVars: c.KeepVars, Bindings: map[string]deployedBinding{},
	}
	for name, m := range out.Modules {
		if d.Modules == nil {
			d.Modules = map[string]deployedModule{}
		}
		text := string(m.Content)
		if m.Kind != bundle.KindData && m.Kind != bundle.KindWasm && !utf8.ValidString(text) {
			return nil, fmt.Errorf("%s is not UTF-8: a rule of type Data takes it as it is", name)
		}
		content := m.Content
		if content == nil {
			content = []byte{}
		}
		d.Modules[name] = map[bundle.Kind]deployedModule{
			bundle.KindJS: {JS: &text}, bundle.KindCommon: {CommonJS: &text}, bundle.KindText: {Text: &text}, bundle.KindPython: {Python: &text},
			bundle.KindData: {Data: &content}, bundle.KindWasm: {Wasm: &content}, bundle.KindJSON: {JSON: m.Content},
		}[m.Kind]
	}
	if c.SourceMaps && len(out.Maps) > 0 {
		d.SourceMaps = map[string]string{}
		for name, m := range out.Maps {
			d.SourceMaps[name] = string(m)
		}
	}
	for name, v := range c.Vars {
		d.Bindings[name] = deployedBinding{Type: "var", Value: v}
	}
	for _, b := range c.R2 {
		d.Bindings[b.Binding] = deployedBinding{Type: "r2_bucket", Bucket: b.Name}
	}
	for _, n := range c.KV {
		d.Bindings[n.Binding] = deployedBinding{Type: "kv_namespace", Namespace: n.ID}
	}
	for _, s := range c.Services {
		d.Bindings[s.Binding] = deployedBinding{Type: "service", Service: s.Service, Entrypoint: s.Entrypoint, Props: s.Props}
	}
	for _, name := range c.Loaders {
		d.Bindings[name] = deployedBinding{Type: "worker_loader"}
	}
	for _, name := range c.Secrets {
		d.Bindings[name] = deployedBinding{Type: "secret", Secret: name}
	}
	if c.Limits != (project.Limits{}) {
		l := deployedLimits(c.Limits)
		d.Limits = &l
	}
	for _, r := range c.Routes {
		if r.CustomDomain {
			d.Domains = append(d.Domains, r.Pattern)
		} else {
			d.Routes = append(d.Routes, r.Pattern)
		}
	}
	if a := c.Assets; a != nil {
		d.Assets = &deployedAssets{Files: map[string]asset{}, Binding: a.Binding, HTMLHandling: a.HTMLHandling, NotFoundHandling: a.NotFoundHandling}
		switch {
		case a.WorkerFirst:
			d.Assets.RunWorkerFirst = true
		case len(a.WorkerFirstPatterns) > 0:
			d.Assets.RunWorkerFirst = a.WorkerFirstPatterns
		}
		for _, one := range assets {
			d.Assets.Files[one.Path] = one
		}
	}
	return d, nil
}

// describe prints what is in a deployment.
func describe(w io.Writer, c *project.Config, out *bundle.Output, assets []asset) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var names []string
	total := 0
	for name, m := range out.Modules {
		names = append(names, name)
		total += len(m.Content)
	}
	sort.Slice(names, func(i, j int) bool { return names[i] == out.Main || names[j] != out.Main && names[i] < names[j] })
	const most = 20
	for i, name := range names {
		if i == most {
			fmt.Fprintf(table, "  … and %d more\n", len(names)-most)
			break
		}
		m := out.Modules[name]
		fmt.Fprintf(table, "  %s\t%s\t%s\n", name, m.Kind, sizeText(len(m.Content)))
	}
	if len(assets) > 0 {
		size := 0
		for _, a := range assets {
			size += int(a.Size)
		}
		fmt.Fprintf(table, "  %d assets\t\t%s\n", len(assets), sizeText(size))
	}
	_ = table.Flush() // to a terminal
	var bindings []string
	add := func(name, what string) { bindings = append(bindings, name+" ("+what+")") }
	for name := range c.Vars {
		add(name, "variable")
	}
	for _, b := range c.R2 {
		add(b.Binding, "bucket "+b.Name)
	}
	for _, n := range c.KV {
		add(n.Binding, "values "+n.ID)
	}
	for _, s := range c.Services {
		add(s.Binding, "worker "+s.Service)
	}
	for _, name := range c.Loaders {
		add(name, "loader")
	}
	for _, name := range c.Secrets {
		add(name, "secret")
	}
	if c.Assets != nil && c.Assets.Binding != "" {
		add(c.Assets.Binding, "assets")
	}
	slices.Sort(bindings)
	if len(bindings) > 0 {
		fmt.Fprintf(w, "  env: %s\n", strings.Join(bindings, ", "))
	}
}

// sizeText is a size as people read it.
func sizeText(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func writeModules(dir string, out *bundle.Output) error {
	files := map[string][]byte{}
	for name, m := range out.Modules {
		files[name] = m.Content
	}
	for name, m := range out.Maps {
		files[name+".map"] = m
	}
	for name, content := range files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("--outdir: module %q is not below the directory", name)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// uploadAssets sends the contents that the server does not have.
func uploadAssets(ctx context.Context, server *remoteServer, assets []asset, w io.Writer) error {
	sent := map[string]bool{}
	uploaded := 0
	for _, a := range assets {
		if sent[a.SHA256] {
			continue
		}
		sent[a.SHA256] = true
		path := "/v1/assets/" + a.SHA256
		status, err := server.ask(ctx, http.MethodHead, path, nil, nil, nil)
		if err == nil {
			continue
		}
		if status != http.StatusNotFound {
			return fmt.Errorf("asset %s: %w", a.Path, err)
		}
		content, err := os.ReadFile(a.file)
		if err != nil {
			return err
		}
		if _, err := server.ask(ctx, http.MethodPut, path, http.Header{"Content-Type": {"application/octet-stream"}}, content, nil); err != nil {
			return fmt.Errorf("asset %s: %w", a.Path, err)
		}
		uploaded++
	}
	if uploaded > 0 {
		fmt.Fprintf(w, "  %d of %d assets were new\n", uploaded, len(assets))
	}
	return nil
}

// deployed is what the server answers.
type deployed struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	URL      string   `json:"url"`
	Warnings []string `json:"warnings,omitempty"`
}

// compressFrom is the size in bytes from which a deployment is sent compressed.
const compressFrom = 1 << 20

// makeBuckets makes the buckets of a project that the server doesn't have:
// otherwise the worker would fail only when it first uses one. Namespaces of
// values are made by their first use.
func makeBuckets(ctx context.Context, server *remoteServer, list []project.Bucket, w io.Writer) error {
	made := map[string]bool{}
	for i, b := range list {
		if made[b.Name] {
			continue
		}
		made[b.Name] = true
		status, err := server.ask(ctx, http.MethodPut, "/v1/buckets/"+url.PathEscape(b.Name), nil, nil, nil)
		if err != nil {
			return fmt.Errorf("r2_buckets[%d].bucket_name: the bucket %q, which %s is to be, can't be made: %w", i, b.Name, b.Binding, err)
		}
		if status == http.StatusCreated {
			fmt.Fprintf(w, "  made the bucket %s\n", b.Name)
		}
	}
	return nil
}

func putWorker(ctx context.Context, server *remoteServer, name string, d *manifest) (*deployed, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if len(body) > compressFrom {
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		if _, err := z.Write(body); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		body = small.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	answer := &deployed{}
	_, err = server.ask(ctx, http.MethodPut, "/v1/workers/"+url.PathEscape(name), header, body, answer)
	return answer, err
}
