package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const modulePath = "github.com/tetratelabs/wazero"

// source is the pinned module as the go command has it.
type source struct {
	Version string
	Dir     string // in the module cache
	Sum     string // as in go.sum
	main    string // the directory of our own module
	goMod   []byte // our own go.mod
	goSum   []byte
}

// findModule asks the go command for a module at the version that our go.mod
// names, and has it downloaded and checked against go.sum if need be.
func findModule(module string) (*source, error) {
	out, err := goCommand("env", "GOMOD")
	if err != nil {
		return nil, err
	}
	goMod := strings.TrimSpace(string(out))
	if filepath.Base(goMod) != "go.mod" {
		return nil, errors.New("not inside a module")
	}
	s := &source{main: filepath.Dir(goMod)}
	if s.goMod, err = os.ReadFile(goMod); err != nil {
		return nil, err
	}
	if s.goSum, err = os.ReadFile(filepath.Join(s.main, "go.sum")); err != nil {
		return nil, err
	}
	if out, err = goCommand("list", "-m", "-f", "{{.Version}}", module); err != nil {
		return nil, err
	}
	if out, err = goCommand("mod", "download", "-json", module+"@"+strings.TrimSpace(string(out))); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, s); err != nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	return s, nil
}

// goCommand runs the go command for the module as it is, whatever the
// environment says of another module file.
func goCommand(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// wanted says whether a file of the module is needed to build it.
func wanted(name string) bool {
	switch path.Base(name) {
	case "go.mod", "LICENSE", "NOTICE":
		return !strings.Contains(name, "/")
	}
	first, _, _ := strings.Cut(name, "/")
	if first == "examples" || first == "site" || first == "cmd" || strings.Contains("/"+name, "/testdata/") {
		return false
	}
	ext := path.Ext(name)
	return ext == ".s" || ext == ".h" || ext == ".go" && !strings.HasSuffix(name, "_test.go")
}

// edited reads the module, and makes the edits.
func edited(dir string, edits []edit, added map[string]string) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !wanted(name) {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		files[name], err = apply(name, string(content), edits)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		if _, ok := files[e.file]; !ok {
			return nil, &anchorError{e, 0}
		}
	}
	for name, content := range added {
		if _, ok := files[name]; ok {
			return nil, fmt.Errorf("%s: the module has this file already", name)
		}
		files[name] = strings.ReplaceAll(content, `"EDITS"`, fmt.Sprintf("%q", editsDigest()))
	}
	return files, nil
}

// digest is over names and contents.
func digest(files map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%q %d\n%s", name, len(files[name]), files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digestName is the file in a copy that holds the digest of the others.
const digestName = "mayfly.digest"

// makeCopy returns the directory of the edited copy, made if it isn't there
// or isn't as it was made.
func makeCopy(cache string, s *source) (string, error) {
	key := sha256.Sum256([]byte(s.Version + " " + s.Sum + " " + editsDigest()))
	home := filepath.Join(cache, "engine", "wazero-"+s.Version+"-"+hex.EncodeToString(key[:8]))
	if intact(home) {
		return home, nil
	}
	files, err := edited(s.Dir, edits, added)
	if err != nil {
		return "", err
	}
	return home, install(home, files)
}

// intact says whether a copy's files are those that were written.
func intact(dir string) bool {
	want, err := os.ReadFile(filepath.Join(dir, digestName))
	if err != nil {
		return false
	}
	files := map[string]string{}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == digestName {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[name] = string(content)
		return err
	})
	return err == nil && string(want) == digest(files)
}

// install writes files to a directory beside home and renames it, so that
// home is whole whenever it exists. What was there is replaced, unless another
// process has just put a whole one there.
func install(home string, files map[string]string) (err error) {
	parent := filepath.Dir(home)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, "unfinished-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	made := filepath.Join(temp, "new")
	for name, content := range files {
		file := filepath.Join(made, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(made, digestName), []byte(digest(files)), 0o644); err != nil {
		return err
	}
	for range 3 {
		if err = os.Rename(made, home); err == nil || intact(home) {
			return nil
		}
		os.Rename(home, filepath.Join(temp, "old")) // removed with temp
	}
	return err
}
