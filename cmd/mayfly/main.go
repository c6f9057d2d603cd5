// Command mayfly runs untrusted JavaScript, TypeScript and Python in isolates: as a
// server with a REST endpoint, or one program from the command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// commands is the command line. Flags that several commands share are those of
// settings, which the configuration file and the environment give too.
type commands struct {
	ConfigFile string `name:"config" help:"Configuration file (TOML); its keys are the flags' names." placeholder:"FILE" env:"MAYFLY_CONFIG" type:"path"`

	Serve   serveCommand   `cmd:"" help:"Serve the REST endpoint, and deployed workers."`
	Run     runCommand     `cmd:"" help:"Run one program, in process."`
	Init    initCommand    `cmd:"" help:"Begin a project of a worker from a template."`
	Dev     devCommand     `cmd:"" help:"Serve the worker of a project on this machine, and build it again when it changes."`
	Deploy  deployCommand  `cmd:"" help:"Deploy the worker of a project to a server."`
	Workers workersCommand `cmd:"" help:"List, show, roll back and delete deployed workers."`
	Tail    tailCommand    `cmd:"" help:"Print the logs and errors of a deployed worker as they come."`
	Usage   usageCommand   `cmd:"" help:"Print what workers and executions used, and what that costs."`
	Guests  guestsCommand  `cmd:"" help:"Prepare the guests, and list them."`
	Keys    keysCommand    `cmd:"" help:"Create, list and revoke API keys."`
	S3Keys  s3KeysCommand  `cmd:"" name:"s3-keys" help:"Create, list and delete the keys of mayfly serve --s3."`
	Secrets secretsCommand `cmd:"" help:"Set, list and delete secrets, which programs use without seeing them."`
	Buckets bucketsCommand `cmd:"" help:"Create, list and delete buckets."`
	Config  configCommand  `cmd:"" help:"Print the configuration in force, and where each value comes from."`
	Version versionCommand `cmd:"" help:"Print versions."`

	Transform transformCommand `cmd:"" hidden:"" help:"Transform sources, for mayfly serve and mayfly run."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// exitError is an exit code with nothing more to say.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Exit codes; mayfly run has those of its program besides.
const (
	exitFailure    = 1   // the command failed
	exitUsage      = 2   // bad flags, arguments or configuration
	exitRunFailure = 125 // mayfly run failed, not its program
)

func main() {
	// One more thread than guests: a goroutine that answers requests finds a
	// thread of its own, which the kernel schedules, while every processor
	// runs a guest.
	runtime.GOMAXPROCS(runtime.NumCPU() + 1)
	if os.Getenv("GOGC") == "" {
		// The heap is small beside what guests map: collect it less often, as
		// each collection waits for the running guests to yield.
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		// But not at the price of memory: what Go holds stays small.
		debug.SetMemoryLimit(512 << 20)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	executable, _ = os.Executable() // without, it goes on in this process
	code := execute(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// execute runs a command line and gives its exit code.
func execute(ctx context.Context, args []string, c console) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("mayfly"),
		kong.Description("Runs untrusted JavaScript, TypeScript and Python in isolates that cost microseconds."),
		kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.Vars{"cache": defaultCache(), "data": defaultData()},
	)
	if err != nil {
		fmt.Fprintln(c.err, "mayfly:", err)
		return exitFailure
	}
	config := &fileConfig{}
	if path := configPath(args); path != "" {
		if config, err = openConfig(path); err != nil {
			fmt.Fprintln(c.err, "mayfly:", err)
			return exitUsage
		}
		if err := kong.Resolvers(config).Apply(parser); err != nil {
			fmt.Fprintln(c.err, "mayfly:", err)
			return exitUsage
		}
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(c.err, "mayfly: %v\nTry mayfly --help.\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(c, parsed, config)
	err = parsed.Run()
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errUsage):
		fmt.Fprintln(c.err, "mayfly:", err)
		return exitUsage
	}
	fmt.Fprintln(c.err, "mayfly:", err)
	return exitFailure
}

// errUsage marks errors of flags, arguments and configuration.
var errUsage = errors.New("usage")

type usageError struct{ error }

func (usageError) Is(target error) bool { return target == errUsage }
func (e usageError) Unwrap() error      { return e.error }

func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
