package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/guests/quickjs"
	"mayfly/guests/registry"
	"mayfly/host/bundle"
)

const projectsFolder = "../../testdata/projects"

// installProjects has the packages of the projects, and answers where.
func installProjects(t *testing.T, cache string) string {
	t.Helper()
	folder, err := registry.InstallNPM(t.Context(), filepath.Join(cache, "test"), os.DirFS(projectsFolder), func(string, float64) {})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "node_modules")
}

// TestProjectsRun bundles the projects that use packages of npm, and runs each
// bundle in an isolate.
func TestProjectsRun(t *testing.T) {
	cache := preparedCache(t)
	modules := installProjects(t, cache)
	paths, err := filepath.Glob(filepath.Join(projectsFolder, "*", "index.ts"))
	if err != nil || len(paths) < 5 {
		t.Fatalf("projects %v, %v", paths, err)
	}
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range []string{"index.ts", "run.js", "want"} {
				content, err := os.ReadFile(filepath.Join(filepath.Dir(path), file))
				if errors.Is(err, fs.ErrNotExist) && file != "index.ts" {
					continue
				}
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, file), content, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			b, err := bundle.NewBuilder(bundle.Project{Dir: dir, Main: "index.ts", Builtin: quickjs.Builtin, KeepNames: true})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			built, err := b.Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(built.Modules) != 1 || len(built.Warnings) > 0 {
				t.Errorf("%d modules, warnings %v", len(built.Modules), built.Warnings)
			}
			if _, err := os.Stat(filepath.Join(dir, "run.js")); err != nil {
				return // it needs what workers have
			}
			code := filepath.Join(dir, "bundle.js")
			if err := os.WriteFile(code, built.Modules["index.js"].Content, 0o644); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			status := execute(t.Context(), []string{"run", "--cache", cache, "--languages", "javascript", "--file", code + "=index.js", filepath.Join(dir, "run.js")}, console{io.MultiReader(), &out, &errs})
			want, err := os.ReadFile(filepath.Join(dir, "want"))
			if err != nil {
				t.Fatal(err)
			}
			if status != 0 || strings.TrimSpace(out.String()) != strings.TrimSpace(string(want)) {
				t.Errorf("exit code %d, got\n%swant\n%s%s", status, &out, want, &errs)
			}
		})
	}
}
