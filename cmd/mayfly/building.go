package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"mayfly/cmd/mayfly/project"
	"mayfly/guests/quickjs"
	"mayfly/host/bundle"
)

// projectSettings say which project is meant, and how.
type projectSettings struct {
	Project string   `arg:"" optional:"" help:"Directory of the project, or its wrangler.jsonc, .json or .toml." default:"." type:"path"`
	Env     string   `short:"e" help:"Environment of the configuration (env.NAME)." placeholder:"NAME"`
	Name    string   `help:"Name of the worker, instead of the configuration's." placeholder:"NAME"`
	Var     []string `help:"Variable of the worker, besides the configuration's; repeatable." placeholder:"NAME:VALUE" sep:"none"`
	Define  []string `help:"Text that the bundle has in place of a name; repeatable." placeholder:"NAME:CODE" sep:"none"`
	Minify  bool     `help:"Make the bundle small."`
}

// load reads the configuration, and prints its warnings.
func (s *projectSettings) load(w io.Writer, style *terminalStyle) (*project.Config, error) {
	path := s.Project
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if path, err = project.Find(path); err != nil {
			return nil, err
		}
	}
	config, warnings, err := project.Load(path, s.Env)
	for _, p := range warnings {
		style.warning(w, p.String())
	}
	if err != nil {
		return nil, err
	}
	if s.Name != "" {
		if !project.ValidName(s.Name) {
			return nil, usageError{fmt.Errorf("--name: %q is no name of a worker: expected %s", s.Name, project.NameRule)}
		}
		config.Name = s.Name
	}
	for _, text := range s.Var {
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--var: %q is not NAME:VALUE", text)}
		}
		if config.Vars == nil {
			config.Vars = map[string]json.RawMessage{}
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		config.Vars[name] = quoted
	}
	for _, text := range s.Define {
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--define: %q is not NAME:CODE", text)}
		}
		if config.Define == nil {
			config.Define = map[string]string{}
		}
		config.Define[name] = value
	}
	config.Minify = config.Minify || s.Minify
	if config.CompatibilityDate == "" {
		config.CompatibilityDate = time.Now().UTC().Format(time.DateOnly)
		style.warning(w, fmt.Sprintf("%s: compatibility_date is missing, today's is used: write %q: %q, so that it stays", filepath.Base(path), "compatibility_date", config.CompatibilityDate))
	}
	return config, nil
}

// ruleKinds are the kinds of modules by the names that wrangler has for them.
var ruleKinds = map[string]bundle.Kind{
	"ESModule": bundle.KindJS, "CommonJS": bundle.KindCommon, "CompiledWasm": bundle.KindWasm,
	"Text": bundle.KindText, "Data": bundle.KindData, "PythonModule": bundle.KindPython,
}

// newBuilder makes the builder of a project; nil if it has no code.
func newBuilder(c *project.Config, development bool) (*bundle.Builder, error) {
	if c.Main == "" {
		return nil, nil
	}
	p := bundle.Project{
		Dir: c.Dir, Main: filepath.ToSlash(filepath.Clean(c.Main)), Define: c.Define, Alias: c.Alias, TSConfig: c.TSConfig, JSXFactory: c.JSXFactory, JSXFragment: c.JSXFragment,
		Minify: c.Minify, KeepNames: c.KeepNames, Development: development, NoBundle: c.NoBundle, FindAdditional: c.FindAdditionalModules,
		BaseDir: c.BaseDir, PreserveFileNames: c.PreserveFileNames, Builtin: quickjs.Builtin,
	}
	for _, r := range c.Rules {
		p.Rules = append(p.Rules, bundle.Rule{Kind: ruleKinds[r.Type], Globs: r.Globs})
	}
	return bundle.NewBuilder(p)
}

// customBuild runs the command of the configuration, if there is one.
func customBuild(ctx context.Context, c *project.Config, w io.Writer) error {
	if c.Build.Command == "" {
		return nil
	}
	shell := []string{"sh", "-c"}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/c"}
	}
	command := exec.CommandContext(ctx, shell[0], shell[1], c.Build.Command)
	command.Dir = filepath.Join(c.Dir, c.Build.Dir)
	var output bytes.Buffer
	command.Stdout, command.Stderr = io.MultiWriter(w, &output), io.MultiWriter(w, &output)
	if err := command.Run(); err != nil {
		return fmt.Errorf("build.command %q: %w", c.Build.Command, err)
	}
	return nil
}

// printMistakes shows mistakes of sources with their lines.
func printMistakes(w io.Writer, style *terminalStyle, err error) {
	var list bundle.MistakeList
	if !errors.As(err, &list) {
		style.failure(w, err.Error())
		return
	}
	const most = 10
	for i, e := range list {
		if i == most {
			fmt.Fprintf(w, "  and %d more\n", len(list)-most)
			return
		}
		style.mistake(w, e)
	}
}
