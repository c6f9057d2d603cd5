package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mayfly/host/execution"
	"mayfly/storage"
)

// runCommand is mayfly run.
type runCommand struct {
	File       string            `arg:"" help:"Program to run (.js, .mjs, .jsx, .ts, .tsx, .py); - reads it from standard input."`
	Args       []string          `arg:"" optional:"" passthrough:"" help:"Arguments of the program; those that begin with a dash come after --."`
	Language   string            `help:"Language of a program from standard input." default:"javascript" enum:"javascript,typescript,python"`
	Input      string            `help:"Value of input, as JSON; @FILE reads it from a file." placeholder:"JSON"`
	Files      []string          `name:"file" help:"File to mount: PATH, or PATH=NAME to give it another name." placeholder:"PATH"`
	Package    []string          `help:"Pure-Python package to add, as six==1.17.0, or the file of a wheel; repeatable, and it implies --packages." placeholder:"NAME==VERSION"`
	Stdin      string            `help:"File that is the program's standard input; - for this command's own." placeholder:"FILE"`
	Env        map[string]string `help:"Environment variable of the program." placeholder:"NAME=VALUE"`
	Allow      []string          `help:"Host that fetch may reach, as api.example.com, *.example.com, example.com:8443; repeatable." placeholder:"HOST"`
	Secret     map[string]string `help:"Variable of this command's environment whose value requests to a host carry as Authorization: Bearer; the program does not see it. Repeatable." placeholder:"HOST=VARIABLE"`
	Binding    []string          `help:"Binding that the program finds in env: NAME=r2:BUCKET[/PREFIX][,ro], NAME=kv:NAMESPACE[/PREFIX][,ro], NAME=var:JSON, NAME=secret:VARIABLE of this command's environment, NAME=fetcher:URL (the way to that host), NAME=assets:DIR among the program's files; repeatable. Buckets and namespaces are in --data, and made when they are first used." placeholder:"NAME=KIND:WHAT" sep:"none"`
	Limit      map[string]string `help:"Limit: cpu, wall (durations), memory, output, files (sizes), subrequests, operations (numbers)." placeholder:"NAME=VALUE"`
	Artifacts  string            `help:"Directory in which to keep the files that the program writes to /artifacts." placeholder:"DIR" type:"path"`
	Keep       []string          `help:"Pattern of the files to keep, instead of /artifacts/**." placeholder:"GLOB"`
	Displays   string            `help:"Directory in which to keep rich results, as charts: display-1.png and so on." placeholder:"DIR" type:"path"`
	JSON       bool              `help:"Print the whole result as JSON."`
	Statistics bool              `name:"usage" help:"Print what the program used."`

	dataSettings   `group:"Settings, as those of mayfly serve:"`
	engineSettings `group:"Settings, as those of mayfly serve:"`
	limitSettings  `group:"Settings, as those of mayfly serve:"`
}

// outcomeCodes are the exit codes of programs that did not end by themselves.
var outcomeCodes = map[execution.Outcome]int{
	execution.ExceededCPU: 101, execution.ExceededWallTime: 102, execution.ExceededMemory: 103, execution.ExceededOutput: 104,
	execution.ExceededSubrequests: 105, execution.Canceled: 106, execution.LoadShed: 107, execution.InternalError: 108,
}

// Help is the long help of mayfly run.
func (cmd *runCommand) Help() string {
	return `The exit code is the program's own: 0, what it gave to process.exit or sys.exit, or 1 after an error that
nobody caught. A program that did not end by itself: 101 exceededCpu, 102 exceededWallTime,
103 exceededMemory, 104 exceededOutput, 105 exceededSubrequests, 106 canceled, 107 loadShed,
108 internalError. 125: mayfly itself failed, 2: bad flags or arguments.`
}

// Run runs the program.
func (cmd *runCommand) Run(ctx context.Context, c console) error {
	err := cmd.run(ctx, c)
	var code exitError
	if err == nil || errors.As(err, &code) || errors.Is(err, errUsage) {
		return err
	}
	fmt.Fprintln(c.err, "mayfly:", err)
	return exitError(exitRunFailure)
}

