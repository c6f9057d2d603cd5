// Command bench measures Mayfly against its targets and prints them as a
// table, and the same as one line of JSON. What can be a ratio is one, of
// measurements of the same run that alternate: absolute numbers say more of
// the machine and its neighbours than of the program.
//
// It is run at the top of the source tree, after make build.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Modes in which bench starts itself as a child process.
const (
	modeEcho  = "echo-peer"
	modeLoad  = "load"
	modeProxy = "proxy-peer"
	modeS3    = "s3-server"
)

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case modeEcho:
			return serveEcho(ctx)
		case modeProxy:
			return serveProxy(ctx)
		case modeS3:
			return serveObjects(ctx, args[1:])
		case modeLoad:
			return loadChild(os.Stdin, os.Stdout)
		}
	}
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&b.quick, "quick", false, "shorter and fewer rounds: a look, not a measurement")
	flags.BoolVar(&b.cold, "cold", false, "measure the start from an empty cache too, which fetches and builds the guest (minutes)")
	only := flags.String("only", "", "measure only these, separated by commas: "+sectionNames())
	flags.IntVar(&b.count, "count", 0, "executions of the soak; 0: 100,000, or 10,000 with -quick")
	flags.StringVar(&b.mayfly, "mayfly", "bin/mayfly", "the program to measure")
	profile := flags.String("cpuprofile", "", "write a CPU profile of this process, in which isolate, rate, compute and cpu-limit run")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	chosen, err := chooseSections(*only)
	if err != nil {
		return err
	}
	if b.count == 0 {
		b.count = pick(b.quick, 10_000, 100_000)
	}
	if b.cache, err = cacheDirectory(); err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	defer b.close()
	return b.measure(ctx, chosen)
}

// measure measures the sections and prints what came of them. A target that is
// missed is a result; a section that fails is an error, after the others.
func (b *bench) measure(ctx context.Context, chosen []section) error {
	machine := describeMachine()
	fmt.Println(machine)
	start := time.Now()
	var results []result
	var failed []error
	for _, s := range chosen {
		b.say("%s", s.name)
		begin := time.Now()
		measured, err := s.measure(b, ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.say("  failed: %v", err)
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
		for _, r := range measured {
			r.verdict = r.judge()
			results = append(results, r)
			b.say("  %s: %s, %s (%s)", r.what, r.shown(), r.verdict, r.detail)
		}
		b.say("  took %v", time.Since(begin).Round(100*time.Millisecond))
	}
	fmt.Println()
	printTable(os.Stdout, results)
	fmt.Println()
	if err := printJSON(os.Stdout, machine, b.quick, time.Since(start), results); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// say reports progress on standard error.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// A section measures one or more targets.
type section struct {
	name    string
	measure func(*bench, context.Context) ([]result, error)
}

var sections = []section{
	{"isolate", (*bench).isolate},
	{"rate", (*bench).rate},
	{"rest", (*bench).rest},
	{"compute", (*bench).compute},
	{"web", (*bench).web},
	{"cpu-limit", (*bench).cpuLimit},
	{"fairness", (*bench).fairness},
	{"ready", (*bench).ready},
	{"soak", (*bench).soak},
	{"objects", (*bench).objects},
	{"python-compute", (*bench).pythonCompute},
	{"python-numpy", (*bench).pythonNumPy},
	{"python-cpu-limit", (*bench).pythonCPULimit},
	{"python-hello", (*bench).pythonHello},
	{"sessions", (*bench).sessions},
	{"passthrough", (*bench).passthrough},
	{"workers", (*bench).workers},
}

func sectionNames() string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

func chooseSections(only string) ([]section, error) {
	if only == "" {
		return sections, nil
	}
	var chosen []section
next:
	for _, name := range strings.Split(only, ",") {
		for _, s := range sections {
			if s.name == strings.TrimSpace(name) {
				chosen = append(chosen, s)
				continue next
			}
		}
		return nil, fmt.Errorf("-only %s: there is %s", name, sectionNames())
	}
	return chosen, nil
}

// cacheDirectory is where guests, peers and native builds are kept.
func cacheDirectory() (string, error) {
	if dir := os.Getenv("MAYFLY_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "mayfly"), err
}

func pick[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}
