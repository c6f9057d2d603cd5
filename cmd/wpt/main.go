// Command wpt runs the Web Platform Tests for servers, those of the files
// *.any.js in the source of Debian's nodejs package, in isolates: each file, and
// each variant of it, in a fresh one. What is expected to fail stands in
// testdata/wpt, with its reason, and that list only shrinks: an unexpected
// failure and an unexpected pass both fail the run.
//
// It is run at the top of the source tree: `go run ./cmd/wpt url streams/piping`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wpt:", err)
		os.Exit(1)
	}
}

// errUnexpected: the results are not those that the expectations have.
var errUnexpected = errors.New("the results differ from the expectations")

type options struct {
	suite        string // folder of the unpacked suite; empty: fetched into the cache
	expectations string // folder
	patterns     []string
	verbose      bool
	list         bool
	only         bool // only fetch the suite
	update       bool
	add          string // reason
	parallel     int
	cache        string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("wpt", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "usage: wpt [flags] [pattern ...]\n\nA pattern is a path or the beginning of one, as url or dom/abort, or has wildcards, as *idlharness*.\n\n")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.verbose, "v", false, "print every failing subtest with its message, expected or not")
	flags.BoolVar(&o.list, "list", false, "print the files and variants, and run nothing")
	flags.BoolVar(&o.only, "fetch", false, "fetch the suite into the cache, and run nothing")
	flags.BoolVar(&o.update, "update", false, "remove from the expectations what passes; adds nothing")
	flags.StringVar(&o.add, "add", "", "add what fails unexpectedly to the expectations, with this `reason`")
	flags.IntVar(&o.parallel, "j", 2*runtime.GOMAXPROCS(0), "files under way at once; as many as there are cores run")
	flags.StringVar(&o.suite, "suite", "", "`folder` of an unpacked suite, instead of the pinned one")
	flags.StringVar(&o.expectations, "expectations", filepath.FromSlash("testdata/wpt"), "`folder` of the expectations")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	o.patterns = flags.Args()
	var err error
	if o.cache, err = cacheDirectory(); err != nil {
		return err
	}
	if o.suite == "" {
		if o.suite, err = fetchSuite(ctx, o.cache, os.Stderr); err != nil {
			return err
		}
	}
	if o.only {
		return nil
	}
	tests, err := findTests(o.suite, o.patterns)
	if err != nil {
		return err
	}
	if o.list {
		for _, t := range tests {
			fmt.Fprintln(out, t.id())
		}
		return nil
	}
	return o.runTests(ctx, tests, out)
}

// runTests runs tests, prints what came of them, and compares that with the
// expectations, which it changes if it was told to.
func (o *options) runTests(ctx context.Context, tests []test, out io.Writer) error {
	expected, err := readExpectations(o.expectations)
	if err != nil {
		return err
	}
	r, err := newRunner(ctx, o.suite, o.cache)
	if err != nil {
		return err
	}
	defer r.close()
	began := time.Now()
	outcomes := r.runAll(ctx, tests, o.parallel)
	if err := ctx.Err(); err != nil {
		return err
	}
	report := newReport(outcomes, expected)
	report.print(out, o.verbose)
	fmt.Fprintf(out, "%d files in %.0f s\n", len(outcomes), time.Since(began).Seconds())
	if o.update || o.add != "" {
		changed := expected.update(outcomes, o.add)
		if err := expected.write(o.expectations, changed); err != nil {
			return err
		}
		report = newReport(outcomes, expected)
	}
	if len(report.unexpected) > 0 {
		return fmt.Errorf("%w: %d subtests (passes can be taken off the list by -update)", errUnexpected, len(report.unexpected))
	}
	return nil
}

func cacheDirectory() (string, error) {
	if dir := os.Getenv("MAYFLY_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "mayfly"), err
}
