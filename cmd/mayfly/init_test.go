package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"mayfly/cmd/mayfly/project"
)

// TestTemplates makes a project of each template, and builds it.
func TestTemplates(t *testing.T) {
	list, err := listTemplates()
	if err != nil || len(list) == 0 || list[0].name != "hello" {
		t.Fatalf("templates %v, %v", list, err)
	}
	for _, one := range list {
		t.Run(one.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "My_"+one.name)
			var out, errs bytes.Buffer
			if code := execute(t.Context(), []string{"init", one.name, dir}, console{strings.NewReader(""), &out, &errs}); code != 0 {
				t.Fatal(errs.String())
			}
			if one.description == "" || !strings.Contains(errs.String(), "mayfly dev") {
				t.Errorf("description %q, %s", one.description, &errs)
			}
			if one.dependencies {
				npm := exec.CommandContext(t.Context(), "npm", "install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")
				npm.Dir = dir
				if output, err := npm.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, output)
				}
			}
			config, warnings, err := project.Load(filepath.Join(dir, "wrangler.jsonc"), "")
			if err != nil || len(warnings) > 0 || config.Name != "my-"+one.name || config.CompatibilityDate == "" {
				t.Fatalf("%+v, %v, %v", config, warnings, err)
			}
			built, _, err := buildProject(t.Context(), config, &errs, newTerminalStyle(&errs))
			if err != nil || len(built.Warnings) > 0 || built.Main == "" {
				t.Fatalf("%v, %v", built, err)
			}
			if _, err := newDeployment(config, built, nil); err != nil {
				t.Error(err)
			}
			errs.Reset()
			if code := execute(t.Context(), []string{"init", one.name, dir}, console{strings.NewReader(""), &out, &errs}); code != exitFailure || !strings.Contains(errs.String(), "wrangler.jsonc") {
				t.Errorf("a project was written over: %d %s", code, &errs)
			}
		})
	}
}

func TestFirstText(t *testing.T) {
	files := fstest.MapFS{"README.md": {Data: []byte("# a heading\n\nWhat it is.\nMore.\n")}}
	if got := firstText(files, "README.md"); got != "What it is" {
		t.Errorf("got %q", got)
	}
	if got := firstText(files, "none"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestInit(t *testing.T) {
	t.Chdir(t.TempDir())
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := execute(t.Context(), append([]string{"init"}, args...), console{strings.NewReader(""), &out, &errs})
		return code, out.String(), errs.String()
	}
	if code, out, _ := run("--list"); code != 0 || !strings.HasPrefix(out, "hello ") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, errs := run("nothing"); code != exitUsage || !strings.Contains(errs, "there are hello") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := run(); code != 0 || !strings.Contains(errs, "cd hello") && !strings.Contains(errs, "hello is in") {
		t.Errorf("%d %s", code, errs)
	}
	if err := os.WriteFile("hello/README.md", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := run("hello"); code != exitFailure {
		t.Error("files were written over")
	}
	if code, out, _ := run("hello", "--force", "--json"); code != 0 || !strings.Contains(out, `"name":"hello"`) {
		t.Errorf("%d %s", code, out)
	}
	for directory, want := range map[string]string{"My App!": "my-app", "a-b": "other", "---": "other", strings.Repeat("x", 80): strings.Repeat("x", 63)} {
		if got := workerNameOf(directory, "other"); got != want {
			t.Errorf("%q: %q", directory, got)
		}
	}
	d := startDev(t, "hello")
	d.want("/", 200, "Hello, world!")
	d.want("/you", 200, "Hello, you!")
	d.eventually("a log", func() bool { return strings.Contains(d.out.String(), "greeting you\nGET /you 200") })
}
