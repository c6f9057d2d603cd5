package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCapnWeb has the package capnweb, unmodified, talk between a worker and
// node, both ways.
func TestCapnWeb(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test needs node 20 or later:", err)
	}
	modules := installProjects(t, preparedCache(t))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(projectsFolder, "capnweb"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	d := startDev(t, dir, "--allow-private", "127.0.0.0/8")
	command := exec.CommandContext(t.Context(), node, "--experimental-websocket", "--no-warnings", filepath.Join(dir, "client.js"), d.base+"/", "batch", "error", "values", "worker", "socket", "itself")
	out, err := command.CombinedOutput()
	const want = `batch ["hello node",11,13,["user 1","user 2"],42,42]
error ["RangeError","on purpose",true]
values [5,"12345678901234567890",[1,2,3],true,"passed"]
worker ["node greets from the worker",6,8]
socket [2,2,41,41,10,1225,100000]
itself ["hello by socket",6,41]`
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%v, got\n%swant\n%s\n%s", err, out, want, d.out)
	}
}
