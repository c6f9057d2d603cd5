package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// PackagesConfig configures Packages. Zero fields have the values that are said
// there.
type PackagesConfig struct {
	Folder  string   // where packages are kept, made when there is none
	Command []string // the npm client; nil: npm

	Timeout time.Duration // of one installation; 0: 60 s
	Bytes   int64         // of one installation; 0: 128 MiB
	Files   int           // of one installation; 0: 20000
	Count   int           // dependencies of one package.json; 0: 50
	Keep    int64         // bytes of all that are kept; 0: 2 GiB
}

// Packages installs npm packages with the npm client, whose configuration says
// from where, and keeps them by what was asked for. Nothing of a package runs. It
// is safe for concurrent use.
type Packages struct {
	config PackagesConfig
	turns  chan struct{} // installations at once

	mu   sync.Mutex
	used map[string]int           // folders that are being read
	busy map[string]chan struct{} // folders that are being made
}

// installations is how many may be under way.
const installations = 2

// NewPackages makes a store of packages.
//
// # Errors
//
// Errors of the file system, or that there is no npm.
func NewPackages(config PackagesConfig) (*Packages, error) {
	if config.Timeout == 0 {
		config.Timeout = time.Minute
	}
	if config.Bytes == 0 {
		config.Bytes = 128 << 20
	}
	if config.Files == 0 {
		config.Files = 20_000
	}
	if config.Count == 0 {
		config.Count = 50
	}
	if config.Keep == 0 {
		config.Keep = 2 << 30
	}
	if config.Command == nil {
		npm, err := exec.LookPath("npm")
		if err != nil {
			return nil, fmt.Errorf("bundle: there is no npm, which fetches packages of JavaScript: install Node.js: %w", err)
		}
		config.Command = []string{npm}
	}
	if err := os.MkdirAll(config.Folder, 0o755); err != nil {
		return nil, err
	}
	p := &Packages{config: config, turns: make(chan struct{}, installations), used: map[string]int{}, busy: map[string]chan struct{}{}}
	// What was left unfinished.
	left, err := filepath.Glob(filepath.Join(config.Folder, "*.tmp"))
	if err != nil {
		return nil, err
	}
	for _, folder := range left {
		_ = os.RemoveAll(folder)
	}
	return p, nil
}

var (
	packageName = regexp.MustCompile(`^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-zA-Z0-9~-][a-zA-Z0-9._~-]*$`)
	// A range, a tag, or another package's name: nothing that leads elsewhere
	// than to the index (npm-package-arg).
	packageSpec = regexp.MustCompile(`^(npm:(@[a-z0-9~-][a-z0-9._~-]*/)?[a-zA-Z0-9~-][a-zA-Z0-9._~-]*(@|$))?[a-zA-Z0-9.*^~<>=| +-]*$`)
)

// dependencies are those of the package.json among the files: ranges by name.
func dependencies(files map[string]string) (map[string]string, error) {
	text := ""
	for name, content := range files {
		if cleanName(name) == "package.json" {
			text = content
		}
	}
	if text == "" {
		return nil, nil
	}
	var p struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, &CreateError{"package.json: " + err.Error()}
	}
	wanted := map[string]string{}
	for name, spec := range p.Dependencies {
		if !packageName.MatchString(name) || len(name) > 214 {
			return nil, &CreateError{fmt.Sprintf("package.json: %q is no name of a package", name)}
		}
		if !packageSpec.MatchString(spec) || len(spec) > 200 {
			return nil, &CreateError{fmt.Sprintf("package.json: %s: %q leads elsewhere than to the index: expected versions, as ^1.2.3, a tag, or npm:name@versions", name, spec)}
		}
		if _, given := files["node_modules/"+name+"/package.json"]; !given {
			wanted[name] = spec
		}
	}
	return wanted, nil
}

// Install answers a folder that has the packages below node_modules. It is there
// until it is released.
//
// # Errors
//
// A [*CreateError] for packages that can't be had, [ErrBusy], the context's,
// errors of the file system.
func (p *Packages) Install(ctx context.Context, wanted map[string]string) (folder string, release func(), err error) {
	if len(wanted) > p.config.Count {
		return "", nil, &CreateError{fmt.Sprintf("package.json has %d dependencies; the limit is %d", len(wanted), p.config.Count)}
	}
	manifest, err := json.Marshal(map[string]any{"name": "worker", "private": true, "dependencies": wanted})
	if err != nil {
		return "", nil, err
	}
	digest := sha256.Sum256(manifest)
	name := hex.EncodeToString(digest[:])[:32]
	folder = filepath.Join(p.config.Folder, name)
	release = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.used[name]--; p.used[name] == 0 {
			delete(p.used, name)
		}
	}
	for {
		p.mu.Lock()
		wait := p.busy[name]
		if wait == nil {
			if _, err := os.Stat(folder); err == nil {
				p.used[name]++
				p.mu.Unlock()
				now := time.Now()
				_ = os.Chtimes(folder, now, now) // for what is used last
				return folder, release, nil
			}
			done := make(chan struct{})
			p.busy[name] = done
			p.mu.Unlock()
			err := p.install(ctx, folder, manifest)
			p.mu.Lock()
			delete(p.busy, name)
			if err == nil {
				p.used[name]++
			}
			p.mu.Unlock()
			close(done)
			if err != nil {
				return "", nil, err
			}
			p.sweep()
			return folder, release, nil
		}
		p.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
}

