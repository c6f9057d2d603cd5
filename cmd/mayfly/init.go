package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"mayfly/cmd/mayfly/project"
)

// templates are the projects that mayfly init begins with, one in each folder.
//
//go:embed all:templates
var templates embed.FS

// A template is one of them.
type template struct {
	name         string
	description  string
	dependencies bool // on packages of npm
	files        fs.FS
}

// listTemplates are all, by name; hello is the first.
func listTemplates() ([]template, error) {
	entries, err := templates.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	var list []template
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		files, err := fs.Sub(templates, path.Join("templates", e.Name()))
		if err != nil {
			return nil, err
		}
		t := template{name: e.Name(), files: files}
		var manifest struct {
			Description  string            `json:"description"`
			Dependencies map[string]string `json:"dependencies"`
		}
		if text, err := fs.ReadFile(files, "package.json"); err == nil {
			if err := json.Unmarshal(text, &manifest); err != nil {
				return nil, fmt.Errorf("template %s: %w", t.name, err)
			}
		}
		t.description, t.dependencies = manifest.Description, len(manifest.Dependencies) > 0
		if t.description == "" {
			t.description = firstText(files, "README.md")
		}
		if t.name == "hello" {
			list = append([]template{t}, list...)
			continue
		}
		list = append(list, t)
	}
	return list, nil
}

// firstText is the first line of a text that is no heading.
func firstText(files fs.FS, name string) string {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return strings.TrimSuffix(line, ".")
		}
	}
	return ""
}

// initCommand is mayfly init.
type initCommand struct {
	Template string `arg:"" optional:"" help:"What to begin with; --list lists the templates." default:"hello"`
	Dir      string `arg:"" optional:"" help:"Directory of the project; default: one of the template's name." type:"path"`
	List     bool   `help:"List the templates."`
	Force    bool   `help:"Write over files that are there."`
	JSON     bool   `help:"Print JSON."`
}

// Run makes a project.
func (cmd *initCommand) Run(c console) error {
	list, err := listTemplates()
	if err != nil {
		return err
	}
	if cmd.List {
		return cmd.list(c, list)
	}
	var names []string
	for _, t := range list {
		if t.name == cmd.Template {
			return cmd.make(c, t)
		}
		names = append(names, t.name)
	}
	return usageError{fmt.Errorf("there is no template %q: there are %s", cmd.Template, strings.Join(names, ", "))}
}

func (cmd *initCommand) list(c console, list []template) error {
	if cmd.JSON {
		type entry struct {
			Name        string `json:"name"`
			Description string `json:"description"`
		}
		out := []entry{}
		for _, t := range list {
			out = append(out, entry{t.name, t.description})
		}
		return json.NewEncoder(c.out).Encode(map[string]any{"templates": out})
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, t := range list {
		fmt.Fprintf(w, "%s\t%s\n", t.name, t.description)
	}
	return w.Flush()
}

// nameMember is where a configuration says the worker's name.
var nameMember = regexp.MustCompile(`(?m)^(\s*"name"\s*:\s*)"[^"]*"`)

func (cmd *initCommand) make(c console, t template) error {
	dir := cmd.Dir
	if dir == "" {
		dir = t.name
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	name := workerNameOf(filepath.Base(absolute), t.name)
	contents := map[string][]byte{}
	var there []string
	err = fs.WalkDir(t.files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(t.files, file)
		if err != nil {
			return err
		}
		if file == "wrangler.jsonc" || file == "package.json" {
			// The first name is the project's.
			if at := nameMember.FindSubmatchIndex(text); at != nil {
				text = append(append(append([]byte(nil), text[:at[3]]...), fmt.Sprintf("%q", name)...), text[at[1]:]...)
			}
		}
		contents[file] = text
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(file))); err == nil {
			there = append(there, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(there) > 0 && !cmd.Force {
		return fmt.Errorf("%s has %s already: name another directory, or give --force", dir, strings.Join(there, ", "))
	}
	for file, text := range contents {
		target := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, text, 0o644); err != nil {
			return err
		}
	}
	if cmd.JSON {
		return json.NewEncoder(c.out).Encode(map[string]string{"template": t.name, "name": name, "directory": absolute})
	}
	fmt.Fprintf(c.err, "%s is in %s. Next:\n", name, dir)
	if workingDir, err := os.Getwd(); err != nil || workingDir != absolute {
		fmt.Fprintf(c.err, "  cd %s\n", dir)
	}
	if t.dependencies {
		fmt.Fprintln(c.err, "  npm install")
	}
	fmt.Fprintln(c.err, "  mayfly dev")
	return nil
}

// workerNameOf makes a name of a worker of a directory's.
func workerNameOf(directory, otherwise string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, directory), "-")
	if len(name) > 63 {
		name = strings.Trim(name[:63], "-")
	}
	if !project.ValidName(name) {
		return otherwise
	}
	return name
}