func (cmd *runCommand) run(ctx context.Context, c console) (err error) {
	request, err := cmd.request(c)
	if err != nil {
		return err
	}
	needed, _ := guestOf(request.Language) // one of the flag's, or a file's
	artifacts := &folder{path: cmd.Artifacts}
	defaults, caps := cmd.limits()
	config := execution.Config{Defaults: defaults, Caps: caps, Secrets: environmentSecrets{}}
	stores := &localStores{}
	defer func() { err = errors.Join(err, stores.Close()) }()
	if err := stores.open(ctx, &cmd.dataSettings, request.Bindings, &config); err != nil {
		return err
	}
	h, err := newHost(&cmd.engineSettings, []guest{needed}, artifacts, config, newLog(c.err, cmd.level()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	progress, finish := newProgress(c.err)
	err = h.prepare(ctx, progress)
	finish()
	if err != nil {
		return err
	}
	emit := func(e execution.Event) {
		_, _ = io.WriteString(c.out, e.Stdout)
		_, _ = io.WriteString(c.err, e.Stderr)
		if e.Display != nil {
			printDisplay(c.out, e.Display)
		}
	}
	if cmd.JSON {
		emit = nil
	}
	result, err := h.service.Execute(ctx, "run", *request, emit)
	if invalid := (*execution.InvalidError)(nil); errors.As(err, &invalid) {
		return usageError{withLimitHint(err)}
	}
	if err != nil {
		return err
	}
	if cmd.JSON {
		if err := json.NewEncoder(c.out).Encode(newRunResult(result)); err != nil {
			return err
		}
	} else {
		cmd.print(c, result, artifacts)
	}
	if !cmd.JSON || cmd.Displays != "" {
		if err := keepDisplays(c.err, result.Displays, cmd.Displays); err != nil {
			return fmt.Errorf("--displays: %w", err)
		}
	}
	if code, ok := outcomeCodes[result.Outcome]; ok {
		return exitError(code)
	}
	if result.ExitCode != 0 {
		return exitError(result.ExitCode & 0xff)
	}
	return nil
}

// print shows what the events did not.
func (cmd *runCommand) print(c console, r *execution.Result, artifacts *folder) {
	switch {
	case r.Value != nil:
		fmt.Fprintf(c.out, "%s\n", r.Value)
	case r.Text != "":
		fmt.Fprintln(c.out, r.Text)
	}
	if r.Error != nil {
		for e := r.Error; e != nil; e = e.Cause {
			fmt.Fprintf(c.err, "%s: %s\n%s", e.Name, e.Message, indentStack(e))
			if e.Cause != nil {
				fmt.Fprint(c.err, "caused by ")
			}
		}
	}
	if r.Outcome != execution.OK {
		fmt.Fprintf(c.err, "outcome: %s\n", r.Outcome)
	}
	for _, a := range r.Artifacts {
		if artifacts.path == "" {
			fmt.Fprintf(c.err, "artifact %s (%s, %s) was not kept: give --artifacts DIR\n", a.Name, a.ContentType, size(a.Size))
		} else {
			fmt.Fprintf(c.err, "artifact %s\n", filepath.Join(artifacts.path, filepath.FromSlash(a.Name)))
		}
	}
	if cmd.Statistics {
		u := r.Usage
		fmt.Fprintf(c.err, "cpu %v, wall %v, start-up %v, memory %d KiB, egress %d B, subrequests %d\n", u.CPU.Round(time.Microsecond), u.Wall.Round(time.Microsecond), u.Startup.Round(time.Microsecond),
			u.PeakMemory>>10, u.EgressBytes, u.Subrequests)
		if b := u.Bindings; b.Operations > 0 {
			fmt.Fprintf(c.err, "binding operations %d, read %d B, written %d B\n", b.Operations, b.ReadBytes, b.WriteBytes)
		}
	}
}

// indentStack is the stack without the line that repeats name and message.
func indentStack(e *execution.Error) string {
	stack := strings.TrimPrefix(e.Stack, e.Name+": "+e.Message)
	stack = strings.Trim(stack, "\n")
	if stack == "" {
		return ""
	}
	return stack + "\n"
}

// request makes the request that the flags describe.
func (cmd *runCommand) request(c console) (*execution.Request, error) {
	language := cmd.Language
	if strings.EqualFold(filepath.Ext(cmd.File), ".py") {
		language = "python"
	}
	r := &execution.Request{Language: language, Env: cmd.Env, Args: cmd.Args, Artifacts: cmd.Keep}
	for i, a := range r.Args {
		if a == "--" {
			r.Args = slices.Delete(r.Args, i, i+1)
			break
		}
		if strings.HasPrefix(a, "-") && a != "-" {
			return nil, usageError{fmt.Errorf("%s is no flag, or comes too late: mayfly's flags come before the program's arguments, and such as begin with a dash after --", a)}
		}
	}
	if cmd.File == "-" {
		code, err := io.ReadAll(c.in)
		if err != nil {
			return nil, err
		}
		r.Code = string(code)
	} else {
		code, err := os.ReadFile(cmd.File)
		if err != nil {
			return nil, err
		}
		r.Entrypoint = filepath.Base(cmd.File)
		r.Files = append(r.Files, execution.File{Path: r.Entrypoint, Content: code})
	}
	for _, f := range cmd.Files {
		from, name, ok := strings.Cut(f, "=")
		if !ok {
			name = mountName(filepath.Dir(cmd.File), from)
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		r.Files = append(r.Files, execution.File{Path: name, Content: content})
	}
	for _, name := range cmd.Package {
		if strings.HasSuffix(name, ".whl") {
			content, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("--package: %w", err)
			}
			name = "./" + filepath.Base(name)
			r.Files = append(r.Files, execution.File{Path: name, Content: content})
		}
		r.Packages = append(r.Packages, name)
		cmd.Packages = true
	}
	if cmd.Input != "" {
		input := []byte(cmd.Input)
		if name, ok := strings.CutPrefix(cmd.Input, "@"); ok {
			var err error
			if input, err = os.ReadFile(name); err != nil {
				return nil, fmt.Errorf("--input: %w", err)
			}
		}
		if !json.Valid(input) {
			return nil, usageError{fmt.Errorf("--input: %q is not JSON", input)}
		}
		r.Input = input
	}
	if cmd.Stdin != "" {
		var err error
		if cmd.Stdin == "-" {
			r.Stdin, err = io.ReadAll(c.in)
		} else {
			r.Stdin, err = os.ReadFile(cmd.Stdin)
		}
		if err != nil {
			return nil, fmt.Errorf("--stdin: %w", err)
		}
	}
	for _, host := range cmd.Allow {
		if strings.Contains(host, "/") {
			return nil, usageError{fmt.Errorf("--allow: %q is not a host: expected one like api.example.com, *.example.com or example.com:8443", host)}
		}
		rule := execution.NetworkRule{Host: host}
		if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && strings.Count(host, ":") == 1 {
			port, err := strconv.Atoi(host[i+1:])
			if err != nil {
				return nil, usageError{fmt.Errorf("--allow: %q has no number for its port", host)}
			}
			rule = execution.NetworkRule{Host: host[:i], Ports: []int{port}}
		}
		if variable, ok := cmd.Secret[host]; ok {
			rule.Inject = []execution.Injection{{Header: "Authorization", Secret: variable, Format: "Bearer {}"}}
		}
		r.Network.Allow = append(r.Network.Allow, rule)
	}
	for host, variable := range cmd.Secret {
		if !slices.Contains(cmd.Allow, host) {
			return nil, usageError{fmt.Errorf("--secret: %s is not a host of --allow", host)}
		}
		if os.Getenv(variable) == "" {
			return nil, usageError{fmt.Errorf("--secret: the environment has no variable %s", variable)}
		}
	}
	for _, text := range cmd.Binding {
		b, err := parseBinding(text)
		if err != nil {
			return nil, err
		}
		r.Bindings = append(r.Bindings, b)
	}
	return r, cmd.setLimits(&r.Limits)
}

// mountName is where a file is mounted: where it lies from the program's own
// folder, or by its last name if it lies elsewhere.
func mountName(folder, file string) string {
	absolute, err1 := filepath.Abs(file)
	folder, err2 := filepath.Abs(folder)
	if relative, err := filepath.Rel(folder, absolute); err1 == nil && err2 == nil && err == nil && filepath.IsLocal(relative) {
		return filepath.ToSlash(relative)
	}
	return filepath.Base(file)
}

func (cmd *runCommand) setLimits(l *execution.Limits) error {
	for name, text := range cmd.Limit {
		var err error
		setSize := func(p *int64) { var s size; err = s.UnmarshalText([]byte(text)); *p = int64(s) }
		switch name {
		case "cpu":
			l.CPU, err = parseDuration(text)
		case "wall":
			l.Wall, err = parseDuration(text)
		case "memory":
			setSize(&l.MemoryBytes)
		case "output":
			setSize(&l.OutputBytes)
		case "files":
			setSize(&l.FilesBytes)
		case "subrequests":
			l.Subrequests, err = strconv.Atoi(text)
		case "operations":
			l.Operations, err = strconv.Atoi(text)
		default:
			err = errors.New("there is no such limit: expected cpu, wall, memory, output, files, subrequests or operations")
		}
		if err != nil {
			return usageError{fmt.Errorf("--limit %s: %w", name, err)}
		}
	}
	return nil
}

// folder keeps artifacts as plain files, or counts them only if it has no path.
type folder struct{ path string }

// Put implements execution.Objects.
func (f *folder) Put(_ context.Context, key string, body io.Reader, options storage.PutOptions) (storage.Object, error) {
	if f.path == "" {
		return storage.Object{Key: key}, nil
	}
	_, name, _ := strings.Cut(strings.TrimPrefix(key, "artifacts/"), "/")
	if err := os.MkdirAll(f.path, 0o755); err != nil {
		return storage.Object{}, err
	}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return storage.Object{}, err
	}
	defer root.Close()
	local := filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(local), 0o755); err != nil {
		return storage.Object{}, err
	}
	file, err := root.Create(local)
	if err != nil {
		return storage.Object{}, err
	}
	n, err := io.Copy(file, body)
	return storage.Object{Key: key, Size: n, SHA256: options.Digests.SHA256, ContentType: options.ContentType}, errors.Join(err, file.Close())
}

// Get implements execution.Objects: a run has no earlier ones.
func (f *folder) Get(_ context.Context, key string, _ storage.GetOptions) (*storage.Content, error) {
	return nil, &storage.Error{Op: "get", Key: key, Err: storage.ErrNotFound}
}
