package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"mayfly/runtime/isolate"
)

// InstallNPM installs the packages of a package.json and its package-lock.json,
// which are at the root of files, with the npm client, and answers the folder
// below parent that has them under node_modules. The folder's name is made of
// the digest of both, so that each set of packages is installed once. npm checks
// hashes against the lock, and runs no script of a package.
//
// # Errors
//
// A [*ToolError] if npm is missing or fails, errors of the file system.
func InstallNPM(ctx context.Context, parent string, files fs.FS, progress func(step string, done float64)) (string, error) {
	digest := sha256.New()
	for _, name := range npmFiles {
		DigestTree(digest, files, name)
	}
	folder := filepath.Join(parent, "npm-"+hex.EncodeToString(digest.Sum(nil))[:16])
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	unlock, err := isolate.LockFile(ctx, filepath.Join(parent, "npm.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(folder); err == nil {
		return folder, nil // another process was faster
	}
	progress("fetching npm packages", -1)
	work, err := os.MkdirTemp(parent, "npm-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	for _, name := range npmFiles {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(work, name), content, 0o644); err != nil {
			return "", err
		}
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", &ToolError{Tool: "npm", Hint: "install Node.js, whose npm fetches packages of JavaScript", Err: err}
	}
	command := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	command.Dir = work
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return "", &ToolError{Tool: "npm ci", Output: output.String(), Hint: "the packages of package-lock.json could not be installed", Err: err}
	}
	if err := os.Rename(work, folder); err != nil {
		return "", fmt.Errorf("registry: keep npm packages: %w", err)
	}
	return folder, nil
}

var npmFiles = []string{"package.json", "package-lock.json"}
