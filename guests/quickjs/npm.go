package quickjs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"mayfly/guests/registry"
	"mayfly/runtime/isolate"
)

// installPackages installs the packages of package-lock.json with the npm
// client, without running any script of theirs, and answers the folder that
// has them under node_modules. npm checks their hashes against the lock.
func installPackages(ctx context.Context, cache string, progress isolate.Progress) (string, error) {
	digest := sha256.New()
	registry.DigestTree(digest, sources, "package.json")
	registry.DigestTree(digest, sources, "package-lock.json")
	folder := filepath.Join(cache, "quickjs", "npm-"+hex.EncodeToString(digest.Sum(nil))[:16])
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	unlock, err := isolate.LockFile(ctx, filepath.Join(cache, "quickjs", "npm.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(folder); err == nil {
		return folder, nil // another process was faster
	}
	progress("fetching npm packages", -1)
	work, err := os.MkdirTemp(filepath.Join(cache, "quickjs"), "npm-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := sources.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(work, name), content, 0o644); err != nil {
			return "", err
		}
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", &registry.ToolError{Tool: "npm", Hint: "install Node.js, whose npm fetches the packages of the JavaScript image", Err: err}
	}
	command := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	command.Dir = work
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return "", &registry.ToolError{Tool: "npm ci", Output: output.String(), Hint: "the packages of package-lock.json could not be installed", Err: err}
	}
	if err := os.Rename(work, folder); err != nil {
		return "", fmt.Errorf("quickjs: keep packages: %w", err)
	}
	return folder, nil
}
