package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestHonoParts has Hono's routers, middleware and what else it has checked by a
// worker made with it.
func TestHonoParts(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(projectsFolder, "hono-parts"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(installProjects(t, preparedCache(t)), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	startDev(t, dir).want("/", 200, "18 right")
}