func (p *Packages) install(ctx context.Context, folder string, manifest []byte) error {
	queue := time.NewTimer(workerWait)
	defer queue.Stop()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-queue.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	work := folder + ".tmp"
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "package.json"), manifest, 0o644); err != nil {
		return err
	}
	if err := p.run(ctx, work); err != nil {
		return err
	}
	if _, err := p.measure(work); err != nil {
		return err
	}
	return os.Rename(work, folder)
}

// run runs npm, and stops it when it downloads too much.
func (p *Packages) run(ctx context.Context, work string) error {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(p.config.Timeout, func() {
		cancel(&CreateError{fmt.Sprintf("npm takes longer than %v to install the packages", p.config.Timeout)})
	})
	defer late.Stop()
	args := append(slices.Clone(p.config.Command[1:]), "install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-bin-links",
		"--no-package-lock", "--no-update-notifier", "--loglevel=error", "--logs-max=0", "--prefix", work)
	npm := exec.CommandContext(running, p.config.Command[0], args...)
	npm.Dir = work
	// Nothing but the index is asked: no repositories, addresses or folders that
	// a package names. A client that does not know these asks them with --git.
	npm.Env = append(os.Environ(), "NPM_CONFIG_ALLOW_GIT=none", "NPM_CONFIG_ALLOW_REMOTE=none", "NPM_CONFIG_ALLOW_FILE=none",
		"NPM_CONFIG_ALLOW_DIRECTORY=none", "NPM_CONFIG_GIT=false", "GIT_ALLOW_PROTOCOL=none")
	npm.WaitDelay = 5 * time.Second
	output := &outputTail{limit: 16 << 10}
	npm.Stdout, npm.Stderr = output, output
	if err := npm.Start(); err != nil {
		if cause := context.Cause(running); cause != nil {
			return cause
		}
		return err
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-running.Done():
				return
			case <-time.After(250 * time.Millisecond):
				if _, err := p.measure(work); err != nil {
					cancel(err)
					return
				}
			}
		}
	}()
	err := npm.Wait()
	cause := context.Cause(running)
	cancel(nil)
	<-watched
	switch {
	case cause != nil:
		return cause
	case err != nil:
		return npmFailure(output.String(), err)
	}
	return nil
}

// measure is the size of what is installed.
func (p *Packages) measure(folder string) (size int64, err error) {
	files := 0
	walkErr := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // files come and go
		}
		files++
		if info, err := entry.Info(); err == nil {
			size += info.Size()
		}
		if files > p.config.Files {
			return &CreateError{fmt.Sprintf("the packages have more than %d files", p.config.Files)}
		}
		if size > p.config.Bytes {
			return &CreateError{fmt.Sprintf("the packages are larger than %d bytes", p.config.Bytes)}
		}
		return nil
	})
	return size, walkErr
}

// sweep removes the folders not used for longest, where there is more than is
// kept.
func (p *Packages) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries, err := os.ReadDir(p.config.Folder)
	if err != nil {
		return // the next one tries again
	}
	type kept struct {
		name string
		used time.Time
		size int64
	}
	var list []kept
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		size, _ := p.measure(filepath.Join(p.config.Folder, e.Name())) // one that is too large counts as far as it was measured
		total += size
		list = append(list, kept{e.Name(), info.ModTime(), size})
	}
	slices.SortFunc(list, func(a, b kept) int { return a.used.Compare(b.used) })
	for _, k := range list {
		if total <= p.config.Keep {
			return
		}
		if p.used[k.name] > 0 || p.busy[k.name] != nil {
			continue
		}
		// By a rename it is gone at once.
		gone := filepath.Join(p.config.Folder, k.name+".tmp")
		if os.Rename(filepath.Join(p.config.Folder, k.name), gone) == nil {
			_ = os.RemoveAll(gone)
			total -= k.size
		}
	}
}

var npmErrors = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`E404[\s\S]*?'([^'\s]+)' (?:is not in this registry|could not be found)`), "there is no package %s on the index"},
	{regexp.MustCompile(`ETARGET[\s\S]*?No matching version found for ([^\s]+)\.`), "there is no version %s on the index"},
	{regexp.MustCompile(`(E404)`), "a package is not on the index (%s)"},
	{regexp.MustCompile(`(ERESOLVE)`), "the packages exclude each other (%s)"},
	{regexp.MustCompile(`(EALLOWGIT|EALLOWREMOTE|EALLOWFILE|EALLOWDIRECTORY)`), "a package asks for something that is not on the index (%s)"},
}

// npmFailure is for who asked if it is about the packages, else for the log.
func npmFailure(output string, err error) error {
	for _, e := range npmErrors {
		if m := e.pattern.FindStringSubmatch(output); m != nil {
			return &CreateError{"npm: " + fmt.Sprintf(e.text, m[1])}
		}
	}
	return fmt.Errorf("bundle: npm failed: %w\n%s", err, strings.TrimSpace(output))
}

// outputTail keeps the end of what is written.
type outputTail struct {
	limit int
	data  []byte
}

func (t *outputTail) Write(b []byte) (int, error) {
	t.data = append(t.data, b...)
	if over := len(t.data) - t.limit; over > 0 {
		t.data = append([]byte(nil), t.data[over:]...)
	}
	return len(b), nil
}

func (t *outputTail) String() string { return string(t.data) }
